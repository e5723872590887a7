//! The cases of CEL's specification, and those in which hostvet differs from it on purpose.

use crate::support::{host, word};
use hostvet::engine::{Expression, Overrides};
use hostvet::fact::Facts;

/// One line of the files: params, expression, value.
struct Case<'t> {
    params: Overrides,
    expression: String,
    value: &'t str,
}

fn cases(text: &str) -> impl Iterator<Item = (usize, Case<'_>)> {
    let lines = text.lines().enumerate().map(|(i, line)| (i + 1, line));
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with(";") && !line.starts_with("# "))
        .map(|(number, line)| (number, Case::read(line)))
}

impl<'t> Case<'t> {
    fn read(line: &'t str) -> Self {
        let (rest, value) = line.rsplit_once(" => ").expect("a line is `expression => value`");
        let (params, expression) = match rest.strip_prefix("with ") {
            Some(rest) => {
                let (table, expression) = rest.split_once("}: ").expect("`with {…}: expression`");
                let file: toml::Table =
                    toml::from_str(&format!("with = {table}}}")).expect("an inline table");
                let table = file["with"].as_table().expect("a table").clone();
                (table.into_iter().collect(), expression)
            }
            None => (Overrides::new(), rest),
        };
        let value = value.split(" ; CEL: ").next().unwrap_or_default().trim();
        Self { params, expression: characters(expression), value }
    }

    /// What comes out, as it is written in the files, and what should.
    fn run(&self, facts: &Facts) -> (String, String) {
        let json = |text: &str, params: &Overrides| match Expression::parse(text, params) {
            Err(_) => "refused".to_owned(),
            Ok(expression) => match expression.evaluate(facts).value {
                Ok(value) => value.to_string(),
                Err(gap) => word(&gap).to_owned(),
            },
        };
        let wanted = match self.value {
            "refused" | "failed" | "absent" => self.value.to_owned(),
            value => json(value, &Overrides::new()),
        };
        assert!(wanted != "refused" || self.value == "refused", "{} is no value", self.value);
        (json(&self.expression, &self.params), wanted)
    }
}

/// `⟨U+0007⟩` as the character itself.
fn characters(text: &str) -> String {
    let mut parts = text.split("⟨U+");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (code, rest) = part.split_once('⟩').expect("⟨U+…⟩ is closed");
        let code = u32::from_str_radix(code, 16).expect("⟨U+…⟩ holds hex digits");
        out.push(char::from_u32(code).expect("⟨U+…⟩ is a character"));
        out.push_str(rest);
    }
    out
}

/// Runs every line of a file; gives how many there were.
fn hold(name: &str, text: &str) -> usize {
    let facts = host(&[]);
    let mut count = 0;
    let mut wrong = Vec::new();
    for (line, case) in cases(text) {
        count += 1;
        let (found, wanted) = case.run(&facts);
        if found != wanted {
            wrong.push(format!("{name}:{line}: {} => {found}, not {wanted}", case.expression));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    count
}

#[test]
fn the_specifications_cases_hold() {
    let count = hold("conformance.txt", include_str!("conformance.txt"));
    assert!(count > 500, "only {count} cases were found");
}

#[test]
fn differences_are_as_they_are_told() {
    let count = hold("differences.txt", include_str!("differences.txt"));
    assert!(count > 70, "only {count} cases were found");
}
