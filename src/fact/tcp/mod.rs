//! The TCP sockets that listen or have a connection, one by one, and what follows from them.

mod line;
mod tally;
#[cfg(test)]
mod tests;

use super::Fact;
use crate::record;
use crate::source::{At, Host, Missing, Reading, Reason, text};
use std::collections::BTreeMap;
use std::path::Path;
use tally::Tally;

const TABLES: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];
const SOCKSTAT: &str = "/proc/net/sockstat";
const SOCKSTAT6: &str = "/proc/net/sockstat6";
const RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// Sockets that are read at most. The kernel walks all its hash table for them, and formats 150 bytes for each: some
/// 100 ms of one CPU for as many.
const MOST: u64 = 100_000;

/// As many lines, of 150 bytes each.
const CAP: u64 = 16 << 20;

record! {
    /// The TCP sockets of this network namespace that listen or have a connection, TIME_WAIT included.
    ///
    /// ```text
    /// /proc/net/tcp   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
    ///                  0: 00000000:0050 00000000:0000 0A 00000000:00000081 00:00000000 00000000     0        0 18811 1 …
    ///                  1: 0F02000A:C350 2A02000A:2384 06 00000000:00000000 03:00001A2B 00000000     0        0 0 3 …
    /// ```
    ///
    /// Source: proc_pid_net(5), the kernel's networking/proc_net_tcp, `get_tcp4_sock` in net/ipv4/tcp_ipv4.c. Not listed there:
    /// sockets that are only bound, or closed (see `sockets.tcp.closed`), and the backlog that a program asked for: `ss -ltn`
    /// shows it, from netlink's sock_diag. Unreadable where /proc/net/sockstat counts more than 100 000, since to list them would
    /// cost the host. Absent where no kernel runs.
    pub struct Tcp {
        /// How many sockets are in each state, by the kernel's names: `ESTABLISHED`, `SYN_SENT`, `SYN_RECV`, `FIN_WAIT1`,
        /// `FIN_WAIT2`, `TIME_WAIT`, `CLOSE`, `CLOSE_WAIT`, `LAST_ACK`, `LISTEN`, `CLOSING`. Each is there, if only with 0.
        pub states: BTreeMap<String, u64>,
        /// The listening sockets, by port.
        pub listening: Vec<TcpListener>,
        /// Remote ends by the local ports of net.ipv4.ip_local_port_range that connections to them have taken, most first;
        /// the first 100. Connections that were accepted, from clients, are not among them.
        pub destinations: Reading<Vec<TcpDestination>>,
        /// How many different local ports of net.ipv4.ip_local_port_range are taken, by connections to anywhere, TIME_WAIT and
        /// listening sockets. Several connections to different remote ends can share one.
        pub local_ports: Reading<u64>,
        /// How many ports net.ipv4.ip_local_port_range has.
        pub local_port_range: Reading<u64>,
        /// Connections in CLOSE_WAIT by the end that tells what they are for, most first; the first 100.
        pub close_wait: Vec<CloseWait>,
        /// Lines that are no sockets, as they stand; the first 100.
        pub malformed: Vec<String>,
        /// Where it was read.
        pub at: At,
    }
}

record! {
    /// A listening socket.
    #[derive(Clone, PartialEq)]
    pub struct TcpListener {
        /// The address it listens on: `0.0.0.0`, `127.0.0.1`, `::`. `::` takes IPv4 as well, unless the program said otherwise.
        pub address: String,
        /// The port.
        pub port: u16,
        /// Connections that are complete and wait for the program to accept them. More than net.core.somaxconn cannot wait, nor
        /// more than the program asked for, which is not told here.
        pub accept_queue: u32,
        /// The user id that the socket belongs to.
        pub uid: u32,
        /// The number in `socket:[18811]` of /proc/PID/fd.
        pub inode: u64,
        /// Where it was read.
        pub at: At,
    }
}

record! {
    /// A remote end, and the local ports that connections to it have taken. Connections to the same remote address and
    /// port cannot share a local one.
    #[derive(Clone, PartialEq)]
    pub struct TcpDestination {
        /// The local address of these connections.
        pub local_address: String,
        /// The remote address.
        pub address: String,
        /// The remote port.
        pub port: u16,
        /// Local ports of the range that are taken, TIME_WAIT included.
        pub local_ports: u64,
        /// Of these in TIME_WAIT, which net.ipv4.tcp_tw_reuse gives to new connections.
        pub time_wait: u64,
        /// Whether the remote address is of the loopback network.
        pub loopback: bool,
    }
}

record! {
    /// Connections in CLOSE_WAIT: the peer has ended them, and the program here has not closed its end.
    #[derive(Clone, PartialEq)]
    pub struct CloseWait {
        /// The end that tells what they are for: `clients of port 8080` for a server's, `10.0.0.5:9092` for a client's.
        pub end: String,
        /// The user id that the sockets belong to.
        pub uid: u32,
        /// How many.
        pub count: u64,
    }
}

impl Fact for Tcp {
    const NAME: &'static str = "tcp";
    const READS: &'static [&'static str] =
        &["/proc/net/tcp", "/proc/net/tcp6", SOCKSTAT, SOCKSTAT6, RANGE];

    fn collect(host: &Host) -> Reading<Self> {
        refrain_if_many(host)?;
        let mut tally = Tally::default();
        let mut found = false;
        for path in TABLES {
            match host.source.read(Path::new(path), CAP).map(text) {
                Ok(text) => {
                    found = true;
                    tally.add_table(path, &text)?;
                }
                Err(Missing::Absent) => {}
                Err(missing) => return Err(missing),
            }
        }
        if !found {
            return Err(Missing::Absent);
        }
        Ok(tally.finish(range(host), At::file(TABLES[0])))
    }
}

/// Whether there are too many to list: asked before the kernel is made to list them.
fn refrain_if_many(host: &Host) -> Reading<()> {
    let mut sum: u64 = 0;
    for path in [SOCKSTAT, SOCKSTAT6] {
        let text = match host.read_text(path) {
            Ok(text) => text,
            // Nothing is known of their number then; the cap of the size holds.
            Err(_) => continue,
        };
        for line in text.lines().filter(|line| line.starts_with("TCP")) {
            let words: Vec<_> = line.split_ascii_whitespace().collect();
            let pairs = words.windows(2).filter(|pair| matches!(pair[0], "inuse" | "tw"));
            sum = pairs.filter_map(|pair| pair[1].parse::<u64>().ok()).fold(sum, u64::saturating_add);
        }
    }
    if sum > MOST {
        let what = format!("was not read: it would list {sum} sockets, at the cost of all other work");
        return Err(Missing::unreadable(TABLES[0], Reason::NotRead(what)));
    }
    Ok(())
}

/// First and last port for outgoing connections: `32768\t60999`.
fn range(host: &Host) -> Reading<(u16, u16)> {
    let text = host.read_text(RANGE)?;
    let mut numbers = text.split_ascii_whitespace().map(|n| n.parse().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(low), Some(high)) if low <= high => Ok((low, high)),
        _ => Err(Missing::garbled(RANGE, "is no range of ports")),
    }
}
