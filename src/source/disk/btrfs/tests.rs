//! Images that Linux wrote, as it wrote them and damaged: see fixtures/images/make-btrfs.

use super::super::harness::{Damaged, exhaust, fixture, held, image, same_as_listed, walk, words};
use super::*;
use crate::source::bytes::Held;
use crate::source::disk::number;

fn at(image: &str, subvolume: &Subvolume) -> Arc<dyn FileSystem> {
    super::open(held(&format!("btrfs/{image}.zst")), subvolume).unwrap()
}

fn of(bytes: Vec<u8>) -> Result<Arc<dyn FileSystem>> {
    super::open(Arc::new(Held(bytes)), &Subvolume::Default)
}

fn text(of: &dyn FileSystem, path: &str) -> std::result::Result<String, String> {
    let bytes = of.read_at(Path::new(path), 0, 1 << 20).map_err(|missing| words(&missing))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Why it is not opened.
fn refused(opened: Result<Arc<dyn FileSystem>>) -> String {
    opened.unwrap_err().to_string()
}

const SUPERBLOCK: usize = 64 << 10;

/// The image with other bytes at a place in the block of this size there, and the block's checksum made right again.
fn forged(image: &[u8], block: usize, at: usize, new: &[u8]) -> Vec<u8> {
    let mut image = image.to_vec();
    forge(&mut image[block..block + 4096], at, new);
    image
}

fn forge(block: &mut [u8], at: usize, new: &[u8]) {
    block[at..at + new.len()].copy_from_slice(new);
    let sum = crate::source::disk::checksum::crc32c(&block[32..]).to_le_bytes();
    block[..sum.len()].copy_from_slice(&sum);
}

/// Where the tree blocks are in an image whose nodes have 4096 bytes.
fn nodes(image: &[u8]) -> Vec<usize> {
    let uuid = &image[SUPERBLOCK + 32..SUPERBLOCK + 48];
    let blocks = (0..image.len() / 4096).map(|block| block * 4096);
    blocks.filter(|at| *at != SUPERBLOCK && &image[at + 32..at + 48] == uuid).collect()
}

/// Numbers without end, the same for the same seed.
fn random(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % below
    }
}

/// The image up to the last block that holds anything: nothing else is ever read, and copies of it are cheap.
fn short(name: &str) -> Vec<u8> {
    let mut image = image(&format!("btrfs/{name}.zst"));
    let used = image.chunks(4096).rposition(|block| *block != [0; 4096][..block.len()]).unwrap();
    image.truncate((used + 1) * 4096);
    image
}

#[test]
fn all_is_as_linux_sees_it() {
    let all = at("all", &Subvolume::Default);
    same_as_listed(&*all, &String::from_utf8(fixture("btrfs/all.txt")).unwrap());
    assert_eq!(all.stale(), None);
}

#[test]
fn any_part_of_a_file_is_that_part_of_the_whole() {
    let all = at("all", &Subvolume::Default);
    let mut random = random(1);
    for name in [
        "plain",
        "holes",
        "reserved",
        "nodatasum",
        "setuid",
        "zlib/numbers",
        "lzo/numbers",
        "zstd/numbers",
        "zstd/inline",
    ] {
        let path = Path::new("/data").join(name);
        let whole = all.read_at(&path, 0, 4 << 20).unwrap();
        for _ in 0..20 {
            let (offset, length) = (random(whole.len() + 10), random(200_000));
            let part = all.read_at(&path, offset as u64, length).unwrap();
            let start = offset.min(whole.len());
            assert!(
                part == whole[start..whole.len().min(start + length)],
                "{name}: {length} from {offset} on"
            );
        }
    }
}

#[test]
fn what_is_not_there_is_absent_and_what_is_another_thing_is_told() {
    let all = at("all", &Subvolume::Default);
    for path in [
        "/none",
        "/etc/none",
        "/etc/os-release/below",
        "/data/collide-1",
        "/.snapshots/1/snapshot/var/log/messages",
    ] {
        assert_eq!(all.lstat(Path::new(path)), Err(Missing::Absent), "{path}");
        assert_eq!(all.list(Path::new(path)), Err(Missing::Absent), "{path}");
    }
    let told = |reading: Reading<()>| words(&reading.unwrap_err());
    assert_eq!(told(all.list(Path::new("/etc/os-release")).map(|_| ())), "is not a directory");
    assert_eq!(told(all.read_at(Path::new("/dev/fifo"), 0, 1).map(|_| ())), "is a FIFO");
    assert_eq!(told(all.read_link(Path::new("/etc")).map(|_| ())), "is a directory");
    assert_eq!(
        text(&*all, "/data/collide-2000402").unwrap(),
        "two\n",
        "of two names of the same hash, this one"
    );
}

