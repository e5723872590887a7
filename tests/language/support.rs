//! Hosts in memory, and expressions evaluated on them.

use hostvet::engine::syntax::ExprError;
use hostvet::engine::{Answer, Diagnostic, Expression, Gap, Library, Overrides, Rule, RuleFile};
use hostvet::fact::Facts;
use hostvet::source::{Files, Host, Target};
use serde_json::Value;
use std::collections::BTreeMap;

/// A live host that has these files.
pub fn host(files: &[(&str, &str)]) -> Facts {
    host_denying(files, &[])
}

/// A live host that has these files, and others that may not be read.
pub fn host_denying(files: &[(&str, &str)], denied: &[&str]) -> Facts {
    let mut tree = Files::new();
    for (path, text) in files {
        tree.file(path, text.as_bytes());
    }
    for path in denied {
        tree.deny(path);
    }
    Facts::new(Host::new(tree, Target::live()))
}

/// What the expression says of the host; it must load.
pub fn answer(text: &str, facts: &Facts) -> Answer {
    match Expression::parse(text, &Overrides::new()) {
        Ok(expression) => expression.evaluate(facts),
        Err(error) => panic!("{text}: {error:?}"),
    }
}

/// Its value, or one word: `absent`, `unreadable`, `failed`.
pub fn value(text: &str, facts: &Facts) -> Value {
    match answer(text, facts).value {
        Ok(value) => value,
        Err(gap) => word(&gap).into(),
    }
}

/// Why an expression does not load.
pub fn refusal(text: &str) -> ExprError {
    match Expression::parse(text, &Overrides::new()) {
        Ok(_) => panic!("{text}: loads"),
        Err(error) => error,
    }
}

pub fn word(gap: &Gap) -> &'static str {
    match gap {
        Gap::Absent(_) => "absent",
        Gap::Unreadable(_) => "unreadable",
        Gap::Failed(_) => "failed",
    }
}

/// SplitMix64: the same numbers in every run.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `end`, which is more than 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub fn of<'t, T>(&mut self, choices: &'t [T]) -> &'t T {
        let position = self.below(choices.len());
        &choices[position]
    }
}

/// A rule with this in the place of its problem, [let] and message.
pub fn rule(problem: &str, lets: &str, message: &str) -> RuleFile {
    let text = format!(
        "title = \"t\"\nseverity = \"info\"\nproblem = {problem}\nmessage = {message}\nwhy = \"w\"\nremedy = \"r\"\n\n[let]\n{lets}"
    );
    RuleFile { id: "area/name".into(), path: "area/name.toml".into(), text: text.into() }
}

/// The rule, or what is wrong with it.
pub fn compile(file: RuleFile) -> Result<Rule, Diagnostic> {
    let mut library = Library::default();
    library.add(file);
    let (mut rules, mut mistakes) = library.compile(&BTreeMap::new());
    match rules.pop() {
        Some(rule) => Ok(rule),
        None => Err(mistakes.remove(0)),
    }
}
