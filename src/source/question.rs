//! What only a running kernel can answer, and no file holds.

use std::fmt;

/// A question to the kernel, and what its answer looks like.
///
/// Its text names it where an answer is kept, beside a capture's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Question {
    /// The TCP sockets of this network namespace, IPv4's and IPv6's alike: the messages of sock_diag(7) as they came, the one
    /// that ends them included.
    TcpSockets {
        /// The states that are wanted: the bit `1 << state` for each, numbered as in the kernel's include/net/tcp_states.h.
        /// Without the states of connections their hash table, which may be large, is not walked.
        states: u32,
    },
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TcpSockets { states } => write!(f, "sock_diag tcp states={states:#x}"),
        }
    }
}
