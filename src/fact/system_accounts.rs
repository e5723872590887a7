//! The users and groups that the system itself asks for by name, and those that there are.

use super::Fact;
use crate::format::account_files;
use crate::format::units::Units;
use crate::model::{Lazy, Partial};
use crate::source::{At, Host, Missing, Optional, Reading, Unreadable};
use crate::{record, word};
use std::collections::BTreeSet;
use std::path::Path;

word! {
    /// What a name is that of.
    pub enum AccountKind {
        /// A user.
        User = "user",
        /// A group.
        Group = "group",
    }
}

word! {
    /// What asks for a name.
    pub enum AccountUse {
        /// sshd, which does not start without the user for its unprivileged part.
        Sshd = "sshd",
        /// The system bus, which does not start without the user that it is to run as.
        Dbus = "dbus",
        /// polkitd.
        Polkit = "polkit",
        /// systemd-tmpfiles, which makes the directories and files of /run and /var at boot.
        Tmpfiles = "tmpfiles",
        /// udevd, which gives device nodes to groups.
        Udev = "udev",
    }
}

record! {
    /// The users and groups that programs of the system ask for by name, whichever of them are there.
    ///
    /// ```text
    /// /usr/share/dbus-1/system.conf                  <user>messagebus</user>
    /// /usr/lib/udev/rules.d/50-udev-default.rules    SUBSYSTEM=="block", GROUP="disk"
    /// /usr/lib/tmpfiles.d/systemd.conf               f! /run/utmp 0664 root utmp -
    /// ```
    ///
    /// Source: sshd(8), dbus-daemon(1), udev(7), tmpfiles.d(5), sysusers.d(5), systemd-update-done.service(8). Only files that
    /// systemd and D-Bus themselves bring are read. Absent where there is no /etc/passwd.
    pub struct SystemAccounts {
        /// The names of users that there are: those of /etc/passwd, of /usr/lib/passwd where nsswitch.conf names altfiles, of userdb,
        /// and those that sysusers.d will make at the next boot.
        pub users: Reading<Vec<String>>,
        /// The names of groups that there are, in the same way.
        pub groups: Reading<Vec<String>>,
        /// The names that are asked for, each once.
        pub wanted: Lazy<Partial<WantedAccount>>,
    }
}

record! {
    /// A user or group that is asked for by name.
    #[derive(Clone, PartialEq)]
    pub struct WantedAccount {
        /// The name.
        pub name: String,
        /// What it is that of.
        pub kind: AccountKind,
        /// What asks for it.
        pub asks: AccountUse,
        /// Whether there is one. Unreadable where passwd or group are.
        pub exists: Reading<bool>,
        /// Where it is asked for.
        pub at: At,
    }
}

const UDEV_RULES: [&str; 2] =
    ["/usr/lib/udev/rules.d/50-udev-default.rules", "/lib/udev/rules.d/50-udev-default.rules"];
const TMPFILES: [&str; 4] = ["systemd", "legacy", "var", "static-nodes-permissions"];
const BUS: [&str; 2] = ["/usr/share/dbus-1/system.conf", "/etc/dbus-1/system.conf"];
/// polkitd that drops root's rights; older ones of Debian, elsewhere, do not.
const POLKITD: [&str; 2] = ["/usr/lib/polkit-1/polkitd", "/usr/libexec/polkit-1/polkitd"];
const SYSUSERS: [&str; 4] =
    ["/etc/sysusers.d", "/run/sysusers.d", "/usr/local/lib/sysusers.d", "/usr/lib/sysusers.d"];

