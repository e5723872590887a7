//! What systemd refuses or passes over in the files of units under /etc: those that people write.

use super::limits;
use crate::format::units::{Assignment, Loaded, Units, boolean, kind};
use crate::model::Partial;
use crate::record;
use crate::source::{At, Optional};

record! {
    /// Something in a unit that systemd does not take.
    #[derive(Clone, PartialEq)]
    pub struct UnitProblem {
        /// The unit: `backup.timer`.
        pub unit: String,
        /// The file of the unit itself, where `at` is in a drop-in.
        pub file: String,
        /// What is wrong: `unknown section [Servce]`.
        pub what: String,
        /// Whether systemd refuses the whole unit, which then cannot be started; if not, it passes over the line.
        pub refused: bool,
        /// Where.
        pub at: At,
    }
}

/// More than anybody reads.
const MOST: usize = 1_000;

/// The problems of the units of which a file is under /etc.
pub(super) fn problems(units: &Units) -> Partial<UnitProblem> {
    let mut found = Partial { items: Vec::new(), unread: units.unread.clone() };
    let mut bytes = 0;
    for (name, file) in &units.files {
        // Another name has the files of the unit it stands for; drop-ins for a whole kind are told once a unit of its own has one.
        if file.masked || file.alias_of.is_some() || found.items.len() > MOST || bytes > 64 << 20 {
            continue;
        }
        let own = file.path.starts_with("/etc/");
        if !own && !units.drop_ins(name).items.iter().any(|at| at.path.starts_with("/etc/")) {
            continue;
        }
        if let Some(loaded) = units.load(name).noted(&mut found.unread) {
            bytes += loaded.settings.iter().map(|(s, _)| s.key.len() + s.value.len() + 64).sum::<usize>();
            Vetted { name, path: &file.path, loaded: &loaded, found: &mut found.items }.vet();
        }
    }
    found
}

struct Vetted<'a> {
    name: &'a str,
    path: &'a str,
    loaded: &'a Loaded,
    found: &'a mut Vec<UnitProblem>,
}

impl Vetted<'_> {
    fn add(&mut self, refused: bool, what: impl Into<String>, at: At) {
        // What is for all units of a kind is told of one.
        if self.found.len() <= MOST && !self.found.iter().any(|known| known.at == at && at.line.is_some()) {
            let (unit, file) = (self.name.to_owned(), self.path.to_owned());
            self.found.push(UnitProblem { unit, file, what: what.into(), refused, at });
        }
    }

    fn vet(&mut self) {
        let loaded = self.loaded;
        for (line, path) in loaded.malformed.iter().filter(|(_, path)| path.starts_with("/etc/")) {
            // The reading of the file ends at a header without its end: systemd then has no unit, or half a drop-in.
            let header = line.text.starts_with('[');
            let refused = header && **path == *self.path;
            self.add(refused, line.reason, At::line(path.clone(), line.line));
        }
        let mut last = None;
        for assignment in loaded.settings.iter().filter(|(_, at)| at.path.starts_with("/etc/")) {
            let (setting, at) = assignment;
            let header = (&setting.section, &at.path);
            if !knows(kind(self.name), &setting.section) {
                if last != Some(header) {
                    self.add(
                        false,
                        format!("the section [{}] is none of a {} unit", setting.section, kind(self.name)),
                        at.clone(),
                    );
                }
            } else if let Some((refused, what)) = value(assignment) {
                self.add(refused, format!("{}={}: {what}", setting.key, setting.value), at.clone());
            }
            last = Some(header);
        }
        if let Some((what, at)) = self.whole() {
            self.add(true, what, at.cloned().unwrap_or_else(|| At::file(self.path)));
        }
    }

    /// What systemd demands of the unit as a whole, `service_verify` and the like.
    fn whole(&self) -> Option<(String, Option<&At>)> {
        let loaded = self.loaded;
        let any = |section: &str, prefixes: &[&str]| {
            let of = |key: &str| prefixes.iter().any(|prefix| key.starts_with(prefix));
            loaded.settings.iter().any(|(s, _)| s.section == section && of(&s.key) && !s.value.is_empty())
        };
        let refused = |what: &str| Some((what.to_owned(), None));
        match kind(self.name) {
            "service" => self.service(),
            "socket" if !any("Socket", &["Listen"]) => {
                refused("a socket unit needs a Listen…= setting, such as ListenStream=")
            }
            "timer" if !any("Timer", &["On"]) => {
                refused("a timer unit needs a setting that says when, such as OnCalendar=")
            }
            "path" if !any("Path", &["Path", "DirectoryNotEmpty"]) => {
                refused("a path unit needs a setting that names a path, such as PathExists=")
            }
            "mount" => {
                if !any("Mount", &["What"]) {
                    return refused("a mount unit needs What=");
                }
                let (setting, at) = loaded.last("Mount", "Where")?;
                let name = mount_name(&setting.value)?;
                (name != self.name).then(|| {
                    (format!("Where={} needs the name {name} for the unit", setting.value), Some(at))
                })
            }
            "swap" if !any("Swap", &["What"]) => refused("a swap unit needs What="),
            _ => None,
        }
    }

    fn service(&self) -> Option<(String, Option<&At>)> {
        let loaded = self.loaded;
        let value = |key| loaded.value("Service", key);
        let starts = loaded.list("Service", "ExecStart");
        let succeeds = loaded.value("Unit", "SuccessAction").is_some_and(|action| action != "none");
        let refused = |what: &str| Some((what.to_owned(), None));
        let Some((_, first)) = starts.first() else {
            let stays = loaded.is_on("Service", "RemainAfterExit") == Some(true);
            let stops = !loaded.list("Service", "ExecStop").is_empty();
            return match succeeds || stays && stops {
                true => None,
                false => refused("a service needs ExecStart="),
            };
        };
        let oneshot = value("Type") == Some("oneshot");
        if starts.len() > 1 && !oneshot {
            let (_, second) = starts.get(1)?;
            let what = format!(
                "a service has one ExecStart= unless it is of Type=oneshot, and this one has another in {first}"
            );
            return Some((what, Some(second)));
        }
        if oneshot && let Some(restart @ ("always" | "on-success")) = value("Restart") {
            let at = loaded.last("Service", "Restart").map(|(_, at)| at);
            return Some((format!("Restart={restart} is not allowed with Type=oneshot"), at));
        }
        if value("Type") == Some("dbus") && value("BusName").is_none() {
            return refused("Type=dbus needs BusName=");
        }
        None
    }
}

