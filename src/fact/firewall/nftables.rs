//! Rule sets of nft(8): tables, chains and their hooks. Words come from `nft_words`; what a rule says is read in `nft_rule`.
//!
//! Source: nft(8). JSON, which nft also reads, is not met in these files.

use super::nft_rule::{Sets, rules};
use super::nft_words::{Token, gather};
use super::packet::{Action, Base, Chains, MOST_INSERTS, MOST_RULES};
use crate::source::{Host, Missing, Reading};
use std::collections::BTreeMap;

/// Blocks in blocks.
const DEEPEST: usize = 16;
/// Words that variables may be replaced by, in all.
const MOST_REPLACED: usize = 100_000;

/// Adds the chains of a file and of those that it includes.
pub(super) fn add(chains: &mut Chains, host: &Host, path: &str, text: &str) -> Reading<()> {
    let mut tokens = Vec::new();
    let mut files = 0;
    gather(host, path, text, 0, &mut files, &mut tokens)?;
    let mut parser =
        Parser { tokens: &tokens, next: 0, replaced: 0, inserts: 0, ruleset: Ruleset::default(), path };
    parser.block(&Scope::Top, 0)?;
    let Ruleset { tables, .. } = parser.ruleset;
    let mut bases = Vec::new();
    if tables.values().flat_map(|table| table.chains.values()).map(|chain| chain.rules.len()).sum::<usize>()
        > MOST_RULES
    {
        return Err(Missing::garbled(path, "has more rules than hostvet follows"));
    }
    for ((family, table), content) in tables {
        // Only what IPv4 goes through; a dormant table does nothing.
        if !["ip", "inet", "netdev"].contains(&family.as_str()) || content.dormant {
            continue;
        }
        let key = |chain: &str| format!("{family} {table} {chain}");
        for (name, chain) in content.chains {
            let mut found = Vec::new();
            for tokens in &chain.rules {
                found.extend(rules(tokens, &content.sets, &key));
            }
            if let Some((priority, base)) = chain.base {
                bases.push((priority, Base { chain: key(&name), ..base }));
            }
            chains.chains.insert(key(&name), found);
        }
    }
    bases.sort_by_key(|(priority, _)| *priority);
    chains.bases.extend(bases.into_iter().map(|(_, base)| base));
    Ok(())
}

#[derive(Default)]
struct Ruleset {
    tables: BTreeMap<(String, String), Table>,
    variables: BTreeMap<String, Vec<Token>>,
}

#[derive(Default)]
struct Table {
    chains: BTreeMap<String, Chain>,
    sets: Sets,
    dormant: bool,
}

#[derive(Default)]
struct Chain {
    rules: Vec<Vec<Token>>,
    base: Option<(i64, Base)>,
}

enum Scope {
    Top,
    Table(String, String),
    Chain(String, String, String),
    Set(String, String, String),
    /// Of something that does not matter here.
    Other,
}

struct Parser<'a> {
    tokens: &'a [Token],
    next: usize,
    replaced: usize,
    inserts: usize,
    ruleset: Ruleset,
    path: &'a str,
}

