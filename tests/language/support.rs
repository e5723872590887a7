//! Hosts in memory, and expressions evaluated on them.

use hostvet::engine::syntax::ExprError;
use hostvet::engine::{Answer, Expression, Gap, Overrides};
use hostvet::fact::Facts;
use hostvet::source::{Files, Host, Target};
use serde_json::Value;

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
