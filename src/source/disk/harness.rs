//! What the tests of every file system reader need: images that are kept packed, a walk of a whole file system and its
//! comparison with a listing that another tool made, and damage.

use super::file_system::FileSystem;
use crate::source::bytes::{Bytes, Held};
use crate::source::{FileKind, Missing, Reading};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt::{self, Debug, Write as _};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// An image of fixtures/images/, unpacked by its ending: `extfat/ext4.img.zst`, `.xz`, or as it is.
pub(super) fn image(name: &str) -> Vec<u8> {
    let packed = fixture(name);
    let mut bytes = Vec::new();
    match Path::new(name).extension().and_then(OsStr::to_str) {
        Some("zst") => {
            ruzstd::decoding::StreamingDecoder::new(&packed[..]).unwrap().read_to_end(&mut bytes).unwrap();
        }
        Some("xz") => {
            lzma_rust2::XzReader::new(&packed[..], false).read_to_end(&mut bytes).unwrap();
        }
        _ => bytes = packed,
    }
    bytes
}

/// The same, to be opened.
pub(super) fn held(name: &str) -> Arc<dyn Bytes> {
    Arc::new(Held(image(name)))
}

/// A file of fixtures/images/ as it is.
pub(super) fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/images").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The whole file system as text, a line for each path, sorted by its bytes:
///
/// `PATH KIND MODE UID GID SIZE ALLOCATED MTIME RDEV REST`, parted by tabs. KIND is the letter of `ls -l` and `find -printf %y`
/// (`f d l p s b c`), MODE octal, ALLOCATED in units of 512 bytes, RDEV `major:minor` or `-`, REST the SHA-256 of a file's
/// bytes (of 64 MiB at most), a link's target, or `-`. Bytes of a name or target that are no printable ASCII, and `\`, are written `\xHH`.
/// What cannot be read is `! ` and the reason in place of the column.
pub(super) fn listing(of: &dyn FileSystem) -> String {
    let mut lines: Vec<String> = walk(of, usize::MAX).into_iter().map(|(path, _)| line(of, &path)).collect();
    lines.sort();
    lines.concat()
}

/// Holds a file system to a listing. A column that is `?` in it is not compared; neither are lines that begin with `#`.
#[track_caller]
pub(super) fn same_as_listed(of: &dyn FileSystem, expected: &str) {
    let found = listing(of);
    let mut expected: Vec<&str> =
        expected.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    expected.sort_by_key(|line| line.split('\t').next());
    let mut found: Vec<&str> = found.lines().collect();
    found.sort_by_key(|line| line.split('\t').next());
    let same = |found: &str, expected: &str| {
        found.split('\t').count() == expected.split('\t').count()
            && found
                .split('\t')
                .zip(expected.split('\t'))
                .all(|(found, expected)| expected == "?" || found == expected)
    };
    for (found, expected) in found.iter().zip(&expected) {
        assert!(same(found, expected), "found    {found}\nexpected {expected}");
    }
    assert_eq!(found.len(), expected.len(), "as many paths as the listing has");
}

fn line(of: &dyn FileSystem, path: &Path) -> String {
    let mut line = escaped(path.as_os_str().as_bytes());
    let stat = match of.lstat(path) {
        Ok(stat) => stat,
        Err(error) => return format!("{line}\t! {}\n", words(&error)),
    };
    let letter = match stat.kind {
        FileKind::File => 'f',
        FileKind::Directory => 'd',
        FileKind::Link => 'l',
        FileKind::Fifo => 'p',
        FileKind::Socket => 's',
        FileKind::Block => 'b',
        FileKind::Character => 'c',
        FileKind::Other => '?',
    };
    let rdev = match stat.kind {
        FileKind::Block | FileKind::Character => {
            format!("{}:{}", nix::sys::stat::major(stat.rdev), nix::sys::stat::minor(stat.rdev))
        }
        _ => "-".into(),
    };
    let rest = match stat.kind {
        FileKind::File if stat.size <= 64 << 20 => {
            digest(of, path, stat.size).unwrap_or_else(|error| format!("! {}", words(&error)))
        }
        FileKind::Link => match of.read_link(path) {
            Ok(target) => escaped(target.as_os_str().as_bytes()),
            Err(error) => format!("! {}", words(&error)),
        },
        FileKind::Directory => match of.list(path) {
            Ok(_) => "-".into(),
            Err(error) => format!("! {}", words(&error)),
        },
        _ => "-".into(),
    };
    let crate::source::Stat { mode, uid, gid, size, allocated, mtime, .. } = stat;
    let _ =
        writeln!(line, "\t{letter}\t{mode:o}\t{uid}\t{gid}\t{size}\t{allocated}\t{mtime}\t{rdev}\t{rest}");
    line
}

