//! The kernels that are installed, and what belongs to each.

use super::Fact;
use crate::format::kernel_files::{flavour, initrd_version, is_rescue, kernel_version};
use crate::format::version_order::compare;
use crate::model::Lazy;
use crate::record;
use crate::source::{At, FileKind, Host, Missing, Optional, Reading};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

record! {
    /// The kernels that are installed, and what belongs to each.
    ///
    /// ```text
    /// /boot/vmlinuz-6.1.0-28-amd64      /boot/initrd.img-6.1.0-28-amd64
    /// /boot/config-6.1.0-28-amd64       /boot/System.map-6.1.0-28-amd64
    /// /lib/modules/6.1.0-28-amd64/modules.dep, modules.builtin
    /// /boot/efi/EFI/Linux/debian-6.1.0-28-amd64.efi                           (kernel and initramfs in one)
    /// /lib/modules/6.9.7-200.fc40.x86_64/{vmlinuz,initramfs.img}              (ostree, which copies them to /boot/ostree)
    /// ```
    ///
    /// Source: the distributions' packages, kernel-install(8), depmod(8), modules.builtin in the kernel's kbuild document, and for
    /// ostree its document on deployments. A kernel is here if its image lies in /boot, in a folder of /boot that
    /// kernel-install(8) made, or with its initial RAM disk beside its modules; modules alone are no kernel. Links such as /boot/vmlinuz are left out. Absent without a /boot.
    #[bare(list)]
    pub struct Kernels {
        /// The kernels, the newest first, rescue images last.
        pub list: Vec<InstalledKernel>,
        /// The version of the newest, rescue images aside; absent where there is none.
        pub newest: Option<String>,
        /// The version of the newest of the running kernel's flavour (`amd64`, `cloud-amd64`), where that is newer than the running
        /// one. Absent where none is, or no kernel runs.
        pub pending: Reading<String>,
        /// Unified kernel images on the EFI system partition; unreadable where that may not be looked into.
        pub unified: Lazy<Vec<UnifiedKernel>>,
    }
}

record! {
    /// A kernel.
    pub struct InstalledKernel {
        /// Its version, or what stands for it in its name: `6.1.0-28-amd64`, `linux-lts`.
        pub version: String,
        /// Whether it is dracut's rescue image, or kdump's.
        pub rescue: bool,
        /// The version of the newest kernel of the same flavour (`amd64`, `cloud-amd64`), where that is newer. Absent for the newest,
        /// and for names without a version.
        pub successor: Option<String>,
        /// The path of its image.
        pub image: String,
        /// Size of the image in bytes.
        pub image_bytes: u64,
        /// The path of its initial RAM disk; absent without one.
        pub initrd: Option<String>,
        /// Size of the initial RAM disk in bytes.
        pub initrd_bytes: Option<u64>,
        /// /boot/config-V, or what is its like; absent without.
        pub config: Option<String>,
        /// /boot/System.map-V, or what is its like; absent without.
        pub system_map: Option<String>,
        /// The directory of its modules; absent without one.
        pub modules: Reading<String>,
        /// Size of modules.dep in bytes: what modprobe(8) finds modules by. Absent without one.
        pub modules_dep_bytes: Reading<u64>,
        /// The modules that are built into it, by the names that lsmod would show: `ext4`. Absent without modules.builtin.
        pub builtin: Lazy<Vec<String>>,
        /// The modules that it can load, by modules.dep; those that are not installed are not there.
        pub loadable: Lazy<Vec<String>>,
        /// Its image.
        pub at: At,
    }
}

record! {
    /// A kernel with its initial RAM disk and command line in one file that firmware can start.
    #[derive(Clone, PartialEq)]
    pub struct UnifiedKernel {
        /// Its path.
        pub path: String,
        /// Size in bytes.
        pub size_bytes: u64,
        /// The path.
        pub at: At,
    }
}

const BOOT: &str = "/boot";
const MODULES: &str = "/lib/modules";

/// Where the EFI system partition may be mounted.
const ESP: [&str; 4] = ["/boot/efi", "/efi", "/boot", "/boot/esp"];

/// As many kernels nobody keeps.
const MOST: usize = 500;

