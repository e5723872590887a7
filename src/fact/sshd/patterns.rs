//! Patterns of user, group and host names, and of files to include.
//!
//! Source: match_pattern() and match_pattern_list() of match.c, addr_match_list() of addrmatch.c, glob(3).

use core::net::IpAddr;

/// Whether the whole of `text` matches: `*` any characters, `?` one.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    wild(pattern.as_bytes(), text.as_bytes(), |pattern, byte| match pattern {
        [b'?', ..] => Some(1),
        [p, ..] if *p == byte => Some(1),
        _ => None,
    })
}

/// Whether a name matches a glob(3) pattern without slashes: `*`, `?`, `[a-z]`, `\*`. A leading dot must be written.
pub(super) fn matches_file(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    wild(pattern.as_bytes(), name.as_bytes(), |pattern, byte| match pattern {
        [b'?', ..] => Some(1),
        [b'\\', escaped, ..] => (*escaped == byte).then_some(2),
        [b'[', rest @ ..] => match class(rest, byte) {
            Some((true, length)) => Some(1 + length),
            Some((false, _)) => None,
            None => (byte == b'[').then_some(1),
        },
        [p, ..] if *p == byte => Some(1),
        _ => None,
    })
}

/// Whether a path of an Include is to be looked for, rather than a file's plain name.
pub(super) fn is_glob(path: &str) -> bool {
    path.contains(['*', '?', '[', '\\'])
}

/// Matches with `*`; `one` tells how much of the pattern takes a byte, if it does. Linear but for the last star.
fn wild(pattern: &[u8], text: &[u8], one: impl Fn(&[u8], u8) -> Option<usize>) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(&byte) = text.get(t) {
        let rest = pattern.get(p..).unwrap_or_default();
        if rest.first() == Some(&b'*') {
            p += 1;
            star = Some((p, t));
        } else if let Some(length) = one(rest, byte) {
            p += length;
            t += 1;
        } else if let Some((after, at)) = star {
            p = after;
            t = at + 1;
            star = Some((after, t));
        } else {
            return false;
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|b| *b == b'*')
}

/// Whether the byte is in the class that begins here, and where the class ends; `None` if it is not closed.
fn class(rest: &[u8], byte: u8) -> Option<(bool, usize)> {
    let negated = matches!(rest.first(), Some(b'!' | b'^'));
    let mut at = usize::from(negated);
    let mut found = false;
    let first = at;
    loop {
        let low = *rest.get(at)?;
        if low == b']' && at > first {
            return Some((found != negated, at + 1));
        }
        match (rest.get(at + 1), rest.get(at + 2)) {
            (Some(b'-'), Some(&high)) if high != b']' => {
                found |= (low..=high).contains(&byte);
                at += 3;
            }
            _ => {
                found |= low == byte;
                at += 1;
            }
        }
    }
}

/// What a list of patterns between commas says of a text; a negated one that matches outweighs all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listed {
    Negated,
    No,
    Yes,
}

pub(super) fn listed(list: &str, text: &str) -> Listed {
    let mut found = Listed::No;
    for item in list.split(',') {
        match item.strip_prefix('!') {
            Some(pattern) if matches(pattern, text) => return Listed::Negated,
            None if matches(item, text) => found = Listed::Yes,
            _ => {}
        }
    }
    found
}

/// Whether an address is on a list of addresses, networks and patterns; `None` for a list that sshd refuses.
pub(super) fn address_listed(list: &str, address: Option<&str>) -> Option<Listed> {
    let known: Option<IpAddr> = address.and_then(|a| a.parse().ok());
    let mut found = Listed::No;
    for item in list.split(',') {
        let (negated, item) = item.strip_prefix('!').map_or((false, item), |rest| (true, rest));
        if item.is_empty() {
            return None;
        }
        let hit = match network(item) {
            Network::Bad => return None,
            Network::Of(of, bits) => known.is_some_and(|a| masked(a, bits) == masked(of, bits)),
            Network::None => known.is_some() && address.is_some_and(|a| matches(item, a)),
        };
        match (hit, negated) {
            // What follows is not looked at any more.
            (true, true) => return Some(Listed::Negated),
            (true, false) => found = Listed::Yes,
            _ => {}
        }
    }
    Some(found)
}

enum Network {
    /// No address; a pattern then.
    None,
    /// The mask does not fit the address.
    Bad,
    Of(IpAddr, u32),
}

fn network(item: &str) -> Network {
    let (address, bits) = match item.split_once('/') {
        Some((address, bits)) => match bits.parse::<u32>() {
            Ok(bits) => (address, Some(bits)),
            Err(_) => return Network::None,
        },
        None => (item, None),
    };
    let Ok(address) = address.parse::<IpAddr>() else {
        return Network::None;
    };
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.unwrap_or(most);
    if bits > most || masked(address, bits).1 != number(address) {
        return Network::Bad;
    }
    Network::Of(address, bits)
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

/// The network of an address: its family, and the leading bits.
fn masked(address: IpAddr, bits: u32) -> (bool, u128) {
    let most: u32 = if address.is_ipv4() { 32 } else { 128 };
    let mask = u128::MAX.checked_shl(most.saturating_sub(bits)).unwrap_or(0);
    (address.is_ipv4(), number(address) & mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_as_a_whole() {
        for (pattern, text, expected) in [
            ("root", "root", true),
            ("ro?t", "root", true),
            ("*", "", true),
            ("a*b*c", "aXbYbc", true),
            ("a*b", "abc", false),
            ("Root", "root", false),
            ("!root", "root", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_negated_name_outweighs_the_list() {
        assert_eq!(listed("*,!root", "root"), Listed::Negated);
        assert_eq!(listed("*,!root", "ann"), Listed::Yes);
        assert_eq!(listed("bob,ann*", "anna"), Listed::Yes);
        assert_eq!(listed("bob", "ann"), Listed::No);
    }

    #[test]
    fn networks_must_fit_their_mask() {
        assert_eq!(address_listed("10.0.0.0/8,!10.1.0.0/16", Some("10.2.3.4")), Some(Listed::Yes));
        assert_eq!(address_listed("10.0.0.0/8,!10.1.0.0/16", Some("10.1.3.4")), Some(Listed::Negated));
        assert_eq!(address_listed("10.*", Some("10.1.3.4")), Some(Listed::Yes));
        assert_eq!(address_listed("::1", Some("::1")), Some(Listed::Yes));
        assert_eq!(address_listed("10.0.0.1/8", None), None);
        assert_eq!(address_listed("10.0.0.0/33", None), None);
        assert_eq!(address_listed("a,,b", None), None);
        assert_eq!(address_listed("*.example.com", Some("10.0.0.1")), Some(Listed::No));
    }

    #[test]
    fn files_match_as_in_a_shell() {
        assert!(matches_file("*.conf", "10-a.conf"));
        assert!(!matches_file("*.conf", ".hidden.conf"));
        assert!(matches_file("[0-9]?-*.conf", "10-a.conf"));
        assert!(!matches_file("[!0-9]*", "1"));
        assert!(matches_file("a[", "a["));
        assert!(matches_file("\\*", "*"));
    }
}