/// The SHA-256 of a file's bytes, read in pieces that are no multiple of a block.
fn digest(of: &dyn FileSystem, path: &Path, size: u64) -> Reading<String> {
    let mut sha = Sha256::new();
    let mut at = 0;
    while at < size {
        let part = of.read_at(path, at, 1_000_003)?;
        assert!(!part.is_empty(), "{}: {at} of {size} bytes", path.display());
        at += part.len() as u64;
        sha.update(&part);
    }
    assert_eq!(of.read_at(path, size, 1)?, b"", "nothing is behind the end of {}", path.display());
    Ok(sha.finalize().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}")))
}

fn escaped(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, &byte| match byte {
        b'!'..=b'~' if byte != b'\\' => text + &char::from(byte).to_string(),
        _ => text + &format!("\\x{byte:02x}"),
    })
}

/// Why something is missing, in words.
pub(super) fn words(missing: &Missing) -> String {
    match missing {
        Missing::Absent => "absent".into(),
        Missing::Unreadable(why) => why.reason.to_string(),
    }
}

/// Every path from the root on, up to `most` of them, and what the directory's entry says it is.
pub(super) fn walk(of: &dyn FileSystem, most: usize) -> Vec<(PathBuf, FileKind)> {
    let mut paths = vec![(PathBuf::from("/"), FileKind::Directory)];
    let mut next = 0;
    while let Some((path, kind)) = paths.get(next).cloned() {
        next += 1;
        if kind != FileKind::Directory || path.components().count() > 40 {
            continue;
        }
        for entry in of.list(&path).unwrap_or_default() {
            if paths.len() >= most {
                return paths;
            }
            paths.push((path.join(&entry.name), entry.kind));
        }
    }
    paths
}

/// What a walk through something damaged met.
#[derive(Debug, Default)]
pub(super) struct Met {
    /// How many answers were values.
    pub(super) values: usize,
    /// Why the others were none.
    pub(super) reasons: Vec<String>,
}

/// Asks everything of up to `most` paths of something damaged. There must be no panic, a name that is listed must not be absent,
/// no more may be read than was asked for, and a reason must say something.
#[track_caller]
pub(super) fn exhaust(of: &dyn FileSystem, most: usize) -> Met {
    let mut met = Met::default();
    fn note<T>(met: &mut Met, path: &Path, reading: Reading<T>) -> Option<T> {
        match reading {
            Ok(value) => {
                met.values += 1;
                Some(value)
            }
            Err(missing) => {
                assert_ne!(missing, Missing::Absent, "{}: what is listed is there", path.display());
                let words = words(&missing);
                assert!(words.len() > 8, "{}: {words}", path.display());
                met.reasons.push(words);
                None
            }
        }
    }
    note(&mut met, Path::new("/"), of.space());
    for (path, listed) in walk(of, most) {
        let Some(stat) = note(&mut met, &path, of.lstat(&path)) else { continue };
        match stat.kind {
            FileKind::Directory if listed == FileKind::Directory => {
                note(&mut met, &path, of.list(&path));
            }
            FileKind::Link => {
                note(&mut met, &path, of.read_link(&path));
            }
            FileKind::File => {
                for at in [0, stat.size / 2, stat.size.saturating_sub(10), u64::MAX - 5] {
                    let part = note(&mut met, &path, of.read_at(&path, at, 70_000)).unwrap_or_default();
                    assert!(
                        part.len() as u64 <= stat.size.saturating_sub(at).min(70_000),
                        "{}",
                        path.display()
                    );
                }
            }
            _ => {}
        }
    }
    // What is asked of a damaged file system need not be listed.
    for path in ["/none", "/etc/none", "/a/b/c", "/etc/fstab", "/EFI/BOOT"].map(Path::new) {
        let _ = (of.lstat(path), of.list(path), of.read_link(path), of.read_at(path, 0, 100));
    }
    met
}

