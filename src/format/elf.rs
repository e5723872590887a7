//! ELF objects, as far as the dynamic linker's first questions go: which linker, which libraries, looked for where.
//!
//! Source: elf(5), ld.so(8), the System V ABI's chapter 5. Three or four pieces of a file are read, however large it is.

use crate::source::{Host, Missing, Reading, Reason};
use std::path::Path;

/// What a file is to the dynamic linker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    /// A file of 0 bytes.
    Empty,
    /// Something that is no ELF object.
    NotElf,
    /// An ELF object.
    Elf(Box<Elf>),
}

/// What an ELF object asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elf {
    /// For which machine it is; unknown where the header is cut short or makes no sense.
    pub machine: Option<Machine>,
    /// The dynamic linker that the kernel is to start for it (`PT_INTERP`).
    pub interpreter: Option<String>,
    /// The libraries that must be there before it can run (`DT_NEEDED`), in its order.
    pub needed: Vec<String>,
    /// Where its own libraries are looked for first (`DT_RUNPATH`).
    pub run_path: Vec<String>,
    /// Where its own and its libraries' libraries are looked for first (`DT_RPATH`); counts only without a run path.
    pub r_path: Vec<String>,
}

/// Word size, byte order and instruction set: what two objects must have in common to be linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    class: u8,
    order: u8,
    number: u64,
}

/// The header, the program headers and the interpreter's name lie within this of all that compilers make.
const HEAD: usize = 4 << 10;

/// More program headers than any object has.
const MOST_SEGMENTS: u64 = 128;

/// The largest dynamic section and the largest range of its strings that are read.
const MOST_BYTES: u64 = 1 << 20;

/// The most libraries that one object names: the largest browsers have 100.
const MOST_NEEDED: usize = 1_000;

/// The longest name of a library or list of directories.
const NAME: u64 = 4 << 10;

/// What is at a path, links followed.
pub fn read(host: &Host, path: &str) -> Reading<Object> {
    let at = |offset: u64, length: usize| host.source.read_at(Path::new(path), offset, length);
    match at(0, HEAD) {
        Ok(head) if head.is_empty() => Ok(Object::Empty),
        Ok(head) if !head.starts_with(b"\x7fELF") => Ok(Object::NotElf),
        Ok(head) => Ok(Object::Elf(Box::new(parse(&head, at)?))),
        Err(Missing::Unreadable(why)) if matches!(why.reason, Reason::WrongKind(_)) => Ok(Object::NotElf),
        Err(Missing::Unreadable(why)) if why.reason == Reason::LinkLoop => Err(Missing::Absent),
        Err(missing) => Err(missing),
    }
}

/// A piece of an object, and how to read its numbers.
struct Piece<'a> {
    bytes: &'a [u8],
    big: bool,
    /// Bytes of an address.
    word: usize,
}

impl Piece<'_> {
    fn number(&self, offset: usize, length: usize) -> Option<u64> {
        let bytes = self.bytes.get(offset..offset.checked_add(length)?)?;
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        Some(if self.big { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) })
    }
}

/// A program header.
struct Segment {
    kind: u64,
    offset: u64,
    address: u64,
    size: u64,
}

