//! `hostvet explain`: all about one rule.

use super::{Failure, RuleDirs, Status, Terminal, config};
use crate::report;

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The rule's id
    rule: String,
    #[command(flatten)]
    rules: RuleDirs,
}

pub(super) fn run(args: &Args, terminal: &mut Terminal) -> Result<Status, Failure> {
    let (library, config) = config::load(&args.rules)?;
    let (rules, broken) = config::compile(&library, &config, terminal);
    let Some(rule) = rules.iter().find(|rule| rule.about.id == args.rule) else {
        let near = crate::engine::nearest(&args.rule, library.files().map(|f| f.id.as_str()));
        let hint =
            near.map_or("`hostvet rules list` shows them all".into(), |n| format!("did you mean `{n}`?"));
        return Err(Failure::Usage(format!("there is no rule `{}`; {hint}", args.rule)));
    };
    report::explain(rule, &mut terminal.out)?;
    Ok(if broken > 0 { Status::Unable } else { Status::Clean })
}
