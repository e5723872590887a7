//! The names that distributions give to kernels and what belongs to them.

/// What begins the name of a kernel.
const KERNELS: [&str; 8] =
    ["vmlinuz-", "vmlinux-", "Image-", "bzImage-", "zImage-", "uImage-", "vmlinuz.", "kernel-"];

/// What begins and ends the name of an initial RAM disk.
const INITRDS: [(&str, &str); 6] = [
    ("initramfs-", ".img"),
    ("initrd.img-", ""),
    ("initrd-", ".img"),
    ("initrd-", ""),
    ("initramfs-", ""),
    ("initramfs.img-", ""),
];

/// Endings of what is kept beside the real thing, by packages and by people.
const ASIDE: [&str; 14] = [
    ".old",
    ".bak",
    ".orig",
    ".save",
    ".new",
    ".tmp",
    ".dpkg-new",
    ".dpkg-bak",
    ".dpkg-tmp",
    ".rpmsave",
    ".rpmnew",
    ".hmac",
    ".sig",
    "~",
];

/// The version of a kernel by the name of its file: `6.1.0-28-amd64` of `vmlinuz-6.1.0-28-amd64`. None where it is no kernel's
/// name, or something kept beside one.
pub fn kernel_version(name: &str) -> Option<&str> {
    let version = KERNELS.iter().find_map(|start| name.strip_prefix(start))?;
    // SUSE keeps the kernel for debuggers beside it: vmlinux-6.4.0-default.gz.
    let packed = [".gz", ".xz", ".zst", ".debug"].iter().any(|end| name.ends_with(end));
    (!packed && !version.is_empty() && !is_aside(name)).then_some(version)
}

/// The version of an initial RAM disk by the name of its file: `5.14.0` of `initramfs-5.14.0.img`, `initrd.img-5.14.0`, `initrd-5.14.0`.
pub fn initrd_version(name: &str) -> Option<&str> {
    let version = INITRDS.iter().find_map(|(start, end)| name.strip_prefix(start)?.strip_suffix(end))?;
    let version = version.strip_suffix(".gz").unwrap_or(version);
    (!version.is_empty() && !is_aside(name)).then_some(version)
}

/// The version of the kernel that a boot loader's path names: by the file's name, or, where that is `linux` or `vmlinuz` alone, by its
/// folder's (`/4f1d2c3b…/6.8.0/linux`, `/lib/modules/6.8.0/vmlinuz`).
pub fn version_in_path(path: &str) -> Option<&str> {
    let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
    if let Some(version) = kernel_version(name) {
        return Some(version);
    }
    let folder = above.rsplit('/').next().unwrap_or_default();
    let plain = matches!(name, "linux" | "vmlinuz" | "vmlinux" | "Image" | "bzImage");
    (plain && folder.starts_with(|c: char| c.is_ascii_digit())).then_some(folder)
}

/// Whether a kernel is not one that updates replace: the rescue image of dracut, memory testers under a kernel's name.
pub fn is_rescue(version: &str) -> bool {
    version.contains("rescue") || version.contains("kdump") || version.contains("memtest")
}

/// What a kernel is built for, as the end of its version says: `amd64` of `6.1.0-28-amd64`, `generic`, `rt`, `el9.x86_64`; several
/// may be installed side by side, and the newest of one is not the successor of another.
pub fn flavour(version: &str) -> String {
    let parts = version.split(['-', '.', '_', '+']).skip(1);
    // What has a digit counts up or dates, but for `x86_64`, which `_` has split, and `amd64`, `arm64`.
    let word = |part: &&str| part.starts_with(|c: char| c.is_ascii_alphabetic());
    let known = parts.filter(word).filter(|part| !part.starts_with("rc") && !part.starts_with("git"));
    let words: Vec<&str> = known
        .map(|part| {
            if part.starts_with("el") || part.starts_with("fc") {
                part.trim_end_matches(|c: char| c.is_ascii_digit())
            } else {
                part
            }
        })
        .collect();
    words.join("-")
}

fn is_aside(name: &str) -> bool {
    ASIDE.iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_all_distributions_are_known() {
        for (name, version) in [
            ("vmlinuz-6.1.0-28-amd64", Some("6.1.0-28-amd64")),
            ("vmlinuz-linux-lts", Some("linux-lts")),
            ("Image-6.4.0-default", Some("6.4.0-default")),
            ("vmlinuz-0-rescue-4f1d", Some("0-rescue-4f1d")),
            ("vmlinuz", None),
            ("vmlinux-6.4.0-default.gz", None),
            ("vmlinuz-6.1.0.old", None),
            ("vmlinuz-6.1.0.dpkg-new", None),
            ("memtest86+x64.bin", None),
            ("config-6.1.0", None),
        ] {
            assert_eq!(kernel_version(name), version, "{name}");
        }
        for (name, version) in [
            ("initrd.img-6.1.0-28-amd64", Some("6.1.0-28-amd64")),
            ("initramfs-5.14.0-1.el9.x86_64.img", Some("5.14.0-1.el9.x86_64")),
            ("initrd-6.4.0-default", Some("6.4.0-default")),
            ("initrd-2.6.18-8.el5.img", Some("2.6.18-8.el5")),
            ("initramfs-linux.img", Some("linux")),
            ("initramfs-lts", Some("lts")),
            ("initrd.img", None),
            ("initrd.img-6.1.0.dpkg-bak", None),
        ] {
            assert_eq!(initrd_version(name), version, "{name}");
        }
    }

    #[test]
    fn a_path_tells_the_version_by_file_or_folder() {
        for (path, version) in [
            ("/boot/vmlinuz-6.1.0", Some("6.1.0")),
            ("vmlinuz-lts", Some("lts")),
            ("/4f1d2c3b8a674e5d9c0b1a2b3c4d5e6f/6.8.0-1/linux", Some("6.8.0-1")),
            ("/lib/modules/6.8.0/vmlinuz", Some("6.8.0")),
            ("/boot/vmlinuz", None),
            ("/memtest.bin", None),
        ] {
            assert_eq!(version_in_path(path), version, "{path}");
        }
    }

    #[test]
    fn flavours_are_what_counts_not_up() {
        assert_eq!(flavour("6.1.0-28-amd64"), flavour("6.1.0-31-amd64"));
        assert_eq!(flavour("5.14.0-70.13.1.el9_0.x86_64"), flavour("5.14.0-427.el9.x86_64"));
        assert_ne!(flavour("6.1.0-28-amd64"), flavour("6.1.0-28-cloud-amd64"));
        assert_ne!(flavour("6.8.0-31-generic"), flavour("6.8.0-31-lowlatency"));
        assert_eq!(flavour("6.9.0-rc1-default"), flavour("6.8.0-default"));
    }
}
