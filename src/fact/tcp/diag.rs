//! The kernel's answer over netlink: `struct inet_diag_msg` of linux/inet_diag.h, and attributes.

use super::socket::{Socket, state};
use crate::source::{DONE, Host, Missing, Question, Reading, Reason, Unreadable, messages};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `1 << TCP_LISTEN`.
pub(super) const LISTENING: u32 = 1 << 10;

/// `1 << TCP_ESTABLISHED`.
pub(super) const ESTABLISHED: u32 = 1 << 1;

/// All the others up to TCP_NEW_SYN_RECV.
pub(super) const CONNECTIONS: u32 = 0x1ffe & !LISTENING;

/// `1 << TCP_BOUND_INACTIVE`: those that are only bound, since Linux 6.8 (91051f003948); told as CLOSE. Older kernels tell of none.
pub(super) const BOUND: u32 = 1 << 13;

/// The first release with it.
pub(super) const BOUND_SINCE: (u32, u32) = (6, 8);

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// The length of `struct inet_diag_msg`.
const LENGTH: usize = 72;

/// The attribute that holds `struct tcp_info`.
const INFO: u16 = 2;

/// The sockets in these states.
pub(super) fn ask(host: &Host, states: u32, info: bool) -> Reading<Vec<Socket>> {
    let question = Question::TcpSockets { states, info };
    let answer = host.source.ask(question)?;
    parse(&answer).ok_or_else(|| Missing::garbled(question.to_string(), "the answer makes no sense"))
}

/// Whether the kernel was not to be asked, so that /proc has to do.
pub(super) fn refused(missing: &Missing) -> bool {
    match missing {
        Missing::Absent => true,
        Missing::Unreadable(Unreadable { reason, .. }) => {
            matches!(reason, Reason::Denied | Reason::Io(_) | Reason::NotRead(_))
        }
    }
}

/// Every socket of an answer; none if any byte of it makes no sense, or its end is missing.
fn parse(answer: &[u8]) -> Option<Vec<Socket>> {
    let mut found = Vec::with_capacity(answer.len() / 112);
    for message in messages(answer) {
        match message? {
            (DONE, _) => return Some(found),
            (_, body) => found.push(socket(body)?),
        }
    }
    None
}

fn socket(body: &[u8]) -> Option<Socket> {
    let message: &[u8; LENGTH] = body.first_chunk()?;
    // Family, state, timer and retransmissions; ports, addresses, interface and cookie; five numbers.
    let [family, number, _, _, rest @ ..] = message;
    let port = |at: usize| Some(u16::from_be_bytes(*rest.get(at..)?.first_chunk()?));
    let address = |at: usize| {
        let bytes: [u8; 16] = *rest.get(at..)?.first_chunk()?;
        match *family {
            AF_INET => Some(IpAddr::V4(Ipv4Addr::from(*bytes.first_chunk::<4>()?))),
            // `::ffff:10.0.0.1` is a connection of IPv4 on a socket that does both.
            AF_INET6 => Some(Ipv6Addr::from(bytes).to_canonical()),
            _ => None,
        }
    };
    let number_at = |at: usize| Some(u32::from_ne_bytes(*rest.get(at..)?.first_chunk()?));
    let state = state(usize::from(*number))?;
    Some(Socket {
        local: (address(4)?, port(0)?),
        remote: (address(20)?, port(2)?),
        state,
        queue: number_at(52)?,
        backlog: if state == "LISTEN" { number_at(56) } else { None },
        uid: number_at(60)?,
        inode: u64::from(number_at(64)?),
        idle: idle(body.get(LENGTH..)?),
    })
}

