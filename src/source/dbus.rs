//! One question to the service manager over D-Bus, and the messages that its answer comes in.
//!
//! Source: the D-Bus specification (authentication, message protocol, marshalling), org.freedesktop.systemd1(5). Only as much of
//! it is here as one call and its answer need; a library for all of it would be the largest part of hostvet.

use super::live::{missing, missing_io};
use super::{Missing, Question, Reading, Reason};
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// The manager's own socket, which root alone may use: nobody stands between.
const PRIVATE: &str = "/run/systemd/private";

/// The system bus, which everybody may use.
const BUS: &str = "/run/dbus/system_bus_socket";

/// The most of an answer: tens of thousands of units that failed.
const CAP: usize = 16 << 20;

/// It answers within milliseconds; a manager that hangs must not hang hostvet.
const PATIENCE: Duration = Duration::from_secs(3);

/// A message of the bus may be as long; other messages come before the answer at times.
const MESSAGES: usize = 100;

/// The units that failed: the message that answers `ListUnitsFiltered(["failed"])`, which anybody may ask and which changes nothing.
pub(super) fn failed_units(question: Question) -> Reading<Vec<u8>> {
    let mut denied = Err(Missing::Absent);
    for (path, is_bus) in [(PRIVATE, false), (BUS, true)] {
        match ask(path, is_bus) {
            // Not root, or no such socket: by the other way.
            Err(error)
                if matches!(
                    error.raw_os_error().map(Errno::from_raw),
                    Some(Errno::EACCES | Errno::EPERM)
                ) =>
            {
                denied = Err(missing(Path::new(path), Errno::EACCES));
            }
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {}
            Err(error) => return Err(missing_io(Path::new(path), &error)),
            Ok(message) => {
                return match Message::of(&message).and_then(|m| m.error) {
                    None => Ok(message),
                    Some(name) => Err(Missing::unreadable(question.to_string(), Reason::Io(name))),
                };
            }
        }
    }
    denied
}