/// modules.dep and modules.builtin of the largest kernels have less than 1 MiB.
const LIST_CAP: u64 = 8 << 20;

impl Fact for Kernels {
    const NAME: &'static str = "kernels";
    const READS: &'static [&'static str] = &[
        "/boot/*",
        "/boot/ID/VERSION/{linux,initrd}",
        "/lib/modules/*/{modules.dep,modules.builtin,pkgbase,vmlinuz,initramfs.img,config,System.map}",
        "/boot/efi/EFI/Linux/*.efi",
        "/proc/sys/kernel/osrelease",
    ];

    fn collect(host: &Host) -> Reading<Self> {
        let mut found = Found::look(host)?;
        let modules = host.names(MODULES);
        for version in modules.iter().flatten() {
            found.of_ostree(host, version)?;
        }
        let mut list: Vec<InstalledKernel> = Vec::new();
        for (version, (image, image_bytes)) in &found.images {
            list.push(kernel(host, &found, &modules, version, image, *image_bytes));
        }
        list.sort_by(|a, b| a.rescue.cmp(&b.rescue).then_with(|| compare(&b.version, &a.version)));
        let versions: Vec<String> = list.iter().filter(|k| !k.rescue).map(|k| k.version.clone()).collect();
        for kernel in list.iter_mut().filter(|k| !k.rescue) {
            kernel.successor = newer(&versions, &kernel.version);
        }
        let newest = list.iter().find(|k| !k.rescue).map(|k| k.version.clone());
        let esp = host.clone();
        let pending = host.read_text("/proc/sys/kernel/osrelease");
        let pending = pending.and_then(|release| newer(&versions, release.trim()).ok_or(Missing::Absent));
        Ok(Self { pending, newest, list, unified: Lazy::new(move || unified(&esp)) })
    }
}

/// The files of /boot by the version that they are for.
#[derive(Default)]
struct Found {
    images: BTreeMap<String, (String, u64)>,
    initrds: HashMap<String, (String, u64)>,
    others: HashMap<String, String>,
}

impl Found {
    fn look(host: &Host) -> Reading<Self> {
        let mut found = Self::default();
        for entry in host.source.list(Path::new(BOOT))? {
            let name = entry.name.to_string_lossy().into_owned();
            let path = format!("{BOOT}/{name}");
            if entry.kind == FileKind::Directory && is_id(&name) {
                found.folder(host, &path)?;
            } else if let Some(version) = kernel_version(&name).filter(|_| !is_alias(host, &path)) {
                found.image(version, &path, file(host, &path)?);
            } else if let Some(version) = initrd_version(&name).filter(|_| !is_alias(host, &path)) {
                if let Some(size) = file(host, &path)? {
                    found.initrds.insert(version.to_owned(), (path, size));
                }
            } else if name.starts_with("config-") || name.starts_with("System.map-") {
                found.others.insert(name, path);
            }
        }
        Ok(found)
    }

    /// What kernel-install(8) makes for systemd-boot: a folder for the machine, one in it for each kernel.
    fn folder(&mut self, host: &Host, path: &str) -> Reading<()> {
        for version in host.names(path)? {
            let folder = format!("{path}/{version}");
            for name in ["linux", "vmlinuz"] {
                self.image(&version, &format!("{folder}/{name}"), file(host, &format!("{folder}/{name}"))?);
            }
            for name in ["initrd", "initrd.img", "initramfs"] {
                if let Some(size) = file(host, &format!("{folder}/{name}"))? {
                    self.initrds.insert(version.clone(), (format!("{folder}/{name}"), size));
                }
            }
        }
        Ok(())
    }

    /// What ostree takes a kernel for: one with its initial RAM disk in the directory of its modules. In /boot lie copies, those for
    /// other deployments among them. Packages of others put the kernel alone here.
    fn of_ostree(&mut self, host: &Host, version: &str) -> Reading<()> {
        let path = |name: &str| format!("{MODULES}/{version}/{name}");
        let (kernel, initrd) = (path("vmlinuz"), path("initramfs.img"));
        let Some(size) = file(host, &initrd)?.filter(|_| !self.images.contains_key(version)) else {
            return Ok(());
        };
        self.image(version, &kernel, file(host, &kernel)?);
        self.initrds.insert(version.to_owned(), (initrd, size));
        for name in ["config", "System.map"] {
            if file(host, &path(name))?.is_some() {
                self.others.insert(format!("{name}-{version}"), path(name));
            }
        }
        Ok(())
    }

