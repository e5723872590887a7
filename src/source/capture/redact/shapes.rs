//! Secrets that are known by their shape, wherever they stand.

use super::{Hit, Text};

/// What is in every one of them.
pub(super) const MARKERS: &[&str] = &[
    "PRIVATE KEY",
    "$1$",
    "$2",
    "$5$",
    "$6$",
    "$7$",
    "$y$",
    "$gy$",
    "$sha1$",
    "$apr1$",
    "$argon2",
    "$scrypt",
    "grub.pbkdf2.",
    "://",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "xoxa-",
    "xoxs-",
    "hvs.",
    "npm_",
    "sk_live_",
    "rk_live_",
    "AIza",
    "dop_v1_",
    "pypi-",
    "ya29.",
    "eyJ",
    "AGE-SECRET-KEY-",
];

pub(super) fn redact(text: &mut Text<'_>, hits: &[Hit]) {
    for Hit { marker, at } in hits {
        // Markers are found in small letters and capital ones.
        if !text.rest(*at).starts_with(marker.as_bytes()) {
            continue;
        }
        match *marker {
            "PRIVATE KEY" => private_key(text, *at),
            "grub.pbkdf2." => grub(text, *at),
            "://" => url(text, *at),
            _ if marker.starts_with('$') => hash(text, *at),
            _ => token(text, *at, marker),
        }
    }
}

fn find(text: &Text<'_>, what: &[u8], from: usize) -> Option<usize> {
    text.rest(from).windows(what.len()).position(|here| here == what).map(|n| from + n)
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

/// How OpenSSH's format begins: `openssh-key-v1` in base64. The names of the cipher and of what makes its key follow, which
/// tell whether there is a passphrase.
const OPENSSH: &[u8] = b"b3BlbnNzaC1rZXktdjE";
const OPENSSH_KEPT: usize = 40;

/// The body of `-----BEGIN … PRIVATE KEY-----`, RFC 7468 and the like; in JSON its lines end with `\n`.
fn private_key(text: &mut Text<'_>, marker: usize) {
    let before = text.bytes.get(marker.saturating_sub(20)..marker).unwrap_or_default();
    let dashes = find(text, b"-----", marker).filter(|at| *at <= marker + 20);
    let (true, Some(dashes)) = (before.windows(5).any(|word| word == b"BEGIN"), dashes) else { return };
    let mut at = dashes + 5;
    // What follows in a program is no key.
    if !matches!(text.rest(at), [b'\n' | b'\r', ..] | [b'\\', b'n' | b'r', ..]) {
        return;
    }
    let end = find(text, b"-----END", at).unwrap_or(text.bytes.len());
    let mut begun = false;
    while at < end {
        match text.rest(at) {
            [0, ..] => break,
            // An escape of JSON.
            [b'\\', _, ..] => at += 2,
            [byte, ..] if is_base64(*byte) => {
                let run = text.rest(at).iter().take_while(|b| is_base64(**b)).count().min(end - at);
                // `Proc-Type: 4,ENCRYPTED` and `DEK-Info: …`, which come before the key.
                if text.rest(at + run).starts_with(b": ") && !begun {
                    at = text.line_end(at).min(end);
                    continue;
                }
                let is_first = !begun && text.rest(at).starts_with(OPENSSH);
                let kept = if is_first { OPENSSH_KEPT.min(run) } else { 0 };
                text.hide_only(at + kept, at + run, "private key", is_base64);
                begun = true;
                at += run;
            }
            _ => at += 1,
        }
    }
}

const SCHEMES: [&str; 18] = [
    "1", "2", "2a", "2b", "2x", "2y", "5", "6", "7", "y", "gy", "sha1", "md5", "apr1", "argon2i", "argon2d",
    "argon2id", "scrypt",
];

fn is_of_hash(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/' | b'$' | b'=' | b',' | b'+')
}

/// The hash of a password as crypt(5) writes it: `$y$j9T$salt$hash`.
fn hash(text: &mut Text<'_>, at: usize) {
    let length = text.rest(at).iter().take_while(|b| is_of_hash(**b)).count();
    let Ok(hash) = std::str::from_utf8(text.rest(at).get(..length).unwrap_or_default()) else { return };
    let mut parts = hash.split('$').skip(1);
    let scheme = parts.next().filter(|scheme| SCHEMES.contains(scheme)).unwrap_or_default();
    // In shell scripts stand things like $1$HOME.
    let is_hash = |hash: &str| match scheme {
        "" => false,
        // A comma or the end of a sentence may follow.
        "1" | "md5" | "apr1" => (22..=24).contains(&hash.len()),
        "5" | "7" | "y" | "gy" => hash.len() >= 43,
        "6" => hash.len() >= 86,
        "sha1" => hash.len() >= 28,
        _ => hash.len() >= 22,
    };
    if parts.last().is_some_and(is_hash) {
        hash_parts(text, at, at + length);
    }
}

/// Replaces salt and hash of `$scheme$parameters$salt$hash`; parameters are no secret.
pub(super) fn hash_parts(text: &mut Text<'_>, from: usize, to: usize) {
    let Some(hash) = text.bytes.get(from..to) else { return };
    let mut starts: Vec<usize> =
        hash.iter().enumerate().filter(|(_, b)| **b == b'$').map(|(i, _)| from + i + 1).collect();
    if starts.is_empty() {
        return;
    }
    // The scheme stays.
    starts.remove(0);
    let count = starts.len();
    for (i, start) in starts.iter().enumerate() {
        let end = starts.get(i + 1).map_or(to, |next| next - 1);
        let part = text.bytes.get(*start..end).unwrap_or_default();
        let is_parameter =
            (i + 1 < count && i == 0 && part.len() <= 4) || part.contains(&b'=') && i + 1 < count;
        if !is_parameter {
            text.hide_only(*start, end, "password hash", |b| is_of_hash(b) && b != b'$');
        }
    }
}

/// `grub.pbkdf2.sha512.10000.SALT.HASH`, in hex.
fn grub(text: &mut Text<'_>, at: usize) {
    let length = text.rest(at).iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'.').count();
    let dots = text.rest(at).iter().take(length).enumerate().filter(|(_, b)| **b == b'.').map(|(i, _)| i);
    if let Some(fourth) = dots.clone().nth(3) {
        text.hide_only(at + fourth, at + length, "password hash of GRUB", |b| b.is_ascii_alphanumeric());
    }
}

