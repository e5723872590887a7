//! A line on the terminal while a large target is read: `reading root.tar.gz: 310 of 750 MiB`.
//!
//! It is there only where standard error is a terminal, only after a while, and erased before anything else is printed.

use crate::report::printable;
use crate::source::{Progress, Watch};
use std::io::{self, IsTerminal, Write};
use std::path::Path;
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
}

/// Who shows how far the reading of this target is; nobody where nobody would see it.
pub(super) fn watch(target: &Path) -> Watch {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    if dumb || !io::stderr().is_terminal() {
        return Watch::default();
    }
    let name = target.file_name().unwrap_or(target.as_os_str()).to_string_lossy().into_owned();
    Watch::new(move |progress| {
        // Another thread is at it.
        let Ok(mut line) = LINE.try_lock() else { return };
        if line.is_due(Instant::now()) {
            let _ = write!(io::stderr(), "\r{}\x1b[K", text(&name, progress));
        }
    })
}

/// Takes the line away, if there is one. The next reading is another one.
pub(super) fn erase() {
    let mut line = LINE.lock().unwrap_or_else(PoisonError::into_inner);
    line.since = None;
    if line.shown.take().is_some() {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
}

/// The same, for good: results are written next.
pub(super) fn end() {
    erase();
    LINE.lock().unwrap_or_else(PoisonError::into_inner).over = true;
}

/// The most of a name that is shown, so that the line fits on any terminal.
const NAME: usize = 40;

fn text(name: &str, Progress { done, all }: Progress) -> String {
    let name = printable(name);
    let long = name.chars().count().saturating_sub(NAME);
    let short: String = match long {
        0 => name.to_string(),
        _ => "…".chars().chain(name.chars().skip(long + 1)).collect(),
    };
    format!("reading {short}: {} of {} MiB", done >> 20, all >> 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_how_far_it_is_and_fits() {
        let progress = Progress { done: 310 << 20, all: 750 << 20 };
        assert_eq!(text("root.tar.gz", progress), "reading root.tar.gz: 310 of 750 MiB");
        let long = text(&format!("{}.tar", "x".repeat(200)), Progress { done: u64::MAX, all: u64::MAX });
        assert!(
            long.chars().count() < 100 && long.starts_with("reading …x") && long.contains("x.tar: "),
            "{long}"
        );
        assert!(!text("a\x1b[2J", progress).contains('\x1b'), "a name may be hostile");
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
