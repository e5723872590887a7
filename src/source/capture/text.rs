//! How names, metadata and what is missing are written in a manifest: for people as well, and without loss.

use crate::source::{FileKind, Missing, Reason, Stat};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fmt::Write;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

/// Bytes as text: a backslash is doubled, and what is no UTF-8 is written as `\xNN`.
pub(super) fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => text.push_str("\\\\"),
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// The bytes of such a text; an escape that is none stands for itself.
pub(super) fn unescape(text: &str) -> OsString {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match (first, after) {
            (b'\\', [b'\\', after @ ..]) => {
                bytes.push(b'\\');
                rest = after;
            }
            (b'\\', [b'x', high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                let digit =
                    |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok()).unwrap_or(0);
                bytes.push(digit(*high) << 4 | digit(*low));
                rest = after;
            }
            _ => bytes.push(*first),
        }
    }
    OsString::from_vec(bytes)
}

const KINDS: [(FileKind, &str); 8] = [
    (FileKind::File, "file"),
    (FileKind::Directory, "directory"),
    (FileKind::Link, "link"),
    (FileKind::Fifo, "fifo"),
    (FileKind::Socket, "socket"),
    (FileKind::Block, "block"),
    (FileKind::Character, "character"),
    (FileKind::Other, "other"),
];

/// The word for a kind of file.
pub(super) fn kind_word(kind: FileKind) -> &'static str {
    KINDS.iter().find(|(of, _)| *of == kind).map_or("other", |(_, word)| word)
}

/// The kind of this word; one that a newer version knows is some other.
pub(super) fn kind_of(word: &str) -> FileKind {
    KINDS.iter().find(|(_, of)| *of == word).map_or(FileKind::Other, |(kind, _)| *kind)
}

/// `file 0644 0:0 size=1234 allocated=4096 mtime=1700000000`, and `rdev=` of a device.
pub(super) fn stat_text(stat: &Stat) -> String {
    let Stat { kind, mode, uid, gid, size, allocated, mtime, rdev } = stat;
    let mut text = format!(
        "{} {mode:04o} {uid}:{gid} size={size} allocated={allocated} mtime={mtime}",
        kind_word(*kind)
    );
    if *rdev != 0 {
        let _ = write!(text, " rdev={rdev}");
    }
    text
}

/// The same, read; words that are not known here are no matter.
pub(super) fn stat_of(text: &str) -> Option<Stat> {
    let mut words = text.split(' ');
    let kind = kind_of(words.next()?);
    let mode = u32::from_str_radix(words.next()?, 8).ok()? & 0o7777;
    let (uid, gid) = words.next()?.split_once(':')?;
    let (uid, gid) = (uid.parse().ok()?, gid.parse().ok()?);
    let mut stat = Stat { kind, mode, uid, gid, size: 0, allocated: 0, mtime: 0, rdev: 0 };
    for word in words {
        match word.split_once('=')? {
            ("size", n) => stat.size = n.parse().ok()?,
            ("allocated", n) => stat.allocated = n.parse().ok()?,
            ("mtime", n) => stat.mtime = n.parse().ok()?,
            ("rdev", n) => stat.rdev = n.parse().ok()?,
            _ => {}
        }
    }
    Some(stat)
}

/// What is not there, and why.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct WireMissing {
    /// `absent`, or the kind of reason why it could not be read.
    missing: String,
    /// The path in the reason, where it is another one than the one that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    number: Option<u64>,
}

const ABSENT: &str = "absent";
const NOT_COLLECTED: &str = "not-collected";

impl WireMissing {
    pub(super) fn of(missing: &Missing, asked: &str) -> Self {
        let word = |word: &str| Self { missing: word.into(), path: None, text: None, number: None };
        let Missing::Unreadable(why) = missing else { return word(ABSENT) };
        let with_text = |kind: &str, text: &str| Self { text: Some(text.into()), ..word(kind) };
        let with_number = |kind: &str, n: u64| Self { number: Some(n), ..word(kind) };
        let wire = match &why.reason {
            Reason::Denied => word("denied"),
            Reason::WrongKind(kind) => with_text("wrong-kind", kind),
            Reason::TooLarge(cap) => with_number("too-large", *cap),
            Reason::TooMany(cap) => with_number("too-many", *cap as u64),
            Reason::LinkLoop => word("link-loop"),
            Reason::Io(text) => with_text("io", text),
            Reason::Garbled(text) => with_text("garbled", text),
            Reason::NotRead(text) => with_text("not-read", text),
            Reason::NotCollected => word(NOT_COLLECTED),
        };
        Self { path: (*why.path != *asked).then(|| why.path.to_string()), ..wire }
    }

