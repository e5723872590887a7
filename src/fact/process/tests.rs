use super::*;
use crate::model::Limit;
use crate::source::{Files, Target};

const STAT: &str = "22347 (prometheus) S 1 22347 22347 0 -1 1077936384 500 0 1 0 100 20 0 0 20 0 13 0 86400 4000 250 \
    18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n";

/// The process of the incident: 571 sockets and 448 others of 1024.
fn prometheus() -> Files {
    let mut files = Files::new();
    files.file("/proc/22347/stat", STAT);
    files.file("/proc/22347/status", "Name:\tprometheus\nUid:\t0\t65534\t0\t0\nVmRSS:\t  250000 kB\n");
    files.file("/proc/22347/cmdline", "/opt/prometheus\0--storage.tsdb.path=/mnt/prometheus\0");
    files.file("/proc/22347/cgroup", "0::/system.slice/prometheus.service\n");
    files.file(
        "/proc/22347/limits",
        "Max open files            1024                 4096                 files     \n",
    );
    files.link("/proc/22347/exe", "/opt/prometheus (deleted)");
    for fd in 0..571 {
        files.link(format!("/proc/22347/fd/{fd}"), format!("socket:[{fd}]"));
    }
    for fd in 571..1019 {
        files.link(format!("/proc/22347/fd/{fd}"), format!("/mnt/prometheus/chunks/{fd}"));
    }
    files
}

/// The stat of a process of this name and parent.
pub(super) fn stat_of(pid: u32, comm: &str, parent: u32) -> String {
    format!("{pid} ({comm}) S {parent}{}", &THREAD[2..])
}

pub(super) fn process(files: &Files) -> Process {
    Process::collect(&Host::new(files.clone(), Target::live())).unwrap()
}

pub(super) fn list(files: &Files) -> Partial<ProcessEntry> {
    process(files).list
}

fn only(files: &Files) -> ProcessEntry {
    let mut list = list(files);
    assert_eq!((list.items.len(), list.unread.len()), (1, 0), "{:?}", list.unread);
    list.items.pop().unwrap()
}

#[test]
fn the_process_of_the_incident_is_seen_as_it_was() {
    let process = only(&prometheus());
    assert_eq!(
        (process.pid, process.comm.as_str(), process.start_seconds.clone()),
        (22347, "prometheus", Ok(864.0))
    );
    assert_eq!(process.command.get().unwrap(), "/opt/prometheus --storage.tsdb.path=/mnt/prometheus");
    assert_eq!(process.unit.get().unwrap(), "prometheus.service");
    assert_eq!((process.uid.get(), process.rss_kib.get()), (Ok(&65534), Ok(&250_000)));
    assert_eq!(process.exe.get().unwrap(), "/opt/prometheus (deleted)");
    assert_eq!(process.fd_count.get(), Ok(&1019));
    assert_eq!(process.limits.get().unwrap().nofile_soft, Some(Limit::Number(1024)));
    let fds = process.fds.get().unwrap();
    assert_eq!((fds.total, fds.looked_at, fds.sampled), (1019, 1019, false));
    assert_eq!((fds.sockets, fds.files), (571, 448));
}

#[test]
fn two_readings_tell_what_it_uses() {
    let (mut files, mut earlier) = (prometheus(), Files::new());
    files.file(
        "/proc/22347/io",
        "rchar: 9\nread_bytes: 8192\nwrite_bytes: 1000000\ncancelled_write_bytes: 0\n",
    );
    earlier.file("/proc/22347/io", "rchar: 9\nread_bytes: 4096\nwrite_bytes: 1000001\n");
    earlier.file("/proc/22347/stat", STAT.replace(" 100 20 0 0 20", " 40 0 0 0 20"));
    let rates = |files: &Files, earlier: &Files| {
        let earlier = crate::source::Earlier::new(earlier.clone(), std::time::Duration::from_secs(2));
        let host = Host::new(files.clone(), Target::live()).with_earlier(earlier);
        let process = Process::collect(&host).unwrap().list.items.pop().unwrap();
        let told = |rate: &Lazy<Sampled<f64>>| rate.get().cloned().and_then(|sampled| sampled.0);
        (told(&process.cpu_percent), told(&process.read_bytes_per_s), told(&process.write_bytes_per_s))
    };
    let absent = || Err::<f64, _>(Missing::Absent);
    assert_eq!(rates(&files, &earlier), (Ok(40.0), Ok(2048.0), absent()));
    // Another process that has the number now, and one that is new.
    let mut other = earlier.clone();
    other.file("/proc/22347/stat", STAT.replace(" 86400 ", " 86300 "));
    assert_eq!(rates(&files, &other), (absent(), absent(), absent()));
    assert_eq!(rates(&files, &Files::new()), (absent(), absent(), absent()));
    earlier.file("/proc/22347/stat", "");
    assert!(matches!(rates(&files, &earlier).0, Err(Missing::Unreadable(_))));
    earlier.file("/proc/22347/stat", STAT).deny("/proc/22347/io");
    let (cpu, read, _) = rates(&files, &earlier);
    assert!(matches!((cpu, read), (Ok(0.0), Err(Missing::Unreadable(_)))));
    // One reading tells only what has been since the start.
    let process = only(&files);
    assert_eq!((process.read_bytes.get(), process.write_bytes.get()), (Ok(&8192), Ok(&1_000_000)));
    assert!(matches!(process.cpu_percent.get(), Err(Missing::Absent)));
}

