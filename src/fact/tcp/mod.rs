//! The TCP sockets that listen or have a connection, one by one, and what follows from them.

mod diag;
mod line;
mod socket;
mod table;
mod tally;
#[cfg(test)]
mod tests;

use super::Fact;
use crate::format::ranges;
use crate::format::socket_owners::{Owners, SocketOwner};
use crate::model::Lazy;
use crate::record;
use crate::source::{At, Host, Missing, Reading};
use socket::Socket;
use std::collections::BTreeMap;
use std::sync::Arc;
use table::{RELEASE, SOCKSTAT, SOCKSTAT6, TABLES, Table};
use tally::{Idle, Ports};

const RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";
const RESERVED: &str = "/proc/sys/net/ipv4/ip_local_reserved_ports";

record! {
    /// The TCP sockets of this network namespace that listen or have a connection, TIME_WAIT included.
    ///
    /// ```text
    /// /proc/net/tcp   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
    ///                  0: 00000000:0050 00000000:0000 0A 00000000:00000081 00:00000000 00000000     0        0 18811 1 …
    ///                  1: 0F02000A:C350 2A02000A:2384 06 00000000:00000000 03:00001A2B 00000000     0        0 0 3 …
    /// ```
    ///
    /// Source: sock_diag(7), which a running kernel is asked, as ss(8) does; the connections only when they are wanted, since for
    /// these the kernel walks a large table. Where it may not be asked, or would have to load the module tcp_diag for it, and in
    /// a copy of /proc: proc_pid_net(5), the kernel's networking/proc_net_tcp, `get_tcp4_sock` in net/ipv4/tcp_ipv4.c. Not listed
    /// in either: sockets that are not bound, or closed (see `sockets.tcp.closed`). Unreadable where /proc/net/sockstat counts
    /// more than 250 000, or 100 000 if they must be read from /proc, since to list them would cost the host. Absent where no
    /// kernel runs.
    pub struct Tcp {
        /// How many sockets are in each state, by the kernel's names: `ESTABLISHED`, `SYN_SENT`, `SYN_RECV`, `FIN_WAIT1`,
        /// `FIN_WAIT2`, `TIME_WAIT`, `CLOSE`, `CLOSE_WAIT`, `LAST_ACK`, `LISTEN`, `CLOSING`. Each is there, if only with 0.
        pub states: Lazy<BTreeMap<String, u64>>,
        /// The listening sockets, by port.
        pub listening: Vec<TcpListener>,
        /// Remote ends by the local ports of net.ipv4.ip_local_port_range that connections to them have taken, most first;
        /// the first 100. Connections that were accepted, from clients, are not among them.
        pub destinations: Lazy<Vec<TcpDestination>>,
        /// Connections in ESTABLISHED that came from elsewhere: their local port is that of a listening socket, and their other
        /// end is not on this host too.
        pub accepted: Lazy<u64>,
        /// How many different local ports of net.ipv4.ip_local_port_range are taken, by connections to anywhere, TIME_WAIT and
        /// listening sockets. Several connections to different remote ends can share one.
        pub local_ports: Lazy<u64>,
        /// How many ports net.ipv4.ip_local_port_range has.
        pub local_port_range: Reading<u64>,
        /// How many different local ports of net.ipv4.ip_local_port_range are taken by sockets that are only bound: they neither
        /// listen nor have a connection. Absent before Linux 6.8, and where the kernel could not be asked.
        pub bound_ports: Lazy<u64>,
        /// The processes that hold these sockets, most first. Costs a look at every descriptor of every process; unreadable where
        /// that is forbidden and none was found.
        pub bound_owners: Lazy<Vec<SocketOwner>>,
        /// Connections in CLOSE_WAIT by the end that tells what they are for, most first; the first 100.
        pub close_wait: Lazy<Vec<CloseWait>>,
        /// The processes that hold connections in CLOSE_WAIT, most first. Costs a look at every descriptor of every process;
        /// unreadable where that is forbidden and none was found.
        pub close_wait_owners: Lazy<Vec<SocketOwner>>,
        /// Lines that are no sockets, as they stand; the first 100.
        pub malformed: Vec<String>,
        /// Where it was read.
        pub at: At,
    }
}

record! {
    /// A listening socket.
    pub struct TcpListener {
        /// The address it listens on: `0.0.0.0`, `127.0.0.1`, `::`. `::` takes IPv4 as well, unless the program said otherwise.
        pub address: String,
        /// The port.
        pub port: u16,
        /// Connections that are complete and wait for the program to accept them. When they are more than `backlog`, further
        /// ones are turned away.
        pub accept_queue: u32,
        /// How many may wait: what the program asked for with listen(), and at most what net.core.somaxconn was then. Absent
        /// where the kernel could not be asked: /proc does not tell.
        pub backlog: Option<u32>,
        /// The user id that the socket belongs to.
        pub uid: u32,
        /// The number in `socket:[18811]` of /proc/PID/fd.
        pub inode: u64,
        /// Whether the port is of net.ipv4.ip_local_port_range, so that a connection from here may take it while nobody listens.
        pub in_local_port_range: Reading<bool>,
        /// Whether net.ipv4.ip_local_reserved_ports keeps the port from that. Absent before Linux 2.6.35.
        pub reserved: Reading<bool>,
        /// The processes that hold it. None for the kernel's own, as of a file server, and for those of other pid namespaces.
        /// Costs a look at every descriptor of every process; unreadable where that is forbidden and none was found.
        pub owners: Lazy<Vec<SocketOwner>>,
        /// Where it was read.
        pub at: At,
    }
}

