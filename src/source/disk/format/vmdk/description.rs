//! The description of a VMDK: in a file of its own, or in a sparse one.
//!
//! ```text
//! # Disk DescriptorFile
//! version=1
//! CID=123a681e
//! parentCID=ffffffff
//! createType="twoGbMaxExtentFlat"
//!
//! # Extent description
//! RW 4192256 FLAT "disk-f001.vmdk" 0
//! RW 2101248 FLAT "disk-f002.vmdk" 0
//! ```

use super::super::{BadFormat, Format, shown};

/// How many extents a disk may have.
const MOST_EXTENTS: usize = 4096;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) sectors: u64,
    pub(super) kind: Kind,
    /// The file it is in; none if it is zeros.
    pub(super) name: Option<Vec<u8>>,
    /// The sector of the file that it begins with.
    pub(super) offset: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Flat,
    Sparse,
    Zero,
}

/// The extents of which the disk is made, one after the other.
pub(super) fn extents(text: &[u8]) -> Result<Vec<Extent>, BadFormat> {
    let mut extents = Vec::new();
    for line in lines(text) {
        let first = line.split(|byte| byte.is_ascii_whitespace()).next().unwrap_or_default();
        if !matches!(first, b"RW" | b"RDONLY" | b"NOACCESS") {
            continue;
        }
        if extents.len() == MOST_EXTENTS {
            let what = format!("its description has more than {MOST_EXTENTS} extents");
            return Err(BadFormat::Damaged(Format::Vmdk, what));
        }
        extents.push(Extent::parse(line)?);
    }
    Ok(extents)
}

/// Refuses a disk that holds only what differs from another one.
pub(super) fn require_whole(text: &[u8]) -> Result<(), BadFormat> {
    let value = |wanted: &[u8]| {
        lines(text).find_map(|line| {
            let (key, value) = line.split_at(line.iter().position(|byte| *byte == b'=')?);
            let value = shown(value.get(1..)?.trim_ascii()).trim_matches('"').to_owned();
            key.trim_ascii().eq_ignore_ascii_case(wanted).then_some(value)
        })
    };
    match value(b"parentCID") {
        None => Ok(()),
        Some(id) if id.eq_ignore_ascii_case("ffffffff") => Ok(()),
        Some(id) => Err(BadFormat::Unsupported(
            Format::Vmdk,
            format!(
                "that holds only what differs from another one ({})",
                value(b"parentFileNameHint").unwrap_or(id)
            ),
        )),
    }
}

/// Its lines; in a sparse file it is followed by zeros.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii)
}

impl Extent {
    /// Of a line such as `RW 4192256 FLAT "disk-f001.vmdk" 0`.
    fn parse(line: &[u8]) -> Result<Self, BadFormat> {
        let bad =
            || BadFormat::Damaged(Format::Vmdk, format!("the extent {} is not understood", shown(line)));
        let quote = line.iter().position(|byte| *byte == b'"');
        let (head, tail) = line.split_at(quote.unwrap_or(line.len()));
        let head = String::from_utf8_lossy(head).into_owned();
        let mut words = head.split_ascii_whitespace();
        let access = words.next();
        let sectors = words.next().and_then(|word| word.parse().ok()).ok_or_else(bad)?;
        let kind = match words.next().ok_or_else(bad)? {
            _ if access == Some("NOACCESS") => None,
            "FLAT" | "VMFS" => Some(Kind::Flat),
            "SPARSE" => Some(Kind::Sparse),
            "ZERO" => Some(Kind::Zero),
            _ => None,
        };
        let unsupported = || BadFormat::Unsupported(Format::Vmdk, format!("with the extent {}", shown(line)));
        let kind = kind.ok_or_else(unsupported)?;
        let mut parts = tail.get(1..).unwrap_or_default().splitn(2, |byte| *byte == b'"');
        let name = parts.next().filter(|name| !name.is_empty()).map(<[u8]>::to_vec);
        let after = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
        let offset = match after.split_ascii_whitespace().next() {
            Some(word) if kind == Kind::Flat => word.parse().map_err(|_| bad())?,
            _ => 0,
        };
        match (kind, name) {
            (Kind::Zero, _) => Ok(Self { sectors, kind, name: None, offset }),
            (_, None) => Err(bad()),
            (_, name) => Ok(Self { sectors, kind, name, offset }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extents_are_read_as_written() {
        let text = b"# Disk DescriptorFile\r\nCID=fffffffe\r\nparentCID=ffffffff\r\ncreateType=\"custom\"\r\n\
            RW 4192256 FLAT \"a b-f001.vmdk\" 63\r\nRW 100 SPARSE \"b.vmdk\"\nRDONLY 7 ZERO\nRW 1 VMFS \"c-flat.vmdk\"\n\0RW x";
        require_whole(text).unwrap();
        let extent = |sectors, kind, name: Option<&str>, offset| Extent {
            sectors,
            kind,
            name: name.map(|name| name.as_bytes().to_vec()),
            offset,
        };
        assert_eq!(
            extents(text).unwrap(),
            [
                extent(4_192_256, Kind::Flat, Some("a b-f001.vmdk"), 63),
                extent(100, Kind::Sparse, Some("b.vmdk"), 0),
                extent(7, Kind::Zero, None, 0),
                extent(1, Kind::Flat, Some("c-flat.vmdk"), 0),
            ]
        );
    }

    #[test]
    fn what_is_no_extent_is_said() {
        for line in ["RW", "RW 1", "RW -1 FLAT \"a\" 0", "RW 1 FLAT", "RW 1 FLAT \"a\" x", "RW 1 SPARSE \"\""]
        {
            let error = extents(line.as_bytes()).unwrap_err().to_string();
            assert!(error.contains("is not understood"), "{error}");
        }
        for line in ["RW 1 SESPARSE \"a\"", "NOACCESS 1 FLAT \"a\" 0", "RW 1 VMFSRDM \"a\""] {
            let error = extents(line.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(line) && error.contains("convert"), "{error}");
        }
    }

    #[test]
    fn a_difference_is_refused_by_its_parents_name() {
        let text = b"parentCID=1234abcd\nparentFileNameHint=\"base.vmdk\"\n";
        let error = require_whole(text).unwrap_err().to_string();
        assert!(error.contains("(base.vmdk)"), "{error}");
        let text = b"parentCID = FFFFFFFF\nparentFileNameHint=\"base.vmdk\"\n";
        require_whole(text).unwrap();
    }
}