impl Parser<'_> {
    /// Statements up to the end of the block.
    fn block(&mut self, scope: &Scope, depth: usize) -> Reading<()> {
        if depth > DEEPEST {
            return Err(Missing::garbled(self.path, "has blocks in blocks too deep"));
        }
        loop {
            let statement = self.statement(scope)?;
            let opens = self.tokens.get(self.next).is_some_and(|t| t.is("{"));
            if !statement.is_empty() || opens {
                if opens {
                    self.next += 1;
                    let inner = self.enter(scope, &statement)?;
                    self.block(&inner, depth + 1)?;
                } else {
                    self.apply(scope, &statement)?;
                }
                continue;
            }
            match self.tokens.get(self.next) {
                None if depth == 0 => return Ok(()),
                None => return Err(Missing::garbled(self.path, "ends within a block")),
                Some(token) if token.is("}") => {
                    self.next += 1;
                    if depth > 0 {
                        return Ok(());
                    }
                    return Err(self.refused(Some(token)));
                }
                Some(_) => self.next += 1,
            }
        }
    }

    fn refused(&self, token: Option<&Token>) -> Missing {
        match token {
            Some(Token { at, .. }) => {
                let line = at.line.map_or(String::new(), |line| format!("line {line} "));
                Missing::garbled(&*at.path, format!("{line}is not understood"))
            }
            None => Missing::garbled(self.path, "is not understood"),
        }
    }

    /// The words up to the next line end, semicolon, closing brace, or the brace that opens a block; variables replaced.
    fn statement(&mut self, scope: &Scope) -> Reading<Vec<Token>> {
        let mut found: Vec<Token> = Vec::new();
        let mut depth = 0usize;
        while let Some(token) = self.tokens.get(self.next) {
            if token.is("{") {
                if depth == 0 && begins_block(scope, &found) {
                    return Ok(found);
                }
                depth += 1;
            } else if token.is("}") {
                if depth == 0 {
                    return Ok(found);
                }
                depth -= 1;
            } else if token.is("\n") && depth > 0 {
                self.next += 1;
                continue;
            } else if (token.is("\n") || token.is(";")) && depth == 0 {
                return Ok(found);
            }
            self.next += 1;
            match token.text.strip_prefix('$').filter(|_| !token.quoted) {
                Some(name) => {
                    let value = self.ruleset.variables.get(name).ok_or_else(|| self.refused(Some(token)))?;
                    self.replaced += value.len();
                    if self.replaced > MOST_REPLACED {
                        return Err(Missing::garbled(self.path, "has variables in variables"));
                    }
                    found.extend(value.iter().map(|t| Token { at: token.at.clone(), ..t.clone() }));
                }
                None => found.push(token.clone()),
            }
        }
        Ok(found)
    }

    fn table(&mut self, family: &str, name: &str) -> &mut Table {
        self.ruleset.tables.entry((family.to_owned(), name.to_owned())).or_default()
    }

    /// What a block is of.
    fn enter(&mut self, scope: &Scope, statement: &[Token]) -> Reading<Scope> {
        let words = plain(statement);
        let (family, words) = with_family(&words);
        Ok(match (scope, words.as_slice()) {
            (Scope::Top, ["table", name]) => {
                self.table(&family, name);
                Scope::Table(family, (*name).to_owned())
            }
            (Scope::Top, ["chain", table, name]) => {
                self.table(&family, table).chains.entry((*name).to_owned()).or_default();
                Scope::Chain(family, (*table).to_owned(), (*name).to_owned())
            }
            (Scope::Table(family, table), ["chain", name]) => {
                self.table(family, table).chains.entry((*name).to_owned()).or_default();
                Scope::Chain(family.clone(), table.clone(), (*name).to_owned())
            }
            (Scope::Table(family, table), ["set", name]) => {
                Scope::Set(family.clone(), table.clone(), (*name).to_owned())
            }
            (Scope::Top, ["set", table, name]) => Scope::Set(family, (*table).to_owned(), (*name).to_owned()),
            (Scope::Top | Scope::Table(..), [..]) => Scope::Other,
            _ => return Err(self.refused(statement.first())),
        })
    }

    fn apply(&mut self, scope: &Scope, statement: &[Token]) -> Reading<()> {
        match scope {
            Scope::Top => self.command(statement),
            Scope::Table(family, table) => {
                match plain(statement).as_slice() {
                    ["flags", flags @ ..] => self.table(family, table).dormant = flags.contains(&"dormant"),
                    ["define", ..] => return self.command(statement),
                    _ => {}
                }
                Ok(())
            }
            Scope::Chain(family, table, chain) => {
                let chain = self.table(family, table).chains.entry(chain.clone()).or_default();
                chain_line(chain, statement);
                Ok(())
            }
            Scope::Set(family, table, set) => {
                if let [first, sign, values @ ..] = statement
                    && first.is("elements")
                    && sign.is("=")
                {
                    let elements = elements(values);
                    self.table(family, table).sets.entry(set.clone()).or_default().extend(elements);
                }
                Ok(())
            }
            Scope::Other => Ok(()),
        }
    }

    /// A command outside of blocks: `add rule inet filter input tcp dport 22 accept`.
    fn command(&mut self, statement: &[Token]) -> Reading<()> {
        let all = plain(statement);
        let (verb, rest) = match all.as_slice() {
            [
                verb @ ("add" | "create" | "insert" | "delete" | "destroy" | "flush" | "reset" | "list"),
                rest @ ..,
            ] => (*verb, rest),
            rest => ("add", rest),
        };
        let (family, words) = with_family(rest);
        // Where the rule itself begins: behind its table and chain.
        let body = |words: usize| {
            let skipped = all.len() - rest.len() + words + (rest.len() - with_family(rest).1.len());
            statement.get(skipped..).unwrap_or_default().to_vec()
        };
        match (verb, words.as_slice()) {
            (_, ["define" | "redefine", name, "=", ..]) => {
                let value = body(3);
                self.ruleset.variables.insert((*name).to_owned(), value);
            }
            ("flush", ["ruleset", ..]) => self.ruleset.tables.clear(),
            ("delete" | "destroy", ["table", name]) => {
                self.ruleset.tables.remove(&(family, (*name).to_owned()));
            }
            ("flush", ["table", name]) => {
                self.table(&family, name).chains.values_mut().for_each(|chain| chain.rules.clear());
            }
            ("flush", ["chain", table, name]) => {
                self.table(&family, table).chains.entry((*name).to_owned()).or_default().rules.clear();
            }
            ("add" | "create", ["table", name]) => drop(self.table(&family, name)),
            ("add" | "create", ["chain", table, name]) => {
                self.table(&family, table).chains.entry((*name).to_owned()).or_default();
            }
            ("add" | "insert", ["rule", table, name, ..]) => {
                let rule = body(3);
                self.inserts += usize::from(verb == "insert");
                if self.inserts > MOST_INSERTS {
                    return Err(Missing::garbled(self.path, "has more rules than hostvet follows"));
                }
                let chain = self.table(&family, table).chains.entry((*name).to_owned()).or_default();
                match verb {
                    "insert" => chain.rules.insert(0, rule),
                    _ => chain.rules.push(rule),
                }
            }
            ("add" | "create", ["element", table, set, ..]) => {
                let elements = elements(&body(3));
                self.table(&family, table).sets.entry((*set).to_owned()).or_default().extend(elements);
            }
            ("reset" | "list", _) | (_, ["undefine", ..]) => {}
            (
                "add" | "create" | "delete" | "destroy",
                [
                    "counter" | "quota" | "limit" | "ct" | "flowtable" | "secmark" | "synproxy" | "map"
                    | "set",
                    ..,
                ],
            ) => {}
            _ => return Err(self.refused(statement.first())),
        }
        Ok(())
    }
}

