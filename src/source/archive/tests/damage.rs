//! Changed bits, zeroed pieces and missing ends: of archives however they are compressed, and of images of containers.

use super::images::Layout;
use super::*;

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below.max(1)
    }

    /// A bit, some bytes, or the end; whether it was the end.
    fn damage(&mut self, bytes: &mut Vec<u8>) -> bool {
        let place = self.roll(bytes.len());
        match self.roll(4) {
            0 => {
                bytes.truncate(place);
                return true;
            }
            1 => {
                let end = (place + 1 + self.roll(40)).min(bytes.len());
                bytes[place..end].fill(0);
            }
            _ => bytes[place] ^= 1 << self.roll(8),
        }
        false
    }
}

const FILES: [&str; 3] = ["/etc/a", "/etc/b", "/usr/c"];

/// Text that does not compress to nothing.
fn text(name: &str) -> String {
    let mut dice = Dice(name.len() as u64 + u64::from(name.as_bytes()[name.len() - 1]));
    (0..400).map(|_| char::from(b'a' + dice.roll(26) as u8)).collect()
}

fn tree() -> Vec<u8> {
    FILES.iter().fold(Tar::new(), |tar, file| tar.file(&file[1..], &text(file))).bytes()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut packed = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(1)).unwrap();
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut packed = ::bzip2::write::BzEncoder::new(Vec::new(), ::bzip2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

/// All of them have a checksum: what is read is right, or the archive is told to be damaged or cut off.
#[test]
fn whatever_compresses_an_archive_its_damage_is_told() {
    let (whole, mut dice) = (tree(), Dice(7));
    for (kind, packed) in
        [("gzip", gzip(&whole)), ("xz", xz(&whole)), ("bzip2", bzip2(&whole)), ("zstd", zstd(&whole))]
    {
        let mut told = [0; 3];
        for round in 0..150 {
            let mut damaged = packed.clone();
            let cut = dice.damage(&mut damaged);
            match open(damaged) {
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    told[0] += 1;
                }
                Ok(archive) => {
                    let ends_early = archive.list(Path::new("/etc")).is_err();
                    told[if ends_early { 1 } else { 2 }] += 1;
                    for file in FILES {
                        match read(&archive, file) {
                            Ok(found) if !ends_early => assert_eq!(found, text(file), "{kind} {round}"),
                            Ok(found) if cut => assert_eq!(found, text(file), "{kind} {round}"),
                            // A changed bit that makes the stream longer looks as if its end were missing, and that is told.
                            Ok(_) => {}
                            Err(missing) => {
                                assert!(ends_early && missing != Missing::Absent, "{kind} {round}")
                            }
                        }
                    }
                }
            }
        }
        // Headers hold bits that mean nothing, but few.
        assert!(told[2] < 30, "{kind}: refused, cut off, unharmed: {told:?}");
    }
}

/// A bit that is wrong in the middle is damage, not a missing end.
#[test]
fn wrong_bits_are_not_taken_for_a_missing_end() {
    let whole = tree();
    for (kind, packed) in
        [("gzip", gzip(&whole)), ("xz", xz(&whole)), ("bzip2", bzip2(&whole)), ("zstd", zstd(&whole))]
    {
        let refused = (packed.len() / 4..packed.len() * 3 / 4)
            .step_by(7)
            .filter(|place| {
                let mut damaged = packed.clone();
                damaged[*place] ^= 0x10;
                open(damaged).is_err_and(|error| error.to_string().contains("damaged"))
            })
            .count();
        let all = (packed.len() / 4..packed.len() * 3 / 4).step_by(7).count();
        assert!(refused * 2 > all, "{kind}: {refused} of {all}");
    }
}

#[test]
fn damaged_images_are_refused_or_whole() {
    let upper = Tar::new().file("etc/b", &text("/etc/b")).file("etc/.wh.x", "").bytes();
    let lower =
        Tar::new().file("etc/a", &text("/etc/a")).file("etc/x", "x").file("usr/c", &text("/usr/c")).bytes();
    let mut layout = Layout::default();
    let image = layout.image("amd64", &[gzip(&lower), zstd(&upper)]);
    layout.index(&[(image, "app")]);
    let mut dice = Dice(11);
    for (path, bytes) in layout.0.clone() {
        for round in 0..40 {
            let mut damaged = Layout(layout.0.clone());
            let mut one = bytes.clone();
            dice.damage(&mut one);
            damaged.0.insert(path.clone(), one);
            let Ok(archive) = open(damaged.tar()) else { continue };
            let told = archive.list(Path::new("/etc")).is_err();
            for file in FILES {
                match read(&archive, file) {
                    Ok(found) => assert!(told || found == text(file), "{path} {round} {file}"),
                    Err(missing) => {
                        assert!(told && missing != Missing::Absent, "{path} {round} {file} {missing:?}")
                    }
                }
            }
        }
    }
    // And the archive around it all, whose headers have checksums of their own; its contents have not.
    let whole = layout.tar();
    for _ in 0..200 {
        let mut damaged = whole.clone();
        dice.damage(&mut damaged);
        let Ok(archive) = open(damaged) else { continue };
        FILES.iter().for_each(|file| drop(read(&archive, file)));
    }
}
