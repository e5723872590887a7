use super::*;
use crate::source::{Entry, Files, Reason, Source, Space, Stat, Target, TargetKind, Unreadable};
use std::path::{Path, PathBuf};

fn klog(files: &Files, kind: TargetKind) -> Reading<Klog> {
    Klog::collect(&Host::new(files.clone(), Target { kind, ..Target::live() }))
}

fn live(files: &Files) -> Reading<Klog> {
    klog(files, TargetKind::Live)
}

fn event(klog: &Klog, kind: KlogKind) -> &KlogEvent {
    klog.events.items.iter().find(|e| e.kind == kind).unwrap()
}

/// A host that booted on 2024-01-31 at 06:00:00 UTC and runs for so many seconds.
fn host(uptime: u32) -> Files {
    let mut files = Files::new();
    files
        .file("/proc/stat", "cpu  1 2 3\nbtime 1706680800\n")
        .file("/proc/uptime", format!("{uptime}.50 9.0\n"));
    files
}

#[test]
fn the_ring_tells_kind_count_and_age() {
    let mut files = host(100_000);
    files.file(
        "/dev/kmsg",
        "6,1,0,-;Linux version 6.1.0\n\
         6,2,10000000,-;TCP: time wait bucket table overflow\n\
         6,3,20000000,-;TCP: time wait bucket table overflow\n\
         12,4,20000001,-;TCP: time wait bucket table overflow, says a program\n\
         3,5,30000000,-;I/O error, dev sda, sector 7 op 0x0:(READ) flags 0x0\n\
         3,6,99000000000,-;I/O error, dev sdb, sector 8 op 0x0:(READ) flags 0x0\n",
    );
    let found = live(&files).unwrap();
    let full = event(&found, KlogKind::TwBucketOverflow);
    assert_eq!((full.count, full.day, full.week, full.age_seconds), (2, 0, 2, Some(99_980)));
    assert_eq!(full.first.as_deref(), Some("2024-01-31 06:00:10 UTC"));
    assert_eq!(full.last.as_deref(), Some("2024-01-31 06:00:20 UTC"));
    assert_eq!((full.last_time, full.at.to_string()), (Some(1_706_680_820), "/dev/kmsg".into()));
    assert_eq!(full.times, "2 times, from 2024-01-31 06:00:10 UTC to 2024-01-31 06:00:20 UTC");
    let disks: Vec<_> = found.events.items.iter().filter(|e| e.kind == KlogKind::IoError).collect();
    assert_eq!(
        disks.iter().map(|e| (e.subject.as_deref().unwrap(), e.day)).collect::<Vec<_>>(),
        [("sda", 0), ("sdb", 1)]
    );
    let none = event(&found, KlogKind::HungTask);
    assert_eq!(
        (none.count, none.subject.clone(), none.last.clone(), none.age_seconds),
        (0, None, None, None)
    );
    assert_eq!((none.times.as_str(), disks[0].times.as_str()), ("never", "once, 2024-01-31 06:00:30 UTC"));
    assert_eq!(
        (found.lines.items.len(), found.lines.items[1].level, found.lines.items[1].seconds),
        (5, Some(6), Some(10.0))
    );
}

#[test]
fn what_is_over_is_told() {
    let mut files = host(100);
    let down = |n: u32, server: &str, what: &str| format!("4,{n},{n}000000,-;nfs: server {server} {what}\n");
    let text = [
        down(1, "a", "not responding, still trying"),
        down(2, "b", "not responding, still trying"),
        down(3, "a", "OK"),
        down(4, "c", "OK"),
    ];
    files.file("/dev/kmsg", text.concat());
    let found = live(&files).unwrap();
    let servers: Vec<_> =
        found.events.items.iter().filter(|e| e.kind == KlogKind::NfsNotResponding).collect();
    assert_eq!(
        servers.iter().map(|e| (e.subject.as_deref().unwrap(), e.ended)).collect::<Vec<_>>(),
        [("a", true), ("b", false)]
    );
}

