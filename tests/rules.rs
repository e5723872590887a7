//! The shipped rules: they load, keep their laws, hold their cases, and their cases notice every change.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use hostvet::engine::Library;
use std::fs;
use std::path::Path;

#[test]
fn every_shipped_rule_loads() {
    let library = Library::embedded();
    let (rules, mistakes) = library.compile(&Default::default());
    let mistakes: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
    assert_eq!(rules.len(), library.files().count());
    assert!(rules.len() >= 40, "only {} rules are embedded", rules.len());
}

#[test]
fn every_shipped_rule_keeps_the_laws() {
    let found: Vec<_> = Library::embedded()
        .files()
        .flat_map(|file| file.lint())
        .map(|mistake| mistake.render(false))
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// `why` and the title are of the rule, not of a host: no template is filled in there, and braces would be shown as they are.
#[test]
fn what_explains_a_rule_holds_no_expression() {
    let (rules, _) = Library::embedded().compile(&Default::default());
    for rule in &rules {
        for text in [&rule.about.title, &rule.about.why] {
            let braced =
                text.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(inside, _)| inside));
            let code: Vec<&str> =
                braced.filter(|inside| inside.contains(" ? ") || inside.contains('.')).collect();
            assert!(code.is_empty(), "{}: {code:?}", rule.about.id);
        }
    }
}

#[test]
fn every_case_of_every_rule_holds() {
    let mut failed = Vec::new();
    let mut ran = 0;
    for file in Library::embedded().files() {
        for result in file.test().unwrap_or_else(|mistake| panic!("{}", mistake.render(false))) {
            ran += 1;
            if let Some(failure) = result.failure {
                failed.push(format!("{}: {}\n{failure}", file.id, result.name));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
    assert!(ran > 150, "only {ran} cases ran");
}

#[test]
fn no_change_of_a_rule_goes_unnoticed_by_its_cases() {
    let mut survivors = Vec::new();
    let mut tried = 0;
    for file in Library::embedded().files() {
        let result = file.survivors().unwrap_or_else(|mistake| panic!("{}", mistake.render(false)));
        tried += result.tried;
        survivors.extend(result.survivors.iter().map(|survivor| survivor.render(false)));
    }
    assert!(survivors.is_empty(), "{}", survivors.join("\n"));
    assert!(tried > 200, "only {tried} mutations were tried");
}

#[test]
fn the_generated_pages_are_up_to_date() {
    let (rules, _) = Library::embedded().compile(&Default::default());
    let rules = hostvet::report::rules_markdown(rules.iter());
    let facts = hostvet::report::facts_markdown(hostvet::fact::kinds());
    for (page, text) in [("rules.md", rules), ("facts.md", facts)] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(page);
        if std::env::var_os("HOSTVET_WRITE_DOCS").is_some() {
            fs::write(&path, &text).unwrap();
        }
        let there = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            there == text,
            "docs/{page} is stale: HOSTVET_WRITE_DOCS=1 cargo test --test rules writes it"
        );
    }
}
