//! Whether sshd lets an account in at all, however it proves who it is.
//!
//! Source: allowed_user() of auth.c.

use super::super::config::Statement;
use super::super::criteria::Holds;
use super::super::evaluate::Entry;
use super::super::patterns::matches;
use super::super::people::Password;
use super::super::version::not_read;
use super::{Case, is};
use crate::source::{FileKind, Missing, Reading};
use std::path::Path;

impl<'a> Case<'a, '_> {
    pub(super) fn allowed(&mut self) -> Reading<bool> {
        let person = self.person;
        if self.judge.program.version.before(9, 9) {
            // RefuseConnection came later.
        } else if let [Some(only)] = self.settings.possible("refuseconnection").as_slice()
            && is(only, "yes")
        {
            self.because(Some(only), "RefuseConnection");
            return Ok(false);
        }
        if person.password == Password::Locked && !self.uses_pam() {
            self.by_choice = true;
            self.reasons.push("the account is locked, and UsePAM is not set".into());
            return Ok(false);
        }
        if let Some(reason) = self.bad_shell()? {
            self.by_choice = true;
            self.reasons.push(reason);
            return Ok(false);
        }
        if person.uid == 0 {
            let possible = self.settings.possible("permitrootlogin");
            if possible.iter().all(|s| s.is_some_and(|s| is(s, "no"))) {
                self.because(possible.first().copied().flatten(), "PermitRootLogin");
                return Ok(false);
            }
        }
        if let Some(statement) = self.denied("denyusers", &|pattern| user_pattern(pattern, &person.name)) {
            self.because(Some(statement), "DenyUsers");
            return Ok(false);
        }
        if let Some(statement) =
            self.not_listed("allowusers", &|pattern| user_pattern(pattern, &person.name) != Holds::Never)
        {
            self.because(Some(statement), "AllowUsers");
            return Ok(false);
        }
        let of_group = |pattern: &str| Holds::from(person.groups.iter().any(|group| matches(pattern, group)));
        if let Some(statement) = self.denied("denygroups", &of_group) {
            self.because(Some(statement), "DenyGroups");
            return Ok(false);
        }
        if let Some(statement) = self.not_listed("allowgroups", &|pattern| of_group(pattern) != Holds::Never)
        {
            if let Some(other) = &self.judge.people.other_groups {
                return Err(not_read("/etc/nsswitch.conf", format!("groups also come from {other}")));
            }
            self.because(Some(statement), "AllowGroups");
            return Ok(false);
        }
        Ok(true)
    }

    /// The line that refuses from everywhere by a list of those who are refused.
    fn denied(&self, name: &str, judge: &dyn Fn(&str) -> Holds) -> Option<&'a Statement> {
        let (matched, start) = self.settings.added(name);
        let refuses = |list: &[Entry<'a>]| -> Option<&'a Statement> {
            let hit = |e: &&Entry<'a>| {
                e.holds == Holds::Always && e.statement.arguments.iter().any(|a| judge(a) == Holds::Always)
            };
            list.iter().find(hit).map(|e| e.statement)
        };
        let sure: Vec<Entry<'a>> = matched.iter().filter(|e| e.holds == Holds::Always).copied().collect();
        if !sure.is_empty() {
            return refuses(&sure);
        }
        // A block that may hold replaces the global list, and may let in what that refuses.
        if matched.is_empty() { refuses(&start) } else { None }
    }

    /// The line that refuses from everywhere by a list of those who are let in.
    fn not_listed(&self, name: &str, judge: &dyn Fn(&str) -> bool) -> Option<&'a Statement> {
        let (matched, start) = self.settings.added(name);
        let lets_in =
            |list: &[Entry<'a>]| list.iter().any(|e| e.statement.arguments.iter().any(|a| judge(a)));
        if lets_in(&matched) {
            return None;
        }
        let sure = matched.iter().find(|e| e.holds == Holds::Always);
        if let Some(sure) = sure {
            return Some(sure.statement);
        }
        let first = start.first()?;
        (!lets_in(&start)).then_some(first.statement)
    }

    fn bad_shell(&self) -> Reading<Option<String>> {
        let shell = if self.person.shell.is_empty() { "/bin/sh" } else { self.person.shell.as_str() };
        let chrooted =
            self.settings.possible("chrootdirectory").iter().any(|s| s.is_some_and(|s| !is(s, "none")));
        if chrooted || !self.judge.whole {
            return Ok(None);
        }
        match self.judge.host.source.stat(Path::new(shell)) {
            Ok(stat) if stat.kind != FileKind::File => {
                Ok(Some(format!("the shell {shell} is {}", stat.kind.name())))
            }
            Ok(stat) if stat.mode & 0o111 == 0 => Ok(Some(format!("the shell {shell} is not executable"))),
            Ok(_) => Ok(None),
            Err(Missing::Absent) => Ok(Some(format!("the shell {shell} does not exist"))),
            Err(unreadable) => Err(unreadable),
        }
    }
}

impl From<bool> for Holds {
    fn from(holds: bool) -> Self {
        if holds { Self::Always } else { Self::Never }
    }
}

/// What a pattern `user@host` says of a user.
fn user_pattern(pattern: &str, name: &str) -> Holds {
    match pattern.split_once('@') {
        None => Holds::from(matches(pattern, name)),
        Some((user, _)) if !matches(user, name) => Holds::Never,
        Some((_, "*")) => Holds::Always,
        Some(_) => Holds::Maybe,
    }
}
