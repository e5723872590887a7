//! What is being vetted, and what the user told of it because the bytes cannot.

use super::Captured;
use std::fmt;
use std::str::FromStr;

/// What is being vetted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Kind of target.
    pub kind: TargetKind,
    /// What `--assume` says of the machine that the target will run on.
    pub assume: Assume,
    /// How the user named it: `/`, a directory, a file.
    pub name: String,
    /// Of a disk image, what is mounted where, in words: `/boot is disk1 (ext4)`.
    pub layout: Vec<String>,
    /// What of it is damaged, or could not be read, as a whole: a partition table, a logical volume.
    pub damage: Vec<String>,
    /// Where and when it was captured, if what is vetted is a capture of it.
    pub captured: Option<Captured>,
}

/// Kind of target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TargetKind {
    /// The running host.
    Live,
    /// A root tree, in a directory or an archive; a sosreport.
    Root,
    /// A disk image.
    Image,
    /// A container image.
    ContainerImage,
}

impl TargetKind {
    /// The word for it in rules and reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Root => "root",
            Self::Image => "image",
            Self::ContainerImage => "container-image",
        }
    }
}

impl Target {
    /// The running host.
    pub fn live() -> Self {
        Self { kind: TargetKind::Live, ..Self::root("/") }
    }

    /// A directory, or an in-memory tree, of this name.
    pub fn root(name: impl Into<String>) -> Self {
        Self {
            kind: TargetKind::Root,
            assume: Assume::default(),
            name: name.into(),
            layout: Vec::new(),
            damage: Vec::new(),
            captured: None,
        }
    }
}

/// What an image cannot know of the machine it will run on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assume {
    /// Memory in bytes.
    pub memory_bytes: Option<u64>,
    /// Processors.
    pub cpus: Option<u32>,
    /// Hypervisor or cloud.
    pub platform: Option<Platform>,
}

/// What a target runs on, as systemd-detect-virt(1) names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// KVM, with virtio devices.
    Kvm,
    /// Xen.
    Xen,
    /// VMware.
    Vmware,
    /// Hyper-V, Azure.
    Microsoft,
    /// Amazon's Nitro.
    Amazon,
    /// No hypervisor.
    Metal,
}

impl Platform {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Kvm, "kvm"),
        (Self::Xen, "xen"),
        (Self::Vmware, "vmware"),
        (Self::Microsoft, "microsoft"),
        (Self::Amazon, "amazon"),
        (Self::Metal, "metal"),
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(p, _)| *p == self).map_or("", |(_, word)| word)
    }
}

/// A size that is no number of bytes.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not a size: write a whole number and a unit, such as 8GiB, 512MiB or 4096")]
pub struct BadSize(pub String);

/// A size as people write it, in bytes: `4096`, `64k`, `512MiB`, `8GB`.
///
/// `K`, `M`, `G`, `T` and `KiB` … are powers of 1024; `KB`, `MB`, `GB`, `TB` powers of 1000.
pub fn parse_size(text: &str) -> Result<u64, BadSize> {
    let bad = || BadSize(text.to_owned());
    let trimmed = text.trim();
    let digits = trimmed.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = trimmed[..digits].parse().map_err(|_| bad())?;
    let unit = trimmed[digits..].trim().to_ascii_lowercase();
    let factor: u64 = match unit.as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return Err(bad()),
    };
    number.checked_mul(factor).ok_or_else(bad)
}

/// Less is a number without its unit.
const LEAST_MEMORY: u64 = 64 << 10;

/// A part of `--assume` that is not understood.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadAssumption {
    /// No `key=value`.
    #[error("`{0}` is not key=value; known are memory=8GiB, cpus=4, platform=kvm")]
    NoPair(String),
    /// Unknown key.
    #[error("nothing is known of `{0}`; known are memory, cpus, platform")]
    UnknownKey(String),
    /// Bad size.
    #[error("memory: {0}")]
    Memory(#[from] BadSize),
    /// Less memory than any kernel boots in: most likely without its unit.
    #[error("memory: `{0}` is too little; write the unit with it: 8GiB, 512MiB")]
    LittleMemory(String),
    /// Bad count.
    #[error("cpus: `{0}` is not a whole number above 0")]
    Cpus(String),
    /// Unknown platform.
    #[error("platform: `{0}` is not one of kvm, xen, vmware, microsoft, amazon, metal")]
    Platform(String),
}

impl FromStr for Assume {
    type Err = BadAssumption;

    fn from_str(text: &str) -> Result<Self, BadAssumption> {
        let mut assume = Self::default();
        for part in text.split(',').filter(|p| !p.trim().is_empty()) {
            let (key, value) =
                part.split_once('=').ok_or_else(|| BadAssumption::NoPair(part.trim().into()))?;
            let value = value.trim();
            match key.trim() {
                "memory" => {
                    let bytes = parse_size(value)?;
                    if bytes < LEAST_MEMORY {
                        return Err(BadAssumption::LittleMemory(value.into()));
                    }
                    assume.memory_bytes = Some(bytes);
                }
                "cpus" => {
                    let cpus = value.parse().ok().filter(|n| *n > 0);
                    assume.cpus = Some(cpus.ok_or_else(|| BadAssumption::Cpus(value.into()))?);
                }
                "platform" => {
                    let found = Platform::ALL.iter().find(|(_, word)| *word == value);
                    assume.platform = Some(found.ok_or_else(|| BadAssumption::Platform(value.into()))?.0);
                }
                other => return Err(BadAssumption::UnknownKey(other.into())),
            }
        }
        Ok(assume)
    }
}

impl fmt::Display for Assume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let Some(bytes) = self.memory_bytes {
            // As people write it, where that is no less exact.
            let units = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
            let whole = units.into_iter().find(|(_, unit)| bytes > 0 && bytes % unit == 0);
            let (unit, size) = whole.unwrap_or(("", 1_u64));
            parts.push(format!("memory={}{unit}", bytes / size));
        }
        if let Some(cpus) = self.cpus {
            parts.push(format!("cpus={cpus}"));
        }
        if let Some(platform) = self.platform {
            parts.push(format!("platform={}", platform.word()));
        }
        f.write_str(&parts.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        assert_eq!(parse_size("8GiB"), Ok(8 << 30));
        assert_eq!(parse_size("8 GB"), Ok(8_000_000_000));
        assert_eq!(parse_size("64k"), Ok(65536));
        assert_eq!(parse_size("4096"), Ok(4096));
        assert!(parse_size("").is_err());
        assert!(parse_size("8 giga").is_err());
        assert!(parse_size("99999999999TiB").is_err());
    }

    #[test]
    fn assumptions_name_what_they_do_not_know() {
        let assume: Assume = "memory=8GiB, cpus=4,platform=kvm".parse().unwrap();
        assert_eq!(assume.memory_bytes, Some(8 << 30));
        assert_eq!(assume.cpus, Some(4));
        assert_eq!(assume.platform, Some(Platform::Kvm));
        for written in ["memory=8GiB,cpus=4,platform=kvm", "memory=1536MiB", "memory=1073741825"] {
            assert_eq!(written.parse::<Assume>().unwrap().to_string(), written);
        }
        assert_eq!("memory=8".parse::<Assume>(), Err(BadAssumption::LittleMemory("8".into())));
        assert_eq!("cpus=0".parse::<Assume>(), Err(BadAssumption::Cpus("0".into())));
        assert_eq!("disks=2".parse::<Assume>(), Err(BadAssumption::UnknownKey("disks".into())));
    }
}
