//! The file a capture is written to: it has no name until all of it is there.

use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::linkat;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A file that is given its name when it is complete, with mode 0600.
///
/// Until then it has none, so that nothing is left behind by whoever interrupts the writing; on a file system without such
/// files (vfat, NFS) it has another name meanwhile, which whoever ends the program by a signal is to remove: [`Output::abandon`].
#[derive(Debug)]
pub struct Output {
    file: File,
    path: PathBuf,
    /// The name it has meanwhile.
    temporary: Option<Temporary>,
    replace: bool,
}

/// A name that a file has until it is complete; with this it is removed.
#[derive(Debug)]
struct Temporary(PathBuf);

/// All of them that there are now.
static TEMPORARIES: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn temporaries() -> MutexGuard<'static, Vec<PathBuf>> {
    TEMPORARIES.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Temporary {
    /// Makes it by what makes a file at a path, which is a new name beside this one.
    fn make<T>(beside: &Path, mut make: impl FnMut(&Path) -> io::Result<T>) -> io::Result<(T, Self)> {
        let name = beside.file_name().unwrap_or_default().to_string_lossy();
        // Nobody may come between the making and the remembering.
        let mut all = temporaries();
        for number in 0..100 {
            let path = directory(beside).join(format!(".{name}.{}-{number}", std::process::id()));
            match make(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => {
                    let made = made?;
                    all.push(path.clone());
                    return Ok((made, Self(path)));
                }
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Makes it the name.
    fn rename(self, to: &Path) -> io::Result<()> {
        fs::rename(&self.0, to)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let mut all = temporaries();
        // After a renaming it is not there.
        let _ = fs::remove_file(&self.0);
        all.retain(|path| *path != self.0);
    }
}

/// While this is there no file is begun.
#[derive(Debug)]
#[must_use]
pub struct Abandoned {
    _lock: MutexGuard<'static, Vec<PathBuf>>,
}

impl Output {
    /// One that will be at `path`. If something is there already that is an error, unless it may be replaced.
    pub fn create(path: &Path, replace: bool) -> io::Result<Self> {
        if path.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if !replace && path.symlink_metadata().is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
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

    /// Removes what is not complete and has a name, for the program ends: as long as the answer is held nothing new is begun.
    pub fn abandon() -> Abandoned {
        let mut all = temporaries();
        for path in all.drain(..) {
            let _ = fs::remove_file(path);
        }
        Abandoned { _lock: all }
    }

    /// Gives the file its name, once its bytes are on the disk.
    pub fn finish(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        let to_replace = self.replace && self.path.symlink_metadata().is_ok();
        match (self.temporary.take(), to_replace) {
            (None, false) => self.link(&self.path),
            // No name can be taken from another file by linkat(2), but by rename(2).
            (None, true) => Temporary::make(&self.path, |path| self.link(path))?.1.rename(&self.path),
            (Some(temporary), true) => temporary.rename(&self.path),
            // Fails where somebody else made such a file meanwhile, as rename(2) does not.
            (Some(temporary), false) => match fs::hard_link(&temporary.0, &self.path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
                // No links here, as on vfat.
                Err(_) if self.path.symlink_metadata().is_err() => temporary.rename(&self.path),
                result => result,
            },
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

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn unnamed(directory: &Path) -> io::Result<File> {
    let flags = OFlag::O_TMPFILE | OFlag::O_RDWR | OFlag::O_CLOEXEC;
    Ok(File::from(open(directory, flags, Mode::S_IRUSR | Mode::S_IWUSR)?))
}

fn named(path: &Path) -> io::Result<(File, Temporary)> {
    use std::os::unix::fs::OpenOptionsExt;
    Temporary::make(path, |path| File::options().write(true).create_new(true).mode(0o600).open(path))
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
    fn what_has_a_name_is_removed_when_the_program_ends() {
        let directory = tempfile::tempdir().unwrap();
        let (_file, temporary) = named(&directory.path().join("a")).unwrap();
        assert_eq!(names(directory.path()).len(), 1);
        // Not all: tests of this process run at the same time.
        temporaries().retain(|path| *path != temporary.0);
        drop(temporary);
        assert!(names(directory.path()).is_empty());
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
