//! Numbers and texts as they stand on disks.

/// `N` bytes from `at` on; none where there are fewer.
pub(super) fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// Two bytes, the lowest first; none where there are fewer. So are the others.
pub(super) fn le16(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_le_bytes)
}

/// Four bytes, the lowest first.
pub(super) fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_le_bytes)
}

/// Eight bytes, the lowest first.
pub(super) fn le64(bytes: &[u8], at: usize) -> Option<u64> {
    array(bytes, at).map(u64::from_le_bytes)
}

/// Two bytes, the highest first.
pub(super) fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_be_bytes)
}

/// Four bytes, the highest first.
pub(super) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_be_bytes)
}

/// Eight bytes, the highest first.
pub(super) fn be64(bytes: &[u8], at: usize) -> Option<u64> {
    array(bytes, at).map(u64::from_be_bytes)
}

/// Sixteen bytes as `0a3407de-014b-458b-b5c1-848e92a327a3`; none where all are zero, which stands for none.
pub(super) fn uuid(bytes: &[u8], at: usize) -> Option<String> {
    let bytes: [u8; 16] = array(bytes, at)?;
    let number = u128::from_be_bytes(bytes);
    let digits = format!("{number:032x}");
    let part = |range: std::ops::Range<usize>| digits.get(range).unwrap_or_default();
    let parts = [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)];
    (number != 0).then(|| parts.join("-"))
}

/// The same of the mixed order of GPT, where the first three numbers have their lowest byte first.
pub(super) fn guid(bytes: &[u8], at: usize) -> Option<String> {
    let mut turned: [u8; 16] = array(bytes, at)?;
    for number in [0..4, 4..6, 6..8] {
        turned.get_mut(number)?.reverse();
    }
    uuid(&turned, 0)
}

/// A text that ends with its first zero, or with its field; blanks at its end do not count. None if it is empty.
pub(super) fn text(bytes: &[u8], at: usize, len: usize) -> Option<String> {
    let field = bytes.get(at..at.checked_add(len)?)?;
    let text = field.split(|byte| *byte == 0).next().unwrap_or_default();
    let text = String::from_utf8_lossy(text).trim_end().to_owned();
    (!text.is_empty()).then_some(text)
}

/// The same of characters of two bytes, the lowest first.
pub(super) fn text16(bytes: &[u8], at: usize, len: usize) -> Option<String> {
    let field = bytes.get(at..at.checked_add(len)?)?;
    let units = field.chunks_exact(2).filter_map(|pair| le16(pair, 0)).take_while(|unit| *unit != 0);
    let text: String = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    let text = text.trim_end().to_owned();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_end_with_the_bytes() {
        assert_eq!(
            (le16(&[1, 2], 0), le16(&[1, 2], 1), le16(&[1, 2], usize::MAX)),
            (Some(0x201), None, None)
        );
        assert_eq!((be32(&[0, 0, 1, 2], 0), le64(&[0; 7], 0)), (Some(0x102), None));
    }

    #[test]
    fn texts_end_with_a_zero_or_their_field() {
        assert_eq!(text(b"root\0old", 0, 8).as_deref(), Some("root"));
        assert_eq!(text(b"  \0x", 0, 4), None);
        assert_eq!(text(b"a\xffb", 0, 3).as_deref(), Some("a\u{fffd}b"));
        assert_eq!(text(b"ab", 1, 2), None);
        assert_eq!(text16(b"E\0F\0\0\0x\0", 0, 8).as_deref(), Some("EF"));
        assert_eq!(text16(&[0, 0xd8, 0, 0], 0, 4).as_deref(), Some("\u{fffd}"));
    }

    #[test]
    fn uuids_of_gpt_are_turned() {
        let bytes: Vec<u8> = (0..16).collect();
        assert_eq!(uuid(&bytes, 0).as_deref(), Some("00010203-0405-0607-0809-0a0b0c0d0e0f"));
        assert_eq!(guid(&bytes, 0).as_deref(), Some("03020100-0504-0706-0809-0a0b0c0d0e0f"));
        assert_eq!((uuid(&[0; 16], 0), uuid(&bytes, 1)), (None, None));
    }
}
