//! A root tree is judged by its own bytes alone, whatever the host that runs hostvet holds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod fixture;

use fixture::vet;
use hostvet::report::json;
use hostvet::source::{Directory, Files, Host, Target};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A root tree with something for many rules to look at, and without /proc and /sys, as images are.
fn image() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let add = |path: &str, text: &str| {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    add("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n");
    add("etc/fstab", "/dev/sda1 / ext4 defaults 0 1\nUUID=1234 /data xfs defaults 0 2\n");
    add("etc/security/limits.conf", "* hard nofile 2000000\nroot soft nofile unlimited\n");
    add(
        "etc/sysctl.d/60-a.conf",
        "vm.panic_on_oom = 1\nvm.min_free_kbytes = 4000000\nnet.core.somaxconn = x\n",
    );
    add("etc/pam.d/login", "auth required pam_missing.so\n@include common-auth\n");
    add("etc/passwd", "root:x:0:0:root:/root:/bin/bash\nuser:x:1000:1000::/home/user:/bin/sh\n");
    add("etc/group", "root:x:0:\nuser:x:1000:\n");
    add("etc/shadow", "root:*:19000:0:99999:7:::\n");
    add("etc/selinux/config", "SELINUX=enforcing\n");
    add("etc/systemd/system/a.service", "[Service]\nLimitNOFILE=2000000000\n");
    add("usr/lib/systemd/systemd", "");
    // The host's own files are where these lead, unless links stay inside.
    symlink("/proc/sys/vm", dir.path().join("etc/sysctl.d/link")).unwrap();
    symlink("/etc/hostname", dir.path().join("etc/mtab")).unwrap();
    symlink("/../../../../etc/passwd", dir.path().join("etc/gshadow")).unwrap();
    dir
}

fn roots() -> Vec<PathBuf> {
    let mut roots: Vec<PathBuf> = ["incidents", "hosts"]
        .iter()
        .filter_map(|group| {
            fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(group)).ok()
        })
        .flatten()
        .map(|case| case.unwrap().path())
        .map(|case| if case.join("root").is_dir() { case.join("root") } else { case })
        .filter(|root| root.is_dir())
        .collect();
    roots.sort();
    assert!(!roots.is_empty());
    roots
}

/// The same tree in memory, with modes and owners.
fn in_memory(root: &Path, directory: &Path, files: &mut Files) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let stat = fs::symlink_metadata(&path).unwrap();
        let inside = Path::new("/").join(path.strip_prefix(root).unwrap());
        if stat.is_symlink() {
            files.link(&inside, fs::read_link(&path).unwrap());
        } else if stat.is_dir() {
            files.directory(&inside);
            in_memory(root, &path, files);
        } else {
            files.file(&inside, fs::read(&path).unwrap());
        }
        files.mode(&inside, stat.mode() & 0o7777).unwrap().owner(&inside, stat.uid(), stat.gid()).unwrap();
    }
}

