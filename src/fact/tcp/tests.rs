use super::*;
use crate::source::{Files, Target};

const HEADER: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

/// A line: 10.0.0.1 and 10.0.0.2 with these ports.
fn line(local: u16, remote: u16, state: u8, queue: u32, uid: u32) -> String {
    let to = if remote == 0 { "00000000" } else { "0200000A" };
    format!(" 0: 0100000A:{local:04X} {to}:{remote:04X} {state:02X} 00000000:{queue:08X} 00:00000000 00000000 {uid:5} 0 77 1 0 20 4 30 10 -1\n")
}

fn collect(files: &Files) -> Reading<Tcp> {
    Tcp::collect(&Host::new(files.clone(), Target::live()))
}

fn host(lines: &[String]) -> Files {
    let mut files = Files::new();
    files.file("/proc/net/tcp", format!("{HEADER}{}", lines.concat())).file(RANGE, "50000\t62000\n");
    files
}

#[test]
fn states_are_counted_and_listeners_are_listed() {
    let mut files = host(&[line(443, 0, 10, 129, 33), line(80, 0, 10, 0, 33), line(443, 51_000, 1, 0, 33)]);
    let six = " 0: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 5 1\n";
    files.file("/proc/net/tcp6", format!("{HEADER}{six}"));
    let tcp = collect(&files).unwrap();
    assert_eq!((tcp.states["LISTEN"], tcp.states["ESTABLISHED"], tcp.states["CLOSE_WAIT"]), (3, 1, 0));
    let listening: Vec<_> =
        tcp.listening.iter().map(|l| (l.address.as_str(), l.port, l.accept_queue, l.uid)).collect();
    assert_eq!(listening, [("::", 22, 0, 0), ("10.0.0.1", 80, 0, 33), ("10.0.0.1", 443, 129, 33)]);
    assert_eq!(tcp.listening[0].at.to_string(), "/proc/net/tcp6:2");
}

#[test]
fn ports_are_counted_by_where_they_lead() {
    let tcp = collect(&host(&[
        line(50_000, 3306, 1, 0, 0),
        line(50_001, 3306, 6, 0, 0),
        line(50_001, 6379, 1, 0, 0),
        line(62_000, 6379, 1, 0, 0),
        line(62_000, 3306, 1, 0, 0),
        line(49_999, 3306, 1, 0, 0),
        line(62_001, 3306, 1, 0, 0),
        // A server in the range: its clients' connections take no port of it.
        line(55_000, 0, 10, 0, 0),
        line(55_000, 40_000, 1, 0, 0),
    ]))
    .unwrap();
    assert_eq!((tcp.local_ports, tcp.local_port_range), (Ok(4), Ok(12_001)));
    let destinations = tcp.destinations.unwrap();
    let seen: Vec<_> = destinations.iter().map(|d| (d.port, d.local_ports, d.time_wait)).collect();
    assert_eq!(seen, [(3306, 3, 1), (6379, 2, 0)]);
    assert_eq!((destinations[0].address.as_str(), destinations[0].loopback), ("10.0.0.2", false));
}

#[test]
fn close_wait_tells_what_the_connections_are_for() {
    let tcp = collect(&host(&[
        line(8080, 0, 10, 0, 5),
        line(8080, 40_000, 8, 0, 5),
        line(51_000, 9092, 8, 0, 7),
        line(51_001, 9092, 8, 0, 7),
        line(51_002, 9092, 1, 0, 7),
    ]))
    .unwrap();
    let seen: Vec<_> = tcp.close_wait.iter().map(|c| (c.end.as_str(), c.uid, c.count)).collect();
    assert_eq!(seen, [("10.0.0.2:9092", 7, 2), ("clients of port 8080", 5, 1)]);
}

#[test]
fn without_the_range_its_ports_are_not_known() {
    let mut files = host(&[line(50_000, 3306, 1, 0, 0)]);
    files.deny(RANGE);
    assert!(matches!(collect(&files).unwrap().local_ports, Err(Missing::Unreadable(_))));
    for odd in ["", "60999\t32768\n", "a b", "1 70000"] {
        files.file(RANGE, odd);
        assert!(matches!(collect(&files).unwrap().destinations, Err(Missing::Unreadable(_))), "{odd:?}");
    }
}

#[test]
fn very_many_sockets_are_not_listed_and_it_says_so() {
    let mut files = host(&[]);
    files.file(SOCKSTAT, "TCP: inuse 50000 orphan 9 tw 40000 alloc 7 mem 1\n").file(SOCKSTAT6, "TCP6: inuse 10000\n");
    assert!(collect(&files).is_ok());
    files.file(SOCKSTAT6, "TCP6: inuse 10001\n");
    let Err(Missing::Unreadable(why)) = collect(&files) else { panic!("listed them") };
    assert!(why.to_string().contains("100001 sockets"), "{why}");
}

#[test]
fn nothing_is_absent_denied_is_unreadable_and_odd_lines_are_kept() {
    assert!(matches!(collect(&Files::new()), Err(Missing::Absent)));
    let mut files = host(&["odd\n".to_owned(), "\0\u{fffd}\n".to_owned(), line(80, 0, 10, 0, 0)]);
    let tcp = collect(&files).unwrap();
    assert_eq!((tcp.malformed.len(), tcp.listening.len()), (2, 1));
    files.deny("/proc/net/tcp6");
    assert!(matches!(collect(&files), Err(Missing::Unreadable(_))));
    for garbage in ["", "\0\0", "no such thing\n"] {
        files.file("/proc/net/tcp6", garbage);
        assert!(matches!(collect(&files), Err(Missing::Unreadable(_))), "{garbage:?}");
    }
}

#[test]
fn a_link_to_self_net_serves_as_on_a_running_host() {
    let mut files = Files::new();
    files.file("/proc/77/net/tcp", HEADER).link("/proc/self", "77").link("/proc/net", "self/net");
    assert_eq!(collect(&files).unwrap().states.len(), 11);
}