/// Milliseconds since data last came or went, from `struct tcp_info` among these attributes.
fn idle(mut attributes: &[u8]) -> Option<u32> {
    loop {
        let length = usize::from(u16::from_ne_bytes(*attributes.first_chunk()?));
        let kind = u16::from_ne_bytes(*attributes.get(2..)?.first_chunk()?);
        if kind == INFO {
            let info = attributes.get(4..length)?;
            let number = |at: usize| Some(u32::from_ne_bytes(*info.get(at..)?.first_chunk()?));
            // tcpi_last_data_sent and tcpi_last_data_recv.
            return Some(number(44)?.min(number(52)?));
        }
        // An attribute without a header would never end.
        attributes = attributes.get(length.max(4).checked_next_multiple_of(4)?..)?;
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An answer of these messages, as the kernel writes it.
    pub(in super::super) fn answer(messages: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut add = |kind: u16, body: &[u8]| {
            bytes.extend(u32::try_from(16 + body.len()).unwrap().to_ne_bytes());
            bytes.extend(kind.to_ne_bytes());
            bytes.extend([0; 10]);
            bytes.extend(body);
        };
        messages.iter().for_each(|body| add(18, body));
        add(DONE, &[0; 4]);
        bytes
    }

    /// A message of IPv4: ends, state, the two queues, uid and inode.
    pub(in super::super) fn message(
        local: ([u8; 4], u16),
        remote: ([u8; 4], u16),
        state: u8,
        queues: (u32, u32),
        inode: u32,
    ) -> Vec<u8> {
        let mut body = vec![AF_INET, state, 0, 0];
        body.extend(local.1.to_be_bytes());
        body.extend(remote.1.to_be_bytes());
        body.extend([&local.0[..], &[0; 12]].concat());
        body.extend([&remote.0[..], &[0; 12]].concat());
        body.extend([0; 12]);
        for number in [0, queues.0, queues.1, 33, inode] {
            body.extend(number.to_ne_bytes());
        }
        // INET_DIAG_SHUTDOWN, which always comes.
        body.extend([5, 0, 8, 0, 0, 0, 0, 0]);
        body
    }

    /// The same with `struct tcp_info`: milliseconds since data was sent, and came.
    pub(in super::super) fn with_info(mut body: Vec<u8>, sent: u32, came: u32) -> Vec<u8> {
        body.extend(68_u16.to_ne_bytes());
        body.extend(INFO.to_ne_bytes());
        body.extend([0; 44]);
        body.extend(sent.to_ne_bytes());
        body.extend([0; 4]);
        body.extend(came.to_ne_bytes());
        body.extend([0; 8]);
        body
    }

    const LISTENER: ([u8; 4], u16) = ([0; 4], 80);

    #[test]
    fn a_listener_has_a_queue_and_a_backlog_and_a_connection_has_neither() {
        let peer = ([10, 0, 0, 2], 50_000);
        let here = ([10, 0, 0, 1], 80);
        let answer = answer(&[
            message(LISTENER, ([0; 4], 0), 10, (3, 511), 7),
            message(here, peer, 1, (9, 4), 8),
            message(here, peer, 12, (0, 0), 0),
        ]);
        let found = parse(&answer).unwrap();
        assert_eq!(
            (found[0].state, found[0].local.1, found[0].queue, found[0].backlog),
            ("LISTEN", 80, 3, Some(511))
        );
        assert_eq!((found[0].uid, found[0].inode), (33, 7));
        assert_eq!((found[1].state, found[1].backlog), ("ESTABLISHED", None));
        assert_eq!(found[1].remote, ("10.0.0.2".parse().unwrap(), 50_000));
        assert_eq!(found[2].state, "SYN_RECV");
    }

    #[test]
    fn addresses_of_ipv6_are_read_and_mapped_ones_are_ipv4() {
        let mut body = message(([0; 4], 22), ([0; 4], 0), 10, (0, 128), 7);
        body[0] = AF_INET6;
        body[8 + 15] = 1;
        assert_eq!(socket(&body).unwrap().local.0.to_string(), "::1");
        body[8..24].copy_from_slice(&"::ffff:10.0.2.15".parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(socket(&body).unwrap().local.0.to_string(), "10.0.2.15");
    }

    #[test]
    fn idle_is_since_data_last_went_either_way() {
        let body = message(LISTENER, LISTENER, 1, (0, 0), 7);
        assert_eq!(socket(&body).unwrap().idle, None);
        assert_eq!(socket(&with_info(body.clone(), 9000, 4000)).unwrap().idle, Some(4000));
        // Cut short, or of a length that cannot be.
        let whole = with_info(body.clone(), 9000, 4000);
        assert_eq!(socket(&whole[..whole.len() - 20]).unwrap().idle, None);
        assert_eq!(socket(&[body, vec![0; 64]].concat()).unwrap().idle, None);
    }

    #[test]
    fn garbage_is_no_answer() {
        let good = answer(&[message(LISTENER, LISTENER, 10, (0, 128), 7)]);
        assert_eq!(parse(&good).map(|found| found.len()), Some(1));
        assert_eq!(parse(&answer(&[])).map(|found| found.len()), Some(0));
        for cut in 0..good.len() - 4 {
            assert_eq!(parse(&good[..cut]), None, "{cut}");
        }
        for (at, byte) in [(0, 0), (0, 255), (3, 255), (16, 99), (17, 0), (17, 14)] {
            let mut bad = good.clone();
            bad[at] = byte;
            assert_eq!(parse(&bad), None, "{at} {byte}");
        }
        // Any byte at all may differ: no panic, and never more sockets than there is room for.
        for at in 0..good.len() {
            for byte in [0, 1, 127, 255] {
                let mut bad = good.clone();
                bad[at] = byte;
                assert!(parse(&bad).is_none_or(|found| found.len() <= 1));
            }
        }
    }
}
