//! The release of a kernel, as uname(2) tells it: `5.14.0-427.el9.x86_64`.

/// Its first two numbers.
pub fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn the_first_two_numbers_are_read() {
        assert_eq!(version("5.14.0-427.el9.x86_64\n"), Some((5, 14)));
        assert_eq!(version("6.8-rc1"), Some((6, 8)));
        for odd in ["", "6", "6.x", "v6.8", "99999999999.1", "\0"] {
            assert_eq!(version(odd), None, "{odd:?}");
        }
    }
}
