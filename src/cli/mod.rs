//! Arguments and configuration → one call of the library → an exit status. One file per subcommand.
//!
//! Results go to standard output, everything else to standard error.

mod capture;
mod check;
mod choice;
mod config;
mod explain;
mod facts;
mod host;
mod interrupt;
mod progress;
mod rules;
mod status;

pub use status::Status;

use crate::engine::Diagnostic;
use crate::report::printable;
use anstream::{AutoStream, ColorChoice};
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use std::borrow::Cow;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Is this Linux host fit for service: will it boot again, can I still get in, what breaks first under load?
#[derive(Debug, Parser)]
#[command(name = "hostvet", version, max_term_width = 100, after_help = EXIT_CODES)]
struct Args {
    #[command(subcommand)]
    command: Command,
    /// When to colour the output
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN", display_order = 900)]
    color: Color,
}

const EXIT_CODES: &str = "Exit status: 0 nothing found at or above --fail-on; 1 something found; 2 the job could not be done \
(usage, a bad rule or configuration, an unreadable target); 3 nothing found, but something could not be judged \
(only with --fail-on-unknown).";

#[derive(Debug, Subcommand)]
enum Command {
    /// Vet this host, or the root tree in a directory, an archive, a container image or a disk
    Check(check::Args),
    /// Write what rules read of a host into a file, which can be vetted instead of it
    Capture(capture::Args),
    /// Show what is known of a host: the facts that rules ask
    Facts(facts::Args),
    /// List, show, lint, test and start rules
    #[command(subcommand)]
    Rules(rules::Command),
    /// Explain a rule: what is wrong, why, and what to do
    Explain(explain::Args),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Color {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Options that say which rules there are.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Rules")]
struct RuleDirs {
    /// Also read rules from this directory; they replace those of the same id
    #[arg(long, value_name = "DIR")]
    rules: Vec<PathBuf>,
    /// Read this configuration as well, after the system's
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// What a subcommand needs of the outside.
struct Terminal {
    out: io::BufWriter<AutoStream<io::Stdout>>,
    err: AutoStream<io::Stderr>,
    colour_errors: bool,
}

impl Terminal {
    fn new(color: Color) -> Self {
        let choice = |auto: ColorChoice| match color {
            Color::Auto => auto,
            Color::Always => ColorChoice::AlwaysAnsi,
            Color::Never => ColorChoice::Never,
        };
        let out = choice(AutoStream::choice(&io::stdout()));
        let err = choice(AutoStream::choice(&io::stderr()));
        Self {
            out: io::BufWriter::new(AutoStream::new(io::stdout(), out)),
            err: AutoStream::new(io::stderr(), err),
            colour_errors: err != ColorChoice::Never,
        }
    }

    /// A message on standard error. If even that cannot be written there is nobody left to tell.
    fn say(&mut self, message: impl std::fmt::Display) {
        progress::erase();
        // File names and what files hold may be hostile.
        let _ = writeln!(self.err, "{}", printable(&message.to_string()));
    }

    /// A mistake in a rule or configuration file, with its place.
    fn mistake(&mut self, mistake: &Diagnostic) {
        progress::erase();
        let safe = |text: &str| printable(text).into_owned();
        // Places in the text must stay where they are.
        let same_length = |c: char| match printable(c.encode_utf8(&mut [0; 4])) {
            Cow::Borrowed(_) => c.to_string(),
            Cow::Owned(_) => "?".repeat(c.len_utf8()),
        };
        let mistake = Diagnostic {
            path: safe(&mistake.path).replace('\n', "\\n"),
            source: mistake.source.chars().map(same_length).collect::<String>().into(),
            span: mistake.span.clone(),
            message: safe(&mistake.message),
            help: mistake.help.as_deref().map(safe),
        };
        let _ = writeln!(self.err, "{}", mistake.render(self.colour_errors));
    }
}

/// The whole program.
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // clap's own status for usage errors is 2, as is ours.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    interrupt::watch();
    let mut terminal = Terminal::new(args.color);
    // Whoever read the output may want no more of it: that is no failure, and changes nothing of what was found.
    let result = run(args.command, &mut terminal).and_then(|status| match terminal.out.flush() {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(status),
        flushed => Ok(flushed.map(|()| status)?),
    });
    match result {
        Ok(status) => status.into(),
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Status::Clean.into(),
        Err(Failure::Config(config::BadConfig::Toml(mistake))) => {
            terminal.mistake(&mistake);
            Status::Unable.into()
        }
        Err(failure) => {
            terminal.say(format!("hostvet: {failure}"));
            Status::Unable.into()
        }
    }
}

fn run(command: Command, terminal: &mut Terminal) -> Result<Status, Failure> {
    match command {
        Command::Check(args) => check::run(&args, terminal),
        Command::Capture(args) => capture::run(&args, terminal),
        Command::Facts(args) => facts::run(&args, terminal),
        Command::Rules(command) => rules::run(&command, terminal),
        Command::Explain(args) => explain::run(&args, terminal),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "hostvet", &mut script);
            terminal.out.write_all(&script)?;
            Ok(Status::Clean)
        }
    }
}

/// Why the job could not be done.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
    #[error("{}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("{}: {error}", path.display())]
    Target { path: PathBuf, error: crate::source::BadTarget },
    #[error("{0}")]
    Config(#[from] config::BadConfig),
    #[error("{0}")]
    Library(#[from] crate::engine::LibraryError),
    #[error("{0}")]
    Selection(#[from] crate::engine::BadPattern),
    #[error("--assume: {0}")]
    Assume(#[from] crate::source::BadAssumption),
    #[error("{0}")]
    Usage(String),
}
