//! SELinux: what runs, what is configured, and what the next boot will make of it.

use super::Fact;
use crate::source::{At, FileKind, Host, Missing, Optional, Reading};
use crate::{record, word};
use std::path::Path;

word! {
    /// What SELinux does.
    pub enum Mode {
        /// Denies what the policy does not allow.
        Enforcing = "enforcing",
        /// Only logs it.
        Permissive = "permissive",
        /// Nothing.
        Disabled = "disabled",
    }
}

record! {
    /// SELinux.
    ///
    /// ```text
    /// /etc/selinux/config      SELINUX=enforcing
    ///                          SELINUXTYPE=targeted
    /// /sys/fs/selinux/enforce  1
    /// ```
    ///
    /// Source: selinux(8), selinux_config(5), and libselinux (selinux_getenforcemode, selinux_init_load_policy).
    /// Absent where neither a configuration nor a kernel that knows SELinux is to be seen.
    pub struct Selinux {
        /// The line of /etc/selinux/config that sets SELINUX: the first with a value that libselinux knows, else the
        /// last without. Absent where there is none.
        pub configured: Reading<SelinuxSetting>,
        /// The mode that /etc/selinux/config asks for. Absent where it names none that libselinux knows: the kernel
        /// then loads the policy and stays permissive.
        pub configured_mode: Reading<SelinuxMode>,
        /// The line that sets SELINUXTYPE, the last of them. Absent where there is none.
        pub policy_type_line: Option<SelinuxSetting>,
        /// The policy's name: SELINUXTYPE, `targeted` where nothing is set.
        pub policy_type: Reading<String>,
        /// Whether /etc/selinux/TYPE is there.
        pub policy_directory_present: Reading<bool>,
        /// The binary policies of that name: /etc/selinux/TYPE/policy/policy.33. Files of 0 bytes do not count.
        pub policies: Reading<Vec<String>>,
        /// The mode of the running kernel. Absent where no kernel runs.
        pub running: Reading<SelinuxMode>,
        /// `enforcing=` of the kernel's command line, as this boot had it. Absent where it is not set.
        pub cmdline_enforcing: Reading<bool>,
        /// Whether this boot's command line turns SELinux off with `selinux=0`. Absent where no kernel runs.
        pub cmdline_disables: Reading<bool>,
        /// Whether the running kernel has SELinux among its security modules (/sys/kernel/security/lsm). Absent
        /// where that is not to be seen.
        pub kernel_has: Reading<bool>,
        /// The mode of the next boot with the configuration as it is now, and the command line of this boot.
        pub next_boot: Reading<SelinuxMode>,
        /// Whether /.autorelabel is there: the next boot labels every file anew.
        pub autorelabel: Reading<bool>,
        /// What /etc/sysconfig/selinux is a link to. Absent where there is no such file.
        pub sysconfig_link: Reading<String>,
        /// Whether /etc/sysconfig/selinux is a file of its own, which nothing reads.
        pub sysconfig_is_file: Reading<bool>,
    }
}

record! {
    /// A mode, and what says so.
    #[derive(Clone, PartialEq)]
    #[bare(mode)]
    pub struct SelinuxMode {
        /// The mode.
        pub mode: Mode,
        /// The file, or line, that decides.
        pub at: At,
    }
}

record! {
    /// A line `NAME=value` of /etc/selinux/config.
    #[derive(Clone, PartialEq)]
    #[bare(value)]
    pub struct SelinuxSetting {
        /// What stands after `=`, without blanks around it.
        pub value: String,
        /// Whether libselinux makes something of it.
        pub valid: bool,
        /// Where it was read.
        pub at: At,
    }
}

const CONFIG: &str = "/etc/selinux/config";
const ENFORCE: &str = "/sys/fs/selinux/enforce";
const LSM: &str = "/sys/kernel/security/lsm";
const CMDLINE: &str = "/proc/cmdline";