    fn image(&mut self, version: &str, path: &str, size: Option<u64>) {
        if let Some(size) = size.filter(|_| self.images.len() < MOST) {
            self.images.insert(version.to_owned(), (path.to_owned(), size));
        }
    }
}

/// The size of the regular file at a path, links followed; none where there is no such.
fn file(host: &Host, path: &str) -> Reading<Option<u64>> {
    let stat = host.source.stat(Path::new(path)).optional()?;
    Ok(stat.filter(|stat| stat.kind == FileKind::File).map(|stat| stat.size))
}

/// Whether the path is a link to another name in the same directory.
fn is_alias(host: &Host, path: &str) -> bool {
    host.source.read_link(Path::new(path)).is_ok_and(|target| {
        let folder = target.parent();
        folder.is_none_or(|folder| [Path::new(""), Path::new("."), Path::new(BOOT)].contains(&folder))
    })
}

fn is_id(name: &str) -> bool {
    name.len() == 32 && name.bytes().all(|b| b.is_ascii_hexdigit())
}

fn kernel(
    host: &Host,
    found: &Found,
    modules: &Reading<Vec<String>>,
    version: &str,
    image: &str,
    image_bytes: u64,
) -> InstalledKernel {
    let folder = modules_of(host, modules, version);
    let list = |name: &'static str| {
        let (host, folder) = (host.clone(), folder.clone());
        Lazy::new(move || module_list(&host, &format!("{}/{name}", folder.clone()?)))
    };
    let initrd = found.initrds.get(version);
    let other = |start: &str| found.others.get(&format!("{start}-{version}")).cloned();
    InstalledKernel {
        rescue: is_rescue(version),
        successor: None,
        image: image.to_owned(),
        image_bytes,
        initrd: initrd.map(|(path, _)| path.clone()),
        initrd_bytes: initrd.map(|(_, size)| *size),
        config: other("config"),
        system_map: other("System.map"),
        modules_dep_bytes: folder.clone().and_then(|folder| {
            file(host, &format!("{folder}/modules.dep")).and_then(|size| size.ok_or(Missing::Absent))
        }),
        builtin: list("modules.builtin"),
        loadable: list("modules.dep"),
        modules: folder,
        at: At::file(image),
        version: version.to_owned(),
    }
}

/// Where a kernel's modules are. Where its name has no version but a flavour, as on Arch (`vmlinuz-linux-lts`, told by pkgbase) and
/// Alpine (`vmlinuz-lts`, modules in `6.6.58-0-lts`), the newest that are of it.
fn modules_of(host: &Host, modules: &Reading<Vec<String>>, version: &str) -> Reading<String> {
    let names = modules.clone()?;
    let path = |name: &str| format!("{MODULES}/{name}");
    if names.iter().any(|name| name == version) {
        return Ok(path(version));
    }
    if version.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(Missing::Absent);
    }
    let is_of = |name: &&String| {
        name.ends_with(&format!("-{version}"))
            || host.read_text(&format!("{}/pkgbase", path(name))).is_ok_and(|base| base.trim() == version)
    };
    let newest = names.iter().filter(is_of).max_by(|a, b| compare(a, b));
    newest.map(|name| path(name)).ok_or(Missing::Absent)
}

