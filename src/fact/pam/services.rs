//! All services together: what their stacks amount to, and what rules see of them.

use super::config::{Call, Config, File, Rule, Stacks};
use super::modules::Library;
use super::records::*;
use super::stack::{Outcomes, can_succeed};
use super::syntax::{self, What};
use super::{control, everyone, expected, root, stranger};
use crate::model::{Lazy, Partial, Word};
use crate::source::{At, Host, Missing, Reading, Reason, Unreadable};
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// A service file and what libpam makes of it.
#[derive(Debug)]
struct Service {
    file: Arc<File>,
    stacks: Reading<Stacks>,
}

/// All services.
#[derive(Debug, Default)]
pub(super) struct Services {
    by_name: BTreeMap<String, Service>,
    /// The services, copies not, whose stacks hold the line at a place.
    users: HashMap<At, Vec<String>>,
    unread: Vec<Unreadable>,
    /// Taken so far, by [`can_succeed`].
    steps: AtomicU64,
}

/// Names that dpkg, rpm, pacman, apk, pam-config and editors give to copies.
fn is_copy(name: &str) -> bool {
    const ENDS: [&str; 15] = [
        "~", ".rpmsave", ".rpmnew", ".rpmorig", ".bak", ".orig", ".old", ".save", ".pacnew", ".pacsave",
        ".apk-new", ".swp", ".pam-old", ".pam-new", ".backup",
    ];
    name.starts_with('.') || name.contains(".dpkg-") || ENDS.iter().any(|end| name.ends_with(end))
}

impl Services {
    /// The services of these names.
    pub(super) fn of(config: &Config<'_>, names: Vec<String>) -> Self {
        let mut all = Self::default();
        for name in names {
            // One that is absent is a dangling link, and no service to libpam either; one that is unreadable is
            // in `unread`.
            if let Ok(file) = config.file(&name) {
                let stacks = config.stacks(&name);
                all.by_name.insert(name, Service { file, stacks });
            }
        }
        all.unread = config.unread();
        all.users = all.users();
        all
    }

    pub(super) fn partial<T>(&self, items: Vec<T>) -> Partial<T> {
        Partial { items, unread: self.unread.clone() }
    }

    /// The services that programs may use: no copies.
    fn live(&self) -> impl Iterator<Item = (&String, &Service)> {
        self.by_name.iter().filter(|(name, _)| !is_copy(name))
    }

