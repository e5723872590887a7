//! The accounts of this host: passwd, group, shadow and gshadow, with every line that is none kept as such.
//!
//! Password hashes stop here: of a password only its state and the scheme of its hash go further.

mod lines;
#[cfg(test)]
mod tests;

use super::Fact;
use crate::format::account_files;
use crate::source::{At, Host, Missing, Reading};
use crate::{record, word};
use lines::{Fields, Table};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::Hash;

word! {
    /// What a password field lets in.
    pub enum PasswordState {
        /// Nothing is asked: the field is empty.
        Empty = "empty",
        /// A hash.
        Hash = "hash",
        /// A hash behind `!`: locked, and can be unlocked again.
        Locked = "locked",
        /// No password fits: `*`, `!`, `!!`.
        None = "none",
        /// It is in the shadow file: `x`.
        Shadow = "shadow",
    }
}

record! {
    /// Users and groups of the files (those of LDAP and the like are not here).
    ///
    /// ```text
    /// /etc/passwd   root:x:0:0:root:/root:/bin/bash
    /// /etc/group    wheel:x:10:operator
    /// /etc/shadow   root:$6$salt$hash:19000:0:99999:7:::
    /// ```
    ///
    /// Source: passwd(5), group(5), shadow(5), gshadow(5); for accounts below /usr/lib, where ostree keeps those of the system,
    /// nss-altfiles. Fields are split as the C library splits them.
    /// Absent where there is neither passwd nor group.
    pub struct Accounts {
        /// The users of /etc/passwd, in order, then those of /usr/lib/passwd with other names. A line whose number of fields or numbers are wrong is in `malformed`.
        pub users: Reading<Vec<User>>,
        /// The groups of /etc/group, in order, then those of /usr/lib/group with other names.
        pub groups: Reading<Vec<Group>>,
        /// The lines of /etc/shadow, in order. Absent where passwords are in passwd.
        pub shadow: Reading<Vec<Shadow>>,
        /// The lines of /etc/gshadow, in order.
        pub gshadow: Reading<Vec<GroupShadow>>,
        /// Lines of the four files that the C library passes over, or reads as something else than was meant.
        pub malformed: MalformedAccounts,
    }
}

record! {
    /// The lines of each file that are not what it should hold; of one file apart from the others, so that those which
    /// everybody may read are known where /etc/shadow is denied. Each is absent where there is no such file.
    #[derive(Clone, PartialEq)]
    pub struct MalformedAccounts {
        /// Lines of /etc/passwd.
        pub passwd: Reading<Vec<MalformedAccount>>,
        /// Lines of /etc/group.
        pub group: Reading<Vec<MalformedAccount>>,
        /// Lines of /etc/shadow.
        pub shadow: Reading<Vec<MalformedAccount>>,
        /// Lines of /etc/gshadow.
        pub gshadow: Reading<Vec<MalformedAccount>>,
    }
}

record! {
    /// A line of /etc/passwd.
    #[derive(Clone, PartialEq)]
    pub struct User {
        /// Login name.
        pub name: String,
        /// What its password field holds; `shadow` as a rule.
        pub password: PasswordState,
        /// User ID.
        pub uid: u32,
        /// ID of its primary group.
        pub gid: u32,
        /// The name of that group. Absent where /etc/group has none of this ID, or is unreadable.
        pub group: Reading<String>,
        /// The groups that list it as a member. Absent for a later line of a name that was there before: who looks the name
        /// up gets the first.
        pub groups: Reading<Vec<String>>,
        /// Home directory.
        pub home: String,
        /// Login shell as it is written; empty means /bin/sh.
        pub shell: String,
        /// Whether the shell is one to work in: not nologin, false, or a program such as sync or shutdown that ends by itself.
        pub login_shell: bool,
        /// What its password is in the end: that of its line in /etc/shadow where `password` leaves it to that. Absent where
        /// there is no such line, unreadable where /etc/shadow is.
        pub effective_password: Reading<PasswordState>,
        /// The line before of the same name, which is the one that counts. Absent for nearly all.
        pub same_name_at: Option<At>,
        /// The line before of the same user ID. Absent for nearly all.
        pub same_uid_at: Option<At>,
        /// Where it was read.
        pub at: At,
    }
}

record! {
    /// A line of /etc/group.
    #[derive(Clone, PartialEq)]
    pub struct Group {
        /// Name.
        pub name: String,
        /// Group ID.
        pub gid: u32,
        /// The users it lists; those of whom it is the primary group need not be among them.
        pub members: Vec<String>,
        /// The line before of the same name, which is the one that counts. Absent for nearly all.
        pub same_name_at: Option<At>,
        /// Where it was read.
        pub at: At,
    }
}

