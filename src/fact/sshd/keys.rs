//! Authorized keys: which files, what is in them, and whether sshd looks at them.
//!
//! Source: the AUTHORIZED_KEYS FILE FORMAT of sshd(8); safe_path() of misc.c and auth_openfile() of auth2-pubkeyfile.c for StrictModes.

use super::people::{People, Person};
use super::records::{GuardedFile, GuardedKind};
use crate::source::{At, FileKind, Host, Optional, Reading, Stat, Unreadable};
use std::path::{Path, PathBuf};

/// What a file of keys holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Keys {
    /// Keys that give a shell.
    pub(super) free: usize,
    /// Keys that are bound to a command.
    pub(super) forced: usize,
}

/// What is asked of permissions.
pub(super) struct Modes<'a> {
    /// StrictModes.
    pub(super) strict: bool,
    /// The accounts by which a build lets a file be writable by a group that only its owner is in, if it does.
    pub(super) private_groups: Option<&'a People>,
}

/// The file that a word of AuthorizedKeysFile means for a user.
pub(super) fn path(word: &str, user: &Person) -> String {
    let mut path = String::new();
    let mut chars = word.chars();
    while let Some(c) = chars.next() {
        match c {
            '%' => match chars.next() {
                Some('u') => path.push_str(&user.name),
                Some('h') => path.push_str(&user.home),
                Some('U') => path.push_str(&user.uid.to_string()),
                Some('%') => path.push('%'),
                _ => {}
            },
            c => path.push(c),
        }
    }
    if path.starts_with('/') { path } else { format!("{}/{path}", user.home.trim_end_matches('/')) }
}

/// Counts the keys of a file. Only their kind and options are looked at.
pub(super) fn count(text: &str) -> Keys {
    let mut keys = Keys::default();
    for line in text.lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (options, rest) = if is_key(line) { ("", line) } else { after_options(line) };
        if !is_key(rest) {
            continue;
        }
        if options.to_ascii_lowercase().contains("command=\"") {
            keys.forced += 1;
        } else {
            keys.free += 1;
        }
    }
    keys
}

/// A type and what looks like a blob of it, which begins with its length in four bytes.
fn is_key(text: &str) -> bool {
    let mut words = text.split_ascii_whitespace();
    let kind = words.next().unwrap_or("");
    let known = kind.starts_with("ssh-")
        || kind.starts_with("ecdsa-sha2-")
        || kind.starts_with("sk-ssh-")
        || kind.starts_with("sk-ecdsa-");
    known && words.next().is_some_and(|blob| blob.starts_with("AAAA"))
}

/// The options at the start of a line, up to a blank outside of quotes, and what follows.
fn after_options(line: &str) -> (&str, &str) {
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        match c {
            '"' if !escaped => quoted = !quoted,
            ' ' | '\t' if !quoted => {
                let (options, rest) = line.split_at(at);
                return (options, rest.trim_start());
            }
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    (line, "")
}

/// A file of keys, and what StrictModes refuses in it or in a directory above it, if it does. `Ok(None)`: it is not there.
pub(super) fn guarded(
    host: &Host,
    file: &str,
    user: &Person,
    modes: &Modes<'_>,
) -> Result<Option<GuardedFile>, Unreadable> {
    let Some(real) = real(host, file)? else { return Ok(None) };
    let home = real_home(host, user)?;
    let told = |path: &Path, reason: Option<String>, wanted: &str, owner: Option<String>| {
        let path = path.to_string_lossy().into_owned();
        let at = At::file(path.as_str());
        let (user, wanted) = (Some(user.name.clone()), wanted.to_owned());
        Some(GuardedFile {
            path,
            kind: GuardedKind::AuthorizedKeys,
            reason,
            user,
            wanted,
            owner,
            stops: false,
            at,
        })
    };
    let bad = |path: &Path, reason: String, wanted: &str, owner: Option<String>| {
        told(path, Some(reason), wanted, owner)
    };
    let Some(stat) = host.source.stat(&real).optional()? else { return Ok(None) };
    if stat.kind != FileKind::File {
        return Ok(bad(&real, format!("is {}", stat.kind.name()), "600", None));
    }
    if modes.strict {
        for path in real.ancestors() {
            let found = if path == real { stat } else { stat_of(host, path)? };
            if found.uid != 0 && found.uid != user.uid {
                let reason = format!("belongs to user ID {}, neither root nor {}", found.uid, user.name);
                return Ok(bad(path, reason, "go-w", Some(user.name.clone())));
            }
            let bits = if modes.private_groups.is_some_and(|p| p.is_private(found.gid, user)) {
                0o002
            } else {
                0o022
            };
            if found.mode & bits != 0 {
                let reason = format!("is writable by {} ({:04o})", who(found.mode), found.mode);
                return Ok(bad(path, reason, "go-w", None));
            }
            if home.as_deref() == Some(path) && path != real {
                break;
            }
        }
    }
    // sshd opens the file as the user.
    if user.uid != 0 && !may(stat, user, 0o4) {
        let reason = format!("cannot be read by {} ({:04o}, owner {})", user.name, stat.mode, stat.uid);
        return Ok(bad(&real, reason, "600", Some(user.name.clone())));
    }
    Ok(told(&real, None, "600", None))
}

/// Who else may write, in words.
pub(super) fn who(mode: u32) -> &'static str {
    match (mode & 0o020 != 0, mode & 0o002 != 0) {
        (_, true) => "everyone",
        _ => "its group",
    }
}

