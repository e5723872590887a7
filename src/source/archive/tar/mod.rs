//! The members of a tar, as their headers tell of them (tar(5), pax(1)): metadata, and where the contents lie.
//!
//! Written here rather than taken from the `tar` crate, which holds a long name of any length in memory, has no place for a
//! damaged member, and does not tell where PAX sparse files begin. Nothing is trusted: every header has its
//! checksum, names and records are bounded, and what does not add up ends the archive at that byte.

mod header;
mod records;

pub(super) use header::begins;
pub(super) use records::decimal;

use super::packed::Refused;
use super::sparse::{Map, Sparse};
use crate::source::bytes::{Bytes, Held, read_exactly};
use header::{BLOCK, Header, until_nul};
use records::Records;
use std::io;
use std::sync::Arc;

/// A member.
#[derive(Debug)]
pub(super) struct Member {
    /// Its path as it is written: it may begin with `/` and hold `..`.
    pub(super) path: Vec<u8>,
    pub(super) what: What,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mtime: i64,
    pub(super) size: u64,
}

/// What a member is.
#[derive(Debug)]
pub(super) enum What {
    Directory,
    File(Content),
    Link(Vec<u8>),
    /// Another name of a member, whose path this is.
    HardLink(Vec<u8>),
    Fifo,
    Character(u64),
    Block(u64),
}

/// Where the contents of a file are.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// Here.
    Kept(Box<[u8]>),
    /// In the archive, from this byte on.
    At(Arc<dyn Bytes>, u64),
    /// In pieces, of so many bytes in all, between which there are holes.
    Sparse(Arc<Sparse>, u64),
    /// They cannot be read, for this reason.
    Lost(Arc<str>),
}

/// What is kept of compressed archives, and when to give up.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// The most members, and directories above them.
    pub(super) entries: usize,
    /// The most bytes that are unpacked in one pass.
    pub(super) unpacked: u64,
    /// The most bytes of files that are kept.
    pub(super) kept: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 1_000_000, unpacked: 32 << 30, kept: 160 << 20 }
    }
}

/// Why an archive tells nothing of what is not in it: it ends early, in these words.
pub(super) type Cut = Arc<str>;

/// An archive whose bytes cannot be relied on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Bad {
    /// The compressed stream is damaged.
    #[error("the compressed archive is damaged: {0}")]
    Damaged(io::Error),
    /// The file of the archive cannot be read.
    #[error("{0}")]
    Io(io::Error),
}

/// The longest path that Linux knows (PATH_MAX), and more than the longest name.
const PATH: usize = 4096;

/// The most directories in one another.
const DEPTH: usize = 256;

/// The most bytes of the records before one header: extended attributes of 64 KiB each are among them.
const RECORDS: u64 = 1 << 20;

/// Where the members end, and why if they end early.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) at: u64,
    pub(super) cut: Option<Cut>,
}

/// Goes through the members of a tar and gives each to `take`, which may end it.
///
/// Of an archive that is compressed the files that `keep` wants, by path and size, are read on the way.
pub(super) fn members(
    bytes: &Arc<dyn Bytes>,
    keep: &mut dyn FnMut(&[u8], u64) -> bool,
    take: &mut dyn FnMut(Member) -> Result<(), Cut>,
) -> Result<Ended, Bad> {
    let mut walk = Walk { bytes, keep, seekable: bytes.known_len(), at: 0 };
    let ended = walk.all(take);
    let at = walk.at;
    let cut = match ended {
        Ok(()) => None,
        Err(End::Cut(why)) => Some(why),
        Err(End::Damaged(what)) => Some(format!("the archive is damaged at byte {at}: {what}").into()),
        Err(End::Io(error)) => why(error, &**bytes, at)?,
    };
    Ok(Ended { at, cut })
}

/// What an error in the reading of an archive means: it ends there, or nothing of it can be relied on.
pub(super) fn why(error: io::Error, bytes: &dyn Bytes, at: u64) -> Result<Option<Cut>, Bad> {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Ok(Some(early(bytes, at))),
        io::ErrorKind::InvalidData => Err(Bad::Damaged(error)),
        _ if error.get_ref().is_some_and(|e| e.is::<Refused>()) => Ok(Some(error.to_string().into())),
        _ => Err(Bad::Io(error)),
    }
}

