//! Lines counted up, so that not every connection of a busy host is kept.

use super::line::{self, Line, STATES};
use super::{CloseWait, Tcp, TcpDestination, TcpListener};
use crate::source::{At, Missing, Reading};
use std::collections::{BTreeMap, HashMap, HashSet};
use core::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// What is kept of any long list.
const KEPT: usize = 100;

#[derive(Debug, Default)]
pub(super) struct Tally {
    states: BTreeMap<&'static str, u64>,
    listening: Vec<TcpListener>,
    /// Connections that may turn out to be outgoing ones: local end, remote end, whether in TIME_WAIT.
    connections: Vec<Line>,
    malformed: Vec<String>,
}

impl Tally {
    /// Adds the table of this text.
    pub(super) fn add_table(&mut self, path: &str, text: &str) -> Reading<()> {
        let mut lines = (1..).zip(text.lines());
        let header = lines.next().map(|(_, header)| header);
        if !header.is_some_and(|h| h.contains("local_address")) {
            return Err(Missing::garbled(path, "does not begin with the names of its columns"));
        }
        let path: Arc<str> = path.into();
        for (number, text) in lines {
            match line::parse(text) {
                Some(line) => self.add(line, || At::line(path.clone(), number)),
                None if text.trim().is_empty() => {}
                None if self.malformed.len() < KEPT => self.malformed.push(text.to_owned()),
                None => {}
            }
        }
        Ok(())
    }

    fn add(&mut self, line: Line, at: impl Fn() -> At) {
        *self.states.entry(line.state).or_default() += 1;
        if line.state == "LISTEN" {
            self.listening.push(TcpListener {
                address: line.local.0.to_string(),
                port: line.local.1,
                accept_queue: line.rx_queue,
                uid: line.uid,
                inode: line.inode,
                at: at(),
            });
        } else {
            self.connections.push(line);
        }
    }

    pub(super) fn finish(mut self, range: Reading<(u16, u16)>, at: At) -> Tcp {
        self.listening.sort_by(|a, b| (a.port, &a.address).cmp(&(b.port, &b.address)));
        let served: HashSet<u16> = self.listening.iter().map(|l| l.port).collect();
        let count = |state: &&'static str| ((*state).to_owned(), self.states.get(state).copied().unwrap_or(0));
        Tcp {
            states: STATES.iter().map(count).collect(),
            destinations: range.clone().map(|range| self.destinations(range, &served)),
            local_ports: range.clone().map(|range| self.local_ports(range)),
            local_port_range: range.map(|(low, high)| u64::from(high - low) + 1),
            close_wait: self.close_wait(&served),
            listening: self.listening,
            malformed: self.malformed,
            at,
        }
    }

    fn destinations(&self, (low, high): (u16, u16), served: &HashSet<u16>) -> Vec<TcpDestination> {
        let mut found: HashMap<(IpAddr, (IpAddr, u16)), (u64, u64)> = HashMap::new();
        for line in &self.connections {
            let (address, port) = line.local;
            if (low..=high).contains(&port) && !served.contains(&port) {
                let (all, time_wait) = found.entry((address, line.remote)).or_default();
                *all += 1;
                *time_wait += u64::from(line.state == "TIME_WAIT");
            }
        }
        let mut found: Vec<_> = found.into_iter().collect();
        found.sort_by(|(a_end, a), (b_end, b)| b.cmp(a).then_with(|| a_end.cmp(b_end)));
        let destination = |((local, (address, port)), (local_ports, time_wait)): (_, _)| TcpDestination {
            local_address: IpAddr::to_string(&local),
            address: IpAddr::to_string(&address),
            port,
            local_ports,
            time_wait,
            loopback: address.is_loopback(),
        };
        found.into_iter().take(KEPT).map(destination).collect()
    }

    fn local_ports(&self, (low, high): (u16, u16)) -> u64 {
        let connected = self.connections.iter().map(|line| line.local.1);
        let listening = self.listening.iter().map(|listener| listener.port);
        let ports: HashSet<u16> = connected.chain(listening).filter(|p| (low..=high).contains(p)).collect();
        ports.len() as u64
    }

    fn close_wait(&self, served: &HashSet<u16>) -> Vec<CloseWait> {
        let mut found: BTreeMap<(String, u32), u64> = BTreeMap::new();
        for line in self.connections.iter().filter(|line| line.state == "CLOSE_WAIT") {
            let end = match served.contains(&line.local.1) {
                true => format!("clients of port {}", line.local.1),
                false => SocketAddr::from(line.remote).to_string(),
            };
            *found.entry((end, line.uid)).or_default() += 1;
        }
        let mut found: Vec<_> =
            found.into_iter().map(|((end, uid), count)| CloseWait { end, uid, count }).collect();
        found.sort_by_key(|group| std::cmp::Reverse(group.count));
        found.truncate(KEPT);
        found
    }
}
