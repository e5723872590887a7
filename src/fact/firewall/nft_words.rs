//! The words of nft(8)'s files, with those of the files that they include.

use crate::source::{At, Host, Missing, Optional, Reading, Reason};
use globset::Glob;

/// The most files that may be included, and how deep; as many words in all.
const MOST_FILES: usize = 200;
const DEEPEST: usize = 16;
const MOST_TOKENS: usize = 2_000_000;

/// A word or sign and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) text: String,
    pub(super) quoted: bool,
    pub(super) at: At,
}

impl Token {
    /// Whether it is this word or sign, unquoted.
    pub(super) fn is(&self, text: &str) -> bool {
        !self.quoted && self.text == text
    }
}

/// The tokens of a file, with those of the files it includes in their place. A line end is a token, too.
pub(super) fn gather(
    host: &Host,
    path: &str,
    text: &str,
    depth: usize,
    files: &mut usize,
    tokens: &mut Vec<Token>,
) -> Reading<()> {
    *files += 1;
    if depth > DEEPEST || *files > MOST_FILES || tokens.len() > MOST_TOKENS {
        return Err(Missing::unreadable(path, Reason::NotRead("includes more than hostvet follows".into())));
    }
    let own = lex(path, text)?;
    let mut rest = own.as_slice();
    while let [first, after @ ..] = rest {
        rest = after;
        let begins = tokens.last().is_none_or(|last| [";", "\n", "{", "}"].iter().any(|sign| last.is(sign)));
        match after {
            [pattern, after @ ..] if begins && first.is("include") => {
                rest = after;
                for path in included(host, &pattern.text)? {
                    let text = host.read_text(&path).map_err(|why| match why {
                        Missing::Absent => {
                            Missing::garbled(&*first.at.path, format!("includes {path}, which is not there"))
                        }
                        unreadable => unreadable,
                    })?;
                    gather(host, &path, &text, depth + 1, files, tokens)?;
                }
            }
            _ => tokens.push(first.clone()),
        }
    }
    tokens.push(Token { text: "\n".into(), quoted: false, at: At::file(path) });
    Ok(())
}

/// The files of an include: nft looks in /etc for what does not begin with / or a dot.
fn included(host: &Host, pattern: &str) -> Reading<Vec<String>> {
    let pattern = if pattern.starts_with('/') { pattern.to_owned() } else { format!("/etc/{pattern}") };
    let Some((directory, name)) = pattern.rsplit_once('/') else { return Ok(Vec::new()) };
    let wild = |part: &str| part.contains(['*', '?', '[']);
    if wild(directory) {
        let what = format!("hostvet does not follow wildcards within {directory}");
        return Err(Missing::unreadable(directory, Reason::NotRead(what)));
    }
    if !wild(name) {
        return Ok(vec![pattern.clone()]);
    }
    let glob = Glob::new(name).map_err(|why| Missing::garbled(&pattern, why.to_string()))?.compile_matcher();
    // A pattern may fit nothing.
    let names = host.names(directory).optional()?.unwrap_or_default();
    let fits = names.into_iter().filter(|name| glob.is_match(name) && !name.starts_with('.'));
    Ok(fits.map(|name| format!("{directory}/{name}")).collect())
}

fn lex(path: &str, text: &str) -> Reading<Vec<Token>> {
    let mut tokens: Vec<Token> = Vec::new();
    for (number, line) in (1u32..).zip(text.split('\n')) {
        let at = At::line(path, number);
        let mut push = |text: &str, quoted| {
            tokens.push(Token { text: text.to_owned(), quoted, at: at.clone() });
        };
        let mut rest = line.trim_end_matches('\r');
        let mut continued = false;
        loop {
            rest = rest.trim_start();
            let Some(first) = rest.chars().next() else { break };
            if first == '#' {
                break;
            }
            if rest == "\\" {
                continued = true;
                break;
            }
            if first == '"' {
                let inner = rest.get(1..).unwrap_or_default();
                let Some(end) = inner.find('"') else {
                    return Err(Missing::garbled(
                        path,
                        format!("line {number} has a quote that is not closed"),
                    ));
                };
                push(inner.get(..end).unwrap_or_default(), true);
                rest = inner.get(end + 1..).unwrap_or_default();
                continue;
            }
            let pair = ["!=", "==", "<=", ">=", "<<", ">>"].into_iter().find(|pair| rest.starts_with(pair));
            let end = match pair {
                Some(pair) => pair.len(),
                None if "{}();,=<>!&|^:".contains(first) && !rest.starts_with("::") => first.len_utf8(),
                None => word_end(rest),
            };
            let (word, after) = rest.split_at(end);
            push(word, false);
            rest = after;
        }
        if !continued {
            push("\n", false);
        }
        if tokens.len() > MOST_TOKENS {
            return Err(Missing::garbled(path, "has more words than hostvet follows"));
        }
    }
    Ok(tokens)
}

/// Where a word ends. A colon within it belongs to an address, one at its end parts a key from its value.
fn word_end(text: &str) -> usize {
    let mut characters = text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        let ends = c.is_whitespace() || "{}();,=<>!&|^\"#".contains(c);
        let next = characters.peek().map(|(_, next)| *next);
        if at > 0 && (ends || c == ':' && next.is_none_or(char::is_whitespace)) {
            return at;
        }
    }
    text.len()
}
