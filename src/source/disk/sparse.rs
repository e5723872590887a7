//! The small images of fixtures/images/volumes, for tests.

use crate::source::bytes::Bytes;
use std::collections::BTreeMap;
use std::io::{self, Read};

/// An image of which only those sectors are kept that are not zero.
#[derive(Clone, Debug)]
pub(super) struct Sparse {
    pub(super) size: u64,
    sectors: BTreeMap<u64, Vec<u8>>,
}

/// The image of this name.
pub(super) fn image(name: &str) -> Sparse {
    let path = format!("{}/fixtures/images/volumes/{name}.xz", env!("CARGO_MANIFEST_DIR"));
    let mut bytes = Vec::new();
    let packed = std::fs::read(path).unwrap();
    lzma_rust2::XzReader::new(packed.as_slice(), false).read_to_end(&mut bytes).unwrap();
    let (size, sectors) = bytes.split_at(8);
    let number = |bytes: &[u8]| u64::from_le_bytes(bytes[..8].try_into().unwrap());
    let sectors = sectors.chunks_exact(520).map(|sector| (number(sector), sector[8..].to_vec())).collect();
    Sparse { size: number(size), sectors }
}

impl Sparse {
    /// Changes one byte, in one of the sectors that are kept.
    pub(super) fn damage(&mut self, at: u64, by: u8) {
        let count = self.sectors.len();
        let sector = self.sectors.values_mut().nth((at / 512) as usize % count).unwrap();
        sector[(at % 512) as usize] ^= by;
    }

    /// Puts bytes there.
    pub(super) fn put(&mut self, at: u64, bytes: &[u8]) {
        for (at, byte) in (at..).zip(bytes) {
            self.sectors.entry(at / 512).or_insert_with(|| vec![0; 512])[(at % 512) as usize] = *byte;
        }
    }
}

impl Bytes for Sparse {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let n = usize::try_from(self.size.saturating_sub(at)).unwrap().min(into.len());
        let into = &mut into[..n];
        into.fill(0);
        for (number, sector) in
            self.sectors.range(at / 512..).take_while(|(number, _)| **number * 512 < at + n as u64)
        {
            for (place, byte) in (number * 512..).zip(sector) {
                if let Some(into) = place.checked_sub(at).and_then(|place| into.get_mut(place as usize)) {
                    *into = *byte;
                }
            }
        }
        Ok(n)
    }

    fn known_len(&self) -> Option<u64> {
        Some(self.size)
    }
}
