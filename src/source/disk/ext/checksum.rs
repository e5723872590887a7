//! The checksums of metadata.

use crc::{CRC_16_MODBUS, CRC_32_ISCSI, Crc, Table};

static CRC32C: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);
static CRC16: Crc<u16> = Crc::<u16>::new(&CRC_16_MODBUS);

/// What every chain of [`crc32c`] begins with.
pub(super) const START: u32 = !0;

/// The checksum of what the `before` is of, followed by these bytes. As in the kernel, nothing is inverted at the end, so that it can
/// be gone on with.
pub(super) fn crc32c(before: u32, bytes: &[u8]) -> u32 {
    let mut digest = CRC32C.digest_with_initial(before.reverse_bits());
    digest.update(bytes);
    !digest.finalize()
}

/// The older checksum of group descriptors, of all the parts together.
pub(super) fn crc16(parts: &[&[u8]]) -> u16 {
    let mut digest = CRC16.digest();
    parts.iter().for_each(|part| digest.update(part));
    digest.finalize()
}

#[test]
fn checksums_are_those_of_the_kernel() {
    assert_eq!(!crc32c(START, b"123456789"), 0xe306_9283, "the check value of CRC-32C");
    assert_eq!(crc32c(crc32c(START, b"1234"), b"56789"), crc32c(START, b"123456789"));
    assert_eq!(crc16(&[b"1234", b"56789"]), 0x4b37, "the check value of CRC-16/MODBUS");
}
