use super::*;
use crate::source::bytes::{Held, read_exactly};
use crate::source::disk::checksum::crc_of_lvm;
use crate::source::disk::sparse::{Sparse, image};

fn found(image: &Sparse) -> (Vec<Volume>, Vec<String>) {
    let (volumes, damages) = volumes(Arc::new(image.clone()));
    (volumes, damages.iter().map(ToString::to_string).collect())
}

/// Name, parent, size, kind and UUID of what it holds.
fn lines(volumes: &[Volume]) -> Vec<String> {
    let line = |volume: &Volume| {
        let held = volume
            .holds
            .as_ref()
            .map(|held| format!("{} {}", held.kind, held.uuid.as_deref().unwrap_or("-")));
        let parent = volume.parent.as_deref().unwrap_or("-");
        format!("{} {parent} {} {}", volume.name, volume.size, held.as_deref().unwrap_or("-"))
    };
    volumes.iter().map(line).collect()
}

const GPT: [&str; 5] = [
    "disk - 16777216 -",
    "disk1 disk 1048576 -",
    "disk2 disk 2097152 vfat 0A34-07DE",
    "disk3 disk 4194304 ext4 0a3407de-014b-458b-b5c1-848e92a30010",
    "disk4 disk 1048576 swap 0a3407de-014b-458b-b5c1-848e92a30011",
];

#[test]
fn a_gpt_has_partitions_with_names() {
    let (volumes, damages) = found(&image("gpt"));
    assert_eq!(lines(&volumes), GPT);
    assert_eq!(damages, [""; 0]);
    let esp = VolumeKind::Partition {
        number: 2,
        uuid: Some("6d2b6a36-0a5e-4d6e-9b0c-5e3f0f6f0a03".into()),
        label: Some("EFI System".into()),
        r#type: "c12a7328-f81f-11d2-ba4b-00a0c93ec93b".into(),
    };
    assert_eq!(volumes[2].is, esp);
    assert_eq!(read_exactly(&*volumes[3].bytes, 1024 + 56, 2).unwrap(), [0x53, 0xef]);
}

#[test]
fn a_gpt_may_have_sectors_of_4_kib() {
    let (volumes, damages) = found(&image("gpt-4096"));
    assert_eq!(lines(&volumes)[1..], ["disk1 disk 1048576 ext2 0a3407de-014b-458b-b5c1-848e92a30014"]);
    assert_eq!(damages, [""; 0]);
}

#[test]
fn the_second_gpt_serves_where_the_first_is_damaged() {
    for (at, why) in
        [(512 + 20, "bad checksum of the header"), (1024 + 40, "bad checksum of the list of partitions")]
    {
        let mut disk = image("gpt");
        disk.put(at, &[0x55]);
        let (volumes, damages) = found(&disk);
        assert_eq!(lines(&volumes), GPT, "{why}");
        assert!(damages[0].contains(why) && damages[0].contains("gpt on its command line"), "{damages:?}");
        disk.put(disk.size - 512, b"DAMAGED");
        let (volumes, damages) = found(&disk);
        assert_eq!(volumes.len(), 1);
        assert!(damages[0].contains(why) && damages[0].contains("no second copy"), "{damages:?}");
        assert!(volumes[0].unread.is_some());
    }
    let mut wiped = image("gpt");
    wiped.put(512, &[0; 8]);
    assert_eq!(lines(&found(&wiped).0), GPT);
    let mut big = image("gpt-4096");
    big.put(4096, &[0; 8]);
    assert_eq!(found(&big).0.len(), 2);
}

#[test]
fn a_gpt_without_a_guard_is_seen_but_told_of() {
    let mut disk = image("gpt");
    disk.put(446, &[0; 64]);
    let (volumes, damages) = found(&disk);
    assert_eq!(lines(&volumes), GPT);
    assert!(damages[0].contains("no protective MBR"), "{damages:?}");
    // An MBR that was written later counts, as the rest of a GPT behind it does not.
    disk.put(446, &[0, 0, 0, 0, 0x83, 0, 0, 0, 0, 0x20, 0, 0, 0, 0x20, 0, 0]);
    let (volumes, damages) = found(&disk);
    assert_eq!((volumes.len(), damages), (2, vec![]));
    assert_eq!(volumes[1].holds.as_ref().unwrap().kind, "ext4");
}

