//! The same work on every item of a list, on several CPUs at once.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// More would take a busy host's CPUs from those who need them.
const MOST_THREADS: usize = 4;

/// What a thread takes at a time of many small reads of /proc, nearly all of whose time is the kernel's.
pub(crate) const READS: usize = 64;

/// As much as the main thread has by default; the deepest expression of a rule takes a part of it.
const STACK: usize = 8 << 20;

/// How many CPUs hostvet itself may use. The standard library reads the quotas of all cgroups above to tell, each time it is asked.
pub(crate) fn cpus() -> usize {
    static CPUS: OnceLock<usize> = OnceLock::new();
    *CPUS.get_or_init(|| thread::available_parallelism().map_or(1, usize::from))
}

/// The results of `work` for each item, in order. A thread takes a `piece` of so many items at a time; fewer than two pieces are
/// not worth a thread.
pub(crate) fn map<T: Sync, R: Send>(items: &[T], piece: usize, work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let piece = piece.max(1);
    let threads = cpus().min(MOST_THREADS).min(items.len() / piece);
    if threads < 2 {
        return items.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let run = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(items) = items.chunks(piece).nth(number) else { return done };
            done.push((number, items.iter().map(&work).collect::<Vec<R>>()));
        }
    };
    let mut pieces = thread::scope(|scope| {
        // Where no thread can be had (a limit of tasks is reached) this one does it all.
        let others: Vec<_> = (1..threads)
            .filter_map(|_| thread::Builder::new().stack_size(STACK).spawn_scoped(scope, run).ok())
            .collect();
        let mut pieces = run();
        for other in others {
            match other.join() {
                Ok(done) => pieces.extend(done),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        pieces
    });
    pieces.sort_unstable_by_key(|(number, _)| *number);
    pieces.into_iter().flat_map(|(_, results)| results).collect()
}

#[cfg(test)]
mod tests {
    use super::map;

    #[test]
    fn every_item_is_worked_on_once_and_in_order() {
        for count in [0, 1, 63, 64, 127, 128, 129, 1000] {
            let items: Vec<usize> = (0..count).collect();
            assert_eq!(map(&items, 64, |n| n + 1), (1..=count).collect::<Vec<_>>(), "{count}");
        }
    }

    #[test]
    fn a_panic_is_passed_on() {
        let items: Vec<usize> = (0..1000).collect();
        assert!(std::panic::catch_unwind(|| map(&items, 1, |n| assert!(*n < 900))).is_err());
    }
}
