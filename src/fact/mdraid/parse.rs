//! /proc/mdstat to arrays. The file is written for people: words are looked for, not columns.

use super::{MdAction, MdArray, MdMember, Mdraid};
use crate::source::At;

/// The arrays of an mdstat file.
pub fn parse(path: &str, text: &str) -> Mdraid {
    let mut found = Mdraid { arrays: Vec::new(), malformed: Vec::new(), at: At::file(path) };
    for (number, line) in (1..).zip(text.lines()) {
        if let Some((name, rest)) = header(line) {
            let mut array = array(name, At::line(path, number));
            read_words(&mut array, rest);
            found.arrays.push(array);
            continue;
        }
        let more = line.starts_with([' ', '\t']);
        match found.arrays.last_mut() {
            _ if line.trim().is_empty() || is_frame(line) => {}
            Some(array) if more => read_words(array, line),
            _ => found.malformed.push(format!("{number}: {line}")),
        }
    }
    found
}

/// `md0 : active raid1 …`
fn header(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.split_once(" : ")?;
    let is_name = !name.is_empty() && !name.contains(char::is_whitespace) && name != "Personalities";
    let state = rest.split_ascii_whitespace().next()?;
    (is_name && matches!(state, "active" | "inactive")).then_some((name, rest))
}

/// The lines around the arrays; event counts were written by old kernels.
fn is_frame(line: &str) -> bool {
    ["Personalities", "unused devices:", "read_ahead", "Event:"].iter().any(|start| line.starts_with(start))
}

fn array(name: &str, at: At) -> MdArray {
    MdArray {
        name: name.to_owned(),
        active: false,
        level: None,
        external: false,
        read_only: false,
        size_kib: None,
        members: Vec::new(),
        wanted: None,
        working: None,
        slots: None,
        failed: 0,
        spare: 0,
        action: None,
        waiting: false,
        progress_percent: None,
        finish_minutes: None,
        at,
    }
}

fn read_words(array: &mut MdArray, text: &str) {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    for (at, word) in words.iter().enumerate() {
        let after = |n: usize| words.get(at + n).copied().unwrap_or_default();
        match *word {
            "active" => array.active = true,
            "(read-only)" => array.read_only = true,
            "blocks" if at > 0 => array.size_kib = words.get(at - 1).and_then(|n| n.parse().ok()),
            "linear" | "faulty" | "multipath" => array.level = Some((*word).to_owned()),
            _ if word.starts_with("external:") => array.external = true,
            _ if is_raid(word) => array.level = Some((*word).to_owned()),
            // `recovery = 8.5%`, and `recovery =  100.0%` of the same words.
            _ if after(1) == "=" && action(word).is_some() => {
                array.action = action(word);
                array.progress_percent = after(2).strip_suffix('%').and_then(|n| n.parse().ok());
            }
            _ => read_word(array, word),
        }
    }
}

fn read_word(array: &mut MdArray, word: &str) {
    if let Some((what, state)) = word.split_once('=') {
        match action(what) {
            // PENDING, DELAYED, REMOTE.
            Some(action) => (array.action, array.waiting) = (Some(action), true),
            None if what == "finish" => {
                array.finish_minutes = state.strip_suffix("min").and_then(|n| n.parse().ok());
            }
            None => {}
        }
        return;
    }
    let inside = word.strip_prefix('[').and_then(|w| w.strip_suffix(']'));
    match inside {
        Some(slots) if !slots.is_empty() && slots.bytes().all(|b| matches!(b, b'U' | b'_')) => {
            array.slots = Some(slots.to_owned());
        }
        Some(counts) => {
            if let Some((wanted, working)) = counts.split_once('/')
                && let (Ok(wanted), Ok(working)) = (wanted.parse(), working.parse())
            {
                (array.wanted, array.working) = (Some(wanted), Some(working));
            }
        }
        None => {
            if let Some(member) = member(word) {
                array.failed += u32::from(member.failed);
                array.spare += u32::from(member.spare);
                array.members.push(member);
            }
        }
    }
}

/// `raid1`; also `raid6_ls_6` and the like, while it is reshaped.
fn is_raid(word: &str) -> bool {
    word.strip_prefix("raid")
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()) && !rest.contains('['))
}

fn action(word: &str) -> Option<MdAction> {
    match word {
        "resync" => Some(MdAction::Resync),
        "recovery" => Some(MdAction::Recovery),
        "check" => Some(MdAction::Check),
        "reshape" => Some(MdAction::Reshape),
        _ => None,
    }
}

/// `sdb1[2](F)`: besides F and S there are W (write mostly), J (journal) and R (replacement).
fn member(word: &str) -> Option<MdMember> {
    let (device, rest) = word.split_once('[')?;
    let (number, marks) = rest.split_once(']')?;
    let well_formed = marks.is_empty() || marks.starts_with('(') && marks.ends_with(')');
    (well_formed && !device.is_empty()).then_some(())?;
    Some(MdMember {
        device: device.to_owned(),
        number: number.parse().ok()?,
        failed: marks.contains("(F)"),
        spare: marks.contains("(S)"),
    })
}
