//! Facts × rules → outcomes.
//!
//! A rule file ([`RuleFile`]) is TOML; its expressions are parsed by [`syntax`], checked against the shapes of the facts,
//! and evaluated in three values on the facts as they lie. [`Library`] holds rule files and compiles them to [`Rule`]s;
//! [`judge`] gives the [`Outcome`] of one rule on one host. Rules carry their own cases, and are tested
//! ([`RuleFile::test`]), linted and mutated here as well.
//!
//! The language is CEL's, in a subset that is typed at load; `docs/language.md` tells it to authors. It is not
//! evaluated by the `cel` crate, because that turns an unreadable value into a default, and knows no spans of fields;
//! that crate is the oracle of the tests instead.

#[cfg(test)]
mod captured;
mod case;
mod check;
mod diagnostic;
mod draft;
mod embedded;
mod eval;
mod expression;
mod file;
mod functions;
mod library;
mod lint;
mod mutate;
mod node;
mod profile;
mod rule;
mod select;
mod severity;
mod spans;
pub mod syntax;
mod template;
mod ty;
mod value;
mod vet;
mod waiver;

pub use case::CaseResult;
pub use check::{function_names, nearest};
pub use diagnostic::Diagnostic;
pub use draft::Overrides;
pub use eval::Evidence;
pub use expression::{Answer, Expression};
pub use file::{MAX_FILE, RuleFile, RuleText, Text, unknown_key};
pub use library::{Library, LibraryError, is_id};
pub use mutate::Survivors;
pub use profile::Profile;
pub use rule::{About, Rule};
pub use select::{BadPattern, Selection};
pub use severity::Severity;
pub use value::Gap;
pub use vet::{Finding, Open, Outcome, Rest, judge, judge_all};
pub use waiver::{BadWaiver, Waived, Waiver, waive};