    /// Those whose rules could be put together.
    fn loaded(&self) -> impl Iterator<Item = (&String, &Stacks)> {
        self.live().filter_map(|(name, service)| Some((name, service.stacks.as_ref().ok()?)))
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
            let known = special(at, rule).or_else(|| {
                let (module, arguments) = module(rule)?;
                everyone::outcomes(ty, module, arguments)
            });
            known.unwrap_or(Outcomes::ANY)
        };
        self.can_succeed(service, &rules, outcome)
    }

    fn can_succeed(
        &self,
        service: &str,
        rules: &[&Rule],
        outcomes: impl Fn(usize, &Rule) -> Outcomes,
    ) -> Reading<bool> {
        can_succeed(rules, outcomes, &self.steps).ok_or_else(|| {
            let path = self.by_name.get(service).map_or("/etc/pam.d", |service| &*service.file.path);
            Missing::unreadable(
                path,
                Reason::NotRead("can end in too many ways to look at all of them".into()),
            )
        })
    }

    pub(super) fn services(self: &Arc<Self>, host: &Host) -> Vec<PamService> {
        let mut included_by: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (name, stacks) in self.loaded() {
            let files: BTreeSet<&str> = stacks.includes.iter().map(|i| i.name.as_str()).collect();
            for file in files {
                included_by.entry(file).or_default().push(name.clone());
            }
        }
        let list = self.by_name.iter().map(|(name, service)| {
            let stacks = service.stacks.as_ref().map_err(Clone::clone);
            let files = stacks.iter().flat_map(|s| &s.includes).map(|i| i.name.clone());
            PamService {
                name: name.clone(),
                at: At::file(service.file.path.clone()),
                size: service.file.size,
                lines: service.file.lines.len(),
                copy: is_copy(name),
                includes: files.collect::<BTreeSet<_>>().into_iter().collect(),
                included_by: included_by.remove(name.as_str()).unwrap_or_default(),
                rules: stacks.map(|stacks| {
                    stacks.rules.iter().filter(|r| r.call != Call::Substack).map(record).collect()
                }),
                always_fails: self.lazily(name, |all, name| all.always_fails(name)),
                admits_strangers_by: self.lazily(name, |all, name| all.admits_strangers_by(name)),
                malformed: malformed(&service.file),
                root_refusals: self.lazily(name, {
                    let host = host.clone();
                    move |all, name| all.root_refusals(&host, name)
                }),
            }
        });
        list.collect()
    }

    /// What `ask` says of a service, when it is asked for.
    fn lazily<T>(
        self: &Arc<Self>,
        service: &str,
        ask: impl Fn(&Self, &str) -> Reading<T> + Send + Sync + 'static,
    ) -> Lazy<T> {
        let (all, service) = (self.clone(), service.to_owned());
        Lazy::new(move || ask(&all, &service))
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

    /// The rules without whose success no stranger gets in; of those the ones that end the stack, if there are such. All that
    /// may succeed, where there are several ways.
    fn admits_strangers_by(&self, service: &str) -> Reading<Vec<PamStep>> {
        let Some(rules) = self.stack(service, PamType::Auth)? else { return Ok(Vec::new()) };
        let failed = Outcomes::only(control::AUTH_ERR);
        let admitted_without = |refused: Option<usize>| {
            let outcome =
                |at: usize, rule: &Rule| if refused == Some(at) { failed } else { stranger::outcome(rule) };
            self.can_succeed(service, &rules, outcome)
        };
        if !admitted_without(None)? {
            return Ok(Vec::new());
        }
        let may_succeed = |rule: &Rule| {
            matches!(rule.call, Call::Module(_)) && stranger::outcome(rule).has(control::SUCCESS)
        };
        let succeeding: Vec<_> = rules.iter().enumerate().filter(|(_, rule)| may_succeed(rule)).collect();
        let mut needed = Vec::new();
        for one in &succeeding {
            if !admitted_without(Some(one.0))? {
                needed.push(one);
            }
        }
        let decides = |rule: &Rule| matches!(rule.call, Call::Module(actions) if actions.decides());
        let deciding: Vec<_> = needed.iter().copied().filter(|(_, rule)| decides(rule)).collect();
        let chosen = [deciding, needed, succeeding.iter().collect()].into_iter().find(|c| !c.is_empty());
        let step = |(_, rule): &(usize, &&Rule)| PamStep {
            text: one_line(&rule.line.text),
            at: rule.line.at.clone(),
        };
        Ok(chosen.unwrap_or_default().into_iter().map(step).collect())
    }

    fn users(&self) -> HashMap<At, Vec<String>> {
        let mut users: HashMap<At, Vec<String>> = HashMap::new();
        for (name, stacks) in self.loaded() {
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

    pub(super) fn modules(self: &Arc<Self>, host: &Host, library: &Library) -> Vec<PamModule> {
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

    pub(super) fn includes(&self) -> Vec<PamInclude> {
        type Users<'a> = (BTreeSet<&'a At>, BTreeSet<&'a str>);
        let mut users: BTreeMap<(&str, PamIncludeState), Users<'_>> = BTreeMap::new();
        for (service, include) in self.loaded().flat_map(|(n, s)| s.includes.iter().map(move |i| (n, i))) {
            let (lines, services) = users.entry((&include.name, include.state)).or_default();
            lines.insert(&include.at);
            services.insert(service);
        }
        // What is wrong hides what is right: of a file's states the last counts.
        let mut found: BTreeMap<&str, PamInclude> = BTreeMap::new();
        for ((name, state), (lines, services)) in users {
            let Some(at) = lines.first() else { continue };
            let include = PamInclude {
                name: name.to_owned(),
                state,
                at: (*at).clone(),
                lines: lines.into_iter().map(At::to_string).collect(),
                services: services.into_iter().map(str::to_owned).collect(),
            };
            found.insert(name, include);
        }
        found.into_values().collect()
    }

    fn root_refusals(&self, host: &Host, service: &str) -> Reading<Vec<PamRefusal>> {
        let mut found = self.refusals_of(host, service, PamType::Auth)?;
        found.extend(self.refusals_of(host, service, PamType::Account)?);
        Ok(found)
    }

    fn refusals_of(&self, host: &Host, service: &str, ty: PamType) -> Reading<Vec<PamRefusal>> {
        let mut found = Vec::new();
        let Some(rules) = self.stack(service, ty)? else { return Ok(found) };
        if !self.succeeds(service, ty, |_, _| None)? {
            return Ok(found);
        }
        let root = root::Root { host, service, groups: OnceCell::new() };
        for (at, rule) in rules.iter().enumerate() {
            let Some((name, arguments)) = module(rule) else { continue };
            let Some((outcome, reason)) = root.answer(name, arguments)? else { continue };
            if !self.succeeds(service, ty, |other, _| (other == at).then_some(outcome))? {
                found.push(PamRefusal {
                    r#type: ty,
                    module: name.to_owned(),
                    text: one_line(&rule.line.text),
                    reason,
                    at: rule.line.at.clone(),
                });
            }
        }
        Ok(found)
    }

    pub(super) fn expected(&self, host: &Host) -> Vec<PamExpected> {
        let admits = || -> Reading<bool> {
            let has_other = self.by_name.contains_key("other");
            let failing = self.always_fails("other")?;
            Ok(has_other && !failing.iter().any(|ty| ty == "auth" || ty == "account"))
        };
        let other_admits = admits();
        let list = expected::wanted(host).into_iter().map(|wanted| {
            let path = format!("/etc/pam.d/{}", wanted.service);
            let denied =
                self.unread.iter().find(|why| why.path.ends_with(&format!("/pam.d/{}", wanted.service)));
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

/// A line with its columns separated by one blank.
fn one_line(text: &str) -> String {
    text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// What libpam cannot use of a file.
fn malformed(file: &File) -> Vec<PamMalformed> {
    let mut found = Vec::new();
    let mut add = |at: &At, text: &str, reason: String, effect: PamEffect| {
        found.push(PamMalformed { text: text.to_owned(), reason, effect, at: at.clone() });
    };
    // All lines of a file with DOS line ends are one defect.
    let mut dos = file.lines.iter().filter(|line| line.text.ends_with('\r'));
    if let Some(first) = dos.next() {
        let count = 1 + dos.count();
        let reason = format!(
            "{count} lines end in a carriage return (DOS line ends), which libpam takes for a part of the last word"
        );
        add(&first.at, first.text.trim_end_matches('\r'), reason, PamEffect::Stack);
    }
    for line in file.lines.iter().filter(|line| !line.text.ends_with('\r')) {
        if let Some(fault) = &line.fault {
            add(&line.at, &line.text, fault.clone(), effect(line));
        }
    }
    if let Some(line) = file.cut {
        let reason =
            "the file ends in a backslash, that is within a line; libpam then gives the whole file up";
        add(&At::line(file.path.clone(), line), "\\", reason.into(), PamEffect::Service);
    }
    found
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
