use super::*;
use crate::fact::Fact;
use crate::fact::systemd::Systemd;
use crate::source::{Files, Target};

const LIB: &str = "/usr/lib/systemd/system";

fn host() -> Files {
    let mut files = Files::new();
    files
        .file("/usr/lib/systemd/systemd", "ELF")
        .link("/sbin/init", "../lib/systemd/systemd")
        .link("/lib", "usr/lib")
        .link(format!("{LIB}/default.target"), "graphical.target")
        .file(
            format!("{LIB}/graphical.target"),
            "[Unit]\nRequires=multi-user.target\nWants=display-manager.service\n",
        )
        .file(format!("{LIB}/multi-user.target"), "[Unit]\nRequires=basic.target\n")
        .file(
            format!("{LIB}/basic.target"),
            "[Unit]\nRequires=sysinit.target\nWants=sockets.target dev-%i.device\n",
        )
        .file(format!("{LIB}/sockets.target"), "[Unit]\n");
    files
}

fn boot(files: &Files) -> SystemdBoot {
    Systemd::collect(&Host::new(files.clone(), Target::root("x"))).unwrap().boot
}

fn names(files: &Files) -> Vec<(String, String, bool)> {
    let boot = boot(files);
    boot.units.get().unwrap().items.iter().map(|u| (u.name.clone(), u.by.clone(), u.on_demand)).collect()
}

fn one(text: &str) -> StartedUnit {
    let mut files = host();
    files.file("/etc/systemd/system/default.target", "[Unit]\nWants=a.service\n");
    files.file("/etc/systemd/system/a.service", text).file("/bin/true", "ELF").mode("/bin/true", 0o755);
    files.file("/usr/bin/text", "x").mode("/usr/bin/text", 0o644);
    boot(&files).units.get().unwrap().items[1].clone()
}

#[test]
fn what_default_target_pulls_in_is_started() {
    let mut files = host();
    files
        .link("/etc/systemd/system/multi-user.target.wants/a.service", "x")
        .file(format!("{LIB}/a.service"), "[Unit]\nWants=b.service\n[Service]\n")
        .link("/etc/systemd/system/alias.service", format!("{LIB}/b.service"))
        .file(format!("{LIB}/b.service"), "[Service]\n")
        .file(format!("{LIB}/unused.service"), "[Service]\n")
        .link("/etc/systemd/system/other.target.wants/unused.service", "x")
        .link(format!("{LIB}/sockets.target.wants/s.socket"), "../s.socket")
        .file(format!("{LIB}/s.socket"), "[Socket]\nAccept=yes\n")
        .file(format!("{LIB}/s@.service"), "[Service]\n");
    let found = names(&files);
    let found: Vec<_> = found.iter().map(|(a, b, c)| (a.as_str(), b.as_str(), *c)).collect();
    assert_eq!(
        found,
        [
            ("graphical.target", "graphical.target", false),
            ("multi-user.target", "graphical.target", false),
            ("basic.target", "multi-user.target", false),
            ("a.service", "multi-user.target", false),
            ("sockets.target", "basic.target", false),
            ("b.service", "a.service", false),
            ("s.socket", "sockets.target", false),
            ("s@0.service", "s.socket", true),
        ]
    );
}

#[test]
fn commands_are_looked_for() {
    let unit = one(
        "[Service]\nExecStart=/bin/true x\nExecStart=-@/gone y\nExecStart=true\nExecStart=none\nExecStart=/usr/bin/text\n\
         ExecStart=/bin\nExecStart=/x/%i\nExecStart=\"/a b\" c\nExecStartPre=!/bin/true\n",
    );
    let found: Vec<_> = unit
        .commands
        .iter()
        .map(|c| (c.program.as_str(), c.ignores_failure, c.state.clone().unwrap()))
        .collect();
    assert_eq!(
        found,
        [
            ("/bin/true", false, CommandState::Executable),
            ("/bin/true", false, CommandState::Executable),
            ("/gone", true, CommandState::Missing),
            ("true", false, CommandState::Executable),
            ("none", false, CommandState::Missing),
            ("/usr/bin/text", false, CommandState::NotExecutable),
            ("/bin", false, CommandState::NoFile),
            ("/a b", false, CommandState::Missing),
        ]
    );
    assert_eq!(one("[Service]\nRootDirectory=/srv\nExecStart=/gone\n").commands, []);
}

