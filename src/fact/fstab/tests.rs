use super::*;
use crate::fact::Fact;
use crate::source::{Files, Host, Missing, Target};

const FSTAB: &str = "\
# /etc/fstab: static file system information.

UUID=0a3407de-014b-458b-b5c1-848e92a327a3 / ext4 defaults 1 1
LABEL=\"my\\040disk\"\t/mnt/my\\040disk/\txfs\tdefaults,nofail\t0\t2
PARTUUID=0001-02 /boot/efi vfat umask=0077
/dev/vdb1 /data ext4
  nas:/export /srv/nas nfs noatime 0 0   # the archive
//nas/share /srv/share cifs credentials=/etc/cred,_netdev 0 0
/srv/nas /home/nas none rw,bind 0 0
tmpfs /tmp tmpfs size=1g 0 0
/swapfile none swap sw 0 0
tank/home /home zfs defaults 0 0";

fn entries(text: &str) -> Vec<FstabEntry> {
    parse("/etc/fstab", text).0
}

fn wrong(text: &str) -> Vec<(FstabPart, FstabEffect, bool)> {
    let faults = parse("/etc/fstab", text).1.into_iter().flat_map(|line| line.faults);
    faults.map(|f| (f.part, f.effect, f.stops_boot)).collect()
}

#[test]
fn entries_are_read_as_fstab_5_says() {
    let (entries, lines) = parse("/etc/fstab", FSTAB);
    assert_eq!((lines.len(), wrong(FSTAB)), (10, vec![]));
    let kinds: Vec<_> = entries.iter().map(|e| (e.mount_point.as_str(), e.spec_kind, e.stops_boot)).collect();
    assert_eq!(
        kinds,
        [
            ("/", FstabSpecKind::Uuid, true),
            ("/mnt/my disk", FstabSpecKind::Label, false),
            ("/boot/efi", FstabSpecKind::Partuuid, true),
            ("/data", FstabSpecKind::Device, true),
            ("/srv/nas", FstabSpecKind::Network, false),
            ("/srv/share", FstabSpecKind::Network, false),
            ("/home/nas", FstabSpecKind::Path, true),
            ("/tmp", FstabSpecKind::Pseudo, true),
            ("none", FstabSpecKind::Path, false),
            ("/home", FstabSpecKind::Other, true),
        ]
    );
    assert_eq!((entries[0].dump, entries[0].pass, entries[0].line), (1, 1, 3));
    assert_eq!(entries[1].spec_value, "my disk");
    assert_eq!(entries[1].spec_path.as_deref(), Some("/dev/disk/by-label/my\\x20disk"));
    assert_eq!(entries[1].options, ["defaults", "nofail"]);
    assert!(entries[3].options.is_empty());
    assert!(entries[4].remote && entries[4].network && !entries[4].netdev);
    assert!(entries[6].bind);
    assert_eq!(entries[4].at.to_string(), "/etc/fstab:7");
}

