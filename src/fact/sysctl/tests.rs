//! Whole trees in, judged keys out.

use super::*;
use crate::source::{Files, Reason, Target, TargetKind};

fn collect(files: &Files, kind: TargetKind) -> Sysctl {
    let target = Target { kind, ..Target::root("test") };
    Sysctl::collect(&Host::new(files.clone(), target)).unwrap()
}

/// A tree on which systemd-sysctl applies the files, and no kernel runs.
fn systemd() -> Files {
    let mut files = Files::new();
    files.file(order::SYSTEMD_SYSCTL[0], "");
    files
}

fn image(files: &Files) -> Sysctl {
    collect(files, TargetKind::Image)
}

fn live(files: &Files) -> Sysctl {
    collect(files, TargetKind::Live)
}

fn persisted(sysctl: &Sysctl, key: &str) -> (String, String) {
    let found = sysctl.keys.key(key).unwrap().persisted.as_ref().unwrap();
    (found.value.0.clone(), found.at.to_string())
}

fn value(sysctl: &Sysctl, key: &str) -> Reading<String> {
    sysctl.keys.key(key)?.value.clone().map(|v| v.value.0)
}

fn pair(value: &str, at: &str) -> (String, String) {
    (value.into(), at.into())
}

#[test]
fn files_are_ordered_by_name_across_directories() {
    let mut files = systemd();
    files.file("/usr/lib/sysctl.d/90-vendor.conf", "vm.swappiness = 1\n");
    files.file("/etc/sysctl.d/10-admin.conf", "vm.swappiness = 10\nvm.dirty_ratio=5\n");
    files.file("/run/sysctl.d/50-run.conf", "vm.dirty_ratio=6\n");
    let sysctl = image(&files);
    assert_eq!(persisted(&sysctl, "vm.swappiness"), pair("1", "/usr/lib/sysctl.d/90-vendor.conf:1"));
    assert_eq!(persisted(&sysctl, "vm.dirty_ratio"), pair("6", "/run/sysctl.d/50-run.conf:1"));
    let shadowed = &sysctl.keys.key("vm.swappiness").unwrap().shadowed;
    assert_eq!(
        shadowed.iter().map(|s| s.at.to_string()).collect::<Vec<_>>(),
        ["/etc/sysctl.d/10-admin.conf:1"]
    );
}

#[test]
fn a_name_hides_the_same_name_in_later_directories() {
    let mut files = systemd();
    for directory in ["/usr/lib", "/usr/local/lib", "/run"] {
        files.file(format!("{directory}/sysctl.d/50-a.conf"), "vm.swappiness = 1\n");
        files.file(format!("{directory}/sysctl.d/50-b.conf"), "vm.dirty_ratio = 1\n");
        files.file(format!("{directory}/sysctl.d/50-c.conf"), "vm.max_map_count = 1\n");
    }
    files.file("/etc/sysctl.d/50-a.conf", "");
    files
        .link("/etc/sysctl.d/50-b.conf", "/dev/null")
        .special("/dev/null", crate::source::FileKind::Character);
    let sysctl = image(&files);
    assert_eq!(value(&sysctl, "vm.swappiness"), Ok("60".into()));
    assert_eq!(value(&sysctl, "vm.dirty_ratio"), Ok("20".into()));
    assert!(sysctl.keys.key("vm.dirty_ratio").unwrap().assumed);
    assert_eq!(persisted(&sysctl, "vm.max_map_count"), pair("1", "/run/sysctl.d/50-c.conf:1"));
    assert!(sysctl.malformed.items.is_empty() && sysctl.malformed.unread.is_empty());
}

#[test]
fn a_mask_works_in_an_image_whose_dev_is_empty() {
    let mut files = systemd();
    files
        .file("/usr/lib/sysctl.d/50-b.conf", "vm.dirty_ratio = 1\n")
        .link("/etc/sysctl.d/50-b.conf", "/dev/null");
    assert_eq!(value(&image(&files), "vm.dirty_ratio"), Ok("20".into()));
}

#[test]
fn a_merged_lib_is_not_counted_twice() {
    let mut files = systemd();
    files.link("/lib", "usr/lib").file("/usr/lib/sysctl.d/50-a.conf", "vm.swappiness = 1\n");
    let sysctl = image(&files);
    assert_eq!(sysctl.assignments.items.len(), 1);
    assert_eq!(sysctl.assignments.items[0].at.to_string(), "/usr/lib/sysctl.d/50-a.conf:1");
}

