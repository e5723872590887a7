//! Where the dynamic linker looks for shared libraries, and what lies there.
//!
//! Source: ld.so(8), ldconfig(8). /etc/ld.so.cache is not read: it is made from the same directories.

use crate::source::{Host, Missing, Reading, Reason};
use crate::word;
use std::path::Path;

/// Library directories, those of 64 bits first; of two in a row the second is the first on a merged /usr.
pub const DIRECTORIES: [[&str; 2]; 12] = [
    ["/usr/lib/x86_64-linux-gnu", "/lib/x86_64-linux-gnu"],
    ["/usr/lib/aarch64-linux-gnu", "/lib/aarch64-linux-gnu"],
    ["/usr/lib/powerpc64le-linux-gnu", "/lib/powerpc64le-linux-gnu"],
    ["/usr/lib/s390x-linux-gnu", "/lib/s390x-linux-gnu"],
    ["/usr/lib/riscv64-linux-gnu", "/lib/riscv64-linux-gnu"],
    ["/usr/lib/loongarch64-linux-gnu", "/lib/loongarch64-linux-gnu"],
    ["/usr/lib/mips64el-linux-gnuabi64", "/lib/mips64el-linux-gnuabi64"],
    ["/usr/lib64", "/lib64"],
    ["/usr/lib/arm-linux-gnueabihf", "/lib/arm-linux-gnueabihf"],
    ["/usr/lib/arm-linux-gnueabi", "/lib/arm-linux-gnueabi"],
    ["/usr/lib/i386-linux-gnu", "/lib/i386-linux-gnu"],
    ["/usr/lib", "/lib"],
];

/// Larger files are taken for libraries without a look at their bytes.
const CAP: u64 = 4 << 20;

/// The most directories that /etc/ld.so.conf may add. Honest hosts have a dozen.
const MOST: usize = 200;

word! {
    /// What is there where a shared library should be.
    pub enum LibraryState {
        /// A file that begins as ELF objects do.
        Present = "present",
        /// A file of 0 bytes, as a crash or a full disk leaves it.
        Empty = "empty",
        /// Something that is no ELF object.
        NotElf = "not-elf",
        /// Nothing, or a link that leads nowhere.
        Missing = "missing",
    }
}

/// The C library of the programs, and the directories in which they find others.
#[derive(Clone, Debug)]
pub struct Libraries {
    /// Where libc.so.6 is.
    pub libc: String,
    /// The directory it is in.
    pub home: &'static str,
    directories: Vec<String>,
}

impl Libraries {
    /// Finds the GNU C library. Absent: there is none, as on musl, or libraries are no part of this tree.
    pub fn find(host: &Host) -> Reading<Self> {
        for pair in DIRECTORIES {
            for home in pair {
                let libc = format!("{home}/libc.so.6");
                if !host.exists(&libc)? {
                    continue;
                }
                let mut directories: Vec<String> = pair.iter().map(|d| (*d).to_owned()).collect();
                // Elsewhere /lib is for 32 bits.
                if home.contains("-linux-") {
                    directories.extend(["/lib", "/usr/lib"].map(str::to_owned));
                }
                configured(host, "/etc/ld.so.conf", 0, &mut directories);
                return Ok(Self { libc, home, directories });
            }
        }
        Err(Missing::Absent)
    }

    /// What a name without a slash leads to, and where.
    pub fn locate(&self, host: &Host, name: &str) -> Reading<(LibraryState, Option<String>)> {
        let mut worst = (LibraryState::Missing, None);
        for directory in &self.directories {
            let path = format!("{directory}/{name}");
            match look(host, &path)? {
                LibraryState::Missing => {}
                LibraryState::Present => return Ok((LibraryState::Present, Some(path))),
                other => worst = (other, Some(path)),
            }
        }
        Ok(worst)
    }

    /// A link of this name that leads nowhere, and what is written in it.
    pub fn dangling(&self, host: &Host, name: &str) -> Option<(String, String)> {
        self.directories.iter().find_map(|directory| {
            let path = format!("{directory}/{name}");
            let to = host.source.read_link(Path::new(&path)).ok()?;
            Some((path, to.to_string_lossy().into_owned()))
        })
    }
}

/// Every directory in which a dynamic linker of any architecture may find libraries, of those that there are: the
/// distributions', what /etc/ld.so.conf adds, musl's.
pub fn search_path(host: &Host) -> Vec<String> {
    let mut directories: Vec<String> = DIRECTORIES.iter().flatten().map(|d| (*d).to_owned()).collect();
    configured(host, "/etc/ld.so.conf", 0, &mut directories);
    directories.push("/usr/local/lib".to_owned());
    for path in host.glob("/etc/ld-musl-*.path", &mut MUSL_NAMES.clone()).0 {
        let text = host.read_text(&path).unwrap_or_default();
        let named = text.split([':', '\n']).map(str::trim).filter(|d| d.starts_with('/'));
        directories.extend(named.take(MOST).map(str::to_owned));
    }
    directories.retain(|directory| host.exists(directory) != Ok(false));
    directories
}

/// Names of /etc that are looked at for musl's list of directories.
const MUSL_NAMES: usize = 10_000;

/// Where /etc/ld.so.cache has a library of this name, in the order of the cache: ldconfig(8) may have been given directories
/// that no file names.
pub fn cached(host: &Host, name: &str) -> Vec<String> {
    let Ok(cache) = host.source.read(Path::new("/etc/ld.so.cache"), CAP) else { return Vec::new() };
    let text = String::from_utf8_lossy(&cache);
    let fits = |path: &&str| path.starts_with('/') && path.rsplit('/').next() == Some(name);
    text.split('\0').filter(fits).take(MOST).map(str::to_owned).collect()
}

