//! Secrets that are known by the names they are given: `DB_PASSWORD=…`, `--token=…`, `bindpw …`.

use super::{Hit, Text};

/// Words in the names of secrets.
const WORDS: [&str; 12] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "api_key",
    "apikey",
    "api-key",
    "access_key",
    "accesskey",
    "private_key",
    "psk",
];

/// How other names of secrets end.
const ENDS: [&str; 2] = ["authtok", "_auth"];

/// Words before a secret, with blanks between, at the start of a line.
const KEYWORDS: [&str; 6] = ["bindpw", "rootbindpw", "requirepass", "masterauth", "rootpw", "psk"];

/// `sentinel auth-pass NAME SECRET` of Redis.
const SENTINEL: &str = "auth-pass";

/// MySQL's `-pPASSWORD`, as an argument.
const OPTION: &str = "\0-p";

/// What is in or before every one of them, each once.
pub(super) fn markers() -> impl Iterator<Item = &'static str> {
    let keywords = KEYWORDS.into_iter().filter(|keyword| !WORDS.contains(keyword));
    WORDS.into_iter().chain(ENDS).chain(keywords).chain([SENTINEL, OPTION])
}

pub(super) fn redact(text: &mut Text<'_>, hits: &[Hit]) {
    let mut done = 0;
    for hit in hits.iter().filter(|hit| markers().any(|marker| marker == hit.marker)) {
        if KEYWORDS.contains(&hit.marker) || hit.marker == SENTINEL {
            keyword(text, hit.at);
        }
        // Two words may be in one name.
        if hit.at < done {
            continue;
        }
        let end = hit.at + text.rest(hit.at).iter().take_while(|b| is_of_name(**b)).count();
        let after = text.rest(end).iter().take_while(|b| matches!(b, b'"' | b'\'' | b' ' | b'\t')).count();
        done = end;
        if text.bytes.get(end + after) == Some(&b'=') {
            done = assigned(text, end + after, is_name).max(done);
        }
    }
    arguments(text);
}

/// A line that begins with a word before a secret.
fn keyword(text: &mut Text<'_>, at: usize) {
    let before = text.bytes.get(..at).unwrap_or_default();
    let start = before.iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
    let words = text.words(start, text.line_end(at));
    let word = |i: usize| words.get(i).and_then(|(from, to)| text.bytes.get(*from..*to)).unwrap_or_default();
    let first = word(0).to_ascii_lowercase();
    let is_keyword = KEYWORDS.iter().any(|keyword| keyword.as_bytes() == first);
    let sentinel = first == b"sentinel" && word(1).eq_ignore_ascii_case(SENTINEL.as_bytes());
    if ((is_keyword && words.len() > 1 && word(1) != b"=") || sentinel)
        && let Some((from, to)) = words.last().copied()
        && is_worth(text.bytes.get(from..to).unwrap_or_default())
    {
        text.hide(from, to, "password");
    }
}

