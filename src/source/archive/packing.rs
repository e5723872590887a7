//! How an archive is compressed, by its first bytes, and what unpacks it: in Rust alone.

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::io::{self, BufRead, Read};

/// How a stream is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Gzip,
    Xz,
    Zstd,
    Bzip2,
}

/// The most memory that a decoder may take for what it must remember: `xz -9` needs 64 MiB, and zstd unpacks no
/// more than 128 unless told to (zstd(1), `--long`).
const MEMORY: u64 = 128 << 20;

impl Packing {
    /// By the first bytes.
    pub(super) fn of(start: &[u8]) -> Option<Self> {
        // The skippable frames of zstd, with which podman's zstd:chunked layers may begin: 0x184D2A5?.
        let skippable = matches!(start, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]);
        match start {
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Some(Self::Bzip2),
            _ if skippable => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The contents of the stream, and of those that follow it.
    pub(super) fn unpack(self, stream: Box<dyn BufRead + Send>) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(stream)),
            Self::Xz => {
                let kib = u32::try_from(MEMORY >> 10).unwrap_or(u32::MAX);
                Box::new(lzma_rust2::XzReader::new_mem_limit(stream, true, kib))
            }
            Self::Zstd => Box::new(Zstd::new(stream)),
            Self::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(stream)),
        })
    }
}

/// The frames of zstd, one after the other, their checksums compared.
struct Zstd {
    stream: Box<dyn BufRead + Send>,
    decoder: FrameDecoder,
    within: bool,
}

impl Zstd {
    fn new(stream: Box<dyn BufRead + Send>) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MEMORY);
        Self { stream, decoder, within: false }
    }

    /// Begins the next frame; none at the end.
    fn next(&mut self) -> io::Result<bool> {
        while !self.stream.fill_buf()?.is_empty() {
            match self.decoder.init(&mut self.stream) {
                Ok(()) => return Ok(true),
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

impl Read for Zstd {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn frames_follow_one_another_and_some_are_skipped() {
        let pack = |text: &[u8]| {
            ruzstd::encoding::compress_to_vec(text, ruzstd::encoding::CompressionLevel::Fastest)
        };
        let skippable = [0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
        let packed = [&skippable[..], &pack(b"one "), &skippable, &pack(b"two"), &skippable].concat();
        assert_eq!(Packing::of(&packed), Some(Packing::Zstd));
        let mut text = String::new();
        let mut reader = Packing::Zstd.unpack(Box::new(Cursor::new(packed))).unwrap();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "one two");
    }
}
