//! SQLite databases, as far as to read the rows of a table by their numbers: no index, no query, nothing is ever written.
//!
//! Source: <https://www.sqlite.org/fileformat2.html>. Pages that lie in the write-ahead log are taken from there, up to its last
//! whole commit, as SQLite itself does.

use crate::source::{Host, Missing, Optional, Reading};
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// A database file.
pub struct Database<'a> {
    file: Blocks<'a>,
    log: Option<Log<'a>>,
    page: usize,
    /// Bytes of a page that are used.
    usable: usize,
}

/// A value of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// A whole number.
    Int(i64),
    /// A text or bytes.
    Bytes(&'a [u8]),
    /// NULL, or a number with a fraction, which nobody asks for.
    Other,
}

/// The largest row that is read: RPM's header of a package of 100 000 files is below.
const ROW: u64 = 64 << 20;

/// Deeper than any tree: with 2 entries on each page there would be more pages than SQLite can count.
const DEPTH: u32 = 24;

/// More pages than a database of packages has, of 4 KiB each.
const PAGES: usize = 1_000_000;

impl<'a> Database<'a> {
    /// Opens it. Garbled: the file is no SQLite database of texts in UTF-8.
    pub fn open(host: &'a Host, path: &str) -> Reading<Self> {
        let file = Blocks::new(host, path);
        let header = file.read(0, 100)?;
        let page = match number(&header, 16, 2) {
            Some(1) => 65_536,
            Some(page @ 512..=32_768) if page.is_power_of_two() => page,
            _ => 0,
        };
        if !header.starts_with(b"SQLite format 3\0") || page == 0 || number(&header, 56, 4) != Some(1) {
            return Err(Missing::garbled(path, "is no SQLite database that can be read"));
        }
        let page = usize::try_from(page).unwrap_or(512);
        let usable = page.saturating_sub(header.get(20).copied().unwrap_or(0).into()).max(480);
        Ok(Self { log: Log::open(host, path, page)?, file, page, usable })
    }

    /// The page at which the table of this name begins.
    pub fn table(&self, name: &str) -> Reading<u32> {
        let mut root = None;
        self.rows(1, &mut |_, row| {
            // type, name, table, root page, SQL
            let values = values(row);
            let is = |n: usize, text: &str| values.get(n) == Some(&Value::Bytes(text.as_bytes()));
            if let (true, Some(Value::Int(page))) = (is(0, "table") && is(1, name), values.get(3)) {
                root = u32::try_from(*page).ok();
            }
            Ok(())
        })?;
        root.ok_or_else(|| self.garbled())
    }

    /// Goes through the rows of a table, in the order of their numbers.
    pub fn rows(&self, root: u32, each: &mut dyn FnMut(i64, &[u8]) -> Reading<()>) -> Reading<()> {
        self.walk(root, None, DEPTH, &mut PAGES.clone(), each)
    }

    /// The row of this number, if there is one.
    pub fn row(&self, root: u32, number: i64) -> Reading<Option<Vec<u8>>> {
        let mut found = None;
        self.walk(root, Some(number), DEPTH, &mut PAGES.clone(), &mut |_, row| {
            found = Some(row.to_vec());
            Ok(())
        })?;
        Ok(found)
    }

    fn walk(
        &self,
        page: u32,
        only: Option<i64>,
        depth: u32,
        left: &mut usize,
        each: &mut dyn FnMut(i64, &[u8]) -> Reading<()>,
    ) -> Reading<()> {
        *left = left.checked_sub(1).filter(|_| depth > 0).ok_or_else(|| self.garbled())?;
        let bytes = self.page(page)?;
        // The first page begins with the header of the file.
        let start = if page == 1 { 100 } else { 0 };
        let kind = bytes.get(start).copied();
        let cells = number(&bytes, start + 3, 2).ok_or_else(|| self.garbled())?;
        let pointers = start + if kind == Some(INTERIOR) { 12 } else { 8 };
        for n in 0..cells {
            let cell = self.index(number(&bytes, pointers + 2 * self.index(Some(n))?, 2))?;
            match kind {
                Some(INTERIOR) => {
                    let below = self.page_number(&bytes, cell)?;
                    let (greatest, _) = varint(&bytes, cell + 4).ok_or_else(|| self.garbled())?;
                    if only.is_none_or(|only| only <= greatest) {
                        self.walk(below, only, depth - 1, left, each)?;
                        if only.is_some() {
                            return Ok(());
                        }
                    }
                }
                Some(LEAF) => {
                    let (size, after) = varint(&bytes, cell).ok_or_else(|| self.garbled())?;
                    let (number, after) = varint(&bytes, after).ok_or_else(|| self.garbled())?;
                    if only.is_none_or(|only| only == number) {
                        each(number, &self.payload(&bytes, after, size, left)?)?;
                    }
                }
                _ => return Err(self.garbled()),
            }
        }
        match kind {
            Some(INTERIOR) => self.walk(self.page_number(&bytes, start + 8)?, only, depth - 1, left, each),
            _ => Ok(()),
        }
    }

