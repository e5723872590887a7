//! How an account can prove who it is: passwords, keys, and what files do not tell of.

use super::super::config::Statement;
use super::super::keys::{self, Keys};
use super::super::people::Password;
use super::super::records::GuardedFile;
use super::super::version::{Distribution, not_read};
use super::{Case, and, is, or};
use crate::model::Partial;
use crate::source::{Missing, Reading};

impl Case<'_, '_> {
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
            Some(module) if self.uses_pam() => {
                Err(not_read("/etc/pam.d/sshd", format!("{module} may know passwords of its own")))
            }
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
            match possible.first().copied().flatten() {
                None => self.reason("PermitRootLogin prohibit-password by default".into()),
                line => self.because(line, "PermitRootLogin"),
            }
        }
        yes
    }

    pub(super) fn password(&mut self) -> Reading<bool> {
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
    pub(super) fn interactive(&mut self) -> Reading<bool> {
        let new = !self.judge.program.version.before(8, 7);
        let kbd = self.settings.possible("kbdinteractiveauthentication");
        let on = kbd.iter().any(|s| s.map_or(new, |s| is(s, "yes")));
        let challenge = self.settings.possible("challengeresponseauthentication");
        let on = on || (!new && challenge.iter().any(|s| s.is_none_or(|s| is(s, "yes"))));
        let root = self.person.uid != 0
            || self.settings.possible("permitrootlogin").iter().any(|s| match s {
                Some(s) => is(s, "yes") || (!self.judge.program.version.from(7, 0) && !is(s, "no")),
                None => {
                    !self.judge.program.version.from(7, 0)
                        || self.judge.program.distribution == Distribution::RedHat
                }
            });
        if on && root && self.uses_pam() { self.has_password() } else { Ok(false) }
    }

    pub(super) fn keys(&mut self) -> (Reading<bool>, Reading<bool>, Partial<GuardedFile>) {
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
        let lenient = matches!(self.judge.program.distribution, Distribution::Debian | Distribution::Unknown);
        let private_groups = lenient.then_some(self.judge.people);
        let strict = self.settings.possible("strictmodes").iter().all(|s| s.is_none_or(|s| !is(s, "no")));
        let modes = keys::Modes { strict, private_groups };
        let (mut has, mut usable, mut files) = (Ok(false), Ok(false), Partial::default());
        let mut forced = false;
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
            forced |= free == Ok(false);
            let guarded = match self.judge.owners_told {
                true => keys::guarded(self.judge.host, &file, self.person, &modes),
                false => Ok(None),
            };
            match guarded {
                Ok(None) => usable = or(usable, || free),
                Ok(Some(file)) => {
                    match &file.reason {
                        None => usable = or(usable, || free),
                        Some(reason) => {
                            self.by_choice = true;
                            self.reasons.push(format!("{} {reason}", file.path));
                        }
                    }
                    files.items.push(file);
                }
                Err(why) => {
                    usable = or(usable, || Err(Missing::Unreadable(why.clone())));
                    files.unread.push(why);
                }
            }
        }
        if forced && usable == Ok(false) {
            self.reasons.push("its keys are bound to commands".into());
        }
        self.elsewhere(&looked_at, &mut has);
        if has != Ok(false) && !self.switch("pubkeyauthentication", "PubkeyAuthentication", true) {
            usable = Ok(false);
        }
        (has, usable, files)
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
            && self
                .settings
                .possible("permitrootlogin")
                .iter()
                .all(|s| s.is_some_and(|s| is(s, "forced-commands-only") || is(s, "no")));
        found.clone().map(|keys| if forced_only { keys.forced > 0 } else { keys.free > 0 })
    }

    /// What the methods come to: one of them, or as AuthenticationMethods demands.
    pub(super) fn by_methods(
        &self,
        keys: Reading<bool>,
        password: Reading<bool>,
        interactive: Reading<bool>,
    ) -> Reading<bool> {
        let any = || or(keys.clone(), || or(password.clone(), || interactive.clone()));
        let mut total = Ok(false);
        for statement in self.settings.possible("authenticationmethods") {
            let Some(statement) = statement.filter(|s| !is(s, "any")) else {
                total = or(total, any);
                continue;
            };
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
    pub(super) fn other_method(&self) -> Reading<bool> {
        let named = |name: &str| {
            self.settings.possible(name).into_iter().flatten().find(|s| !is(s, "none") && !is(s, "no"))
        };
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
    pub(super) fn forced(&mut self) -> bool {
        let possible = self.settings.possible("forcecommand");
        let no_shell = |s: &&Statement| {
            let command =
                s.arguments.first().map_or("", String::as_str).split_ascii_whitespace().next().unwrap_or("");
            matches!(
                command.rsplit('/').next().unwrap_or(""),
                "internal-sftp" | "sftp-server" | "false" | "nologin"
            )
        };
        let forced = possible.iter().all(|s| s.as_ref().is_some_and(no_shell));
        if forced {
            self.because(possible.first().copied().flatten(), "ForceCommand");
        }
        forced
    }
}