fn early(bytes: &dyn Bytes, at: u64) -> Cut {
    match bytes.known_len() {
        Some(len) => format!("the archive ends early, at byte {len}").into(),
        None => format!("the archive ends early, after byte {at} of what it unpacks to").into(),
    }
}

enum End {
    Cut(Cut),
    Damaged(&'static str),
    Io(io::Error),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Cut> for End {
    fn from(why: Cut) -> Self {
        Self::Cut(why)
    }
}

/// The walk through the members of an archive.
struct Walk<'a> {
    bytes: &'a Arc<dyn Bytes>,
    keep: &'a mut dyn FnMut(&[u8], u64) -> bool,
    /// Its length, where any of its bytes can be read at any time.
    seekable: Option<u64>,
    /// Where the header is that comes next.
    at: u64,
}

impl Walk<'_> {
    fn all(&mut self, take: &mut dyn FnMut(Member) -> Result<(), Cut>) -> Result<(), End> {
        let (mut global, mut local) = (Records::default(), Records::default());
        loop {
            let mut block = [0; BLOCK as usize];
            match self.bytes.read_at(self.at, &mut block)? {
                512 => {}
                _ => return Err(End::Io(io::ErrorKind::UnexpectedEof.into())),
            }
            if block == [0; BLOCK as usize] {
                return Ok(());
            }
            let header = Header(&block);
            if !header.is_intact() {
                return Err(End::Damaged("there is no header of a member"));
            }
            let stored = header.size().ok_or(End::Damaged("a member has no size"))?;
            let data = self.at.checked_add(BLOCK).ok_or(End::Damaged("a size is none"))?;
            match header.kind() {
                b'x' => local.read(&self.extension(data, stored)?),
                b'g' => global.read(&self.extension(data, stored)?),
                b'L' => local.path = Some(until_nul(&self.extension(data, stored)?).to_vec()),
                b'K' => local.link = Some(until_nul(&self.extension(data, stored)?).to_vec()),
                _ => {
                    let records = std::mem::take(&mut local).or(&global);
                    self.at = self.member(&header, records, data, stored, take)?;
                    continue;
                }
            }
            self.at = after(data, stored)?;
        }
    }

    /// The text of what stands before a member as if it were one.
    fn extension(&self, data: u64, len: u64) -> Result<Vec<u8>, End> {
        if len > RECORDS {
            return Err(End::Damaged("the name or the attributes of a member are larger than any"));
        }
        Ok(read_exactly(&**self.bytes, data, usize::try_from(len).unwrap_or(0))?)
    }

    /// Takes a member, whose contents begin at `data`; where the next one begins.
    fn member(
        &mut self,
        header: &Header<'_>,
        records: Records,
        mut data: u64,
        stored: u64,
        take: &mut dyn FnMut(Member) -> Result<(), Cut>,
    ) -> Result<u64, End> {
        let kind = header.kind();
        // A link has no contents even where its size is told, as that of the file (pax(1)); neither have the others.
        let stored = if matches!(kind, b'1'..=b'6') { 0 } else { records.size.unwrap_or(stored) };
        let mut real_size = records.real_size.unwrap_or(stored);
        let mut sparse = records.sparse;
        if kind == b'S' {
            real_size = header.real_size().unwrap_or(stored);
            sparse = Some(self.pieces(header, &mut data)?);
        }
        // What is stored of the file itself, and from where on.
        let (mut start, mut pieces) = (data, stored);
        if records.sparse_major == Some(1) {
            let (map, len) = Map::before(&**self.bytes, data, stored)?;
            sparse = Some(map);
            (start, pieces) = (data.saturating_add(len), stored.saturating_sub(len));
        }
        let end = after(data, stored)?;
        let path = records.sparse_name.or(records.path).unwrap_or_else(|| header.path());
        let link = || records.link.clone().unwrap_or_else(|| header.link());
        let what = match kind {
            b'1' => What::HardLink(link()),
            b'2' => What::Link(link()),
            b'3' => What::Character(header.device()),
            b'4' => What::Block(header.device()),
            b'5' | b'D' => What::Directory,
            b'6' => What::Fifo,
            // The label of a volume, and the rest of a file that began on another one.
            b'V' | b'M' => return Ok(end),
            0 if path.ends_with(b"/") => What::Directory,
            _ => What::File(self.content(&path, sparse, start, pieces, real_size)?),
        };
        let is_file = matches!(what, What::File(_));
        let mut member = Member {
            mode: header.mode(),
            uid: records.uid.or(header.uid()).unwrap_or(0),
            gid: records.gid.or(header.gid()).unwrap_or(0),
            mtime: records.mtime.or(header.mtime()).unwrap_or(0),
            size: if is_file { real_size } else { 0 },
            what,
            path,
        };
        if self.is_there(&member.what, data, stored)? {
            take_short(member, take)?;
            return Ok(end);
        }
        let why = early(&**self.bytes, self.at);
        if is_file {
            member.what = What::File(Content::Lost(why.clone()));
            take_short(member, take)?;
        }
        Err(End::Cut(why))
    }

