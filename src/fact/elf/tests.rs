use super::*;
use crate::format::elf::tests::object;
use crate::source::{Files, Target};

const LD: &str = "/lib64/ld-linux-x86-64.so.2";

fn files() -> Files {
    let mut files = Files::new();
    files.link("/lib64", "usr/lib64").link("/bin", "usr/bin").link("/usr/bin/sh", "bash");
    files.file("/usr/bin/bash", object(true, LD, &["libtinfo.so.6", "libc.so.6"], ""));
    files.file("/usr/lib64/ld-linux-x86-64.so.2", object(true, "", &[], ""));
    files.file("/usr/lib64/libc.so.6", object(true, "", &["ld-linux-x86-64.so.2"], ""));
    files.file("/usr/lib64/libtinfo.so.6.4", object(true, "", &["libc.so.6"], ""));
    files.link("/usr/lib64/libtinfo.so.6", "libtinfo.so.6.4");
    files
}

fn collect(files: &Files) -> Elf {
    Elf::collect(&Host::new(files.clone(), Target::root("x"))).unwrap()
}

fn unloadable(files: &Files) -> Vec<(String, ElfState)> {
    collect(files)
        .libraries
        .items
        .into_iter()
        .filter(|l| l.state != ElfState::Present)
        .map(|l| (l.name, l.state))
        .collect()
}

#[test]
fn a_whole_system_lacks_nothing() {
    let elf = collect(&files());
    assert_eq!(elf.programs.items.len(), 1);
    let loaders: Vec<_> = elf.loaders.items.iter().map(|l| (l.name.as_str(), l.state)).collect();
    assert_eq!(loaders, [(LD, ElfState::Present), ("libc.so.6", ElfState::Present)]);
    assert_eq!(unloadable(&files()), []);
    assert_eq!(elf.libraries.items.len(), 1);
}

#[test]
fn a_library_of_a_library_counts() {
    let mut files = files();
    files.file("/usr/lib64/libtinfo.so.6.4", object(true, "", &["libdeep.so.1"], ""));
    let elf = collect(&files);
    let library = elf.libraries.items.iter().find(|l| l.state != ElfState::Present).unwrap();
    assert_eq!((library.name.as_str(), library.state), ("libdeep.so.1", ElfState::Missing));
    assert_eq!(library.programs, ["/bin/sh"]);
    assert_eq!(library.needed_by, ["/usr/lib64/libtinfo.so.6"]);
}

#[test]
fn bad_libraries_are_told_apart() {
    let mut files = files();
    files.link("/usr/lib64/libtinfo.so.6", "libtinfo.so.6.3");
    let elf = collect(&files);
    assert_eq!(
        elf.libraries.items[0].dangling.as_deref(),
        Some("/usr/lib64/libtinfo.so.6 -> libtinfo.so.6.3")
    );
    files.file("/usr/lib64/libtinfo.so.6", "");
    assert_eq!(unloadable(&files), [("libtinfo.so.6".to_owned(), ElfState::Empty)]);
    files.file("/usr/lib64/libtinfo.so.6", "garbage");
    assert_eq!(unloadable(&files), [("libtinfo.so.6".to_owned(), ElfState::NotElf)]);
    files.file("/usr/lib64/libtinfo.so.6", object(false, "", &[], ""));
    assert_eq!(unloadable(&files), [("libtinfo.so.6".to_owned(), ElfState::OtherMachine)]);
    files
        .file("/opt/t/libtinfo.so.6", object(true, "", &[], ""))
        .file("/etc/ld.so.cache", "x\0/opt/t/libtinfo.so.6\0y");
    assert_eq!(unloadable(&files), []);
}

#[test]
fn private_directories_are_searched() {
    let mut files = files();
    files.file("/usr/bin/bash", object(true, LD, &["libown.so", "libc.so.6"], "$ORIGIN/../own"));
    assert_eq!(unloadable(&files), [("libown.so".to_owned(), ElfState::Missing)]);
    files.file("/usr/own/libown.so", object(true, "", &[], ""));
    assert_eq!(unloadable(&files), []);
}

#[test]
fn without_the_linker_nobody_looks_for_libraries() {
    let mut files = files();
    files.file("/usr/bin/bash", object(true, "/lib64/ld-gone.so.2", &["libgone.so"], ""));
    let elf = collect(&files);
    assert_eq!(elf.loaders.items.len(), 1);
    assert_eq!((elf.loaders.items[0].state, elf.libraries.items.len()), (ElfState::Missing, 0));
}

#[test]
fn what_may_not_be_read_is_unknown() {
    let mut files = files();
    files.deny("/usr/lib64/libtinfo.so.6.4");
    let elf = collect(&files);
    assert_eq!((unloadable(&files), elf.libraries.unread.len()), (vec![], 1));
}

#[test]
fn static_programs_and_stubs_need_nothing() {
    let mut files = Files::new();
    files
        .file("/bin/sh", object(true, "", &[], ""))
        .file("/sbin/init", b"\x7fELF\x02\x01\x01")
        .file("/bin/bash", "");
    assert!(matches!(Elf::collect(&Host::new(files, Target::root("x"))), Err(Missing::Absent)));
}

#[test]
fn libraries_that_need_one_another_end() {
    let mut files = files();
    files.file("/usr/lib64/libtinfo.so.6.4", object(true, "", &["libtinfo.so.6", "libc.so.6"], ""));
    assert_eq!(unloadable(&files), []);
}
