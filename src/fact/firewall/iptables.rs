//! What iptables-save writes and iptables-restore reads.
//!
//! Source: iptables(8), iptables-extensions(8), iptables-restore(8).

use super::packet::{Action, Base, Chains, Fit, MOST_INSERTS, MOST_RULES, Ports, Rule, port_range};
use crate::source::{At, Missing, Reading};

/// Where a new connection to this host comes through, in this order.
const BASES: [(&str, &str); 5] = [
    ("raw", "PREROUTING"),
    ("mangle", "PREROUTING"),
    ("nat", "PREROUTING"),
    ("mangle", "INPUT"),
    ("filter", "INPUT"),
];

/// Targets after which the next rule is looked at.
const NOTHING: [&str; 26] = [
    "LOG",
    "ULOG",
    "NFLOG",
    "AUDIT",
    "MARK",
    "CONNMARK",
    "SECMARK",
    "CONNSECMARK",
    "CLASSIFY",
    "TOS",
    "DSCP",
    "TTL",
    "HL",
    "TCPMSS",
    "TCPOPTSTRIP",
    "CT",
    "NOTRACK",
    "TRACE",
    "CHECKSUM",
    "SET",
    "ECN",
    "RATEEST",
    "IDLETIMER",
    "LED",
    "TEE",
    "HMARK",
];

/// Matches of which the options are not looked at: each fits some connections.
const SOMETIMES: [&str; 38] = [
    "addrtype",
    "ah",
    "bpf",
    "cgroup",
    "connbytes",
    "connlabel",
    "connlimit",
    "connmark",
    "conntrack",
    "cpu",
    "dscp",
    "ecn",
    "esp",
    "geoip",
    "hashlimit",
    "helper",
    "iprange",
    "length",
    "limit",
    "mac",
    "mark",
    "multiport",
    "owner",
    "physdev",
    "pkttype",
    "policy",
    "quota",
    "recent",
    "rpfilter",
    "set",
    "socket",
    "state",
    "statistic",
    "string",
    "tcpmss",
    "time",
    "ttl",
    "u32",
];

/// Adds the chains of a file. A line that iptables-restore would refuse is an error: it then loads nothing of the table.
pub(super) fn add(chains: &mut Chains, path: &str, text: &str) -> Reading<()> {
    let mut table = "";
    let (mut rules, mut inserts) = (0usize, 0usize);
    for (number, line) in (1..).zip(text.lines()) {
        let at = At::line(path, number);
        let refused = || Missing::garbled(path, format!("line {number} is none that iptables-restore takes"));
        let line = line.trim();
        match line.chars().next() {
            None | Some('#') => {}
            Some('*') => table = line.get(1..).unwrap_or_default().trim(),
            Some(':') => {
                let mut words = line.get(1..).unwrap_or_default().split_whitespace();
                let (Some(name), Some(policy)) = (words.next(), words.next()) else { return Err(refused()) };
                declare(chains, table, name, policy, at);
            }
            Some(_) if line == "COMMIT" => {}
            Some(_) => {
                let words = words(line).ok_or_else(refused)?;
                rules += 1;
                inserts += usize::from(words.iter().any(|word| word == "-I" || word == "--insert"));
                if rules > MOST_RULES || inserts > MOST_INSERTS {
                    return Err(Missing::garbled(path, "has more rules than hostvet follows"));
                }
                command(chains, table, &words, at).ok_or_else(refused)?;
            }
        }
    }
    // In the order in which the kernel asks them.
    chains.bases.sort_by_key(|base| BASES.iter().position(|(table, chain)| base.chain == key(table, chain)));
    Ok(())
}

fn key(table: &str, chain: &str) -> String {
    format!("{table} {chain}")
}

fn declare(chains: &mut Chains, table: &str, name: &str, policy: &str, at: At) {
    let chain = key(table, name);
    chains.chains.entry(chain.clone()).or_default();
    if BASES.contains(&(table, name)) {
        let policy = if policy == "DROP" { Action::Deny } else { Action::Accept };
        chains.bases.retain(|base| base.chain != chain);
        chains.bases.push(Base { chain, policy, at });
    }
}

/// The words of a line; `None` where a quote is not closed.
fn words(line: &str) -> Option<Vec<String>> {
    let mut found = Vec::new();
    let mut word = String::new();
    let (mut inside, mut quote) = (false, None);
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match (quote, c) {
            (Some(_), '\\') => word.extend(characters.next()),
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.push(c),
            (None, '"' | '\'') => (inside, quote) = (true, Some(c)),
            (None, c) if c.is_whitespace() => {
                if std::mem::take(&mut inside) {
                    found.push(std::mem::take(&mut word));
                }
            }
            (None, c) => {
                inside = true;
                word.push(c);
            }
        }
    }
    if inside {
        found.push(word);
    }
    quote.is_none().then_some(found)
}

