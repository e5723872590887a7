//! A line of /proc/net/tcp and tcp6.

use super::socket::{Socket, state};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(super) fn parse(line: &str) -> Option<Socket> {
    let mut fields = line.split_ascii_whitespace();
    fields.next()?.strip_suffix(':')?.parse::<u64>().ok()?;
    let local = end(fields.next()?)?;
    let remote = end(fields.next()?)?;
    let state = state(usize::from_str_radix(fields.next()?, 16).ok()?)?;
    // What is to be sent and what came; of a listening socket the second is the queue of connections.
    let (_, queue) = fields.next()?.split_once(':')?;
    let queue = u32::from_str_radix(queue, 16).ok()?;
    let mut fields = fields.skip(2);
    let uid = fields.next()?.parse().ok()?;
    let inode = fields.nth(1)?.parse().ok()?;
    Some(Socket { local, remote, state, queue, backlog: None, uid, inode, idle: None })
}

/// `0100007F:0050`: words of 32 bits in the order of the host's bytes, which is little-endian on all that hostvet is
/// made for; the port is a plain number.
fn end(text: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    if !address.is_ascii() {
        return None;
    }
    let word = |at: usize| {
        let digits = address.get(at * 8..at * 8 + 8)?;
        u32::from_str_radix(digits, 16).ok().map(u32::to_le_bytes)
    };
    let address = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for (at, chunk) in bytes.chunks_mut(4).enumerate() {
                chunk.copy_from_slice(&word(at)?);
            }
            // `::ffff:10.0.0.1` is a connection of IPv4 on a socket that does both.
            Ipv6Addr::from(bytes).to_canonical()
        }
        _ => return None,
    };
    Some((address, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_read() {
        let line = "   1: 0100007F:C350 0F02000A:2384 08 00000000:00000001 00:00000000 00000000  1000        0 4711 1 0 20 4 30 10 -1";
        let line = parse(line).unwrap();
        assert_eq!(line.local, ("127.0.0.1".parse().unwrap(), 50_000));
        assert_eq!(line.remote, ("10.0.2.15".parse().unwrap(), 9092));
        assert_eq!((line.state, line.queue, line.uid, line.inode), ("CLOSE_WAIT", 1, 1000, 4711));
    }

    #[test]
    fn addresses_of_ipv6_are_read_and_mapped_ones_are_ipv4() {
        assert_eq!(end("00000000000000000000000001000000:0016"), Some(("::1".parse().unwrap(), 22)));
        assert_eq!(end("B80D01200000000000000000B5000000:0001").unwrap().0.to_string(), "2001:db8::b5");
        assert_eq!(end("0000000000000000FFFF00000F02000A:0016").unwrap().0.to_string(), "10.0.2.15");
        assert_eq!(end("00000000000000000000000000000000:0016").unwrap().0.to_string(), "::");
    }

    #[test]
    fn a_request_for_a_connection_is_in_syn_recv() {
        let line = "0: 0100007F:C350 0F02000A:2384 0C 0:0 0:0 0 0 0 0";
        assert_eq!(parse(line).unwrap().state, "SYN_RECV");
    }

    #[test]
    fn garbage_is_no_line() {
        let good = "0: 0100007F:C350 0F02000A:2384 01 0:0 0:0 0 7 0 9";
        assert!(parse(good).is_some());
        for garbage in [
            "",
            "\0",
            "  sl  local_address rem_address   st",
            &good[..30],
            &good.replace("01 0:0", "00 0:0"),
            &good.replace("01 0:0", "0D 0:0"),
            &good.replace("0100007F:", "0100007:"),
            &good.replace("0100007F:", "010000\u{fffd}:"),
            &good.replace("0100007F:", "éééé:"),
            &good.replace("C350", "1C350"),
            &good.replace(" 7 ", " -7 "),
        ] {
            assert_eq!(parse(garbage), None, "{garbage:?}");
        }
    }
}
