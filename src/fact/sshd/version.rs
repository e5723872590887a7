//! Which OpenSSH it is, from the program's own bytes or the package manager's files; nothing is executed.

use crate::format::printed_packages;
use crate::source::{Host, Missing, Reading, Reason, Unreadable};
use std::path::Path;

/// Where distributions have the program.
const PROGRAMS: [&str; 4] = ["/usr/sbin/sshd", "/usr/bin/sshd", "/sbin/sshd", "/usr/local/sbin/sshd"];

/// The program has about 1 MiB.
const CAP: u64 = 16 << 20;

/// The package database of a very full host has some MiB.
const DATABASE_CAP: u64 = 64 << 20;

/// Major and minor of `OpenSSH_9.2p1`; unknown, it is none in particular: what some version takes is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Version(pub(super) Option<(u32, u32)>);

impl Version {
    /// Whether it is surely this one or a later one.
    pub(super) fn from(self, major: u32, minor: u32) -> bool {
        self.0.is_some_and(|v| v >= (major, minor))
    }

    /// Whether it is surely an earlier one.
    pub(super) fn before(self, major: u32, minor: u32) -> bool {
        self.0.is_some_and(|v| v < (major, minor))
    }
}

/// The program and what is known of it.
#[derive(Clone, Debug)]
pub(super) struct Program {
    /// Where it is. Absent: it is not installed, or this tree has no programs at all.
    pub(super) path: Option<String>,
    /// `9.2p1`.
    pub(super) words: Option<String>,
    pub(super) version: Version,
    /// The path of the tree's programs is there, so that a missing program is not installed.
    pub(super) programs: bool,
    pub(super) distribution: Distribution,
    /// Why it is not known whether the program is there, and what the list of packages then says.
    unknown: Option<Unreadable>,
    printed: Reading<bool>,
}

impl Default for Program {
    fn default() -> Self {
        Self {
            path: None,
            words: None,
            version: Version::default(),
            programs: false,
            distribution: Distribution::default(),
            unknown: None,
            printed: Err(Missing::Absent),
        }
    }
}

/// What the distribution changes in OpenSSH.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Distribution {
    /// None of these, as far as is known.
    #[default]
    Unknown,
    /// Debian and its kin: lets a file be writable by a group that only its owner is in.
    Debian,
    /// One that changes nothing that matters here.
    Plain,
    /// Red Hat and its kin: backports keywords of later versions.
    RedHat,
    Suse,
}

impl Program {
    pub(super) fn find(host: &Host) -> Result<Self, Unreadable> {
        let mut program = Self { distribution: distribution(host), ..Self::default() };
        for path in PROGRAMS {
            match host.exists(path) {
                Ok(true) => {
                    program.path = Some(path.to_owned());
                    break;
                }
                Ok(false) => {}
                Err(why) if why.reason == Reason::NotCollected => program.unknown = Some(why),
                Err(why) => return Err(why),
            }
        }
        if program.path.is_none() && program.unknown.is_some() {
            let printed = printed_packages::version(host, "openssh-server");
            program.printed = printed.as_ref().map(Option::is_some).map_err(Clone::clone);
            program.words = printed.ok().flatten().map(|version| upstream(&version).to_owned());
            program.version = Version(program.words.as_deref().and_then(number));
            return Ok(program);
        }
        program.programs =
            ["/usr/sbin", "/usr/bin"].iter().any(|path| !host.names(path).unwrap_or_default().is_empty());
        let told = program.path.as_deref().and_then(|path| {
            let bytes = host.source.read(Path::new(path), CAP).ok()?;
            of_bytes(&bytes)
        });
        // The databases have some MiB, and of a program that is not installed there is nothing to tell.
        let installed = program.path.is_some() || !program.programs;
        let told = told.or_else(|| if installed { of_dpkg(host).or_else(|| of_apk(host)) } else { None });
        program.version = Version(told.as_deref().and_then(number));
        program.words = told;
        Ok(program)
    }

    /// Whether it is installed. Absent where the tree holds no programs that could tell.
    pub(super) fn installed(&self) -> Reading<bool> {
        match (&self.path, self.programs, &self.unknown) {
            (Some(_), ..) => Ok(true),
            (None, true, _) => Ok(false),
            (None, false, None) => Err(Missing::Absent),
            // A program that no package holds may be there all the same.
            (None, false, Some(why)) => match self.printed {
                Ok(true) => Ok(true),
                _ => Err(Missing::Unreadable(why.clone())),
            },
        }
    }
}

