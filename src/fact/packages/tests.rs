use super::*;
use crate::source::{Files, Target};

fn collect(files: &Files, target: Target) -> Reading<Packages> {
    Packages::collect(&Host::new(files.clone(), target))
}

fn missing(files: &Files, target: Target) -> Vec<(String, MissingKind)> {
    let packages = collect(files, target).unwrap();
    let files = packages.packages.items.into_iter().flat_map(|package| package.missing);
    files.map(|file| (file.path, file.kind)).collect()
}

fn debian() -> Files {
    let mut files = Files::new();
    files.file(
        "/var/lib/dpkg/status",
        "Package: login\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:4.13\nConffiles:\n /etc/pam.d/login d4\n \
         /etc/old d4 obsolete\nDescription: x\n y\n\nPackage: hello\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2\n\n\
         Package: gone\nStatus: deinstall ok config-files\nConffiles:\n /etc/gone d4\n",
    );
    files.file(
        "/var/lib/dpkg/info/login.list",
        "/.\n/bin\n/bin/login\n/usr\n/usr/bin\n/usr/bin/lastb\n/usr/lib/x\n/etc/pam.d/login\n",
    );
    files.file("/var/lib/dpkg/info/login.md5sums", "d4  bin/login\nd4  usr/share/doc/login/NEWS\n");
    files.file(
        "/var/lib/dpkg/info/hello:amd64.list",
        "/usr/bin/hello\n/usr/lib/libhello.so.1\n/usr/bin/man\n/usr/lib/systemd/system/hello.service\n",
    );
    files.file(
        "/var/lib/dpkg/info/hello:amd64.md5sums",
        "d4  usr/bin/hello\nd4  usr/bin/man\nd4  usr/lib/systemd/system/hello.service\n",
    );
    files.file("/var/lib/dpkg/diversions", "/usr/bin/man\n/usr/bin/man.real\nlocal\n");
    files.link("/bin", "usr/bin").link("/usr/bin/lastb", "last").file("/etc/pam.d/x", "x");
    files
}

#[test]
fn dpkgs_files_are_looked_for() {
    let mut files = debian();
    let core = [
        ("/etc/pam.d/login".to_owned(), MissingKind::Setting),
        ("/bin/login".to_owned(), MissingKind::Program),
    ];
    assert_eq!(missing(&files, Target::live()), core);
    let whole: Vec<_> = missing(&files, Target::root("x")).into_iter().skip(2).collect();
    assert_eq!(
        whole,
        [
            ("/usr/bin/hello".to_owned(), MissingKind::Program),
            ("/usr/lib/systemd/system/hello.service".to_owned(), MissingKind::System),
            ("/usr/lib/libhello.so.1".to_owned(), MissingKind::Library),
        ]
    );
    files.file("/etc/dpkg/dpkg.cfg.d/slim", "# no\npath-exclude=/usr/lib*\npath-exclude /usr/bin/hel?o\n");
    assert_eq!(missing(&files, Target::root("x")), core);
    let packages = collect(&files, Target::live()).unwrap();
    assert_eq!((packages.manager, packages.installed, packages.whole), (Manager::Dpkg, 2, false));
    files.file("/usr/bin/login", "x").file("/etc/pam.d/login", "x");
    assert_eq!(missing(&files, Target::live()), []);
}

#[test]
fn on_ostree_files_of_boot_are_elsewhere() {
    let mut files = debian();
    files.file("/var/lib/dpkg/info/hello:amd64.md5sums", "d4  boot/vmlinuz-6.1\nd4  usr/bin/hello\n");
    files
        .file("/var/lib/dpkg/info/hello:amd64.list", "/boot/vmlinuz-6.1\n/usr/bin/hello\n")
        .directory("/boot");
    let of_boot =
        |files: &Files| missing(files, Target::root("x")).iter().any(|(path, _)| path.starts_with("/boot/"));
    assert!(of_boot(&files));
    files.link("/ostree", "sysroot/ostree");
    assert!(!of_boot(&files) && missing(&files, Target::root("x")).len() > 2);
    let mut fedora = Files::new();
    fedora.file("/usr/share/rpm/rpmdb.sqlite", RPMDB).link("/ostree", "sysroot/ostree");
    let packages = collect(&fedora, Target::root("x")).unwrap();
    assert_eq!(
        (packages.installed, packages.at.to_string()),
        (122, "/usr/share/rpm/rpmdb.sqlite".to_owned())
    );
}

