//! `\NNN`: how fstab(5) and the kernel's mount tables write blanks and other bytes inside a field.

/// The characters that a field stands for: `\040` is a blank, `\134` a backslash.
///
/// What is no such escape stays as it is. Bytes that are not UTF-8 become U+FFFD.
pub(crate) fn decode(field: &str) -> String {
    if !field.contains('\\') {
        return field.to_owned();
    }
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let [first, tail @ ..] = rest {
        match escape(rest) {
            Some(byte) => {
                bytes.push(byte);
                rest = rest.get(4..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    crate::source::text(bytes)
}

/// The byte that the escape at the start of `bytes` stands for.
fn escape(bytes: &[u8]) -> Option<u8> {
    let [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] = bytes else {
        return None;
    };
    Some((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'))
}

/// The backslashes of a field that start no escape which all readers of fstab(5) know, as they are written.
///
/// getmntent(3), which systemd reads fstab with, knows `\040` (blank), `\011` (tab), `\012` (newline),
/// `\134` and `\\` (backslash); libmount, which mount(8) reads it with, knows every `\NNN` but not `\\`.
pub(crate) fn doubtful(field: &str) -> Option<String> {
    let mut rest = field;
    while let Some(position) = rest.find('\\') {
        let here = &rest[position..];
        let known = ["\\040", "\\011", "\\012", "\\134"].iter().any(|e| here.starts_with(e));
        if !known {
            return Some(here.chars().take(4).collect());
        }
        rest = &here[4..];
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octal_escapes_become_characters() {
        assert_eq!(decode(r"/mnt/my\040disk"), "/mnt/my disk");
        assert_eq!(decode(r"a\011b\134c\303\274"), "a\tb\\cü");
        assert_eq!(decode("plain"), "plain");
    }

    #[test]
    fn what_is_no_escape_stays() {
        for text in [r"\", r"\0", r"\04", r"\0zz", r"\999", r"a\", r"\777"] {
            assert_eq!(decode(text), text);
        }
    }

    #[test]
    fn escapes_that_readers_disagree_on_are_named() {
        assert_eq!(doubtful(r"/a\040b\134"), None);
        assert_eq!(doubtful(r"/a\040b\0zz"), Some(r"\0zz".into()));
        assert_eq!(doubtful(r"/a\043"), Some(r"\043".into()));
        assert_eq!(doubtful("/a\\ü"), Some("\\ü".into()));
    }
}