#[test]
fn a_program_on_a_file_system_that_is_not_mounted_is_unknown() {
    let mut files = host();
    files
        .file("/etc/fstab", "# x\nUUID=1 / ext4\n/dev/sdb /opt\\040x ext4\n/dev/sdc /opt/y/ ext4\n")
        .file("/opt/y/there", "")
        .file("/etc/systemd/system/default.target", "[Unit]\nWants=a.service\n")
        .file("/etc/systemd/system/a.service", "[Service]\nExecStartPre=/opt/y/a\nExecStart=\"/opt x/a\"\n");
    let boot = boot(&files);
    let states: Vec<_> =
        boot.units.get().unwrap().items[1].commands.iter().map(|c| c.state.is_err()).collect();
    assert_eq!(states, [false, true]);
}

#[test]
fn conditions_that_can_be_told_are_told() {
    let skipped = |text: &str| one(&format!("[Unit]\n{text}\n[Service]\n")).skipped;
    for text in [
        "",
        "ConditionPathExists=/bin/true",
        "ConditionPathExists=!/gone\nConditionCapability=CAP_SYS_TIME\nConditionVirtualization=!container",
        "ConditionFileIsExecutable=/bin/true\nAssertPathIsDirectory=/bin",
        "ConditionPathExists=|/gone\nConditionPathExists=|/bin",
        "ConditionPathExists=/gone\nConditionPathExists=",
    ] {
        assert_eq!(skipped(text), UnitSkipped::No, "{text}");
    }
    for text in [
        "ConditionPathExists=/gone",
        "ConditionPathExists=! /bin/true",
        "ConditionFileIsExecutable=/usr/bin/text",
        "AssertDirectoryNotEmpty=/gone",
        "ConditionVirtualization=container",
        "ConditionPathExists=|/gone\nConditionPathExists=|!/bin",
        "ConditionFirstBoot=yes\nConditionFileNotEmpty=/bin",
    ] {
        assert_eq!(skipped(text), UnitSkipped::Yes, "{text}");
    }
    for text in [
        "ConditionFirstBoot=yes",
        "ConditionPathExists=/run/x",
        "ConditionPathExists=|/gone\nConditionNeedsUpdate=|/etc",
    ] {
        assert_eq!(skipped(text), UnitSkipped::Unknown, "{text}");
    }
}

#[test]
fn the_default_target_may_lead_nowhere() {
    let target = |files: &Files| boot(files).target.get().cloned();
    let mut files = host();
    let found = target(&files).unwrap();
    assert_eq!(
        (found.unit.as_str(), found.leads, found.link.as_deref()),
        ("graphical.target", true, Some("graphical.target"))
    );
    files.link("/etc/systemd/system/default.target", "/lib/systemd/system/runlevel7.target");
    let found = target(&files).unwrap();
    assert_eq!((found.unit.as_str(), found.leads, found.masked), ("runlevel7.target", false, false));
    assert_eq!(names(&files), []);
    files.link("/etc/systemd/system/default.target", "/dev/null");
    let found = target(&files).unwrap();
    assert_eq!((found.leads, found.masked), (false, true));
    let mut files = Files::new();
    files.file("/usr/lib/systemd/systemd", "");
    assert_eq!(target(&files), Err(Missing::Absent));
    files.deny("/etc/systemd/system");
    assert!(matches!(target(&files), Err(Missing::Unreadable(_))));
}

#[test]
fn systemd_is_the_init_or_is_not() {
    let is_init = |files: &Files| boot(files).is_init.get().copied();
    let mut files = host();
    assert_eq!(is_init(&files), Ok(true));
    files.file("/proc/1/comm", "openrc-init\n");
    assert_eq!(is_init(&files), Ok(false));
    let mut files = Files::new();
    files.file("/usr/lib/systemd/systemd", "");
    assert_eq!(is_init(&files), Err(Missing::Absent));
    files.file("/sbin/init", "ELF");
    assert_eq!(is_init(&files), Ok(false));
}

#[test]
fn links_to_units_that_are_gone_are_told() {
    let mut files = host();
    files
        .link(
            "/etc/systemd/system/multi-user.target.wants/gone.service",
            "/usr/lib/systemd/system/gone.service",
        )
        .link("/etc/systemd/system/multi-user.target.requires/lost.service", "../lost.service")
        .link(
            "/etc/systemd/system/multi-user.target.wants/script.service",
            "/usr/lib/systemd/system/script.service",
        )
        .file("/etc/init.d/script", "#!/bin/sh\n")
        .link("/etc/systemd/system/multi-user.target.wants/a@1.service", "/lib/systemd/system/a@.service")
        .file(format!("{LIB}/a@.service"), "[Service]\n")
        .link(format!("{LIB}/multi-user.target.wants/vendor.service"), "../vendor.service");
    let boot = boot(&files);
    let found: Vec<_> =
        boot.dangling.get().unwrap().items.iter().map(|d| (d.unit.as_str(), d.requires)).collect();
    assert_eq!(found, [("lost.service", true), ("gone.service", false)]);
}
