//! What `ls` printed of a directory of which sosreport copies little: which names there are, and what they are.
//!
//! ```text
//! /boot:                                                                                    (ls -lanR /boot, until 4.7)
//! total 187380
//! dr-xr-xr-x.  5 0 0      4096 Mar  4 16:19 .
//! -rw-------.  1 0 0  43718341 Aug 25  2024 initramfs-5.14.0-503.el9.x86_64.img
//! lrwxrwxrwx. 1 root root system_u:object_r:boot_t:s0  11 Aug  4  2014 menu.lst -> grub.cfg       (ls -alZR /boot, since)
//! ```

use super::super::{Entry, FileKind, Missing, Question, Reading, Reason, Source, Space, Stat, Tail, resolve};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The directory, and the outputs in which it may be: numbers of owners in the first, names and contexts in the second.
pub(super) const BOOT: &str = "/boot";
const OUTPUTS: [(&str, bool); 2] =
    [("/sos_commands/boot/ls_-lanR_.boot", false), ("/sos_commands/boot/ls_-alZR_.boot", true)];

/// Some thousand files.
const CAP: u64 = 4 << 20;

/// A tree, and what was printed of a directory in it.
#[derive(Debug)]
pub(super) struct Listing {
    tree: Arc<dyn Source>,
    directories: Directories,
}

/// What is in each directory, by name.
type Directories = BTreeMap<PathBuf, BTreeMap<String, Listed>>;

#[derive(Clone, Debug, PartialEq)]
struct Listed {
    kind: FileKind,
    mode: u32,
    /// Owner and group; none where they were printed by names other than root.
    owners: Option<(u32, u32)>,
    size: u64,
    target: Option<PathBuf>,
}

impl Listing {
    /// None where it was not printed, or not as a whole.
    pub(super) fn of(tree: &Arc<dyn Source>) -> Option<Self> {
        let directories = OUTPUTS.iter().find_map(|(path, has_context)| {
            let text = tree.read(Path::new(path), CAP).ok()?;
            parse(std::str::from_utf8(&text).ok()?, *has_context)
        });
        Some(Self { tree: tree.clone(), directories: directories? })
    }

    /// What was printed of the place at `path`, on the way to which there are no links.
    fn listed(&self, path: &Path) -> Option<&Listed> {
        match self.directories.get(path) {
            Some(itself) => itself.get("."),
            None => self.directories.get(path.parent()?)?.get(path.file_name()?.to_str()?),
        }
    }

    fn place(&self, path: &Path, follow_last: bool) -> Reading<PathBuf> {
        resolve(self, path, follow_last)
    }

    /// What the tree has of the place that links lead to, those that were printed too; what was printed of it and is no more than
    /// that was not collected.
    fn contents<T>(&self, path: &Path, read: impl Fn(&Path) -> Reading<T>) -> Reading<T> {
        match read(path) {
            Err(Missing::Absent) => {}
            found => return found,
        }
        let place = self.place(path, true)?;
        match read(&place) {
            Err(Missing::Absent) if self.listed(&place).is_some() => {
                Err(Missing::unreadable(path, Reason::NotCollected))
            }
            found => found,
        }
    }

    fn told(&self, place: &Path) -> Reading<Stat> {
        let Listed { kind, mode, owners, size, .. } = self.listed(place).ok_or(Missing::Absent)?;
        let (uid, gid) = owners.ok_or_else(|| Missing::unreadable(place, Reason::NotCollected))?;
        // The time is told to the day in a zone that is not.
        let allocated = size.div_ceil(512);
        Ok(Stat { kind: *kind, mode: *mode, uid, gid, size: *size, allocated, mtime: 0, rdev: 0 })
    }
}

impl Source for Listing {
    fn read(&self, path: &Path, cap: u64) -> Reading<Vec<u8>> {
        self.contents(path, |path| self.tree.read(path, cap))
    }

    fn read_tail(&self, path: &Path, cap: u64) -> Reading<Tail> {
        self.contents(path, |path| self.tree.read_tail(path, cap))
    }

    fn stream(&self, path: &Path) -> Reading<Box<dyn Read + Send>> {
        self.contents(path, |path| self.tree.stream(path))
    }

    fn read_at(&self, path: &Path, offset: u64, length: usize) -> Reading<Vec<u8>> {
        self.contents(path, |path| self.tree.read_at(path, offset, length))
    }

    fn list(&self, path: &Path) -> Reading<Vec<Entry>> {
        // The tree may have it as well, but not all of it.
        let place = self.place(path, true)?;
        let Some(names) = self.directories.get(&place) else { return self.tree.list(&place) };
        let names = names.iter().filter(|(name, _)| !matches!(name.as_str(), "." | ".."));
        Ok(names.map(|(name, listed)| Entry { name: OsString::from(name), kind: listed.kind }).collect())
    }

    fn stat(&self, path: &Path) -> Reading<Stat> {
        match self.tree.stat(path) {
            Err(Missing::Absent) => {}
            found => return found,
        }
        let place = self.place(path, true)?;
        match self.tree.stat(&place) {
            Err(Missing::Absent) => self.told(&place),
            found => found,
        }
    }

