//! Disks: how the kernel drives them, what they have done, and whether they answer.

use super::Fact;
use crate::model::{Lazy, Sampled};
use crate::record;
use crate::source::{At, Earlier, Host, Missing, Optional, Reading};
use std::collections::BTreeMap;

record! {
    /// The disks, and the partitions and other block devices that have counters, with what the kernel counts and how it
    /// drives them. Names, sizes and links to them are in `block`.
    ///
    /// ```text
    /// /proc/diskstats                    8 0 sda 25354637 34367663 1003346126 18492372 28444756 … 0 9653880 82621804
    /// /sys/block/sda/queue/rotational    1
    /// /sys/block/sda/queue/scheduler     none [mq-deadline] bfq
    /// /sys/block/sda/device/state        running
    /// ```
    ///
    /// Source: the kernel's admin-guide/iostats.rst, block/queue-sysfs.rst (ABI/stable/sysfs-block). Absent where no kernel runs.
    #[bare(list)]
    pub struct Disks {
        /// The devices: in the order of /proc/diskstats, then those that only sysfs shows. Loop and RAM disks that
        /// have never been used are left out.
        pub list: Vec<Disk>,
        /// Lines of /proc/diskstats that cannot be understood, as they stand.
        pub malformed: Vec<String>,
    }
}

record! {
    /// A block device. Counters start at 0 at boot and are absent where only sysfs shows the device; some wrap around at 2³².
    pub struct Disk {
        /// The kernel's name: `sda`, `nvme0n1`, `cciss/c0d0p1`.
        pub name: String,
        /// Whether it is a whole disk or the like, not a partition.
        pub whole: bool,
        /// Reads that were completed.
        pub reads: Option<u64>,
        /// Bytes read.
        pub read_bytes: Option<u64>,
        /// Milliseconds that all reads took together.
        pub read_ms: Option<u64>,
        /// Writes that were completed.
        pub writes: Option<u64>,
        /// Bytes written.
        pub written_bytes: Option<u64>,
        /// Milliseconds that all writes took together.
        pub write_ms: Option<u64>,
        /// Requests under way now.
        pub in_flight: Option<u64>,
        /// Milliseconds in which there was any request under way.
        pub io_ms: Option<u64>,
        /// Milliseconds weighted by the number of requests under way.
        pub weighted_io_ms: Option<u64>,
        /// What it did in the sample. Absent too for a device that was not there before.
        pub now: Sampled<DiskRates>,
        /// Whether the kernel takes it for a disk with rotating platters; absent for partitions. Not to be trusted on
        /// virtual disks, of which many are called rotating, whatever is below them.
        pub rotational: Lazy<bool>,
        /// The I/O scheduler in use: `none`, `mq-deadline`, `bfq`, `kyber`; on old kernels `noop`, `deadline`, `cfq`. Absent
        /// for partitions and for devices without a queue of their own.
        pub scheduler: Lazy<String>,
        /// The I/O schedulers that can be chosen.
        pub schedulers: Lazy<Vec<String>>,
        /// Read-ahead, KiB; absent for partitions.
        pub read_ahead_kib: Lazy<u64>,
        /// Whether the device itself is read-only.
        pub read_only: Lazy<bool>,
        /// The maker's name as SCSI tells it: `ATA` for SATA disks that are attached without a RAID controller;
        /// absent for others than SCSI disks.
        pub vendor: Lazy<String>,
        /// The model; absent for virtual disks.
        pub model: Lazy<String>,
        /// What the kernel says of the way to it: `running`, `offline`, `transport-offline`, `blocked`, `quiesce` of SCSI;
        /// `live`, `dead`, `connecting`, `resetting` of NVMe. Absent for others.
        pub state: Lazy<String>,
        /// SCSI commands that ended in anything but success (`ioerr_cnt`). That is no count of errors of the disk: it counts
        /// each command the disk does not know, and each of smartd's questions, too.
        pub ioerr_cnt: Lazy<u64>,
        /// Where it was read.
        pub at: At,
    }
}

