//! The running host's own tree.

use super::{
    Entry, FileKind, LIST_CAP, Missing, Question, Reading, Reason, Source, Space, Stat, Tail, dbus, netlink,
    normalise,
};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{FileStat, Mode, fstat, lstat, makedev, stat};
use nix::sys::statvfs::{Statvfs, statvfs};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The running host, from `/`.
///
/// One device is read as if it were a file: /dev/kmsg, the kernel's messages. To open it and read it has no effect on anybody:
/// each reader has a place of its own in the ring, and nothing is taken out of it (ABI/testing/dev-kmsg).
#[derive(Clone, Copy, Debug, Default)]
pub struct Live;

/// Opens for reading without waiting for a FIFO's writer, taking a terminal, or leaking into a child.
pub(super) const READ_FLAGS: OFlag =
    OFlag::O_RDONLY.union(OFlag::O_NONBLOCK).union(OFlag::O_NOCTTY).union(OFlag::O_CLOEXEC);

impl Source for Live {
    fn read(&self, path: &Path, cap: u64) -> Reading<Vec<u8>> {
        // A path that a file of the host names may lack its slash: it is not one of the directory hostvet was started in.
        let path = &*absolute(path);
        if path == Path::new(KMSG) {
            return match kmsg(cap)? {
                Tail { bytes, skipped: 0 } => Ok(bytes),
                _ => Err(Missing::unreadable(path, Reason::TooLarge(cap))),
            };
        }
        // The kernel's own file systems hold regular files only, and need no look before the opening.
        if path.starts_with("/proc") || path.starts_with("/sys") {
            let file = File::from(open(path, READ_FLAGS, Mode::empty()).map_err(|e| missing(path, e))?);
            return read_all(path, file, None, cap);
        }
        let (file, size) = file(path)?;
        read_all(path, file, Some(size), cap)
    }

    fn read_tail(&self, path: &Path, cap: u64) -> Reading<Tail> {
        let path = &*absolute(path);
        if path == Path::new(KMSG) {
            return kmsg(cap);
        }
        let (file, size) = file(path)?;
        read_end(path, file, size, cap)
    }

    fn stream(&self, path: &Path) -> Reading<Box<dyn Read + Send>> {
        Ok(Box::new(file(&absolute(path))?.0))
    }

    fn read_at(&self, path: &Path, offset: u64, length: usize) -> Reading<Vec<u8>> {
        let path = &*absolute(path);
        let found = stat(path).map_err(|e| missing(path, e))?;
        require_file(path, &found)?;
        let file = File::from(open(path, READ_FLAGS, Mode::empty()).map_err(|e| missing(path, e))?);
        let opened = fstat(&file).map_err(|e| missing(path, e))?;
        require_file(path, &opened)?;
        read_part(path, &file, offset, length)
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
            Question::ImageConfig | Question::BlockDevices => Err(Missing::Absent),
            Question::TcpSockets { states, info } => netlink::tcp_sockets(question, states, info),
            Question::FailedUnits => dbus::failed_units(question),
        }
    }
}

/// The kernel's messages.
const KMSG: &str = "/dev/kmsg";

/// More than the longest record, `PRINTK_MESSAGE_MAX`; the kernel refuses a read into less than a record.
const KMSG_RECORD: usize = 16 << 10;

/// The newest records of the ring, `cap` bytes of them at most, one after the other as the kernel writes them.
///
/// One read gives one record. A kernel that complains faster than it is read has no last one, so that there is an end
/// to the number of reads as well.
fn kmsg(cap: u64) -> Reading<Tail> {
    let path = Path::new(KMSG);
    // Managers of containers put other things there: a terminal, whose input is not ours to take, or /dev/null.
    require_kmsg(&stat(path).map_err(|e| missing(path, e))?)?;
    let mut file = File::from(open(path, READ_FLAGS, Mode::empty()).map_err(|e| missing(path, e))?);
    require_kmsg(&fstat(&file).map_err(|e| missing(path, e))?)?;
    let (mut record, mut bytes, mut starts, mut skipped) =
        (vec![0; KMSG_RECORD], Vec::new(), VecDeque::new(), 0);
    for _ in 0..KMSG_READS {
        match file.read(&mut record) {
            Ok(0) => break,
            Ok(n) => {
                starts.push_back(bytes.len());
                bytes.extend_from_slice(record.get(..n).unwrap_or_default());
            }
            // Records were overwritten before they were read: the next read goes on with the oldest that is there.
            Err(error) if error.raw_os_error() == Some(Errno::EPIPE as i32) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(missing_io(path, &error)),
        }
        // Twice as much is kept before the older half goes, so that bytes are moved seldom.
        if bytes.len() as u64 > cap.saturating_mul(2) {
            skipped += cut(&mut bytes, &mut starts, cap);
        }
    }
    skipped += cut(&mut bytes, &mut starts, cap);
    Ok(Tail { bytes, skipped })
}

/// Refuses anything but the device 1:11, which is that of the kernel's messages (admin-guide/devices.txt).
fn require_kmsg(found: &FileStat) -> Reading<()> {
    let kind = FileKind::of_mode(found.st_mode);
    match kind == FileKind::Character && found.st_rdev == makedev(1, 11) {
        true => Ok(()),
        false if kind == FileKind::Character => {
            Err(Missing::unreadable(KMSG, Reason::WrongKind("another device")))
        }
        false => Err(Missing::unreadable(KMSG, Reason::WrongKind(kind.name()))),
    }
}

/// Ends the reading of a ring that is filled as fast as it is read; the largest rings hold far fewer records.
const KMSG_READS: u32 = 1_000_000;

