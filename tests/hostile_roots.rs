//! Trees made by somebody who means harm: hostvet ends, says what it could not read, and shows nothing of the host it runs on.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A tree that is well enough to be vetted.
struct Root(tempfile::TempDir);

impl Root {
    fn new() -> Self {
        let root = Self(tempfile::tempdir().unwrap());
        root.file("etc/passwd", "root:x:0:0:root:/root:/bin/bash\nops:x:1000:1000::/home/ops:/bin/bash\n");
        root.file("etc/group", "root:x:0:\nops:x:1000:\n");
        root.file("etc/shadow", "root:*:19000:0:99999:7:::\nops:!:19000:0:99999:7:::\n");
        root.file("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
        root.file("usr/bin/bash", "\x7fELF");
        root.file("usr/sbin/apparmor_parser", "\x7fELF");
        root.file("usr/sbin/sshd", "\x7fELF OpenSSH_9.2p1 Debian-2");
        root.file("boot/vmlinuz-6.1.0", "MZ");
        root
    }

    fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    fn file(&self, path: impl AsRef<Path>, text: &str) {
        fs::write(self.path(path), text).unwrap();
    }

    /// Replaces what is there by a link.
    fn link(&self, path: &str, to: impl AsRef<Path>) {
        let path = self.path(path);
        let _ = fs::remove_file(&path);
        symlink(to, path).unwrap();
    }

    /// Everything that hostvet says of it, as a golden image and as a plain tree.
    fn vet(&self) -> String {
        let mut all = String::new();
        for profile in [&["--profile", "image"][..], &[]] {
            let mut hostvet = Command::new(env!("CARGO_BIN_EXE_hostvet"));
            hostvet.arg("check").arg(self.0.path()).args(profile).args(["--format", "json", "--assume"]);
            let output = hostvet.arg("memory=4GiB,cpus=2,platform=kvm").output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(matches!(output.status.code(), Some(0 | 1)), "{:?}: {said}", output.status);
            all += &String::from_utf8(output.stdout).unwrap();
        }
        assert!(!all.contains("hostvet failed"), "{all}");
        all
    }
}

/// Something that stands in a file of the host which every user may read.
fn of_this_host() -> Vec<String> {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    // The names that our own tree has not.
    let names = passwd.lines().filter_map(|line| line.split(':').next());
    names.filter(|name| !["root", "ops"].contains(name) && name.len() > 5).map(str::to_owned).collect()
}

#[test]
fn links_out_of_the_tree_show_nothing_of_the_host() {
    let names = of_this_host();
    for to in ["/../../../../../../../../etc/passwd", "../../../../../../../../../../../etc/passwd"] {
        let root = Root::new();
        // Inside the tree this is the link itself: a loop.
        for path in [
            "etc/passwd",
            "etc/shadow",
            "etc/group",
            "etc/fstab",
            "etc/ssh/sshd_config",
            "etc/sudoers",
            "etc/sysctl.conf",
        ] {
            root.link(path, to);
        }
        let report = root.vet();
        for name in &names {
            assert!(!report.contains(&format!("\"{name}\"")), "{name} of this host is in the report");
        }
        assert!(report.contains("links"), "the loop is told of: {report}");
    }
    let root = Root::new();
    root.link("proc", "/proc");
    root.link("sys", "/sys");
    root.link("etc/sysctl.d", "/../../../../../../../../etc");
    assert!(
        !root.vet().contains(&fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or("none".into()))
    );
}

#[test]
fn long_chains_of_links_end() {
    let root = Root::new();
    for n in 0..60 {
        root.link(&format!("etc/chain/{n}"), format!("/etc/chain/{}", n + 1));
    }
    root.link("etc/fstab", "/etc/chain/0");
    root.link("etc/pam.d", "/etc/pam.d");
    root.link("usr/lib", "../usr/lib");
    root.link("etc/systemd", "systemd/system");
    assert!(root.vet().contains("links"));
}

#[test]
fn a_file_of_four_gigabytes_is_not_read() {
    for path in [
        "etc/passwd",
        "etc/shadow",
        "etc/fstab",
        "etc/ssh/sshd_config",
        "etc/pam.d/sshd",
        "etc/profile",
        "boot/grub/grub.cfg",
        "etc/apparmor.d/usr.sbin.sshd",
    ] {
        let root = Root::new();
        fs::File::create(root.path(path)).unwrap().set_len(4 << 30).unwrap();
        let report = root.vet();
        assert!(report.contains("larger than"), "{path}: {report}");
    }
}

#[test]
fn includes_that_go_in_a_circle_end() {
    let root = Root::new();
    for (path, text) in [
        ("etc/ssh/sshd_config", "Include /etc/ssh/sshd_config\nInclude /etc/ssh/sshd_config.d/*.conf\n"),
        ("etc/ssh/sshd_config.d/a.conf", "Match all\nInclude /etc/ssh/sshd_config\n"),
        ("etc/sudoers", "#include /etc/sudoers\n@includedir /etc\n"),
        ("etc/pam.d/login", "auth include login\nauth substack sshd\n"),
        ("etc/pam.d/sshd", "@include login\n@include sshd\n"),
        ("etc/profile", ". /etc/profile\nfor i in /etc/profile.d/*.sh; do . $i; done\n"),
        ("etc/profile.d/a.sh", "source /etc/bashrc\n"),
        ("etc/bashrc", ". /etc/profile\n. /etc/bashrc\n"),
        ("root/.bashrc", ". ~/.bash_profile\n"),
        ("root/.bash_profile", ". ~/.bashrc\n"),
        ("etc/network/interfaces", "source /etc/network/interfaces\nsource-directory /etc/network\n"),
        ("etc/nftables.conf", "include \"/etc/nftables.conf\"\ninclude \"/etc/*\"\n"),
        ("etc/nginx/nginx.conf", "include nginx.conf;\ninclude /etc/nginx/*;\n"),
        ("etc/mysql/my.cnf", "!include /etc/mysql/my.cnf\n!includedir /etc/mysql\n"),
        ("etc/redis/redis.conf", "include /etc/redis/redis.conf\n"),
        ("etc/supervisord.conf", "[include]\nfiles = /etc/supervisord.conf /etc/*.conf\n"),
        ("etc/apparmor.d/a", "include <a>\n/a {\n#include \"/etc/apparmor.d\"\n}\n"),
        ("etc/ld.so.conf", "include /etc/ld.so.conf\ninclude /etc/*.conf\n"),
        (
            "boot/grub/grub.cfg",
            "configfile /boot/grub/grub.cfg\nsource /boot/grub/grub.cfg\nsubmenu a {\nsubmenu a {\n",
        ),
        (
            "etc/systemd/system/a.service",
            "[Unit]\nWants=a.service\n[Service]\nExecStart=/bin/a\n[Install]\nAlias=a.service\n",
        ),
        ("etc/sysctl.conf", "include /etc/sysctl.conf\n"),
    ] {
        root.file(path, text);
    }
    root.link("etc/systemd/system/default.target", "default.target");
    root.link("etc/systemd/system/multi-user.target.wants/b.service", "../multi-user.target.wants/b.service");
    root.vet();
}

#[test]
fn names_that_are_no_text_are_names() {
    let root = Root::new();
    let odd = OsStr::from_bytes(b"a\xff\x1b[31m\n.conf");
    for directory in [
        "etc",
        "etc/sysctl.d",
        "etc/pam.d",
        "etc/ssh",
        "etc/ssh/sshd_config.d",
        "etc/sudoers.d",
        "etc/profile.d",
        "etc/systemd/system",
        "etc/cron.d",
        "etc/security/limits.d",
        "etc/udev/rules.d",
        "home",
        "home/ops/.ssh",
        "boot",
        "boot/loader/entries",
        "usr/lib/modules",
        "tmp",
        "var/log",
        "var/lib/dpkg/info",
    ] {
        fs::write(root.path(Path::new(directory).join(odd)), "x").unwrap();
    }
    fs::create_dir_all(root.path(Path::new("usr/lib/modules/\u{202e}6.1/kernel"))).unwrap();
    let report = root.vet();
    assert!(!report.contains('\x1b') && !report.contains('\u{202e}'));
}

#[test]
fn directories_of_very_many_names_end() {
    let root = Root::new();
    for directory in [
        "etc/sysctl.d",
        "etc/sudoers.d",
        "etc/ssh/sshd_config.d",
        "etc/systemd/system",
        "etc/pam.d",
        "tmp",
        "boot",
    ] {
        fs::create_dir_all(root.path(Path::new(directory).join("x")).parent().unwrap()).unwrap();
        for n in 0..3_000 {
            fs::write(root.path(format!("{directory}/{n}.conf")), "x\n").unwrap();
        }
    }
    root.vet();
}