/// What stands behind `OpenSSH_` in the program: `9.2p1`.
fn of_bytes(bytes: &[u8]) -> Option<String> {
    const NAME: &[u8] = b"OpenSSH_";
    let mut rest = bytes;
    while let Some(at) = memchr(rest, NAME) {
        rest = rest.get(at + NAME.len()..)?;
        let word: Vec<u8> =
            rest.iter().copied().take(12).take_while(|b| b.is_ascii_alphanumeric() || *b == b'.').collect();
        let word = String::from_utf8_lossy(&word).into_owned();
        if number(&word).is_some() {
            return Some(word);
        }
    }
    None
}

fn memchr(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// Major and minor of `9.2p1`.
fn number(word: &str) -> Option<(u32, u32)> {
    let (major, rest) = word.split_once('.')?;
    let minor: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// `Version: 1:9.2p1-2+deb12u3`
fn of_dpkg(host: &Host) -> Option<String> {
    let bytes = host.source.read(Path::new("/var/lib/dpkg/status"), DATABASE_CAP).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let paragraph = text.split("\n\n").find(|p| p.lines().any(|l| l == "Package: openssh-server"))?;
    let installed = paragraph.lines().any(|l| l.starts_with("Status: ") && l.ends_with(" installed"));
    let version = paragraph.lines().find_map(|l| l.strip_prefix("Version: ")).filter(|_| installed)?;
    Some(upstream(version).to_owned()).filter(|word| number(word).is_some())
}

/// `9.2p1` of `1:9.2p1-2+deb12u3`.
fn upstream(version: &str) -> &str {
    let version = version.split_once(':').map_or(version, |(_, rest)| rest);
    version.split('-').next().unwrap_or(version)
}

/// `V:9.7_p1-r4`
fn of_apk(host: &Host) -> Option<String> {
    let bytes = host.source.read(Path::new("/lib/apk/db/installed"), DATABASE_CAP).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let paragraph = text.split("\n\n").find(|p| p.lines().any(|l| l == "P:openssh-server"))?;
    let version = paragraph.lines().find_map(|l| l.strip_prefix("V:"))?;
    Some(version.split('-').next()?.replace('_', "")).filter(|word| number(word).is_some())
}

fn distribution(host: &Host) -> Distribution {
    let text = host
        .read_text("/etc/os-release")
        .or_else(|_| host.read_text("/usr/lib/os-release"))
        .unwrap_or_default();
    let words: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE=")))
        .flat_map(|value| value.trim_matches(['"', '\'']).split_ascii_whitespace())
        .collect();
    let is = |names: &[&str]| words.iter().any(|word| names.contains(word));
    if is(&["rhel", "fedora", "centos", "amzn", "openEuler", "anolis", "alinux", "kylin"]) {
        Distribution::RedHat
    } else if is(&["suse", "opensuse", "sles"]) {
        Distribution::Suse
    } else if is(&["debian", "ubuntu"]) {
        Distribution::Debian
    } else if is(&["arch", "alpine", "gentoo", "void"]) {
        Distribution::Plain
    } else {
        Distribution::Unknown
    }
}

/// A file that exists and could not be told of.
pub(super) fn not_read(path: &str, what: impl Into<String>) -> Missing {
    Missing::unreadable(path, Reason::NotRead(what.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    #[test]
    fn the_program_tells_its_version() {
        assert_eq!(of_bytes(b"\0OpenSSH_%s\0SSH-2.0-OpenSSH_9.2p1 Debian-2\0").as_deref(), Some("9.2p1"));
        assert_eq!(of_bytes(b"OpenSSH_"), None);
        assert_eq!(number("10.0p2"), Some((10, 0)));
        assert_eq!(number("p1"), None);
    }

    #[test]
    fn a_package_database_tells_it_too() {
        let mut files = Files::new();
        files.file(
            "/var/lib/dpkg/status",
            "Package: a\nVersion: 1\n\nPackage: openssh-server\nStatus: install ok installed\nVersion: 1:8.4p1-5+deb11u3\n",
        );
        let program = Program::find(&Host::new(files, Target::root("t"))).unwrap();
        assert_eq!((program.words.as_deref(), program.version.0), (Some("8.4p1"), Some((8, 4))));
        assert_eq!(program.installed(), Err(Missing::Absent));
        let mut files = Files::new();
        files.file("/lib/apk/db/installed", "P:openssh-server\nV:9.7_p1-r4\n\n");
        let find = |files: &Files| Program::find(&Host::new(files.clone(), Target::root("t"))).unwrap();
        assert_eq!((find(&files).version.0, find(&files).installed()), (Some((9, 7)), Err(Missing::Absent)));
        // Programs are there, and it is not among them.
        files.file("/usr/bin/ls", "x");
        assert_eq!((find(&files).version.0, find(&files).installed()), (None, Ok(false)));
    }

    #[test]
    fn an_unknown_version_is_neither_new_nor_old() {
        assert!(!Version(None).from(1, 0) && !Version(None).before(99, 0));
    }
}