#[test]
fn a_user_is_known_by_name_or_number() {
    let mut files = prometheus();
    assert_eq!(only(&files).user.get().unwrap(), "65534");
    files.file("/etc/passwd", "nobody:x:65534:65534::/:/sbin/nologin\n");
    assert_eq!(only(&files).user.get().unwrap(), "nobody");
    files.deny("/etc/passwd");
    assert!(matches!(only(&files).user.get(), Err(Missing::Unreadable(_))));
}

#[test]
fn every_kind_of_descriptor_is_told_apart() {
    let mut files = Files::new();
    files.file("/proc/22347/stat", STAT);
    for (fd, target) in [
        "socket:[1]",
        "pipe:[2]",
        "/dev/null",
        "/var/log/a b (deleted)",
        "anon_inode:[eventpoll]",
        "anon_inode:inotify",
        "anon_inode:[eventpoll]",
        "/memfd:wayland (deleted)",
        "mnt:[4026531840]",
        "/srv/x:y",
    ]
    .iter()
    .enumerate()
    {
        files.link(format!("/proc/22347/fd/{fd}"), *target);
    }
    let process = only(&files);
    let fds = process.fds.get().unwrap();
    assert_eq!((fds.sockets, fds.pipes, fds.files, fds.deleted), (1, 1, 2, 1));
    assert_eq!((fds.anon, fds.others, fds.total), (4, 1, 10));
    assert_eq!(fds.anon_by_type.get("eventpoll"), Some(&2));
    assert_eq!(fds.anon_by_type.get("memfd"), Some(&1));
}

#[test]
fn a_sample_meets_all_kinds_of_what_is_opened_together() {
    let mut files = Files::new();
    files.file("/proc/7/stat", STAT);
    for fd in 0..6_144 {
        let kinds = ["anon_inode:[eventpoll]", "pipe:[1]", "pipe:[1]"];
        files.link(format!("/proc/7/fd/{fd}"), kinds[fd % 3]);
    }
    files.directory("/proc/7/fd").size("/proc/7/fd", 6_144);
    let process = only(&files);
    let fds = process.fds.get().unwrap();
    assert!(fds.sampled && fds.looked_at > 500, "{fds:?}");
    assert!(fds.pipes.abs_diff(2 * fds.anon) <= 2, "{fds:?}");
}

#[test]
fn of_very_many_descriptors_a_sample_is_looked_at() {
    let mut files = Files::new();
    files.file("/proc/22347/stat", STAT).directory("/proc/22347/fd").size("/proc/22347/fd", 1_406_243);
    // One in 689, the first number from 687 on with which there are at most 2 048 and no kind is met too often.
    files.link("/proc/22347/fd/0", "/dev/null").link("/proc/22347/fd/1", "/never/looked/at");
    files.link("/proc/22347/fd/689", "socket:[1]").link("/proc/22347/fd/1378", "socket:[2]");
    let process = only(&files);
    assert_eq!(process.fd_count.get(), Ok(&1_406_243));
    let fds = process.fds.get().unwrap();
    assert_eq!((fds.total, fds.looked_at, fds.sampled), (1_406_243, 3, true));
    assert_eq!((fds.sockets, fds.files), (2, 1));
}

#[test]
fn the_size_of_a_directory_in_a_copy_of_proc_says_nothing() {
    let mut files = Files::new();
    files.file("/proc/22347/stat", STAT).size("/proc/22347/fd", 4096).link("/proc/22347/fd/0", "/dev/null");
    let copy = Process::collect(&Host::new(files, Target::root("sosreport"))).unwrap();
    assert_eq!(copy.list.items[0].fd_count.get(), Ok(&1));
}

