//! Many small reads of /proc, on several CPUs at once: nearly all their time is the kernel's.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// More would take a busy host's CPUs from those who need them.
const MOST_THREADS: usize = 4;

/// What a thread takes at a time. Fewer items than two of it are not worth a thread.
const PIECE: usize = 64;

/// The results of `work` for each item, in order.
pub(super) fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cpus = thread::available_parallelism().map_or(1, usize::from);
    let threads = cpus.min(MOST_THREADS).min(items.len() / PIECE);
    if threads < 2 {
        return items.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let run = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(piece) = items.chunks(PIECE).nth(number) else { return done };
            done.push((number, piece.iter().map(&work).collect::<Vec<R>>()));
        }
    };
    let mut pieces = thread::scope(|scope| {
        // Where no thread can be had (a limit of tasks is reached) this one does it all.
        let others: Vec<_> =
            (1..threads).filter_map(|_| thread::Builder::new().spawn_scoped(scope, run).ok()).collect();
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
            assert_eq!(map(&items, |n| n + 1), (1..=count).collect::<Vec<_>>(), "{count}");
        }
    }

    #[test]
    fn a_panic_is_passed_on() {
        let items: Vec<usize> = (0..1000).collect();
        assert!(std::panic::catch_unwind(|| map(&items, |n| assert!(*n < 900))).is_err());
    }
}
