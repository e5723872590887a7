//! What is mounted now.

use super::Fact;
use crate::format::mountinfo::{self, Mounted};
use crate::model::Lazy;
use crate::record;
use crate::source::{At, Host, Missing, Reading};

record! {
    /// What is mounted now, in the order in which it was mounted.
    ///
    /// ```text
    /// 25 1 252:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro
    /// 91 25 252:17 / /mnt/my\040disk rw,noatime shared:45 - xfs /dev/vdb1 rw,attr2
    /// ```
    ///
    /// Source: proc_pid_mountinfo(5), proc_pid_mounts(5), mount(2). Absent where no kernel runs: images and plain roots.
    #[bare(list)]
    pub struct Mounts {
        /// The mounts. One at the same mount point as a later one is hidden by it.
        pub list: Vec<Mount>,
        /// Lines that are no mounts, as they stand.
        pub malformed: Vec<String>,
        /// Where it was read.
        pub at: At,
    }
}

record! {
    /// A mount.
    pub struct Mount {
        /// What is mounted, as mount(2) was told: `/dev/vda1`, `nas:/export`, `tmpfs`; may be empty.
        pub source: String,
        /// Where, decoded.
        pub mount_point: String,
        /// File system type, with its subtype: `ext4`, `fuse.sshfs`.
        pub r#type: String,
        /// The options of this mount, in order; where only a mounts file tells, those of the file system too.
        pub options: Vec<String>,
        /// The options of the file system, through whichever mount it is seen; absent in a mounts file.
        pub super_options: Option<Vec<String>>,
        /// Whether the file system itself is read-only (`ro` among `super_options`; a mounts file cannot tell it
        /// from a read-only mount, so there either counts).
        pub read_only: bool,
        /// The directory of the file system that is mounted: `/` but for bind mounts and btrfs subvolumes; absent
        /// in a mounts file.
        pub root: Option<String>,
        /// `major:minor` of the file system's device, 0:N where it has none of its own; absent in a mounts file.
        pub device: Option<String>,
        /// The mount's ID; absent in a mounts file.
        pub id: Option<u64>,
        /// The ID of the mount on which it is mounted; absent in a mounts file.
        pub parent_id: Option<u64>,
        /// Whether a later mount at the same mount point hides it.
        pub hidden: bool,
        /// The file of the systemd mount unit that describes it, but for one made from fstab; absent without one.
        pub unit: Lazy<String>,
        /// The line, from 1.
        pub line: u32,
        /// Where it was read.
        pub at: At,
    }
}

/// Where mount units may be, as systemd.unit(5) lists them.
const UNITS: [&str; 8] = [
    "/etc/systemd/system",
    "/run/systemd/transient",
    "/run/systemd/system",
    "/run/systemd/generator.early",
    "/run/systemd/generator",
    "/run/systemd/generator.late",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

impl Fact for Mounts {
    const NAME: &'static str = "mounts";
    const READS: &'static [&'static str] = &[
        "/proc/self/mountinfo",
        "/proc/1/mountinfo",
        "/proc/self/mounts",
        "/proc/1/mounts",
        "/proc/mounts",
        "/etc/systemd/system/*.mount",
    ];

    fn collect(host: &Host) -> Reading<Self> {
        let (path, text) = mountinfo::read(host)?;
        let (found, malformed) = mountinfo::parse(path, &text);
        let mut list: Vec<Mount> = found.into_iter().map(|mounted| mount(host, path, mounted)).collect();
        mark_hidden(&mut list);
        let malformed = malformed.into_iter().map(|(line, text)| format!("{line}: {text}")).collect();
        Ok(Self { list, malformed, at: At::file(path) })
    }
}

fn mount(host: &Host, path: &'static str, mounted: Mounted) -> Mount {
    let (host, point) = (host.clone(), mounted.mount_point.clone());
    let detail = mounted.detail;
    let of_system = detail.as_ref().map_or(&mounted.options, |d| &d.super_options);
    Mount {
        read_only: of_system.iter().any(|o| o == "ro"),
        source: mounted.source,
        mount_point: mounted.mount_point,
        r#type: mounted.fs_type,
        options: mounted.options,
        id: detail.as_ref().map(|d| d.id),
        parent_id: detail.as_ref().map(|d| d.parent),
        root: detail.as_ref().map(|d| d.root.clone()),
        device: detail.as_ref().map(|d| d.device.clone()),
        super_options: detail.map(|d| d.super_options),
        hidden: false,
        unit: Lazy::new(move || unit(&host, &point)),
        line: mounted.line,
        at: At::line(path, mounted.line),
    }
}

