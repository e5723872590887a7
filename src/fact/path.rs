//! What is at a path: the one fact that rules may ask of any file, so that a new check of a file needs no Rust.

use super::Fact;
use crate::model::{Field, Lazy, List, Map, Partial, Type, View};
use crate::source::glob::NAMES;
use crate::source::{At, FileKind, Host, Missing, Optional, Reading, Stat, resolve};
use crate::{record, word};
use elsa::sync::FrozenMap;
use std::path::Path as FsPath;

record! {
    /// What is at a path: `path['/etc/machine-id'].exists`, and what a glob stands for: `path.matching['/etc/cron.d/*']`.
    ///
    /// ```text
    /// -rw-r----- root shadow 1042 /etc/shadow          mode 0640, uid 0, gid 42
    /// lrwxrwxrwx root root     29 /etc/resolv.conf     -> ../run/systemd/resolve/stub-resolv.conf
    /// ```
    ///
    /// Source: stat(2), symlink(7), glob(7). Links are followed inside the root, so that a path tells what a program would
    /// find there; `link` tells of the link itself. Nothing is read before a rule asks.
    #[bare(entries)]
    pub struct Path {
        /// Any path may be asked for; where nothing is, `exists` is false.
        pub entries: Paths,
        /// The paths that globs stand for, parted by blanks, in their order and each sorted; none are listed, any may be asked
        /// for. `*` does not match a leading dot.
        pub matching: Globs,
    }
}

record! {
    /// What is at one path. All but `path`, `exists` and `link` are absent where nothing is.
    pub struct PathEntry {
        /// The path, as it was asked for.
        pub path: String,
        /// Its last part.
        pub name: String,
        /// Whether something is there, links followed: a link that leads nowhere is nothing.
        pub exists: Reading<bool>,
        /// Where the link leads that is at this path itself, as it is written there. Absent where it is no link.
        pub link: Reading<String>,
        /// Where the path leads, every link followed.
        pub real_path: Reading<String>,
        /// What is there.
        pub kind: Reading<PathKind>,
        /// Permission bits in octal, set-user-ID, set-group-ID and sticky included: `0644`, `1777`.
        pub mode: Reading<String>,
        /// Whether its group may write it.
        pub group_writable: Reading<bool>,
        /// Whether everybody may write it.
        pub world_writable: Reading<bool>,
        /// Whether its group may read it.
        pub group_readable: Reading<bool>,
        /// Whether everybody may read it.
        pub world_readable: Reading<bool>,
        /// Whether anybody at all may execute it: at least one of the three bits.
        pub executable: Reading<bool>,
        /// Whether the sticky bit is set.
        pub sticky: Reading<bool>,
        /// Owner.
        pub uid: Reading<u32>,
        /// Group.
        pub gid: Reading<u32>,
        /// Size in bytes.
        pub size_bytes: Reading<u64>,
        /// The first line of a regular file of at most 1 MiB, blanks at its ends taken off; empty where the file is.
        pub first_line: Lazy<String>,
        /// Its lines, blanks at the ends of each taken off; what is not UTF-8 is replaced.
        pub lines: Lazy<Vec<String>>,
        /// The names in a directory, sorted.
        pub names: Lazy<Vec<String>>,
        /// The path.
        pub at: At,
    }
}

word! {
    /// What is at a path.
    pub enum PathKind {
        /// A regular file.
        File = "file",
        /// A directory.
        Directory = "directory",
        /// A FIFO.
        Fifo = "fifo",
        /// A socket.
        Socket = "socket",
        /// A block device.
        Block = "block",
        /// A character device.
        Character = "character",
        /// Not known.
        Other = "other",
    }
}

/// The largest text that is read: what rules ask are marks and small configuration files.
const CAP: u64 = 1 << 20;

impl Fact for Path {
    const NAME: &'static str = "path";
    const READS: &'static [&'static str] = &["/*"];

    fn collect(host: &Host) -> Reading<Self> {
        Ok(Self {
            entries: Paths { host: host.clone(), found: FrozenMap::new() },
            matching: Globs { host: host.clone(), found: FrozenMap::new() },
        })
    }
}

