use super::*;
use crate::source::{Files, Target, Unreadable};

fn collect(files: &Files) -> Reading<Block> {
    Block::collect(&Host::new(files.clone(), Target::live()))
}

fn disk(files: &mut Files, name: &str, number: &str, partition: bool) {
    let folder = format!("/sys/class/block/{name}");
    files.file(format!("{folder}/dev"), format!("{number}\n")).file(format!("{folder}/size"), "2048\n");
    files.directory(format!("{folder}/holders"));
    if partition {
        files.file(format!("{folder}/partition"), "1\n");
    }
}

fn is_unknown<T>(reading: &Reading<T>, words: &str) -> bool {
    matches!(reading, Err(Missing::Unreadable(Unreadable { reason, .. })) if reason.to_string().contains(words))
}

#[test]
fn a_plain_tree_does_not_show_its_disks() {
    let mut files = Files::new();
    files.file("/etc/fstab", "").file("/dev/sda1", "");
    let tree = Block::collect(&Host::new(files.clone(), Target::root("tree")));
    assert!(is_unknown(&tree, "does not show the disks"));
    assert!(is_unknown(&collect(&files), "container"));
    files.deny("/sys/class/block");
    assert!(is_unknown(&collect(&files), "permission denied"));
}

#[test]
fn names_are_known_without_udev_but_uuids_are_not() {
    let mut files = Files::new();
    disk(&mut files, "vda", "252:0", false);
    disk(&mut files, "vda1", "252:1", true);
    let block = collect(&files).unwrap();
    assert_eq!(block.paths, Ok(vec!["/dev/vda".into(), "/dev/vda1".into()]));
    assert!(is_unknown(&block.links, "udev does not run"));
    let [vda, vda1] = block.devices.as_slice() else { panic!() };
    assert_eq!((vda.kind, vda1.kind), (BlockKind::Disk, BlockKind::Partition));
    assert_eq!(vda1.parent.as_deref(), Some("vda"));
    assert_eq!(vda1.size_bytes, Some(1 << 20));
    assert!(is_unknown(&vda1.uuid, "udev does not run"));
}

#[test]
fn udevs_database_names_what_is_on_a_device() {
    let mut files = Files::new();
    disk(&mut files, "vda", "252:0", false);
    disk(&mut files, "vda1", "252:1", true);
    files.file(
        "/run/udev/data/b252:1",
        "S:disk/by-uuid/01\nE:ID_FS_UUID=01\nE:ID_FS_TYPE=ext4\nE:ID_FS_LABEL_ENC=a\\x20b\nE:ID_PART_ENTRY_NAME=p\\x201\n",
    );
    let block = collect(&files).unwrap();
    let [vda, vda1] = block.devices.as_slice() else { panic!() };
    assert_eq!(vda1.uuid.as_deref(), Ok("01"));
    assert_eq!((vda1.label.as_deref(), vda1.partlabel.as_deref()), (Ok("a b"), Ok("p 1")));
    assert_eq!(vda.uuid, Err(Missing::Absent));
    assert_eq!(block.links, Ok(vec!["/dev/disk/by-uuid/01".to_owned()]));
    assert!(block.paths.unwrap().contains(&"/dev/disk/by-uuid/01".to_owned()));
}

