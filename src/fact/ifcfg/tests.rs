use super::*;
use crate::source::{Files, Target};

fn collect(files: &Files) -> Reading<Ifcfg> {
    Ifcfg::collect(&Host::new(files.clone(), Target::live()))
}

fn interface<'a>(fact: &'a Ifcfg, name: &str) -> &'a IfcfgInterface {
    fact.interfaces.items.iter().find(|i| i.name == name).unwrap()
}

#[test]
fn a_gateway_belongs_to_the_interface_of_its_network() {
    let mut files = Files::new();
    files.file("/etc/sysconfig/network", "NETWORKING=yes\nGATEWAY=203.0.113.247\nGATEWAYDEV=eth0 # no\n");
    let scripts = "/etc/sysconfig/network-scripts";
    files.file(
        format!("{scripts}/ifcfg-eth0"),
        "DEVICE=eth0\nONBOOT='yes'\nIPADDR=10.25.158.37\nNETMASK=255.255.252.0\n",
    );
    files.file(
        format!("{scripts}/ifcfg-eth1"),
        "ONBOOT=\"yes\"\nBOOTPROTO=static\nIPADDR0=203.0.113.11\nPREFIX0=24\n",
    );
    files.file(format!("{scripts}/ifcfg-eth2"), "ONBOOT=no\nBOOTPROTO=dhcp\nIPADDR=$(x)\n");
    files
        .file(format!("{scripts}/ifcfg-eth0.rpmsave"), "DEVICE=old\n")
        .file(format!("{scripts}/ifcfg-lo"), "DEVICE=lo\n");
    let fact = collect(&files).unwrap();
    assert_eq!(fact.gateway_device.as_ref().unwrap().value, "eth0");
    assert_eq!(fact.gateway_device.as_ref().unwrap().at, At::line("/etc/sysconfig/network", 3));
    assert_eq!(fact.interfaces.items.len(), 4);
    let (eth0, eth1, eth2) = (interface(&fact, "eth0"), interface(&fact, "eth1"), interface(&fact, "eth2"));
    assert_eq!((eth0.prefix, eth0.reaches_gateway, eth0.at_boot), (Some(22), Some(false), true));
    assert_eq!((eth1.prefix, eth1.reaches_gateway), (Some(24), Some(true)));
    assert_eq!((eth2.at_boot, eth2.address.as_deref(), eth2.reaches_gateway), (false, None, None));
    assert!(interface(&fact, "lo").loopback);
    assert_eq!(fact.malformed[0].text, "IPADDR=$(x)");
}

#[test]
fn a_gateway_of_its_own_comes_first() {
    let mut files = Files::new();
    files.file("/etc/sysconfig/network", "GATEWAY=10.0.0.1\n");
    files.file("/etc/sysconfig/network-scripts/ifcfg-a", "IPADDR=192.0.2.7\nPREFIX=24\nGATEWAY=192.0.2.1\n");
    assert_eq!(interface(&collect(&files).unwrap(), "a").reaches_gateway, Some(true));
}

#[test]
fn suse_has_a_directory_where_red_hat_has_a_file() {
    let mut files = Files::new();
    files.file(
        "/etc/sysconfig/network/ifcfg-eth0",
        "STARTMODE='auto'\nBOOTPROTO='static'\nIPADDR='192.0.2.7/24'\n",
    );
    files
        .file("/etc/sysconfig/network/ifcfg-eth1", "STARTMODE='off'\n")
        .file("/etc/sysconfig/network/config", "X=1\n");
    let fact = collect(&files).unwrap();
    let eth0 = interface(&fact, "eth0");
    assert_eq!((eth0.style, eth0.at_boot, eth0.prefix), (IfcfgStyle::Suse, true, Some(24)));
    assert!(!interface(&fact, "eth1").at_boot);
    assert!(fact.interfaces.unread.is_empty() && matches!(fact.gateway, Err(Missing::Absent)));
}

