//! What the programs that start a host and let people in ask of the dynamic linker, and whether it is there.

use super::Fact;
use crate::format::elf::{self, Machine, Object};
use crate::format::shared_library::{DIRECTORIES, cached, search_path};
use crate::model::Partial;
use crate::source::{At, Host, Missing, Reading, Reason, Unreadable, resolve};
use crate::{record, word};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::sync::Arc;

record! {
    /// The dynamic linkers and shared libraries of the programs that start a host and let people in.
    ///
    /// ```text
    /// /usr/sbin/sshd    PT_INTERP  /lib64/ld-linux-x86-64.so.2
    ///                   DT_NEEDED  libcrypt.so.1, libpam.so.0, libcrypto.so.3, libc.so.6
    /// ```
    ///
    /// Source: elf(5), ld.so(8). A program of which the linker or one library is missing, or a library of one of its libraries,
    /// ends before its first instruction: "No such file or directory", or "error while loading shared libraries". Absent where
    /// none of the programs is there, or all are linked statically.
    pub struct Elf {
        /// The programs that are there, and what they load by themselves: PAM's and sudo's modules.
        pub programs: Partial<ElfProgram>,
        /// Their dynamic linkers and C libraries.
        pub loaders: Partial<ElfLibrary>,
        /// The other libraries that they need, and that those need.
        pub libraries: Partial<ElfLibrary>,
    }
}

record! {
    /// A program, or a module that one loads.
    pub struct ElfProgram {
        /// Its path.
        pub path: String,
        /// The dynamic linker that it names; absent in a module.
        pub interpreter: Option<String>,
        /// The libraries that it names itself.
        pub needed: Vec<String>,
        /// The file.
        pub at: At,
    }
}

record! {
    /// A dynamic linker or library that programs need.
    pub struct ElfLibrary {
        /// What the programs call it: a path for a dynamic linker, else a name.
        pub name: String,
        /// What is there.
        pub state: ElfState,
        /// Where; absent if it is missing.
        pub path: Option<String>,
        /// The link of that name that leads nowhere: `/lib64/libz.so.1 -> libz.so.1.2.13`.
        pub dangling: Option<String>,
        /// The programs that cannot start without it, those first that matter most.
        pub programs: Vec<String>,
        /// The libraries and programs that name it, sorted.
        pub needed_by: Vec<String>,
        /// Where it is, or the first that names it.
        pub at: At,
    }
}

word! {
    /// What is there where a shared library should be.
    pub enum ElfState {
        /// An ELF object for the machine that the program is for.
        Present = "present",
        /// A file of 0 bytes, as a crash or a full disk leaves it.
        Empty = "empty",
        /// Something that is no ELF object.
        NotElf = "not-elf",
        /// An object for another machine or word size.
        OtherMachine = "other-machine",
        /// Nothing, or a link that leads nowhere.
        Missing = "missing",
    }
}

/// What must start for a host to boot and let somebody in. Another path to the same file counts once.
const PROGRAMS: &[&str] = &[
    "/bin/sh",
    "/sbin/init",
    "/usr/lib/systemd/systemd",
    "/lib/systemd/systemd-logind",
    "/usr/lib/systemd/systemd-logind",
    "/bin/bash",
    "/bin/login",
    "/usr/bin/login",
    "/usr/sbin/sshd",
    "/usr/lib/openssh/sshd-session",
    "/usr/libexec/openssh/sshd-session",
    "/usr/lib/ssh/sshd-session",
    "/bin/su",
    "/usr/bin/su",
    "/usr/bin/sudo",
    "/sbin/agetty",
    "/usr/sbin/agetty",
    "/bin/mount",
    "/usr/bin/mount",
    "/bin/udevadm",
    "/usr/bin/udevadm",
    "/sbin/modprobe",
    "/sbin/ip",
    "/usr/bin/dbus-daemon",
    "/usr/bin/dbus-broker",
    "/usr/sbin/NetworkManager",
    "/usr/libexec/sudo/sudoers.so",
    "/usr/lib/sudo/sudoers.so",
];

/// In every directory of libraries: without it no password is checked.
const MODULE: &str = "security/pam_unix.so";

/// More objects than honest programs need together: about 100.
const MOST: usize = 2_000;

