//! Questions that are asked over netlink(7), and the frame that their answers have.

use super::live::missing;
use super::{Live, Missing, Question, Reading, Reason, Source};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, connect, recv, send, setsockopt,
    socket, sockopt::ReceiveTimeout,
};
use nix::sys::time::{TimeVal, TimeValLike};
use std::os::fd::AsRawFd;
use std::path::Path;

/// The most that is taken of an answer: some 500 000 sockets, or 150 000 with their `struct tcp_info`.
const CAP: usize = 64 << 20;

/// The kernel fills at most 32 KiB at a time.
const PIECE: usize = 64 << 10;

/// The length of `struct nlmsghdr`.
const HEADER: usize = 16;

/// The type of a message that tells of an error.
const ERROR: u16 = 2;

/// The type of the last message.
pub(crate) const DONE: u16 = 3;

const REQUEST: u16 = 1;
const DUMP: u16 = 0x300;

/// TCPDIAG_GETSOCK of linux/inet_diag.h: as ss(8), since it asks for both families in one walk, which SOCK_DIAG_BY_FAMILY cannot.
const TCPDIAG_GETSOCK: u16 = 18;

/// `1 << (INET_DIAG_INFO - 1)`.
const EXTENSION_INFO: u8 = 2;

/// The TCP sockets in these states.
pub(super) fn tcp_sockets(question: Question, states: u32, info: bool) -> Reading<Vec<u8>> {
    refrain_if_it_loads_a_module(&Live, question)?;
    // struct inet_diag_req: four bytes, the last of which has the extensions; the identity of a socket, all 0 for any; the
    // states; 4 bytes of 0.
    let mut body = [0; 60];
    body[3] = if info { EXTENSION_INFO } else { 0 };
    body[52..56].copy_from_slice(&states.to_ne_bytes());
    dump(TCPDIAG_GETSOCK, &body).map_err(|errno| match errno {
        // What is not in the kernel, or not for this family of protocols.
        Errno::ENOENT | Errno::EPROTONOSUPPORT | Errno::EAFNOSUPPORT | Errno::EOPNOTSUPP | Errno::EINVAL => {
            Missing::Absent
        }
        Errno::EMSGSIZE => Missing::unreadable(question.to_string(), Reason::TooLarge(CAP as u64)),
        other => missing(Path::new(&question.to_string()), other),
    })
}

/// To ask is to make the kernel load the module that answers. A program that only looks does not do that: it asks where the
/// module is there, is part of the kernel, or could not be loaded anyway.
fn refrain_if_it_loads_a_module(source: &dyn Source, question: Question) -> Reading<()> {
    let read = |path: &str| source.read(Path::new(path), 4 << 20).map(super::text);
    let in_kernel = || {
        let release = read("/proc/sys/kernel/osrelease").unwrap_or_default();
        let list = read(&format!("/lib/modules/{}/modules.builtin", release.trim()));
        list.is_ok_and(|list| list.lines().any(|module| module.ends_with("/tcp_diag.ko")))
    };
    if source.stat(Path::new("/sys/module/tcp_diag")).is_ok()
        || source.stat(Path::new("/proc/modules")) == Err(Missing::Absent)
        || read("/proc/sys/kernel/modules_disabled").is_ok_and(|text| text.trim() == "1")
        || in_kernel()
    {
        return Ok(());
    }
    let why = "was not asked, since the kernel would load the module tcp_diag for it (`ss -t` does)";
    Err(Missing::unreadable(question.to_string(), Reason::NotRead(why.into())))
}

/// Asks the kernel for everything of a kind, and waits for the last message.
fn dump(kind: u16, body: &[u8]) -> nix::Result<Vec<u8>> {
    let fd = socket(
        AddressFamily::Netlink,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkSockDiag,
    )?;
    let fd_number = fd.as_raw_fd();
    // Nobody but the kernel, whose address is 0, can send anything to a socket that is connected to it.
    connect(fd_number, &NetlinkAddr::new(0, 0))?;
    // It answers at once; this is for a kernel that is not Linux.
    setsockopt(&fd, ReceiveTimeout, &TimeVal::seconds(2))?;
    let mut request = Vec::with_capacity(HEADER + body.len());
    request.extend(u32::try_from(HEADER + body.len()).map_err(|_| Errno::EINVAL)?.to_ne_bytes());
    request.extend(kind.to_ne_bytes());
    request.extend((REQUEST | DUMP).to_ne_bytes());
    request.extend([0; 8]);
    request.extend(body);
    send(fd_number, &request, MsgFlags::empty())?;
    let mut answer = Vec::new();
    loop {
        let start = answer.len();
        if start > CAP {
            return Err(Errno::EMSGSIZE);
        }
        answer.resize(start + PIECE, 0);
        let length = match recv(fd_number, &mut answer[start..], MsgFlags::MSG_TRUNC) {
            Err(Errno::EINTR) => 0,
            Ok(length) if length > PIECE => return Err(Errno::EMSGSIZE),
            other => other?,
        };
        answer.truncate(start + length);
        if ended(&answer[start..])? {
            return Ok(answer);
        }
    }
}