record! {
    /// A line of /etc/shadow, without the password.
    #[derive(Clone, PartialEq)]
    pub struct Shadow {
        /// Login name.
        pub name: String,
        /// What its password field holds.
        pub password: PasswordState,
        /// The scheme of the hash: `y`, `6`, `5`, `2b`, `1`, … of `$6$`, `des` for the traditional 13 characters,
        /// `unknown` for what is none of crypt(5). Absent without a hash.
        pub scheme: Option<String>,
        /// The day of the last change, counted from 1970; 0 demands a change at the next login. Absent: never expires.
        pub last_change_day: Option<i64>,
        /// Days until a change is demanded. Absent: no limit.
        pub max_days: Option<i64>,
        /// Days after that in which the password may still be changed. Absent: no limit.
        pub inactive_days: Option<i64>,
        /// The day on which the account ends, counted from 1970. Absent: it does not.
        pub expire_day: Option<i64>,
        /// Where it was read.
        pub at: At,
    }
}

record! {
    /// A line of /etc/gshadow, without the password.
    #[derive(Clone, PartialEq)]
    pub struct GroupShadow {
        /// Name of the group.
        pub name: String,
        /// The users it lists.
        pub members: Vec<String>,
        /// Where it was read.
        pub at: At,
    }
}

record! {
    /// A line that is not what its file should hold. Its text is not kept: it may be a password.
    #[derive(Clone, PartialEq)]
    pub struct MalformedAccount {
        /// The first field, as far as there is one: whom it concerns.
        pub name: String,
        /// What is wrong, to be read after the name: `has 6 fields instead of 7`.
        pub reason: String,
        /// Whether the line counts for nothing; if not, it is read, though not as it was meant.
        pub ignored: bool,
        /// Where it was read.
        pub at: At,
    }
}

impl Fact for Accounts {
    const NAME: &'static str = "accounts";
    const READS: &'static [&'static str] = &[
        "/etc/passwd",
        "/etc/group",
        "/etc/shadow",
        "/etc/gshadow",
        "/etc/nsswitch.conf",
        "/usr/lib/passwd",
        "/usr/lib/group",
    ];

    fn collect(host: &Host) -> Reading<Self> {
        let read = |table: Table| match host.read_text(table.path()) {
            Ok(text) => {
                let (good, bad) = lines::parse(table, table.path(), &text);
                (with_those_of_system(host, table, good), Ok(bad))
            }
            Err(missing) => (Err(missing.clone()), Err(missing)),
        };
        let (passwd, bad_passwd) = read(Table::Passwd);
        let (group, bad_group) = read(Table::Group);
        let (shadow, bad_shadow) = read(Table::Shadow);
        let (gshadow, bad_gshadow) = read(Table::Gshadow);
        if matches!((&passwd, &group), (Err(Missing::Absent), Err(Missing::Absent))) {
            return Err(Missing::Absent);
        }
        let groups = group.map(|lines| groups(&lines));
        let shadow = shadow.map(|lines| lines.iter().map(Shadow::of).collect::<Vec<_>>());
        Ok(Self {
            users: passwd.map(|lines| users(&lines, &groups, &shadow)),
            shadow,
            gshadow: gshadow.map(|lines| lines.iter().map(GroupShadow::of).collect()),
            groups,
            malformed: MalformedAccounts {
                passwd: bad_passwd,
                group: bad_group,
                shadow: bad_shadow,
                gshadow: bad_gshadow,
            },
        })
    }
}

/// The lines, and after them those that ostree keeps below /usr, of names that are not among them.
fn with_those_of_system(host: &Host, table: Table, mut lines: Vec<Fields>) -> Reading<Vec<Fields>> {
    let found = match table {
        Table::Passwd => account_files::of_system(host, "passwd")?,
        Table::Group => account_files::of_system(host, "group")?,
        Table::Shadow | Table::Gshadow => None,
    };
    let Some((path, text)) = found else { return Ok(lines) };
    let names: HashSet<String> = lines.iter().map(|line| line.text(0).to_owned()).collect();
    let (more, _) = lines::parse(table, &path, &text);
    lines.extend(more.into_iter().filter(|line| !names.contains(line.text(0))));
    Ok(lines)
}

fn groups(lines: &[Fields]) -> Vec<Group> {
    let mut names: HashMap<&str, &At> = HashMap::new();
    let group = |fields| {
        let group = Group::of(fields);
        Group { same_name_at: before(&mut names, fields.text(0), &fields.at), ..group }
    };
    lines.iter().map(group).collect()
}

/// Where this was before; it is entered if it was not.
fn before<'a, K: Eq + Hash>(seen: &mut HashMap<K, &'a At>, key: K, at: &'a At) -> Option<At> {
    match seen.entry(key) {
        Entry::Occupied(first) => Some((*first.get()).clone()),
        Entry::Vacant(place) => {
            place.insert(at);
            None
        }
    }
}

