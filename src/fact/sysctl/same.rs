//! Whether a value as it is written and a value as the kernel prints it are the same one.

/// Blanks as one each, none at the ends: the kernel prints tabs between the fields of a value.
pub(super) fn normalise(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether writing `written` gives what the kernel shows as `shown`.
///
/// Numbers are compared as numbers, in the notations that the kernel reads (`0x10`, `020`); fewer numbers than
/// the kernel shows set the first ones only, and what follows the numbers it wants is ignored (`10 # ten`).
/// Lists of ranges are compared as sets, because the kernel prints `8080-8081` for `8080,8081`.
pub(super) fn same(written: &str, shown: &str) -> bool {
    let (written, shown) = (normalise(written), normalise(shown));
    if written == shown {
        return true;
    }
    if let (Some(a), Some(b)) = (ranges(&written), ranges(&shown)) {
        return a == b;
    }
    let shown: Option<Vec<i128>> = shown.split(' ').map(number).collect();
    let written: Vec<i128> = written.split(' ').map_while(number).collect();
    shown.is_some_and(|shown| !written.is_empty() && written.iter().zip(&shown).all(|(a, b)| a == b))
}

/// A number in the notation of strtol(3) with base 0.
fn number(text: &str) -> Option<i128> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let value = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => i128::from_str_radix(hex, 16),
        None if digits.len() > 1 && digits.starts_with('0') => i128::from_str_radix(digits, 8),
        None => digits.parse(),
    };
    value.ok().filter(|_| !digits.starts_with('+')).map(|value| if negative { -value } else { value })
}

/// The ranges of `8080,9000-9002`, sorted and joined; `None` for anything else, also for a single number.
fn ranges(text: &str) -> Option<Vec<(u32, u32)>> {
    if !text.contains([',', '-']) || text.starts_with('-') {
        return None;
    }
    let range = |part: &str| {
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        Some((low.trim().parse().ok()?, high.trim().parse().ok()?))
    };
    let mut ranges: Vec<(u32, u32)> = text.split(',').map(range).collect::<Option<_>>()?;
    ranges.sort_unstable();
    let mut joined: Vec<(u32, u32)> = Vec::new();
    for (low, high) in ranges {
        match joined.last_mut() {
            Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
            _ => joined.push((low, high)),
        }
    }
    Some(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_and_notations_do_not_make_a_difference() {
        assert!(same("4096 131072  6291456", "4096\t131072\t6291456\n"));
        assert!(same("0x10", "16"));
        assert!(same("020", "16"));
        assert!(same("10 # ten", "10"));
        assert!(same("7", "7 4 1 7"));
        assert!(same("8081,8080,9000-9002", "8080-8081,9000-9002"));
        assert!(same("-1", "-1"));
        assert!(same("core.%p", "core.%p\n"));
    }

    #[test]
    fn other_values_are_other_values() {
        assert!(!same("1", "0"));
        assert!(!same("7 5", "7 4 1 7"));
        assert!(!same("", "0"));
        assert!(!same("0", ""));
        assert!(!same("cubic", "bbr"));
        assert!(!same("\"1\"", "1"));
        assert!(!same("8080", "8080-8081"));
        assert!(!same("99999999999999999999999999999999999999999999", "1"));
    }
}