#[test]
fn distroless_images_have_their_packages_in_parts() {
    let mut files = Files::new();
    files.file("/var/lib/dpkg/status.d/libc6", "Package: libc6\nVersion: 2.36\n");
    files.file("/var/lib/dpkg/status.d/libc6.md5sums", "d4  lib/x86_64-linux-gnu/libc.so.6\n");
    assert_eq!(
        missing(&files, Target::root("x")),
        [("/lib/x86_64-linux-gnu/libc.so.6".to_owned(), MissingKind::Library)]
    );
}

#[test]
fn apks_files_are_looked_for() {
    let mut files = Files::new();
    let database = "C:Q1x\nP:busybox\nV:1.36\nF:bin\nR:busybox\na:0:0:755\nZ:Q1y\nF:etc\nR:securetty\nF:usr/share/x\nR:y\n\nP:tool\nF:usr/bin\nR:tool\n";
    files.file("/lib/apk/db/installed", database).file("/etc/x", "");
    assert_eq!(
        missing(&files, Target::live()),
        [
            ("/bin/busybox".to_owned(), MissingKind::Program),
            ("/etc/securetty".to_owned(), MissingKind::Setting)
        ]
    );
    assert_eq!(missing(&files, Target::root("x")).len(), 3);
    assert_eq!(collect(&files, Target::live()).unwrap().manager, Manager::Apk);
}

#[test]
fn pacmans_files_are_looked_for() {
    let mut files = Files::new();
    files.file("/var/lib/pacman/local/ALPM_DB_VERSION", "9\n");
    files.file(
        "/var/lib/pacman/local/sudo-1.9.15-2/files",
        "%FILES%\netc/\netc/sudoers\nusr/bin/\nusr/bin/sudo\nusr/lib/extra\n\n%BACKUP%\netc/sudoers\tabc\n",
    );
    files.file("/etc/pacman.conf", "[options]\nNoExtract = usr/lib/ex* !x\n");
    let packages = collect(&files, Target::live()).unwrap();
    assert_eq!((packages.installed, packages.packages.items[0].version.as_str()), (1, "1.9.15-2"));
    assert_eq!(
        missing(&files, Target::live()),
        [
            ("/etc/sudoers".to_owned(), MissingKind::Setting),
            ("/usr/bin/sudo".to_owned(), MissingKind::Program)
        ]
    );
}

#[test]
fn databases_that_are_not_read_are_unknown_and_none_is_absent() {
    let mut files = Files::new();
    assert!(matches!(collect(&files, Target::live()), Err(Missing::Absent)));
    files.file("/var/lib/rpm/Packages", "x");
    assert!(matches!(collect(&files, Target::live()), Err(Missing::Unreadable(_))));
    let mut files = debian();
    files.deny("/usr/bin");
    assert_eq!(collect(&files, Target::root("x")).unwrap().packages.unread.len(), 1);
    files.deny("/var/lib/dpkg/status");
    assert!(matches!(collect(&files, Target::live()), Err(Missing::Unreadable(_))));
}

#[test]
fn garbage_is_no_package() {
    for garbage in [
        "",
        "\0\0",
        "Package: \n",
        "Package: ../x\nStatus: install ok installed\n",
        "Status: x\n\n\n\n",
        "Conffiles:\n",
    ] {
        let mut files = Files::new();
        files.file("/var/lib/dpkg/status", garbage).file("/lib/apk/db/installed", garbage);
        assert_eq!(missing(&files, Target::root("x")), [], "{garbage:?}");
    }
}

#[test]
fn what_images_are_freed_of_is_not_looked_for() {
    for path in [
        "/usr/share/doc/x/NEWS",
        "/usr/lib/locale/C.utf8/LC_TIME",
        "/var/log/x",
        "/opt/x/y",
        "/usr/lib/python3/x.pyc",
    ] {
        assert!(!is_judged(path), "{path}");
    }
    for path in
        ["/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib64/libz.so.1", "/etc/pam.d/login", "/usr/libexec/x"]
    {
        assert!(is_judged(path), "{path}");
    }
}

