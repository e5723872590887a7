//! /proc/PID/mountinfo and /proc/PID/mounts, see proc_pid_mountinfo(5) and proc_pid_mounts(5).

use crate::source::octal::decode;
use crate::source::{Host, Missing, Optional, Reading};

/// Where to read what is mounted, best first. hostvet's own view, which every user may read, is that of the host's
/// processes; a tree may carry any of these.
pub const PLACES: [&str; 5] =
    ["/proc/self/mountinfo", "/proc/1/mountinfo", "/proc/self/mounts", "/proc/1/mounts", "/proc/mounts"];

/// The first of [`PLACES`] that is there, and its text.
pub fn read(host: &Host) -> Reading<(&'static str, String)> {
    for path in PLACES {
        if let Some(text) = host.read_text(path).optional()? {
            return Ok((path, text));
        }
    }
    Err(Missing::Absent)
}

/// The lines of the file at one of [`PLACES`].
pub fn parse(path: &str, text: &str) -> (Vec<Mounted>, Vec<Malformed>) {
    match path.ends_with("mountinfo") {
        true => mountinfo(text),
        false => mounts(text),
    }
}

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mounted {
    /// The line, from 1.
    pub line: u32,
    /// What only mountinfo says.
    pub detail: Option<Detail>,
    /// Where it is mounted, decoded.
    pub mount_point: String,
    /// File system type, with its subtype: `ext4`, `fuse.sshfs`.
    pub fs_type: String,
    /// What is mounted, decoded; may be empty.
    pub source: String,
    /// The options of this mount; in /proc/PID/mounts those of the file system too.
    pub options: Vec<String>,
}

/// What mountinfo says and mounts does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail {
    /// Mount ID.
    pub id: u64,
    /// The ID of the mount it is mounted on.
    pub parent: u64,
    /// `major:minor` of the file system's device.
    pub device: String,
    /// The directory of the file system that is mounted, decoded: `/` but for bind mounts and subvolumes.
    pub root: String,
    /// The options of the file system, whichever mount it is seen through.
    pub super_options: Vec<String>,
}

/// A line that is no mount, with its number.
pub type Malformed = (u32, String);

/// The lines of a mountinfo file.
pub fn mountinfo(text: &str) -> (Vec<Mounted>, Vec<Malformed>) {
    table(text, mountinfo_line)
}

/// The lines of a mounts file (also of an mtab).
pub fn mounts(text: &str) -> (Vec<Mounted>, Vec<Malformed>) {
    table(text, mounts_line)
}

fn table(text: &str, parse: fn(u32, &str) -> Option<Mounted>) -> (Vec<Mounted>, Vec<Malformed>) {
    let (mut found, mut malformed) = (Vec::new(), Vec::new());
    for (line, text) in (1..).zip(text.lines()) {
        if text.trim().is_empty() {
            continue;
        }
        match parse(line, text) {
            Some(mount) => found.push(mount),
            None => malformed.push((line, text.to_owned())),
        }
    }
    (found, malformed)
}

fn mountinfo_line(line: u32, text: &str) -> Option<Mounted> {
    // The optional fields before " - " may be none or many; the separator is the first lone dash after them.
    let (left, right) = text.split_once(" - ")?;
    let mut left = left.split(' ');
    let id = left.next()?.parse().ok()?;
    let parent = left.next()?.parse().ok()?;
    let device = left.next().filter(|d| d.contains(':'))?.to_owned();
    let root = decode(left.next()?);
    let mount_point = decode(left.next()?);
    let options = options(left.next()?);
    // An empty source leaves two blanks in a row.
    let mut right = right.split(' ');
    let fs_type = decode(right.next()?);
    let source = decode(right.next()?);
    let super_options = right.next().map(self::options).unwrap_or_default();
    let detail = Some(Detail { id, parent, device, root, super_options });
    Some(Mounted { line, detail, mount_point, fs_type, source, options })
}

fn mounts_line(line: u32, text: &str) -> Option<Mounted> {
    let mut fields = text.split([' ', '\t']);
    let source = decode(fields.next()?);
    let mount_point = fields.next().filter(|p| !p.is_empty()).map(decode)?;
    let fs_type = decode(fields.next()?);
    let options = options(fields.next()?);
    Some(Mounted { line, detail: None, mount_point, fs_type, source, options })
}

fn options(field: &str) -> Vec<String> {
    field.split(',').filter(|o| !o.is_empty()).map(decode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_optional_fields_and_escapes() {
        let text = "36 35 98:0 /mnt1 /mnt/my\\040disk rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue\n\
                    22 27 0:21 / /proc rw - proc proc rw\n";
        let (found, malformed) = mountinfo(text);
        assert!(malformed.is_empty());
        let first = &found[0];
        assert_eq!((first.mount_point.as_str(), first.source.as_str()), ("/mnt/my disk", "/dev/root"));
        assert_eq!(first.fs_type, "ext3");
        assert_eq!(first.options, ["rw", "noatime"]);
        let detail = first.detail.as_ref().unwrap();
        assert_eq!((detail.id, detail.parent, detail.device.as_str()), (36, 35, "98:0"));
        assert_eq!((detail.root.as_str(), detail.super_options.len()), ("/mnt1", 2));
        assert_eq!(found[1].line, 2);
    }

    #[test]
    fn an_empty_source_is_no_error() {
        let (found, malformed) = mountinfo("49 20 0:56 / /tmp rw - tmpfs  rw,size=1k\n");
        assert!(malformed.is_empty());
        assert_eq!(found[0].source, "");
        assert_eq!(found[0].detail.as_ref().unwrap().super_options, ["rw", "size=1k"]);
    }

    #[test]
    fn garbage_is_kept_apart() {
        let (found, malformed) =
            mountinfo("\0\0\nx y z\n1 2 3:4 / / rw - ext4\n\n22 27 0:21 / /proc rw - proc");
        assert!(found.is_empty());
        assert_eq!(malformed.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 2, 3, 5]);
    }

    #[test]
    fn mounts_has_no_detail() {
        let (found, malformed) = mounts("/dev/vda1 / ext4 ro,relatime 0 0\n\nbad\n");
        assert_eq!((found.len(), malformed.len()), (1, 1));
        assert_eq!(found[0].options, ["ro", "relatime"]);
        assert_eq!(found[0].detail, None);
    }
}
