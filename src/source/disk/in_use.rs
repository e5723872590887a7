//! Whether a disk is in use by this host while it is read.

use nix::sys::stat::{major, minor};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Where the disk, a part of it, or what is made of it is mounted for writing, in words; none of an image in a file.
pub(super) fn in_use(file: &File) -> Option<String> {
    let metadata = file.metadata().ok().filter(|metadata| metadata.file_type().is_block_device())?;
    let disk = of_kernel(&format!("{}:{}", major(metadata.rdev()), minor(metadata.rdev())))?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let is_on_it =
        |device: &str| of_kernel(device).is_some_and(|device| is_part(&device, &disk, MOST_LAYERS));
    let at: BTreeSet<_> = written(&mounts).filter(|(device, _)| is_on_it(device)).map(|(_, at)| at).collect();
    (!at.is_empty()).then(|| {
        let at = at.into_iter().collect::<Vec<_>>().join(", ");
        format!("it is mounted here at {at}, and may change while it is read: what was written last may be missing")
    })
}

/// The device of these numbers, as the kernel has it below /sys.
fn of_kernel(numbers: &str) -> Option<PathBuf> {
    fs::canonicalize(Path::new("/sys/dev/block").join(numbers)).ok()
}

/// As many devices are looked at that lie one on another: a volume, an encrypted one, an array, a partition.
const MOST_LAYERS: u32 = 5;

/// Whether a device is the disk, a partition of it, or made of such: its own directory says of which devices it is made.
fn is_part(device: &Path, disk: &Path, layers: u32) -> bool {
    if device.starts_with(disk) {
        return true;
    }
    let Some(layers) = layers.checked_sub(1) else { return false };
    let beneath = fs::read_dir(device.join("slaves")).into_iter().flatten().flatten();
    beneath
        .filter_map(|entry| fs::canonicalize(entry.path()).ok())
        .any(|device| is_part(&device, disk, layers))
}

/// The numbers and the place of what is mounted for writing, by proc_pid_mountinfo(5).
fn written(mounts: &str) -> impl Iterator<Item = (&str, &str)> {
    mounts.lines().filter_map(|line| {
        let (mount, file_system) = line.split_once(" - ")?;
        let mut fields = mount.split(' ');
        let (device, at) = (fields.nth(2)?, fields.nth(1)?);
        let options = file_system.split(' ').nth(2)?;
        options.split(',').any(|option| option == "rw").then_some((device, at))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_mounted_for_writing_counts() {
        let mounts = "29 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,errors=continue\n\
                      30 29 254:1 / /mnt/a ro,relatime - ext4 /dev/vda1 ro\n\
                      31 29 254:2 /sub /mnt/b ro - btrfs /dev/vda2 rw\n\
                      cut off";
        assert_eq!(written(mounts).collect::<Vec<_>>(), [("254:0", "/"), ("254:2", "/mnt/b")]);
    }

    #[test]
    fn an_image_in_a_file_is_in_nobodys_use() {
        assert_eq!(in_use(&tempfile::tempfile().unwrap()), None);
    }
}
