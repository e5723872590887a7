//! How full file systems were when df(1) was asked: sosreport keeps what it printed.
//!
//! ```text
//! Filesystem      1K-blocks     Used Available Use% Mounted on      (df -al)
//! /dev/vda1        41922560 39826432   2096128  95% /
//! Filesystem Type   Inodes  IUsed   IFree IUse% Mounted on          (df -aliT)
//! /dev/vda1  xfs  20971520 101234 20870286    1% /
//! ```

use crate::source::{Host, Missing, Reading, Space};
use std::collections::HashMap;

const FOLDER: &str = "/sos_commands/filesys";

/// Size, used and available, in units of 1 KiB or in inodes, by mount point.
type Table = HashMap<String, [u64; 3]>;

/// What df printed.
#[derive(Debug, Default)]
pub(super) struct Printed {
    kib: Table,
    inodes: Option<Table>,
}

impl Printed {
    pub(super) fn read(host: &Host) -> Reading<Self> {
        let names = host.names(FOLDER)?;
        let table = |is_wanted: fn(&str) -> bool, header: &str| {
            let name = names.iter().find(|name| is_wanted(name)).ok_or(Missing::Absent)?;
            let path = format!("{FOLDER}/{name}");
            parse(&host.read_text(&path)?, header).ok_or_else(|| Missing::garbled(path, "is no output of df"))
        };
        let kib = table(|name| name == "df_-al" || name.starts_with("df_-al_"), "1K-blocks")?;
        Ok(Self { kib, inodes: table(|name| name.starts_with("df_-ali"), "IUsed").ok() })
    }

    /// How full the file system at this mount point was, and whether its inodes are told.
    pub(super) fn space(&self, mount_point: &str) -> Option<(Space, bool)> {
        let [size, used, available] = self.kib.get(mount_point)?.map(|kib| kib.saturating_mul(1024));
        let inodes = self.inodes.as_ref().and_then(|inodes| inodes.get(mount_point));
        let [files, _, files_free] = inodes.copied().unwrap_or_default();
        let space = Space { size, free: size.saturating_sub(used), available, files, files_free };
        Some((space, inodes.is_some()))
    }
}

/// The lines that have numbers; a file system that could not be asked has dashes. Of several mounted over one another the last
/// is told of.
fn parse(text: &str, header: &str) -> Option<Table> {
    let mut lines = text.lines().skip_while(|line| !line.starts_with("Filesystem"));
    lines.next().filter(|first| first.contains(header))?;
    Some(lines.filter_map(line).collect())
}

/// What is mounted may have blanks in its name, and so may the place.
fn line(line: &str) -> Option<(String, [u64; 3])> {
    let words: Vec<&str> = line.split_ascii_whitespace().take(16).collect();
    words.windows(4).enumerate().skip(1).find_map(|(at, window)| {
        let [size, used, available, percent] = window else { return None };
        let numbers = [size.parse().ok()?, used.parse().ok()?, available.parse().ok()?];
        let is_percent =
            *percent == "-" || percent.strip_suffix('%').is_some_and(|n| n.parse::<u8>().is_ok());
        let mut rest = line;
        for _ in 0..at + 4 {
            rest = rest.trim_start().split_once([' ', '\t'])?.1;
        }
        let mount_point = rest.trim_start();
        (is_percent && mount_point.starts_with('/')).then(|| (mount_point.to_owned(), numbers))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_tables_are_read() {
        let text = "df: /x: Permission denied\nFilesystem 1K-blocks Used Available Use% Mounted on\nproc 0 0 0 - /proc\n\
            /dev/vda1 41922560 39826432 2096128 95% /\nmy disk 10 1 9 10% /mnt/my disk\n- - - - - /over\n";
        let found = parse(text, "1K-blocks").unwrap();
        assert_eq!(found["/"], [41_922_560, 39_826_432, 2_096_128]);
        assert_eq!((found["/mnt/my disk"], found["/proc"], found.len()), ([10, 1, 9], [0; 3], 3));
        let text = "Filesystem Type Inodes IUsed IFree IUse% Mounted on\n/dev/vda1 xfs 100 99 1 99% /\n";
        assert_eq!(parse(text, "IUsed").unwrap()["/"], [100, 99, 1]);
    }

    #[test]
    fn garbage_is_no_table() {
        for text in ["", "df: command not found\n", "Filesystem\n", "\0\u{fffd}"] {
            assert_eq!(parse(text, "1K-blocks"), None, "{text:?}");
        }
        assert_eq!(
            parse("Filesystem 1K-blocks\n1 2 3\n-1 -1 -1 1% /\n1 1 1 1 1% x", "1K-blocks"),
            Some(Table::new())
        );
    }
}