impl Fact for SystemAccounts {
    const NAME: &'static str = "system_accounts";
    const READS: &'static [&'static str] = &[
        "/etc/passwd",
        "/etc/group",
        "/etc/gshadow",
        "/etc/nsswitch.conf",
        "/usr/lib/passwd",
        "/usr/lib/group",
        "/etc/userdb",
        "/usr/lib/userdb",
        "/run/userdb",
        "/usr/lib/sysusers.d/*.conf",
        "/etc/.updated",
        "/usr/lib/udev/rules.d/50-udev-default.rules",
        "/usr/lib/tmpfiles.d/systemd.conf",
        "/usr/share/dbus-1/system.conf",
        "/usr/sbin/sshd",
    ];

    fn collect(host: &Host) -> Reading<Self> {
        if !host.exists("/etc/passwd")? {
            return Err(Missing::Absent);
        }
        let (mut users, mut groups) = (names(host, "passwd", ".user"), names(host, "group", ".group"));
        if sysusers_run(host) {
            let mut made = sysusers(host);
            // It gives up, for all of them, at a group that /etc/gshadow still has a line of.
            let stale = first(&host.read_text("/etc/gshadow").unwrap_or_default());
            let there = |name: &String| groups.as_ref().is_ok_and(|groups| groups.contains(name));
            if made.iter().any(|(_, name)| stale.contains(name) && !there(name)) {
                made.clear();
            }
            for (names, kind) in [(&mut users, 'u'), (&mut groups, 'g')] {
                if let Ok(names) = names {
                    // A user gets a group of its name.
                    names.extend(
                        made.iter().filter(|(of, _)| *of == 'u' || *of == kind).map(|(_, name)| name.clone()),
                    );
                }
            }
        }
        let known = (users.clone(), groups.clone());
        let of = host.clone();
        Ok(Self {
            users: users.map(|names| names.into_iter().collect()),
            groups: groups.map(|names| names.into_iter().collect()),
            wanted: Lazy::new(move || Ok(wanted(&of, &known.0, &known.1))),
        })
    }
}

type Names = Reading<BTreeSet<String>>;

/// The names of one of the two files and of userdb.
fn names(host: &Host, file: &str, ending: &str) -> Names {
    let mut found = BTreeSet::new();
    found.extend(first(&account_files::read(host, file)?));
    for dir in ["/etc/userdb", "/run/userdb", "/usr/lib/userdb", "/run/host/userdb"] {
        let names = host.names(dir).unwrap_or_default();
        found.extend(names.iter().filter_map(|name| name.strip_suffix(ending)).map(str::to_owned));
    }
    Ok(found)
}

/// The first fields of lines.
fn first(text: &str) -> BTreeSet<String> {
    text.lines().filter_map(|line| Some(line.split_once(':')?.0.to_owned())).collect()
}

/// Whether systemd-sysusers.service will run at the next boot: `ConditionNeedsUpdate=/etc` holds until systemd-update-done has
/// noted that /etc is as new as /usr.
fn sysusers_run(host: &Host) -> bool {
    let units = Units::of(host);
    let service = "systemd-sysusers.service";
    if units.masked(service) || units.file(service).is_none() {
        return false;
    }
    let mtime = |path: &str| host.source.stat(Path::new(path)).map(|stat| stat.mtime);
    match host.read_text("/etc/.updated") {
        Err(Missing::Absent) => true,
        Err(_) => false,
        Ok(text) => {
            // It has the time of /usr in its text too, for file systems without parts of seconds.
            let noted = text
                .lines()
                .find_map(|line| line.strip_prefix("TIMESTAMP_NSEC=")?.trim().parse::<i64>().ok());
            let noted =
                noted.map(|nanoseconds| nanoseconds / 1_000_000_000).or_else(|| mtime("/etc/.updated").ok());
            matches!((mtime("/usr"), noted), (Ok(usr), Some(noted)) if usr > noted)
        }
    }
}

/// What sysusers.d makes: `u` for a user with its group, `g` for a group.
fn sysusers(host: &Host) -> Vec<(char, String)> {
    let mut files: std::collections::BTreeMap<String, String> = std::collections::BTreeMap::new();
    for dir in SYSUSERS {
        for name in host.names(dir).unwrap_or_default().into_iter().filter(|name| name.ends_with(".conf")) {
            files.entry(name.clone()).or_insert_with(|| format!("{dir}/{name}"));
        }
    }
    let mut found = Vec::new();
    for path in files.into_values().take(1_000) {
        let text = host.read_text(&path).unwrap_or_default();
        for line in text.lines() {
            let mut words = line.split_ascii_whitespace();
            if let (Some(kind), Some(name)) = (words.next(), words.next())
                && let Some(of @ ('u' | 'g')) = kind.chars().next()
                && kind.chars().skip(1).all(|c| c == '!')
            {
                found.push((of, name.trim_matches('"').to_owned()));
            }
        }
    }
    found
}

