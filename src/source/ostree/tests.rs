use super::*;
use crate::source::{Files, Reason};

/// Two deployments of one system, of which the second boots; `/boot` in the physical root.
fn physical() -> Files {
    let mut files = Files::new();
    for (letter, release) in [("a", "One"), ("b", "Two")] {
        let root = format!("/ostree/deploy/fcos/deploy/{}.0", letter.repeat(64));
        files.file(format!("{root}/usr/lib/os-release"), format!("ID=x\nPRETTY_NAME=\"{release}\"\n"));
        files.file(format!("{root}/etc/hostname"), format!("{letter}\n"));
        files.file(format!("{root}/usr/etc/hostname"), "default\n");
        files.link(format!("{root}/home"), "var/home").link(format!("{root}/ostree"), "sysroot/ostree");
        files.link(format!("{root}/etc/out"), "/../../../etc/hostname");
    }
    files.link("/ostree/boot.1", "boot.1.1");
    files.link("/ostree/boot.1.1/fcos/c/0", format!("../../../deploy/fcos/deploy/{}.0", "b".repeat(64)));
    files.file("/ostree/deploy/fcos/var/home/core/.profile", "x").directory("/ostree/deploy/fcos/deploy/odd");
    files.file("/boot/loader/entries/ostree-1.conf", "options ostree=/ostree/boot.1/fcos/c/0\n");
    files
}

fn find(files: &Files, name: Option<&str>, boots: bool) -> Result<Option<Deployed>, BadOstree> {
    let boots: Option<fn(&Host) -> Reading<String>> = match boots {
        true => Some(|_| Ok("root=UUID=1 ostree=/ostree/boot.1/fcos/c/0 rw".to_owned())),
        false => None,
    };
    let tree: Arc<dyn Source> = Arc::new(files.clone());
    Deployed::find(&tree, &DeploymentChoice { name: name.map(str::to_owned), boots })
}

fn read(source: &Deployed, path: &str) -> Reading<String> {
    source.read(Path::new(path), TEXT_CAP).map(text)
}

#[test]
fn the_system_sees_its_deployment_and_what_all_share() {
    let deployed = find(&physical(), None, true).unwrap().unwrap();
    let words = deployed.words();
    assert_eq!(
        words[0],
        format!("/ is the deployment fcos/{}.0 (Two), which boots by default", "b".repeat(64))
    );
    assert_eq!(words[1], format!("there is also the deployment fcos/{}.0 (One)", "a".repeat(64)));
    assert_eq!(read(&deployed, "/etc/hostname"), Ok("b\n".into()));
    assert_eq!(read(&deployed, "/etc/out"), Ok("b\n".into()), "links end at the system's root");
    assert_eq!(read(&deployed, "/home/core/.profile"), Ok("x".into()));
    assert_eq!(read(&deployed, "/var/home/core/.profile"), Ok("x".into()));
    assert!(read(&deployed, "/boot/loader/entries/ostree-1.conf").is_ok());
    let other = format!("/ostree/deploy/fcos/deploy/{}.0/etc/hostname", "a".repeat(64));
    assert_eq!(read(&deployed, &other), Ok("a\n".into()), "through /sysroot");
    let names = |path: &str| -> Vec<String> {
        let entries = deployed.list(Path::new(path)).unwrap().into_iter();
        entries.map(|entry| entry.name.into_string().unwrap()).collect()
    };
    assert_eq!(names("/"), ["etc", "home", "ostree", "usr"]);
    assert_eq!(names("/sysroot"), ["boot", "ostree"]);
    assert_eq!(deployed.read_link(Path::new("/home")), Ok("var/home".into()));
    assert_eq!(deployed.lstat(Path::new("/home")).unwrap().kind, FileKind::Link);
    assert_eq!(deployed.stat(Path::new("/home")).unwrap().kind, FileKind::Directory);
    assert_eq!(read(&deployed, "/none"), Err(Missing::Absent));
    let denied = deployed.read(Path::new("/etc/hostname"), 1);
    assert_eq!(denied, Err(Missing::unreadable("/etc/hostname", Reason::TooLarge(1))), "by its own name");
}

#[test]
fn places_go_both_ways() {
    let deployed = find(&physical(), None, true).unwrap().unwrap();
    let root = format!("/ostree/deploy/fcos/deploy/{}.0", "b".repeat(64));
    for (path, place) in [
        ("/", root.clone()),
        ("/etc", format!("{root}/etc")),
        ("/boot/efi", "/boot/efi".into()),
        ("/var", "/ostree/deploy/fcos/var".into()),
        ("/var/log", "/ostree/deploy/fcos/var/log".into()),
        ("/sysroot", "/".into()),
    ] {
        assert_eq!(deployed.mount_point(Path::new(path)), Path::new(&place), "{path}");
        assert_eq!(deployed.shown(Path::new(&place)), Path::new(path), "{place}");
    }
    assert_eq!(deployed.mount_point(Path::new("/home")), Path::new("/ostree/deploy/fcos/var/home"));
    assert_eq!(deployed.mount_point(Path::new("/data")), Path::new(&format!("{root}/data")));
}

