//! The program as its users meet it: what goes in, what comes out, and the exit status.
//!
//! Transcripts of what is printed lie in `tests/cli/*.toml`; what needs odd files is made here.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

fn hostvet(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hostvet")).args(args).env_remove("NO_COLOR").output().unwrap()
}

fn check(root: &Path, args: &[&str]) -> (i32, String, String) {
    let mut all = vec!["check", root.to_str().unwrap()];
    all.extend(args);
    status(&hostvet(&all))
}

fn status(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let code = output.status.code().expect("hostvet was killed by a signal");
    (code, text(&output.stdout), text(&output.stderr))
}

fn root() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("etc/security/limits.d")).unwrap();
    fs::create_dir_all(dir.path().join("etc/sysctl.d")).unwrap();
    dir
}

fn rule(directory: &Path, text: &str) {
    fs::create_dir_all(directory.join("test")).unwrap();
    fs::write(directory.join("test/one.toml"), text).unwrap();
}

/// A rule that loads, with room for one mistake at a time.
const RULE: &str = r#"
title    = "panics on OOM"
severity = "warning"
problem  = "sysctl['vm.panic_on_oom'] != 0"
message  = "vm.panic_on_oom is {sysctl['vm.panic_on_oom']}"
why      = "a host that panics when memory runs out takes every service with it, not only the one that was greedy"
remedy   = "sysctl -w vm.panic_on_oom=0, and remove it from the file that sets it"
references = ["kernel:admin-guide/sysctl/vm.html"]
"#;

#[test]
fn transcripts() {
    trycmd::TestCases::new().case("tests/cli/*.trycmd").case("README.md");
}

#[test]
fn a_profile_chooses_rules_and_says_what_a_tree_is_taken_for() {
    let dir = root();
    fs::write(dir.path().join("etc/machine-id"), "4f1d2c3b8a674e5d9c0b1a2b3c4d5e6f\n").unwrap();
    fs::write(dir.path().join("etc/sysctl.d/60-oom.conf"), "vm.panic_on_oom = 1\n").unwrap();
    let found = |args: &[&str]| check(dir.path(), &[&["-q"], args].concat());
    let (panics, machine_id) = ("memory/panic-on-oom", "image/machine-id");
    let plain = found(&[]).1;
    assert!(plain.contains(panics) && !plain.contains(machine_id), "{plain}");
    let (code, image, _) = found(&["--profile", "image"]);
    assert!(code == 1 && image.contains(panics) && image.contains(machine_id), "{image}");
    assert_eq!(found(&["--profile", "reboot"]).1, "");
    assert!(found(&["--profile", "cron"]).1.contains(panics));
    let (code, _, said) = status(&hostvet(&["check", "--profile", "image"]));
    assert!(code == 2 && said.contains("a running host is no image"), "{said}");
}

#[test]
fn what_findings_of_one_rule_share_is_said_once() {
    let dir = root();
    fs::create_dir_all(dir.path().join("etc/ssh")).unwrap();
    for key in ["ssh_host_ed25519_key", "ssh_host_rsa_key"] {
        fs::write(dir.path().join("etc/ssh").join(key), "x\n").unwrap();
    }
    let (_, out, _) = check(dir.path(), &["--profile", "image", "--select", "image/ssh-host-keys"]);
    assert_eq!(out.matches("critical image/ssh-host-keys").count(), 2, "{out}");
    assert_eq!(out.matches("rm -f /etc/ssh/ssh_host_*_key").count(), 1, "{out}");
    assert_eq!(out.matches("  remedy as above\n").count(), 1, "{out}");
}

#[test]
fn exit_status_follows_fail_on_in_every_format() {
    let dir = root();
    fs::write(dir.path().join("etc/sysctl.d/60-oom.conf"), "vm.panic_on_oom = 1\n").unwrap();
    for format in ["human", "json"] {
        let status = |args: &[&str]| {
            let mut all = vec!["--select", "memory/panic-on-oom", "--format", format];
            all.extend(args);
            check(dir.path(), &all).0
        };
        assert_eq!(status(&[]), 1, "{format}: a warning fails by default");
        assert_eq!(status(&["--fail-on", "critical"]), 0, "{format}");
        assert_eq!(status(&["--fail-on", "info"]), 1, "{format}");
        assert_eq!(status(&["--fail-on", "never"]), 0, "{format}");
    }
}

