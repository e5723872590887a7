//! Two readings of the host that the tests run on: what is done meanwhile is seen, by whom, and how much at least.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use hostvet::engine::{Library, judge};
use hostvet::fact::process::{Process, ProcessEntry};
use hostvet::fact::{Fact, Facts, counters};
use hostvet::source::{Host, Live, Target};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// A program that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(program: &str, args: &[&str]) -> Running {
    Running(Command::new(program).args(args).stdin(Stdio::null()).spawn().unwrap())
}

fn sampled() -> Host {
    Host::new(Live, Target::live()).sampled(&counters(), Duration::from_secs(1))
}

fn process(host: &Host, pid: u32) -> ProcessEntry {
    let list = Process::collect(host).unwrap().list;
    list.items.into_iter().find(|process| process.pid == pid).expect("the process is there")
}

#[test]
fn a_loop_takes_cpu_time_now() {
    let busy = run("sh", &["-c", "while :; do :; done"]);
    let host = sampled();
    let process = process(&host, busy.0.id());
    let percent = process.cpu_percent.get().unwrap().0.clone().unwrap();
    assert!(percent > 0.0, "{percent}");
    // How much of a CPU it gets is the machine's affair.
    let params = BTreeMap::from([("percent".to_owned(), toml::Value::Float(percent))]);
    let (rules, _) = Library::embedded().compile(&BTreeMap::from([("load/cpu-hog".to_owned(), params)]));
    let rule = rules.iter().find(|rule| rule.about.id == "load/cpu-hog").unwrap();
    let outcome = judge(rule, &Facts::new(host));
    assert_eq!(outcome.findings.len(), 1, "{outcome:?}");
    assert!(outcome.findings[0].message.contains("now"), "{outcome:?}");
}

#[test]
fn what_is_new_has_no_rate() {
    let old = run("sleep", &["60"]);
    let host = sampled();
    let new = run("sleep", &["60"]);
    assert!(process(&host, old.0.id()).cpu_percent.get().unwrap().0.is_ok());
    assert!(process(&host, new.0.id()).cpu_percent.get().is_err());
}

/// Bytes that this process has had written, where the kernel counts them and tells.
fn written() -> Option<u64> {
    let io = fs::read_to_string("/proc/self/io").ok()?;
    io.lines().find_map(|line| line.strip_prefix("write_bytes: ")?.parse().ok())
}

#[test]
fn a_writer_is_seen() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let write = || {
        let mut file = File::create(directory.path().join("data")).unwrap();
        file.write_all(&[7; 1 << 20]).unwrap();
        file.sync_all().unwrap();
    };
    let before = written();
    write();
    // Not told, or a file system in memory.
    if before == written() {
        return;
    }
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                write();
            }
        });
        let host = sampled();
        done.store(true, Ordering::Relaxed);
        let process = process(&host, std::process::id());
        let rate = process.write_bytes_per_s.get().unwrap().0.clone().unwrap();
        assert!(rate > 0.0, "{rate}");
        assert!(*process.write_bytes.get().unwrap() > 0);
    });
}

#[test]
fn an_ended_child_is_a_zombie_until_it_is_waited_for() {
    let ended = run("true", &[]);
    let stat = format!("/proc/{}/stat", ended.0.id());
    while !fs::read_to_string(&stat).unwrap().contains(") Z ") {
        thread::sleep(Duration::from_millis(5));
    }
    let host = Host::new(Live, Target::live());
    assert_eq!(process(&host, ended.0.id()).state, "Z");
    assert!(process(&host, std::process::id()).zombies >= 1);
}
