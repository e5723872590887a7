//! Writes what was remembered: a tar, packed with zstd.

use super::known::{Asked, Known};
use super::manifest::{
    FORMAT, LARGEST, Manifest, NAME, Wire, WireAnswer, WireEarlier, WirePath, WireTarget, WireUnread,
};
use super::members::{Is, Member, Members, Reader};
use super::recording::Remembered;
use super::replay::Replay;
use super::text::{WireMissing, escape, kind_word, stat_text};
use crate::source::bytes::{Held, Slice};
use crate::source::{Missing, Reading};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use tar::{Builder, EntryType, Header};

/// What was written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Written {
    /// Files of which bytes were written.
    pub files: usize,
    /// Paths of which anything is told.
    pub paths: usize,
    /// Bytes of the capture.
    pub bytes: u64,
}

/// What a capture tells of itself.
pub(super) struct Head {
    pub(super) hostvet: &'static str,
    pub(super) taken: String,
    pub(super) target: WireTarget,
    pub(super) rules: Vec<String>,
}

/// Writes a capture.
pub(super) fn write(
    head: Head,
    remembered: Remembered,
    earlier: Option<(u64, Remembered)>,
    out: &mut dyn Write,
) -> io::Result<Written> {
    let redacted = remembered.redacted.iter().map(|(path, what)| (path.clone(), what.words())).collect();
    let mut members = Members::default();
    let mut answers = BTreeMap::new();
    for (question, answer) in &remembered.answers {
        let text = question.to_string();
        let wire = match answer {
            Err(missing) => WireAnswer::Missing(WireMissing::of(missing, &text)),
            Ok(bytes) => {
                let name = text.replace(['/', ' '], "-");
                let member = members.beside("answers", Path::new(&name), vec![held(bytes.clone())])?;
                WireAnswer::Here { member: escape(member.as_os_str().as_bytes()) }
            }
        };
        answers.insert(text, wire);
    }
    let replay = Replay::new(remembered.paths, remembered.answers);
    members.tree(&replay);
    let paths = wire_paths(&replay, &mut members)?;
    let earlier = match earlier {
        None => None,
        Some((nanoseconds, remembered)) => {
            // Its files are in a tree of their own.
            let replay = Replay::new(remembered.paths, BTreeMap::new());
            let mut paths = BTreeMap::new();
            for (path, known) in &replay.paths {
                let slices: Vec<_> = known.contents.pieces.values().cloned().collect();
                let mut wire = wire_path(&escape(path.as_bytes()), known);
                if !known.contents.is_empty() {
                    let member = members.beside("earlier", Path::new(path), slices)?;
                    wire.bytes = Some(super::manifest::WireBytes {
                        member: Some(escape(member.as_os_str().as_bytes())),
                        end: known.contents.end,
                        ..Default::default()
                    });
                }
                paths.insert(escape(path.as_bytes()), wire);
            }
            Some(WireEarlier { nanoseconds, paths })
        }
    };
    let written = Written { paths: paths.len(), ..Written::default() };
    let manifest = Manifest {
        hostvet_capture: FORMAT,
        hostvet: head.hostvet.to_owned(),
        taken: head.taken,
        target: head.target,
        rules: head.rules,
        redacted,
        answers,
        paths,
        earlier,
    };
    tar(&manifest, &members, written, out)
}

fn held(bytes: Vec<u8>) -> Arc<Slice> {
    let len = bytes.len() as u64;
    Arc::new(Slice { of: Arc::new(Held(bytes)), start: 0, len })
}

fn wire_paths(replay: &Replay, members: &mut Members) -> io::Result<BTreeMap<String, WirePath>> {
    // In order, so that the same answers make the same capture.
    let sorted: BTreeMap<_, _> = replay.paths.iter().collect();
    let mut paths = BTreeMap::new();
    for (path, known) in sorted {
        let name = escape(path.as_bytes());
        let mut wire = wire_path(&name, known);
        if !known.contents.is_empty() {
            wire.bytes = Some(members.add(replay, Path::new(path), known)?);
        }
        paths.insert(name, wire);
    }
    Ok(paths)
}

