//! The kernels and initial RAM disks in /boot.

use super::Fact;
use crate::source::{FileKind, Host, Missing, Reading};
use crate::{record, word};
use std::path::Path;

record! {
    /// The kernels and initial RAM disks that lie in /boot itself, as packages of Debian, Red Hat and SUSE put them there, or in the
    /// folders of /boot/ostree. Not those in /boot/efi or in the folders of systemd-boot.
    ///
    /// ```text
    /// -rw------- root root 43718341 /boot/initramfs-5.14.0-503.el9.x86_64.img
    /// -rwxr-xr-x root root 14467384 /boot/vmlinuz-5.14.0-503.el9.x86_64
    /// ```
    ///
    /// Source: the distributions' kernel-install and update-initramfs, ostree's document on upgrades. Absent without a /boot.
    #[bare(list)]
    pub struct BootImages {
        /// The images, sorted by name in each folder; symbolic links are left out.
        pub list: Vec<BootImage>,
    }
}

record! {
    /// A kernel or an initial RAM disk.
    #[derive(Clone, PartialEq)]
    pub struct BootImage {
        /// The file's name: `vmlinuz-6.1.0-28-amd64`.
        pub name: String,
        /// What it is.
        pub kind: BootImageKind,
        /// Size in bytes.
        pub size_bytes: u64,
        /// Whether it is made once and not with every new kernel: the rescue image, kdump's.
        pub special: bool,
    }
}

word! {
    /// What a file that is needed to boot is.
    pub enum BootImageKind {
        /// A kernel: `vmlinuz-*`, `vmlinux-*`, `Image-*`.
        Kernel = "kernel",
        /// An initial RAM disk: `initrd*`, `initramfs*`.
        Initrd = "initrd",
    }
}

const BOOT: &str = "/boot";

/// Where ostree has a folder for each kernel with its initial RAM disk.
const OSTREE: &str = "/boot/ostree";

/// As many of them nobody keeps.
const MOST: usize = 500;

impl Fact for BootImages {
    const NAME: &'static str = "boot_images";
    const READS: &'static [&'static str] = &["/boot", "/boot/ostree/*"];

    fn collect(host: &Host) -> Reading<Self> {
        let mut list = of(host, BOOT)?;
        let folders = match host.source.list(Path::new(OSTREE)) {
            Err(Missing::Absent) => Vec::new(),
            folders => folders?,
        };
        for folder in folders.iter().filter(|folder| folder.kind == FileKind::Directory).take(MOST) {
            list.extend(of(host, &format!("{OSTREE}/{}", folder.name.to_string_lossy()))?);
        }
        Ok(Self { list })
    }
}

/// The images in a folder.
fn of(host: &Host, folder: &str) -> Reading<Vec<BootImage>> {
    let mut list = Vec::new();
    for name in host.names(folder)? {
        let Some(kind) = kind(&name) else { continue };
        let stat = host.source.lstat(Path::new(&format!("{folder}/{name}")))?;
        if stat.kind == FileKind::File {
            let special = ["rescue", "kdump"].iter().any(|word| name.contains(word));
            list.push(BootImage { name, kind, size_bytes: stat.size, special });
        }
    }
    Ok(list)
}

fn kind(name: &str) -> Option<BootImageKind> {
    let starts = |with: &[&str]| with.iter().any(|start| name.starts_with(start));
    // Debian's dpkg leaves .dpkg-bak beside an initrd; it takes room, but says nothing of the next one.
    if starts(&["initrd", "initramfs"]) {
        return Some(BootImageKind::Initrd);
    }
    starts(&["vmlinuz", "vmlinux-", "Image-"]).then_some(BootImageKind::Kernel)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    fn images(files: &Files) -> Reading<Vec<BootImage>> {
        BootImages::collect(&Host::new(files.clone(), Target::live())).map(|b| b.list)
    }

    #[test]
    fn kernels_and_initrds_are_told_apart() {
        let mut files = Files::new();
        files
            .file("/boot/vmlinuz-6.1", "kernel")
            .file("/boot/initrd.img-6.1", "ramdisk")
            .file("/boot/config-6.1", "");
        files.file("/boot/initramfs-0-rescue-1.img", "x").link("/boot/initrd.img", "initrd.img-6.1");
        files.file("/boot/initramfs-5.14kdump.img", "x").directory("/boot/vmlinuz-dir");
        let found = images(&files).unwrap();
        let told: Vec<_> = found.iter().map(|i| (i.name.as_str(), i.kind, i.size_bytes, i.special)).collect();
        assert_eq!(
            told,
            [
                ("initramfs-0-rescue-1.img", BootImageKind::Initrd, 1, true),
                ("initramfs-5.14kdump.img", BootImageKind::Initrd, 1, true),
                ("initrd.img-6.1", BootImageKind::Initrd, 7, false),
                ("vmlinuz-6.1", BootImageKind::Kernel, 6, false),
            ]
        );
    }

    #[test]
    fn those_of_ostree_are_in_folders() {
        let mut files = Files::new();
        files
            .file("/boot/ostree/fcos-a1/vmlinuz-6.9.7", "kernel")
            .file("/boot/ostree/fcos-b2/vmlinuz-6.9.8", "k");
        files
            .file("/boot/ostree/fcos-a1/initramfs-6.9.7.img", "x")
            .file("/boot/ostree/fcos-a1/.vmlinuz.hmac", "");
        let names: Vec<_> = images(&files).unwrap().into_iter().map(|image| image.name).collect();
        assert_eq!(names, ["initramfs-6.9.7.img", "vmlinuz-6.9.7", "vmlinuz-6.9.8"]);
    }

    #[test]
    fn no_boot_is_absent_and_denied_is_not() {
        assert!(matches!(images(&Files::new()), Err(Missing::Absent)));
        let mut files = Files::new();
        files.deny("/boot");
        assert!(matches!(images(&files), Err(Missing::Unreadable(_))));
        let mut empty = Files::new();
        assert!(images(empty.directory("/boot")).unwrap().is_empty());
    }
}