#[test]
fn what_is_the_same_of_many_files_is_said_once() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sosreports/rhel-9/root");
    let open = |out: &str| out.split("could not be judged\n").nth(1).unwrap().to_owned();
    let (_, out, _) = check(&root, &[]);
    let normal = open(&out);
    assert_eq!(normal.matches("was not collected by sosreport:").count(), 1, "{normal}");
    assert_eq!(normal.matches("login/libraries-missing").count(), 1, "{normal}");
    assert!(
        normal.contains("    /etc/passwd: login/account-twice, ") && normal.contains(" more, which -v shows")
    );
    let (_, out, _) = check(&root, &["-v"]);
    let verbose = open(&out);
    assert!(verbose.matches("login/libraries-missing").count() > 1, "{verbose}");
    assert!(!verbose.contains("which -v shows"), "{verbose}");
}

#[test]
fn what_cannot_be_judged_fails_only_when_asked() {
    let dir = root();
    symlink("60-oom.conf", dir.path().join("etc/sysctl.d/60-oom.conf")).unwrap();
    let select = ["--select", "memory/panic-on-oom"];
    let (code, out, _) = check(dir.path(), &select);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("could not be judged"), "{out}");
    assert_eq!(check(dir.path(), &["--select", "memory/panic-on-oom", "--fail-on-unknown"]).0, 3);
}

#[test]
fn quiet_and_clean_prints_nothing() {
    let dir = root();
    assert_eq!(
        check(dir.path(), &["-q", "--select", "memory/panic-on-oom"]),
        (0, String::new(), String::new())
    );
}

#[test]
fn a_wrong_rule_is_shown_with_place_and_help_and_the_others_run() {
    let dir = root();
    fs::write(dir.path().join("etc/sysctl.d/60-oom.conf"), "vm.panic_on_oom = 1\n").unwrap();
    let cases = [
        ("sysctl['vm.panic_on_oom'] != 0", "sysclt['vm.panic_on_oom'] != 0", "did you mean `sysctl`?"),
        ("sysctl['vm.panic_on_oom'] != 0", "sysctl['vm.panic_on_oom'] && true", "a bool is wanted"),
        (
            "sysctl['vm.panic_on_oom'] != 0",
            "sysctl['vm.panic_on_oom'].runing != '0'",
            "did you mean `running`?",
        ),
        ("sysctl['vm.panic_on_oom'] != 0", "memory.free_kib == 'x'", "cannot be compared"),
        ("sysctl['vm.panic_on_oom'] != 0", "1 < 2 < 3", "cannot follow another comparison"),
        ("sysctl['vm.panic_on_oom'] != 0", "true and false", "write `&&`"),
        ("problem  =", "probelm  =", "did you mean `problem`?"),
        ("severity = \"warning\"", "severity = \"bad\"", "severity"),
        ("title    = \"panics on OOM\"", "", "missing field `title`"),
        ("title    = \"panics on OOM\"", "title = ", "test/one.toml:2:"),
    ];
    for (from, to, told) in cases {
        let rules = tempfile::tempdir().unwrap();
        rule(rules.path(), &RULE.replace(from, to));
        let dirs = rules.path().to_str().unwrap();
        let (code, out, err) = check(dir.path(), &["--rules", dirs, "--fail-on", "never"]);
        assert_eq!(code, 2, "{to}: {err}");
        assert!(err.contains(told), "{to}: {err}");
        assert!(err.contains("test/one.toml:"), "{to}: {err}");
        assert!(out.contains("memory/panic-on-oom"), "{to}: the other rules did not run: {out}");
    }
}

#[test]
fn a_rule_without_cases_loads_but_is_no_good() {
    let rules = tempfile::tempdir().unwrap();
    rule(rules.path(), RULE);
    let dirs = rules.path().to_str().unwrap();
    let (code, _, err) = status(&hostvet(&["rules", "lint", "test/*", "--rules", dirs]));
    assert_eq!(code, 2);
    for told in ["no case expects a finding", "no case expects a pass", "no case shows what is not known"] {
        assert!(err.contains(told), "{err}");
    }
}

