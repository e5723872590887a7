//! Compressed streams: what they are by their first bytes, and their contents, piece by piece.
//!
//! Read in Rust alone (no C, no `unsafe` of ours), a window at a time. A decoder takes no more bytes from the reader below than
//! belong to the stream, so that what follows it there can be read on (initial RAM disks are several streams in a row); only that of
//! LZMA takes all.

use std::io::{self, BufRead, Read};

/// How a stream is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// gzip, RFC 1952.
    Gzip,
    /// xz.
    Xz,
    /// Zstandard, RFC 8878.
    Zstd,
    /// LZ4 in the frames of `lz4 -l`, the only ones that the kernel reads.
    Lz4,
    /// LZMA, as xz made it before it was called xz.
    Lzma,
    /// bzip2.
    Bzip2,
    /// LZO, in the frames of lzop.
    Lzo,
}

/// The most memory that a decoder may take for what it must remember: `xz -9` needs 64 MiB, `zstd --ultra -22` 128.
const MEMORY_KIB: u32 = 192 << 10;

impl Compression {
    /// By the first bytes, as the kernel tells them apart (lib/decompress.c).
    pub fn of(start: &[u8]) -> Option<Self> {
        const MAGIC: [(&[u8], Compression); 7] = [
            (b"\x1f\x8b", Compression::Gzip),
            (b"\xfd7zXZ\0", Compression::Xz),
            (b"\x28\xb5\x2f\xfd", Compression::Zstd),
            (b"\x02\x21\x4c\x18", Compression::Lz4),
            (b"\x5d\0\0", Compression::Lzma),
            (b"BZh", Compression::Bzip2),
            (b"\x89LZO", Compression::Lzo),
        ];
        MAGIC.iter().find(|(magic, _)| start.starts_with(magic)).map(|(_, kind)| *kind)
    }

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
            Self::Lzma => "lzma",
            Self::Bzip2 => "bzip2",
            Self::Lzo => "lzo",
        }
    }

    /// The contents of the stream that begins here; none of a kind that is not read (bzip2 and LZO, which no distribution
    /// uses for this any more).
    pub fn contents<'a>(self, stream: &'a mut (dyn BufRead + 'a)) -> io::Result<Option<Box<dyn Read + 'a>>> {
        Ok(Some(match self {
            Self::Gzip => Box::new(flate2::bufread::GzDecoder::new(stream)),
            Self::Xz => Box::new(lzma_rust2::XzReader::new_mem_limit(stream, false, MEMORY_KIB)),
            Self::Zstd => {
                Box::new(ruzstd::decoding::StreamingDecoder::new(stream).map_err(io::Error::other)?)
            }
            Self::Lz4 => Box::new(Lz4::new(stream)?),
            Self::Lzma => Box::new(lzma_rust2::LzmaReader::new_mem_limit(stream, MEMORY_KIB, None)?),
            Self::Bzip2 | Self::Lzo => return Ok(None),
        }))
    }
}

/// The legacy frame of LZ4: a magic number, then blocks of at most 8 MiB, each with its compressed size before it.
struct Lz4<'a> {
    stream: &'a mut (dyn BufRead + 'a),
    packed: Vec<u8>,
    block: Vec<u8>,
    at: usize,
}

/// What a block holds at most.
const BLOCK: usize = 8 << 20;

const LZ4_MAGIC: u32 = 0x184c_2102;

impl<'a> Lz4<'a> {
    fn new(stream: &'a mut (dyn BufRead + 'a)) -> io::Result<Self> {
        let mut magic = [0; 4];
        stream.read_exact(&mut magic)?;
        Ok(Self { stream, packed: Vec::new(), block: Vec::new(), at: 0 })
    }

    /// The next block; none at the end.
    fn next(&mut self) -> io::Result<bool> {
        let size = loop {
            // What pads the file up to a full sector is no block.
            if matches!(self.stream.fill_buf()?.first(), None | Some(0)) {
                let start = self.stream.fill_buf()?;
                if start.len() < 4 || start.starts_with(&[0; 4]) {
                    return Ok(false);
                }
            }
            let mut size = [0; 4];
            self.stream.read_exact(&mut size)?;
            match u32::from_le_bytes(size) {
                LZ4_MAGIC => {}
                size => break size as usize,
            }
        };
        if size > BLOCK + BLOCK / 255 + 16 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a block of lz4 is larger than any may be",
            ));
        }
        self.packed.resize(size, 0);
        self.stream.read_exact(&mut self.packed)?;
        self.block.resize(BLOCK, 0);
        let size = lz4_flex::block::decompress_into(&self.packed, &mut self.block);
        self.block.truncate(size.map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?);
        self.at = 0;
        Ok(true)
    }
}

impl Read for Lz4<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.block.len() {
            if !self.next()? {
                return Ok(0);
            }
        }
        let rest = self.block.get(self.at..).unwrap_or_default();
        let count = rest.len().min(into.len());
        if let (Some(to), Some(from)) = (into.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "hello hello hello hello\n", by gzip 1.12, xz 5.4, zstd 1.5.4, lz4 1.9.4 (-l) and xz --format=lzma.
    const PACKED: [(Compression, &str); 5] = [
        (Compression::Gzip, "1f8b0800000000000003cb48cdc9c957c84027b9000088590b18000000"),
        (
            Compression::Xz,
            "fd377a585a000004e6d6b4460200210116000000742fe5a3e00017000c5d00341949ee8de9560ac121b000006c14ed1b3b68bb9100012818d783b76e1fb6f37d010000000004595a",
        ),
        (Compression::Zstd, "28b52ffd24186d00003868656c6c6f200a0100994b11a87c2ea8"),
        (Compression::Lz4, "02214c180f0000006968656c6c6f20060050656c6c6f0a"),
        (Compression::Lzma, "5d00008000ffffffffffffffff00341949ee8de9560ac1b620b7ffffba340000"),
    ];

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect()
    }

    fn unpack(mut packed: &[u8]) -> io::Result<(Vec<u8>, Vec<u8>)> {
        let kind = Compression::of(packed).unwrap();
        let mut found = Vec::new();
        kind.contents(&mut packed)?.unwrap().read_to_end(&mut found)?;
        Ok((found, packed.to_vec()))
    }

    #[test]
    fn every_kind_is_known_read_and_left_at_its_end() {
        for (kind, hex) in PACKED {
            let mut packed = bytes(hex);
            assert_eq!(Compression::of(&packed), Some(kind));
            // Nothing but zeros follows a stream of lz4, which has no end of its own.
            packed.extend(b"\0\0\0\0next");
            let (found, rest) = unpack(&packed).unwrap();
            assert_eq!(found, b"hello hello hello hello\n", "{kind:?}");
            // LZMA of old does not say where it ends before the decoder has read on.
            let expected: &[u8] = if kind == Compression::Lzma { b"" } else { b"\0\0\0\0next" };
            assert_eq!(rest, expected, "{kind:?}");
        }
    }

    #[test]
    fn what_is_cut_off_is_an_error() {
        for (kind, hex) in PACKED {
            let packed = bytes(hex);
            for end in 8..packed.len() - 1 {
                assert!(unpack(&packed[..end]).is_err(), "{kind:?} cut at {end}");
            }
        }
    }

    #[test]
    fn what_no_distribution_uses_is_known_but_not_read() {
        for start in [&b"BZh91AY"[..], b"\x89LZO\0"] {
            let mut stream = start;
            assert!(Compression::of(start).unwrap().contents(&mut stream).unwrap().is_none());
        }
        assert_eq!(Compression::of(b"070701"), None);
        assert_eq!(Compression::of(b""), None);
    }
}