fn report(host: Host) -> String {
    let mut out = Vec::new();
    json(&vet(host, &BTreeMap::new()), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_directory_and_the_same_tree_in_memory_give_the_same_report() {
    let image = image();
    for root in roots().into_iter().chain([image.path().to_owned()]) {
        let mut files = Files::new();
        in_memory(&root, &root, &mut files);
        let on_disk = report(Host::new(Directory::open(&root).unwrap(), Target::root("tree")));
        let in_memory = report(Host::new(files, Target::root("tree")));
        assert_eq!(on_disk, in_memory, "{}", root.display());
    }
}

fn hostvet(root: &Path) -> Vec<String> {
    let program = env!("CARGO_BIN_EXE_hostvet");
    let root = root.to_str().unwrap();
    [program, "check", root, "--format", "json", "--fail-on", "never"].map(str::to_owned).to_vec()
}

/// The output of a command that may not be there or not be allowed here; it says why on standard error.
fn try_run(command: &mut Command) -> Option<Output> {
    match command.output() {
        Ok(output) if output.status.success() => Some(output),
        Ok(output) => {
            eprintln!("skipped: {command:?}: {}", String::from_utf8_lossy(&output.stderr));
            None
        }
        Err(error) => {
            eprintln!("skipped: {command:?}: {error}");
            None
        }
    }
}

/// The absolute paths that a line of strace's names.
fn paths(line: &str) -> impl Iterator<Item = &str> {
    line.split('"').skip(1).step_by(2).filter(|text| text.starts_with('/'))
}

/// What the program itself needs: its libraries, how many threads it may have, its own configuration.
const OWN: [&str; 9] = [
    "/lib",
    "/usr/lib",
    "/etc/ld.so",
    "/etc/ld-musl",
    "/etc/hostvet",
    "/proc/self/",
    "/sys/fs/cgroup/",
    "/sys/devices/system/cpu/online",
    "/dev/null",
];

#[test]
fn nothing_outside_of_the_root_is_opened() {
    let image = image();
    let log = image.path().with_extension("strace");
    let mut strace = Command::new("strace");
    strace
        .env_remove("LD_LIBRARY_PATH")
        .args(["-f", "-s", "4096", "-e", "trace=file", "-o"])
        .arg(&log)
        .args(hostvet(image.path()));
    let Some(_) = try_run(&mut strace) else { return };
    let text = String::from_utf8_lossy(&fs::read(&log).unwrap()).into_owned();
    fs::remove_file(&log).unwrap();
    let root = image.path().to_str().unwrap();
    let mut inside = 0;
    for line in text.lines().filter(|line| !line.contains(" execve(")) {
        inside += usize::from(line.contains("openat2(") && line.contains("RESOLVE_IN_ROOT"));
        for path in paths(line.split(" = ").next().unwrap()) {
            let own = path == root || path == "/" || OWN.iter().any(|own| path.starts_with(own));
            assert!(own, "{path} is none of the tree's: {line}");
        }
    }
    // Where the kernel has no openat2, names are looked up one by one below the root's descriptor.
    assert!(inside > 100 || text.contains("openat("), "{text}");
}

/// The tree as a tar, and another one as an image of a disk, in the directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let tree = image();
    let archive = directory.join("archive");
    let mut tar = tar::Builder::new(fs::File::create(&archive).unwrap());
    tar.follow_symlinks(false);
    tar.append_dir_all(".", tree.path()).unwrap();
    tar.finish().unwrap();
    let disks = ["ext4", "xfs", "btrfs"].map(|name| {
        let packed =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/images/systems/{name}.zst"));
        let packed = fs::File::open(packed).unwrap();
        let mut unpacked = ruzstd::decoding::StreamingDecoder::new(packed).unwrap();
        let path = directory.join(name);
        std::io::copy(&mut unpacked, &mut fs::File::create(&path).unwrap()).unwrap();
        path
    });
    [archive].into_iter().chain(disks).collect()
}

/// The file is opened once, and nothing is written.
#[test]
fn nothing_but_the_file_is_opened() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("strace");
    for file in files(directory.path()) {
        let mut strace = Command::new("strace");
        strace.env_remove("LD_LIBRARY_PATH").args(["-f", "-s", "4096", "-e", "trace=file", "-o"]);
        let Some(_) = try_run(strace.arg(&log).args(hostvet(&file))) else { return };
        let text = String::from_utf8_lossy(&fs::read(&log).unwrap()).into_owned();
        let mut opened = 0;
        for line in text.lines().filter(|line| !line.contains(" execve(")) {
            let writes = ["O_CREAT", "O_WRONLY", "O_RDWR", "mkdir"].iter().any(|call| line.contains(call));
            assert!(!writes, "{line}");
            for path in paths(line.split(" = ").next().unwrap()) {
                let own = path == "/" || OWN.iter().any(|own| path.starts_with(own));
                assert!(own || Path::new(path) == file, "{path} is not the target: {line}");
                opened += usize::from(!own && line.contains("open"));
            }
        }
        assert_eq!(opened, 1, "{text}");
    }
}

#[test]
fn what_the_host_holds_changes_nothing() {
    const POISON: &str = "set -e
        for dir in /etc /sys /run; do mount -t tmpfs poison $dir; done
        mkdir -p /etc/security/limits.d /etc/sysctl.d /etc/pam.d /run/systemd/system /sys/class/block/sda /etc/systemd/system
        echo '* - nofile 999999999999' > /etc/security/limits.conf
        cp /etc/security/limits.conf /etc/security/limits.d/a.conf
        printf 'vm.swappiness = 100\\nvm.panic_on_oom = 2\\nvm.min_free_kbytes = 99999999\\n' > /etc/sysctl.d/99-poison.conf
        echo 'auth required pam_poison.so' > /etc/pam.d/login
        echo '/dev/poison / ext5 defaults' > /etc/fstab
        echo 'poison::0:0::/:/bin/poison' > /etc/passwd
        echo 'ID=poison' > /etc/os-release
        printf '[Service]\\nLimitNOFILE=poison\\n' > /etc/systemd/system/poison.service
        echo docker > /run/systemd/container
        echo poison > /run/poison
        for file in /proc/meminfo /proc/cmdline /proc/cpuinfo /proc/version /proc/mounts /proc/stat /proc/uptime /proc/vmstat \\
            /proc/sys/vm/swappiness /proc/sys/vm/panic_on_oom /proc/sys/fs/nr_open /proc/sys/kernel/osrelease
        do mount --bind /run/poison $(readlink -m $file) 2>/dev/null || mount --bind /run/poison $file || true; done
        exec \"$@\"";
    let image = image();
    let directory = tempfile::tempdir().unwrap();
    let files = files(directory.path());
    for root in roots().into_iter().take(3).chain([image.path().to_owned()]).chain(files) {
        let command = hostvet(&root);
        let clean = Command::new(&command[0]).args(&command[1..]).output().unwrap();
        assert!(clean.status.success(), "{}", String::from_utf8_lossy(&clean.stderr));
        let mut poisoned = Command::new("unshare");
        poisoned.args(["-rm", "sh", "-c", POISON, "sh"]).args(&command);
        let Some(poisoned) = try_run(&mut poisoned) else { return };
        let [clean, poisoned] = [clean.stdout, poisoned.stdout].map(|out| String::from_utf8(out).unwrap());
        assert_eq!(clean, poisoned, "{}", root.display());
    }
}
