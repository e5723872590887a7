//! Swap space in use: /proc/swaps.

use super::Fact;
use crate::source::octal;
use crate::source::{At, Host, Reading};
use crate::{record, word};

record! {
    /// The swap areas that are in use now. What fstab wants is in `fstab`, and how much is used in all in `memory`.
    ///
    /// ```text
    /// Filename                                Type            Size            Used            Priority
    /// /dev/vda2                               partition       2097148         18432           -2
    /// /swap\040file                           file            1048572         0               -3
    /// ```
    ///
    /// Source: proc_swaps(5), swapon(8). Absent where no kernel runs, and where the kernel cannot swap.
    #[bare(areas)]
    pub struct Swaps {
        /// The areas, in the order of the file; the one with the highest priority is used first.
        pub areas: Vec<SwapArea>,
        /// Lines that are no areas, as they stand.
        pub malformed: Vec<String>,
        /// Where it was read.
        pub at: At,
    }
}

record! {
    /// A swap area.
    #[derive(Clone, PartialEq)]
    pub struct SwapArea {
        /// The device or file, decoded.
        pub path: String,
        /// What it is.
        pub kind: SwapKind,
        /// Size, KiB.
        pub size_kib: u64,
        /// In use, KiB.
        pub used_kib: u64,
        /// Priority: areas of a higher one are filled first.
        pub priority: i64,
        /// Whether the file has been deleted while it is in use.
        pub deleted: bool,
        /// The line, from 1.
        pub at: At,
    }
}

word! {
    /// What a swap area is.
    pub enum SwapKind {
        /// A block device, whether partition or not.
        Partition = "partition",
        /// A file.
        File = "file",
    }
}

impl Fact for Swaps {
    const NAME: &'static str = "swaps";
    const READS: &'static [&'static str] = &["/proc/swaps"];

    fn collect(host: &Host) -> Reading<Self> {
        let path = Self::READS[0];
        Ok(parse(path, &host.read_text(path)?))
    }
}

/// The areas of a swaps file.
pub fn parse(path: &str, text: &str) -> Swaps {
    let (mut areas, mut malformed) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() || line.starts_with("Filename") {
            continue;
        }
        match area(line, At::line(path, number)) {
            Some(area) => areas.push(area),
            None => malformed.push(format!("{number}: {line}")),
        }
    }
    Swaps { areas, malformed, at: At::file(path) }
}

fn area(line: &str, at: At) -> Option<SwapArea> {
    let mut fields = line.split_ascii_whitespace();
    let path = octal::decode(fields.next()?);
    let kind = match fields.next()? {
        "partition" => SwapKind::Partition,
        "file" => SwapKind::File,
        _ => return None,
    };
    let size_kib = fields.next()?.parse().ok()?;
    let used_kib = fields.next()?.parse().ok()?;
    let priority = fields.next()?.parse().ok()?;
    let (path, deleted) = match path.strip_suffix(" (deleted)") {
        Some(path) => (path.to_owned(), true),
        None => (path, false),
    };
    Some(SwapArea { path, kind, size_kib, used_kib, priority, deleted, at })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Missing, Target};

    #[test]
    fn areas_are_read() {
        let found = parse(
            "/proc/swaps",
            "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/dev/dm-2   partition\t8151036\t2283436\t-2\n/some/swap\\040file\\040(deleted) file 111 1 5\n",
        );
        let [partition, file] = found.areas.as_slice() else { panic!("{found:?}") };
        assert_eq!(
            (partition.kind, partition.size_kib, partition.used_kib),
            (SwapKind::Partition, 8_151_036, 2_283_436)
        );
        assert_eq!((file.path.as_str(), file.deleted, file.priority), ("/some/swap file", true, 5));
        assert_eq!(file.at.to_string(), "/proc/swaps:3");
    }

    #[test]
    fn what_is_no_area_is_kept() {
        let found =
            parse("p", "Filename\n/dev/a partition 1 2\n/dev/b tape 1 2 3\n\u{fffd}\0\n/dev/c file -1 0 0\n");
        assert_eq!((found.areas.len(), found.malformed.len()), (0, 4));
        assert!(parse("p", "").areas.is_empty());
    }

    #[test]
    fn no_kernel_no_swap() {
        assert!(matches!(Swaps::collect(&Host::new(Files::new(), Target::root("x"))), Err(Missing::Absent)));
        let mut files = Files::new();
        files.deny("/proc/swaps");
        assert!(matches!(Swaps::collect(&Host::new(files, Target::live())), Err(Missing::Unreadable(_))));
    }
}
