//! Prometheus: where its data is, and how many files that is.

use super::Fact;
use crate::format::{printed_processes, units::Units};
use crate::model::Lazy;
use crate::record;
use crate::source::{At, FileKind, Host, Missing, Optional, Reading, Reason, Unreadable};
use std::path::Path;

record! {
    /// A Prometheus server: the one that runs, else the one that its unit starts.
    ///
    /// ```text
    /// /etc/systemd/system/prometheus.service          ExecStart=/opt/prometheus --storage.tsdb.path=/mnt/prometheus
    /// /mnt/prometheus/01C5R5MZVFFKSKGR7JRKEZXXPZ/     a block, with the files index, meta.json and chunks/000001
    /// ```
    ///
    /// Source: <https://prometheus.io/docs/prometheus/latest/storage/>. Of several the one with the lowest pid is taken. Absent
    /// where none runs and no prometheus.service starts one.
    pub struct Prometheus {
        /// Its process; absent where none runs.
        pub pid: Option<u32>,
        /// The directory of its data: `--storage.tsdb.path`, else what its build has as the default. Absent where that cannot be
        /// told, as it is relative to a directory that is not known or in a variable of the unit.
        pub data_dir: Option<String>,
        /// How many blocks there are; each holds hours to weeks of data.
        pub blocks: Lazy<u64>,
        /// How many files the blocks have that Prometheus keeps open: an index each, and their chunks.
        pub block_files: Lazy<u64>,
        /// Where its command line was read.
        pub at: At,
    }
}

/// Where Debian's build has its data if nothing is said; others have it in `data` of the working directory.
const DEBIANS: &str = "/var/lib/prometheus/metrics2";

/// More than any retention makes.
const MOST: usize = 20_000;

impl Fact for Prometheus {
    const NAME: &'static str = "prometheus";
    const READS: &'static [&'static str] = &[
        "/{etc,run,usr/local/lib,usr/lib,lib}/systemd/system/prometheus.service",
        "/{etc,run,usr/local/lib,usr/lib,lib}/systemd/system/prometheus.service.d/*.conf",
        "/proc/PID/stat",
        "/proc/PID/cmdline",
        printed_processes::LONG,
        printed_processes::GROUPS,
        "/proc/PID/cwd",
        "the directory of its data",
    ];

    fn collect(host: &Host) -> Reading<Self> {
        let (pid, arguments, dir, at) = match running(host)? {
            Some(found) => found,
            None => configured(host)?,
        };
        let data_dir = match option(&arguments, "storage.tsdb.path") {
            Some(path) if path.starts_with('/') => Some(path),
            None if host.exists(DEBIANS).is_ok_and(|there| there) => Some(DEBIANS.to_owned()),
            // A unit may have the option in a variable.
            None if pid.is_none() => None,
            path => {
                let path = path.as_deref().unwrap_or("data");
                dir.map(|dir| format!("{}/{path}", dir.trim_end_matches('/')))
            }
        };
        let (first, second) = ((host.clone(), data_dir.clone()), (host.clone(), data_dir.clone()));
        Ok(Self {
            pid,
            data_dir,
            blocks: Lazy::new(move || Ok(blocks(&first.0, first.1.as_deref())?.len() as u64)),
            block_files: Lazy::new(move || {
                let mut files = 0;
                for block in blocks(&second.0, second.1.as_deref())? {
                    // Without chunks it has just been deleted, or is being written.
                    let chunks = second.0.names(&format!("{block}/chunks")).optional()?;
                    files += 1 + chunks.unwrap_or_default().len() as u64;
                }
                Ok(files)
            }),
            at,
        })
    }
}

/// The process, its arguments, its working directory, and where that was read.
type Found = (Option<u32>, Vec<String>, Option<String>, At);

