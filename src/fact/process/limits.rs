//! /proc/PID/limits.

use crate::model::Limit;
use crate::record;

/// Declares the record and its rows together, so that neither can miss one.
macro_rules! rows {
    ($( $row:literal, $unit:literal: $soft:ident $hard:ident; )*) => {
        record! {
            /// The resource limits that a process lives under, named as limits.conf(5) names them.
            ///
            /// A limit is absent where the kernel does not have it.
            #[derive(Default)]
            pub struct ProcessLimits {
                $(
                    #[doc = concat!(" ", $row, ", ", $unit, ": the limit in force.")]
                    pub $soft: Option<Limit>,
                    #[doc = concat!(" ", $row, ", ", $unit, ": the ceiling of the limit in force.")]
                    pub $hard: Option<Limit>,
                )*
            }
        }

        fn set(limits: &mut ProcessLimits, name: &str, soft: Limit, hard: Limit) -> bool {
            match name {
                $( $row => (limits.$soft, limits.$hard) = (Some(soft), Some(hard)), )*
                _ => return false,
            }
            true
        }

        const ROWS: &[&str] = &[$( $row ),*];
    };
}

rows! {
    "Max cpu time", "in seconds": cpu_soft cpu_hard;
    "Max file size", "in bytes": fsize_soft fsize_hard;
    "Max data size", "in bytes": data_soft data_hard;
    "Max stack size", "in bytes": stack_soft stack_hard;
    "Max core file size", "in bytes": core_soft core_hard;
    "Max resident set", "in bytes": rss_soft rss_hard;
    "Max processes", "threads of the user": nproc_soft nproc_hard;
    "Max open files", "one above the largest descriptor": nofile_soft nofile_hard;
    "Max locked memory", "in bytes": memlock_soft memlock_hard;
    "Max address space", "in bytes": as_soft as_hard;
    "Max file locks", "a number": locks_soft locks_hard;
    "Max pending signals", "signals of the user": sigpending_soft sigpending_hard;
    "Max msgqueue size", "in bytes": msgqueue_soft msgqueue_hard;
    "Max nice priority", "20 minus the nice value": nice_soft nice_hard;
    "Max realtime priority", "a priority": rtprio_soft rtprio_hard;
    "Max realtime timeout", "in microseconds": rttime_soft rttime_hard;
}

/// Reads the table; none where no row of it is understood.
pub(super) fn parse(text: &str) -> Option<ProcessLimits> {
    let mut limits = ProcessLimits::default();
    let mut any = false;
    for line in text.lines() {
        let Some((name, rest)) = ROWS.iter().find_map(|row| Some((*row, line.strip_prefix(row)?))) else {
            continue;
        };
        let mut words = rest.split_ascii_whitespace().map(limit);
        if let (Some(Some(soft)), Some(Some(hard))) = (words.next(), words.next()) {
            any |= set(&mut limits, name, soft, hard);
        }
    }
    any.then_some(limits)
}

fn limit(word: &str) -> Option<Limit> {
    match word {
        "unlimited" => Some(Limit::Unlimited),
        number => number.parse().ok().map(Limit::Number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_read() {
        let rows: Vec<_> =
            ROWS.iter().map(|r| format!("{r:<25} 8                    unlimited            x")).collect();
        let text = format!(
            "Limit                     Soft Limit           Hard Limit           Units\n{}\n",
            rows.join("\n")
        );
        let limits = parse(&text).unwrap();
        assert_eq!((limits.cpu_soft, limits.cpu_hard), (Some(Limit::Number(8)), Some(Limit::Unlimited)));
        assert_eq!(
            (limits.rttime_soft, limits.nofile_hard),
            (Some(Limit::Number(8)), Some(Limit::Unlimited))
        );
        assert!(!format!("{limits:?}").contains("None"));
    }

    #[test]
    fn the_width_of_the_columns_does_not_matter() {
        let limits = parse("Max nice priority 0 0\nMax open files   1024  4096  files\n").unwrap();
        assert_eq!(
            (limits.nofile_soft, limits.nofile_hard),
            (Some(Limit::Number(1024)), Some(Limit::Number(4096)))
        );
        assert_eq!((limits.nice_soft, limits.nproc_soft), (Some(Limit::Number(0)), None));
    }

    #[test]
    fn a_row_that_is_cut_is_absent() {
        assert_eq!(parse("Max open files 1024 4096 files\nMax processes 12").unwrap().nproc_soft, None);
        for text in ["", "Max open files", "Max open files x y", "\0\u{fffd}"] {
            assert!(parse(text).is_none(), "{text:?}");
        }
    }
}
