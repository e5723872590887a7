//! access.conf(5) as pam_access reads it, as far as it concerns root.

use std::collections::HashSet;

/// What the first line that matches says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// No line matches: the next file decides, at last root is let in.
    NoMatch,
    /// Let in.
    Admitted,
    /// Refused by this line, wherever root comes from.
    Refused(usize),
    /// It depends on where root comes from, or on a netgroup.
    Unknown,
}

/// How the file is written (the module's options `fieldsep`, `listsep`, `nodefgroup`).
pub(super) struct Format<'a> {
    pub(super) fields: &'a str,
    pub(super) items: &'a str,
    /// Whether a name without parentheses may be a group.
    pub(super) bare_groups: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Match {
    Yes,
    No,
    Maybe,
}

/// What the file says of root, who is in these groups, for a service.
pub(super) fn judge(text: &str, service: &str, groups: &HashSet<String>, format: &Format<'_>) -> Verdict {
    for (index, raw) in text.split_inclusive('\n').enumerate() {
        // The module skips a last line without a line end.
        let Some(line) = raw.strip_suffix('\n') else { continue };
        if line.starts_with('#') {
            continue;
        }
        let is_separator = |c: char| format.fields.contains(c);
        let mut fields = line.trim_end().splitn(3, is_separator);
        let (Some(permission), Some(users), Some(origins)) = (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let admits = match permission.chars().next() {
            Some('+') => true,
            Some('-') => false,
            _ => continue,
        };
        let user = list(users, format.items, |token| user(token, groups, format.bare_groups));
        if user == Match::No {
            continue;
        }
        let origin = list(origins, format.items, |token| origin(token, service));
        match (user, origin) {
            (_, Match::No) => {}
            (Match::Yes, Match::Yes) if admits => return Verdict::Admitted,
            (Match::Yes, Match::Yes) => return Verdict::Refused(index + 1),
            _ => return Verdict::Unknown,
        }
    }
    Verdict::NoMatch
}

/// Matches a list with its EXCEPTs, from left to right as the module does.
fn list(text: &str, separators: &str, matches: impl Fn(&str) -> Match) -> Match {
    let mut including = true;
    let mut matched = Match::No;
    let mut result = Match::No;
    for token in text.split(|c| separators.contains(c)).filter(|t| !t.is_empty()) {
        if token.eq_ignore_ascii_case("EXCEPT") {
            match matched {
                Match::No => break,
                Match::Maybe => return Match::Maybe,
                Match::Yes => {}
            }
            including = !including;
            matched = Match::No;
            continue;
        }
        let now = if including { Match::Yes } else { Match::No };
        match matches(token) {
            Match::Yes => (result, matched) = (now, Match::Yes),
            Match::Maybe => {
                if result != now {
                    result = Match::Maybe;
                }
                if matched == Match::No {
                    matched = Match::Maybe;
                }
            }
            Match::No => {}
        }
    }
    result
}

fn user(token: &str, groups: &HashSet<String>, bare_groups: bool) -> Match {
    let member = |group: &str| groups.contains(group);
    if let Some(group) = token.strip_prefix('(').and_then(|t| t.strip_suffix(')')) {
        return if member(group) || group == "0" { Match::Yes } else { Match::No };
    }
    if token.starts_with('@') {
        return Match::Maybe;
    }
    if let Some((name, _host)) = token.split_once('@') {
        return if user(name, groups, bare_groups) == Match::No { Match::No } else { Match::Maybe };
    }
    let named = ["ALL", "root", "0"].iter().any(|name| token.eq_ignore_ascii_case(name));
    if named || (bare_groups && member(token)) { Match::Yes } else { Match::No }
}

/// Where a login comes from is not known, only whether it is over the network.
fn origin(token: &str, service: &str) -> Match {
    let remote = service == "sshd";
    if token.eq_ignore_ascii_case("ALL") {
        Match::Yes
    } else if token.eq_ignore_ascii_case("LOCAL") {
        if remote { Match::No } else { Match::Yes }
    } else if remote || !token.contains(['/', '.']) {
        Match::Maybe
    } else {
        // A network or a domain, which no terminal is.
        Match::No
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge_root(text: &str, service: &str) -> Verdict {
        let format = Format { fields: ":", items: ", \t", bare_groups: true };
        judge(text, service, &HashSet::from(["root".to_owned()]), &format)
    }

    #[test]
    fn the_first_line_that_matches_decides() {
        assert_eq!(judge_root("# none\n\n", "sshd"), Verdict::NoMatch);
        assert_eq!(judge_root("-:root:ALL\n", "sshd"), Verdict::Refused(1));
        assert_eq!(judge_root("+:root:ALL\n-:ALL:ALL\n", "sshd"), Verdict::Admitted);
        assert_eq!(judge_root("+ : admins : ALL\n- : ALL : ALL\n", "sshd"), Verdict::Refused(2));
        assert_eq!(judge_root("-:ALL EXCEPT wheel root:ALL\n", "sshd"), Verdict::NoMatch);
        assert_eq!(judge_root("-:ALL EXCEPT (wheel):ALL\n", "login"), Verdict::Refused(1));
    }

    #[test]
    fn where_root_comes_from_matters() {
        assert_eq!(judge_root("-:root:LOCAL\n", "login"), Verdict::Refused(1));
        assert_eq!(judge_root("-:root:LOCAL\n", "sshd"), Verdict::NoMatch);
        assert_eq!(judge_root("-:root:ALL EXCEPT LOCAL\n", "login"), Verdict::NoMatch);
        assert_eq!(judge_root("-:root:ALL EXCEPT LOCAL\n", "sshd"), Verdict::Refused(1));
        assert_eq!(judge_root("+:root:10.0.0.0/8\n-:root:ALL\n", "sshd"), Verdict::Unknown);
        assert_eq!(judge_root("+:root:10.0.0.0/8\n-:root:ALL\n", "login"), Verdict::Refused(2));
        assert_eq!(judge_root("-:@admins:ALL\n", "sshd"), Verdict::Unknown);
    }

    #[test]
    fn malformed_lines_are_skipped_as_the_module_does() {
        assert_eq!(judge_root("-:root\nroot:ALL:x\n*:root:ALL\n\0\n", "sshd"), Verdict::NoMatch);
        assert_eq!(judge_root("-:root:ALL", "sshd"), Verdict::NoMatch, "no line end");
    }
}
