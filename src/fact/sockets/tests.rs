use super::*;
use crate::source::{Files, Target};

const S4: &str = "sockets: used 42639\nTCP: inuse 81 orphan 0 tw 6 alloc 41019 mem 286\nUDP: inuse 333 mem 63\n\
                  UDPLITE: inuse 0\nRAW: inuse 2\nFRAG: inuse 0 memory 0\n";

fn files(release: &str) -> Files {
    let mut files = Files::new();
    files.file(SOCKSTAT, S4).file(SOCKSTAT6, "TCP6: inuse 2\nUDP6: inuse 3\nRAW6: inuse 0\n");
    files.file("/proc/sys/kernel/osrelease", release);
    files
}

fn live(files: &Files) -> Reading<Sockets> {
    Sockets::collect(&Host::new(files.clone(), Target::live()))
}

#[test]
fn counts_are_read() {
    let sockets = live(&files("3.10.0\n")).unwrap();
    let tcp = &sockets.tcp;
    assert_eq!((&tcp.inuse, &tcp.inuse6, &tcp.orphan), (&Ok(81), &Ok(2), &Ok(0)));
    assert_eq!((&tcp.tw, &tcp.alloc, &tcp.mem_pages), (&Ok(6), &Ok(41_019), &Ok(286)));
    assert_eq!((&sockets.used, &sockets.udp.inuse, &sockets.udp.inuse6), (&Ok(42_639), &Ok(333), &Ok(3)));
    assert_eq!((&sockets.udp.mem_pages, &sockets.frag_memory_bytes), (&Ok(63), &Ok(0)));
    assert_eq!((&sockets.raw_inuse, &sockets.raw6_inuse), (&Ok(2), &Ok(0)));
    assert_eq!(tcp.at.to_string(), "/proc/net/sockstat:2");
}

#[test]
fn closed_is_what_is_allocated_and_not_in_use() {
    assert_eq!(live(&files("3.10.0\n")).unwrap().tcp.closed.get(), Ok(&40_936));
}

#[test]
fn sockets_of_containers_are_not_closed_ones() {
    // 40 936 are in use in other namespaces; of this one's 150 all but 3 are accounted for.
    let mut files = files("5.14.0\n");
    files.file(SOCKSTAT, S4.replace("used 42639", "used 150"));
    files.file(
        "/proc/net/protocols",
        "protocol  size sockets  memory press maxhdr  slab module     cl\n\
         PACKET    1600      1      -1   NI       0   no   kernel      n\n\
         UNIX      1088     63      -1   NI       0   yes  kernel      y\n\
         AF_X      1088     -1      -1   NI       0   yes  kernel      y\n\
         TCPv6     2480      2       5   no     304   yes  kernel      y\n\
         TCP       2304     81       5   no     304   yes  kernel      y\n",
    );
    assert_eq!(live(&files).unwrap().tcp.closed.get(), Ok(&3));
    // Without that file all that TCP does not use may be closed.
    let mut without = files.clone();
    without.file("/proc/net/protocols", "");
    assert!(matches!(live(&without).unwrap().tcp.closed.get(), Err(Missing::Unreadable(_))));
}

#[test]
fn no_sockstat6_is_no_ipv6_only_where_the_kernel_says_so() {
    let mut files = Files::new();
    files.file(SOCKSTAT, S4).file("/proc/sys/kernel/osrelease", "3.10.0\n");
    assert_eq!(live(&files).unwrap().tcp.inuse6, Ok(0));
    let copy = Sockets::collect(&Host::new(files.clone(), Target::root("x"))).unwrap();
    assert_eq!(copy.tcp.inuse6, Err(Missing::Absent));
    assert!(matches!(copy.tcp.closed.get(), Err(Missing::Absent)));
    files.deny(SOCKSTAT6);
    assert!(matches!(live(&files).unwrap().tcp.inuse6, Err(Missing::Unreadable(_))));
}

#[test]
fn an_odd_line_is_kept_and_costs_only_itself() {
    let mut files = files("3.10.0\n");
    files.file(SOCKSTAT, "sockets: used x\nTCP inuse 3\n\0\nUDP: inuse 4 mem\nRAW: inuse -1\n");
    let sockets = live(&files).unwrap();
    assert!(matches!(sockets.used, Err(Missing::Unreadable(_))));
    assert!(matches!(sockets.tcp.alloc, Err(Missing::Unreadable(_))));
    assert_eq!(sockets.malformed, ["TCP inuse 3", "\0", "UDP: inuse 4 mem"]);
    assert_eq!(sockets.raw_inuse, Ok(0), "a sum over CPUs may be below 0 for a moment");
}

#[test]
fn nothing_is_absent_and_garbage_is_unreadable() {
    assert!(matches!(live(&Files::new()), Err(Missing::Absent)));
    for garbage in ["", "\0\0\0", "\u{fffd}: inuse 3", "TCP:\n"] {
        let mut files = Files::new();
        files.file(SOCKSTAT, garbage);
        assert!(matches!(live(&files), Err(Missing::Unreadable(_))), "{garbage:?}");
    }
}

#[test]
fn bound_ports_are_the_active_objects_of_their_slab() {
    let mut files = files("3.10.0\n");
    files.file("/proc/meminfo", "MemTotal: 8000000 kB\nSlab: 90000 kB\n");
    files.file(
        "/proc/slabinfo",
        "slabinfo - version: 2.1\n# name <active_objs>\ntcp_bind_bucket 12036 12096 64 64 1\n",
    );
    let sockets = live(&files).unwrap();
    let buckets = sockets.tcp.bind_buckets.get().unwrap();
    assert_eq!((buckets.value, buckets.at.to_string()), (12_036, "/proc/slabinfo:3".to_owned()));
    files.file("/proc/slabinfo", "slabinfo - version: 2.1\n");
    assert!(matches!(live(&files).unwrap().tcp.bind_buckets.get(), Err(Missing::Absent)));
    files.file("/proc/slabinfo", "tcp_bind_bucket many\n");
    assert!(matches!(live(&files).unwrap().tcp.bind_buckets.get(), Err(Missing::Unreadable(_))));
}

#[test]
fn a_huge_slab_is_left_alone_and_said_so() {
    let mut files = files("3.10.0\n");
    files.file("/proc/meminfo", "MemTotal: 80000000 kB\nSlab: 8388609 kB\n");
    files.file("/proc/slabinfo", "tcp_bind_bucket 12036 12096 64 64 1\n");
    let Err(Missing::Unreadable(why)) = live(&files).unwrap().tcp.bind_buckets.get().cloned() else {
        panic!("read it");
    };
    assert!(why.to_string().contains("was not read: slabs take 8 GiB"), "{why}");
}