#[test]
fn only_conf_files_count() {
    let mut files = systemd();
    for name in ["README", "99-a.conf.bak", ".99-hidden.conf", "99-b"] {
        files.file(format!("/etc/sysctl.d/{name}"), "vm.swappiness = 1\n");
    }
    assert!(image(&files).assignments.items.is_empty());
}

#[test]
fn sysctl_conf_counts_where_a_link_leads_to_it() {
    let mut files = systemd();
    files.file("/etc/sysctl.conf", "\n# swap\nvm.swappiness = 10\n");
    let sysctl = image(&files);
    assert_eq!(value(&sysctl, "vm.swappiness"), Ok("60".into()));
    assert_eq!(sysctl.ignored[0].at.to_string(), "/etc/sysctl.conf:3");
    assert_eq!(sysctl.applied_by, Ok(Applier::SystemdSysctl));

    files.link("/etc/sysctl.d/99-sysctl.conf", "../sysctl.conf");
    files.file("/etc/sysctl.d/99-z.conf", "vm.swappiness = 20\n");
    let sysctl = image(&files);
    assert_eq!(persisted(&sysctl, "vm.swappiness"), pair("20", "/etc/sysctl.d/99-z.conf:1"));
    assert_eq!(sysctl.assignments.items[0].at.to_string(), "/etc/sysctl.conf:3");
    assert!(sysctl.ignored.is_empty());
}

#[test]
fn procps_reads_sysctl_conf_last_and_once() {
    let mut files = Files::new();
    files
        .file("/etc/sysctl.conf", "vm.swappiness = 10\n")
        .link("/etc/sysctl.d/99-sysctl.conf", "../sysctl.conf");
    files.file("/etc/sysctl.d/99-z.conf", "vm.swappiness = 20\n");
    let sysctl = image(&files);
    assert_eq!(sysctl.applied_by, Ok(Applier::Procps));
    assert_eq!(persisted(&sysctl, "vm.swappiness"), pair("10", "/etc/sysctl.conf:1"));
    assert_eq!(sysctl.assignments.items.len(), 2);
}

#[test]
fn the_first_separator_decides_what_a_dot_means() {
    let mut files = systemd();
    let text =
        "net/ipv4/conf/eth0.100/rp_filter = 1\nnet.ipv4.conf.eth1/200.rp_filter = 2\n/net/core/somaxconn=3\n";
    files.file("/etc/sysctl.d/a.conf", text);
    let sysctl = image(&files);
    let keys: Vec<_> = sysctl.assignments.items.iter().map(|a| a.key.as_str()).collect();
    let expected =
        ["net.ipv4.conf.eth0/100.rp_filter", "net.ipv4.conf.eth1/200.rp_filter", "net.core.somaxconn"];
    assert_eq!(keys, expected);
    assert_eq!(persisted(&sysctl, "net/ipv4/conf/eth1.200/rp_filter").0, "2");
    assert_eq!(persisted(&sysctl, "net.ipv4.conf.eth0/100.rp_filter").0, "1");

    files.file("/proc/sys/net/ipv4/conf/eth0.100/rp_filter", "0\n");
    let found = live(&files).keys.key("net.ipv4.conf.eth0/100.rp_filter").unwrap().running.clone().unwrap();
    assert_eq!(found.at.to_string(), "/proc/sys/net/ipv4/conf/eth0.100/rp_filter");
}