/// Shells that are none, and programs that shutdown, halt and sync have for one.
const NO_SHELLS: [&str; 6] = ["nologin", "false", "true", "sync", "shutdown", "halt"];

fn users<'a>(lines: &'a [Fields], groups: &Reading<Vec<Group>>, shadow: &Reading<Vec<Shadow>>) -> Vec<User> {
    let mut secrets: HashMap<&str, PasswordState> = HashMap::new();
    for line in shadow.iter().flatten() {
        // Of several lines the first is found.
        secrets.entry(&line.name).or_insert(line.password);
    }
    let (mut same_name, mut same_uid) = (HashMap::new(), HashMap::new());
    let mut names: BTreeMap<u32, &str> = BTreeMap::new();
    let mut memberships: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for group in groups.iter().flatten() {
        names.entry(group.gid).or_insert(&group.name);
        for member in &group.members {
            memberships.entry(member).or_default().push(group.name.clone());
        }
    }
    let mut seen = HashSet::new();
    let user = |fields: &'a Fields| {
        let (name, gid, shell) = (fields.text(0), fields.id(3), fields.text(6));
        let password = state(fields.text(1));
        let known = groups.as_ref().map_err(Clone::clone);
        User {
            password,
            uid: fields.id(2),
            gid,
            group: known.and_then(|_| names.get(&gid).copied().ok_or(Missing::Absent)).map(Into::into),
            groups: groups.as_ref().map_err(Clone::clone).and_then(|_| match seen.insert(name) {
                // Copied for every line of a name, few bytes would grow to any size.
                true => Ok(memberships.remove(name).unwrap_or_default()),
                false => Err(Missing::Absent),
            }),
            home: fields.text(5).to_owned(),
            shell: shell.to_owned(),
            login_shell: !NO_SHELLS.contains(&shell.rsplit('/').next().unwrap_or_default()),
            effective_password: match password {
                PasswordState::Shadow => shadow
                    .as_ref()
                    .map_err(Clone::clone)
                    .and_then(|_| secrets.get(name).copied().ok_or(Missing::Absent)),
                other => Ok(other),
            },
            same_name_at: before(&mut same_name, name, &fields.at),
            same_uid_at: before(&mut same_uid, fields.id(2), &fields.at),
            name: name.to_owned(),
            at: fields.at.clone(),
        }
    };
    lines.iter().map(user).collect()
}

impl Group {
    fn of(fields: &Fields) -> Self {
        Self {
            name: fields.text(0).to_owned(),
            gid: fields.id(2),
            members: fields.list(3),
            same_name_at: None,
            at: fields.at.clone(),
        }
    }
}

impl GroupShadow {
    fn of(fields: &Fields) -> Self {
        Self { name: fields.text(0).to_owned(), members: fields.list(3), at: fields.at.clone() }
    }
}

impl Shadow {
    fn of(fields: &Fields) -> Self {
        let password = state(fields.text(1));
        Self {
            name: fields.text(0).to_owned(),
            scheme: matches!(password, PasswordState::Hash | PasswordState::Locked)
                .then(|| scheme(fields.text(1).trim_start_matches('!'))),
            password,
            last_change_day: fields.number(2),
            max_days: fields.number(4),
            inactive_days: fields.number(6),
            expire_day: fields.number(7),
            at: fields.at.clone(),
        }
    }
}

/// What a password field holds.
fn state(field: &str) -> PasswordState {
    match field {
        "" => PasswordState::Empty,
        "x" => PasswordState::Shadow,
        _ if field.starts_with("!$") || field.starts_with("!!$") => PasswordState::Locked,
        _ if field.trim_start_matches('!').len() == 13 && field.starts_with('!') => PasswordState::Locked,
        _ if field.starts_with(['!', '*']) => PasswordState::None,
        _ => PasswordState::Hash,
    }
}

/// The scheme of a hash, after crypt(5).
fn scheme(hash: &str) -> String {
    const KNOWN: [&str; 14] =
        ["y", "gy", "7", "2b", "2y", "2x", "2a", "6", "5", "sha1", "md5", "1", "3", "argon2id"];
    if let Some(scheme) = hash.strip_prefix('$').and_then(|rest| rest.split(['$', ',']).next()) {
        return if KNOWN.contains(&scheme) { scheme.to_owned() } else { "unknown".to_owned() };
    }
    let traditional = |c: u8| c.is_ascii_alphanumeric() || c == b'.' || c == b'/';
    match (hash.len(), hash.bytes().all(traditional)) {
        (13, true) => "des".to_owned(),
        (20, _) if hash.starts_with('_') => "bsdi".to_owned(),
        _ => "unknown".to_owned(),
    }
}
