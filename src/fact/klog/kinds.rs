//! The messages that rules ask for, and how the kernel's versions word them.

use crate::word;
use aho_corasick::AhoCorasick;
use regex::{Captures, Regex};
use std::sync::{LazyLock, OnceLock};

word! {
    /// A kind of message.
    pub enum KlogKind {
        /// "time wait bucket table overflow".
        TwBucketOverflow = "tw-bucket-overflow",
        /// "nf_conntrack: table full, dropping packet"; the subject is the network name space, if it is not the first one.
        ConntrackFull = "conntrack-full",
        /// "Killed process …"; the details name victim, trigger, and what was exhausted. See `oom_kills`.
        Oom = "oom",
        /// "TCP: out of memory"; the subject is `memory` or `orphans`.
        TcpOutOfMemory = "tcp-out-of-memory",
        /// "Possible SYN flooding on port"; the subject is the port, with the address where the kernel says it.
        SynFlood = "syn-flood",
        /// "neighbor table overflow!"; the subject is the table.
        NeighbourOverflow = "neighbour-overflow",
        /// "INFO: task … blocked for more than 120 seconds.".
        HungTask = "hung-task",
        /// "BUG: soft lockup - CPU#1 stuck for 22s!", and hard ones.
        SoftLockup = "soft-lockup",
        /// "I/O error, dev sda, sector …"; the subject is the device. Floppies, CD drives, and what a device cannot do do not count.
        IoError = "io-error",
        /// What ext4, XFS and btrfs say of damage; the subject is the device.
        FsError = "fs-error",
        /// "nfs: server … not responding"; the subject is the server.
        NfsNotResponding = "nfs-not-responding",
        /// "segfault at", "general protection fault" and other ends of a program; the subject is its name.
        Segfault = "segfault-repeat",
        /// Errors of memory, CPU or bus; the subject is `corrected memory errors`, `uncorrected memory errors`,
        /// `corrected errors by the firmware`, `uncorrected errors by the firmware`, or `machine checks`.
        Mce = "mce",
        /// "temperature above threshold, cpu clock throttled".
        ThermalThrottle = "thermal-throttle",
        /// "page allocation failure".
        PageAllocationFailure = "page-allocation-failure",
        /// "fork rejected by pids controller in"; the subject is the cgroup.
        ForkFailed = "fork-failed",
        /// "martian source"; the subject is the network device.
        Martian = "martian",
        /// "Link is Down"; the subject is the network device.
        LinkFlap = "link-flap",
    }
}

impl KlogKind {
    /// Every kind.
    pub(super) const ALL: [Self; 18] = [
        TwBucketOverflow,
        ConntrackFull,
        Oom,
        TcpOutOfMemory,
        SynFlood,
        NeighbourOverflow,
        HungTask,
        SoftLockup,
        IoError,
        FsError,
        NfsNotResponding,
        Segfault,
        Mce,
        ThermalThrottle,
        PageAllocationFailure,
        ForkFailed,
        Martian,
        LinkFlap,
    ];
}

/// One wording.
struct Wording {
    kind: KlogKind,
    /// What every such line holds. Most lines of a log hold none of these, and cost nothing else.
    literal: &'static str,
    /// Must match, too. The group `subject` is what the message is about, other groups go into the detail. Subjects go into the
    /// commands of remedies, so they have only the characters that such names have; but a process may have any name.
    pattern: &'static str,
    /// The subject where the line does not name it.
    subject: Option<&'static str>,
    /// The detail, with `$group` for a group.
    detail: &'static str,
    /// Whether the line says that it is over.
    ends: bool,
}

const fn says(kind: KlogKind, literal: &'static str, pattern: &'static str, detail: &'static str) -> Wording {
    Wording { kind, literal, pattern, subject: None, detail, ends: false }
}

const fn of(subject: &'static str, wording: Wording) -> Wording {
    Wording { subject: Some(subject), ..wording }
}

