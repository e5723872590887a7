//! The members of a tar, as their headers tell of them (tar(5), pax(1)): metadata, and where the contents lie.
//!
//! Written here rather than taken from the `tar` crate, which holds a long name of any length in memory, has no place for a
//! damaged member, and does not tell where PAX sparse files begin. Nothing is trusted: every header has its
//! checksum, names and records are bounded, and what does not add up ends the archive at that byte.

use super::packed::Refused;
use super::sparse::{Map, Sparse};
use crate::source::bytes::{Bytes, Held, read_exactly};
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

const BLOCK: u64 = 512;

/// The longest path that Linux knows (PATH_MAX), and more than the longest name.
const PATH: usize = 4096;

/// The most directories in one another.
const DEPTH: usize = 256;

/// The most bytes of the records before one header: extended attributes of 64 KiB each are among them.
const RECORDS: u64 = 1 << 20;

/// Records that hold for the next member, or for all that follow.
#[derive(Clone, Debug, Default)]
struct Records {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u32>,
    gid: Option<u32>,
    mtime: Option<i64>,
    sparse: Option<Map>,
    /// The format of a map that lies before the contents.
    sparse_major: Option<u64>,
    sparse_name: Option<Vec<u8>>,
    real_size: Option<u64>,
}

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
    let mut at = 0;
    let cut = match walk(bytes, keep, take, &mut at) {
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

fn walk(
    bytes: &Arc<dyn Bytes>,
    keep: &mut dyn FnMut(&[u8], u64) -> bool,
    take: &mut dyn FnMut(Member) -> Result<(), Cut>,
    at: &mut u64,
) -> Result<(), End> {
    let seekable = bytes.known_len();
    let (mut global, mut local) = (Records::default(), Records::default());
    loop {
        let mut block = [0; BLOCK as usize];
        match bytes.read_at(*at, &mut block)? {
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
        let stored = header.number(124..136).ok_or(End::Damaged("a member has no size"))?;
        let kind = header.0[156];
        let data = at.checked_add(BLOCK).ok_or(End::Damaged("a size is none"))?;
        match kind {
            b'x' | b'g' | b'L' | b'K' => {
                if stored > RECORDS {
                    return Err(End::Damaged("the name or the attributes of a member are larger than any"));
                }
                let text = read_exactly(&**bytes, data, usize::try_from(stored).unwrap_or(0))?;
                match kind {
                    b'x' => local.read(&text),
                    b'g' => global.read(&text),
                    b'L' => local.path = Some(until_nul(&text).to_vec()),
                    _ => local.link = Some(until_nul(&text).to_vec()),
                }
                *at = after(data, stored)?;
                continue;
            }
            _ => {}
        }
        let records = std::mem::take(&mut local).or(&global);
        let directory = matches!(kind, b'5' | b'D');
        // A link has no contents even where its size is told, as that of the file (pax(1)); neither have the others.
        let stored = match kind {
            b'1' | b'2' | b'3' | b'4' | b'5' | b'6' => 0,
            _ => records.size.unwrap_or(stored),
        };
        let mut data = data;
        let mut real_size = records.real_size.unwrap_or(stored);
        let mut sparse = records.sparse;
        if kind == b'S' {
            real_size = header.number(483..495).unwrap_or(stored);
            let mut map = Map::default();
            pieces(&header.0[386..482], &mut map);
            let mut more = header.0[482] != 0;
            while more {
                let next = read_exactly(&**bytes, data, BLOCK as usize)?;
                pieces(next.get(..504).unwrap_or_default(), &mut map);
                more = next.get(504).is_some_and(|flag| *flag != 0);
                data += BLOCK;
            }
            sparse = Some(map);
        }
        // What is stored of the file itself, and from where on.
        let (mut start, mut pieces) = (data, stored);
        if records.sparse_major == Some(1) {
            let (map, len) = Map::before(&**bytes, data, stored)?;
            sparse = Some(map);
            (start, pieces) = (data.saturating_add(len), stored.saturating_sub(len));
        }
        let end = after(data, stored)?;
        let path = records.sparse_name.or(records.path).unwrap_or_else(|| header.path());
        let link = || records.link.clone().unwrap_or_else(|| until_nul(&header.0[157..257]).to_vec());
        let what = match kind {
            b'1' => What::HardLink(link()),
            b'2' => What::Link(link()),
            b'3' => What::Character(header.device()),
            b'4' => What::Block(header.device()),
            b'6' => What::Fifo,
            // The label of a volume, and the rest of a file that began on another one.
            b'V' | b'M' => {
                *at = end;
                continue;
            }
            _ if directory || (kind == 0 && path.ends_with(b"/")) => What::Directory,
            _ if let Some(map) = sparse => {
                let keep = seekable.is_none() && keep(&path, pieces);
                What::File(with_holes(&map, bytes, start, pieces, real_size, keep)?)
            }
            _ if stored == 0 => What::File(Content::Kept(Box::default())),
            _ if seekable.is_some() => What::File(Content::At(bytes.clone(), data)),
            _ if keep(&path, stored) => {
                match read_exactly(&**bytes, data, usize::try_from(stored).unwrap_or(0)) {
                    Ok(all) => What::File(Content::Kept(all.into())),
                    // It ends within this file.
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                        What::File(Content::Lost(early(&**bytes, *at)))
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            _ => What::File(Content::At(bytes.clone(), data)),
        };
        let is_file = matches!(what, What::File(_));
        let mut member = Member {
            what,
            mode: u32::try_from(header.number(100..108).unwrap_or(0) & 0o7777).unwrap_or(0),
            uid: records.uid.or(header.id(108..116)).unwrap_or(0),
            gid: records.gid.or(header.id(116..124)).unwrap_or(0),
            mtime: records.mtime.or(header.time()).unwrap_or(0),
            size: if is_file { real_size } else { 0 },
            path,
        };
        // Is the last byte there? If not the archive ends within this file.
        let there = match (&member.what, seekable) {
            _ if stored == 0 => true,
            (What::File(Content::Kept(_)), _) => true,
            (What::File(Content::Lost(_)), None) => false,
            (_, Some(len)) => data.saturating_add(stored) <= len,
            _ => match bytes.read_at(data + stored - 1, &mut [0]) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => false,
                read => read? == 1,
            },
        };
        if !there {
            let why = early(&**bytes, *at);
            if is_file {
                member.what = What::File(Content::Lost(why.clone()));
                take_short(member, take)?;
            }
            return Err(End::Cut(why));
        }
        take_short(member, take)?;
        *at = end;
    }
}

/// The pairs of numbers of the header of a sparse file; unused ones are empty.
fn pieces(fields: &[u8], map: &mut Map) {
    for pair in fields.chunks_exact(24).take_while(|pair| pair.first().is_some_and(|b| *b != 0)) {
        let (at, len) = pair.split_at(12);
        map.push(number(at), number(len));
    }
}

/// The contents of a file with holes.
fn with_holes(
    map: &Map,
    bytes: &Arc<dyn Bytes>,
    start: u64,
    stored: u64,
    size: u64,
    keep: bool,
) -> Result<Content, End> {
    let Some(sparse) = Sparse::new(map, bytes.clone(), start, stored, size) else {
        return Ok(Content::Lost(
            "is stored as a sparse file, and the map of its holes makes no sense".into(),
        ));
    };
    let sparse = match keep {
        true => match read_exactly(&**bytes, start, usize::try_from(stored).unwrap_or(0)) {
            Ok(all) => sparse.held(Arc::new(Held(all))),
            // It ends within this file.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Ok(Content::Lost(early(&**bytes, start)));
            }
            Err(error) => return Err(error.into()),
        },
        false => sparse,
    };
    Ok(Content::Sparse(Arc::new(sparse), stored))
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

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|b| *b == 0).next().unwrap_or_default()
}

impl Records {
    /// Lines of `LENGTH KEY=VALUE`; what is none ends them.
    fn read(&mut self, mut text: &[u8]) {
        while let Some((length, _)) = split(text, b' ') {
            let Some(length) = decimal::<usize>(length) else { return };
            let Some(line) = text.get(..length) else { return };
            text = text.get(length..).unwrap_or_default();
            let Some((_, pair)) = split(line, b' ') else { return };
            let Some((key, value)) = split(pair.strip_suffix(b"\n").unwrap_or(pair), b'=') else { return };
            match key {
                b"path" => self.path = Some(value.to_vec()),
                b"linkpath" => self.link = Some(value.to_vec()),
                b"size" => self.size = decimal(value),
                b"uid" => self.uid = decimal(value),
                b"gid" => self.gid = decimal(value),
                b"mtime" => {
                    let whole = value.split(|b| *b == b'.').next().unwrap_or_default();
                    self.mtime = decimal(whole);
                }
                b"GNU.sparse.name" => self.sparse_name = Some(value.to_vec()),
                b"GNU.sparse.realsize" | b"GNU.sparse.size" => {
                    self.map();
                    self.real_size = decimal(value);
                }
                b"GNU.sparse.major" => self.sparse_major = decimal(value),
                b"GNU.sparse.map" => self.map().read(value),
                b"GNU.sparse.offset" => self.map().place(decimal(value)),
                b"GNU.sparse.numbytes" => self.map().bytes(decimal(value)),
                _ => {}
            }
        }
    }

    fn map(&mut self) -> &mut Map {
        self.sparse.get_or_insert_default()
    }

    fn or(self, global: &Self) -> Self {
        Self {
            path: self.path.or_else(|| global.path.clone()),
            link: self.link.or_else(|| global.link.clone()),
            size: self.size.or(global.size),
            uid: self.uid.or(global.uid),
            gid: self.gid.or(global.gid),
            mtime: self.mtime.or(global.mtime),
            ..self
        }
    }
}

fn split(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = text.iter().position(|b| *b == at)?;
    Some((text.get(..place)?, text.get(place + 1..)?))
}

pub(super) fn decimal<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The block before a member.
struct Header<'a>(&'a [u8; BLOCK as usize]);