/// Whether units of this kind have the section.
fn knows(kind: &str, section: &str) -> bool {
    let own = match kind {
        "service" => "Service",
        "socket" => "Socket",
        "mount" => "Mount",
        "automount" => "Automount",
        "swap" => "Swap",
        "timer" => "Timer",
        "path" => "Path",
        "slice" => "Slice",
        "scope" => "Scope",
        _ => "",
    };
    section == "Unit" || section == "Install" || section == own || section.starts_with("X-")
}

/// What is wrong with the value of a key, and whether systemd refuses the unit for it. Not all keys are known here, and what
/// newer versions may take is let through.
fn value((setting, _): &Assignment) -> Option<(bool, String)> {
    let value = setting.value.as_str();
    let ignored = |what: &str| Some((false, what.to_owned()));
    let fatal = |what: &str| Some((true, what.to_owned()));
    if value.is_empty() {
        return None;
    }
    let one_of = |words: &[&str]| match words.contains(&value) {
        true => None,
        false => Some((false, format!("systemd knows {}", words.join(", ")))),
    };
    if let Some((_, read)) = limits::resource(&setting.key) {
        return read(value).err().and_then(ignored);
    }
    match (setting.section.as_str(), setting.key.as_str()) {
        ("Service", "Type") => {
            one_of(&["simple", "exec", "forking", "oneshot", "dbus", "notify", "notify-reload", "idle"])
        }
        ("Service", "Restart") => {
            one_of(&["no", "on-success", "on-failure", "on-abnormal", "on-watchdog", "on-abort", "always"])
        }
        (_, "KillMode") => one_of(&["control-group", "process", "mixed", "none"]),
        ("Service", "RemainAfterExit" | "GuessMainPID")
        | ("Unit", "DefaultDependencies" | "RefuseManualStart" | "RefuseManualStop")
        | ("Timer", "Persistent" | "WakeSystem")
        | ("Socket", "Accept")
        | (_, "NoNewPrivileges" | "DynamicUser")
            if boolean(value).is_none() =>
        {
            ignored("this is neither yes nor no")
        }
        (
            _,
            "TimeoutSec"
            | "TimeoutStartSec"
            | "TimeoutStopSec"
            | "RestartSec"
            | "RuntimeMaxSec"
            | "WatchdogSec"
            | "StartLimitIntervalSec",
        ) if !is_time_span(value) => ignored("this is no span of time, such as 90 or 1min 30s"),
        (_, "User" | "Group") if value.contains([':', '/']) && !value.contains('%') => {
            fatal("this can be no name of a user or group")
        }
        ("Service", "WorkingDirectory") if !value.starts_with(['/', '~', '-', '%']) => {
            fatal("the path is not absolute")
        }
        ("Service", "RootDirectory") if !value.starts_with(['/', '-', '%']) => {
            fatal("the path is not absolute")
        }
        ("Service", "EnvironmentFile") if !value.trim_start_matches('-').starts_with(['/', '%']) => {
            ignored("the path is not absolute")
        }
        ("Service", "ExecStart" | "ExecStartPre" | "ExecStartPost" | "ExecStop" | "ExecReload") => {
            command(value)
        }
        _ => None,
    }
}

