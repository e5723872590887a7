//! The examples of docs/ci do what they say: their commands are run as a job would run them, on what a job would have built.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Command;

/// The commands of an example that run hostvet, as its shell gets them.
fn commands(example: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ci").join(example);
    let text = fs::read_to_string(path).unwrap();
    let commands = text.lines().map(str::trim).filter(|line| !line.starts_with('#')).filter_map(|line| {
        let line = line.strip_prefix("- ").unwrap_or(line);
        let line = line.strip_prefix("run: ").unwrap_or(line);
        let line = line.strip_prefix('"').and_then(|line| line.strip_suffix("\",")).unwrap_or(line);
        line.starts_with("hostvet ").then(|| line.to_owned())
    });
    commands.collect()
}

/// The files of a root tree; with a key of the builder's in it, or without.
fn files(left_behind: bool) -> Vec<(&'static str, &'static str)> {
    let mut files = vec![
        ("etc/os-release", "ID=debian\nVERSION_ID=12\n"),
        ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
        ("etc/group", "root:x:0:\n"),
        ("etc/machine-id", ""),
        ("bin/sh", "#!"),
        ("root/.profile", ""),
    ];
    if left_behind {
        files.push(("etc/ssh/ssh_host_ed25519_key", "-----BEGIN OPENSSH PRIVATE KEY-----\n"));
    }
    files
}

fn tar(files: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, contents) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(contents.len() as u64);
        header.set_mode(if path.starts_with("bin/") { 0o755 } else { 0o600 });
        tar.append_data(&mut header, path, contents.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap()
}

/// What `docker save` writes of an image of one layer.
fn docker_save(files: &[(&str, &str)]) -> Vec<u8> {
    let layer = tar(files);
    let config = r#"{"architecture":"amd64","os":"linux","config":{"Cmd":["/bin/sh"],"User":"1000"},"rootfs":{"type":"layers"}}"#;
    let manifest = r#"[{"Config":"config.json","RepoTags":["app:ci"],"Layers":["layer.tar"]}]"#;
    let mut tar = tar::Builder::new(Vec::new());
    for (path, contents) in
        [("manifest.json", manifest.as_bytes()), ("config.json", config.as_bytes()), ("layer.tar", &layer)]
    {
        let mut header = tar::Header::new_gnu();
        header.set_size(contents.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, contents).unwrap();
    }
    tar.into_inner().unwrap()
}

/// Runs a command in a directory that holds what was built, and tells how it ended and what it wrote.
fn run(command: &str, left_behind: bool) -> (Option<i32>, String) {
    let work = tempfile::tempdir().unwrap();
    let files = files(left_behind);
    fs::write(work.path().join("app.tar"), docker_save(&files)).unwrap();
    fs::write(work.path().join("rootfs.tar"), tar(&files)).unwrap();
    // Of a disk image hostvet sees the root tree: here it is that tree itself.
    tar::Archive::new(&tar(&files)[..]).unpack(work.path().join("build/image.qcow2")).unwrap();
    let hostvet = Path::new(env!("CARGO_BIN_EXE_hostvet")).parent().unwrap();
    let path = format!("{}:{}", hostvet.display(), std::env::var("PATH").unwrap_or_default());
    // As the shells of all three do: the first failure ends the step.
    let ran =
        Command::new("sh").args(["-ec", command]).current_dir(&work).env("PATH", path).output().unwrap();
    let mut told = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    told += &fs::read_to_string(work.path().join("hostvet.json")).unwrap_or_default();
    (ran.status.code(), told)
}

#[test]
fn a_finding_fails_the_job_and_no_finding_does_not() {
    for (example, count) in [("github.yml", 3), ("gitlab.yml", 2), ("packer.pkr.hcl", 1)] {
        let commands = commands(example);
        assert_eq!(commands.len(), count, "{example}: {commands:#?}");
        for command in commands {
            let (sound, told) = run(&command, false);
            // A tree this small leaves something unjudged, which only those fail on that ask for it.
            let passed = if command.contains("--fail-on-unknown") {
                matches!(sound, Some(0 | 3))
            } else {
                sound == Some(0)
            };
            assert!(passed, "{example}: {command}: {sound:?}\n{told}");
            let (found, told) = run(&command, true);
            let expected = if command.contains("--fail-on never") { 0 } else { 1 };
            assert_eq!(found, Some(expected), "{example}: {command}\n{told}");
            assert!(told.contains("image/ssh-host-keys"), "{example}: {command}\n{told}");
        }
    }
}

#[test]
fn the_report_that_is_kept_is_json() {
    let report =
        commands("gitlab.yml").into_iter().find(|command| command.contains("--format json")).unwrap();
    let (_, told) = run(&report, true);
    serde_json::from_str::<serde_json::Value>(&told).unwrap();
}

#[test]
fn the_readme_quotes_what_the_examples_do() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    for example in ["github.yml", "gitlab.yml", "packer.pkr.hcl"] {
        assert!(readme.contains(&format!("(docs/ci/{example})")), "{example} is linked");
        let gate = commands(example).into_iter().find(|command| !command.contains("never")).unwrap();
        assert!(readme.contains(&gate), "{gate}");
    }
}
