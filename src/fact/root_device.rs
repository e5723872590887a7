//! What the root file system lies on, and the drivers that lead to it.

use super::Fact;
use crate::format::mountinfo;
use crate::record;
use crate::source::{At, Host, Missing, Optional, Reading, Reason, resolve};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

record! {
    /// What the root file system of the running host lies on, and the drivers that lead to it: what its initial RAM disk must have.
    ///
    /// ```text
    /// /proc/self/mountinfo                              25 1 252:1 / / rw - ext4 /dev/vda1 rw
    /// /sys/dev/block/252:1                              -> ../../devices/pci0000:00/0000:00:05.0/virtio2/block/vda/vda1
    /// …/virtio2/driver                                  -> ../../../../bus/virtio/drivers/virtio_blk
    /// /sys/bus/virtio/drivers/virtio_blk/module         -> ../../../../module/virtio_blk
    /// ```
    ///
    /// Source: proc_pid_mountinfo(5), the kernel's admin-guide/sysfs-rules; ostree-prepare-root(1) for what is at /sysroot where / is
    /// of composefs. Absent where no kernel runs, and where / is on no block
    /// device (containers, network file systems).
    pub struct RootDevice {
        /// What is mounted on /, or holds its files: `/dev/vda1`.
        pub source: String,
        /// The type of the file system: `ext4`.
        pub r#type: String,
        /// The disks it lies on, through partitions, volumes and arrays: `vda`. Unreadable where sysfs does not show them.
        pub disks: Reading<Vec<String>>,
        /// The modules of the drivers from these disks to the bus: `sd_mod`, `virtio_scsi`, `virtio_pci`. Drivers that are built into the
        /// kernel need none, and are not here. Unreadable where sysfs does not show them.
        pub drivers: Reading<Vec<String>>,
        /// Where it was read.
        pub at: At,
    }
}

const CLASS: &str = "/sys/class/block";
const NUMBERS: &str = "/sys/dev/block";

/// Volumes on arrays on encrypted disks are three deep.
const DEEPEST: u32 = 8;

/// As many disks hardly any root lies on.
const MOST: usize = 256;

impl Fact for RootDevice {
    const NAME: &'static str = "root_device";
    const READS: &'static [&'static str] =
        &["/proc/self/mountinfo", "/sys/dev/block/*", "/sys/class/block/*", "/sys/devices/*/{driver,slaves}"];

    fn collect(host: &Host) -> Reading<Self> {
        let (path, text) = mountinfo::read(host)?;
        let (mounts, _) = mountinfo::parse(path, &text);
        // The last one lies over the others. Where ostree makes / of a composefs image, its files are on what is at /sysroot.
        let at = |point: &str| {
            let mut of_devices = mounts.iter().rev().filter(|mount| mount.source.starts_with('/'));
            of_devices.find(|mount| mount.mount_point == point).cloned()
        };
        let root = at("/").or_else(|| at("/sysroot")).ok_or(Missing::Absent)?;
        let number =
            root.detail.as_ref().map(|detail| detail.device.as_str()).filter(|n| !n.starts_with("0:"));
        let seen = look(host, number, &root.source);
        Ok(Self {
            disks: seen.as_ref().map(|seen| names(&seen.disks)).map_err(Clone::clone),
            drivers: seen.map(|seen| seen.drivers.into_iter().collect()),
            at: At::line(path, root.line),
            source: root.source,
            r#type: root.fs_type,
        })
    }
}

#[derive(Default)]
struct Seen {
    disks: BTreeSet<PathBuf>,
    drivers: BTreeSet<String>,
}

fn names(paths: &BTreeSet<PathBuf>) -> Vec<String> {
    let last = paths.iter().filter_map(|path| path.file_name());
    last.map(|name| name.to_string_lossy().into_owned()).collect()
}

fn look(host: &Host, number: Option<&str>, source: &str) -> Reading<Seen> {
    let device = match number {
        Some(number) => format!("{NUMBERS}/{number}"),
        // btrfs and ZFS have numbers of their own.
        None => format!("{CLASS}/{}", source.strip_prefix("/dev/").unwrap_or("none")),
    };
    if !host.exists(&device)? {
        let why = format!("sysfs does not show {source}");
        return Err(Missing::unreadable(device, Reason::NotRead(why)));
    }
    let mut seen = Seen::default();
    descend(host, &resolve(&*host.source, Path::new(&device), true)?, 0, &mut seen)?;
    for disk in &seen.disks {
        climb(host, disk, &mut seen.drivers)?;
    }
    Ok(seen)
}

/// To the disks that a device is built on.
fn descend(host: &Host, device: &Path, depth: u32, seen: &mut Seen) -> Reading<()> {
    if depth > DEEPEST || seen.disks.len() >= MOST {
        return Ok(());
    }
    let path = device.to_string_lossy();
    if host.exists(&format!("{path}/partition"))?
        && let Some(disk) = device.parent()
    {
        return descend(host, disk, depth + 1, seen);
    }
    let slaves = host.names(&format!("{path}/slaves")).optional()?.unwrap_or_default();
    for slave in slaves.iter().take(MOST) {
        descend(host, &resolve(&*host.source, &device.join("slaves").join(slave), true)?, depth + 1, seen)?;
    }
    if slaves.is_empty() {
        seen.disks.insert(device.to_path_buf());
    }
    Ok(())
}

