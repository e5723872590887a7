//! The checksum which every block of XFS' version 5 metadata carries.

use crate::source::disk::checksum::{START, crc32c_on};

/// CRC-32C of the block, its own four bytes at `at` taken as zeros.
pub(super) fn crc32c(block: &[u8], at: usize) -> u32 {
    let Some((before, [_, _, _, _, after @ ..])) = block.split_at_checked(at) else {
        return !crc32c_on(START, block);
    };
    !crc32c_on(crc32c_on(crc32c_on(START, before), &[0; 4]), after)
}

/// Whether the block carries its own checksum at `at`: it alone is little-endian.
pub(super) fn is_right(block: &[u8], at: usize) -> bool {
    let stored = block.get(at..).and_then(|rest| rest.first_chunk()).copied().map(u32::from_le_bytes);
    stored == Some(crc32c(block, at))
}

#[test]
fn the_check_value_of_crc_32c() {
    // The four bytes that are left out lie behind the end.
    assert_eq!(crc32c(b"123456789", 9), 0xe306_9283);
    assert_eq!(crc32c(b"12\x01\x02\x03\x04", 2), crc32c(b"12\0\0\0\0", 6));
}