#[test]
fn what_is_denied_is_unreadable_and_what_has_gone_is_absent() {
    let mut files = Files::new();
    files.file("/proc/22347/stat", STAT).deny("/proc/22347/fd").file("/proc/22347/limits", "");
    let process = only(&files);
    assert!(matches!(process.fd_count.get(), Err(Missing::Unreadable(_))));
    assert!(matches!(process.fds.get(), Err(Missing::Unreadable(_))));
    assert!(matches!(process.limits.get().map(|_| ()), Err(Missing::Unreadable(_))));
    assert_eq!(process.unit.get(), Err(Missing::Absent));
    assert_eq!(process.uid.get(), Err(Missing::Absent));
}

#[test]
fn a_process_that_has_gone_is_not_listed() {
    let mut files = prometheus();
    files.directory("/proc/4711").file("/proc/meminfo", "");
    assert_eq!(only(&files).pid, 22347);
}

#[test]
fn processes_that_are_denied_are_one_reason() {
    let mut files = prometheus();
    files.deny("/proc/7/stat").deny("/proc/8/stat").file("/proc/1/stat", STAT);
    let list = list(&files);
    assert_eq!(list.items.iter().map(|p| p.pid).collect::<Vec<_>>(), [1, 22347]);
    assert_eq!(list.unread.len(), 1);
    assert_eq!(list.unread[0].to_string(), "/proc/PID/stat: permission denied for 2 of 4 processes");
}

#[test]
fn hidden_processes_make_the_list_partial() {
    let mut files = prometheus();
    let mounts = "proc /proc proc rw,nosuid,relatime,hidepid=invisible 0 0\nx /proc/sys/fs/binfmt_misc autofs rw 0 0\n";
    files.file("/proc/mounts", mounts);
    let unread = list(&files).unread;
    assert_eq!(
        unread[0].to_string(),
        "/proc: is mounted with hidepid=invisible: the processes of other users are not to be seen"
    );
    files.file("/proc/1/stat", STAT);
    assert_eq!(list(&files).unread, [], "whoever sees process 1 sees all");
    let mut files = prometheus();
    files.file("/proc/mounts", mounts.replace("invisible", "noaccess"));
    assert_eq!(list(&files).unread, [], "with noaccess they are listed");
}

#[test]
fn a_kernel_thread_is_not_looked_into() {
    let mut files = Files::new();
    files.file("/proc/2/stat", "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 1 0 0 18446744073709551615 0 0 0 0 0 0 0 2147483647 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n");
    files.file("/proc/2/cmdline", "").deny("/proc/2/fd");
    let thread = only(&files);
    assert!(thread.kernel_thread);
    assert_eq!((thread.fd_count.get(), thread.command.get().unwrap().as_str()), (Ok(&0), "[kthreadd]"));
}

#[test]
fn the_unit_is_the_last_one_of_the_path() {
    for (cgroups, expected) in [
        ("0::/system.slice/nginx.service\n", Some("nginx.service")),
        ("0::/user.slice/user-1000.slice/session-3.scope", Some("session-3.scope")),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/a.service", Some("a.service")),
        ("0::/system.slice/containerd.service/kubepods/x", Some("containerd.service")),
        ("12:pids:/x.service\n1:name=systemd:/system.slice/old.service\n0::/\n", Some("old.service")),
        ("1:name=systemd:/docker/abc\n0::/docker/abc", None),
        ("0::/", None),
        ("", None),
        ("\0\u{fffd}", None),
    ] {
        assert_eq!(unit(cgroups).as_deref(), expected, "{cgroups:?}");
    }
}

#[test]
fn a_command_line_is_cut_at_a_character() {
    assert_eq!(command("a\0b c\0\0", "x"), "a b c");
    assert_eq!(command("\0\0", "x"), "[x]");
    assert_eq!(command(&"é".repeat(3000), "x").len(), 4096);
    assert_eq!(command(&format!("a{}", "é".repeat(3000)), "x").len(), 4095);
}

#[test]
fn without_a_kernel_there_are_no_processes() {
    let host = Host::new(Files::new(), Target::root("x"));
    assert_eq!(Process::collect(&host).map(|_| ()), Err(Missing::Absent));
}

#[test]
fn a_stat_that_makes_no_sense_is_unreadable() {
    let mut files = prometheus();
    files.file("/proc/5/stat", "\0garbage");
    assert_eq!(list(&files).unread.len(), 1);
}

const THREAD: &str = " 1 0 0 0 -1 1077936384 500 0 1 0 100 20 0 0 20 0 1 0 86400 4000000000 250000 \
    18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n";