#[test]
fn files_add_what_the_ring_does_not_reach() {
    let mut files = host(100);
    files.file("/dev/kmsg", "6,1,0,-;Linux version 6.1.0\n");
    files.file(
        "/var/log/kern.log",
        "2024-01-30T06:00:00+00:00 h kernel: TCP: time wait bucket table overflow\n\
         2024-01-31T06:00:00+00:00 h kernel: [    0.000000] Linux version 6.1.0\n\
         2024-01-31T06:00:50+00:00 h kernel: [   50.000000] TCP: time wait bucket table overflow\n",
    );
    files.file(
        "/var/log/syslog",
        "2024-01-30T06:00:00+00:00 h kernel: TCP: time wait bucket table overflow\n",
    );
    files.deny("/var/log/messages");
    let found = live(&files).unwrap();
    let full = event(&found, KlogKind::TwBucketOverflow);
    assert_eq!((full.count, full.at.to_string()), (1, "/var/log/kern.log:1".into()));
    assert_eq!(
        found.sources.iter().map(|s| (s.path.as_str(), s.lines)).collect::<Vec<_>>(),
        [("/dev/kmsg", 1), ("/var/log/kern.log", 1)]
    );
    assert_eq!(found.lines.items[0].text, "TCP: time wait bucket table overflow");
    assert!(found.events.unread.is_empty());

    // A ring that goes back for a week is enough.
    files.file("/proc/uptime", "604800.00 1.0\n");
    assert_eq!(live(&files).unwrap().sources.len(), 1);
}

#[test]
fn a_denied_ring_leaves_the_files_and_is_noted() {
    let mut files = host(100);
    files.deny("/dev/kmsg");
    assert!(matches!(live(&files), Err(Missing::Unreadable(Unreadable { reason: Reason::Denied, .. }))));
    files.file("/var/log/messages", "Jan 31 06:00:10 h kernel: Out of socket memory\n");
    let found = live(&files).unwrap();
    assert_eq!(event(&found, KlogKind::TcpOutOfMemory).age_seconds, Some(90));
    assert_eq!((found.events.unread.len(), found.lines.unread.len()), (1, 1));
}

#[test]
fn an_empty_ring_is_no_absent_one() {
    let mut files = host(100);
    files.file("/dev/kmsg", "");
    assert_eq!(event(&live(&files).unwrap(), KlogKind::Oom).count, 0);
    assert!(matches!(live(&host(100)), Err(Missing::Absent)));
}

#[test]
fn trees_are_read_by_their_files() {
    let mut files = Files::new();
    files.special("/dev/kmsg", crate::source::FileKind::Character);
    files.file(
        "/var/log/messages",
        "Jan  5 00:00:00 h kernel: Out of socket memory\nJan  7 00:00:00 h sshd[1]: x\n",
    );
    files.file("/var/log/messages-20240101", "Dec 31 12:00:00 h kernel: Out of socket memory\n");
    files.file("/var/log/messages-20231225.gz", "\x1f\u{8b}");
    files.file("/var/log/dmesg", "[    1.000000] Out of socket memory\n");
    let found = klog(&files, TargetKind::Root).unwrap();
    let memory = event(&found, KlogKind::TcpOutOfMemory);
    assert_eq!((memory.count, memory.day, memory.week, memory.age_seconds), (2, 0, 2, Some(2 * 86_400)));
    assert_eq!(
        (memory.first.as_deref(), memory.last.as_deref()),
        (Some("Dec 31 12:00:00"), Some("Jan  5 00:00:00"))
    );
    assert_eq!(memory.last_time, None);
    assert!(found.events.unread.is_empty());
}

#[test]
fn a_dmesg_alone_counts_from_its_last_line() {
    let mut files = Files::new();
    files.file("/var/log/dmesg", "[   10.000000] nf_conntrack: table full, dropping packet\n[90000.0] x\n");
    let found = klog(&files, TargetKind::Root).unwrap();
    let full = event(&found, KlogKind::ConntrackFull);
    assert_eq!(
        (full.age_seconds, full.day, full.last.as_deref()),
        (Some(89_990), 0, Some("10 s after boot"))
    );
    assert_eq!(full.at.to_string(), "/var/log/dmesg:1");
}

