//! sshd: its effective configuration, the lines it refuses, and who gets in by it.

mod config;
mod criteria;
mod evaluate;
mod guarded;
mod keys;
mod keywords;
mod names;
mod patterns;
mod people;
mod records;
mod service;
#[cfg(test)]
mod tests;
mod users;
mod values;
mod version;
mod words;

use super::Fact;
use crate::model::{Lazy, Partial};
use crate::record;
use crate::source::{At, Host, Missing, Optional, Reading, Unreadable};
use config::Config;
pub use criteria::Connection;
use evaluate::Settings;
use people::People;
pub use records::{
    Directive, DirectiveState, GuardedFile, GuardedKind, HostKey, MalformedDirective, NameKind, NamedAccount,
    SshUser,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use version::Program;

record! {
    /// OpenSSH's server as it is configured, and whom it lets in.
    ///
    /// ```text
    /// /etc/ssh/sshd_config                      Include /etc/ssh/sshd_config.d/*.conf
    ///                                           PermitRootLogin no
    /// /etc/ssh/sshd_config.d/50-cloud.conf      PasswordAuthentication no
    ///                                           Match Address 10.0.0.0/8
    /// ```
    ///
    /// Source: sshd_config(5), sshd(8), and servconf.c, auth.c and misc.c of OpenSSH 5.3 to 10.x. The first value of a keyword
    /// counts; a Match block that holds outweighs it. What depends on where a connection comes from counts as possible. Absent
    /// where there is neither sshd nor a configuration of it.
    pub struct Sshd {
        /// The version, `9.2p1`, from the program's own bytes or the package manager's files. Absent where neither tells; what
        /// some version takes is then taken.
        pub version: Option<String>,
        /// Whether the program is there. Absent where the tree holds no programs that could tell.
        pub installed: Reading<bool>,
        /// Whether it is started at boot, as a service or through a socket. Absent where there is no init system to tell, or
        /// where systemd's presets are to decide at the first boot.
        pub enabled: Reading<bool>,
        /// The ports it listens on, those of ListenAddress included, in order. A socket unit may name others.
        pub ports: Reading<Vec<u16>>,
        /// The private host keys it loads: those that HostKey names, else the defaults of its version.
        pub host_keys: Reading<Vec<HostKey>>,
        /// What PermitRootLogin is outside of Match blocks: `yes`, `no`, `prohibit-password`, `forced-commands-only`. Absent where
        /// it is not set and the default is not known: it depends on version and distribution.
        pub permit_root_login: Reading<String>,
        /// Whether PasswordAuthentication is on outside of Match blocks.
        pub password_authentication: Reading<bool>,
        /// Whether KbdInteractiveAuthentication, or ChallengeResponseAuthentication as it was called, is on outside of Match blocks.
        pub kbd_interactive: Reading<bool>,
        /// Whether PubkeyAuthentication is on outside of Match blocks.
        pub pubkey_authentication: Reading<bool>,
        /// The files that may hold a user's keys, as AuthorizedKeysFile has them outside of Match blocks.
        pub authorized_keys_file: Reading<Vec<String>>,
        /// Whether StrictModes is on: owners and permissions of the files of keys are looked at.
        pub strict_modes: Reading<bool>,
        /// Whether UsePAM is on.
        pub use_pam: Reading<bool>,
        /// LoginGraceTime in seconds; 0 is without end.
        pub login_grace_seconds: Reading<i64>,
        /// The connections not yet logged in from which on new ones are refused at random: the first number of MaxStartups.
        pub max_startups_begin: Reading<i64>,
        /// The connections not yet logged in from which on all new ones are refused: the last number of MaxStartups.
        pub max_startups: Reading<i64>,
        /// AllowUsers outside of Match blocks; empty where everyone is allowed.
        pub allow_users: Reading<Vec<String>>,
        /// DenyUsers outside of Match blocks.
        pub deny_users: Reading<Vec<String>>,
        /// AllowGroups outside of Match blocks.
        pub allow_groups: Reading<Vec<String>>,
        /// DenyGroups outside of Match blocks.
        pub deny_groups: Reading<Vec<String>>,
        /// All lines that sshd takes, in the order in which it comes to them.
        pub directives: Partial<Directive>,
        /// Lines that sshd refuses, so that it does not start.
        pub malformed: Partial<MalformedDirective>,
        /// The files of the configuration, in order.
        pub files: Reading<Vec<At>>,
        /// Users and groups that the configuration names.
        pub named: Reading<Vec<NamedAccount>>,
        /// The accounts that people may log in by. Unreadable as a whole if the configuration or the accounts are.
        pub users: Lazy<Vec<SshUser>>,
        /// Whether anybody can log in by ssh and gets a shell. Unreadable where this hinges on what files do not tell: users of a
        /// directory, keys that a command gives.
        pub way_in: Lazy<bool>,
        /// Where users come from besides the files, after nsswitch.conf: `sss`. Absent where there is nothing else.
        pub other_users: Reading<String>,
        /// What completes this system at its first boot and may add users and keys: `cloud-init`. Absent where nothing is known to.
        pub provisioner: Option<String>,
        /// Files whose owner and permissions matter to sshd, with what is wrong: host keys, files of authorized keys, its
        /// configuration, its empty directory. Unreadable in a tree of which /etc is not root's: whoever unpacked it owns all.
        pub guarded: Lazy<Partial<GuardedFile>>,
        /// Where the configuration begins.
        pub at: At,
    }
}

impl Fact for Sshd {
    const NAME: &'static str = "sshd";
    const READS: &'static [&'static str] = &[
        "/etc/ssh/sshd_config",
        "/etc/ssh/sshd_config.d/*",
        "/usr/etc/ssh/sshd_config",
        "/etc/ssh/ssh_host_*_key",
        "/usr/sbin/sshd",
        "/var/lib/dpkg/status",
        "/lib/apk/db/installed",
        "/etc/os-release",
        "/etc/passwd",
        "/etc/group",
        "/usr/lib/group",
        "/etc/shadow",
        "/etc/nsswitch.conf",
        "/etc/pam.d/*",
        "/root/.ssh/authorized_keys",
        "/home/*/.ssh/authorized_keys",
        "/etc/systemd/system/*.wants/*",
        "/etc/rc*.d/*",
    ];

    fn collect(host: &Host) -> Reading<Self> {
        let program = Program::find(host)?;
        let config = Config::read(host, &program);
        if matches!(config, Err(Missing::Absent)) && program.path.is_none() {
            return Err(Missing::Absent);
        }
        Ok(Gathered { host: host.clone(), program, config, people: People::read(host) }.fact())
    }
}

