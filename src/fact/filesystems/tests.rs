use super::*;
use crate::source::{Files, Target};

/// A host with these mounts, each of them with this room where it is told.
fn host(mounts: &str, spaces: &[(&str, &str)]) -> Host {
    let mut files = Files::new();
    files.file("/proc/self/mountinfo", mounts);
    for (path, space) in spaces {
        files.space(path, space.parse().unwrap());
    }
    Host::new(files, Target::live())
}

fn points(host: &Host) -> Vec<String> {
    Filesystems::collect(host).unwrap().list.into_iter().map(|f| f.mount_point).collect()
}

fn is_not_read<T: std::fmt::Debug>(reading: &Reading<T>, why: &str) -> bool {
    matches!(reading, Err(Missing::Unreadable(Unreadable { reason: Reason::NotRead(found), .. })) if found.contains(why))
}

#[test]
fn the_reserve_counts_as_df_counts_it() {
    let host = host(
        "25 1 252:1 / / rw - ext4 /dev/vda1 rw\n",
        &[("/", "size=40GiB free=4GiB available=2GiB files=2621440 files_free=262144")],
    );
    let found = Filesystems::collect(&host).unwrap();
    let root = &found.list[0];
    assert_eq!(root.used_bytes, Ok(36 << 30));
    // 36 of 38 GiB: two are reserved.
    assert!((root.used_percent.as_ref().unwrap() - 94.736).abs() < 0.001);
    assert_eq!((root.inodes_used.clone(), root.inodes_used_percent.clone()), (Ok(2_359_296), Ok(90.0)));
    assert_eq!(root.at.to_string(), "/proc/self/mountinfo:1");
}

#[test]
fn no_inodes_are_absent_and_no_size_has_no_percent() {
    let host = host(
        "25 1 0:22 /@ / rw - btrfs /dev/vda1 rw\n26 25 0:30 / /x rw - tmpfs none rw\n",
        &[("/", "size=10GiB free=1GiB"), ("/x", "size=0")],
    );
    let found = Filesystems::collect(&host).unwrap();
    assert_eq!(found.list[0].inodes, Err(Missing::Absent));
    assert_eq!(found.list[0].inodes_used_percent, Err(Missing::Absent));
    assert_eq!(
        (found.list[1].used_percent.clone(), found.list[1].used_bytes.clone()),
        (Err(Missing::Absent), Ok(0))
    );
}

#[test]
fn kernel_file_systems_and_overlays_of_containers_are_left_out() {
    let mounts = "\
25 1 252:1 / / rw - ext4 /dev/vda1 rw
26 25 0:5 / /dev rw - devtmpfs udev rw
27 25 0:21 / /proc rw - proc proc rw
28 25 0:22 / /sys rw - sysfs sysfs rw
29 28 0:23 / /sys/firmware/efi/efivars rw - efivarfs efivarfs rw
30 25 0:40 / /var/lib/docker/overlay2/a/merged rw - overlay overlay rw,upperdir=/b
31 25 7:1 / /snap/core/1 ro - squashfs /dev/loop1 ro
32 25 0:41 / /odd rw - oddfs odd rw
33 25 252:17 / /data rw - oddfs /dev/vdb1 rw
34 25 0:50 / /srv rw - nfs4 nas:/srv rw
35 25 0:51 / /home/a/mnt rw - fuse.mergerfs a:b rw
36 25 8:1 / /win rw - fuseblk /dev/sda1 rw
37 25 0:52 / /mnt/shared rw - 9p share rw
";
    let full = "size=1GiB free=1MiB";
    let host = host(
        mounts,
        &[("/", full), ("/dev", full), ("/snap/core/1", "size=100"), ("/data", full), ("/win", full)],
    );
    let found = Filesystems::collect(&host).unwrap().list;
    let kinds: Vec<_> = found.iter().map(|f| (f.mount_point.as_str(), f.kind)).collect();
    assert_eq!(
        kinds,
        [
            ("/", FileSystemKind::Disk),
            ("/dev", FileSystemKind::Memory),
            ("/snap/core/1", FileSystemKind::Image),
            ("/data", FileSystemKind::Disk),
            ("/srv", FileSystemKind::Network),
            ("/home/a/mnt", FileSystemKind::User),
            ("/win", FileSystemKind::Disk),
            ("/mnt/shared", FileSystemKind::Network),
        ]
    );
    assert!(
        is_not_read(&found[4].used_percent, "network file system")
            && is_not_read(&found[5].size_bytes, "user space")
    );
    assert!(found[2].read_only && !found[0].read_only);
}

#[test]
fn one_file_system_is_told_of_once() {
    let mounts = "\
25 1 252:1 / / rw - ext4 /dev/vda1 rw
40 25 252:17 /sub/dir /a rw - xfs /dev/vdb1 rw
41 25 252:17 / /mnt/data rw - xfs /dev/vdb1 rw
42 25 252:1 /var/lib /v rw - ext4 /dev/vda1 rw
43 25 0:33 /@srv /srv/long rw - btrfs /dev/vdc rw
44 25 0:33 /@opt /opt rw - btrfs /dev/vdc rw
";
    let space = "size=1GiB free=1MiB";
    let host = host(mounts, &[("/", space), ("/mnt/data", space), ("/opt", space)]);
    assert_eq!(points(&host), ["/", "/mnt/data", "/opt"]);
}

