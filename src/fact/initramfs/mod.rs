//! What initial RAM disks hold.

mod walk;

#[cfg(test)]
mod tests;

use super::Fact;
use crate::model::{Field, Lazy, Map, Type, View};
use crate::record;
use crate::source::{At, Host, Missing, Reading, Stat};
use elsa::sync::FrozenMap;
use std::path::Path;

record! {
    /// What an initial RAM disk holds: `initramfs['/boot/initrd.img-6.1.0-28-amd64'].contents.modules`.
    ///
    /// ```text
    /// kernel/x86/microcode/GenuineIntel.bin                                   (a first archive, not compressed)
    /// init
    /// usr/lib/modules/6.1.0-28-amd64/kernel/drivers/block/virtio_blk.ko.xz    (a second one, gzip, zstd, xz, lz4 or lzma)
    /// ```
    ///
    /// Source: the kernel's driver-api/early-userspace/buffer-format and init/initramfs.c, initramfs-tools(7), dracut(8). To know
    /// the contents the whole file is unpacked, a window at a time: one to three seconds of a processor for each GiB that is in it, for
    /// most between a tenth and half a second. So nothing is read before a rule asks, and a rule should ask last;
    /// `booted` often answers without.
    #[bare(images)]
    pub struct Initramfs {
        /// Any path may be asked for.
        pub images: Images,
    }
}

record! {
    /// An initial RAM disk.
    pub struct InitramfsImage {
        /// Its path, as it was asked for.
        pub path: String,
        /// Size in bytes; absent where there is no such file.
        pub size_bytes: Reading<u64>,
        /// Whether the kernel that runs here was started with it as it is: its name has that kernel's release, and it was last
        /// changed before that start. Absent where no kernel runs.
        pub booted: Lazy<bool>,
        /// What is in it.
        pub contents: Lazy<InitramfsContents>,
        /// The path.
        pub at: At,
    }
}

record! {
    /// What an initial RAM disk holds.
    #[derive(Clone, PartialEq)]
    pub struct InitramfsContents {
        /// How its parts are compressed, in order: `none`, `gzip`, `xz`, `zstd`, `lz4`, `lzma`.
        pub compression: Vec<String>,
        /// What is wrong with it: it is empty, no archive, cut off or damaged. Absent where it is whole.
        pub damage: Option<String>,
        /// How many files and directories it holds.
        pub files: u64,
        /// Bytes of the archives, unpacked.
        pub unpacked_bytes: u64,
        /// Whether one of its files is what the kernel starts: /init.
        pub has_init: bool,
        /// The kernel modules in it by the names that lsmod shows, sorted: `virtio_blk`, `ext4`. Unreadable where it is damaged or
        /// they are in a file system inside it (dracut's squash).
        pub modules: Reading<Vec<String>>,
        /// Whether dracut's module `fips` is in it, which checks the kernel and its algorithms where fips=1 asks for that.
        /// Absent where it was not dracut that made it, unreadable as the modules are.
        pub fips: Reading<bool>,
        /// The kernels that these modules are for: `6.1.0-28-amd64`.
        pub versions: Vec<String>,
    }
}

impl Fact for Initramfs {
    const NAME: &'static str = "initramfs";
    const READS: &'static [&'static str] = &["/boot/init*", "/proc/sys/kernel/osrelease", "/proc/stat"];
    const SLOW: bool = true;

    fn collect(host: &Host) -> Reading<Self> {
        Ok(Self { images: Images { host: host.clone(), found: FrozenMap::new() } })
    }
}

/// The images that were asked for.
#[derive(Debug)]
pub struct Images {
    host: Host,
    found: FrozenMap<String, Box<InitramfsImage>>,
}

impl Field for Images {
    const TYPE: Type = Type::Map(&<InitramfsImage as Field>::TYPE);

    fn view(&self) -> Reading<View<'_>> {
        Ok(View::Map(self))
    }
}

impl Map for Images {
    fn get(&self, path: &str) -> Reading<View<'_>> {
        let found = match self.found.get(path) {
            Some(found) => found,
            None => self.found.insert(path.to_owned(), Box::new(image(&self.host, path))),
        };
        Ok(View::Record(found))
    }

    fn keys(&self) -> Vec<&str> {
        Vec::new()
    }
}

fn image(host: &Host, path: &str) -> InitramfsImage {
    let stat = host.source.stat(Path::new(path));
    let (asked, named, seen) = (host.clone(), path.to_owned(), stat.clone());
    let (source, file) = (host.source.clone(), path.to_owned());
    InitramfsImage {
        size_bytes: stat.map(|stat| stat.size),
        booted: Lazy::new(move || booted(&asked, &named, seen.clone()?)),
        contents: Lazy::new(move || walk::contents(&file, source.stream(Path::new(&file))?)),
        at: At::file(path),
        path: path.to_owned(),
    }
}

fn booted(host: &Host, path: &str, stat: Stat) -> Reading<bool> {
    let release = host.read_text("/proc/sys/kernel/osrelease")?;
    let text = host.read_text("/proc/stat")?;
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("btime "));
    let started: i64 = lines
        .next()
        .and_then(|seconds| seconds.trim().parse().ok())
        .ok_or_else(|| Missing::garbled("/proc/stat", "holds no time of the start (btime)"))?;
    let name = path.rsplit('/').next().unwrap_or_default();
    Ok(!release.trim().is_empty() && name.contains(release.trim()) && stat.mtime < started)
}