#[test]
fn explicit_lines_and_exclusions_overrule_globs_wherever_they_stand() {
    let mut files = systemd();
    files.file(
        "/etc/sysctl.d/10-a.conf",
        "net.ipv4.conf.all.rp_filter = 1\n-net.ipv4.conf.lo.rp_filter\nnet.ipv4.conf.eth0.rp_filter = 3\n",
    );
    files.file(
        "/usr/lib/sysctl.d/50-d.conf",
        "net.ipv4.conf.*.rp_filter = 2\n-net.ipv4.conf.eth0.rp_filter\n",
    );
    let sysctl = image(&files);
    assert_eq!(persisted(&sysctl, "net.ipv4.conf.all.rp_filter").0, "1");
    assert_eq!(
        persisted(&sysctl, "net.ipv4.conf.eth9.rp_filter"),
        pair("2", "/usr/lib/sysctl.d/50-d.conf:1")
    );
    assert_eq!(value(&sysctl, "net.ipv4.conf.lo.rp_filter"), Err(Missing::Absent));
    // systemd keeps one entry per key, so a later exclusion takes the place of an assignment.
    assert_eq!(value(&sysctl, "net.ipv4.conf.eth0.rp_filter"), Err(Missing::Absent));
    let eth0 = &sysctl.assignments.items[1];
    assert_eq!((eth0.wins.clone(), eth0.winner.clone()), (Ok(false), Err(Missing::Absent)));
    let glob = sysctl.assignments.items.iter().find(|a| a.glob).unwrap();
    assert_eq!(glob.wins, Ok(true));
}

#[test]
fn of_several_globs_the_one_that_came_last_into_the_list_is_applied_last() {
    let mut files = systemd();
    files.file("/etc/sysctl.d/a.conf", "net.a.* = 1\nnet.*.x = 2\nnet.a.* = 1\n");
    assert_eq!(persisted(&image(&files), "net.a.x").0, "2");
    files.file("/etc/sysctl.d/a.conf", "net.a.* = 1\nnet.*.x = 2\nnet.a.* = 3\n");
    let sysctl = image(&files);
    assert_eq!(persisted(&sysctl, "net.a.x"), pair("3", "/etc/sysctl.d/a.conf:3"));
    assert_eq!(sysctl.keys.key("net.a.x").unwrap().shadowed[0].value.0, "2");
}

#[test]
fn lines_that_no_program_can_use_are_kept() {
    let mut files = systemd();
    files.file(
        "/etc/sysctl.d/a.conf",
        b"\n ; note\nvm.swappiness 10\n= 4\nsysctl -w vm.x=1\nvm.\xff\xfe=1\nvm.\0=1\nvm/../../etc/x=1\n  vm.ok =  1  \r\n"
            .as_slice(),
    );
    files.directory("/etc/sysctl.d/b.conf");
    let sysctl = image(&files);
    let malformed: Vec<_> =
        sysctl.malformed.items.iter().map(|m| (m.at.to_string(), m.reason.as_str())).collect();
    let line = |n: u32| format!("/etc/sysctl.d/a.conf:{n}");
    let no_key = "the key has characters that no key has";
    let expected = [
        (line(3), "is not an assignment: there is no ="),
        (line(4), "there is no key before the ="),
        (line(5), "there is a blank within the key"),
        (line(6), no_key),
        (line(7), no_key),
        (line(8), "the key leads out of /proc/sys"),
        ("/etc/sysctl.d/b.conf".into(), "is a directory, not a file that can be read"),
    ];
    assert_eq!(malformed, expected);
    assert_eq!(persisted(&sysctl, "vm.ok"), pair("1", "/etc/sysctl.d/a.conf:9"));
}

#[test]
fn quotes_are_part_of_the_value() {
    let mut files = systemd();
    files.file("/etc/sysctl.d/a.conf", "net.ipv4.tcp_rmem = \"4096  87380\t1\"\nkernel.core_pattern=\n");
    let sysctl = image(&files);
    assert_eq!(persisted(&sysctl, "net.ipv4.tcp_rmem").0, "\"4096 87380 1\"");
    assert_eq!(persisted(&sysctl, "kernel.core_pattern").0, "");
}

#[test]
fn the_running_value_stands_for_the_key_and_comes_from_proc() {
    let mut files = systemd();
    files.file("/proc/sys/net/ipv4/ip_local_port_range", "32768\t60999\n");
    files.file("/etc/sysctl.d/a.conf", "net.ipv4.ip_local_port_range = 1025 65535\n");
    let sysctl = live(&files);
    let range = sysctl.keys.key("net.ipv4.ip_local_port_range").unwrap();
    assert_eq!(range.value.as_ref().unwrap().value.0, "32768 60999");
    assert_eq!(range.value.as_ref().unwrap().at.to_string(), "/proc/sys/net/ipv4/ip_local_port_range");
    assert_eq!(range.fields.as_ref().unwrap().value.len(), 2);
    assert_eq!(range.persisted_at.as_ref().unwrap().to_string(), "/etc/sysctl.d/a.conf:1");
    let assignment = &sysctl.assignments.items[0];
    assert_eq!(assignment.running.get().unwrap().value.0, "32768 60999");
    assert_eq!(assignment.in_force.get(), Ok(&false));
}

