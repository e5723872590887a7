//! What the kernel itself complained about.

use super::Fact;
use crate::model::Partial;
use crate::record;
use crate::source::{At, Host, Missing, Reading};

mod clock;
mod events;
mod journal;
mod kinds;
mod kmsg;
mod line;
mod logs;
mod oom;
mod syslog;

#[cfg(test)]
mod tests;

pub use kinds::KlogKind;

record! {
    /// The kernel's messages: each line, and those of known kinds counted.
    ///
    /// ```text
    /// /dev/kmsg           4,1021,7205000123,-;TCP: time wait bucket table overflow
    /// /var/log/kern.log   2024-01-31T06:00:00.123456+00:00 web1 kernel: [ 7205.000123] TCP: time wait bucket table overflow
    /// /var/log/messages   Jan 31 06:00:00 web1 kernel: TCP: time wait bucket table overflow
    /// /var/log/dmesg      [ 7205.000123] TCP: time wait bucket table overflow
    /// ```
    ///
    /// A running host's messages are in /dev/kmsg, a ring that holds the newest ones; where it may not be read (the sysctl
    /// kernel.dmesg_restrict, a container), and for the week before the ring begins, the log files tell. Trees have the files
    /// only: of several that hold the same messages each adds what the ones before it do not reach, kern.log before messages and
    /// syslog, these before the rotated ones, and dmesg, which has no dates, if there is no other. Of each the last 8 MiB are
    /// read; what is compressed is not. A sosreport's journalctl output is read before all of these.
    ///
    /// Journal files (/var/log/journal, /run/log/journal) are read where neither the ring nor a text file tells: of each machine the
    /// present one and the two before it, without the messages of more than 512 bytes, which are compressed. hostvet reads
    /// them itself: the crates for it open files on their own, past the root of a tree, or need a C library.
    ///
    /// Why there are `events`: most rules ask for one kind of message, and dozens of patterns over thousands of lines would take
    /// longer than all else. One pass files every line under its kind, and takes device, process or port out of it. Rules with
    /// patterns of their own have `lines`, and need no code.
    ///
    /// Counts are of lines: the kernel suppresses most messages that repeat fast ("callbacks suppressed"), so that the true
    /// number may be far higher. Only what the kernel itself said counts, not what programs write to /dev/kmsg.
    ///
    /// Source: ABI/testing/dev-kmsg, RFC 3164, RFC 3339, systemd's JOURNAL_FILE_FORMAT, journalctl(1), dmesg(1); the texts are those of Linux 2.6.32 to 6.16.
    /// Absent where nothing holds messages of a kernel: images.
    pub struct Klog {
        /// What was found, by kind and subject. Every kind is there: with a count of 0 and without a subject if there is none.
        pub events: Partial<KlogEvent>,
        /// The processes that the OOM killer killed, oldest first, 1 000 at most.
        pub oom_kills: Partial<OomKill>,
        /// The messages, oldest first, the newest 50 000 of them. A message of several lines is several.
        pub lines: Partial<KernelLine>,
        /// What was read.
        pub sources: Vec<KlogSource>,
    }
}

record! {
    /// The messages of one kind about one thing.
    #[derive(Clone, PartialEq)]
    pub struct KlogEvent {
        /// The kind.
        pub kind: KlogKind,
        /// What they are about, where there may be several of it: a device, a process, a port. Beyond 64 of a kind, `(others)`.
        pub subject: Option<String>,
        /// How many there are: 0 without any.
        pub count: u64,
        /// How many of them are of the last 24 hours. What cannot be dated counts.
        pub day: u64,
        /// How many of them are of the last 7 days. What cannot be dated counts.
        pub week: u64,
        /// The decisive words of the latest, each once, 8 at most: `CPU 2 for 22 s in java`.
        pub details: Vec<String>,
        /// When the first was: `2024-01-31 06:00:00 UTC`; without `UTC` where the host's time zone cannot be known,
        /// `Jan 31 06:00:00` where the year cannot, `7205 s after boot` where nothing but that can. Absent without any, and for
        /// lines without a time.
        pub first: Option<String>,
        /// When the last was, likewise.
        pub last: Option<String>,
        /// All of that for a sentence: `3 times, from … to …`, `once, …`, `never`.
        pub times: String,
        /// When the last was, in seconds since 1970.
        pub last_time: Option<i64>,
        /// How many seconds ago the last was: by the kernel's clock where it is known when the files were taken (`btime` of
        /// /proc/stat and /proc/uptime), else before the newest line of the logs. Absent for lines without a time.
        pub age_seconds: Option<i64>,
        /// Whether the kernel said later that it is over: `nfs: server … OK`, `Link is Up`.
        pub ended: bool,
        /// The last of them, as the kernel said it.
        pub text: Option<String>,
        /// Where the last was read; without any, where it would be.
        pub at: At,
    }
}

