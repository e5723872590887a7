//! The facts of the network, and of the CPUs that serve it, against what other programs make of the same files: node_exporter's
//! fixtures with the metrics that its own end-to-end test expects of them, and hwloc's machines. They are no part of this
//! repository: `HOSTVET_REALDATA` tells where they are.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use hostvet::fact::{Facts, position};
use hostvet::model::{View, json};
use hostvet::source::{Directory, Host, Target};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

/// A metric with its labels: `node_softnet_dropped_total{cpu="1"} 41`.
struct Metric {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

fn metric(line: &str) -> Option<Metric> {
    let (left, value) = line.rsplit_once(' ')?;
    let (name, labels) = left.split_once('{').unwrap_or((left, ""));
    let labels = labels.trim_end_matches('}').split("\",").filter_map(|pair| {
        let (label, value) = pair.split_once("=\"")?;
        Some((label.to_owned(), value.trim_end_matches('"').to_owned()))
    });
    Some(Metric { name: name.to_owned(), labels: labels.collect(), value: value.parse().ok()? })
}

/// The fixtures' facts and metrics; none where they are not.
fn fixtures() -> Option<(Facts, Vec<Metric>)> {
    let Some(data) = env::var_os("HOSTVET_REALDATA").map(PathBuf::from) else {
        eprintln!("skipped: HOSTVET_REALDATA is not set");
        return None;
    };
    let root = data.join("node_exporter/collector/fixtures");
    let Ok(text) = fs::read_to_string(root.join("e2e-output.txt")) else {
        eprintln!("skipped: {} has no e2e-output.txt", root.display());
        return None;
    };
    let host = Host::new(Directory::open(&root).unwrap(), Target::root("fixtures"));
    let metrics = text.lines().filter(|line| !line.starts_with('#')).filter_map(metric).collect();
    Some((Facts::new(host), metrics))
}

fn fact(facts: &Facts, name: &str) -> Value {
    let text = json(facts.get(position(name).unwrap()).map(View::Record)).to_string();
    serde_json::from_str(&text).unwrap()
}

/// Every metric of this prefix with what `ours` has for it; `None` for what hostvet does not read. As many as `least` are.
fn agree(metrics: &[Metric], prefix: &str, least: usize, ours: impl Fn(&str, &Metric) -> Option<Value>) {
    let mut compared = 0;
    for metric in metrics {
        let Some(rest) = metric.name.strip_prefix(prefix) else { continue };
        if let Some(value) = ours(rest, metric) {
            compared += 1;
            let value = value.as_bool().map_or_else(|| value.as_f64(), |yes| Some(f64::from(u8::from(yes))));
            assert_eq!(value, Some(metric.value), "{} {:?}", metric.name, metric.labels);
        }
    }
    assert!(compared >= least, "only {compared} of {prefix}* were compared");
}

/// Where the fact has the CPU that a metric is of.
fn column(fact: &Value, metric: &Metric) -> Option<usize> {
    let cpu: u64 = metric.labels["cpu"].parse().ok()?;
    fact["cpus"].as_array()?.iter().position(|n| n.as_u64() == Some(cpu))
}

#[test]
fn softnet_agrees() {
    let Some((facts, metrics)) = fixtures() else { return };
    let softnet = fact(&facts, "softnet");
    agree(&metrics, "node_softnet_", 20, |name, metric| {
        let field = match name {
            "processed_total" => "processed",
            "dropped_total" => "dropped",
            "times_squeezed_total" => "time_squeeze",
            "received_rps_total" => "received_rps",
            "flow_limit_count_total" => "flow_limit",
            // A column that the kernel of the fixtures did not print yet, and one that none prints any more.
            _ => return None,
        };
        let cpu: usize = metric.labels["cpu"].parse().unwrap();
        Some(softnet["cpus"][cpu][field].clone())
    });
}

#[test]
fn conntrack_agrees() {
    let Some((facts, metrics)) = fixtures() else { return };
    let conntrack = fact(&facts, "conntrack");
    agree(&metrics, "node_nf_conntrack_", 7, |name, _| {
        let field = match name {
            "entries" => "count",
            "entries_limit" => "max",
            "stat_drop"
            | "stat_early_drop"
            | "stat_insert_failed"
            | "stat_invalid"
            | "stat_search_restart" => &name[5..],
            _ => return None,
        };
        Some(conntrack[field].clone())
    });
}

#[test]
fn interfaces_agree() {
    let Some((facts, metrics)) = fixtures() else { return };
    let interfaces = fact(&facts, "interfaces");
    let list = interfaces["list"].as_array().unwrap();
    agree(&metrics, "node_network_", 13, |name, metric| {
        let device = metric.labels.get("device")?;
        let interface = list.iter().find(|interface| interface["name"] == device.as_str())?;
        Some(match name {
            "mtu_bytes" => interface["mtu"].clone(),
            "flags" => interface["flags"]["bits"].clone(),
            "carrier" => interface["carrier"].clone(),
            "carrier_changes_total" => interface["carrier_changes"].clone(),
            "protocol_type" => interface["hardware_type"].clone(),
            "speed_bytes" => Value::from(interface["speed_mbit"].as_u64()? * 125_000),
            "up" => Value::from(interface["operstate"] == "up"),
            "info" => {
                for label in ["duplex", "operstate"] {
                    assert_eq!(interface[label], metric.labels[label].as_str(), "{device} {label}");
                }
                Value::from(1)
            }
            _ => return None,
        })
    });
}

/// The other program names a line by number, device and CPU, and has the chip and its signal in `info`.
#[test]
fn interrupts_agree() {
    let Some((facts, metrics)) = fixtures() else { return };
    let interrupts = fact(&facts, "interrupts");
    agree(&metrics, "node_interrupts_", 100, |_, metric| {
        let lines = interrupts["list"].as_array().unwrap();
        let line = lines.iter().find(|line| line["irq"] == metric.labels["type"].as_str())?;
        let cpu = column(&interrupts, metric)?;
        if metric.labels["type"].parse::<u32>().is_ok() {
            assert_eq!(line["actions"], metric.labels["devices"].as_str());
        }
        Some(line["counts"][cpu].clone())
    });
}

#[test]
fn softirqs_agree() {
    let Some((facts, metrics)) = fixtures() else { return };
    let softirqs = fact(&facts, "softirqs");
    agree(&metrics, "node_softirqs_functions_", 20, |_, metric| {
        let cpu = column(&softirqs, metric)?;
        Some(softirqs["kinds"][&metric.labels["type"]]["counts"][cpu].clone())
    });
}

/// Machines of twenty years, of many architectures, in hwloc's own tests: the number of cores that it tells of each.
#[test]
fn cores_agree_with_hwloc() {
    let Some(data) = env::var_os("HOSTVET_REALDATA").map(PathBuf::from) else {
        eprintln!("skipped: HOSTVET_REALDATA is not set");
        return;
    };
    let machines = [
        "128arm-2pa2n8cluster4co",
        "16amd64-8n2c",
        "2arm-2c",
        "2pa-pcidomain32bits",
        "2ps3-2t",
        "32intel64-2p8co2t+8ve",
        "40intel64-4n10c+pci-conflicts",
        "48amd64-4pa2n6c-sparse",
        "8em64t-2s4c-asymcaches",
        "nvidiagpunumanodes",
    ];
    for machine in machines {
        let tests = data.join("hwloc/tests/hwloc/linux");
        let place = tempfile::tempdir().unwrap();
        let archive = tests.join(format!("{machine}.tar.bz2"));
        let unpacked = Command::new("tar").arg("-xjf").arg(&archive).arg("-C").arg(place.path()).status();
        if !unpacked.is_ok_and(|status| status.success()) {
            eprintln!("skipped: {} cannot be unpacked", archive.display());
            return;
        }
        let root = fs::read_dir(place.path()).unwrap().next().unwrap().unwrap().path();
        let told = fs::read_to_string(tests.join(format!("{machine}.console"))).unwrap();
        let facts = Facts::new(Host::new(Directory::open(&root).unwrap(), Target::root(machine)));
        assert_eq!(fact(&facts, "cpu")["cores"], told.matches("Core L#").count(), "{machine}");
    }
}