const fn ends(kind: KlogKind, literal: &'static str, pattern: &'static str) -> Wording {
    Wording { kind, literal, pattern, subject: None, detail: "", ends: true }
}

use KlogKind::*;

/// Where two wordings share a literal the first that matches counts. The OOM killer and failed allocations say more than one line:
/// these are read elsewhere.
const WORDINGS: &[Wording] = &[
    // net/ipv4/tcp_minisocks.c
    says(TwBucketOverflow, "time wait bucket table overflow", "", ""),
    // net/netfilter/nf_conntrack_core.c; ip_conntrack before 2.6.20; in a name space since 2025. Not "expectation table full".
    says(
        ConntrackFull,
        "conntrack: table full",
        r"conntrack: table full(?: in netns (?<subject>[0-9]+))?, dropping packet",
        "",
    ),
    // net/ipv4/tcp.c, tcp_timer.c; until 3.2 one message for both.
    of("memory", says(TcpOutOfMemory, "out of memory -- consider tuning tcp_mem", "", "")),
    of("memory", says(TcpOutOfMemory, "Out of socket memory", "", "")),
    of("orphans", says(TcpOutOfMemory, "orphaned sockets", "too many (?:of )?orphaned sockets", "")),
    // net/ipv4/tcp_input.c; with the address since 6.2.
    says(
        SynFlood,
        "ossible SYN flooding on port",
        r"ossible SYN flooding on port (?<subject>[0-9A-Fa-f.:\[\]]+?)\. (?<what>Sending cookies|Dropping request)",
        "$what",
    ),
    // net/ipv4/route.c until 3.5, net/core/neighbour.c.
    says(NeighbourOverflow, "eighbour table overflow", "", ""),
    says(
        NeighbourOverflow,
        "eighbor table overflow",
        r"(?:(?<subject>[a-z_]+): )?neighbor table overflow",
        "",
    ),
    // kernel/hung_task.c
    says(
        HungTask,
        "INFO: task ",
        r"INFO: task (?<name>.+):(?<pid>[0-9]+) (?:.* )?blocked (?:.* )?for more than (?<n>[0-9]+) seconds",
        "$name ($pid) for $n s",
    ),
    // kernel/watchdog.c
    says(
        SoftLockup,
        "BUG: soft lockup - CPU#",
        r"CPU#(?<cpu>[0-9]+) stuck for (?<n>[0-9]+)s! \[(?<task>.+):[0-9]+\]",
        "CPU $cpu for $n s in $task",
    ),
    says(
        SoftLockup,
        "atchdog detected hard LOCKUP on cpu",
        r"on cpu (?<cpu>[0-9]+)",
        "CPU $cpu with interrupts off",
    ),
    // block/blk-core.c, blk-mq.c: end_request until 3.18, blk_update_request and print_req_error until 5.15. Others of blk_errors[]
    // say what a device cannot do, or that another host has reserved it.
    says(
        IoError,
        " error, dev ",
        r"(?:^|: )(?<error>I/O|critical medium|critical target|timeout|protection|recoverable transport|critical nexus) error, dev (?<subject>[a-z][0-9A-Za-z_!/.-]*), sector (?<sector>[0-9]+)(?: op 0x[0-9a-f]+:\((?<op>[A-Z_]+)\))?",
        "$error error at sector $sector $op",
    ),
    // fs/buffer.c; said besides the one above, but alone by devices that have no queue, such as those of the device mapper.
    says(
        IoError,
        "Buffer I/O error on dev",
        r"on dev(?:ice)? (?<subject>(?:dm-|md|drbd|bcache|nbd|rbd)[0-9]+[0-9A-Za-z_]*), logical block (?<block>[0-9]+)(?:, (?<op>.+))?",
        "buffer I/O error at block $block $op",
    ),
    // fs/ext4/super.c, ext3, ext2
    says(
        FsError,
        "EXT",
        r"EXT[234]-fs error \(device (?<subject>[0-9A-Za-z_!/.-]+)\)(?: in (?<in>\S+))?:? ?(?<what>.*)",
        "$in $what",
    ),
    says(
        FsError,
        "Remounting filesystem read-only",
        r"EXT[234]-fs \((?<subject>[0-9A-Za-z_!/.-]+)\)",
        "remounted read-only",
    ),
    says(
        FsError,
        "Aborting journal on device ",
        r"Aborting journal on device (?<subject>[0-9A-Za-z_!/.-]+?)(?:-[0-9]+)?\.$",
        "journal aborted",
    ),
    // fs/xfs
    says(
        FsError,
        "XFS (",
        r"XFS \((?<subject>[0-9A-Za-z_!/.-]+)\): (?<what>(?:Metadata )?[Cc]orruption.*|Metadata CRC error detected.*|Internal error .*|xfs_do_force_shutdown.*|.*[Ss]hutting down filesystem.*|Filesystem has been shut down.*)",
        "$what",
    ),
    // fs/btrfs; a mount that fails is not damage of a file system that works.
    says(
        FsError,
        "BTRFS",
        r"BTRFS:? (?:error|critical) \(device (?<subject>[0-9A-Za-z_!/.-]+)[^)]*\):? (?:in )?(?<what>(?:[^o]|o[^p]).*)",
        "$what",
    ),
    says(
        FsError,
        "csum failed",
        r"BTRFS warning \(device (?<subject>[0-9A-Za-z_!/.-]+)[^)]*\): (?<what>csum failed.*)",
        "$what",
    ),
    // net/sunrpc/clnt.c
    says(
        NfsNotResponding,
        " not responding, ",
        r"(?:nfs|lockd): server (?<subject>[0-9A-Za-z_.:%\[\]-]+) not responding, (?<what>still trying|timed out)",
        "$what",
    ),
    ends(NfsNotResponding, ": server ", r"(?:nfs|lockd): server (?<subject>[0-9A-Za-z_.:%\[\]-]+) OK"),
    // arch/x86/mm/fault.c, arch/x86/kernel/traps.c, arch/arm64/mm/fault.c
    says(
        Segfault,
        "segfault at ",
        r"^(?<subject>.+)\[[0-9]+\]:? segfault at (?<where>[0-9a-f]+) .*?(?: in (?<object>[^\s\[]+))?(?:\[.*)?$",
        "at $where in $object",
    ),
    says(
        Segfault,
        "traps: ",
        r"traps: (?<subject>.+)\[[0-9]+\]:? (?<what>general protection|trap [a-z0-9 ]+?)(?: fault)? ip:\S+ .*?(?: in (?<object>[^\s\[]+))?(?:\[.*)?$",
        "$what in $object",
    ),
    says(
        Segfault,
        ": unhandled ",
        r"^(?<subject>.+)\[[0-9]+\]: unhandled (?<what>.+?) \([0-9]+\) at .*?(?: in (?<object>[^\s\[]+))?(?:\[.*)?$",
        "$what in $object",
    ),
    // drivers/edac, mm/memory-failure.c, drivers/acpi/apei/ghes.c, arch/x86/kernel/cpu/mce
    of(
        "uncorrected memory errors",
        says(Mce, "EDAC MC", r"EDAC (?<what>MC[0-9]+: (?:[0-9]+ )?UE .{0,80})", "$what"),
    ),
    of(
        "corrected memory errors",
        says(Mce, "EDAC MC", r"EDAC (?<what>MC[0-9]+: (?:[0-9]+ )?CE .{0,80})", "$what"),
    ),
    of(
        "uncorrected memory errors",
        says(Mce, "Memory failure: 0x", r"Memory failure: (?<what>0x[0-9a-f]+: recovery action.*)", "$what"),
    ),
    of(
        "corrected errors by the firmware",
        says(Mce, "event severity: ", r"Hardware Error\]:? event severity: corrected", ""),
    ),
    of(
        "uncorrected errors by the firmware",
        says(
            Mce,
            "event severity: ",
            r"Hardware Error\]:? event severity: (?<what>recoverable|fatal)",
            "$what",
        ),
    ),
    of(
        "machine checks",
        says(
            Mce,
            "achine Check",
            r"CPU (?<cpu>[0-9]+): Machine Check.*Bank (?<bank>[0-9]+): (?<status>[0-9a-fx]+)",
            "CPU $cpu bank $bank status $status",
        ),
    ),
    of("machine checks", says(Mce, "Machine check events logged", "", "")),
    // drivers/thermal/intel/therm_throt.c; reworded in 5.6.
    says(
        ThermalThrottle,
        "temperature",
        r"CPU(?<cpu>[0-9]+): (?<part>Core|Package) temperature (?:is )?above threshold, cpu clock (?:is )?throttled",
        "$part of CPU $cpu",
    ),
    ends(ThermalThrottle, "temperature/speed normal", ""),
    // kernel/cgroup/pids.c; once for a cgroup.
    says(
        ForkFailed,
        "fork rejected by pids controller in ",
        r"controller in (?<subject>/[0-9A-Za-z_/.:@%+=\\-]*)$",
        "",
    ),
    // net/ipv4/route.c
    says(
        Martian,
        "martian source ",
        r"martian source (?<to>\S+) from (?<from>[0-9.]+), on dev (?<subject>[0-9A-Za-z_.@-]+)$",
        "$from to $to",
    ),
    says(
        Martian,
        "martian destination ",
        r"martian destination (?<to>\S+) from (?<from>[0-9.]+), dev (?<subject>[0-9A-Za-z_.@-]+)$",
        "$from to $to",
    ),
    // Drivers word it as they like; bonding says it of its ports.
    says(LinkFlap, "ink is", r"(?:^|\s)(?<subject>[0-9A-Za-z_.@-]+):? (?:NIC )?[Ll]ink is [Dd]own", ""),
    says(LinkFlap, "Link down", r"(?:^|\s)(?<subject>[0-9A-Za-z_.@-]+): Link down$", ""),
    ends(LinkFlap, "ink is", r"(?:^|\s)(?<subject>[0-9A-Za-z_.@-]+):? (?:NIC )?[Ll]ink is [Uu]p"),
    ends(LinkFlap, "Link up", r"(?:^|\s)(?<subject>[0-9A-Za-z_.@-]+): Link up"),
];