fn parse(head: &[u8], at: impl Fn(u64, usize) -> Reading<Vec<u8>>) -> Reading<Elf> {
    let (class, order) = (head.get(4).copied().unwrap_or(0), head.get(5).copied().unwrap_or(0));
    let piece = |bytes| Piece { bytes, big: order == 2, word: if class == 2 { 8 } else { 4 } };
    let header = piece(head);
    let mut elf = Elf::default();
    // The one version there is; what has another makes no sense further on.
    let Some((number, 1)) = header.number(18, 2).zip(header.number(20, 4)) else { return Ok(elf) };
    // EM_NONE is no machine.
    elf.machine = (number != 0).then_some(Machine { class, order, number });
    let segments = segments(&header, &at)?;
    let of_kind = |kind| segments.iter().find(move |segment| segment.kind == kind);
    if let Some(segment) = of_kind(PT_INTERP) {
        let name = at(segment.offset, cap(segment.size, NAME))?;
        elf.interpreter = text(&name).filter(|name| !name.is_empty());
    }
    let Some(segment) = of_kind(PT_DYNAMIC) else { return Ok(elf) };
    let bytes = at(segment.offset, cap(segment.size, MOST_BYTES))?;
    let (dynamic, word) = (piece(&bytes), header.word);
    let entry =
        |n: usize| Some((dynamic.number(n * 2 * word, word)?, dynamic.number((n * 2 + 1) * word, word)?));
    let entries: Vec<(u64, u64)> = (0..).map_while(entry).take_while(|(tag, _)| *tag != DT_NULL).collect();
    let values = |tag| entries.iter().filter(move |(found, _)| *found == tag).map(|(_, value)| *value);
    let Some(address) = values(DT_STRTAB).next() else { return Ok(elf) };
    let holds = |segment: &&Segment| {
        segment.kind == PT_LOAD
            && address.checked_sub(segment.address).is_some_and(|into| into < segment.size)
    };
    let Some(load) = segments.iter().find(holds) else { return Ok(elf) };
    let table = load.offset.saturating_add(address - load.address);
    // All of the names lie near one another in most objects, so that one piece has them all.
    let wanted: Vec<u64> =
        [DT_NEEDED, DT_RUNPATH, DT_RPATH].into_iter().flat_map(values).take(MOST_NEEDED).collect();
    let (Some(first), Some(last)) = (wanted.iter().min(), wanted.iter().max()) else { return Ok(elf) };
    let strings = at(table.saturating_add(*first), cap((last - first).saturating_add(NAME), MOST_BYTES))?;
    let string = |offset: u64| text(strings.get(usize::try_from(offset.checked_sub(*first)?).ok()?..)?);
    elf.needed = values(DT_NEEDED).take(MOST_NEEDED).filter_map(string).filter(|n| !n.is_empty()).collect();
    let paths = |tag| -> Vec<String> {
        let lists = values(tag).take(1).filter_map(string);
        lists.flat_map(|list| list.split(':').map(str::to_owned).collect::<Vec<_>>()).collect()
    };
    (elf.run_path, elf.r_path) = (paths(DT_RUNPATH), paths(DT_RPATH));
    Ok(elf)
}

fn segments(header: &Piece, at: impl Fn(u64, usize) -> Reading<Vec<u8>>) -> Reading<Vec<Segment>> {
    let wide = header.word == 8;
    let size = if wide { 56 } else { 32 };
    let place = || {
        let [offset, each, count] = if wide { [32, 54, 56] } else { [28, 42, 44] };
        let (offset, each) = (header.number(offset, header.word)?, header.number(each, 2)?);
        Some((offset, usize::try_from(each).ok()?, header.number(count, 2)?.min(MOST_SEGMENTS)))
    };
    let Some((offset, each, count)) = place().filter(|(_, each, _)| *each >= size) else {
        return Ok(Vec::new());
    };
    let length = each.saturating_mul(usize::try_from(count).unwrap_or(0));
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    let far;
    let bytes = match header.bytes.get(start..start.saturating_add(length)) {
        Some(near) => near,
        None => {
            far = at(offset, length)?;
            &far
        }
    };
    let table = Piece { bytes, ..*header };
    let [offset, address, filled] = if wide { [8, 16, 32] } else { [4, 8, 16] };
    let segment = |start: usize| {
        Some(Segment {
            kind: table.number(start, 4)?,
            offset: table.number(start + offset, table.word)?,
            address: table.number(start + address, table.word)?,
            size: table.number(start + filled, table.word)?,
        })
    };
    Ok((0..usize::try_from(count).unwrap_or(0)).map_while(|n| segment(n * each)).collect())
}

const PT_LOAD: u64 = 1;
const PT_DYNAMIC: u64 = 2;
const PT_INTERP: u64 = 3;
const DT_NULL: u64 = 0;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;
const DT_RPATH: u64 = 15;
const DT_RUNPATH: u64 = 29;

fn cap(size: u64, most: u64) -> usize {
    usize::try_from(size.min(most)).unwrap_or(0)
}