fn mark_hidden(list: &mut [Mount]) {
    let mut seen = std::collections::HashSet::new();
    for mount in list.iter_mut().rev() {
        mount.hidden = !seen.insert(mount.mount_point.clone());
    }
}

/// The file of the unit that is named after the mount point.
///
/// One that was generated from fstab does not count: it outlives its line there, until the next boot.
fn unit(host: &Host, mount_point: &str) -> Reading<String> {
    let name = format!("{}.mount", escape(mount_point));
    for folder in UNITS {
        let path = format!("{folder}/{name}");
        match host.read_text(&path) {
            Ok(text) if text.lines().any(|l| l.trim() == "SourcePath=/etc/fstab") => {}
            Ok(_) => return Ok(path),
            Err(Missing::Absent) => {}
            Err(unreadable) => return Err(unreadable),
        }
    }
    Err(Missing::Absent)
}

/// A path as a unit's name, as `systemd-escape --path` does: see systemd.unit(5), "String escaping for inclusion in unit names".
fn escape(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty()).collect();
    if parts.is_empty() {
        return "-".into();
    }
    let mut name = String::new();
    for byte in parts.join("/").bytes() {
        match byte {
            b'/' => name.push('-'),
            b'.' if name.is_empty() => name.push_str("\\x2e"),
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b':' | b'_' | b'.' => name.push(char::from(byte)),
            other => name.push_str(&format!("\\x{other:02x}")),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    const MOUNTINFO: &str = "\
25 1 252:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro
26 25 0:5 / /dev rw,nosuid shared:2 - devtmpfs udev rw,mode=755
91 25 252:17 / /mnt/my\\040disk ro,noatime shared:45 master:3 - xfs /dev/vdb1 rw,attr2
92 25 252:33 /sub /data rw - ext4 /dev/vdc1 ro
93 25 0:60 / /data rw - tmpfs  rw
rubbish
";

    fn mounts(files: &Files, target: Target) -> Reading<Mounts> {
        Mounts::collect(&Host::new(files.clone(), target))
    }

    #[test]
    fn mounts_are_read() {
        let mut files = Files::new();
        files.file("/proc/self/mountinfo", MOUNTINFO).file("/etc/systemd/system/mnt-my\\x20disk.mount", "");
        files.file("/run/systemd/generator/data.mount", "[Unit]\nSourcePath=/etc/fstab\n");
        let found = mounts(&files, Target::live()).unwrap();
        let [root, _, disk, data, over] = found.list.as_slice() else { panic!() };
        assert_eq!((root.mount_point.as_str(), root.device.as_deref()), ("/", Some("252:1")));
        assert_eq!(disk.mount_point, "/mnt/my disk");
        assert_eq!(disk.unit.get().unwrap(), "/etc/systemd/system/mnt-my\\x20disk.mount");
        assert_eq!(root.unit.get(), Err(Missing::Absent));
        assert_eq!(over.unit.get(), Err(Missing::Absent), "made from fstab");
        assert!(!disk.read_only, "the mount is read-only, the file system is not");
        assert!(data.read_only && data.hidden && !over.hidden);
        assert_eq!(data.root.as_deref(), Some("/sub"));
        assert_eq!(found.malformed, ["6: rubbish"]);
        assert_eq!(disk.at.to_string(), "/proc/self/mountinfo:3");
    }

    #[test]
    fn a_tree_may_carry_mounts_only() {
        let mut files = Files::new();
        files.file("/proc/mounts", "/dev/vda1 / ext4 ro,relatime 0 0\n");
        let found = mounts(&files, Target::root("tree")).unwrap();
        assert!(found.list[0].read_only && found.list[0].root.is_none());
        assert_eq!(mounts(&Files::new(), Target::root("tree")).unwrap_err(), Missing::Absent);
        files.deny("/proc/1/mountinfo");
        assert!(matches!(mounts(&files, Target::root("tree")), Err(Missing::Unreadable(_))));
    }

    #[test]
    fn unit_names_are_escaped_as_systemd_does() {
        for (path, name) in
            [("/", "-"), ("/var/lib//x/", "var-lib-x"), ("/a-b/.c", "a\\x2db-.c"), ("/.c", "\\x2ec")]
        {
            assert_eq!(escape(path), name);
        }
    }

    #[test]
    fn empty_and_garbage_are_no_mounts() {
        let mut files = Files::new();
        files.file("/proc/self/mountinfo", "");
        assert!(mounts(&files, Target::live()).unwrap().list.is_empty());
        files.file("/proc/self/mountinfo", [0xff, 0, b' ', b'-', b' ', 0xfe]);
        assert_eq!(mounts(&files, Target::live()).unwrap().malformed.len(), 1);
    }
}
