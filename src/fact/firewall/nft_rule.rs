//! A rule of nft(8), as far as it speaks of a new TCP connection over IPv4 from another host.

use super::nft_words::Token;
use super::packet::{Action, Fit, Ports, Rule, port_range};
use crate::source::At;
use std::collections::BTreeMap;

/// The elements of a table's sets, by name.
pub(super) type Sets = BTreeMap<String, Vec<String>>;

/// The largest set of ports or interfaces that is looked at: each rule that names it gets its own copy.
const LARGEST_SET: usize = 256;

/// What stands to the right of a field.
enum Value {
    /// Words, or the elements of a set.
    Words(Vec<String>),
    /// A verdict map: words and what is done for each.
    Map(Vec<(String, Vec<Token>)>),
    /// A set that is not known, or something else.
    Other,
}

/// Words that begin a criterion or statement: where an expression that is not understood ends.
const STARTS: [&str; 37] = [
    "accept",
    "drop",
    "reject",
    "return",
    "continue",
    "jump",
    "goto",
    "queue",
    "counter",
    "log",
    "comment",
    "limit",
    "tcp",
    "udp",
    "th",
    "sctp",
    "dccp",
    "meta",
    "ip",
    "ip6",
    "icmp",
    "icmpv6",
    "iif",
    "iifname",
    "oif",
    "oifname",
    "ct",
    "ether",
    "fib",
    "add",
    "update",
    "meter",
    "dnat",
    "snat",
    "redirect",
    "masquerade",
    "notrack",
];

struct Reader<'a> {
    tokens: &'a [Token],
    sets: &'a Sets,
    key: &'a dyn Fn(&str) -> String,
}

/// The rules that a line amounts to: one, or one for each entry of a verdict map.
pub(super) fn rules(tokens: &[Token], sets: &Sets, key: &dyn Fn(&str) -> String) -> Vec<Rule> {
    let Some(first) = tokens.first() else { return Vec::new() };
    let at = first.at.clone();
    let mut reader = Reader { tokens, sets, key };
    let mut rule = Rule { fit: Fit::Always, ports: Vec::new(), action: Action::Nothing, at };
    let mut found = Vec::new();
    while let Some(word) = reader.take() {
        match word.text.as_str() {
            "jump" | "goto" | "accept" | "drop" | "reject" | "return" | "continue" | "queue" => {
                rule.action = reader.verdict(word);
                // What follows are options of the verdict, or a comment.
                break;
            }
            "counter" => {
                reader.skip_pairs(&["packets", "bytes", "name"]);
            }
            "log" => reader.skip_pairs(&["prefix", "level", "group", "snaplen", "queue-threshold", "flags"]),
            "comment" => drop(reader.take()),
            "dnat" | "redirect" | "tproxy" => {
                rule.action = Action::Rewrite;
                break;
            }
            "snat" | "masquerade" | "notrack" => break,
            "tcp" | "th" => {
                let field = reader.take().map(|token| token.text.as_str());
                match field {
                    Some("dport") => {
                        let (negated, value) = reader.value();
                        match value {
                            Value::Words(words) => match ranges(&words) {
                                Some(ranges) => rule.ports.push(Ports { ranges, negated }),
                                None => rule.fit = rule.fit.max(Fit::Unknown),
                            },
                            Value::Map(entries) => {
                                found.extend(mapped(&reader, &rule, entries, |word| {
                                    match port_range(word, '-') {
                                        Some(range) => {
                                            (Fit::Always, Some(Ports { ranges: vec![range], negated: false }))
                                        }
                                        None => (Fit::Unknown, None),
                                    }
                                }));
                                return found;
                            }
                            Value::Other => rule.fit = rule.fit.max(Fit::Unknown),
                        }
                    }
                    _ => {
                        reader.skip_expression();
                        rule.fit = rule.fit.max(Fit::Sometimes);
                    }
                }
            }
            // A map on a field that is not looked at may hold any verdict.
            "vmap" => {
                (rule.fit, rule.action) = (rule.fit.max(Fit::Unknown), Action::Accept);
                break;
            }
            // Other protocols, and the other family.
            "udp" | "udplite" | "sctp" | "dccp" | "icmp" | "icmpv6" | "igmp" | "ip6" | "esp" | "ah"
            | "arp" | "comp" => {
                rule.fit = Fit::Never;
                break;
            }
            "iif" | "iifname" => {
                rule.fit = match reader.interface(&rule, &mut found) {
                    Some(fit) => rule.fit.max(fit),
                    None => return found,
                }
            }
            "meta" => match reader.take().map(|token| token.text.as_str()) {
                Some("iif" | "iifname") => {
                    rule.fit = match reader.interface(&rule, &mut found) {
                        Some(fit) => rule.fit.max(fit),
                        None => return found,
                    }
                }
                Some("l4proto") => {
                    match reader.words_or_map(&rule, &mut found, |word| ["tcp", "6"].contains(&word)) {
                        Some(fit) => rule.fit = rule.fit.max(fit),
                        None => return found,
                    }
                }
                Some("nfproto" | "protocol") => {
                    match reader.words_or_map(&rule, &mut found, |word| ["ipv4", "ip", "2"].contains(&word)) {
                        Some(fit) => rule.fit = rule.fit.max(fit),
                        None => return found,
                    }
                }
                _ => rule.fit = reader.some(rule.fit),
            },
            "ip" => match reader.take().map(|token| token.text.as_str()) {
                Some("protocol") => {
                    match reader.words_or_map(&rule, &mut found, |word| ["tcp", "6"].contains(&word)) {
                        Some(fit) => rule.fit = rule.fit.max(fit),
                        None => return found,
                    }
                }
                Some("version") => match reader.words_or_map(&rule, &mut found, |word| word == "4") {
                    Some(fit) => rule.fit = rule.fit.max(fit),
                    None => return found,
                },
                _ => rule.fit = reader.some(rule.fit),
            },
            "ct" => match reader.take().map(|token| token.text.as_str()) {
                Some("state") => match reader.words_or_map(&rule, &mut found, |word| word == "new") {
                    Some(fit) => rule.fit = rule.fit.max(fit),
                    None => return found,
                },
                _ => rule.fit = reader.some(rule.fit),
            },
            "limit" | "oif" | "oifname" | "ether" | "fib" | "vlan" | "socket" | "rt" | "mark" | "meter"
            | "add" | "update" | "iifgroup" | "iiftype" | "pkttype" | "time" | "hour" | "day" | "exthdr"
            | "numgen" | "osf" | "quota" => rule.fit = reader.some(rule.fit),
            _ => {
                rule.fit = rule.fit.max(Fit::Unknown);
                reader.skip_expression();
            }
        }
        if rule.fit == Fit::Never {
            break;
        }
    }
    found.push(rule);
    found
}

