//! The text that LVM keeps its metadata in, lib/config/config.c of LVM2: sections, numbers, strings, and lists of these.

/// A section: `name { … }`, or the file itself.
#[derive(Debug, Default)]
pub(crate) struct Section<'a> {
    /// The line of its name, from 1.
    pub(crate) line: u32,
    values: Vec<(&'a str, Value)>,
    sections: Vec<(&'a str, Section<'a>)>,
}

/// What stands after `=`.
#[derive(Debug, PartialEq)]
pub(crate) enum Value {
    /// A string, or a number as it is written.
    Text(String),
    /// A list of these.
    List(Vec<String>),
}

impl<'a> Section<'a> {
    pub(crate) fn value(&self, key: &str) -> Option<&Value> {
        self.values.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    pub(crate) fn section(&self, key: &str) -> Option<&Section<'a>> {
        self.sections().find(|(name, _)| *name == key).map(|(_, section)| section)
    }

    pub(crate) fn sections(&self) -> impl Iterator<Item = (&'a str, &Section<'a>)> {
        self.sections.iter().map(|(name, section)| (*name, section))
    }

    /// The first section in it, taken out.
    pub(crate) fn take_section(&mut self) -> Option<(&'a str, Section<'a>)> {
        (!self.sections.is_empty()).then(|| self.sections.swap_remove(0))
    }
}

impl Value {
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::List(_) => None,
        }
    }

    /// The texts of a list; one of a text alone.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::Text(text) => std::slice::from_ref(text),
            Self::List(texts) => texts,
        }
        .iter()
        .map(String::as_str)
    }
}

/// Deeper than any metadata: group, volumes, volume, segment are four.
const DEEPEST: usize = 16;

/// Reads the whole text; none where it is cut short or something else.
pub(crate) fn parse(text: &str) -> Option<Section<'_>> {
    let mut reader = Reader { rest: text, line: 1 };
    let file = reader.section(0)?;
    reader.blank();
    reader.rest.is_empty().then_some(file)
}

struct Reader<'a> {
    rest: &'a str,
    line: u32,
}

impl<'a> Reader<'a> {
    /// What stands in a section, up to its end or that of the text.
    fn section(&mut self, depth: usize) -> Option<Section<'a>> {
        let mut found = Section { line: self.line, ..Section::default() };
        loop {
            self.blank();
            if self.rest.is_empty() || self.rest.starts_with('}') {
                return Some(found);
            }
            let line = self.line;
            let name = self.word()?;
            self.blank();
            if self.take('{') {
                if depth == DEEPEST {
                    return None;
                }
                let below = self.section(depth + 1)?;
                if !self.take('}') {
                    return None;
                }
                found.sections.push((name, Section { line, ..below }));
            } else if self.take('=') {
                let value = self.value()?;
                found.values.push((name, value));
            } else {
                return None;
            }
        }
    }

    fn value(&mut self) -> Option<Value> {
        self.blank();
        if !self.take('[') {
            return self.scalar().map(Value::Text);
        }
        let mut list = Vec::new();
        loop {
            self.blank();
            if self.take(']') {
                return Some(Value::List(list));
            }
            list.push(self.scalar()?);
            self.blank();
            if !self.take(',') && !self.rest.starts_with(']') {
                return None;
            }
        }
    }

    fn scalar(&mut self) -> Option<String> {
        if !self.take('"') {
            return self.word().map(str::to_owned);
        }
        let mut text = String::new();
        let mut characters = self.rest.char_indices();
        while let Some((position, character)) = characters.next() {
            match character {
                '"' => {
                    self.rest = self.rest.get(position + 1..)?;
                    return Some(text);
                }
                '\\' => text.push(characters.next()?.1),
                '\n' => return None,
                other => text.push(other),
            }
        }
        None
    }

    /// A name or a number.
    fn word(&mut self) -> Option<&'a str> {
        let ends = |c: char| c.is_whitespace() || "{}[]=,#\"".contains(c);
        let (word, rest) = self.rest.split_at(self.rest.find(ends).unwrap_or(self.rest.len()));
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }

    fn take(&mut self, wanted: char) -> bool {
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Goes past blanks, ends of lines and comments.
    fn blank(&mut self) {
        loop {
            let rest = self.rest.trim_start_matches([' ', '\t', '\r']);
            self.rest = match rest.chars().next() {
                Some('\n') => {
                    self.line += 1;
                    rest.get(1..).unwrap_or_default()
                }
                Some('#') => rest.get(rest.find('\n').unwrap_or(rest.len())..).unwrap_or_default(),
                _ => {
                    self.rest = rest;
                    return;
                }
            };
        }
    }
}