#[test]
fn what_costs_little_is_read_and_the_rest_on_demand() {
    let mut files = prometheus();
    files.file("/proc/uptime", "1000.50 5.00\n");
    files.file("/proc/22347/wchan", "ep_poll");
    files.file("/proc/22347/oom_score_adj", "-900\n");
    files.file("/proc/22347/status", "Uid:\t7\t8\t8\t8\nVmRSS:\t  250000 kB\nVmSwap:\t  12 kB\n");
    let process = only(&files);
    assert_eq!((process.cpu_seconds, process.virtual_kib, process.rss_pages), (1.2, 3, 250));
    assert_eq!((process.age_seconds.get(), process.zombies), (Ok(&136), 0));
    assert_eq!(
        (process.uid.get(), process.real_uid.get(), process.swap_kib.get()),
        (Ok(&8), Ok(&7), Ok(&12))
    );
    assert_eq!((process.wchan.get().unwrap().as_str(), process.oom_score_adj.get()), ("ep_poll", Ok(&-900)));
    assert_eq!((process.deleted_exe.get(), process.map_count.get()), (Ok(&true), Err(Missing::Absent)));
    files.file("/proc/22347/wchan", "0");
    files.file("/proc/uptime", "soon");
    let process = only(&files);
    assert_eq!(process.wchan.get(), Err(Missing::Absent));
    assert!(matches!(process.age_seconds.get(), Err(Missing::Unreadable(_))));
}

#[test]
fn mappings_are_looked_at_only_where_something_was_replaced_since() {
    let mut files = prometheus();
    files.file("/proc/22347/maps", "0-1 r-xp 0 fd:01 5    /usr/lib/libc.so.6 (deleted)\n");
    assert_eq!(only(&files).deleted_libraries.get(), Ok(&vec!["/usr/lib/libc.so.6".to_owned()]));
    assert_eq!(only(&files).map_count.get(), Ok(&1));
    // Files in memory were changed at 0, and this host was booted later.
    files.file("/etc/ld.so.cache", "");
    files.file("/proc/stat", "btime 1735689600\n");
    assert_eq!(only(&files).deleted_libraries.get(), Ok(&Vec::new()));
    files.file("/proc/stat", "btime 0\n");
    files.deny("/proc/22347/maps");
    assert_eq!(only(&files).deleted_libraries.get(), Ok(&Vec::new()));
    files.deny("/proc/stat");
    assert!(matches!(only(&files).deleted_libraries.get(), Err(Missing::Unreadable(_))));
}

#[test]
fn zombies_are_counted_at_their_parent() {
    let mut files = prometheus();
    for pid in 30..33 {
        files.file(format!("/proc/{pid}/stat"), format!("{pid} (sh) Z 22347{}", &THREAD[2..]));
    }
    let list = list(&files).items;
    assert_eq!((list[0].zombies, list[3].pid, list[3].zombies), (0, 22347, 3));
}

#[test]
fn programs_are_busy_with_all_their_threads() {
    let mut files = prometheus();
    for (pid, comm, state) in [(40, "nginx", "D"), (41, "nginx", "R"), (42, "nginx", "S"), (43, "ps", "R")] {
        files.file(format!("/proc/{pid}/stat"), format!("{pid} ({comm}) {state}{THREAD}"));
    }
    for (tid, state) in [(22347, "S"), (22348, "D"), (22349, "D"), (22350, "D"), (22351, "R")] {
        files.file(format!("/proc/22347/task/{tid}/stat"), format!("{tid} (prometheus) {state}{THREAD}"));
    }
    let process = Process::collect(&Host::new(files, Target::live())).unwrap();
    let busy: Vec<_> = process
        .busy
        .get()
        .unwrap()
        .iter()
        .map(|p| (&*p.comm, p.processes, p.running, p.uninterruptible))
        .collect();
    assert_eq!(busy, [("prometheus", 1, 1, 3), ("nginx", 2, 1, 1), ("ps", 1, 1, 0)]);
}

#[test]
fn users_have_their_threads_and_the_limits_of_their_largest_process() {
    let mut files = prometheus();
    files.file("/proc/50/stat", format!("50 (small) S{THREAD}"));
    for pid in [50, 22347] {
        files.directory(format!("/proc/{pid}")).owner(format!("/proc/{pid}"), 65534, 65534);
    }
    let process = Process::collect(&Host::new(files.clone(), Target::live())).unwrap();
    let users = &process.users.get().unwrap().items;
    assert_eq!(users.len(), 1);
    assert_eq!((users[0].uid, users[0].processes, users[0].threads), (65534, 2, 14));
    assert_eq!((users[0].pid, users[0].comm.as_str()), (22347, "prometheus"));
    assert_eq!(users[0].limits.get().unwrap().nofile_soft, Some(Limit::Number(1024)));
    // In a copy of /proc the owners are those of the copy.
    let process = Process::collect(&Host::new(files, Target::root("x"))).unwrap();
    let users = process.users.get().unwrap();
    assert_eq!((users.items[0].uid, users.items.len(), users.unread.len()), (0, 1, 0));
}
