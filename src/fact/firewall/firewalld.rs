//! firewalld: zones and services, in XML.
//!
//! Source: firewalld.conf(5), firewalld.zone(5), firewalld.service(5), firewalld.richlanguage(5), firewalld.direct(5).

use super::packet::{joined, port_range};
use super::{FirewallKind, FirewallPorts, FirewallRuleSet, FirewallVerdict};
use crate::source::{At, Host, Missing, Optional, Reading, Reason};
use roxmltree::{Document, Node};
use std::collections::BTreeSet;
use std::path::Path;

const CONF: &str = "/etc/firewalld/firewalld.conf";
const DIRECT: &str = "/etc/firewalld/direct.xml";
const POLICIES: &str = "/etc/firewalld/policies";
/// What is in /etc comes before what packages bring.
const PLACES: [&str; 2] = ["/etc/firewalld", "/usr/lib/firewalld"];

/// The largest honest files are some KiB.
const CAP: u64 = 1 << 20;
/// Ports that may be open; more are not told apart.
const MOST_PORTS: usize = 4096;

/// What is open to whom.
#[derive(Default)]
struct Open {
    /// To everybody who comes in by the default zone.
    all: Vec<(u16, u16)>,
    /// To some, by address, interface or rate.
    some: Vec<(u16, u16)>,
    /// What is not understood, or could not be read.
    unknown: Option<Missing>,
}

const EVERY: (u16, u16) = (0, u16::MAX);

pub(super) fn find(host: &Host) -> Reading<FirewallRuleSet> {
    let conf = host.read_text(CONF).optional()?;
    if conf.is_none() {
        // The daemon goes by its defaults; without its directory it is not installed.
        host.names("/usr/lib/firewalld/zones")?;
    }
    let conf = conf.unwrap_or_default();
    let zone = conf.lines().filter_map(|line| line.trim().strip_prefix("DefaultZone=")).next_back();
    let zone = zone.map(str::trim).filter(|zone| !zone.is_empty()).unwrap_or("public");
    let mut open = Open::default();
    let at = match look_up(host, "zones", zone) {
        Ok((path, text)) => {
            open.zone(host, &path, &text, true);
            path
        }
        Err(why) => {
            open.unknown = Some(why);
            CONF.to_owned()
        }
    };
    open.others(host, zone);
    open.beyond(host);
    Ok(FirewallRuleSet {
        kind: FirewallKind::Firewalld,
        ipv6: false,
        services: vec!["firewalld".to_owned()],
        switched_on: true,
        ports: open.ports(&at),
        at: At::file(at),
    })
}

/// The file of a zone or service.
fn look_up(host: &Host, kind: &str, name: &str) -> Reading<(String, String)> {
    for place in PLACES {
        let path = format!("{place}/{kind}/{name}.xml");
        if let Some(bytes) = host.source.read(Path::new(&path), CAP).optional()? {
            return Ok((path, crate::source::text(bytes)));
        }
    }
    let path = format!("{}/{kind}/{name}.xml", PLACES[0]);
    Err(Missing::unreadable(path, Reason::NotRead(format!("there is no file of {name}"))))
}

/// Runs `read` on the root element.
fn xml<T>(path: &str, text: &str, read: impl FnOnce(Node<'_, '_>) -> T) -> Reading<T> {
    let document =
        Document::parse(text).map_err(|why| Missing::garbled(path, format!("is no XML: {why}")))?;
    Ok(read(document.root_element()))
}

impl Open {
    fn unknown(&mut self, why: Missing) {
        self.unknown.get_or_insert(why);
    }

    fn zone(&mut self, host: &Host, path: &str, text: &str, default: bool) {
        let mut wanted = Vec::new();
        let read = xml(path, text, |zone| {
            let mut list = |range| if default { &mut self.all } else { &mut self.some }.push(range);
            if zone.attribute("target") == Some("ACCEPT") {
                list(EVERY);
            }
            for element in zone.children().filter(Node::is_element) {
                match element.tag_name().name() {
                    "service" => {
                        wanted.extend(element.attribute("name").map(|name| (name.to_owned(), default)))
                    }
                    "port" => tcp(element).into_iter().for_each(&mut list),
                    "protocol" if element.attribute("value") == Some("tcp") => list(EVERY),
                    _ => {}
                }
            }
            for rule in zone.children().filter(|e| e.has_tag_name("rule")) {
                self.rule(path, rule, default, &mut wanted);
            }
            for forward in zone.children().filter(|e| e.has_tag_name("forward-port")) {
                if tcp(forward).is_some() {
                    self.unknown(Missing::garbled(path, "sends ports elsewhere"));
                }
            }
        });
        if let Err(why) = read {
            self.unknown(why);
        }
        for (name, all) in wanted {
            self.service(host, &name, all, 0);
        }
    }

    /// A rule of the rich language: some element, and what is done about it.
    fn rule(&mut self, path: &str, rule: Node<'_, '_>, default: bool, wanted: &mut Vec<(String, bool)>) {
        let find = |name: &str| rule.children().find(|element| element.has_tag_name(name));
        // Whatever denies, denies only some; what is open to all is then still open to some.
        let Some(accept) = find("accept") else { return };
        let all =
            default && find("source").is_none() && find("destination").is_none() && !accept.has_children();
        match (find("service"), find("port"), find("protocol")) {
            (Some(service), ..) => {
                wanted.extend(service.attribute("name").map(|name| (name.to_owned(), all)))
            }
            (_, Some(port), _) => {
                if all { &mut self.all } else { &mut self.some }.extend(tcp(port));
            }
            (.., Some(protocol)) if protocol.attribute("value") != Some("tcp") => {}
            // A rule for all that a source sends.
            _ if find("source").is_some() || find("protocol").is_some() => self.some.push(EVERY),
            _ => self.unknown(Missing::garbled(path, "has a rule that hostvet does not understand")),
        }
    }