fn command(value: &str) -> Option<(bool, String)> {
    let line = value.trim_start_matches(['@', ':', '+', '!', '-', '|']);
    let refused = !value.get(..value.len() - line.len()).is_some_and(|prefixes| prefixes.contains('-'));
    if unbalanced(line) {
        return Some((refused, "a quote is not closed".into()));
    }
    let program = line.split_ascii_whitespace().next().unwrap_or_default();
    if program.contains(['"', '\'', '%', '$', '\\']) {
        return None;
    }
    match program {
        "" => Some((refused, "there is no program".into())),
        _ if program.ends_with('/') => Some((refused, "the path is that of a directory".into())),
        _ if !program.starts_with('/') && program.contains('/') => {
            Some((refused, "the path of the program is neither absolute nor a bare name".into()))
        }
        _ => None,
    }
}

/// Whether a quote that begins a word has no end, by the rules of systemd.syntax(7): a quote within a word counts too, and a
/// backslash takes the meaning from what follows it.
fn unbalanced(line: &str) -> bool {
    let mut quote = None;
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match (c, quote) {
            ('\\', _) => {
                characters.next();
            }
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            _ => {}
        }
    }
    quote.is_some()
}

/// Whether systemd reads it as a span of time, systemd.time(7).
fn is_time_span(value: &str) -> bool {
    const UNITS: [&str; 31] = [
        "", "usec", "us", "µs", "μs", "nsec", "ns", "msec", "ms", "seconds", "second", "sec", "s", "minutes",
        "minute", "min", "m", "hours", "hour", "hr", "h", "days", "day", "d", "weeks", "week", "w", "months",
        "month", "M", "years",
    ];
    if value == "infinity" {
        return true;
    }
    let mut rest = value;
    while !rest.is_empty() {
        let number = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        if number.len() == rest.len() {
            return false;
        }
        let word = number.trim_start();
        let end = word.find(|c: char| c.is_ascii_digit() || c.is_whitespace()).unwrap_or(word.len());
        let (unit, after) = word.split_at(end);
        if !UNITS.contains(&unit) && !matches!(unit, "year" | "y") {
            return false;
        }
        rest = after.trim_start();
    }
    true
}

