//! hostvet vets a Linux host: will it boot again, can I still get in, what breaks first under load?
//!
//! Rules written in TOML are evaluated against a snapshot of system state; every problem found comes out as a
//! finding with its evidence and a remedy. This page is the architecture; `README.md` is for users.
//!
//! # Floors
//!
//! Each module imports only modules above it in this list, without circles; `tests/architecture.rs` reads the
//! `use crate::` lines and holds that.
//!
//! | floor | what it is | what it never does |
//! |---|---|---|
//! | [`source`] | where bytes come from: one trait, one file per kind of origin | interpret a byte; follow a link out of its root; open a device, FIFO or socket; print |
//! | [`model`] | how facts show themselves to rules: types, documentation, values read in place | know any particular fact |
//! | [`format`](mod@format) | syntaxes that several facts share, as pure functions of text | know where the text came from |
//! | [`fact`] | bytes → typed values, one file per fact | open a file itself; read another fact; decide what is good or bad |
//! | [`engine`] | facts × rules → outcomes: load, check, evaluate, test and mutate rules | I/O (rule files apart); know an output format |
//! | [`report`] | one [`report::Report`] → bytes, one file per format | evaluate; read the clock or the host |
//! | [`cli`] | arguments and configuration → one call, one file per subcommand | hold logic that a user of the library would want |
//!
//! # The life of a check
//!
//! ```
//! use hostvet::engine::{Library, judge, waive};
//! use hostvet::fact::Facts;
//! use hostvet::report::{Report, json};
//! use hostvet::source::{Files, Host, Target};
//!
//! // A source: here a tree in memory; `Live`, `Directory` and `Archive` are the others.
//! let mut files = Files::new();
//! files.file("/etc/sysctl.d/60-memory.conf", "vm.panic_on_oom = 1\n");
//! let host = Host::new(files, Target::root("example"));
//!
//! // Rules are read and checked against the shapes of the facts before anything of the host is read.
//! let (rules, mistakes) = Library::embedded().compile(&Default::default());
//! assert!(mistakes.is_empty());
//!
//! // Facts are gathered when a rule first asks for them.
//! let facts = Facts::new(host.clone());
//! let outcomes: Vec<_> = rules.iter().map(|rule| judge(rule, &facts)).collect();
//! let report = Report::new(host.target, facts.system(), outcomes, Vec::new(), 0);
//! assert!(report.findings.iter().any(|(rule, _)| rule.id == "memory/panic-on-oom"));
//! json(&report, &mut Vec::new()).unwrap();
//! # let _ = waive;
//! ```
//!
//! # Invariants
//!
//! - **Three states.** What is read is present, absent or unreadable ([`source::Reading`]); they never collapse into one
//!   another, nor into a default. The rule language carries them through: what hinges on something absent is *not
//!   applicable*, on something unreadable *unknown*. Never a pass out of ignorance.
//! - **One way in.** Every byte that is judged comes through a [`source::Source`]. A root given by the user is confined by
//!   the kernel (`openat2`); the host's own /proc, /sys and /etc never show through.
//! - **Nothing is unpacked to disk.** The members of a tar and the layers of a container image are one tree in memory, of metadata
//!   and places; contents are read where they lie ([`source::Archive`]). Damage ends an archive at that byte: from there on what is
//!   not found is unreadable, not absent.
//! - **Laziness instead of planning.** A fact, a kernel parameter or a process's limits are read when a rule first needs
//!   them, and once ([`model::Lazy`]). There is no list of what a rule needs to keep in step with the rule.
//! - **Rates take two readings,** and only if the user wants them ([`source::Host::sampled`]). A fact says which of its files hold
//!   counters and compares what it parses with what the same parser made of the earlier text; without one its rates are
//!   absent, and the type of the field ([`model::Sampled`]) makes the reason tell what is needed.
//! - **One text, three readers.** The doc comments of a fact are its rustdoc, its `hostvet facts --describe` and its
//!   `docs/facts.md`; its JSON Schema comes from the same [`record!`]. A derive macro would have been the usual way; it
//!   needs a second crate, and `macro_rules!` does it in one file.
//! - **The evidence writes itself.** A rule that finds something is evaluated once more, and every value it reads is noted
//!   with its origin. No author lists evidence.
//! - **Same bytes in, same report out.** No map iterates in random order, no format reads the clock.
//! - **No `unsafe`, no execution, no network.** Enforced by `unsafe_code = "forbid"`, and by there being no such code.
//!
//! # Two promises
//!
//! - A new rule is one file below `rules/`, and no Rust: `hostvet rules new area/name` writes the skeleton.
//! - A new fact is one source file below `src/fact/`, one line in the list of `src/fact/mod.rs`, and the bytes in its tests.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod cli;
pub mod engine;
pub mod fact;
pub mod format;
pub mod model;
pub mod report;
pub mod source;