/// From a disk to the bus, noting the module of each driver.
fn climb(host: &Host, disk: &Path, drivers: &mut BTreeSet<String>) -> Reading<()> {
    for above in disk.ancestors().skip(1).take_while(|above| above.starts_with("/sys/devices/")).take(32) {
        let module = resolve(&*host.source, &above.join("driver/module"), false);
        let module = module.and_then(|link| host.source.read_link(&link));
        if let Some(target) = module.optional()? {
            let name = target.file_name().map(|name| name.to_string_lossy().replace('-', "_"));
            drivers.extend(name);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    fn collect(files: &Files) -> Reading<RootDevice> {
        RootDevice::collect(&Host::new(files.clone(), Target::live()))
    }

    const VDA: &str = "/sys/devices/pci0000:00/0000:00:05.0/virtio2/block/vda";

    fn virtio() -> Files {
        let mut files = Files::new();
        files.file(
            "/proc/self/mountinfo",
            "20 1 0:1 / / rw - rootfs rootfs rw\n25 1 252:1 / / rw - ext4 /dev/vda1 rw\n",
        );
        files.file(format!("{VDA}/vda1/partition"), "1\n");
        files.link("/sys/dev/block/252:1", format!("{}/vda1", VDA.replace("/sys/", "../../")));
        files.link(
            "/sys/devices/pci0000:00/0000:00:05.0/virtio2/driver",
            "../../../../bus/virtio/drivers/virtio_blk",
        );
        files.link("/sys/bus/virtio/drivers/virtio_blk/module", "../../../../module/virtio_blk");
        files.link("/sys/devices/pci0000:00/0000:00:05.0/driver", "../../../bus/pci/drivers/virtio-pci");
        files.directory("/sys/bus/pci/drivers/virtio-pci").directory("/sys/module/virtio_blk");
        files
    }

    #[test]
    fn the_drivers_of_the_disk_are_found_through_the_partition() {
        let found = collect(&virtio()).unwrap();
        assert_eq!((found.source.as_str(), found.r#type.as_str()), ("/dev/vda1", "ext4"));
        assert_eq!((found.disks, found.drivers), (Ok(vec!["vda".into()]), Ok(vec!["virtio_blk".into()])));
        assert_eq!(found.at.to_string(), "/proc/self/mountinfo:2");
    }

    #[test]
    fn a_volume_leads_to_its_disks() {
        let mut files = virtio();
        files.file("/proc/self/mountinfo", "25 1 253:0 / / rw - xfs /dev/mapper/vg-root rw\n");
        files.link("/sys/dev/block/253:0", "../../devices/virtual/block/dm-0");
        files.link("/sys/devices/virtual/block/dm-0/slaves/vda1", &format!("{VDA}/vda1")[..]);
        assert_eq!(collect(&files).unwrap().disks, Ok(vec!["vda".into()]));
        files.file("/proc/self/mountinfo", "25 1 0:30 / / rw - btrfs /dev/vda1 rw\n");
        files.link("/sys/class/block/vda1", format!("{VDA}/vda1"));
        assert_eq!(collect(&files).unwrap().drivers, Ok(vec!["virtio_blk".into()]));
    }

    #[test]
    fn a_root_of_composefs_lies_on_the_physical_root() {
        let mut files = virtio();
        files.file(
            "/proc/self/mountinfo",
            "22 1 0:29 / / ro - overlay composefs ro\n37 22 252:1 / /sysroot ro - xfs /dev/vda1 rw\n38 22 252:1 /ostree/deploy/a/var /var rw - xfs /dev/vda1 rw\n",
        );
        let found = collect(&files).unwrap();
        assert_eq!((found.source.as_str(), found.r#type.as_str()), ("/dev/vda1", "xfs"));
        assert_eq!(found.drivers, Ok(vec!["virtio_blk".into()]));
        assert_eq!(found.at.line, Some(2));
    }

    #[test]
    fn no_device_no_sysfs_and_circles_are_told_apart() {
        assert!(matches!(collect(&Files::new()), Err(Missing::Absent)));
        let mut files = Files::new();
        files.file("/proc/self/mountinfo", "25 1 0:30 / / rw - overlay overlay rw\n");
        assert!(matches!(collect(&files), Err(Missing::Absent)));
        files.file("/proc/self/mountinfo", "25 1 252:1 / / rw - ext4 /dev/vda1 rw\n");
        assert!(matches!(collect(&files).unwrap().drivers, Err(Missing::Unreadable(_))));
        files.link("/sys/dev/block/252:1", "../../devices/a").link("/sys/devices/a/slaves/a", "../../a");
        assert_eq!(collect(&files).unwrap().disks, Ok(Vec::new()));
        files.deny("/proc/self/mountinfo");
        assert!(matches!(collect(&files), Err(Missing::Unreadable(_))));
    }
}
