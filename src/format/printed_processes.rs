//! The processes, as a sosreport has them printed by ps(1): it copies of /proc/PID only a file or two.
//!
//! ```text
//! F   UID     PID    PPID PRI  NI    VSZ   RSS WCHAN  STAT TTY        TIME COMMAND              (ps alxwww)
//! 4     0       1       0  20   0 173120 16804 do_epo Ss   ?          2:11 /usr/lib/systemd/systemd --switched-root --system
//!     PID    PPID USER     GROUP        LWP NLWP START COMMAND         CGROUP                   (ps axo pid,…,comm,cgroup)
//!       1       0 root     root           1    1 Nov05 systemd         0::/init.scope
//! F S   UID     PID    PPID    PGID     SID CLS PRI PSR ADDR SZ WCHAN                STARTED …  (ps axo flags,…,wchan:20,…)
//! 4 S     0       1       0       1       1 TS   19   1 - 43280 do_epoll_wait        Tue Nov  5 …
//! ```
//!
//! The first two together have what a process is known by. Each is a look of its own: what is in one only has ended, or was just
//! started.

use crate::source::{Host, Missing, Reading};
use std::collections::HashMap;

/// Numbers, sizes and command lines.
pub(crate) const LONG: &str = "/sos_commands/process/ps_alxwww";
/// Names, threads and control groups; since sosreport 3.4.
pub(crate) const GROUPS: &str =
    "/sos_commands/process/ps_axo_pid_ppid_user_group_lwp_nlwp_start_time_comm_cgroup";
/// What they wait for, in 20 letters; since 3.9, of several names as there came to be more columns.
const WAITING: &str = "ps_axo_flags_state_uid_pid_";

/// A process.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PrintedProcess {
    pub(crate) pid: u32,
    pub(crate) ppid: u32,
    /// The effective user.
    pub(crate) uid: u32,
    pub(crate) comm: String,
    pub(crate) state: char,
    pub(crate) threads: u32,
    /// Whole seconds.
    pub(crate) cpu_seconds: u64,
    pub(crate) virtual_kib: u64,
    pub(crate) rss_kib: u64,
    /// The arguments, joined by blanks; the name in brackets where there are none.
    pub(crate) command: String,
    /// As in /proc/PID/cgroup, but for commas between them.
    pub(crate) cgroups: String,
    /// Of at most 20 letters; empty where it does not wait. None if it was not printed in so many.
    pub(crate) wchan: Option<String>,
    pub(crate) kernel_thread: bool,
}

/// All processes that are in both tables, by number. Not collected where one was not, unreadable where one is not whole.
pub(crate) fn list(host: &Host) -> Reading<Vec<PrintedProcess>> {
    let table = |path: &str, parse: fn(&str) -> Option<HashMap<u32, PrintedProcess>>| {
        let found = parse(&host.read_text(path)?);
        found.ok_or_else(|| Missing::garbled(path, "is no whole output of ps"))
    };
    let long = table(LONG, long)?;
    let mut groups = table(GROUPS, groups)?;
    let mut waiting = waiting(host);
    let both = long.into_iter().filter_map(|(pid, long)| {
        let PrintedProcess { comm, threads, cgroups, .. } = groups.remove(&pid)?;
        let wchan = waiting.remove(&pid);
        Some(PrintedProcess { comm, threads, cgroups, wchan, ..long })
    });
    let mut both: Vec<_> = both.collect();
    both.sort_unstable_by_key(|process| process.pid);
    Ok(both)
}

/// So many words, and what is after them.
fn words<const N: usize>(line: &str) -> Option<([&str; N], &str)> {
    let (mut found, mut rest) = ([""; N], line.trim());
    for word in &mut found {
        let (first, after) = rest.split_once(' ').unwrap_or((rest, ""));
        (*word, rest) = (first, after.trim_start());
    }
    found.iter().all(|word| !word.is_empty()).then_some((found, rest))
}

/// A table of which every line is understood; ps itself is in it, so that it is not cut off.
fn whole(
    text: &str,
    header: fn(&str) -> bool,
    row: fn(&str) -> Option<PrintedProcess>,
) -> Option<HashMap<u32, PrintedProcess>> {
    let mut lines = text.lines().skip_while(|line| !header(line));
    lines.next()?;
    let rows = lines.filter(|line| !line.trim().is_empty()).map(row);
    let rows: Option<HashMap<_, _>> = rows.map(|row| row.map(|process| (process.pid, process))).collect();
    let is_ps = |process: &PrintedProcess| process.comm == "ps" || process.command.starts_with("ps ");
    rows.filter(|rows| rows.values().any(is_ps))
}

