use super::*;
use crate::format::cpio::archive;
use crate::source::{Files, Target};
use flate2::{Compression, write::GzEncoder};
use std::io::Write;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn contents(bytes: Vec<u8>) -> Reading<InitramfsContents> {
    walk::contents("/boot/initrd", Box::new(std::io::Cursor::new(bytes)))
}

const VIRTIO: &str = "usr/lib/modules/6.1.0-28-amd64/kernel/drivers/block/virtio_blk.ko.xz";

fn main_part() -> Vec<u8> {
    archive(&[
        ("init", "#!/bin/sh"),
        (VIRTIO, "x"),
        ("lib/modules/6.1.0-28-amd64/kernel/crc32c-intel.ko", "xx"),
    ])
}

#[test]
fn microcode_first_then_what_is_compressed() {
    let mut image = archive(&[("kernel/x86/microcode/GenuineIntel.bin", "code")]);
    image.resize(image.len().next_multiple_of(512), 0);
    image.extend(gzip(&main_part()));
    let found = contents(image).unwrap();
    assert_eq!(found.compression, ["none", "gzip"]);
    assert_eq!((found.files, found.has_init, &found.damage), (4, true, &None));
    assert_eq!(found.modules, Ok(vec!["crc32c_intel".into(), "virtio_blk".into()]));
    assert_eq!(found.versions, ["6.1.0-28-amd64"]);
}

#[test]
fn several_archives_follow_one_another_inside_and_outside() {
    let mut inner = archive(&[("a.ko", "")]);
    inner.resize(inner.len() + 300, 0);
    inner.extend(archive(&[("b.ko.zst", ""), ("c.koala", "")]));
    let mut image = gzip(&inner);
    image.extend(gzip(&archive(&[("d.ko", "")])));
    image.extend(b"\0\0\0\0#BOOTCONFIG\n");
    let found = contents(image).unwrap();
    assert_eq!(found.modules, Ok(vec!["a".into(), "b".into(), "d".into()]));
    assert_eq!((found.files, found.has_init, found.damage), (4, false, None));
}

#[test]
fn what_is_empty_cut_off_or_garbage_says_so_and_has_no_list() {
    let damage = |bytes: Vec<u8>| {
        let found = contents(bytes).unwrap();
        assert!(matches!(found.modules, Err(Missing::Unreadable(_))));
        found.damage.unwrap()
    };
    assert_eq!(damage(Vec::new()), "it is empty");
    assert_eq!(damage(vec![0; 600]), "it is empty");
    assert_eq!(damage(b"stub".to_vec()), "it is neither an archive nor compressed");
    assert_eq!(damage(gzip(b"a log file")), "what was compressed is no archive");
    let packed = gzip(&main_part());
    assert_eq!(damage(packed[..packed.len() / 2].to_vec()), "it is cut off");
    assert_eq!(damage(main_part()[..200].to_vec()), "it is cut off");
    let mut wrong = packed.clone();
    let middle = wrong.len() / 2;
    wrong[middle..middle + 20].fill(0xff);
    assert!(damage(wrong).starts_with("it is "));
}

#[test]
fn what_is_not_read_is_unknown_and_not_damaged() {
    assert!(matches!(contents(b"\x89LZO\0\r\n".to_vec()), Err(Missing::Unreadable(_))));
    let squash = contents(archive(&[("init", ""), ("squashfs-root.img", "hsqs")])).unwrap();
    assert!(squash.damage.is_none() && matches!(squash.modules, Err(Missing::Unreadable(_))));
}

#[test]
fn the_fips_module_is_known_by_its_hook_in_what_dracut_made() {
    let fips = |names: &[&str]| {
        let members: Vec<_> = names.iter().map(|name| (*name, "")).collect();
        contents(gzip(&archive(&members))).unwrap().fips
    };
    assert_eq!(fips(&["usr/lib/dracut-lib.sh", "usr/lib/dracut/hooks/pre-pivot/00-fips-boot.sh"]), Ok(true));
    assert_eq!(fips(&["dracut-004-409.el6", "pre-trigger/01fips-boot.sh"]), Ok(true));
    assert_eq!(fips(&["usr/lib/dracut/build-parameter.txt", "etc/fips.conf"]), Ok(false));
    assert_eq!(fips(&["scripts/init-top/fips", "conf/initramfs.conf"]), Err(Missing::Absent));
    let squash = fips(&["usr/lib/dracut/build-parameter.txt", "squash-root.img"]);
    assert!(matches!(squash, Err(Missing::Unreadable(_))));
}

#[test]
fn an_image_is_known_good_if_this_kernel_started_with_it() {
    let host = |release: &str, btime: &str| {
        let mut files = Files::new();
        files.file("/boot/initrd.img-6.1.0-28-amd64", "").file("/proc/sys/kernel/osrelease", release);
        files.file("/proc/stat", format!("cpu 1 2 3\n{btime}"));
        Host::new(files, Target::live())
    };
    let booted = |host: &Host| image(host, "/boot/initrd.img-6.1.0-28-amd64").booted.get().cloned();
    assert_eq!(booted(&host("6.1.0-28-amd64\n", "btime 1700000000\n")), Ok(true));
    assert_eq!(booted(&host("6.1.0-27-amd64\n", "btime 1700000000\n")), Ok(false));
    assert_eq!(booted(&host("6.1.0-28-amd64\n", "btime 0\n")), Ok(false));
    assert_eq!(booted(&host("\n", "btime 1700000000\n")), Ok(false));
    assert!(matches!(booted(&host("6.1.0-28-amd64\n", "")), Err(Missing::Unreadable(_))));
    let none = Host::new(Files::new(), Target::root("x"));
    assert_eq!(image(&none, "/boot/none").size_bytes, Err(Missing::Absent));
    assert_eq!(image(&none, "/boot/none").contents.get().map(|_| ()), Err(Missing::Absent));
}

/// A disk that fails, or an archive that is not unpacked once more.
#[test]
fn an_image_that_cannot_be_read_is_not_damaged() {
    struct Fails(u8);
    impl std::io::Read for Fails {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            self.0 += 1;
            let start = gzip(&[0; 64]);
            match self.0 {
                1 => std::io::Read::read(&mut &start[..12], into),
                _ => Err(std::io::Error::other("is not unpacked again")),
            }
        }
    }
    let found = walk::contents("/boot/initrd", Box::new(Fails(0)));
    let Err(Missing::Unreadable(why)) = found.map(|_| ()) else { panic!("it is taken for damaged") };
    assert_eq!(why.to_string(), "/boot/initrd: is not unpacked again");
}