impl SelinuxMode {
    fn new(mode: Mode, at: At) -> Self {
        Self { mode, at }
    }
}

/// What /etc/selinux/config says.
#[derive(Debug, Default, PartialEq)]
struct Config {
    mode: Option<Mode>,
    configured: Option<SelinuxSetting>,
    policy_type: Option<SelinuxSetting>,
}

impl Config {
    /// The mode that is asked for, and the line.
    fn mode(&self) -> Option<SelinuxMode> {
        Some(SelinuxMode::new(self.mode?, self.configured.as_ref()?.at.clone()))
    }
}

/// Parses /etc/selinux/config. Only the beginning of the mode counts (`disabled # as the guide says` is `disabled`), and
/// nothing may stand before `SELINUX=`, nor between its parts.
fn parse(text: &str) -> Config {
    let mut config = Config::default();
    for (index, line) in text.lines().enumerate() {
        let at = At::line(CONFIG, u32::try_from(index + 1).unwrap_or(u32::MAX));
        if let Some(value) = line.strip_prefix("SELINUX=") {
            let value = value.trim_start();
            if config.mode.is_none() {
                config.mode = mode(value);
                let setting =
                    SelinuxSetting { value: value.trim_end().into(), valid: config.mode.is_some(), at };
                config.configured = Some(setting);
            }
            continue;
        }
        const TYPE: &str = "SELINUXTYPE=";
        let line = line.trim_start();
        if line.get(..TYPE.len()).is_some_and(|start| start.eq_ignore_ascii_case(TYPE)) {
            let value = line[TYPE.len()..].trim_matches(|c: char| c.is_whitespace() || c.is_control());
            let valid = !value.is_empty() && !value.contains([' ', '/']);
            config.policy_type = Some(SelinuxSetting { value: value.into(), valid, at });
        }
    }
    config
}

fn mode(value: &str) -> Option<Mode> {
    let starts = |word: &str| value.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    [("enforcing", Mode::Enforcing), ("permissive", Mode::Permissive), ("disabled", Mode::Disabled)]
        .into_iter()
        .find_map(|(word, mode)| starts(word).then_some(mode))
}

/// The value of the last `name=` on a kernel command line.
fn parameter<'a>(cmdline: &'a str, name: &str) -> Option<&'a str> {
    cmdline.split_ascii_whitespace().rev().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

/// What sestatus(8) printed, where sosreport keeps it; newer ones run it twice.
const PRINTED: [&str; 2] = ["/sos_commands/selinux/sestatus", "/sos_commands/selinux/sestatus_-b"];

/// The mode there: `SELinux status: disabled`, or `Current mode: enforcing`. None if it was not printed.
fn printed(host: &Host) -> Option<Reading<SelinuxMode>> {
    let (path, text) = PRINTED.iter().find_map(|path| Some((*path, host.read_text(path).ok()?)))?;
    let value = |(line, number): (&str, u32), key: &str| {
        let value = line.strip_prefix(key)?.strip_prefix(':')?.trim();
        Some((mode(value)?, At::line(path, number)))
    };
    let find = |key| text.lines().zip(1..).find_map(|line| value(line, key));
    let disabled = find("SELinux status").filter(|(mode, _)| *mode == Mode::Disabled);
    let found = disabled.or_else(|| find("Current mode")).map(|(mode, at)| SelinuxMode::new(mode, at));
    Some(found.ok_or_else(|| Missing::garbled(path, "is no output of sestatus")))
}