#[test]
fn subvolumes_have_the_paths_that_mount_takes() {
    let paths = super::subvolumes(held("btrfs/all.zst")).unwrap();
    assert_eq!(
        paths,
        ["@", "@/.snapshots/1/snapshot", "@/var/log", "@home"].map(PathBuf::from),
        "a deleted one is none"
    );
    for path in &paths {
        at("all", &Subvolume::Path(path.clone()));
    }
    assert!(super::subvolumes(held("btrfs/log.zst")).unwrap().is_empty());
}

#[test]
fn the_subvolume_that_is_asked_for_is_the_root() {
    for (subvolume, path, expected) in [
        (Subvolume::Default, "/etc/os-release", "NAME=\"Test Linux\"\n"),
        (Subvolume::Default, "/var/log/messages", "log\n"),
        (Subvolume::Path("@home".into()), "/file", "home\n"),
        (Subvolume::Path("/@/var/log".into()), "/messages", "log\n"),
        (
            Subvolume::Path("@/.snapshots/1/snapshot".into()),
            "/many/000000000000000000000000000000000000000000000000000000000000-7",
            "7\n",
        ),
        (Subvolume::Path("/".into()), "/file-of-the-top", "top\n"),
        (Subvolume::Id(5), "/@/var/log/messages", "log\n"),
    ] {
        assert_eq!(text(&*at("all", &subvolume), path).unwrap(), expected, "{subvolume:?} {path}");
    }
    for (subvolume, why) in [
        (Subvolume::Path("@/etc".into()), "no subvolume @/etc"),
        (Subvolume::Path("@rootfs".into()), "no subvolume @rootfs"),
        (Subvolume::Path("@/.snapshots/1/snapshot/var/log".into()), "no subvolume"),
        (Subvolume::Id(7), "no subvolume 7"),
        (Subvolume::Id(9999), "no subvolume 9999"),
    ] {
        let refused = refused(super::open(held("btrfs/all.zst"), &subvolume));
        assert!(refused.contains(why), "{refused}");
    }
}

#[test]
fn a_log_that_waits_to_be_replayed_is_told() {
    let log = at("log", &Subvolume::Default);
    assert_eq!(text(&*log, "/old").unwrap(), "committed\n");
    assert_eq!(log.lstat(Path::new("/new")), Err(Missing::Absent));
    assert!(log.stale().unwrap().contains("log tree"), "{:?}", log.stale());
}

#[test]
fn other_checksums_are_proven_too() {
    for name in ["xxhash", "sha256"] {
        let read = at(name, &Subvolume::Default);
        assert_eq!(text(&*read, "/etc/small").unwrap(), "small\n");
        assert!(text(&*read, "/etc/numbers").unwrap().ends_with("\n5000\n"));
        let mut bytes = image(&format!("btrfs/{name}.zst"));
        let place = bytes.windows(12).position(|part| part == b"\n4321\n4322\n4").unwrap();
        bytes[place + 1] = b'5';
        let why = text(&*of(bytes).unwrap(), "/etc/numbers").unwrap_err();
        assert!(why.contains("the checksum of its data at"), "{why}");
    }
    assert!(refused(super::open(held("btrfs/blake2.zst"), &Subvolume::Default)).contains("BLAKE2"));
}

#[test]
fn of_several_devices_what_is_on_this_one_is_read() {
    let raid1 = at("raid1", &Subvolume::Default);
    assert!(text(&*raid1, "/etc/numbers").unwrap().ends_with("\n5000\n"));
    let raid0 = at("raid0", &Subvolume::Default);
    assert_eq!(text(&*raid0, "/etc/small").unwrap(), "small\n", "metadata is on both");
    let why = text(&*raid0, "/etc/numbers-1").unwrap_err();
    assert!(why.contains("laid out over 2 devices (RAID0)"), "{why}");
    assert_eq!(raid0.lstat(Path::new("/etc/numbers-1")).unwrap().size, 288_894);
}

#[test]
fn of_two_copies_the_right_one_is_read() {
    let sound = short("dup");
    let volume = Volume::open(Arc::new(Held(sound.clone()))).unwrap();
    let check = |broken: &[usize]| {
        let mut bytes = sound.clone();
        for chunk in volume.chunks() {
            for copy in broken {
                let start = (chunk.stripes[*copy].1 as usize).min(bytes.len());
                let end = (start + chunk.length as usize).min(bytes.len());
                bytes[start..end].fill(0);
            }
        }
        of(bytes).map(|read| (text(&*read, "/etc/small"), text(&*read, "/etc/numbers")))
    };
    assert!(volume.chunks().all(|chunk| chunk.stripes.len() == 2));
    for broken in [&[][..], &[0], &[1]] {
        let (small, numbers) = check(broken).unwrap();
        assert_eq!(small.unwrap(), "small\n");
        assert!(numbers.unwrap().ends_with("\n5000\n"));
    }
    let why = check(&[0, 1]).unwrap_err().to_string();
    assert!(why.contains("its checksum does not match"), "{why}");
}