#[test]
fn a_hybrid_mbr_does_not_count() {
    let mut disk = image("gpt");
    disk.put(462, &[0x80, 0, 0, 0, 0x83, 0, 0, 0, 0, 0x20, 0, 0, 0, 0x20, 0, 0]);
    assert_eq!(lines(&found(&disk).0), GPT);
}

#[test]
fn an_mbr_has_logical_partitions() {
    let (volumes, damages) = found(&image("mbr"));
    let expected = [
        "disk - 16777216 -",
        "disk1 disk 2097152 ext3 0a3407de-014b-458b-b5c1-848e92a30015",
        "disk2 disk 1048576 -",
        "disk3 disk 10485760 -",
        "disk5 disk 2097152 ext2 0a3407de-014b-458b-b5c1-848e92a30016",
        "disk6 disk 1048576 -",
        "disk7 disk 524288 -",
    ];
    assert_eq!((lines(&volumes), damages), (expected.map(str::to_owned).to_vec(), vec![]));
    let fifth = VolumeKind::Partition {
        number: 5,
        uuid: Some("1a2b3c4d-05".into()),
        label: None,
        r#type: "0x83".into(),
    };
    assert_eq!(volumes[4].is, fifth);
}

#[test]
fn chains_of_logical_partitions_end() {
    // The second table of the chain leads to the first, and then to nowhere.
    let mut disk = image("mbr");
    let second = (0..64).map(|n| n * 2048 * 512).find(|at| {
        let sector = read_exactly(&disk, *at, 512).unwrap();
        *at > 8192 * 512 && sector[510..] == [0x55, 0xaa]
    });
    let second = second.unwrap();
    disk.put(second + 462, &[0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]);
    let (volumes, damages) = found(&disk);
    assert!(volumes.len() > 50 && volumes.len() < 260, "{}", volumes.len());
    assert!(damages.iter().any(|damage| damage.contains("in a circle")), "{damages:?}");
    disk.put(second + 462 + 8, &[0xff, 0xff, 0xff, 0x7f]);
    assert!(found(&disk).1[0].contains("breaks off in sector"), "{:?}", found(&disk).1);
}

#[test]
fn a_file_system_may_have_the_whole_disk() {
    for name in ["ext4", "xfs", "fat16", "fat32", "exfat", "btrfs", "ntfs"] {
        let (volumes, damages) = found(&image(name));
        assert_eq!((volumes.len(), damages), (1, vec![]), "{name}");
        assert!(volumes[0].holds.is_some(), "{name}");
    }
}

#[test]
fn a_disk_that_was_cut_short_says_so() {
    let mut disk = image("gpt");
    disk.size = 6 << 20;
    let (volumes, damages) = found(&disk);
    assert_eq!(volumes.len(), 4);
    assert_eq!(volumes[3].holds.as_ref().unwrap().kind, "ext4");
    for part in
        ["cut short", "disk3: it ends 2097152 bytes beyond the disk", "partition 4 goes from sector 16384"]
    {
        assert!(damages.iter().any(|damage| damage.contains(part)), "{part}: {damages:?}");
    }
}

#[test]
fn partitions_that_overlap_are_told_of() {
    let mut disk = image("mbr");
    disk.put(446 + 16 + 8, &4096_u32.to_le_bytes());
    assert!(found(&disk).1.contains(&"disk: partitions 1 and 2 overlap".to_owned()));
}

