//! The text of a PAM service file as libpam reads it: continued lines, comments, tokens, columns.
//!
//! Follows `_pam_line_assemble` and `_pam_tokenize` of Linux-PAM 1.6 and later. (Before, a blank or comment line
//! within a continued line was skipped; now it ends that line.)

use super::control::{self, Control};
use super::records::PamType;
use crate::source::At;
use std::sync::Arc;

/// A line with its continuation lines.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Logical {
    /// The number of its first line, from 1.
    pub(super) line: u32,
    /// The text, without the comment.
    pub(super) text: String,
}

/// The lines of a file, and the line at which a continued line begins that the end of the file cuts off.
pub(super) fn logical_lines(text: &str) -> (Vec<Logical>, Option<u32>) {
    let mut lines = Vec::new();
    let mut open: Option<Logical> = None;
    let mut continued = false;
    for (index, raw) in text.split_inclusive('\n').enumerate() {
        // libpam handles C strings.
        let raw = raw.split('\0').next().unwrap_or("");
        let line = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let body = raw.trim_end_matches([' ', '\t', '\n']);
        let kept = match body.strip_suffix('\\') {
            Some(before) if !raw.contains('#') => {
                continued = true;
                before
            }
            _ => {
                continued = false;
                raw.split('#').next().unwrap_or("")
            }
        };
        let kept = kept.trim_start_matches([' ', '\t']).trim_end_matches('\n');
        if continued || open.is_some() || !kept.is_empty() {
            let logical = open.get_or_insert_with(|| Logical { line, text: String::new() });
            logical.text.push_str(kept);
            if continued {
                logical.text.push(' ');
            } else {
                lines.extend(open.take());
            }
        }
    }
    (lines, open.filter(|_| continued).map(|l| l.line))
}

/// The next token of `rest`, which moves on. `[a b]` is one token; `\]` in it is `]`.
pub(super) fn token(rest: &mut &str) -> Option<String> {
    const BLANKS: [char; 3] = [' ', '\t', '\n'];
    let text = rest.trim_start_matches(BLANKS);
    if let Some(inner) = text.strip_prefix('[') {
        let mut token = String::new();
        let mut chars = inner.char_indices().peekable();
        while let Some((_, c)) = chars.next() {
            match c {
                ']' => break,
                '\\' if chars.next_if(|(_, next)| *next == ']').is_some() => token.push(']'),
                _ => token.push(c),
            }
        }
        *rest = chars.peek().and_then(|(at, _)| inner.get(*at..)).unwrap_or("");
        return Some(token);
    }
    if text.is_empty() {
        *rest = "";
        return None;
    }
    let (token, after) = text.split_once(BLANKS).unwrap_or((text, ""));
    *rest = after;
    Some(token.to_owned())
}

/// One line of a service file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    /// Where.
    pub(super) at: At,
    /// The line as libpam sees it.
    pub(super) text: String,
    /// The first column; `None` where it is none of the four, or for `@include`.
    pub(super) ty: Option<PamType>,
    /// Whether the first column begins with `-`.
    pub(super) optional: bool,
    /// The second column, as it is written.
    pub(super) control: String,
    /// The rest.
    pub(super) what: What,
    /// What libpam finds wrong.
    pub(super) fault: Option<String>,
    /// Whether libpam makes the line fail whatever its module would say.
    pub(super) must_fail: bool,
}

/// What a line asks for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    /// Call a module.
    Module {
        /// How its results count.
        control: Box<Control>,
        /// The module as it is named.
        module: Option<String>,
        /// Its arguments.
        arguments: Vec<String>,
    },
    /// `include` or `substack`: lines of the same type from another file.
    Include {
        /// Whether it is `substack`.
        substack: bool,
        /// The file as it is named.
        target: Option<String>,
    },
    /// `@include` (Debian): all lines from another file.
    Whole {
        /// The file as it is named.
        target: Option<String>,
    },
}

