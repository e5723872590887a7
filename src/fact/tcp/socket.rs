//! A socket, whichever way the kernel told of it.

use core::net::IpAddr;

/// The states by their numbers less one, as include/net/tcp_states.h names them. 12, a connection that is not made yet
/// (NEW_SYN_RECV), is told as 3.
pub(super) const STATES: [&str; 11] = [
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "TIME_WAIT",
    "CLOSE",
    "CLOSE_WAIT",
    "LAST_ACK",
    "LISTEN",
    "CLOSING",
];

/// What is used of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Socket {
    pub(super) local: (IpAddr, u16),
    pub(super) remote: (IpAddr, u16),
    /// One of [`STATES`].
    pub(super) state: &'static str,
    /// Bytes that the program has not read yet; connections that it has not accepted, of a listening socket.
    pub(super) queue: u32,
    /// How many connections may wait, of a listening socket; /proc does not tell.
    pub(super) backlog: Option<u32>,
    pub(super) uid: u32,
    /// 0 where no program holds it any more.
    pub(super) inode: u64,
    /// Milliseconds since data last came or went, where that was asked.
    pub(super) idle: Option<u32>,
}

/// The state of this number.
pub(super) fn state(number: usize) -> Option<&'static str> {
    let number = if number == 12 { 3 } else { number };
    STATES.get(number.checked_sub(1)?).copied()
}
