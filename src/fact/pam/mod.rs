//! PAM: the stacks that decide who gets in, as libpam would put them together.
//!
//! `syntax` and `control` read lines, `config` resolves includes, `stack` searches what a stack can amount to,
//! `root` and `access` know the modules that tell users apart. Nothing here calls a module.

mod access;
mod config;
mod control;
mod expected;
mod modules;
mod records;
mod root;
mod stack;
mod syntax;
#[cfg(test)]
mod tests;

pub use records::*;

use super::Fact;
use crate::model::{Lazy, Partial, Word};
use crate::source::{At, Host, Missing, Reading, Unreadable};
use config::{Call, Config, File, Rule, Stacks};
use modules::Library;
use stack::{Outcomes, can_succeed};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use syntax::What;

impl Fact for Pam {
    const NAME: &'static str = "pam";
    const READS: &'static [&'static str] = &[
        "/etc/pam.d/*",
        "/usr/lib/pam.d/*",
        "/usr/etc/pam.d/*",
        "/etc/pam.conf",
        "*/libpam.so.0",
        "*/security/pam_*.so",
        "/etc/security/access.conf",
        "/etc/security/access.d/*.conf",
        "/etc/securetty",
        "/etc/group",
        "/proc/cmdline",
    ];

    fn collect(host: &Host) -> Reading<Self> {
        let library = Library::find(host).map_err(Missing::Unreadable)?;
        let opened = Config::open(host)?;
        if opened.is_none() && library.path.is_none() {
            return Err(Missing::Absent);
        }
        let mut all = Services::default();
        if let Some((config, names)) = opened {
            for name in names {
                match (config.file(&name), config.stacks(&name)) {
                    // A dangling link: libpam finds no such service either.
                    (Err(Missing::Absent), _) => {}
                    (Err(Missing::Unreadable(_)), _) => {}
                    (Ok(file), stacks) => {
                        all.by_name.insert(name, Service { file, stacks });
                    }
                }
            }
            all.unread = config.unread();
            all.users = all.users();
        }
        let all = Arc::new(all);
        let refusals = (host.clone(), all.clone());
        Ok(Self {
            services: all.partial(all.services()),
            modules: all.partial(all.modules(host, &library)),
            broken_includes: all.partial(all.broken_includes()),
            malformed: all.partial(all.malformed()),
            root_refusals: Lazy::new(move || Ok(refusals.1.root_refusals(&refusals.0))),
            expected: all.expected(host),
            library: library.path,
            module_directories: library.directories,
        })
    }
}

/// The services by which root gets in from outside.
const LOGINS: [&str; 2] = ["login", "sshd"];

/// A service file and what libpam makes of it.
#[derive(Debug)]
struct Service {
    file: Arc<File>,
    stacks: Reading<Stacks>,
}

/// All services.
#[derive(Debug, Default)]
struct Services {
    by_name: BTreeMap<String, Service>,
    /// The services, copies not, whose stacks hold the line at a place.
    users: HashMap<At, Vec<String>>,
    unread: Vec<Unreadable>,
}

/// Names that dpkg, rpm, pacman, apk, pam-config and editors give to copies.
fn is_copy(name: &str) -> bool {
    const ENDS: [&str; 15] = [
        "~", ".rpmsave", ".rpmnew", ".rpmorig", ".bak", ".orig", ".old", ".save", ".pacnew", ".pacsave", ".apk-new",
        ".swp", ".pam-old", ".pam-new", ".backup",
    ];
    name.starts_with('.') || name.contains(".dpkg-") || ENDS.iter().any(|end| name.ends_with(end))
}

impl Services {
    fn partial<T>(&self, items: Vec<T>) -> Partial<T> {
        Partial { items, unread: self.unread.clone() }
    }

    /// The services that programs may use: no copies.
    fn live(&self) -> impl Iterator<Item = (&String, &Service)> {
        self.by_name.iter().filter(|(name, _)| !is_copy(name))
    }