fn wire<T, W>(answer: &Reading<T>, asked: &str, here: impl FnOnce(&T) -> W) -> Wire<W> {
    match answer {
        Ok(value) => Wire::Here(here(value)),
        Err(missing) => Wire::Missing(WireMissing::of(missing, asked)),
    }
}

fn wire_path(asked: &str, known: &Known) -> WirePath {
    WirePath {
        stat: known.stat.as_ref().map(|answer| wire(answer, asked, stat_text)),
        lstat: known.lstat.as_ref().map(|answer| wire(answer, asked, stat_text)),
        link: known.link.as_ref().map(|answer| wire(answer, asked, |to| escape(to.as_os_str().as_bytes()))),
        list: known.list.as_ref().map(|answer| {
            wire(answer, asked, |entries| {
                let mut kinds: BTreeMap<String, Vec<String>> = BTreeMap::new();
                for entry in entries {
                    kinds
                        .entry(kind_word(entry.kind).into())
                        .or_default()
                        .push(escape(entry.name.as_bytes()));
                }
                kinds
            })
        }),
        statvfs: known.space.as_ref().map(|answer| wire(answer, asked, ToString::to_string)),
        bytes: None,
        unread: known.contents.failed.iter().map(|(what, missing)| unread(*what, missing, asked)).collect(),
    }
}

fn unread(what: Asked, missing: &Missing, asked: &str) -> WireUnread {
    let (word, length, offset) = match what {
        Asked::Whole(cap) => ("whole", Some(cap), None),
        Asked::Tail(cap) => ("tail", Some(cap), None),
        Asked::At(offset, length) => ("at", Some(length), Some(offset)),
        Asked::Stream => ("stream", None, None),
    };
    WireUnread { asked: word.into(), length, offset, why: WireMissing::of(missing, asked) }
}

fn tar(
    manifest: &Manifest,
    members: &Members,
    mut written: Written,
    out: &mut dyn Write,
) -> io::Result<Written> {
    let mut text = serde_json::to_vec(manifest)?;
    text.push(b'\n');
    if text.len() as u64 > LARGEST {
        let what = format!("its manifest would be larger than {} MiB; select fewer rules", LARGEST >> 20);
        return Err(io::Error::other(what));
    }
    let mut tar = Builder::new(Frames::new(out));
    let mut header = Header::new_gnu();
    header.set_mode(0o600);
    header.set_uid(0);
    header.set_gid(0);
    let taken = manifest.taken.parse().map_or(0, |taken: jiff::Timestamp| taken.as_second());
    header.set_mtime(u64::try_from(taken).unwrap_or(0));
    header.set_size(text.len() as u64);
    tar.append_data(&mut header, NAME, text.as_slice())?;
    // What is large comes last, so that the rest is found soon.
    let length = |member: &Member| match &member.is {
        Is::File(slices, _) => slices.iter().map(|slice| slice.len).sum::<u64>(),
        _ => 0,
    };
    let (small, large): (Vec<_>, Vec<_>) =
        members.all.iter().partition(|(_, member)| length(member) <= super::KEPT);
    for (path, member) in small.into_iter().chain(large) {
        if path.as_os_str().is_empty() {
            continue;
        }
        let mut header = Header::new_gnu();
        header.set_uid(member.stat.uid.into());
        header.set_gid(member.stat.gid.into());
        header.set_mtime(u64::try_from(member.stat.mtime).unwrap_or(0));
        match &member.is {
            Is::Directory => {
                header.set_entry_type(EntryType::Directory);
                // Whoever unpacks it must be able to fill it, and to remove it again. The manifest has the true one.
                header.set_mode(member.stat.mode | 0o700);
                header.set_size(0);
                tar.append_data(&mut header, path, io::empty())?;
            }
            Is::Link(to) => {
                header.set_entry_type(EntryType::Symlink);
                header.set_mode(0o777);
                header.set_size(0);
                // A name that no tar can hold is in the manifest.
                if !to.as_os_str().is_empty() {
                    tar.append_link(&mut header, path, to)?;
                }
            }
            Is::File(_, false) => {
                header.set_mode(member.stat.mode & 0o777);
                hole(&mut header, member.stat.size)?;
                tar.append_data(&mut header, path, io::empty())?;
            }
            Is::File(slices, true) => {
                let length = length(member);
                header.set_mode(member.stat.mode & 0o777);
                header.set_size(length);
                tar.append_data(&mut header, path, Reader::new(slices).take(length))?;
                written.files += 1;
            }
        }
    }
    written.bytes = tar.into_inner()?.finish()?;
    Ok(written)
}

