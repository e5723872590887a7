use super::*;
use crate::source::{Files, Target};

fn interfaces(files: &Files) -> Reading<Interfaces> {
    Interfaces::collect(&Host::new(files.clone(), Target::live()))
}

fn one(files: &Files) -> Interface {
    interfaces(files).unwrap().list.remove(0)
}

#[test]
fn a_card_is_read_as_sysfs_shows_it() {
    let mut files = Files::new();
    files.link("/sys/class/net/eth0", "../../devices/pci0000:00/0000:00:03.0/virtio2/net/eth0");
    let eth0 = "/sys/devices/pci0000:00/0000:00:03.0/virtio2/net/eth0";
    files.file(format!("{eth0}/operstate"), "up\n").file(format!("{eth0}/flags"), "0x1003\n");
    files.file(format!("{eth0}/type"), "1\n").file(format!("{eth0}/mtu"), "1500\n");
    files.link(format!("{eth0}/device"), "../../../virtio2");
    files.link(
        "/sys/devices/pci0000:00/0000:00:03.0/virtio2/driver",
        "../../../../bus/virtio/drivers/virtio_net",
    );
    files.file(format!("{eth0}/carrier"), "1\n").file(format!("{eth0}/carrier_changes"), "2\n");
    files.file(format!("{eth0}/speed"), "25000\n").file(format!("{eth0}/duplex"), "full\n");
    files.link(format!("{eth0}/master"), "../../../../../virtual/net/bond0");
    files.file(format!("{eth0}/statistics/rx_packets"), "4410223\n");
    files.file(format!("{eth0}/statistics/rx_missed_errors"), "x\n");
    files.file("/sys/class/net/bonding_masters", "bond0\n");
    let eth0 = one(&files);
    assert_eq!((eth0.name.as_str(), eth0.operstate.get().unwrap().as_str()), ("eth0", "up"));
    let flags = eth0.flags.get().unwrap();
    assert_eq!(
        (flags.bits, flags.up, flags.loopback, flags.point_to_point, flags.noarp),
        (0x1003, true, false, false, false)
    );
    assert_eq!((eth0.hardware_type.get(), eth0.mtu.get()), (Ok(&1), Ok(&1500)));
    assert_eq!((eth0.physical.get(), eth0.wireless.get()), (Ok(&true), Ok(&false)));
    assert_eq!(eth0.driver.get().unwrap(), "virtio_net");
    assert_eq!(
        (eth0.carrier.get(), eth0.carrier_changes.get(), eth0.speed_mbit.get()),
        (Ok(&true), Ok(&2), Ok(&25000))
    );
    assert_eq!((eth0.duplex.get().unwrap().as_str(), eth0.master.get().unwrap().as_str()), ("full", "bond0"));
    let statistics = eth0.statistics.get().unwrap();
    assert_eq!(statistics["rx_packets"].get().unwrap().value, 4_410_223);
    assert!(matches!(statistics["rx_missed_errors"].get(), Err(Missing::Unreadable(_))));
}

#[test]
fn queues_are_in_the_order_of_their_numbers() {
    let mut files = Files::new();
    for queue in ["rx-10", "rx-2", "rx-x", "tx-0"] {
        files.directory(format!("/sys/class/net/eth0/queues/{queue}"));
    }
    files.file("/sys/class/net/eth0/queues/rx-2/rps_cpus", "00000000,0000000c\n");
    files.file("/sys/class/net/eth0/queues/rx-2/rps_flow_cnt", "256\n");
    files.file("/sys/class/net/eth0/queues/tx-0/xps_cpus", "0\n").deny("/sys/class/net/eth0/queues/rx-10");
    let eth0 = one(&files);
    let queues = eth0.rx_queues.get().unwrap();
    assert_eq!(queues.iter().map(|q| q.name.as_str()).collect::<Vec<_>>(), ["rx-2", "rx-10"]);
    assert_eq!(
        (queues[0].rps_cpus.get().unwrap().as_slice(), queues[0].rps_flow_cnt.get()),
        ([2, 3].as_slice(), Ok(&256))
    );
    assert!(matches!(queues[1].rps_cpus.get(), Err(Missing::Unreadable(_))));
    assert_eq!(eth0.tx_queues.get().unwrap()[0].xps_cpus.get(), Ok(&vec![]));
}

#[test]
fn what_is_not_known_of_a_link_is_absent() {
    let mut files = Files::new();
    files.file("/sys/class/net/eth0/speed", "-1\n").file("/sys/class/net/eth0/duplex", "unknown\n");
    files.file("/sys/class/net/eth0/carrier", "2\n").file("/sys/class/net/eth0/flags", "4099\n");
    let eth0 = one(&files);
    assert_eq!(
        (eth0.speed_mbit.get(), eth0.duplex.get().unwrap().as_str()),
        (Err(Missing::Absent), "unknown")
    );
    assert!(matches!(eth0.carrier.get(), Err(Missing::Unreadable(_))));
    assert!(matches!(eth0.flags.get(), Err(Missing::Unreadable(_))));
    assert_eq!((eth0.physical.get(), eth0.driver.get()), (Ok(&false), Err(Missing::Absent)));
    assert_eq!((eth0.mtu.get(), eth0.master.get()), (Err(Missing::Absent), Err(Missing::Absent)));
    files.file("/sys/class/net/eth0/speed", "4294967295\n");
    assert_eq!(one(&files).speed_mbit.get(), Err(Missing::Absent));
}

#[test]
fn no_kernel_no_interfaces_and_denied_is_unreadable() {
    assert!(matches!(interfaces(&Files::new()), Err(Missing::Absent)));
    let mut files = Files::new();
    files.deny("/sys/class/net");
    assert!(matches!(interfaces(&files), Err(Missing::Unreadable(_))));
}

/// A report has of sysfs the flags and counters.
#[test]
fn a_report_tells_of_interfaces_what_was_printed() {
    let mut files = Files::new();
    files
        .file("/version.txt", "sosreport: 3.9\n")
        .file(
            "/sos_commands/networking/ip_-s_-d_link",
            "2: eth0: <UP> mtu 9000 state DOWN\n    link/ether 52:54\n",
        )
        .file("/sys/class/net/eth0/flags", "0x1003\n")
        .file("/sys/class/net/eth0/statistics/rx_packets", "7\n")
        .file("/sys/class/net/lo/flags", "0x9\n")
        .file(
            "/sos_commands/devices/udevadm_info_--export-db",
            "P: /devices/x/block/vda\nN: vda\nS: disk/by-path/x\nE: SUBSYSTEM=block\n\n\
             P: /devices/x/net/eth0\nE: SUBSYSTEM=net\nE: ID_NET_DRIVER=virtio_net\n",
        );
    let list = Interfaces::collect(&Host::new(files, Target::root("x"))).unwrap().list;
    let [eth0, lo] = &list[..] else { panic!("{list:?}") };
    assert_eq!((eth0.operstate.get().unwrap().as_str(), eth0.mtu.get()), ("down", Ok(&9000)));
    assert_eq!((eth0.hardware_type.get(), eth0.carrier.get()), (Ok(&1), Ok(&false)));
    assert_eq!((eth0.physical.get(), eth0.wireless.get()), (Ok(&true), Ok(&false)));
    assert_eq!(
        (eth0.driver.get().unwrap().as_str(), eth0.master.get()),
        ("virtio_net", Err(Missing::Absent))
    );
    assert_eq!(eth0.statistics.get().unwrap().len(), 1);
    for open in [eth0.duplex.get().err(), lo.operstate.get().err(), eth0.carrier_changes.get().err()] {
        assert!(open.unwrap().is_not_collected());
    }
}