const NOTHING: PrintedProcess = PrintedProcess {
    pid: 0,
    ppid: 0,
    uid: 0,
    comm: String::new(),
    state: '?',
    threads: 0,
    cpu_seconds: 0,
    virtual_kib: 0,
    rss_kib: 0,
    command: String::new(),
    cgroups: String::new(),
    wchan: None,
    kernel_thread: false,
};

fn long(text: &str) -> Option<HashMap<u32, PrintedProcess>> {
    let row = |line: &str| {
        let ([_, uid, pid, ppid, _, _, vsz, rss, _, stat, _, time], command) = words::<12>(line)?;
        let (minutes, seconds) = time.split_once(':')?;
        let cpu_seconds = minutes.parse::<u64>().ok()?.checked_mul(60)?.checked_add(seconds.parse().ok()?)?;
        let (virtual_kib, rss_kib) = (vsz.parse().ok()?, rss.parse().ok()?);
        let state = stat.chars().next().filter(char::is_ascii_alphabetic)?;
        let kernel_thread =
            virtual_kib == 0 && rss_kib == 0 && !matches!(state, 'Z' | 'X') && command.starts_with('[');
        Some(PrintedProcess {
            pid: pid.parse().ok()?,
            ppid: ppid.parse().ok()?,
            uid: uid.parse().ok()?,
            state,
            cpu_seconds,
            virtual_kib,
            rss_kib,
            command: command.to_owned(),
            kernel_thread,
            ..NOTHING
        })
    };
    whole(text, |line| line.starts_with("F ") && line.contains(" WCHAN "), row)
}

/// Users and groups may have blanks in their names: what follows them is known by the number of the first thread, which is that
/// of the process.
fn groups(text: &str) -> Option<HashMap<u32, PrintedProcess>> {
    let row = |line: &str| {
        let ([pid, ppid, _, _], mut rest) = words::<4>(line)?;
        loop {
            let ([lwp, threads, start], after) = words::<3>(rest)?;
            if lwp == pid && threads.bytes().all(|b| b.is_ascii_digit()) && is_start(start) {
                let (comm, cgroups) = name_and_cgroups(after)?;
                return Some(PrintedProcess {
                    pid: pid.parse().ok()?,
                    ppid: ppid.parse().ok()?,
                    comm: comm.strip_suffix(" <defunct>").unwrap_or(comm).to_owned(),
                    threads: threads.parse().ok()?,
                    cgroups: cgroups.to_owned(),
                    ..NOTHING
                });
            }
            rest = words::<1>(rest)?.1;
        }
    };
    whole(text, |line| line.trim_start().starts_with("PID ") && line.trim_end().ends_with("CGROUP"), row)
}

/// The name, which may have blanks, and the control groups: `11:cpu,cpuacct:/a,1:name=systemd:/b`, `0::/b`, `-` where there are none.
fn name_and_cgroups(text: &str) -> Option<(&str, &str)> {
    let is_cgroups = |rest: &str| {
        let number = rest.split_once(':').map(|(number, _)| number);
        rest == "-" || number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    };
    let ends = text.match_indices(' ').map(|(at, _)| text.split_at(at));
    std::iter::once(("", text))
        .chain(ends.map(|(name, rest)| (name.trim_end(), rest.get(1..).unwrap_or_default())))
        .find(|(_, rest)| is_cgroups(rest))
}

/// `14:02`, `Nov05`, `2024`.
fn is_start(word: &str) -> bool {
    let is = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    match word.split_once(':') {
        Some((hours, minutes)) => is(hours) && is(minutes),
        None => is(word) || word.get(3..).is_some_and(is),
    }
}

/// What each waits for; nothing where that was not printed.
fn waiting(host: &Host) -> HashMap<u32, String> {
    let folder = "/sos_commands/process";
    let names = host.names(folder).unwrap_or_default();
    let is = |name: &&String| name.starts_with(WAITING) && name.contains("_wchan_20_");
    let text = names.iter().find(is).and_then(|name| host.read_text(&format!("{folder}/{name}")).ok());
    text.map(|text| parse_waiting(&text)).unwrap_or_default()
}