/// What a line says, by its wording.
#[derive(Debug, PartialEq)]
pub(super) struct Said {
    pub(super) kind: KlogKind,
    pub(super) subject: Option<String>,
    pub(super) detail: String,
    pub(super) ends: bool,
}

struct Matcher {
    literals: AhoCorasick,
    /// Compiled when a line first holds the literal: most never are.
    patterns: Vec<OnceLock<Option<Regex>>>,
}

static MATCHER: LazyLock<Option<Matcher>> = LazyLock::new(|| {
    let literals = AhoCorasick::new(WORDINGS.iter().map(|w| w.literal)).ok()?;
    Some(Matcher { literals, patterns: WORDINGS.iter().map(|_| OnceLock::new()).collect() })
});

/// Files a line under its kind; `None` for nearly every line.
pub(super) fn file(line: &str) -> Option<Said> {
    // Longer ones are no message of a kernel.
    const LONGEST: usize = 4096;
    let matcher = MATCHER.as_ref()?;
    if line.len() > LONGEST {
        return None;
    }
    let mut tried = None;
    for hit in matcher.literals.find_overlapping_iter(line) {
        let literal = WORDINGS.get(hit.pattern().as_usize())?.literal;
        if tried == Some(literal) {
            continue;
        }
        tried = Some(literal);
        let same = WORDINGS.iter().zip(&matcher.patterns).filter(|(wording, _)| wording.literal == literal);
        for (wording, pattern) in same {
            let pattern = pattern.get_or_init(|| Regex::new(wording.pattern).ok()).as_ref()?;
            if let Some(found) =
                pattern.captures(line).map(|groups| said(wording, &groups)).filter(|s| !is_removable(s))
            {
                return Some(found);
            }
        }
    }
    None
}