#[test]
fn fields_of_the_record_know_their_own_origin() {
    let mut files = systemd();
    files.file("/proc/sys/vm/swappiness", "60\n").file("/etc/sysctl.d/a.conf", "vm.swappiness = 10\n");
    let sysctl = live(&files);
    let Ok(View::Record(key)) = Map::get(&sysctl.keys, "vm.swappiness") else { panic!("no record") };
    let at = |field: &str| key.field_at(key.shape().field(field).unwrap().0).map(ToString::to_string);
    assert_eq!(at("value").as_deref(), Some("/proc/sys/vm/swappiness"));
    assert_eq!(at("running").as_deref(), Some("/proc/sys/vm/swappiness"));
    assert_eq!(at("persisted").as_deref(), Some("/etc/sysctl.d/a.conf:1"));
    assert_eq!(sysctl.keys.keys(), ["vm.swappiness"]);
}

#[test]
fn a_key_that_the_running_kernel_lacks_has_no_value() {
    let mut files = systemd();
    files.file("/proc/sys/vm/swappiness", "60\n").file("/etc/sysctl.d/a.conf", "vm.no_such = 10\nvm = 1\n");
    let sysctl = live(&files);
    assert_eq!(value(&sysctl, "vm.no_such"), Err(Missing::Absent));
    assert_eq!(persisted(&sysctl, "vm.no_such").0, "10");
    assert_eq!(sysctl.assignments.items[0].running.get().map(|_| ()), Err(Missing::Absent));
    // A directory of /proc/sys is no key.
    assert_eq!(value(&sysctl, "vm"), Err(Missing::Absent));
    assert!(matches!(sysctl.keys.key("vm.neither"), Err(Missing::Absent)));
    // A tree with a copy of part of /proc says nothing of what it did not copy.
    assert_eq!(value(&collect(&files, TargetKind::Root), "vm.no_such"), Ok("10".into()));
}

#[test]
fn a_sosreport_tells_what_sysctl_a_printed() {
    let mut files = systemd();
    files.file("/proc/meminfo", "").file(running::SOS_SYSCTL_A, "vm.a = 1\nvm.swappiness = 30\n");
    let sysctl = collect(&files, TargetKind::Root);
    let found = sysctl.keys.key("vm.swappiness").unwrap().running.clone().unwrap();
    assert_eq!(
        (found.value.0.as_str(), found.at.to_string()),
        ("30", "/sos_commands/kernel/sysctl_-a:2".into())
    );
}

#[test]
fn an_unreadable_running_value_is_not_replaced_by_another() {
    let mut files = systemd();
    files.deny("/proc/sys/vm/swappiness").file("/etc/sysctl.d/a.conf", "vm.swappiness = 10\n");
    let sysctl = live(&files);
    let denied = Missing::unreadable("/proc/sys/vm/swappiness", Reason::Denied);
    assert_eq!(value(&sysctl, "vm.swappiness"), Err(denied.clone()));
    assert_eq!(sysctl.assignments.items[0].in_force.get(), Err(denied));
}

#[test]
fn a_denied_file_hides_what_it_could_overrule_and_no_more() {
    let mut files = systemd();
    files.file("/etc/sysctl.d/10-a.conf", "vm.swappiness = 10\n").deny("/etc/sysctl.d/50-b.conf");
    files.file("/etc/sysctl.d/90-c.conf", "vm.dirty_ratio = 30\nnet.ipv4.conf.*.rp_filter = 2\n");
    let sysctl = image(&files);
    let denied = Missing::unreadable("/etc/sysctl.d/50-b.conf", Reason::Denied);
    assert_eq!(value(&sysctl, "vm.swappiness"), Err(denied.clone()));
    assert_eq!(value(&sysctl, "vm.dirty_ratio"), Ok("30".into()));
    assert_eq!(value(&sysctl, "net.ipv4.conf.all.rp_filter"), Err(denied.clone()));
    assert_eq!(value(&sysctl, "fs.nr_open"), Err(denied.clone()));
    assert_eq!(sysctl.assignments.unread.len(), 1);
    assert_eq!(sysctl.assignments.items[0].wins, Err(denied));
    assert_eq!(sysctl.assignments.items[1].wins, Ok(true));
}