/// What the fact is made of.
struct Gathered {
    host: Host,
    program: Program,
    config: Reading<Config>,
    people: Reading<People>,
}

impl Gathered {
    fn fact(self) -> Sshd {
        let gathered = Arc::new(self);
        let this = &*gathered;
        let host = &this.host;
        let settings =
            this.config.as_ref().map(|c| Settings::of(c, &Connection::default())).map_err(Clone::clone);
        let global = Global { settings: &settings };
        let startups = || {
            let words = global.text("maxstartups", "10:30:100")?;
            values::max_startups(&words).ok_or(Missing::Absent)
        };
        let grace = || values::time(&global.text("logingracetime", "120")?).ok_or(Missing::Absent);
        let config = this.config.as_ref().map_err(Clone::clone);
        let keys = match &this.config {
            Ok(config) => Ok(guarded::host_keys(host, &this.program, Some(config))),
            Err(missing) => Err(missing.clone()),
        };
        let listed = |name: &str| global.list(name);
        let [lazy_users, lazy_way, lazy_files] = [(); 3].map(|()| gathered.clone());
        Sshd {
            version: this.program.words.clone(),
            installed: this.program.installed(),
            enabled: service::enabled(host),
            ports: global.ports(),
            host_keys: keys,
            permit_root_login: this.permit_root_login(&global),
            password_authentication: global.switch("passwordauthentication", true),
            kbd_interactive: this.kbd_interactive(&global),
            pubkey_authentication: global.switch("pubkeyauthentication", true),
            authorized_keys_file: global.first("authorizedkeysfile").map(|s| match s {
                Some(s) => s.arguments.clone(),
                None => vec![".ssh/authorized_keys".into(), ".ssh/authorized_keys2".into()],
            }),
            strict_modes: global.switch("strictmodes", true),
            use_pam: global.switch("usepam", false),
            login_grace_seconds: grace(),
            max_startups_begin: startups().map(|(begin, ..)| begin),
            max_startups: startups().map(|(.., full)| full),
            allow_users: listed("allowusers"),
            deny_users: listed("denyusers"),
            allow_groups: listed("allowgroups"),
            deny_groups: listed("denygroups"),
            directives: partial(&this.config, &settings),
            malformed: partial_of(&this.config, |c| c.malformed.clone()),
            files: config.clone().map(|c| c.files.clone()),
            named: config.and_then(|c| Ok(names::named(c, this.people.as_ref().map_err(Clone::clone)?))),
            users: Lazy::new(move || lazy_users.users()),
            way_in: Lazy::new(move || {
                lazy_way.judge(|judge| users::way_in(judge, &users::judge(judge).0))?
            }),
            other_users: this
                .people
                .as_ref()
                .map_err(Clone::clone)
                .and_then(|p| p.other_users.clone().ok_or(Missing::Absent)),
            provisioner: service::provisioned(host).map(str::to_owned),
            guarded: Lazy::new(move || lazy_files.guarded()),
            at: At::file(this.config.as_ref().map_or("/etc/ssh/sshd_config", |c| c.path.as_str())),
        }
    }

