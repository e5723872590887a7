//! The kernel's lines of a journal file of systemd.

use super::MOST_LINES;
use super::clock::lossy;
use super::line::{Dated, Line};
use crate::source::At;

/// The value of `incompatible_flags` that makes offsets four bytes long.
const COMPACT: u32 = 1 << 4;
/// The flags of an object whose payload is compressed.
const COMPRESSED: u8 = 0b111;
/// Longer fields are no kernel's: its messages have 1 KiB at most.
const LONGEST: usize = 4096;
/// The text that is taken, newest first.
const MOST_TEXT: usize = 16 << 20;
const DATA: u8 = 1;
const ENTRY: u8 = 3;
const ENTRY_ARRAY: u8 = 6;

/// A journal file, which may be damaged in any way; every offset in it is doubted.
///
/// A file is a header and objects one after the other. An entry names the objects of its fields; the object of a field such as
/// `_TRANSPORT=kernel` is there once, and names the entries that have it. So the kernel's entries are found without
/// looking at others. <https://systemd.io/JOURNAL_FILE_FORMAT/>
struct Journal<'a> {
    bytes: &'a [u8],
    compact: bool,
}

/// The kernel's lines; `None` if it is no journal. The field of a message of more than 512 bytes is compressed; these are left out.
pub(super) fn parse(bytes: &[u8], at: &At) -> Option<Vec<Line>> {
    if bytes.get(..8)? != b"LPKSHHRH" {
        return None;
    }
    let journal = Journal { bytes, compact: u32::from_le_bytes(field(bytes, 12)?) & COMPACT != 0 };
    let Some(kernel) = journal.kernel() else { return Some(Vec::new()) };
    let entries = journal.entries(kernel);
    let from = entries.len().saturating_sub(MOST_LINES);
    let entries = entries.get(from..).unwrap_or_default();
    let (mut lines, mut text): (Vec<Line>, usize) = (Vec::with_capacity(entries.len()), 0);
    for (told, message) in entries.iter().rev().filter_map(|entry| journal.entry(*entry)) {
        text += message.len();
        if text > MOST_TEXT {
            break;
        }
        for part in message.rsplit('\n').filter(|part| !part.is_empty()) {
            lines.push(Line { text: part.to_owned(), at: at.clone(), ..told.clone() });
        }
    }
    lines.reverse();
    Some(lines)
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

impl<'a> Journal<'a> {
    fn number(&self, at: usize) -> Option<u64> {
        field(self.bytes, at).map(u64::from_le_bytes)
    }

    fn offset(&self, at: usize) -> Option<usize> {
        usize::try_from(self.number(at)?).ok().filter(|offset| *offset != 0)
    }

    /// The object at this offset, if it is of this kind: its flags and all its bytes.
    fn object(&self, at: usize, kind: u8) -> Option<(u8, &'a [u8])> {
        let [found, flags] = field(self.bytes, at)?;
        let size = self.offset(at.checked_add(8)?)?;
        let object = self.bytes.get(at..at.checked_add(size)?)?;
        (found == kind && at.is_multiple_of(8)).then_some((flags, object))
    }

    /// What a field's object holds: `PRIORITY=6`.
    fn data(&self, at: usize) -> Option<&'a [u8]> {
        let (flags, object) = self.object(at, DATA)?;
        let payload = object.get(if self.compact { 72 } else { 64 }..)?;
        (flags & COMPRESSED == 0 && payload.len() <= LONGEST).then_some(payload)
    }

    /// The object of `_TRANSPORT=kernel`, from the first to the last.
    fn kernel(&self) -> Option<usize> {
        let mut at = self.offset(88)?;
        loop {
            let size = self.offset(at.checked_add(8)?)?;
            if self.data(at).is_some_and(|data| data == b"_TRANSPORT=kernel") {
                return Some(at);
            }
            // An object is 16 bytes at least, and begins at a multiple of 8.
            at = at.checked_add(size.max(16))?.checked_next_multiple_of(8)?;
        }
    }

    /// The offsets of the entries that have this field, oldest first: the first in the object itself, others in a chain of arrays.
    fn entries(&self, data: usize) -> Vec<usize> {
        let mut entries: Vec<usize> = self.offset(data + 40).into_iter().collect();
        let (mut array, mut last) = (self.offset(data + 48), 0);
        // Arrays are appended to the file, so that the next one lies behind the whole of this one, or the file is damaged.
        while let Some(at) = array.filter(|at| *at > last) {
            let Some((_, object)) = self.object(at, ENTRY_ARRAY) else { break };
            entries.extend(self.items(object, 24, 8).take_while(|offset| *offset != 0));
            (array, last) = (self.offset(at + 16), at + object.len() - 1);
        }
        entries
    }

    /// The offsets in an object, from this byte, each in so many bytes unless the file is compact.
    fn items(&self, object: &'a [u8], from: usize, width: usize) -> impl Iterator<Item = usize> + use<'a> {
        let compact = self.compact;
        let width = if compact { 4 } else { width };
        object.get(from..).unwrap_or_default().chunks_exact(width).filter_map(move |item| match compact {
            true => field(item, 0).map(u32::from_le_bytes).and_then(|n| usize::try_from(n).ok()),
            false => field(item, 0).map(u64::from_le_bytes).and_then(|n| usize::try_from(n).ok()),
        })
    }

    /// An entry: when and how urgent, and its message.
    fn entry(&self, at: usize) -> Option<(Line, String)> {
        // A kernel's entry has a dozen fields.
        const MOST_FIELDS: usize = 256;
        let (_, object) = self.object(at, ENTRY)?;
        // When journald took it, in microseconds: since 1970, and since boot.
        let (taken, monotonic) = (self.number(at + 24)?, self.number(at + 32)?);
        let (mut message, mut level, mut source) = (None, None, None);
        let text = |bytes: &[u8]| lossy(bytes.to_vec());
        for data in self.items(object, 64, 16).take(MOST_FIELDS).filter_map(|offset| self.data(offset)) {
            if let Some(said) = data.strip_prefix(b"MESSAGE=") {
                message = Some(text(said));
            } else if let Some(priority) = data.strip_prefix(b"PRIORITY=") {
                level = text(priority).parse().ok();
            } else if let Some(said_at) = data.strip_prefix(b"_SOURCE_MONOTONIC_TIMESTAMP=") {
                source = text(said_at).parse::<u64>().ok();
            }
        }
        // The kernel said it before; at boot, long before.
        let said = source.map_or(taken, |source| taken.saturating_sub(monotonic.saturating_sub(source)));
        let time = i64::try_from(said / 1_000_000).ok();
        let seconds = source.map(|source| source as f64 / 1e6);
        let line =
            Line { level, seconds, time, dated: Dated::Exactly, text: String::new(), at: At::file("") };
        Some((line, message?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes a journal with these messages, as `(transport, microseconds since boot, message)`.
    fn journal(compact: bool, messages: &[(&str, u64, &str)]) -> Vec<u8> {
        let mut bytes = vec![0; 256];
        bytes[..8].copy_from_slice(b"LPKSHHRH");
        bytes[12..16].copy_from_slice(&(if compact { COMPACT } else { 0 }).to_le_bytes());
        bytes[88..96].copy_from_slice(&256_u64.to_le_bytes());
        fn object(bytes: &mut Vec<u8>, kind: u8, body: &[u8]) -> u64 {
            bytes.resize(bytes.len().next_multiple_of(8), 0);
            let at = bytes.len() as u64;
            bytes.extend([kind, 0, 0, 0, 0, 0, 0, 0]);
            bytes.extend((16 + body.len() as u64).to_le_bytes());
            bytes.extend(body);
            at
        }
        let data = |bytes: &mut Vec<u8>, text: &str| {
            let mut body = vec![0; if compact { 56 } else { 48 }];
            body.extend(text.as_bytes());
            object(bytes, DATA, &body)
        };
        let offsets = |list: &[u64], regular_has_hash: bool| {
            let item = |offset: &u64| match compact {
                true => u32::try_from(*offset).unwrap().to_le_bytes().to_vec(),
                false => {
                    [offset.to_le_bytes(), [0; 8]].concat()[..if regular_has_hash { 16 } else { 8 }].to_vec()
                }
            };
            list.iter().flat_map(item).collect::<Vec<u8>>()
        };
        let kernel = data(&mut bytes, "_TRANSPORT=kernel");
        let syslog = data(&mut bytes, "_TRANSPORT=syslog");
        let priority = data(&mut bytes, "PRIORITY=4");
        let mut of_kernel = Vec::new();
        for (transport, micros, message) in messages {
            let message = data(&mut bytes, &format!("MESSAGE={message}"));
            let source = data(&mut bytes, &format!("_SOURCE_MONOTONIC_TIMESTAMP={micros}"));
            let mut body = 1_u64.to_le_bytes().to_vec();
            // Taken five seconds later, of a kernel that booted at 1 706 680 800.
            body.extend((1_706_680_805_000_000 + micros).to_le_bytes());
            body.extend((micros + 5_000_000).to_le_bytes());
            body.extend([0; 24]);
            let is_kernel = *transport == "kernel";
            body.extend(offsets(&[if is_kernel { kernel } else { syslog }, priority, message, source], true));
            let entry = object(&mut bytes, ENTRY, &body);
            of_kernel.extend(is_kernel.then_some(entry));
        }
        let at = usize::try_from(kernel).unwrap();
        if let Some((first, others)) = of_kernel.split_first() {
            bytes[at + 40..at + 48].copy_from_slice(&first.to_le_bytes());
            // Two arrays, the second with room left.
            let mut previous = at + 48;
            for part in others.chunks(2) {
                let mut body = vec![0; 8];
                body.extend(offsets(part, false));
                body.extend([0; 8]);
                let array = object(&mut bytes, ENTRY_ARRAY, &body);
                bytes[previous..previous + 8].copy_from_slice(&array.to_le_bytes());
                previous = usize::try_from(array).unwrap() + 16;
            }
        }
        bytes
    }

    const MESSAGES: [(&str, u64, &str); 5] = [
        ("kernel", 1_000_000, "Linux version"),
        ("syslog", 2_000_000, "Killed process 1 (x), says a program"),
        ("kernel", 3_500_000, "two\nlines"),
        ("kernel", 4_000_000, "four"),
        ("kernel", 5_000_000, "five"),
    ];

    #[test]
    fn the_kernels_entries_are_read_of_both_formats() {
        for compact in [false, true] {
            let lines = parse(&journal(compact, &MESSAGES), &At::file("/j")).unwrap();
            let told: Vec<_> = lines
                .iter()
                .map(|l| (l.text.as_str(), l.seconds, l.time.map(|t| t - 1_706_680_800)))
                .collect();
            assert_eq!(
                told,
                [
                    ("Linux version", Some(1.0), Some(1)),
                    ("two", Some(3.5), Some(3)),
                    ("lines", Some(3.5), Some(3)),
                    ("four", Some(4.0), Some(4)),
                    ("five", Some(5.0), Some(5)),
                ]
            );
            assert_eq!((lines[0].level, lines[0].at.to_string()), (Some(4), "/j".into()));
        }
    }

    #[test]
    fn a_journal_without_a_kernel_is_empty_and_other_files_are_none() {
        assert_eq!(parse(&journal(false, &MESSAGES[1..2]), &At::file("/j")), Some(Vec::new()));
        assert_eq!(parse(b"", &At::file("/j")), None);
        assert_eq!(parse(b"LPKSHHR?aaaaaaaaaaaaaaaaaaaaaa", &At::file("/j")), None);
        assert_eq!(parse(b"LPKSHHRH", &At::file("/j")), None);
    }

    #[test]
    fn every_byte_may_be_wrong() {
        for compact in [false, true] {
            let whole = journal(compact, &MESSAGES);
            for at in 8..whole.len() {
                for wrong in [0, 1, 8, 0x7f, 0xff] {
                    let mut bytes = whole.clone();
                    bytes[at] = wrong;
                    parse(&bytes, &At::file("/j"));
                }
                parse(&whole[..at], &At::file("/j"));
            }
        }
    }
}
