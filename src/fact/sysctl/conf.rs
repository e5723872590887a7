//! The syntax of sysctl.d(5): text in, lines out. Nothing is decided here about which line wins.

use super::MalformedSysctl;
use crate::source::At;
use std::sync::Arc;

/// One line that says something about a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The key as a path below /proc/sys: `net/ipv4/conf/eth0.100/rp_filter`; may be a glob.
    pub(super) path: String,
    /// What it sets; `None` for `-key` without `=`, which takes the key out of what globs set.
    pub(super) value: Option<String>,
    /// Whether a `-` before the key says that a failure does not matter.
    pub(super) ignore_failure: bool,
    /// File and line.
    pub(super) at: At,
}

/// What stands in one file.
#[derive(Debug, Default)]
pub(super) struct Conf {
    pub(super) lines: Vec<Line>,
    pub(super) malformed: Vec<MalformedSysctl>,
}

/// systemd's WHITESPACE: no others are taken off, so a no-break space stays part of a key.
/// The kernel's PATH_MAX.
const MAX_KEY: usize = 4096;

const BLANKS: [char; 4] = [' ', '\t', '\n', '\r'];

/// Reads one file.
pub(super) fn parse(path: &str, text: &str) -> Conf {
    let path: Arc<str> = path.into();
    let mut conf = Conf::default();
    for (line, number) in text.split('\n').zip(1..) {
        let line = line.trim_matches(BLANKS);
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let at = At::line(Arc::clone(&path), number);
        match assignment(line, at.clone()) {
            Ok(found) => conf.lines.push(found),
            Err(reason) => conf.malformed.push(MalformedSysctl {
                text: line.chars().take(200).collect(),
                reason: reason.to_owned(),
                at,
            }),
        }
    }
    conf
}

fn assignment(line: &str, at: At) -> Result<Line, &'static str> {
    let (key, value) = match line.split_once('=') {
        Some((key, value)) => (key, Some(value.trim_matches(BLANKS))),
        None if line.starts_with('-') => (line, None),
        None => return Err("is not an assignment: there is no ="),
    };
    let bare = key.strip_prefix('-');
    let key = bare.unwrap_or(key).trim_matches(BLANKS);
    if key.len() > MAX_KEY {
        return Err("the key is longer than any path");
    }
    if key.is_empty() {
        return Err("there is no key before the =");
    }
    if key.contains(char::is_whitespace) {
        return Err("there is a blank within the key");
    }
    if !key.chars().all(|c| c.is_ascii_graphic()) {
        return Err("the key has characters that no key has");
    }
    let path = path_of(key);
    if path.split('/').any(|part| part == "..") {
        return Err("the key leads out of /proc/sys");
    }
    Ok(Line { path, value: value.map(str::to_owned), ignore_failure: bare.is_some() && value.is_some(), at })
}

/// The path below /proc/sys that a key names: when the first separator is a dot, dots and slashes change places.
pub(super) fn path_of(key: &str) -> String {
    let swapped = match key.find(['.', '/']) {
        Some(first) if key.as_bytes().get(first) == Some(&b'.') => swap(key),
        _ => key.to_owned(),
    };
    swapped.split('/').filter(|part| !part.is_empty() && *part != ".").collect::<Vec<_>>().join("/")
}

/// The key as people write it, with dots: `net.ipv4.conf.eth0/100.rp_filter`.
pub(super) fn key_of(path: &str) -> String {
    swap(path)
}

fn swap(text: &str) -> String {
    let swapped = |c| match c {
        '.' => '/',
        '/' => '.',
        other => other,
    };
    text.chars().map(swapped).collect()
}