fn running(host: &Host) -> Reading<Option<Found>> {
    let lines = match host.processes() {
        Err(Missing::Absent) => return Ok(None),
        Err(missing) if missing.is_not_collected() => return printed(host, missing),
        lines => lines?,
    };
    for line in lines.iter().filter(|line| line.comm() == Some("prometheus")) {
        let pid = line.pid;
        let path = format!("/proc/{pid}/cmdline");
        let Some(line) = host.read_text(&path).optional()? else {
            continue;
        };
        let arguments = line.split('\0').skip(1).map(str::to_owned).collect();
        // Only root and its own user may know.
        let dir = host.source.read_link(Path::new(&format!("/proc/{pid}/cwd")));
        let dir = dir.ok().map(|dir| dir.to_string_lossy().into_owned());
        return Ok(Some((Some(pid), arguments, dir, At::file(path))));
    }
    Ok(None)
}

/// The one that ps printed, in a report that has no more of it.
fn printed(host: &Host, missing: Missing) -> Reading<Option<Found>> {
    let list = match printed_processes::list(host) {
        Err(elsewhere) if elsewhere.is_elsewhere() => return Err(missing),
        list => list?,
    };
    Ok(list.into_iter().find(|process| process.comm == "prometheus").map(|process| {
        let arguments = process.command.split_ascii_whitespace().skip(1).map(str::to_owned).collect();
        (Some(process.pid), arguments, None, At::file(printed_processes::LONG))
    }))
}

fn configured(host: &Host) -> Reading<Found> {
    let unit = match Units::of(host).load("prometheus.service") {
        // A directory or the like in its place.
        Err(Missing::Unreadable(Unreadable { reason: Reason::WrongKind(_), .. })) => Err(Missing::Absent),
        unit => unit,
    }?;
    let starts = unit.list("Service", "ExecStart");
    let (start, at) = starts.last().ok_or(Missing::Absent)?;
    let words = start.value.split_ascii_whitespace().skip(1);
    let arguments = words.map(|word| word.replace(['"', '\''], "")).collect();
    let dir = unit.value("Service", "WorkingDirectory").unwrap_or("/");
    Ok((None, arguments, Some(dir.to_owned()), at.clone()))
}

/// The value of `--name=value` or `--name value`; one dash did as well before version 2.
fn option(arguments: &[String], name: &str) -> Option<String> {
    let mut arguments = arguments.iter();
    let mut found = None;
    while let Some(argument) = arguments.next() {
        let Some(rest) = argument.trim_start_matches('-').strip_prefix(name) else { continue };
        match rest.strip_prefix('=') {
            Some(value) => found = Some(value.to_owned()),
            None if rest.is_empty() => found = arguments.next().cloned(),
            None => {}
        }
    }
    found.filter(|path| !path.contains(['$', '%']))
}

/// The directories of the blocks, which are named by a ULID.
fn blocks(host: &Host, data_dir: Option<&str>) -> Reading<Vec<String>> {
    let dir = data_dir.ok_or(Missing::Absent)?;
    let entries = host.source.list(Path::new(dir))?;
    let names = entries.into_iter().filter(|e| matches!(e.kind, FileKind::Directory | FileKind::Other));
    let names = names.map(|e| e.name.to_string_lossy().into_owned()).filter(|name| is_ulid(name));
    Ok(names.take(MOST).map(|name| format!("{dir}/{name}")).collect())
}

