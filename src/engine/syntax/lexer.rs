//! Characters to tokens.

use super::ExprError;
use std::ops::Range;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Int(i64),
    Double(f64),
    Str(String),
    Ident(String),
    /// An operator or bracket, as it is written.
    Sign(&'static str),
    End,
}

#[derive(Clone, Debug)]
pub(super) struct Lexed {
    pub(super) token: Token,
    pub(super) span: Range<usize>,
}

/// Looked for before the shorter ones, so that `<=` is not read as `<`.
static LONG_SIGNS: [&str; 8] = ["&&", "||", "==", "!=", "<=", ">=", ".?", "[?"];

static SHORT_SIGNS: [&str; 18] =
    ["<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",", "(", ")", "[", "]", "{", "}"];

/// The sign that a text begins with.
fn sign(rest: &str) -> Option<&'static str> {
    let long = rest.get(..2).and_then(|two| LONG_SIGNS.iter().find(|sign| **sign == two));
    let short = || rest.get(..1).and_then(|one| SHORT_SIGNS.iter().find(|sign| **sign == one));
    long.or_else(short).copied()
}

/// The tokens of the text. In a template they end at the first `}`, for the language itself has no braces.
pub(super) fn lex(text: &str, in_template: bool) -> Result<Vec<Lexed>, ExprError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let next = rest.chars().nth(1);
        if c.is_ascii_whitespace() {
            at += 1;
            continue;
        }
        if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
            continue;
        }
        let start = at;
        if c == '}' && in_template {
            break;
        }
        let token = if c.is_ascii_digit() || (c == '.' && next.is_some_and(|d| d.is_ascii_digit())) {
            number(text, &mut at)?
        } else if let Some(raw) = quote(rest) {
            string(text, &mut at, raw)?
        } else if c.is_ascii_alphabetic() || c == '_' {
            at += rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
            Token::Ident(text[start..at].to_owned())
        } else if let Some(sign) = sign(rest) {
            at += sign.len();
            Token::Sign(sign)
        } else {
            let span = at..at + c.len_utf8();
            let error = ExprError::new(span, format!("`{c}` means nothing here"));
            return Err(match c {
                '=' => error.help("compare with `==`"),
                '&' => error.help("write `&&`"),
                '|' => error.help("write `||`"),
                _ => error,
            });
        };
        tokens.push(Lexed { token, span: start..at });
    }
    tokens.push(Lexed { token: Token::End, span: at..at });
    Ok(tokens)
}

/// Whether a string starts here; `Some(true)` if it is raw.
fn quote(rest: &str) -> Option<bool> {
    let raw = rest.starts_with(['r', 'R']);
    let rest = if raw { &rest[1..] } else { rest };
    rest.starts_with(['"', '\'']).then_some(raw)
}

fn number(text: &str, at: &mut usize) -> Result<Token, ExprError> {
    let rest = &text[*at..];
    let start = *at;
    if rest.starts_with("0x") || rest.starts_with("0X") {
        let digits = rest[2..].bytes().take_while(u8::is_ascii_hexdigit).count();
        *at += 2 + digits;
        return whole(u64::from_str_radix(&rest[2..2 + digits], 16).ok(), start..*at);
    }
    let digits = |from: usize| rest[from..].bytes().take_while(u8::is_ascii_digit).count();
    let mut len = digits(0);
    let mut double = false;
    if rest[len..].starts_with('.') && digits(len + 1) > 0 {
        len += 1 + digits(len + 1);
        double = true;
    }
    if rest[len..].starts_with(['e', 'E']) {
        let sign = usize::from(rest[len + 1..].starts_with(['+', '-']));
        let exponent = digits(len + 1 + sign);
        if exponent > 0 {
            len += 1 + sign + exponent;
            double = true;
        }
    }
    *at += len;
    let word = rest[len..].bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
    if word > 0 {
        let end = *at + word;
        let error = ExprError::new(start..end, format!("`{}` is no number", &text[start..end]));
        return Err(error.help(match &rest[len..len + word] {
            "u" | "U" => "there are no unsigned numbers: leave the `u` out",
            digits if digits.starts_with('_') => "write the digits in one",
            _ => "sizes and times are written bytes('8GiB') and duration('10m')",
        }));
    }
    let literal = &text[start..*at];
    if double {
        let value = literal.parse().ok().filter(|value: &f64| value.is_finite());
        return value.map(Token::Double).ok_or_else(|| too_large(start..*at));
    }
    whole(literal.parse().ok(), start..*at)
}

fn whole(value: Option<u64>, span: Range<usize>) -> Result<Token, ExprError> {
    match value {
        // The smallest number: the parser accepts it behind a minus only.
        Some(value) if value == 1 << 63 => Ok(Token::Int(i64::MIN)),
        Some(value) => i64::try_from(value).map(Token::Int).map_err(|_| too_large(span)),
        None => Err(too_large(span)),
    }
}

pub(super) fn too_large(span: Range<usize>) -> ExprError {
    ExprError::new(span, "this is no number of 64 bits")
}

fn string(text: &str, at: &mut usize, raw: bool) -> Result<Token, ExprError> {
    let start = *at;
    if raw {
        *at += 1;
    }
    let rest = &text[*at..];
    let quote = &rest[..1];
    let triple = quote.repeat(3);
    let close = if rest.starts_with(&triple) { triple.as_str() } else { quote };
    *at += close.len();
    let open = start..*at;
    let mut value = String::new();
    loop {
        let rest = &text[*at..];
        let Some(c) = rest.chars().next() else {
            return Err(ExprError::new(open, "this string has no end"));
        };
        if rest.starts_with(close) {
            *at += close.len();
            return Ok(Token::Str(value));
        }
        if c == '\n' && close.len() == 1 {
            return Err(ExprError::new(open, "this string has no end on its line"));
        }
        if c == '\\' && !raw {
            value.push(escape(text, at)?);
        } else {
            // Up to the next character that may mean something else.
            let after = &rest[c.len_utf8()..];
            let special = |byte| matches!(byte, b'\\' | b'\n' | b'"' | b'\'');
            let plain = after.bytes().position(special).unwrap_or(after.len());
            let taken = c.len_utf8() + plain;
            value.push_str(&rest[..taken]);
            *at += taken;
        }
    }
}

fn escape(text: &str, at: &mut usize) -> Result<char, ExprError> {
    let start = *at;
    let mut chars = text[start + 1..].chars();
    let letter = chars.next().unwrap_or(' ');
    *at += 1 + letter.len_utf8();
    let mut code = |digits: usize, radix: u32, from: usize| {
        let hex = text.get(from..from + digits)?;
        let value =
            u32::from_str_radix(hex, radix).ok().filter(|_| hex.chars().all(|c| c.is_digit(radix)))?;
        *at = from + digits;
        char::from_u32(value)
    };
    let found = match letter {
        'n' => Some('\n'),
        't' => Some('\t'),
        'r' => Some('\r'),
        'a' => Some('\x07'),
        'b' => Some('\x08'),
        'f' => Some('\x0c'),
        'v' => Some('\x0b'),
        '\\' | '\'' | '"' | '`' | '?' => Some(letter),
        'x' | 'X' => code(2, 16, start + 2),
        'u' => code(4, 16, start + 2),
        'U' => code(8, 16, start + 2),
        '0'..='3' => code(3, 8, start + 1),
        _ => None,
    };
    found.ok_or_else(|| {
        let end = (start + 1 + letter.len_utf8()).min(text.len());
        ExprError::new(start..end, "this escape is not known")
            .help(r"a backslash itself is written \\; or use a raw string, r'…'")
    })
}
