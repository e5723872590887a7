//! The host's own files that sshd is particular about: host keys, the directory it locks itself into, its configuration.
//!
//! Source: sshkey_perm_ok() of authfile.c; main() of sshd.c for the directory.

use super::config::Config;
use super::criteria::Connection;
use super::evaluate::Settings;
use super::keys::who;
use super::records::{GuardedFile, GuardedKind, HostKey};
use super::version::Program;
use super::{service, users};
use crate::format::account_files;
use crate::model::Partial;
use crate::source::{At, FileKind, Host, Missing, Optional, Reading, Stat};
use std::path::Path;

/// Where builds have the empty directory: Debian, Red Hat since 9, Red Hat before, SUSE, and OpenSSH itself.
const EMPTY: [&str; 5] =
    ["/run/sshd", "/usr/share/empty.sshd", "/var/empty/sshd", "/var/lib/empty", "/var/empty"];

/// The private host keys that sshd loads.
pub(super) fn host_keys(host: &Host, program: &Program, config: Option<&Config>) -> Vec<HostKey> {
    let settings = config.map(|config| Settings::of(config, &Connection::default())).unwrap_or_default();
    let makes = service::makes_keys(host);
    let mut keys: Vec<HostKey> = Vec::new();
    let (_, named) = settings.added("hostkey");
    for entry in named.iter().take(100) {
        let Some(path) = entry.statement.arguments.first().filter(|_| !users::is(entry.statement, "none"))
        else {
            continue;
        };
        keys.push(key(host, path, Some(entry.statement.at.clone()), makes));
    }
    if named.is_empty() {
        let mut kinds = vec!["rsa", "ecdsa", "ed25519"];
        if program.version.before(7, 0) {
            kinds.push("dsa");
        }
        keys.extend(
            kinds.iter().map(|kind| key(host, &format!("/etc/ssh/ssh_host_{kind}_key"), None, makes)),
        );
    }
    keys
}

fn key(host: &Host, path: &str, line: Option<At>, makes: bool) -> HostKey {
    let usual =
        ["rsa", "ecdsa", "ed25519", "dsa"].iter().any(|kind| path == format!("/etc/ssh/ssh_host_{kind}_key"));
    let stat = host.source.stat(Path::new(path)).optional().map_err(Missing::Unreadable);
    let usable = |stat: &Option<Stat>| {
        stat.is_some_and(|s| s.kind == FileKind::File && s.size > 0 && !too_open(host, s))
    };
    HostKey {
        path: path.to_owned(),
        configured: line.is_some(),
        present: stat.clone().map(|stat| stat.is_some_and(|s| s.kind == FileKind::File && s.size > 0)),
        usable: stat.as_ref().map(usable).map_err(Clone::clone),
        generated: makes && usual,
        at: line.unwrap_or_else(|| At::file(path)),
    }
}

/// Whether sshd ignores the key for its permissions. It looks only at keys of its own user, root.
fn too_open(host: &Host, stat: Stat) -> bool {
    let others = stat.mode & 0o077;
    // Red Hat's builds take 0640 where the group is ssh_keys.
    let group = others == 0o040 && group_id(host, "ssh_keys") == Some(stat.gid);
    stat.uid == 0 && others != 0 && !group
}

fn group_id(host: &Host, name: &str) -> Option<u32> {
    let text = account_files::read(host, "group").ok()?;
    let mut lines = text.lines().map(|line| line.split(':'));
    lines.find_map(|mut fields| if fields.next() == Some(name) { fields.nth(1)?.parse().ok() } else { None })
}

/// The host's own files, and what is wrong with each; what could not be looked at is said beside them.
pub(super) fn files(host: &Host, keys: &[HostKey], config: Option<&Config>) -> Partial<GuardedFile> {
    let mut list = Partial::default();
    let mut look = |path: &str, kind: GuardedKind, wanted: &str, judge: &dyn Fn(Stat) -> Option<Wrong>| {
        let found = host.source.stat(Path::new(path)).map(|stat| {
            let wrong = judge(stat);
            let (owner, stops) = wrong.as_ref().map_or((None, false), |w| (w.owner.clone(), w.stops));
            let (reason, wanted, at) = (wrong.map(|w| w.reason), wanted.to_owned(), At::file(path));
            [GuardedFile { path: path.to_owned(), kind, reason, user: None, wanted, owner, stops, at }]
        });
        list.add(found);
    };
    let none_left = keys.iter().all(|key| key.usable == Ok(false));
    for key in keys {
        look(&key.path, GuardedKind::HostKey, "600", &|stat| {
            let wrong = stat.kind == FileKind::File && too_open(host, stat);
            wrong.then(|| {
                Wrong::stopping(
                    none_left,
                    format!("can be read by {} ({:04o})", readers(stat.mode), stat.mode),
                )
            })
        });
    }
    if let Some(path) = EMPTY.iter().find(|path| host.exists(path) == Ok(true)) {
        look(path, GuardedKind::PrivilegeSeparation, "755", &|stat| match stat {
            _ if stat.kind != FileKind::Directory => {
                Some(Wrong::stopping(true, format!("is {}", stat.kind.name())))
            }
            _ if stat.uid != 0 => {
                let wrong = Wrong::stopping(true, format!("belongs to user ID {}, not root", stat.uid));
                Some(Wrong { owner: Some("root".into()), ..wrong })
            }
            _ => (stat.mode & 0o022 != 0).then(|| Wrong::stopping(true, writable(stat))),
        });
    }
    let mut paths: Vec<&str> = vec!["/etc/ssh", "/etc/ssh/sshd_config.d"];
    paths.extend(config.iter().flat_map(|c| &c.files).map(|at| &*at.path));
    paths.sort_unstable();
    paths.dedup();
    for path in paths {
        // A group of its own for those who look after it may be meant; everyone is not.
        look(path, GuardedKind::Configuration, "go-w", &|stat| {
            (stat.mode & 0o002 != 0).then(|| Wrong::stopping(false, writable(stat)))
        });
    }
    list
}

/// What is wrong with a file.
struct Wrong {
    reason: String,
    owner: Option<String>,
    stops: bool,
}

impl Wrong {
    fn stopping(stops: bool, reason: String) -> Self {
        Self { reason, owner: None, stops }
    }
}

fn writable(stat: Stat) -> String {
    format!("is writable by {} ({:04o})", who(stat.mode), stat.mode)
}

fn readers(mode: u32) -> &'static str {
    if mode & 0o007 != 0 { "everyone" } else { "its group" }
}

/// Whether the owners of this tree's files are those of the vetted system: whoever unpacks a tree without being root owns it all.
pub(super) fn owners_told(host: &Host) -> Reading<bool> {
    host.source.stat(Path::new("/etc")).map(|stat| stat.uid == 0)
}
