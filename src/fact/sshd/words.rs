//! Lines of sshd_config as sshd takes them apart.
//!
//! Source: strdelim() and argv_split() of misc.c, and process_server_config_line() of servconf.c. Since 8.7 arguments are split as
//! a shell would and a `#` ends them; before, a double quote was the only one, and all from a `#` on was cut off beforehand.

/// A line that is neither blank nor a comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Words {
    /// The keyword as it is written.
    pub(super) keyword: String,
    /// Its arguments; `None` where quotes are not closed.
    pub(super) arguments: Option<Vec<String>>,
    /// All that follows the keyword, as it is written.
    pub(super) rest: String,
}

const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

/// Takes a line apart; `old` is what was done before 8.7.
pub(super) fn split(line: &str, old: bool) -> Option<Words> {
    let line = if old { line.split('#').next().unwrap_or("") } else { line };
    let line = line.trim_matches(BLANKS).trim_end_matches([' ', '\t', '\r', '\n', '\x0c']);
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let (keyword, rest) = match delimited(line, true) {
        // A `=` or an opening quote at the start of the line leaves nothing before it.
        Some((first, Some(rest))) if first.is_empty() => delimited(rest, true)?,
        found => found?,
    };
    if keyword.is_empty() || keyword.starts_with('#') {
        return None;
    }
    let rest = rest.unwrap_or("");
    let arguments = if old { split_old(rest) } else { split_new(rest) };
    Some(Words { keyword, arguments, rest: rest.trim_matches(BLANKS).to_owned() })
}

/// The first word and what follows it, as strdelim() does: blanks end a word, and one `=` among them.
fn delimited(text: &str, equals: bool) -> Option<(String, Option<&str>)> {
    let ends = |c: char| BLANKS.contains(&c) || c == '"' || (equals && c == '=');
    let Some(at) = text.find(ends) else {
        return Some((text.to_owned(), None));
    };
    let (before, rest) = text.split_at(at);
    let found = rest.chars().next()?;
    let rest = rest.get(1..)?;
    if found == '"' {
        let (quoted, rest) = rest.split_once('"')?;
        return Some((format!("{before}{quoted}"), Some(rest.trim_start_matches(BLANKS))));
    }
    let rest = rest.trim_start_matches(BLANKS);
    let rest = match rest.strip_prefix('=') {
        Some(after) if equals && found != '=' => after.trim_start_matches(BLANKS),
        _ => rest,
    };
    Some((before.to_owned(), Some(rest)))
}

fn split_old(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = Some(text);
    while let Some(text) = rest {
        let (word, after) = delimited(text, true)?;
        if word.is_empty() {
            break;
        }
        words.push(word);
        rest = after;
    }
    Some(words)
}

fn split_new(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
        match chars.peek() {
            None | Some('#') => return Some(words),
            Some(_) => words.push(word(&mut chars)?),
        }
    }
}

fn word(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<String> {
    let mut word = String::new();
    let mut quote = None;
    while let Some(&c) = chars.peek() {
        if quote.is_none() && matches!(c, ' ' | '\t') {
            break;
        }
        chars.next();
        match c {
            '\\' => match chars.next_if(|c| matches!(c, '\'' | '"' | '\\') || (quote.is_none() && *c == ' '))
            {
                Some(escaped) => word.push(escaped),
                None => word.push('\\'),
            },
            '\'' | '"' if quote.is_none() => quote = Some(c),
            c if quote == Some(c) => quote = None,
            c => word.push(c),
        }
    }
    quote.is_none().then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(line: &str) -> Option<(String, Option<Vec<String>>)> {
        split(line, false).map(|w| (w.keyword, w.arguments))
    }

    fn words(keyword: &str, arguments: &[&str]) -> Option<(String, Option<Vec<String>>)> {
        Some((keyword.into(), Some(arguments.iter().map(|&a| a.to_owned()).collect())))
    }

    #[test]
    fn keyword_and_arguments_are_told_apart() {
        assert_eq!(new("  Port 22\r"), words("Port", &["22"]));
        assert_eq!(new("Port=22"), words("Port", &["22"]));
        assert_eq!(new("Port = 22"), words("Port", &["22"]));
        assert_eq!(new("Port\t 22 # ssh"), words("Port", &["22"]));
        assert_eq!(new("Port"), words("Port", &[]));
        assert_eq!(new("Banner '/etc/a b' \"c\\\"d\" e\\ f"), words("Banner", &["/etc/a b", "c\"d", "e f"]));
        assert_eq!(new("Banner 'open").map(|w| w.1), Some(None));
        assert_eq!(new("# Port 22"), None);
        assert_eq!(new(" \t"), None);
        assert_eq!(new("\u{feff}Port 22"), words("\u{feff}Port", &["22"]));
    }

    #[test]
    fn before_8_7_there_was_one_kind_of_quote_and_comments_were_cut_off() {
        let old = |line| split(line, true).and_then(|w| w.arguments);
        assert_eq!(old("Port 22 # ssh"), Some(vec!["22".into()]));
        assert_eq!(old("Banner \"/etc/a b\""), Some(vec!["/etc/a b".into()]));
        assert_eq!(old("Banner 'a b'"), Some(vec!["'a".into(), "b'".into()]));
        assert_eq!(old("Banner \"open"), None);
        assert_eq!(old("Banner \"#\""), None);
        assert_eq!(old("Port"), Some(vec![]));
    }

    #[test]
    fn what_follows_is_kept_as_it_is_written() {
        assert_eq!(split("ForceCommand echo 'a  b' # c", false).unwrap().rest, "echo 'a  b' # c");
    }
}