    fn service(&mut self, host: &Host, name: &str, all: bool, depth: usize) {
        if depth > 8 {
            return;
        }
        let mut included = Vec::new();
        let read = look_up(host, "services", name).and_then(|(path, text)| {
            xml(&path, &text, |service| {
                for element in service.children().filter(Node::is_element) {
                    let list = if all { &mut self.all } else { &mut self.some };
                    match element.tag_name().name() {
                        "port" => list.extend(tcp(element)),
                        "protocol" if element.attribute("value") == Some("tcp") => list.push(EVERY),
                        "include" => included.extend(element.attribute("service").map(str::to_owned)),
                        _ => {}
                    }
                }
            })
        });
        if let Err(why) = read {
            self.unknown(why);
        }
        for name in included.iter().take(100) {
            self.service(host, name, all, depth + 1);
        }
    }

    /// The zones that something is bound to, by their own files or by those of the network.
    fn others(&mut self, host: &Host, default: &str) {
        let mut zones = BTreeSet::new();
        match host.names("/etc/firewalld/zones") {
            Ok(names) => {
                for name in names {
                    let Some(zone) = name.strip_suffix(".xml") else { continue };
                    let bound = look_up(host, "zones", zone).and_then(|(path, text)| {
                        xml(&path, &text, |zone| {
                            zone.children().any(|e| e.has_tag_name("interface") || e.has_tag_name("source"))
                        })
                    });
                    match bound {
                        Ok(true) => drop(zones.insert(zone.to_owned())),
                        Ok(false) => {}
                        Err(why) => self.unknown(why),
                    }
                }
            }
            Err(Missing::Absent) => {}
            Err(why) => self.unknown(why),
        }
        let bindings = [
            ("/etc/sysconfig/network-scripts", "ZONE="),
            ("/etc/sysconfig/network", "ZONE="),
            ("/etc/NetworkManager/system-connections", "zone="),
        ];
        for (directory, key) in bindings {
            // Without these files nothing is bound; what may not be read may bind.
            let names = match host.names(directory) {
                Ok(names) => names,
                Err(Missing::Unreadable(why)) if matches!(why.reason, Reason::Denied) => {
                    self.unknown(Missing::Unreadable(why));
                    continue;
                }
                Err(_) => continue,
            };
            for name in names.iter().filter(|name| key == "zone=" || name.starts_with("ifcfg-")).take(1000) {
                match host.read_text(&format!("{directory}/{name}")) {
                    Ok(text) => {
                        let values = text.lines().filter_map(|line| line.trim().strip_prefix(key));
                        let values = values.map(|value| value.trim().trim_matches(['"', '\'']).to_owned());
                        zones.extend(values.filter(|value| !value.is_empty()));
                    }
                    Err(Missing::Absent) => {}
                    Err(why) => self.unknown(why),
                }
            }
        }
        zones.remove(default);
        for zone in zones.iter().take(1000) {
            match look_up(host, "zones", zone) {
                Ok((path, text)) => self.zone(host, &path, &text, false),
                Err(why) => self.unknown(why),
            }
        }
    }

    /// Rules beside the zones.
    fn beyond(&mut self, host: &Host) {
        match host.read_text(DIRECT) {
            Ok(text) if text.contains("<rule") || text.contains("<passthrough") => {
                self.unknown(Missing::garbled(DIRECT, "has rules that hostvet does not read"));
            }
            Ok(_) | Err(Missing::Absent) => {}
            Err(why) => self.unknown(why),
        }
        match host.names(POLICIES) {
            Ok(names) if names.iter().any(|name| name.ends_with(".xml")) => {
                self.unknown(Missing::unreadable(
                    POLICIES,
                    Reason::NotRead("hostvet does not read policies".into()),
                ));
            }
            Ok(_) | Err(Missing::Absent) => {}
            Err(why) => self.unknown(why),
        }
    }

    fn ports(&self, path: &str) -> Reading<Vec<FirewallPorts>> {
        if self.all.len() + self.some.len() > MOST_PORTS {
            return Err(Missing::garbled(path, format!("opens more than {MOST_PORTS} ports")));
        }
        let mut starts = BTreeSet::from([0]);
        for (first, last) in self.all.iter().chain(&self.some) {
            starts.insert(*first);
            starts.extend(last.checked_add(1));
        }
        let has =
            |list: &[(u16, u16)], port| list.iter().any(|(first, last)| (*first..=*last).contains(&port));
        let fates = starts.into_iter().map(|port| {
            let verdict = if has(&self.all, port) {
                Ok(FirewallVerdict::Accept)
            } else if has(&self.some, port) {
                Ok(FirewallVerdict::Some)
            } else {
                self.unknown.clone().map_or(Ok(FirewallVerdict::Deny), Err)
            };
            (port, (verdict, Some(At::file(path))))
        });
        Ok(joined(fates.collect()))
    }
}

/// The ports of an element, if they are of TCP.
fn tcp(element: Node<'_, '_>) -> Option<(u16, u16)> {
    (element.attribute("protocol")? == "tcp").then(|| port_range(element.attribute("port")?, '-'))?
}