record! {
    /// What a block device did between the two readings of a sample. Absent where its counter is, and where that has fallen.
    #[derive(Clone, PartialEq)]
    pub struct DiskRates {
        /// Reads completed per second.
        pub reads_per_s: Option<f64>,
        /// Writes completed per second.
        pub writes_per_s: Option<f64>,
        /// Bytes read per second.
        pub read_bytes_per_s: Option<f64>,
        /// Bytes written per second.
        pub written_bytes_per_s: Option<f64>,
        /// How much of the time there was any request under way. At 100 % a disk that does one thing at a time can do no
        /// more; an array or a flash disk may. Since Linux 5.0 it is coarse: a tick of the clock in which a request began or ended
        /// counts whole, and until 5.6 the rest of one that took longer did not count at all.
        pub busy_percent: Option<f64>,
        /// Milliseconds that a request took on average, its wait in the queue included. Absent if none was completed.
        pub await_ms: Option<f64>,
        /// Requests under way, on average.
        pub queue: Option<f64>,
    }
}

const STATS: &str = "/proc/diskstats";
const SYS: &str = "/sys/block";

/// Sectors are of 512 bytes here, whatever the disk's own are.
const SECTOR: u64 = 512;

impl Fact for Disks {
    const NAME: &'static str = "disks";
    const READS: &'static [&'static str] = &[
        "/proc/diskstats",
        "/sys/block/*/queue/{rotational,scheduler,read_ahead_kb}",
        "/sys/block/*/ro",
        "/sys/block/*/device/{vendor,model,state,ioerr_cnt}",
    ];

    const COUNTERS: &'static [&'static str] = &[STATS];

    fn collect(host: &Host) -> Reading<Self> {
        let text = host.read_text(STATS).optional()?;
        let whole = host.names(SYS).optional()?;
        if text.is_none() && whole.is_none() {
            return Err(Missing::Absent);
        }
        let (stats, malformed) = parse(&text.unwrap_or_default());
        let mut whole: BTreeMap<String, ()> =
            whole.unwrap_or_default().into_iter().map(|name| (name.replace('!', "/"), ())).collect();
        let before = host.earlier.as_deref().map(|given| (given, earlier(given)));
        let rates = |name: &str, now: &Counts| {
            let (earlier, before) = before.as_ref().ok_or(Missing::Absent)?;
            let before = before.as_ref().map_err(Clone::clone)?.get(name).ok_or(Missing::Absent)?;
            Ok(now.rates(before, earlier))
        };
        let mut list = Vec::new();
        for stat in stats {
            let is_whole = whole.remove(&stat.name).is_some();
            if stat.is_idle_stand_in() {
                continue;
            }
            let at = At::line(STATS, stat.line);
            let counts = Counts::of(&stat.counters);
            let now = Sampled(rates(&stat.name, &counts));
            list.push(disk(host, stat.name, is_whole, counts, now, at));
        }
        for name in whole.into_keys() {
            let at = At::file(folder(&name));
            list.push(disk(host, name, true, Counts::default(), Sampled::default(), at));
        }
        Ok(Self { list, malformed })
    }
}

/// In sysfs a slash in a name is an exclamation mark.
fn folder(name: &str) -> String {
    format!("{SYS}/{}", name.replace('/', "!"))
}

/// A line of /proc/diskstats: major, minor, name, and eleven counters or more.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stat {
    name: String,
    line: u32,
    counters: Vec<u64>,
}

impl Stat {
    /// A loop or RAM disk that was never used: kernels make some of each beforehand.
    fn is_idle_stand_in(&self) -> bool {
        (self.name.starts_with("loop") || self.name.starts_with("ram"))
            && self.counters.iter().all(|n| *n == 0)
    }
}

fn parse(text: &str) -> (Vec<Stat>, Vec<String>) {
    let (mut found, mut malformed) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        match stat(number, line) {
            Some(stat) => found.push(stat),
            None => malformed.push(format!("{number}: {line}")),
        }
    }
    (found, malformed)
}