    fn permit_root_login(&self, global: &Global<'_>) -> Reading<String> {
        let version = self.program.version;
        match global.first("permitrootlogin")? {
            Some(statement) if users::is(statement, "without-password") => Ok("prohibit-password".into()),
            Some(statement) => {
                statement.arguments.first().map(|a| a.to_ascii_lowercase()).ok_or(Missing::Absent)
            }
            None if version.from(7, 5) => Ok("prohibit-password".into()),
            None if version.before(7, 0) => Ok("yes".into()),
            None => Err(Missing::Absent),
        }
    }

    fn kbd_interactive(&self, global: &Global<'_>) -> Reading<bool> {
        let old = self.program.version.before(8, 7);
        let kbd = global.switch("kbdinteractiveauthentication", !old)?;
        Ok(kbd || (old && global.switch("challengeresponseauthentication", true)?))
    }

    /// What accounts are judged by.
    fn judge<T>(&self, with: impl FnOnce(&users::Judge<'_>) -> T) -> Reading<T> {
        let config = self.config.as_ref().map_err(Clone::clone)?;
        if let Some(why) = config.unread.first() {
            return Err(Missing::Unreadable(why.clone()));
        }
        let people = self.people.as_ref().map_err(Clone::clone)?;
        let whole = self.host.exists("/bin/sh")?;
        Ok(with(&users::Judge {
            host: &self.host,
            program: &self.program,
            config,
            people,
            owners_told: guarded::owners_told(&self.host)?,
            whole,
            other_passwords: service::other_passwords(&self.host),
        }))
    }

    fn users(&self) -> Reading<Vec<SshUser>> {
        self.judge(|judge| users::judge(judge).0)
    }

    fn guarded(&self) -> Reading<Partial<GuardedFile>> {
        if !guarded::owners_told(&self.host)? {
            let what = "does not belong to root in this tree, so its owners and permissions tell nothing";
            return Err(version::not_read("/etc", what));
        }
        let config = self.config.as_ref().ok();
        let keys = guarded::host_keys(&self.host, &self.program, config);
        let mut files = guarded::files(&self.host, &keys, config);
        if let Some((_, found)) = self.judge(users::judge).noted(&mut files.unread) {
            files.items.extend(found.items);
            files.unread.extend(found.unread);
        }
        files.unread.sort();
        files.unread.dedup();
        Ok(files)
    }
}

/// What holds outside of Match blocks.
struct Global<'a> {
    settings: &'a Reading<Settings<'a>>,
}

