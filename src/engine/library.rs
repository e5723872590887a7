//! Where rules come from: those embedded in the program, and directories of the user's.

use super::case;
use super::diagnostic::Diagnostic;
use super::draft::{Draft, Extent, Overrides};
use super::embedded::EMBEDDED;
use super::file::{MAX_FILE, RuleFile, RuleText};
use super::rule::Rule;
use crate::source::parallel;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Rule files by id. A file added later replaces one of the same id.
#[derive(Clone, Debug, Default)]
pub struct Library {
    files: BTreeMap<String, RuleFile>,
    /// Files that are no rules though they stand where rules do.
    unusable: Vec<Diagnostic>,
}

/// A rules directory that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", path.display())]
pub struct LibraryError {
    /// The directory.
    pub path: PathBuf,
    /// Why.
    pub error: io::Error,
}

impl Library {
    /// The rules that come with hostvet.
    pub fn embedded() -> Self {
        let mut library = Self::default();
        for rule in EMBEDDED {
            library.add(RuleFile {
                id: rule.id.into(),
                path: format!("rules/{}.toml", rule.id),
                text: RuleText::Embedded(rule),
            });
        }
        library
    }

    /// Adds a rule, or replaces the one of its id.
    pub fn add(&mut self, file: RuleFile) {
        self.files.insert(file.id.clone(), file);
    }

    /// Adds the rules of a directory: `<area>/<name>.toml`. Other files are left alone. A file that cannot be read, or is no
    /// rule, is told of by [`Library::compile`], and the others are used.
    pub fn add_directory(&mut self, directory: &Path) -> Result<(), LibraryError> {
        let areas = sorted(directory).map_err(|error| LibraryError { path: directory.into(), error })?;
        for area in areas {
            if !area.is_dir() {
                // A rule that lies beside the areas would never run, and nobody would know.
                if area.extension().is_some_and(|e| e == "toml") {
                    self.unusable.push(unusable(&area, MISPLACED.to_owned()));
                }
                continue;
            }
            let paths = sorted(&area).unwrap_or_else(|error| {
                self.unusable.push(unusable(&area, error.to_string()));
                Vec::new()
            });
            for path in paths.into_iter().filter(|path| path.extension().is_some_and(|e| e == "toml")) {
                match read(directory, &path) {
                    Ok(file) => self.add(file),
                    Err(why) => self.unusable.push(unusable(&path, why)),
                }
            }
        }
        Ok(())
    }

    /// The files, by id.
    pub fn files(&self) -> impl Iterator<Item = &RuleFile> {
        self.files.values()
    }

    /// The file of this id.
    pub fn file(&self, id: &str) -> Option<&RuleFile> {
        self.files.get(id)
    }

    /// Reads and checks every rule. `overrides` are the user's parameters, by rule id.
    ///
    /// It is most of what hostvet computes before it reads anything of the host, so all processors take part.
    pub fn compile(&self, overrides: &BTreeMap<String, Overrides>) -> (Vec<Rule>, Vec<Diagnostic>) {
        let files: Vec<&RuleFile> = self.files.values().collect();
        let results = parallel::map(&files, 1, |file| compile(file, overrides));
        let mut rules = Vec::with_capacity(results.len());
        let mut mistakes = self.unusable.clone();
        for result in results {
            match result {
                Ok(rule) => rules.push(rule),
                Err(mistake) => mistakes.push(*mistake),
            }
        }
        (rules, mistakes)
    }
}

fn compile(file: &RuleFile, overrides: &BTreeMap<String, Overrides>) -> Result<Rule, Box<Diagnostic>> {
    let none = Overrides::new();
    let overrides = overrides.get(&file.id).unwrap_or(&none);
    // The cases of an embedded rule were run before. If something is wrong with it nevertheless, its text tells what, and where.
    match &file.text {
        RuleText::Embedded(rule) => {
            match rule.keys.as_ref().map(|keys| Rule::abridged_of(file, keys, overrides)) {
                Some(Ok(rule)) => Ok(rule),
                _ => Rule::whole_of(file, overrides),
            }
        }
        RuleText::Read(_) => Rule::whole_of(file, overrides),
    }
}

impl RuleFile {
    /// Runs the rule's own cases.
    pub fn test(&self) -> Result<Vec<case::CaseResult>, Box<Diagnostic>> {
        let draft = Draft::read(self.clone(), Extent::WithCases)?;
        case::run(&draft)
    }

    /// What is wrong with the rule, beyond what keeps it from loading.
    pub fn lint(&self) -> Vec<Diagnostic> {
        match Draft::read(self.clone(), Extent::WithCases) {
            Ok(draft) => super::lint::lint(&draft),
            Err(mistake) => vec![*mistake],
        }
    }

    /// The changes of the rule that its own cases do not notice.
    pub fn survivors(&self) -> Result<super::mutate::Survivors, Box<Diagnostic>> {
        super::mutate::survivors(&Draft::read(self.clone(), Extent::WithCases)?)
    }
}

/// What is wrong with a rule file that no id can be told of.
const MISPLACED: &str =
    "rules lie in <area>/<name>.toml below the rules directory, both in lower case with dashes";

fn unusable(path: &Path, message: String) -> Diagnostic {
    Diagnostic { path: path.display().to_string(), source: "".into(), span: 0..0, message, help: None }
}

fn sorted(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory)? {
        paths.push(entry?.path());
    }
    paths.sort();
    Ok(paths)
}

/// A rule file, or why it is none.
fn read(directory: &Path, path: &Path) -> Result<RuleFile, String> {
    let below = path.strip_prefix(directory).unwrap_or(path).with_extension("");
    let id = below.to_string_lossy().into_owned();
    if !is_id(&id) {
        return Err(MISPLACED.into());
    }
    let found = fs::metadata(path).map_err(|error| error.to_string())?;
    if !found.is_file() {
        return Err("is not a regular file".into());
    }
    if found.len() > MAX_FILE {
        return Err(format!("is larger than {} KiB, which no rule is", MAX_FILE >> 10));
    }
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let text = String::from_utf8(bytes).map_err(|_| "is not UTF-8 text".to_owned())?;
    Ok(RuleFile { id, path: path.display().to_string(), text: text.into() })
}

/// Whether this is `area/name`, both in kebab case.
pub fn is_id(id: &str) -> bool {
    let kebab = |part: &str| {
        !part.is_empty()
            && !part.starts_with('-')
            && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    id.split_once('/').is_some_and(|(area, name)| kebab(area) && kebab(name))
}