impl<'a> Reader<'a> {
    fn take(&mut self) -> Option<&'a Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    fn next_is(&self, texts: &[&str]) -> bool {
        self.tokens.first().is_some_and(|token| texts.iter().any(|text| token.is(text)))
    }

    fn verdict(&mut self, word: &Token) -> Action {
        match word.text.as_str() {
            "accept" => Action::Accept,
            "drop" | "reject" => Action::Deny,
            "return" => Action::Return,
            "jump" | "goto" => {
                let to = self.take().map_or_else(String::new, |token| (self.key)(&token.text));
                if word.is("jump") { Action::Jump(to) } else { Action::Goto(to) }
            }
            "queue" => Action::Opaque,
            _ => Action::Nothing,
        }
    }

    /// Options of a statement that take a word each.
    fn skip_pairs(&mut self, options: &[&str]) {
        while self.next_is(options) {
            self.take();
            self.take();
            while self.next_is(&[","]) {
                self.take();
                self.take();
            }
        }
    }

    /// Up to the next word that begins something.
    fn skip_expression(&mut self) {
        while let Some(token) = self.tokens.first() {
            // A map may hold any verdict.
            if token.is("vmap") || !token.quoted && STARTS.contains(&token.text.as_str()) {
                return;
            }
            if token.is("{") {
                self.braces();
                continue;
            }
            self.take();
        }
    }

    /// A criterion that fits some; one with a verdict map may do anything.
    fn some(&mut self, fit: Fit) -> Fit {
        self.skip_expression();
        fit.max(Fit::Sometimes)
    }

    /// The words within braces.
    fn braces(&mut self) -> Vec<Token> {
        let mut depth = 0usize;
        let mut found = Vec::new();
        while let Some(token) = self.take() {
            if token.is("{") {
                depth += 1;
                if depth == 1 {
                    continue;
                }
            } else if token.is("}") {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    break;
                }
            }
            found.push(token.clone());
        }
        found
    }

    fn value(&mut self) -> (bool, Value) {
        let negated = self.next_is(&["!=", "ne"]);
        if negated || self.next_is(&["==", "eq"]) {
            self.take();
        }
        if self.next_is(&["<", ">", "<=", ">=", "&", "lt", "gt", "le", "ge", "and", "!"]) {
            self.skip_expression();
            return (negated, Value::Other);
        }
        if self.next_is(&["vmap"]) {
            self.take();
            if !self.next_is(&["{"]) {
                // A named map: what it holds is not read.
                self.take();
                return (negated, Value::Map(vec![(String::new(), Vec::new())]));
            }
            let inner = self.braces();
            let entries = inner.split(|token| token.is(",")).filter_map(|entry| {
                let colon = entry.iter().position(|token| token.is(":"))?;
                Some((entry.first()?.text.clone(), entry.get(colon + 1..)?.to_vec()))
            });
            return (negated, Value::Map(entries.collect()));
        }
        if self.next_is(&["{"]) {
            let inner = self.braces();
            let words = inner.split(|token| token.is(",")).filter_map(|e| Some(e.first()?.text.clone()));
            return (negated, Value::Words(words.collect()));
        }
        let Some(first) = self.take() else { return (negated, Value::Other) };
        if let Some(set) = first.text.strip_prefix('@').filter(|_| !first.quoted) {
            // Large sets are of addresses, which are not looked at.
            let found = self.sets.get(set).filter(|set| set.len() <= LARGEST_SET);
            let value = found.cloned().map_or(Value::Other, Value::Words);
            return (negated, value);
        }
        let mut words = vec![first.text.clone()];
        while self.next_is(&[",", "|", "or"]) {
            self.take();
            words.extend(self.take().map(|token| token.text.clone()));
        }
        (negated, Value::Words(words))
    }

    /// How a field fits that has one of few words. `None`: it was a verdict map, and the rules are in `found`.
    fn words_or_map(
        &mut self,
        rule: &Rule,
        found: &mut Vec<Rule>,
        fits: impl Fn(&str) -> bool,
    ) -> Option<Fit> {
        let fit = |fits| if fits { Fit::Always } else { Fit::Never };
        let (negated, value) = self.value();
        Some(match value {
            Value::Words(words) => fit(words.iter().any(|word| fits(word))).negate(negated),
            Value::Other => Fit::Unknown,
            Value::Map(entries) => {
                found.extend(mapped(self, rule, entries, |word| (fit(fits(word)), None)));
                return None;
            }
        })
    }

    /// How an interface fits: a connection from another host comes through any but the loopback.
    fn interface(&mut self, rule: &Rule, found: &mut Vec<Rule>) -> Option<Fit> {
        let fit = |word: &str| if word == "lo" || word == "1" { Fit::Never } else { Fit::Sometimes };
        let (negated, value) = self.value();
        Some(match value {
            Value::Words(words) => words.iter().map(|w| fit(w)).min().unwrap_or(Fit::Never).negate(negated),
            Value::Other => Fit::Unknown,
            Value::Map(entries) => {
                found.extend(mapped(self, rule, entries, |word| (fit(word), None)));
                return None;
            }
        })
    }
}

fn ranges(words: &[String]) -> Option<Vec<(u16, u16)>> {
    words.iter().map(|word| port_range(word, '-')).collect()
}

/// A rule for each entry of a verdict map.
fn mapped(
    reader: &Reader<'_>,
    rule: &Rule,
    entries: Vec<(String, Vec<Token>)>,
    fits: impl Fn(&str) -> (Fit, Option<Ports>),
) -> Vec<Rule> {
    let entry = |(word, verdict): (String, Vec<Token>)| {
        let at: At = verdict.first().map_or_else(|| rule.at.clone(), |token| token.at.clone());
        let mut inner = Reader { tokens: &verdict, sets: reader.sets, key: reader.key };
        let known = inner.take().map(|first| inner.verdict(first));
        let (fit, ports) = fits(&word);
        let (fit, action) = match known {
            Some(action) => (fit, action),
            // A map that is not read may hold any verdict.
            None => (Fit::Unknown, Action::Accept),
        };
        let ports = rule.ports.iter().cloned().chain(ports).collect();
        Rule { fit: rule.fit.max(fit), ports, action, at }
    };
    entries.into_iter().map(entry).collect()
}