/// The text before the first NUL.
fn text(bytes: &[u8]) -> Option<String> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    Some(String::from_utf8_lossy(bytes.get(..end)?).into_owned())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::source::{Files, Target};

    /// A little-endian object of these words: interpreter (empty for none), needed libraries, run path (empty for none).
    pub(crate) fn object(wide: bool, interpreter: &str, needed: &[&str], run_path: &str) -> Vec<u8> {
        let word = if wide { 8 } else { 4 };
        let number = |n: u64, length: usize| n.to_le_bytes()[..length].to_vec();
        let mut strings = vec![0];
        let mut add = |text: &str| {
            strings.extend(text.bytes().chain([0]));
            (strings.len() - text.len() - 1) as u64
        };
        let mut dynamic: Vec<(u64, u64)> = needed.iter().map(|name| (DT_NEEDED, add(name))).collect();
        if !run_path.is_empty() {
            dynamic.push((DT_RUNPATH, add(run_path)));
        }
        let (header, each) = if wide { (64, 56) } else { (52, 32) };
        let interp = header + 3 * each;
        let strtab = interp + interpreter.len() + 1;
        dynamic.extend([(DT_STRTAB, 0x10000 + strtab as u64), (DT_NULL, 0)]);
        let dyn_at = strtab + strings.len();
        let dynamic: Vec<u8> = dynamic
            .iter()
            .flat_map(|(tag, value)| [number(*tag, word), number(*value, word)].concat())
            .collect();
        let end = dyn_at + dynamic.len();
        let mut bytes = b"\x7fELF".to_vec();
        bytes.extend([if wide { 2 } else { 1 }, 1, 1]);
        bytes.resize(16, 0);
        let machine = if wide { 62 } else { 3 };
        for (n, length) in [(3, 2), (machine, 2), (1, 4), (0, word), (header as u64, word), (0, word), (0, 4)]
        {
            bytes.extend(number(n, length));
        }
        for n in [header, each, 3, 0, 0, 0] {
            bytes.extend(number(n as u64, 2));
        }
        let kind = if interpreter.is_empty() { 4 } else { PT_INTERP };
        for (kind, at, size) in
            [(PT_LOAD, 0, end), (kind, interp, interpreter.len() + 1), (PT_DYNAMIC, dyn_at, dynamic.len())]
        {
            let (at, size) = (at as u64, size as u64);
            let [kind, flags] = [number(kind, 4), number(5, 4)];
            let [offset, address, size] = [at, 0x10000 + at, size].map(|n| number(n, word));
            let align = number(1, word);
            let parts = match wide {
                true => [&kind, &flags, &offset, &address, &address, &size, &size, &align],
                false => [&kind, &offset, &address, &address, &size, &size, &flags, &align],
            };
            parts.iter().for_each(|part| bytes.extend(*part));
        }
        bytes.extend(interpreter.bytes().chain([0]));
        bytes.extend(strings);
        bytes.extend(dynamic);
        bytes
    }

    fn read_bytes(bytes: &[u8]) -> Object {
        let mut files = Files::new();
        files.file("/x", bytes);
        read(&Host::new(files, Target::root("x")), "/x").unwrap()
    }

    #[test]
    fn both_word_sizes_are_read() {
        for wide in [true, false] {
            let Object::Elf(elf) =
                read_bytes(&object(wide, "/lib/ld.so", &["libz.so.1", "libc.so.6"], "/a:/b"))
            else {
                panic!("no ELF")
            };
            assert_eq!(elf.interpreter.as_deref(), Some("/lib/ld.so"));
            assert_eq!(elf.needed, ["libz.so.1", "libc.so.6"]);
            assert_eq!(
                (elf.run_path.as_slice(), elf.r_path.len()),
                (&["/a".to_owned(), "/b".to_owned()][..], 0)
            );
            assert!(elf.machine.is_some());
        }
    }

    #[test]
    fn this_test_itself_is_an_object() {
        let me = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let Object::Elf(elf) = read_bytes(&me) else { panic!("no ELF") };
        assert!(elf.needed.iter().any(|name| name.starts_with("libc.")), "{elf:?}");
    }

    #[test]
    fn what_is_no_object_or_the_head_of_one_names_nothing() {
        assert_eq!((read_bytes(b""), read_bytes(b"#!/bin/sh\n")), (Object::Empty, Object::NotElf));
        assert_eq!(read_bytes(b"\x7fELF\x02\x01\x01"), Object::Elf(Box::default()));
        let whole = object(true, "/lib/ld.so", &["libc.so.6"], "");
        for length in 4..whole.len() {
            assert!(matches!(read_bytes(&whole[..length]), Object::Elf(_)));
        }
        // Every byte of the headers damaged in turn.
        for position in 4..whole.len() {
            for byte in [0, 0x7f, 0xff] {
                let mut damaged = whole.clone();
                damaged[position] = byte;
                assert!(matches!(read_bytes(&damaged), Object::Elf(_)));
            }
        }
    }
}
