//! The configuration: `/etc/hostvet/config.toml`, then `config.d/*.toml` beside it, then `--config`.
//! A later file adds to lists and replaces single values.

use super::{Failure, RuleDirs, Terminal};
use crate::engine::{BadWaiver, Diagnostic, Library, Overrides, Rule, Severity, Waiver};
use clap::ValueEnum;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// Where the system's configuration lies.
const SYSTEM: &str = "/etc/hostvet";

/// What a configuration file may hold.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    /// Rules to run, as for `--select`.
    #[serde(default)]
    pub(super) select: Vec<String>,
    /// Rules to leave out, as for `--ignore`.
    #[serde(default)]
    pub(super) ignore: Vec<String>,
    /// The severity that fails a run.
    pub(super) fail_on: Option<FailOn>,
    /// Whether what cannot be judged fails a run.
    pub(super) fail_on_unknown: Option<bool>,
    /// As for `--assume`.
    pub(super) assume: Option<String>,
    /// Parameters of rules, by rule id.
    #[serde(default)]
    pub(super) params: BTreeMap<String, Overrides>,
    /// Findings that are accepted.
    #[serde(default, rename = "waiver")]
    pub(super) waivers: Vec<Waiver>,
}

/// The severity from which on findings fail a run.
#[derive(Clone, Copy, Debug, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(super) enum FailOn {
    Critical,
    Warning,
    Info,
    /// Findings do not fail the run
    Never,
}

impl FailOn {
    /// The severity, if there is one.
    pub(super) fn severity(self) -> Option<Severity> {
        match self {
            Self::Critical => Some(Severity::Critical),
            Self::Warning => Some(Severity::Warning),
            Self::Info => Some(Severity::Info),
            Self::Never => None,
        }
    }
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadConfig {
    #[error("{}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("{0}")]
    Toml(Box<Diagnostic>),
    #[error("{}: {error}", path.display())]
    Waiver { path: PathBuf, error: BadWaiver },
    #[error("{}: there is no rule `{id}`{}", path.display(), did_you_mean(near))]
    UnknownRule { path: PathBuf, id: String, near: Option<String> },
}

fn did_you_mean(near: &Option<String>) -> String {
    near.as_ref().map(|n| format!("; did you mean `{n}`?")).unwrap_or_default()
}

impl Config {
    /// The configuration of the system and of `--config`.
    pub(super) fn load(explicit: Option<&Path>, library: &Library) -> Result<Self, BadConfig> {
        let mut config = Self::default();
        let mut files = vec![PathBuf::from(SYSTEM).join("config.toml")];
        let parts = PathBuf::from(SYSTEM).join("config.d");
        match std::fs::read_dir(&parts) {
            Ok(entries) => {
                let mut found: Vec<_> = entries.flatten().map(|e| e.path()).collect();
                found.retain(|p| p.extension().is_some_and(|e| e == "toml"));
                found.sort();
                files.extend(found);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(BadConfig::Io { path: parts, error }),
        }
        for path in files {
            match read(&path, false) {
                Ok(text) => config.add(&path, text, library)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(BadConfig::Io { path, error }),
            }
        }
        if let Some(path) = explicit {
            let text = read(path, true).map_err(|error| BadConfig::Io { path: path.to_path_buf(), error })?;
            config.add(path, text, library)?;
        }
        Ok(config)
    }

    fn add(&mut self, path: &Path, text: String, library: &Library) -> Result<(), BadConfig> {
        let later: Self = toml::from_str(&text).map_err(|error| {
            let message = error.message().to_owned();
            BadConfig::Toml(Box::new(Diagnostic {
                path: path.display().to_string(),
                help: crate::engine::unknown_key(&message),
                source: text.as_str().into(),
                span: error.span().unwrap_or(0..0),
                message,
            }))
        })?;
        for waiver in &later.waivers {
            waiver.check().map_err(|error| BadConfig::Waiver { path: path.to_path_buf(), error })?;
        }
        for id in later.params.keys() {
            if library.file(id).is_none() {
                let near =
                    crate::engine::nearest(id, library.files().map(|f| f.id.as_str())).map(str::to_owned);
                return Err(BadConfig::UnknownRule { path: path.to_path_buf(), id: id.clone(), near });
            }
        }
        self.select.extend(later.select);
        self.ignore.extend(later.ignore);
        self.waivers.extend(later.waivers);
        self.fail_on = later.fail_on.or(self.fail_on);
        self.fail_on_unknown = later.fail_on_unknown.or(self.fail_on_unknown);
        self.assume = later.assume.or(self.assume.take());
        for (id, overrides) in later.params {
            self.params.entry(id).or_default().extend(overrides);
        }
        Ok(())
    }
}

/// More than any configuration holds.
const MAX_FILE: u64 = 1 << 20;

/// The text of a file. Only what is named on the command line may be a pipe: nobody else may be there to fill it.
fn read(path: &Path, named: bool) -> io::Result<String> {
    let kind = std::fs::metadata(path)?.file_type();
    if !(kind.is_file() || named && kind.is_fifo()) {
        return Err(io::Error::other("is not a regular file"));
    }
    let mut text = String::new();
    std::fs::File::open(path)?.take(MAX_FILE + 1).read_to_string(&mut text)?;
    match text.len() as u64 > MAX_FILE {
        true => Err(io::Error::other(format!("is larger than {} KiB", MAX_FILE >> 10))),
        false => Ok(text),
    }
}

/// The rules there are: those embedded, those of the system, those of `--rules`; and the configuration.
pub(super) fn load(options: &RuleDirs) -> Result<(Library, Config), Failure> {
    let mut library = Library::embedded();
    let system = Path::new(SYSTEM).join("rules.d");
    if system.is_dir() {
        library.add_directory(&system)?;
    }
    for directory in &options.rules {
        library.add_directory(directory)?;
    }
    let config = Config::load(options.config.as_deref(), &library)?;
    Ok((library, config))
}

/// The rules, compiled; what is wrong with the others goes to standard error. Also how many those are.
pub(super) fn compile(library: &Library, config: &Config, terminal: &mut Terminal) -> (Vec<Rule>, usize) {
    let (rules, mistakes) = library.compile(&config.params);
    for mistake in &mistakes {
        terminal.mistake(mistake);
    }
    (rules, mistakes.len())
}