#[test]
fn lines_that_readers_refuse_say_what_comes_of_it() {
    use FstabEffect as E;
    use FstabPart as P;
    for (line, expected) in [
        ("/dev/vdb1", (P::Fields, E::Ignored, false)),
        ("/dev/vdb1 /data", (P::Fields, E::Half, true)),
        ("/dev/vdb1 data ext4 defaults 0 0", (P::MountPoint, E::Ignored, false)),
        ("/dev/vdb1 none ext4 defaults 0 0", (P::MountPoint, E::Ignored, false)),
        ("/dev/vdb1 /with space ext4 defaults 0 0", (P::Blank, E::Misread, true)),
        ("LABEL=my disk /mnt ext4 defaults 0 0", (P::Blank, E::Ignored, false)),
        ("/bin/helper /from /to fuse nofail 0 0", (P::Blank, E::Misread, true)),
        ("/dev/vdb1 /data ext4 defaults, noatime 0 0", (P::Blank, E::Half, true)),
        ("/dev/vdb1 /data ext4 defaults # comment", (P::Dump, E::Half, true)),
        ("/dev/vdb1 /data ext4 nofail x 0", (P::Dump, E::Half, false)),
        ("/dev/vdb1 /data ext4 defaults 0 two", (P::Pass, E::Half, true)),
        ("/dev/vdb1 /data ext4 defaults 0 2 3", (P::Excess, E::Harmless, true)),
        ("/dev/vdb1 /data ext44 defaults 0 2", (P::Type, E::Fails, true)),
        ("/dev/vdb1 /data ext4 default 0 2", (P::Option, E::Fails, true)),
        ("UUID= /data ext4 defaults 0 2", (P::Spec, E::Fails, true)),
        ("uuid=01 /data ext4 defaults 0 2", (P::Spec, E::Fails, true)),
        ("UUID=\"01 /data ext4 defaults 0 2", (P::Spec, E::Fails, true)),
        ("/dev/vdb1 /da\\0zz ext4 defaults 0 2", (P::Escape, E::Misread, true)),
        ("LABEL=a\\x20b /data ext4 nofail 0 2", (P::Escape, E::Misread, false)),
        ("/dev/vdb1\0 /data ext4 nofail 0 2", (P::Garbage, E::Ignored, false)),
    ] {
        assert_eq!(wrong(line), [expected], "{line}");
    }
}

#[test]
fn legal_oddities_are_not_malformed() {
    for line in [
        "/dev/vdb1 /data ext4",
        "/dev/vdb1 /data ext4 defaults 0 2 # a comment",
        "/dev/vdb1 swap swap sw 0 0",
        "/dev/fd0 /media/floppy auto rw,user,noauto 0 0",
        "/dev/disk/by-label/a\\x20b /data ext4 defaults 0 0",
        "\\\\\\\\nas\\\\share /srv cifs guest 0 0",
        "/a:/b /pool mergerfs defaults 0 0",
        "a_type_of_my_own /x weirdfs defaults 0 0",
        "none /run/x ignore defaults 0 0",
    ] {
        assert_eq!(wrong(line), [], "{line}");
    }
    assert_eq!(wrong(""), []);
    assert_eq!(wrong("# only\n\n \t \n"), []);
}

#[test]
fn a_blank_in_the_mount_point_is_no_entry() {
    let (entries, lines) = parse("/etc/fstab", "/dev/vdb1 /mnt/some space test ext4 defaults,nofail 0 0");
    assert!(entries.is_empty());
    assert_eq!(lines[0].mount_point, "/mnt/some space test");
    assert!(
        lines[0].faults[0].stops_boot,
        "its options are read from the wrong field, so nofail does not count"
    );
}

#[test]
fn dos_line_ends_hide_nofail_from_systemd() {
    let harmless = "/dev/vda1 / ext4 defaults 0 1\r\n\r\n/dev/vdb1 /data ext4 defaults\r\n";
    assert_eq!(wrong(harmless), [(FstabPart::LineEnd, FstabEffect::Harmless, false)]);
    let hidden = "/dev/vda1 / ext4 defaults 0 1\r\n/dev/vdb1 /data ext4 defaults,nofail\r\n";
    assert_eq!(wrong(hidden), [(FstabPart::LineEnd, FstabEffect::Misread, true)]);
    let found = entries(hidden);
    assert!(found[1].nofail && found[1].stops_boot);
    assert!(!entries("/dev/vdb1 /data ext4 defaults,nofail 0 0\r\n")[0].stops_boot);
}

#[test]
fn options_decide_whether_the_boot_stops() {
    for (options, stops) in [
        ("defaults", true),
        ("nofail", false),
        ("nofail,fail", true),
        ("noauto", false),
        ("x-systemd.automount", false),
        ("_netdev", false),
        ("x-systemd.device-timeout=9", true),
    ] {
        assert_eq!(entries(&format!("/dev/vdb1 /d ext4 {options} 0 0"))[0].stops_boot, stops, "{options}");
        assert!(entries(&format!("/dev/vda1 / ext4 {options} 0 0"))[0].stops_boot, "/ is always needed");
    }
}