#[test]
fn data_whose_checksum_is_wrong_is_unreadable_and_what_has_none_is_not() {
    let mut bytes = short("all");
    // In sectors of their own: of `plain`, and of `nodatasum`, which has the same numbers up to 3000.
    let places = |bytes: &[u8], part: &[u8]| {
        let all = bytes.windows(part.len()).enumerate().filter(|(_, window)| *window == part);
        all.map(|(at, _)| at).collect::<Vec<_>>()
    };
    for at in places(&bytes, b"\n2345\n2346\n").into_iter().chain(places(&bytes, b"\n19876\n")) {
        bytes[at + 1] = b'x';
    }
    let damaged = of(bytes).unwrap();
    let why = text(&*damaged, "/data/plain").unwrap_err();
    assert!(why.contains("the checksum of its data at"), "{why}");
    assert_eq!(damaged.read_at(Path::new("/data/plain"), 50_000, 5).unwrap().len(), 5, "the rest is sound");
    assert!(text(&*damaged, "/data/nodatasum").unwrap().contains("\nx345\n"));
}

#[test]
fn superblocks_that_no_kernel_mounts_are_told() {
    let sound = image("btrfs/log.zst");
    let wrong = |at: usize, new: &[u8]| refused(of(forged(&sound, SUPERBLOCK, at, new)));
    for (why, found) in [
        ("no superblock", wrong(64, b"X")),
        ("blocks of 4096 and 3 bytes", wrong(148, &3_u32.to_le_bytes())),
        ("extent tree v2", wrong(188 + 1, &[0x23])),
        ("0x8000000000000000", wrong(188 + 7, &[0x80])),
        ("btrfs-image", wrong(56 + 4, &[2])),
        ("unknown kind 9", wrong(196, &[9])),
        ("more chunks than it can hold", wrong(160, &9999_u32.to_le_bytes())),
        ("chunks in its superblock are damaged", wrong(160, &1000_u32.to_le_bytes())),
        ("in none of its chunks", wrong(88, &(1_u64 << 40).to_le_bytes())),
        ("not the root that is looked for", wrong(198, &[6])),
        ("not the root that is looked for", wrong(72, &77_u64.to_le_bytes())),
    ] {
        assert!(found.contains(why), "{why}: {found}");
    }
    let mut unsummed = sound.clone();
    unsummed[SUPERBLOCK + 300] ^= 1;
    assert!(refused(of(unsummed)).contains("the checksum of its superblock does not match"));
    for (len, why) in
        [(0, "ends before its superblock"), (66_000, "ends before its superblock"), (100_000, "cut short")]
    {
        let cut = refused(of(sound[..len].to_vec()));
        assert!(cut.contains(why), "{len}: {cut}");
    }
}

#[test]
fn a_tree_that_leads_in_a_circle_is_damaged() {
    let sound = short("all");
    let mut met = 0;
    for at in nodes(&sound).into_iter().filter(|at| sound[at + 100] > 0) {
        // Its first child is it itself; and what is told of the child is not true.
        let own: [u8; 8] = sound[at + 48..at + 56].try_into().unwrap();
        for forged in [forged(&sound, at, 101 + 17, &own), forged(&sound, at, 101 + 25, &[0xee])] {
            let whys = match of(forged) {
                Ok(read) => exhaust(&*read, 3).reasons,
                Err(reason) => vec![reason.to_string()],
            };
            let told = |why: &String| why.contains("not the one that its parent names");
            met += usize::from(whys.iter().any(told));
        }
    }
    assert!(met > 0, "some of the blocks are in the way of what is asked");
}

#[test]
fn damage_is_never_taken_for_a_value_nor_for_nothing() {
    for (name, seeds, most) in [("log", 0..40, 20), ("all", 0..10, 40)] {
        let sound = Arc::new(short(name));
        let whole = of(sound.to_vec()).unwrap();
        let mut told = 0;
        for seed in seeds {
            let damaged = Arc::new(Damaged::new(&sound, seed, 64 << 20));
            match super::open(damaged.clone(), &Subvolume::Default) {
                Ok(read) => {
                    told +=
                        exhaust(&*read, most).reasons.iter().filter(|why| !why.contains("estimates")).count();
                    for (path, _) in walk(&*read, most) {
                        let same = whole.lstat(&path);
                        assert!(
                            read.lstat(&path).is_err() || read.lstat(&path) == same,
                            "{}: {}",
                            damaged.done,
                            path.display()
                        );
                    }
                }
                Err(reason) => {
                    assert!(reason.to_string().len() > 20);
                    told += 1;
                }
            }
            assert!(!damaged.overdrawn(), "{}", damaged.done);
        }
        assert!(told > 0);
    }
}

