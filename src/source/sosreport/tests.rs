use super::super::{Files, Host, Target};
use super::*;

const MANIFEST: &str = r#"{"version": "4.8.2", "cmdline": "report --batch", "components": {"report": {"sysroot": "/",
    "plugins": {"pam": {"timeout_hit": false}, "kernel": {}, "date": {}, "cron": {"timeout_hit": true}}}}}"#;

fn files(manifest: &str) -> Files {
    let mut files = Files::new();
    files.file("/etc/pam.d/login", "auth required pam_unix.so\n").file("/usr/lib/sysctl.d/a.conf", "");
    files
        .link("/lib", "usr/lib")
        .link("/etc/pam.d/shadow", "/etc/shadow")
        .file("/sos_commands/host/uptime", "x");
    files.link("/etc/localtime", "../usr/share/zoneinfo/UTC");
    files.file("/sos_reports/manifest.json", manifest).link("/etc/sysctl.d/b.conf", "../../dev/null");
    files
}

fn state(files: &Files, path: &str) -> Result<(), bool> {
    let host = Host::new(files.clone(), Target::root("x"));
    let found = host.source.read(Path::new(path), 100);
    found.map(|_| ()).map_err(|missing| missing == Missing::Absent || !missing.is_not_collected())
}

const ABSENT: Result<(), bool> = Err(true);
const NOT_COLLECTED: Result<(), bool> = Err(false);

#[test]
fn only_what_would_have_been_copied_is_absent() {
    let files = files(MANIFEST);
    for (path, expected) in [
        ("/etc/pam.d/login", Ok(())),
        ("/etc/pam.d/sshd", ABSENT),
        ("/etc/passwd", NOT_COLLECTED),
        ("/etc/pam.conf", NOT_COLLECTED),
        // /lib/sysctl.d by its other name.
        ("/usr/lib/sysctl.d/b.conf", ABSENT),
        ("/lib/sysctl.d/b.conf", ABSENT),
        // Not before 4.12.
        ("/run/sysctl.d/b.conf", NOT_COLLECTED),
        // Links into what was not collected.
        ("/etc/pam.d/shadow", NOT_COLLECTED),
        // Of a link that a plugin names the file is copied as well.
        ("/etc/localtime", ABSENT),
        ("/etc/adjtime", ABSENT),
        ("/etc/sysctl.d/b.conf", ABSENT),
        // A plugin that did not run, and one that was stopped.
        ("/etc/login.defs", NOT_COLLECTED),
        ("/etc/crontab", NOT_COLLECTED),
        ("/sos_commands/kernel/dmesg", NOT_COLLECTED),
        ("/../etc/pam.d/./sshd", ABSENT),
    ] {
        assert_eq!(state(&files, path), expected, "{path}");
    }
}

/// sosreport makes absolute links relative.
#[test]
fn masks_are_told_as_they_were() {
    let host = Host::new(files(MANIFEST), Target::root("x"));
    let link = |path: &str| host.source.read_link(Path::new(path)).unwrap();
    assert_eq!(link("/etc/sysctl.d/b.conf"), Path::new("/dev/null"));
    assert_eq!(link("/etc/localtime"), Path::new("../usr/share/zoneinfo/UTC"));
}

#[test]
fn directories_are_whole_or_not_listed() {
    let host = Host::new(files(MANIFEST), Target::root("x"));
    assert_eq!(host.names("/etc/pam.d"), Ok(vec!["login".into(), "shadow".into()]));
    assert_eq!(host.names("/sos_commands/host"), Ok(vec!["uptime".into()]));
    for path in ["/etc", "/", "/proc", "/usr/lib", "/sys/class/net"] {
        assert!(host.names(path).is_err_and(|missing| missing.is_not_collected()), "{path}");
    }
    assert!(host.is_running() && host.is_root_tree());
}

#[test]
fn files_that_were_left_out_on_request_leave_all_open() {
    let skipped = MANIFEST.replace("--batch", "--skip-files=/etc/pam.d/*");
    assert_eq!(state(&files(&skipped), "/etc/pam.d/sshd"), NOT_COLLECTED);
    let mut configured = files(MANIFEST);
    configured.file("/etc/sos/sos.conf", "[report]\n#skip-files = x\n");
    assert_eq!(state(&configured, "/etc/pam.d/sshd"), ABSENT);
    configured.file("/etc/sos/sos.conf", "[report]\nskip-files = /etc/pam.d/sshd\n");
    assert_eq!(state(&configured, "/etc/pam.d/sshd"), NOT_COLLECTED);
}

#[test]
fn a_manifest_that_makes_no_sense_leaves_all_open() {
    for manifest in ["", "{}", "[", "\0", &MANIFEST.replace("4.8.2", "x"), &MANIFEST[..150]] {
        assert_eq!(state(&files(manifest), "/etc/pam.d/sshd"), NOT_COLLECTED, "{manifest}");
        assert_eq!(state(&files(manifest), "/etc/pam.d/login"), Ok(()));
    }
}

/// Before 4.0 nothing says what ran, but the commands of a plugin run after its files were copied.
#[test]
fn old_reports_tell_by_their_commands() {
    let mut old = Files::new();
    old.file("/sos_commands/pam/pam_tally2", "").file("/version.txt", "sosreport: 3.9\n");
    old.file("/etc/pam.d/login", "").directory("/sos_commands/login");
    assert_eq!(state(&old, "/etc/pam.d/sshd"), ABSENT);
    assert_eq!(state(&old, "/etc/login.defs"), NOT_COLLECTED);
    old.file("/version.txt", "sosreport: 2.2\n");
    assert_eq!(state(&old, "/etc/pam.d/sshd"), NOT_COLLECTED);
}

/// Nobody may read /etc/shadow of Red Hat by its mode: sosreport writes an empty file of this mode.
#[test]
fn an_empty_file_without_permissions_was_not_read() {
    let mut files = files(MANIFEST);
    files.file("/etc/pam.d/secret", "").file("/etc/pam.d/empty", "").mode("/etc/pam.d/secret", 0).unwrap();
    assert_eq!(
        (state(&files, "/etc/pam.d/secret"), state(&files, "/etc/pam.d/empty")),
        (NOT_COLLECTED, Ok(()))
    );
    let host = Host::new(files, Target::root("x"));
    assert!(
        host.source.stat(Path::new("/etc/pam.d/secret")).is_err_and(|missing| missing.is_not_collected())
    );
}

#[test]
fn links_in_circles_and_deep_paths_end() {
    let mut files = files(MANIFEST);
    files.link("/etc/pam.d/a", "b").link("/etc/pam.d/b", "a").link("/etc/pam.d/c", "../".repeat(300) + "x/y");
    for path in ["/etc/pam.d/a", "/etc/pam.d/c", "/etc/pam.d/a/b/c"] {
        assert!(state(&files, path).is_err(), "{path}");
    }
    assert_eq!(state(&files, &"/x".repeat(1_000)), NOT_COLLECTED);
}

#[test]
fn other_trees_are_left_as_they_are() {
    let mut files = files(MANIFEST);
    assert_eq!(
        wrapped(Arc::new(files.clone())).read(Path::new("/x"), 1),
        Err(not_collected(Path::new("/x")))
    );
    files = Files::new();
    files.file("/sos_commands", "");
    assert_eq!(wrapped(Arc::new(files)).read(Path::new("/x"), 1), Err(Missing::Absent));
}
