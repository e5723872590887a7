//! The three ways in which btrfs compresses an extent.

use crate::source::disk::number::le32;
use flate2::read::ZlibDecoder;
use ruzstd::decoding::StreamingDecoder;
use std::io::Read;

/// What is in the packed bytes: `size` bytes at most, and fewer where the file ended within the last sector. None if they are
/// damaged.
pub(super) fn unpack(how: u8, packed: &[u8], size: usize, sector: usize) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    let size_told = u64::try_from(size).ok()?;
    match how {
        1 => {
            ZlibDecoder::new(packed).take(size_told).read_to_end(&mut all).ok()?;
        }
        2 => all = lzo(packed, size, sector)?,
        3 => {
            StreamingDecoder::new(packed).ok()?.take(size_told).read_to_end(&mut all).ok()?;
        }
        _ => return None,
    }
    Some(all)
}

/// The name of the way; none if it is unknown.
pub(super) fn name(how: u8) -> Option<&'static str> {
    ["zlib", "lzo", "zstd"].get(usize::from(how).checked_sub(1)?).copied()
}

/// Segments of a sector each, of LZO1X, with their sizes before them; the size of all is at the start.
fn lzo(packed: &[u8], size: usize, sector: usize) -> Option<Vec<u8>> {
    let packed = packed.get(..usize::try_from(le32(packed, 0)?).ok()?)?;
    let mut all = Vec::new();
    let mut at = 4;
    while at < packed.len() && all.len() < size {
        // A segment's size never reaches over the end of a sector.
        if sector - at % sector < 4 {
            at = at.next_multiple_of(sector);
        }
        let end = at.checked_add(4)?.checked_add(usize::try_from(le32(packed, at)?).ok()?)?;
        lzo1x(packed.get(at + 4..end)?, &mut all, sector)?;
        at = end;
    }
    all.truncate(size);
    Some(all)
}

/// Adds to `all` what is in an LZO1X stream: `most` bytes at most. None if it is damaged.
///
/// Instructions of the format as in the kernel's Documentation/staging/lzo.rst.
fn lzo1x(stream: &[u8], all: &mut Vec<u8>, most: usize) -> Option<()> {
    let start = all.len();
    let mut stream = Bytes(stream);
    // How many literals the instruction before copied: 0, 1 to 3, or 4 for more.
    let mut state = 0;
    if let Some(first) = stream.0.first().filter(|first| **first > 17) {
        let count = usize::from(*first) - 17;
        stream.next()?;
        stream.literals(count, all)?;
        state = count.min(4);
    }
    loop {
        let code = stream.next()?;
        let (distance, length, literals) = match (code, state) {
            (0..16, 0) => {
                let count = 3 + if code == 0 { stream.more(15)? } else { code };
                stream.literals(count, all)?;
                state = 4;
                if all.len() - start > most {
                    return None;
                }
                continue;
            }
            (0..16, 1..4) => (1 + (code >> 2) + (stream.next()? << 2), 2, code & 3),
            (0..16, _) => (2049 + (code >> 2) + (stream.next()? << 2), 3, code & 3),
            (16..32, _) => {
                let length = 2 + if code & 7 == 0 { stream.more(7)? } else { code & 7 };
                let word = stream.word()?;
                let distance = 16384 + ((code & 8) << 11) + (word >> 2);
                if distance == 16384 {
                    return stream.0.is_empty().then_some(());
                }
                (distance, length, word & 3)
            }
            (32..64, _) => {
                let length = 2 + if code & 31 == 0 { stream.more(31)? } else { code & 31 };
                let word = stream.word()?;
                (1 + (word >> 2), length, word & 3)
            }
            _ => (1 + ((code >> 2) & 7) + (stream.next()? << 3), (code >> 5) + 1, code & 3),
        };
        if all.len() - start + length + literals > most || distance > all.len() - start {
            return None;
        }
        for _ in 0..length {
            all.push(*all.get(all.len() - distance)?);
        }
        stream.literals(literals, all)?;
        state = literals;
    }
}

/// What is left of a stream.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> Option<usize> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(usize::from(*first))
    }

    fn word(&mut self) -> Option<usize> {
        Some(self.next()? + (self.next()? << 8))
    }

    /// A number that did not fit: each byte of zero adds 255, and the first other one ends it.
    fn more(&mut self, base: usize) -> Option<usize> {
        let zeros = self.0.iter().take_while(|byte| **byte == 0).count();
        self.0 = self.0.get(zeros..)?;
        Some(base + zeros * 255 + self.next()?)
    }

    fn literals(&mut self, count: usize, all: &mut Vec<u8>) -> Option<()> {
        let (literals, rest) = self.0.split_at_checked(count)?;
        all.extend_from_slice(literals);
        self.0 = rest;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_of_lzo() {
        // Five literals; three bytes from two back, with a literal; two bytes from two back; the end.
        let stream = [22, b'a', b'b', b'c', b'd', b'e', 0x45, 0, b'x', 0x04, 0, 0x11, 0, 0];
        let mut all = Vec::new();
        lzo1x(&stream, &mut all, 4096).unwrap();
        assert_eq!(all, b"abcdededxdx");
        // A run of 18 + 255 literals, and a match of 33 of the last of them.
        let run = [&[0, 0, 1][..], &[b'r'; 274], &[32, 2, 0, 0, 0x11, 0, 0]].concat();
        let mut all = Vec::new();
        lzo1x(&run, &mut all, 4096).unwrap();
        assert_eq!(all, vec![b'r'; 274 + 35]);
        for (why, bad) in [
            ("nothing to copy from", &[18, b'a', 0x44, 0, 0x11, 0, 0][..]),
            ("no end", &[18, b'a']),
            ("nothing at all", &[]),
            ("more behind the end", &[18, b'a', 0x11, 0, 0, 1]),
            ("literals cut short", &[0, 0, 0]),
        ] {
            assert_eq!(lzo1x(bad, &mut Vec::new(), 4096), None, "{why}");
        }
        assert_eq!(lzo1x(&run, &mut Vec::new(), 300), None, "more than a sector");
    }

    #[test]
    fn no_packed_bytes_make_more_than_they_say() {
        let zeros = vec![0; 1 << 20];
        let mut zlib = flate2::read::ZlibEncoder::new(&zeros[..], flate2::Compression::fast());
        let mut packed = Vec::new();
        zlib.read_to_end(&mut packed).unwrap();
        assert_eq!(unpack(1, &packed, 4096, 4096).unwrap().len(), 4096);
        let packed =
            ruzstd::encoding::compress_to_vec(&zeros[..], ruzstd::encoding::CompressionLevel::Fastest);
        assert_eq!(unpack(3, &packed, 4096, 4096).unwrap().len(), 4096);
        assert_eq!(unpack(3, b"no zstd", 4096, 4096), None);
        assert_eq!(unpack(9, b"", 4096, 4096), None);
    }
}
