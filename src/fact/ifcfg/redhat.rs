//! Red Hat's and SUSE's ifcfg files: shell assignments, which ifup sources.

use super::{Found, IfcfgInterface, IfcfgMalformed, IfcfgStyle, Network, bits, reaches};
use crate::model::Located;
use crate::source::{At, Host, Missing, Reading, Reason};
use std::collections::BTreeMap;

const NETWORK: &str = "/etc/sysconfig/network";
const PLACES: [(&str, IfcfgStyle); 2] =
    [("/etc/sysconfig/network-scripts", IfcfgStyle::Redhat), ("/etc/sysconfig/network", IfcfgStyle::Suse)];

/// Files that ifup passes over: what editors and package managers leave.
const LEFT_OVER: [&str; 13] = [
    "~",
    ".bak",
    ".orig",
    ".old",
    ".save",
    ".template",
    ".rpmnew",
    ".rpmorig",
    ".rpmsave",
    ".augnew",
    ".augtmp",
    ".augsave",
    ".swp",
];

type Settings = BTreeMap<String, Located<String>>;

/// The interfaces, and the settings of /etc/sysconfig/network, which is a directory on SUSE.
pub(super) fn gather(host: &Host, found: &mut Found) -> Reading<Settings> {
    let global = match host.read_text(NETWORK) {
        Ok(text) => {
            found.seen = true;
            Ok(parse(NETWORK, &text, &mut found.malformed))
        }
        Err(Missing::Unreadable(why)) if matches!(why.reason, Reason::WrongKind(_)) => Err(Missing::Absent),
        Err(Missing::Unreadable(why)) => {
            found.keep::<()>(Err(Missing::Unreadable(why.clone())));
            Err(Missing::Unreadable(why))
        }
        absent => absent.map(|_| Settings::new()),
    };
    for (directory, style) in PLACES {
        let names = match host.names(directory) {
            Err(Missing::Unreadable(why)) if matches!(why.reason, Reason::WrongKind(_)) => continue,
            names => names,
        };
        for name in found.keep(names).unwrap_or_default() {
            let Some(interface) = name.strip_prefix("ifcfg-") else { continue };
            if LEFT_OVER.iter().any(|end| name.ends_with(end)) || interface.contains("-range") {
                continue;
            }
            let path = format!("{directory}/{name}");
            if let Some(text) = found.keep(host.read_text(&path)) {
                let settings = parse(&path, &text, &mut found.malformed);
                let global = global.as_ref().ok().and_then(|all| all.get("GATEWAY"));
                found.interfaces.items.push(of(style, interface, settings, global, &path));
            }
        }
    }
    global
}

/// Shell assignments; the last of a name counts. What holds a `$` or a backtick is left out, for ifup would expand it.
fn parse(path: &str, text: &str, malformed: &mut Vec<IfcfgMalformed>) -> Settings {
    let mut settings = Settings::new();
    for (number, line) in (1..).zip(text.lines()) {
        let content = line.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let at = At::line(path, number);
        let assignment = content.strip_prefix("export ").unwrap_or(content).split_once('=');
        let name =
            |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        match assignment.filter(|(key, _)| name(key)).and_then(|(key, value)| Some((key, word(value)?))) {
            Some((key, value)) => settings.insert(key.to_owned(), Located { value, at }),
            None => {
                malformed.push(IfcfgMalformed { text: line.to_owned(), at });
                continue;
            }
        };
    }
    settings
}

/// The first word of a shell line, quotes removed; `None` where a quote is not closed, or the shell would expand it.
fn word(text: &str) -> Option<String> {
    let mut found = String::new();
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some('\''), c) => found.push(c),
            (_, '$' | '`') => return None,
            (_, '\\') => found.extend(characters.next()),
            (Some(_), c) => found.push(c),
            (None, '"' | '\'') => quote = Some(c),
            (None, c) if c.is_whitespace() || c == ';' => break,
            (None, c) => found.push(c),
        }
    }
    quote.is_none().then_some(found)
}

fn of(
    style: IfcfgStyle,
    file: &str,
    settings: Settings,
    global: Option<&Located<String>>,
    path: &str,
) -> IfcfgInterface {
    let get = |key: &str| settings.get(key).map(|s| s.value.clone()).filter(|value| !value.is_empty());
    let name = get("DEVICE").unwrap_or_else(|| file.to_owned());
    let at_boot = match style {
        IfcfgStyle::Suse => get("STARTMODE")
            .is_none_or(|mode| !["off", "manual", "none"].contains(&mode.to_ascii_lowercase().as_str())),
        _ => get("ONBOOT").is_none_or(|onboot| !onboot.eq_ignore_ascii_case("no")),
    };
    let own =
        ["GATEWAY", "GATEWAY0"].iter().filter_map(|key| settings.get(*key)).find(|g| !g.value.is_empty());
    let gateway = own.or(global).cloned();
    // The address without a number, then those with one; `IPADDR=192.0.2.7/24` is SUSE's.
    let numbers = std::iter::once(String::new()).chain((0..=256).map(|n| n.to_string()));
    let addresses: Vec<(String, Option<u8>)> = numbers
        .filter_map(|n| {
            let address = get(&format!("IPADDR{n}"))?;
            let (plain, own) =
                address.split_once('/').map_or((address.as_str(), None), |(a, p)| (a, Some(p)));
            let mask = own.map(str::to_owned);
            let mask = mask.or_else(|| get(&format!("PREFIX{n}"))).or_else(|| get(&format!("NETMASK{n}")));
            let mask = mask.or_else(|| get("PREFIXLEN"));
            Some((plain.to_owned(), mask.as_deref().and_then(bits)))
        })
        .collect();
    let networks: Option<Vec<Network>> =
        addresses.iter().map(|(address, prefix)| Some((address.parse().ok()?, (*prefix)?))).collect();
    let reaches_gateway = reaches(gateway.as_ref(), &networks.unwrap_or_default());
    let first = addresses.into_iter().next();
    IfcfgInterface {
        loopback: name == "lo" || name.starts_with("lo:"),
        name,
        style,
        at_boot,
        method: get("BOOTPROTO"),
        prefix: first.as_ref().and_then(|(_, prefix)| *prefix),
        address: first.map(|(address, _)| address),
        gateway,
        reaches_gateway,
        settings: settings.into_iter().map(|(key, setting)| (key, setting.value)).collect(),
        at: At::file(path),
    }
}
