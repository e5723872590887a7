//! Held to what Linux itself lists of the same images (fixtures/images/make-extfat), to another reader, and to damage.

use super::*;
use crate::source::bytes::Held;
use crate::source::disk::harness::{Damaged, exhaust, held, image, same_as_listed, used_by_metadata, words};

const KINDS: [&str; 3] = ["fat12", "fat16", "fat32"];

fn opened(name: &str) -> Arc<dyn FileSystem> {
    open(held(&format!("extfat/{name}.img.zst"))).unwrap()
}

#[test]
fn all_is_as_linux_sees_it() {
    for name in KINDS {
        let list = String::from_utf8(image(&format!("extfat/{name}.list.zst"))).unwrap();
        let fs = opened(name);
        same_as_listed(&*fs, &list);
        let space = list.lines().find_map(|line| line.strip_prefix("# ")).unwrap();
        assert_eq!(fs.space(), Ok(space.parse().unwrap()), "{name}");
    }
}

#[test]
fn names_are_found_in_whatever_case() {
    for name in KINDS {
        let fs = opened(name);
        let at = |path: &str| fs.lstat(Path::new(path)).map(|stat| stat.kind);
        assert_eq!(at("/efi/boot/bootx64.efi"), Ok(FileKind::File));
        assert_eq!(at("/EFI/Boot/BOOTX64.EFI"), Ok(FileKind::File));
        assert_eq!(at("/a LONG name of a directory"), Ok(FileKind::Directory));
        assert_eq!(at("/ALONGN~1"), Ok(FileKind::Directory), "its short name");
        assert_eq!(at("/efi/boot./bootx64.efi.."), Ok(FileKind::File), "dots at the end do not count");
        assert_eq!(at("/EFI/none"), Err(Missing::Absent));
        assert_eq!(at("/EFI/BOOT/BOOTX64.EFI/below"), Err(Missing::Absent));
        let link = fs.read_link(Path::new("/EFI")).unwrap_err();
        assert_eq!(link, Missing::unreadable("/EFI", Reason::WrongKind("a directory")));
    }
}

#[test]
fn a_chain_in_a_circle_comes_to_an_end() {
    let mut image = image("extfat/fat16.img.zst");
    let table = usize::from(u16::from_le_bytes([image[0xe], image[0xf]])) * 512;
    // Each cluster is followed by itself.
    for cluster in 2..5000_usize {
        let entry = table + cluster * 2;
        image[entry..entry + 2].copy_from_slice(&(cluster as u16).to_le_bytes());
    }
    let fs = open(Arc::new(Held(image))).unwrap();
    let size = words(&fs.lstat(Path::new("/EFI")).unwrap_err());
    assert!(size.contains("circle"), "{size}");
    let read = fs.read_at(Path::new("/EFI/BOOT/BOOTX64.EFI"), 150_000, 1000);
    assert!(matches!(read, Ok(_) | Err(Missing::Unreadable(_))));
}

#[test]
fn what_is_no_fat_is_told() {
    for bytes in [vec![], vec![0; 512], vec![0xff; 4096], vec![0x55; 1 << 16]] {
        assert!(matches!(open(Arc::new(Held(bytes))), Err(Reason::Garbled(_))));
    }
}

#[test]
fn damage_is_never_more_than_unreadable() {
    for name in KINDS {
        let image = Arc::new(image(&format!("extfat/{name}.img.zst")));
        let sectors = used_by_metadata(&image);
        for seed in 0..40 {
            let damaged = Arc::new(Damaged::among(&image, &sectors, seed, 64 << 20));
            if let Ok(fs) = open(damaged.clone()) {
                exhaust(&*fs, 40);
            }
            assert!(!damaged.overdrawn(), "{name}, {}", damaged.done);
        }
    }
}
