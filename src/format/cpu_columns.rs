//! Tables with a column for each CPU online: /proc/interrupts and /proc/softirqs.
//!
//! ```text
//!            CPU0       CPU2
//!  24:       1913          3   PCI-MSI-edge      virtio2-input.0
//! ```

/// The numbers of the CPUs in the heading; `None` if it is none.
pub fn heading(line: &str) -> Option<Vec<u32>> {
    let cpus = line.split_ascii_whitespace().map(|word| word.strip_prefix("CPU")?.parse().ok());
    cpus.collect::<Option<Vec<u32>>>().filter(|cpus| !cpus.is_empty())
}

/// A line below: its label, its numbers, and what follows them.
#[derive(Debug, PartialEq)]
pub struct Row<'a> {
    /// What stands before the colon: `24`, `LOC`, `NET_RX`.
    pub label: &'a str,
    /// One for each CPU of the heading; fewer where the kernel counts for all CPUs together.
    pub counts: Vec<u64>,
    /// The rest, blanks at both ends removed.
    pub rest: &'a str,
}

/// Reads a line below a heading of this many CPUs; `None` if it has no label or no number.
pub fn row(line: &str, cpus: usize) -> Option<Row<'_>> {
    let (label, mut rest) = line.split_once(':')?;
    let label = label.trim();
    let mut counts = Vec::new();
    while counts.len() < cpus {
        let text = rest.trim_start();
        let end = text.find(|c: char| c.is_ascii_whitespace()).unwrap_or(text.len());
        let (word, after) = text.split_at(end);
        let Ok(count) = word.parse() else { break };
        counts.push(count);
        rest = after;
    }
    let named = !label.is_empty() && !label.contains(|c: char| c.is_whitespace() || c.is_control());
    (named && !counts.is_empty()).then_some(Row { label, counts, rest: rest.trim() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpus_that_are_offline_have_no_column() {
        assert_eq!(heading("           CPU0       CPU2       \n"), Some(vec![0, 2]));
        for garbage in ["", "\n", "CPU", "CPUx", "0 1", "CPU0 CPU-1"] {
            assert_eq!(heading(garbage), None, "{garbage:?}");
        }
    }

    #[test]
    fn a_row_has_a_label_numbers_and_a_rest() {
        let row = |line| row(line, 2);
        let found = row(" 24:   1913   3   PCI-MSI-edge      virtio2-input.0").unwrap();
        assert_eq!(
            (found.label, found.counts, found.rest),
            ("24", vec![1913, 3], "PCI-MSI-edge      virtio2-input.0")
        );
        let found = row("ERR:   7").unwrap();
        assert_eq!((found.label, found.counts, found.rest), ("ERR", vec![7], ""));
        // A number in the rest is no count.
        assert_eq!(row("1: 1 2 3 4").unwrap().rest, "3 4");
        for garbage in
            ["", ":", "24", "24:", "24: x", ": 1 2", "a b: 1 2", "24: -1", "24: 18446744073709551616"]
        {
            assert_eq!(row(garbage), None, "{garbage:?}");
        }
    }
}
