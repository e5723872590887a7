//! The running host's own tree.

use super::{
    Entry, FileKind, LIST_CAP, Missing, Question, Reading, Reason, Source, Space, Stat, netlink, normalise,
};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{FileStat, Mode, fstat, lstat, stat};
use nix::sys::statvfs::{Statvfs, statvfs};
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The running host, from `/`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Live;

/// Opens for reading without waiting for a FIFO's writer, taking a terminal, or leaking into a child.
pub(super) const READ_FLAGS: OFlag =
    OFlag::O_RDONLY.union(OFlag::O_NONBLOCK).union(OFlag::O_NOCTTY).union(OFlag::O_CLOEXEC);

impl Source for Live {
    fn read(&self, path: &Path, cap: u64) -> Reading<Vec<u8>> {
        // A path that a file of the host names may lack its slash: it is not one of the directory hostvet was started in.
        let path = &*absolute(path);
        // The kernel's own file systems hold regular files only; elsewhere look before opening,
        // because the mere opening of a device or FIFO has effects.
        let kernel = path.starts_with("/proc") || path.starts_with("/sys");
        if !kernel {
            let found = stat(path).map_err(|e| missing(path, e))?;
            require_file(path, &found)?;
        }
        let file = File::from(open(path, READ_FLAGS, Mode::empty()).map_err(|e| missing(path, e))?);
        if kernel {
            return read_all(path, file, None, cap);
        }
        let opened = fstat(&file).map_err(|e| missing(path, e))?;
        require_file(path, &opened)?;
        read_all(path, file, Some(opened.st_size), cap)
    }

    fn stream(&self, path: &Path) -> Reading<Box<dyn Read + Send>> {
        let path = &*absolute(path);
        require_file(path, &stat(path).map_err(|e| missing(path, e))?)?;
        let file = File::from(open(path, READ_FLAGS, Mode::empty()).map_err(|e| missing(path, e))?);
        require_file(path, &fstat(&file).map_err(|e| missing(path, e))?)?;
        Ok(Box::new(file))
    }

    fn list(&self, path: &Path) -> Reading<Vec<Entry>> {
        let entries = std::fs::read_dir(absolute(path)).map_err(|e| missing_io(path, &e))?;
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|e| missing_io(path, &e))?;
            if found.len() == LIST_CAP {
                return Err(Missing::unreadable(path, Reason::TooMany(LIST_CAP)));
            }
            found.push(Entry { kind: entry_kind(entry.file_type()), name: entry.file_name() });
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    fn stat(&self, path: &Path) -> Reading<Stat> {
        stat(&*absolute(path)).map(of_stat).map_err(|e| missing(path, e))
    }

    fn lstat(&self, path: &Path) -> Reading<Stat> {
        lstat(&*absolute(path)).map(of_stat).map_err(|e| missing(path, e))
    }

    fn read_link(&self, path: &Path) -> Reading<PathBuf> {
        std::fs::read_link(absolute(path)).map_err(|e| missing_io(path, &e))
    }

    fn statvfs(&self, path: &Path) -> Reading<Space> {
        statvfs(&*absolute(path)).map(|found| of_statvfs(&found)).map_err(|e| missing(path, e))
    }

    fn ask(&self, question: Question) -> Reading<Vec<u8>> {
        match question {
            Question::TcpSockets { states, info } => netlink::tcp_sockets(question, states, info),
        }
    }
}

fn absolute(path: &Path) -> Cow<'_, Path> {
    match path.is_absolute() {
        true => Cow::Borrowed(path),
        false => Cow::Owned(Path::new("/").join(path)),
    }
}

fn entry_kind(kind: io::Result<std::fs::FileType>) -> FileKind {
    match kind {
        Ok(kind) if kind.is_file() => FileKind::File,
        Ok(kind) if kind.is_dir() => FileKind::Directory,
        Ok(kind) if kind.is_symlink() => FileKind::Link,
        _ => FileKind::Other,
    }
}

