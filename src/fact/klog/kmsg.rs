//! The records of /dev/kmsg.

use super::clock::Clock;
use super::line::{Dated, Line};
use crate::source::At;

/// The kernel's own messages out of records that stand one after the other:
///
/// ```text
/// 6,339,5140900,-;NET: Registered PF_INET protocol family
///  SUBSYSTEM=pci
///  DEVICE=+pci:0000:00:1f.2
/// ```
///
/// Level and facility, number, microseconds since boot, flags; then the text with whatever is not printable as `\x0a`, and lines
/// that begin with a blank and name the device. What is no record is left out.
pub(super) fn parse(text: &str, at: &At, clock: Clock) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for record in text.lines().filter(|line| !line.starts_with(' ')) {
        let Some((head, said)) = record.split_once(';') else { continue };
        let mut head = head.split(',');
        let Some(priority) = head.next().and_then(|p| p.parse::<u32>().ok()) else { continue };
        let Some(microseconds) = head.nth(1).and_then(|m| m.parse::<u64>().ok()) else { continue };
        // Facility 0 is the kernel; it gives another to all that is written to the device.
        if priority >> 3 != 0 {
            continue;
        }
        let said = unescaped(said);
        // Until 4.9 the rest of a line that was printed in parts is a record with this flag.
        if head.next().is_some_and(|flags| flags.starts_with('+'))
            && let Some(last) = lines.last_mut()
        {
            last.text.push_str(&said);
            continue;
        }
        let seconds = microseconds as f64 / 1e6;
        for part in said.split('\n').filter(|part| !part.is_empty()) {
            lines.push(Line {
                level: u8::try_from(priority & 7).ok(),
                seconds: Some(seconds),
                time: clock.time(seconds),
                dated: Dated::Exactly,
                text: part.to_owned(),
                at: at.clone(),
            });
        }
    }
    lines
}

/// `\x0a` and the like as the bytes they stand for.
fn unescaped(text: &str) -> String {
    if !text.contains("\\x") {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\\x") {
        bytes.extend_from_slice(before.as_bytes());
        let byte = after.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (byte, after.get(2..)) {
            (Some(byte), Some(after)) => {
                bytes.push(byte);
                rest = after;
            }
            _ => {
                bytes.extend_from_slice(b"\\x");
                rest = after;
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    super::clock::lossy(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        parse(text, &At::file("/dev/kmsg"), Clock::default()).into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn records_are_read_without_their_devices() {
        let text = "6,339,5140900,-;NET: Registered PF_INET protocol family\n SUBSYSTEM=pci\n DEVICE=+pci:0000:00:1f.2\n3,340,5140901,-,caller=T1;b; c\n";
        let clock = Clock { boot: Some(1000), uptime: None };
        let lines = parse(text, &At::file("/dev/kmsg"), clock);
        let [first, second] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!((first.level, first.seconds, first.time), (Some(6), Some(5.1409), Some(1005)));
        assert_eq!(first.text, "NET: Registered PF_INET protocol family");
        assert_eq!((second.level, second.text.as_str()), (Some(3), "b; c"));
    }

    #[test]
    fn what_programs_wrote_is_left_out() {
        assert_eq!(
            texts("30,1,5,-;systemd[1]: Started x.\n14,2,6,-;someone wrote this\n4,3,7,-;kernel\n"),
            ["kernel"]
        );
    }

    #[test]
    fn escapes_parts_and_lines_are_put_right() {
        assert_eq!(texts("4,1,5,-;one\\x0atwo \\xc3\\xa9 \\x5c \\xzz \\x\n"), ["one", "two é \\ \\xzz \\x"]);
        assert_eq!(texts("4,1,5,c;Free swap\n4,2,5,+; = 0kB\n4,3,5,+;\n"), ["Free swap = 0kB"]);
    }

    #[test]
    fn garbage_is_no_record() {
        for garbage in [
            "",
            "\n",
            ";",
            ",,,;",
            "4;x",
            "4,1;x",
            "x,1,2,-;x",
            "4,1,-5,-;x",
            "\0\u{fffd}",
            "99999999999,1,2,-;x",
        ] {
            assert_eq!(texts(garbage), Vec::<String>::new(), "{garbage:?}");
        }
    }
}