    fn lstat(&self, path: &Path) -> Reading<Stat> {
        match self.tree.lstat(path) {
            // Links on the way are asked for here as well, one after the other, each of which has fewer on its own.
            Err(Missing::Absent) if self.listed(path).is_some() => self.told(path),
            Err(Missing::Absent) if path.parent().is_some_and(|dir| !self.directories.contains_key(dir)) => {
                let place = self.place(path, false)?;
                if place == path { Err(Missing::Absent) } else { self.lstat(&place) }
            }
            found => found,
        }
    }

    fn read_link(&self, path: &Path) -> Reading<PathBuf> {
        match self.tree.read_link(path) {
            Err(Missing::Absent) => {}
            found => return found,
        }
        let place = self.place(path, false)?;
        match self.listed(&place) {
            Some(Listed { target: Some(target), .. }) => Ok(target.clone()),
            _ => self.tree.read_link(&place),
        }
    }

    fn statvfs(&self, path: &Path) -> Reading<Space> {
        self.tree.statvfs(path)
    }

    fn ask(&self, question: Question) -> Reading<Vec<u8>> {
        self.tree.ask(question)
    }

    fn bytes_read(&self) -> Option<u64> {
        self.tree.bytes_read()
    }
}

/// All directories; none if a line is not understood or a directory is missing.
fn parse(text: &str, has_context: bool) -> Option<Directories> {
    let mut directories = Directories::new();
    let mut here: Option<PathBuf> = None;
    for line in text.lines() {
        if line.is_empty() {
            here = None;
        } else if let Some(directory) = &here {
            if !line.starts_with("total ") {
                let (name, listed) = entry(line, has_context)?;
                directories.get_mut(directory)?.insert(name, listed);
            }
        } else {
            let path = PathBuf::from(line.strip_suffix(':')?);
            if !path.starts_with(BOOT) {
                return None;
            }
            directories.insert(path.clone(), BTreeMap::new());
            here = Some(path);
        }
    }
    let is_known = |(directory, names): (&PathBuf, &BTreeMap<String, Listed>)| {
        names.contains_key(".")
            && names
                .iter()
                .filter(|(name, listed)| {
                    listed.kind == FileKind::Directory && !matches!(name.as_str(), "." | "..")
                })
                .all(|(name, _)| directories.contains_key(&directory.join(name)))
    };
    let is_whole = text.ends_with('\n') && directories.contains_key(Path::new(BOOT));
    (is_whole && directories.iter().all(is_known)).then_some(directories)
}

/// `-rw-r--r--. 1 0 0 123891 Aug 25  2015 config`: one blank is before the name, which may have more.
fn entry(line: &str, has_context: bool) -> Option<(String, Listed)> {
    let mut rest = line;
    let mut word = || {
        let (word, after) = rest.trim_start_matches(' ').split_once(' ')?;
        rest = after;
        Some(word)
    };
    let permissions = word()?;
    let (_links, owner, group) = (word()?, word()?, word()?);
    if has_context {
        word()?;
    }
    let size = word()?.parse().ok()?;
    let (_month, _day, _year) = (word()?, word()?, word()?);
    let (kind, mode) = mode(permissions)?;
    let (name, target) = match kind {
        FileKind::Link => rest.split_once(" -> ").map(|(name, target)| (name, Some(target.into())))?,
        _ => (rest, None),
    };
    let id = |word: &str| if word == "root" { Some(0) } else { word.parse().ok() };
    let owners = id(owner).zip(id(group));
    let is_name = !name.is_empty() && !name.contains('/');
    is_name.then(|| (name.to_owned(), Listed { kind, mode, owners, size, target }))
}

/// `-rwsr-xr-t.`: one letter more says whether there is a context or an access control list.
fn mode(permissions: &str) -> Option<(FileKind, u32)> {
    let kind = match permissions.chars().next()? {
        '-' => FileKind::File,
        'd' => FileKind::Directory,
        'l' => FileKind::Link,
        'p' => FileKind::Fifo,
        's' => FileKind::Socket,
        // These have two numbers in place of a size.
        _ => return None,
    };
    let mut mode = 0;
    let mut letters = permissions.chars().skip(1);
    for special in [0o4000, 0o2000, 0o1000] {
        let mut bits = 0;
        for (letter, bit) in ['r', 'w', 'x'].into_iter().zip([4, 2, 1]) {
            bits |= match letters.next()? {
                '-' => 0,
                found if found == letter => bit,
                's' | 't' if bit == 1 => {
                    mode |= special;
                    1
                }
                'S' | 'T' if bit == 1 => {
                    mode |= special;
                    0
                }
                _ => return None,
            };
        }
        mode = (mode & 0o7000) | ((mode & 0o777) << 3) | bits;
    }
    Some((kind, mode))
}

#[cfg(test)]
mod tests {
    use super::super::super::{Files, Host, Target};
    use super::*;

