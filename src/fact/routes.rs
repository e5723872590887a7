//! Where packets are sent: the main tables of routes.

use super::Fact;
use crate::model::Partial;
use crate::record;
use crate::source::{At, Host, Missing, Reading, Reason, Unreadable};
use core::net::{Ipv4Addr, Ipv6Addr};

const IPV4: &str = "/proc/net/route";
const IPV6: &str = "/proc/net/ipv6_route";

/// Lines that are no routes and are told one by one; the rest are of the same kind.
const ODD: usize = 20;

record! {
    /// The routes of this network namespace.
    ///
    /// ```text
    /// /proc/net/route        Iface   Destination     Gateway         Flags   RefCnt  Use     Metric  Mask            MTU …
    ///                        eth0    00000000        F79F190A        0003    0       0       0       00000000        0   …
    /// /proc/net/ipv6_route   0000…0000 00 0000…0000 00 fd00…0001 00000400 00000002 00000000 00000003     eth0
    /// ```
    ///
    /// Source: proc_pid_net(5), `fib_route_seq_show` in net/ipv4/fib_trie.c, `rt6_info_route` in net/ipv6/route.c, route(8) for the
    /// flags. IPv4's main table only, and of several next hops the first; routes of other tables, which rules of policy routing
    /// choose, are not shown there. Unreadable where there are more than some 30 000. Absent where no kernel runs.
    #[bare(list)]
    pub struct Routes {
        /// The routes, as the kernel lists them: IPv4's, then IPv6's.
        pub list: Partial<Route>,
    }
}

crate::word! {
    /// The protocol of a route.
    pub enum RouteFamily {
        /// IPv4.
        Ipv4 = "ipv4",
        /// IPv6.
        Ipv6 = "ipv6",
    }
}

record! {
    /// A route.
    #[derive(Clone, PartialEq)]
    pub struct Route {
        /// The protocol.
        pub family: RouteFamily,
        /// Where to: `10.0.0.0/8`, `fd00::/64`; `0.0.0.0/0` and `::/0` are the default.
        pub destination: String,
        /// Whether it is for all destinations that no other route is for.
        pub is_default: bool,
        /// Whether there is a gateway; if not, what is sent this way is expected on the link itself. Told by the flag: an IPv4 route
        /// may have an IPv6 gateway, which is not shown.
        pub has_gateway: bool,
        /// The gateway's address. Absent without one, and where it is of the other protocol.
        pub gateway: Option<String>,
        /// The interface; `*` where the kernel refuses what is sent this way.
        pub interface: String,
        /// Of several to one destination the one with the lowest is used.
        pub metric: u32,
        /// Whether the kernel refuses what is sent this way (`unreachable`, `prohibit`, `blackhole`).
        pub reject: bool,
        /// Where it was read.
        pub at: At,
    }
}

impl Fact for Routes {
    const NAME: &'static str = "routes";
    const READS: &'static [&'static str] = &[IPV4, IPV6];

    fn collect(host: &Host) -> Reading<Self> {
        let mut list = Partial::default();
        let ipv4 = host.read_text(IPV4).map(|text| parse(&text, IPV4, 1, ipv4));
        let ipv6 = host.read_text(IPV6).map(|text| parse(&text, IPV6, 0, ipv6));
        if let (Err(Missing::Absent), Err(Missing::Absent)) = (&ipv4, &ipv6) {
            return Err(Missing::Absent);
        }
        for table in [ipv4, ipv6] {
            let odd = table.as_ref().map(|table| table.unread.clone()).unwrap_or_default();
            list.add(table.map(|table| table.items));
            list.unread.extend(odd);
        }
        Ok(Self { list })
    }
}

fn parse(text: &str, path: &str, heading: usize, route: fn(&[&str], At) -> Option<Route>) -> Partial<Route> {
    let mut routes = Partial::default();
    for (number, line) in (1..).zip(text.lines()).skip(heading) {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match route(&words, At::line(path, number)) {
            Some(route) => routes.items.push(route),
            None if routes.unread.len() < ODD => {
                let reason = Reason::Garbled(format!("line {number} is no route"));
                routes.unread.push(Unreadable { path: path.into(), reason });
            }
            None => {}
        }
    }
    routes
}

/// RTF_GATEWAY and RTF_REJECT of linux/route.h.
const GATEWAY: u32 = 0x2;
const REJECT: u32 = 0x200;

