use super::*;
use crate::source::{Files, Target};

const NET: &str = "/sys/devices/pci0000:00/0000:00:04.0/virtio2/net/eth0";

/// Four CPUs, of two cores, and a card of four queues.
fn guest() -> Files {
    let mut files = Files::new();
    let text = "           CPU0       CPU1       CPU2       CPU3
  0:        141          0          0          0  IO-APIC-edge      timer
 26:          0          0          0          0  PCI-MSI-edge      virtio2-config
 27:       1932          0          0          0  PCI-MSI-edge      virtio2-input.0
 28:          3        834          0          0  PCI-MSI-edge      virtio2-output.0
 29:          2          0       1627          0  PCI-MSI-edge      virtio2-input.1
 32:       1974          0          0          0  PCI-MSI-edge      virtio2-input.2
 35:          3          0        284          0  PCI-MSI-edge      virtio2-input.3
LOC:         10         20         30         40  Local timer interrupts
ERR:          7
";
    files
        .file(PATH, text)
        .link("/sys/class/net/eth0", "../../devices/pci0000:00/0000:00:04.0/virtio2/net/eth0");
    files.link(format!("{NET}/device"), "../../../virtio2").directory("/sys/class/net/lo");
    for (cpu, threads) in ["0-1", "0-1", "2-3", "2-3"].iter().enumerate() {
        files.file(
            format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"),
            format!("{threads}\n"),
        );
    }
    files
}

fn interrupts(files: &Files) -> Reading<Interrupts> {
    Interrupts::collect(&Host::new(files.clone(), Target::live()))
}

#[test]
fn lines_have_counts_and_names() {
    let mut files = guest();
    files.file("/proc/irq/27/smp_affinity_list", "0-3\n").file("/proc/irq/27/effective_affinity_list", "1\n");
    let found = interrupts(&files).unwrap();
    let names: Vec<_> = found.list.iter().map(|i| (i.irq.as_str(), i.total, i.actions.as_str())).collect();
    assert_eq!(names[0], ("0", 141, "timer"));
    assert_eq!(names[2], ("27", 1932, "virtio2-input.0"));
    assert_eq!(names[7], ("LOC", 100, "Local timer interrupts"));
    assert_eq!(names[8], ("ERR", 7, ""));
    let input = &found.list[2];
    assert_eq!(
        (input.smp_affinity.get(), input.effective_affinity.get()),
        (Ok(&vec![0, 1, 2, 3]), Ok(&vec![1]))
    );
    assert_eq!((input.counts[0], input.at.to_string()), (1932, "/proc/interrupts:4".into()));
    assert_eq!(found.list[7].smp_affinity.get(), Err(Missing::Absent));
    assert_eq!(found.list[3].smp_affinity.get(), Err(Missing::Absent));
}

#[test]
fn what_asked_is_last_on_the_line() {
    assert_eq!(actions("24", "IO-APIC   5-edge      ACPI:Ged"), "ACPI:Ged");
    assert_eq!(actions("38", "PCI-MSIX-0000:00:03.0   1-edge      virtio2-input.0"), "virtio2-input.0");
    assert_eq!(actions("16", "IO-APIC  16-fasteoi   ehci_hcd:usb1, eth0"), "ehci_hcd:usb1, eth0");
    assert_eq!(actions("5", "GICv3  27 Level     arch_timer"), "arch_timer");
    assert_eq!(actions("9", "PCI-MSI 524288-edge"), "");
    assert_eq!(actions("9", "IO-APIC   9-fasteoi"), "");
    assert_eq!(actions("9", "PCI-MSI 1-edge      acme_wedge"), "acme_wedge");
    assert_eq!(actions("9", ""), "");
}

#[test]
fn threads_of_a_core_are_one() {
    let found = interrupts(&guest()).unwrap();
    let nics = found.nics.get().unwrap();
    let [eth0] = nics.as_slice() else { panic!("{nics:?}") };
    assert_eq!(
        (eth0.interface.as_str(), eth0.queues, eth0.irqs.as_slice()),
        ("eth0", 4, [27, 29, 32, 35].as_slice())
    );
    assert_eq!((eth0.total, eth0.busiest, eth0.busiest_core.as_slice()), (5822, 3911, [0, 1].as_slice()));
    assert_eq!((eth0.cores.clone(), eth0.at.line), (Err(Missing::Absent), Some(4)));
}

#[test]
fn the_cores_of_now_are_told_by_the_effective_affinity() {
    let mut files = guest();
    for (irq, cpu) in [(27, "1"), (29, "3"), (32, "0"), (35, "2-3")] {
        files.file(format!("/proc/irq/{irq}/effective_affinity_list"), format!("{cpu}\n"));
    }
    assert_eq!(interrupts(&files).unwrap().nics.get().unwrap()[0].cores, Ok(2));
    files.deny("/proc/irq/27/effective_affinity_list");
    assert!(matches!(interrupts(&files).unwrap().nics.get().unwrap()[0].cores, Err(Missing::Unreadable(_))));
}

#[test]
fn a_card_is_found_by_its_message_interrupts_too() {
    let mut files = Files::new();
    files.file(PATH, "CPU0 CPU1\n 40: 5 0 IR-PCI-MSI 1-edge  mlx5_async0@pci:0000:03:00.0\n 41: 7 0 IR-PCI-MSI 2-edge  mlx5_comp0@pci:0000:03:00.0\n 42: 0 9 IR-PCI-MSI 3-edge  mlx5_comp1@pci:0000:03:00.0\n 43: 1 1 IR-PCI-MSI 3-edge  mlx5_comp0@pci:0000:04:00.0\n");
    files.link("/sys/class/net/ens1/device", "../../../0000:03:00.0");
    for irq in [40, 41, 42] {
        files.file(format!("/sys/0000:03:00.0/msi_irqs/{irq}"), "msix\n");
    }
    files.file("/sys/class/net/bonding_masters", "\n");
    let found = interrupts(&files).unwrap();
    let nics = found.nics.get();
    assert!(
        matches!(nics, Ok(nics) if nics.len() == 1 && nics[0].irqs == [41, 42] && nics[0].busiest_core == [1]),
        "{nics:?}"
    );
}

#[test]
fn garbage_is_kept_and_no_heading_is_unreadable() {
    assert!(matches!(interrupts(&Files::new()), Err(Missing::Absent)));
    let mut files = Files::new();
    for garbage in ["", "\0\n", " 1: 2 3\n"] {
        files.file(PATH, garbage);
        assert!(matches!(interrupts(&files), Err(Missing::Unreadable(_))), "{garbage:?}");
    }
    files.file(PATH, "CPU0\n\u{fffd}\n 1: x\n 2: 5\n");
    let found = interrupts(&files).unwrap();
    assert_eq!((found.list.len(), found.malformed.len(), found.list[0].actions.as_str()), (1, 2, ""));
    assert_eq!(found.nics.get().map(|_| ()), Err(Missing::Absent));
}