/// The paths that were asked for.
#[derive(Debug)]
pub struct Paths {
    host: Host,
    found: FrozenMap<String, Box<PathEntry>>,
}

impl Field for Paths {
    const TYPE: Type = Type::Map(&<PathEntry as Field>::TYPE);

    fn view(&self) -> Reading<View<'_>> {
        Ok(View::Map(self))
    }
}

impl Map for Paths {
    fn get(&self, path: &str) -> Reading<View<'_>> {
        let found = match self.found.get(path) {
            Some(found) => found,
            None => self.found.insert(path.to_owned(), Box::new(entry(&self.host, path))),
        };
        Ok(View::Record(found))
    }

    fn keys(&self) -> Vec<&str> {
        Vec::new()
    }
}

/// The globs that were asked for.
#[derive(Debug)]
pub struct Globs {
    host: Host,
    found: FrozenMap<String, Box<Partial<PathEntry>>>,
}

impl Field for Globs {
    const TYPE: Type = Type::Map(&Type::List(&<PathEntry as Field>::TYPE));

    fn view(&self) -> Reading<View<'_>> {
        Ok(View::Map(self))
    }
}

impl Map for Globs {
    fn get(&self, glob: &str) -> Reading<View<'_>> {
        let found: &dyn List = match self.found.get(glob) {
            Some(found) => found,
            None => self.found.insert(glob.to_owned(), Box::new(matching(&self.host, glob))),
        };
        Ok(View::List(found))
    }

    fn keys(&self) -> Vec<&str> {
        Vec::new()
    }
}

fn matching(host: &Host, globs: &str) -> Partial<PathEntry> {
    let (mut found, mut names_left) = (Partial::default(), NAMES);
    for glob in globs.split_whitespace() {
        let (paths, unread) = host.glob(glob, &mut names_left);
        for entry in paths.iter().map(|path| entry(host, path)) {
            // A path without a wildcard stands for itself, whether it exists or not; so does a last part without one.
            match &entry.exists {
                Ok(false) if entry.link.is_err() => {}
                Err(Missing::Unreadable(why)) if entry.link.is_err() => found.unread.push(why.clone()),
                _ => found.items.push(entry),
            }
        }
        found.unread.extend(unread);
    }
    found
}

fn entry(host: &Host, path: &str) -> PathEntry {
    let fs_path = FsPath::new(path);
    let stat = host.source.stat(fs_path);
    let of = |what: fn(&Stat) -> bool| stat.as_ref().map(what).map_err(Clone::clone);
    let lossy = |path: std::path::PathBuf| path.to_string_lossy().into_owned();
    // Links in the directories above are followed, that at the path itself is not.
    let link =
        resolve(&*host.source, fs_path, false).and_then(|place| match host.source.lstat(&place)?.kind {
            FileKind::Link => host.source.read_link(&place).map(lossy),
            _ => Err(Missing::Absent),
        });
    let lines = {
        let (host, path) = (host.clone(), path.to_owned());
        move || {
            let bytes = host.source.read(FsPath::new(&path), CAP)?;
            let text = String::from_utf8_lossy(&bytes);
            Ok(text.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>())
        }
    };
    let names = {
        let (host, path) = (host.clone(), path.to_owned());
        move || host.names(&path)
    };
    PathEntry {
        name: path.rsplit('/').next().unwrap_or_default().to_owned(),
        exists: stat.clone().optional().map(|stat| stat.is_some()).map_err(Missing::Unreadable),
        link,
        real_path: stat.clone().and_then(|_| resolve(&*host.source, fs_path, true)).map(lossy),
        kind: stat.as_ref().map(|stat| kind(stat.kind)).map_err(Clone::clone),
        mode: stat.as_ref().map(|stat| format!("{:04o}", stat.mode)).map_err(Clone::clone),
        group_writable: of(|stat| stat.mode & 0o020 != 0),
        world_writable: of(|stat| stat.mode & 0o002 != 0),
        group_readable: of(|stat| stat.mode & 0o040 != 0),
        world_readable: of(|stat| stat.mode & 0o004 != 0),
        executable: of(|stat| stat.mode & 0o111 != 0),
        sticky: of(|stat| stat.mode & 0o1000 != 0),
        uid: stat.as_ref().map(|stat| stat.uid).map_err(Clone::clone),
        gid: stat.as_ref().map(|stat| stat.gid).map_err(Clone::clone),
        size_bytes: stat.as_ref().map(|stat| stat.size).map_err(Clone::clone),
        first_line: {
            let lines = lines.clone();
            Lazy::new(move || Ok(lines()?.into_iter().next().unwrap_or_default()))
        },
        lines: Lazy::new(lines),
        names: Lazy::new(names),
        at: At::file(path),
        path: path.to_owned(),
    }
}

