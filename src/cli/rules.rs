//! `hostvet rules`: what rules there are, and whether they are any good.

use super::{Failure, RuleDirs, Status, Terminal, config};
use crate::engine::{Library, Rule, RuleFile, Selection, is_id};
use crate::report::{printable, rules_markdown};
use owo_colors::OwoColorize;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

/// Subcommands of `rules`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// One line a rule: severity, id, title
    List(Which),
    /// The text of rule files
    Show(Which),
    /// Check rules beyond what loading demands: identity, references, cases, thresholds
    Lint(Which),
    /// Run the rules' own cases
    Test {
        /// Change every comparison and conjunct, one at a time, and report what no case notices
        #[arg(long)]
        mutate: bool,
        #[command(flatten)]
        which: Which,
    },
    /// Write the skeleton of a new rule
    New {
        /// The id: area/name
        id: String,
        /// The rules directory to put it in
        #[arg(long, value_name = "DIR", default_value = "rules")]
        dir: PathBuf,
    },
    /// The documentation of all rules, as Markdown
    Docs(Which),
}

/// Which rules are meant.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// Globs over ids (`limits/*`), areas (`boot`), tags (`tag:login`); all rules if left out
    patterns: Vec<String>,
    #[command(flatten)]
    rules: RuleDirs,
}

pub(super) fn run(command: &Command, terminal: &mut Terminal) -> Result<Status, Failure> {
    match command {
        Command::List(which) => list(which, terminal),
        Command::Show(which) => show(which, terminal),
        Command::Lint(which) => lint(which, terminal),
        Command::Test { which, mutate: false } => test(which, terminal),
        Command::Test { which, mutate: true } => mutate(which, terminal),
        Command::New { id, dir } => new(id, dir, terminal),
        Command::Docs(which) => docs(which, terminal),
    }
}

/// The rules that are meant, and how many files could not be used.
struct Chosen {
    library: Library,
    rules: Vec<Rule>,
    broken: usize,
}

impl Chosen {
    /// With patterns, the rules that meet them; without, every rule that loads.
    fn new(which: &Which, terminal: &mut Terminal) -> Result<Self, Failure> {
        let (library, config) = config::load(&which.rules)?;
        let (mut rules, broken) = config::compile(&library, &config, terminal);
        let selection = Selection::new(&which.patterns, &[])?;
        // A pattern may well be meant for a rule that could not be used, which has been told of.
        if broken == 0 {
            selection.check(rules.iter().map(|rule| &*rule.about))?;
        }
        rules.retain(|rule| selection.has(&rule.about));
        Ok(Self { library, rules, broken })
    }

    fn files(&self) -> impl Iterator<Item = &RuleFile> {
        self.rules.iter().filter_map(|rule| self.library.file(&rule.about.id))
    }

    fn status(&self) -> Status {
        if self.broken > 0 { Status::Unable } else { Status::Clean }
    }
}

fn list(which: &Which, terminal: &mut Terminal) -> Result<Status, Failure> {
    let chosen = Chosen::new(which, terminal)?;
    let width = chosen.rules.iter().map(|rule| rule.about.id.len()).max().unwrap_or(0);
    for about in chosen.rules.iter().map(|rule| &rule.about) {
        writeln!(terminal.out, "{:8}  {:width$}  {}", about.worst, about.id, printable(&about.title))?;
    }
    Ok(chosen.status())
}

fn show(which: &Which, terminal: &mut Terminal) -> Result<Status, Failure> {
    let chosen = Chosen::new(which, terminal)?;
    for file in chosen.files() {
        writeln!(terminal.out, "# {}\n{}", file.path, &*file.text)?;
    }
    Ok(chosen.status())
}

fn lint(which: &Which, terminal: &mut Terminal) -> Result<Status, Failure> {
    let chosen = Chosen::new(which, terminal)?;
    let mut found = 0;
    for file in chosen.files() {
        for mistake in file.lint() {
            found += 1;
            terminal.mistake(&mistake);
        }
    }
    writeln!(terminal.out, "{} rules linted, {} mistakes", chosen.rules.len(), found + chosen.broken)?;
    Ok(if found > 0 { Status::Unable } else { chosen.status() })
}

fn test(which: &Which, terminal: &mut Terminal) -> Result<Status, Failure> {
    let chosen = Chosen::new(which, terminal)?;
    let (mut passed, mut failed) = (0, chosen.broken);
    for file in chosen.files() {
        match file.test() {
            Ok(results) => {
                for result in results {
                    let Some(failure) = result.failure else {
                        passed += 1;
                        continue;
                    };
                    failed += 1;
                    writeln!(terminal.out, "{} {}: {}", "FAILED".red().bold(), file.id, result.name)?;
                    for line in failure.lines() {
                        writeln!(terminal.out, "    {line}")?;
                    }
                }
            }
            Err(mistake) => {
                failed += 1;
                terminal.mistake(&mistake);
            }
        }
    }
    writeln!(terminal.out, "{passed} passed, {failed} failed")?;
    Ok(if failed > 0 { Status::Found } else { Status::Clean })
}

fn mutate(which: &Which, terminal: &mut Terminal) -> Result<Status, Failure> {
    let chosen = Chosen::new(which, terminal)?;
    let (mut tried, mut survived) = (0, 0);
    for file in chosen.files() {
        match file.survivors() {
            Ok(result) => {
                tried += result.tried;
                survived += result.survivors.len();
                for survivor in &result.survivors {
                    terminal.mistake(survivor);
                }
            }
            Err(mistake) => {
                survived += 1;
                terminal.mistake(&mistake);
            }
        }
    }
    writeln!(terminal.out, "{tried} mutations of {} rules, {survived} survived", chosen.rules.len())?;
    Ok(if survived > 0 { Status::Found } else { chosen.status() })
}

fn docs(which: &Which, terminal: &mut Terminal) -> Result<Status, Failure> {
    let chosen = Chosen::new(which, terminal)?;
    write!(terminal.out, "{}", rules_markdown(chosen.rules.iter()))?;
    Ok(chosen.status())
}

fn new(id: &str, dir: &std::path::Path, terminal: &mut Terminal) -> Result<Status, Failure> {
    if !is_id(id) {
        return Err(Failure::Usage(format!(
            "`{id}` is no rule id: write area/name, in lower case with dashes"
        )));
    }
    let path = dir.join(format!("{id}.toml"));
    let error = |error| Failure::Io { path: path.clone(), error };
    if let Some(area) = path.parent() {
        std::fs::create_dir_all(area).map_err(error)?;
    }
    match std::fs::File::create_new(&path) {
        Ok(mut file) => {
            let area = id.split('/').next().unwrap_or_default();
            let text = include_str!("new-rule.toml").replace("[\"memory\"]", &format!("[\"{area}\"]"));
            file.write_all(text.as_bytes()).map_err(error)?;
        }
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            return Err(Failure::Usage(format!("{} is there already", path.display())));
        }
        Err(e) => return Err(error(e)),
    }
    writeln!(terminal.out, "{}", path.display())?;
    if Library::embedded().file(id).is_some() {
        terminal.say(format!(
            "It replaces the rule {id} that comes with hostvet, wherever --rules {} is given.",
            dir.display()
        ));
    }
    terminal.say(format!(
        "Now edit it, then run:\n    hostvet rules lint {id} --rules {0}\n    hostvet rules test {id} --rules {0}\n    \
         hostvet rules test --mutate {id} --rules {0}",
        dir.display()
    ));
    Ok(Status::Clean)
}
