//! The rules that come with hostvet, their keys read from the TOML when hostvet was built: to read some 200 files again at every
//! start took longer than to check them.

use super::file::Raw;
use std::borrow::Cow;
use toml::Spanned;

/// The embedded rules, sorted by id; `build.rs` writes the list.
pub(super) const EMBEDDED: &[Embedded] = include!(concat!(env!("OUT_DIR"), "/rules.rs"));

/// A rule that comes with hostvet.
#[derive(Debug)]
pub struct Embedded {
    pub(super) id: &'static str,
    pub(super) text: &'static str,
    /// Missing where the file is no TOML, or has other keys than a rule: whoever reads the text tells what is wrong with it.
    pub(super) keys: Option<Keys>,
}

/// The keys of a rule file, cases left out.
#[derive(Debug)]
pub(super) struct Keys {
    title: &'static str,
    severity: &'static str,
    tags: &'static [&'static str],
    each: Option<&'static str>,
    item_name: Option<&'static str>,
    item: Option<&'static str>,
    when: Option<&'static str>,
    not_applicable: Option<&'static str>,
    problem: &'static str,
    message: &'static str,
    why: &'static str,
    remedy: &'static str,
    references: &'static [&'static str],
    /// In the order of the file.
    lets: &'static [(&'static str, &'static str)],
    params: &'static [(&'static str, Literal)],
}

/// The value of a parameter.
#[derive(Debug)]
// Which kinds there are depends on the rules.
#[allow(dead_code)]
pub(super) enum Literal {
    Bool(bool),
    Int(i64),
    Double(f64),
    Str(&'static str),
    List(&'static [Literal]),
}

impl Keys {
    /// The same as if it had been read from the text now, but for the places in the file.
    pub(super) fn raw(&self) -> Raw {
        let key = |text: &&'static str| Spanned::new(0..0, Cow::Borrowed(*text));
        let lets = self.lets.iter().enumerate();
        Raw {
            title: key(&self.title),
            severity: key(&self.severity),
            tags: self.tags.iter().map(key).collect(),
            each: self.each.as_ref().map(key),
            item_name: self.item_name.as_ref().map(key),
            item: self.item.as_ref().map(key),
            when: self.when.as_ref().map(key),
            not_applicable: self.not_applicable.as_ref().map(key),
            problem: key(&self.problem),
            message: key(&self.message),
            why: key(&self.why),
            remedy: key(&self.remedy),
            references: self.references.iter().map(|text| Cow::Borrowed(*text)).collect(),
            // Their places are what tells their order.
            lets: lets
                .map(|(i, (name, text))| (key(name), Spanned::new(i..i, Cow::Borrowed(*text))))
                .collect(),
            params: self
                .params
                .iter()
                .map(|(name, value)| ((*name).to_owned(), Spanned::new(0..0, value.toml())))
                .collect(),
            cases: Vec::new(),
        }
    }
}

impl Literal {
    fn toml(&self) -> toml::Value {
        match self {
            Self::Bool(bool) => (*bool).into(),
            Self::Int(int) => (*int).into(),
            Self::Double(double) => (*double).into(),
            Self::Str(text) => (*text).into(),
            Self::List(items) => toml::Value::Array(items.iter().map(Self::toml).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::{RuleFile, Text};
    use super::*;
    use std::collections::BTreeMap;

    /// What was read at build time is what the text says.
    #[test]
    fn the_keys_of_every_embedded_rule_are_those_of_its_text() {
        for rule in EMBEDDED {
            let keys = rule.keys.as_ref().unwrap_or_else(|| panic!("{} has no keys", rule.id)).raw();
            let file = RuleFile { id: rule.id.into(), path: String::new(), text: rule.text.into() };
            let read = file.read(false).unwrap();
            assert_eq!(shown(&keys), shown(&read), "{}", rule.id);
        }
    }

    /// All of it without the places.
    fn shown(raw: &Raw) -> Vec<String> {
        let text = |text: &Spanned<Text>| text.get_ref().to_string();
        let some = |key: &Option<Spanned<Text>>| key.as_ref().map(text).unwrap_or_default();
        let mut lets: Vec<_> = raw.lets.iter().collect();
        lets.sort_by_key(|(_, text)| text.span().start);
        let params: BTreeMap<_, _> = raw.params.iter().map(|(name, value)| (name, value.get_ref())).collect();
        let mut shown: Vec<String> =
            [&raw.title, &raw.severity, &raw.problem, &raw.message, &raw.why, &raw.remedy].map(text).into();
        shown.extend([&raw.each, &raw.item_name, &raw.item, &raw.when, &raw.not_applicable].map(some));
        shown.extend(raw.tags.iter().map(text).chain(raw.references.iter().map(Text::to_string)));
        shown.extend(lets.iter().flat_map(|(name, value)| [text(name), text(value)]));
        shown.push(format!("{params:?}"));
        shown
    }
}