/// Written by SQLite 3.40 with pages of 512 bytes: bash 5.1.8-6, glibc with 300 libraries, 120 packages of a program each. The log
/// has bash 5.1.8-9, which has no /usr/bin/gone.
const RPMDB: &[u8] = include_bytes!("rpmdb.sqlite");
const RPMDB_LOG: &[u8] = include_bytes!("rpmdb.sqlite-wal");

fn red_hat() -> Files {
    let mut files = Files::new();
    files.file("/var/lib/rpm/rpmdb.sqlite", RPMDB).file("/usr/bin/bash", "x").directory("/usr/lib64");
    files
}

#[test]
fn rpms_files_are_looked_for() {
    let mut files = red_hat();
    let packages = collect(&files, Target::live()).unwrap();
    assert_eq!((packages.manager, packages.installed), (Manager::Rpm, 122));
    let found: Vec<_> =
        packages.packages.items.iter().map(|p| (&*p.name, &*p.version, p.missing.len())).collect();
    assert_eq!(found, [("glibc", "2.34-60.el9", 300), ("bash", "5.1.8-6.el9", 2)]);
    let bash = &packages.packages.items[1].missing;
    assert_eq!((bash[0].path.as_str(), bash[0].kind), ("/usr/bin/gone", MissingKind::Program));
    assert_eq!((bash[1].path.as_str(), bash[1].kind), ("/etc/skel/.bashrc", MissingKind::Setting));
    assert_eq!(missing(&files, Target::root("x")).len(), 422);
    files.file("/var/lib/rpm/rpmdb.sqlite-wal", RPMDB_LOG);
    let packages = collect(&files, Target::live()).unwrap();
    let bash = &packages.packages.items[1];
    assert_eq!((bash.version.as_str(), bash.missing.len()), ("5.1.8-9.el9", 0));
}

#[test]
fn a_log_that_was_never_committed_says_nothing() {
    let mut files = red_hat();
    for length in [0, 31, 32, 40, 56, 500, RPMDB_LOG.len() - 512] {
        files.file("/var/lib/rpm/rpmdb.sqlite-wal", &RPMDB_LOG[..length]);
        assert_eq!(collect(&files, Target::live()).unwrap().packages.items[1].missing.len(), 2, "{length}");
    }
}

#[test]
fn a_damaged_database_is_unknown_and_ends() {
    let mut files = red_hat();
    for length in [1, 99, 100, 512, 4_096, RPMDB.len() / 2] {
        files.file("/var/lib/rpm/rpmdb.sqlite", &RPMDB[..length]);
        assert!(matches!(collect(&files, Target::root("x")), Err(Missing::Unreadable(_))), "{length}");
    }
    // Bytes damaged in turn: whatever it says, it ends.
    for at in (0..RPMDB.len()).step_by(37) {
        let mut bytes = RPMDB.to_vec();
        bytes[at] ^= 0xff;
        files.file("/var/lib/rpm/rpmdb.sqlite", bytes);
        let _ = collect(&files, Target::live());
    }
}

#[test]
fn what_is_not_as_packed_is_found_when_asked_for() {
    let mut files = debian();
    files.file("/usr/bin/login", "hello").file("/usr/bin/hello", "other");
    files.file("/var/lib/dpkg/info/login.md5sums", "5d41402abc4b2a76b9719d911017c592  bin/login\n");
    let mut host = Host::new(files, Target::live());
    assert!(
        Packages::collect(&host).unwrap().packages.items.iter().all(|p| p.changed == Err(Missing::Absent))
    );
    host.deep = true;
    let packages = Packages::collect(&host).unwrap().packages.items;
    let changed: Vec<_> = packages.iter().map(|p| p.changed.as_ref().unwrap().items.len()).collect();
    assert_eq!(changed, [0, 1]);
    let file = &packages[1].changed.as_ref().unwrap().items[0];
    let told = (file.path.as_str(), file.packed.as_str(), file.found.as_str());
    assert_eq!(told, ("/usr/bin/hello", "d4", "795f3202b17cb6bc3d4b771d8c6c9eaf"));
}