/// Bytes with damage, which depends on nothing but the seed, and a count of what is read of them.
pub(super) struct Damaged {
    of: Arc<Vec<u8>>,
    len: usize,
    /// Sectors that are others than in the original.
    sectors: Vec<(usize, Vec<u8>)>,
    /// What was done.
    pub(super) done: String,
    read: AtomicU64,
    most: u64,
}

const SECTOR: usize = 512;

impl Damaged {
    /// One to three of: a flipped bit, a byte, a word of all ones, a zeroed sector, two sectors exchanged, the end cut off.
    /// Sectors that hold nothing but zeros are let alone. More than `most` bytes are not to be read: see [`Self::overdrawn`].
    pub(super) fn new(of: &Arc<Vec<u8>>, seed: u64, most: u64) -> Self {
        Self::among(of, &used(of), seed, most)
    }

    /// The same, with the damage in some of these sectors only: what is to be found out once for many seeds, or is metadata.
    pub(super) fn among(of: &Arc<Vec<u8>>, used: &[usize], seed: u64, most: u64) -> Self {
        let mut state = seed;
        let mut random = move |below: usize| {
            // splitmix64
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) % below.max(1) as u64) as usize
        };
        let mut new = Self {
            of: of.clone(),
            len: of.len(),
            sectors: Vec::new(),
            done: format!("seed {seed}:"),
            read: AtomicU64::new(0),
            most,
        };
        for _ in 0..=random(3) {
            let at = used[random(used.len())];
            let mut sector = new.sector(at);
            let offset = random(SECTOR);
            let what = match random(12) {
                0..=4 => {
                    sector[offset] ^= 1 << random(8);
                    "bit"
                }
                5..=6 => {
                    sector[offset] = random(256) as u8;
                    "byte"
                }
                7..=8 => {
                    let ones = sector.chunks_exact_mut(4).nth(offset / 4).unwrap();
                    ones.fill(0xff);
                    "ones"
                }
                9 => {
                    sector.fill(0);
                    "zeros"
                }
                10 => {
                    let other = used[random(used.len())];
                    new.sectors.insert(0, (other, sector));
                    sector = new.of[other * SECTOR..][..SECTOR].to_vec();
                    "exchange"
                }
                _ => {
                    new.len = new.len.min(at * SECTOR + offset);
                    "cut"
                }
            };
            let _ = write!(new.done, " {what} at {}", at * SECTOR + offset);
            new.sectors.insert(0, (at, sector));
        }
        new
    }

    /// Whether more was read than should be.
    pub(super) fn overdrawn(&self) -> bool {
        self.read.load(Ordering::Relaxed) > self.most
    }

    fn sector(&self, number: usize) -> Vec<u8> {
        match self.sectors.iter().find(|(n, _)| *n == number) {
            Some((_, sector)) => sector.clone(),
            None => self.of[number * SECTOR..][..SECTOR].to_vec(),
        }
    }
}

impl Debug for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.done)
    }
}

/// The sectors that do not hold zeros alone.
pub(super) fn used(of: &[u8]) -> Vec<usize> {
    (0..of.len() / SECTOR).filter(|&n| of[n * SECTOR..][..SECTOR] != [0; SECTOR]).collect()
}

