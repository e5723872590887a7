//! `hostvet check`: the main job.

use super::{Failure, RuleDirs, Status, Terminal, config, host, progress};
use crate::engine::{self, Selection, Severity, judge_all, waive};
use crate::fact::Facts;
use crate::report::{Detail, Report, human, json};
use crate::source::TargetKind;
use clap::ValueEnum;

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    host: host::HostArgs,
    #[command(flatten)]
    rules: RuleDirs,
    /// Run the rules that belong to an occasion
    #[arg(long, value_enum, value_name = "PROFILE")]
    profile: Option<Profile>,
    /// Run only these rules: globs over ids (`limits/*`), areas (`boot`), tags (`tag:login`)
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    select: Vec<String>,
    /// Leave these rules out
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    ignore: Vec<String>,
    /// Exit with 1 if a finding is at least this bad [default: warning]
    #[arg(long, value_enum, value_name = "SEVERITY")]
    fail_on: Option<config::FailOn>,
    /// Exit with 3 if nothing was found, but something could not be judged
    #[arg(long)]
    fail_on_unknown: bool,
    /// How to write the report
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
    /// Only the finding lines; nothing at all if there is none
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
    /// Also every rule that passed or does not apply
    #[arg(short, long)]
    verbose: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Profile {
    /// If it restarts now, does it come back and let an administrator in?
    Reboot,
    /// All that can be wrong with a host that was just set up
    Provision,
    /// TARGET is a golden image: also, what did its builder leave in it?
    Image,
    /// All but what is only worth knowing
    Cron,
}

impl Profile {
    fn rules(self) -> engine::Profile {
        match self {
            Self::Reboot => engine::Profile::Reboot,
            Self::Provision => engine::Profile::Provision,
            Self::Image => engine::Profile::Image,
            Self::Cron => engine::Profile::Cron,
        }
    }
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
    let flags = Selection::new(&args.select, &args.ignore)?;
    flags.check(rules.iter().map(|rule| &*rule.about))?;
    let configured = Selection::new(&config.select, &config.ignore)?;
    let mut host = args.host.host(config.assume.as_deref())?;
    if args.profile == Some(Profile::Image) {
        host = host::as_image(host)?;
    }
    let target = host.target.clone();
    let facts = Facts::new(host);
    // What is asked for by name on the command line runs even if the configuration leaves it out.
    let wanted = |about: &_| {
        args.profile.is_none_or(|profile| profile.rules().has(about))
            && flags.has(about)
            && (!args.select.is_empty() || configured.has(about))
    };
    let rules: Vec<_> = rules.iter().filter(|rule| wanted(&rule.about)).collect();
    let mut outcomes = judge_all(&rules, &facts);
    let today = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    let (waived, notes) = waive(&mut outcomes, &config.waivers, &today);
    for note in notes {
        terminal.say(format!("hostvet: {note}"));
    }
    let mut report = Report::new(target, facts.system(), outcomes, waived, broken);
    progress::end();
    report.sample_seconds = facts.host().earlier.as_ref().map(|earlier| earlier.seconds());
    report.bytes_read = facts.host().source.bytes_read();
    report.root_sees_more = report.target.kind == TargetKind::Live && !nix::unistd::geteuid().is_root();
    match args.format {
        Format::Json => json(&report, &mut terminal.out)?,
        Format::Human => {
            let detail = match (args.quiet, args.verbose) {
                (true, _) => Detail::Quiet,
                (_, true) => Detail::Verbose,
                _ => Detail::Normal,
            };
            human(&report, detail, &mut terminal.out)?;
        }
    }
    let fail_on = args.fail_on.or(config.fail_on).map_or(Some(Severity::Warning), config::FailOn::severity);
    let fail_on_unknown = args.fail_on_unknown || config.fail_on_unknown.unwrap_or(false);
    Ok(match () {
        () if broken > 0 => Status::Unable,
        () if fail_on.is_some_and(|severity| report.has_finding(severity)) => Status::Found,
        () if fail_on_unknown && !report.unknown.is_empty() => Status::Unknown,
        () => Status::Clean,
    })
}
