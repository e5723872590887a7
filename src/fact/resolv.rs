//! How names are asked for in DNS.

use super::Fact;
use crate::source::{At, FileKind, Host, Missing, Reading, Reason};
use crate::{record, word};
use core::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;

record! {
    /// The resolver's configuration, as the C library reads it.
    ///
    /// ```text
    /// /etc/resolv.conf -> ../run/systemd/resolve/stub-resolv.conf
    /// nameserver 127.0.0.53
    /// options edns0 trust-ad
    /// search example.com
    /// ```
    ///
    /// Source: resolv.conf(5), glibc's resolv/res_init.c. A keyword counts only at the very beginning of its line. Always there:
    /// `state` tells whether the file is.
    pub struct Resolv {
        /// What is there in place of the file.
        pub state: ResolvState,
        /// Where the link /etc/resolv.conf leads, as an absolute path; absent if it is no link.
        pub link: Option<String>,
        /// The name servers that are asked: the first three, MAXNS. Where there is none, the one on this host (127.0.0.1) is.
        pub nameservers: Vec<ResolvServer>,
        /// Name servers after the third, which are never asked.
        pub ignored: Vec<ResolvServer>,
        /// The domains to try for short names; of several `search` and `domain` lines the last counts.
        pub search: Vec<String>,
        /// The options: `rotate`, `timeout:2`.
        pub options: Vec<String>,
        /// Name server lines that the C library leaves out: no address, or blanks before the keyword.
        pub malformed: Vec<ResolvMalformed>,
        /// The file.
        pub at: At,
    }
}

word! {
    /// What is there in place of /etc/resolv.conf.
    pub enum ResolvState {
        /// A file.
        Present = "present",
        /// Nothing.
        Missing = "missing",
        /// A link that leads nowhere.
        Dangling = "dangling",
    }
}

record! {
    /// A name server.
    #[derive(Clone, PartialEq)]
    #[bare(address)]
    pub struct ResolvServer {
        /// Its address, as written: `192.0.2.53`, `fe80::1%eth0`.
        pub address: String,
        /// Whether it is on this host: 127.0.0.0/8 or ::1.
        pub loopback: bool,
        /// Where it stands.
        pub at: At,
    }
}

record! {
    /// A line that was meant to be a name server, and is none.
    #[derive(Clone, PartialEq)]
    pub struct ResolvMalformed {
        /// The line.
        pub text: String,
        /// Where it stands.
        pub at: At,
    }
}

const PATH: &str = "/etc/resolv.conf";

/// MAXNS of <resolv.h>.
const MAXNS: usize = 3;

impl Fact for Resolv {
    const NAME: &'static str = "resolv";
    const READS: &'static [&'static str] = &[PATH];

    fn collect(host: &Host) -> Reading<Self> {
        let link = match host.source.lstat(Path::new(PATH)) {
            Ok(stat) if stat.kind == FileKind::Link => Some(leads_to(host)?),
            Ok(_) | Err(Missing::Absent) => None,
            Err(unreadable) => return Err(unreadable),
        };
        let (state, text) = match host.read_text(PATH) {
            Ok(text) => (ResolvState::Present, text),
            Err(Missing::Unreadable(why)) if why.reason != Reason::LinkLoop => {
                return Err(Missing::Unreadable(why));
            }
            Err(_) if link.is_some() => (ResolvState::Dangling, String::new()),
            Err(_) => (ResolvState::Missing, String::new()),
        };
        Ok(Self { state, link, ..parse(&text) })
    }
}

fn leads_to(host: &Host) -> Reading<String> {
    let to = host.source.read_link(Path::new(PATH))?;
    Ok(crate::source::normalise(&Path::new("/etc").join(to)).to_string_lossy().into_owned())
}

fn parse(text: &str) -> Resolv {
    let mut found = Resolv {
        state: ResolvState::Present,
        link: None,
        nameservers: Vec::new(),
        ignored: Vec::new(),
        search: Vec::new(),
        options: Vec::new(),
        malformed: Vec::new(),
        at: At::file(PATH),
    };
    for (number, line) in (1..).zip(text.lines()) {
        let at = At::line(PATH, number);
        let Some((keyword, rest)) = line.trim_start().split_once([' ', '\t']) else { continue };
        let words =
            rest.split_whitespace().take_while(|word| !word.starts_with(['#', ';'])).map(str::to_owned);
        let indented = line.starts_with([' ', '\t']);
        match keyword {
            "nameserver" => {
                let address = rest.trim_start();
                let address = address.split([';', '#', ' ', '\t', '\r']).next().unwrap_or_default();
                match loopback(address).filter(|_| !indented) {
                    None => found.malformed.push(ResolvMalformed { text: line.to_owned(), at }),
                    Some(loopback) => {
                        let server = ResolvServer { address: address.to_owned(), loopback, at };
                        let full = found.nameservers.len() >= MAXNS;
                        if full { &mut found.ignored } else { &mut found.nameservers }.push(server);
                    }
                }
            }
            "search" if !indented => found.search = words.collect(),
            "domain" if !indented => found.search = words.take(1).collect(),
            "options" if !indented => found.options.extend(words),
            _ => {}
        }
    }
    found
}

