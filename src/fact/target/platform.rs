//! What the target runs on.

use super::{Platform, hints};
use crate::source::{Host, Missing, Optional, Platform as Assumed, Reading};

pub(super) const HYPERVISOR: &str = "/sys/hypervisor/type";
pub(super) const VENDOR: &str = "/sys/class/dmi/id/sys_vendor";
pub(super) const PRODUCT: &str = "/sys/class/dmi/id/product_name";
pub(super) const CPUINFO: &str = "/proc/cpuinfo";

/// Firmware's vendor or product, by how it begins (SMBIOS strings, as systemd-detect-virt(1) knows them, and those of clouds).
const FIRMWARE: [(&str, Platform); 26] = [
    ("Amazon EC2", Platform::Amazon),
    ("KVM", Platform::Kvm),
    ("QEMU", Platform::Kvm),
    ("Standard PC (", Platform::Kvm),
    ("OpenStack", Platform::Kvm),
    ("KubeVirt", Platform::Kvm),
    ("RHEV", Platform::Kvm),
    ("oVirt", Platform::Kvm),
    ("AHV", Platform::Kvm),
    ("Bochs", Platform::Kvm),
    ("Google Compute Engine", Platform::Kvm),
    ("Alibaba Cloud", Platform::Kvm),
    ("Tencent Cloud", Platform::Kvm),
    ("DigitalOcean", Platform::Kvm),
    ("Droplet", Platform::Kvm),
    ("Scaleway", Platform::Kvm),
    ("Vultr", Platform::Kvm),
    ("Xen", Platform::Xen),
    ("HVM domU", Platform::Xen),
    ("VMware", Platform::Vmware),
    ("VMW", Platform::Vmware),
    ("innotek GmbH", Platform::Virtualbox),
    ("VirtualBox", Platform::Virtualbox),
    ("Parallels", Platform::Other),
    ("BHYVE", Platform::Other),
    ("Apple Virtualization", Platform::Other),
];

/// A platform, and what told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) platform: Platform,
    /// An option, a unit, a file, or a file and its line.
    pub(super) source: String,
}

impl Found {
    pub(super) fn new(platform: Platform, source: impl Into<String>) -> Self {
        Self { platform, source: source.into() }
    }
}

pub(super) fn detect(host: &Host) -> Reading<Found> {
    if let Some(assumed) = host.target.assume.platform {
        let platform = match assumed {
            Assumed::Kvm => Platform::Kvm,
            Assumed::Xen => Platform::Xen,
            Assumed::Vmware => Platform::Vmware,
            Assumed::Microsoft => Platform::Microsoft,
            Assumed::Amazon => Platform::Amazon,
            Assumed::Metal => Platform::Metal,
        };
        return Ok(Found::new(platform, "--assume"));
    }
    if !host.is_running() {
        return hints::detect(host);
    }
    // Xen first: a cloud's own name in the firmware stands above both its Xen and its KVM instances.
    if host.read_text(HYPERVISOR).optional()?.is_some_and(|kind| kind.trim() == "xen") {
        return Ok(Found::new(Platform::Xen, HYPERVISOR));
    }
    let vendor = host.read_text(VENDOR).optional()?.unwrap_or_default();
    let product = host.read_text(PRODUCT).optional()?.unwrap_or_default();
    let (vendor, product) = (vendor.trim(), product.trim());
    // The vendor also makes real machines; `Virtual Machine` is its Hyper-V.
    if vendor == "Microsoft Corporation" && product == "Virtual Machine" {
        return Ok(Found::new(Platform::Microsoft, PRODUCT));
    }
    for (text, source) in [(product, PRODUCT), (vendor, VENDOR)] {
        if let Some((_, platform)) = FIRMWARE.iter().find(|(start, _)| text.starts_with(start)) {
            return Ok(Found::new(*platform, source));
        }
    }
    Ok(Found::new(by_cpu_flag(&host.read_text(CPUINFO)?)?, CPUINFO))
}

/// Only x86 says in its flags whether there is a hypervisor.
fn by_cpu_flag(cpuinfo: &str) -> Reading<Platform> {
    let mut flags =
        cpuinfo.lines().filter_map(|line| line.strip_prefix("flags")?.trim_start().strip_prefix(':'));
    let flags = flags.next().ok_or(Missing::Absent)?;
    let hypervisor = flags.split_whitespace().any(|flag| flag == "hypervisor");
    Ok(if hypervisor { Platform::Other } else { Platform::Metal })
}