/// The names of modules in modules.dep (`path: paths it needs`) or modules.builtin (paths).
fn module_list(host: &Host, path: &str) -> Reading<Vec<String>> {
    let bytes = host.source.read(Path::new(path), LIST_CAP)?;
    let text = String::from_utf8_lossy(&bytes);
    let mut names: Vec<String> = text.lines().filter_map(module).collect();
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

fn module(line: &str) -> Option<String> {
    let path = line.split(':').next()?.trim();
    let (stem, _) = path.rsplit('/').next()?.split_once(".ko")?;
    Some(stem.replace('-', "_"))
}

/// The first that is newer than this one and of its flavour, of versions that begin with the newest.
fn newer(versions: &[String], than: &str) -> Option<String> {
    let is_version = |version: &str| version.starts_with(|c: char| c.is_ascii_digit());
    let mut newer = versions.iter().filter(|version| {
        is_version(version)
            && is_version(than)
            && flavour(version) == flavour(than)
            && compare(version, than).is_gt()
    });
    newer.next().cloned()
}

fn unified(host: &Host) -> Reading<Vec<UnifiedKernel>> {
    let mut found = Vec::new();
    for esp in ESP {
        let folder = format!("{esp}/EFI/Linux");
        for name in host.names(&folder).optional()?.unwrap_or_default() {
            let path = format!("{folder}/{name}");
            if name.to_ascii_lowercase().ends_with(".efi")
                && let Some(size_bytes) = file(host, &path)?
            {
                found.push(UnifiedKernel { at: At::file(path.as_str()), path, size_bytes });
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    fn kernels(files: &Files) -> Reading<Kernels> {
        Kernels::collect(&Host::new(files.clone(), Target::live()))
    }

    fn versions(kernels: &Kernels) -> Vec<&str> {
        kernels.list.iter().map(|k| k.version.as_str()).collect()
    }

    #[test]
    fn ostree_has_kernels_beside_their_modules() {
        let mut files = Files::new();
        let version = "6.9.7-200.fc40.x86_64";
        files.directory("/boot/ostree").file(format!("/usr/lib/modules/{version}/vmlinuz"), "kernel");
        files.link("/lib", "usr/lib").file(format!("/usr/lib/modules/{version}/modules.dep"), "a.ko:\n");
        // Fedora's package of a kernel, on a system without ostree.
        assert_eq!(versions(&kernels(&files).unwrap()), [""; 0]);
        files.file(format!("/usr/lib/modules/{version}/initramfs.img"), "ram");
        files.file(format!("/usr/lib/modules/{version}/config"), "");
        let found = kernels(&files).unwrap();
        let [kernel] = found.list.as_slice() else { panic!() };
        assert_eq!(kernel.image, format!("/lib/modules/{version}/vmlinuz"));
        assert_eq!((kernel.version.as_str(), kernel.initrd_bytes), (version, Some(3)));
        assert!(kernel.config.is_some() && kernel.system_map.is_none() && kernel.modules.is_ok());
        // What lies in /boot itself is what starts.
        files.file(format!("/boot/vmlinuz-{version}"), "other");
        assert_eq!(kernels(&files).unwrap().list[0].image, format!("/boot/vmlinuz-{version}"));
    }

    #[test]
    fn each_kernel_has_what_belongs_to_it_and_the_newest_is_first() {
        let mut files = Files::new();
        for version in ["6.1.0-9-amd64", "6.1.0-28-amd64"] {
            files
                .file(format!("/boot/vmlinuz-{version}"), "kernel")
                .file(format!("/boot/config-{version}"), "");
            files.file(
                format!("/lib/modules/{version}/modules.dep"),
                "kernel/fs/xfs/xfs.ko.xz: kernel/lib/libcrc32c.ko.xz\n",
            );
        }
        files
            .file("/boot/initrd.img-6.1.0-28-amd64", "ramdisk")
            .link("/boot/vmlinuz", "vmlinuz-6.1.0-28-amd64");
        files.file(
            "/lib/modules/6.1.0-28-amd64/modules.builtin",
            "kernel/fs/ext4/ext4.ko\nkernel/drivers/block/virtio-blk.ko\n",
        );
        files.file("/boot/vmlinuz-0-rescue-4f1d", "k").file("/boot/vmlinuz-6.1.0.old", "");
        files
            .link("/boot/vmlinuz-default", "vmlinuz-6.1.0-9-amd64")
            .directory("/lib/modules/5.10.0-1-amd64/misc");
        let found = kernels(&files).unwrap();
        assert_eq!(versions(&found), ["6.1.0-28-amd64", "6.1.0-9-amd64", "0-rescue-4f1d"]);
        assert_eq!(found.newest.as_deref(), Some("6.1.0-28-amd64"));
        let (new, old) = (&found.list[0], &found.list[1]);
        assert_eq!(
            (new.initrd.as_deref(), new.initrd_bytes),
            (Some("/boot/initrd.img-6.1.0-28-amd64"), Some(7))
        );
        assert_eq!((new.image_bytes, &new.system_map, new.config.is_some()), (6, &None, true));
        assert_eq!(new.builtin.get().unwrap(), &["ext4", "virtio_blk"]);
        assert_eq!(new.loadable.get().unwrap(), &["xfs"]);
        assert_eq!((&old.initrd, old.builtin.get().err()), (&None, Some(Missing::Absent)));
        assert_eq!(old.modules, Ok("/lib/modules/6.1.0-9-amd64".into()));
        assert_eq!(found.list[2].modules, Err(Missing::Absent));
    }

    #[test]
    fn names_without_a_version_find_their_modules() {
        let mut files = Files::new();
        files.file("/boot/vmlinuz-linux-lts", "").file("/boot/initramfs-linux-lts.img", "x");
        files
            .file("/lib/modules/6.6.1-1-lts/pkgbase", "linux-lts\n")
            .file("/lib/modules/6.10.1-arch1-1/pkgbase", "linux\n");
        files.file("/boot/vmlinuz-virt", "").file("/lib/modules/6.6.58-0-virt/modules.dep", "");
        let found = kernels(&files).unwrap();
        let modules =
            |version: &str| found.list.iter().find(|k| k.version == version).unwrap().modules.clone();
        assert_eq!(modules("linux-lts"), Ok("/lib/modules/6.6.1-1-lts".into()));
        assert_eq!(modules("virt"), Ok("/lib/modules/6.6.58-0-virt".into()));
    }

    #[test]
    fn folders_of_a_machine_and_unified_images_are_seen() {
        let mut files = Files::new();
        let folder = "/boot/4f1d2c3b8a674e5d9c0b1a2b3c4d5e6f/6.8.0-1-default";
        files.file(format!("{folder}/linux"), "k").file(format!("{folder}/initrd"), "rd");
        files.file("/boot/efi/EFI/Linux/arch.efi", "MZ").file("/boot/efi/EFI/Linux/note.txt", "");
        let found = kernels(&files).unwrap();
        assert_eq!(found.list[0].initrd, Some(format!("{folder}/initrd")));
        let unified = found.unified.get().unwrap();
        assert_eq!((unified.len(), unified[0].size_bytes), (1, 2));
        files.deny("/boot/efi");
        assert!(matches!(kernels(&files).unwrap().unified.get(), Err(Missing::Unreadable(_))));
    }

    #[test]
    fn a_newer_one_of_the_same_flavour_is_pending() {
        let mut files = Files::new();
        for version in ["6.1.0-28-amd64", "6.1.0-31-amd64", "6.1.0-32-cloud-amd64", "0-rescue-1"] {
            files.file(format!("/boot/vmlinuz-{version}"), "k");
        }
        let pending = |files: &mut Files, release: &str| {
            files.file("/proc/sys/kernel/osrelease", release);
            kernels(files).unwrap().pending
        };
        let successors: Vec<_> = kernels(&files).unwrap().list.into_iter().map(|k| k.successor).collect();
        assert_eq!(successors, [None, None, Some("6.1.0-31-amd64".into()), None]);
        assert_eq!(pending(&mut files, "6.1.0-28-amd64\n"), Ok("6.1.0-31-amd64".into()));
        assert_eq!(pending(&mut files, "6.1.0-31-amd64\n"), Err(Missing::Absent));
        assert_eq!(pending(&mut files, "6.1.0-30-rt-amd64\n"), Err(Missing::Absent));
    }

    #[test]
    fn no_boot_is_absent_and_denied_is_not() {
        assert!(matches!(kernels(&Files::new()), Err(Missing::Absent)));
        let mut files = Files::new();
        assert!(matches!(kernels(files.deny("/boot")), Err(Missing::Unreadable(_))));
        let mut files = Files::new();
        files.file("/boot/vmlinuz-6.1", "").deny("/lib");
        assert!(matches!(kernels(&files).unwrap().list[0].modules, Err(Missing::Unreadable(_))));
    }
}
