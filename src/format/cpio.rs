//! The archives in an initial RAM disk: cpio(5) of the "new" format, as the kernel unpacks them (init/initramfs.c,
//! Documentation/driver-api/early-userspace/buffer-format.rst).

use std::io::{self, BufRead};

/// A file of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its path, without a leading `./` or `/`.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
}

/// How an archive's name says that no more follow.
const TRAILER: &str = "TRAILER!!!";

/// The kernel refuses names of more bytes than this.
const LONGEST_NAME: u64 = 4096;

/// Whether an archive may begin so.
pub fn is_magic(start: &[u8]) -> bool {
    start.starts_with(b"070701") || start.starts_with(b"070702")
}

/// Goes through the archive that begins here, up to the end of its trailer; what files hold is passed over. An archive may also end
/// with the stream, between two files.
pub fn members(stream: &mut dyn BufRead, mut each: impl FnMut(Member)) -> io::Result<()> {
    // Where we are in the archive, as it pads to four bytes.
    let mut at = 0;
    loop {
        let mut header = [0; 110];
        let got = fill(stream, &mut header)?;
        if got == 0 && at > 0 {
            return Ok(());
        }
        if got < header.len() {
            return Err(ended());
        }
        if !is_magic(&header) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "what follows a file is no file of the archive",
            ));
        }
        let (size, length) = (number(&header, 6)?, number(&header, 11)?);
        if length == 0 || length > LONGEST_NAME {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a name is empty or longer than 4096 bytes",
            ));
        }
        let mut name = vec![0; usize::try_from(length).unwrap_or(0)];
        if fill(stream, &mut name)? < name.len() {
            return Err(ended());
        }
        name.pop();
        at += 110 + length;
        let padding = pad(at);
        skip(stream, padding + size)?;
        at += padding + size;
        let name = String::from_utf8_lossy(&name);
        let trailer = name == TRAILER;
        // The last file of a stream need not be padded.
        let padding = pad(at);
        let mut zeros = [0; 3];
        let zeros = zeros.get_mut(..usize::try_from(padding).unwrap_or(0)).unwrap_or_default();
        fill(stream, zeros)?;
        at += padding;
        if trailer {
            return Ok(());
        }
        let name = name.trim_start_matches("./").trim_start_matches('/');
        each(Member { name: name.to_owned(), size });
    }
}

fn pad(at: u64) -> u64 {
    (4 - at % 4) % 4
}

/// The number at this place of the header: eight hexadecimal digits.
fn number(header: &[u8], place: usize) -> io::Result<u64> {
    let digits = header.get(6 + 8 * place..14 + 8 * place).and_then(|d| std::str::from_utf8(d).ok());
    let digits = digits.filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
    digits
        .and_then(|d| u64::from_str_radix(d, 16).ok())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a header holds no numbers"))
}

fn ended() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "it ends within a file")
}

/// As many bytes as there are, up to all.
fn fill(stream: &mut dyn BufRead, into: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match stream.read(rest) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

/// Passes over so many bytes where they stand: nearly all of an archive is what files hold, and to copy it costs time.
fn skip(stream: &mut dyn BufRead, mut count: u64) -> io::Result<()> {
    while count > 0 {
        match stream.fill_buf() {
            Ok([]) => return Err(ended()),
            Ok(buffer) => {
                let step = usize::try_from(count).unwrap_or(usize::MAX).min(buffer.len());
                stream.consume(step);
                count -= step as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// An archive of these files, for tests.
#[cfg(test)]
pub(crate) fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let mut made = Vec::new();
    for (name, text) in files.iter().chain([&(TRAILER, "")]) {
        let fields = [1, 0o100_644, 0, 0, 1, 0, text.len(), 0, 0, 0, 0, name.len() + 1, 0];
        made.extend(b"070701");
        fields.iter().for_each(|field| made.extend(format!("{field:08x}").bytes()));
        for part in [&format!("{name}\0"), *text] {
            made.extend(part.bytes());
            made.resize(made.len().next_multiple_of(4), 0);
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(mut bytes: &[u8]) -> io::Result<Vec<String>> {
        let mut found = Vec::new();
        members(&mut bytes, |member| found.push(format!("{} {}", member.name, member.size)))?;
        assert_eq!(bytes, b"");
        Ok(found)
    }

    #[test]
    fn files_are_named_with_their_sizes_up_to_the_trailer() {
        let made = archive(&[("./init", "#!/bin/sh\n"), ("usr/lib/a.ko", "12345"), ("/etc", "")]);
        assert_eq!(names(&made).unwrap(), ["init 10", "usr/lib/a.ko 5", "etc 0"]);
        assert_eq!(names(&archive(&[])).unwrap(), [""; 0]);
    }

    #[test]
    fn an_archive_may_end_between_files_but_not_within_one() {
        let made = archive(&[("a", "12345"), ("b", "")]);
        // The trailer has 110 + 11 bytes, padded.
        let end = made.len() - 124;
        assert_eq!(names(&made[..end]).unwrap(), ["a 5", "b 0"]);
        for cut in (1..end).filter(|cut| ![120, 119, 118, 117].contains(cut)) {
            assert!(names(&made[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn garbage_is_an_error() {
        for bad in [&b""[..], b"070701", b"\0\0\0\0", &[b'0'; 200], &[b'f'; 200]] {
            assert!(names(bad).is_err());
        }
        let mut long = archive(&[("a", "")]);
        long[94..102].copy_from_slice(b"ffffffff");
        assert!(names(&long).is_err());
        let mut signed = archive(&[("a", "")]);
        signed[54..62].copy_from_slice(b"+0000000");
        assert!(names(&signed).is_err());
    }
}