impl Fact for Selinux {
    const NAME: &'static str = "selinux";
    const READS: &'static [&'static str] = &[
        CONFIG,
        "/etc/selinux/*/policy/policy.*",
        ENFORCE,
        PRINTED[0],
        LSM,
        CMDLINE,
        "/.autorelabel",
        "/etc/sysconfig/selinux",
    ];

    fn collect(host: &Host) -> Reading<Self> {
        let exists = |path: &str| host.exists(path).map_err(Missing::Unreadable);
        let config = host.read_text(CONFIG).map(|text| parse(&text));
        let enforce = host.read_text(ENFORCE);
        if config == Err(Missing::Absent) && enforce == Err(Missing::Absent) {
            return Err(Missing::Absent);
        }
        let cmdline = if host.is_running() { host.read_text(CMDLINE) } else { Err(Missing::Absent) };
        let kernel_has =
            host.read_text(LSM).map(|list| list.trim().split(',').any(|module| module == "selinux"));
        let running = match &enforce {
            Ok(text) => match text.trim() {
                "1" => Ok(SelinuxMode::new(Mode::Enforcing, At::file(ENFORCE))),
                "0" => Ok(SelinuxMode::new(Mode::Permissive, At::file(ENFORCE))),
                other => Err(Missing::garbled(ENFORCE, format!("`{other}` is neither 0 nor 1"))),
            },
            // sosreports and the like copy /proc, but not always this; there its absence says nothing.
            Err(Missing::Absent) if !exists("/sys/fs")? => Err(Missing::Absent),
            Err(Missing::Absent) if host.is_running() => {
                Ok(SelinuxMode::new(Mode::Disabled, At::file("/sys/fs/selinux")))
            }
            Err(missing) if missing.is_not_collected() => printed(host).unwrap_or(Err(missing.clone())),
            Err(missing) => Err(missing.clone()),
        };
        let cmdline_disables = cmdline
            .as_deref()
            .map_err(Clone::clone)
            .map(|line| parameter(line, "selinux").is_some_and(|value| value.parse() == Ok(0)));
        // Anything but a number counts as 0.
        let cmdline_enforcing = cmdline.as_deref().map_err(Clone::clone).and_then(|line| {
            let value = parameter(line, "enforcing").ok_or(Missing::Absent)?;
            Ok(value.parse::<i64>().unwrap_or(0) != 0)
        });
        let (configured, configured_mode, policy_type_line) = match &config {
            Ok(config) => (
                config.configured.clone().ok_or(Missing::Absent),
                config.mode().ok_or(Missing::Absent),
                config.policy_type.clone(),
            ),
            Err(missing) => (Err(missing.clone()), Err(missing.clone()), None),
        };
        let policy_type = match &config {
            Err(Missing::Unreadable(why)) => Err(Missing::Unreadable(why.clone())),
            _ => Ok(policy_type_line.as_ref().map_or_else(|| "targeted".into(), |line| line.value.clone())),
        };
        let directory = policy_type.clone().map(|name| format!("/etc/selinux/{name}"));
        let next_boot = next_boot(&config, &kernel_has, &cmdline_disables, &cmdline_enforcing);
        let sysconfig = host.source.lstat(Path::new("/etc/sysconfig/selinux"));
        Ok(Self {
            configured,
            configured_mode,
            policy_type_line,
            policy_type,
            policy_directory_present: directory.clone().and_then(|path| exists(&path)),
            policies: directory.and_then(|path| policies(host, &path)),
            running,
            cmdline_enforcing,
            cmdline_disables,
            kernel_has,
            next_boot,
            autorelabel: exists("/.autorelabel"),
            sysconfig_link: match &sysconfig {
                Ok(stat) if stat.kind == FileKind::Link => {
                    let target = host.source.read_link(Path::new("/etc/sysconfig/selinux"));
                    target.map(|path| path.to_string_lossy().into_owned())
                }
                Ok(_) => Err(Missing::Absent),
                Err(missing) => Err(missing.clone()),
            },
            sysconfig_is_file: match &sysconfig {
                Ok(stat) => Ok(stat.kind == FileKind::File),
                Err(Missing::Absent) => Ok(false),
                Err(missing) => Err(missing.clone()),
            },
        })
    }
}