    /// A row, of which all but the beginning may lie on other pages.
    fn payload(&self, page: &[u8], at: usize, size: i64, left: &mut usize) -> Reading<Vec<u8>> {
        let size = u64::try_from(size).ok().filter(|size| *size <= ROW).ok_or_else(|| self.garbled())?;
        let size = self.index(Some(size))?;
        let most = self.usable - 35;
        let here = if size <= most {
            size
        } else {
            let least = (self.usable - 12) * 32 / 255 - 23;
            let rest = least + (size - least) % (self.usable - 4);
            if rest <= most { rest } else { least }
        };
        let mut row = page.get(at..at + here).ok_or_else(|| self.garbled())?.to_vec();
        let mut next = if here < size { self.page_number(page, at + here)? } else { 0 };
        while row.len() < size {
            *left = left.checked_sub(1).ok_or_else(|| self.garbled())?;
            let bytes = self.page(next)?;
            let part = (size - row.len()).min(self.usable - 4);
            row.extend(bytes.get(4..4 + part).ok_or_else(|| self.garbled())?);
            next = self.page_number(&bytes, 0)?;
        }
        Ok(row)
    }

    fn page(&self, number: u32) -> Reading<Vec<u8>> {
        let Some(before) = number.checked_sub(1) else { return Err(self.garbled()) };
        let bytes = match self.log.as_ref().and_then(|log| Some((log, log.pages.get(&number)?))) {
            Some((log, at)) => log.file.read(*at, self.page)?,
            None => self.file.read(u64::from(before) * self.page as u64, self.page)?,
        };
        if bytes.len() == self.page { Ok(bytes) } else { Err(self.garbled()) }
    }

    fn page_number(&self, bytes: &[u8], at: usize) -> Reading<u32> {
        number(bytes, at, 4).and_then(|n| u32::try_from(n).ok()).ok_or_else(|| self.garbled())
    }

    fn index(&self, number: Option<u64>) -> Reading<usize> {
        number.and_then(|n| usize::try_from(n).ok()).ok_or_else(|| self.garbled())
    }

    fn garbled(&self) -> Missing {
        Missing::garbled(&self.file.path, "is damaged, or is being written just now")
    }
}

const INTERIOR: u8 = 5;
const LEAF: u8 = 13;

/// The values of a row.
pub fn values(row: &[u8]) -> Vec<Value<'_>> {
    let mut found = Vec::new();
    let Some((header, mut at)) = varint(row, 0) else { return found };
    let mut body = usize::try_from(header).unwrap_or(usize::MAX);
    while at < usize::try_from(header).unwrap_or(0) {
        let Some((kind, next)) = varint(row, at) else { break };
        at = next;
        let size = match kind {
            0..=4 => usize::try_from(kind).unwrap_or(0),
            5 => 6,
            6 | 7 => 8,
            8 | 9 => 0,
            _ => usize::try_from((kind - 12).max(0) / 2).unwrap_or(usize::MAX),
        };
        let Some(bytes) = body.checked_add(size).and_then(|end| row.get(body..end)) else { break };
        body += size;
        found.push(match kind {
            1..=6 => {
                let sign = if bytes.first().is_some_and(|byte| *byte >= 0x80) { -1 } else { 0 };
                Value::Int(bytes.iter().fold(sign, |sum, byte| sum << 8 | i64::from(*byte)))
            }
            8 | 9 => Value::Int(kind - 8),
            12.. => Value::Bytes(bytes),
            _ => Value::Other,
        });
    }
    found
}

