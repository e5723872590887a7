//! `hostvet check`: the main job.

use super::{Failure, RuleDirs, Status, Terminal, choice, config, host, progress};
use crate::engine::{Severity, judge_all, waive};
use crate::fact::Facts;
use crate::report::{Detail, Report, human, json};
use crate::source::TargetKind;
use clap::ValueEnum;
use std::io::{self, Write};
use std::mem::ManuallyDrop;

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    host: host::HostArgs,
    #[command(flatten)]
    choice: choice::Choice,
    #[command(flatten)]
    rules: RuleDirs,
    /// Exit with 1 if a finding is at least this bad [default: warning]
    #[arg(long, value_enum, value_name = "SEVERITY", help_heading = "Report")]
    fail_on: Option<config::FailOn>,
    /// Exit with 3 if nothing was found, but something could not be judged
    #[arg(long, help_heading = "Report")]
    fail_on_unknown: bool,
    /// How to write the report
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT", help_heading = "Report")]
    format: Format,
    /// Only the finding lines; nothing at all if there is none
    #[arg(short, long, conflicts_with = "verbose", help_heading = "Report")]
    quiet: bool,
    /// Also every rule that passed or does not apply
    #[arg(short, long, help_heading = "Report")]
    verbose: bool,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    /// For people
    #[default]
    Human,
    /// One JSON object
    Json,
}

pub(super) fn run(args: &Args, terminal: &mut Terminal) -> Result<Status, Failure> {
    let (library, config) = config::load(&args.rules)?;
    let (rules, broken) = config::compile(&library, &config, terminal);
    // The process ends with the report: nobody waits until what was checked and read is taken apart piece by piece.
    let rules = ManuallyDrop::new(rules);
    let rules = args.choice.of(&rules, &config)?;
    let host = args.choice.host(&args.host, &config)?;
    let target = host.target.clone();
    let facts = ManuallyDrop::new(Facts::new(host));
    let mut outcomes = judge_all(&rules, &facts);
    // A capture is judged as of the day when it was taken.
    let now = target.captured.as_ref().map_or_else(jiff::Timestamp::now, |captured| captured.taken);
    let today = now.strftime("%Y-%m-%d").to_string();
    let (waived, notes) = waive(&mut outcomes, &config.waivers, &today);
    for note in notes {
        terminal.say(format!("hostvet: {note}"));
    }
    let mut report = Report::new(target, facts.system(), outcomes, waived, broken);
    progress::end();
    report.sample_seconds = facts.host().earlier.as_ref().map(|earlier| earlier.seconds());
    report.bytes_read = facts.host().source.bytes_read();
    let as_root = report.target.captured.as_ref().map(|captured| captured.as_root);
    report.root_sees_more = report.target.kind == TargetKind::Live
        && !as_root.unwrap_or_else(|| nix::unistd::geteuid().is_root());
    let fail_on = args.fail_on.or(config.fail_on).map_or(Some(Severity::Warning), config::FailOn::severity);
    let fail_on_unknown = args.fail_on_unknown || config.fail_on_unknown.unwrap_or(false);
    let status = match () {
        () if broken > 0 => Status::Unable,
        () if fail_on.is_some_and(|severity| report.has_finding(severity)) => Status::Found,
        () if fail_on_unknown && !report.unknown.is_empty() => Status::Unknown,
        () => Status::Clean,
    };
    match write(&report, args, terminal) {
        // Whoever read the output wants no more of it: that changes nothing of what was found.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(status),
        written => Ok(written.map(|()| status)?),
    }
}

fn write(report: &Report, args: &Args, terminal: &mut Terminal) -> io::Result<()> {
    let detail = match (args.quiet, args.verbose) {
        (true, _) => Detail::Quiet,
        (_, true) => Detail::Verbose,
        _ => Detail::Normal,
    };
    match args.format {
        Format::Json => json(report, &mut terminal.out)?,
        Format::Human => human(report, detail, &mut terminal.out)?,
    }
    terminal.out.flush()
}
