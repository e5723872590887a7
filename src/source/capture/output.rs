//! The file a capture is written to: it has no name until all of it is there.

use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::linkat;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// A file that is given its name when it is complete, with mode 0600.
///
/// Until then it has none, so that nothing is left behind by whoever interrupts the writing; on a file system without such
/// files (vfat, NFS) it has another name, which is removed unless the program is killed.
#[derive(Debug)]
pub struct Output {
    file: File,
    path: PathBuf,
    /// The name it has meanwhile.
    temporary: Option<PathBuf>,
    replace: bool,
}

impl Output {
    /// One that will be at `path`. If something is there already that is an error, unless it may be replaced.
    pub fn create(path: &Path, replace: bool) -> io::Result<Self> {
        if !replace && path.symlink_metadata().is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if path.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let (file, temporary) = match unnamed(directory(path)) {
            Ok(file) => (file, None),
            Err(_) => {
                let (file, temporary) = named(path)?;
                (file, Some(temporary))
            }
        };
        Ok(Self { file, path: path.to_owned(), temporary, replace })
    }

    /// A file in the directory of `path` that never gets a name, and ends with the program.
    pub fn scratch(path: &Path) -> io::Result<File> {
        unnamed(directory(path))
    }

    /// Gives the file its name, once its bytes are on the disk.
    pub fn finish(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        let to_replace = self.replace && self.path.symlink_metadata().is_ok();
        match (self.temporary.take(), to_replace) {
            (None, false) => self.link(&self.path),
            // No name can be taken from another file by linkat(2), but by rename(2).
            (None, true) => {
                let temporary = temporary_name(&self.path, 0);
                let _ = fs::remove_file(&temporary);
                self.link(&temporary)?;
                fs::rename(&temporary, &self.path).inspect_err(|_| _ = fs::remove_file(&temporary))
            }
            (Some(temporary), true) => {
                fs::rename(&temporary, &self.path).inspect_err(|_| _ = fs::remove_file(&temporary))
            }
            (Some(temporary), false) => {
                // Fails where somebody else made such a file meanwhile, as rename(2) does not.
                let linked = fs::hard_link(&temporary, &self.path);
                let result = match linked {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
                    Ok(()) => Ok(()),
                    // No links here, as on vfat.
                    Err(_) if self.path.symlink_metadata().is_err() => {
                        return fs::rename(&temporary, &self.path);
                    }
                    Err(error) => Err(error),
                };
                let _ = fs::remove_file(&temporary);
                result
            }
        }
    }

    fn link(&self, to: &Path) -> io::Result<()> {
        // What open(2) says of O_TMPFILE; to link by the descriptor itself takes a privilege.
        let from = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        Ok(linkat(AT_FDCWD, from.as_str(), AT_FDCWD, to, AtFlags::AT_SYMLINK_FOLLOW)?)
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            let _ = fs::remove_file(temporary);
        }
    }
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn unnamed(directory: &Path) -> io::Result<File> {
    let flags = OFlag::O_TMPFILE | OFlag::O_RDWR | OFlag::O_CLOEXEC;
    Ok(File::from(open(directory, flags, Mode::S_IRUSR | Mode::S_IWUSR)?))
}

fn temporary_name(path: &Path, number: u32) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    directory(path).join(format!(".{name}.{}-{number}", std::process::id()))
}

fn named(path: &Path) -> io::Result<(File, PathBuf)> {
    use std::os::unix::fs::OpenOptionsExt;
    for number in 0..100 {
        let temporary = temporary_name(path, number);
        match File::options().write(true).create_new(true).mode(0o600).open(&temporary) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            file => return Ok((file?, temporary)),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn names(directory: &Path) -> Vec<String> {
        let names = fs::read_dir(directory).unwrap();
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn there_is_no_file_until_it_is_complete() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        for is_named in [false, true] {
            let create = |replace| {
                let mut output = Output::create(&path, replace).unwrap();
                if is_named && output.temporary.is_none() {
                    let (file, temporary) = named(&path).unwrap();
                    (output.file, output.temporary) = (file, Some(temporary));
                }
                output
            };
            let mut output = create(false);
            output.write_all(b"one").unwrap();
            assert!(!path.exists());
            drop(output);
            assert!(names(directory.path()).is_empty());
            let mut output = create(false);
            output.write_all(b"two").unwrap();
            output.finish().unwrap();
            assert_eq!(names(directory.path()), ["a"]);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            let refused = Output::create(&path, false).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
            let mut output = create(true);
            output.write_all(b"three").unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"two");
            output.finish().unwrap();
            assert_eq!(
                (fs::read(&path).unwrap(), names(directory.path())),
                (b"three".to_vec(), vec!["a".into()])
            );
            fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn what_somebody_else_made_meanwhile_is_not_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let output = Output::create(&path, false).unwrap();
        fs::write(&path, "theirs").unwrap();
        assert_eq!(output.finish().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(
            (fs::read(&path).unwrap(), names(directory.path())),
            (b"theirs".to_vec(), vec!["a".into()])
        );
    }
}
