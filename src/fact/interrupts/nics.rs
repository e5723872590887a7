//! Which interrupts are those of a network card's queues, and which cores serve them.

use super::{Line, NicInterrupts, affinity};
use crate::format::ranges;
use crate::source::{Host, Missing, Optional, Reading, Reason, resolve};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const NET: &str = "/sys/class/net";

/// Cards that are looked at, at most, and interrupts that are looked through for each: above what there is.
const MOST_CARDS: usize = 1024;
const MOST_LINES: usize = 16_384;

/// The cards that have more than one queue to receive by, in the order of their names.
pub(super) fn nics(host: &Host, cpus: &[u32], table: &[Line]) -> Reading<Vec<NicInterrupts>> {
    let mut found = Vec::new();
    let (mut cores, mut cards) = (None, 0);
    let table: Vec<&Line> =
        table.iter().filter(|line| line.number.is_some() && !line.actions.is_empty()).collect();
    for interface in host.names(NET)? {
        // Only what belongs to a device has interrupts.
        let Some(device) = link(host, &format!("{NET}/{interface}/device")).optional()? else { continue };
        let device = device.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        cards += 1;
        if cards > MOST_CARDS || table.len() > MOST_LINES {
            let what =
                format!("was not looked through for more than {MOST_CARDS} cards or {MOST_LINES} interrupts");
            return Err(Missing::unreadable(super::PATH, Reason::NotRead(what)));
        }
        let numbers = message_interrupts(host, &interface, &device)?;
        let is_queue = |line: &&Line| {
            line.number.is_some_and(|number| {
                let mut actions = line.actions.split(", ");
                actions.any(|action| {
                    let own = numbers.contains(&number) || is_named_after(action, &interface, &device);
                    own && receives(action, &interface)
                })
            })
        };
        let queues: Vec<&Line> = table.iter().copied().filter(is_queue).collect();
        if let [first, _, ..] = queues.as_slice() {
            if cores.is_none() {
                cores = Some(cores_of(host, cpus)?);
            }
            let cores = cores.get_or_insert_default();
            found.push(card(host, interface, cpus, &queues, cores, first));
        }
    }
    Ok(found)
}

fn link(host: &Host, path: &str) -> Reading<PathBuf> {
    let path = resolve(&*host.source, Path::new(path), false)?;
    host.source.read_link(&path)
}

/// The numbers of the device's message-signalled interrupts. A virtio device has those of the PCI device that it is.
fn message_interrupts(host: &Host, interface: &str, device: &str) -> Reading<BTreeSet<u32>> {
    let parent = if device.starts_with("virtio") { "/.." } else { "" };
    let names = host.names(&format!("{NET}/{interface}/device{parent}/msi_irqs")).optional()?;
    Ok(names.unwrap_or_default().iter().filter_map(|name| name.parse().ok()).collect())
}

/// `eth0-TxRx-3`, `i40e-eth0-TxRx-3`, `virtio2-input.0`, `eth0 (queue 3)`.
fn is_named_after(action: &str, interface: &str, device: &str) -> bool {
    let begins = |name: &str, action: &str| {
        !name.is_empty() && action.strip_prefix(name).is_some_and(|rest| rest.starts_with(['-', ' ']))
    };
    begins(interface, action)
        || (device.starts_with("virtio") && begins(device, action))
        || action.split_once('-').is_some_and(|(_, rest)| begins(interface, rest))
}

/// Whether it is the interrupt of a queue that packets come in by, from the names that drivers give. Those of queues to send
/// by only, of events and of configuration are not.
fn receives(action: &str, interface: &str) -> bool {
    let name = action.split('@').next().unwrap_or_default().trim_end_matches(')').to_ascii_lowercase();
    let digits = |name: &str| name.ends_with(|c: char| c.is_ascii_digit());
    // Xen's: `eth0-q0-rx`.
    let name = name.strip_suffix("-rx").filter(|queue| digits(queue)).unwrap_or(&name);
    if !digits(name) {
        return false;
    }
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches(['-', '.', '_', ' ']);
    // `eth0-3`, `mlx4-3`.
    if stem == interface.to_ascii_lowercase() || stem == "mlx4" {
        return true;
    }
    let word = stem.rsplit(['-', '.', '_', ' ', '(', ':']).next().unwrap_or_default();
    word.ends_with("rx") || matches!(word, "rxtx" | "input" | "comp" | "fp" | "q" | "queue" | "blk")
}

