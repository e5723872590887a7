//! Debian's interfaces(5), which Alpine has too.

use super::{Found, IfcfgInterface, IfcfgMalformed, IfcfgStyle, Network, bits, reaches};
use crate::model::Located;
use crate::source::{At, Host, Missing, Reason};
use globset::Glob;
use std::collections::{BTreeMap, BTreeSet};

const PATH: &str = "/etc/network/interfaces";

/// The most files that may be included, and how deep.
const MOST_FILES: usize = 1000;
const DEEPEST: usize = 8;

pub(super) fn gather(host: &Host, found: &mut Found) {
    let mut reader = Reader { host, found, at_boot: BTreeSet::new(), own: Vec::new(), files: 0 };
    reader.file(PATH, 0);
    let Reader { at_boot, own, .. } = reader;
    found.interfaces.items.extend(own.into_iter().map(|stanza| stanza.interface(&at_boot)));
}

struct Reader<'a> {
    host: &'a Host,
    found: &'a mut Found,
    /// What `auto`, `allow-auto` and `allow-hotplug` name.
    at_boot: BTreeSet<String>,
    own: Vec<Stanza>,
    files: usize,
}

/// An `iface` and its options.
struct Stanza {
    name: String,
    family: String,
    method: String,
    options: BTreeMap<String, String>,
    at: At,
}

impl Stanza {
    fn interface(self, at_boot: &BTreeSet<String>) -> IfcfgInterface {
        let Self { name, family, method, options, at } = self;
        // Patterns as `auto /eth*` are rare; they count for all.
        let at_boot = at_boot.contains(&name) || at_boot.iter().any(|pattern| pattern.contains(['*', '/']));
        let v4 = family == "inet";
        let address = options.get("address").filter(|_| v4);
        let (address, own) =
            match address.map(|a| a.split_once('/').map_or((a.as_str(), None), |(a, p)| (a, Some(p)))) {
                Some((address, own)) => (Some(address.to_owned()), own.map(str::to_owned)),
                None => (None, None),
            };
        let prefix = own.or_else(|| options.get("netmask").cloned()).as_deref().and_then(bits);
        let gateway = options.get("gateway").filter(|_| v4);
        let gateway = gateway.map(|value| Located { value: value.clone(), at: at.clone() });
        let network: Option<Network> = address.as_deref().and_then(|a| a.parse().ok()).zip(prefix);
        let networks: Vec<Network> = network.into_iter().collect();
        IfcfgInterface {
            loopback: method == "loopback",
            name,
            style: IfcfgStyle::Debian,
            at_boot,
            method: Some(method),
            reaches_gateway: reaches(gateway.as_ref(), &networks),
            address,
            prefix,
            gateway,
            settings: options,
            at,
        }
    }
}

impl Reader<'_> {
    fn file(&mut self, path: &str, depth: usize) {
        self.files += 1;
        if depth > DEEPEST || self.files > MOST_FILES {
            let what = "hostvet does not follow so many files that include one another".to_owned();
            self.found.keep::<()>(Err(Missing::unreadable(path, Reason::NotRead(what))));
            return;
        }
        let Some(text) = self.found.keep(self.host.read_text(path)) else { return };
        let mut in_iface = false;
        for (number, line) in joined(&text) {
            let mut words = line.split_whitespace();
            let Some(first) = words.next() else { continue };
            let rest: Vec<&str> = words.collect();
            let at = At::line(path, number);
            let was_in_iface = std::mem::take(&mut in_iface);
            match (first, rest.as_slice()) {
                ("iface", [name, family, method, ..]) => {
                    in_iface = true;
                    self.start(name, family, method, at);
                }
                // ifupdown2 and ifupdown-ng may leave out family and method.
                ("iface", [name, ..]) => {
                    in_iface = true;
                    self.start(name, "inet", "static", at);
                }
                ("auto", names) => self.at_boot.extend(names.iter().map(|n| (*n).to_owned())),
                (allow, names) if allow.starts_with("allow-") => {
                    self.at_boot.extend(names.iter().map(|n| (*n).to_owned()));
                }
                ("source", patterns) if !patterns.is_empty() => {
                    patterns.iter().for_each(|pattern| self.source(path, pattern, false, depth));
                }
                ("source-directory" | "source-dir", patterns) if !patterns.is_empty() => {
                    patterns
                        .iter()
                        .for_each(|pattern| self.source(path, &format!("{pattern}/*"), true, depth));
                }
                ("mapping" | "template" | "rename" | "no-auto-down" | "no-scripts" | "script" | "map", _) => {
                }
                (option, values) if was_in_iface && !values.is_empty() => {
                    in_iface = true;
                    if let Some(stanza) = self.own.last_mut() {
                        stanza.options.insert(option.to_owned(), values.join(" "));
                    }
                }
                // An option without a value belongs to the stanza all the same.
                (_, []) if was_in_iface => in_iface = true,
                _ => self.found.malformed.push(IfcfgMalformed { text: line.clone(), at }),
            }
        }
    }

    fn start(&mut self, name: &str, family: &str, method: &str, at: At) {
        let (name, family, method) = (name.to_owned(), family.to_owned(), method.to_owned());
        self.own.push(Stanza { name, family, method, options: BTreeMap::new(), at });
    }

    /// The files that a pattern with wildcards in its last part stands for; those of a directory have plain names.
    fn source(&mut self, from: &str, pattern: &str, plain: bool, depth: usize) {
        let base = from.rsplit_once('/').map_or("", |(base, _)| base);
        let pattern = if pattern.starts_with('/') { pattern.to_owned() } else { format!("{base}/{pattern}") };
        let Some((directory, name)) = pattern.rsplit_once('/') else { return };
        if directory.contains(['*', '?', '[']) {
            let what = format!("hostvet does not follow wildcards within {directory}");
            self.found.keep::<()>(Err(Missing::unreadable(from, Reason::NotRead(what))));
            return;
        }
        if !name.contains(['*', '?', '[']) {
            return self.file(&pattern, depth + 1);
        }
        let Ok(glob) = Glob::new(name) else { return };
        let glob = glob.compile_matcher();
        let fits = |found: &String| {
            let plainly = found.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
            glob.is_match(found) && !found.starts_with('.') && (!plain || plainly || found.ends_with(".conf"))
        };
        let names = self.found.keep(self.host.names(directory)).unwrap_or_default();
        for name in names.into_iter().filter(fits).collect::<Vec<_>>() {
            self.file(&format!("{directory}/{name}"), depth + 1);
        }
    }
}

/// The lines with their numbers, those that end in a backslash joined with the next, comments left out.
fn joined(text: &str) -> Vec<(u32, String)> {
    let mut lines: Vec<(u32, String)> = Vec::new();
    let mut open = false;
    for (number, line) in (1..).zip(text.lines()) {
        if !open && line.trim_start().starts_with('#') {
            continue;
        }
        let (content, more) = line.strip_suffix('\\').map_or((line, false), |content| (content, true));
        match lines.last_mut().filter(|_| open) {
            Some((_, whole)) => whole.extend([" ", content]),
            None => lines.push((number, content.to_owned())),
        }
        open = more;
    }
    lines
}
