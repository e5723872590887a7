//! Every example of docs/language.md holds.

use crate::support::{compile, rule, word};
use hostvet::engine::{Expression, Overrides, judge};
use hostvet::fact::Facts;
use hostvet::source::{Files, Host, Target};

const DOCUMENT: &str = include_str!("../../docs/language.md");

/// The lines of the code blocks of this kind.
fn blocks(kind: &str) -> Vec<&'static str> {
    let mut inside = false;
    let mut lines = Vec::new();
    for line in DOCUMENT.lines() {
        match line.strip_prefix("```") {
            Some(mark) => inside = !inside && mark == kind,
            None if inside => lines.push(line),
            None => {}
        }
    }
    lines
}

/// The host that the document describes, with further files that may not be read.
fn facts(denied: &[&str]) -> Facts {
    let mut tree = Files::new();
    let mut files: Vec<(&str, String)> = Vec::new();
    for line in blocks("host") {
        let (path, text) = line.split_at(44);
        match (path.trim(), files.last_mut()) {
            ("", Some((_, so_far))) => *so_far += &format!("{text}\n"),
            (path, _) => files.push((path, format!("{text}\n"))),
        }
    }
    for (path, text) in &files {
        match text.trim() {
            "permission denied" => tree.deny(path),
            _ => tree.file(path, text.as_bytes()),
        };
    }
    for path in denied {
        tree.deny(path);
    }
    Facts::new(Host::new(tree, Target::live()))
}

fn evaluated(text: &str, facts: &Facts) -> String {
    match Expression::parse(text, &Overrides::new()) {
        Ok(expression) => match expression.evaluate(facts).value {
            Ok(value) => value.to_string(),
            Err(gap) => word(&gap).to_owned(),
        },
        Err(error) => format!("{text}: {error:?}"),
    }
}

fn hold(examples: impl IntoIterator<Item = String>, facts: &Facts) -> usize {
    let mut count = 0;
    for example in examples {
        let (text, wanted) = example.rsplit_once("=>").expect(&example);
        let wanted = match wanted.trim() {
            gap @ ("absent" | "unreadable" | "failed") => gap.to_owned(),
            value => evaluated(value, facts),
        };
        assert_eq!(evaluated(text, facts), wanted, "{example}");
        count += 1;
    }
    count
}

#[test]
fn every_example_holds() {
    let lines =
        |kind| blocks(kind).into_iter().filter(|l| !l.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    assert!(hold(lines("cel"), &facts(&[])) > 40);
    assert!(hold(lines("cel-denied"), &facts(&["/etc/security/limits.d/90-secret.conf"])) > 5);
    // In the tables: between backquotes, the last column.
    let tables = DOCUMENT.lines().filter(|l| l.starts_with("| ") && l.contains(" => "));
    let examples = tables.map(|l| {
        let cell = l.trim_end_matches(" |").rsplit_once("| `").expect(l).1;
        cell.trim_end_matches('`').to_owned()
    });
    assert!(hold(examples.collect::<Vec<_>>(), &facts(&[])) > 20);
}

#[test]
fn every_sentence_is_filled_as_it_is_told() {
    for line in blocks("template") {
        let (template, wanted) = line.rsplit_once("=>").expect(line);
        let rule = compile(rule("\"true\"", "", &format!("'''{}'''", template.trim_end()))).unwrap();
        assert_eq!(judge(&rule, &facts(&[])).findings[0].message, wanted.trim(), "{line}");
    }
}

#[test]
fn every_function_is_told_of() {
    let told =
        |name: &str| DOCUMENT.contains(&format!("`{name}(")) || DOCUMENT.contains(&format!(".{name}("));
    for name in hostvet::engine::function_names() {
        assert!(told(name), "docs/language.md does not tell of {name}");
    }
}
