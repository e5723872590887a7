//! The lines of an .ini file as Python's RawConfigParser reads them, for supervisor.

use crate::source::At;

/// `key = value` in a section.
pub(super) struct Line {
    pub(super) section: String,
    /// In small letters.
    pub(super) key: String,
    pub(super) value: String,
    pub(super) at: At,
}

/// The lines that set something; a value that goes on in lines below is joined with blanks.
pub(super) fn lines(text: &str, path: &str) -> Vec<Line> {
    let mut found: Vec<Line> = Vec::new();
    let mut section = String::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() || line.trim_start().starts_with([';', '#']) {
            continue;
        }
        // A comment may follow a value, after a blank.
        let value = line.find(" ;").or_else(|| line.find("\t;")).map_or(line, |end| line.get(..end).unwrap_or(line));
        let goes_on = line.starts_with([' ', '\t']);
        if let Some(name) = value.trim().strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            section = name.0.to_owned();
        } else if goes_on && let Some(last) = found.last_mut() {
            last.value = format!("{} {}", last.value, value.trim());
        } else if let Some((key, value)) = value.split_once(['=', ':']) {
            let key = key.trim().to_ascii_lowercase();
            let value = value.trim().to_owned();
            found.push(Line { section: section.clone(), key, value, at: At::line(path, number) });
        }
    }
    found
}