impl<'a> Global<'a> {
    fn settings(&self) -> Reading<&'a Settings<'a>> {
        self.settings.as_ref().map_err(Clone::clone)
    }

    /// The line that counts, if one does.
    fn first(&self, name: &str) -> Reading<Option<&'a config::Statement>> {
        Ok(self.settings()?.start.iter().find(|e| e.statement.name == name).map(|e| e.statement))
    }

    fn text(&self, name: &str, default: &str) -> Reading<String> {
        Ok(self.first(name)?.and_then(|s| s.arguments.first().cloned()).unwrap_or_else(|| default.to_owned()))
    }

    fn switch(&self, name: &str, default: bool) -> Reading<bool> {
        Ok(self.first(name)?.map_or(default, |s| users::is(s, "yes")))
    }

    fn list(&self, name: &str) -> Reading<Vec<String>> {
        let (_, start) = self.settings()?.added(name);
        Ok(start.iter().flat_map(|e| e.statement.arguments.iter().cloned()).collect())
    }

    /// Ports of ListenAddress lines that name one, and those of Port for the others; 22 without any of them.
    fn ports(&self) -> Reading<Vec<u16>> {
        let number = |text: &str| text.parse::<u16>().ok().or((text == "ssh").then_some(22));
        let mut ports: Vec<u16> = self.list("port")?.iter().filter_map(|p| number(p)).collect();
        if ports.is_empty() {
            ports.push(22);
        }
        let (_, listen) = self.settings()?.added("listenaddress");
        if !listen.is_empty() {
            let of = |entry: &evaluate::Entry<'_>| -> Vec<u16> {
                let address = entry.statement.arguments.first().map_or("", String::as_str);
                let port = match address.rsplit_once(':') {
                    // A bare IPv6 address.
                    _ if !address.contains('[') && address.matches(':').count() >= 2 => None,
                    Some((_, port)) => number(port),
                    None => None,
                };
                port.map_or_else(|| ports.clone(), |port| vec![port])
            };
            ports = listen.iter().flat_map(of).collect();
        }
        let mut seen = BTreeSet::new();
        ports.retain(|port| seen.insert(*port));
        Ok(ports)
    }
}

/// Lines of all files that could be read.
fn partial_of<T>(config: &Reading<Config>, of: impl FnOnce(&Config) -> Vec<T>) -> Partial<T> {
    let mut list = Partial::default();
    match config {
        Ok(config) => {
            list.items = of(config);
            list.unread = config.unread.clone();
        }
        Err(Missing::Absent) => {}
        Err(Missing::Unreadable(why)) => list.unread.push(why.clone()),
    }
    list
}

/// The lines, and what has become of each.
fn partial(config: &Reading<Config>, settings: &Reading<Settings<'_>>) -> Partial<Directive> {
    let mut list = partial_of(config, |c| c.directives.clone());
    let Ok(settings) = settings else { return list };
    let mut counts: BTreeSet<&At> = BTreeSet::new();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for entry in &settings.start {
        let name = entry.statement.name;
        if evaluate::adds_up(name) || name.is_empty() || seen.insert(name) {
            counts.insert(&entry.statement.at);
        }
    }
    let started: BTreeSet<&At> = settings.start.iter().map(|e| &e.statement.at).collect();
    for directive in &mut list.items {
        directive.state = match (counts.contains(&directive.at), started.contains(&directive.at)) {
            (true, _) => DirectiveState::Effective,
            (false, true) => DirectiveState::Shadowed,
            (false, false) => DirectiveState::Conditional,
        };
    }
    list
}

/// What holds for a connection: the values that may be in force, by keyword in lower case. An empty value stands for the default.
/// This is what `sshd -T -C …` prints, as far as lines of the configuration decide it.
pub fn effective(host: &Host, connection: &Connection) -> Reading<BTreeMap<String, Vec<String>>> {
    let program = Program::find(host)?;
    let config = Config::read(host, &program)?;
    match config.unread.first() {
        Some(why) => Err(Missing::Unreadable(Unreadable::clone(why))),
        None => Ok(evaluate::effective(&config, connection)),
    }
}