impl Fact for Elf {
    const NAME: &'static str = "elf";
    const READS: &'static [&'static str] = &[
        "/bin/*",
        "/sbin/*",
        "/usr/*bin/*",
        "/lib*/*",
        "/usr/lib*/*",
        "/etc/ld.so.conf",
        "/etc/ld.so.cache",
        "/etc/ld-musl-*.path",
    ];

    fn collect(host: &Host) -> Reading<Self> {
        let mut walk = Walk {
            host,
            directories: None,
            seen: BTreeMap::new(),
            loaders: BTreeMap::new(),
            libraries: BTreeMap::new(),
            unread: Vec::new(),
        };
        let (mut programs, mut places) = (Partial::default(), BTreeSet::new());
        let modules = DIRECTORIES.iter().flatten().map(|directory| format!("{directory}/{MODULE}"));
        for path in PROGRAMS.iter().map(|path| (*path).to_owned()).chain(modules) {
            let place = match resolve(&*host.source, Path::new(&path), true) {
                Ok(place) => place,
                // A link in a circle is as good as none.
                Err(Missing::Unreadable(why)) if why.reason != Reason::LinkLoop => {
                    programs.unread.push(why);
                    continue;
                }
                Err(_) => continue,
            };
            if !places.insert(place.clone()) {
                continue;
            }
            match walk.look(&place.to_string_lossy()) {
                Ok(Look::Elf(elf)) if elf.interpreter.is_some() || !elf.needed.is_empty() => {
                    walk.follow(&path, &place.to_string_lossy(), &elf);
                    programs.items.push(ElfProgram {
                        interpreter: elf.interpreter.clone(),
                        needed: elf.needed.clone(),
                        at: At::file(path.as_str()),
                        path,
                    });
                }
                Ok(_) | Err(Missing::Absent) => {}
                Err(Missing::Unreadable(why)) => programs.unread.push(why),
            }
        }
        if programs.items.is_empty() && programs.unread.is_empty() {
            return Err(Missing::Absent);
        }
        let list = |found: BTreeMap<_, Need>| Partial {
            items: found.into_values().map(Need::library).collect(),
            unread: programs.unread.iter().chain(&walk.unread).cloned().collect(),
        };
        let (loaders, libraries) = (list(walk.loaders), list(walk.libraries));
        Ok(Self { loaders, libraries, programs })
    }
}

/// An object that was looked at.
#[derive(Clone, Debug)]
enum Look {
    Elf(Arc<elf::Elf>),
    Bad(ElfState),
}

/// A library, as it is being found out about.
#[derive(Debug)]
struct Need {
    name: String,
    state: ElfState,
    path: Option<String>,
    dangling: Option<String>,
    programs: Vec<String>,
    needed_by: BTreeSet<String>,
}

impl Need {
    fn library(self) -> ElfLibrary {
        let first = self.needed_by.first().cloned().unwrap_or_default();
        ElfLibrary {
            at: At::file(self.path.clone().unwrap_or(first)),
            name: self.name,
            state: self.state,
            path: self.path,
            dangling: self.dangling,
            programs: self.programs,
            needed_by: self.needed_by.into_iter().collect(),
        }
    }
}

/// Where a name leads.
#[derive(Debug)]
struct Place {
    state: ElfState,
    path: Option<String>,
    elf: Option<Arc<elf::Elf>>,
}

struct Walk<'a> {
    host: &'a Host,
    directories: Option<Vec<String>>,
    seen: BTreeMap<String, Look>,
    loaders: BTreeMap<(String, String), Need>,
    libraries: BTreeMap<(String, String), Need>,
    unread: Vec<Unreadable>,
}

