//! Compressed streams: what they are by their first bytes, and their contents, piece by piece.
//!
//! Read in Rust alone (no C, no `unsafe` of ours), a window at a time, and with a bound on what a decoder may remember.

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::io::{self, BufRead, Read};

/// How a stream is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
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

/// The most memory that a decoder may take for what it must remember: `xz -9` needs 64 MiB, and zstd unpacks no more than 128 unless
/// told to (zstd(1), `--long`).
const MEMORY: u64 = 128 << 20;
const MEMORY_KIB: u32 = (MEMORY >> 10) as u32;

impl Compression {
    /// By the first bytes, as the kernel tells them apart (lib/decompress.c).
    pub(crate) fn of(start: &[u8]) -> Option<Self> {
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

    /// The same of an archive: as archives are packed, and [`Self::all`] unpacks them.
    pub(crate) fn of_archive(start: &[u8]) -> Option<Self> {
        match (Self::of(start), start) {
            // The skippable frames of zstd, with which podman's zstd:chunked layers may begin: 0x184D2A5?.
            (_, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]) => Some(Self::Zstd),
            (found @ Some(Self::Gzip | Self::Xz | Self::Zstd | Self::Bzip2), _) => found,
            _ => None,
        }
    }

    /// The word for it.
    pub(crate) fn name(self) -> &'static str {
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

    /// The contents of the one stream that begins here; none of LZO, which is not read, as no distribution uses it any more.
    ///
    /// No more bytes are taken than belong to it, so that what follows can be read on (initial RAM disks are several streams in a
    /// row); only the decoder of LZMA takes all.
    pub(crate) fn one<'a>(
        self,
        stream: &'a mut (dyn BufRead + 'a),
    ) -> io::Result<Option<Box<dyn Read + 'a>>> {
        Ok(Some(match self {
            Self::Gzip => Box::new(flate2::bufread::GzDecoder::new(stream)),
            Self::Xz => Box::new(lzma_rust2::XzReader::new_mem_limit(stream, false, MEMORY_KIB)),
            Self::Zstd => Box::new(Zstd::new(stream, 1)),
            Self::Lz4 => Box::new(Lz4::new(stream)?),
            Self::Lzma => Box::new(lzma_rust2::LzmaReader::new_mem_limit(stream, MEMORY_KIB, None)?),
            Self::Bzip2 => Box::new(bzip2::bufread::BzDecoder::new(stream)),
            Self::Lzo => return Ok(None),
        }))
    }

    /// The contents of the stream that begins here and of those that follow it up to the end, as `gzip -d` and its like put them
    /// together.
    pub(crate) fn all(self, stream: Box<dyn BufRead + Send>) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(stream)),
            Self::Xz => Box::new(lzma_rust2::XzReader::new_mem_limit(stream, true, MEMORY_KIB)),
            Self::Zstd => Box::new(Zstd::new(stream, usize::MAX)),
            Self::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(stream)),
            Self::Lz4 | Self::Lzma | Self::Lzo => {
                return Err(io::Error::other(format!("{} is not read here", self.name())));
            }
        })
    }
}

/// The frames of zstd, one after the other, their checksums compared.
struct Zstd<R> {
    stream: R,
    decoder: FrameDecoder,
    within: bool,
    frames_left: usize,
}

impl<R: BufRead> Zstd<R> {
    fn new(stream: R, frames: usize) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MEMORY);
        Self { stream, decoder, within: false, frames_left: frames }
    }

    /// Begins the next frame; none at the end.
    fn next(&mut self) -> io::Result<bool> {
        while self.frames_left > 0 && !self.stream.fill_buf()?.is_empty() {
            match self.decoder.init(&mut self.stream) {
                Ok(()) => {
                    self.frames_left -= 1;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let length = u64::from(length);
                    if io::copy(&mut self.stream.by_ref().take(length), &mut io::sink())? < length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        Ok(false)
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.within {
                if !self.next()? {
                    return Ok(0);
                }
                self.within = true;
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                let some = BlockDecodingStrategy::UptoBlocks(1);
                self.decoder.decode_blocks(&mut self.stream, some).map_err(io::Error::other)?;
            }
            if self.decoder.can_collect() > 0 {
                return self.decoder.read(into);
            }
            let (told, found) =
                (self.decoder.get_checksum_from_data(), self.decoder.get_calculated_checksum());
            if told.is_some() && told != found {
                return Err(io::Error::other("the checksum of a zstd frame does not match"));
            }
            self.within = false;
        }
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

    /// "hello hello hello hello\n", by gzip 1.12, xz 5.4, zstd 1.5.4, lz4 1.9.4 (-l), bzip2 1.0.8 and xz --format=lzma.
    const PACKED: [(Compression, &str); 6] = [
        (Compression::Gzip, "1f8b0800000000000003cb48cdc9c957c84027b9000088590b18000000"),
        (
            Compression::Xz,
            "fd377a585a000004e6d6b4460200210116000000742fe5a3e00017000c5d00341949ee8de9560ac121b000006c14ed1b3b68bb9100012818d783b76e1fb6f37d010000000004595a",
        ),
        (Compression::Zstd, "28b52ffd24186d00003868656c6c6f200a0100994b11a87c2ea8"),
        (Compression::Lz4, "02214c180f0000006968656c6c6f20060050656c6c6f0a"),
        (
            Compression::Bzip2,
            "425a68393141592653596f4f10f3000005d100001040000244a00030c002a834710dad870f1772453850906f4f10f3",
        ),
        (Compression::Lzma, "5d00008000ffffffffffffffff00341949ee8de9560ac1b620b7ffffba340000"),
    ];

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect()
    }

    fn unpack(mut packed: &[u8]) -> io::Result<(Vec<u8>, Vec<u8>)> {
        let kind = Compression::of(packed).unwrap();
        let mut found = Vec::new();
        kind.one(&mut packed)?.unwrap().read_to_end(&mut found)?;
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
        let mut stream = &b"\x89LZO\0"[..];
        assert!(Compression::of(stream).unwrap().one(&mut stream).unwrap().is_none());
        assert_eq!(Compression::of(b"070701"), None);
        assert_eq!(Compression::of(b""), None);
    }

    #[test]
    fn frames_follow_one_another_and_some_are_skipped() {
        let pack = |text: &[u8]| {
            ruzstd::encoding::compress_to_vec(text, ruzstd::encoding::CompressionLevel::Fastest)
        };
        let skippable = [0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
        let packed = [&skippable[..], &pack(b"one "), &skippable, &pack(b"two"), &skippable].concat();
        assert_eq!(Compression::of_archive(&packed), Some(Compression::Zstd));
        let mut text = String::new();
        let mut reader = Compression::Zstd.all(Box::new(io::Cursor::new(packed))).unwrap();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "one two");
    }
}
