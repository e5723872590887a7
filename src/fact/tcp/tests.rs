use super::diag::tests::{answer, message, with_info};
use super::*;
use crate::source::{Files, Question, Reason, Target};

const HEADER: &str =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

/// A line: 10.0.0.1 and 10.0.0.2 with these ports.
fn line(local: u16, remote: u16, state: u8, queue: u32, uid: u32) -> String {
    let to = if remote == 0 { "00000000" } else { "0200000A" };
    format!(
        " 0: 0100000A:{local:04X} {to}:{remote:04X} {state:02X} 00000000:{queue:08X} 00:00000000 00000000 {uid:5} 0 77 1 0 20 4 30 10 -1\n"
    )
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
    let states = tcp.states.get().unwrap();
    assert_eq!((states["LISTEN"], states["ESTABLISHED"], states["CLOSE_WAIT"]), (3, 1, 0));
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
    assert_eq!((tcp.local_ports.get(), tcp.local_port_range), (Ok(&4), Ok(12_001)));
    let destinations = tcp.destinations.get().unwrap();
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
    let seen: Vec<_> =
        tcp.close_wait.get().unwrap().iter().map(|c| (c.end.as_str(), c.uid, c.count)).collect();
    assert_eq!(seen, [("10.0.0.2:9092", 7, 2), ("clients of port 8080", 5, 1)]);
}

#[test]
fn without_the_range_its_ports_are_not_known() {
    let mut files = host(&[line(50_000, 3306, 1, 0, 0)]);
    files.deny(RANGE);
    assert!(matches!(collect(&files).unwrap().local_ports.get(), Err(Missing::Unreadable(_))));
    for odd in ["", "60999\t32768\n", "a b", "1 70000"] {
        files.file(RANGE, odd);
        assert!(
            matches!(collect(&files).unwrap().destinations.get(), Err(Missing::Unreadable(_))),
            "{odd:?}"
        );
    }
}

#[test]
fn very_many_sockets_are_not_listed_and_it_says_so() {
    let mut files = host(&[]);
    files
        .file(SOCKSTAT, "TCP: inuse 50000 orphan 9 tw 40000 alloc 7 mem 1\n")
        .file(SOCKSTAT6, "TCP6: inuse 10000\n");
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
    assert_eq!(collect(&files).unwrap().states.get().unwrap().len(), 11);
}

fn question(states: u32, info: bool) -> Question {
    Question::TcpSockets { states, info }
}

#[test]
fn a_kernel_that_answers_is_asked_for_what_is_wanted_only() {
    let mut files = host(&["this file is not read".to_owned()]);
    let listener = message(([0; 4], 80), ([0; 4], 0), 10, (3, 128), 7);
    files.answer(question(diag::LISTENING, false), Ok(answer(&[listener])));
    files.link("/proc/70/fd/3", "socket:[7]").file("/proc/70/stat", "70 (nginx) S 1");
    let tcp = collect(&files).unwrap();
    let [listener] = &tcp.listening[..] else { panic!("{:?}", tcp.listening) };
    assert_eq!((listener.port, listener.accept_queue, listener.backlog), (80, 3, Some(128)));
    assert_eq!((&listener.in_local_port_range, &listener.reserved), (&Ok(false), &Err(Missing::Absent)));
    assert_eq!(listener.owners.get().unwrap()[0].comm, "nginx");
    assert_eq!(tcp.at.to_string(), "sock_diag(7)");
    // The connections are not known, as there is no answer for them; /proc must not stand in for half of them.
    assert!(tcp.states.get().is_err());
}

#[test]
fn the_kernel_and_proc_tell_the_same() {
    let (here, there) = ([10, 0, 0, 1], [10, 0, 0, 2]);
    let from_proc = collect(&host(&[
        line(80, 0, 10, 3, 33),
        line(50_000, 3306, 1, 0, 33),
        line(50_001, 3306, 6, 0, 33),
        line(80, 41_000, 8, 0, 33),
        line(80, 41_001, 1, 0, 33),
    ]));
    let mut files = host(&[]);
    let listener = message((here, 80), ([0; 4], 0), 10, (3, 128), 77);
    let connections = [
        message((here, 50_000), (there, 3306), 1, (0, 0), 77),
        message((here, 50_001), (there, 3306), 6, (0, 0), 0),
        message((here, 80), (there, 41_000), 8, (0, 0), 77),
        message((here, 80), (there, 41_001), 1, (0, 0), 77),
    ];
    let idle = with_info(connections[0].clone(), 9_000, 7_500);
    files.answer(question(diag::LISTENING, false), Ok(answer(&[listener])));
    files.answer(question(diag::CONNECTIONS, false), Ok(answer(&connections)));
    files.answer(question(diag::ESTABLISHED, true), Ok(answer(&[idle, connections[3].clone()])));
    let [from_proc, asked] = [from_proc.unwrap(), collect(&files).unwrap()];
    let seen = |tcp: &Tcp| {
        let destinations = tcp.destinations.get().unwrap().iter();
        let destinations =
            destinations.map(|d| (d.address.clone(), d.port, d.local_ports, d.time_wait, d.established));
        let close_wait = tcp.close_wait.get().unwrap().iter().map(|c| (c.end.clone(), c.uid, c.count));
        (
            tcp.states.get().unwrap().clone(),
            destinations.collect::<Vec<_>>(),
            close_wait.collect::<Vec<_>>(),
            (*tcp.local_ports.get().unwrap(), *tcp.accepted.get().unwrap()),
        )
    };
    assert_eq!(seen(&from_proc), seen(&asked));
    assert_eq!((*asked.accepted.get().unwrap(), asked.states.get().unwrap()["LISTEN"]), (1, 1));
    assert_eq!(asked.destinations.get().unwrap()[0].idle_seconds.get(), Ok(&7));
    assert_eq!(from_proc.destinations.get().unwrap()[0].idle_seconds.get(), Err(Missing::Absent));
}

