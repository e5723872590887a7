use super::*;
use crate::source::{Files, Target};

fn collect(files: &Files) -> Reading<Os> {
    Os::collect(&Host::new(files.clone(), Target::root("test")))
}

#[test]
fn quotes_are_those_of_a_shell() {
    let text = "NAME=\"Rocky Linux\"\nVERSION=\"9.4 (Blue Onyx)\"\nID='rocky'\nID_LIKE=\"rhel centos fedora\"\n\
                VERSION_ID=\"9.4\"\n\n# comment\nPRETTY_NAME=\"a \\\"b\\\" \\$c \\n\"\nVARIANT_ID=a\\ b\n";
    let os = parse("/etc/os-release", text);
    assert_eq!(os.id.as_deref(), Some("rocky"));
    assert_eq!(os.like, ["rhel", "centos", "fedora"]);
    assert_eq!(os.name.as_deref(), Some("Rocky Linux"));
    assert_eq!(
        (os.version_id.as_deref(), os.version_major, os.version_minor),
        (Some("9.4"), Some(9), Some(4))
    );
    assert_eq!(os.pretty_name.as_deref(), Some("a \"b\" $c \\n"));
    assert_eq!(os.variant_id.as_deref(), Some("a b"));
    assert_eq!(os.malformed, []);
}

#[test]
fn the_last_assignment_counts_and_an_empty_one_is_none() {
    let os = parse("/etc/os-release", "ID=a\nID=debian\nVERSION_ID=\nNAME=\"\"\n");
    assert_eq!((os.id.as_deref(), os.version_id, os.name), (Some("debian"), None, None));
    let os = parse("/etc/os-release", "VERSION_ID=20240101\n");
    assert_eq!((os.version_major, os.version_minor, os.id), (Some(20_240_101), None, None));
}

#[test]
fn lines_that_are_no_assignment_are_kept() {
    let text = "ID=x\nNAME=Two Words\nBAD NAME=3\nVERSION=\"open\nVARIANT='a'b\n\u{fffd}\0\n=7\n";
    let os = parse("/etc/os-release", text);
    let lines: Vec<_> = os.malformed.iter().filter_map(|m| m.at.line).collect();
    assert_eq!(lines, [2, 3, 4, 5, 6, 7]);
    assert_eq!((os.id.as_deref(), os.name, os.version), (Some("x"), None, None));
    assert_eq!(parse("/etc/os-release", "").id, None);
}

#[test]
fn etc_comes_before_usr_and_denied_is_not_absent() {
    let mut files = Files::new();
    files.file("/usr/lib/os-release", "ID=usr\n");
    assert_eq!(collect(&files).unwrap().id.as_deref(), Some("usr"));
    files.link("/etc/os-release", "../usr/lib/none");
    assert_eq!(collect(&files).unwrap().id.as_deref(), Some("usr"), "a dangling link is absent");
    files.file("/etc/os-release", "ID=etc\n");
    assert_eq!(collect(&files).unwrap().id.as_deref(), Some("etc"));
    files.deny("/etc/os-release");
    assert!(matches!(collect(&files), Err(Missing::Unreadable(_))));
    assert!(matches!(collect(&Files::new()), Err(Missing::Absent)));
}

#[test]
fn old_distributions_are_known_by_their_own_files() {
    for (path, text, id, major, minor) in [
        ("/etc/redhat-release", "CentOS release 6.10 (Final)\n", "centos", 6, Some(10)),
        ("/etc/redhat-release", "CentOS Linux release 7.4.1708 (Core) \n", "centos", 7, Some(4)),
        (
            "/etc/redhat-release",
            "Red Hat Enterprise Linux Server release 6.9 (Santiago)\n",
            "rhel",
            6,
            Some(9),
        ),
        ("/etc/oracle-release", "Oracle Linux Server release 6.9\n", "ol", 6, Some(9)),
        ("/etc/debian_version", "6.0.10\n", "debian", 6, Some(0)),
        ("/etc/alpine-release", "3.1.4\n", "alpine", 3, Some(1)),
    ] {
        let mut files = Files::new();
        files.file(path, text);
        let os = collect(&files).unwrap();
        assert_eq!(
            (os.id.as_deref(), os.version_major, os.version_minor),
            (Some(id), Some(major), minor),
            "{text}"
        );
        assert_eq!(os.at.to_string(), path);
    }
}

#[test]
fn an_empty_or_unknown_old_file_names_no_distribution() {
    for text in ["", "\0\u{fffd}\n", "My Linux\n"] {
        let mut files = Files::new();
        files.file("/etc/redhat-release", text);
        assert_eq!(collect(&files).unwrap().id, None, "{text:?}");
    }
}
