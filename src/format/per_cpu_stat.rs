//! The files of /proc/net/stat: a line of names, then a line of hexadecimal numbers for each CPU.
//!
//! ```text
//! entries  allocs   destroys
//! 00000014  00000001 00000002
//! 00000014  0000000d 0000000e
//! ```

use crate::source::{Missing, Reading};
use std::collections::BTreeMap;

/// Such a table.
#[derive(Debug, PartialEq)]
pub struct PerCpu {
    columns: BTreeMap<String, Vec<u64>>,
}

/// Reads the text of the file at `path`.
pub fn parse(path: &str, text: &str) -> Reading<PerCpu> {
    let mut lines = (1u32..).zip(text.lines());
    let names: Vec<&str> =
        lines.next().map(|(_, line)| line.split_ascii_whitespace().collect()).unwrap_or_default();
    if names.is_empty() || names.iter().any(|name| !name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
    {
        return Err(Missing::garbled(path, "does not begin with a line of names"));
    }
    let mut columns: Vec<Vec<u64>> = vec![Vec::new(); names.len()];
    for (number, line) in lines {
        let numbers = line.split_ascii_whitespace().map(|word| u64::from_str_radix(word, 16).ok());
        let numbers = numbers.collect::<Option<Vec<u64>>>().filter(|numbers| numbers.len() == names.len());
        let Some(numbers) = numbers else {
            let what = format!("line {number} does not hold a number for each of {} names", names.len());
            return Err(Missing::garbled(path, what));
        };
        columns.iter_mut().zip(numbers).for_each(|(column, number)| column.push(number));
    }
    if columns.iter().any(Vec::is_empty) {
        return Err(Missing::garbled(path, "has no line of numbers"));
    }
    Ok(PerCpu { columns: names.into_iter().map(str::to_owned).zip(columns).collect() })
}

impl PerCpu {
    /// What all CPUs have counted together. Absent: this kernel has no such column.
    pub fn sum(&self, name: &str) -> Option<u64> {
        Some(self.columns.get(name)?.iter().fold(0, |sum: u64, n| sum.saturating_add(*n)))
    }

    /// A number that is the same in every line.
    pub fn same(&self, name: &str) -> Option<u64> {
        self.columns.get(name)?.first().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_hexadecimal_and_found_by_name() {
        let found =
            parse("/f", "entries  allocs drop\n00000014  00000001 00000000\n00000014  0000000d 00000002\n")
                .unwrap();
        assert_eq!(
            (found.same("entries"), found.sum("allocs"), found.sum("drop")),
            (Some(20), Some(14), Some(2))
        );
        assert_eq!((found.sum("early_drop"), found.same("early_drop")), (None, None));
    }

    #[test]
    fn a_truncated_table_is_unreadable() {
        for garbage in
            ["", "\n", "entries\n", "00000014 1\n1 2\n", "entries drop\n1\n", "entries\nx\n", "\0\0\n1 2\n"]
        {
            assert!(matches!(parse("/f", garbage), Err(Missing::Unreadable(_))), "{garbage:?}");
        }
    }
}
