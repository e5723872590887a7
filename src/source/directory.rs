//! A directory that holds a root tree. Nothing outside it is ever reached.

use super::live::{READ_FLAGS, missing, of_stat, read_all, read_end, read_part, relative, require_file};
use super::resolve::{step, walk};
use super::{Entry, FileKind, LIST_CAP, Missing, Reading, Reason, Source, Space, Stat, Tail};
use nix::dir::{Dir, Type};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat, openat2, readlinkat};
use nix::sys::stat::{FileStat, Mode, fstat, fstatat};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A directory given by the user, seen as `/`.
///
/// The kernel itself confines every look-up (openat2(2), `RESOLVE_IN_ROOT`). Where it cannot
/// (Linux before 5.6, or a sandbox that forbids the call) links are followed one by one,
/// and every look-up starts at the directory's descriptor and follows no link by itself.
#[derive(Debug)]
pub struct Directory {
    root: OwnedFd,
    confines: bool,
}

impl Directory {
    /// Opens the directory at `path` of this host.
    pub fn open(path: &Path) -> io::Result<Self> {
        // O_DIRECTORY: a FIFO given as a directory is refused instead of waited for.
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let root = nix::fcntl::open(path, flags, Mode::empty())?;
        let confines = Self::look(&root, Path::new("."), OFlag::O_PATH).is_ok();
        Ok(Self { root, confines })
    }

    fn look(root: &OwnedFd, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
        let how = OpenHow::new()
            .flags(flags | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        // EAGAIN: the kernel saw a rename race and could not prove confinement; it asks to try again.
        for _ in 0..16 {
            match openat2(root, path, how) {
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                other => return other,
            }
        }
        Err(Errno::EAGAIN)
    }

    fn at(&self, path: &Path, flags: OFlag, follow: bool) -> Reading<OwnedFd> {
        let flags = if follow { flags } else { flags | OFlag::O_NOFOLLOW };
        let found = if self.confines {
            Self::look(&self.root, &relative(path), flags)
        } else {
            let real = relative(&self.resolve(path, follow)?);
            openat(&self.root, &real, flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, Mode::empty())
        };
        found.map_err(|e| missing(path, e))
    }

    /// The place of `path`, for a kernel that does not confine.
    fn resolve(&self, path: &Path, follow: bool) -> Reading<PathBuf> {
        walk(path, follow, &|here| {
            let kind = FileKind::of_mode(self.entry(here)?.st_mode);
            step(kind, || {
                readlinkat(&self.root, &relative(here)).map(PathBuf::from).map_err(|e| missing(here, e))
            })
        })
    }

    /// What is at a path on whose way there are no links.
    fn entry(&self, path: &Path) -> Reading<FileStat> {
        fstatat(&self.root, &relative(path), AtFlags::AT_SYMLINK_NOFOLLOW).map_err(|e| missing(path, e))
    }

    /// The regular file at `path`, opened, and its size.
    pub(super) fn file(&self, path: &Path) -> Reading<(File, i64)> {
        // O_PATH does not open what is there: a device or FIFO is seen, and left alone.
        let seen = fstat(self.at(path, OFlag::O_PATH, true)?).map_err(|e| missing(path, e))?;
        require_file(path, &seen)?;
        let file = self.at(path, READ_FLAGS, true)?;
        let opened = fstat(&file).map_err(|e| missing(path, e))?;
        require_file(path, &opened)?;
        Ok((File::from(file), opened.st_size))
    }
}

impl Source for Directory {
    fn read(&self, path: &Path, cap: u64) -> Reading<Vec<u8>> {
        let (file, size) = self.file(path)?;
        read_all(path, file, Some(size), cap)
    }

    fn read_tail(&self, path: &Path, cap: u64) -> Reading<Tail> {
        let (file, size) = self.file(path)?;
        read_end(path, file, size, cap)
    }

    fn stream(&self, path: &Path) -> Reading<Box<dyn Read + Send>> {
        Ok(Box::new(self.file(path)?.0))
    }

    fn read_at(&self, path: &Path, offset: u64, length: usize) -> Reading<Vec<u8>> {
        read_part(path, &self.file(path)?.0, offset, length)
    }

