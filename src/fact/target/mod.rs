//! What is being vetted, and what it runs on.

use super::Fact;
use crate::model::Lazy;
use crate::source::{Host, Missing, Reading, TargetKind};
use crate::{record, word};
use std::path::Path;
use std::sync::Arc;

mod container;
mod hints;
mod platform;

#[cfg(test)]
mod tests;

record! {
    /// What is being vetted, and what it runs on.
    ///
    /// ```text
    /// /run/systemd/container           lxc
    /// /sys/class/dmi/id/sys_vendor     Alibaba Cloud
    /// /sys/class/dmi/id/product_name   Alibaba Cloud ECS
    /// ```
    ///
    /// Source: how hostvet was called; besides, what systemd-detect-virt(1) looks at, as far as it is files.
    pub struct Target {
        /// Kind of target.
        pub kind: Kind,
        /// Whether it is an image that many machines are to start from: of a disk, of a container, or a tree vetted as one with
        /// `--profile image`.
        pub image: bool,
        /// How it was named on the command line: `/`, a directory, a file.
        pub name: String,
        /// Whether a running kernel's state is to be seen: on a live host, and in trees that carry a copy of /proc.
        pub running: bool,
        /// Whether it is a container, or an image of one: most kernel settings are then the host's business.
        ///
        /// A mark left by the container's manager says yes. Else, while a kernel runs, the PID namespace decides, or the
        /// environment of PID 1, which only root may read: denied is unreadable, not "no". A tree with none of these
        /// is taken for a whole machine's.
        pub container: Lazy<bool>,
        /// What made the container, in its own word: `docker`, `podman`, `lxc`, `systemd-nspawn`. Absent in no
        /// container, and in one without such a mark.
        pub container_manager: Lazy<String>,
        /// Whether files have the owners that they have on the system itself: not in a tree that an ordinary user unpacked,
        /// where all is that user's. Absent where neither /etc/passwd nor /etc is there to tell.
        pub owners_kept: Lazy<bool>,
        /// What it runs on, or was made for: what `--assume platform=` says; else, where a kernel runs, what firmware and kernel tell
        /// of the machine, and of a tree that does not run, what is in it for one cloud alone: the datasources that cloud-init is told
        /// to look for, agents that are enabled, kernels. Absent where nothing says, or where they differ.
        pub platform: Lazy<Platform>,
        /// What told the platform: `--assume`, an enabled unit, or a file, with its line where it has several:
        /// `/etc/cloud/cloud.cfg.d/90_dpkg.cfg:2`.
        pub platform_source: Lazy<String>,
        /// What `--assume` said: `memory=8GiB,cpus=4,platform=kvm`. Absent where it said nothing.
        pub assumed: Option<String>,
    }
}

word! {
    /// Kind of target.
    pub enum Kind {
        /// The running host.
        Live = "live",
        /// A root tree, in a directory or an archive; a sosreport.
        Root = "root",
        /// A disk image.
        Image = "image",
        /// A container image.
        ContainerImage = "container-image",
    }
}

word! {
    /// What a target runs on, told apart by the devices a guest finds there.
    pub enum Platform {
        /// KVM or QEMU, and the clouds built on it: virtio devices.
        Kvm = "kvm",
        /// Xen: xen-blkfront and xen-netfront.
        Xen = "xen",
        /// VMware.
        Vmware = "vmware",
        /// Hyper-V and Azure.
        Microsoft = "microsoft",
        /// Amazon EC2 on Nitro: NVMe and ENA, on bare-metal instances as well.
        Amazon = "amazon",
        /// Oracle VirtualBox.
        Virtualbox = "virtualbox",
        /// Some other hypervisor.
        Other = "other",
        /// No hypervisor.
        Metal = "metal",
    }
}

impl Fact for Target {
    const NAME: &'static str = "target";
    const READS: &'static [&'static str] = &[
        "/run/systemd/container",
        "/run/.containerenv",
        "/.dockerenv",
        "/proc/self/ns/pid",
        "/proc/1/environ",
        container::PRINTED[0],
        platform::HYPERVISOR,
        platform::VENDOR,
        platform::PRODUCT,
        platform::CPUINFO,
        hints::CLOUD_CONFIG[0],
        "/etc/cloud/cloud.cfg.d/*.cfg",
        hints::IDENTIFY,
        "/etc/systemd/system/*.wants/*",
        "/boot/vmlinuz-*",
        "/etc/passwd",
    ];

    fn collect(host: &Host) -> Reading<Self> {
        let target = &host.target;
        let assumed = target.assume.to_string();
        let later = || host.clone();
        let (owners, container, manager, platform) = (later(), later(), later(), later());
        // Found once for both fields.
        let found = Arc::new(Lazy::new(move || platform::detect(&platform)));
        let source = found.clone();
        Ok(Self {
            kind: match target.kind {
                TargetKind::Live => Kind::Live,
                TargetKind::Root => Kind::Root,
                TargetKind::Image => Kind::Image,
                TargetKind::ContainerImage => Kind::ContainerImage,
            },
            image: matches!(target.kind, TargetKind::Image | TargetKind::ContainerImage),
            name: target.name.clone(),
            running: host.is_running(),
            owners_kept: Lazy::new(move || owners_kept(&owners)),
            container: Lazy::new(move || container::is_container(&container)),
            container_manager: Lazy::new(move || container::manager(&manager)),
            platform: Lazy::new(move || found.get().map(|found| found.platform)),
            platform_source: Lazy::new(move || source.get().map(|found| found.source.clone())),
            assumed: (!assumed.is_empty()).then_some(assumed),
        })
    }
}

/// A running system's files are its own. A tree's /etc, and its passwd, are root's wherever owners were kept.
fn owners_kept(host: &Host) -> Reading<bool> {
    if host.target.kind == TargetKind::Live {
        return Ok(true);
    }
    let owner = |path: &str| host.source.stat(Path::new(path)).map(|stat| stat.uid == 0);
    match owner("/etc/passwd") {
        Err(Missing::Absent) => owner("/etc"),
        found => found,
    }
}