#[test]
fn garbage_does_not_panic() {
    for text in [
        "\u{fffd}\u{fffd} \\",
        "= = = = = =",
        "UUID=\" / ext4",
        "\\ \\ \\",
        "a /\\04 b c d e f g",
        "/ / / / / / /",
    ] {
        let _ = parse("/etc/fstab", text);
    }
}

fn host(files: &Files) -> Host {
    Host::new(files.clone(), Target::live())
}

#[test]
fn unreadable_absent_and_empty_are_three_things() {
    let mut files = Files::new();
    assert_eq!(Fstab::collect(&host(&files)).unwrap_err(), Missing::Absent);
    files.file("/etc/fstab", "");
    assert!(Fstab::collect(&host(&files)).unwrap().entries.is_empty());
    files.deny("/etc/fstab");
    assert!(matches!(Fstab::collect(&host(&files)), Err(Missing::Unreadable(_))));
}

#[test]
fn mount_points_and_devices_are_looked_at_when_asked() {
    let mut files = Files::new();
    files.file("/etc/fstab", "/dev/vda1 /mnt/a/ ext4\n/dev/vdb1 /mnt/none ext4\n/dev/vdc1 /mnt/file ext4\n");
    files.directory("/real").link("/mnt/a", "/real").file("/mnt/file", "").file("/dev/vda1", "");
    let found = Fstab::collect(&host(&files)).unwrap();
    let [a, none, file] = found.entries.as_slice() else { panic!() };
    assert_eq!(a.mount_point_real.get().unwrap(), "/real");
    assert_eq!(a.mount_point_is_directory.get(), Ok(&true));
    assert_eq!(none.mount_point_exists.get(), Ok(&false));
    assert_eq!(none.mount_point_is_directory.get(), Err(Missing::Absent));
    assert_eq!(file.mount_point_is_directory.get(), Ok(&false));
    assert_eq!((a.spec_exists.get(), none.spec_exists.get()), (Ok(&true), Ok(&false)));
    assert!(matches!(found.by_systemd.get(), Err(Missing::Unreadable(_))), "no init system is to be seen");
    let tree = Fstab::collect(&Host::new(files.clone(), Target::root("tree"))).unwrap();
    assert!(matches!(tree.entries[0].spec_exists.get(), Err(Missing::Unreadable(_))));
    files.file("/proc/partitions", "major minor  #blocks  name\n\n 252 1 1024 vda1\n");
    let report = Fstab::collect(&Host::new(files, Target::root("tree"))).unwrap();
    let exists: Vec<_> = report.entries.iter().map(|e| e.spec_exists.get().copied()).collect();
    assert_eq!(exists, [Ok(true), Ok(false), Ok(false)]);
}

#[test]
fn the_init_system_decides_who_mounts() {
    let mut files = Files::new();
    files.file("/etc/fstab", "").file("/sbin/init", "");
    assert_eq!(Fstab::collect(&host(&files)).unwrap().by_systemd.get(), Ok(&false));
    files.file("/usr/lib/systemd/system-generators/systemd-fstab-generator", "");
    assert_eq!(Fstab::collect(&host(&files)).unwrap().by_systemd.get(), Ok(&true));
}

#[test]
fn a_helper_makes_an_odd_type_legal() {
    let mut files = Files::new();
    files.file("/etc/fstab", "/dev/vda1 /a ext44 defaults 0 0\n");
    assert_eq!(Fstab::collect(&host(&files)).unwrap().lines[0].faults.len(), 1);
    files.file("/sbin/mount.ext44", "");
    assert_eq!(Fstab::collect(&host(&files)).unwrap().lines[0].faults, []);
}
