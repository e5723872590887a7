//! Through an initial RAM disk, part by part, as the kernel goes (`unpack_to_rootfs` in init/initramfs.c).

use super::InitramfsContents;
use crate::format::cpio;
use crate::source::{Compression, Missing, Reading, Reason};
use std::collections::BTreeSet;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::{Arc, OnceLock};

/// The most bytes that are unpacked: 1 GiB. The largest initial RAM disks, with all of linux-firmware, have half of it.
const UNPACKED_CAP: u64 = 1 << 30;

/// What a decoder unpacks at a time. Each time it keeps the last 32 KiB or more for what refers back to them; larger pieces leave the
/// processor's own cache.
const UNPACKED_PIECE: usize = 256 << 10;

/// As many modules no kernel has.
const MODULES_CAP: usize = 50_000;

/// The most parts: two for microcode and modules, one for the rest, some of other hands.
const PARTS_CAP: usize = 64;

/// Why the walk ended before its end.
enum End {
    /// The image is damaged, in these words.
    Damaged(String),
    /// It may be whole, but is not read further.
    NotRead(String),
}

/// What was seen on the way.
#[derive(Default)]
struct Seen {
    compression: Vec<String>,
    files: u64,
    unpacked: u64,
    has_init: bool,
    /// Whether dracut made it.
    dracut: bool,
    /// Whether it has the hooks of dracut's module `fips`.
    fips: bool,
    /// A file system inside it.
    inner: Option<String>,
    modules: BTreeSet<String>,
    versions: BTreeSet<String>,
}

/// The bytes of the image, with why they cannot be read on: whatever a decoder above makes of that, the image is not damaged.
struct Noting {
    stream: Box<dyn Read + Send>,
    failure: Arc<OnceLock<String>>,
}

impl Read for Noting {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let found = self.stream.read(into);
        if let Err(error) = &found
            && error.kind() != io::ErrorKind::Interrupted
        {
            let _ = self.failure.set(error.to_string());
        }
        found
    }
}

pub(super) fn contents(path: &str, stream: Box<dyn Read + Send>) -> Reading<InitramfsContents> {
    let mut seen = Seen::default();
    let failure = Arc::new(OnceLock::new());
    let stream: Box<dyn Read + Send> = Box::new(Noting { stream, failure: failure.clone() });
    let end = parts(&mut BufReader::with_capacity(64 << 10, stream), &mut seen);
    if let Some(why) = failure.get() {
        return Err(Missing::unreadable(path, Reason::NotRead(why.clone())));
    }
    let damage = match end {
        Ok(()) => None,
        Err(End::Damaged(what)) => Some(what),
        Err(End::NotRead(why)) => return Err(Missing::unreadable(path, Reason::NotRead(why))),
    };
    let whole = match (&damage, &seen.inner) {
        (Some(what), _) => Err(Missing::garbled(path, what.clone())),
        (None, Some(inner)) => {
            let why = format!("its modules are in {inner}, a file system that is not read");
            Err(Missing::unreadable(path, Reason::NotRead(why)))
        }
        (None, None) => Ok(()),
    };
    Ok(InitramfsContents {
        compression: seen.compression,
        damage,
        files: seen.files,
        unpacked_bytes: seen.unpacked,
        has_init: seen.has_init,
        fips: whole.clone().and_then(|()| seen.dracut.then_some(seen.fips).ok_or(Missing::Absent)),
        modules: whole.map(|()| seen.modules.into_iter().collect()),
        versions: seen.versions.into_iter().collect(),
    })
}

fn parts(stream: &mut BufReader<Box<dyn Read + Send>>, seen: &mut Seen) -> Result<(), End> {
    loop {
        let first = seen.compression.is_empty();
        let start = after_zeros(stream).map_err(|e| damaged(&e))?;
        if start.is_empty() {
            return if first { Err(End::Damaged("it is empty".into())) } else { Ok(()) };
        }
        if seen.compression.len() == PARTS_CAP {
            return Err(End::NotRead(format!("it has more than {PARTS_CAP} parts")));
        }
        if cpio::is_magic(start) {
            seen.compression.push("none".into());
            archive(stream, seen)?;
            continue;
        }
        let Some(kind) = Compression::of(start) else {
            // The kernel complains of what follows the archives, and goes on. A bootconfig stands there by right.
            return if first {
                Err(End::Damaged("it is neither an archive nor compressed".into()))
            } else {
                Ok(())
            };
        };
        seen.compression.push(kind.name().into());
        let unpacked = kind.one(stream).map_err(|e| damaged(&e))?;
        let unpacked = unpacked.ok_or_else(|| End::NotRead(format!("{} is not read", kind.name())))?;
        archives(&mut BufReader::with_capacity(UNPACKED_PIECE, unpacked), seen)?;
    }
}

