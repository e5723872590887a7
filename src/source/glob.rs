//! Globs as glob(7) has them: `*` and `?` stay within one part of the path, braces are ordinary characters.

use super::{Host, Missing, Reason, Unreadable};

/// The most paths that a glob stands for: more than any configuration has files.
const MOST: usize = 10_000;

/// The most names that are looked at for one configuration, however many globs it has.
pub(crate) const NAMES: usize = 500_000;

impl Host {
    /// The paths that an absolute glob stands for, sorted as glob(3) does, and the directories that could not be listed.
    ///
    /// A path without a wildcard stands for itself, whether it exists or not. The names that are looked at are taken from
    /// `names_left`, for globs in a hostile file can be many and wide; when none are left, what is there is not known.
    pub(crate) fn glob(&self, glob: &str, names_left: &mut usize) -> (Vec<String>, Vec<Unreadable>) {
        let mut unread = Vec::new();
        let mut found = vec![String::new()];
        for part in glob.split('/').filter(|part| !part.is_empty()) {
            let mut next = Vec::new();
            for dir in found {
                if !is_glob(part) {
                    next.push(format!("{dir}/{part}"));
                    continue;
                }
                if *names_left == 0 {
                    let what = format!("was not listed: the globs before it are of more than {NAMES} names");
                    unread.push(Unreadable { path: glob.into(), reason: Reason::NotRead(what) });
                    return (Vec::new(), unread);
                }
                match self.names(if dir.is_empty() { "/" } else { &dir }) {
                    Ok(names) => {
                        *names_left = names_left.saturating_sub(1 + names.len());
                        let matching = names.into_iter().filter(|name| matches(part, name));
                        next.extend(matching.map(|name| format!("{dir}/{name}")));
                    }
                    Err(Missing::Absent) => *names_left = names_left.saturating_sub(1),
                    // A file where the glob wants a directory.
                    Err(Missing::Unreadable(Unreadable { reason: Reason::WrongKind(_), .. })) => {}
                    Err(Missing::Unreadable(why)) => unread.push(why),
                }
            }
            next.truncate(MOST);
            found = next;
        }
        // The root itself has no part.
        found.iter_mut().filter(|path| path.is_empty()).for_each(|path| path.push('/'));
        (found, unread)
    }
}

/// Whether it is a glob rather than a plain path.
pub(crate) fn is_glob(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

/// Whether the glob matches the whole path.
pub(crate) fn matches(glob: &str, path: &str) -> bool {
    let (mut globs, mut parts) = (glob.split('/'), path.split('/'));
    loop {
        match (globs.next(), parts.next()) {
            (None, None) => return true,
            (Some(glob), Some(part)) if matches_part(glob, part) => {}
            _ => return false,
        }
    }
}

/// Goes back to the last `*` only, which is enough within one part and keeps hostile globs cheap.
fn matches_part(glob: &str, part: &str) -> bool {
    let (mut glob, mut rest) = (glob, part);
    let mut star: Option<(&str, &str)> = None;
    // A leading dot must be matched by a dot.
    if part.starts_with('.') && !glob.starts_with('.') {
        return false;
    }
    loop {
        if let Some(after) = glob.strip_prefix('*') {
            star = Some((after, rest));
            glob = after;
            continue;
        }
        let step = match rest.chars().next() {
            None if glob.is_empty() => return true,
            None => return false,
            Some(c) => one(glob, c).map(|after| (after, &rest[c.len_utf8()..])),
        };
        (glob, rest) = match (step, star) {
            (Some(step), _) => step,
            (None, Some((after, from))) => {
                let mut chars = from.chars();
                chars.next();
                star = Some((after, chars.as_str()));
                (after, chars.as_str())
            }
            (None, None) => return false,
        };
    }
}

/// The rest of the glob after its first element, if that matches the character.
fn one(glob: &str, c: char) -> Option<&str> {
    if let Some(after) = glob.strip_prefix('?') {
        return Some(after);
    }
    match glob.strip_prefix('[').and_then(|set| class(set, c)) {
        Some((matched, after)) => matched.then_some(after),
        None => glob.strip_prefix(c),
    }
}

/// Whether the class that begins here has the character, and what follows it; `None` if it never ends.
fn class(set: &str, c: char) -> Option<(bool, &str)> {
    let negated = set.starts_with(['!', '^']);
    let set = if negated { &set[1..] } else { set };
    // A ] that comes first is one of the characters.
    let end = set.char_indices().skip(1).find(|(_, c)| *c == ']')?.0;
    let (members, after) = (&set[..end], &set[end + 1..]);
    let members: Vec<char> = members.chars().collect();
    let mut found = false;
    let mut rest = members.as_slice();
    while let [first, tail @ ..] = rest {
        rest = match tail {
            ['-', last, tail @ ..] => {
                found |= (*first..=*last).contains(&c);
                tail
            }
            _ => {
                found |= *first == c;
                tail
            }
        };
    }
    Some((found != negated, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    #[test]
    fn a_glob_stands_for_the_files_that_are_there() {
        let mut files = Files::new();
        files.file("/etc/app/b/x.conf", "").file("/etc/app/a/x.conf", "").file("/etc/app/a/y.txt", "");
        files.file("/etc/app/file", "").deny("/etc/secret");
        let host = Host::new(files, Target::root("x"));
        let glob = |glob| host.glob(glob, &mut NAMES.clone());
        assert_eq!(glob("/etc/app/*/*.conf").0, ["/etc/app/a/x.conf", "/etc/app/b/x.conf"]);
        assert_eq!(glob("/etc/app/*/*.conf").1, []);
        assert_eq!(glob("/etc/none/*.conf"), (Vec::new(), Vec::new()));
        assert_eq!(glob("/etc/plain.conf").0, ["/etc/plain.conf"]);
        assert_eq!(glob("/etc/secret/*").1.len(), 1);
        assert_eq!(glob("/*").0, ["/etc"]);
        assert_eq!(glob("/").0, ["/"]);
        let mut left = 3;
        assert_eq!(host.glob("/etc/app/*", &mut left).0.len(), 3);
        assert_eq!((left, host.glob("/etc/app/*", &mut left).1.len()), (0, 1));
    }

    #[test]
    fn a_star_stays_within_one_part() {
        assert!(matches("net/ipv4/conf/*/rp_filter", "net/ipv4/conf/eth0.100/rp_filter"));
        assert!(matches("net/ipv4/conf/*/rp_filter", "net/ipv4/conf/all/rp_filter"));
        assert!(!matches("net/ipv4/*/rp_filter", "net/ipv4/conf/all/rp_filter"));
        assert!(!matches("net/ipv4/conf/*", "net/ipv4/conf/all/rp_filter"));
        assert!(matches("vm/*ap*s*", "vm/swappiness"));
        assert!(!matches("vm/*ap*x", "vm/swappiness"));
    }

    #[test]
    fn classes_and_marks_match_one_character() {
        assert!(matches("net/eth[0-3]/x", "net/eth2/x"));
        assert!(!matches("net/eth[!0-3]/x", "net/eth2/x"));
        assert!(matches("net/eth?/x", "net/eth9/x"));
        assert!(!matches("net/eth?/x", "net/eth10/x"));
        assert!(matches("a[]b]c", "a]c"));
        assert!(matches("a[b", "a[b"));
        assert!(!matches("*", ".hidden"));
        assert!(matches("{a,b}", "{a,b}") && !matches("{a,b}", "a"));
    }

    #[test]
    fn a_hostile_glob_costs_little() {
        let glob = "*a".repeat(2000);
        assert!(!matches(&glob, &"b".repeat(10_000)));
    }
}