#[test]
fn a_journal_that_is_none_is_unreadable() {
    let mut files = Files::new();
    files.directory("/var/log/journal/0abc");
    assert!(matches!(klog(&files, TargetKind::Root), Err(Missing::Absent)));
    files.file("/var/log/journal/0abc/system.journal", "LPKSHHRH");
    assert!(matches!(
        klog(&files, TargetKind::Root),
        Err(Missing::Unreadable(Unreadable { reason: Reason::Garbled(_), .. }))
    ));
    // Where a text file tells, no journal is looked at.
    files.file("/var/log/syslog", "Jan  5 00:00:00 h kernel: x\n");
    assert!(klog(&files, TargetKind::Root).unwrap().lines.unread.is_empty());
}

#[test]
fn of_a_long_file_the_end_is_read() {
    let mut files = Files::new();
    let early = "Jan  5 00:00:00 h kernel: Out of socket memory\n";
    let text =
        format!("{early}{}{early}", "Jan  5 00:00:00 h app: something else happened here\n".repeat(200_000));
    files.file("/var/log/messages", text.clone());
    let found = klog(&files, TargetKind::Root).unwrap();
    assert_eq!(event(&found, KlogKind::TcpOutOfMemory).count, 1);
    assert_eq!(found.sources[0].skipped_bytes, text.len() as u64 - (8 << 20));
    assert_eq!(found.lines.items[0].at.to_string(), "/var/log/messages");
}

#[test]
fn subjects_are_bounded() {
    let mut files = host(100);
    let line = |n: u32| format!("6,{n},{n},-;prog{n}[{n}]: segfault at 0 ip 0 sp 0 error 4 in x[1+2]\n");
    files.file("/dev/kmsg", (0..200).map(line).collect::<String>());
    let found = live(&files).unwrap();
    let programs: Vec<_> = found.events.items.iter().filter(|e| e.kind == KlogKind::Segfault).collect();
    assert_eq!(programs.len(), 65);
    assert_eq!(programs.iter().map(|e| e.count).sum::<u64>(), 200);
}