fn ipv4(words: &[&str], at: At) -> Option<Route> {
    // Words of 32 bits in the order of the host's bytes, which is little-endian on all that hostvet is made for.
    let address = |position: usize| {
        let word = words.get(position).filter(|word| word.len() == 8)?;
        Some(Ipv4Addr::from(u32::from_str_radix(word, 16).ok()?.swap_bytes()))
    };
    let flags = u32::from_str_radix(words.get(3)?, 16).ok()?;
    let (destination, gateway, mask) = (address(1)?, address(2)?, address(7)?);
    let bits = mask.to_bits().count_ones();
    Some(Route {
        family: RouteFamily::Ipv4,
        destination: format!("{destination}/{bits}"),
        is_default: bits == 0,
        has_gateway: flags & GATEWAY != 0,
        gateway: (flags & GATEWAY != 0 && !gateway.is_unspecified()).then(|| gateway.to_string()),
        interface: (*words.first()?).to_owned(),
        metric: words.get(6)?.parse().ok()?,
        reject: flags & REJECT != 0,
        at,
    })
}

fn ipv6(words: &[&str], at: At) -> Option<Route> {
    let hex = |position: usize| u32::from_str_radix(words.get(position)?, 16).ok();
    let address = |position: usize| {
        let word = words.get(position).filter(|word| word.len() == 32)?;
        Some(Ipv6Addr::from_bits(u128::from_str_radix(word, 16).ok()?))
    };
    let flags = hex(8)?;
    let (destination, bits, gateway) = (address(0)?, hex(1)?, address(4)?);
    Some(Route {
        family: RouteFamily::Ipv6,
        destination: format!("{destination}/{bits}"),
        is_default: bits == 0,
        has_gateway: flags & GATEWAY != 0,
        gateway: (flags & GATEWAY != 0).then(|| gateway.to_string()),
        interface: (*words.get(9)?).to_owned(),
        metric: hex(5)?,
        reject: flags & REJECT != 0,
        at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    fn collect(files: &Files) -> Reading<Partial<Route>> {
        Routes::collect(&Host::new(files.clone(), Target::live())).map(|routes| routes.list)
    }

    const HEADING: &str =
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";

    #[test]
    fn addresses_are_in_the_order_of_the_hosts_bytes() {
        let mut files = Files::new();
        let lines = "eth0\t000010AC\tF79F190A\t0003\t0\t0\t7\t0000F0FF\t0\t0\t0\n\
                     eth0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n\
                     *\t0000000A\t00000000\t0201\t0\t0\t0\t000000FF\t0\t0\t0\n";
        files.file(IPV4, format!("{HEADING}{lines}"));
        let found = collect(&files).unwrap().items;
        assert_eq!(
            (found[0].destination.as_str(), found[0].gateway.as_deref(), found[0].metric),
            ("172.16.0.0/12", Some("10.25.159.247"), 7)
        );
        assert_eq!((found[0].is_default, found[0].has_gateway, found[0].at.line), (false, true, Some(2)));
        assert_eq!(
            (found[1].destination.as_str(), found[1].is_default, found[1].has_gateway),
            ("0.0.0.0/0", true, false)
        );
        assert_eq!((found[2].interface.as_str(), found[2].reject, found[1].reject), ("*", true, false));
    }

    #[test]
    fn a_gateway_of_the_other_protocol_is_one() {
        let mut files = Files::new();
        files.file(IPV4, format!("{HEADING}eth0\t00000000\t00000000\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"));
        let found = collect(&files).unwrap().items;
        assert_eq!((found[0].has_gateway, found[0].gateway.as_deref()), (true, None));
    }

    #[test]
    fn ipv6_has_defaults_that_refuse() {
        let zero = "00000000000000000000000000000000";
        let mut files = Files::new();
        let lines = format!(
            "{zero} 00 {zero} 00 fd000000000000000000000000000001 00000400 00000002 00000000 00000003     eth0\n\
             {zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200       lo\n"
        );
        files.file(IPV6, lines);
        let found = collect(&files).unwrap().items;
        assert_eq!(
            (found[0].destination.as_str(), found[0].gateway.as_deref(), found[0].metric),
            ("::/0", Some("fd00::1"), 1024)
        );
        assert_eq!((found[1].is_default, found[1].reject, found[1].interface.as_str()), (true, true, "lo"));
    }

    #[test]
    fn odd_lines_leave_gaps_and_garbage_does_not_grow() {
        assert!(matches!(collect(&Files::new()), Err(Missing::Absent)));
        let mut files = Files::new();
        files.file(IPV4, format!("{HEADING}\0\neth0 0 0 0\neth0\t0000000g\t0\t3\t0\t0\t0\t0\n")).deny(IPV6);
        let found = collect(&files).unwrap();
        assert_eq!((found.items.len(), found.unread.len()), (0, 4));
        files.file(IPV4, "x\n".repeat(10_000)).file(IPV6, "");
        assert_eq!(collect(&files).unwrap().unread.len(), ODD);
        files.file(IPV4, "");
        assert!(collect(&files).unwrap().items.is_empty());
    }
}
