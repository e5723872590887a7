//! A line on the terminal while something takes long: `reading root.tar.gz: 310 of 750 MiB`.
//!
//! It is there only where standard error is a terminal, only after a while, and erased before anything else is printed.

use crate::report::printable;
use crate::source::{Progress, Watch};
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What takes less is not worth a word.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often the line changes at most.
const PACE: Duration = Duration::from_millis(200);

/// The terminal is one, whoever writes to it.
static LINE: Mutex<Line> = Mutex::new(Line { since: None, shown: None, over: false });

/// The line that is shown, if any.
#[derive(Debug)]
struct Line {
    /// When the reading began.
    since: Option<Instant>,
    /// When the line was last written.
    shown: Option<Instant>,
    /// Whether results are written, which may be to the same terminal.
    over: bool,
}

impl Line {
    /// Whether it is time to write the line.
    fn is_due(&mut self, now: Instant) -> bool {
        if self.over {
            return false;
        }
        let since = *self.since.get_or_insert(now);
        let last = self.shown.unwrap_or(since);
        let wait = if self.shown.is_some() { PACE } else { PATIENCE };
        let is_due = now.saturating_duration_since(last) >= wait;
        if is_due {
            self.shown = Some(now);
        }
        is_due
    }

    /// The same, of what is known to take long.
    fn is_due_now(&mut self) -> bool {
        self.shown = (!self.over).then(Instant::now);
        !self.over
    }
}

/// Who shows how far the reading of this target is; nobody where nobody would see it.
pub(super) fn watch(target: &str) -> Watch {
    if !is_seen() {
        return Watch::NOBODY;
    }
    let what = format!("reading {target}");
    Watch::new(move |progress| {
        let now = Instant::now();
        show(|line| line.is_due(now), || (&what, far(progress)));
    })
}

/// What is watched while a file is written: how many bytes of it there are.
pub(super) struct Writing(Option<String>);

/// Who shows how far the writing of this file is.
pub(super) fn writing(file: &str) -> Writing {
    Writing(is_seen().then(|| format!("writing {file}")))
}

impl Writing {
    pub(super) fn tell(&self, bytes: u64) {
        if let Some(what) = &self.0 {
            let now = Instant::now();
            show(|line| line.is_due(now), || (what, mib(bytes)));
        }
    }
}

/// Shows at once that this is waited for so long.
pub(super) fn waiting(what: &str, long: Duration) {
    if is_seen() {
        show(Line::is_due_now, || (what, format!("{} s", long.as_secs())));
    }
}

/// Whether there is a terminal that can take a line away again.
fn is_seen() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    !dumb && io::stderr().is_terminal()
}

fn show<'a>(is_due: impl FnOnce(&mut Line) -> bool, what: impl FnOnce() -> (&'a str, String)) {
    // Another thread is at it.
    let Ok(mut line) = LINE.try_lock() else { return };
    if is_due(&mut line) && is_in_foreground() {
        let (what, far) = what();
        // The cursor is left at the start: where a terminal that becomes narrower breaks the line, it stays with its first
        // piece, and all of them can be erased.
        let _ = write!(io::stderr(), "\x1b[J{}\r", text(what, &far, columns()));
    }
}

/// Takes the line away, if there is one. The next reading is another one.
pub(super) fn erase() {
    let mut line = LINE.lock().unwrap_or_else(PoisonError::into_inner);
    line.since = None;
    if line.shown.take().is_some() && is_in_foreground() {
        let _ = write!(io::stderr(), "\r\x1b[J");
    }
}

/// The same, for good: results are written next.
pub(super) fn end() {
    erase();
    LINE.lock().unwrap_or_else(PoisonError::into_inner).over = true;
}

/// Whether the terminal is this program's: what runs in the background does not write into what somebody else does there.
fn is_in_foreground() -> bool {
    nix::unistd::tcgetpgrp(io::stderr()).is_ok_and(|group| group == nix::unistd::getpgrp())
}

/// How wide the terminal is now.
fn columns() -> usize {
    terminal_size::terminal_size_of(io::stderr()).map_or(80, |(width, _)| width.0.into())
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

fn far(progress: Progress) -> String {
    match progress {
        Progress::Along { done, all } => format!("{} of {}", done >> 20, mib(all)),
        Progress::Read(bytes) => mib(bytes),
        Progress::Files(files) => format!("{files} files"),
    }
}

/// The most of what is done that is shown.
const MOST: usize = 50;

/// Less of it says nothing.
const LEAST: usize = 16;

/// The line, which fits on a terminal of so many columns: what is done to what, and how far.
fn text(what: &str, far: &str, columns: usize) -> String {
    // The last column is left free: some terminals go to the next line when it is written.
    let room = columns.saturating_sub(1);
    let for_what = room.saturating_sub(": ".len() + far.len()).min(MOST);
    let what = printable(what);
    match (what.split_once(' '), for_what >= LEAST) {
        (Some((does, name)), true) => {
            format!("{does} {}: {far}", end_of(name, for_what.saturating_sub(does.len() + 1)))
        }
        _ => far.chars().take(room).collect(),
    }
}

/// The end of a name, in so many columns.
fn end_of(name: &str, columns: usize) -> String {
    // What is not of ASCII may take two.
    let width = |c: char| if c.is_ascii() { 1 } else { 2 };
    if name.chars().map(width).sum::<usize>() <= columns {
        return name.to_owned();
    }
    let mut left = columns.saturating_sub(width('…'));
    let fits = |c: &char| match left.checked_sub(width(*c)) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    let mut end: Vec<char> = name.chars().rev().take_while(fits).collect();
    end.push('…');
    end.into_iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_how_far_it_is() {
        let along = far(Progress::Along { done: 310 << 20, all: 750 << 20 });
        assert_eq!(text("reading root.tar.gz", &along, 80), "reading root.tar.gz: 310 of 750 MiB");
        assert_eq!(
            text("reading disk.qcow2", &far(Progress::Read(46 << 20)), 80),
            "reading disk.qcow2: 46 MiB"
        );
        assert_eq!(text("reading this host", &far(Progress::Files(7)), 80), "reading this host: 7 files");
        assert!(!text("reading a\x1b[2J", &along, 80).contains('\x1b'), "a name may be hostile");
    }

    #[test]
    fn the_line_fits_on_any_terminal() {
        let what = "reading golden-image-of-the-build-on-monday.tar.gz";
        let along = "310 of 750 MiB";
        assert_eq!(text(what, along, 40), "reading …monday.tar.gz: 310 of 750 MiB");
        assert_eq!(text(what, along, 20), "310 of 750 MiB");
        assert_eq!(text(what, along, 10), "310 of 75");
        assert_eq!(
            text("reading 日本語日本語日本語.tar", along, 40),
            "reading …語日本語.tar: 310 of 750 MiB"
        );
        let what = format!("reading {}", "x".repeat(200));
        for columns in 0..200 {
            let line = text(&what, &far(Progress::Along { done: u64::MAX, all: u64::MAX }), columns);
            assert!(line.chars().count() < columns.max(1), "{columns}: {line}");
        }
    }

    #[test]
    fn it_waits_a_while_and_does_not_flicker() {
        let mut line = Line { since: None, shown: None, over: false };
        let start = Instant::now();
        let mut is_due = |ms: u64| line.is_due(start + Duration::from_millis(ms));
        assert_eq!([0, 500, 999].map(&mut is_due), [false; 3]);
        assert_eq!([1_000, 1_100, 1_199, 1_200, 1_300].map(&mut is_due), [true, false, false, true, false]);
    }
}
