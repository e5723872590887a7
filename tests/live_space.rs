//! A file system that is really full, on this host: a tmpfs in a name space of its own, which needs no root.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

/// Runs a shell script that may mount.
fn in_own_name_space(script: &str, mount_point: &Path) -> std::io::Result<Output> {
    Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-ec", script, "sh"])
        .arg(mount_point)
        .arg(env!("CARGO_BIN_EXE_hostvet"))
        .output()
}

/// Whether this host lets an ordinary user mount a tmpfs.
fn may_mount(mount_point: &Path) -> bool {
    in_own_name_space(r#"mount -t tmpfs -o size=1m none "$1""#, mount_point)
        .is_ok_and(|output| output.status.success())
}

/// What storage/space says of a tmpfs of 1 MiB with so many KiB in it.
fn findings(kib: u32, mount_point: &Path) -> Vec<Value> {
    let script = format!(
        r#"mount -t tmpfs -o size=1m none "$1"; head -c {kib}k /dev/zero > "$1/file"
        status=0; "$2" check --select storage/space --format json || status=$?; [ $status -le 1 ]"#
    );
    let output = in_own_name_space(&script, mount_point).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let here = mount_point.to_str().unwrap();
    let all = report["findings"].as_array().expect("a report has findings").clone();
    all.into_iter().filter(|finding| finding["item"] == here).collect()
}

#[test]
fn a_tmpfs_of_this_host_is_found_full() {
    let directory = tempfile::tempdir().unwrap();
    // As the mount table has it: where the temporary directory is reached by a link, its target.
    let mount_point = directory.path().canonicalize().unwrap();
    if !may_mount(&mount_point) {
        eprintln!("skipped: unshare(1) or mounting is refused here");
        return;
    }
    let full = findings(1016, &mount_point);
    let [finding] = full.as_slice() else { panic!("{full:?}") };
    assert_eq!(finding["severity"], "critical");
    let message = finding["message"].as_str().unwrap();
    assert!(message.contains("99.22 % full: 8 KiB of 1 MiB left (tmpfs on none)"), "{message}");
    assert_eq!(findings(512, &mount_point), Vec::<Value>::new());
}