impl Walk<'_> {
    fn look(&mut self, path: &str) -> Reading<Look> {
        if let Some(seen) = self.seen.get(path) {
            return Ok(seen.clone());
        }
        let look = match elf::read(self.host, path)? {
            Object::Elf(elf) => Look::Elf(Arc::new(*elf)),
            Object::Empty => Look::Bad(ElfState::Empty),
            Object::NotElf => Look::Bad(ElfState::NotElf),
        };
        self.seen.insert(path.to_owned(), look.clone());
        Ok(look)
    }

    /// Goes through all that a program would load before it starts, as ld.so does: breadth first, each name once.
    fn follow(&mut self, program: &str, place: &str, elf: &Arc<elf::Elf>) {
        if let Some(interpreter) = &elf.interpreter {
            let found = self.at(interpreter, elf.machine);
            // Where the linker is bad, nobody looks for libraries.
            let stop = !matches!(&found, Ok(Place { state: ElfState::Present, .. }));
            self.note(program, place, interpreter, found);
            if stop {
                return;
            }
        }
        let mut loaded = BTreeSet::new();
        // With the directories of those that loaded it, nearest first.
        let mut queue = VecDeque::from([(place.to_owned(), elf.clone(), Vec::<String>::new())]);
        while let Some((by, object, inherited)) = queue.pop_front() {
            let (first, passed_on) = own_directories(&by, &object, &inherited);
            for name in &object.needed {
                // The linker is there already: it is what loads the others.
                let is_linker = ["ld-", "ld64.so.", "ld.so."].iter().any(|start| name.starts_with(start));
                if is_linker || loaded.len() >= MOST || !loaded.insert(name.clone()) {
                    continue;
                }
                let found = match name.contains('/') {
                    true => self.at(name, elf.machine),
                    false => self.find(name, &first, elf.machine),
                };
                if let Ok(Place { path: Some(path), elf: Some(next), .. }) = &found {
                    queue.push_back((path.clone(), next.clone(), passed_on.clone()));
                }
                self.note(program, &by, name, found);
            }
        }
    }

    fn note(&mut self, program: &str, by: &str, name: &str, found: Reading<Place>) {
        let found = match found {
            Ok(found) => found,
            Err(Missing::Unreadable(why)) => {
                if !self.unread.contains(&why) {
                    self.unread.push(why);
                }
                return;
            }
            Err(Missing::Absent) => Place { state: ElfState::Missing, path: None, elf: None },
        };
        let is_loader =
            name.starts_with('/') || name.starts_with("libc.so.") || name.starts_with("libc.musl-");
        let key = (name.to_owned(), found.path.clone().unwrap_or_default());
        let dangling = match found.state {
            ElfState::Missing if !self.is_noted(&key, is_loader) => self.dangling(name),
            _ => None,
        };
        let needs = if is_loader { &mut self.loaders } else { &mut self.libraries };
        let need = needs.entry(key).or_insert_with(|| Need {
            name: name.to_owned(),
            state: found.state,
            path: found.path,
            dangling,
            programs: Vec::new(),
            needed_by: BTreeSet::new(),
        });
        if need.programs.last().is_none_or(|last| last != program) {
            need.programs.push(program.to_owned());
        }
        need.needed_by.insert(by.to_owned());
    }

    fn is_noted(&self, key: &(String, String), is_loader: bool) -> bool {
        if is_loader { &self.loaders } else { &self.libraries }.contains_key(key)
    }

    /// What is at a path.
    fn at(&mut self, path: &str, machine: Option<Machine>) -> Reading<Place> {
        let place = |state, elf| Ok(Place { state, path: Some(path.to_owned()), elf });
        match self.look(path) {
            Ok(Look::Elf(elf)) => {
                let fits = elf.machine.is_none() || machine.is_none() || elf.machine == machine;
                place(if fits { ElfState::Present } else { ElfState::OtherMachine }, fits.then_some(elf))
            }
            Ok(Look::Bad(state)) => place(state, None),
            Err(Missing::Absent) => Ok(Place { state: ElfState::Missing, path: None, elf: None }),
            Err(unreadable) => Err(unreadable),
        }
    }

    /// What a name leads to: the object's own directories, the system's, the cache's. The first that fits is taken; one for
    /// another machine is passed over, an empty file is not.
    fn find(&mut self, name: &str, first: &[String], machine: Option<Machine>) -> Reading<Place> {
        let directories = self.directories.take().unwrap_or_else(|| search_path(self.host));
        let paths = first.iter().chain(&directories).map(|directory| format!("{directory}/{name}"));
        let mut found = self.best(paths, machine);
        self.directories = Some(directories);
        if matches!(found, Ok(Place { state: ElfState::Missing | ElfState::OtherMachine, .. })) {
            let cached = self.best(cached(self.host, name).into_iter(), machine);
            if !matches!(cached, Ok(Place { state: ElfState::Missing, .. })) {
                found = cached;
            }
        }
        found
    }

    fn best(&mut self, paths: impl Iterator<Item = String>, machine: Option<Machine>) -> Reading<Place> {
        let mut passed = Place { state: ElfState::Missing, path: None, elf: None };
        for path in paths {
            let found = self.at(&path, machine)?;
            match found.state {
                ElfState::Missing => {}
                ElfState::OtherMachine => passed = found,
                _ => return Ok(found),
            }
        }
        Ok(passed)
    }

    /// A link of this name that leads nowhere.
    fn dangling(&mut self, name: &str) -> Option<String> {
        let paths: Vec<String> = match name.starts_with('/') {
            true => vec![name.to_owned()],
            false => {
                self.directories.iter().flatten().map(|directory| format!("{directory}/{name}")).collect()
            }
        };
        paths.into_iter().find_map(|path| {
            let place = resolve(&*self.host.source, Path::new(&path), false).ok()?;
            let to = self.host.source.read_link(&place).ok()?;
            Some(format!("{path} -> {}", to.to_string_lossy()))
        })
    }
}

/// The directories in which what an object needs is looked for before all others, and those that count for its libraries
/// too: ld.so(8), "Searching for libraries".
fn own_directories(path: &str, object: &elf::Elf, inherited: &[String]) -> (Vec<String>, Vec<String>) {
    let origin = path.rsplit_once('/').map_or("", |(directory, _)| directory);
    let expand = |directories: &[String]| -> Vec<String> {
        let with_origin = directories
            .iter()
            .map(|directory| directory.replace("${ORIGIN}", origin).replace("$ORIGIN", origin));
        let with_library = with_origin.flat_map(|directory| match directory.contains("$LIB") {
            true => ["lib64", "lib"].map(|lib| directory.replace("$LIB", lib)).to_vec(),
            false => vec![directory],
        });
        with_library.filter(|directory| directory.starts_with('/')).collect()
    };
    if !object.run_path.is_empty() {
        return (expand(&object.run_path), Vec::new());
    }
    let mut own = expand(&object.r_path);
    own.extend(inherited.iter().take(MOST).cloned());
    (own.clone(), own)
}

#[cfg(test)]
mod tests;
