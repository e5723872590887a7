//! The interrupts that devices have raised, and the CPUs that they went to.

mod nics;
#[cfg(test)]
mod tests;

use super::Fact;
use crate::format::{cpu_columns, ranges};
use crate::model::Lazy;
use crate::record;
use crate::source::{At, Host, Missing, Reading, text};
use std::path::Path;
use std::sync::Arc;

const PATH: &str = "/proc/interrupts";

/// 512 CPUs with 4000 interrupts make 22 MB.
const CAP: u64 = 32 << 20;

/// Lines that are not understood, of which the first are kept.
const ODD: usize = 100;

record! {
    /// The interrupts since boot, by CPU.
    ///
    /// ```text
    /// /proc/interrupts                             CPU0       CPU1
    ///                                    27:       1932          0   PCI-MSI-edge      virtio2-input.0
    ///                                   LOC:    1554650    1667785   Local timer interrupts
    /// /proc/irq/27/effective_affinity_list   0
    /// ```
    ///
    /// Source: proc_interrupts(5), the kernel's core-api/irq/irq-affinity. Absent where no kernel runs.
    #[bare(list)]
    pub struct Interrupts {
        /// Every line, in order: those of devices have a number, those of the architecture a name.
        pub list: Vec<Interrupt>,
        /// The CPUs that are counted for, which are those online.
        pub cpus: Vec<u32>,
        /// The network cards that have more than one queue to receive by, and the CPUs that serve these. Looks at every card.
        pub nics: Lazy<Vec<NicInterrupts>>,
        /// Lines that are not understood, as they stand; the first 100.
        pub malformed: Vec<String>,
        /// Where it was read.
        pub at: At,
    }
}

record! {
    /// A line of /proc/interrupts.
    pub struct Interrupt {
        /// Its number as a word, `27`, or its name: `LOC`, `NMI`.
        pub irq: String,
        /// How many, of each CPU of `cpus`; one number only where they are not counted by CPU.
        pub counts: Vec<u64>,
        /// How many, of all CPUs.
        pub total: u64,
        /// What asked for it, several with commas: `virtio2-input.0`, `eth0-TxRx-3`; of those with names what they are. Empty where
        /// nothing did.
        pub actions: String,
        /// The CPUs that it may go to. Absent for those with names.
        pub smp_affinity: Lazy<Vec<u32>>,
        /// The CPUs that it does go to. Absent on kernels that do not tell, before Linux 4.13, and for those with names.
        pub effective_affinity: Lazy<Vec<u32>>,
        /// Where it was read.
        pub at: At,
    }
}

record! {
    /// The interrupts of the queues that a network card receives by. Two hardware threads of a core count as one: they share
    /// what they can do.
    #[derive(Clone, PartialEq)]
    pub struct NicInterrupts {
        /// The interface.
        pub interface: String,
        /// How many queues to receive by have an interrupt of their own.
        pub queues: u64,
        /// Their numbers.
        pub irqs: Vec<u32>,
        /// How many of them there have been since boot.
        pub total: u64,
        /// How many cores they go to now. Absent on kernels that do not tell.
        pub cores: Reading<u64>,
        /// The CPUs of the core that the most went to.
        pub busiest_core: Vec<u32>,
        /// How many went to that core.
        pub busiest: u64,
        /// Where they were counted: the first of them.
        pub at: At,
    }
}

/// A line, as it is counted for the cards.
#[derive(Debug)]
struct Line {
    number: Option<u32>,
    counts: Vec<u64>,
    actions: String,
    at: At,
}

impl Fact for Interrupts {
    const NAME: &'static str = "interrupts";
    const READS: &'static [&'static str] = &[
        PATH,
        "/proc/irq/*/{smp_affinity_list,effective_affinity_list}",
        "/sys/class/net/*/device",
        "/sys/class/net/*/device/msi_irqs",
        "/sys/devices/system/cpu/cpu*/topology/thread_siblings_list",
    ];

    fn collect(host: &Host) -> Reading<Self> {
        let text = host.source.read(Path::new(PATH), CAP).map(text)?;
        let mut lines = (1..).zip(text.lines());
        let cpus = lines.next().and_then(|(_, line)| cpu_columns::heading(line));
        let cpus = cpus.ok_or_else(|| Missing::garbled(PATH, "does not begin with the names of CPUs"))?;
        let (mut list, mut table, mut malformed) = (Vec::new(), Vec::new(), Vec::new());
        for (number, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
            match cpu_columns::row(line, cpus.len()) {
                Some(row) => {
                    let line = Line {
                        number: row.label.parse().ok(),
                        counts: row.counts,
                        actions: actions(row.label, row.rest).to_owned(),
                        at: At::line(PATH, number),
                    };
                    list.push(interrupt(host, row.label, &line));
                    table.push(line);
                }
                None if malformed.len() < ODD => malformed.push(format!("{number}: {line}")),
                None => {}
            }
        }
        let (table, own, all) = (Arc::new(table), host.clone(), cpus.clone());
        let nics = Lazy::new(move || nics::nics(&own, &all, &table));
        Ok(Self { list, cpus, nics, malformed, at: At::file(PATH) })
    }
}

/// What stands last, two blanks or more after the chip, its number for it and the kind of signal: `IO-APIC   5-edge      ACPI:Ged`.
fn actions<'a>(label: &str, rest: &'a str) -> &'a str {
    if label.parse::<u32>().is_err() {
        return rest;
    }
    let last = rest.rsplit("  ").next().unwrap_or_default();
    // Where nothing has asked for it the signal is last: `5-edge`, `27 Level`, `PCI-MSI 524288-edge`.
    let signal = last.rsplit(['-', ' ']).next().unwrap_or_default();
    let bare = ["edge", "level", "fasteoi"].iter().any(|name| signal.eq_ignore_ascii_case(name));
    if bare { "" } else { last }
}

fn interrupt(host: &Host, label: &str, line: &Line) -> Interrupt {
    let affinity = |file: &'static str| {
        let (host, number) = (host.clone(), line.number);
        Lazy::new(move || affinity(&host, number.ok_or(Missing::Absent)?, file))
    };
    Interrupt {
        irq: label.to_owned(),
        total: line.counts.iter().fold(0, |sum: u64, n| sum.saturating_add(*n)),
        counts: line.counts.clone(),
        actions: line.actions.clone(),
        smp_affinity: affinity("smp_affinity_list"),
        effective_affinity: affinity("effective_affinity_list"),
        at: line.at.clone(),
    }
}

fn affinity(host: &Host, irq: u32, file: &str) -> Reading<Vec<u32>> {
    let path = format!("/proc/irq/{irq}/{file}");
    let text = host.read_text(&path)?;
    ranges::numbers(&text).ok_or_else(|| Missing::garbled(&path, "is no list of CPUs"))
}
