//! The header of a member: one block, of fields at fixed places (tar(5)).

use crate::source::archive::sparse::Map;
use std::ops::Range;

pub(super) const BLOCK: u64 = 512;

/// The block before a member.
pub(super) struct Header<'a>(pub(super) &'a [u8; BLOCK as usize]);

impl Header<'_> {
    /// The sum of its bytes is as told; old programs took them for signed ones.
    pub(super) fn is_intact(&self) -> bool {
        let told = self.number(148..156);
        let bytes =
            || self.0.iter().enumerate().map(|(i, b)| if (148..156).contains(&i) { b' ' } else { *b });
        let unsigned: u64 = bytes().map(u64::from).sum();
        let signed: i64 = bytes().map(|b| i64::from(b as i8)).sum();
        told == Some(unsigned) || told.is_some_and(|told| i64::try_from(told) == Ok(signed))
    }

    /// A number: in octal, or with GNU's first bit as it is in memory.
    fn number(&self, range: Range<usize>) -> Option<u64> {
        number(&self.0[range])
    }

    /// The letter of what it is; a member of old programs has 0.
    pub(super) fn kind(&self) -> u8 {
        self.0[156]
    }

    /// How many bytes are stored after it.
    pub(super) fn size(&self) -> Option<u64> {
        self.number(124..136)
    }

    pub(super) fn mode(&self) -> u32 {
        u32::try_from(self.number(100..108).unwrap_or(0) & 0o7777).unwrap_or(0)
    }

    pub(super) fn uid(&self) -> Option<u32> {
        u32::try_from(self.number(108..116)?).ok()
    }

    pub(super) fn gid(&self) -> Option<u32> {
        u32::try_from(self.number(116..124)?).ok()
    }

    pub(super) fn mtime(&self) -> Option<i64> {
        i64::try_from(self.number(136..148)?).ok()
    }

    /// The size of a sparse file with its holes.
    pub(super) fn real_size(&self) -> Option<u64> {
        self.number(483..495)
    }

    /// Adds the pieces of a sparse file that it tells of; whether more blocks follow that do.
    pub(super) fn pieces(&self, map: &mut Map) -> bool {
        pieces(&self.0[386..482], map);
        self.0[482] != 0
    }

    /// Where a link leads.
    pub(super) fn link(&self) -> Vec<u8> {
        until_nul(&self.0[157..257]).to_vec()
    }

    /// As makedev(3) puts it together.
    pub(super) fn device(&self) -> u64 {
        let part = |range| self.number(range).unwrap_or(0) & 0xffff_ffff;
        nix::sys::stat::makedev(part(329..337), part(337..345))
    }

    pub(super) fn path(&self) -> Vec<u8> {
        let name = until_nul(&self.0[..100]);
        // GNU's own format has other things there.
        let prefix = if &self.0[257..263] == b"ustar\0" { until_nul(&self.0[345..500]) } else { b"" };
        match prefix.is_empty() {
            true => name.to_vec(),
            false => [prefix, b"/", name].concat(),
        }
    }
}

/// A number: in octal, or with GNU's first bit as it is in memory.
fn number(field: &[u8]) -> Option<u64> {
    match field {
        [0x80, rest @ ..] => {
            rest.iter().try_fold(0_u64, |sum, b| sum.checked_mul(256).map(|sum| sum | u64::from(*b)))
        }
        // Below zero.
        [first, ..] if first & 0x80 != 0 => None,
        _ => {
            let text = until_nul(field).trim_ascii();
            match text.is_empty() {
                true => Some(0),
                false => u64::from_str_radix(std::str::from_utf8(text).ok()?, 8).ok(),
            }
        }
    }
}

/// Whether a file begins with the header of a tar's member.
pub(in crate::source::archive) fn begins(start: &[u8]) -> bool {
    let first = start.get(..BLOCK as usize).and_then(|block| <&[u8; BLOCK as usize]>::try_from(block).ok());
    first.is_some_and(|block| Header(block).is_intact())
}

/// The pairs of numbers of a sparse file in its header, or in a block after it; unused ones are empty.
pub(super) fn pieces(fields: &[u8], map: &mut Map) {
    for pair in fields.chunks_exact(24).take_while(|pair| pair.first().is_some_and(|b| *b != 0)) {
        let (at, len) = pair.split_at(12);
        map.push(number(at), number(len));
    }
}

pub(super) fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|b| *b == 0).next().unwrap_or_default()
}