#[test]
fn a_case_that_does_not_hold_fails_the_test_run() {
    let rules = tempfile::tempdir().unwrap();
    let case = "[[case]]\nname = \"wrong\"\nfiles.\"/proc/sys/vm/panic_on_oom\" = \"0\\n\"\nexpect = \"vm.panic_on_oom is 0\"\n";
    rule(rules.path(), &format!("{RULE}\n{case}"));
    let dirs = rules.path().to_str().unwrap();
    let (code, out, _) = status(&hostvet(&["rules", "test", "test/*", "--rules", dirs]));
    assert_eq!(code, 1, "{out}");
    assert!(
        out.contains("test/one: wrong") && out.contains("pass:") && out.contains("0 passed, 1 failed"),
        "{out}"
    );
}

#[test]
fn a_rule_that_nests_without_end_is_an_error_and_no_crash() {
    let dir = root();
    for nested in [
        format!("{}true{}", "(".repeat(3000), ")".repeat(3000)),
        format!("{}true", "!".repeat(3000)),
        "[".repeat(4000),
        format!("true{}", " ? true : true".repeat(500)),
        format!("true{}", " && true".repeat(2000)),
    ] {
        let rules = tempfile::tempdir().unwrap();
        rule(rules.path(), &RULE.replace("sysctl['vm.panic_on_oom'] != 0", &nested));
        let (code, _, err) =
            check(dir.path(), &["--rules", rules.path().to_str().unwrap(), "--select", "memory/*"]);
        assert_eq!(code, 2, "{err}");
        assert!(err.contains("error"), "{err}");
    }
}

#[test]
fn a_wrong_configuration_is_shown_with_its_place() {
    let dir = root();
    let config = dir.path().join("config.toml");
    let cases: [(&[u8], &str); 7] = [
        (b"\x00\xff garbage", "valid UTF-8"),
        (b"this is = = not toml", "config.toml:1:"),
        (b"fail-on = \"info\"", "did you mean `fail_on`?"),
        (b"fail_on = \"sometimes\"", "unknown variant `sometimes`"),
        (b"[params.\"memory/panic-on-om\"]\nx = 1", "did you mean `memory/panic-on-oom`?"),
        (b"[[waiver]]\nrule = \"a/b\"\nreason = \"x\"\nexpires = \"soon\"", "is no date"),
        (b"[params.\"memory/available-low\"]\nwarning_percent = \"ten\"", "does not fit the parameter"),
    ];
    for (text, told) in cases {
        fs::write(&config, text).unwrap();
        let (code, _, err) = check(dir.path(), &["--config", config.to_str().unwrap()]);
        assert_eq!(code, 2, "{err}");
        assert!(err.contains(told), "{told}: {err}");
    }
}

#[test]
fn usage_mistakes_exit_with_2() {
    let dir = root();
    let root = dir.path().to_str().unwrap();
    let empty = tempfile::tempdir().unwrap();
    let empty = empty.path().to_str().unwrap();
    for args in [
        &["check", "/no/such/target"][..],
        &["check", "/etc/passwd"],
        &["check", empty],
        &["check", concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/hosts")],
        &["check", root, "--select", "limits/nosuch"],
        &["check", root, "--select", "[z-"],
        &["check", root, "--assume", "memory=lots"],
        &["check", root, "--assume", "disks=2"],
        &["check", root, "--rules", "/no/such/rules"],
        &["check", root, "--format", "xml"],
        &["explain", "memory/panic-on-om"],
        &["facts", "memroy"],
        &["rules", "new", "No/Such Name"],
        &["nonsense"],
    ] {
        let (code, _, err) = status(&hostvet(args));
        assert_eq!(code, 2, "{args:?}: {err}");
        assert!(!err.trim().is_empty(), "{args:?} says nothing");
        assert!(!err.contains("panicked"), "{args:?}: {err}");
    }
    assert!(status(&hostvet(&["facts", "memroy"])).2.contains("did you mean `memory`?"));
}

#[test]
fn waivers_move_findings_and_tell_when_they_are_of_no_use() {
    let dir = root();
    fs::write(dir.path().join("etc/sysctl.d/60-oom.conf"), "vm.panic_on_oom = 1\n").unwrap();
    let config = dir.path().join("config.toml");
    let waiver = |expires: &str| {
        format!(
            "[[waiver]]\nrule = \"memory/panic-*\"\nreason = \"appliance\"\nowner = \"ops\"\nexpires = \"{expires}\"\n"
        )
    };
    let run = |text: &str| {
        fs::write(&config, text).unwrap();
        check(dir.path(), &["--config", config.to_str().unwrap(), "--select", "memory/panic-on-oom"])
    };
    let (code, out, err) = run(&waiver("2999-12-31"));
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("appliance, ops, until 2999-12-31"), "{out}");
    let (code, _, err) = run(&waiver("2001-01-01"));
    assert_eq!(code, 1);
    assert!(err.contains("expired on 2001-01-01"), "{err}");
    fs::remove_file(dir.path().join("etc/sysctl.d/60-oom.conf")).unwrap();
    let (code, _, err) = run(&waiver("2999-12-31"));
    assert_eq!(code, 0);
    assert!(err.contains("covers no finding"), "{err}");
}

