//! Connections counted up by what they are for.

use super::diag;
use super::socket::{STATES, Socket};
use super::{CloseWait, TcpDestination};
use crate::format::socket_owners::Owners;
use crate::model::Lazy;
use crate::source::{Host, Missing, Reading};
use core::net::{IpAddr, SocketAddr};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// What is kept of any long list.
const KEPT: usize = 100;

/// Remote ends are told apart by the local address too.
type End = (IpAddr, (IpAddr, u16));

/// The local ports that tell a connection's direction.
#[derive(Debug)]
pub(super) struct Ports {
    /// Those of listening sockets.
    pub(super) served: HashSet<u16>,
    /// First and last one of net.ipv4.ip_local_port_range.
    pub(super) range: Reading<(u16, u16)>,
}

impl Ports {
    pub(super) fn in_range(&self, port: u16) -> Reading<bool> {
        self.range.clone().map(|(low, high)| (low..=high).contains(&port))
    }

    /// Whether a connection is one that was made from here, to elsewhere.
    fn outgoing(&self, socket: &Socket, (low, high): (u16, u16)) -> bool {
        (low..=high).contains(&socket.local.1) && !self.served.contains(&socket.local.1)
    }
}

/// How many are in each state.
pub(super) fn states(connections: &[Socket], listening: u64) -> BTreeMap<String, u64> {
    let mut states: BTreeMap<String, u64> = STATES.iter().map(|state| ((*state).to_owned(), 0)).collect();
    let mut count = |state: &str, more| states.get_mut(state).into_iter().for_each(|count| *count += more);
    count("LISTEN", listening);
    connections.iter().for_each(|socket| count(socket.state, 1));
    states
}

/// Those in ESTABLISHED that came from elsewhere.
pub(super) fn accepted(connections: &[Socket], ports: &Ports) -> u64 {
    let established = || connections.iter().filter(|socket| socket.state == "ESTABLISHED");
    let made: HashSet<_> = established()
        .filter(|socket| !ports.served.contains(&socket.local.1))
        .map(|socket| (socket.remote, socket.local))
        .collect();
    let came = established().filter(|socket| ports.served.contains(&socket.local.1));
    came.filter(|socket| !made.contains(&(socket.local, socket.remote))).count() as u64
}

/// How many different ports of the range are taken by connections and listening sockets.
pub(super) fn local_ports(connections: &[Socket], ports: &Ports) -> Reading<u64> {
    let connected = connections.iter().map(|socket| socket.local.1);
    different(connected.chain(ports.served.iter().copied()), ports)
}

/// How many are taken by sockets that are only bound.
pub(super) fn bound_ports(bound: &[Socket], ports: &Ports) -> Reading<u64> {
    different(bound.iter().map(|socket| socket.local.1), ports)
}

fn different(taken: impl Iterator<Item = u16>, ports: &Ports) -> Reading<u64> {
    let (low, high) = ports.range.clone()?;
    let within: HashSet<u16> = taken.filter(|port| (low..=high).contains(port)).collect();
    Ok(within.len() as u64)
}

/// What is counted of a remote end.
#[derive(Default)]
struct Count {
    all: u64,
    time_wait: u64,
    established: Vec<u64>,
}

/// Remote ends by the local ports that connections to them have taken.
pub(super) fn destinations(
    connections: &[Socket],
    ports: &Ports,
    owners: &Arc<Owners>,
    idle: &Arc<Idle>,
) -> Reading<Vec<TcpDestination>> {
    let range = ports.range.clone()?;
    let mut found: HashMap<End, Count> = HashMap::new();
    for socket in connections.iter().filter(|socket| ports.outgoing(socket, range)) {
        let count = found.entry((socket.local.0, socket.remote)).or_default();
        count.all += 1;
        match socket.state {
            "TIME_WAIT" => count.time_wait += 1,
            "ESTABLISHED" => count.established.push(socket.inode),
            _ => {}
        }
    }
    let mut found: Vec<_> = found.into_iter().collect();
    found.sort_by(|(a_end, a), (b_end, b)| {
        (b.all, b.time_wait).cmp(&(a.all, a.time_wait)).then_with(|| a_end.cmp(b_end))
    });
    let destination = |(end, count): (End, Count)| {
        let (local, (address, port)) = end;
        let idle = idle.clone();
        TcpDestination {
            local_address: local.to_string(),
            address: address.to_string(),
            port,
            local_ports: count.all,
            time_wait: count.time_wait,
            established: count.established.len() as u64,
            idle_seconds: Lazy::new(move || idle.median(&end)),
            owners: owners.lazily(count.established),
            loopback: address.is_loopback(),
        }
    };
    Ok(found.into_iter().take(KEPT).map(destination).collect())
}

/// How long connections have been idle, by their remote ends; asked once, where the kernel answers.
#[derive(Debug)]
pub(super) struct Idle(Lazy<HashMap<End, Vec<u32>>>);

impl Idle {
    pub(super) fn new(host: &Host, answers: bool, ports: &Arc<Ports>) -> Arc<Self> {
        let (host, ports) = (host.clone(), ports.clone());
        Arc::new(Self(Lazy::new(move || {
            if !answers {
                return Err(Missing::Absent);
            }
            let range = ports.range.clone()?;
            let mut found: HashMap<End, Vec<u32>> = HashMap::new();
            for socket in diag::ask(&host, diag::ESTABLISHED, true)? {
                if let (Some(idle), true) = (socket.idle, ports.outgoing(&socket, range)) {
                    found.entry((socket.local.0, socket.remote)).or_default().push(idle);
                }
            }
            found.values_mut().for_each(|times| times.sort_unstable());
            Ok(found)
        })))
    }

    /// Seconds that half of those to this end have been idle for at least.
    fn median(&self, end: &End) -> Reading<u64> {
        let times = self.0.get()?.get(end).ok_or(Missing::Absent)?;
        times.get(times.len() / 2).map(|time| u64::from(time / 1000)).ok_or(Missing::Absent)
    }
}

/// Connections in CLOSE_WAIT by what they are for.
pub(super) fn close_wait(connections: &[Socket], ports: &Ports) -> Vec<CloseWait> {
    let mut found: BTreeMap<(String, u32), u64> = BTreeMap::new();
    for socket in connections.iter().filter(|socket| socket.state == "CLOSE_WAIT") {
        let end = match ports.served.contains(&socket.local.1) {
            true => format!("clients of port {}", socket.local.1),
            false => SocketAddr::from(socket.remote).to_string(),
        };
        *found.entry((end, socket.uid)).or_default() += 1;
    }
    let mut found: Vec<_> =
        found.into_iter().map(|((end, uid), count)| CloseWait { end, uid, count }).collect();
    found.sort_by_key(|group| std::cmp::Reverse(group.count));
    found.truncate(KEPT);
    found
}
