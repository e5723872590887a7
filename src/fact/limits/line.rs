//! One line of limits.conf, read as pam_limits reads it.

use super::{Entry, Value};
use crate::source::At;
use crate::word;

word! {
    /// The kind of a domain, in order of priority: an entry of an earlier kind is never overridden by one of a later kind.
    pub enum Kind {
        /// A user's name, or a range of uids.
        User = "user",
        /// A group: `@group`, or a range of gids.
        Group = "group",
        /// All members of a group together: `%group`; for maxlogins only.
        AllGroup = "all-group",
        /// All users together: `%`; for maxlogins only.
        All = "all",
        /// Everybody for whom nothing else is said: `*`.
        Default = "default",
    }
}

word! {
    /// Which of the two limits a line sets.
    pub enum Which {
        /// The limit in force, which the user may change up to the hard one.
        Soft = "soft",
        /// The ceiling of the soft limit.
        Hard = "hard",
        /// Both.
        Both = "-",
    }
}

impl Which {
    /// Whether it includes the soft limit.
    pub fn has_soft(self) -> bool {
        self != Self::Hard
    }

    /// Whether it includes the hard limit.
    pub fn has_hard(self) -> bool {
        self != Self::Soft
    }
}

/// What a line is.
pub(super) enum Line {
    /// A limit; with what pam_limits reads otherwise than it looks.
    Entry(Box<Entry>, Option<String>),
    /// A domain for which nothing is to be set.
    Exempt(String),
}

/// The items that have a soft and a hard limit, those of setrlimit(2).
pub(super) const ITEMS: [&str; 16] = [
    "as",
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// The part of a line that pam_limits looks at: no comment, no blanks around it.
pub(super) fn significant(line: &str) -> &str {
    // A C string ends at NUL, leading white space of any kind is skipped, but only ` ` and TAB separate.
    let line = line.split('\0').next().unwrap_or_default();
    let line = line.trim_start_matches([' ', '\t', '\r', '\x0b', '\x0c']);
    line.split('#').next().unwrap_or_default().trim_end_matches(BLANKS)
}

/// Reads a line (the function `parse_config_file` and its helpers in pam_limits.c), or says why it is skipped.
pub(super) fn parse(text: &str, at: &At) -> Result<Line, String> {
    let (fields, count) = split(text);
    let [domain, which, item, written] = fields;
    let (which, item) = (which.to_ascii_lowercase(), item.to_ascii_lowercase());
    let range =
        range(domain).ok_or_else(|| format!("invalid uid range `{domain}`: pam_limits skips the line"))?;
    match count {
        4 => {}
        2 if which.starts_with('-') => {
            return match (domain, range) {
                ("*" | "%", _) => Err(format!("`{domain} -` exempts nobody: pam_limits ignores the line")),
                _ => Ok(Line::Exempt(domain.to_owned())),
            };
        }
        n => {
            let s = if n == 1 { "" } else { "s" };
            return Err(format!("{n} field{s} instead of 4: pam_limits skips the line"));
        }
    }
    let kind = match domain.as_bytes() {
        [b'@', ..] => Kind::Group,
        [b'%'] => Kind::All,
        [b'%', ..] if range == Range::Open => {
            return Err(format!(
                "`{domain}`: range unsupported for %group matching, pam_limits ignores the line"
            ));
        }
        [b'%', ..] => Kind::AllGroup,
        b"*" => Kind::Default,
        _ => Kind::User,
    };
    let any_type = matches!(item.as_str(), "maxlogins" | "maxsyslogins" | "nonewprivs" | "chroot");
    if !any_type && item != "priority" && !ITEMS.contains(&item.as_str()) {
        return Err(format!("unknown limit item `{item}`: pam_limits ignores the line"));
    }
    let which = match which.as_str() {
        // These are not soft or hard: the last one holds, whatever its type.
        _ if any_type => Which::Both,
        "soft" | "hard" if item == "priority" => Which::Both,
        "soft" => Which::Soft,
        "hard" => Which::Hard,
        "-" => Which::Both,
        other => return Err(format!("unknown limit type `{other}`: pam_limits ignores the line")),
    };
    let small = written.to_ascii_lowercase();
    let (value, rest) = value(&item, &small).ok_or_else(|| {
        format!("wrong limit value `{}` for {item}: pam_limits ignores the line", written.escape_debug())
    })?;
    if matches!(kind, Kind::All | Kind::AllGroup) && item != "maxlogins" {
        return Err(format!(
            "the domain `{domain}` is valid for maxlogins only: pam_limits ignores the line"
        ));
    }
    let misread = value
        .filter(|_| !rest.trim_matches([' ', '\t', '\r']).is_empty())
        .map(|value| format!("pam_limits takes `{written}` as {value} and ignores `{rest}`"));
    let entry = Entry {
        domain: domain.to_owned(),
        kind,
        r#type: which,
        item,
        value,
        unlimited: value == Some(Value::Unlimited),
        written: written.to_owned(),
        sets_soft: false,
        sets_hard: false,
        overridden_by: None,
        overridden_value: None,
        overridden_type: None,
        exempted_by: None,
        at: at.clone(),
    };
    Ok(Line::Entry(Box::new(entry), misread))
}

const BLANKS: [char; 2] = [' ', '\t'];

/// Three words and the rest of the line; how many of the four there are.
fn split(text: &str) -> ([&str; 4], usize) {
    let mut fields = [""; 4];
    let mut rest = text;
    for (position, field) in fields.iter_mut().enumerate() {
        rest = rest.trim_start_matches(BLANKS);
        let end = if position == 3 { rest.len() } else { rest.find(BLANKS).unwrap_or(rest.len()) };
        (*field, rest) = rest.split_at(end);
    }
    (fields, fields.iter().filter(|f| !f.is_empty()).count())
}

/// Whether a domain is a range of ids.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Range {
    /// A name.
    None,
    /// `:id`
    One,
    /// `id:` or `id:id`
    Open,
}

