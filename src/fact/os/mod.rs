//! Which distribution this is, and which version of it.

use super::Fact;
use crate::record;
use crate::source::{At, Host, Missing, Optional, Reading};

#[cfg(test)]
mod tests;

const OS_RELEASE: [&str; 2] = ["/etc/os-release", "/usr/lib/os-release"];

/// Files of distributions older than os-release(5), most telling first; the second word is the `id` where the file's
/// text does not tell it.
const OLD: [(&str, &str); 5] = [
    ("/etc/oracle-release", ""),
    ("/etc/centos-release", ""),
    ("/etc/redhat-release", ""),
    ("/etc/alpine-release", "alpine"),
    ("/etc/debian_version", "debian"),
];

record! {
    /// Which distribution this is, and which version of it.
    ///
    /// ```text
    /// NAME="Rocky Linux"
    /// ID="rocky"
    /// ID_LIKE="rhel centos fedora"
    /// VERSION_ID="9.4"
    /// ```
    ///
    /// Source: os-release(5): /etc/os-release, or if there is none /usr/lib/os-release. Older systems without either are
    /// known by /etc/redhat-release and its like. A field that the file does not set is absent.
    pub struct Os {
        /// The distribution in one lower-case word: `debian`, `rhel`, `alinux`. os-release(5) takes an unset one for `linux`.
        pub id: Option<String>,
        /// The distributions it derives from or is compatible with, closest first (`ID_LIKE`); none if it says none.
        pub like: Vec<String>,
        /// The distribution's name without its version: `Rocky Linux`.
        pub name: Option<String>,
        /// Name and version, for people.
        pub pretty_name: Option<String>,
        /// The version, for people; may hold a code name: `12 (bookworm)`.
        pub version: Option<String>,
        /// The version for programs: `9.4`, `22.04`. Absent for rolling ones.
        pub version_id: Option<String>,
        /// The whole number that `version_id` begins with: 9 of 9.4. Absent where it begins with none.
        pub version_major: Option<u32>,
        /// The number after the first dot: 4 of 9.4. Absent where there is none.
        pub version_minor: Option<u32>,
        /// The version's code name: `bookworm`.
        pub version_codename: Option<String>,
        /// The edition, for people: `Server Edition`.
        pub variant: Option<String>,
        /// The edition for programs: `server`, `coreos`.
        pub variant_id: Option<String>,
        /// Which build of the image this is.
        pub build_id: Option<String>,
        /// Lines that are no assignment, and with which sourcing the file in a shell fails.
        pub malformed: Vec<Malformed>,
        /// The file.
        pub at: At,
    }
}

record! {
    /// A line that is no assignment.
    #[derive(Clone, PartialEq)]
    pub struct Malformed {
        /// The line.
        pub text: String,
        /// Where it stands.
        pub at: At,
    }
}

impl Fact for Os {
    const NAME: &'static str = "os";
    const READS: &'static [&'static str] = &[
        "/etc/os-release",
        "/usr/lib/os-release",
        "/etc/oracle-release",
        "/etc/centos-release",
        "/etc/redhat-release",
        "/etc/alpine-release",
        "/etc/debian_version",
    ];

    fn collect(host: &Host) -> Reading<Self> {
        for path in OS_RELEASE {
            if let Some(text) = host.read_text(path).optional()? {
                return Ok(parse(path, &text));
            }
        }
        for (path, id) in OLD {
            if let Some(text) = host.read_text(path).optional()? {
                return Ok(parse_old(path, &text, id));
            }
        }
        Err(Missing::Absent)
    }
}

fn parse(path: &str, text: &str) -> Os {
    let mut assignments = Vec::new();
    let mut malformed = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let assignment = line.split_once('=').filter(|(name, _)| is_name(name));
        match assignment.and_then(|(name, value)| Some((name, unquote(value)?))) {
            Some(assignment) => assignments.push(assignment),
            None => malformed.push(Malformed { text: line.to_owned(), at: At::line(path, number) }),
        }
    }
    // As in a shell, the last assignment counts; an empty value is the same as none.
    let get = |wanted: &str| {
        let last = assignments.iter().rev().find(|(name, _)| *name == wanted);
        last.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
    };
    let version_id = get("VERSION_ID");
    Os {
        id: get("ID"),
        like: get("ID_LIKE").iter().flat_map(|like| like.split_whitespace()).map(str::to_owned).collect(),
        name: get("NAME"),
        pretty_name: get("PRETTY_NAME"),
        version: get("VERSION"),
        version_major: part(version_id.as_deref(), 0),
        version_minor: part(version_id.as_deref(), 1),
        version_id,
        version_codename: get("VERSION_CODENAME"),
        variant: get("VARIANT"),
        variant_id: get("VARIANT_ID"),
        build_id: get("BUILD_ID"),
        malformed,
        at: At::file(path),
    }
}

fn is_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A value without its quotes; `None` where a quote is not closed or something follows it.
fn unquote(value: &str) -> Option<String> {
    let value = value.trim();
    if let Some(rest) = value.strip_prefix('\'') {
        return rest
            .split_once('\'')
            .filter(|(_, after)| after.is_empty())
            .map(|(inner, _)| inner.to_owned());
    }
    let (quoted, body) = value.strip_prefix('"').map_or((false, value), |rest| (true, rest));
    let mut found = String::new();
    let mut characters = body.chars();
    while let Some(c) = characters.next() {
        match c {
            '"' => return (quoted && characters.as_str().is_empty()).then_some(found),
            '\\' => match characters.next()? {
                escaped @ ('"' | '\\' | '$' | '`') => found.push(escaped),
                other if quoted => found.extend(['\\', other]),
                other => found.push(other),
            },
            c if !quoted && c.is_whitespace() => return None,
            c => found.push(c),
        }
    }
    (!quoted).then_some(found)
}

/// The number at this place of a dotted version.
fn part(version: Option<&str>, place: usize) -> Option<u32> {
    version?.split('.').nth(place)?.parse().ok()
}

/// `CentOS release 6.10 (Final)`, or only the version where the file's name says the rest.
fn parse_old(path: &str, text: &str, id: &str) -> Os {
    let line = text.lines().next().unwrap_or_default().trim();
    let (name, version) = match line.split_once(" release ") {
        Some((name, version)) => (name.to_owned(), version.trim()),
        None => (id.to_owned(), line),
    };
    let version_id = version.split_whitespace().next().map(str::to_owned);
    let (id, like): (&str, &[&str]) = match name.as_str() {
        "debian" => ("debian", &[]),
        "alpine" => ("alpine", &[]),
        name if name.starts_with("CentOS") => ("centos", &["rhel", "fedora"]),
        name if name.starts_with("Red Hat Enterprise Linux") => ("rhel", &["fedora"]),
        name if name.starts_with("Oracle Linux") => ("ol", &["fedora"]),
        name if name.starts_with("Scientific Linux") => ("scientific", &["rhel", "fedora"]),
        name if name.starts_with("Fedora") => ("fedora", &[]),
        _ => ("", &[]),
    };
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Os {
        id: some(id),
        like: like.iter().map(|id| (*id).to_owned()).collect(),
        name: some(&name),
        pretty_name: some(line),
        version: some(version),
        version_major: part(version_id.as_deref(), 0),
        version_minor: part(version_id.as_deref(), 1),
        version_id,
        version_codename: None,
        variant: None,
        variant_id: None,
        build_id: None,
        malformed: Vec::new(),
        at: At::file(path),
    }
}
