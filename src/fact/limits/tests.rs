use super::*;
use crate::source::{Files, Target};

fn collect(files: &Files) -> Limits {
    Limits::collect(&Host::new(files.clone(), Target::root("x"))).unwrap()
}

fn of(text: &str) -> Limits {
    gather(&[(text.to_owned(), "/etc/security/limits.conf".to_owned())])
}

fn only(text: &str) -> Entry {
    let mut limits = of(text);
    assert!(limits.malformed.items.is_empty(), "{text:?}: {:?}", limits.malformed.items);
    limits.entries.items.pop().unwrap()
}

fn reasons(text: &str) -> Vec<String> {
    let limits = of(text);
    assert!(limits.entries.items.is_empty(), "{text:?}");
    limits.malformed.items.into_iter().map(|m| m.reason.unwrap()).collect()
}

const N: fn(i128) -> Value = Value::Number;

#[test]
fn every_kind_of_domain_is_known() {
    for (domain, kind) in [
        ("alice", Kind::User),
        ("1000:", Kind::User),
        (":1001", Kind::User),
        ("1000:2000", Kind::User),
        ("@dba", Kind::Group),
        ("@100:", Kind::Group),
        ("%", Kind::All),
        ("%dba", Kind::AllGroup),
        ("%:100", Kind::AllGroup),
        ("*", Kind::Default),
    ] {
        assert_eq!(only(&format!("{domain} - maxlogins 4")).kind, kind, "{domain}");
    }
    assert!(Kind::User < Kind::Group && Kind::Group < Kind::Default);
}

#[test]
fn values_are_read_as_strtoull_reads_them() {
    let value = |item: &str, written: &str| only(&format!("* hard {item} {written}")).value.unwrap();
    for written in
        ["unlimited", "infinity", "-1", "-", "UNLIMITED", "18446744073709551615", "99999999999999999999"]
    {
        assert_eq!(value("nofile", written), Value::Unlimited, "{written}");
    }
    assert_eq!(value("nofile", "65535"), N(65535));
    assert_eq!(value("nofile", "+65535"), N(65535));
    assert_eq!(value("nofile", "-2"), N(18_446_744_073_709_551_614));
    assert_eq!(value("nice", "-20"), N(-20));
    assert_eq!(value("nice", "-1"), N(-1));
    assert_eq!(value("priority", "-5"), N(-5));
    assert_eq!(value("maxlogins", "99999999999"), N(i128::from(i32::MAX)));
    assert_eq!(value("nonewprivs", "1"), N(1));
    assert!(Value::Unlimited > N(i128::MAX));
}