fn command(chains: &mut Chains, table: &str, words: &[String], at: At) -> Option<()> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    // iptables-save -c writes the counters first.
    let words = words.strip_prefix(&["[0:0]"][..]).unwrap_or(match words.as_slice() {
        [first, rest @ ..] if first.starts_with('[') && first.ends_with(']') => rest,
        all => all,
    });
    match words {
        ["-A" | "--append", chain, rest @ ..] => {
            let rule = rule(table, rest, at)?;
            chains.chains.entry(key(table, chain)).or_default().push(rule);
        }
        ["-I" | "--insert", chain, rest @ ..] => {
            let (position, rest) = match rest {
                [number, rest @ ..] if number.parse::<usize>().is_ok() => (number.parse().ok()?, rest),
                rest => (1, rest),
            };
            let rule = rule(table, rest, at)?;
            let rules = chains.chains.entry(key(table, chain)).or_default();
            rules.insert(usize::min(rules.len(), usize::saturating_sub(position, 1)), rule);
        }
        ["-P" | "--policy", chain, policy, ..] => declare(chains, table, chain, policy, at),
        ["-N" | "--new-chain", chain] => declare(chains, table, chain, "-", at),
        ["-F" | "--flush", rest @ ..] => {
            let prefix = key(table, "");
            let flushed =
                |name: &String| rest.first().map_or(name.starts_with(&prefix), |c| *name == key(table, c));
            chains.chains.iter_mut().filter(|(name, _)| flushed(name)).for_each(|(_, rules)| rules.clear());
        }
        ["-X" | "-Z" | "--delete-chain" | "--zero", ..] => {}
        _ => return None,
    }
    Some(())
}

/// A rule; `None` where an option lacks its argument.
fn rule(table: &str, words: &[&str], at: At) -> Option<Rule> {
    let mut rule = Rule { fit: Fit::Always, ports: Vec::new(), action: Action::Nothing, at };
    let mut rest = words.iter().copied();
    let mut module = "";
    let mut targeted = false;
    while let Some(word) = rest.next() {
        let mut negated = word == "!";
        let option = if negated { rest.next()? } else { word };
        // An older way to negate: `--dport ! 22`.
        let mut argument = || -> Option<&str> {
            let next = rest.next()?;
            if next == "!" {
                negated = !negated;
                return rest.next();
            }
            Some(next)
        };
        let fit = match option {
            "-j" | "--jump" | "-g" | "--goto" => {
                let name = argument()?;
                rule.action = target(table, name, matches!(option, "-g" | "--goto"));
                targeted = true;
                Fit::Always
            }
            "-s" | "--source" | "--src" | "-d" | "--destination" | "--dst" => {
                let source = option.starts_with("-s") || option.starts_with("--s");
                let address = argument()?;
                let fit = match address {
                    "0/0" | "0.0.0.0/0" | "0.0.0.0/0.0.0.0" | "::/0" => Fit::Always,
                    _ if source && address.starts_with("127.") => Fit::Never,
                    _ => Fit::Sometimes,
                };
                fit.negate(negated)
            }
            "-i" | "--in-interface" => {
                let fit = match argument()? {
                    "lo" => Fit::Never,
                    "+" => Fit::Always,
                    _ => Fit::Sometimes,
                };
                fit.negate(negated)
            }
            "-p" | "--protocol" | "--proto" => {
                let tcp = matches!(argument()?.to_ascii_lowercase().as_str(), "tcp" | "6" | "all" | "0");
                if tcp { Fit::Always } else { Fit::Never }.negate(negated)
            }
            "-f" | "--fragment" => Fit::Never.negate(negated),
            "-m" | "--match" => {
                module = argument()?;
                Fit::Always
            }
            "-c" | "--set-counters" => {
                argument()?;
                argument()?;
                Fit::Always
            }
            "--dport" | "--destination-port" | "--dports" | "--destination-ports" => {
                let ranges: Option<Vec<_>> =
                    argument()?.split(',').map(|range| port_range(range, ':')).collect();
                match ranges {
                    Some(ranges) => {
                        rule.ports.push(Ports { ranges, negated });
                        Fit::Always
                    }
                    None => Fit::Unknown,
                }
            }
            "--syn" => Fit::Always.negate(negated),
            "--tcp-flags" => {
                let (mask, set) = (argument()?, rest.next()?);
                // Of a new connection's first packet only SYN is set.
                let has = |list: &str| list.split(',').any(|flag| flag == "SYN" || flag == "ALL");
                let others = set.split(',').any(|flag| !matches!(flag, "SYN" | "NONE"));
                let fits = !others && has(mask) == has(set);
                if fits { Fit::Always } else { Fit::Never }.negate(negated)
            }
            "--state" | "--ctstate" => {
                let states = argument()?.to_ascii_uppercase();
                let mut states = states.split(',');
                let fit = match states.clone().any(|state| state == "NEW") {
                    true => Fit::Always,
                    // Whether it is rewritten or not tracked is for other rules to say.
                    false if states.any(|state| ["DNAT", "SNAT", "UNTRACKED"].contains(&state)) => {
                        Fit::Sometimes
                    }
                    false => Fit::Never,
                };
                fit.negate(negated)
            }
            "--dst-type" => {
                let fit = if argument()? == "LOCAL" { Fit::Always } else { Fit::Sometimes };
                fit.negate(negated)
            }
            "--comment" => {
                argument()?;
                Fit::Always
            }
            _ if targeted => Fit::Always,
            option if option.starts_with('-') => {
                let known = ["tcp", "udp", ""].contains(&module) && option.starts_with("--s")
                    || SOMETIMES.contains(&module);
                if known { Fit::Sometimes } else { Fit::Unknown }
            }
            // An argument of an option that is not looked at.
            _ => Fit::Always,
        };
        rule.fit = rule.fit.max(fit);
    }
    Some(rule)
}

fn target(table: &str, name: &str, goes: bool) -> Action {
    match name {
        "ACCEPT" => Action::Accept,
        "DROP" | "REJECT" | "TARPIT" | "STEAL" => Action::Deny,
        "RETURN" => Action::Return,
        "QUEUE" | "NFQUEUE" | "SYNPROXY" => Action::Opaque,
        "DNAT" | "REDIRECT" | "TPROXY" | "NETMAP" => Action::Rewrite,
        name if NOTHING.contains(&name) => Action::Nothing,
        name if goes => Action::Goto(key(table, name)),
        name => Action::Jump(key(table, name)),
    }
}