/// The name of the unit that mounts at a path of plain characters; systemd-escape(1) tells those of others.
fn mount_name(path: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.');
    let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
    if !path.starts_with('/') || !path.chars().all(plain) || parts.iter().any(|part| part.starts_with('.')) {
        return None;
    }
    Some(match parts.is_empty() {
        true => "-.mount".to_owned(),
        false => format!("{}.mount", parts.join("/").replace('-', "\\x2d").replace('/', "-")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Host, Target};

    /// What is wrong with a unit of this name and text: whether it is refused, the line, and why.
    fn wrong(name: &str, text: &str) -> Vec<(bool, Option<u32>, String)> {
        let mut files = Files::new();
        files.file(format!("/etc/systemd/system/{name}"), text);
        let units = Units::of(&Host::new(files, Target::root("x")));
        problems(&units).items.into_iter().map(|p| (p.refused, p.at.line, p.what)).collect()
    }

    fn service(text: &str) -> Vec<(bool, Option<u32>, String)> {
        wrong("a.service", text)
    }

    #[test]
    fn good_units_have_no_problem() {
        for text in [
            "[Unit]\n[Service]\nExecStart=/bin/a\n[Install]\nWantedBy=x.target\n[X-Mine]\na=b\n",
            "[Service]\nType=oneshot\nExecStart=-/bin/a \"b c\"\nExecStart=b\nRestart=on-failure\nTimeoutSec=1min 30s\n",
            "[Service]\nExecStop=/bin/b\nRemainAfterExit=yes\n",
            "[Unit]\r\nSuccessAction=exit\r\n[Service]\r\nRestartSec=0.5\r\n",
            "[Service]\nExecStart=/bin/a\nExecStart=\nExecStart=/bin/b\nLimitNOFILE=infinity\nUser=%i\nWorkingDirectory=-/x\n",
        ] {
            assert_eq!(service(text), [], "{text}");
        }
        assert_eq!(wrong("mnt-a\\x2db.mount", "[Mount]\nWhat=/dev/sda\nWhere=/mnt/a-b/\n"), []);
        assert_eq!(wrong("a.timer", "[Timer]\nOnBootSec=1\n"), []);
        assert_eq!(wrong("a.target", "[Unit]\nDescription=x\n"), []);
    }

    #[test]
    fn what_systemd_refuses_is_refused() {
        for (text, line) in [
            ("#\n", None),
            ("[Servce]\nExecStart=/bin/a\n", None),
            ("[Service]\nExecStop=/bin/a\n", None),
            ("[Service]\nExecStart=/bin/a\nExecStart=/bin/b\n", Some(3)),
            ("[Service]\nType=oneshot\nRestart=always\nExecStart=/bin/a\n", Some(3)),
            ("[Service]\nType=dbus\nExecStart=/bin/a\n", None),
            ("[Service]\nExecStart=./a\n", Some(2)),
            ("[Service]\nExecStart=/bin/\n", Some(2)),
            ("[Service]\nExecStart=@!/bin/sh -c \"a\n", Some(2)),
            ("[Service]\nExecStart=/bin/a\nGroup=a:b\n", Some(3)),
            ("[Service]\nExecStart=/bin/a\nWorkingDirectory=opt\n", Some(3)),
            ("[Service]\nExecStart=/bin/a\n[Install\n", Some(3)),
        ] {
            let found = service(text);
            assert!(found.iter().any(|p| p.0 && p.1 == line), "{text}: {found:?}");
        }
        for (name, text) in [
            ("a.socket", "[Socket]\nAccept=no\n"),
            ("a.timer", "[Timer]\nUnit=b.service\n"),
            ("a.path", "[Path]\nUnit=b.service\n"),
            ("mnt.mount", "[Mount]\nWhere=/mnt\n"),
            ("mnt.mount", "[Mount]\nWhat=/dev/sda\nWhere=/data\n"),
            ("a.swap", "[Swap]\n"),
        ] {
            assert!(wrong(name, text).iter().any(|p| p.0), "{name}: {text}");
        }
    }

    #[test]
    fn what_systemd_passes_over_is_told_and_not_refused() {
        let good = "[Service]\nExecStart=/bin/a\n";
        for line in [
            "Type=simpel",
            "Restart=allways",
            "KillMode=x",
            "RemainAfterExit=maybe",
            "RestartSec=5x",
            "LimitNOFILE=unlimited",
            "EnvironmentFile=x",
            "no assignment",
            "[Sevice]\nUser=x",
            "ExecStartPre=-./x",
        ] {
            let found = service(&format!("{good}{line}\n"));
            assert!(matches!(found[..], [(false, Some(3 | 4), _)]), "{line}: {found:?}");
        }
        assert_eq!(service(&format!("User=x\n{good}")).len(), 1);
    }

    #[test]
    fn only_what_is_under_etc_is_looked_at() {
        let mut files = Files::new();
        files
            .file("/usr/lib/systemd/system/a.service", "[Servce]\n")
            .file("/usr/lib/systemd/system/b.service", "[Service]\nType=odd\nExecStart=/b\n")
            .file("/etc/systemd/system/b.service.d/x.conf", "[Service]\nExecStart=/c\n[\n")
            .link("/etc/systemd/system/c.service", "/dev/null")
            .deny("/etc/systemd/system/d.service");
        let units = Units::of(&Host::new(files, Target::root("x")));
        let found = problems(&units);
        let told: Vec<_> =
            found.items.iter().map(|p| (p.unit.as_str(), p.refused, p.at.to_string())).collect();
        assert_eq!(
            told,
            [
                ("b.service", false, "/etc/systemd/system/b.service.d/x.conf:3".to_owned()),
                ("b.service", true, "/etc/systemd/system/b.service.d/x.conf:2".to_owned()),
            ]
        );
        assert_eq!(found.unread.len(), 1);
    }
}