#[test]
fn a_deployment_is_named_or_boots_or_is_the_only_one() {
    let hostname = |files: &Files, name, boots| {
        let deployed = find(files, name, boots).unwrap_or_else(|e| panic!("{e}")).unwrap();
        read(&deployed, "/etc/hostname").unwrap()
    };
    let full = format!("fcos/{}.0", "a".repeat(64));
    for name in ["aaaa", "fcos/a", &full] {
        assert_eq!(hostname(&physical(), Some(name), true), "a\n", "{name}");
    }
    assert_eq!(hostname(&physical(), Some("fcos"), true), "b\n");
    assert!(matches!(find(&physical(), Some("fcos"), false), Err(BadOstree::Several(all)) if all.len() == 2));
    assert!(matches!(find(&physical(), None, false), Err(BadOstree::Several(_))));
    assert!(matches!(find(&physical(), Some("b/"), true), Err(BadOstree::NoSuch { .. })));
    let mut gone = physical();
    gone.link("/ostree/boot.1.1/fcos/c/0", "../../../deploy/fcos/deploy/gone.0");
    assert!(matches!(find(&gone, None, true), Err(BadOstree::Several(_))));
    let mut one = Files::new();
    one.file(format!("/ostree/deploy/x/deploy/{}.1/etc/hostname", "0".repeat(64)), "0\n");
    assert_eq!(hostname(&one, None, false), "0\n");
}

#[test]
fn what_is_no_physical_root_is_left_as_it_is() {
    let mut files = Files::new();
    files.file("/etc/passwd", "root:x:0:0::/root:/bin/sh\n").directory("/ostree/deploy/a/deploy/b");
    assert!(find(&files, None, true).unwrap().is_none());
    assert!(matches!(find(&files, Some("a"), true), Err(BadOstree::None)));
    // A system beside which bootc was installed, and which did or did not become the one that boots.
    let mut beside = physical();
    beside.file("/etc/passwd", "root:x:0:0::/root:/bin/sh\n");
    assert!(find(&beside, None, false).unwrap().is_none());
    assert!(find(&beside, None, true).unwrap().is_some());
    // The root that was made of a deployment.
    let mut booted = Files::new();
    booted.file("/etc/passwd", "").link("/ostree", "sysroot/ostree");
    booted.directory(format!("/sysroot/ostree/deploy/a/deploy/{}.0", "a".repeat(64)));
    assert!(find(&booted, None, true).unwrap().is_none());
}

#[test]
fn the_composefs_backend_of_bootc_is_told() {
    let mut files = Files::new();
    files.directory("/composefs/objects/00").directory("/state/deploy/abc/etc");
    let bad = find(&files, None, true).unwrap_err();
    assert!(bad.to_string().contains("vet the container image"), "{bad}");
    files.file("/usr/lib/os-release", "ID=x\n");
    assert!(find(&files, None, true).unwrap().is_none(), "a system that keeps such a repository");
}

#[test]
fn a_transient_etc_is_what_came_with_the_deployment() {
    let mut files = physical();
    let config = format!("/ostree/deploy/fcos/deploy/{}.0/usr/lib/ostree/prepare-root.conf", "b".repeat(64));
    files.file(&config, "[root]\ntransient = true\n[etc]\n# transient = true\n");
    let hostname = |files: &Files| read(&find(files, None, true).unwrap().unwrap(), "/etc/hostname").unwrap();
    assert_eq!(hostname(&files), "b\n");
    files.file(&config, "[composefs]\nenabled = true\n\n[etc]\ntransient=true\n");
    assert_eq!(hostname(&files), "default\n");
    let replaced = config.replace("/usr/lib/ostree/", "/etc/ostree/");
    files.file(replaced, "[etc]\ntransient = false\n");
    assert_eq!(hostname(&files), "b\n");
}

#[test]
fn deployments_that_cannot_be_read_are_not_none() {
    let mut files = physical();
    files.deny("/ostree/deploy/fcos/deploy");
    let bad = find(&files, None, true).unwrap_err();
    assert_eq!(
        bad.to_string(),
        "has deployments of ostree that cannot be read: /ostree/deploy/fcos/deploy: permission denied"
    );
}
