use super::*;
use crate::model::Limit;
use crate::source::{At, Files, Target};

fn collect(files: &Files) -> Systemd {
    Systemd::collect(&Host::new(files.clone(), Target::root("x"))).unwrap()
}

fn limits(files: &Files) -> UnitLimits {
    let host = Host::new(files.clone(), Target::root("x"));
    limits::gather(&host, &Units::of(&host))
}

fn unit(text: &str) -> Files {
    let mut files = Files::new();
    files.file("/usr/lib/systemd/system/a.service", text);
    files
}

/// The soft and hard limit of the only assignment, or why it is ignored.
fn one(setting: &str) -> Result<(Limit, Limit), String> {
    let limits = limits(&unit(&format!("[Service]\n{setting}\n")));
    match limits.malformed.items.first() {
        Some(malformed) => Err(malformed.reason.clone()),
        None => Ok((limits.list.items[0].soft.unwrap(), limits.list.items[0].hard.unwrap())),
    }
}

const N: fn(u64) -> Limit = Limit::Number;

#[test]
fn values_are_read_as_systemd_reads_them() {
    assert_eq!(one("LimitNOFILE=4096"), Ok((N(4096), N(4096))));
    assert_eq!(one("LimitNOFILE=1024:infinity"), Ok((N(1024), Limit::Unlimited)));
    assert_eq!(one("LimitNOFILE=0x100000"), Ok((N(1 << 20), N(1 << 20))));
    assert_eq!(one("LimitMEMLOCK=64K"), Ok((N(65536), N(65536))));
    assert_eq!(one("LimitCORE=1.5G:2G"), Ok((N(3 << 29), N(2 << 30))));
    assert_eq!(one("LimitSTACK=8 M"), Ok((N(8 << 20), N(8 << 20))));
}

#[test]
fn what_systemd_ignores_says_why() {
    let not_understood = Err("the value is not understood".to_owned());
    for value in
        ["", "64K", "4096 -- more", "unlimited", "-1", "1:2:3", ":", "18446744073709551615", "\u{fffd}"]
    {
        assert_eq!(one(&format!("LimitNOFILE={value}")), not_understood, "{value:?}");
    }
    assert_eq!(one("LimitNOFILE=2:1"), Err("the soft limit is above the hard one".into()));
    assert_eq!(one("LimitAS=99999999999E"), not_understood);
}

#[test]
fn the_last_assignment_that_is_understood_holds() {
    let mut files = unit("[Service]\nLimitNOFILE=1\nLimitNPROC=5\n[Install]\nLimitNOFILE=9\n");
    files.file("/etc/systemd/system/a.service.d/20.conf", "[Service]\nLimitNOFILE=3\nLimitNOFILE=\n");
    files.file("/usr/lib/systemd/system/service.d/10.conf", "[Service]\nLimitNOFILE=2\n");
    let limits = limits(&files);
    let found: Vec<_> = limits.list.items.iter().map(|l| (l.resource.as_str(), l.soft.unwrap())).collect();
    assert_eq!(found, [("nofile", N(3)), ("nproc", N(5))]);
    assert_eq!(limits.list.items[0].at, At::line("/etc/systemd/system/a.service.d/20.conf", 2));
    assert_eq!(limits.malformed.items[0].at, At::line("/etc/systemd/system/a.service.d/20.conf", 3));
}

#[test]
fn the_first_directory_of_the_search_path_has_the_unit() {
    let mut files = unit("[Service]\nLimitNOFILE=1\n");
    files.file("/etc/systemd/system/a.service", "[Service]\n");
    assert!(limits(&files).list.items.is_empty());
    // Without a merged /usr, /lib is a directory of its own; with it, a link.
    let mut files = Files::new();
    files.file("/lib/systemd/system/b.service", "[Service]\nLimitNOFILE=1\n");
    assert_eq!(limits(&files).list.items[0].at.path.as_ref(), "/lib/systemd/system/b.service");
    let mut files = unit("[Service]\nLimitNOFILE=1\n");
    files.link("/lib", "usr/lib");
    assert_eq!(limits(&files).list.items[0].at.path.as_ref(), "/usr/lib/systemd/system/a.service");
}

#[test]
fn masked_units_and_aliases_are_known_as_such() {
    let mut files = unit("[Service]\nLimitNOFILE=1\n");
    files.link("/etc/systemd/system/b.service", "/dev/null");
    files.link("/etc/systemd/system/alias.service", "/usr/lib/systemd/system/a.service");
    files.file("/etc/systemd/system/alias.service.d/x.conf", "[Service]\nLimitNOFILE=2\n");
    files.link("/run/systemd/system/a.service.d/y.conf", "/dev/null");
    files.file("/usr/lib/systemd/system/a.service.d/y.conf", "[Service]\nLimitNOFILE=3\n");
    files.file("/etc/systemd/system/README", "").file("/etc/systemd/system/multi-user.target", "");
    let systemd = collect(&files);
    let units = &systemd.units.get().unwrap().items;
    let found: Vec<_> = units.iter().map(|u| (u.name.as_str(), u.masked, u.alias_of.as_deref())).collect();
    let expected = [
        ("a.service", false, None),
        ("alias.service", false, Some("a.service")),
        ("b.service", true, None),
        ("multi-user.target", true, None),
    ];
    assert_eq!(found, expected);
    assert_eq!(units[0].drop_ins, [At::file("/etc/systemd/system/alias.service.d/x.conf")]);
    let limits = systemd.limits.get().unwrap();
    assert_eq!(limits.list.items.iter().map(|l| l.soft).collect::<Vec<_>>(), [Some(N(2))]);
}

