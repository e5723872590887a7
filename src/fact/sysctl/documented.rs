//! What the kernel's documentation and source say of keys: defaults, and in which version a key went away.
//!
//! Left out on purpose: defaults that depend on the size of memory, the number of processors or the configuration
//! the kernel was built with (fs.file-max, kernel.threads-max, net.ipv4.tcp_mem, kernel.pid_max, kernel.sysrq …).

/// A kernel version: 4.19.
pub(super) type Version = (u32, u32);

/// What is documented of a key.
#[derive(Debug)]
pub(super) struct Documented {
    /// The key, with dots.
    pub(super) key: &'static str,
    /// Defaults with the version that brought each, oldest first; 0.0 for "as far back as hosts go".
    defaults: &'static [(Version, &'static str)],
    /// The version that no longer has the key.
    pub(super) removed_in: Option<Version>,
    /// Where it is written.
    pub(super) source: &'static str,
}

impl Documented {
    /// The default in this kernel; where the kernel is not known, only one that never changed.
    pub(super) fn default(&self, kernel: Option<Version>) -> Option<&'static str> {
        match kernel {
            Some(kernel) if self.removed_in.is_some_and(|removed| kernel >= removed) => None,
            Some(kernel) => {
                self.defaults.iter().rfind(|(since, _)| *since <= kernel).map(|(_, value)| *value)
            }
            None if self.removed_in.is_some() => None,
            None => match self.defaults {
                [(_, value)] => Some(value),
                _ => None,
            },
        }
    }
}

/// What is documented of this key, if anything.
pub(super) fn documented(key: &str) -> Option<&'static Documented> {
    let found = KEYS.binary_search_by(|documented| documented.key.cmp(key)).ok()?;
    KEYS.get(found)
}

const fn kept(
    key: &'static str,
    value: &'static [(Version, &'static str)],
    source: &'static str,
) -> Documented {
    Documented { key, defaults: value, removed_in: None, source }
}

const fn removed(key: &'static str, version: Version, source: &'static str) -> Documented {
    Documented { key, defaults: &[], removed_in: Some(version), source }
}

const FS: &str = "kernel:admin-guide/sysctl/fs.html";
const KERNEL: &str = "kernel:admin-guide/sysctl/kernel.html";
const VM: &str = "kernel:admin-guide/sysctl/vm.html";
const CORE: &str = "kernel:admin-guide/sysctl/net.html";
const IP: &str = "kernel:networking/ip-sysctl.html";
/// "sched: Move SCHED_DEBUG sysctl to debugfs", in 5.13.
const SCHED: &str = "https://git.kernel.org/torvalds/c/8a99b6833c88";
/// "tcp: remove tcp_tw_recycle", in 4.12.
const TW_RECYCLE: &str = "https://git.kernel.org/torvalds/c/4396e46187ca";
const SHM: &str = "man:shmget(2)";
const SEM: &str = "man:semget(2)";

