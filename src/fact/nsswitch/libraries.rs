//! The libraries of the services, and the C library's version.

use super::{Glibc, NssDatabase, NssLibrary};
use crate::format::shared_library::{Libraries, LibraryState};
use crate::source::{At, Host, Missing, Reading};
use std::collections::BTreeMap;
use std::path::Path;

/// The databases of the C library; other lines of the file are for other programs, such as sudo and autofs.
const DATABASES: [&str; 14] = [
    "aliases",
    "ethers",
    "group",
    "gshadow",
    "hosts",
    "initgroups",
    "netgroup",
    "networks",
    "passwd",
    "protocols",
    "publickey",
    "rpc",
    "services",
    "shadow",
];

/// glibc's own file is 2 MiB.
const CAP: u64 = 16 << 20;

/// More services than this are not looked up; honest files name a dozen.
const MOST: usize = 200;

pub(super) fn find(host: &Host, databases: &BTreeMap<String, NssDatabase>) -> Reading<Vec<NssLibrary>> {
    let libraries = Libraries::find(host)?;
    let mut found: BTreeMap<&str, NssLibrary> = BTreeMap::new();
    for name in DATABASES {
        let Some(database) = databases.get(name) else { continue };
        for service in &database.services {
            if !found.contains_key(service.name.as_str()) {
                if found.len() >= MOST {
                    return Err(Missing::garbled(super::PATH, format!("names more than {MOST} services")));
                }
                found.insert(&service.name, library(host, &libraries, &service.name, &database.at));
            }
            let Some(library) = found.get_mut(service.name.as_str()) else { continue };
            if library.databases.last().is_none_or(|last| last != name) {
                library.databases.push(name.to_owned());
            }
            if service.unavailable_ends {
                library.ends.push(name.to_owned());
            }
        }
    }
    Ok(found.into_values().collect())
}

fn library(host: &Host, libraries: &Libraries, service: &str, at: &At) -> NssLibrary {
    let file = format!("libnss_{service}.so.2");
    let located = libraries.locate(host, &file);
    let present = matches!(located, Ok((LibraryState::Present, _)));
    // The version matters only where the library does not settle it, and costs a read of 2 MiB.
    let built_in = match service {
        "files" | "dns" if !present => {
            glibc(host, &libraries.libc).map(|glibc| (glibc.major, glibc.minor) >= (2, 34))
        }
        _ => Ok(false),
    };
    let (state, mut path) = match located {
        Ok((state, path)) => (Ok(state), path),
        Err(why) => (Err(why), None),
    };
    let mut dangling = None;
    if state == Ok(LibraryState::Missing)
        && let Some((link, to)) = libraries.dangling(host, &file)
    {
        (path, dangling) = (Some(link), Some(to));
    }
    let (databases, ends) = (Vec::new(), Vec::new());
    let service = service.to_owned();
    NssLibrary { service, databases, file, state, built_in, path, dangling, ends, at: at.clone() }
}

/// The version: 2.17 of `libc.so.6 -> libc-2.17.so`, else what the library says when it is run.
pub(super) fn glibc(host: &Host, path: &str) -> Reading<Glibc> {
    let link = host.source.read_link(Path::new(path)).ok();
    let name = link.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let named =
        name.as_deref().and_then(|name| name.strip_prefix("libc-")?.strip_suffix(".so").and_then(numbers));
    let (major, minor) = match named {
        Some(version) => version,
        None => {
            let bytes = host.source.read(Path::new(path), CAP)?;
            told(&bytes)
                .ok_or_else(|| Missing::garbled(path, "does not tell the version of the C library"))?
        }
    };
    Ok(Glibc { version: format!("{major}.{minor}"), major, minor, at: At::file(path) })
}

/// `GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36.`
fn told(bytes: &[u8]) -> Option<(u32, u32)> {
    const NAME: &[u8] = b"GNU C Library ";
    const VERSION: &str = "release version ";
    let start = bytes.windows(NAME.len()).position(|w| w == NAME)?;
    let line = String::from_utf8_lossy(bytes.get(start..bytes.len().min(start + 256))?);
    numbers(line.split_once(VERSION)?.1)
}

/// The first two numbers of a dotted version.
fn numbers(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split(|c: char| !c.is_ascii_digit() && c != '.').next()?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn the_version_is_what_the_library_says_of_itself() {
        let old = b"\x7fELF\0GNU C Library stable release version 2.12, by Roland McGrath et al.\nCopyright";
        assert_eq!(told(old), Some((2, 12)));
        assert_eq!(
            told(b"\0GNU C Library (GNU libc) development release version 2.39.9000.\n"),
            Some((2, 39))
        );
        for garbage in [&b""[..], b"GNU C Library ", b"GNU C Library release version x", b"\xff\xff"] {
            assert_eq!(told(garbage), None);
        }
    }
}
