//! Lists of numbers as the kernel prints CPUs, NUMA nodes and ports: `0-3,8,10-11`.
//!
//! Some kernels (5.15 is one) print a NUL after the end of the line, `bitmap_print_to_buf` in lib/bitmap.c.

/// How many numbers a list such as `0-3,8` names; `None` if it is no such list. An empty list names none.
pub fn count(list: &str) -> Option<u32> {
    parse(list)?
        .into_iter()
        .try_fold(0_u32, |sum, (first, last)| sum.checked_add(last - first)?.checked_add(1))
}

/// The first and the last number of each range of a list such as `0-3,8`; `None` if it is no such list.
pub fn parse(list: &str) -> Option<Vec<(u32, u32)>> {
    let list = line(list);
    let parts = list.split(',').filter(|_| !list.is_empty()).map(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        (first <= last).then_some((first, last))
    });
    parts.collect()
}

/// The numbers that such a list names, in its order; `None` if it is no such list, or names more than 8192, which is as many CPUs as the
/// kernel can have.
pub fn numbers(list: &str) -> Option<Vec<u32>> {
    if count(list)? > 1 << 13 {
        return None;
    }
    Some(parse(list)?.into_iter().flat_map(|(first, last)| first..=last).collect())
}

/// The line without its end.
pub(super) fn line(text: &str) -> &str {
    text.strip_suffix("\n\0").unwrap_or(text).trim()
}

#[cfg(test)]
mod tests {
    use super::{count, numbers, parse};

    #[test]
    fn lists_are_unfolded_up_to_a_cap() {
        assert_eq!(numbers("0-2,8\n"), Some(vec![0, 1, 2, 8]));
        assert_eq!(numbers("5"), Some(vec![5]));
        assert_eq!(numbers("0,64\n\0"), Some(vec![0, 64]));
        assert_eq!(numbers("\n"), Some(vec![]));
        assert_eq!(numbers("0-8192"), None);
        assert_eq!(numbers("3-1"), None);
    }

    #[test]
    fn ranges_and_single_numbers_are_counted() {
        assert_eq!(count("0\n"), Some(1));
        assert_eq!(count("0-3,8,10-11\n"), Some(7));
        assert_eq!(count("\n"), Some(0));
        assert_eq!(parse("0-3,8\n"), Some(vec![(0, 3), (8, 8)]));
    }

    #[test]
    fn what_is_no_list_has_no_count() {
        for garbage in ["a", "3-1", "0-", ",", "0,,2", "0-4294967295", "-1", "\u{fffd}", "0-3\0"] {
            assert_eq!(count(garbage), None, "{garbage:?}");
        }
    }
}
