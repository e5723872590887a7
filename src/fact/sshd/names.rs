//! Users and groups that the configuration names.

use super::config::Config;
use super::people::People;
use super::records::{Directive, NameKind, NamedAccount};
use crate::source::Missing;

/// More names than any list that somebody wrote.
const MOST: usize = 10_000;

/// All names that stand for one account each; patterns are left out.
pub(super) fn named(config: &Config, people: &People) -> Vec<NamedAccount> {
    config.directives.iter().flat_map(|d| of_line(d, people)).take(MOST).collect()
}

fn of_line(directive: &Directive, people: &People) -> Vec<NamedAccount> {
    let kind = match directive.keyword.as_str() {
        "AllowUsers" | "DenyUsers" => NameKind::User,
        "AllowGroups" | "DenyGroups" => NameKind::Group,
        _ => return Vec::new(),
    };
    let exists = |name: &str| match kind {
        NameKind::User => people.find(name).is_some(),
        NameKind::Group => people.groups.contains(name),
    };
    let elsewhere = match kind {
        NameKind::User => &people.other_users,
        NameKind::Group => &people.other_groups,
    };
    let names: Vec<&str> = directive.arguments.iter().map(|a| a.split('@').next().unwrap_or("")).collect();
    let others = names.iter().any(|name| is_pattern(name) || exists(name));
    let plain = names.iter().filter(|name| !is_pattern(name) && !name.is_empty());
    plain
        .map(|name| NamedAccount {
            name: (*name).to_owned(),
            kind,
            keyword: directive.keyword.clone(),
            exists: match (exists(name), elsewhere) {
                (true, _) => Ok(true),
                (false, None) => Ok(false),
                (false, Some(_)) => Err(Missing::Absent),
            },
            others,
            at: directive.at.clone(),
        })
        .collect()
}

fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '!', '#'])
}
