//! The same work on every item of a list, on all processors.

use std::panic::resume_unwind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, available_parallelism, scope};

/// More threads than this take longer to start than they save.
const MAX_THREADS: usize = 4;

/// As much as the main thread has by default; the deepest expression allowed takes a part of it.
const STACK: usize = 8 << 20;

/// `work` of every item, in the order of the items. Who is free takes the next one: what items cost differs widely.
pub(super) fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(items.len()));
    let labour = || {
        let mut done = Vec::new();
        loop {
            let position = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(position) else { break };
            done.push((position, work(item)));
        }
        results.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).extend(done);
    };
    let threads = available_parallelism().map_or(1, usize::from).min(MAX_THREADS).min(items.len());
    scope(|scope| {
        // Where no thread is to be had (a full pids cgroup, say) the others do its work.
        let spawn = |_| Builder::new().stack_size(STACK).spawn_scoped(scope, labour).ok();
        let others: Vec<_> = (1..threads).filter_map(spawn).collect();
        labour();
        for other in others {
            // A panic there is a bug, and goes on here.
            other.join().unwrap_or_else(|panic| resume_unwind(panic));
        }
    });
    let mut results = results.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    results.sort_unstable_by_key(|(position, _)| *position);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::map;

    #[test]
    fn results_stand_in_the_order_of_their_items() {
        let items: Vec<u64> = (0..1_000).collect();
        assert_eq!(map(&items, |n| n * 2), items.iter().map(|n| n * 2).collect::<Vec<_>>());
        assert_eq!(map(&[0_u8; 0], |n| *n), [0_u8; 0]);
    }

    #[test]
    #[should_panic(expected = "seven")]
    fn a_panic_is_not_lost() {
        map(&[1, 7, 9], |n| assert!(*n != 7, "seven"));
    }
}
