//! What the fuzz targets share: an image of the project's fixtures is damaged as the fuzzer says, and all of its tree is read.
//!
//! The fuzzer does not make the image itself, of which it would never get a checksum or a tree right, but a list of damages to one
//! that is whole. They fall where the image is not zero.

use hostvet::source::{FileKind, Host, Missing, Options, open};
use nix::sys::memfd::{MFdFlags, memfd_create};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

const SECTOR: usize = 512;

/// An image that is damaged again and again.
struct Image {
    bytes: Vec<u8>,
    /// Where it is not zero.
    sectors: Vec<usize>,
    file: File,
}

fn image(name: &str) -> Image {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("images").join(name);
    let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}; fuzz/run makes it", path.display()));
    let sectors = (0..bytes.len().div_ceil(SECTOR))
        .filter(|i| bytes[i * SECTOR..bytes.len().min((i + 1) * SECTOR)].iter().any(|byte| *byte != 0))
        .collect();
    let file = File::from(memfd_create(c"image", MFdFlags::MFD_CLOEXEC).unwrap());
    file.write_all_at(&bytes, 0).unwrap();
    Image { bytes, sectors, file }
}

/// Reads all of the image of this name in fuzz/images that `damage` leaves readable.
///
/// A damage is eight bytes: a sector that is not zero (2), a place in it (2), what to do there (1), and with what (3).
pub fn damaged(name: &str, damage: &[u8]) {
    static IMAGE: OnceLock<Image> = OnceLock::new();
    let image = IMAGE.get_or_init(|| image(name));
    let mut touched = Vec::new();
    for one in damage.chunks_exact(8).take(64) {
        let number = |i: usize| usize::from(u16::from_le_bytes([one[i], one[i + 1]]));
        let sector = image.sectors[number(0) % image.sectors.len()] * SECTOR;
        let at = (sector + number(2) % SECTOR).min(image.bytes.len() - 1);
        let end = image.bytes.len().min(sector + SECTOR);
        let mut put = |at: usize, bytes: &[u8]| {
            let bytes = &bytes[..bytes.len().min(image.bytes.len() - at)];
            image.file.write_all_at(bytes, at as u64).unwrap();
            touched.push((at, bytes.len()));
        };
        match one[4] % 6 {
            0 => put(at, &one[5..6]),
            1 => put(at, &one[5..8]),
            2 => put(at, &[image.bytes[at] ^ (1 << (one[5] % 8))]),
            3 => put(sector, &vec![one[5]; end - sector]),
            4 => {
                let from = image.sectors[number(5) % image.sectors.len()] * SECTOR;
                put(sector, &image.bytes[from..image.bytes.len().min(from + SECTOR)]);
            }
            _ => put(at, &image.bytes[at].wrapping_add(one[5]).to_le_bytes()),
        }
    }
    let mut options = Options::default();
    if name == "vfat" {
        // It looks like no root, which has links and owners.
        options.disk.root_partition = Some("disk".into());
    }
    let path = format!("/proc/self/fd/{}", image.file.as_raw_fd());
    if let Ok(host) = open(Path::new(&path), &options) {
        walk(&host);
    }
    for (at, length) in touched {
        image.file.write_all_at(&image.bytes[at..at + length], at as u64).unwrap();
    }
}

/// Reads all there is, as far as any healthy tree goes.
fn walk(host: &Host) {
    let mut places = vec![PathBuf::from("/")];
    let mut left = 2_000;
    while let Some(place) = places.pop() {
        let _ = host.source.statvfs(&place);
        for entry in host.source.list(&place).unwrap_or_default() {
            if left == 0 {
                return;
            }
            left -= 1;
            let path = place.join(&entry.name);
            match host.source.lstat(&path).map(|stat| stat.kind) {
                Ok(FileKind::Directory) if path.components().count() < 40 => places.push(path),
                Ok(FileKind::Link) => drop(host.source.read_link(&path)),
                Ok(FileKind::File) => {
                    let _ = host.source.read(&path, 4 << 20);
                    let _ = host.source.read_tail(&path, 100);
                }
                Ok(_) => {}
                Err(Missing::Absent | Missing::Unreadable(_)) => {}
            }
        }
    }
}
