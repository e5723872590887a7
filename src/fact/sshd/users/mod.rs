//! Who gets in: each account that has a shell, and what stands in its way.
//!
//! What depends on where a connection comes from counts as possible: an account is refused only if it is refused from everywhere.

mod admission;
mod methods;

use super::config::{Config, Statement};
use super::criteria::Connection;
use super::evaluate::Settings;
use super::people::{Password, People, Person};
use super::records::{GuardedFile, SshUser};
use super::version::{Program, not_read};
use crate::model::Partial;
use crate::source::{Host, Missing, Reading};

/// What is known of the host, to judge accounts by.
pub(super) struct Judge<'a> {
    pub(super) host: &'a Host,
    pub(super) program: &'a Program,
    pub(super) config: &'a Config,
    pub(super) people: &'a People,
    /// Owners of this tree are those of the vetted system.
    pub(super) owners_told: bool,
    /// A tree of a whole system, where a missing shell is missing.
    pub(super) whole: bool,
    /// Something in PAM that may know passwords of its own.
    pub(super) other_passwords: Option<String>,
}

/// More accounts with a shell are not looked at one by one.
const MOST_USERS: usize = 2_000;

/// The accounts with a shell, and their files of keys.
pub(super) fn judge(judge: &Judge<'_>) -> (Vec<SshUser>, Partial<GuardedFile>) {
    let (mut users, mut files) = (Vec::new(), Partial::<GuardedFile>::default());
    for person in judge.people.users.iter().filter(|p| p.uid == 0 || has_shell(p)).take(MOST_USERS) {
        let mut case =
            Case { judge, person, settings: judge.settings(person), reasons: Vec::new(), by_choice: false };
        let (user, looked_at) = case.user();
        files.items.extend(looked_at.items);
        files.unread.extend(looked_at.unread);
        users.push(user);
    }
    // Several users may be refused for one directory.
    files.items.sort_by(|a, b| a.path.cmp(&b.path));
    files.items.dedup_by(|a, b| a.path == b.path);
    (users, files)
}

/// Whether anybody at all can log in by ssh and work.
pub(super) fn way_in(judge: &Judge<'_>, users: &[SshUser]) -> Reading<bool> {
    let mut known = Ok(false);
    for user in users {
        known = or(known, || user.way_in.clone());
    }
    or(known, || match &judge.people.other_users {
        Some(source) => Err(not_read("/etc/nsswitch.conf", format!("users also come from {source}"))),
        None => Ok(false),
    })
}

impl<'a> Judge<'a> {
    pub(super) fn settings(&self, person: &Person) -> Settings<'a> {
        let groups = self.people.other_groups.is_none().then(|| person.groups.clone());
        let connection = Connection { user: Some(person.name.clone()), groups, ..Connection::default() };
        Settings::of(self.config, &connection)
    }

    fn no_shadow(&self) -> Missing {
        self.people.no_shadow.clone().unwrap_or(Missing::Absent)
    }
}

/// Shells that let nobody work.
fn has_shell(person: &Person) -> bool {
    let name = person.shell.rsplit('/').next().unwrap_or("");
    !matches!(
        name,
        "nologin"
            | "false"
            | "true"
            | "sync"
            | "halt"
            | "shutdown"
            | "git-shell"
            | "rssh"
            | "scponly"
            | "menush"
    )
}

struct Case<'a, 'b> {
    judge: &'b Judge<'a>,
    person: &'b Person,
    settings: Settings<'a>,
    reasons: Vec<String>,
    by_choice: bool,
}

/// `a`, or else `b`; what is not known may be so.
fn or(a: Reading<bool>, b: impl FnOnce() -> Reading<bool>) -> Reading<bool> {
    match a {
        Ok(true) => Ok(true),
        Ok(false) => b(),
        Err(unknown) => match b() {
            Ok(true) => Ok(true),
            _ => Err(unknown),
        },
    }
}

fn and(a: Reading<bool>, b: impl FnOnce() -> Reading<bool>) -> Reading<bool> {
    match a {
        Ok(false) => Ok(false),
        Ok(true) => b(),
        Err(unknown) => match b() {
            Ok(false) => Ok(false),
            _ => Err(unknown),
        },
    }
}

impl<'a> Case<'a, '_> {
    fn user(&mut self) -> (SshUser, Partial<GuardedFile>) {
        let person = self.person;
        let allowed = self.allowed();
        let password = self.password();
        let interactive = self.interactive();
        let (has_keys, keys_usable, files) = self.keys();
        let password_possible = self.by_methods(Ok(false), password.clone(), interactive.clone());
        let enters = self.by_methods(keys_usable.clone(), password, interactive);
        let enters = or(enters, || self.other_method());
        let shell = has_shell(person) && !self.forced();
        let way_in = and(allowed.clone(), || and(Ok(shell), || enters));
        let keys_usable = and(allowed.clone(), || self.by_methods(keys_usable, Ok(false), Ok(false)));
        let user = SshUser {
            name: person.name.clone(),
            uid: person.uid,
            administrator: person.uid == 0
                || person.groups.iter().any(|g| matches!(g.as_str(), "sudo" | "wheel" | "admin" | "adm")),
            password_possible: and(allowed.clone(), || password_possible),
            allowed,
            has_password: match person.password {
                Password::Unknown => Err(self.judge.no_shadow()),
                password => Ok(matches!(password, Password::Hash | Password::Empty)),
            },
            has_keys,
            keys_usable,
            way_in,
            reasons: std::mem::take(&mut self.reasons),
            by_choice: self.by_choice,
            at: person.at.clone(),
        };
        (user, files)
    }

    fn reason(&mut self, reason: String) {
        if !self.reasons.contains(&reason) {
            self.reasons.push(reason);
        }
    }

    /// A reason that a line of the configuration gives.
    fn because(&mut self, statement: Option<&Statement>, shown: &str) {
        match statement {
            Some(s) => {
                self.by_choice = true;
                self.reason(format!("{shown} {} ({})", s.arguments.join(" "), s.at));
            }
            None => self.reason(format!("{shown} is off by default")),
        }
    }

    /// Whether a switch may be on; if it is off, why.
    fn switch(&mut self, name: &str, shown: &str, default: bool) -> bool {
        let possible = self.settings.possible(name);
        let on = possible.iter().any(|s| s.map_or(default, |s| !is(s, "no")));
        if !on {
            self.because(possible.first().copied().flatten(), shown);
        }
        on
    }

    fn uses_pam(&self) -> bool {
        self.settings.possible("usepam").iter().any(|s| s.is_some_and(|s| is(s, "yes")))
    }
}

/// Whether the first argument of a line is this word.
pub(super) fn is(statement: &Statement, word: &str) -> bool {
    statement.arguments.first().is_some_and(|a| a.eq_ignore_ascii_case(word))
}