fn may(stat: Stat, user: &Person, bit: u32) -> bool {
    // The groups of the user are names; a file of another group than the primary one is taken to be one of them.
    let group = stat.gid == user.gid || user.groups.len() > 1;
    if stat.uid == user.uid {
        return stat.mode & (bit << 6) != 0;
    }
    (group && stat.mode & (bit << 3) != 0) || stat.mode & bit != 0
}

fn stat_of(host: &Host, path: &Path) -> Result<Stat, Unreadable> {
    // It was there a moment ago.
    let gone = Stat {
        kind: FileKind::Directory,
        mode: 0o755,
        uid: 0,
        gid: 0,
        size: 0,
        allocated: 0,
        mtime: 0,
        rdev: 0,
    };
    Ok(host.source.stat(path).optional()?.unwrap_or(gone))
}

/// The path without links; `None` where it leads nowhere.
fn real(host: &Host, path: &str) -> Result<Option<PathBuf>, Unreadable> {
    crate::source::resolve(&*host.source, Path::new(path), true).optional()
}

fn real_home(host: &Host, user: &Person) -> Result<Option<PathBuf>, Unreadable> {
    if user.home.is_empty() { Ok(None) } else { real(host, &user.home) }
}

/// What the files of a user hold together; absent files hold nothing.
pub(super) fn in_file(host: &Host, file: &str) -> Reading<Keys> {
    Ok(host.read_text(file).optional()?.map(|text| count(&text)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_counted_by_what_they_give() {
        let text = "# mine\nssh-ed25519 AAAAC3 ann\nfrom=\"10.0.0.0/8\",no-pty ecdsa-sha2-nistp256 AAAAE2 x\n\
                    command=\"echo \\\"use ann\\\"; sleep 10\",no-pty ssh-rsa AAAAB3 x\nssh-rsa broken\njunk\n\0\u{fffd}\n";
        assert_eq!(count(text), Keys { free: 2, forced: 1 });
        assert_eq!(count(""), Keys::default());
    }

    #[test]
    fn paths_stand_for_every_user() {
        let ann = Person {
            name: "ann".into(),
            uid: 1000,
            gid: 1000,
            home: "/home/ann/".into(),
            shell: String::new(),
            groups: Vec::new(),
            password: super::super::people::Password::None,
            at: At::file("/etc/passwd"),
        };
        assert_eq!(path(".ssh/authorized_keys", &ann), "/home/ann/.ssh/authorized_keys");
        assert_eq!(path("/etc/ssh/keys/%u", &ann), "/etc/ssh/keys/ann");
        assert_eq!(path("/k/%U/%%/%h", &ann), "/k/1000/%//home/ann/");
    }
}