    fn list(&self, path: &Path) -> Reading<Vec<Entry>> {
        let fd = self.at(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY, true).map_err(|missing| {
            // ENOTDIR for the last component is "something else is there", not "nothing".
            match self.stat(path) {
                Ok(stat) if stat.kind != FileKind::Directory => {
                    Missing::unreadable(path, Reason::WrongKind("not a directory"))
                }
                _ => missing,
            }
        })?;
        let mut found = Vec::new();
        for entry in Dir::from_fd(fd).map_err(|e| missing(path, e))? {
            let entry = entry.map_err(|e| missing(path, e))?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            if found.len() == LIST_CAP {
                return Err(Missing::unreadable(path, Reason::TooMany(LIST_CAP)));
            }
            let kind = match entry.file_type() {
                Some(Type::File) => FileKind::File,
                Some(Type::Directory) => FileKind::Directory,
                Some(Type::Symlink) => FileKind::Link,
                Some(Type::Fifo) => FileKind::Fifo,
                Some(Type::Socket) => FileKind::Socket,
                Some(Type::BlockDevice) => FileKind::Block,
                Some(Type::CharacterDevice) => FileKind::Character,
                // Some file systems do not say.
                None => self
                    .at(&path.join(name), OFlag::O_PATH, false)
                    .and_then(|entry| fstat(entry).map_err(|e| missing(path, e)))
                    .map_or(FileKind::Other, |stat| FileKind::of_mode(stat.st_mode)),
            };
            found.push(Entry { name: name.to_owned(), kind });
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    fn stat(&self, path: &Path) -> Reading<Stat> {
        fstat(self.at(path, OFlag::O_PATH, true)?).map(of_stat).map_err(|e| missing(path, e))
    }

    fn lstat(&self, path: &Path) -> Reading<Stat> {
        if self.confines {
            return fstat(self.at(path, OFlag::O_PATH, false)?).map(of_stat).map_err(|e| missing(path, e));
        }
        self.entry(&self.resolve(path, false)?).map(of_stat)
    }

    fn read_link(&self, path: &Path) -> Reading<PathBuf> {
        if self.confines {
            let link = self.at(path, OFlag::O_PATH, false)?;
            return readlinkat(link, "").map(PathBuf::from).map_err(|e| missing(path, e));
        }
        let place = self.resolve(path, false)?;
        readlinkat(&self.root, &relative(&place)).map(PathBuf::from).map_err(|e| missing(path, e))
    }

    /// The file system of *this* host that holds the directory is another than the one that the tree came from, or will be on.
    fn statvfs(&self, path: &Path) -> Reading<Space> {
        Err(Space::not_told(path))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Unreadable;
    use super::*;
    use nix::unistd::mkfifo;
    use std::os::unix::fs::symlink;

    fn tree(confines: bool) -> (tempfile::TempDir, Directory) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        std::fs::create_dir_all(root.join("etc")).unwrap();
        std::fs::write(dir.path().join("outside"), "outside").unwrap();
        std::fs::write(root.join("etc/inside"), "inside").unwrap();
        symlink("/etc/inside", root.join("absolute")).unwrap();
        symlink("../../../../etc/inside", root.join("etc/up")).unwrap();
        symlink("../outside", root.join("escape")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        symlink("etc", root.join("linked")).unwrap();
        symlink("/etc", root.join("linked-from-root")).unwrap();
        mkfifo(&root.join("etc/fstab"), Mode::S_IRUSR).unwrap();
        let mut directory = Directory::open(&root).unwrap();
        directory.confines = confines;
        (dir, directory)
    }

    #[test]
    fn a_file_is_read_piece_by_piece_from_inside_the_root_alone() {
        for confines in [true, false] {
            let (dir, source) = tree(confines);
            std::fs::create_dir_all(dir.path().join("root/boot")).unwrap();
            std::fs::write(dir.path().join("root/boot/initrd"), b"0123456789").unwrap();
            symlink("/boot/initrd", dir.path().join("root/boot/absolute")).unwrap();
            symlink("../../../../../../../../etc/passwd", dir.path().join("root/boot/out")).unwrap();
            mkfifo(&dir.path().join("root/boot/fifo"), Mode::S_IRWXU).unwrap();
            let mut found = String::new();
            source.stream(Path::new("/boot/absolute")).unwrap().take(4).read_to_string(&mut found).unwrap();
            assert_eq!(found, "0123");
            let refused = |path: &str| source.stream(Path::new(path)).map(|_| ()).unwrap_err();
            let inside = source.read(Path::new("/boot/out"), 1 << 20);
            assert_eq!(refused("/boot/none"), Missing::Absent);
            assert!(matches!(refused("/boot/fifo"), Missing::Unreadable(_)));
            assert!(matches!(refused("/boot"), Missing::Unreadable(_)));
            assert_eq!(source.stream(Path::new("/boot/out")).map(|_| ()).err(), inside.err());
        }
    }

    #[test]
    fn no_link_leads_out_of_the_root() {
        for confines in [true, false] {
            let (_dir, directory) = tree(confines);
            let read = |path: &str| directory.read(Path::new(path), 100);
            for path in ["/absolute", "/etc/up", "/linked/inside", "/../etc/inside"] {
                assert_eq!(read(path), Ok(b"inside".to_vec()), "{path}");
            }
            assert_eq!(read("/escape"), Err(Missing::Absent));
            assert_eq!(directory.read_link(Path::new("/escape")), Ok(PathBuf::from("../outside")));
            assert_eq!(directory.lstat(Path::new("/escape")).unwrap().kind, FileKind::Link);
            // What the host has in its own /etc, or at its root, is not to be seen.
            let kind = |path: &str| directory.lstat(Path::new(path)).map(|stat| stat.kind);
            assert_eq!(kind("/linked-from-root/inside"), Ok(FileKind::File));
            assert_eq!(kind("/linked-from-root/passwd"), Err(Missing::Absent));
            assert_eq!(kind("/../../../../../etc/passwd"), Err(Missing::Absent));
            assert_eq!(
                directory.read_link(Path::new("/linked-from-root/up")),
                Ok(PathBuf::from("../../../../etc/inside"))
            );
            assert!(matches!(
                read("/loop"),
                Err(Missing::Unreadable(Unreadable { reason: Reason::LinkLoop, .. }))
            ));
        }
    }

    #[test]
    fn a_fifo_is_left_alone() {
        for confines in [true, false] {
            let (_dir, directory) = tree(confines);
            let found = directory.read(Path::new("/etc/fstab"), 100);
            assert_eq!(found, Err(Missing::unreadable("/etc/fstab", Reason::WrongKind("a FIFO"))));
        }
    }

    #[test]
    fn more_than_the_cap_is_unreadable() {
        let (_dir, directory) = tree(true);
        let found = directory.read(Path::new("/etc/inside"), 5);
        assert_eq!(found, Err(Missing::unreadable("/etc/inside", Reason::TooLarge(5))));
        assert!(directory.read(Path::new("/etc/inside"), 6).is_ok());
    }

    #[test]
    fn the_end_of_a_file_is_read() {
        let (_dir, directory) = tree(true);
        let tail = |path: &str, cap| directory.read_tail(Path::new(path), cap);
        assert_eq!(tail("/etc/inside", 4), Ok(Tail { bytes: b"side".to_vec(), skipped: 2 }));
        assert_eq!(tail("/etc/inside", 6), Ok(Tail { bytes: b"inside".to_vec(), skipped: 0 }));
        assert_eq!(
            tail("/etc/fstab", 6),
            Err(Missing::unreadable("/etc/fstab", Reason::WrongKind("a FIFO")))
        );
    }

    #[test]
    fn a_part_of_a_file_is_read_inside_the_root() {
        for confines in [true, false] {
            let (_dir, directory) = tree(confines);
            assert_eq!(directory.read_at(Path::new("/absolute"), 2, 3), Ok(b"sid".to_vec()));
            assert_eq!(directory.read_at(Path::new("/escape"), 0, 3), Err(Missing::Absent));
        }
    }

    #[test]
    fn how_full_this_hosts_disk_is_says_nothing_of_the_tree() {
        let (_dir, directory) = tree(true);
        let found = directory.statvfs(Path::new("/"));
        assert!(matches!(found, Err(Missing::Unreadable(Unreadable { reason: Reason::NotRead(_), .. }))));
    }

    #[test]
    fn names_come_sorted() {
        let (_dir, directory) = tree(true);
        let names: Vec<_> = directory.list(Path::new("/etc")).unwrap().into_iter().map(|e| e.name).collect();
        assert_eq!(names, ["fstab", "inside", "up"]);
    }
}
