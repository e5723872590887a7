//! The conditions of a Match line, and whether they hold.
//!
//! Source: match_cfg_line() of servconf.c.

use super::patterns::{Listed, address_listed, listed};

/// Whether something holds: for no connection, for some or perhaps, for every one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Holds {
    Never,
    Maybe,
    Always,
}

impl Holds {
    fn of(holds: bool) -> Self {
        if holds { Self::Always } else { Self::Never }
    }

    pub(super) fn and(self, other: Self) -> Self {
        self.min(other)
    }
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Criterion {
    pub(super) attribute: Attribute,
    pub(super) value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attribute {
    All,
    InvalidUser,
    User,
    Group,
    Host,
    Address,
    LocalAddress,
    LocalPort,
    RDomain,
    Version,
}

const ATTRIBUTES: [(&str, Attribute); 8] = [
    ("user", Attribute::User),
    ("group", Attribute::Group),
    ("host", Attribute::Host),
    ("address", Attribute::Address),
    ("localaddress", Attribute::LocalAddress),
    ("localport", Attribute::LocalPort),
    ("rdomain", Attribute::RDomain),
    ("version", Attribute::Version),
];

/// Who connects from where. What is not given may be anything.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    /// Login name.
    pub user: Option<String>,
    /// The names of all groups of the user. `None`: there may be others than those of the files.
    pub groups: Option<Vec<String>>,
    /// The client's name.
    pub host: Option<String>,
    /// The client's address.
    pub address: Option<String>,
    /// The address it connects to.
    pub local_address: Option<String>,
    /// The port it connects to.
    pub local_port: Option<u16>,
}

/// Reads the arguments of a Match line, or tells why sshd refuses it.
pub(super) fn parse(arguments: &[String]) -> Result<Vec<Criterion>, String> {
    let mut criteria = Vec::new();
    let mut words = arguments.iter().map(String::as_str);
    while let Some(word) = words.next() {
        // Older versions take a comment for an attribute, and refuse it.
        if word.starts_with('#') {
            break;
        }
        let lower = word.to_ascii_lowercase();
        if lower == "all" {
            if !criteria.is_empty() || words.next().is_some_and(|next| !next.starts_with('#')) {
                return Err("`all` cannot stand with other conditions".into());
            }
            return Ok(vec![Criterion { attribute: Attribute::All, value: String::new() }]);
        }
        if lower == "invalid-user" {
            criteria.push(Criterion { attribute: Attribute::InvalidUser, value: String::new() });
            continue;
        }
        let (name, value) = match lower.split_once('=') {
            Some((name, _)) => (name.to_owned(), word.get(name.len() + 1..)),
            None => (lower, words.next()),
        };
        let Some((_, attribute)) = ATTRIBUTES.iter().find(|(known, _)| *known == name) else {
            return Err(format!("`{word}` is no condition"));
        };
        let value = value.filter(|v| !v.is_empty() && !v.starts_with('#'));
        let value = value.ok_or_else(|| format!("`{word}` has no value"))?;
        match attribute {
            Attribute::Address | Attribute::LocalAddress if address_listed(value, None).is_none() => {
                return Err(format!("`{value}` has a network whose mask does not fit it"));
            }
            Attribute::LocalPort
                if value.parse::<u16>().is_err() && value.starts_with(|c: char| c.is_ascii_digit()) =>
            {
                return Err(format!("`{value}` is no port"));
            }
            _ => {}
        }
        criteria.push(Criterion { attribute: *attribute, value: value.to_owned() });
    }
    if criteria.is_empty() { Err("has no condition".into()) } else { Ok(criteria) }
}

/// Whether the conditions hold when sshd reads its configuration at the start, before there is any connection.
pub(super) fn at_start(criteria: &[Criterion]) -> Holds {
    let holds = |c: &Criterion| match c.attribute {
        Attribute::All => Holds::Always,
        Attribute::Version => Holds::Maybe,
        _ => Holds::Never,
    };
    criteria.iter().map(holds).min().unwrap_or(Holds::Never)
}

/// Whether they hold for a connection.
pub(super) fn hold(criteria: &[Criterion], connection: &Connection) -> Holds {
    criteria.iter().map(|c| holds(c, connection)).min().unwrap_or(Holds::Never)
}

fn holds(criterion: &Criterion, connection: &Connection) -> Holds {
    let list = criterion.value.as_str();
    let on_list = |text: &Option<String>| {
        text.as_deref().map_or(Holds::Maybe, |t| Holds::of(listed(list, t) == Listed::Yes))
    };
    let address = |text: &Option<String>| {
        let known = text.as_deref();
        known.map_or(Holds::Maybe, |_| Holds::of(address_listed(list, known) == Some(Listed::Yes)))
    };
    match criterion.attribute {
        Attribute::All => Holds::Always,
        // The users that are asked about are accounts of the host.
        Attribute::InvalidUser => Holds::Never,
        Attribute::User => on_list(&connection.user),
        Attribute::Group => {
            connection.groups.as_deref().map_or(Holds::Maybe, |groups| Holds::of(in_groups(list, groups)))
        }
        // The name is the address in digits, unless UseDNS is set and the name server knows it.
        Attribute::Host => match &connection.host {
            Some(host) => {
                Holds::of(listed(&list.to_ascii_lowercase(), &host.to_ascii_lowercase()) == Listed::Yes)
            }
            None => Holds::Maybe,
        },
        Attribute::Address => address(&connection.address),
        Attribute::LocalAddress => address(&connection.local_address),
        Attribute::LocalPort => match (connection.local_port, list.parse::<u16>()) {
            (Some(port), Ok(wanted)) => Holds::of(port == wanted),
            _ => Holds::Maybe,
        },
        Attribute::RDomain | Attribute::Version => Holds::Maybe,
    }
}

fn in_groups(list: &str, groups: &[String]) -> bool {
    let mut found = false;
    for group in groups {
        match listed(list, group) {
            Listed::Negated => return false,
            Listed::Yes => found = true,
            Listed::No => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn criteria(line: &str) -> Result<Vec<Criterion>, String> {
        parse(&line.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    fn of(line: &str, connection: &Connection) -> Holds {
        hold(&criteria(line).unwrap(), connection)
    }

    #[test]
    fn lines_that_sshd_refuses_are_told() {
        for bad in [
            "",
            "all user root",
            "user root all",
            "user",
            "usr root",
            "Address 10.0.0.1/8",
            "LocalPort 99999",
            "user=",
        ] {
            assert!(criteria(bad).is_err(), "{bad}");
        }
        for good in [
            "all",
            "User root Host *.example.com",
            "user=root",
            "ADDRESS 10.0.0.0/8,!10.1.0.0/16",
            "LocalPort 22",
            "all # c",
        ] {
            assert!(criteria(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn what_is_not_known_of_a_connection_may_hold() {
        let root = Connection {
            user: Some("root".into()),
            groups: Some(vec!["root".into()]),
            ..Connection::default()
        };
        assert_eq!(of("User root,ann", &root), Holds::Always);
        assert_eq!(of("User *,!root", &root), Holds::Never);
        assert_eq!(of("Group wheel", &root), Holds::Never);
        assert_eq!(of("Address 10.0.0.0/8", &root), Holds::Maybe);
        assert_eq!(of("User root Address 10.0.0.0/8", &root), Holds::Maybe);
        assert_eq!(of("User ann Address 10.0.0.0/8", &root), Holds::Never);
        let anyone = Connection { user: Some("ann".into()), ..Connection::default() };
        assert_eq!(of("Group wheel", &anyone), Holds::Maybe);
    }

    #[test]
    fn at_the_start_only_all_holds() {
        assert_eq!(at_start(&criteria("all").unwrap()), Holds::Always);
        assert_eq!(at_start(&criteria("user *").unwrap()), Holds::Never);
    }
}