/// What is at a path.
pub fn look(host: &Host, path: &str) -> Reading<LibraryState> {
    match host.source.read(Path::new(path), CAP) {
        Ok(bytes) if bytes.is_empty() => Ok(LibraryState::Empty),
        Ok(bytes) if bytes.starts_with(b"\x7fELF") => Ok(LibraryState::Present),
        Ok(_) => Ok(LibraryState::NotElf),
        Err(Missing::Absent) => Ok(LibraryState::Missing),
        Err(Missing::Unreadable(why)) => match why.reason {
            Reason::TooLarge(_) => Ok(LibraryState::Present),
            Reason::WrongKind(_) => Ok(LibraryState::NotElf),
            Reason::LinkLoop => Ok(LibraryState::Missing),
            _ => Err(Missing::Unreadable(why)),
        },
    }
}

/// The directories that a file of ldconfig(8) names. One that cannot be read adds none: the linker would go by its cache.
fn configured(host: &Host, path: &str, depth: u8, directories: &mut Vec<String>) {
    let Ok(text) = host.read_text(path) else { return };
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let included = line.strip_prefix("include").filter(|rest| rest.starts_with([' ', '\t']));
        match included {
            Some(patterns) if depth < 4 => {
                for pattern in patterns.split_whitespace() {
                    for path in expand(host, pattern) {
                        if directories.len() < MOST {
                            configured(host, &path, depth + 1, directories);
                        }
                    }
                }
            }
            None if line.starts_with('/') && directories.len() < MOST => {
                let directory = line.split(['=', ' ', '\t', ',', ':']).next().unwrap_or_default();
                directories.push(directory.trim_end_matches('/').to_owned());
            }
            _ => {}
        }
    }
}

/// The files that a pattern with a star in its last part stands for: `ld.so.conf.d/*.conf`.
fn expand(host: &Host, pattern: &str) -> Vec<String> {
    let pattern = if pattern.starts_with('/') { pattern.to_owned() } else { format!("/etc/{pattern}") };
    let Some((directory, name)) = pattern.rsplit_once('/') else { return Vec::new() };
    let Some((before, after)) = name.split_once('*') else { return vec![pattern] };
    let fits = |found: &String| {
        found.len() >= before.len() + after.len() && found.starts_with(before) && found.ends_with(after)
    };
    let names = host.names(directory).unwrap_or_default();
    names.into_iter().filter(fits).take(MOST).map(|found| format!("{directory}/{found}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    const ELF: &[u8] = b"\x7fELF\x02\x01\x01";

    fn host(files: &Files) -> Host {
        Host::new(files.clone(), Target::live())
    }

    #[test]
    fn a_library_is_found_where_the_linker_would_find_it() {
        let mut files = Files::new();
        files
            .file("/usr/lib64/libc.so.6", ELF)
            .file("/usr/lib64/libgood.so.2", ELF)
            .file("/usr/lib64/libempty.so.2", "");
        files
            .file("/usr/lib64/libtext.so.2", "#!/bin/sh\n")
            .link("/usr/lib64/libgone.so.2", "libgone-2.12.so");
        files.file("/lib/lib32.so.2", ELF).file("/opt/agent/lib/libagent.so.2", ELF);
        files.file("/etc/ld.so.conf", "include ld.so.conf.d/*.conf\n");
        files
            .file("/etc/ld.so.conf.d/agent.conf", "/opt/agent/lib/ # ours\n")
            .file("/etc/ld.so.conf.d/note.txt", "/nowhere\n");
        let host = host(&files);
        let libraries = Libraries::find(&host).unwrap();
        let state = |name: &str| libraries.locate(&host, name).unwrap().0;
        assert_eq!((libraries.libc.as_str(), libraries.home), ("/usr/lib64/libc.so.6", "/usr/lib64"));
        assert_eq!(state("libgood.so.2"), LibraryState::Present);
        assert_eq!(state("libempty.so.2"), LibraryState::Empty);
        assert_eq!(state("libtext.so.2"), LibraryState::NotElf);
        assert_eq!(state("libgone.so.2"), LibraryState::Missing);
        assert_eq!(state("lib32.so.2"), LibraryState::Missing);
        assert_eq!(state("libagent.so.2"), LibraryState::Present);
        let gone = libraries.dangling(&host, "libgone.so.2").unwrap();
        assert_eq!(gone, ("/usr/lib64/libgone.so.2".to_owned(), "libgone-2.12.so".to_owned()));
    }

    #[test]
    fn without_glibc_there_is_nothing_to_find() {
        let mut files = Files::new();
        files.file("/lib/ld-musl-x86_64.so.1", ELF).file("/usr/lib/libz.so.1", ELF);
        assert!(matches!(Libraries::find(&host(&files)), Err(Missing::Absent)));
        files.deny("/usr/lib64");
        assert!(matches!(Libraries::find(&host(&files)), Err(Missing::Unreadable(_))));
    }

    #[test]
    fn a_configuration_that_includes_itself_ends() {
        let mut files = Files::new();
        files.file("/usr/lib64/libc.so.6", ELF).file("/etc/ld.so.conf", "include ld.so.conf\n/a\n");
        assert!(Libraries::find(&host(&files)).unwrap().directories.len() < 20);
    }
}
