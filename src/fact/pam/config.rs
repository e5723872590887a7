//! The service files, and the rules of a service with its includes resolved as `_pam_load_conf_file` does.

use super::control::Actions;
use super::records::{PamIncludeState, PamType};
use super::syntax::{self, Line, What, logical_lines, token};
use crate::source::{At, Host, Missing, Optional, Reading, Reason, Unreadable, text};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// Where service files are, the first that has one wins: the administrator's, the distribution's, SUSE's.
pub(super) const DIRECTORIES: [&str; 3] = ["/etc/pam.d", "/usr/lib/pam.d", "/usr/etc/pam.d"];

/// The one file that counts where there is none of the directories.
const PAM_CONF: &str = "/etc/pam.conf";

/// How many files may be open within each other (PAM_SUBSTACK_MAX_LEVEL).
const MAX_LEVEL: usize = 16;

/// More rules, and more includes, than any service has; includes of includes can multiply without end.
const MAX_RULES: usize = 512;

/// The largest service file that is read; honest ones have at most some KiB.
const FILE_CAP: u64 = 128 << 10;

/// More services than any host has.
const MAX_SERVICES: usize = 5_000;

/// How many rules all services may have together. A host with 60 services has some 2 000.
const MAX_RULES_IN_ALL: usize = 20_000;

/// How many lines may be gone through for all services, once for each time their file is included.
const MAX_LINES_IN_ALL: usize = 200_000;

/// A parsed file, or the lines of one service in /etc/pam.conf.
#[derive(Debug)]
pub(super) struct File {
    pub(super) path: Arc<str>,
    pub(super) size: Option<u64>,
    pub(super) lines: Vec<Arc<Line>>,
    /// The line at which a continued line begins that the end of the file cuts off; libpam then gives up.
    pub(super) cut: Option<u32>,
}

/// One rule of a service's stacks.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) ty: PamType,
    /// How many substacks it is in.
    pub(super) level: usize,
    pub(super) line: Arc<Line>,
    pub(super) call: Call,
}

/// What libpam does when it comes to a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// Calls the module.
    Module(Actions),
    /// Fails without calling anything.
    MustFail(Actions),
    /// Nothing: it only marks where a substack begins.
    Substack,
}

/// A service with its includes resolved.
#[derive(Clone, Debug, Default)]
pub(super) struct Stacks {
    pub(super) rules: Vec<Rule>,
    /// Whether libpam gives the whole service up.
    pub(super) aborted: bool,
    /// Its includes, also those within includes.
    pub(super) includes: Vec<Include>,
}

/// A line that includes a file.
#[derive(Clone, Debug)]
pub(super) struct Include {
    pub(super) name: String,
    pub(super) state: PamIncludeState,
    pub(super) at: At,
}

/// All files that were asked for.
#[derive(Debug)]
pub(super) struct Config<'a> {
    host: &'a Host,
    /// The services of /etc/pam.conf, where that counts.
    single: Option<BTreeMap<String, Arc<File>>>,
    files: RefCell<BTreeMap<String, Reading<Arc<File>>>>,
    rules: Cell<usize>,
    lines: Cell<usize>,
}

/// Parses a service file.
pub(super) fn parse(path: &str, text: &str) -> File {
    let path: Arc<str> = path.into();
    let (lines, cut) = logical_lines(text);
    let lines = lines.iter().map(|l| Arc::new(syntax::line(&path, l.line, &l.text))).collect();
    File { path, size: Some(text.len() as u64), lines, cut }
}

/// Parses /etc/pam.conf: the first column is the service.
fn parse_single(text: &str) -> BTreeMap<String, Arc<File>> {
    let path: Arc<str> = PAM_CONF.into();
    let (lines, cut) = logical_lines(text);
    let mut files: BTreeMap<String, File> = BTreeMap::new();
    for logical in lines {
        let mut rest = logical.text.as_str();
        let service = token(&mut rest).unwrap_or_default().to_ascii_lowercase();
        let file = files.entry(service).or_insert_with(|| File {
            path: path.clone(),
            size: None,
            lines: Vec::new(),
            cut: None,
        });
        file.lines.push(Arc::new(syntax::line(&path, logical.line, rest)));
    }
    // libpam reads the whole file for every service, and so fails for all of them.
    files.values_mut().for_each(|file| file.cut = cut);
    files.into_iter().map(|(name, file)| (name, Arc::new(file))).collect()
}

impl<'a> Config<'a> {
    /// The configuration of a host, and the names of its services, sorted. `None`: there is none.
    pub(super) fn open(host: &'a Host) -> Reading<Option<(Self, Vec<String>)>> {
        let mut names = BTreeSet::new();
        let mut any = false;
        for directory in DIRECTORIES {
            if let Some(entries) = host.source.list(Path::new(directory)).optional()? {
                any = true;
                let files = entries.iter().filter(|e| e.kind != crate::source::FileKind::Directory);
                names.extend(files.map(|e| e.name.to_string_lossy().into_owned()));
            }
        }
        if names.len() > MAX_SERVICES {
            let what = format!("holds more than {MAX_SERVICES} files");
            return Err(Missing::unreadable(DIRECTORIES[0], Reason::NotRead(what)));
        }
        let mut config =
            Self { host, single: None, files: RefCell::default(), rules: Cell::new(0), lines: Cell::new(0) };
        if !any {
            let Some(text) = host.read_text(PAM_CONF).optional()? else { return Ok(None) };
            config.single = Some(parse_single(&text));
        }
        names.extend(config.single.iter().flat_map(BTreeMap::keys).cloned());
        Ok(Some((config, names.into_iter().collect())))
    }

