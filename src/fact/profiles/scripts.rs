//! The scripts of a host, who reads them, and what stops whom.

use super::parse::{Script, parse};
use crate::source::{Host, Missing, Reading, Unreadable};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

/// Who logs in.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) home: String,
    pub(super) shell: String,
}

/// What stops a login.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stop {
    /// A file is read again while it is being read, for ever: the lines by which, as `file:line`.
    Loop(Vec<String>),
    /// `exit`, or `exec` of another program: the command.
    End(String),
    /// `set -e` that nothing takes back.
    ErrorExit(String),
}

/// What stops whom, and where: the file, the line, and the users.
#[derive(Debug, Default)]
pub(super) struct Stops(pub(super) BTreeMap<(String, u32, Stop), BTreeSet<String>>);

impl Stops {
    /// Adds what stops this user, if anything does.
    pub(super) fn add(&mut self, stop: Option<(String, u32, Stop)>, user: &str) {
        let Some(stop) = stop else { return };
        // A circle is the same wherever it is entered.
        let round = |stop: &Stop| match stop {
            Stop::Loop(lines) => Some(lines.iter().cloned().collect::<BTreeSet<_>>()),
            _ => None,
        };
        let known = self
            .0
            .iter_mut()
            .find(|((_, _, known), _)| round(known).is_some() && round(known) == round(&stop.2));
        match known {
            Some((_, users)) => users.insert(user.to_owned()),
            None => self.0.entry(stop).or_default().insert(user.to_owned()),
        };
    }
}

/// The scripts of a host, each read once.
#[derive(Debug)]
pub(super) struct Scripts<'a> {
    pub(super) host: &'a Host,
    scripts: HashMap<String, Reading<Rc<Script>>>,
    /// Names that globs may still look at.
    pub(super) names_left: usize,
    /// What could not be read.
    pub(super) unread: BTreeSet<Unreadable>,
}

impl<'a> Scripts<'a> {
    pub(super) fn new(host: &'a Host) -> Self {
        Self { host, scripts: HashMap::new(), names_left: 20_000, unread: BTreeSet::new() }
    }

    /// The script at this path.
    pub(super) fn get(&mut self, path: &str) -> Reading<Rc<Script>> {
        if let Some(found) = self.scripts.get(path) {
            return found.clone();
        }
        let found = self.host.read_text(path).map(|text| Rc::new(parse(&text)));
        if let Err(Missing::Unreadable(why)) = &found {
            self.unread.insert(why.clone());
        }
        self.scripts.insert(path.to_owned(), found.clone());
        found
    }
}