fn stat(line: u32, text: &str) -> Option<Stat> {
    let mut fields = text.split_ascii_whitespace();
    let _major: u32 = fields.next()?.parse().ok()?;
    let _minor: u32 = fields.next()?.parse().ok()?;
    let name = fields.next()?.to_owned();
    let counters: Vec<u64> = fields.map(|n| n.parse().ok()).collect::<Option<_>>()?;
    // Until 2.6.25 partitions had four: reads, sectors read, writes, sectors written.
    (counters.len() >= 11 || counters.len() == 4).then_some(Stat { name, line, counters })
}

/// The counters of the devices at the earlier reading, by name.
fn earlier(earlier: &Earlier) -> Reading<BTreeMap<String, Counts>> {
    let (stats, _) = parse(&earlier.read_text(STATS)?);
    Ok(stats.into_iter().map(|stat| (stat.name, Counts::of(&stat.counters))).collect())
}

/// The counters of a device by what they count.
#[derive(Default)]
struct Counts {
    reads: Option<u64>,
    read_bytes: Option<u64>,
    read_ms: Option<u64>,
    writes: Option<u64>,
    written_bytes: Option<u64>,
    write_ms: Option<u64>,
    in_flight: Option<u64>,
    io_ms: Option<u64>,
    weighted_io_ms: Option<u64>,
}

impl Counts {
    fn of(counters: &[u64]) -> Self {
        let short = counters.len() == 4;
        let counter = |long: usize, in_short: Option<usize>| match short {
            true => in_short.and_then(|at| counters.get(at)).copied(),
            false => counters.get(long).copied(),
        };
        let bytes = |sectors: Option<u64>| sectors.map(|n| n.saturating_mul(SECTOR));
        Self {
            reads: counter(0, Some(0)),
            read_bytes: bytes(counter(2, Some(1))),
            read_ms: counter(3, None),
            writes: counter(4, Some(2)),
            written_bytes: bytes(counter(6, Some(3))),
            write_ms: counter(7, None),
            in_flight: counter(8, None),
            io_ms: counter(9, None),
            weighted_io_ms: counter(10, None),
        }
    }

    fn rates(&self, before: &Self, earlier: &Earlier) -> DiskRates {
        let rate = |get: fn(&Self) -> Option<u64>| earlier.per_second(get(before)?, get(self)?);
        let both = |a: Option<f64>, b: Option<f64>| Some(a? + b?);
        let (reads_per_s, writes_per_s) = (rate(|c| c.reads), rate(|c| c.writes));
        let requests = both(reads_per_s, writes_per_s).filter(|requests| *requests > 0.0);
        let waits = both(rate(|c| c.read_ms), rate(|c| c.write_ms));
        DiskRates {
            reads_per_s,
            writes_per_s,
            read_bytes_per_s: rate(|c| c.read_bytes),
            written_bytes_per_s: rate(|c| c.written_bytes),
            // The kernel counts in its own ticks, and may add a long request as a whole when it ends.
            busy_percent: rate(|c| c.io_ms).map(|ms| (ms / 10.0).min(100.0)),
            await_ms: requests.and_then(|requests| Some(waits? / requests)),
            queue: rate(|c| c.weighted_io_ms).map(|ms| ms / 1000.0),
        }
    }
}

fn disk(host: &Host, name: String, whole: bool, counts: Counts, now: Sampled<DiskRates>, at: At) -> Disk {
    let sysfs = Sysfs { host: host.clone(), folder: whole.then(|| folder(&name)) };
    Disk {
        reads: counts.reads,
        read_bytes: counts.read_bytes,
        read_ms: counts.read_ms,
        writes: counts.writes,
        written_bytes: counts.written_bytes,
        write_ms: counts.write_ms,
        in_flight: counts.in_flight,
        io_ms: counts.io_ms,
        weighted_io_ms: counts.weighted_io_ms,
        now,
        rotational: sysfs.lazy("queue/rotational", flag),
        scheduler: sysfs.lazy("queue/scheduler", |text| chosen(text).map(str::to_owned)),
        schedulers: sysfs.lazy("queue/scheduler", |text| {
            Some(text.split_ascii_whitespace().map(|s| s.trim_matches(['[', ']']).to_owned()).collect())
        }),
        read_ahead_kib: sysfs.lazy("queue/read_ahead_kb", |text| text.parse().ok()),
        read_only: sysfs.lazy("ro", flag),
        vendor: sysfs.lazy("device/vendor", |text| Some(text.to_owned())),
        model: sysfs.lazy("device/model", |text| Some(text.to_owned())),
        state: sysfs.lazy("device/state", |text| Some(text.to_owned())),
        ioerr_cnt: sysfs.lazy("device/ioerr_cnt", |text| {
            let hex = text.strip_prefix("0x");
            hex.map_or_else(|| text.parse().ok(), |hex| u64::from_str_radix(hex, 16).ok())
        }),
        name,
        whole,
        at,
    }
}