#[test]
fn logical_volumes_lie_on_several_partitions() {
    let (volumes, damages) = found(&image("lvm"));
    let expected = [
        "disk - 37748736 -",
        "disk1 disk 16777216 LVM2_member aaaaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaaa1",
        "disk2 disk 16777216 LVM2_member aaaaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaaa2",
        "my-vg/root disk1 2097152 ext4 0a3407de-014b-458b-b5c1-848e92a30017",
        "my-vg/fast-data disk1 2097152 -",
        "my-vg/pool disk1 1048576 -",
    ];
    assert_eq!(lines(&volumes), expected);
    assert_eq!(damages, ["my-vg/pool: it is of LVM's kind thin-pool, which is not read here"]);
    // Chunks take turns, and what is read across their borders is whole.
    let stripes = read_exactly(&*volumes[4].bytes, 65536 * 5 - 2, 65536 * 2 + 12).unwrap();
    assert_eq!((&stripes[..2], &stripes[2..10]), (&[0, 0][..], &b"chunk 05"[..]));
    assert_eq!((&stripes[65538..65546], &stripes[131_074..131_082]), (&b"chunk 06"[..], &b"chunk 07"[..]));
    // The second half lies on the other partition.
    let whole = read_exactly(&*volumes[3].bytes, 0, 2 << 20).unwrap();
    assert_eq!(whole.len(), 2 << 20);
    assert!(read_exactly(&*volumes[3].bytes, (2 << 20) - 1, 2).is_err());
    assert!(volumes[5].bytes.read_at(0, &mut [0]).is_err() && volumes[5].unread.is_some());
}

#[test]
fn a_group_of_which_a_disk_is_missing_is_read_as_far_as_it_goes() {
    let mut disk = image("lvm");
    // The second partition's label.
    disk.put(34_816 * 512 + 512, b"NOTALABEL");
    let (volumes, damages) = found(&disk);
    assert_eq!(
        volumes.iter().map(|v| v.name.as_str()).skip(3).collect::<Vec<_>>(),
        ["my-vg/root", "my-vg/fast-data", "my-vg/pool"]
    );
    assert!(
        damages[0].starts_with("my-vg/root: it lies also on pv1, a physical volume that is not in the image"),
        "{damages:?}"
    );
}

/// Changes the text of LVM's metadata on both partitions, and its checksums.
fn with_metadata(disk: &mut Sparse, change: impl Fn(&str) -> String) {
    for area in [2048 * 512 + 4096, 34_816 * 512 + 4096] {
        let mut head = read_exactly(disk, area, 512).unwrap();
        let number = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().unwrap());
        let (offset, len) = (number(40), number(48) as usize);
        let text = String::from_utf8(read_exactly(disk, area + offset, len).unwrap()).unwrap();
        let mut text = change(text.trim_end_matches('\0')).into_bytes();
        text.push(0);
        head[48..56].copy_from_slice(&(text.len() as u64).to_le_bytes());
        head[56..60].copy_from_slice(&crc_of_lvm(&text).to_le_bytes());
        let checksum = crc_of_lvm(&head[4..]).to_le_bytes();
        head[..4].copy_from_slice(&checksum);
        disk.put(area, &head);
        disk.put(area + offset, &text);
    }
}

#[test]
fn neither_a_snapshot_nor_what_one_is_merged_into_is_read_as_it_lies() {
    let snapshot = |store: &str| {
        let segment = format!("type = \"snapshot\" origin = \"root\" {store} = \"fast-data\"");
        format!(
            "logical_volumes {{ snapshot0 {{ segment1 {{ start_extent = 0 extent_count = 1 {segment} }} }}"
        )
    };
    for (store, expected) in [
        ("cow_store", "my-vg/fast-data: it is a snapshot, which is not read here"),
        ("merging_store", "my-vg/root: a snapshot is being merged into it, which is not read here"),
    ] {
        let mut disk = image("lvm");
        with_metadata(&mut disk, |text| text.replace("logical_volumes {", &snapshot(store)));
        let (volumes, damages) = found(&disk);
        assert_eq!(volumes.len(), 6);
        assert_eq!(damages[0], expected);
    }
}

#[test]
fn damaged_metadata_of_lvm_is_damage() {
    let mut disk = image("lvm");
    for start in [2048_u64, 34_816] {
        disk.put(start * 512 + 4096 + 60, &[1]);
    }
    let (volumes, damages) = found(&disk);
    assert_eq!(volumes.len(), 3);
    assert_eq!(damages.len(), 2);
    assert!(damages[0].contains("disk1: its copy of LVM's metadata cannot be read"), "{damages:?}");
    assert!(volumes[1].unread.is_some() && volumes[0].unread.is_none());
}