/// 26 characters of Crockford's base 32, which has no I, L, O and U.
fn is_ulid(name: &str) -> bool {
    name.len() == 26
        && name.bytes().all(|b| b.is_ascii_digit() || (b.is_ascii_uppercase() && !b"ILOU".contains(&b)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    const BLOCK: &str = "/data/01C5R5MZVFFKSKGR7JRKEZXXPZ";

    fn collect(files: &Files) -> Reading<Prometheus> {
        Prometheus::collect(&Host::new(files.clone(), Target::root("x")))
    }

    fn unit(exec: &str) -> Files {
        let mut files = Files::new();
        files.file("/etc/systemd/system/prometheus.service", format!("[Service]\nExecStart={exec}\n"));
        files
    }

    #[test]
    fn blocks_and_their_files_are_counted() {
        let mut files = unit("/opt/prometheus \\\n --storage.tsdb.path=\"/data\" \\\n --x");
        files
            .file(format!("{BLOCK}/index"), "")
            .file(format!("{BLOCK}/chunks/000001"), "")
            .file(format!("{BLOCK}/chunks/000002"), "")
            .file("/data/01C5P0YNNDTGNFYZ7VFMDBCG5C/meta.json", "")
            .file("/data/wal/00000001", "")
            .file("/data/01C5P0YNNDTGNFYZ7VFMDBCG5D", "");
        let found = collect(&files).unwrap();
        assert_eq!(found.data_dir.as_deref(), Some("/data"));
        assert_eq!((found.blocks.get().copied(), found.block_files.get().copied()), (Ok(2), Ok(4)));
        assert_eq!(found.at, At::line("/etc/systemd/system/prometheus.service", 2));
    }

    #[test]
    fn the_one_that_runs_comes_first() {
        let mut files = unit("/opt/prometheus --storage.tsdb.path=/data");
        files
            .file("/proc/7/stat", "7 (prometheus) S 1\n")
            .file("/proc/7/cmdline", "prometheus\0--storage.tsdb.path\0data\0")
            .link("/proc/7/cwd", "/srv");
        let found = collect(&files).unwrap();
        assert_eq!((found.pid, found.data_dir.as_deref()), (Some(7), Some("/srv/data")));
        assert_eq!(found.blocks.get().copied(), Err(Missing::Absent));
    }

    #[test]
    fn a_drop_in_has_the_last_word() {
        let mut files = unit("/opt/prometheus --storage.tsdb.path=/data");
        let drop_in = "/etc/systemd/system/prometheus.service.d/data.conf";
        files.file(
            drop_in,
            "[Service]\nExecStart=\nExecStart=/opt/prometheus --storage.tsdb.path=/srv/data\n",
        );
        let found = collect(&files).unwrap();
        assert_eq!((found.data_dir.as_deref(), found.at), (Some("/srv/data"), At::line(drop_in, 3)));
    }

    #[test]
    fn what_is_not_said_is_absent_and_denied_is_unreadable() {
        assert_eq!(collect(&Files::new()).unwrap_err(), Missing::Absent);
        let mut masked = Files::new();
        masked
            .link("/etc/systemd/system/prometheus.service", "/dev/null")
            .special("/dev/null", FileKind::Character);
        assert_eq!(collect(&masked).unwrap_err(), Missing::Absent);
        for exec in
            ["/usr/bin/prometheus $ARGS", "/usr/bin/prometheus --storage.tsdb.path=${DATA}", "\0\u{fffd}"]
        {
            assert_eq!(collect(&unit(exec)).unwrap().data_dir, None, "{exec:?}");
        }
        assert_eq!(collect(&unit("")).unwrap_err(), Missing::Absent);
        let mut files = unit("/usr/bin/prometheus $ARGS");
        files.directory("/var/lib/prometheus/metrics2");
        assert_eq!(collect(&files).unwrap().data_dir.as_deref(), Some("/var/lib/prometheus/metrics2"));
        let mut files = Files::new();
        files.file("/proc/7/stat", "7 (prometheus) S 1\n").file("/proc/7/cmdline", "prometheus\0");
        assert_eq!(collect(&files).unwrap().data_dir, None);
        files.link("/proc/7/cwd", "/");
        assert_eq!(collect(&files).unwrap().data_dir.as_deref(), Some("/data"));
        let mut files = unit("/opt/prometheus --storage.tsdb.path=/data");
        files.deny("/data");
        assert!(matches!(collect(&files).unwrap().blocks.get(), Err(Missing::Unreadable(_))));
        files.deny("/etc/systemd/system/prometheus.service");
        assert!(matches!(collect(&files), Err(Missing::Unreadable(_))));
    }
}
