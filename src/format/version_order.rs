//! Which of two versions is the newer: as rpm(8) and boot loaders order kernels (rpmvercmp, the UAPI group's version format).

use std::cmp::Ordering;

/// Compares two versions, part by part: numbers as numbers, letters as letters, a number being newer than letters. `~` makes older
/// than what lacks it, `^` newer; of two that begin alike the longer is the newer.
pub fn compare(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    'part: loop {
        (a, b) = (after_separators(a), after_separators(b));
        for (mark, less) in [(b'~', Ordering::Less), (b'^', Ordering::Greater)] {
            match (a.first() == Some(&mark), b.first() == Some(&mark)) {
                (true, true) => {
                    (a, b) = (a.get(1..).unwrap_or_default(), b.get(1..).unwrap_or_default());
                    continue 'part;
                }
                // A `^` before the end of the other is newer, before more of it older.
                (true, false) if mark == b'^' && !b.is_empty() => return Ordering::Less,
                (false, true) if mark == b'^' && !a.is_empty() => return Ordering::Greater,
                (true, false) => return less,
                (false, true) => return less.reverse(),
                (false, false) => {}
            }
        }
        match (a.first(), b.first()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => {
                let ((x, a_rest), (y, b_rest)) = (split(a, u8::is_ascii_digit), split(b, u8::is_ascii_digit));
                let (x, y) = (without_zeros(x), without_zeros(y));
                match x.len().cmp(&y.len()).then(x.cmp(y)) {
                    Ordering::Equal => (a, b) = (a_rest, b_rest),
                    other => return other,
                }
            }
            (Some(x), Some(y)) if is_letter(x) && is_letter(y) => {
                let ((x, a_rest), (y, b_rest)) = (split(a, is_letter), split(b, is_letter));
                match x.cmp(y) {
                    Ordering::Equal => (a, b) = (a_rest, b_rest),
                    other => return other,
                }
            }
            (Some(x), Some(y)) if is_letter(x) || is_letter(y) => {
                // Numbers are newer than letters.
                return if x.is_ascii_digit() { Ordering::Greater } else { Ordering::Less };
            }
            // Separators and marks are passed over above.
            _ => return a.cmp(b),
        }
    }
}

fn is_letter(byte: &u8) -> bool {
    !byte.is_ascii_digit() && !is_separator(*byte) && !matches!(byte, b'~' | b'^')
}

fn is_separator(byte: u8) -> bool {
    byte.is_ascii() && !byte.is_ascii_alphanumeric() && !matches!(byte, b'~' | b'^')
}

fn after_separators(text: &[u8]) -> &[u8] {
    split(text, |byte| is_separator(*byte)).1
}

fn split(text: &[u8], of: impl Fn(&u8) -> bool) -> (&[u8], &[u8]) {
    text.split_at(text.iter().take_while(|byte| of(byte)).count())
}

fn without_zeros(digits: &[u8]) -> &[u8] {
    split(digits, |byte| *byte == b'0').1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_in_order() {
        let rising = [
            "",
            "2.6.32-71.el6.x86_64",
            "2.6.32-642.el6.x86_64",
            "2.6.32-696.3.2.el6.x86_64",
            "4.9.0-7-amd64",
            "5.14.0-70.el9.x86_64",
            "5.14.0-427.el9.x86_64",
            "6.1.0-9-amd64",
            "6.1.0-28-amd64",
            "6.8~rc1",
            "6.8",
            "6.8^git1",
            "6.8.1",
            "6.10.0",
        ];
        for pair in rising.windows(2) {
            assert_eq!(compare(pair[0], pair[1]), Ordering::Less, "{pair:?}");
            assert_eq!(compare(pair[1], pair[0]), Ordering::Greater, "{pair:?}");
        }
        for same in rising.iter().chain(&["6.08", "~", "^~^", "ä-1"]) {
            assert_eq!(compare(same, same), Ordering::Equal, "{same}");
        }
        assert_eq!(compare("6.08-1", "6.8.1"), Ordering::Equal);
    }

    #[test]
    fn the_order_is_one_and_ends_whatever_comes() {
        let odd =
            ["~a", "^a", "a~", "1^", "1~~", "\u{fffd}1", "a1", "1a", "-", "", "~^", "^~", "1.~2", "a.b"];
        for a in odd {
            for b in odd {
                assert_eq!(compare(a, b), compare(b, a).reverse(), "{a} {b}");
            }
        }
    }
}