#[test]
fn what_is_no_disk_is_one_volume() {
    for bytes in [vec![], vec![0; 100], vec![0; 1 << 20], vec![0xff; 1 << 16]] {
        let (volumes, damages) = volumes(Arc::new(Held(bytes)));
        assert_eq!((volumes.len(), damages.len()), (1, 0));
    }
}

#[test]
fn an_absurd_gpt_is_bounded() {
    use crate::source::disk::checksum::crc32;
    let mut disk = image("gpt");
    for (count, entry) in [(u32::MAX, 128_u32), (128, u32::MAX), (8192, 128), (0, 128)] {
        let mut header = read_exactly(&disk, 512, 92).unwrap();
        header[80..84].copy_from_slice(&count.to_le_bytes());
        header[84..88].copy_from_slice(&entry.to_le_bytes());
        header[16..20].fill(0);
        let sum = crc32(&header);
        header[16..20].copy_from_slice(&sum.to_le_bytes());
        disk.put(512, &header);
        let (volumes, damages) = found(&disk);
        assert_eq!(lines(&volumes), GPT, "{count} {entry}");
        assert!(damages[0].contains("is damaged"), "{damages:?}");
    }
}

#[test]
fn volumes_are_written_as_blkid_would() {
    let (mut volumes, _) = found(&image("gpt"));
    let text = String::from_utf8(export(&volumes)).unwrap();
    let esp = "DEVNAME=disk2\nPKNAME=disk\nSIZE=2097152\nDEVTYPE=part\nPARTN=2\nPARTUUID=6d2b6a36-0a5e-4d6e-9b0c-5e3f0f6f0a03\n\
               PARTLABEL=EFI\\ System\nPARTTYPE=c12a7328-f81f-11d2-ba4b-00a0c93ec93b\nTYPE=vfat\nUUID=0A34-07DE\nLABEL=ESP\nCLEAN=yes\n\n";
    assert!(text.contains(esp), "{text}");
    // No label makes a line of its own.
    volumes[3].holds.as_mut().unwrap().label = Some("a\nUUID=b c\\\u{9b}$".into());
    let text = String::from_utf8(export(&volumes)).unwrap();
    assert!(text.contains("LABEL=a\\x0aUUID=b\\ c\\\\\\xc2\\x9b\\$\n"), "{text}");
    let text = String::from_utf8(export(&found(&image("lvm")).0)).unwrap();
    assert!(text.contains("DEVTYPE=lvm\nVG_NAME=my-vg\nLV_NAME=pool\nUNREAD=it\\ is\\ of"), "{text}");
}

#[test]
fn damaged_disks_are_no_panic() {
    let mut seed = 11_u64;
    let mut random = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as usize % below.max(1)
    };
    for name in ["gpt", "gpt-4096", "mbr", "lvm"] {
        let whole = image(name);
        for _ in 0..50 {
            let mut disk = whole.clone();
            for _ in 0..=random(4) {
                disk.damage(random(1 << 24) as u64, 1 << random(8));
            }
            if random(4) == 0 {
                disk.size = random(disk.size as usize) as u64;
            }
            let (volumes, _) = found(&disk);
            assert!(volumes.len() < 300);
            for volume in &volumes {
                let _ = volume.bytes.read_at(0, &mut [0; 4096]);
            }
            export(&volumes);
        }
    }
}

/// Counts what is read.
#[derive(Debug)]
struct Counted(Sparse, std::sync::atomic::AtomicUsize);

impl Bytes for Counted {
    fn read_at(&self, at: u64, into: &mut [u8]) -> std::io::Result<usize> {
        self.1.fetch_add(into.len(), std::sync::atomic::Ordering::Relaxed);
        self.0.read_at(at, into)
    }

    fn known_len(&self) -> Option<u64> {
        self.0.known_len()
    }
}

#[test]
fn only_the_places_of_superblocks_are_read() {
    for (name, most_kib) in [("gpt", 800), ("mbr", 1100), ("lvm", 1000), ("xfs", 150), ("dirty-xfs", 200)] {
        let disk = Arc::new(Counted(image(name), Default::default()));
        let _ = volumes(disk.clone());
        let read = disk.1.load(std::sync::atomic::Ordering::Relaxed) >> 10;
        assert!(read <= most_kib, "{name}: {read} KiB");
    }
}
