//! Sockets that go wrong on this very host, on the loopback network, in small numbers; and what hostvet says of them.
//!
//! No root is needed. Where /proc does not tell of sockets, or the kernel is older than the counts that are used, a test
//! says so and ends. The thresholds are set low, in a configuration, as a user would.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use serde_json::Value;
use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

/// Why this host cannot be used for it.
fn unfit() -> Option<String> {
    let files = ["sockstat", "snmp", "netstat", "protocols", "tcp"].map(|name| format!("/proc/net/{name}"));
    if let Some(file) = files.iter().find(|file| fs::read_to_string(file).is_err()) {
        return Some(format!("{file} cannot be read"));
    }
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split('.').map(|n| n.parse::<u32>().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    (version < (4, 16)).then(|| format!("the kernel is {release}"))
}

/// What `hostvet check` finds by this rule, with these parameters: its messages.
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
    findings.iter().map(|f| f["message"].as_str().unwrap().to_owned()).collect()
}

/// Asks until it is found, or for five seconds: the kernel ends connections in its own time.
fn assert_found(rule: &str, params: &str, says: &str) {
    let started = Instant::now();
    loop {
        let messages = found(rule, params);
        if messages.iter().any(|message| message.contains(says)) {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(5), "{rule} does not say `{says}`: {messages:?}");
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
        "least = 150\ntimes = 0\n",
        "TCP sockets neither listen nor have a connection",
    );
    drop(leaked);
}

#[test]
fn connections_that_only_the_peer_has_closed_pile_up() {
    let Some(listener) = listener() else { return };
    let kept: Vec<_> = (0..120).map(|_| connect(&listener).0).collect();
    let says = format!("120 with {}", listener.1);
    assert_found("net/close-wait-pile", "few = 100\nmany = 100\n", &says);
    drop(kept);
}

#[test]
fn a_full_accept_queue_turns_connections_away() {
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
    let says = format!("{} for 127.0.0.1 port {}", waiting.len(), listener.1.port());
    assert_found("net/listen-overflow", "least = 1\npercent = 0\n", &says);
    drop(waiting);
}

#[test]
fn ports_towards_one_end_are_counted() {
    let Some(listener) = listener() else { return };
    let connections: Vec<_> = (0..60).map(|_| connect(&listener)).collect();
    let says = format!("60 connections from 127.0.0.1 to 127.0.0.1 port {}, 0 of them", listener.1.port());
    assert_found("net/ports-to-one-end", "percent = 0\n", &says);
    drop(connections);
}