    /// The map of a sparse file in its header, and in the blocks that follow it.
    fn pieces(&self, header: &Header<'_>, data: &mut u64) -> Result<Map, End> {
        let mut map = Map::default();
        let mut more = header.pieces(&mut map);
        while more {
            let next = read_exactly(&**self.bytes, *data, BLOCK as usize)?;
            header::pieces(next.get(..504).unwrap_or_default(), &mut map);
            more = next.get(504).is_some_and(|flag| *flag != 0);
            *data += BLOCK;
        }
        Ok(map)
    }

    /// The contents of a file of which so much is stored; those of a compressed archive are read now if they are to be kept.
    fn content(
        &mut self,
        path: &[u8],
        sparse: Option<Map>,
        start: u64,
        stored: u64,
        real_size: u64,
    ) -> Result<Content, End> {
        if stored == 0 && sparse.is_none() {
            return Ok(Content::Kept(Box::default()));
        }
        let keeps = self.seekable.is_none() && (self.keep)(path, stored);
        let sparse = match sparse.map(|map| Sparse::new(&map, self.bytes.clone(), start, stored, real_size)) {
            Some(None) => {
                let what = "is stored as a sparse file, and the map of its holes makes no sense";
                return Ok(Content::Lost(what.into()));
            }
            found => found.flatten(),
        };
        let kept =
            match keeps.then(|| read_exactly(&**self.bytes, start, usize::try_from(stored).unwrap_or(0))) {
                // It ends within this file.
                Some(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Ok(Content::Lost(early(&**self.bytes, self.at)));
                }
                kept => kept.transpose()?,
            };
        Ok(match (sparse, kept) {
            (Some(sparse), Some(all)) => Content::Sparse(Arc::new(sparse.held(Arc::new(Held(all)))), stored),
            (Some(sparse), None) => Content::Sparse(Arc::new(sparse), stored),
            (None, Some(all)) => Content::Kept(all.into()),
            (None, None) => Content::At(self.bytes.clone(), start),
        })
    }

    /// Whether the last byte is there; if not the archive ends within this member.
    fn is_there(&self, what: &What, data: u64, stored: u64) -> Result<bool, End> {
        Ok(match (what, self.seekable) {
            _ if stored == 0 => true,
            (What::File(Content::Kept(_)), _) => true,
            (_, Some(len)) => data.saturating_add(stored) <= len,
            _ => match self.bytes.read_at(data + stored - 1, &mut [0]) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => false,
                read => read? == 1,
            },
        })
    }
}

/// No system call takes a longer path, so nobody asks for it either; nor for one of very many directories.
fn take_short(member: Member, take: &mut dyn FnMut(Member) -> Result<(), Cut>) -> Result<(), End> {
    let long_link = match &member.what {
        What::Link(to) | What::HardLink(to) => to.len() >= PATH,
        _ => false,
    };
    let deep = member.path.iter().filter(|b| **b == b'/').count() > DEPTH;
    match member.path.len() >= PATH || deep || long_link {
        true => Ok(()),
        false => Ok(take(member)?),
    }
}

fn after(data: u64, size: u64) -> Result<u64, End> {
    let end = size.checked_next_multiple_of(BLOCK).and_then(|size| data.checked_add(size));
    // Places in a file are signed numbers.
    end.filter(|end| *end <= i64::MAX as u64).ok_or(End::Damaged("a size is larger than any file"))
}