#[test]
fn what_another_mount_hides_is_not_asked() {
    let mounts = "\
25 1 252:1 / / rw - ext4 /dev/vda1 rw
40 25 252:17 / /data rw - xfs /dev/vdb1 rw
41 40 252:33 / /data/sub rw - xfs /dev/vdc1 rw
42 40 0:60 / /data rw - tmpfs none rw
";
    let host = host(mounts, &[("/", "size=1GiB free=1MiB"), ("/data", "size=2MiB free=1MiB")]);
    let found = Filesystems::collect(&host).unwrap().list;
    let told: Vec<_> = found.iter().map(|f| (f.mount_point.as_str(), f.r#type.as_str())).collect();
    assert_eq!(told, [("/", "ext4"), ("/data", "tmpfs")], "the tmpfs hides the disk and what is below it");
}

#[test]
fn below_a_network_file_system_nothing_is_asked() {
    let mounts = "\
25 1 252:1 / / rw - ext4 /dev/vda1 rw
40 25 0:50 / /srv rw - nfs nas:/srv rw
41 40 252:17 / /srv/data rw - xfs /dev/vdb1 rw
";
    let host = host(mounts, &[("/", "size=1GiB free=1MiB")]);
    let found = Filesystems::collect(&host).unwrap().list;
    assert!(is_not_read(&found[2].used_percent, "mounted on a file system that can hang"));
}

#[test]
fn a_container_tells_of_its_disk_once() {
    let mounts = "\
500 400 0:90 / / rw - overlay overlay rw,upperdir=/u
501 500 252:1 /var/lib/docker/x/hosts /etc/hosts rw - ext4 /dev/vda1 rw
502 500 252:17 /v /data rw - ext4 /dev/vdb1 rw
503 500 0:91 / /dev rw - tmpfs tmpfs rw,size=65536k
";
    let root = "size=40GiB free=1GiB files=100 files_free=50";
    let host = host(
        mounts,
        &[
            ("/", root),
            ("/etc/hosts", root),
            ("/data", "size=9GiB free=1GiB"),
            ("/dev", "size=64MiB free=64MiB"),
        ],
    );
    assert_eq!(points(&host), ["/", "/data", "/dev"]);
}

#[test]
fn data_sets_of_a_pool_share_its_room() {
    let mounts = "\
25 1 0:24 / / rw - zfs rpool/root rw
26 25 0:25 / /home rw - zfs rpool/home rw
27 25 0:26 / /quota rw - zfs rpool/quota rw
";
    let host = host(
        mounts,
        &[("/", "size=9GiB free=1GiB"), ("/home", "size=2GiB free=1GiB"), ("/quota", "size=2GiB free=1MiB")],
    );
    assert_eq!(points(&host), ["/", "/quota"]);
}

#[test]
fn a_tree_of_files_does_not_know() {
    let found = Filesystems::collect(&host("25 1 252:1 / / rw - ext4 /dev/vda1 rw\n", &[]));
    assert!(is_not_read(&found, "how full"));
    let none = Filesystems::collect(&Host::new(Files::new(), Target::root("image")));
    assert!(matches!(none, Err(Missing::Absent)));
}

#[test]
fn a_mounts_file_will_do() {
    let mut files = Files::new();
    files.file("/proc/mounts", "/dev/vda1 / ext4 rw 0 0\n/dev/vda1 /chroot ext4 rw 0 0\nnone /run tmpfs rw 0 0\n/dev/vdb1 /run ext4 ro 0 0\n");
    let space = "size=1GiB free=1MiB".parse().unwrap();
    files.space("/", space).space("/run", space);
    let found = Filesystems::collect(&Host::new(files, Target::root("x"))).unwrap().list;
    let told: Vec<_> =
        found.iter().map(|f| (f.mount_point.as_str(), f.r#type.as_str(), f.read_only)).collect();
    assert_eq!(told, [("/", "ext4", false), ("/run", "ext4", true)]);
}

#[test]
fn denied_is_not_absent_and_garbage_is_nothing() {
    let mut files = Files::new();
    files.deny("/proc/self/mountinfo");
    assert!(matches!(
        Filesystems::collect(&Host::new(files.clone(), Target::live())),
        Err(Missing::Unreadable(_))
    ));
    files.file("/proc/self/mountinfo", [0xff, 0, b' ', b'-', b' ', 0xfe]);
    assert!(Filesystems::collect(&Host::new(files.clone(), Target::live())).unwrap().list.is_empty());
    // A table in which each is on the other.
    files.file("/proc/self/mountinfo", "1 2 8:1 / /a rw - ext4 /dev/a rw\n2 1 8:2 / /b rw - ext4 /dev/b rw\n3 3 8:3 / / rw - ext4 /dev/c rw\n");
    files.space("/", "size=2 free=1".parse().unwrap());
    assert_eq!(points(&Host::new(files, Target::live())), ["/"]);
}

#[test]
fn in_a_chroot_the_parents_are_out_of_sight() {
    let space = "size=1GiB free=1MiB";
    let mounts = "40 7 252:17 / /a rw - xfs /dev/vdb1 rw\n41 7 252:33 / /b rw - xfs /dev/vdc1 rw\n";
    assert_eq!(points(&host(mounts, &[("/a", space), ("/b", space)])), ["/a", "/b"]);
}

#[test]
fn a_table_as_large_as_they_may_be_takes_no_time() {
    let stacked: String =
        (2..10_000).map(|id| format!("{id} {} 8:{id} / /a rw - ext4 /dev/a rw\n", id - 1)).collect();
    let side_by_side: String =
        (2..10_000).map(|id| format!("{id} 1 8:{id} / /{id} rw - ext4 /dev/a rw\n")).collect();
    for table in [stacked, side_by_side] {
        let mounts =
            crate::format::mountinfo::mountinfo(&format!("1 0 8:1 / / rw - ext4 /dev/b rw\n{table}")).0;
        // Those that are stacked higher than anybody would are left out.
        assert!(matches!(choose::choose(mounts).len(), 1 | 9_999));
    }
}
