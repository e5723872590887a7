//! Sockets that go wrong on this very host, on the loopback network, in small numbers; and what hostvet says of them.
//!
//! No root is needed. Where /proc does not tell of sockets, or the kernel is older than the counts that are used, a test
//! says so and ends. The thresholds are set low, in a configuration, as a user would.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use hostvet::fact::{Fact, tcp::Tcp};
use hostvet::source::{Entry, Host, Live, Question, Reading, Source, Space, Stat, Target};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, socket};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// One test at a time: an ordinary user's process may have but 1024 descriptors.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why this host cannot be used for it.
fn unfit() -> Option<String> {
    let files = ["sockstat", "snmp", "netstat", "protocols", "tcp"].map(|name| format!("/proc/net/{name}"));
    if let Some(file) = files.iter().find(|file| fs::read_to_string(file).is_err()) {
        return Some(format!("{file} cannot be read"));
    }
    let version = kernel();
    (version < (4, 16)).then(|| format!("the kernel is {version:?}"))
}

fn kernel() -> (u32, u32) {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split('.').map(|n| n.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// Whether the kernel tells of listening sockets over netlink.
fn answers() -> bool {
    Live.ask(Question::TcpSockets { states: 1 << 10, info: false }).is_ok()
}

/// How a process is named in a finding that names this one: `live_sockets-1 (4711, 120)`, without what follows the pid.
fn me() -> String {
    format!("({}", std::process::id())
}

/// What `hostvet check` finds by this rule, with these parameters: messages and remedies.
fn found(rule: &str, params: &str) -> Vec<String> {
    let config = tempfile::NamedTempFile::new().unwrap();
    fs::write(&config, format!("[params.\"{rule}\"]\n{params}")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_hostvet"))
        .args(["check", "--select", rule, "--format", "json", "--config"])
        .arg(config.path())
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).expect("no report");
    let findings = report["findings"].as_array().unwrap();
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    findings.iter().map(|f| text(f, "message") + "\n" + &text(f, "remedy")).collect()
}

/// Asks until it is found, or for five seconds: the kernel ends connections in its own time.
fn assert_found(rule: &str, params: &str, says: &[&str]) {
    let started = Instant::now();
    loop {
        let texts = found(rule, params);
        if texts.iter().any(|text| says.iter().all(|part| text.contains(part))) {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(5), "{rule} does not say {says:?}: {texts:#?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn listener() -> Option<(TcpListener, SocketAddr)> {
    let why = unfit().or_else(|| TcpListener::bind("127.0.0.1:0").err().map(|e| e.to_string()));
    if let Some(why) = why {
        eprintln!("skipped: {why}");
        return None;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    Some((listener, address))
}

/// A connection's two ends: the client's, and the server's.
fn connect((listener, address): &(TcpListener, SocketAddr)) -> (TcpStream, TcpStream) {
    let client = TcpStream::connect(address).unwrap();
    (client, listener.accept().unwrap().0)
}

#[test]
fn sockets_that_are_kept_after_a_reset_are_leaked() {
    let _alone = alone();
    let Some(listener) = listener() else { return };
    let leaked: Vec<_> = (0..200)
        .map(|_| {
            let (mut client, server) = connect(&listener);
            // To close with something unread is to reset.
            client.write_all(b"x").unwrap();
            while server.peek(&mut [0]).unwrap() == 0 {}
            client
        })
        .collect();
    assert_found(
        "net/sockets-leaked",
        "least = 150\ntimes = 0\nholder = 150\n",
        &["TCP sockets neither listen nor have a connection", &me()],
    );
    drop(leaked);
}

fn new_socket() -> OwnedFd {
    socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap()
}

#[test]
fn sockets_that_are_never_connected_are_leaked_and_the_program_is_named() {
    let _alone = alone();
    if listener().is_none() {
        return;
    }
    let leaked: Vec<_> = (0..300).map(|_| new_socket()).collect();
    let says = ["TCP sockets neither listen nor have a connection", &me()];
    assert_found("net/sockets-leaked", "least = 250\ntimes = 0\nholder = 250\n", &says);
    drop(leaked);
}

#[test]
fn ports_of_sockets_that_are_only_bound_are_counted() {
    let _alone = alone();
    if listener().is_none() || !answers() || kernel() < (6, 8) {
        eprintln!("skipped: the kernel does not tell");
        return;
    }
    let bound: Vec<_> = (0..50).map(|_| new_socket()).collect();
    bound.iter().for_each(|fd| bind(fd.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).unwrap());
    let says = ["local ports are taken", "most are held by", &me()];
    assert_found("net/ports-near-exhaustion", "percent = 0\n", &says);
    assert!(*tcp(Live).bound_ports.get().unwrap() >= 50);
    drop(bound);
}

#[test]
fn connections_that_only_the_peer_has_closed_pile_up() {
    let _alone = alone();
    let Some(listener) = listener() else { return };
    let kept: Vec<_> = (0..120).map(|_| connect(&listener).0).collect();
    let says = [&format!("120 with {}", listener.1), &*format!("{}, 120)", me())];
    assert_found("net/close-wait-pile", "few = 100\nmany = 100\n", &says);
    drop(kept);
}

#[test]
fn a_full_accept_queue_turns_connections_away() {
    let _alone = alone();
    let Some(listener) = listener() else { return };
    // As many as wait, until one is turned away; the standard library asks for a backlog of 128 or of all there is.
    let mut waiting = Vec::new();
    while waiting.len() < 6000 {
        match TcpStream::connect_timeout(&listener.1, Duration::from_millis(200)) {
            Ok(stream) => waiting.push(stream),
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => break,
            Err(error) => {
                eprintln!("skipped: {error} at connection {}", waiting.len());
                return;
            }
        }
    }
    let of = if answers() { format!(" of {}", waiting.len() - 1) } else { String::new() };
    let says = format!("{}{of} for 127.0.0.1 port {}", waiting.len(), listener.1.port());
    assert_found(
        "net/listen-overflow",
        "least = 1\npercent = 0\n",
        &[&says, "The fullest queue is held by", &me()],
    );
    drop(waiting);
}

#[test]
fn ports_towards_one_end_are_counted() {
    let _alone = alone();
    let Some(listener) = listener() else { return };
    let connections: Vec<_> = (0..60).map(|_| connect(&listener)).collect();
    let says = format!("60 connections from 127.0.0.1 to 127.0.0.1 port {}, 0 of them", listener.1.port());
    assert_found("net/ports-to-one-end", "percent = 0\n", &[&says]);
    drop(connections);
}

#[test]
fn connections_that_stay_open_to_one_end_are_leaked_and_the_program_is_named() {
    let _alone = alone();
    let Some(listener) = listener() else { return };
    let connections: Vec<_> = (0..150).map(|_| connect(&listener)).collect();
    let says = [
        &format!("150 connections from 127.0.0.1 to 127.0.0.1 port {}", listener.1.port()),
        &*format!("{}, 150)", me()),
    ];
    assert_found("net/established-leak", "many = 100\ntimes = 0\nidle_seconds = 0\n", &says);
    // Idle for as long as this test has run is not idle for an hour.
    if answers() {
        let found = found("net/established-leak", "many = 100\ntimes = 0\n");
        assert!(!found.iter().any(|text| text.contains(says[0])), "{found:#?}");
    }
    drop(connections);
}

#[test]
fn a_port_without_a_listener_is_missed() {
    let _alone = alone();
    let Some((listener, address)) = listener() else { return };
    let params = format!("listen = [{}]\n", address.port());
    assert_eq!(found("net/expected-ports", &params), Vec::<String>::new());
    drop(listener);
    let says = format!("nothing listens on TCP port {}", address.port());
    assert_found("net/expected-ports", &params, &[&says]);
}

/// This host, without its kernel's answers: only files.
#[derive(Debug)]
struct NotAsked;

impl Source for NotAsked {
    fn read(&self, path: &Path, cap: u64) -> Reading<Vec<u8>> {
        Live.read(path, cap)
    }

    fn list(&self, path: &Path) -> Reading<Vec<Entry>> {
        Live.list(path)
    }

    fn stat(&self, path: &Path) -> Reading<Stat> {
        Live.stat(path)
    }

    fn lstat(&self, path: &Path) -> Reading<Stat> {
        Live.lstat(path)
    }

    fn read_link(&self, path: &Path) -> Reading<PathBuf> {
        Live.read_link(path)
    }

    fn statvfs(&self, path: &Path) -> Reading<Space> {
        Live.statvfs(path)
    }
}

fn tcp(source: impl Source + 'static) -> Tcp {
    Tcp::collect(&Host::new(source, Target::live())).unwrap()
}

#[test]
fn the_kernel_and_proc_tell_the_same() {
    let _alone = alone();
    let Some(listener) = listener() else { return };
    if !answers() {
        eprintln!("skipped: the kernel may not be asked");
        return;
    }
    let connections: Vec<_> = (0..40).map(|_| connect(&listener)).collect();
    let half_closed: Vec<_> = (0..7).map(|_| connect(&listener).0).collect();
    let seen = |tcp: &Tcp| {
        let port = listener.1.port();
        let own = tcp.listening.iter().find(|l| l.port == port).unwrap();
        let own =
            (own.address.clone(), own.accept_queue, own.uid, own.inode, own.in_local_port_range.clone());
        let to: Vec<_> = tcp.destinations.get().unwrap().iter().filter(|d| d.port == port).collect();
        let to: Vec<_> = to.iter().map(|d| (d.local_ports, d.time_wait, d.established)).collect();
        let end = listener.1.to_string();
        let waiting: Vec<_> =
            tcp.close_wait.get().unwrap().iter().filter(|c| c.end == end).map(|c| c.count).collect();
        // Those that the other tests change from one moment to the next are left out.
        let quiet: BTreeMap<_, _> = tcp
            .states
            .get()
            .unwrap()
            .clone()
            .into_iter()
            .filter(|(state, _)| matches!(&**state, "CLOSING" | "LAST_ACK"))
            .collect();
        (own, to, waiting, quiet)
    };
    let started = Instant::now();
    loop {
        let (asked, read) = (tcp(Live), tcp(NotAsked));
        assert_eq!(
            (asked.at.to_string(), read.at.to_string()),
            ("sock_diag(7)".into(), "/proc/net/tcp".into())
        );
        let (left, right) = (seen(&asked), seen(&read));
        if left == right && left.1 == [(47, 0, 40)] && left.2 == [7] {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(5), "{left:?}\n{right:?}");
    }
    drop((connections, half_closed));
}