fn kind(kind: FileKind) -> PathKind {
    match kind {
        FileKind::File => PathKind::File,
        FileKind::Directory => PathKind::Directory,
        FileKind::Fifo => PathKind::Fifo,
        FileKind::Socket => PathKind::Socket,
        FileKind::Block => PathKind::Block,
        FileKind::Character => PathKind::Character,
        FileKind::Link | FileKind::Other => PathKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    fn host() -> Host {
        let mut files = Files::new();
        files
            .file("/etc/machine-id", "0123\n  second \n")
            .file("/usr/bin/dash", "ELF")
            .link("/bin", "usr/bin");
        files.mode("/usr/bin/dash", 0o4755).unwrap().owner("/usr/bin/dash", 7, 8).unwrap();
        files.link("/usr/bin/sh", "dash").link("/etc/nowhere", "gone").deny("/root").directory("/tmp");
        files.mode("/tmp", 0o1777).unwrap();
        Host::new(files, Target::root("x"))
    }

    #[test]
    fn a_path_tells_what_a_program_would_find() {
        let sh = entry(&host(), "/bin/sh");
        assert_eq!((sh.exists, sh.kind, sh.mode), (Ok(true), Ok(PathKind::File), Ok("4755".into())));
        assert_eq!((sh.uid, sh.gid, sh.size_bytes, sh.executable), (Ok(7), Ok(8), Ok(3), Ok(true)));
        assert_eq!((sh.link, sh.real_path), (Ok("dash".into()), Ok("/usr/bin/dash".into())));
        assert_eq!(entry(&host(), "/tmp").sticky, Ok(true));
        assert_eq!(entry(&host(), "/usr/bin").names.get().unwrap(), &["dash", "sh"]);
        assert_eq!(entry(&host(), "/etc/machine-id").lines.get().unwrap(), &["0123", "second"]);
    }

    #[test]
    fn nothing_there_and_not_allowed_to_look_are_two_things() {
        let nowhere = entry(&host(), "/etc/nowhere");
        assert_eq!((nowhere.exists, nowhere.link), (Ok(false), Ok("gone".into())));
        assert_eq!(nowhere.mode, Err(Missing::Absent));
        let none = entry(&host(), "/etc/none");
        assert_eq!(
            (none.exists, none.link, none.uid),
            (Ok(false), Err(Missing::Absent), Err(Missing::Absent))
        );
        let denied = entry(&host(), "/root/.ssh/authorized_keys");
        assert!(matches!(denied.exists, Err(Missing::Unreadable(_))));
        assert!(matches!(denied.first_line.get(), Err(Missing::Unreadable(_))));
    }

    #[test]
    fn a_glob_stands_for_what_is_there_dangling_links_too() {
        let names = |glob: &str| -> Vec<String> {
            matching(&host(), glob).items.into_iter().map(|entry| entry.name).collect()
        };
        assert_eq!(names("/etc/*"), ["machine-id", "nowhere"]);
        assert_eq!((names("/*/sh"), matching(&host(), "/*/sh").unread.len()), (vec!["sh".to_owned()], 1));
        assert_eq!(names("/usr/bin/s* /etc/machine-id"), ["sh", "machine-id"]);
        assert_eq!(names("/etc/none"), [""; 0]);
        assert_eq!(matching(&host(), "/root/*").unread.len(), 1);
        let denied = matching(&host(), "/root/mark");
        assert_eq!((denied.items.len(), denied.unread.len()), (0, 1), "it may be there, or not");
    }
}