/// Tokens that say themselves what they are, by how they begin; how long they are at least after that.
const TOKENS: [(&str, usize); 21] = [
    ("ghp_", 20),
    ("gho_", 20),
    ("ghu_", 20),
    ("ghs_", 20),
    ("ghr_", 20),
    ("github_pat_", 22),
    ("glpat-", 16),
    ("xoxb-", 16),
    ("xoxp-", 16),
    ("xoxa-", 16),
    ("xoxs-", 16),
    ("hvs.", 16),
    ("npm_", 30),
    ("sk_live_", 16),
    ("rk_live_", 16),
    ("AIza", 30),
    ("dop_v1_", 30),
    ("pypi-", 40),
    ("ya29.", 20),
    ("eyJ", 40),
    ("AGE-SECRET-KEY-", 30),
];

fn token(text: &mut Text<'_>, at: usize, start: &str) {
    let Some((_, least)) = TOKENS.iter().find(|(known, _)| *known == start) else { return };
    let begin = at + start.len();
    // A web token is three parts with dots between.
    let is_part = |b: &u8| (is_base64(*b) && *b != b'/') || (*b == b'.' && start == "eyJ");
    let length = text.rest(begin).iter().take_while(|b| is_part(b)).count();
    let token = text.rest(begin).get(..length).unwrap_or_default();
    // Names such as npm_config_… have none.
    let has_digits = token.iter().any(u8::is_ascii_digit);
    let is_word = at.checked_sub(1).and_then(|i| text.bytes.get(i)).is_some_and(u8::is_ascii_alphanumeric);
    if length >= *least && has_digits && !is_word {
        text.hide_only(begin, begin + length, "token", |b| b != b'.');
    }
}

/// The password in `https://user:password@host/`.
fn url(text: &mut Text<'_>, at: usize) {
    let begin = at + 3;
    let is_in = |b: &u8| {
        !b.is_ascii_whitespace() && !matches!(b, b'/' | b'"' | b'\'' | b'<' | b'>' | b'?' | b'#' | 0)
    };
    let length = text.rest(begin).iter().take_while(|b| is_in(b)).count();
    let authority = text.rest(begin).get(..length).unwrap_or_default();
    let Some(host) = authority.iter().rposition(|b| *b == b'@') else { return };
    let Some(colon) = authority.iter().position(|b| *b == b':').filter(|colon| *colon < host) else { return };
    // A variable's name, or a place to fill in.
    if !matches!(authority.get(colon + 1), Some(b'$' | b'{' | b'%')) {
        text.hide(begin + colon + 1, begin + host, "password in a URL");
    }
}
