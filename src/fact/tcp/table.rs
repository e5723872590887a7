//! Where the sockets are taken from: the kernel is asked, and where it may not be, /proc/net/tcp and tcp6 are read.

use super::socket::Socket;
use super::{diag, line};
use crate::format::kernel_release;
use crate::model::Lazy;
use crate::source::{At, Host, Missing, Optional, Reading, Reason, text};
use std::path::Path;
use std::sync::Arc;

pub(super) const TABLES: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];
pub(super) const RELEASE: &str = "/proc/sys/kernel/osrelease";
pub(super) const SOCKSTAT: &str = "/proc/net/sockstat";
pub(super) const SOCKSTAT6: &str = "/proc/net/sockstat6";

/// Sockets that are read from /proc at most. The kernel walks all its hash table for them, and formats 150 bytes for each: some
/// 100 ms of one CPU for as many.
const MOST_READ: u64 = 100_000;

/// As many lines, of 150 bytes each.
const CAP: u64 = 16 << 20;

/// Sockets that are asked for at most: each takes the kernel less than half of that, and some 110 bytes.
const MOST_ASKED: u64 = 250_000;

/// What is kept of lines that are no sockets.
const KEPT: usize = 100;

/// All sockets, in two parts, since those that listen cost next to nothing where the kernel can be asked for them alone.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) listening: Vec<(Socket, At)>,
    pub(super) connections: Arc<Lazy<Vec<Socket>>>,
    /// Sockets that are only bound, which /proc does not list; absent where the kernel does not tell.
    pub(super) bound: Arc<Lazy<Vec<Socket>>>,
    /// Whether the kernel answers questions.
    pub(super) answers: bool,
    pub(super) malformed: Vec<String>,
    pub(super) at: At,
}

impl Table {
    pub(super) fn read(host: &Host) -> Reading<Self> {
        match diag::ask(host, diag::LISTENING, false) {
            Err(missing) if diag::refused(&missing) => Self::of_proc(host),
            answer => Ok(Self::of_answer(host, answer?)),
        }
    }

    fn of_answer(host: &Host, listening: Vec<Socket>) -> Self {
        let at = At::file("sock_diag(7)");
        let asked = host.clone();
        let connections = Lazy::new(move || {
            refrain_if_more(&asked, MOST_ASKED)?;
            diag::ask(&asked, diag::CONNECTIONS, false)
        });
        Self {
            listening: listening.into_iter().map(|socket| (socket, at.clone())).collect(),
            connections: Arc::new(connections),
            bound: Arc::new(bound(host)),
            answers: true,
            malformed: Vec::new(),
            at,
        }
    }

    fn of_proc(host: &Host) -> Reading<Self> {
        refrain_if_more(host, MOST_READ)?;
        let (mut listening, mut connections, mut malformed) = (Vec::new(), Vec::new(), Vec::new());
        let mut found = false;
        for path in TABLES {
            let Some(text) = host.source.read(Path::new(path), CAP).map(text).optional()? else {
                continue;
            };
            found = true;
            let mut lines = (1..).zip(text.lines());
            if !lines.next().is_some_and(|(_, header)| header.contains("local_address")) {
                return Err(Missing::garbled(path, "does not begin with the names of its columns"));
            }
            for (number, text) in lines {
                match line::parse(text) {
                    Some(socket) if socket.state == "LISTEN" => {
                        listening.push((socket, At::line(path, number)))
                    }
                    Some(socket) => connections.push(socket),
                    None if text.trim().is_empty() || malformed.len() == KEPT => {}
                    None => malformed.push(text.to_owned()),
                }
            }
        }
        if !found {
            return Err(Missing::Absent);
        }
        let connections = Arc::new(Lazy::of(Ok(connections)));
        let bound = Arc::new(Lazy::of(Err(Missing::Absent)));
        Ok(Self { listening, connections, bound, answers: false, malformed, at: At::file(TABLES[0]) })
    }
}

fn bound(host: &Host) -> Lazy<Vec<Socket>> {
    let host = host.clone();
    Lazy::new(move || {
        let version = kernel_release::version(&host.read_text(RELEASE)?);
        match version.ok_or_else(|| Missing::garbled(RELEASE, "is no release of a kernel"))?
            < diag::BOUND_SINCE
        {
            true => Err(Missing::Absent),
            false => diag::ask(&host, diag::BOUND, false),
        }
    })
}

/// Whether there are too many to list: asked before the kernel is made to list them.
fn refrain_if_more(host: &Host, most: u64) -> Reading<()> {
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
    if sum > most {
        let what = format!("was not read: it would list {sum} sockets, at the cost of all other work");
        return Err(Missing::unreadable(TABLES[0], Reason::NotRead(what)));
    }
    Ok(())
}