/// The words, without their places.
fn plain(statement: &[Token]) -> Vec<&str> {
    statement.iter().map(|token| token.text.as_str()).collect()
}

/// Takes the family, by default `ip`, from behind the first word: `table inet filter`.
fn with_family<'a>(words: &[&'a str]) -> (String, Vec<&'a str>) {
    match words {
        [kind, family @ ("ip" | "ip6" | "inet" | "arp" | "bridge" | "netdev"), rest @ ..]
            if !rest.is_empty() =>
        {
            let words = std::iter::once(*kind).chain(rest.iter().copied()).collect();
            ((*family).to_owned(), words)
        }
        words => ("ip".to_owned(), words.to_vec()),
    }
}

/// Whether a brace behind these words opens a block, and not a set of values.
fn begins_block(scope: &Scope, words: &[Token]) -> bool {
    const KINDS: [&str; 9] =
        ["table", "chain", "set", "map", "flowtable", "counter", "quota", "limit", "secmark"];
    let words = plain(words);
    let words = match words.as_slice() {
        ["add" | "create", rest @ ..] => rest,
        rest => rest,
    };
    match (scope, words) {
        (Scope::Top | Scope::Table(..), [kind, ..]) if KINDS.contains(kind) => true,
        (
            Scope::Top | Scope::Table(..),
            ["ct", "helper" | "timeout" | "expectation", ..] | ["synproxy", ..],
        ) => true,
        (Scope::Other, _) => true,
        _ => false,
    }
}

/// The words of `{ 22, 80-90 }`, those after a key's colon or its options left out.
fn elements(values: &[Token]) -> Vec<String> {
    let inner = values.iter().filter(|t| !t.is("{") && !t.is("}")).cloned().collect::<Vec<_>>();
    inner.split(|t| t.is(",")).filter_map(|element| Some(element.first()?.text.clone())).collect()
}

/// `type filter hook input priority 0; policy drop`, or a rule.
fn chain_line(chain: &mut Chain, statement: &[Token]) {
    let words = plain(statement);
    let at = statement.first().map(|token| token.at.clone());
    match (words.as_slice(), at) {
        (["type", kind, "hook", hook, rest @ ..], Some(at)) => {
            if ["prerouting", "input", "ingress"].contains(hook) && ["filter", "nat"].contains(kind) {
                // Earlier hooks come first, whatever the priority; the order matters only to which rule is told.
                let stage = if *hook == "input" { 1_000_000 } else { 0 };
                let priority =
                    rest.iter().find_map(|word| word.parse::<i64>().ok()).unwrap_or(0).clamp(-9999, 9999);
                let denies = rest.windows(2).any(|pair| pair == ["policy", "drop"]);
                let policy = if denies { Action::Deny } else { Action::Accept };
                chain.base = Some((stage + priority, Base { chain: String::new(), policy, at }));
            }
        }
        (["policy", policy], Some(at)) => {
            if let Some((_, base)) = &mut chain.base {
                base.policy = if *policy == "drop" { Action::Deny } else { Action::Accept };
                base.at = at;
            }
        }
        (["comment" | "devices" | "flags" | "device", ..] | [], _) => {}
        _ => chain.rules.push(statement.to_vec()),
    }
}