/// The archives in a compressed part.
fn archives(stream: &mut BufReader<Box<dyn Read + '_>>, seen: &mut Seen) -> Result<(), End> {
    loop {
        let start = after_zeros(stream).map_err(|e| damaged(&e))?;
        if start.is_empty() {
            return Ok(());
        }
        if !cpio::is_magic(start) {
            return Err(End::Damaged("what was compressed is no archive".into()));
        }
        archive(stream, seen)?;
    }
}

fn archive(stream: &mut dyn BufRead, seen: &mut Seen) -> Result<(), End> {
    let mut stream = Counted { stream, left: UNPACKED_CAP.saturating_sub(seen.unpacked) };
    let before = stream.left;
    let result = cpio::members(&mut stream, |member| seen.note(&member.name));
    seen.unpacked += before - stream.left;
    match result {
        Err(_) if stream.left == 0 => {
            Err(End::NotRead(format!("it holds more than {} MiB", UNPACKED_CAP >> 20)))
        }
        other => other.map_err(|e| damaged(&e)),
    }
}

fn damaged(error: &io::Error) -> End {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    // Decoders wrap what the reader below them said.
    while let Some(inner) = cause {
        if inner.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::UnexpectedEof) {
            return End::Damaged("it is cut off".into());
        }
        cause = inner.source();
    }
    End::Damaged(format!("it is damaged: {error}"))
}

/// What comes after the zeros that parts are padded with; nothing at the end.
fn after_zeros<R: BufRead>(stream: &mut R) -> io::Result<&[u8]> {
    loop {
        let buffer = match stream.fill_buf() {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        let zeros = buffer.iter().take_while(|byte| **byte == 0).count();
        if zeros == 0 {
            break;
        }
        stream.consume(zeros);
    }
    stream.fill_buf()
}

/// No more than so many bytes.
struct Counted<'a> {
    stream: &'a mut dyn BufRead,
    left: u64,
}

impl Read for Counted<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(into)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Counted<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let buffer = self.stream.fill_buf()?;
        Ok(buffer.get(..most).unwrap_or(buffer))
    }

    fn consume(&mut self, count: usize) {
        self.left -= count as u64;
        self.stream.consume(count);
    }
}

impl Seen {
    fn note(&mut self, name: &str) {
        self.files += 1;
        self.has_init |= name == "init";
        let file = name.rsplit('/').next().unwrap_or(name);
        // Its library has had this name since 2009, and its own version was a file before it had a directory.
        self.dracut |= file == "dracut-lib.sh" || name.starts_with("dracut-") || name.contains("lib/dracut/");
        // A hook, with its number before it: 00-fips-boot.sh, and 01fips-boot.sh on RHEL 6.
        self.fips |= file.ends_with("fips-boot.sh");
        if ["squash-root.img", "squashfs-root.img", "erofs-root.img"].contains(&file) {
            self.inner = Some(name.to_owned());
        }
        if let Some(module) = module(file)
            && self.modules.len() < MODULES_CAP
        {
            self.modules.insert(module);
            let after = name.split_once("lib/modules/").map(|(_, after)| after);
            if let Some((version, _)) = after.and_then(|after| after.split_once('/'))
                && self.versions.len() < PARTS_CAP
            {
                self.versions.insert(version.to_owned());
            }
        }
    }
}

/// The name of the module that a file holds, as lsmod shows it.
fn module(file: &str) -> Option<String> {
    let (stem, ending) = file.split_once(".ko")?;
    matches!(ending, "" | ".gz" | ".xz" | ".zst" | ".bz2").then(|| stem.replace('-', "_"))
}
