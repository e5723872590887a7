//! RPM's database: the table of headers in SQLite, as Fedora 33, RHEL 9, and Amazon Linux 2023 have it.
//!
//! Source: <https://rpm-software-management.github.io/rpm/manual/format_header.html>, rpmtag.h.

use super::{Digest, File, Look, Manager, Package, Read};
use crate::format::sqlite::{Database, Value, number, values};
use crate::source::{At, Host, Missing, Reading, Reason};
use std::collections::HashMap;

/// The last is rpm-ostree's, whose links from the others need not be there before the first start.
const DATABASES: [&str; 3] =
    ["/var/lib/rpm/rpmdb.sqlite", "/usr/lib/sysimage/rpm/rpmdb.sqlite", "/usr/share/rpm/rpmdb.sqlite"];

/// Databases of other kinds: ndb of SUSE, Berkeley DB of RHEL 8 and before.
const NOT_READ: [(&str, &str); 5] = [
    ("/var/lib/rpm/Packages.db", "an ndb"),
    ("/usr/lib/sysimage/rpm/Packages.db", "an ndb"),
    ("/var/lib/rpm/Packages", "a Berkeley DB"),
    ("/usr/lib/sysimage/rpm/Packages", "a Berkeley DB"),
    ("/usr/share/rpm/Packages", "a Berkeley DB"),
];

pub(super) fn read(host: &Host, look: &mut Look) -> Reading<Read> {
    for path in DATABASES {
        if host.exists(path)? {
            let installed = database(host, path, look)?;
            return Ok((Manager::Rpm, path.to_owned(), installed));
        }
    }
    for (path, what) in NOT_READ {
        if host.exists(path)? {
            let what = format!(
                "is {what}, which hostvet does not read; `rpm -Va --nomtime` compares all files with it"
            );
            return Err(Missing::unreadable(path, Reason::NotRead(what)));
        }
    }
    Err(Missing::Absent)
}

fn database(host: &Host, path: &str, look: &mut Look) -> Reading<usize> {
    let database = Database::open(host, path)?;
    let packages = database.table("Packages")?;
    let mut installed = Vec::new();
    database.rows(database.table("Name")?, &mut |_, row| {
        // key, number of the header, position in it
        if let [Value::Bytes(name), Value::Int(header), ..] = values(row).as_slice() {
            installed.push((String::from_utf8_lossy(name).into_owned(), *header));
        }
        Ok(())
    })?;
    // Keys that rpm --import took in are packages without files.
    installed.retain(|(name, _)| name != "gpg-pubkey");
    if look.whole {
        database.rows(packages, &mut |_, row| {
            header_of(row, path).map(|header| {
                if let Some(package) = header {
                    look.package(package);
                }
            })
        })?;
    } else {
        for (name, header) in &installed {
            if !look.wants(name) {
                continue;
            }
            let row = database.row(packages, *header)?;
            if let Some(package) = row.map(|row| header_of(&row, path)).transpose()?.flatten() {
                look.package(package);
            }
        }
    }
    Ok(installed.len())
}

/// The package of a row: its number, its header.
fn header_of(row: &[u8], path: &str) -> Reading<Option<Package>> {
    let values = values(row);
    let Some(Value::Bytes(blob)) = values.get(1) else {
        return Err(Missing::garbled(path, "has a package without a header"));
    };
    package(blob, path).ok_or_else(|| Missing::garbled(path, "has a package whose header makes no sense"))
}

/// A header: the number of its tags, of its bytes, the tags (tag, type, offset, count), the bytes. Inner `None`: a key.
fn package(blob: &[u8], path: &str) -> Option<Option<Package>> {
    let tags = usize::try_from(number(blob, 0, 4)?).ok()?;
    let data = blob.get(tags.checked_mul(16)?.checked_add(8)?..)?;
    let index = blob.get(8..)?.chunks_exact(16).take(tags);
    let places: HashMap<u64, (usize, usize)> = index
        .filter_map(|entry| {
            let place = (number(entry, 8, 4)?.try_into().ok()?, number(entry, 12, 4)?.try_into().ok()?);
            Some((number(entry, 0, 4)?, place))
        })
        .collect();
    let texts = |tag: u64| {
        let (at, count) = places.get(&tag).copied().unwrap_or((0, 0));
        let texts = data.get(at..).unwrap_or_default().split(|byte| *byte == 0).take(count);
        texts.map(String::from_utf8_lossy).collect::<Vec<_>>()
    };
    let numbers = |tag: u64, length: usize| {
        let (at, count) = places.get(&tag).copied().unwrap_or((0, 0));
        let bytes = data.get(at..).unwrap_or_default().chunks_exact(length).take(count);
        bytes.map(|bytes| number(bytes, 0, length).unwrap_or(0)).collect::<Vec<_>>()
    };
    let first = |tag: u64| texts(tag).into_iter().next().unwrap_or_default().into_owned();
    let name = first(NAME);
    if name.is_empty() {
        return None;
    }
    if name == "gpg-pubkey" {
        return Some(None);
    }
    let (names, directories, indexes) = (texts(BASENAMES), texts(DIRNAMES), numbers(DIRINDEXES, 4));
    let (flags, modes, states) = (numbers(FILEFLAGS, 4), numbers(FILEMODES, 2), numbers(FILESTATES, 1));
    // MD5 in old packages, SHA-256 in those of the last ten years; others differ in length.
    let digests = texts(FILEDIGESTS);
    let mut files = Vec::new();
    for (n, (name, index)) in names.iter().zip(&indexes).enumerate() {
        let at = |list: &[u64]| list.get(n).copied().unwrap_or(0);
        let directory = directories.get(usize::try_from(*index).ok()?)?;
        // rpm itself may have left a file out (`--nodocs`, another colour), or need not have it.
        if at(&states) == STATE_NORMAL && at(&flags) & LEFT_OUT == 0 && at(&modes) & 0o170_000 != 0o040_000 {
            let digest = digests.get(n).filter(|digest| !digest.is_empty()).map(|digest| digest.to_string());
            files.push(File {
                path: format!("{directory}{name}"),
                is_setting: at(&flags) & CONFIG != 0,
                digest: digest.and_then(|digest| match digest.len() {
                    32 => Some(Digest::Md5(digest)),
                    64 => Some(Digest::Sha256(digest)),
                    _ => None,
                }),
            });
        }
    }
    let version = format!("{}-{}", first(VERSION), first(RELEASE));
    Some(Some(Package { name, version, at: At::file(path), files }))
}

const NAME: u64 = 1000;
const VERSION: u64 = 1001;
const RELEASE: u64 = 1002;
const FILESTATES: u64 = 1029;
const FILEMODES: u64 = 1030;
const FILEDIGESTS: u64 = 1035;
const FILEFLAGS: u64 = 1037;
const DIRINDEXES: u64 = 1116;
const BASENAMES: u64 = 1117;
const DIRNAMES: u64 = 1118;

const STATE_NORMAL: u64 = 0;
const CONFIG: u64 = 1;
/// Documents, what may be missing, ghosts, licences, read-me files, artifacts.
const LEFT_OUT: u64 = 1 << 1 | 1 << 3 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 12;