/// Whether what has this name, in small letters, is a secret.
fn is_name(name: &str) -> bool {
    // Where it is kept, how long it lasts, and what is asked of it are none.
    const NOT: [&str; 22] = [
        "file",
        "path",
        "dir",
        "url",
        "uri",
        "endpoint",
        "algorithm",
        "policy",
        "prompt",
        "timeout",
        "expire",
        "expires",
        "type",
        "length",
        "minlen",
        "command",
        "_id",
        "key_id",
        "authentication",
        "enabled",
        "mode",
        "agent",
    ];
    (WORDS.iter().any(|word| name.contains(word)) || ENDS.iter().any(|end| name.ends_with(end)))
        && !NOT.iter().any(|end| name.ends_with(end))
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// Replaces what is assigned to names that are those of secrets, with one of these signs between.
pub(super) fn assignments(text: &mut Text<'_>, signs: &[u8], is_secret: impl Fn(&str) -> bool) {
    let mut at = 0;
    while let Some(sign) = text.rest(at).iter().position(|b| signs.contains(b)).map(|n| at + n) {
        at = assigned(text, sign, &is_secret);
    }
}

/// Replaces what stands after a sign, if a secret's name stands before it; where to look on.
fn assigned(text: &mut Text<'_>, sign: usize, is_secret: impl Fn(&str) -> bool) -> usize {
    let before = |end: usize| end.checked_sub(1).and_then(|i| text.bytes.get(i).copied());
    let mut end = sign;
    while before(end).is_some_and(|b| b == b' ' || b == b'\t') {
        end -= 1;
    }
    if before(end).is_some_and(|b| matches!(b, b'"' | b'\'')) {
        end -= 1;
    }
    let mut start = end;
    while before(start).is_some_and(is_of_name) {
        start -= 1;
    }
    let name = String::from_utf8_lossy(text.bytes.get(start..end).unwrap_or_default()).to_ascii_lowercase();
    if name.is_empty() || !is_secret(&name) {
        return sign + 1;
    }
    // The quote that the whole assignment stands in, as in Environment="A=b c".
    let around = before(start).filter(|b| matches!(b, b'"' | b'\'') && end == sign);
    let (from, to) = value(text, sign + 1, around);
    if is_worth(text.bytes.get(from..to).unwrap_or_default()) {
        text.hide(from, to, "password or token");
    }
    to.max(sign + 1)
}

/// Where a value begins and ends.
fn value(text: &Text<'_>, at: usize, around: Option<u8>) -> (usize, usize) {
    let from = at + text.rest(at).iter().take_while(|b| **b == b' ' || **b == b'\t').count();
    let until = |from: usize, quote: u8| {
        let mut to = from;
        while let Some(byte) = text.bytes.get(to).copied().filter(|b| *b != quote && *b != b'\n' && *b != 0) {
            to += if byte == b'\\' { 2 } else { 1 };
        }
        to.min(text.bytes.len())
    };
    match (text.bytes.get(from), around) {
        (_, Some(quote)) => (from, until(from, quote)),
        (Some(quote @ (b'"' | b'\'')), None) => (from + 1, until(from + 1, *quote)),
        (Some(b'\\'), None) if text.bytes.get(from + 1) == Some(&b'"') => (from + 2, until(from + 2, b'"')),
        _ => {
            let is_end = |b: &u8| {
                b.is_ascii_whitespace() || matches!(b, 0 | b',' | b';' | b'&' | b'"' | b'\'' | b'}' | b']')
            };
            let length = text.rest(from).iter().take_while(|b| !is_end(b)).count();
            (from, from + length)
        }
    }
}

/// Whether a value can be a secret: no switch, number, path or variable.
fn is_worth(value: &[u8]) -> bool {
    const SWITCHES: [&str; 14] = [
        "yes", "no", "true", "false", "on", "off", "none", "null", "optional", "required", "ask", "prompt",
        "enabled", "disabled",
    ];
    let is_switch = SWITCHES.iter().any(|word| value.eq_ignore_ascii_case(word.as_bytes()));
    let is_small = value.len() <= 3 && value.iter().all(u8::is_ascii_digit);
    let is_other = matches!(value, [b'$' | b'{' | b'(' | b'[' | b'<' | b'%' | b'/' | b'*', ..]);
    !value.is_empty() && !is_switch && !is_small && !is_other
}

/// Options of a command line whose value is the next argument, as in /proc/PID/cmdline; and MySQL's `-pPASSWORD`.
fn arguments(text: &mut Text<'_>) {
    let mut bounds = Vec::new();
    let mut start = 0;
    for (i, byte) in text.bytes.iter().enumerate() {
        if *byte == 0 {
            bounds.push((start, i));
            start = i + 1;
        }
    }
    if bounds.len() < 2 {
        return;
    }
    bounds.push((start, text.bytes.len()));
    let argument = |text: &Text<'_>, i: usize| {
        let (from, to) = bounds.get(i).copied().unwrap_or_default();
        String::from_utf8_lossy(text.bytes.get(from..to).unwrap_or_default()).into_owned()
    };
    let program = argument(text, 0);
    let program = program.rsplit('/').next().unwrap_or_default().to_owned();
    for (i, (from, to)) in bounds.iter().enumerate().skip(1) {
        let this = argument(text, i);
        let is_mysql = program.starts_with("mysql") || program.starts_with("mariadb");
        if is_mysql && this.starts_with("-p") && this.len() > 2 {
            text.hide(from + 2, *to, "password or token");
        }
        let before = argument(text, i - 1);
        let is_option = before.starts_with('-') && !before.contains('=');
        let name = before.trim_start_matches('-').to_ascii_lowercase();
        if is_option && is_name(&name) && !this.starts_with('-') && is_worth(this.as_bytes()) {
            text.hide(*from, *to, "password or token");
        }
    }
}
