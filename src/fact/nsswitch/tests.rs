use super::*;
use crate::source::{Files, Missing, Target};

const ELF: &[u8] = b"\x7fELF\x02\x01\x01";

fn collect(files: &Files) -> Reading<Nsswitch> {
    Nsswitch::collect(&Host::new(files.clone(), Target::live()))
}

fn names(fact: &Nsswitch, database: &str) -> Vec<String> {
    fact.databases[database].services.iter().map(|s| s.name.clone()).collect()
}

fn conf(text: &str) -> Nsswitch {
    let mut files = Files::new();
    collect(files.file(PATH, text)).unwrap()
}

#[test]
fn services_and_actions_are_read_in_order() {
    let fact = conf(
        "# switch\npasswd:  files  sss # all\n  hosts : resolve [!UNAVAIL=return] files mdns4_minimal[NOTFOUND=return unavail=return] dns\nsudoers: files ldap\n",
    );
    assert_eq!(names(&fact, "passwd"), ["files", "sss"]);
    assert_eq!(names(&fact, "hosts"), ["resolve", "files", "mdns4_minimal", "dns"]);
    assert_eq!(names(&fact, "sudoers"), ["files", "ldap"]);
    let ends: Vec<_> = fact.databases["hosts"].services.iter().map(|s| s.unavailable_ends).collect();
    assert_eq!(ends, [false, false, true, false]);
    assert_eq!(fact.databases["hosts"].services[2].actions, ["NOTFOUND=return", "unavail=return"]);
    assert_eq!(fact.databases["hosts"].at, At::line(PATH, 3));
    assert!(fact.malformed.is_empty());
}

#[test]
fn what_is_not_set_has_its_default() {
    let fact = conf("passwd: files sss\n");
    assert_eq!(names(&fact, "shadow"), ["files", "sss"]);
    assert!(fact.databases["shadow"].assumed && !fact.databases["passwd"].assumed);
    assert_eq!(names(&fact, "hosts"), ["files", "dns"]);
    assert_eq!(names(&fact, "gshadow"), ["files"]);
    assert!(!fact.databases.contains_key("netgroup"));
}

#[test]
fn the_last_line_of_a_database_counts() {
    assert_eq!(names(&conf("group: files\ngroup: compat\n"), "group"), ["compat"]);
}

#[test]
fn what_makes_no_sense_is_kept_and_ends_its_line() {
    let fact =
        conf("passwd\n:files\nhosts: files [NOTFOUND] dns\ngroup: [SUCCESS=merge] files\n\0\u{fffd}\n");
    let lines: Vec<_> = fact.malformed.iter().map(|m| m.at.line.unwrap()).collect();
    assert_eq!(lines, [1, 2, 3, 4, 5]);
    assert_eq!(names(&fact, "hosts"), ["files"]);
    assert!(fact.databases["group"].services.is_empty());
}

fn old_host() -> Files {
    let mut files = Files::new();
    files
        .link("/lib64", "usr/lib64")
        .file("/usr/lib64/libc-2.17.so", ELF)
        .link("/usr/lib64/libc.so.6", "libc-2.17.so");
    files.file(PATH, "passwd: files sss\nhosts: files dns\n");
    files
}

fn library<'a>(all: &'a [NssLibrary], service: &str) -> &'a NssLibrary {
    all.iter().find(|l| l.service == service).unwrap()
}

#[test]
fn a_library_whose_link_leads_nowhere_is_missing() {
    let mut files = old_host();
    files.link("/usr/lib64/libnss_files.so.2", "libnss_files-2.17.so").file("/usr/lib64/libnss_dns.so.2", "");
    files.file("/usr/lib64/libnss_sss.so.2", ELF);
    let fact = collect(&files).unwrap();
    let all = fact.libraries.get().unwrap();
    let gone = library(all, "files");
    assert_eq!((&gone.state, &gone.built_in), (&Ok(LibraryState::Missing), &Ok(false)));
    assert_eq!(gone.dangling.as_deref(), Some("libnss_files-2.17.so"));
    assert_eq!(gone.databases, ["group", "gshadow", "hosts", "networks", "passwd", "shadow"]);
    assert_eq!(library(all, "dns").state, Ok(LibraryState::Empty));
    assert_eq!(library(all, "sss").state, Ok(LibraryState::Present));
    assert_eq!(fact.glibc.get().unwrap().version, "2.17");
}

#[test]
fn a_newer_c_library_needs_none_for_files_and_dns() {
    let mut files = Files::new();
    let libc = b"\x7fELF\0GNU C Library (GNU libc) stable release version 2.34.\n";
    files.file("/usr/lib/x86_64-linux-gnu/libc.so.6", libc).file(PATH, "passwd: files systemd\n");
    let fact = collect(&files).unwrap();
    let all = fact.libraries.get().unwrap();
    assert_eq!(library(all, "files").built_in, Ok(true));
    assert_eq!(library(all, "dns").built_in, Ok(true));
    assert_eq!(library(all, "systemd").built_in, Ok(false));
}

#[test]
fn a_version_that_is_not_told_is_unknown() {
    let mut files = Files::new();
    files.file("/usr/lib64/libc.so.6", ELF).file(PATH, "passwd: files\n");
    let fact = collect(&files).unwrap();
    assert!(matches!(library(fact.libraries.get().unwrap(), "files").built_in, Err(Missing::Unreadable(_))));
}

#[test]
fn absent_and_denied_are_told_apart() {
    assert!(matches!(collect(&Files::new()), Err(Missing::Absent)));
    let mut denied = Files::new();
    assert!(matches!(collect(denied.deny(PATH)), Err(Missing::Unreadable(_))));
    // No file: the defaults of glibc, where there is one.
    let mut bare = Files::new();
    bare.file("/usr/lib64/libc.so.6", ELF);
    assert_eq!(names(&collect(&bare).unwrap(), "passwd"), ["files"]);
    // No libraries in the tree: nothing is said of them.
    let tree = conf("passwd: files\n");
    assert!(matches!(tree.libraries.get(), Err(Missing::Absent)));
}