#[test]
fn a_denied_directory_hides_every_persisted_value() {
    let mut files = systemd();
    files.deny("/etc/sysctl.d").file("/usr/lib/sysctl.d/90-c.conf", "vm.dirty_ratio = 30\n");
    let denied = Missing::unreadable("/etc/sysctl.d", Reason::Denied);
    assert_eq!(value(&image(&files), "vm.dirty_ratio"), Err(denied.clone()));
    files.file("/proc/sys/vm/dirty_ratio", "20\n");
    let sysctl = live(&files);
    assert_eq!(value(&sysctl, "vm.dirty_ratio"), Ok("20".into()));
    assert_eq!(sysctl.keys.key("vm.dirty_ratio").unwrap().persisted, Err(denied));
}

#[test]
fn defaults_follow_the_kernel_that_runs_or_else_the_newest_installed() {
    let mut files = systemd();
    assert_eq!(value(&image(&files), "net.ipv4.tcp_tw_reuse"), Err(Missing::Absent));
    files.directory("/lib/modules/4.18.0-553.el8.x86_64").directory("/lib/modules/extra");
    assert_eq!(value(&image(&files), "net.ipv4.tcp_tw_reuse"), Ok("0".into()));
    files.file("/proc/version", "Linux version 4.19.0-27-amd64 (x@y) (gcc) #1 SMP\n");
    assert_eq!(value(&collect(&files, TargetKind::Root), "net.ipv4.tcp_tw_reuse"), Ok("2".into()));
    files.file("/proc/version", "").directory("/lib/modules/6.1.0-28-amd64");
    let sysctl = image(&files);
    assert_eq!(value(&sysctl, "net.ipv4.tcp_tw_reuse"), Ok("2".into()));
    let at = sysctl.keys.key("net.ipv4.tcp_tw_reuse").unwrap().value.clone().unwrap().at;
    assert_eq!(at.to_string(), "kernel:networking/ip-sysctl.html");
}

#[test]
fn a_key_that_was_removed_has_no_value_where_the_kernel_is_known() {
    let mut files = systemd();
    files.file("/etc/sysctl.d/a.conf", "net.ipv4.tcp_tw_recycle = 1\n");
    let recycle = "net.ipv4.tcp_tw_recycle";
    let sysctl = image(&files);
    assert_eq!(value(&sysctl, recycle), Ok("1".into()));
    assert_eq!(sysctl.keys.key(recycle).unwrap().removed, None);
    files.directory("/lib/modules/4.12.0");
    let sysctl = image(&files);
    assert_eq!(value(&sysctl, recycle), Err(Missing::Absent));
    let key = sysctl.keys.key(recycle).unwrap();
    assert_eq!((key.removed, key.removed_in.as_deref()), (Some(true), Some("4.12")));
}

#[test]
fn parameters_of_the_command_line_come_before_all_files() {
    let mut files = systemd();
    files.file("/proc/cmdline", "ro sysctl.vm.swappiness=5 sysctl/vm/dirty_ratio=6 sysctl=1 sysctlx.a=1\n");
    files.file("/usr/lib/sysctl.d/a.conf", "vm.swappiness = 7\n");
    let sysctl = live(&files);
    assert_eq!(persisted(&sysctl, "vm.swappiness").0, "7");
    assert_eq!(persisted(&sysctl, "vm.dirty_ratio"), pair("6", "/proc/cmdline"));
    assert_eq!(sysctl.assignments.items.len(), 3);
}

#[test]
fn nothing_at_all_is_no_error() {
    let sysctl = image(&Files::new());
    assert!(sysctl.assignments.items.is_empty() && sysctl.malformed.items.is_empty());
    assert_eq!(value(&sysctl, "vm.overcommit_memory"), Ok("0".into()));
    assert_eq!(value(&sysctl, ""), Err(Missing::Absent));
    assert_eq!(value(&live(&Files::new()), "../../etc/shadow"), Err(Missing::Absent));
}