#[test]
fn debian_includes_files_and_joins_lines() {
    let mut files = Files::new();
    files.file(
        "/etc/network/interfaces",
        "# all\nsource /etc/network/interfaces.d/*\nsource-directory more\nauto lo eth0\niface lo inet \\\n loopback\n\niface eth0 inet static\n  address 192.0.2.7/24\n  gateway 192.0.2.1\n  pre-up \\\n x\niface eth0 inet6 auto\nnonsense\n",
    );
    files.file("/etc/network/interfaces.d/eth1", "allow-hotplug eth1\niface eth1 inet dhcp\n");
    files.file("/etc/network/interfaces.d/.hidden", "iface no inet dhcp\n");
    files.file("/etc/network/more/br0", "iface br0 inet static\n address 10.0.0.1\n netmask 255.0.0.0\n");
    files.file("/etc/network/more/br0.dpkg-old", "iface old inet dhcp\n");
    let fact = collect(&files).unwrap();
    let names: Vec<_> = fact.interfaces.items.iter().map(|i| (i.name.as_str(), i.at_boot)).collect();
    assert_eq!(names, [("eth1", true), ("br0", false), ("lo", true), ("eth0", true), ("eth0", true)]);
    let eth0 = interface(&fact, "eth0");
    assert_eq!((eth0.reaches_gateway, eth0.settings["pre-up"].as_str()), (Some(true), "x"));
    assert_eq!(eth0.at, At::line("/etc/network/interfaces", 8));
    assert_eq!(interface(&fact, "br0").prefix, Some(8));
    assert!(fact.malformed.is_empty(), "{:?}", fact.malformed);
}

#[test]
fn files_that_include_themselves_end() {
    let mut files = Files::new();
    files.file("/etc/network/interfaces", "source interfaces\nsource */x\niface a inet dhcp\nup\n");
    let fact = collect(&files).unwrap();
    assert!(fact.interfaces.items.len() < 20 && !fact.interfaces.unread.is_empty());
}

#[test]
fn masks_are_bits() {
    assert_eq!(
        ["255.255.252.0", "22", "0.0.0.0", "33", "255.0.255.0", "x"].map(bits),
        [Some(22), Some(22), Some(0), None, None, None]
    );
    assert!(is_within(Ipv4Addr::new(1, 2, 3, 4), (Ipv4Addr::new(9, 9, 9, 9), 0)));
    assert!(!is_within(Ipv4Addr::new(1, 2, 3, 4), (Ipv4Addr::new(1, 2, 3, 5), 32)));
}

#[test]
fn programs_are_found_where_there_are_programs() {
    let mut files = Files::new();
    files.file("/etc/network/interfaces", "");
    assert!(matches!(collect(&files).unwrap().managers.get(), Err(Missing::Absent)));
    files.file("/bin/sh", "").file("/usr/sbin/ifup", "").file("/usr/lib/systemd/systemd-networkd", "");
    let fact = collect(&files).unwrap();
    let told: Vec<_> = fact.managers.get().unwrap().iter().map(|m| (m.name.as_str(), m.configured)).collect();
    assert_eq!(told, [("ifup", true), ("systemd-networkd", false)]);
    files.file("/etc/systemd/network/10-eth0.network", "");
    assert!(collect(&files).unwrap().managers.get().unwrap()[1].configured);
    files.deny("/etc/systemd/network");
    assert!(matches!(collect(&files).unwrap().managers.get(), Err(Missing::Unreadable(_))));
}

#[test]
fn absent_denied_and_garbage() {
    assert!(matches!(collect(&Files::new()), Err(Missing::Absent)));
    let mut denied = Files::new();
    denied.deny("/etc/sysconfig/network");
    let fact = collect(&denied).unwrap();
    assert!(matches!(fact.gateway, Err(Missing::Unreadable(_))) && !fact.interfaces.unread.is_empty());
    let mut garbage = Files::new();
    garbage.file("/etc/sysconfig/network", b"\0\xff=\"\nA='x\nGATEWAY=\n".to_vec());
    assert_eq!(collect(&garbage).unwrap().malformed.len(), 2);
}
