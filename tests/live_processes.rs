//! Processes and memory that go wrong on this very host, in small numbers; and what hostvet says of them.
//!
//! No root is needed. Where a tool or a permission is missing a test says so and ends. Thresholds are set low, in a
//! configuration, as a user would.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use serde_json::Value;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

/// A process that lives as long as this value does.
struct Alive {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Alive {
    /// Runs a script, which says `ready` when it is, and then waits for the end of its input; none where it cannot.
    fn script(shell: &str, script: &str) -> Option<Self> {
        let mut command = Command::new(shell);
        command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().ok()?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().unwrap();
        let alive = Self { child, stdin };
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        (line == "ready\n").then_some(alive)
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.stdin = None;
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn hostvet(args: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_hostvet")).args(args).output().unwrap();
    serde_json::from_slice(&output.stdout).expect("no JSON")
}

/// What `hostvet check` finds by this rule, with these parameters: each finding's severity and message.
fn found(rule: &str, params: &str) -> Vec<(String, String)> {
    let mut config = tempfile::NamedTempFile::new().unwrap();
    write!(config, "[params.\"{rule}\"]\n{params}").unwrap();
    let config = config.path().to_str().unwrap();
    findings(&hostvet(&["check", "--select", rule, "--format", "json", "--config", config]))
}

fn findings(report: &Value) -> Vec<(String, String)> {
    let word = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let findings = report["findings"].as_array().unwrap();
    findings.iter().map(|f| (word(f, "severity"), word(f, "message"))).collect()
}

/// The one finding whose message begins with these words; looked for until it is there, or for five seconds.
fn find(rule: &str, params: &str, begins: &str) -> (String, String) {
    let started = Instant::now();
    loop {
        let all = found(rule, params);
        if let Some(finding) = all.iter().find(|(_, message)| message.starts_with(begins)) {
            return finding.clone();
        }
        assert!(started.elapsed() < Duration::from_secs(5), "{rule} does not say `{begins}…`: {all:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn skip(why: &str) {
    eprintln!("skipped: {why}");
}

#[test]
fn a_process_at_97_percent_of_its_descriptors_is_critical() {
    // Three and 494 more, which bash numbers from 10; perhaps some that were open before.
    let script =
        "ulimit -n 512 && for i in {1..494}; do exec {fd}</dev/null || exit; done; echo ready; read -r line";
    let Some(process) = Alive::script("bash", script) else { return skip("bash cannot open so many files") };
    let begins = format!("bash ({}, ", process.pid());
    let (severity, message) = find("limits/process-fd-near-limit", "", &begins);
    assert_eq!(severity, "critical");
    let open = message.split_once(" has ").and_then(|(_, rest)| rest.split_once(" of 512 files open"));
    let open: Option<u32> = open.and_then(|(count, _)| count.parse().ok());
    assert!(open.is_some_and(|count| (497..=512).contains(&count)), "{message}");
}

#[test]
fn a_deleted_file_that_is_open_takes_its_space() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = directory.join(format!("deleted-{}", std::process::id()));
    let mut file = File::create(&path).unwrap();
    file.write_all(&vec![b'x'; 8 << 20]).unwrap();
    file.sync_all().unwrap();
    // One with nothing but a hole in it takes none, whatever its size.
    let hole = directory.join(format!("hole-{}", std::process::id()));
    let sparse = File::create(&hole).unwrap();
    sparse.set_len(1 << 40).unwrap();
    fs::remove_file(&hole).unwrap();
    fs::remove_file(&path).unwrap();
    let pid = std::process::id();
    let process = own(pid);
    let deleted = &process["deleted"];
    if deleted["files"] == 0 {
        return skip("the build's directory is not on a disk of this host");
    }
    let bytes = deleted["bytes"].as_u64().unwrap();
    assert!((8 << 20..9 << 20).contains(&bytes), "{deleted}");
    assert_eq!(deleted["largest"], path.to_str().unwrap());
    let found = found("storage/deleted-open-files", "least_bytes = 4194304\n");
    let own: Vec<_> = found.iter().filter(|(_, message)| message.contains(&format!("({pid}, "))).collect();
    assert!(own.len() == 1 && own[0].1.contains("of disk in 2 deleted files"), "{found:?}");
    drop((file, sparse));
}

/// A process as the fact of all of them has it.
fn own(pid: u32) -> Value {
    let facts = hostvet(&["facts", "process"]);
    let list = facts["process"]["list"].as_array().unwrap();
    list.iter().find(|process| process["pid"] == pid).unwrap().clone()
}

#[test]
fn inotify_instances_and_watches_are_counted() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let script = format!("tail -f {} >/dev/null & echo ready; read -r line; kill $!", file.path().display());
    let Some(process) = Alive::script("sh", &script) else { return skip("no shell") };
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(5) {
        let facts = hostvet(&["facts", "process"]);
        let list = facts["process"]["list"].as_array().unwrap();
        let Some(tail) = list.iter().find(|p| p["ppid"] == process.pid() && p["comm"] == "tail") else {
            continue;
        };
        let users = facts["process"]["inotify"].as_array().unwrap();
        let holders = users.iter().filter_map(|user| user["holders"].as_array()).flatten();
        if let Some(holder) = holders.into_iter().find(|holder| holder["pid"] == tail["pid"]) {
            assert_eq!(holder["instances"], 1);
            assert!(holder["watches"].as_u64().unwrap() >= 1, "{holder}");
            return;
        }
    }
    skip("this tail(1) does not use inotify");
}

#[test]
fn children_that_nobody_waits_for_are_zombies() {
    // The shell becomes another program, which knows nothing of the children.
    let script = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do sleep 0.3 & done; echo ready; exec cat";
    let Some(process) = Alive::script("sh", script) else { return skip("no shell") };
    let params = "some = 20\nyoung_seconds = -1\n";
    let says = format!("cat ({}, ", process.pid());
    let started = Instant::now();
    loop {
        let all = found("load/zombies", params);
        if all.iter().any(|(_, message)| message.contains(&says)) {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(5), "no zombies of {says}: {all:?}");
    }
}

#[test]
fn a_process_that_was_stopped_is_told_of() {
    let Some(process) = Alive::script("sh", "echo ready; kill -STOP $$; read -r line") else {
        return skip("no shell");
    };
    let started = Instant::now();
    loop {
        let all = found("load/stopped-tasks", "seconds = -1\n");
        if all.iter().any(|(_, message)| message.contains(&process.pid().to_string())) {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(5), "{all:?}");
    }
}

/// Runs a script that may do what it likes in a name space of its own; then hostvet, with this rule and its parameters.
fn in_own(name_space: &str, script: &str, rule: &str, params: &str) -> Option<Vec<(String, String)>> {
    let mut config = tempfile::NamedTempFile::new().unwrap();
    write!(config, "[params.\"{rule}\"]\n{params}").unwrap();
    let script = format!(
        "{script}\nstatus=0; \"$1\" check --select {rule} --format json --config \"$2\" || status=$?; [ $status -le 1 ]"
    );
    let output = Command::new("unshare")
        .args(["--map-root-user", name_space, "sh", "-ec", &script, "sh", env!("CARGO_BIN_EXE_hostvet")])
        .arg(config.path())
        .output()
        .ok()?;
    output.status.success().then(|| findings(&serde_json::from_slice(&output.stdout).expect("no report")))
}

#[test]
fn a_tmpfs_without_bounds_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().canonicalize().unwrap();
    let script = format!("mount -t tmpfs -o size=100% none {}", path.display());
    let Some(found) = in_own("--mount", &script, "memory/tmpfs-can-fill-memory", "percent = 30\n") else {
        return skip("unshare(1) or mounting is refused here");
    };
    let begins = format!("the tmpfs at {} may hold", path.display());
    assert!(found.iter().any(|(_, message)| message.starts_with(&begins)), "{found:?}");
}

#[test]
fn message_queues_that_are_left_behind_are_counted() {
    let script = "i=0; while [ $i -lt 20 ]; do ipcmk -Q >/dev/null; i=$((i + 1)); done";
    let Some(found) = in_own("--ipc", script, "limits/ipc-shm-near", "percent = 0.01\n") else {
        return skip("unshare(1) or ipcmk(1) is refused here");
    };
    assert!(found.iter().any(|(_, m)| m.starts_with("there are 20 message queues of at most")), "{found:?}");
}