#[test]
fn comments_blanks_and_case_are_as_pam_limits_takes_them() {
    let entry = only("\r\n \t*\tHARD \t NoFile \t 65535 \t# to here\n#* hard nofile 1\n\n");
    assert_eq!((entry.domain.as_str(), entry.r#type, entry.item.as_str()), ("*", Which::Hard, "nofile"));
    assert_eq!((entry.value, entry.written.as_str()), (Some(N(65535)), "65535"));
    assert_eq!(entry.at, At::line("/etc/security/limits.conf", 2));
    assert_eq!(only("Alice hard nofile 1").domain, "Alice");
    assert_eq!(only("* any maxlogins 4").r#type, Which::Both);
}

#[test]
fn a_carriage_return_spoils_words_but_not_numbers() {
    assert_eq!(only("* hard nofile 65535\r\n").value, Some(N(65535)));
    assert_eq!(
        reasons("* hard nofile unlimited\r\n"),
        ["wrong limit value `unlimited\\r` for nofile: pam_limits ignores the line"]
    );
}

#[test]
fn lines_that_are_skipped_say_why() {
    for (line, reason) in [
        ("* soft nofile", "3 fields instead of 4: pam_limits skips the line"),
        ("nofile", "1 field instead of 4: pam_limits skips the line"),
        ("* nofile", "2 fields instead of 4: pam_limits skips the line"),
        ("* soft nofiles 1024", "unknown limit item `nofiles`: pam_limits ignores the line"),
        ("* both nofile 1024", "unknown limit type `both`: pam_limits ignores the line"),
        ("* soft nofile many", "wrong limit value `many` for nofile: pam_limits ignores the line"),
        ("* soft nofile =1024", "wrong limit value `=1024` for nofile: pam_limits ignores the line"),
        ("* - nonewprivs yes", "wrong limit value `yes` for nonewprivs: pam_limits ignores the line"),
        ("* - nice unlimited", "wrong limit value `unlimited` for nice: pam_limits ignores the line"),
        ("a:b soft nofile 1", "invalid uid range `a:b`: pam_limits skips the line"),
        ("@: soft nofile 1", "invalid uid range `@:`: pam_limits skips the line"),
        ("%1:2 - maxlogins 1", "`%1:2`: range unsupported for %group matching, pam_limits ignores the line"),
        ("% - nofile 1", "the domain `%` is valid for maxlogins only: pam_limits ignores the line"),
        ("* -", "`* -` exempts nobody: pam_limits ignores the line"),
    ] {
        assert_eq!(reasons(line), [reason], "{line}");
    }
    let limits = of("\0* hard nofile 1\n\u{fffd}\u{fffd}\n");
    assert_eq!((limits.entries.items.len(), limits.malformed.items.len()), (0, 1));
}

#[test]
fn a_value_with_a_tail_is_applied_without_it_and_said_to_be_misread() {
    let limits = of("* hard nofile 64k\n* soft nofile 1,048,576\n");
    let values: Vec<_> = limits.entries.items.iter().map(|e| e.value).collect();
    assert_eq!(values, [Some(N(64)), Some(N(1))]);
    let reason = limits.malformed.items[0].reason.as_deref();
    assert_eq!(reason, Some("pam_limits takes `64k` as 64 and ignores `k`"));
    assert!(limits.malformed.items[0].applied);
}

#[test]
fn the_last_entry_of_a_domain_holds_and_the_others_say_by_what() {
    let mut files = Files::new();
    files.file("/etc/security/limits.conf", "* - nproc 65535\nroot - nproc 1\n* soft nofile 1\n");
    files.file("/etc/security/limits.d/20-nproc.conf", "* soft nproc 4096\nroot soft nproc unlimited\n");
    files.file("/etc/security/limits.d/.hidden.conf", "* soft nofile 9\n");
    files.file("/etc/security/limits.d/README", "* soft nofile 9\n");
    let entries = collect(&files).entries.items;
    let by = At::line("/etc/security/limits.d/20-nproc.conf", 1);
    assert_eq!(entries[0].overridden_by, Some(by));
    assert_eq!(entries[0].overridden_value, Some(N(4096)));
    assert_eq!(entries[0].overridden_type, Some(Which::Soft));
    assert_eq!((entries[0].sets_soft, entries[0].sets_hard), (false, true));
    assert_eq!((entries[2].sets_soft, entries[2].sets_hard), (true, false));
    assert_eq!((entries[3].sets_soft, entries[3].overridden_by.is_some()), (true, false));
}

#[test]
fn both_halves_may_be_overridden_by_different_entries() {
    let entries = of("* - nofile 1\n* hard nofile 3\n* soft nofile 2\n").entries.items;
    assert_eq!(entries[0].overridden_type, Some(Which::Both));
    assert_eq!(entries[0].overridden_value, Some(N(2)));
    assert!(!entries[0].sets_soft && !entries[0].sets_hard && entries[1].sets_hard && entries[2].sets_soft);
}

#[test]
fn what_a_domain_does_not_set_comes_from_the_wildcard_except_for_root() {
    let text = "* hard nofile 4096\nora soft nofile 65536\nroot soft nofile 65536\n% - maxlogins 9\n";
    let effective = of(text).effective.items;
    let found: Vec<_> = effective.iter().map(|e| (e.domain.as_str(), e.soft, e.hard)).collect();
    let expected =
        [("*", None, Some(N(4096))), ("ora", Some(N(65536)), Some(N(4096))), ("root", Some(N(65536)), None)];
    assert_eq!(found, expected);
    assert_eq!(effective[1].hard_at, Some(At::line("/etc/security/limits.conf", 1)));
    assert_eq!(effective[1].at, At::line("/etc/security/limits.conf", 2));
}

#[test]
fn an_exempted_domain_has_no_limits() {
    let limits = of("ora hard nofile 1\nora -\n");
    assert_eq!(limits.exempt[0].domain, "ora");
    assert_eq!(limits.entries.items[0].exempted_by, Some(At::line("/etc/security/limits.conf", 2)));
    assert!(!limits.entries.items[0].sets_hard && limits.effective.items.is_empty());
}

#[test]
fn the_vendors_files_stand_in_for_those_that_etc_lacks() {
    let mut files = Files::new();
    files.file("/usr/etc/security/limits.conf", "* hard nofile 1\n");
    files.file("/usr/etc/security/limits.d/10-a.conf", "* hard nofile 2\n");
    files.file("/usr/etc/security/limits.d/30-c.conf", "* hard nofile 4\n");
    files.file("/etc/security/limits.d/10-a.conf", "");
    files.file("/etc/security/limits.d/20-b.conf", "* hard nofile 3\n");
    let values =
        |files: &Files| -> Vec<_> { collect(files).entries.items.iter().map(|e| e.value.unwrap()).collect() };
    assert_eq!(values(&files), [N(1), N(3), N(4)]);
    files.file("/etc/security/limits.conf", "");
    assert_eq!(values(&files), [N(3), N(4)]);
}

#[test]
fn a_denied_file_leaves_the_lists_partial() {
    let mut files = Files::new();
    files.deny("/etc/security/limits.conf").file("/etc/security/limits.d/a.conf", "* hard nofile 2\n");
    let limits = collect(&files);
    assert_eq!(limits.entries.items.len(), 1);
    for unread in
        [limits.entries.unread, limits.effective.unread, limits.lines.unread, limits.malformed.unread]
    {
        assert_eq!(unread[0].path.as_ref(), "/etc/security/limits.conf");
    }
}

#[test]
fn no_file_is_no_fact() {
    let host = Host::new(Files::new(), Target::root("x"));
    assert_eq!(Limits::collect(&host).map(|_| ()), Err(Missing::Absent));
}

#[test]
fn the_module_itself_says_how_it_behaves() {
    let with = |path: &str, bytes: &str| {
        let mut files = Files::new();
        files.file("/etc/security/limits.conf", "");
        if !path.is_empty() {
            files.file(path, bytes);
        }
        let limits = collect(&files);
        (limits.unlimited_nofile.get().copied(), limits.root_needs_own_entry.get().copied())
    };
    let debian = "/usr/lib/x86_64-linux-gnu/security/pam_limits.so";
    let new = "..chroot../proc/sys/fs/nr_open..";
    assert_eq!(with(debian, new), (Ok(UnlimitedNofile::NrOpen), Ok(true)));
    let redhat = "/usr/lib64/security/pam_limits.so";
    assert_eq!(with(redhat, "old"), (Ok(UnlimitedNofile::Refused), Ok(false)));
    assert_eq!(with("/usr/lib64/security/pam_unix.so", ""), (Err(Missing::Absent), Err(Missing::Absent)));
    assert!(matches!(with("", ""), (Ok(UnlimitedNofile::Depends), Err(Missing::Unreadable(_)))));
}
