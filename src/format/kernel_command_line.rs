//! The kernel's command line, split as the kernel splits it (`next_arg` in lib/cmdline.c).
//!
//! White space separates parameters, except within double quotes, which may surround a whole parameter
//! or its value. The first `=` ends the name. `--` ends the kernel's part; the rest is for init.

use super::size_suffix;

/// A command line, split.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// The parameters before `--`, in order; a name may repeat.
    pub parameters: Vec<(String, Option<String>)>,
    /// The arguments after `--`.
    pub init: Vec<String>,
}

/// Splits a command line.
pub fn parse(text: &str) -> CommandLine {
    let mut found = CommandLine::default();
    let mut for_init = false;
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let mut quoted = false;
        let end = rest.find(|c: char| {
            quoted ^= c == '"';
            c.is_ascii_whitespace() && !quoted
        });
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after.trim_start();
        if for_init {
            found.init.push(word.to_owned());
        } else if word == "--" {
            for_init = true;
        } else {
            found.parameters.push(split(word));
        }
    }
    found
}

fn split(word: &str) -> (String, Option<String>) {
    let word = unquote(word);
    match word.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(unquote(value).to_owned())),
        None => (word.to_owned(), None),
    }
}

/// Without the quote it begins with, and the one it then ends with.
fn unquote(word: &str) -> &str {
    word.strip_prefix('"').map_or(word, |inner| inner.strip_suffix('"').unwrap_or(inner))
}

/// A number as `memparse` in lib/cmdline.c reads it: decimal, `0x…` or `0…` octal, then K, M, G, T, P or E.
pub fn size(text: &str) -> Option<u64> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => (hex, 16),
        None if text.starts_with('0') => (text, 8),
        None => (text, 10),
    };
    let end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
    let (number, unit) = digits.split_at(end);
    u64::from_str_radix(number, radix).ok()?.checked_mul(1 << size_suffix::shift(unit)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, Option<String>)> {
        parse(text).parameters
    }

    fn pair(name: &str, value: Option<&str>) -> (String, Option<String>) {
        (name.into(), value.map(str::to_owned))
    }

    #[test]
    fn parameters_are_split_at_blanks_and_the_first_equals_sign() {
        let found = pairs("BOOT_IMAGE=/vmlinuz root=UUID=1-2 ro  quiet crashkernel=\n");
        let wanted = [
            pair("BOOT_IMAGE", Some("/vmlinuz")),
            pair("root", Some("UUID=1-2")),
            pair("ro", None),
            pair("quiet", None),
            pair("crashkernel", Some("")),
        ];
        assert_eq!(found, wanted);
        assert_eq!(parse(" \n"), CommandLine::default());
    }

    #[test]
    fn quotes_keep_blanks_and_go() {
        assert_eq!(
            pairs("dyndbg=\"file a.c +p\" ro"),
            [pair("dyndbg", Some("file a.c +p")), pair("ro", None)]
        );
        assert_eq!(pairs("\"name=with blank\" x"), [pair("name", Some("with blank")), pair("x", None)]);
        assert_eq!(pairs("a=\"never closed ro"), [pair("a", Some("never closed ro"))]);
        assert_eq!(pairs("\""), [pair("", None)]);
    }

    #[test]
    fn what_follows_two_dashes_is_for_init() {
        let found = parse("ro -- single --debug=1\n");
        assert_eq!(found.parameters, [pair("ro", None)]);
        assert_eq!(found.init, ["single", "--debug=1"]);
    }

    #[test]
    fn sizes_are_the_kernels() {
        assert_eq!(size("1G"), Some(1 << 30));
        assert_eq!(size("2048k"), Some(2 << 20));
        assert_eq!(size("1073741824"), Some(1 << 30));
        assert_eq!(size("0x200000"), Some(2 << 20));
        assert_eq!(size("0"), Some(0));
        for bad in ["", "G", "1GB", "-1", "99999999999E", "1 G"] {
            assert_eq!(size(bad), None, "{bad:?}");
        }
    }
}