/// An error of the system as one of the three states.
pub(super) fn missing(path: &Path, errno: Errno) -> Missing {
    match errno {
        // ESRCH is what a file of /proc/PID answers when the process has gone.
        // EOPNOTSUPP is that of a file whose feature is switched off: /proc/pressure without `psi=1` on Red Hat's kernels.
        Errno::ENOENT | Errno::ENOTDIR | Errno::ESRCH | Errno::EOPNOTSUPP => Missing::Absent,
        Errno::EACCES | Errno::EPERM => Missing::unreadable(path, Reason::Denied),
        Errno::ELOOP => Missing::unreadable(path, Reason::LinkLoop),
        other => Missing::unreadable(path, Reason::Io(other.desc().to_lowercase())),
    }
}

/// The same for an error of the standard library.
pub(super) fn missing_io(path: &Path, error: &io::Error) -> Missing {
    match error.raw_os_error() {
        Some(code) => missing(path, Errno::from_raw(code)),
        None => Missing::unreadable(path, Reason::Io(error.to_string())),
    }
}

/// Refuses anything but a regular file.
pub(super) fn require_file(path: &Path, stat: &FileStat) -> Reading<()> {
    match FileKind::of_mode(stat.st_mode) {
        FileKind::File => Ok(()),
        other => Err(Missing::unreadable(path, Reason::WrongKind(other.name()))),
    }
}

/// Reads to the end, in few calls, refusing more than `cap` bytes. A file that has as many bytes as its `size` says needs
/// no further call to see its end; files of /proc and /sys do not know their size.
pub(super) fn read_all(path: &Path, mut file: File, size: Option<i64>, cap: u64) -> Reading<Vec<u8>> {
    let too_large = || Missing::unreadable(path, Reason::TooLarge(cap));
    let expected = size.and_then(|size| u64::try_from(size).ok()).filter(|size| *size > 0);
    if expected.is_some_and(|size| size > cap) {
        return Err(too_large());
    }
    // /proc gives at most a page or so at a time.
    let mut bytes = vec![0; expected.map_or(16 << 10, |size| usize::try_from(size).unwrap_or(0))];
    let mut filled = 0;
    loop {
        match file.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(missing_io(path, &error)),
        }
        if filled as u64 > cap {
            return Err(too_large());
        }
        if filled == bytes.len() {
            if expected.is_some() {
                break;
            }
            bytes.resize(filled * 4, 0);
        }
    }
    bytes.truncate(filled);
    bytes.shrink_to_fit();
    Ok(bytes)
}

/// The system's `struct stat` in our words.
#[allow(clippy::unnecessary_cast, clippy::cast_sign_loss)] // The field types differ between architectures.
pub(super) fn of_stat(stat: FileStat) -> Stat {
    Stat {
        kind: FileKind::of_mode(stat.st_mode),
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        size: stat.st_size as u64,
        mtime: stat.st_mtime as i64,
        rdev: stat.st_rdev as u64,
    }
}

/// The system's `struct statvfs` in our words.
#[allow(clippy::useless_conversion)] // The field types differ between architectures.
fn of_statvfs(found: &Statvfs) -> Space {
    // Counts are of fragments; the block size is but a hint for reading.
    let bytes = |fragments: u64| fragments.saturating_mul(u64::from(found.fragment_size()));
    Space {
        size: bytes(u64::from(found.blocks())),
        free: bytes(u64::from(found.blocks_free())),
        available: bytes(u64::from(found.blocks_available())),
        files: u64::from(found.files()),
        files_free: u64::from(found.files_free()),
    }
}

/// `path` as a relative one, for the calls that start at a directory's descriptor.
pub(super) fn relative(path: &Path) -> PathBuf {
    let inside = normalise(path);
    match inside.strip_prefix("/") {
        Ok(rest) if rest.as_os_str().is_empty() => PathBuf::from("."),
        Ok(rest) => rest.to_path_buf(),
        Err(_) => inside,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_file_system_has_room_or_had_it() {
        let space = Live.statvfs(Path::new("/")).unwrap();
        assert!(space.size > 0 && space.free <= space.size && space.available <= space.free, "{space:?}");
        assert_eq!(Live.statvfs(Path::new("/no/such/path")), Err(Missing::Absent));
    }
}