#[test]
fn parameters_come_from_the_configuration() {
    let dir = root();
    fs::create_dir_all(dir.path().join("proc")).unwrap();
    let meminfo = "MemTotal: 1000000 kB\nMemFree: 100000 kB\nMemAvailable: 200000 kB\n";
    fs::write(dir.path().join("proc/meminfo"), meminfo).unwrap();
    let select = ["--select", "memory/available-low"];
    assert_eq!(check(dir.path(), &select).0, 0);
    let config = dir.path().join("config.toml");
    fs::write(&config, "[params.\"memory/available-low\"]\nwarning_percent = 30\n").unwrap();
    let (code, out, err) =
        check(dir.path(), &["--select", "memory/available-low", "--config", config.to_str().unwrap()]);
    assert_eq!(code, 1, "{out}{err}");
}

#[test]
fn hostile_roots_are_survived_and_told() {
    let dir = root();
    let path = |below: &str| dir.path().join(below);
    nix::unistd::mkfifo(&path("etc/fstab"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    fs::write(path("etc/passwd"), vec![0; 100_000]).unwrap();
    fs::write(path("etc/group"), b"root:x:0:\nbr\xff\xfeken\n").unwrap();
    symlink("loop", path("etc/pam.d")).unwrap();
    symlink("pam.d", path("etc/loop")).unwrap();
    symlink("/etc/shadow", path("etc/shadow")).unwrap();
    // A hole of 1 GB costs nothing to make, and must cost nothing to refuse.
    fs::File::create(path("etc/security/limits.conf")).unwrap().set_len(1 << 30).unwrap();
    let (code, out, err) = check(dir.path(), &["-v", "--fail-on", "never"]);
    assert_eq!(code, 0, "{err}");
    assert!(!err.contains("panicked"), "{err}");
    assert!(out.contains("/etc/fstab: is a FIFO"), "{out}");
    assert!(out.contains("/etc/security/limits.conf: is larger than"), "{out}");
    assert!(out.contains("links lead in a circle"), "{out}");
    assert!(!out.contains("root:x:0:0"), "the host's own files show through: {out}");
}

#[test]
fn terminal_escapes_of_a_hostile_file_are_shown_not_obeyed() {
    let dir = root();
    fs::write(dir.path().join("etc/sysctl.d/60-oom.conf"), "vm.panic_on_oom = 1\x1b[2J\x1b]0;owned\x07\n")
        .unwrap();
    let (_, out, _) = check(dir.path(), &["-v", "--color", "never"]);
    assert!(!out.contains('\x1b') && !out.contains('\x07'), "{out:?}");
    let (_, out, _) = check(dir.path(), &["--format", "json"]);
    assert!(!out.contains('\x1b') && !out.contains('\x07'), "{out:?}");
}

#[test]
fn the_same_bytes_give_the_same_report() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hosts/debian-12/root");
    for format in ["human", "json"] {
        let run = || check(&root, &["--format", format, "-v"]);
        assert_eq!(run(), run());
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let command = format!("{} facts --describe | head -1", env!("CARGO_BIN_EXE_hostvet"));
    let output = Command::new("bash").args(["-c", &format!("set -o pipefail; {command}")]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_new_rule_is_one_file_that_keeps_every_law() {
    let rules = tempfile::tempdir().unwrap();
    let dir = rules.path().to_str().unwrap();
    let (code, out, err) = status(&hostvet(&["rules", "new", "site/swappiness", "--dir", dir]));
    assert_eq!(code, 0, "{err}");
    assert!(out.trim().ends_with("site/swappiness.toml"));
    for args in [
        &["rules", "lint", "site/*", "--rules", dir][..],
        &["rules", "test", "site/*", "--rules", dir],
        &["rules", "test", "--mutate", "site/*", "--rules", dir],
    ] {
        let (code, out, err) = status(&hostvet(args));
        assert_eq!(code, 0, "{args:?}: {out}{err}");
    }
    assert_eq!(status(&hostvet(&["rules", "new", "site/swappiness", "--dir", dir])).0, 2, "overwritten");
}

#[test]
fn help_and_completions_work_for_every_subcommand() {
    for args in [
        &["--help"][..],
        &["check", "--help"],
        &["facts", "--help"],
        &["rules", "--help"],
        &["rules", "test", "--help"],
        &["explain", "--help"],
        &["completions", "bash"],
        &["--version"],
    ] {
        let (code, out, _) = status(&hostvet(args));
        assert_eq!(code, 0, "{args:?}");
        assert!(out.contains("hostvet"), "{args:?}");
    }
}

#[test]
fn the_schema_is_json_and_names_every_fact() {
    let (code, out, _) = status(&hostvet(&["facts", "--schema"]));
    assert_eq!(code, 0);
    let schema: serde_json::Value = serde_json::from_str(&out).unwrap();
    for kind in hostvet::fact::kinds() {
        assert!(schema["properties"].get(kind.name).is_some(), "{}", kind.name);
    }
}

#[test]
fn two_readings_are_of_a_running_host() {
    let (code, out, err) = check(root().path(), &["--sample", "1s"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("--sample is for a running host"), "{err}");
    for bad in ["1", "10ms", "2h", "soon"] {
        let (code, _, err) = status(&hostvet(&["check", "--sample", bad]));
        assert!(code == 2 && err.contains("--sample"), "{bad}: {err}");
    }
    let (_, out, _) =
        status(&hostvet(&["check", "--sample", "1s", "--format", "json", "--select", "load/cpu-hog"]));
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert!(report["sample_seconds"].as_f64().unwrap() >= 1.0, "{out}");
    let (_, out, _) = status(&hostvet(&["check", "--format", "json", "--select", "memory/swapping"]));
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert!(report["sample_seconds"].is_null());
    let reason = report["not_applicable"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("needs two readings: --sample 1s"), "{reason}");
    let (_, out, _) = status(&hostvet(&["check", "--select", "memory/swapping"]));
    assert!(out.contains("1 not applicable (1 for want of --sample 1s)"), "{out}");
    let (_, out, _) = status(&hostvet(&["facts", "sampling", "--sample", "1s"]));
    assert!(out.contains("\"seconds\": 1"), "{out}");
}

/// What the README shows first is what hostvet says of incidents, each by a rule of its own.
#[test]
fn the_findings_that_the_readme_begins_with_are_those_of_incidents() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let shown = readme.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    let incidents = [
        "kernel-without-initrd",
        "pam-module-missing",
        "limits-above-nr-open",
        "iptables-lets-no-ssh-in",
        "min-free-hides-from-available",
    ];
    assert_eq!(shown.lines().count(), incidents.len());
    for (line, incident) in shown.lines().zip(incidents) {
        let root =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/incidents").join(incident).join("root");
        let (code, out, _) = check(&root, &["-q"]);
        assert!(code == 1 && out.lines().any(|said| said == line), "{incident}: {line}\n{out}");
    }
}

/// A pipeline that ends with `head` is a gate as any other.
#[test]
fn whoever_stops_reading_does_not_change_the_status() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/incidents/limits-above-nr-open/root");
    for format in ["human", "json"] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_hostvet"))
            .args(["check", root.to_str().unwrap(), "-v", "--format", format])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        assert_eq!(child.wait().unwrap().code(), Some(1), "{format}");
    }
}

/// A shell tells by the status whether somebody wanted the end: so it must end by the signal, and not by an exit of its own.
#[test]
fn a_signal_ends_it_as_the_shell_expects() {
    use nix::sys::signal::{Signal, kill};
    use std::os::unix::process::ExitStatusExt;
    let run = |before: &str, sample: &str, signal| {
        let exec = format!("{before} exec \"$0\" check -q --select sysctl --sample {sample} --fail-on never");
        let mut child = Command::new("sh")
            .args(["-c", &exec, env!("CARGO_BIN_EXE_hostvet")])
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(700));
        kill(nix::unistd::Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
        child.wait().unwrap()
    };
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        assert_eq!(run("", "60s", signal).signal(), Some(signal as i32), "{signal}");
    }
    // As nohup(1) does it.
    assert_eq!(run("trap '' HUP;", "2s", Signal::SIGHUP).code(), Some(0));
}