    /// The rules of one type of a service, those of `other` where it has none. `None`: libpam gave up.
    fn stack(&self, service: &str, ty: PamType) -> Reading<Option<Vec<&Rule>>> {
        let mut found = Vec::new();
        for name in [service, "other"] {
            let stacks = match self.by_name.get(name) {
                None => continue,
                Some(service) => service.stacks.as_ref().map_err(Clone::clone)?,
            };
            // libpam reads both files, and fails if either is bad.
            if stacks.aborted {
                return Ok(None);
            }
            if found.is_empty() {
                found = stacks.rules.iter().filter(|rule| rule.ty == ty).collect();
            }
        }
        Ok(Some(found))
    }

    /// Whether a stack can succeed when the modules of which `special` knows the outcome return that.
    fn succeeds(
        &self,
        service: &str,
        ty: PamType,
        special: impl Fn(usize, &Rule) -> Option<Outcomes>,
    ) -> Reading<bool> {
        let Some(rules) = self.stack(service, ty)? else { return Ok(false) };
        let outcome = |at: usize, rule: &Rule| {
            let known = special(at, rule).or_else(|| root::for_everyone(ty, module(rule)?.0));
            known.unwrap_or(Outcomes::ANY)
        };
        Ok(can_succeed(&rules, outcome))
    }

