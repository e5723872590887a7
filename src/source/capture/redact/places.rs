//! Secrets that are known by the file they are in.

use super::shapes::hash_parts;
use super::{Text, names};

pub(super) fn redact(path: &str, text: &mut Text<'_>) {
    let name = path.rsplit('/').next().unwrap_or_default();
    let ends = |all: &[&str]| all.iter().any(|end| path.ends_with(end));
    match path {
        "/etc/shadow" | "/etc/shadow-" | "/etc/gshadow" | "/etc/gshadow-" | "/etc/passwd"
        | "/etc/passwd-" | "/etc/group" | "/etc/group-" => passwords(text, 1),
        "/etc/security/opasswd" | "/etc/security/opasswd.old" => passwords(text, 3),
        _ if name.ends_with(".htpasswd") || name.ends_with("htpasswd") => passwords(text, 1),
        _ if name.ends_with(".keytab") => {
            let end = text.bytes.len();
            // The version comes first, krb5's file-format `keytab`.
            text.hide_only(2, end, "keys of Kerberos", |_| true);
        }
        _ if name == ".vault-token" => {
            let end = text.bytes.len();
            text.hide(0, end, "token");
        }
        _ if name == ".pgpass" => last_fields(text),
        _ if name == ".netrc" || name == "_netrc" => words_after(text, &["password", "account"]),
        _ if ends(&["/chap-secrets", "/pap-secrets"]) => columns(text),
        _ if ends(&["/ipsec.secrets"]) => quoted(text),
        _ if is_cloud(path) => {
            chpasswd(text);
            names::assignments(text, b":=", is_key);
        }
        _ if is_network(path) => names::assignments(text, b":=", is_key),
        _ if path.contains("redis") => acl(text),
        _ if path.contains("/grub") || ends(&["/menu.lst"]) => grub_passwords(text),
        _ if is_credentials(path) => names::assignments(text, b":=", is_key),
        _ => {}
    }
}

/// cloud-init's own copies of user-data, and its configuration.
fn is_cloud(path: &str) -> bool {
    ["/var/lib/cloud/", "/etc/cloud/", "/run/cloud-init/"].iter().any(|start| path.starts_with(start))
}

/// Where networks have their keys.
fn is_network(path: &str) -> bool {
    [
        "/etc/wpa_supplicant",
        "/etc/NetworkManager/",
        "/run/NetworkManager/",
        "/etc/netplan/",
        "/run/netplan/",
        "/etc/iwd/",
        "/var/lib/iwd/",
        "/etc/hostapd",
        "/etc/wireguard/",
    ]
    .iter()
    .any(|start| path.starts_with(start))
}

/// Where programs keep what lets them in elsewhere: the places of the fact `secrets`, and some more.
fn is_credentials(path: &str) -> bool {
    const HERE: [&str; 19] = [
        "/.aws/credentials",
        "/.azure/",
        "/.config/gcloud/",
        "/.docker/config.json",
        "/containers/auth.json",
        "/.kube/",
        "/etc/kubernetes/",
        "/etc/rancher/",
        "/.my.cnf",
        "/.npmrc",
        "/.pypirc",
        "/.cargo/credentials",
        "/.config/gh/",
        "/.terraform.d/",
        "/rclone.conf",
        "/.s3cfg",
        "/.dockercfg",
        "/.git-credentials",
        "/.boto",
    ];
    HERE.iter().any(|part| path.contains(part))
}

/// Whether a key of such a file, in small letters, has a secret.
fn is_key(name: &str) -> bool {
    const WHOLE: [&str; 16] = [
        "auth",
        "pass",
        "pw",
        "psk",
        "sae_password",
        "private_key_id",
        "key",
        "privatekey",
        "presharedkey",
        "_auth",
        "wep-key0",
        "wep_key0",
        "pin",
        "preshared-key",
        "client-key-data",
        "hashed_passwd",
    ];
    const PARTS: [&str; 10] = [
        "password",
        "passwd",
        "passphrase",
        "secret",
        "token",
        "key-data",
        "access_key",
        "authtoken",
        "wep_key",
        "wep-key",
    ];
    const NOT: [&str; 6] = ["expire", "token_uri", "auth_uri", "token_url", "_id", "type"];
    (WHOLE.contains(&name) || PARTS.iter().any(|part| name.contains(part)))
        && !NOT.iter().any(|end| name.ends_with(end))
}

/// Where the fields of a line begin and end.
fn fields(text: &Text<'_>, from: usize, to: usize) -> Vec<(usize, usize)> {
    let (mut fields, mut start) = (Vec::new(), from);
    for (i, byte) in text.bytes.get(from..to).unwrap_or_default().iter().enumerate() {
        if *byte == b':' {
            fields.push((start, from + i));
            start = from + i + 1;
        }
    }
    fields.push((start, to));
    fields
}

/// The hashes in a field of every line, as of shadow(5): what locks one stays, and what is none.
fn passwords(text: &mut Text<'_>, field: usize) {
    for (start, end) in text.lines() {
        let Some((from, to)) = fields(text, start, end).get(field).copied() else { continue };
        // Old passwords are a list.
        let mut hash = from;
        while hash < to {
            let comma = match field {
                3 => text.rest(hash).iter().take(to - hash).position(|b| *b == b',').map_or(to, |n| hash + n),
                _ => to,
            };
            password(text, hash, comma);
            hash = comma + 1;
        }
    }
}

