//! The checksums that btrfs keeps of its tree blocks and its data.

use crate::source::disk::checksum::{crc32c, crc32c_on};
use sha2::{Digest, Sha256};
use twox_hash::XxHash64;

/// A kind of checksum (`csum_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checksum {
    Crc32c,
    XxHash64,
    Sha256,
}

impl Checksum {
    /// How many bytes it has.
    pub(super) fn size(self) -> usize {
        match self {
            Self::Crc32c => 4,
            Self::XxHash64 => 8,
            Self::Sha256 => 32,
        }
    }

    /// Whether `stored`, which may be longer, is that of the bytes.
    pub(super) fn matches(self, bytes: &[u8], stored: &[u8]) -> bool {
        match self {
            Self::Crc32c => stored.starts_with(&crc32c(bytes).to_le_bytes()),
            Self::XxHash64 => stored.starts_with(&XxHash64::oneshot(0, bytes).to_le_bytes()),
            Self::Sha256 => stored.starts_with(&Sha256::digest(bytes)),
        }
    }
}

/// The hash of a name, by which its directory item is found.
pub(super) fn name_hash(name: &[u8]) -> u64 {
    // The seed is btrfs' own, and the register is left as it is at the end.
    u64::from(crc32c_on(0xffff_fffe, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_values_of_the_algorithms() {
        // RFC 3720 appendix B.4, and the usual "123456789".
        assert!(Checksum::Crc32c.matches(b"123456789", &0xe306_9283_u32.to_le_bytes()));
        assert!(Checksum::Crc32c.matches(&[0; 32], &0x8a91_36aa_u32.to_le_bytes()));
        assert!(Checksum::Crc32c.matches(&[0xff; 32], &0x62a8_ab43_u32.to_le_bytes()));
        assert!(Checksum::XxHash64.matches(b"", &0xef46_db37_51d8_e999_u64.to_le_bytes()));
        assert!(!Checksum::Sha256.matches(b"", &[0; 32]));
        assert!(!Checksum::Crc32c.matches(b"123456789", b""), "a checksum that is not there matches nothing");
    }

    #[test]
    fn names_hash_as_in_a_file_system() {
        assert_eq!(name_hash(b"default"), 0x8dbf_c2d2);
        assert_eq!(name_hash(b"collide-1371838"), name_hash(b"collide-2000402"));
    }
}