    fn services(self: &Arc<Self>) -> Vec<PamService> {
        let includes = |service: &Service| service.stacks.as_ref().map_or_else(|_| BTreeSet::new(), |s| s.includes.clone());
        let mut included_by: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, service) in self.live() {
            for file in includes(service) {
                included_by.entry(file).or_default().push(name.clone());
            }
        }
        let list = self.by_name.iter().map(|(name, service)| PamService {
            name: name.clone(),
            at: At::file(service.file.path.clone()),
            size: service.file.size,
            lines: service.file.lines.len(),
            copy: is_copy(name),
            includes: includes(service).into_iter().collect(),
            included_by: included_by.remove(name).unwrap_or_default(),
            rules: service.stacks.as_ref().map_err(Clone::clone).map(|stacks| {
                stacks.rules.iter().filter(|r| r.call != Call::Substack).map(record).collect()
            }),
            always_fails: self.lazily_always_fails(name),
        });
        list.collect()
    }

    fn lazily_always_fails(self: &Arc<Self>, service: &str) -> Lazy<Vec<String>> {
        let (all, service) = (self.clone(), service.to_owned());
        Lazy::new(move || all.always_fails(&service))
    }

    fn always_fails(&self, service: &str) -> Reading<Vec<String>> {
        let mut failing = Vec::new();
        for ty in PamType::ALL {
            if !self.succeeds(service, ty, |_, _| None)? {
                failing.push(ty.word().to_owned());
            }
        }
        Ok(failing)
    }

    fn users(&self) -> HashMap<At, Vec<String>> {
        let mut users: HashMap<At, Vec<String>> = HashMap::new();
        for (name, stacks) in self.live().filter_map(|(n, s)| Some((n, s.stacks.as_ref().ok()?))) {
            for rule in &stacks.rules {
                let services = users.entry(rule.line.at.clone()).or_default();
                if services.last() != Some(name) {
                    services.push(name.clone());
                }
            }
        }
        users
    }

    fn used_by(&self, at: &At) -> &[String] {
        self.users.get(at).map_or(&[], Vec::as_slice)
    }

    fn modules(self: &Arc<Self>, host: &Host, library: &Library) -> Vec<PamModule> {
        let library = Arc::new(library.clone());
        let mut modules = Vec::new();
        for (file, service) in &self.by_name {
            for line in &service.file.lines {
                let What::Module { control, module: Some(name), .. } = &line.what else { continue };
                let ty = line.ty.unwrap_or(PamType::Auth);
                let rule = Rule { ty, level: 0, line: line.clone(), call: Call::Module(control.actions) };
                let (host, library, named) = (host.clone(), library.clone(), name.clone());
                let (all, at) = (self.clone(), line.at.clone());
                modules.push(PamModule {
                    name: name.clone(),
                    rule: record(&rule),
                    file: file.clone(),
                    copy: is_copy(file),
                    state: Lazy::new(move || library.state(&host, &named)),
                    fatal: control.actions.fails(control::MODULE_UNKNOWN),
                    decides: control.actions.decides(),
                    used_by: self.used_by(&line.at).to_vec(),
                    stops: Lazy::new(move || all.stops(&at, ty)),
                    at: line.at.clone(),
                });
            }
        }
        modules
    }

    /// The services in which the stack with this line cannot succeed when its module does not load, but otherwise can.
    fn stops(&self, at: &At, ty: PamType) -> Reading<Vec<String>> {
        let mut stopped = Vec::new();
        for service in self.used_by(at) {
            let unknown = Outcomes::only(control::MODULE_UNKNOWN);
            let without = self.succeeds(service, ty, |_, rule| (rule.line.at == *at).then_some(unknown))?;
            if !without && self.succeeds(service, ty, |_, _| None)? {
                stopped.push(service.clone());
            }
        }
        Ok(stopped)
    }

    fn broken_includes(&self) -> Vec<PamBrokenInclude> {
        let mut found: BTreeMap<(String, &'static str), PamBrokenInclude> = BTreeMap::new();
        for (service, stacks) in self.live().filter_map(|(n, s)| Some((n, s.stacks.as_ref().ok()?))) {
            for broken in &stacks.broken {
                let key = (broken.name.clone(), broken.reason);
                let entry = found.entry(key).or_insert_with(|| PamBrokenInclude {
                    name: broken.name.clone(),
                    reason: broken.reason.to_owned(),
                    lines: Vec::new(),
                    services: Vec::new(),
                    at: broken.at.clone(),
                });
                let line = broken.at.to_string();
                if !entry.lines.contains(&line) {
                    entry.lines.push(line);
                }
                if !entry.services.contains(service) {
                    entry.services.push(service.clone());
                }
            }
        }
        found.into_values().collect()
    }

    fn malformed(&self) -> Vec<PamMalformed> {
        let mut found = Vec::new();
        for (name, service) in &self.by_name {
            let mut returns = 0;
            let file = &service.file;
            let mut add = |at: At, text: String, reason: String, effect: PamEffect| {
                let used_by = self.users_of(name);
                found.push(PamMalformed { text, reason, effect, file: name.clone(), copy: is_copy(name), used_by, at });
            };
            for line in &file.lines {
                // One finding for a file with DOS line ends, not one for each of its lines.
                if line.text.ends_with('\r') {
                    returns += 1;
                } else if let Some(fault) = &line.fault {
                    add(line.at.clone(), line.text.clone(), fault.clone(), effect(line));
                }
            }
            if let Some(first) = file.lines.iter().find(|line| line.text.ends_with('\r')) {
                let reason = format!("{returns} lines end in a carriage return (DOS line ends), which libpam takes for a part of the last word");
                let text = first.text.trim_end_matches('\r').to_owned();
                add(first.at.clone(), text, reason, PamEffect::Stack);
            }
            if let Some(line) = file.cut {
                let reason = "the last line ends in a backslash, so it is not complete; libpam gives the whole file up";
                add(At::line(file.path.clone(), line), String::new(), reason.into(), PamEffect::Service);
            }
        }
        found
    }

    /// The service itself and those that include it.
    fn users_of(&self, file: &str) -> Vec<String> {
        let uses = |name: &String, s: &Service| {
            name == file || s.stacks.as_ref().is_ok_and(|stacks| stacks.includes.contains(file))
        };
        self.live().filter(|(name, service)| uses(name, service)).map(|(name, _)| name.clone()).collect()
    }

    fn root_refusals(&self, host: &Host) -> Partial<PamRefusal> {
        let mut refusals = self.partial(Vec::new());
        for service in LOGINS.into_iter().filter(|name| self.by_name.contains_key(*name)) {
            for ty in [PamType::Auth, PamType::Account] {
                match self.refusals_of(host, service, ty) {
                    Ok(found) => refusals.items.extend(found),
                    Err(Missing::Unreadable(why)) if !refusals.unread.contains(&why) => refusals.unread.push(why),
                    Err(_) => {}
                }
            }
        }
        refusals
    }

    fn refusals_of(&self, host: &Host, service: &str, ty: PamType) -> Reading<Vec<PamRefusal>> {
        let mut found = Vec::new();
        let Some(rules) = self.stack(service, ty)? else { return Ok(found) };
        if !self.succeeds(service, ty, |_, _| None)? {
            return Ok(found);
        }
        let root = root::Root { host, service };
        for (at, rule) in rules.iter().enumerate() {
            let Some((name, arguments)) = module(rule) else { continue };
            let Some((outcome, reason)) = root.answer(name, arguments)? else { continue };
            if !self.succeeds(service, ty, |other, _| (other == at).then_some(outcome))? {
                found.push(PamRefusal {
                    service: service.to_owned(),
                    r#type: ty,
                    module: name.to_owned(),
                    text: rule.line.text.split_ascii_whitespace().collect::<Vec<_>>().join(" "),
                    reason,
                    at: rule.line.at.clone(),
                });
            }
        }
        Ok(found)
    }

    fn expected(&self, host: &Host) -> Vec<PamExpected> {
        let admits = || -> Reading<bool> {
            let has_other = self.by_name.contains_key("other");
            let failing = self.always_fails("other")?;
            Ok(has_other && !failing.iter().any(|ty| ty == "auth" || ty == "account"))
        };
        let other_admits = admits();
        let list = expected::wanted(host).into_iter().map(|wanted| {
            let path = format!("/etc/pam.d/{}", wanted.service);
            let denied = self.unread.iter().find(|why| why.path.ends_with(&format!("/pam.d/{}", wanted.service)));
            let host = host.clone();
            PamExpected {
                service: wanted.service.to_owned(),
                program: wanted.program.to_owned(),
                present: match denied {
                    Some(why) => Err(Missing::Unreadable(why.clone())),
                    None => Ok(self.by_name.contains_key(wanted.service)),
                },
                other_admits: other_admits.clone(),
                at: At::file(path),
                needed: Lazy::new(move || wanted.is_linked(&host)),
            }
        });
        list.collect()
    }
}