/// The message that answers, from the socket at this path.
fn ask(path: &str, is_bus: bool) -> io::Result<Vec<u8>> {
    let until = Instant::now() + PATIENCE;
    // To connect without waiting: the queue of a service that hangs may be full.
    let fd = socket(
        AddressFamily::Unix,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
        None,
    )?;
    connect(fd.as_raw_fd(), &UnixAddr::new(path)?)?;
    let mut stream = UnixStream::from(fd);
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // The kernel tells the other side who we are; the name is but confirmed. BEGIN goes with it, as of systemd's own clients:
    // the manager does not look at a message that arrives together with BEGIN before something else arrives.
    let uid: String = nix::unistd::Uid::effective().to_string().bytes().map(|b| format!("{b:02x}")).collect();
    stream.write_all(format!("\0AUTH EXTERNAL {uid}\r\nBEGIN\r\n").as_bytes())?;
    let reply = line(&mut stream, until)?;
    if !reply.starts_with(b"OK ") {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let mut request = Vec::new();
    if is_bus {
        request.extend(call(
            "org.freedesktop.DBus",
            "/org/freedesktop/DBus",
            "org.freedesktop.DBus",
            "Hello",
            1,
            None,
        ));
    }
    let (manager, object) = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1");
    request.extend(call(
        manager,
        object,
        "org.freedesktop.systemd1.Manager",
        "ListUnitsFiltered",
        2,
        Some("failed"),
    ));
    stream.write_all(&request)?;
    for _ in 0..MESSAGES {
        let bytes = message(&mut stream, until)?;
        match Message::of(&bytes) {
            Some(Message { reply_to: Some(2), .. }) => return Ok(bytes),
            Some(Message { reply_to: Some(1), error: Some(_), .. }) => {
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            Some(_) => {}
            None => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}

/// Fills the whole buffer before the time is up.
fn fill(stream: &mut UnixStream, mut buffer: &mut [u8], until: Instant) -> io::Result<()> {
    while !buffer.is_empty() {
        let left = until.saturating_duration_since(Instant::now());
        stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        match stream.read(buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => buffer = buffer.get_mut(n..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            Err(error) => return Err(error),
        }
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
    Ok(())
}

/// A line of the authentication, which is short, byte by byte so that nothing of what follows is taken.
fn line(stream: &mut UnixStream, until: Instant) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") && line.len() < 1024 {
        let mut byte = [0];
        fill(stream, &mut byte, until)?;
        line.extend(byte);
    }
    Ok(line)
}

/// A whole message.
fn message(stream: &mut UnixStream, until: Instant) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 16];
    fill(stream, &mut bytes, until)?;
    let length = length(&bytes).filter(|length| *length <= CAP).ok_or(io::ErrorKind::InvalidData)?;
    bytes.resize(length.max(16), 0);
    fill(stream, bytes.get_mut(16..).unwrap_or_default(), until)?;
    Ok(bytes)
}

/// How long the message is that begins with these 16 bytes.
fn length(start: &[u8]) -> Option<usize> {
    let mut reader = Reader::new(start)?;
    reader.at = 4;
    let body = reader.u32()? as usize;
    reader.at = 12;
    let fields = reader.u32()? as usize;
    16usize.checked_add(fields)?.checked_next_multiple_of(8)?.checked_add(body)
}

/// A call of a method, with a list of one string as its argument, or none.
fn call(
    destination: &str,
    path: &str,
    interface: &str,
    member: &str,
    serial: u32,
    argument: Option<&str>,
) -> Vec<u8> {
    let mut body = Vec::new();
    if let Some(word) = argument {
        let mut list = Vec::new();
        string(&mut list, word);
        body.extend((list.len() as u32).to_le_bytes());
        body.extend(list);
    }
    let mut fields = Vec::new();
    for (code, kind, value) in
        [(1, b'o', path), (2, b's', interface), (3, b's', member), (6, b's', destination)]
    {
        pad(&mut fields);
        fields.extend([code, 1, kind, 0]);
        string(&mut fields, value);
    }
    if argument.is_some() {
        pad(&mut fields);
        fields.extend([8, 1, b'g', 0, 2, b'a', b's', 0]);
    }
    // Little endian; a method call; never to start the one it is for; version 1.
    let mut message = vec![b'l', 1, 2, 1];
    message.extend((body.len() as u32).to_le_bytes());
    message.extend(serial.to_le_bytes());
    message.extend((fields.len() as u32).to_le_bytes());
    message.extend(fields);
    pad(&mut message);
    message.extend(body);
    message
}

fn string(to: &mut Vec<u8>, value: &str) {
    to.extend((value.len() as u32).to_le_bytes());
    to.extend(value.as_bytes());
    to.push(0);
}

fn pad(to: &mut Vec<u8>) {
    to.resize(to.len().next_multiple_of(8), 0);
}

/// What is needed of a message.
#[derive(Debug)]
pub(crate) struct Message<'a> {
    /// The serial number of the call that it answers.
    pub(crate) reply_to: Option<u32>,
    /// The name of the error, if it is one.
    pub(crate) error: Option<String>,
    /// The types of what it carries: `a(ss)`.
    pub(crate) signature: String,
    /// What it carries.
    pub(crate) body: Reader<'a>,
}

impl<'a> Message<'a> {
    /// Takes a whole message apart; none if it makes no sense.
    pub(crate) fn of(bytes: &'a [u8]) -> Option<Self> {
        let whole = length(bytes.get(..16)?)?;
        let mut reader = Reader::new(bytes.get(..whole)?)?;
        let kind = *bytes.get(1)?;
        reader.at = 12;
        let end = 16usize.checked_add(reader.u32()? as usize)?;
        let (mut reply_to, mut error, mut signature) = (None, None, String::new());
        while reader.at < end {
            reader.align(8)?;
            let code = reader.byte()?;
            let of = reader.signature()?;
            match (code, of.as_str()) {
                (5, "u") => reply_to = Some(reader.u32()?),
                (4, "s") => error = Some(reader.string()?).filter(|_| kind == 3),
                (8, "g") => signature = reader.signature()?,
                (_, "u") => drop(reader.u32()?),
                (_, "s" | "o") => drop(reader.string()?),
                (_, "g") => drop(reader.signature()?),
                _ => return None,
            }
        }
        // What is no answer has a number of another meaning, if it has one.
        let reply_to = reply_to.filter(|_| matches!(kind, 2 | 3));
        let error = error.or_else(|| (kind == 3).then(|| "an error without a name".to_owned()));
        reader.at = end.checked_next_multiple_of(8)?;
        Some(Self { reply_to, error, signature, body: reader })
    }
}

/// Reads values one after the other, each at its alignment from the start of the message.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    big_endian: bool,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let big_endian = match bytes.first()? {
            b'l' => false,
            b'B' => true,
            _ => return None,
        };
        Some(Self { bytes, at: 0, big_endian })
    }

    /// Whether nothing is left.
    pub(crate) fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// Goes on to the next multiple of `to`.
    pub(crate) fn align(&mut self, to: usize) -> Option<()> {
        self.at = self.at.checked_next_multiple_of(to)?;
        Some(())
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    /// `u`.
    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.align(4)?;
        let bytes = self.take(4)?.try_into().ok()?;
        Some(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    /// `s` or `o`, lossily.
    pub(crate) fn string(&mut self) -> Option<String> {
        let length = self.u32()? as usize;
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
        (self.byte()? == 0).then_some(text)
    }

    /// `g`.
    fn signature(&mut self) -> Option<String> {
        let length = usize::from(self.byte()?);
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
        (self.byte()? == 0).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;
    use std::thread;

    #[test]
    fn a_call_is_a_message() {
        let bytes = call("org.example", "/org/example", "org.example.I", "M", 7, Some("failed"));
        assert_eq!(length(&bytes), Some(bytes.len()));
        let mut message = Message::of(&bytes).unwrap();
        assert_eq!(
            (message.reply_to, message.error.as_deref(), message.signature.as_str()),
            (None, None, "as")
        );
        assert_eq!((message.body.u32(), message.body.string().as_deref()), (Some(11), Some("failed")));
        assert!(message.body.is_at_end());
    }

    #[test]
    fn half_a_message_and_garbage_are_none() {
        let bytes = call("org.example", "/org/example", "org.example.I", "M", 7, Some("failed"));
        for end in 0..bytes.len() {
            assert!(Message::of(&bytes[..end]).is_none(), "{end}");
        }
        for at in 0..bytes.len() {
            let mut odd = bytes.clone();
            odd[at] = 0xff;
            // Whatever it is, it is not waited for, and nothing panics.
            drop(Message::of(&odd).map(|mut m| m.body.string()));
        }
    }

    /// Answers as a service manager would, in these pieces.
    fn served(replies: Vec<Vec<u8>>) -> io::Result<Vec<u8>> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            for _ in ["AUTH", "BEGIN"] {
                line(&mut stream, Instant::now() + PATIENCE).unwrap();
            }
            for reply in replies {
                stream.write_all(&reply).unwrap();
            }
            // Until the other side has all.
            let _ = stream.read(&mut [0; 4096]);
        });
        let found = ask(path.to_str().unwrap(), true);
        server.join().unwrap();
        found
    }

    fn reply(kind: u8, to: u32) -> Vec<u8> {
        let mut fields = vec![5, 1, b'u', 0];
        fields.extend(to.to_le_bytes());
        if kind == 3 {
            fields.extend([4, 1, b's', 0]);
            string(&mut fields, "org.example.No");
        }
        let mut message = vec![b'l', kind, 0, 1, 0, 0, 0, 0, 9, 0, 0, 0];
        message.extend((fields.len() as u32).to_le_bytes());
        message.extend(fields);
        pad(&mut message);
        message
    }

    #[test]
    fn the_answer_is_found_among_other_messages() {
        let ok = b"OK 0123\r\n".to_vec();
        let signal = {
            let mut m = reply(2, 2);
            m[1] = 4;
            m
        };
        assert_eq!(served(vec![ok.clone(), reply(2, 1), signal, reply(2, 2)]).unwrap(), reply(2, 2));
        let refused = served(vec![ok.clone(), reply(2, 1), reply(3, 2)]).unwrap();
        assert_eq!(Message::of(&refused).unwrap().error.as_deref(), Some("org.example.No"));
        assert_eq!(
            served(vec![ok.clone(), reply(3, 1)]).unwrap_err().kind(),
            io::ErrorKind::PermissionDenied
        );
        assert_eq!(
            served(vec![b"REJECTED EXTERNAL\r\n".to_vec()]).unwrap_err().kind(),
            io::ErrorKind::PermissionDenied
        );
        assert!(served(vec![ok.clone(), vec![7; 64]]).is_err());
    }

    #[test]
    fn without_a_service_manager_there_is_no_answer() {
        assert_eq!(ask("/no/such/socket", true).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