/// Drops the oldest records until `cap` bytes are left at most; how many bytes that were.
fn cut(bytes: &mut Vec<u8>, starts: &mut VecDeque<usize>, cap: u64) -> u64 {
    let excess = (bytes.len() as u64).saturating_sub(cap);
    if excess == 0 {
        return 0;
    }
    while starts.front().is_some_and(|start| (*start as u64) < excess) {
        starts.pop_front();
    }
    let from = starts.front().copied().unwrap_or(bytes.len());
    bytes.drain(..from);
    starts.iter_mut().for_each(|start| *start -= from);
    from as u64
}

/// The regular file at `path`, opened, and its size. It is looked at first: the mere opening of a device or FIFO has effects.
fn file(path: &Path) -> Reading<(File, i64)> {
    require_file(path, &stat(path).map_err(|e| missing(path, e))?)?;
    let file = File::from(open(path, READ_FLAGS, Mode::empty()).map_err(|e| missing(path, e))?);
    let opened = fstat(&file).map_err(|e| missing(path, e))?;
    require_file(path, &opened)?;
    Ok((file, opened.st_size))
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
    let mut bytes = vec![0; expected.map_or(4 << 10, |size| usize::try_from(size).unwrap_or(0))];
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

/// Reads the last `cap` bytes of a file of this size, which may be growing.
pub(super) fn read_end(path: &Path, mut file: File, size: i64, cap: u64) -> Reading<Tail> {
    let skipped = u64::try_from(size).unwrap_or(0).saturating_sub(cap);
    file.seek(SeekFrom::Start(skipped)).map_err(|e| missing_io(path, &e))?;
    let mut bytes = Vec::new();
    file.take(cap).read_to_end(&mut bytes).map_err(|e| missing_io(path, &e))?;
    Ok(Tail { bytes, skipped })
}

/// Reads `length` bytes from `offset` on, fewer at the end of the file.
pub(super) fn read_part(path: &Path, file: &File, offset: u64, length: usize) -> Reading<Vec<u8>> {
    let mut bytes = vec![0; length];
    let mut filled = 0;
    while filled < length {
        match file.read_at(&mut bytes[filled..], offset.saturating_add(filled as u64)) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // An offset beyond what the system can count is beyond the end of any file.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => break,
            Err(error) => return Err(missing_io(path, &error)),
        }
    }
    bytes.truncate(filled);
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
        allocated: (stat.st_blocks as u64).saturating_mul(512),
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
    fn the_oldest_records_are_dropped_as_wholes() {
        let mut bytes = b"aaabbbbcc".to_vec();
        let mut starts = VecDeque::from([0, 3, 7]);
        assert_eq!(cut(&mut bytes, &mut starts, 9), 0);
        assert_eq!(cut(&mut bytes, &mut starts, 6), 3);
        assert_eq!((bytes.as_slice(), &starts), (&b"bbbbcc"[..], &VecDeque::from([0, 4])));
        assert_eq!(cut(&mut bytes, &mut starts, 3), 4);
        assert_eq!(bytes, b"cc");
        assert_eq!(cut(&mut bytes, &mut starts, 1), 2);
        assert_eq!((bytes.len(), starts.len()), (0, 0));
    }

    #[test]
    fn the_messages_of_the_kernel_end_or_are_denied() {
        match Live.read_tail(Path::new(KMSG), 1 << 20) {
            Ok(tail) => assert!(tail.bytes.len() <= 1 << 20),
            Err(missing) => assert!(matches!(missing, Missing::Absent | Missing::Unreadable(_))),
        }
    }

    #[test]
    fn another_device_is_not_taken_for_the_kernels_messages() {
        let refused = |path: &str| require_kmsg(&stat(path).unwrap()).unwrap_err();
        assert_eq!(refused("/dev/null"), Missing::unreadable(KMSG, Reason::WrongKind("another device")));
        assert_eq!(
            refused("/proc/self/status"),
            Missing::unreadable(KMSG, Reason::WrongKind("a regular file"))
        );
    }

    #[test]
    fn the_end_of_a_long_file_is_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "one two").unwrap();
        let tail = |cap| Live.read_tail(file.path(), cap).unwrap();
        assert_eq!(tail(3), Tail { bytes: b"two".to_vec(), skipped: 4 });
        assert_eq!(tail(7), Tail { bytes: b"one two".to_vec(), skipped: 0 });
        assert_eq!(
            Live.read_tail(Path::new("/dev/null"), 9),
            Err(Missing::unreadable("/dev/null", Reason::WrongKind("a character device")))
        );
    }

    #[test]
    fn a_part_of_a_file_is_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "one two").unwrap();
        let part = |offset, length| Live.read_at(file.path(), offset, length).unwrap();
        assert_eq!((part(4, 2), part(4, 9)), (b"tw".to_vec(), b"two".to_vec()));
        assert_eq!((part(7, 9), part(u64::MAX, 9)), (Vec::new(), Vec::new()));
        let denied = Live.read_at(Path::new("/dev/null"), 0, 9);
        assert_eq!(denied, Err(Missing::unreadable("/dev/null", Reason::WrongKind("a character device"))));
    }

    #[test]
    fn the_root_file_system_has_room_or_had_it() {
        let space = Live.statvfs(Path::new("/")).unwrap();
        assert!(space.size > 0 && space.free <= space.size && space.available <= space.free, "{space:?}");
        assert_eq!(Live.statvfs(Path::new("/no/such/path")), Err(Missing::Absent));
    }
}