/// A whole disk's folder in sysfs; none for a partition.
struct Sysfs {
    host: Host,
    folder: Option<String>,
}

impl Sysfs {
    fn lazy<T: 'static>(&self, file: &'static str, parse: fn(&str) -> Option<T>) -> Lazy<T> {
        let (host, path) = (self.host.clone(), self.folder.as_ref().map(|folder| format!("{folder}/{file}")));
        Lazy::new(move || {
            let path = path.as_deref().ok_or(Missing::Absent)?;
            let text = host.read_text(path)?;
            match text.trim() {
                "" => Err(Missing::Absent),
                text => {
                    parse(text).ok_or_else(|| Missing::garbled(path, format!("`{text}` is not understood")))
                }
            }
        })
    }
}

fn flag(text: &str) -> Option<bool> {
    match text {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    }
}

/// The one in brackets; where nothing can be chosen, old kernels write `none` alone.
fn chosen(text: &str) -> Option<&str> {
    let bracketed = text.split_ascii_whitespace().find_map(|s| s.strip_prefix('[')?.strip_suffix(']'));
    bracketed.or_else(|| (!text.contains([' ', '['])).then_some(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    fn disks(files: &Files) -> Reading<Disks> {
        Disks::collect(&Host::new(files.clone(), Target::live()))
    }

    const STATS_TEXT: &str = "\
   7       0 loop0 0 0 0 0 0 0 0 0 0 0 0
   7       1 loop1 5 0 10 0 0 0 0 0 0 0 0
   8       0 sda 250 34 2000 36 11 4 152 8 1 9653880 82621804
   8       1 sda1 231 3 34466 4 24 23 106 0 0 64 64 0 0 0 0 5 6
 104       0 cciss/c0d0 1 2 3 4 5 6 7 8 9 10 11
   3       1 hda1 35486 38030 38030 38030
nonsense
   8       2 sda2 1 2 3
";

    #[test]
    fn counters_are_read_whatever_the_kernel() {
        let mut files = Files::new();
        files
            .file("/proc/diskstats", STATS_TEXT)
            .directory("/sys/block/sda")
            .directory("/sys/block/cciss!c0d0");
        files.directory("/sys/block/nvme0n1").directory("/sys/block/loop0");
        let found = disks(&files).unwrap();
        let names: Vec<_> = found.list.iter().map(|d| (d.name.as_str(), d.whole)).collect();
        let expected = [
            ("loop1", false),
            ("sda", true),
            ("sda1", false),
            ("cciss/c0d0", true),
            ("hda1", false),
            ("nvme0n1", true),
        ];
        assert_eq!(names, expected);
        let [_, sda, sda1, _, hda1, nvme] = found.list.as_slice() else { panic!() };
        assert_eq!(
            (sda.reads, sda.read_bytes, sda.writes, sda.written_bytes),
            (Some(250), Some(1_024_000), Some(11), Some(77_824))
        );
        assert_eq!(
            (sda.in_flight, sda.io_ms, sda.weighted_io_ms),
            (Some(1), Some(9_653_880), Some(82_621_804))
        );
        assert_eq!((sda1.reads, sda1.io_ms), (Some(231), Some(64)));
        assert_eq!((hda1.reads, hda1.written_bytes, hda1.io_ms), (Some(35486), Some(38030 * 512), None));
        assert_eq!((nvme.reads, nvme.at.to_string()), (None, "/sys/block/nvme0n1".into()));
        assert_eq!(found.malformed, ["7: nonsense", "8:    8       2 sda2 1 2 3"]);
    }

    #[test]
    fn sysfs_is_read_when_asked() {
        let mut files = Files::new();
        files
            .file("/sys/block/sda/queue/rotational", "1\n")
            .file("/sys/block/sda/queue/scheduler", "none [mq-deadline] bfq \n");
        files.file("/sys/block/sda/queue/read_ahead_kb", "128\n").file("/sys/block/sda/ro", "0\n");
        files
            .file("/sys/block/sda/device/vendor", "ATA     \n")
            .file("/sys/block/sda/device/state", "running\n");
        files
            .file("/sys/block/sda/device/ioerr_cnt", "0x1f\n")
            .file("/sys/block/sdb/queue/rotational", "maybe\n");
        files.deny("/sys/block/sdb/device").file("/sys/block/vda/queue/scheduler", "none\n");
        let found = disks(&files).unwrap();
        let [sda, sdb, vda] = found.list.as_slice() else { panic!() };
        assert_eq!((sda.rotational.get(), sda.read_only.get()), (Ok(&true), Ok(&false)));
        assert_eq!(sda.scheduler.get().unwrap(), "mq-deadline");
        assert_eq!(sda.schedulers.get().unwrap(), &["none", "mq-deadline", "bfq"]);
        assert_eq!((sda.read_ahead_kib.get(), sda.ioerr_cnt.get()), (Ok(&128), Ok(&31)));
        assert_eq!((sda.vendor.get().unwrap().as_str(), sda.model.get()), ("ATA", Err(Missing::Absent)));
        assert!(matches!(sdb.rotational.get(), Err(Missing::Unreadable(_))));
        assert!(matches!(sdb.state.get(), Err(Missing::Unreadable(_))));
        assert_eq!(vda.scheduler.get().unwrap(), "none");
    }

    #[test]
    fn two_readings_tell_what_iostat_prints() {
        let (mut files, mut before) = (Files::new(), Files::new());
        before.file(
            "/proc/diskstats",
            "202 16 xvdb 100 0 800 50 1000 10 9000 7000 1 100 5000\n202 0 xvda 5 0 0 0 5 0 0 0 0 9 9\n",
        );
        files.file(
            "/proc/diskstats",
            "202 16 xvdb 100 0 800 50 3000 10 13000 101000 9 2200 271000\n202 0 xvda 5 0 0 0 4 0 0 0 0 9 9\n\
             8 0 sda 1 1 1 1 1 1 1 1 1 1 1\n",
        );
        let host = Host::new(files, Target::live());
        assert_eq!(Disks::collect(&host).unwrap().list[0].now, Sampled::default());
        let host = host.with_earlier(Earlier::new(before, std::time::Duration::from_secs(2)));
        let found = Disks::collect(&host).unwrap();
        let [xvdb, xvda, sda] = found.list.as_slice() else { panic!() };
        let now = xvdb.now.0.as_ref().unwrap();
        assert_eq!((now.reads_per_s, now.writes_per_s), (Some(0.0), Some(1000.0)));
        assert_eq!((now.written_bytes_per_s, now.await_ms), (Some(1_024_000.0), Some(47.0)));
        assert_eq!((now.busy_percent, now.queue), (Some(100.0), Some(133.0)));
        let now = xvda.now.0.as_ref().unwrap();
        assert_eq!((now.writes_per_s, now.busy_percent, now.await_ms), (None, Some(0.0), None));
        assert_eq!(sda.now, Sampled::default());
    }

    #[test]
    fn no_kernel_no_disks_and_garbage_is_kept() {
        assert!(matches!(disks(&Files::new()), Err(Missing::Absent)));
        let mut files = Files::new();
        files.file("/proc/diskstats", "");
        assert!(disks(&files).unwrap().list.is_empty());
        files.file("/proc/diskstats", b"\xff\0 1 sda\n8 0 sda -1 0 0 0 0 0 0 0 0 0 0\n".to_vec());
        assert_eq!(disks(&files).unwrap().malformed.len(), 2);
        files.deny("/proc/diskstats");
        assert!(matches!(disks(&files), Err(Missing::Unreadable(_))));
    }
}
