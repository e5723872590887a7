//! Sizes with a letter for their unit, as programs of C write them: `8g`, `512M`, `65536`.

/// How many bits the letter stands for, in powers of 1024; none for no letter.
pub fn shift(suffix: &str) -> Option<u32> {
    match suffix {
        "" => Some(0),
        "k" | "K" => Some(10),
        "m" | "M" => Some(20),
        "g" | "G" => Some(30),
        "t" | "T" => Some(40),
        "p" | "P" => Some(50),
        "e" | "E" => Some(60),
        _ => None,
    }
}

/// A decimal number and such a letter, or none.
pub fn size(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, suffix) = text.split_at(digits);
    number.parse::<u64>().ok()?.checked_mul(1 << shift(suffix)?)
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn letters_are_powers_of_1024() {
        assert_eq!(
            ["0", "65536", "8k", "512M", "4G", "1t"].map(size),
            [0, 65536, 8 << 10, 512 << 20, 4 << 30, 1 << 40].map(Some)
        );
        assert_eq!(
            ["", "k", "-1", "8kb", "8 k", "16E", "99999999999999999999", "8\u{e9}"].map(size),
            [None; 8]
        );
    }
}