/// Whether the last message is among these.
fn ended(piece: &[u8]) -> nix::Result<bool> {
    for message in messages(piece) {
        let Some((kind, body)) = message else { return Err(Errno::EBADMSG) };
        // Both begin with an error number, below 0; a dump that ended well has 0.
        let error = body.first_chunk().map_or(0, |number| i32::from_ne_bytes(*number));
        match kind {
            ERROR | DONE if error < 0 => return Err(Errno::from_raw(error.saturating_neg())),
            ERROR => return Err(Errno::EBADMSG),
            DONE => return Ok(true),
            _ => {}
        }
    }
    Ok(false)
}

/// The messages of an answer: the type of each, and what it holds; none where the bytes make no sense, which ends them.
pub(crate) fn messages(mut rest: &[u8]) -> impl Iterator<Item = Option<(u16, &[u8])>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some((kind, body, after)) = first(rest) else {
            rest = &[];
            return Some(None);
        };
        rest = after;
        Some(Some((kind, body)))
    })
}

/// The first message and what follows it. Each begins at a multiple of 4 bytes.
fn first(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::try_from(u32::from_ne_bytes(*bytes.first_chunk()?)).ok()?;
    let kind = u16::from_ne_bytes(*bytes.get(4..)?.first_chunk()?);
    let body = bytes.get(HEADER..length)?;
    let after = bytes.get(length.checked_next_multiple_of(4)?..).unwrap_or_default();
    Some((kind, body, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Files;

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(HEADER + body.len()).unwrap().to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(body);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn messages_are_told_apart_by_their_lengths() {
        let bytes = [message(20, b"abcde"), message(20, b""), message(DONE, &[0; 4])].concat();
        let seen: Vec<_> = messages(&bytes).map(Option::unwrap).collect();
        assert_eq!(seen, [(20, &b"abcde"[..]), (20, b""), (DONE, &[0; 4])]);
        assert_eq!(ended(&bytes), Ok(true));
        assert_eq!(ended(&bytes[..24]), Ok(false));
    }

    #[test]
    fn garbage_ends_them() {
        let whole = message(20, b"abcd");
        for cut in 1..whole.len() {
            assert_eq!(messages(&whole[..cut]).collect::<Vec<_>>(), [None], "{cut}");
        }
        // A length that is shorter than the header, or as long as can be.
        for length in [0, 1, 15, u32::MAX, u32::MAX - 3] {
            let mut bytes = whole.clone();
            bytes[..4].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(messages(&bytes).collect::<Vec<_>>(), [None], "{length}");
            assert_eq!(ended(&bytes), Err(Errno::EBADMSG));
        }
    }

    #[test]
    fn what_the_kernel_refuses_is_an_error() {
        assert_eq!(ended(&message(ERROR, &(-2_i32).to_ne_bytes())), Err(Errno::ENOENT));
        assert_eq!(ended(&message(DONE, &(-1_i32).to_ne_bytes())), Err(Errno::EPERM));
        assert_eq!(ended(&message(ERROR, &[])), Err(Errno::EBADMSG));
        assert_eq!(ended(&message(ERROR, &i32::MIN.to_ne_bytes())), Err(Errno::UnknownErrno));
    }

    #[test]
    fn no_module_is_loaded_for_the_sake_of_an_answer() {
        let question = Question::TcpSockets { states: 1 << 10, info: false };
        let asks = |change: fn(&mut Files)| {
            let mut files = Files::new();
            files.file("/proc/modules", "").file("/proc/sys/kernel/osrelease", "6.1.0\n");
            change(&mut files);
            refrain_if_it_loads_a_module(&files, question).is_ok()
        };
        assert!(!asks(|_| {}));
        assert!(!asks(|files| {
            files.file("/lib/modules/6.1.0/modules.builtin", "kernel/net/ipv4/udp_diag.ko\n");
        }));
        assert!(asks(|files| {
            files.file("/lib/modules/6.1.0/modules.builtin", "kernel/net/ipv4/tcp_diag.ko\n");
        }));
        assert!(asks(|files| {
            files.directory("/sys/module/tcp_diag");
        }));
        assert!(asks(|files| {
            files.file("/proc/sys/kernel/modules_disabled", "1\n");
        }));
        assert!(refrain_if_it_loads_a_module(&Files::new(), question).is_ok(), "a kernel without modules");
    }

    /// Where it may not be asked, or does not know the question, it says so; there is no other outcome.
    #[test]
    fn this_host_answers_or_tells_why_not() {
        let listening = std::net::TcpListener::bind("127.0.0.1:0");
        let question = Question::TcpSockets { states: 1 << 10, info: false };
        match Live.ask(question) {
            Ok(answer) => {
                let count = messages(&answer).map(Option::unwrap).filter(|(kind, _)| *kind != DONE).count();
                assert!(count > 0 || listening.is_err());
            }
            Err(Missing::Absent) => {}
            Err(Missing::Unreadable(why)) => assert!(why.path.starts_with("sock_diag"), "{why}"),
        }
    }
}
