//! The records of pax(1) before a member, which say of it what its header has no room for.

use crate::source::archive::sparse::Map;

/// Records that hold for the next member, or for all that follow.
#[derive(Clone, Debug, Default)]
pub(super) struct Records {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) mtime: Option<i64>,
    pub(super) sparse: Option<Map>,
    /// The format of a map that lies before the contents.
    pub(super) sparse_major: Option<u64>,
    pub(super) sparse_name: Option<Vec<u8>>,
    pub(super) real_size: Option<u64>,
}

impl Records {
    /// Lines of `LENGTH KEY=VALUE`; what is none ends them.
    pub(super) fn read(&mut self, mut text: &[u8]) {
        while let Some((length, _)) = split(text, b' ') {
            let Some(length) = decimal::<usize>(length) else { return };
            let Some(line) = text.get(..length) else { return };
            text = text.get(length..).unwrap_or_default();
            let Some((_, pair)) = split(line, b' ') else { return };
            let Some((key, value)) = split(pair.strip_suffix(b"\n").unwrap_or(pair), b'=') else { return };
            match key {
                b"path" => self.path = Some(value.to_vec()),
                b"linkpath" => self.link = Some(value.to_vec()),
                b"size" => self.size = decimal(value),
                b"uid" => self.uid = decimal(value),
                b"gid" => self.gid = decimal(value),
                b"mtime" => {
                    let whole = value.split(|b| *b == b'.').next().unwrap_or_default();
                    self.mtime = decimal(whole);
                }
                b"GNU.sparse.name" => self.sparse_name = Some(value.to_vec()),
                b"GNU.sparse.realsize" | b"GNU.sparse.size" => {
                    self.map();
                    self.real_size = decimal(value);
                }
                b"GNU.sparse.major" => self.sparse_major = decimal(value),
                b"GNU.sparse.map" => self.map().read(value),
                b"GNU.sparse.offset" => self.map().place(decimal(value)),
                b"GNU.sparse.numbytes" => self.map().bytes(decimal(value)),
                _ => {}
            }
        }
    }

    fn map(&mut self) -> &mut Map {
        self.sparse.get_or_insert_default()
    }

    pub(super) fn or(self, global: &Self) -> Self {
        Self {
            path: self.path.or_else(|| global.path.clone()),
            link: self.link.or_else(|| global.link.clone()),
            size: self.size.or(global.size),
            uid: self.uid.or(global.uid),
            gid: self.gid.or(global.gid),
            mtime: self.mtime.or(global.mtime),
            ..self
        }
    }
}

fn split(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = text.iter().position(|b| *b == at)?;
    Some((text.get(..place)?, text.get(place + 1..)?))
}

pub(in crate::source::archive) fn decimal<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