fn range(domain: &str) -> Option<Range> {
    let Some((min, max)) = domain.strip_prefix(['@', '%']).unwrap_or(domain).split_once(':') else {
        return Some(Range::None);
    };
    let is_id = |id: &str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
    match (min, max) {
        ("", max) if is_id(max) => Some(Range::One),
        (min, "") if is_id(min) => Some(Range::Open),
        (min, max) if is_id(min) && is_id(max) => Some(Range::Open),
        _ => None,
    }
}

/// The value as pam_limits reads it, and the characters that it ignores; none where it refuses the value.
fn value<'a>(item: &str, written: &'a str) -> Option<(Option<Value>, &'a str)> {
    let number = || leading_number(written).map(|(n, rest)| (Some(n), rest));
    Some(match (item, written) {
        ("chroot", _) => (None, ""),
        ("nonewprivs", "0") => (Some(Value::Number(0)), ""),
        ("nonewprivs", "1") => (Some(Value::Number(1)), ""),
        ("nonewprivs", _) => return None,
        ("nice" | "priority", _) => {
            let (n, rest) = number()?;
            (n.map(signed), rest)
        }
        (_, "-1" | "-" | "unlimited" | "infinity") => (Some(Value::Unlimited), ""),
        ("maxlogins" | "maxsyslogins", _) => {
            let (n, rest) = number()?;
            (n.map(signed), rest)
        }
        _ => {
            let (n, rest) = number()?;
            (n.map(unsigned), rest)
        }
    })
}

/// strtol(3) in base 10: sign and digits; the rest.
fn leading_number(written: &str) -> Option<(Value, &str)> {
    let digits_at = usize::from(written.starts_with(['+', '-']));
    let digits = written.get(digits_at..)?.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return None;
    }
    let (number, rest) = written.split_at(digits_at + digits);
    // More than 38 digits: any such number is the largest there is.
    let largest = if written.starts_with('-') { i128::MIN } else { i128::MAX };
    Some((Value::Number(number.parse().unwrap_or(largest)), rest))
}

/// As strtol(3) and the type int hold it.
fn signed(value: Value) -> Value {
    match value {
        Value::Number(n) => Value::Number(n.clamp(i128::from(i32::MIN), i128::from(i32::MAX))),
        Value::Unlimited => value,
    }
}

/// As strtoull(3) holds it: what is too large is the largest, a negative number wraps around.
fn unsigned(value: Value) -> Value {
    const LARGEST: i128 = u64::MAX as i128;
    match value {
        Value::Number(n) if !(-LARGEST..LARGEST).contains(&n) => Value::Unlimited,
        Value::Number(n) if n < 0 => Value::Number(LARGEST + 1 + n),
        other => other,
    }
}
