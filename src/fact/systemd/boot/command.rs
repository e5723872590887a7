//! The programs that a service starts with.

use crate::format::units::{Assignment, Loaded};
use crate::source::octal;
use crate::source::{At, FileKind, Host, Missing, Reading, Reason};
use crate::{record, word};
use std::path::Path;

word! {
    /// What is at the path of a command.
    pub enum CommandState {
        /// A regular file that may be executed.
        Executable = "executable",
        /// Nothing.
        Missing = "missing",
        /// A regular file that nobody may execute.
        NotExecutable = "not-executable",
        /// A directory or device.
        NoFile = "no-file",
    }
}

record! {
    /// A command line of a service.
    #[derive(Clone, PartialEq)]
    pub struct UnitCommand {
        /// The setting: `ExecStart` or `ExecStartPre`.
        pub setting: String,
        /// The program: the first word without its prefixes; a bare name as it is written.
        pub program: String,
        /// Whether its failure counts for nothing, as the line begins with `-`.
        pub ignores_failure: bool,
        /// What is at that path; of a bare name, in the directories where systemd looks. Unreadable where it would be on a file
        /// system of fstab that is not mounted in this tree.
        pub state: Reading<CommandState>,
        /// Where it was read.
        pub at: At,
    }
}

/// Where systemd looks for a bare name, systemd.exec(5).
const PATH: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Settings with which the program is looked for elsewhere, or what is at its path is replaced.
const ELSEWHERE: [&str; 11] = [
    "RootDirectory",
    "RootImage",
    "RootHash",
    "ExecSearchPath",
    "BindPaths",
    "BindReadOnlyPaths",
    "MountImages",
    "ExtensionImages",
    "ExtensionDirectories",
    "TemporaryFileSystem",
    "RootEphemeral",
];

pub(super) struct Programs<'a> {
    host: &'a Host,
    /// The mount points of fstab that have nothing in them.
    unmounted: Vec<String>,
}

impl<'a> Programs<'a> {
    pub(super) fn of(host: &'a Host) -> Self {
        let text = host.read_text("/etc/fstab").unwrap_or_default();
        let points = mount_points(&text);
        let empty = |point: &String| match host.source.list(Path::new(point)) {
            Ok(entries) => entries.iter().all(|entry| entry.name == "lost+found"),
            Err(_) => true,
        };
        Self { host, unmounted: points.into_iter().filter(empty).collect() }
    }

    /// The programs of a service.
    pub(super) fn commands(&self, loaded: &Loaded) -> Vec<UnitCommand> {
        if ELSEWHERE.iter().any(|key| loaded.value("Service", key).is_some()) {
            return Vec::new();
        }
        let of = |key| {
            loaded
                .list("Service", key)
                .into_iter()
                .filter_map(move |assignment| self.command(key, assignment))
        };
        of("ExecStartPre").chain(of("ExecStart")).collect()
    }

    fn command(&self, setting: &str, (found, at): &Assignment) -> Option<UnitCommand> {
        let line = found.value.trim_start_matches(['-', '@', ':', '+', '!', '|']);
        let ignores_failure = found.value.get(..found.value.len() - line.len())?.contains('-');
        let program = first_word(line)?;
        if program.is_empty() || program.contains(['%', '$', '\\', '\'', '"']) {
            return None;
        }
        let state = self.state(&program);
        Some(UnitCommand { setting: setting.to_owned(), program, ignores_failure, state, at: at.clone() })
    }

    fn state(&self, program: &str) -> Reading<CommandState> {
        if program.starts_with('/') {
            return self.at(program);
        }
        for dir in PATH {
            match self.at(&format!("{dir}/{program}"))? {
                CommandState::Executable => return Ok(CommandState::Executable),
                _ => continue,
            }
        }
        Ok(CommandState::Missing)
    }

    fn at(&self, path: &str) -> Reading<CommandState> {
        let state = match self.host.source.stat(Path::new(path)) {
            Ok(stat) if stat.kind != FileKind::File => CommandState::NoFile,
            Ok(stat) if stat.mode & 0o111 == 0 => CommandState::NotExecutable,
            Ok(_) => return Ok(CommandState::Executable),
            Err(Missing::Absent) => CommandState::Missing,
            Err(unreadable) => return Err(unreadable),
        };
        let below =
            |point: &&String| path.strip_prefix(point.as_str()).is_some_and(|rest| rest.starts_with('/'));
        match self.unmounted.iter().find(below) {
            Some(point) => {
                let what = format!("is to be on {point}, which fstab mounts and where nothing is now");
                Err(Missing::unreadable(path, Reason::NotRead(what)))
            }
            None => Ok(state),
        }
    }
}

/// The first word of a command line, out of its quotes; what is quoted within a word stays as it is.
fn first_word(line: &str) -> Option<String> {
    let line = line.trim_start();
    for quote in ['"', '\''] {
        if let Some(rest) = line.strip_prefix(quote) {
            return rest.split_once(quote).map(|(word, _)| word.to_owned());
        }
    }
    line.split_ascii_whitespace().next().map(str::to_owned)
}

/// The mount points of fstab(5) other than the root.
fn mount_points(text: &str) -> Vec<String> {
    let second = |line: &str| octal::decode(line.split_ascii_whitespace().nth(1)?).into();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let points = lines.filter_map(second).map(|point: String| point.trim_end_matches('/').to_owned());
    points.filter(|point| point.starts_with('/')).take(10_000).collect()
}