/// Makes the header that of a file that is nothing but a hole: it is there, as large as it was, and what was in it was not read.
fn hole(header: &mut Header, size: u64) -> io::Result<()> {
    header.set_size(0);
    if size > 0 {
        header.set_entry_type(EntryType::GNUSparse);
        let gnu = header.as_gnu_mut().ok_or(io::ErrorKind::InvalidInput)?;
        gnu.set_real_size(size);
        // The end of the file, as GNU tar writes it: a piece of no bytes.
        if let Some(piece) = gnu.sparse.first_mut() {
            piece.set_offset(size);
            piece.set_length(0);
        }
    }
    Ok(())
}

/// Packs what is written, in frames: the encoder has no way to tell that it could not write.
struct Frames<'a> {
    out: &'a mut dyn Write,
    held: Vec<u8>,
    written: u64,
}

/// How much goes into a frame.
const FRAME: usize = 2 << 20;

/// How many pieces of a frame tell whether it is worth packing, and how large each is.
const PIECES: usize = 4;
const PIECE: usize = 32 << 10;

/// How bytes are best packed. To look for what repeats takes most of the time of a capture, and in vain in what is packed already, as
/// initial RAM disks and kernels are.
fn level(bytes: &[u8]) -> CompressionLevel {
    if bytes.len() < PIECES * PIECE * 2 {
        return CompressionLevel::Fastest;
    }
    let pieces = bytes.chunks(bytes.len() / PIECES).filter_map(|part| part.get(..PIECE));
    let sample: Vec<u8> = pieces.flatten().copied().collect();
    let packed = compress_to_vec(sample.as_slice(), CompressionLevel::Fastest).len();
    // Less than a thirtieth saved.
    match packed > sample.len() - sample.len() / 30 {
        true => CompressionLevel::Uncompressed,
        false => CompressionLevel::Fastest,
    }
}

impl<'a> Frames<'a> {
    fn new(out: &'a mut dyn Write) -> Self {
        Self { out, held: Vec::new(), written: 0 }
    }

    fn pack(&mut self) -> io::Result<()> {
        let packed = compress_to_vec(self.held.as_slice(), level(&self.held));
        self.held.clear();
        self.written += packed.len() as u64;
        self.out.write_all(&packed)
    }

    fn finish(mut self) -> io::Result<u64> {
        if !self.held.is_empty() {
            self.pack()?;
        }
        self.out.flush()?;
        Ok(self.written)
    }
}

impl Write for Frames<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = bytes.len().min(FRAME - self.held.len());
        self.held.extend_from_slice(bytes.get(..n).unwrap_or_default());
        if self.held.len() >= FRAME {
            self.pack()?;
        }
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Compression;

    /// Bytes in which nothing repeats.
    fn noise(len: usize) -> Vec<u8> {
        let mut state = 1_u64;
        let next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        };
        std::iter::repeat_with(next).take(len).collect()
    }

    #[test]
    fn what_is_packed_comes_back_and_what_cannot_be_packed_is_left() {
        let text = b"a line of a log that comes again and again\n".repeat(50_000);
        let noise = noise(FRAME + 100_000);
        assert!(matches!(level(&text), CompressionLevel::Fastest));
        assert!(matches!(level(&noise), CompressionLevel::Uncompressed));
        let mut packed = Vec::new();
        let mut frames = Frames::new(&mut packed);
        frames.write_all(&text).unwrap();
        frames.write_all(&noise).unwrap();
        let written = frames.finish().unwrap();
        assert_eq!(written, packed.len() as u64);
        assert!(packed.len() < noise.len() + text.len() / 10, "{}", packed.len());
        let mut back = Vec::new();
        let packed = io::Cursor::new(packed);
        Compression::Zstd.all(Box::new(packed)).unwrap().read_to_end(&mut back).unwrap();
        assert!(back == [text, noise].concat());
    }
}