    const NUMBERS: &str = "/boot:\ntotal 187380\ndr-xr-xr-x.  3 0 0     4096 Mar  4 16:19 .\ndr-xr-xr-x. 19 0 0     4096 Jul 14 09:10 ..\n\
        -rw-r--r--.  1 0 0   123891 Aug 25  2015 config-3.10\ndrwxr-xr-x.  6 0 7      111 Jun 15 09:51 grub2\n\
        lrwxrwxrwx.  1 0 0        5 Jun 15 09:51 grub -> grub2\n\n\
        /boot/grub2:\ntotal 36\ndrwxr-xr-x. 6 0 7  104 Mar  4 16:16 .\ndr-xr-xr-x. 3 0 0 4096 Mar  4 16:19 ..\n\
        lrwxrwxrwx. 1 0 0   11 Aug  4  2014 menu.lst -> ./grub.cfg\n-rw-r--r--. 1 0 0 7040 Mar 29 13:30 grub.cfg\n\
        -rwsr-xr-T. 1 0 0 1 Mar 29 13:30 my  file\n";
    const NAMES: &str = "/boot:\ntotal 4\ndr-xr-xr-x. 3 root root system_u:object_r:boot_t:s0 4096 Mar  4 16:19 .\n\
        -rw-r--r--. 1 joe root system_u:object_r:boot_t:s0 123891 Aug 25  2015 config\n\
        -rw------- 1 root root ? 7 Aug 25  2015 vmlinuz\n";

    fn report(path: &str, text: &str) -> Host {
        let mut files = Files::new();
        files.file("/boot/grub2/grub.cfg", "set x=1\n").file(path, text);
        Host::new(files, Target::root("x"))
    }

    #[test]
    fn what_is_listed_is_there_and_nothing_else() {
        let host = report(OUTPUTS[0].0, NUMBERS);
        assert_eq!(host.names("/boot").unwrap(), ["config-3.10", "grub", "grub2"]);
        assert_eq!(host.names("/boot/grub").unwrap(), ["grub.cfg", "menu.lst", "my  file"]);
        for (path, is_there) in [
            ("/boot/config-3.10", Ok(true)),
            ("/boot/vmlinuz", Ok(false)),
            ("/boot/grub/device.map", Ok(false)),
            ("/boot/grub/grub.cfg", Ok(true)),
            ("/boot/efi/EFI", Ok(false)),
        ] {
            assert_eq!(host.exists(path), is_there, "{path}");
        }
        assert!(host.exists("/bootx").is_err());
        for path in ["/boot/grub/grub.cfg", "/boot/grub/menu.lst", "/boot/grub2/../grub/menu.lst"] {
            assert_eq!(host.read_text(path).as_deref(), Ok("set x=1\n"), "{path}");
        }
        assert!(host.read_text("/boot/config-3.10").unwrap_err().is_not_collected());
        assert_eq!(host.read_text("/boot/vmlinuz"), Err(Missing::Absent));
        let stat = host.source.lstat(Path::new("/boot/grub/my  file")).unwrap();
        assert_eq!((stat.mode, stat.size, stat.uid, stat.kind), (0o5754, 1, 0, FileKind::File));
        let stat = host.source.lstat(Path::new("/boot/grub")).unwrap();
        assert_eq!(stat.kind, FileKind::Link);
    }

    #[test]
    fn owners_that_are_not_numbers_are_not_known() {
        let host = report(OUTPUTS[1].0, NAMES);
        assert_eq!(host.names("/boot").unwrap(), ["config", "vmlinuz"]);
        assert_eq!(host.source.stat(Path::new("/boot/vmlinuz")).unwrap().mode, 0o600);
        assert!(host.source.stat(Path::new("/boot/config")).unwrap_err().is_not_collected());
    }

    #[test]
    fn half_a_listing_is_none() {
        for (from, to) in [
            ("/boot/grub2:", "/boot/grub3:"),
            ("/boot:\n", "/etc:\n"),
            (" .\n", " x\n"),
            ("drwxr-xr-x. 6", "d????????? ?"),
            ("total 36", "ls: reading directory '/boot/grub2': Input/output error"),
            ("123891", "8, 1"),
            ("my  file\n", "my  file"),
        ] {
            let torn = NUMBERS.replace(from, to);
            let host = report(OUTPUTS[0].0, &torn);
            assert!(host.names("/boot").is_err(), "{to}");
            assert!(host.exists("/boot/vmlinuz").is_err(), "{to}");
        }
        assert_eq!(parse("", false), None);
        assert_eq!(parse("\0\u{fffd}\n\n:\n", true), None);
    }

    #[test]
    fn links_in_a_circle_have_an_end() {
        let text =
            NUMBERS.replace("grub -> grub2", "grub -> grub").replace("./grub.cfg", "/boot/grub2/menu.lst");
        let host = report(OUTPUTS[0].0, &text);
        for path in ["/boot/grub/x/y", "/boot/grub", "/boot/grub2/menu.lst"] {
            assert!(host.read_text(path).is_err(), "{path}");
            assert!(host.source.stat(Path::new(path)).is_err());
            drop((
                host.source.lstat(Path::new(path)),
                host.source.read_link(Path::new(path)),
                host.names(path),
            ));
        }
    }
}