/// An account in the words of Linux 3.13, and one of a cgroup in those of 6.1.
const HOST: &str = "\
[  100.0] app invoked oom-killer: gfp_mask=0x200da, order=0, oom_score_adj=0
[  100.0] CPU: 1 PID: 10 Comm: app Not tainted 3.13.0
[  100.0] Node 0 DMA free:15908kB min:128kB low:160kB high:192kB
[  100.0] lowmem_reserve[]: 0 3746 7968 7968
[  100.0] Node 0 Normal free:35640kB min:35748kB low:44684kB high:53620kB
[  100.0] Node 0 Normal: 5769*4kB (EM) 1495*8kB (EM) 0*16kB = 35420kB
[  100.0] [ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name
[  100.0] [ 355]     0   355     4868       66      13        0             0 upstart-udev-br
[  100.0] [10396]   104 10396    21140    12367      44        0             0 my app
[  100.0] [10397]   104 10397    21140    12324      44        0             0 my app
[  100.0] Out of memory: Kill process 10366 (my app) score 6 or sacrifice child
[  100.0] Killed process 10366 (my app) total-vm:84784kB, anon-rss:49156kB, file-rss:520kB
";
const CGROUP: &str = "\
[  200.0] stress invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0
[  200.0] memory: usage 51200kB, limit 51200kB, failcnt 31
[  200.0] swap: usage 0kB, limit 9007199254740988kB, failcnt 0
[  200.0] [  pid  ]   uid  tgid total_vm      rss rss_anon rss_file rss_shmem pgtables_bytes swapents oom_score_adj name
[  200.0] [    266]     0   266     7206       50       32       18         0    69632      256          -250 stress
[  200.0] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/a,task_memcg=/a/b,task=stress,pid=266,uid=0
[  200.0] Memory cgroup out of memory: Killed process 266 (stress) total-vm:28824kB, anon-rss:128kB, file-rss:72kB, shmem-rss:0kB, UID:0 pgtables:68kB oom_score_adj:-250
";

#[test]
fn the_account_of_a_kill_is_read() {
    let mut files = Files::new();
    files.file("/var/log/dmesg", format!("{HOST}{CGROUP}"));
    let found = klog(&files, TargetKind::Root).unwrap();
    let [host, cgroup] = found.oom_kills.items.as_slice() else { panic!("{:?}", found.oom_kills) };
    assert_eq!((host.victim.as_str(), host.pid, host.anon_rss_kib), ("my app", 10366, Some(49156)));
    assert_eq!((host.trigger.as_deref(), host.order, host.cgroup.clone()), (Some("app"), Some(0), None));
    assert_eq!(host.zones, ["Node 0 Normal: 35640 KiB free, minimum 35748 KiB"]);
    assert_eq!(
        (host.largest.as_deref(), host.largest_processes, host.largest_pages),
        (Some("my app"), Some(2), Some(24_691))
    );
    assert_eq!(
        (host.listed_pages, host.age_seconds, host.at.to_string()),
        (Some(24_757), Some(100), "/var/log/dmesg:12".into())
    );
    assert_eq!(
        (cgroup.cgroup.as_deref(), cgroup.limit_kib, cgroup.zones.len()),
        (Some("/a"), Some(51200), 0)
    );
    assert_eq!((cgroup.largest.as_deref(), cgroup.largest_pages), (Some("stress"), Some(50)));
    let event = event(&found, KlogKind::Oom);
    assert_eq!(
        event.details,
        [
            "my app when app asked for memory (Node 0 Normal: 35640 KiB free, minimum 35748 KiB)",
            "stress at the limit of /a"
        ]
    );
}

#[test]
fn kills_are_understood_as_they_are_worded() {
    let mut files = Files::new();
    files.file(
        "/var/log/dmesg",
        "Killed process 7 (java), UID 1000, total-vm:1kB, anon-rss:2kB, file-rss:0kB\n\
         Killed process 8, UID 48, (httpd) total-vm:1kB, anon-rss:3kB, file-rss:0kB\n\
         Task in /lxc/a killed as a result of limit of /lxc\n\
         x invoked oom-killer: gfp_mask=0xd0, order=0, oom_adj=0\n\
         Task in /lxc/a killed as a result of limit of /lxc\n\
         Memory cgroup out of memory: Kill process 9 (y) score 1000 or sacrifice child\n\
         Killed process 9 (y) total-vm:5kB, anon-rss:4kB, file-rss:0kB\n\
         Out of memory: Killed process 10 (z) total-vm:5kB, anon-rss:5kB, file-rss:0kB\n\
         Killed process (\nKilled process x (y) z\n",
    );
    let found = klog(&files, TargetKind::Root).unwrap();
    let kills: Vec<_> = found
        .oom_kills
        .items
        .iter()
        .map(|k| (k.victim.as_str(), k.pid, k.anon_rss_kib, k.cgroup.as_deref()))
        .collect();
    // The account stays open for further victims of the same group.
    assert_eq!(
        kills[..3],
        [("java", 7, Some(2), None), ("httpd", 8, Some(3), None), ("y", 9, Some(4), Some("/lxc"))]
    );
    assert_eq!((kills.len(), kills[3].0), (4, "z"));
}

#[test]
fn a_failed_allocation_names_order_and_zone() {
    let mut files = Files::new();
    files.file(
        "/var/log/dmesg",
        "[1.0] swapper/0: page allocation failure: order:2, mode:0x480020(GFP_ATOMIC), nodemask=(null),cpuset=/,mems_allowed=0\n\
         [1.1] Call Trace:\n\
         [1.2] Node 0 Normal free:90000kB boost:0kB min:45000kB low:1kB\n\
         [1.3] Node 0 DMA: 0*4kB 0*8kB 1*16kB (U) = 16kB\n\
         [1.3] Node 0 Normal: 9*4kB (UM) 4*8kB (U) 0*16kB 0*32kB = 90000kB\n\
         [1.4] 2273 total pagecache pages\n\
         [1.5] tar: page allocation failure. order:0, mode:0x20\n\
         [1.6] Node 1 Normal free:4kB min:45000kB low:1kB\n",
    );
    let found = klog(&files, TargetKind::Root).unwrap();
    let failures = event(&found, KlogKind::PageAllocationFailure);
    assert_eq!(
        failures.details,
        [
            "order 2 by swapper/0, mode 0x480020(GFP_ATOMIC); no such block in Node 0 Normal",
            "order 0 by tar, mode 0x20; Node 1 Normal: 4 KiB free, minimum 45000 KiB"
        ]
    );
    assert_eq!((failures.count, failures.at.to_string()), (2, "/var/log/dmesg:7".into()));
}

#[test]
fn garbage_is_no_message() {
    for garbage in [
        &b""[..],
        b"\0\xff\xfe\n\n",
        b";;;\n4,\n",
        b"invoked oom-killer:",
        b"[ pid ]\n[\n]",
        b"Node \nNode 0\n",
    ] {
        let mut files = Files::new();
        files
            .file("/dev/kmsg", garbage)
            .file("/var/log/dmesg", garbage)
            .file("/var/log/messages", garbage)
            .file("/etc/localtime", garbage);
        files.file("/proc/stat", garbage).file("/proc/uptime", garbage);
        let found = live(&files).unwrap();
        assert!(found.events.items.iter().all(|e| e.count == 0), "{garbage:?}");
    }
}

/// Files that were last written at this time.
#[derive(Debug)]
struct Written(Files, i64);

impl Source for Written {
    fn read(&self, path: &Path, cap: u64) -> Reading<Vec<u8>> {
        self.0.read(path, cap)
    }

    fn list(&self, path: &Path) -> Reading<Vec<Entry>> {
        self.0.list(path)
    }

    fn stat(&self, path: &Path) -> Reading<Stat> {
        Ok(Stat { mtime: self.1, ..self.0.stat(path)? })
    }

    fn lstat(&self, path: &Path) -> Reading<Stat> {
        self.0.lstat(path)
    }

    fn read_link(&self, path: &Path) -> Reading<PathBuf> {
        self.0.read_link(path)
    }

    fn statvfs(&self, path: &Path) -> Reading<Space> {
        self.0.statvfs(path)
    }
}

#[test]
fn a_year_is_taken_from_a_file_only_if_it_was_not_copied() {
    let mut files = Files::new();
    files.file("/var/log/messages", "Jan 31 06:00:00 h kernel: Out of socket memory\n");
    let last = |written: i64| {
        let host = Host::new(Written(files.clone(), written), Target::root("x"));
        event(&Klog::collect(&host).unwrap(), KlogKind::TcpOutOfMemory).last.clone().unwrap()
    };
    assert_eq!(last(1_706_680_800), "2024-01-31 06:00:00 UTC");
    assert_eq!(last(1_706_680_800 + 40 * 86_400), "Jan 31 06:00:00");
}

#[test]
fn a_sosreport_is_read_by_its_commands() {
    let mut files = host(100_000);
    // The zone is a link out of what the report holds; the host is eight hours ahead.
    files.link("/etc/localtime", "../usr/share/zoneinfo/Asia/Shanghai");
    let journal = "-- Journal begins at Mon 2024-01-01 --\n\
        Feb 01 01:46:38 h kernel: Out of socket memory\nFeb 01 01:46:40 h sudo[7]: x\n";
    files.file("/sos_commands/logs/journalctl_--no-pager", journal);
    files.file("/sos_commands/logs/journalctl_--no-pager_--boot", journal).file("/var/log/messages", journal);
    files.file("/sos_commands/logs/journalctl_--list-boots", " 0 4f3a Wed 2024-01-31 14:00:00 CST\n");
    files.file("/sos_commands/kernel/dmesg", "[   10.000000] Out of socket memory\n");
    let found = klog(&files, TargetKind::Root).unwrap();
    let memory = event(&found, KlogKind::TcpOutOfMemory);
    assert_eq!(
        (memory.times.as_str(), memory.age_seconds, memory.last_time),
        ("once, 2024-02-01 01:46:38", Some(2), None)
    );
    assert_eq!(found.sources.len(), 1);
}

#[test]
fn a_report_with_dmesg_alone_is_dated_by_its_copy_of_proc() {
    let mut files = host(100_000);
    files.file("/sos_commands/kernel/dmesg", "[   10.000000] Out of socket memory\n");
    let found = klog(&files, TargetKind::Root).unwrap();
    assert_eq!(event(&found, KlogKind::TcpOutOfMemory).times, "once, 2024-01-31 06:00:10 UTC");
}