/// The columns up to that of what they wait for are words.
fn parse_waiting(text: &str) -> HashMap<u32, String> {
    let mut lines = text.lines().skip_while(|line| !line.starts_with("F S "));
    let header: Vec<&str> = lines.next().unwrap_or_default().split_ascii_whitespace().collect();
    let column = |name: &str| header.iter().position(|word| *word == name);
    let (Some(pid), Some(wchan)) = (column("PID"), column("WCHAN")) else { return HashMap::new() };
    let row = |line: &str| {
        let word = |at| line.split_ascii_whitespace().nth(at);
        let wchan = word(wchan)?;
        let wchan = if matches!(wchan, "-" | "?" | "0") { "" } else { wchan };
        Some((word(pid)?.parse().ok()?, wchan.to_owned()))
    };
    lines.filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    const TABLES: [&str; 2] = [
        "F   UID   PID  PPID PRI  NI    VSZ   RSS WCHAN  STAT TTY        TIME COMMAND\n\
         4     0     1     0  20   0 173120 16804 do_epo Ss   ?          2:11 /usr/lib/systemd/systemd --system\n\
         1     0     7     2 -100  -      0     0 smpboo S    ?          0:00 [migration/0]\n\
         5  1000    90    80  20   0      0     0 -      Z    ?          0:00 [sh] <defunct>\n\
         0  1000    91    80  20   0   9000  4000 do_sel S+   pts/0    100:01 tmux a  b\n\
         4     0   500     1  20   0  10000  3000 -      R    ?          0:00 ps alxwww\n",
        "  PID  PPID USER     GROUP      LWP NLWP START COMMAND         CGROUP\n\
           1     0 root     root         1    1 Nov05 systemd         0::/init.scope\n\
           7     2 root     root         7    1 2024 migration/0     -\n\
          90    80 EX\\joe x domain users   90    1 14:02 sh <defunct>    11:cpu,cpuacct:/,1:name=systemd:/user.slice\n\
          91    80 joe      joe         91   12 14:02 tmux: client    0::/user.slice/a b.scope\n\
         501     1 root     root       501    1 14:02 ps              0::/x\n",
    ];

    fn listed([long, groups]: [&str; 2]) -> Reading<Vec<PrintedProcess>> {
        let mut files = Files::new();
        files.file(LONG, long).file(GROUPS, groups).file(
            "/sos_commands/process/ps_axo_flags_state_uid_pid_ppid_pgid_sid_cls_pri_addr_sz_wchan_20_lstart_tty_time_cmd",
            "F S   UID   PID  PPID  PGID   SID CLS PRI ADDR SZ WCHAN                             STARTED TT           TIME CMD\n\
             4 S     0     1     0     1     1  TS  19 - 43280 do_epoll_wait        Tue Nov  5 09:00:01 2024 ?        00:02:11 /x\n\
             0 R  1000    91    80    91    91  TS  19 - 43280 -                    Tue Nov  5 09:00:01 2024 ?        00:02:11 /x\n",
        );
        list(&Host::new(files, Target::root("x")))
    }

    #[test]
    fn tables_are_put_together_by_number() {
        let found = listed(TABLES).unwrap();
        let names: Vec<_> = found.iter().map(|p| (p.pid, p.comm.as_str(), p.state)).collect();
        assert_eq!(
            names,
            [(1, "systemd", 'S'), (7, "migration/0", 'S'), (90, "sh", 'Z'), (91, "tmux: client", 'S')]
        );
        let [init, thread, zombie, tmux] = &found[..] else { panic!("{found:?}") };
        assert_eq!((init.rss_kib, init.cpu_seconds, init.cgroups.as_str()), (16804, 131, "0::/init.scope"));
        assert_eq!(
            (init.wchan.as_deref(), tmux.wchan.as_deref(), &zombie.wchan),
            (Some("do_epoll_wait"), Some(""), &None)
        );
        assert!(thread.kernel_thread && !zombie.kernel_thread && !init.kernel_thread);
        assert_eq!((tmux.threads, tmux.uid, tmux.cpu_seconds), (12, 1000, 6001));
        assert_eq!((tmux.command.as_str(), tmux.cgroups.as_str()), ("tmux a  b", "0::/user.slice/a b.scope"));
        assert!(zombie.cgroups.ends_with(":/user.slice"));
    }

    #[test]
    fn half_a_table_is_unreadable() {
        let [long, groups] = TABLES;
        for torn in [
            ["", groups],
            [long, ""],
            [&long[..long.len() - 40], groups],
            [long, &groups[..groups.len() - 60]],
            [&long.replace("0  1000    91", "0  joe    91"), groups],
            ["bash: ps: command not found\n", groups],
            ["F UID WCHAN \n\0\u{fffd}\n", "PID CGROUP\n1 2 3\n"],
        ] {
            assert!(matches!(listed(torn), Err(Missing::Unreadable(_))), "{torn:?}");
        }
        let files = Files::new();
        assert_eq!(list(&Host::new(files, Target::root("x"))), Err(Missing::Absent));
    }
}
