//! The checksums on disks.

use crc::{CRC_16_MODBUS, CRC_32_ISCSI, CRC_32_ISO_HDLC, Crc, Table};

static CASTAGNOLI: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);
static ETHERNET: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);
static MODBUS: Crc<u16> = Crc::<u16>::new(&CRC_16_MODBUS);

/// What every chain of [`crc32c_on`] begins with.
pub(super) const START: u32 = !0;

/// CRC-32C (Castagnoli), as XFS, btrfs and VHDX have it.
pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    CASTAGNOLI.checksum(bytes)
}

/// That of what the `before` is of, followed by these bytes. As in the kernel, nothing is inverted at the end, so that it can be gone
/// on with.
pub(super) fn crc32c_on(before: u32, bytes: &[u8]) -> u32 {
    let mut digest = CASTAGNOLI.digest_with_initial(before.reverse_bits());
    digest.update(bytes);
    !digest.finalize()
}

/// The CRC of Ethernet, as GPT has it.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    ETHERNET.checksum(bytes)
}

/// That of LVM: begun with a number of its own, and not turned over at the end (lib/misc/crc.c of LVM2).
pub(super) fn crc_of_lvm(bytes: &[u8]) -> u32 {
    const BEGIN: u32 = 0xf597_a6cf;
    let mut digest = ETHERNET.digest_with_initial(BEGIN.reverse_bits());
    digest.update(bytes);
    !digest.finalize()
}

/// The older checksum of ext4's group descriptors, of all the parts together.
pub(super) fn crc16(parts: &[&[u8]]) -> u16 {
    let mut digest = MODBUS.digest();
    parts.iter().for_each(|part| digest.update(part));
    digest.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_catalogue() {
        let digits = b"123456789";
        assert_eq!((crc32c(digits), crc32(digits)), (0xe306_9283, 0xcbf4_3926));
        assert_eq!(crc16(&[b"1234", b"56789"]), 0x4b37);
        // RFC 3720, appendix B.4.
        assert_eq!((crc32c(&[0; 32]), crc32c(&[0xff; 32])), (0x8a91_36aa, 0x62a8_ab43));
    }

    #[test]
    fn a_chain_is_as_good_as_the_whole() {
        assert_eq!(!crc32c_on(START, b"123456789"), crc32c(b"123456789"));
        assert_eq!(crc32c_on(crc32c_on(START, b"1234"), b"56789"), crc32c_on(START, b"123456789"));
    }
}
