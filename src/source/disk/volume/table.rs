//! What partition tables of all kinds have in common.

/// A partition table.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) slots: Vec<Slot>,
    /// What is wrong with it, each a sentence without its end.
    pub(super) faults: Vec<String>,
}

/// A partition.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) number: u32,
    /// Where it begins, in bytes.
    pub(super) start: u64,
    /// Its length in bytes.
    pub(super) len: u64,
    pub(super) uuid: Option<String>,
    pub(super) label: Option<String>,
    pub(super) r#type: String,
    /// Whether it holds nothing but other partitions.
    pub(super) is_extended: bool,
}

/// The kernel numbers no more partitions of a disk (DISK_MAX_PARTS, block/partitions/check.h).
pub(super) const MOST: usize = 255;

/// Pairs of partitions that overlap, by their numbers; each is told of once.
pub(super) fn overlaps(slots: &[Slot]) -> Vec<(u32, u32)> {
    let mut sorted: Vec<&Slot> = slots.iter().filter(|slot| !slot.is_extended).collect();
    sorted.sort_by_key(|slot| slot.start);
    let mut found = Vec::new();
    // The one of those so far that goes farthest.
    let mut far: Option<&Slot> = None;
    for slot in sorted {
        let end = |slot: &Slot| slot.start.saturating_add(slot.len);
        if let Some(before) = far.filter(|before| slot.start < end(before)) {
            found.push((before.number, slot.number));
        }
        if far.is_none_or(|before| end(slot) > end(before)) {
            far = Some(slot);
        }
    }
    found
}
