//! The syntax of nsswitch.conf, as glibc's nss_database.c and nss_action_parse.c read it.

use super::{NssDatabase, NssService, NsswitchMalformed};
use crate::source::At;
use std::collections::BTreeMap;

pub(super) struct Parsed {
    pub(super) databases: BTreeMap<String, NssDatabase>,
    pub(super) malformed: Vec<NsswitchMalformed>,
}

/// What is taken where the file says nothing: another database, else these services.
const DEFAULTS: [(&str, Option<&str>, &str); 6] = [
    ("passwd", None, "files"),
    ("group", None, "files"),
    ("shadow", Some("passwd"), "files"),
    ("gshadow", Some("group"), "files"),
    ("hosts", None, "files dns"),
    ("networks", None, "files dns"),
];

pub(super) fn parse(path: &str, text: &str) -> Parsed {
    let mut parsed = Parsed { databases: BTreeMap::new(), malformed: Vec::new() };
    for (number, line) in (1..).zip(text.lines()) {
        let at = At::line(path, number);
        let content = line.split('#').next().unwrap_or_default().trim();
        if content.is_empty() {
            continue;
        }
        let mut odd = || parsed.malformed.push(NsswitchMalformed { text: line.to_owned(), at: at.clone() });
        // The colon may be left out, or stand apart.
        let end = content.find(|c: char| c.is_whitespace() || c == ':').unwrap_or(content.len());
        let (name, rest) = content.split_at(end);
        if name.is_empty() || rest.is_empty() {
            odd();
            continue;
        }
        let (services, whole) = services(rest.trim_start_matches(|c: char| c.is_whitespace() || c == ':'));
        if !whole {
            odd();
        }
        // Of two lines the last counts since glibc 2.33.
        parsed.databases.insert(name.to_owned(), NssDatabase { services, assumed: false, at });
    }
    for (name, other, default) in DEFAULTS {
        if !parsed.databases.contains_key(name) {
            let from = other.and_then(|other| parsed.databases.get(other));
            let taken = from.filter(|from| !from.assumed).cloned().unwrap_or_else(|| NssDatabase {
                services: services(default).0,
                assumed: true,
                at: At::file(path),
            });
            parsed.databases.insert(name.to_owned(), NssDatabase { assumed: true, ..taken });
        }
    }
    parsed
}

/// The services of a line, and whether all of it was understood; the C library uses what stands before the error.
fn services(mut rest: &str) -> (Vec<NssService>, bool) {
    let mut services: Vec<NssService> = Vec::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return (services, true);
        }
        if let Some(inner) = rest.strip_prefix('[') {
            let (Some((actions, after)), Some(service)) = (inner.split_once(']'), services.last_mut()) else {
                return (services, false);
            };
            for action in actions.split_whitespace() {
                if !apply(service, action) {
                    return (services, false);
                }
            }
            rest = after;
            continue;
        }
        let end = rest.find(|c: char| c.is_whitespace() || c == '[').unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        services.push(NssService { name: name.to_owned(), actions: Vec::new(), unavailable_ends: false });
        rest = after;
    }
}

/// Adds `!STATUS=action` to a service; false if it is none.
fn apply(service: &mut NssService, action: &str) -> bool {
    let Some((status, what)) = action.split_once('=') else { return false };
    let (not, status) = status.strip_prefix('!').map_or((false, status), |rest| (true, rest));
    let known = ["SUCCESS", "NOTFOUND", "UNAVAIL", "TRYAGAIN"].iter().any(|s| s.eq_ignore_ascii_case(status));
    if !known || !["return", "continue", "merge"].iter().any(|w| w.eq_ignore_ascii_case(what)) {
        return false;
    }
    if status.eq_ignore_ascii_case("UNAVAIL") != not {
        service.unavailable_ends = what.eq_ignore_ascii_case("return");
    }
    service.actions.push(action.to_owned());
    true
}
