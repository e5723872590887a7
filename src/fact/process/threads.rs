//! Which threads run, and which wait without being able to be interrupted: those that make the load.

use super::place::Place;
use super::stat;
use crate::record;
use crate::source::{Optional, Reading};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

record! {
    /// The threads of all processes of one name that make the load.
    #[derive(Clone, PartialEq, Default)]
    pub struct BusyProgram {
        /// The name of the processes.
        pub comm: String,
        /// Processes of it that have such threads.
        pub processes: u32,
        /// Threads that run or could run (state R).
        pub running: u32,
        /// Threads that wait without interruption, mostly for a disk or a file server (state D).
        pub uninterruptible: u32,
        /// Running and uninterruptible together.
        pub busy: u32,
    }
}

/// Threads that are looked at of one process: more would cost too much on a host that has enough to do.
const MOST: usize = 4096;

/// The programs that have such threads, those with the most first.
pub(super) fn busy(places: &[Arc<Place>]) -> Reading<Vec<BusyProgram>> {
    let mut programs: BTreeMap<&str, BusyProgram> = BTreeMap::new();
    for place in places {
        // Absent: ended meanwhile.
        let Some((running, uninterruptible)) = states(place).optional()? else { continue };
        if running + uninterruptible > 0 {
            let comm = place.stat.comm.as_str();
            let program = programs.entry(comm).or_default();
            program.processes += 1;
            program.running += running;
            program.uninterruptible += uninterruptible;
        }
    }
    let with_names = programs.into_iter().map(|(comm, program)| {
        let busy = program.running + program.uninterruptible;
        BusyProgram { comm: comm.to_owned(), busy, ..program }
    });
    let mut list: Vec<_> = with_names.collect();
    list.sort_by(|a, b| b.busy.cmp(&a.busy).then_with(|| a.comm.cmp(&b.comm)));
    Ok(list)
}

/// How many threads of a process run, and how many wait without interruption.
fn states(place: &Place) -> Reading<(u32, u32)> {
    let count = |state: char| (u32::from(state == 'R'), u32::from(state == 'D'));
    if place.stat.threads < 2 {
        return Ok(count(place.stat.state));
    }
    let Some(tasks) = place.source.list(Path::new(&place.path("task"))).optional()? else {
        // A copy of /proc often comes without the threads; the first one is better than none.
        return Ok(count(place.stat.state));
    };
    let mut sum = (0, 0);
    for task in tasks.iter().take(MOST) {
        let name = format!("task/{}/stat", task.name.to_string_lossy());
        let Some(text) = place.text(&name).optional()? else { continue };
        let (running, uninterruptible) = stat::state(&text).map_or((0, 0), count);
        sum = (sum.0 + running, sum.1 + uninterruptible);
    }
    Ok(sum)
}