const SSHD: &str = "/usr/sbin/sshd";

/// The user that sshd becomes for its unprivileged part. Arch Linux, and some who build it themselves, have it configured
/// `--with-privsep-user=nobody`; then that name, which sshd has no other use for, is in the program. Read only where there is
/// no user sshd.
fn sshd_user(host: &Host, users: &Names) -> Result<&'static str, Unreadable> {
    const CAP: u64 = 16 << 20;
    const NOBODY: &[u8] = b"nobody\0";
    if users.as_ref().is_ok_and(|names| names.contains("sshd")) {
        return Ok("sshd");
    }
    match host.source.read(Path::new(SSHD), CAP) {
        Ok(program) if program.windows(NOBODY.len()).any(|bytes| bytes == NOBODY) => Ok("nobody"),
        Ok(_) | Err(Missing::Absent) => Ok("sshd"),
        Err(Missing::Unreadable(why)) => Err(why),
    }
}

fn wanted(host: &Host, users: &Names, groups: &Names) -> Partial<WantedAccount> {
    let mut found: Partial<WantedAccount> = Partial::default();
    let mut add = |name: &str, kind: AccountKind, asks: AccountUse, at: At| {
        let known = match kind {
            AccountKind::User => users,
            AccountKind::Group => groups,
        };
        let exists = known.as_ref().map(|names| names.contains(name)).map_err(Clone::clone);
        let is_name = !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && !name.contains(['%', '$', '-', ':', '*']);
        // Names with a dash are those of systemd itself, which are asked for in the same files.
        let is_name = is_name
            || name.strip_prefix("systemd-").is_some_and(|rest| rest.chars().all(char::is_alphanumeric));
        if is_name && name != "root" && !found.items.iter().any(|w| w.name == name && w.kind == kind) {
            found.items.push(WantedAccount { name: name.to_owned(), kind, asks, exists, at });
        }
    };
    let mut unread = Vec::new();
    if host.exists(SSHD) == Ok(true) {
        match sshd_user(host, users) {
            Ok(name) => add(name, AccountKind::User, AccountUse::Sshd, At::file(SSHD)),
            Err(why) => unread.push(why),
        }
    }
    let mut read = |path: &str| host.read_text(path).noted(&mut unread).unwrap_or_default();
    for path in BUS {
        for (number, line) in (1u32..).zip(read(path).lines()) {
            let user = line.split_once("<user>").and_then(|(_, rest)| rest.split_once("</user>"));
            if let Some((name, _)) = user {
                add(name.trim(), AccountKind::User, AccountUse::Dbus, At::line(path, number));
            }
        }
    }
    if let Some(path) = POLKITD.iter().find(|path| host.exists(path) == Ok(true)) {
        add("polkitd", AccountKind::User, AccountUse::Polkit, At::file(*path));
    }
    for file in TMPFILES {
        let path = format!("/usr/lib/tmpfiles.d/{file}.conf");
        for (number, line) in (1u32..).zip(read(&path).lines()) {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            if line.trim_start().starts_with('#') {
                continue;
            }
            for (position, kind) in [(3, AccountKind::User), (4, AccountKind::Group)] {
                let name = words.get(position).copied().unwrap_or("-");
                add(
                    name.trim_start_matches(':'),
                    kind,
                    AccountUse::Tmpfiles,
                    At::line(path.as_str(), number),
                );
            }
        }
    }
    if let Some(path) = UDEV_RULES.iter().find(|path| host.exists(path) == Ok(true)) {
        for (number, line) in (1u32..).zip(read(path).lines()) {
            let group = line.split_once("GROUP=\"").and_then(|(_, rest)| rest.split_once('"'));
            if let Some((name, _)) = group.filter(|_| !line.trim_start().starts_with('#')) {
                add(name, AccountKind::Group, AccountUse::Udev, At::line(*path, number));
            }
        }
    }
    found.unread = unread;
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    fn tree() -> Files {
        let mut files = Files::new();
        files
            .file("/etc/passwd", "root:x:0:0::/root:/bin/sh\nsshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n")
            .file("/etc/group", "root:x:0:\ndisk:x:6:\n")
            .file("/usr/sbin/sshd", "ELF")
            .file("/usr/lib/polkit-1/polkitd", "ELF")
            .file("/usr/share/dbus-1/system.conf", "<busconfig>\n  <user>messagebus</user>\n")
            .file("/usr/lib/tmpfiles.d/systemd.conf", "# d /x 0 a b\nf! /run/utmp 0664 root utmp -\nd /run/log/journal 2755 root systemd-journal - -\nL /x\n")
            .file("/usr/lib/udev/rules.d/50-udev-default.rules", "SUBSYSTEM==\"block\", GROUP=\"disk\"\nKERNEL==\"tty\", GROUP=\"tty\", MODE=\"0666\"\n");
        files
    }

    #[test]
    fn sshd_may_have_been_built_for_another_user() {
        let mut files = tree();
        files.file("/etc/passwd", "root:x:0:0::/root:/bin/sh\n");
        assert!(missing(&files).contains(&"sshd".to_owned()));
        files.file(SSHD, "ELF nobody home");
        assert!(missing(&files).contains(&"sshd".to_owned()));
        files.file(SSHD, &b"ELF\0nobody\0"[..]);
        assert!(!missing(&files).contains(&"sshd".to_owned()));
        assert!(missing(&files).contains(&"nobody".to_owned()));
        files.file("/etc/passwd", "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/usr/bin/nologin\n");
        assert!(!missing(&files).contains(&"nobody".to_owned()));
    }

    fn missing(files: &Files) -> Vec<String> {
        let fact = SystemAccounts::collect(&Host::new(files.clone(), Target::root("x"))).unwrap();
        let wanted = fact.wanted.get().unwrap();
        let gone = wanted.items.iter().filter(|w| w.exists == Ok(false));
        gone.map(|w| w.name.clone()).collect()
    }

    #[test]
    fn what_is_asked_for_and_not_there_is_told() {
        assert_eq!(missing(&tree()), ["messagebus", "polkitd", "utmp", "systemd-journal", "tty"]);
    }

    #[test]
    fn what_the_next_boot_makes_is_there() {
        let mut files = tree();
        files
            .file("/usr/lib/sysusers.d/basic.conf", "# x\ng utmp 43\nu! messagebus - \"x\"\nm a b\ng\n")
            .file("/usr/lib/sysusers.d/other.conf", "g tty 5\n")
            .link("/etc/sysusers.d/other.conf", "/dev/null")
            .file("/usr/lib/systemd/system/systemd-sysusers.service", "[Unit]\n");
        assert_eq!(missing(&files), ["polkitd", "systemd-journal", "tty"]);
        let mut stale = files.clone();
        stale.file("/etc/gshadow", "root:*::\nutmp:!::\n");
        assert_eq!(missing(&stale).len(), 5);
        files.file("/etc/.updated", "# x\nTIMESTAMP_NSEC=1700000000000000000\n");
        assert_eq!(missing(&files).len(), 5);
    }

    #[test]
    fn accounts_are_in_other_places_too() {
        let mut files = tree();
        files
            .file("/etc/nsswitch.conf", "passwd: files altfiles\ngroup: files altfiles\n")
            .file("/usr/lib/passwd", "messagebus:x:81:81::/:/\n")
            .file("/usr/lib/group", "tty:x:5:\nutmp:x:22:\n");
        files.file("/run/userdb/polkitd.user", "{}");
        assert_eq!(missing(&files), ["systemd-journal"]);
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        let mut files = tree();
        files.deny("/etc/group").deny("/usr/share/dbus-1/system.conf");
        let fact = SystemAccounts::collect(&Host::new(files, Target::root("x"))).unwrap();
        assert!(fact.groups.is_err() && fact.users.is_ok());
        assert_eq!(fact.wanted.get().unwrap().unread.len(), 1);
        assert!(matches!(
            SystemAccounts::collect(&Host::new(Files::new(), Target::root("x"))),
            Err(Missing::Absent)
        ));
    }
}
