//! The numbers in the structures of a file system, or what is wrong with these.

use super::number;
use crate::source::Reason;

fn whole<T>(number: Option<T>) -> Result<T, Reason> {
    number.ok_or_else(|| Reason::Garbled("a structure of the file system ends too early".into()))
}

/// 16 bits, the lowest byte first.
pub(super) fn le16(of: &[u8], start: usize) -> Result<u16, Reason> {
    whole(number::le16(of, start))
}

/// 32 bits, the lowest byte first.
pub(super) fn le32(of: &[u8], start: usize) -> Result<u32, Reason> {
    whole(number::le32(of, start))
}

/// 16 bits, the highest byte first.
pub(super) fn be16(of: &[u8], start: usize) -> Result<u16, Reason> {
    whole(number::be16(of, start))
}

/// 32 bits, the highest byte first.
pub(super) fn be32(of: &[u8], start: usize) -> Result<u32, Reason> {
    whole(number::be32(of, start))
}