#[test]
fn forged_blocks_with_right_checksums_do_no_harm() {
    let sound = short("all");
    let nodes = nodes(&sound);
    for seed in 0..100 {
        let mut random = random(seed);
        let mut bytes = sound.clone();
        for _ in 0..=random(3) {
            let block = nodes[random(nodes.len())];
            let used = 101 + 25 * usize::from(number::le16(&sound, block + 96).unwrap());
            // Either what names the items, or the items themselves, which are at the end.
            let at = if random(2) == 0 { 48 + random(used.min(3000)) } else { 4095 - random(2000) };
            let value = [0, 1, 0x7f, 0x80, 0xff, random(256) as u8][random(6)];
            let count = [1, 1, 2, 4, 8][random(5)].min(4096 - at);
            forge(&mut bytes[block..block + 4096], at, &[value; 8][..count]);
        }
        let bytes: Arc<dyn Bytes> = Arc::new(Held(bytes));
        let _ = super::subvolumes(Arc::clone(&bytes));
        let Ok(read) = super::open(bytes, &Subvolume::Default) else { continue };
        for (path, _) in walk(&*read, 40) {
            let size = read.lstat(&path).map_or(0, |stat| stat.size);
            for offset in [0, size / 2, size.saturating_sub(3), u64::MAX - 7] {
                let part = read.read_at(&path, offset, 5_000).unwrap_or_default();
                assert!(part.len() <= 5_000);
            }
            let _ = (read.list(&path), read.read_link(&path));
        }
    }
}

/// `HOSTVET_BTRFS=IMAGE HOSTVET_SYSTEM=ROOT cargo test --release --lib btrfs::tests::a_whole_system -- --nocapture`, of an image that
/// `mkfs.btrfs --rootdir ROOT` or a kernel made of the tree.
#[test]
#[allow(clippy::print_stdout)]
fn a_whole_system_is_as_the_tree_it_was_made_of() {
    use std::os::unix::fs::MetadataExt;
    let (Some(image), Some(system)) = (std::env::var_os("HOSTVET_BTRFS"), std::env::var_os("HOSTVET_SYSTEM"))
    else {
        return;
    };
    let image = crate::source::bytes::FileBytes::new(std::fs::File::open(image).unwrap()).unwrap();
    let of = super::open(Arc::new(image), &Subvolume::Default).unwrap();
    let start = std::time::Instant::now();
    let paths = walk(&*of, usize::MAX);
    let walked = start.elapsed();
    let start = std::time::Instant::now();
    let step = paths.len().div_ceil(4000);
    let asked = paths.iter().step_by(step).filter(|(path, _)| of.lstat(path).is_ok()).count();
    println!(
        "{} paths listed in {walked:?}; {asked} of them asked for in {:?}",
        paths.len(),
        start.elapsed()
    );
    let start = std::time::Instant::now();
    let (mut bytes, mut wrong) = (0, Vec::new());
    for (path, _) in &paths {
        let there = Path::new(&system).join(path.strip_prefix("/").unwrap());
        let Ok(expected) = there.symlink_metadata() else {
            wrong.push(format!("{} is not in the tree", path.display()));
            continue;
        };
        let stat = of.lstat(path).unwrap();
        let found = (u32::from(stat.kind != FileKind::Other), stat.mode, stat.uid, stat.gid, stat.mtime);
        if path != Path::new("/")
            && found != (1, expected.mode() & 0o7777, expected.uid(), expected.gid(), expected.mtime())
        {
            wrong.push(format!("{}: {stat:?}", path.display()));
        }
        let same = match stat.kind {
            FileKind::File => {
                let mut whole = Vec::new();
                while let Some(part) = Some(of.read_at(path, whole.len() as u64, 1 << 20).unwrap())
                    .filter(|part| !part.is_empty())
                {
                    whole.extend_from_slice(&part);
                }
                bytes += whole.len();
                whole == std::fs::read(&there).unwrap()
            }
            FileKind::Link => of.read_link(path).unwrap() == std::fs::read_link(&there).unwrap(),
            FileKind::Directory => of.list(path).unwrap().len() == std::fs::read_dir(&there).unwrap().count(),
            _ => true,
        };
        if !same {
            wrong.push(format!("{} has other contents", path.display()));
        }
    }
    println!("{bytes} bytes compared in {:?}", start.elapsed());
    assert!(wrong.is_empty(), "{} of {}: {:#?}", wrong.len(), paths.len(), &wrong[..wrong.len().min(20)]);
}