/// A number of up to 9 bytes, of which each but the last has its highest bit set; and where it ends.
fn varint(bytes: &[u8], at: usize) -> Option<(i64, usize)> {
    let mut number: i64 = 0;
    for n in 0..9 {
        let byte = *bytes.get(at.checked_add(n)?)?;
        if n == 8 {
            return Some((number << 8 | i64::from(byte), at + 9));
        }
        number = number << 7 | i64::from(byte & 0x7f);
        if byte < 0x80 {
            return Some((number, at + n + 1));
        }
    }
    None
}

/// A number of so many bytes, the highest first.
pub fn number(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(length)?)?;
    Some(bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

/// The write-ahead log: where the newest copy of a page is.
struct Log<'a> {
    file: Blocks<'a>,
    pages: HashMap<u32, u64>,
}

impl<'a> Log<'a> {
    fn open(host: &'a Host, path: &str, page: usize) -> Reading<Option<Self>> {
        let file = Blocks::new(host, &format!("{path}-wal"));
        let header = file.read(0, 32).optional()?.filter(|header| header.len() == 32);
        let Some(header) = header else { return Ok(None) };
        let big = header.get(3).is_some_and(|byte| byte & 1 == 1);
        let mut sum = checksum([0, 0], header.get(..24).unwrap_or_default(), big);
        let (mut pages, mut pending) = (HashMap::new(), Vec::new());
        let mut at = 32;
        for _ in 0..PAGES {
            let frame = file.read(at, 24 + page)?;
            let (Some(number), Some(commit)) = (number(&frame, 0, 4), number(&frame, 4, 4)) else { break };
            let (Some(place), Some(bytes)) = (frame.get(..8), frame.get(24..24 + page)) else { break };
            sum = checksum(checksum(sum, place, big), bytes, big);
            let told = [16, 20].map(|at| u32_at(&frame, at, true));
            // Frames of another salt are left from before the log was begun anew; of a wrong sum, from a crash.
            if frame.get(8..16) != header.get(16..24) || told != sum {
                break;
            }
            pending.push((u32::try_from(number).unwrap_or(0), at + 24));
            if commit != 0 {
                pages.extend(pending.drain(..));
            }
            at += 24 + page as u64;
        }
        Ok(Some(Self { file, pages }))
    }
}

/// The sums of the log, continued over these bytes.
fn checksum([mut first, mut second]: [u32; 2], bytes: &[u8], big: bool) -> [u32; 2] {
    for pair in bytes.chunks_exact(8) {
        first = first.wrapping_add(u32_at(pair, 0, big)).wrapping_add(second);
        second = second.wrapping_add(u32_at(pair, 4, big)).wrapping_add(first);
    }
    [first, second]
}

fn u32_at(bytes: &[u8], at: usize, big: bool) -> u32 {
    let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).unwrap_or_default();
    if big { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) }
}

/// A file that is read in large pieces, of which the last ones are kept.
struct Blocks<'a> {
    host: &'a Host,
    path: PathBuf,
    kept: RefCell<HashMap<u64, Rc<Vec<u8>>>>,
}

const BLOCK: usize = 64 << 10;

/// 4 MiB.
const KEPT: usize = 64;

impl<'a> Blocks<'a> {
    fn new(host: &'a Host, path: &str) -> Self {
        Self { host, path: Path::new(path).to_owned(), kept: RefCell::default() }
    }

    fn block(&self, number: u64) -> Reading<Rc<Vec<u8>>> {
        if let Some(block) = self.kept.borrow().get(&number) {
            return Ok(block.clone());
        }
        let block =
            Rc::new(self.host.source.read_at(&self.path, number.saturating_mul(BLOCK as u64), BLOCK)?);
        let mut kept = self.kept.borrow_mut();
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(number, block.clone());
        Ok(block)
    }

    /// Fewer bytes where the file ends.
    fn read(&self, at: u64, length: usize) -> Reading<Vec<u8>> {
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            let from = at.saturating_add(bytes.len() as u64);
            let block = self.block(from / BLOCK as u64)?;
            let start = usize::try_from(from % BLOCK as u64).unwrap_or(0);
            let part = block.get(start..).unwrap_or_default();
            let part = &part[..part.len().min(length - bytes.len())];
            if part.is_empty() {
                break;
            }
            bytes.extend(part);
        }
        Ok(bytes)
    }
}