/// Those of them that hold no plain text, as most contents of files do: metadata.
pub(super) fn used_by_metadata(of: &[u8]) -> Vec<usize> {
    let text =
        |&n: &usize| of[n * SECTOR..][..64].iter().all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace());
    used(of).into_iter().filter(|n| !text(n)).collect()
}

impl Bytes for Damaged {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let read = self.read.fetch_add(into.len() as u64, Ordering::Relaxed);
        if read > self.most {
            return Err(io::Error::other("more is read than should be"));
        }
        let start = usize::try_from(at).unwrap_or(usize::MAX).min(self.len);
        let n = into.len().min(self.len - start);
        into[..n].copy_from_slice(&self.of[start..start + n]);
        for (number, sector) in self.sectors.iter().rev() {
            let (from, to) = ((number * SECTOR).max(start), ((number + 1) * SECTOR).min(start + n));
            if from < to {
                into[from - start..to - start]
                    .copy_from_slice(&sector[from - number * SECTOR..to - number * SECTOR]);
            }
        }
        Ok(n)
    }

    fn known_len(&self) -> Option<u64> {
        Some(self.len as u64)
    }
}

#[test]
fn damage_is_the_same_each_time() {
    let of = Arc::new(vec![7; 8 * SECTOR]);
    let read = |seed| {
        let damaged = Damaged::new(&of, seed, 1 << 20);
        let mut bytes = vec![0; of.len()];
        let n = damaged.read_at(0, &mut bytes).unwrap();
        bytes.truncate(n);
        bytes
    };
    for seed in 0..50 {
        assert_eq!(read(seed), read(seed));
    }
    let greedy = Damaged::new(&of, 1, 10);
    assert!(
        greedy.read_at(0, &mut [0; 20]).is_ok()
            && greedy.read_at(0, &mut [0; 1]).is_err()
            && greedy.overdrawn()
    );
}

/// `HOSTVET_LISTED=DIRECTORY cargo test --lib what_linux_lists -- --nocapture`, of images `NAME.img` with what list.py tells of each
/// once it is mounted, `NAME.listing`: see fixtures/images/make-many.
#[test]
#[allow(clippy::print_stderr)]
fn what_linux_lists_is_there() {
    let Some(directory) = std::env::var_os("HOSTVET_LISTED") else { return };
    let mut wrong = 0;
    let mut images: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    images.retain(|path| path.extension() == Some(OsStr::new("img")));
    images.sort();
    for path in images {
        let file = std::fs::File::open(&path).unwrap();
        let bytes: Arc<dyn Bytes> = Arc::new(crate::source::bytes::FileBytes::new(file).unwrap());
        let (volumes, _) = super::volume::volumes(bytes);
        let Ok(expected) = std::fs::read_to_string(path.with_extension("listing")) else { continue };
        let found = super::assemble::open(&volumes[0], &super::btrfs::Subvolume::Default).map(|of| {
            let space = expected.lines().next().and_then(|line| line.strip_prefix("# ")).unwrap();
            match of.space() {
                Ok(found) if found == space.parse().unwrap() => {}
                other => eprintln!("{}: space {other:?}, {space}", path.display()),
            }
            listing(&*of)
        });
        let found = found.unwrap_or_else(|reason| format!("! {reason}\n"));
        let of = |text: &str| text.lines().filter(|l| !l.starts_with('#')).map(str::to_owned).collect();
        let (found, expected): (BTreeSet<String>, BTreeSet<String>) = (of(&found), of(&expected));
        let (more, less): (Vec<_>, Vec<_>) =
            (found.difference(&expected).collect(), expected.difference(&found).collect());
        eprintln!("{}: {} lines, {} others", path.display(), expected.len(), more.len().max(less.len()));
        more.iter().take(6).for_each(|line| eprintln!("  found    {line}"));
        less.iter().take(6).for_each(|line| eprintln!("  expected {line}"));
        wrong += usize::from(more.len() + less.len() > 0);
    }
    assert_eq!(wrong, 0);
}
