use super::*;
use crate::source::{Files, Target};

fn collect(files: &Files) -> Reading<Cgroups> {
    Cgroups::collect(&Host::new(files.clone(), Target::live()))
}

fn nginx() -> Files {
    let mut files = Files::new();
    files.file("/sys/fs/cgroup/cgroup.controllers", "cpu io memory pids\n");
    let directory = "/sys/fs/cgroup/system.slice/nginx.service";
    for (name, text) in [
        ("pids.current", "9\n"),
        ("pids.max", "4915\n"),
        ("pids.events", "max 3\n"),
        ("memory.current", "1048576\n"),
        ("memory.max", "max\n"),
        ("memory.events", "low 0\nhigh 0\nmax 7\noom 1\noom_kill 1\noom_group_kill 0\n"),
        ("memory.events.local", "low 0\nhigh 0\nmax 7\noom 2\noom_kill 1\n"),
        ("memory.stat", "anon 1000\nfile 50000\nkernel_stack 20\nshmem 300\nslab_unreclaimable 4\n"),
        ("cpu.max", "50000 100000\n"),
        ("cpu.stat", "usage_usec 5\nnr_periods 10\nnr_throttled 4\nthrottled_usec 900\n"),
        (
            "io.pressure",
            "some avg10=0.00 avg60=0.00 avg300=2.00 total=1\nfull avg10=0.00 avg60=0.00 avg300=1.50 total=1\n",
        ),
    ] {
        files.file(format!("{directory}/{name}"), text);
    }
    files
}

#[test]
fn version_2_is_read_from_one_tree() {
    let found = collect(&nginx()).unwrap();
    let paths: Vec<_> = found.list.items.iter().map(|g| g.path.as_str()).collect();
    assert_eq!((found.version, paths), (2, vec!["/", "/system.slice", "/system.slice/nginx.service"]));
    let nginx = &found.list.items[2];
    assert_eq!((nginx.pids_current.get(), nginx.pids_max.get()), (Ok(&9), Ok(&Limit::Number(4915))));
    assert_eq!((nginx.pids_events_max.get(), nginx.oom_kill.get()), (Ok(&3), Ok(&1)));
    assert_eq!(
        (nginx.memory_current_bytes.get(), nginx.memory_max_bytes.get()),
        (Ok(&1_048_576), Ok(&Limit::Unlimited))
    );
    assert_eq!((nginx.memory_held_bytes.get(), nginx.oom_local.get()), (Ok(&1324), Ok(&2)));
    assert_eq!(
        (nginx.cpu_quota_us.get(), nginx.cpu_period_us.get()),
        (Ok(&Limit::Number(50_000)), Ok(&100_000))
    );
    assert_eq!(
        (nginx.nr_periods.get(), nginx.nr_throttled.get(), nginx.throttled_us.get()),
        (Ok(&10), Ok(&4), Ok(&900))
    );
    assert_eq!((nginx.io_full_avg300.get(), nginx.cpu_some_avg300.get()), (Ok(&1.5), Err(Missing::Absent)));
    assert_eq!(found.list.items[1].pids_max.get(), Err(Missing::Absent));
}

#[test]
fn version_1_is_read_from_several() {
    let mut files = Files::new();
    files.file("/sys/fs/cgroup/pids/user.slice/pids.max", "33\n");
    files.file("/sys/fs/cgroup/pids/user.slice/pids.current", "12\n");
    files.file("/sys/fs/cgroup/memory/user.slice/memory.limit_in_bytes", "9223372036854771712\n");
    files.file(
        "/sys/fs/cgroup/memory/user.slice/memory.oom_control",
        "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
    );
    files.file(
        "/sys/fs/cgroup/cpu/user.slice/cpu.stat",
        "nr_periods 1\nnr_throttled 0\nthrottled_time 5000000\n",
    );
    files.file("/sys/fs/cgroup/cpu/user.slice/cpu.cfs_quota_us", "-1\n");
    files.file("/sys/fs/cgroup/cpu/user.slice/cpu.cfs_period_us", "100000\n");
    files.file(
        "/sys/fs/cgroup/memory/user.slice/memory.stat",
        "rss 5\ntotal_cache 70\ntotal_rss 30\ntotal_shmem 4\n",
    );
    let found = collect(&files).unwrap();
    let group = &found.list.items[1];
    assert_eq!((group.memory_held_bytes.get(), group.oom_local.get()), (Ok(&34), Err(Missing::Absent)));
    assert_eq!((group.cpu_quota_us.get(), group.cpu_period_us.get()), (Ok(&Limit::Unlimited), Ok(&100_000)));
    assert_eq!(
        (found.version, group.path.as_str(), group.pids_max.get()),
        (1, "/user.slice", Ok(&Limit::Number(33)))
    );
    assert_eq!((group.memory_max_bytes.get(), group.oom_kill.get()), (Ok(&Limit::Unlimited), Ok(&2)));
    assert_eq!((group.throttled_us.get(), group.io_full_avg300.get()), (Ok(&5000), Err(Missing::Absent)));
}

#[test]
fn a_group_belongs_to_the_last_unit_of_its_path() {
    let mut files = nginx();
    for path in ["user.slice/user-1.slice/a.scope", "system.slice/b.service/payload", "docker/abc"] {
        files.file(format!("/sys/fs/cgroup/{path}/cgroup.procs"), "");
    }
    let list = collect(&files).unwrap().list.items;
    let unit = |path: &str| list.iter().find(|g| g.path == path).unwrap().unit.clone();
    assert_eq!(unit("/user.slice/user-1.slice/a.scope").as_deref(), Some("a.scope"));
    assert_eq!(unit("/system.slice/b.service/payload").as_deref(), Some("b.service"));
    assert_eq!(unit("/system.slice").as_deref(), Some("system.slice"));
    assert_eq!((unit("/docker/abc"), unit("/")), (None, None));
}

#[test]
fn no_groups_are_absent_and_denied_ones_unread() {
    assert!(matches!(collect(&Files::new()), Err(Missing::Absent)));
    let mut files = nginx();
    files.deny("/sys/fs/cgroup");
    let list = collect(&files).unwrap().list;
    assert_eq!((list.items.len(), list.unread.len()), (0, 1));
}

#[test]
fn garbage_is_unreadable() {
    for text in ["", "many\n", "-1\n", "\0\u{fffd}"] {
        let mut files = nginx();
        files.file("/sys/fs/cgroup/system.slice/nginx.service/pids.current", text);
        files.file("/sys/fs/cgroup/system.slice/nginx.service/pids.events", text);
        files.file("/sys/fs/cgroup/system.slice/nginx.service/cpu.max", text);
        files.file("/sys/fs/cgroup/system.slice/nginx.service/memory.stat", text);
        let found = collect(&files).unwrap();
        let nginx = &found.list.items[2];
        assert!(matches!(nginx.pids_current.get(), Err(Missing::Unreadable(_))), "{text:?}");
        assert!(nginx.pids_events_max.get().is_err(), "{text:?}");
        assert!(nginx.cpu_quota_us.get().is_err() && nginx.memory_held_bytes.get().is_err(), "{text:?}");
    }
}