#[test]
fn drop_ins_are_read_by_name_and_the_closest_directory_wins() {
    let mut files = Files::new();
    files.file("/usr/lib/systemd/system/x-y@.service", "[Service]\n");
    for path in [
        "/usr/lib/systemd/system/x-y@.service.d/10.conf",
        "/usr/lib/systemd/system/x-.service.d/20.conf",
        "/etc/systemd/system/x-.service.d/10.conf",
        "/etc/systemd/system/service.d/10.conf",
        "/etc/systemd/system/service.d/05.conf",
        "/etc/systemd/system/service.d/note.txt",
    ] {
        files.file(path, "");
    }
    let systemd = collect(&files);
    let drop_ins: Vec<_> =
        systemd.units.get().unwrap().items[0].drop_ins.iter().map(|at| at.path.to_string()).collect();
    // The directory under /etc comes before /usr/lib even if it is for more units.
    let expected = [
        "/etc/systemd/system/service.d/05.conf",
        "/etc/systemd/system/x-.service.d/10.conf",
        "/usr/lib/systemd/system/x-.service.d/20.conf",
    ];
    assert_eq!(drop_ins, expected);
}

#[test]
fn the_managers_defaults_come_from_one_file_and_its_drop_ins() {
    let mut files = Files::new();
    files.file("/etc/systemd/system.conf", "[Manager]\n#DefaultLimitNOFILE=1\nDefaultLimitNPROC=65535\n");
    files.file("/usr/lib/systemd/system.conf", "[Manager]\nDefaultTasksMax=1\n");
    files.file("/etc/systemd/system.conf.d/50-x.conf", "[Manager]\nDefaultLimitNOFILE=100000\n");
    files.file("/usr/lib/systemd/system.conf.d/50-x.conf", "[Manager]\nDefaultLimitNOFILE=2\n");
    files.file(
        "/usr/lib/systemd/system.conf.d/60-y.conf",
        "[Manager]\nDefaultTasksMax=80%\n[Service]\nDefaultX=1\n",
    );
    let systemd = collect(&files);
    let defaults = systemd.defaults.get().unwrap();
    let found: Vec<_> = defaults.iter().map(|(k, v)| (k.as_str(), v.value.as_str())).collect();
    let expected =
        [("DefaultLimitNOFILE", "100000"), ("DefaultLimitNPROC", "65535"), ("DefaultTasksMax", "80%")];
    assert_eq!(found, expected);
    let limit = &systemd.limits.get().unwrap().list.items[0];
    assert_eq!((limit.unit.as_str(), limit.setting.as_str()), ("system.conf", "DefaultLimitNPROC"));
}

#[test]
fn what_is_denied_is_said() {
    let mut files = unit("[Service]\nLimitNOFILE=1\n");
    files.deny("/etc/systemd/system.conf").deny("/etc/systemd/system/b.service").deny("/run/systemd/system");
    let systemd = collect(&files);
    assert!(matches!(systemd.defaults.get(), Err(Missing::Unreadable(_))));
    let limits = systemd.limits.get().unwrap();
    let unread: Vec<_> = limits.list.unread.iter().map(|u| u.path.as_ref()).collect();
    assert_eq!(unread, ["/etc/systemd/system.conf", "/run/systemd/system", "/etc/systemd/system/b.service"]);
    assert_eq!(limits.list.items.len(), 1);
}

#[test]
fn the_version_comes_from_the_library_or_from_the_manager() {
    let version = |path: &str, bytes: &str| {
        let mut files = Files::new();
        files.file(path, bytes);
        collect(&files).version.get().copied()
    };
    assert_eq!(version("/usr/lib/systemd/libsystemd-shared-239.so", ""), Ok(239));
    let mut files = Files::new();
    files
        .file("/usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-252.so", "")
        .file("/usr/lib/systemd/x", "");
    assert_eq!(collect(&files).version.get(), Ok(&252));
    assert_eq!(version("/usr/lib/systemd/systemd", "\0systemd 219 running in %ssystem mode. (\0"), Ok(219));
    assert_eq!(version("/usr/lib/systemd/systemd", "garbage"), Err(Missing::Absent));
    assert_eq!(version("/etc/systemd/system.conf", ""), Err(Missing::Absent));
}

#[test]
fn what_becomes_of_nr_open_is_in_the_managers_bytes() {
    let says = |bytes: &str| {
        let mut files = Files::new();
        files.file("/usr/lib/systemd/systemd", bytes);
        let systemd = collect(&files);
        (systemd.raises_nr_open.get().copied(), systemd.reaches_nr_open.get().copied())
    };
    assert_eq!(says("\0systemd 219 running in %ssystem mode. (\0"), (Ok(false), Ok(false)));
    assert_eq!(says("\0/proc/sys/fs/nr_open\0"), (Ok(false), Ok(true)));
    assert_eq!(says("\0read_nr_open\0fs/file-max\0"), (Ok(false), Ok(true)));
    assert_eq!(says("\0read_nr_open\0fs/file-max\0fs/nr_open\0"), (Ok(true), Ok(true)));
    assert_eq!(collect(&unit("")).raises_nr_open.get(), Err(Missing::Absent));
}

#[test]
fn without_systemd_there_is_no_fact() {
    let host = Host::new(Files::new(), Target::root("x"));
    assert_eq!(Systemd::collect(&host).map(|_| ()), Err(Missing::Absent));
}