#[test]
fn links_alone_tell_of_devices() {
    let mut files = Files::new();
    files.link("/dev/disk/by-uuid/01", "../../vda1").link("/dev/disk/by-label/a\\x20b", "../../vda1");
    let block = collect(&files).unwrap();
    let [vda1] = block.devices.as_slice() else { panic!() };
    assert_eq!((vda1.uuid.as_deref(), vda1.label.as_deref()), (Ok("01"), Ok("a b")));
    assert!(is_unknown(&vda1.r#type, "only links"));
    assert_eq!(block.links.as_ref().map(Vec::len), Ok(2));
}

#[test]
fn a_denied_database_is_unknown() {
    let mut files = Files::new();
    disk(&mut files, "vda", "252:0", false);
    files.deny("/run/udev/data");
    assert!(is_unknown(&collect(&files).unwrap().links, "permission denied"));
}

#[test]
fn members_of_arrays_and_their_partitions_are_marked() {
    let mut files = Files::new();
    disk(&mut files, "sda", "8:0", false);
    disk(&mut files, "sda1", "8:1", true);
    disk(&mut files, "sdb", "8:16", false);
    disk(&mut files, "dm-0", "253:0", false);
    files.file("/sys/class/block/sda/holders/dm-0", "");
    files
        .file("/sys/class/block/dm-0/dm/name", "vg-root\n")
        .file("/sys/class/block/dm-0/dm/uuid", "LVM-abc\n");
    files.file("/run/udev/data/b8:16", "E:ID_FS_TYPE=linux_raid_member\n");
    let block = collect(&files).unwrap();
    let members: Vec<_> = block.devices.iter().filter(|d| d.member).map(|d| d.name.as_str()).collect();
    assert_eq!(members, ["sda", "sda1", "sdb"]);
    let paths = block.paths.unwrap();
    assert!(paths.contains(&"/dev/mapper/vg-root".to_owned()) && paths.contains(&"/dev/vg/root".to_owned()));
    assert_eq!(block.devices[0].kind, BlockKind::Dm);
}

#[test]
fn partitions_of_numbered_disks_find_their_disk() {
    let mut files = Files::new();
    disk(&mut files, "nvme0n1", "259:0", false);
    disk(&mut files, "nvme0n1p2", "259:2", true);
    let block = collect(&files).unwrap();
    assert_eq!(block.devices[1].parent.as_deref(), Some("nvme0n1"));
}

#[test]
fn a_report_may_hold_disks_with_their_partitions_inside() {
    let mut files = Files::new();
    files.file("/sys/block/sda/size", "2048\n").file("/sys/block/sda/sda1/partition", "1\n");
    files.file("/sys/block/sda/sda1/dev", "8:1\n").file("/sys/block/sda/sda1/holders/dm-0", "");
    files.file("/sys/block/sda/queue/scheduler", "none\n").file("/sys/block/dm-0/dm/name", "vg-root\n");
    let block = Block::collect(&Host::new(files, Target::root("report"))).unwrap();
    let found: Vec<_> = block.devices.iter().map(|d| (d.path.as_str(), d.kind, d.member)).collect();
    let expected = [
        ("/dev/mapper/vg-root", BlockKind::Dm, false),
        ("/dev/sda", BlockKind::Disk, false),
        ("/dev/sda1", BlockKind::Partition, true),
    ];
    assert_eq!(found, expected);
    assert_eq!(block.devices[2].parent.as_deref(), Some("sda"));
}

#[test]
fn a_report_may_list_partitions_only() {
    let mut files = Files::new();
    let list = "major minor  #blocks  name\n\n   8        0  488386584 sda\n   8        1     512000 sda1\n 253 0 1024 dm-0\n\0\n";
    files.file("/proc/partitions", list);
    let block = Block::collect(&Host::new(files, Target::root("report"))).unwrap();
    let kinds: Vec<_> = block.devices.iter().map(|d| (d.name.as_str(), d.kind)).collect();
    assert_eq!(kinds, [("dm-0", BlockKind::Dm), ("sda", BlockKind::Disk), ("sda1", BlockKind::Partition)]);
    assert_eq!(block.devices[2].size_bytes, Some(512_000 << 10));
    assert!(is_unknown(&block.links, "udev does not run"));
}

#[test]
fn garbage_is_no_panic() {
    let mut files = Files::new();
    files.file("/sys/class/block/x/dev", "\0\u{1}").file("/sys/class/block/x/size", "many");
    files.file("/run/udev/data/b\0\u{1}", [0xff, 0xfe, b'\n', b':']).file("/run/udev/data/b1:1", "");
    assert_eq!(collect(&files).unwrap().devices[0].size_bytes, None);
}

const IMAGE: &str = "DEVNAME=disk\nSIZE=4096\nDEVTYPE=disk\n\nDEVNAME=disk1\nPKNAME=disk\nSIZE=2048\nDEVTYPE=part\nPARTN=1\n\
                     PARTUUID=1a2b3c4d-01\nTYPE=ext4\nUUID=0a34\nLABEL=my\\ disk\nCLEAN=no\nERRORS=yes\nERROR_COUNT=3\n\
                     LAST_ERROR_TIME=1706680800\nERROR_DETAIL=ext4_lookup\n\nDEVNAME=disk2\nPKNAME=disk\nDEVTYPE=part\nPARTN=2\n\
                     TYPE=LVM2_member\nMEMBER=yes\nUUID=abc\n\nDEVNAME=vg/lv\nPKNAME=disk2\nDEVTYPE=lvm\nVG_NAME=vg\nLV_NAME=lv\n\
                     UNREAD=it\\ is\\ a\\ snapshot\n\n";

#[test]
fn a_disk_image_tells_of_its_devices() {
    let mut files = Files::new();
    files.answer(crate::source::Question::BlockDevices, Ok(IMAGE.into()));
    let block = collect(&files).unwrap();
    let [disk, one, two, volume] = block.devices.as_slice() else { panic!() };
    assert_eq!(
        (disk.kind, disk.path.as_str(), disk.size_bytes),
        (BlockKind::Disk, "the whole disk", Some(4096))
    );
    assert_eq!(
        (one.kind, one.path.as_str(), one.parent.as_deref()),
        (BlockKind::Partition, "partition 1", Some("disk"))
    );
    assert_eq!((one.uuid.as_deref(), one.label.as_deref()), (Ok("0a34"), Ok("my disk")));
    assert_eq!((one.clean, one.errors, one.error_count), (Some(false), Some(true), Some(3)));
    assert_eq!(one.last_error_date.as_deref(), Some("2024-01-31 06:00:00"));
    assert!(two.member && !one.member);
    assert_eq!((volume.path.as_str(), volume.parent.as_deref()), ("/dev/mapper/vg-lv", None));
    assert!(is_unknown(&volume.uuid, "snapshot") && is_unknown(&block.paths, "depends on the machine"));
    let links = block.links.unwrap();
    assert!(links.contains(&"/dev/disk/by-label/my\\x20disk".into()) && links.contains(&"/dev/vg/lv".into()));
    assert!(!links.contains(&"/dev/disk/by-uuid/abc".into()));
}

#[test]
fn an_image_whose_disk_cannot_be_read_is_unknown() {
    let mut files = Files::new();
    let why = Missing::unreadable("disk", Reason::NotRead("it is damaged".into()));
    files.answer(crate::source::Question::BlockDevices, Err(why));
    assert!(is_unknown(&collect(&files), "damaged"));
    files.answer(crate::source::Question::BlockDevices, Ok(b"\0\xff\n=\n".to_vec()));
    assert_eq!(collect(&files).unwrap().devices.len(), 1);
}
