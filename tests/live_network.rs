//! Routes, bridges and addresses that go wrong, in a network of its own on this very host; and what hostvet says of them.
//!
//! No root is needed, but ip(8), and a kernel that gives users a network namespace. Where one is missing the test says so and ends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use serde_json::Value;
use std::process::{Command, Output};

/// Runs a shell script as the root of new user, network and mount namespaces, with a /sys that shows them, in which `eth0` and `eth1` are
/// the ends of a cable.
fn in_own_network(script: &str) -> std::io::Result<Output> {
    let cable = "mount -t sysfs none /sys; ip link set lo up; ip link add eth0 type veth peer name eth1; \
                 ip addr add 192.0.2.5/24 dev eth0; ip addr add 198.51.100.5/24 dev eth1; ip link set eth0 up; ip link set eth1 up";
    Command::new("unshare")
        .args(["--map-root-user", "--net", "--mount", "sh", "-ec", &format!("{cable}; {script}"), "sh"])
        .arg(env!("CARGO_BIN_EXE_hostvet"))
        .output()
}

fn unfit() -> bool {
    let unfit = !in_own_network("true").is_ok_and(|output| output.status.success());
    if unfit {
        eprintln!("skipped: unshare(1), ip(8), or what they need is missing here");
    }
    unfit
}

/// Severity and message of what the rule finds after the script.
fn found(rule: &str, script: &str) -> Vec<(String, String)> {
    let check =
        format!("status=0; \"$1\" check --select {rule} --format json || status=$?; [ $status -le 1 ]");
    let output = in_own_network(&format!("{script}; {check}")).unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("no report");
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let findings = report["findings"].as_array().unwrap();
    findings.iter().map(|f| (text(f, "severity"), text(f, "message"))).collect()
}

#[test]
fn default_routes_of_this_kernel_are_told_apart() {
    if unfit() {
        return;
    }
    let cases = [
        ("true", "info", "there is no default route"),
        ("ip route add default dev eth0", "warning", "0.0.0.0/0 on eth0"),
        (
            "ip route add default via 192.0.2.1; ip route append default via 198.51.100.1",
            "warning",
            "metric 0 on different interfaces: eth0 via 192.0.2.1, eth1 via 198.51.100.1",
        ),
        ("ip route add default via 192.0.2.1", "", ""),
        ("ip route add default via 192.0.2.1; ip route add default dev eth1 metric 9", "", ""),
        // Without a router's IPv4 address, and yet with a gateway.
        ("ip -4 route add 0.0.0.0/0 via inet6 fe80::1 dev eth0", "", ""),
    ];
    for (script, severity, says) in cases {
        match (found("net/default-route", script).as_slice(), severity) {
            ([], "") => {}
            ([(found, message)], _) if found == severity && message.contains(says) => {}
            (found, _) => panic!("{script}: {found:?}"),
        }
    }
}

#[test]
fn a_bridge_of_containers_that_does_not_forward_is_found() {
    if unfit() {
        return;
    }
    let bridge = "ip link add docker0 type bridge; ip link set eth0 master docker0; ip link set docker0 up; \
                  until grep -q up /sys/class/net/docker0/operstate; do sleep 0.1; done";
    let off = format!("{bridge}; echo 0 > /proc/sys/net/ipv4/ip_forward");
    let [(severity, message)] = &found("net/forwarding-off", &off)[..] else { panic!("nothing is found") };
    assert_eq!(severity, "warning");
    assert!(message.contains("net.ipv4.conf.docker0.forwarding is 0"), "{message}");
    let on = found("net/forwarding-off", &format!("{bridge}; echo 1 > /proc/sys/net/ipv4/ip_forward"));
    assert!(on.iter().all(|(severity, _)| severity == "info"), "{on:?}");
}
