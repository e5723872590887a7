//! The accounts that sshd would ask the C library for, as far as files tell.

use crate::format::account_files;
use crate::source::{At, Host, Missing, Optional, Reading};
use std::collections::{BTreeMap, HashSet};

/// A user of /etc/passwd.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) home: String,
    pub(super) shell: String,
    /// The names of its groups, those of the files.
    pub(super) groups: Vec<String>,
    pub(super) password: Password,
    pub(super) at: At,
}

/// What stands for the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Password {
    /// A hash that some password may fit.
    Hash,
    /// None is asked for.
    Empty,
    /// No password fits.
    None,
    /// It begins with a `!`: without PAM the whole account is then locked.
    Locked,
    /// The shadow file could not be read.
    Unknown,
}

/// Users, groups, and whether there may be more of them elsewhere.
#[derive(Debug, Default)]
pub(super) struct People {
    pub(super) users: Vec<Person>,
    pub(super) groups: HashSet<String>,
    /// Whom each group lists, by its ID.
    members: BTreeMap<u32, Vec<String>>,
    /// Another source of users that nsswitch.conf names: `sss`.
    pub(super) other_users: Option<String>,
    pub(super) other_groups: Option<String>,
    /// Why the passwords are not known.
    pub(super) no_shadow: Option<Missing>,
}

/// More lines than any host has that keeps its accounts in files.
const MOST: usize = 200_000;

impl People {
    pub(super) fn read(host: &Host) -> Reading<Self> {
        let passwd = host.read_text("/etc/passwd")?;
        let group = account_files::read(host, "group").optional()?.unwrap_or_default();
        let mut by_id: BTreeMap<u32, &str> = BTreeMap::new();
        let mut members: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let mut groups = HashSet::new();
        let mut listed: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        for line in group.lines().take(MOST) {
            let fields: Vec<&str> = line.split(':').collect();
            let [name, _, id, ..] = fields.as_slice() else { continue };
            let Ok(id) = id.parse() else { continue };
            by_id.entry(id).or_insert(name);
            groups.insert((*name).to_owned());
            let list = listed.entry(id).or_default();
            for member in fields.get(3).unwrap_or(&"").split(',').map(str::trim).filter(|m| !m.is_empty()) {
                members.entry(member).or_default().push((*name).to_owned());
                list.push(member.to_owned());
            }
        }
        let passwords = passwords(host);
        let mut users = Vec::new();
        let mut seen = HashSet::new();
        for (number, line) in (1u32..).zip(passwd.lines().take(MOST)) {
            let fields: Vec<&str> = line.split(':').collect();
            let [name, password, uid, gid, _, home, rest @ ..] = fields.as_slice() else { continue };
            let (Ok(uid), Ok(gid)) = (uid.parse(), gid.parse()) else { continue };
            if name.is_empty() || name.starts_with(['#', '+', '-']) || !seen.insert(*name) {
                continue;
            }
            let mut of = members.remove(name).unwrap_or_default();
            of.extend(by_id.get(&gid).map(|&group| group.to_owned()));
            let password = match &passwords {
                _ if *password != "x" => state(password),
                Ok(shadow) => shadow.get(*name).copied().unwrap_or(Password::None),
                Err(_) => Password::Unknown,
            };
            users.push(Person {
                name: (*name).to_owned(),
                uid,
                gid,
                home: (*home).to_owned(),
                shell: rest.first().map_or(String::new(), |s| (*s).to_owned()),
                groups: of,
                password,
                at: At::line("/etc/passwd", number),
            });
        }
        let switch = host.read_text("/etc/nsswitch.conf").optional()?.unwrap_or_default();
        let (other_users, other_groups) = (other(&switch, "passwd"), other(&switch, "group"));
        Ok(Self { users, groups, members: listed, other_users, other_groups, no_shadow: passwords.err() })
    }

    /// Whether nobody but this user is in the group, and the user is: secure_permissions() of Debian's patch.
    pub(super) fn is_private(&self, gid: u32, user: &Person) -> bool {
        let Some(listed) = self.members.get(&gid) else { return false };
        let mut primary = self.users.iter().filter(|u| u.gid == gid).peekable();
        let some = primary.peek().is_some() || !listed.is_empty();
        some && primary.all(|u| u.uid == user.uid) && listed.iter().all(|name| *name == user.name)
    }

    pub(super) fn find(&self, name: &str) -> Option<&Person> {
        self.users.iter().find(|user| user.name == name)
    }
}

/// What /etc/shadow has, by user; nothing if it is not there.
fn passwords(host: &Host) -> Reading<BTreeMap<String, Password>> {
    let text = host.read_text("/etc/shadow").optional()?.unwrap_or_default();
    let of = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        let password = state(fields.next()?);
        // Days since 1970: an account that ended that early was switched off.
        let expired = fields.nth(5).is_some_and(|day| matches!(day, "0" | "1"));
        Some((name, if expired { Password::None } else { password }))
    };
    Ok(text.lines().take(MOST).filter_map(of).collect())
}

fn state(field: &str) -> Password {
    match field {
        "" => Password::Empty,
        _ if field.starts_with('!') => Password::Locked,
        _ if field.starts_with('$') || field.starts_with('_') || field.len() == 13 => Password::Hash,
        _ => Password::None,
    }
}

/// A source of accounts that is none of the host's files, where nsswitch.conf names one.
fn other(text: &str, database: &str) -> Option<String> {
    const FILES: [&str; 7] = ["files", "compat", "systemd", "altfiles", "db", "mymachines", "nis"];
    let line = text
        .lines()
        .find_map(|line| line.trim_start().strip_prefix(database)?.trim_start().strip_prefix(':'))?;
    let line = line.split('#').next().unwrap_or("");
    let source = line.split_ascii_whitespace().find(|word| {
        !word.starts_with('[')
            && !word.ends_with(']')
            && !word.contains('=')
            && (!FILES.contains(word) || *word == "nis")
    })?;
    Some(source.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_sources_of_accounts_are_told() {
        assert_eq!(other("passwd:  files systemd\n", "passwd"), None);
        assert_eq!(other("passwd: files [NOTFOUND=return] sss # or so\n", "passwd").as_deref(), Some("sss"));
        assert_eq!(other("group: compat\n", "passwd"), None);
    }

    #[test]
    fn passwords_are_states_only() {
        assert_eq!(state("$6$a$b"), Password::Hash);
        assert_eq!(state("*"), Password::None);
        assert_eq!(state("!!"), Password::Locked);
        assert_eq!(state(""), Password::Empty);
    }
}