#[test]
fn a_connection_to_this_host_itself_did_not_come_from_elsewhere() {
    let own = " 0: 0100000A:C350 0100000A:0050 01 0:0 0:0 0 33 0 5\n 1: 0100000A:0050 0100000A:C350 01 0:0 0:0 0 33 0 6\n";
    let tcp = collect(&host(&[line(80, 0, 10, 0, 0), line(80, 41_000, 1, 0, 0), own.to_owned()])).unwrap();
    assert_eq!((tcp.accepted.get(), tcp.states.get().unwrap()["ESTABLISHED"]), (Ok(&1), 3));
}

#[test]
fn where_the_kernel_may_not_be_asked_proc_has_to_do() {
    let denied = Missing::unreadable("sock_diag", Reason::Denied);
    let not_asked = Missing::unreadable("sock_diag", Reason::NotRead("it would load a module".into()));
    for refusal in [denied, not_asked] {
        let mut files = host(&[line(80, 0, 10, 3, 33)]);
        files.answer(question(diag::LISTENING, false), Err(refusal));
        let tcp = collect(&files).unwrap();
        assert_eq!((tcp.listening.len(), tcp.listening[0].backlog), (1, None));
        assert_eq!(tcp.at.to_string(), "/proc/net/tcp");
    }
}

#[test]
fn an_answer_that_makes_no_sense_is_unreadable() {
    for garbage in [vec![], vec![0; 7], vec![255; 4000]] {
        let mut files = host(&[line(80, 0, 10, 3, 33)]);
        files.answer(question(diag::LISTENING, false), Ok(garbage.clone()));
        assert!(matches!(collect(&files), Err(Missing::Unreadable(_))), "{garbage:?}");
        files.answer(question(diag::LISTENING, false), Ok(answer(&[])));
        files.answer(question(diag::CONNECTIONS, false), Ok(garbage));
        assert!(matches!(collect(&files).unwrap().states.get(), Err(Missing::Unreadable(_))));
    }
}

#[test]
fn ports_of_the_range_and_reserved_ones_are_told() {
    let mut files = host(&[line(49_999, 0, 10, 0, 0), line(50_000, 0, 10, 0, 0), line(62_000, 0, 10, 0, 0)]);
    let seen = |files: &Files| {
        let listening = collect(files).unwrap().listening;
        listening.into_iter().map(|l| (l.in_local_port_range, l.reserved)).collect::<Vec<_>>()
    };
    files.file(RESERVED, "8080,50000-61999\n");
    assert_eq!(seen(&files), [(Ok(false), Ok(false)), (Ok(true), Ok(true)), (Ok(true), Ok(false))]);
    files.file(RESERVED, "\n");
    assert_eq!(seen(&files)[1], (Ok(true), Ok(false)));
    files.file(RESERVED, "what\n");
    assert!(matches!(seen(&files)[1].1, Err(Missing::Unreadable(_))));
}

#[test]
fn ports_of_sockets_that_are_only_bound_are_counted_since_6_8() {
    let mut files = host(&[]);
    files.answer(question(diag::LISTENING, false), Ok(answer(&[])));
    let bound = [(50_000, 7), (50_001, 8), (50_000, 9), (40_000, 10)]
        .map(|(port, inode)| message(([127, 0, 0, 1], port), ([0; 4], 0), 7, (0, 0), inode));
    files.answer(question(diag::BOUND, false), Ok(answer(&bound)));
    files.link("/proc/70/fd/3", "socket:[8]").file("/proc/70/stat", "70 (leak) S 1");
    files.file(RELEASE, "6.8.0\n");
    let tcp = collect(&files).unwrap();
    assert_eq!(tcp.bound_ports.get(), Ok(&2));
    assert_eq!(tcp.bound_owners.get().unwrap()[0].comm, "leak");
    files.file(RELEASE, "6.7.12\n");
    assert_eq!(collect(&files).unwrap().bound_ports.get(), Err(Missing::Absent));
    assert_eq!(collect(&host(&[])).unwrap().bound_ports.get(), Err(Missing::Absent));
}
