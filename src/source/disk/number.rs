//! Numbers in the structures of a file system.

use crate::source::Reason;

fn at<const N: usize>(of: &[u8], at: usize) -> Result<[u8; N], Reason> {
    let bytes = of.get(at..).and_then(|rest| rest.first_chunk()).copied();
    bytes.ok_or_else(|| Reason::Garbled("a structure of the file system ends too early".into()))
}

/// 16 bits, the lowest byte first.
pub(super) fn le16(of: &[u8], start: usize) -> Result<u16, Reason> {
    at(of, start).map(u16::from_le_bytes)
}

/// 32 bits, the lowest byte first.
pub(super) fn le32(of: &[u8], start: usize) -> Result<u32, Reason> {
    at(of, start).map(u32::from_le_bytes)
}

/// 16 bits, the highest byte first.
pub(super) fn be16(of: &[u8], start: usize) -> Result<u16, Reason> {
    at(of, start).map(u16::from_be_bytes)
}

/// 32 bits, the highest byte first.
pub(super) fn be32(of: &[u8], start: usize) -> Result<u32, Reason> {
    at(of, start).map(u32::from_be_bytes)
}
