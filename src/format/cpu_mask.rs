//! Sets of CPUs as the kernel prints masks: hexadecimal, in groups of 32 bits, the lowest CPUs last: `00000001,0000000f`.

use super::ranges::line;

/// Characters of the mask of 8192 CPUs, which is as many as the kernel can have.
const MOST: usize = 8192 / 32 * 9;

/// The CPUs of a mask, ascending; `None` if it is no mask, or is of more than 8192 CPUs.
pub fn cpus(mask: &str) -> Option<Vec<u32>> {
    let mask = line(mask);
    if mask.is_empty() || mask.len() > MOST {
        return None;
    }
    let mut cpus = Vec::new();
    for (group, digits) in (0..).zip(mask.rsplit(',')) {
        if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let bits = u32::from_str_radix(digits, 16).ok()?;
        cpus.extend((0..32).filter(|bit| bits >> bit & 1 == 1).map(|bit| group * 32 + bit));
    }
    Some(cpus)
}

#[cfg(test)]
mod tests {
    use super::cpus;

    #[test]
    fn groups_count_from_the_right() {
        assert_eq!(cpus("f\n"), Some(vec![0, 1, 2, 3]));
        assert_eq!(cpus("00000000,00000000\n"), Some(vec![]));
        assert_eq!(cpus("00000001,80000002"), Some(vec![1, 31, 32]));
        assert_eq!(cpus("00000001\n\0"), Some(vec![0]));
        assert_eq!(cpus("ff"), Some((0..8).collect()));
    }

    #[test]
    fn what_is_no_mask_has_no_cpus() {
        for garbage in ["", "\n", ",", "f,", "0x1", "g", "-1", "+f", "100000000", "\u{fffd}", "f f"] {
            assert_eq!(cpus(garbage), None, "{garbage:?}");
        }
        assert_eq!(cpus(&"f,".repeat(1 << 20)), None);
    }
}