    /// The file of this name, or path, as libpam would open it.
    pub(super) fn file(&self, name: &str) -> Reading<Arc<File>> {
        if let Some(file) = self.single.as_ref().and_then(|services| services.get(name)) {
            return Ok(file.clone());
        }
        if let Some(found) = self.files.borrow().get(name) {
            return found.clone();
        }
        let found = self.read(name).map(Arc::new);
        self.files.borrow_mut().insert(name.to_owned(), found.clone());
        found
    }

    fn read(&self, name: &str) -> Reading<File> {
        let paths: Vec<String> = match name.starts_with('/') {
            true => vec![name.to_owned()],
            false => DIRECTORIES.iter().map(|directory| format!("{directory}/{name}")).collect(),
        };
        for path in paths {
            match self.host.source.read(Path::new(&path), FILE_CAP) {
                Ok(bytes) => {
                    let size = bytes.len() as u64;
                    // Long lines take as much as many.
                    let lines = bytes.len() / 100;
                    let file = File { size: Some(size), ..parse(&path, &text(bytes)) };
                    return self.spend(&file, file.lines.len().max(lines), 0).map(|()| file);
                }
                Err(Missing::Absent) => {}
                Err(unreadable) => return Err(unreadable),
            }
        }
        Err(Missing::Absent)
    }

    /// The rules of a service. Absent: it has no file. Unreadable: a file that it needs is.
    pub(super) fn stacks(&self, service: &str) -> Reading<Stacks> {
        let file = self.file(service)?;
        let mut stacks = Stacks::default();
        let mut open = vec![service.to_owned()];
        stacks.aborted = self.load(&file, None, 0, &mut open, &mut stacks)?.is_err();
        self.spend(&file, 0, stacks.rules.len())?;
        Ok(stacks)
    }

    /// Counts work, of which a hostile tree could make any amount out of few bytes.
    fn spend(&self, file: &File, lines: usize, rules: usize) -> Reading<()> {
        self.lines.set(self.lines.get() + lines);
        self.rules.set(self.rules.get() + rules);
        if self.lines.get() > MAX_LINES_IN_ALL || self.rules.get() > MAX_RULES_IN_ALL {
            let what = "not gone through: the services have too many rules in all".to_owned();
            return Err(Missing::unreadable(&*file.path, Reason::NotRead(what)));
        }
        Ok(())
    }

    /// Appends the rules of a file. The inner error: libpam gives up here.
    fn load(
        &self,
        file: &File,
        wanted: Option<PamType>,
        level: usize,
        open: &mut Vec<String>,
        stacks: &mut Stacks,
    ) -> Reading<Result<(), ()>> {
        self.spend(file, file.lines.len(), 0)?;
        for line in &file.lines {
            if stacks.rules.len().max(stacks.includes.len()) >= MAX_RULES {
                let what = format!("includes make it more than {MAX_RULES} rules");
                return Err(Missing::unreadable(&*file.path, Reason::NotRead(what)));
            }
            // libpam counts a line of no known type as one of the type it is after, else as auth.
            let ty = line.ty.or(wanted).unwrap_or(PamType::Auth);
            let whole = matches!(line.what, What::Whole { .. });
            if !whole && wanted.is_some_and(|wanted| wanted != ty) {
                continue;
            }
            let (target, substack) = match &line.what {
                What::Module { control, .. } => {
                    let call = match line.must_fail {
                        true => Call::MustFail(control.actions),
                        false => Call::Module(control.actions),
                    };
                    stacks.rules.push(Rule { ty, level, line: line.clone(), call });
                    continue;
                }
                What::Include { target, substack } => (target, *substack),
                What::Whole { target } => (target, false),
            };
            if substack {
                stacks.rules.push(Rule { ty, level, line: line.clone(), call: Call::Substack });
            }
            let wanted = if whole { wanted } else { Some(ty) };
            let level_within = level + usize::from(substack);
            if self.include(target.as_deref(), line, wanted, level_within, open, stacks)?.is_err() {
                match wanted {
                    // A handler of no type: `@include` in the service's own file takes it all down.
                    None => return Ok(Err(())),
                    Some(ty) => {
                        let call = Call::MustFail(Actions::ALL_BAD);
                        stacks.rules.push(Rule { ty, level, line: line.clone(), call });
                    }
                }
            }
        }
        Ok(if file.cut.is_some() { Err(()) } else { Ok(()) })
    }

    fn include(
        &self,
        target: Option<&str>,
        line: &Line,
        wanted: Option<PamType>,
        level: usize,
        open: &mut Vec<String>,
        stacks: &mut Stacks,
    ) -> Reading<Result<(), ()>> {
        let Some(target) = target else { return Ok(Err(())) };
        let file = self.file(target);
        let state = match &file {
            _ if open.iter().any(|name| name == target) => PamIncludeState::Loop,
            _ if open.len() >= MAX_LEVEL => PamIncludeState::TooDeep,
            Err(Missing::Absent) => PamIncludeState::Missing,
            _ => PamIncludeState::Ok,
        };
        stacks.includes.push(Include { name: target.to_owned(), state, at: line.at.clone() });
        if state != PamIncludeState::Ok {
            return Ok(Err(()));
        }
        let file = file?;
        open.push(target.to_owned());
        let loaded = self.load(&file, wanted, level, open, stacks);
        open.pop();
        loaded
    }

    /// The files that could not be read.
    pub(super) fn unread(&self) -> Vec<Unreadable> {
        let files = self.files.borrow();
        files.values().filter_map(|file| unreadable(file.as_ref().err()?)).collect()
    }
}

fn unreadable(missing: &Missing) -> Option<Unreadable> {
    match missing {
        Missing::Unreadable(why) => Some(why.clone()),
        Missing::Absent => None,
    }
}