record! {
    /// A remote end, and the local ports that connections to it have taken. Connections to the same remote address and
    /// port cannot share a local one.
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
        /// Of these in ESTABLISHED.
        pub established: u64,
        /// Half of those in ESTABLISHED have been idle for at least as many seconds: no data came or went; a probe of keepalive
        /// is no data. Absent where the kernel could not be asked.
        pub idle_seconds: Lazy<u64>,
        /// The processes that hold those in ESTABLISHED, most first. Costs a look at every descriptor of every process;
        /// unreadable where that is forbidden and none was found.
        pub owners: Lazy<Vec<SocketOwner>>,
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
    const READS: &'static [&'static str] = &[
        "sock_diag(7)",
        TABLES[0],
        TABLES[1],
        SOCKSTAT,
        SOCKSTAT6,
        RANGE,
        RESERVED,
        RELEASE,
        "/proc/PID/fd",
        "/proc/PID/stat",
    ];

    fn collect(host: &Host) -> Reading<Self> {
        let table = Table::read(host)?;
        let owners = Owners::new(host);
        let range = range(host);
        let local_port_range = range.clone().map(|(low, high)| u64::from(high - low) + 1);
        let served = table.listening.iter().map(|(socket, _)| socket.local.1).collect();
        let ports = Arc::new(Ports { served, range });
        let idle = Idle::new(host, table.answers, &ports);
        let listening = listeners(&table.listening, &ports, &reserved(host), &owners);
        let count = listening.len() as u64;
        let all = &table.connections;
        Ok(Self {
            states: of(all, move |all| Ok(tally::states(all, count))),
            destinations: with(all, &ports, &owners, move |all, ports, owners| {
                tally::destinations(all, ports, owners, &idle)
            }),
            accepted: with(all, &ports, &owners, |all, ports, _| Ok(tally::accepted(all, ports))),
            local_ports: with(all, &ports, &owners, |all, ports, _| tally::local_ports(all, ports)),
            bound_ports: with(&table.bound, &ports, &owners, |bound, ports, _| {
                tally::bound_ports(bound, ports)
            }),
            bound_owners: with(&table.bound, &ports, &owners, |bound, _, owners| {
                owners.of(&bound.iter().map(|socket| socket.inode).collect::<Vec<_>>())
            }),
            close_wait: with(all, &ports, &owners, |all, ports, _| Ok(tally::close_wait(all, ports))),
            close_wait_owners: with(all, &ports, &owners, |all, _, owners| {
                let waiting = all.iter().filter(|socket| socket.state == "CLOSE_WAIT");
                owners.of(&waiting.map(|socket| socket.inode).collect::<Vec<_>>())
            }),
            local_port_range,
            listening,
            malformed: table.malformed,
            at: table.at,
        })
    }
}

/// What is made of all connections, when it is asked for.
fn of<T>(
    connections: &Arc<Lazy<Vec<Socket>>>,
    make: impl Fn(&[Socket]) -> Reading<T> + Send + Sync + 'static,
) -> Lazy<T> {
    let connections = connections.clone();
    Lazy::new(move || make(connections.get()?))
}

fn with<T>(
    connections: &Arc<Lazy<Vec<Socket>>>,
    ports: &Arc<Ports>,
    owners: &Arc<Owners>,
    make: impl Fn(&[Socket], &Ports, &Arc<Owners>) -> Reading<T> + Send + Sync + 'static,
) -> Lazy<T> {
    let (ports, owners) = (ports.clone(), owners.clone());
    of(connections, move |all| make(all, &ports, &owners))
}

/// The listening sockets, by port.
fn listeners(
    sockets: &[(Socket, At)],
    ports: &Ports,
    reserved: &Reading<Vec<(u32, u32)>>,
    owners: &Arc<Owners>,
) -> Vec<TcpListener> {
    let listener = |(socket, at): &(Socket, At)| {
        let port = socket.local.1;
        let within =
            |ranges: &Vec<(u32, u32)>| ranges.iter().any(|(a, b)| (*a..=*b).contains(&u32::from(port)));
        TcpListener {
            address: socket.local.0.to_string(),
            port,
            accept_queue: socket.queue,
            backlog: socket.backlog,
            uid: socket.uid,
            inode: socket.inode,
            in_local_port_range: ports.in_range(port),
            reserved: reserved.as_ref().map(within).map_err(Clone::clone),
            owners: owners.lazily(vec![socket.inode]),
            at: at.clone(),
        }
    };
    let mut found: Vec<_> = sockets.iter().map(listener).collect();
    found.sort_by(|a, b| (a.port, &a.address).cmp(&(b.port, &b.address)));
    found
}

/// Ports that are not given to outgoing connections.
fn reserved(host: &Host) -> Reading<Vec<(u32, u32)>> {
    let found = ranges::parse(&host.read_text(RESERVED)?);
    found.ok_or_else(|| Missing::garbled(RESERVED, "is no list of ports"))
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