/// Whether an address is this host's; `None` if it is no address that inet_aton(3) or inet_pton(3) take.
fn loopback(address: &str) -> Option<bool> {
    if let Ok(v4) = address.parse::<Ipv4Addr>() {
        return Some(v4.is_loopback());
    }
    let (plain, scope) = address.split_once('%').map_or((address, None), |(a, scope)| (a, Some(scope)));
    if let Ok(v6) = plain.parse::<Ipv6Addr>() {
        return (scope != Some("")).then(|| v6.is_loopback());
    }
    // inet_aton also takes 127.1, 0x7f.1 and 2130706433.
    let parts: Vec<&str> = address.split('.').collect();
    let number = |part: &&str| {
        let (digits, radix) = match part.strip_prefix("0x").or_else(|| part.strip_prefix("0X")) {
            Some(hex) => (hex, 16),
            None if part.len() > 1 && part.starts_with('0') => (*part, 8),
            None => (*part, 10),
        };
        u32::from_str_radix(digits, radix).ok()
    };
    let numbers: Option<Vec<u32>> = parts.iter().map(number).collect();
    let numbers = numbers.filter(|numbers| numbers.len() <= 4)?;
    let (last, first) = numbers.split_last()?;
    let fits = first.iter().all(|n| *n < 256) && u64::from(*last) < 1 << (8 * (4 - first.len()));
    fits.then(|| first.first().map_or(last >> 24, |n| *n) == 127)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    fn collect(files: &Files) -> Reading<Resolv> {
        Resolv::collect(&Host::new(files.clone(), Target::live()))
    }

    #[test]
    fn the_first_three_servers_count_and_the_last_search_line() {
        let found = parse(
            "# by hand\n; too\ndomain old.example\nnameserver 192.0.2.1 # first\nnameserver\t::1\nnameserver fe80::1%eth0\nnameserver 127.1\nsearch a.example b.example # c\noptions ndots:3 rotate\nlookup file bind\n",
        );
        let servers: Vec<_> = found.nameservers.iter().map(|s| (s.address.as_str(), s.loopback)).collect();
        assert_eq!(servers, [("192.0.2.1", false), ("::1", true), ("fe80::1%eth0", false)]);
        assert_eq!((found.ignored[0].address.as_str(), found.ignored[0].loopback), ("127.1", true));
        assert_eq!(found.ignored[0].at, At::line(PATH, 7));
        assert_eq!(found.search, ["a.example", "b.example"]);
        assert_eq!(found.options, ["ndots:3", "rotate"]);
        assert!(found.malformed.is_empty());
    }

    #[test]
    fn what_the_c_library_leaves_out_is_told() {
        let text = " nameserver 192.0.2.1\nnameserver dns.example\nnameserver 1.2.3.256\nnameserver \nnameserver 1.2.3.4.5\nnameserver \u{fffd}\0\n";
        let found = parse(text);
        assert!(found.nameservers.is_empty());
        let lines: Vec<_> = found.malformed.iter().map(|m| m.at.line.unwrap()).collect();
        assert_eq!(lines, [1, 2, 3, 4, 5, 6]);
        assert!(parse("").malformed.is_empty());
    }

    #[test]
    fn a_link_is_told_whether_or_not_it_leads_anywhere() {
        let mut files = Files::new();
        files.link(PATH, "../run/systemd/resolve/stub-resolv.conf");
        let found = collect(&files).unwrap();
        assert_eq!((found.state, found.nameservers.len()), (ResolvState::Dangling, 0));
        assert_eq!(found.link.as_deref(), Some("/run/systemd/resolve/stub-resolv.conf"));
        files.file("/run/systemd/resolve/stub-resolv.conf", "nameserver 127.0.0.53\n");
        let found = collect(&files).unwrap();
        assert_eq!((found.state, found.nameservers.len()), (ResolvState::Present, 1));
    }

    #[test]
    fn missing_looping_and_denied_are_three_things() {
        assert_eq!(collect(&Files::new()).unwrap().state, ResolvState::Missing);
        let mut looping = Files::new();
        assert_eq!(collect(looping.link(PATH, "resolv.conf")).unwrap().state, ResolvState::Dangling);
        let mut denied = Files::new();
        assert!(matches!(collect(denied.deny(PATH)), Err(Missing::Unreadable(_))));
    }
}