/// The binary policies below a policy's directory; libselinux loads the newest that the kernel knows.
fn policies(host: &Host, directory: &str) -> Reading<Vec<String>> {
    let directory = format!("{directory}/policy");
    let Some(names) = host.names(&directory).optional()? else {
        return Ok(Vec::new());
    };
    let versioned = |name: &String| {
        name.strip_prefix("policy.").is_some_and(|v| !v.is_empty() && v.bytes().all(|b| b.is_ascii_digit()))
    };
    let mut found = Vec::new();
    for name in names.into_iter().filter(versioned) {
        let path = format!("{directory}/{name}");
        if host.source.stat(Path::new(&path)).optional()?.is_some_and(|stat| stat.size > 0) {
            found.push(path);
        }
    }
    Ok(found)
}

/// selinux_init_load_policy: a kernel without SELinux, then `disabled` in the file, then `enforcing=`, then the file.
fn next_boot(
    config: &Reading<Config>,
    kernel_has: &Reading<bool>,
    cmdline_disables: &Reading<bool>,
    cmdline_enforcing: &Reading<bool>,
) -> Reading<SelinuxMode> {
    if *kernel_has == Ok(false) {
        return Ok(SelinuxMode::new(Mode::Disabled, At::file(LSM)));
    }
    if *cmdline_disables == Ok(true) {
        return Ok(SelinuxMode::new(Mode::Disabled, At::file(CMDLINE)));
    }
    // Without a configuration, or a mode in it, that stays unspecified, and so permissive.
    let unspecified = SelinuxMode::new(Mode::Permissive, At::file(CONFIG));
    let configured = match config {
        Ok(config) => config.mode().unwrap_or(unspecified),
        Err(Missing::Absent) => unspecified,
        Err(unreadable) => return Err(unreadable.clone()),
    };
    if configured.mode == Mode::Disabled {
        return Ok(configured);
    }
    match cmdline_enforcing {
        Ok(true) => Ok(SelinuxMode::new(Mode::Enforcing, At::file(CMDLINE))),
        Ok(false) => Ok(SelinuxMode::new(Mode::Permissive, At::file(CMDLINE))),
        Err(Missing::Absent) => Ok(configured),
        Err(unreadable) => Err(unreadable.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    fn collect(files: &Files) -> Reading<Selinux> {
        Selinux::collect(&Host::new(files.clone(), Target::root("case")))
    }

    fn mode_of(reading: Reading<SelinuxMode>) -> Mode {
        reading.unwrap().mode
    }

    #[test]
    fn only_the_beginning_of_the_mode_counts() {
        let config =
            parse("# SELINUX= can take\nSELINUX=disabled change this line\nSELINUXTYPE=targeted \r\n");
        assert_eq!(config.mode, Some(Mode::Disabled));
        assert_eq!(config.configured.unwrap().value, "disabled change this line");
        assert_eq!(config.policy_type.unwrap().value, "targeted");
        assert_eq!(parse("SELINUX=  Permissive\n").mode, Some(Mode::Permissive));
    }

    #[test]
    fn a_report_has_the_mode_printed() {
        let of = |printed: &str| {
            let mut files = Files::new();
            files.file(CONFIG, "SELINUX=enforcing\n").file("/version.txt", "sosreport: 4.5\n");
            files.file(PRINTED[0], printed);
            collect(&files).unwrap().running
        };
        let text = "SELinux status:                 enabled\nSELinuxfs mount:  /sys/fs/selinux\nCurrent mode:                   permissive\n";
        let found = of(text).unwrap();
        assert_eq!((found.mode, found.at.line), (Mode::Permissive, Some(3)));
        assert_eq!(mode_of(of("SELinux status:                 disabled\n")), Mode::Disabled);
        for odd in ["", "SELinux status: enabled\n", "sestatus: command not found\n", "\0\u{fffd}\n"] {
            assert!(matches!(of(odd), Err(Missing::Unreadable(_))), "{odd:?}");
        }
    }

    #[test]
    fn lines_that_libselinux_passes_over_set_nothing() {
        for text in
            ["", " SELINUX=enforcing\n", "SELINUX = enforcing\n", "selinux=enforcing\n", "\0\u{fffd}\n"]
        {
            assert_eq!(parse(text), Config::default(), "{text}");
        }
        let config = parse("SELINUX=disable\nSELINUX=enforcing\n");
        assert_eq!(config.mode, Some(Mode::Enforcing), "the first that is known counts");
        let config = parse("SELINUX=disable\n");
        assert_eq!((config.mode, config.configured.unwrap().valid), (None, false));
    }

    #[test]
    fn nothing_is_absent_and_denied_is_unreadable() {
        assert_eq!(collect(&Files::new()).err(), Some(Missing::Absent));
        let mut files = Files::new();
        files.deny("/etc/selinux/config");
        let found = collect(&files).unwrap();
        assert!(matches!(found.configured_mode, Err(Missing::Unreadable(_))));
        assert!(matches!(found.next_boot, Err(Missing::Unreadable(_))));
        assert!(matches!(found.policies, Err(Missing::Unreadable(_))));
    }

    #[test]
    fn an_image_has_a_next_boot_and_no_running_mode() {
        let mut files = Files::new();
        files.file("/etc/selinux/config", "SELINUX=enforcing\n").directory("/etc/selinux/targeted/policy");
        files.file("/etc/selinux/targeted/policy/policy.33", "").directory("/sys/fs");
        let found = collect(&files).unwrap();
        assert_eq!((found.running, mode_of(found.next_boot)), (Err(Missing::Absent), Mode::Enforcing));
        assert_eq!((found.policies, found.policy_directory_present), (Ok(vec![]), Ok(true)));
        files.file("/etc/selinux/targeted/policy/policy.31", "x");
        let found = collect(&files).unwrap();
        assert_eq!(found.policies, Ok(vec!["/etc/selinux/targeted/policy/policy.31".to_owned()]));
    }

    #[test]
    fn the_command_line_comes_before_the_file() {
        let mut files = Files::new();
        files.file("/etc/selinux/config", "SELINUX=enforcing\n").directory("/sys/fs/selinux");
        let mut next = |cmdline: &str| {
            files.file("/proc/cmdline", cmdline);
            mode_of(collect(&files).unwrap().next_boot)
        };
        assert_eq!(next("ro quiet"), Mode::Enforcing);
        assert_eq!(next("enforcing=0"), Mode::Permissive);
        assert_eq!(next("enforcing=0 enforcing=1"), Mode::Enforcing);
        assert_eq!(next("selinux=0 enforcing=1"), Mode::Disabled);
        files.file("/etc/selinux/config", "SELINUX=disabled\n").file("/proc/cmdline", "enforcing=1");
        let found = collect(&files).unwrap().next_boot.unwrap();
        assert_eq!((found.mode, found.at.to_string()), (Mode::Disabled, "/etc/selinux/config:1".into()));
    }

    #[test]
    fn a_running_kernel_without_selinuxfs_has_it_disabled() {
        let mut files = Files::new();
        files.file("/etc/selinux/config", "SELINUX=enforcing\n").directory("/sys/fs/cgroup");
        files.file("/proc/cmdline", "ro\n").file("/sys/kernel/security/lsm", "capability,apparmor");
        let found = collect(&files).unwrap();
        assert_eq!((mode_of(found.running), mode_of(found.next_boot)), (Mode::Disabled, Mode::Disabled));
        files.file("/sys/fs/selinux/enforce", "0").file("/sys/kernel/security/lsm", "capability,selinux");
        let found = collect(&files).unwrap();
        assert_eq!((mode_of(found.running), mode_of(found.next_boot)), (Mode::Permissive, Mode::Enforcing));
    }
}