fn password(text: &mut Text<'_>, from: usize, to: usize) {
    let marks = text.rest(from).iter().take(to - from).take_while(|b| matches!(b, b'!' | b'*')).count();
    let from = from + marks;
    match text.bytes.get(from..to).unwrap_or_default() {
        // `x`: it is in shadow. Words such as *LK* and *NP* have no hash.
        [] | [_] => {}
        [b'$', ..] => hash_parts(text, from, to),
        word if marks > 0 && word.ends_with(b"*") => {}
        _ => text.hide_only(from, to, "password hash", |b| {
            b.is_ascii_alphanumeric() || matches!(b, b'.' | b'/') || b >= 0x80
        }),
    }
}

/// The last field of lines of a .pgpass.
fn last_fields(text: &mut Text<'_>) {
    for (start, end) in text.lines() {
        let fields = fields(text, start, end);
        if text.bytes.get(start) != Some(&b'#')
            && let Some((from, to)) = fields.last().copied().filter(|_| fields.len() > 1)
        {
            // One with colons in it is more than the last field.
            let from = fields.get(4).map_or(from, |(fifth, _)| *fifth);
            text.hide(from, to, "password or token");
        }
    }
}

/// The word after each of these, on this line or the next.
fn words_after(text: &mut Text<'_>, keywords: &[&str]) {
    let words = text.words(0, text.bytes.len());
    for pair in words.windows(2) {
        let [(from, to), (next, end)] = pair else { continue };
        let word = text.bytes.get(*from..*to).unwrap_or_default();
        if keywords.iter().any(|keyword| keyword.as_bytes() == word) {
            text.hide(*next, *end, "password or token");
        }
    }
}

/// The third column of pppd's files.
fn columns(text: &mut Text<'_>) {
    for (start, end) in text.lines() {
        if text.bytes.get(start) != Some(&b'#')
            && let Some((from, to)) = text.words(start, end).get(2).copied()
        {
            text.hide(from, to, "password or token");
        }
    }
}

/// What stands in quotes, and the word after PSK or PIN.
fn quoted(text: &mut Text<'_>) {
    let quotes: Vec<usize> =
        text.bytes.iter().enumerate().filter(|(_, b)| **b == b'"').map(|(i, _)| i).collect();
    for pair in quotes.chunks(2) {
        if let [from, to] = pair {
            text.hide(from + 1, *to, "password or token");
        }
    }
    words_after(text, &["PSK", "PIN", "XAUTH", "EAP"]);
}

/// The lines `user:password` below cloud-init's `chpasswd`.
fn chpasswd(text: &mut Text<'_>) {
    let mut depth = None;
    for (start, end) in text.lines() {
        let line = text.bytes.get(start..end).unwrap_or_default();
        let indent = line.iter().take_while(|b| b.is_ascii_whitespace()).count();
        let words = line.trim_ascii();
        if words.is_empty() {
            continue;
        }
        match depth {
            Some(above) if indent > above => {
                let list = words.trim_ascii_start().strip_prefix(b"-").unwrap_or(words).trim_ascii();
                let colon = list.iter().position(|b| *b == b':');
                // What is after the colon of a user's name follows it at once; that of a key does not.
                let is_pair =
                    colon.is_some_and(|colon| list.get(colon + 1).is_some_and(|b| !b.is_ascii_whitespace()));
                if is_pair && let Some(colon) = text.rest(start).iter().position(|b| *b == b':') {
                    text.hide(start + colon + 1, end, "password or token");
                }
            }
            _ => depth = words.starts_with(b"chpasswd").then_some(indent),
        }
    }
}

/// `user default on >password #hash` of redis' ACLs.
fn acl(text: &mut Text<'_>) {
    for (start, end) in text.lines() {
        let words = text.words(start, end);
        let first = words.first().and_then(|(from, to)| text.bytes.get(*from..*to));
        if !first.is_some_and(|word| word.eq_ignore_ascii_case(b"user")) {
            continue;
        }
        for (from, to) in words.iter().skip(2) {
            if matches!(text.bytes.get(*from), Some(b'>' | b'<' | b'#' | b'!')) {
                text.hide(from + 1, *to, "password or token");
            }
        }
    }
}

/// `password --md5 HASH`, `password PASSWORD`, and `password USER PASSWORD` of GRUB 2.
fn grub_passwords(text: &mut Text<'_>) {
    for (start, end) in text.lines() {
        let words = text.words(start, end);
        let first = words.first().and_then(|(from, to)| text.bytes.get(*from..*to)).unwrap_or_default();
        if first == b"password" || first == b"password=" {
            let is_hash = |(from, to): &&(usize, usize)| {
                text.bytes
                    .get(*from..*to)
                    .is_some_and(|word| !word.starts_with(b"-") && !word.starts_with(b"/"))
            };
            if let Some((from, to)) = words.iter().skip(1).rfind(is_hash).copied() {
                match text.bytes.get(from) {
                    Some(b'$') => hash_parts(text, from, to),
                    _ => text.hide(from, to, "password"),
                }
            }
        }
    }
}