record! {
    /// A process that the OOM killer killed.
    #[derive(Clone, PartialEq)]
    pub struct OomKill {
        /// The name of the process.
        pub victim: String,
        /// Its number.
        pub pid: u64,
        /// Its anonymous memory in KiB.
        pub anon_rss_kib: Option<u64>,
        /// The process that asked for the memory that could not be had; often it is not the one that used it.
        pub trigger: Option<String>,
        /// The request was for two to this power of pages.
        pub order: Option<i64>,
        /// The cgroup whose limit was reached; absent where the host, or the zones allowed to the process, ran out.
        pub cgroup: Option<String>,
        /// The limit of the cgroup in KiB; absent where the kernel does not say.
        pub limit_kib: Option<u64>,
        /// The zones with less free memory than their minimum: `Node 0 Normal: 35640 KiB free, minimum 35748 KiB`.
        pub zones: Vec<String>,
        /// The program whose processes had most resident pages, together, in the kernel's list.
        pub largest: Option<String>,
        /// How many processes of that name there were.
        pub largest_processes: Option<u64>,
        /// Their resident pages.
        pub largest_pages: Option<u64>,
        /// All resident pages of the list.
        pub listed_pages: Option<u64>,
        /// When it was, as in `KlogEvent`.
        pub date: Option<String>,
        /// How many seconds ago it was, as in `KlogEvent`.
        pub age_seconds: Option<i64>,
        /// Where it was read.
        pub at: At,
    }
}

record! {
    /// A line of the kernel's messages.
    #[derive(Clone, PartialEq)]
    pub struct KernelLine {
        /// Without time and level.
        pub text: String,
        /// The level: 0 emergency, 1 alert, 2 critical, 3 error, 4 warning, 5 notice, 6 info, 7 debug. Absent where the file does
        /// not say.
        pub level: Option<u8>,
        /// Seconds since 1970; absent where it cannot be known.
        pub time: Option<i64>,
        /// Seconds since the boot of the kernel that said it; absent where the file does not say.
        pub seconds: Option<f64>,
        /// How many seconds ago, as in `KlogEvent`.
        pub age_seconds: Option<i64>,
        /// Where it was read; the ring has no line numbers, nor has a file of which only the end was read.
        pub at: At,
    }
}

record! {
    /// A file with messages of the kernel, and how much of it was used.
    #[derive(Clone, PartialEq)]
    pub struct KlogSource {
        /// The path.
        pub path: String,
        /// Lines of the kernel that were taken from it.
        pub lines: usize,
        /// Bytes of its beginning that were not read.
        pub skipped_bytes: u64,
        /// The time of its first line, as in `KlogEvent`.
        pub first: Option<String>,
    }
}

/// The newest that are kept.
const MOST_LINES: usize = 50_000;

impl Fact for Klog {
    const NAME: &'static str = "klog";
    const READS: &'static [&'static str] = &[
        "/dev/kmsg",
        "/var/log/{kern.log,messages,syslog}{,.1,-DATE}",
        "/var/log/dmesg",
        "/var/log/journal/*/system*.journal",
        "/run/log/journal/*/system*.journal",
        "/sos_commands/logs/journalctl*",
        "/sos_commands/kernel/dmesg*",
        "/proc/stat",
        "/proc/uptime",
        "/etc/localtime",
    ];

    fn collect(host: &Host) -> Reading<Self> {
        let logs::Log { lines, sources, unread, now, .. } = logs::read(host);
        let Some(at) = sources.first().map(|s| At::file(s.path.as_str())) else {
            // Nothing that was read holds a word of a kernel: silence would be a guess.
            return Err(unread.into_iter().next().map_or(Missing::Absent, Missing::Unreadable));
        };
        let (events, oom_kills) = events::find(&lines, now, &at);
        let kernel_lines = lines.into_iter().map(|line| KernelLine {
            age_seconds: line.age(now),
            level: line.level,
            time: line.known_time(),
            seconds: line.seconds,
            text: line.text,
            at: line.at,
        });
        Ok(Self {
            events: Partial { items: events, unread: unread.clone() },
            oom_kills: Partial { items: oom_kills, unread: unread.clone() },
            lines: Partial { items: kernel_lines.collect(), unread },
            sources,
        })
    }
}
