//! ufw: iptables-restore files of its own, between chains that it makes itself.
//!
//! Source: ufw(8), ufw-framework(8), ufw's src/ufw-init-functions.

use super::packet::{Action, Base, Chains, Fit, Rule};
use super::{FirewallKind, FirewallRuleSet, iptables};
use crate::source::{At, Host, Missing, Optional, Reading};

const CONF: &str = "/etc/ufw/ufw.conf";
const DEFAULTS: &str = "/etc/default/ufw";
const RULES: [&str; 3] = ["/etc/ufw/before.rules", "/etc/ufw/user.rules", "/etc/ufw/after.rules"];
/// Chains that only log or count.
const EMPTY: [&str; 6] = [
    "ufw-logging-deny",
    "ufw-logging-allow",
    "ufw-before-logging-input",
    "ufw-after-logging-input",
    "ufw-track-input",
    "ufw-reject-input",
];

pub(super) fn find(host: &Host) -> Reading<FirewallRuleSet> {
    let conf = host.read_text(CONF)?;
    let policy = || -> Reading<Action> {
        let text = host.read_text(DEFAULTS).optional()?.unwrap_or_default();
        Ok(match setting(&text, "DEFAULT_INPUT_POLICY").as_deref() {
            Some("ACCEPT") => Action::Accept,
            _ => Action::Deny,
        })
    };
    let ports = policy().and_then(|policy| chains(host, policy)?.ports(RULES[1]));
    Ok(FirewallRuleSet {
        kind: FirewallKind::Ufw,
        ipv6: false,
        services: vec!["ufw".to_owned()],
        switched_on: setting(&conf, "ENABLED").is_some_and(|value| value.eq_ignore_ascii_case("yes")),
        ports,
        at: At::file(RULES[1]),
    })
}

fn chains(host: &Host, policy: Action) -> Reading<Chains> {
    let mut chains = Chains::default();
    for path in RULES {
        match host.read_text(path) {
            Ok(text) => iptables::add(&mut chains, path, &text)?,
            Err(Missing::Absent) if path == RULES[1] => {
                return Err(Missing::garbled(
                    path,
                    "is not there; hostvet knows no other place of ufw's rules",
                ));
            }
            Err(Missing::Absent) => {}
            Err(unreadable) => return Err(unreadable),
        }
    }
    let rule = |action| Rule { fit: Fit::Always, ports: Vec::new(), action, at: At::file(DEFAULTS) };
    let jump = |name: &str| rule(Action::Jump(format!("filter {name}")));
    for name in EMPTY {
        chains.chains.entry(format!("filter {name}")).or_default();
    }
    chains.chains.insert("filter ufw-skip-to-policy-input".into(), vec![rule(policy.clone())]);
    let input = ["ufw-before-input", "ufw-user-input", "ufw-after-input"].map(|name| {
        chains.chains.entry(format!("filter {name}")).or_default();
        jump(name)
    });
    chains.chains.entry("filter INPUT".into()).or_default().extend(input);
    chains.bases.retain(|base| base.chain != "filter INPUT");
    chains.bases.push(Base { chain: "filter INPUT".into(), policy, at: At::file(DEFAULTS) });
    Ok(chains)
}

/// The last assignment of a shell file.
fn setting(text: &str, key: &str) -> Option<String> {
    let of = |line: &str| line.trim().strip_prefix(key)?.strip_prefix('=').map(str::to_owned);
    let value = text.lines().filter_map(of).next_back()?;
    Some(value.split('#').next().unwrap_or_default().trim().trim_matches(['"', '\'']).to_owned())
}