    pub(super) fn missing(&self, asked: &str) -> Missing {
        let text = || self.text.clone().unwrap_or_default();
        let reason = match self.missing.as_str() {
            ABSENT => return Missing::Absent,
            "denied" => Reason::Denied,
            "too-large" => Reason::TooLarge(self.number.unwrap_or(0)),
            "too-many" => Reason::TooMany(self.number.and_then(|n| usize::try_from(n).ok()).unwrap_or(0)),
            "link-loop" => Reason::LinkLoop,
            NOT_COLLECTED => Reason::NotCollected,
            "io" => Reason::Io(text()),
            "garbled" => Reason::Garbled(text()),
            "wrong-kind" => match WRONG.iter().find(|known| Some(**known) == self.text.as_deref()) {
                Some(known) => Reason::WrongKind(known),
                None => Reason::NotRead(format!("is {}", text())),
            },
            // A reason that only a newer version knows.
            other => Reason::NotRead(self.text.clone().unwrap_or_else(|| other.replace('-', " "))),
        };
        Missing::unreadable(Path::new(self.path.as_deref().unwrap_or(asked)), reason)
    }
}

/// What can be there instead of what was expected, in the words of all sources.
const WRONG: [&str; 11] = [
    "a regular file",
    "a directory",
    "a symbolic link",
    "a FIFO",
    "a socket",
    "a block device",
    "a character device",
    "a file of unknown kind",
    "not a directory",
    "not a symbolic link",
    "another device",
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn any_name_is_written_without_loss() {
        for name in [&b"plain"[..], b"a\\b", b"\\x41", b"\xff\xfe\\", "h\u{fc}lle\n\"".as_bytes(), b"", b"\\"]
        {
            assert_eq!(unescape(&escape(name)), OsStr::from_bytes(name), "{name:?}");
        }
        assert_eq!(escape(b"a\xffb"), "a\\xffb");
        assert_eq!(unescape("\\xg1\\q\\x4"), OsStr::new("\\xg1\\q\\x4"));
    }

    #[test]
    fn metadata_is_read_as_it_is_written_and_more_is_no_matter() {
        let stat = Stat {
            kind: FileKind::Block,
            mode: 0o6640,
            uid: 0,
            gid: u32::MAX,
            size: u64::MAX,
            allocated: 7,
            mtime: -5,
            rdev: 2049,
        };
        assert_eq!(stat_of(&stat_text(&stat)), Some(stat));
        let newer = stat_of("file 0644 0:0 size=1 birth=5").unwrap();
        assert_eq!((newer.kind, newer.size), (FileKind::File, 1));
        for bad in ["", "file", "file 9 0:0", "file 0644 0", "file 0644 0:0 size=x", "file 0644 0:0 size"] {
            assert_eq!(stat_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn every_reason_comes_back_as_it_was() {
        let reasons = [
            Reason::Denied,
            Reason::TooLarge(5),
            Reason::TooMany(6),
            Reason::LinkLoop,
            Reason::Io("no such device".into()),
            Reason::Garbled("x".into()),
            Reason::NotRead("y".into()),
        ];
        let wrong = WRONG.map(Reason::WrongKind);
        let all = reasons.into_iter().chain(wrong).map(|reason| Missing::unreadable("/a", reason));
        for missing in all.chain([Missing::Absent]) {
            for asked in ["/a", "/b"] {
                let wire = serde_json::to_string(&WireMissing::of(&missing, asked)).unwrap();
                let read: WireMissing = serde_json::from_str(&wire).unwrap();
                assert_eq!(read.missing(asked), missing, "{wire}");
            }
        }
        for kind in KINDS {
            assert!(kind.0 == FileKind::Other || WRONG.contains(&kind.0.name()), "{}", kind.1);
        }
        let newer: WireMissing =
            serde_json::from_str(r#"{"missing": "quota-exceeded", "since": 5}"#).unwrap();
        assert_eq!(newer.missing("/a"), Missing::unreadable("/a", Reason::NotRead("quota exceeded".into())));
    }
}
