//! Files of `NAME=value` lines that a shell sources, such as /etc/default/grub.

use std::collections::BTreeMap;

/// What such a file sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    /// The values, with the line of each from 1; the last of a name counts.
    pub values: BTreeMap<String, (String, u32)>,
    /// Lines with a quote that is never closed.
    pub unclosed: Vec<u32>,
}

impl Variables {
    /// Adds what another file sets after this one; `$NAME` of what was set before is replaced.
    pub fn add(&mut self, text: &str) {
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.trim();
            let text = text.strip_prefix("export ").unwrap_or(text);
            let Some((name, value)) = text.split_once('=') else { continue };
            let (name, append) = name.strip_suffix('+').map_or((name, false), |name| (name, true));
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
                continue;
            }
            let Some(mut value) = self.value(value) else {
                self.unclosed.push(line);
                continue;
            };
            if append && let Some((before, _)) = self.values.get(name) {
                value = format!("{before}{value}");
            }
            self.values.insert(name.to_owned(), (value, line));
        }
    }

    /// A value, up to the first blank outside quotes; none where a quote is not closed.
    fn value(&self, text: &str) -> Option<String> {
        let mut value = String::new();
        let mut quote = None;
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            match (c, quote) {
                (c, Some(q)) if c == q => quote = None,
                ('"' | '\'', None) => quote = Some(c),
                (c, None) if c.is_ascii_whitespace() || c == '#' && value.is_empty() => break,
                ('\\', None | Some('"')) => value.extend(rest.next()),
                ('$', None | Some('"')) => {
                    let braced = rest.next_if_eq(&'{').is_some();
                    let mut name = String::new();
                    while let Some(c) = rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
                        name.push(c);
                    }
                    if braced {
                        rest.next_if_eq(&'}');
                    }
                    value.push_str(self.values.get(&name).map_or("", |(value, _)| value));
                }
                (c, _) => value.push(c),
            }
        }
        quote.is_none().then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, name: &str) -> Option<String> {
        let mut variables = Variables::default();
        variables.add(text);
        variables.values.get(name).map(|(value, _)| value.clone())
    }

    #[test]
    fn values_are_as_a_shell_sees_them() {
        assert_eq!(value("A=\"quiet splash\" # x\n", "A").as_deref(), Some("quiet splash"));
        assert_eq!(value("A='a b'c\n", "A").as_deref(), Some("a bc"));
        assert_eq!(value("A=1\nB=\"$A ${A}2 \\\"q\\\"\"\n", "B").as_deref(), Some("1 12 \"q\""));
        assert_eq!(value("A=1\nexport A+=' 2'\n", "A").as_deref(), Some("1 2"));
        assert_eq!(value("#A=1\nA B=2\n", "A"), None);
        assert_eq!(value("A= \n", "A").as_deref(), Some(""));
    }

    #[test]
    fn a_quote_that_is_not_closed_is_told() {
        let mut variables = Variables::default();
        variables.add("A=\"quiet\nB=2\n");
        assert_eq!((variables.unclosed, variables.values.len()), (vec![1], 1));
    }
}
