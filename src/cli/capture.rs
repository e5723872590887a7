//! `hostvet capture`: what the rules read of a host, in a file.

use super::{Failure, RuleDirs, Status, Terminal, choice, config, host, progress};
use crate::engine::judge_all;
use crate::fact::Facts;
use crate::source::{Noted, Output, Recording, TargetKind};
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// Arguments of `capture`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Write the capture to this file, as a tar packed with zstd; `-` is the standard output
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Replace FILE if it is there
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    host: host::HostArgs,
    #[command(flatten)]
    choice: choice::Choice,
    #[command(flatten)]
    rules: RuleDirs,
}

pub(super) fn run(args: &Args, terminal: &mut Terminal) -> Result<Status, Failure> {
    let (library, config) = config::load(&args.rules)?;
    let (rules, broken) = config::compile(&library, &config, terminal);
    let rules = args.choice.of(&rules, &config)?;
    let sink = Sink::open(&args.output, args.force)?;
    let host = args.choice.host(&args.host, &config)?;
    let (what, live) = (host.target.name.clone(), host.target.kind == TargetKind::Live);
    let recaptured = host.target.captured.is_some();
    let taken = jiff::Timestamp::now();
    let (host, recording) = Recording::start(host, spool(&args.output));
    let facts = Facts::new(host);
    judge_all(&rules, &facts);
    facts.system();
    drop(facts);
    progress::erase();
    let output = match args.output == Path::new("-") {
        true => Path::new("the standard output"),
        false => &args.output,
    };
    let failed = |error| Failure::Io { path: output.to_owned(), error };
    let name = output.file_name().unwrap_or_default().to_string_lossy();
    let mut sink = Told { sink, bytes: 0, writing: progress::writing(&name) };
    let (written, noted) = recording.write(words(args), taken, &mut sink).map_err(failed)?;
    sink.sink.finish().map_err(failed)?;
    let what = if live && !recaptured { "this host" } else { &what };
    terminal.say(format!(
        "hostvet: captured {what}, as {} rules read it, in {}: {} files, {} paths, {}",
        rules.len(),
        output.display(),
        written.files,
        written.paths,
        size(written.bytes),
    ));
    tell(&noted, live && !recaptured, terminal);
    Ok(if broken > 0 { Status::Unable } else { Status::Clean })
}

/// How many paths are told one by one.
const SHOWN: usize = 10;

/// What whoever hands the capture on should know.
fn tell(noted: &Noted, live: bool, terminal: &mut Terminal) {
    for (path, what) in noted.redacted.iter().take(SHOWN) {
        terminal.say(format!("  redacted  {path}: {what}"));
    }
    more(noted.redacted.len(), "redacted", terminal);
    for path in noted.denied.iter().take(SHOWN) {
        terminal.say(format!("  denied    {path}"));
    }
    more(noted.denied.len(), "denied  ", terminal);
    if live && !noted.denied.is_empty() && !nix::unistd::geteuid().is_root() {
        terminal.say("  Run as root to capture what was denied.");
    }
    for (path, bytes) in noted.whole.iter().take(SHOWN) {
        terminal.say(format!("  as it is  {path}: {}, in which nothing is redacted", size(*bytes)));
    }
    more(noted.whole.len(), "as it is", terminal);
    terminal.say(
        "  Secrets are replaced where they are known to be kept. Names of hosts and\n  \
         users, addresses, logs and arguments of programs are in it.",
    );
}

fn more(count: usize, what: &str, terminal: &mut Terminal) {
    if let more @ 1.. = count.saturating_sub(SHOWN) {
        terminal.say(format!("  {what}  and {more} more"));
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..0x10_0000 => format!("{} KiB", bytes.div_ceil(1024)),
        _ => format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
    }
}

/// Which rules, as the command line says it.
fn words(args: &Args) -> Vec<String> {
    let profile = args.choice.profile.map(|profile| format!("--profile {}", profile.word()));
    let list = |flag: &str, all: &[String]| (!all.is_empty()).then(|| format!("{flag} {}", all.join(",")));
    let lists = [list("--select", &args.choice.select), list("--ignore", &args.choice.ignore)];
    profile.into_iter().chain(lists.into_iter().flatten()).collect()
}

/// Where large files wait: beside the capture, without a name; where there is no such file they are held in memory.
fn spool(output: &Path) -> Option<File> {
    match output == Path::new("-") {
        true => Output::scratch(&std::env::temp_dir().join("-")).ok(),
        false => Output::scratch(output).ok(),
    }
}

/// Where the capture goes.
enum Sink {
    Standard(io::Stdout),
    File(Output),
}

impl Sink {
    fn open(path: &Path, force: bool) -> Result<Self, Failure> {
        if path == Path::new("-") {
            let out = io::stdout();
            return match out.is_terminal() {
                true => Err(Failure::Usage(
                    "a capture is nothing for a terminal: write it to a file (-o FILE) or a pipe".into(),
                )),
                false => Ok(Self::Standard(out)),
            };
        }
        match Output::create(path, force) {
            Ok(output) => Ok(Self::File(output)),
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
                Err(Failure::Usage(format!("{} is a directory: name a file in it", path.display())))
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(Failure::Usage(format!("{} is there already: --force replaces it", path.display())))
            }
            Err(error) => Err(Failure::Io { path: path.to_owned(), error }),
        }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Standard(mut out) => out.flush(),
            Self::File(output) => output.finish(),
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Standard(out) => out.write(bytes),
            Self::File(output) => output.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Standard(out) => out.flush(),
            Self::File(output) => output.flush(),
        }
    }
}

/// The same, while it is told how much of it is written.
struct Told {
    sink: Sink,
    bytes: u64,
    writing: progress::Writing,
}

impl Write for Told {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.sink.write(bytes)?;
        self.bytes += n as u64;
        self.writing.tell(self.bytes);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}