/// Sorted by key.
const KEYS: &[Documented] = &[
    kept("fs.aio-max-nr", &[((0, 0), "65536")], FS),
    kept("fs.inotify.max_queued_events", &[((0, 0), "16384")], "man:inotify(7)"),
    kept("fs.inotify.max_user_instances", &[((0, 0), "128")], "man:inotify(7)"),
    kept("fs.nr_open", &[((0, 0), "1048576")], FS),
    kept("fs.suid_dumpable", &[((0, 0), "0")], FS),
    kept("kernel.hung_task_timeout_secs", &[((0, 0), "120")], KERNEL),
    kept("kernel.msgmax", &[((0, 0), "8192")], KERNEL),
    kept("kernel.msgmnb", &[((0, 0), "16384")], KERNEL),
    kept("kernel.panic", &[((0, 0), "0")], KERNEL),
    removed("kernel.sched_latency_ns", (5, 13), SCHED),
    removed("kernel.sched_migration_cost_ns", (5, 13), SCHED),
    removed("kernel.sched_min_granularity_ns", (5, 13), SCHED),
    removed("kernel.sched_nr_migrate", (5, 13), SCHED),
    removed("kernel.sched_tunable_scaling", (5, 13), SCHED),
    removed("kernel.sched_wakeup_granularity_ns", (5, 13), SCHED),
    kept("kernel.sem", &[((0, 0), "250 32000 32 128"), ((3, 19), "32000 1024000000 500 32000")], SEM),
    kept("kernel.shmall", &[((0, 0), "2097152"), ((3, 16), "18446744073692774399")], SHM),
    kept("kernel.shmmax", &[((0, 0), "33554432"), ((3, 16), "18446744073692774399")], SHM),
    kept("kernel.shmmni", &[((0, 0), "4096")], KERNEL),
    kept("net.core.netdev_budget", &[((0, 0), "300")], CORE),
    kept("net.core.netdev_max_backlog", &[((0, 0), "1000")], CORE),
    kept("net.core.rps_sock_flow_entries", &[((0, 0), "0")], "kernel:networking/scaling.html"),
    // "net: increase SOMAXCONN to 4096", 19f92a030ca6.
    kept("net.core.somaxconn", &[((0, 0), "128"), ((5, 4), "4096")], IP),
    kept("net.ipv4.conf.all.forwarding", &[((0, 0), "0")], IP),
    kept("net.ipv4.conf.default.forwarding", &[((0, 0), "0")], IP),
    kept("net.ipv4.ip_forward", &[((0, 0), "0")], IP),
    // 61000 became 60999 with 07f4c90062f8, "tcp/dccp: try to not exhaust ip_local_port_range in connect()".
    kept("net.ipv4.ip_local_port_range", &[((0, 0), "32768 61000"), ((4, 2), "32768 60999")], IP),
    kept("net.ipv4.ip_local_reserved_ports", &[((0, 0), "")], IP),
    kept("net.ipv4.neigh.default.gc_thresh1", &[((0, 0), "128")], IP),
    kept("net.ipv4.neigh.default.gc_thresh2", &[((0, 0), "512")], IP),
    kept("net.ipv4.neigh.default.gc_thresh3", &[((0, 0), "1024")], IP),
    kept("net.ipv4.tcp_abort_on_overflow", &[((0, 0), "0")], IP),
    kept("net.ipv4.tcp_fin_timeout", &[((0, 0), "60")], IP),
    kept("net.ipv4.tcp_keepalive_time", &[((0, 0), "7200")], IP),
    kept("net.ipv4.tcp_sack", &[((0, 0), "1")], IP),
    kept("net.ipv4.tcp_synack_retries", &[((0, 0), "5")], IP),
    kept("net.ipv4.tcp_syncookies", &[((0, 0), "1")], IP),
    kept("net.ipv4.tcp_timestamps", &[((0, 0), "1")], IP),
    Documented {
        key: "net.ipv4.tcp_tw_recycle",
        defaults: &[((0, 0), "0")],
        removed_in: Some((4, 12)),
        source: TW_RECYCLE,
    },
    // 2 (loopback only) with 79e9fed46038, "net-tcp: extend tcp_tw_reuse sysctl to enable loopback only".
    kept("net.ipv4.tcp_tw_reuse", &[((0, 0), "0"), ((4, 19), "2")], IP),
    kept("net.ipv4.tcp_window_scaling", &[((0, 0), "1")], IP),
    kept("net.ipv6.conf.all.disable_ipv6", &[((0, 0), "0")], IP),
    kept("net.ipv6.conf.all.forwarding", &[((0, 0), "0")], IP),
    kept("net.ipv6.conf.default.disable_ipv6", &[((0, 0), "0")], IP),
    kept("net.ipv6.neigh.default.gc_thresh1", &[((0, 0), "128")], IP),
    kept("net.ipv6.neigh.default.gc_thresh2", &[((0, 0), "512")], IP),
    kept("net.ipv6.neigh.default.gc_thresh3", &[((0, 0), "1024")], IP),
    kept("vm.dirty_background_ratio", &[((0, 0), "10")], VM),
    kept("vm.dirty_ratio", &[((0, 0), "20")], VM),
    kept("vm.max_map_count", &[((0, 0), "65530")], VM),
    kept("vm.nr_hugepages", &[((0, 0), "0")], VM),
    kept("vm.nr_overcommit_hugepages", &[((0, 0), "0")], VM),
    kept("vm.oom_kill_allocating_task", &[((0, 0), "0")], VM),
    kept("vm.overcommit_kbytes", &[((3, 14), "0")], VM),
    kept("vm.overcommit_memory", &[((0, 0), "0")], VM),
    kept("vm.overcommit_ratio", &[((0, 0), "50")], VM),
    kept("vm.panic_on_oom", &[((0, 0), "0")], VM),
    kept("vm.swappiness", &[((0, 0), "60")], VM),
    kept("vm.vfs_cache_pressure", &[((0, 0), "100")], VM),
    // Before, it was switched on by itself on hosts with distant nodes: 4f9b16a64753.
    kept("vm.zone_reclaim_mode", &[((3, 16), "0")], VM),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_so_that_it_can_be_searched() {
        assert!(KEYS.is_sorted_by(|a, b| a.key < b.key));
        assert!(KEYS.iter().all(|k| k.defaults.is_sorted_by(|a, b| a.0 < b.0)));
    }

    #[test]
    fn a_default_follows_the_kernel_and_is_unknown_without_one_if_it_changed() {
        let somaxconn = documented("net.core.somaxconn").unwrap();
        assert_eq!(somaxconn.default(Some((5, 3))), Some("128"));
        assert_eq!(somaxconn.default(Some((5, 4))), Some("4096"));
        assert_eq!(somaxconn.default(None), None);
        assert_eq!(documented("fs.nr_open").unwrap().default(None), Some("1048576"));
        let recycle = documented("net.ipv4.tcp_tw_recycle").unwrap();
        assert_eq!(recycle.default(Some((3, 10))), Some("0"));
        assert_eq!(recycle.default(Some((4, 12))), None);
        assert_eq!(recycle.default(None), None);
        assert!(documented("vm.no_such_key").is_none());
    }
}
