//! How many tasks ran or waited, on average.

use super::Fact;
use crate::format::{printed_processes, printed_uptime};
use crate::record;
use crate::source::{At, Host, Missing, Reading};
use procfs_core::{FromRead, LoadAverage};

record! {
    /// How many tasks ran, waited for a CPU, or waited uninterruptibly (mostly for a disk or a file server), on average.
    ///
    /// ```text
    /// /proc/loadavg   25.76 20.60 19.00 12/404 11912
    /// ```
    ///
    /// Source: proc_loadavg(5), kernel/sched/loadavg.c. It is not the use of CPUs: tasks in state D count like running
    /// ones, and on old kernels some threads of the kernel do so for ever. Averages are exponentially damped. In a container it is
    /// the host's. Absent where no kernel runs.
    pub struct Load {
        /// Over the last minute.
        pub one: f64,
        /// Over the last five minutes.
        pub five: f64,
        /// Over the last fifteen minutes.
        pub fifteen: f64,
        /// Threads that run or could run at this moment, hostvet's own among them.
        pub running: Reading<u32>,
        /// Threads there are, those of the kernel and zombies too.
        pub tasks: Reading<u32>,
        /// The number that was given to a process or thread last.
        pub latest_pid: Reading<u32>,
        /// Where it was read.
        pub at: At,
    }
}

impl Fact for Load {
    const NAME: &'static str = "load";
    const READS: &'static [&'static str] =
        &["/proc/loadavg", printed_uptime::PATH, printed_processes::LONG, printed_processes::GROUPS];

    fn collect(host: &Host) -> Reading<Self> {
        let path = Self::READS[0];
        let text = match host.read_text(path) {
            Err(missing) if missing.is_not_collected() => return printed(host, missing),
            text => text?,
        };
        parse(&text).ok_or_else(|| Missing::garbled(path, "does not hold the load"))
    }
}

/// What uptime(1) told of the averages, and ps(1) of threads.
fn printed(host: &Host, missing: Missing) -> Reading<Load> {
    let path = printed_uptime::PATH;
    let printed = printed_uptime::parse(&host.read_text(path)?);
    let [one, five, fifteen] = printed.ok_or_else(|| Missing::garbled(path, "is no output of uptime"))?.load;
    let at = At::file(path);
    let running = Err(missing.clone());
    let tasks = match printed_processes::list(host) {
        Err(elsewhere) if elsewhere.is_elsewhere() => Err(missing.clone()),
        list => list.map(|list| list.iter().fold(0_u32, |sum, process| sum.saturating_add(process.threads))),
    };
    Ok(Load { one, five, fifteen, running, tasks, latest_pid: Err(missing), at })
}

fn parse(text: &str) -> Option<Load> {
    let found = LoadAverage::from_read(text.as_bytes()).ok()?;
    // The kernel prints two decimals; more than these would be an artefact of single precision.
    let average =
        |value: f32| (value.is_finite() && value >= 0.0).then(|| (f64::from(value) * 100.0).round() / 100.0);
    Some(Load {
        one: average(found.one)?,
        five: average(found.five)?,
        fifteen: average(found.fifteen)?,
        running: Ok(found.cur),
        tasks: Ok(found.max),
        latest_pid: Ok(found.latest_pid),
        at: At::line(Load::READS[0], 1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    #[test]
    fn the_numbers_are_read_as_they_are_printed() {
        let load = parse("25.76 20.60 19.00 12/404 11912\n").unwrap();
        assert_eq!((load.one, load.five, load.fifteen), (25.76, 20.6, 19.0));
        assert_eq!((load.running, load.tasks, load.latest_pid), (Ok(12), Ok(404), Ok(11912)));
    }

    #[test]
    fn half_a_line_and_garbage_are_unreadable() {
        for text in
            ["", "0.1", "0.1 0.2 0.3 1", "0.1 0.2 0.3 1/ 4", "nan 0 0 1/2 3", "-1 0 0 1/2 3", "\0\u{fffd}"]
        {
            let mut files = Files::new();
            files.file("/proc/loadavg", text);
            let found = Load::collect(&Host::new(files, Target::live()));
            assert!(matches!(found, Err(Missing::Unreadable(_))), "{text:?}");
        }
    }

    #[test]
    fn without_a_kernel_there_is_none() {
        let host = Host::new(Files::new(), Target::root("x"));
        assert_eq!(Load::collect(&host).map(|_| ()), Err(Missing::Absent));
    }
}