/// Whether it is about a drive without a medium in it, which is no fault.
fn is_removable(said: &Said) -> bool {
    let device = said.subject.as_deref().unwrap_or("");
    said.kind == IoError
        && ["fd", "sr"].iter().any(|d| device.strip_prefix(d).is_some_and(|n| n.parse::<u32>().is_ok()))
}

fn said(wording: &Wording, groups: &Captures<'_>) -> Said {
    let subject = groups.name("subject").map(|s| s.as_str()).or(wording.subject).map(str::to_owned);
    let mut detail = String::new();
    groups.expand(wording.detail, &mut detail);
    let detail = detail.trim();
    // A part at the end that the line does not have.
    let detail = detail.strip_suffix(" in").unwrap_or(detail).trim().to_owned();
    Said { kind: wording.kind, subject, detail, ends: wording.ends }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_kind_is_forgotten() {
        use crate::model::Word;
        assert_eq!(
            KlogKind::ALL.map(Word::word).as_slice(),
            KlogKind::WORDS.iter().map(|(word, _)| *word).collect::<Vec<_>>()
        );
    }

    #[test]
    fn every_pattern_is_one_and_names_its_groups() {
        for wording in WORDINGS {
            let pattern = Regex::new(wording.pattern).unwrap_or_else(|e| panic!("{}: {e}", wording.pattern));
            let names: Vec<_> = pattern.capture_names().flatten().collect();
            for group in wording
                .detail
                .split('$')
                .skip(1)
                .filter_map(|g| g.split(|c: char| !c.is_ascii_alphanumeric()).next())
            {
                assert!(names.contains(&group), "{}: ${group}", wording.pattern);
            }
            assert!(wording.pattern.len() > 3 || !wording.literal.is_empty());
        }
    }

    /// What is found, as `kind|subject|detail`; `!` for the end of it.
    fn found(line: &str) -> String {
        use crate::model::Word;
        file(line).map_or_else(String::new, |s| {
            let ends = if s.ends { "!" } else { "" };
            format!("{ends}{}|{}|{}", s.kind.word(), s.subject.unwrap_or_default(), s.detail)
        })
    }

    #[test]
    fn the_wordings_of_many_kernels_are_known() {
        let cases = [
            ("TCP: time wait bucket table overflow", "tw-bucket-overflow||"),
            ("nf_conntrack: table full, dropping packet.", "conntrack-full||"),
            ("nf_conntrack: nf_conntrack: table full, dropping packet", "conntrack-full||"),
            ("nf_conntrack: table full in netns 4026532281, dropping packet", "conntrack-full|4026532281|"),
            ("ip_conntrack: table full, dropping packet.", "conntrack-full||"),
            ("TCP: out of memory -- consider tuning tcp_mem", "tcp-out-of-memory|memory|"),
            ("Out of socket memory", "tcp-out-of-memory|memory|"),
            ("TCP: too many orphaned sockets", "tcp-out-of-memory|orphans|"),
            ("TCP: too many of orphaned sockets", "tcp-out-of-memory|orphans|"),
            ("possible SYN flooding on port 80. Sending cookies.", "syn-flood|80|Sending cookies"),
            (
                "TCP: request_sock_TCP: Possible SYN flooding on port 8080. Dropping request.  Check SNMP counters.",
                "syn-flood|8080|Dropping request",
            ),
            (
                "TCP: request_sock_TCP: Possible SYN flooding on port 0.0.0.0:7070. Sending cookies.",
                "syn-flood|0.0.0.0:7070|Sending cookies",
            ),
            (
                "TCP: request_sock_TCP: Possible SYN flooding on port [::]:443. Sending cookies.",
                "syn-flood|[::]:443|Sending cookies",
            ),
            ("Neighbour table overflow.", "neighbour-overflow||"),
            ("neighbour: arp_cache: neighbor table overflow!", "neighbour-overflow|arp_cache|"),
            ("INFO: task java:1234 blocked for more than 120 seconds.", "hung-task||java (1234) for 120 s"),
            (
                "INFO: task jbd2/sda1-8:312 blocked in I/O wait for more than 122 seconds.",
                "hung-task||jbd2/sda1-8 (312) for 122 s",
            ),
            (
                "INFO: task kworker/u8:2:77 <writer> blocked for more than 120 seconds.",
                "hung-task||kworker/u8:2 (77) for 120 s",
            ),
            ("BUG: soft lockup - CPU#1 stuck for 22s! [java:2143]", "soft-lockup||CPU 1 for 22 s in java"),
            (
                "watchdog: BUG: soft lockup - CPU#11 stuck for 26s! [kworker/11:1:93]",
                "soft-lockup||CPU 11 for 26 s in kworker/11:1",
            ),
            (
                "NMI watchdog: Watchdog detected hard LOCKUP on cpu 3",
                "soft-lockup||CPU 3 with interrupts off",
            ),
            ("end_request: I/O error, dev sda, sector 1234", "io-error|sda|I/O error at sector 1234"),
            (
                "blk_update_request: critical medium error, dev sdb, sector 99",
                "io-error|sdb|critical medium error at sector 99",
            ),
            (
                "blk_update_request: I/O error, dev nvme0n1, sector 7 op 0x1:(WRITE) flags 0x800 phys_seg 1 prio class 0",
                "io-error|nvme0n1|I/O error at sector 7 WRITE",
            ),
            (
                "I/O error, dev vdb, sector 0 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 2",
                "io-error|vdb|I/O error at sector 0 READ",
            ),
            (
                "Buffer I/O error on dev dm-3, logical block 7, async page read",
                "io-error|dm-3|buffer I/O error at block 7 async page read",
            ),
            (
                "EXT4-fs error (device vda1): ext4_lookup:1855: inode #12: comm ls: deleted inode referenced: 99",
                "fs-error|vda1|ext4_lookup:1855: inode #12: comm ls: deleted inode referenced: 99",
            ),
            (
                "EXT4-fs error (device dm-0) in ext4_reserve_inode_write:5907: Journal has aborted",
                "fs-error|dm-0|ext4_reserve_inode_write:5907: Journal has aborted",
            ),
            ("EXT4-fs (sda1): Remounting filesystem read-only", "fs-error|sda1|remounted read-only"),
            ("Aborting journal on device sda1-8.", "fs-error|sda1|journal aborted"),
            ("Aborting journal on device dm-0-8.", "fs-error|dm-0|journal aborted"),
            (
                "XFS (dm-0): Metadata CRC error detected at xfs_agf_read_verify+0x78/0x90 [xfs], xfs_agf block 0x1",
                "fs-error|dm-0|Metadata CRC error detected at xfs_agf_read_verify+0x78/0x90 [xfs], xfs_agf block 0x1",
            ),
            (
                "XFS (sdb1): Corruption of in-memory data detected.  Shutting down filesystem",
                "fs-error|sdb1|Corruption of in-memory data detected.  Shutting down filesystem",
            ),
            ("XFS (sdb1): log I/O error -5", ""),
            (
                "BTRFS error (device sdb): parent transid verify failed on 8 wanted 3 found 1",
                "fs-error|sdb|parent transid verify failed on 8 wanted 3 found 1",
            ),
            (
                "BTRFS error (device sda2 state EA): bdev /dev/sda2 errs: wr 1, rd 0, flush 0, corrupt 0, gen 0",
                "fs-error|sda2|bdev /dev/sda2 errs: wr 1, rd 0, flush 0, corrupt 0, gen 0",
            ),
            (
                "BTRFS: error (device sda2) in btrfs_commit_transaction:2257: errno=-5 IO failure",
                "fs-error|sda2|btrfs_commit_transaction:2257: errno=-5 IO failure",
            ),
            (
                "BTRFS warning (device sda2): csum failed root 5 ino 257 off 0 csum 0x1 expected csum 0x2 mirror 1",
                "fs-error|sda2|csum failed root 5 ino 257 off 0 csum 0x1 expected csum 0x2 mirror 1",
            ),
            (
                "nfs: server 192.0.2.7 not responding, still trying",
                "nfs-not-responding|192.0.2.7|still trying",
            ),
            (
                "nfs: server files.example.org not responding, timed out",
                "nfs-not-responding|files.example.org|timed out",
            ),
            ("nfs: server 192.0.2.7 OK", "!nfs-not-responding|192.0.2.7|"),
            (
                "nginx[4242]: segfault at 0 ip 00007f1 sp 00007ffc error 4 in libc-2.17.so[7f1+1b7]",
                "segfault-repeat|nginx|at 0 in libc-2.17.so",
            ),
            (
                "my app[77]: segfault at 10 ip 0000000000000010 sp 00007ffc error 14 likely on CPU 3 (core 3, socket 0)",
                "segfault-repeat|my app|at 10",
            ),
            (
                "traps: node[311] general protection fault ip:5 sp:7 error:0 in node[40+12]",
                "segfault-repeat|node|general protection in node",
            ),
            (
                "traps: app[9] trap invalid opcode ip:55 sp:7f error:0 in app[55+1]",
                "segfault-repeat|app|trap invalid opcode in app",
            ),
            (
                "app[55]: unhandled level 2 translation fault (11) at 0x00000010, esr 0x92000006, in app[aaaa+1000]",
                "segfault-repeat|app|level 2 translation fault in app",
            ),
            (
                "EDAC MC0: 1 CE memory read error on CPU_SrcID#0_Ha#0_Chan#1_DIMM#0 (channel:1)",
                "mce|corrected memory errors|MC0: 1 CE memory read error on CPU_SrcID#0_Ha#0_Chan#1_DIMM#0 (channel:1)",
            ),
            (
                "EDAC MC1: 1 UE memory read error on unknown memory",
                "mce|uncorrected memory errors|MC1: 1 UE memory read error on unknown memory",
            ),
            (
                "EDAC MC0: CE page 0x1, offset 0x2, grain 128, row 1, channel 0",
                "mce|corrected memory errors|MC0: CE page 0x1, offset 0x2, grain 128, row 1, channel 0",
            ),
            (
                "mce: [Hardware Error]: CPU 2: Machine Check: 0 Bank 5: be00000000800400",
                "mce|machine checks|CPU 2 bank 5 status be00000000800400",
            ),
            ("[Hardware Error]: Machine check events logged", "mce|machine checks|"),
            ("{1}[Hardware Error]: event severity: corrected", "mce|corrected errors by the firmware|"),
            ("{2}[Hardware Error]: event severity: fatal", "mce|uncorrected errors by the firmware|fatal"),
            (
                "Memory failure: 0x1234: recovery action for dirty LRU page: Recovered",
                "mce|uncorrected memory errors|0x1234: recovery action for dirty LRU page: Recovered",
            ),
            (
                "CPU3: Package temperature above threshold, cpu clock throttled (total events = 9)",
                "thermal-throttle||Package of CPU 3",
            ),
            (
                "mce: CPU0: Core temperature above threshold, cpu clock throttled (total events = 1)",
                "thermal-throttle||Core of CPU 0",
            ),
            (
                "CPU7: Core temperature is above threshold, cpu clock is throttled (total events = 219)",
                "thermal-throttle||Core of CPU 7",
            ),
            ("CPU7: Core temperature/speed normal (total events = 219)", "!thermal-throttle||"),
            (
                "cgroup: fork rejected by pids controller in /system.slice/app.service",
                "fork-failed|/system.slice/app.service|",
            ),
            (
                "IPv4: martian source 192.0.2.1 from 10.0.0.9, on dev eth0",
                "martian|eth0|10.0.0.9 to 192.0.2.1",
            ),
            ("martian destination 0.0.0.0 from 10.0.0.9, dev eth1", "martian|eth1|10.0.0.9 to 0.0.0.0"),
            ("e1000e: eth0 NIC Link is Down", "link-flap|eth0|"),
            (
                "e1000e 0000:00:19.0 eno1: NIC Link is Up 1000 Mbps Full Duplex, Flow Control: None",
                "!link-flap|eno1|",
            ),
            ("igb 0000:01:00.0 eth2: igb: eth2 NIC Link is Down", "link-flap|eth2|"),
            ("r8169 0000:02:00.0 enp2s0: Link is Down", "link-flap|enp2s0|"),
            ("tg3 0000:02:00.0 em1: Link is down", "link-flap|em1|"),
            ("tg3 0000:02:00.0 em1: Link is up at 1000 Mbps, full duplex", "!link-flap|em1|"),
            ("mlx5_core 0000:3b:00.0 ens1f0: Link down", "link-flap|ens1f0|"),
            ("mlx5_core 0000:3b:00.0 ens1f0: Link up", "!link-flap|ens1f0|"),
        ];
        for (line, expected) in cases {
            assert_eq!(found(line), expected, "{line}");
        }
    }

    #[test]
    fn what_is_no_complaint_is_not_taken_for_one() {
        for line in [
            "nf_conntrack: expectation table full",
            "blk_update_request: operation not supported error, dev sda, sector 5 op 0x9:(WRITE_ZEROES) flags 0x800",
            "blk_update_request: I/O error, dev fd0, sector 0 op 0x0:(READ) flags 0x0",
            "end_request: I/O error, dev sr0, sector 0",
            "reservation conflict error, dev sdb, sector 0 op 0x1:(WRITE)",
            "Buffer I/O error on dev sda1, logical block 7, async page read",
            "EXT4-fs (vda1): mounted filesystem with ordered data mode",
            "EXT4-fs (vda1): re-mounted. Opts: errors=remount-ro",
            "XFS (vda1): Mounting V5 Filesystem",
            "BTRFS error (device sdb): open_ctree failed",
            "BTRFS info (device sdb): bdev /dev/sdb errs: wr 0, rd 0, flush 0, corrupt 1, gen 0",
            "EDAC MC: Ver: 3.0.0",
            "EDAC MC0: Giving out device to module skx_edac controller Skylake Socket#0 IMC#0: DEV 0000:3a:0a.0 (INTERRUPT)",
            "mce: CPU supports 9 MCE banks",
            "MCE: In-kernel MCE decoding enabled.",
            "IPv6: ADDRCONF(NETDEV_UP): eth0: link is not ready",
            "ata3: SATA link down (SStatus 0 SControl 300)",
            "thermal thermal_zone0: failed to read out thermal zone",
            "INFO: task scheduler registered",
            "cgroup: fork rejected by pids controller in /user.slice/$(reboot).service",
            "nfs: server `reboot` not responding, still trying",
            "I/O error, dev sda;reboot, sector 0 op 0x0:(READ) flags 0x0",
            "nfs4flexfilelayout_init: NFSv4 Flexfile Layout Driver Registering...",
            "",
        ] {
            assert_eq!(found(line), "", "{line}");
        }
        assert_eq!(file(&format!("{} segfault at 0", "x".repeat(5000))), None);
    }
}
