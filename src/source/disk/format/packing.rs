//! How a cluster of a disk is compressed.

use super::damaged;
use flate2::{Decompress, FlushDecompress};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::io::{self, Read};

/// How a cluster is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    /// Deflate alone (RFC 1951): what qcow2 calls zlib.
    Deflate,
    /// Deflate with a header and a checksum (RFC 1950), as VMDK has it.
    Zlib,
    /// A frame of zstd.
    Zstd,
}

/// The most that a frame of zstd may look back: a cluster has at most 2 MiB, and every decoder should know 8 (RFC 8878, 3.1.1.1.2).
const WINDOW: u64 = 8 << 20;

impl Packing {
    /// The first `size` bytes of what is packed; fewer only where it ends before. What follows them is of no account.
    pub(super) fn unpack(self, packed: &[u8], size: usize) -> io::Result<Vec<u8>> {
        match self {
            Self::Deflate => inflate(packed, size, false),
            Self::Zlib => inflate(packed, size, true),
            Self::Zstd => unzstd(packed, size),
        }
    }
}

fn inflate(packed: &[u8], size: usize, header: bool) -> io::Result<Vec<u8>> {
    let mut decoder = Decompress::new(header);
    let mut bytes = vec![0; size];
    decoder
        .decompress(packed, &mut bytes, FlushDecompress::Finish)
        .map_err(|error| damaged(format!("deflate: {error}")))?;
    bytes.truncate(usize::try_from(decoder.total_out()).unwrap_or(size));
    Ok(bytes)
}

fn unzstd(mut packed: &[u8], size: usize) -> io::Result<Vec<u8>> {
    let bad = |error| damaged(format!("zstd: {error}"));
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size(WINDOW);
    let mut bytes = vec![0; size];
    let mut filled = 0;
    while filled < size && !packed.is_empty() {
        decoder.init(&mut packed).map_err(bad)?;
        loop {
            let rest = bytes.get_mut(filled..).unwrap_or_default();
            filled += decoder.read(rest)?;
            if filled == size || (decoder.is_finished() && decoder.can_collect() == 0) {
                break;
            }
            if !decoder.is_finished() {
                decoder.decode_blocks(&mut packed, BlockDecodingStrategy::UptoBlocks(1)).map_err(bad)?;
            }
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}
