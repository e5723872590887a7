//! CRC-32C (Castagnoli), which every block of XFS' version 5 metadata carries.

const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut n = 0;
    while n < 256 {
        let mut value = n as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { (value >> 1) ^ 0x82f6_3b78 } else { value >> 1 };
            bit += 1;
        }
        table[n] = value;
        n += 1;
    }
    table
}

/// The checksum of the block, its own four bytes at `at` taken as zeros.
pub(super) fn crc32c(block: &[u8], at: usize) -> u32 {
    let mut crc = !0;
    for (n, byte) in block.iter().enumerate() {
        let byte = if n.wrapping_sub(at) < 4 { 0 } else { *byte };
        crc = (crc >> 8) ^ TABLE[usize::from(crc as u8 ^ byte)];
    }
    !crc
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