/// The module that a rule calls, and its arguments.
fn module(rule: &Rule) -> Option<(&str, &[String])> {
    match (&rule.line.what, rule.call) {
        (What::Module { module: Some(module), arguments, .. }, Call::Module(_)) => Some((module, arguments)),
        _ => None,
    }
}

/// What a malformed line costs.
fn effect(line: &syntax::Line) -> PamEffect {
    match &line.what {
        What::Whole { .. } => PamEffect::Service,
        What::Include { target: None, .. } => PamEffect::Stack,
        // The file is still included, though as another type than was meant.
        What::Include { .. } => PamEffect::Line,
        What::Module { control, .. } if line.must_fail && !control.actions.fails(control::PERM_DENIED) => {
            PamEffect::Line
        }
        What::Module { .. } => PamEffect::Stack,
    }
}

fn record(rule: &Rule) -> PamRule {
    let line = &rule.line;
    let (actions, module, arguments) = match &line.what {
        What::Module { control, module, arguments } => {
            (control.pairs.iter().cloned().collect(), module.clone(), arguments.clone())
        }
        What::Include { .. } | What::Whole { .. } => (BTreeMap::new(), None, Vec::new()),
    };
    PamRule {
        r#type: rule.ty,
        control: line.control.clone(),
        actions,
        module,
        arguments,
        optional: line.optional,
        at: line.at.clone(),
    }
}