/// Parses one line; `rest` is its text without the service column of pam.conf.
pub(super) fn line(path: &Arc<str>, number: u32, rest: &str) -> Line {
    let text = rest.trim_matches([' ', '\t', '\n']).to_owned();
    let at = At::line(path.clone(), number);
    let mut rest = rest;
    let mut fault = None;
    let mut must_fail = false;
    let mut fail = |what: String| {
        must_fail = true;
        fault.get_or_insert(what);
    };

    let word = token(&mut rest).unwrap_or_default();
    if word.eq_ignore_ascii_case("@include") {
        let target = token(&mut rest);
        if target.is_none() {
            fail("@include names no file".into());
        }
        let what = What::Whole { target };
        return Line { at, text, ty: None, optional: false, control: word, what, fault, must_fail };
    }
    let optional = word.starts_with('-');
    let bare = word.strip_prefix('-').unwrap_or(&word);
    let ty = PamType::of(bare);
    if ty.is_none() {
        fail(match bare {
            "" => "there is no type".into(),
            other => format!("`{other}` is none of auth, account, password, session"),
        });
    }

    let written = token(&mut rest);
    let control = written.clone().unwrap_or_default();
    let include = ["include", "substack"].iter().position(|w| control.eq_ignore_ascii_case(w));
    if let Some(position) = include {
        let target = token(&mut rest);
        if target.is_none() {
            fail(format!("{control} names no file"));
        }
        let what = What::Include { substack: position == 1, target };
        return Line { at, text, ty, optional, control, what, fault, must_fail };
    }
    let parsed = match &written {
        Some(written) => control::parse(written),
        None => {
            fail("there is no control, such as required".into());
            Control { actions: control::Actions::ALL_BAD, pairs: Vec::new(), fault: None }
        }
    };
    let module = token(&mut rest);
    if module.is_none() {
        fail("no module is named".into());
    }
    let arguments = std::iter::from_fn(|| token(&mut rest)).collect();
    let fault = fault.or_else(|| parsed.fault.clone());
    let what = What::Module { control: Box::new(parsed), module, arguments };
    Line { at, text, ty, optional, control, what, fault, must_fail }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Line {
        line(&"/etc/pam.d/x".into(), 3, text)
    }

    fn tokens(text: &str) -> Vec<String> {
        let mut rest = text;
        std::iter::from_fn(|| token(&mut rest)).collect()
    }

    #[test]
    fn comments_blank_lines_and_continuations_are_put_together() {
        let text = "#%PAM-1.0\n\n  auth \\\n\trequired \\\n pam_env.so # x \\\naccount include a\n";
        let (lines, cut) = logical_lines(text);
        let found: Vec<_> = lines.iter().map(|l| (l.line, l.text.as_str())).collect();
        assert_eq!(found, [(3, "auth  required  pam_env.so "), (6, "account include a")]);
        assert_eq!(cut, None);
        assert_eq!(logical_lines("").0, []);
        assert_eq!(logical_lines("#\n \n\t\n").0, []);
    }

    #[test]
    fn a_file_that_ends_within_a_continued_line_is_noticed() {
        assert_eq!(logical_lines("auth required a.so\nauth required \\\n").1, Some(2));
        assert_eq!(logical_lines("auth required \\").1, Some(1));
        assert_eq!(logical_lines("auth required a.so").1, None);
    }

    #[test]
    fn brackets_hold_blanks_and_escaped_brackets() {
        let text = r"auth [success=2 default=ignore]pam_x.so [query=[a\] b] last";
        assert_eq!(tokens(text), ["auth", "success=2 default=ignore", "pam_x.so", "query=[a] b", "last"]);
        assert_eq!(tokens("[never closed"), ["never closed"]);
        assert_eq!(tokens("  \t"), [""; 0]);
    }

    #[test]
    fn a_line_has_its_columns() {
        let found = parse("-Session optional pam_systemd.so a=b");
        assert_eq!((found.ty, found.optional), (Some(PamType::Session), true));
        assert_eq!(found.fault, None);
        assert_eq!(found.at.to_string(), "/etc/pam.d/x:3");
        let What::Module { module, arguments, .. } = found.what else { panic!() };
        assert_eq!((module.as_deref(), arguments), (Some("pam_systemd.so"), vec!["a=b".to_owned()]));
        let found = parse("auth substack password-auth");
        assert_eq!(found.what, What::Include { substack: true, target: Some("password-auth".into()) });
        let found = parse("@include common-auth");
        assert_eq!(found.what, What::Whole { target: Some("common-auth".into()) });
    }

    #[test]
    fn malformed_lines_say_what_is_wrong() {
        for (text, what) in [
            ("auht required pam_env.so", "`auht` is none of"),
            ("auth requird pam_env.so", "`requird` is no control"),
            ("auth required", "no module is named"),
            ("auth", "there is no control"),
            (" ", "there is no type"),
            ("auth include", "names no file"),
            ("@include", "names no file"),
            ("\u{feff}auth required pam_env.so", "is none of auth"),
        ] {
            let fault = parse(text).fault.unwrap_or_default();
            assert!(fault.contains(what), "{text}: {fault}");
        }
        assert!(!parse("auth requird pam_env.so").must_fail, "the module still runs; its result is bad");
    }
}
