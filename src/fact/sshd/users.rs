//! Who gets in: each account that has a shell, and what stands in its way.
//!
//! What depends on where a connection comes from counts as possible: an account is refused only if it is refused from everywhere.

use super::config::{Config, Statement};
use super::criteria::{Connection, Holds};
use super::evaluate::{Entry, Settings};
use super::keys::{self, Keys};
use super::patterns::matches;
use super::people::{Password, People, Person};
use super::records::{BadPermission, SshUser};
use super::version::{Distribution, Program, not_read};
use crate::source::{FileKind, Host, Missing, Reading, Unreadable};
use std::path::Path;

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

/// The accounts with a shell, and the permissions that keep keys of theirs from being looked at.
pub(super) fn judge(judge: &Judge<'_>) -> (Vec<SshUser>, Vec<BadPermission>, Vec<Unreadable>) {
    let (mut users, mut bad, mut unread) = (Vec::new(), Vec::new(), Vec::new());
    for person in judge.people.users.iter().filter(|p| p.uid == 0 || has_shell(p)).take(MOST_USERS) {
        let mut case = Case { judge, person, settings: judge.settings(person), reasons: Vec::new(), by_choice: false };
        let (user, refused) = case.user();
        for found in refused {
            match found {
                Ok(found) => bad.push(found),
                Err(why) => unread.push(why),
            }
        }
        users.push(user);
    }
    // Several users may be refused for one directory.
    bad.sort_by(|a: &BadPermission, b| a.path.cmp(&b.path));
    bad.dedup_by(|a, b| a.path == b.path);
    (users, bad, unread)
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
    !matches!(name, "nologin" | "false" | "true" | "sync" | "halt" | "shutdown" | "git-shell" | "rssh" | "scponly" | "menush")
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

type Refused = Vec<Result<BadPermission, Unreadable>>;

impl<'a> Case<'a, '_> {
    fn user(&mut self) -> (SshUser, Refused) {
        let person = self.person;
        let allowed = self.allowed();
        let password = self.password();
        let interactive = self.interactive();
        let (has_keys, keys_usable, refused) = self.keys();
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
        (user, refused)
    }

    fn default_reason(&mut self, reason: String) {
        self.reasons.push(reason);
    }

    /// A reason that a line of the configuration gives.
    fn because(&mut self, statement: Option<&Statement>, shown: &str) {
        match statement {
            Some(s) => {
                self.by_choice = true;
                self.reasons.push(format!("{shown} {} ({})", s.arguments.join(" "), s.at));
            }
            None => self.default_reason(format!("{shown} by default")),
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

    fn allowed(&mut self) -> Reading<bool> {
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
        if let Some(statement) = self.not_listed("allowusers", &|pattern| user_pattern(pattern, &person.name) != Holds::Never) {
            self.because(Some(statement), "AllowUsers");
            return Ok(false);
        }
        let of_group = |pattern: &str| Holds::from(person.groups.iter().any(|group| matches(pattern, group)));
        if let Some(statement) = self.denied("denygroups", &of_group) {
            self.because(Some(statement), "DenyGroups");
            return Ok(false);
        }
        if let Some(statement) = self.not_listed("allowgroups", &|pattern| of_group(pattern) != Holds::Never) {
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
            let hit = |e: &&Entry<'a>| e.holds == Holds::Always && e.statement.arguments.iter().any(|a| judge(a) == Holds::Always);
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
        let lets_in = |list: &[Entry<'a>]| list.iter().any(|e| e.statement.arguments.iter().any(|a| judge(a)));
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
        let chrooted = self.settings.possible("chrootdirectory").iter().any(|s| s.is_some_and(|s| !is(s, "none")));
        if chrooted || !self.judge.whole {
            return Ok(None);
        }
        match self.judge.host.source.stat(Path::new(shell)) {
            Ok(stat) if stat.kind != FileKind::File => Ok(Some(format!("the shell {shell} is {}", stat.kind.name()))),
            Ok(stat) if stat.mode & 0o111 == 0 => Ok(Some(format!("the shell {shell} is not executable"))),
            Ok(_) => Ok(None),
            Err(Missing::Absent) => Ok(Some(format!("the shell {shell} does not exist"))),
            Err(unreadable) => Err(unreadable),
        }
    }

    /// Whether there is a password that PAM or sshd would take.
    fn has_password(&self) -> Reading<bool> {
        let local = match self.person.password {
            Password::Hash => Ok(true),
            Password::Empty => {
                let possible = self.settings.possible("permitemptypasswords");
                Ok(possible.iter().any(|s| s.is_some_and(|s| is(s, "yes"))))
            }
            Password::None | Password::Locked => Ok(false),
            Password::Unknown => Err(self.judge.no_shadow()),
        };
        or(local, || match &self.judge.other_passwords {
            Some(module) if self.uses_pam() => Err(not_read("/etc/pam.d/sshd", format!("{module} may know passwords of its own"))),
            _ => Ok(false),
        })
    }

    /// Whether root may come in by a password.
    fn root_by_password(&mut self) -> bool {
        if self.person.uid != 0 {
            return true;
        }
        let version = self.judge.program.version;
        // Red Hat left the default of 7.4 at `yes`.
        let red_hat = self.judge.program.distribution == Distribution::RedHat && version.before(7, 5);
        let default = !version.from(7, 0) || red_hat;
        let possible = self.settings.possible("permitrootlogin");
        let yes = possible.iter().any(|s| s.map_or(default, |s| is(s, "yes")));
        if !yes && self.person.password == Password::Hash {
            self.because(possible.first().copied().flatten(), "PermitRootLogin");
        }
        yes
    }

    fn password(&mut self) -> Reading<bool> {
        if !self.root_by_password() {
            return Ok(false);
        }
        let has = self.has_password();
        if has == Ok(false) {
            return has;
        }
        if self.switch("passwordauthentication", "PasswordAuthentication", true) { has } else { Ok(false) }
    }

    /// A conversation with PAM, which asks for the password as a rule.
    fn interactive(&mut self) -> Reading<bool> {
        let new = !self.judge.program.version.before(8, 7);
        let kbd = self.settings.possible("kbdinteractiveauthentication");
        let on = kbd.iter().any(|s| s.map_or(new, |s| is(s, "yes")));
        let challenge = self.settings.possible("challengeresponseauthentication");
        let on = on || (!new && challenge.iter().any(|s| s.is_none_or(|s| is(s, "yes"))));
        let root = self.person.uid != 0
            || self.settings.possible("permitrootlogin").iter().any(|s| match s {
                Some(s) => is(s, "yes") || (!self.judge.program.version.from(7, 0) && !is(s, "no")),
                None => !self.judge.program.version.from(7, 0) || self.judge.program.distribution == Distribution::RedHat,
            });
        if on && root && self.uses_pam() { self.has_password() } else { Ok(false) }
    }

    fn keys(&mut self) -> (Reading<bool>, Reading<bool>, Refused) {
        let mut words: Vec<String> = Vec::new();
        for statement in self.settings.possible("authorizedkeysfile") {
            match statement {
                Some(s) if is(s, "none") => {}
                Some(s) => words.extend(s.arguments.iter().cloned()),
                None => words.extend([".ssh/authorized_keys", ".ssh/authorized_keys2"].map(String::from)),
            }
        }
        words.sort();
        words.dedup();
        let strict = self.settings.possible("strictmodes").iter().all(|s| s.is_none_or(|s| !is(s, "no")));
        let (mut has, mut usable, mut refused) = (Ok(false), Ok(false), Vec::new());
        let mut looked_at = Vec::new();
        for word in words.iter().take(64) {
            let file = keys::path(word, self.person);
            let found = keys::in_file(self.judge.host, &file);
            looked_at.push(file.clone());
            let free = self.free(&found);
            has = or(has, || found.clone().map(|k| k.free + k.forced > 0));
            if found == Ok(Keys::default()) {
                continue;
            }
            let bad = match self.judge.owners_told {
                true => keys::refused(self.judge.host, &file, self.person, strict),
                false => Ok(None),
            };
            match bad {
                Ok(None) => usable = or(usable, || free),
                Ok(Some(bad)) => {
                    self.by_choice = true;
                    self.reasons.push(format!("{} {}", bad.path, bad.reason));
                    refused.push(Ok(bad));
                }
                Err(why) => {
                    usable = or(usable, || Err(Missing::Unreadable(why.clone())));
                    refused.push(Err(why));
                }
            }
        }
        self.elsewhere(&looked_at, &mut has);
        if has != Ok(false) && !self.switch("pubkeyauthentication", "PubkeyAuthentication", true) {
            usable = Ok(false);
        }
        (has, usable, refused)
    }

    /// Keys in the usual place, where the configuration names another.
    fn elsewhere(&mut self, looked_at: &[String], has: &mut Reading<bool>) {
        let usual = keys::path(".ssh/authorized_keys", self.person);
        if *has != Ok(false) || looked_at.contains(&usual) {
            return;
        }
        if keys::in_file(self.judge.host, &usual).is_ok_and(|keys| keys.free > 0) {
            *has = Ok(true);
            let possible = self.settings.possible("authorizedkeysfile");
            self.because(possible.first().copied().flatten(), "AuthorizedKeysFile");
        }
    }

    /// Whether there is a key that gives a shell; those bound to a command do not.
    fn free(&self, found: &Reading<Keys>) -> Reading<bool> {
        let forced_only = self.person.uid == 0
            && self.settings.possible("permitrootlogin").iter().all(|s| s.is_some_and(|s| is(s, "forced-commands-only") || is(s, "no")));
        found.clone().map(|keys| if forced_only { keys.forced > 0 } else { keys.free > 0 })
    }

    /// What the methods come to: one of them, or as AuthenticationMethods demands.
    fn by_methods(&self, keys: Reading<bool>, password: Reading<bool>, interactive: Reading<bool>) -> Reading<bool> {
        let any = || or(keys.clone(), || or(password.clone(), || interactive.clone()));
        let mut total = Ok(false);
        for statement in self.settings.possible("authenticationmethods") {
            let Some(statement) = statement.filter(|s| !is(s, "any")) else {
                total = or(total, any);
                continue;
            };
            // Where several must be passed, one that was ruled out here is judged with the others elsewhere.
            for list in &statement.arguments {
                let mut all = Ok(true);
                for method in list.split(',') {
                    let passed = || match method.split(':').next().unwrap_or("") {
                        "publickey" => keys.clone(),
                        "password" => password.clone(),
                        "keyboard-interactive" => interactive.clone(),
                        other => Err(not_read(&statement.at.path, format!("hostvet does not judge {other}"))),
                    };
                    all = and(all, passed);
                }
                total = or(total, || all);
            }
        }
        total
    }

    /// Ways in that files do not tell of.
    fn other_method(&self) -> Reading<bool> {
        let named = |name: &str| self.settings.possible(name).into_iter().flatten().find(|s| !is(s, "none") && !is(s, "no"));
        for (name, shown) in [
            ("authorizedkeyscommand", "AuthorizedKeysCommand may give keys"),
            ("trustedusercakeys", "TrustedUserCAKeys lets in whom the authority signs"),
            ("hostbasedauthentication", "HostbasedAuthentication lets in whom other hosts vouch for"),
            ("kerberosauthentication", "KerberosAuthentication asks a server"),
        ] {
            if let Some(statement) = named(name) {
                return Err(not_read(&statement.at.to_string(), shown));
            }
        }
        // Without the host's key no ticket is good.
        if let Some(statement) = named("gssapiauthentication")
            && self.judge.host.exists("/etc/krb5.keytab") != Ok(false)
        {
            return Err(not_read(&statement.at.to_string(), "GSSAPIAuthentication asks a server"));
        }
        Ok(false)
    }

    /// Whether everybody gets file transfer, or nothing, in place of a shell.
    fn forced(&mut self) -> bool {
        let possible = self.settings.possible("forcecommand");
        let no_shell = |s: &&Statement| {
            let command = s.arguments.first().map_or("", String::as_str).split_ascii_whitespace().next().unwrap_or("");
            matches!(command.rsplit('/').next().unwrap_or(""), "internal-sftp" | "sftp-server" | "false" | "nologin")
        };
        let forced = possible.iter().all(|s| s.as_ref().is_some_and(no_shell));
        if forced {
            self.because(possible.first().copied().flatten(), "ForceCommand");
        }
        forced
    }
}

impl From<bool> for Holds {
    fn from(holds: bool) -> Self {
        if holds { Self::Always } else { Self::Never }
    }
}

/// Whether the first argument of a line is this word.
pub(super) fn is(statement: &Statement, word: &str) -> bool {
    statement.arguments.first().is_some_and(|a| a.eq_ignore_ascii_case(word))
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