/// The core of each CPU: its first hardware thread. A CPU of which nothing is told has no other threads.
fn cores_of(host: &Host, cpus: &[u32]) -> Reading<BTreeMap<u32, u32>> {
    let mut cores = BTreeMap::new();
    for cpu in cpus {
        let path = format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
        let core = match host.read_text(&path).optional()? {
            Some(text) => {
                let threads = ranges::numbers(&text).and_then(|threads| threads.into_iter().min());
                threads.ok_or_else(|| Missing::garbled(&path, "is no list of CPUs"))?
            }
            None => *cpu,
        };
        cores.insert(*cpu, core);
    }
    Ok(cores)
}

fn card(
    host: &Host,
    interface: String,
    cpus: &[u32],
    queues: &[&Line],
    cores: &BTreeMap<u32, u32>,
    first: &Line,
) -> NicInterrupts {
    let core = |cpu: u32| cores.get(&cpu).copied().unwrap_or(cpu);
    let mut counts: BTreeMap<u32, u64> = BTreeMap::new();
    for line in queues {
        for (cpu, count) in cpus.iter().zip(&line.counts) {
            let sum = counts.entry(core(*cpu)).or_default();
            *sum = sum.saturating_add(*count);
        }
    }
    let irqs: Vec<u32> = queues.iter().filter_map(|line| line.number).collect();
    // The first of several that are the same.
    let (busiest_core, busiest) =
        counts.iter().rev().max_by_key(|(_, count)| **count).map_or((0, 0), |(core, count)| (*core, *count));
    NicInterrupts {
        interface,
        queues: queues.len() as u64,
        total: counts.values().fold(0, |sum: u64, n| sum.saturating_add(*n)),
        cores: cores_now(host, &irqs, core),
        irqs,
        busiest_core: cpus.iter().copied().filter(|cpu| core(*cpu) == busiest_core).collect(),
        busiest,
        at: first.at.clone(),
    }
}

fn cores_now(host: &Host, irqs: &[u32], core: impl Fn(u32) -> u32) -> Reading<u64> {
    let mut found = BTreeSet::new();
    for irq in irqs {
        found.extend(affinity(host, *irq, "effective_affinity_list")?.into_iter().map(&core));
    }
    Ok(found.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_to_receive_by_are_told_by_the_names_of_many_drivers() {
        let names = [
            "virtio0-input.0",
            "eth0-TxRx-3",
            "eth0-Tx-Rx-3",
            "eth0-rx-1",
            "eth0-txrx-1",
            "eth0-rxtx-0",
            "eth0-fp-2",
            "eth0-q0",
            "mlx5_comp0@pci:0000:03:00.0",
            "mlx4-3@0000:03:00.0",
            "i40e-eth0-TxRx-12",
            "gve-ntfy-blk3@pci:0000:00:04.0",
            "mana_q1@pci:7870:00:00.0",
            "eth0-0",
            "eth0-q0-rx",
            "eth0 (queue 3)",
        ];
        for name in names {
            assert!(receives(name, "eth0"), "{name}");
        }
        let others = [
            "virtio0-output.0",
            "virtio0-config",
            "virtio0-control",
            "eth0",
            "eth0-tx-1",
            "mlx5_async0@pci:0000:03:00.0",
            "mlx4-async@pci:0000:03:00.0",
            "ena-mgmnt@pci:0000:00:05.0",
            "eth0-q0-tx",
            "nvme0",
            "",
            "-",
            "@",
            "eth0:lsc",
            "timer",
        ];
        for name in others {
            assert!(!receives(name, "eth0"), "{name}");
        }
    }

    #[test]
    fn another_interface_of_a_like_name_is_another() {
        assert!(is_named_after("eth1-TxRx-0", "eth1", "0000:03:00.0"));
        assert!(is_named_after("iavf-eth1-TxRx-0", "eth1", "0000:03:00.0"));
        assert!(is_named_after("virtio1-input.0", "eth1", "virtio1"));
        for name in ["eth10-TxRx-0", "virtio10-input.0", "eth1", "xeth1-rx-0", ""] {
            assert!(!is_named_after(name, "eth1", "virtio1"), "{name}");
        }
    }
}
