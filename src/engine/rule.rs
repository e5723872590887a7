//! A rule, checked and ready to judge, and what it says about itself.

use super::diagnostic::Diagnostic;
use super::draft::{Draft, Extent, Overrides};
use super::embedded::Keys;
use super::file::{RuleFile, Text};
use super::node::{Node, NodeKind, Program};
use super::severity::Severity;
use super::template::Template;
use crate::fact;
use std::sync::{Arc, OnceLock};

/// A rule, ready to judge.
#[derive(Clone, Debug)]
pub struct Rule {
    /// What it is called and what it says about itself.
    pub about: Arc<About>,
    pub(super) lets: Vec<Program>,
    pub(super) let_names: Vec<Text>,
    /// How many of the names, the first ones, are the same for every item.
    pub(super) shared: usize,
    pub(super) each: Option<Program>,
    /// The conjuncts of `when` that do not depend on the item, judged once.
    pub(super) when_once: Vec<Program>,
    /// The others.
    pub(super) when_item: Vec<Program>,
    pub(super) problem: Program,
    pub(super) severity: SeverityOf<Program>,
    pub(super) item: Option<Template>,
    /// Why the rule does not apply to the host.
    pub(super) not_applicable: Option<Template>,
    /// Why it does not apply to an item.
    pub(super) not_applicable_item: Option<Template>,
    /// Message and remedy; an abridged rule has none.
    pub(super) told: Option<(Template, Template)>,
    pub(super) abridged: Option<Arc<Abridged>>,
}

/// A rule of which only what decides was checked, and what the whole of it is made of once that is wanted: the rules that
/// come with hostvet are many, are known to be right, and most find nothing.
#[derive(Debug)]
pub(super) struct Abridged {
    file: RuleFile,
    overrides: Overrides,
    whole: OnceLock<Rule>,
}

/// What a rule says about itself.
#[derive(Clone, Debug)]
pub struct About {
    /// Area and name: `limits/nofile-above-nr-open`.
    pub id: String,
    /// The problem in a few words.
    pub title: Text,
    /// Labels, for `--select tag:…`.
    pub tags: Vec<Text>,
    /// Why it is a problem.
    pub why: Text,
    /// The remedy, as it is written in the rule, with its expressions.
    pub remedy: Text,
    /// The problem, as an expression.
    pub problem: Text,
    /// When the rule applies, as an expression.
    pub when: Option<Text>,
    /// The item's name and the list it is of, for rules that judge several.
    pub each: Option<(Text, Text)>,
    /// The severity: a word, or an expression.
    pub severity: Text,
    /// The worst severity it can give.
    pub worst: Severity,
    /// The thresholds, as TOML.
    pub params: Vec<(String, String)>,
    /// Where to read on.
    pub references: Vec<Text>,
}

impl About {
    /// The area: the part of the id before the slash.
    pub fn area(&self) -> &str {
        self.id.split('/').next().unwrap_or_default()
    }
}

#[derive(Clone, Debug)]
pub(super) enum SeverityOf<E> {
    Always(Severity),
    Computed(E),
}

impl Rule {
    /// Reads and checks the whole rule.
    pub(super) fn whole_of(file: &RuleFile, overrides: &Overrides) -> Result<Self, Box<Diagnostic>> {
        Draft::read(file.clone(), Extent::Whole)?.compile(overrides)
    }

    /// Reads and checks what decides; the rest of the rule must be known to be right.
    pub(super) fn abridged_of(
        file: &RuleFile,
        keys: &Keys,
        overrides: &Overrides,
    ) -> Result<Self, Box<Diagnostic>> {
        let rule = Draft::of(file.clone(), keys.raw(), Extent::Deciding)?.compile(overrides)?;
        let (file, overrides) = (file.clone(), overrides.clone());
        let abridged = Some(Arc::new(Abridged { file, overrides, whole: OnceLock::new() }));
        Ok(Self { abridged, ..rule })
    }

    /// The whole rule, if this is not it already.
    pub(super) fn whole(&self) -> &Self {
        let Some(abridged) = &self.abridged else { return self };
        abridged.whole.get_or_init(|| {
            Self::whole_of(&abridged.file, &abridged.overrides).unwrap_or_else(|mistake| {
                panic!("{}: {}; this is a bug of hostvet, please report it", mistake.path, mistake.message)
            })
        })
    }

    /// The programs that decide, without the names that they use.
    fn deciding(&self) -> impl Iterator<Item = &Program> {
        let severity = match &self.severity {
            SeverityOf::Computed(program) => Some(program),
            SeverityOf::Always(_) => None,
        };
        self.when_once.iter().chain(&self.when_item).chain([&self.problem]).chain(severity)
    }

    /// Every program of the rule.
    fn programs(&self) -> impl Iterator<Item = &Program> {
        let told = self.told.iter().flat_map(|(message, remedy)| [message, remedy]);
        let templates = [&self.item, &self.not_applicable_item].into_iter().flatten().chain(told);
        self.each
            .iter()
            .chain(&self.lets)
            .chain(self.deciding())
            .chain(templates.flat_map(Template::programs))
    }

    /// The names of `[let]` that decide (problem, `when` and severity use them), and what they stand for, in order.
    pub fn deciding_names(&self) -> Vec<(&str, String)> {
        let mut wanted = vec![false; self.lets.len()];
        self.deciding().for_each(|program| mark_names(program, &mut wanted));
        // A name is made of names before it only.
        for position in (0..self.lets.len()).rev() {
            if wanted[position] {
                mark_names(&self.lets[position], &mut wanted);
            }
        }
        let names = self.let_names.iter().zip(&self.lets).zip(wanted);
        names.filter(|(_, wanted)| *wanted).map(|((name, program), _)| (&**name, program.source())).collect()
    }

    /// Whether it asks for what takes two readings of the host's counters.
    pub fn samples(&self) -> bool {
        self.whole().programs().any(|program| program.root.any(&mut Node::is_sampled))
    }

    /// Calls `asked` for each fact that it may ask to decide, by its position in `fact::kinds()`; one may come several times.
    pub(super) fn each_fact(&self, asked: &mut dyn FnMut(usize)) {
        for program in self.each.iter().chain(&self.lets).chain(self.deciding()) {
            program.root.any(&mut |node| {
                if let NodeKind::Fact(position) = node.kind {
                    asked(position);
                }
                false
            });
        }
    }

    /// The facts it asks, sorted.
    pub fn facts(&self) -> Vec<&'static str> {
        let mut seen = std::collections::BTreeSet::new();
        for program in self.whole().programs() {
            program.root.any(&mut |node| {
                if let NodeKind::Fact(position) = node.kind {
                    seen.insert(fact::kinds()[position].name);
                }
                false
            });
        }
        seen.into_iter().collect()
    }
}

fn mark_names(program: &Program, wanted: &mut [bool]) {
    program.root.any(&mut |node| {
        if let NodeKind::Let(position) = node.kind {
            wanted[position] = true;
        }
        false
    });
}