impl Header<'_> {
    /// The sum of its bytes is as told; old programs took them for signed ones.
    fn is_intact(&self) -> bool {
        let told = self.number(148..156);
        let bytes =
            || self.0.iter().enumerate().map(|(i, b)| if (148..156).contains(&i) { b' ' } else { *b });
        let unsigned: u64 = bytes().map(u64::from).sum();
        let signed: i64 = bytes().map(|b| i64::from(b as i8)).sum();
        told == Some(unsigned) || told.is_some_and(|told| i64::try_from(told) == Ok(signed))
    }

    /// A number: in octal, or with GNU's first bit as it is in memory.
    fn number(&self, range: std::ops::Range<usize>) -> Option<u64> {
        number(&self.0[range])
    }

    fn id(&self, range: std::ops::Range<usize>) -> Option<u32> {
        u32::try_from(self.number(range)?).ok()
    }

    fn time(&self) -> Option<i64> {
        i64::try_from(self.number(136..148)?).ok()
    }

    /// As makedev(3) puts it together.
    fn device(&self) -> u64 {
        let part = |range| self.number(range).unwrap_or(0) & 0xffff_ffff;
        nix::sys::stat::makedev(part(329..337), part(337..345))
    }

    fn path(&self) -> Vec<u8> {
        let name = until_nul(&self.0[..100]);
        // GNU's own format has other things there.
        let prefix = if &self.0[257..263] == b"ustar\0" { until_nul(&self.0[345..500]) } else { b"" };
        match prefix.is_empty() {
            true => name.to_vec(),
            false => [prefix, b"/", name].concat(),
        }
    }
}

/// A number: in octal, or with GNU's first bit as it is in memory.
fn number(field: &[u8]) -> Option<u64> {
    match field {
        [0x80, rest @ ..] => {
            rest.iter().try_fold(0_u64, |sum, b| sum.checked_mul(256).map(|sum| sum | u64::from(*b)))
        }
        // Below zero.
        [first, ..] if first & 0x80 != 0 => None,
        _ => {
            let text = until_nul(field).trim_ascii();
            match text.is_empty() {
                true => Some(0),
                false => u64::from_str_radix(std::str::from_utf8(text).ok()?, 8).ok(),
            }
        }
    }
}

/// Whether a file begins with the header of a tar's member.
pub(super) fn begins(start: &[u8]) -> bool {
    let first = start.get(..BLOCK as usize).and_then(|block| <&[u8; BLOCK as usize]>::try_from(block).ok());
    first.is_some_and(|block| Header(block).is_intact())
}
