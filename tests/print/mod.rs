//! What commands print on the host of a fixture, as sosreport keeps it.

use hostvet::source::Files;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// ps(1), twice. A host of which a process is not known well enough prints nothing.
pub(crate) fn processes(root: &Path, files: &mut Files) {
    let mut long =
        String::from("F   UID     PID    PPID PRI  NI    VSZ   RSS WCHAN  STAT TTY        TIME COMMAND\n");
    let mut groups =
        String::from("    PID    PPID USER     GROUP        LWP NLWP START COMMAND         CGROUP\n");
    let entries = fs::read_dir(root.join("proc")).into_iter().flatten().map(|entry| entry.unwrap());
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    for pid in pids {
        let read = |name: &str| fs::read_to_string(root.join(format!("proc/{pid}/{name}"))).ok();
        // That of sosreport itself has no more than what leads to /proc/net.
        let Some(stat) = read("stat") else { continue };
        let (Some(status), Some(cmdline)) = (read("status"), read("cmdline")) else { return };
        let field = |key: &str, at| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
            line.split_whitespace().nth(at).map(str::to_owned)
        };
        let Some(uid) = field("Uid", 1) else { return };
        let comm = stat.split_once(" (").unwrap().1.rsplit_once(") ").unwrap().0;
        let words: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split_whitespace().collect();
        let number = |at: usize| words[at].parse::<u64>().unwrap();
        let (state, ppid, threads) = (words[0], words[1], words[17]);
        let is_kernel = number(6) & 0x20_0000 != 0;
        let seconds = (number(11) + number(12)) / 100;
        let vsz = if is_kernel { 0 } else { number(20) / 1024 };
        let rss = field("VmRSS", 0).unwrap_or_else(|| "0".into());
        let command = match cmdline.trim_matches('\0').replace('\0', " ") {
            empty if empty.is_empty() => format!("[{comm}]"),
            command => command,
        };
        let defunct = if state == "Z" { " <defunct>" } else { "" };
        let (minutes, seconds) = (seconds / 60, seconds % 60);
        long += &format!(
            "0 {uid:>5} {pid:>7} {ppid:>7}  20   0 {vsz:>6} {rss:>5} -      {state}    ?        {minutes:>3}:{seconds:02} {command}{defunct}\n"
        );
        let cgroups = read("cgroup").map(|text| text.trim().replace('\n', ","));
        let cgroups = cgroups.filter(|cgroups| !cgroups.is_empty()).unwrap_or_else(|| "-".into());
        let comm = format!("{comm}{defunct}");
        groups += &format!(
            "{pid:>7} {ppid:>7} user     a group  {pid:>7} {threads:>4} Nov05 {comm:<15} {cgroups}\n"
        );
    }
    long += "0     0 4000001    4242  20   0   9000  3000 -      R    ?          0:00 ps alxwww\n";
    groups += "4000002    4242 root     root     4000002    1 14:02 ps              -\n";
    files.file("/sos_commands/process/ps_alxwww", long);
    files.file("/sos_commands/process/ps_axo_pid_ppid_user_group_lwp_nlwp_start_time_comm_cgroup", groups);
}

/// systemctl(1) and systemd-delta(1).
pub(crate) fn units(root: &Path, files: &mut Files) {
    const DIRS: [&str; 7] = [
        "etc/systemd/system.control",
        "run/systemd/system.control",
        "etc/systemd/system",
        "run/systemd/system",
        "usr/local/lib/systemd/system",
        "usr/lib/systemd/system",
        "lib/systemd/system",
    ];
    const KINDS: [&str; 6] = [".service", ".socket", ".target", ".timer", ".mount", ".path"];
    let is_unit = |name: &str| KINDS.iter().any(|kind| name.ends_with(kind));
    let (mut units, mut wanted, mut delta) = (BTreeMap::new(), Vec::new(), String::new());
    for dir in DIRS {
        for entry in fs::read_dir(root.join(dir)).into_iter().flatten().map(|entry| entry.unwrap()) {
            let name = entry.file_name().into_string().unwrap();
            if name.ends_with(".wants") || name.ends_with(".requires") {
                let links = fs::read_dir(entry.path()).unwrap();
                wanted.extend(links.map(|link| link.unwrap().file_name().into_string().unwrap()));
            }
            if dir.contains("local") {
                delta += &format!("[EXTENDED]   /usr/lib/systemd/system/x → /{dir}/{name}\n");
            }
            let target = fs::read_link(entry.path()).ok();
            let leads_to = target.as_ref().and_then(|to| to.file_name()?.to_str());
            if is_unit(&name) {
                let state = match leads_to {
                    Some("null") => "masked",
                    Some(other) if other != name => "alias",
                    _ if entry.metadata().is_ok_and(|file| file.len() == 0) => "masked",
                    _ => "disabled",
                };
                units.entry(name).or_insert(state);
            }
        }
    }
    let mut table = format!("{:<30} {:<9} PRESET\n", "UNIT FILE", "STATE");
    for (name, state) in &units {
        let is_enabled = *state == "disabled" && wanted.contains(name);
        let state = if is_enabled { "enabled" } else { state };
        table += &format!("{name:<30} {state:<9} enabled\n");
    }
    table += &format!("\n{} unit files listed.\n", units.len());
    delta += "\n0 overridden configuration files found.\n";
    if !units.is_empty() {
        files.file("/sos_commands/systemd/systemctl_list-unit-files", table);
        files.file("/sos_commands/systemd/systemd-delta", delta);
    }
}

/// ls(1) of /boot.
pub(crate) fn boot(root: &Path, files: &mut Files) {
    let mut blocks = Vec::new();
    listing(&root.join("boot"), "/boot", &mut blocks);
    if !blocks.is_empty() {
        files.file("/sos_commands/boot/ls_-lanR_.boot", blocks.join("\n"));
    }
}

fn listing(from: &Path, to: &str, blocks: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(from) else { return };
    let mut block = format!("{to}:\ntotal 4\ndrwxr-xr-x. 2 0 0 4096 Nov  5 09:00 .\n");
    let mut below = Vec::new();
    for entry in entries.map(|entry| entry.unwrap()) {
        let name = entry.file_name().into_string().unwrap();
        let metadata = entry.metadata().unwrap();
        let bits = |shift: u32| {
            let bits = metadata.permissions().mode() >> shift;
            ["r", "w", "x"].into_iter().zip([4, 2, 1]).map(
                move |(letter, bit)| {
                    if bits & bit != 0 { letter } else { "-" }
                },
            )
        };
        let mode: String = bits(6).chain(bits(3)).chain(bits(0)).collect();
        let size = metadata.len();
        block += &if metadata.is_symlink() {
            let target = fs::read_link(entry.path()).unwrap();
            format!("lrwxrwxrwx. 1 0 0 {size:>8} Aug 25  2024 {name} -> {}\n", target.display())
        } else if metadata.is_dir() {
            below.push(name.clone());
            format!("d{mode}. 2 0 0 {size:>8} Nov  5 09:00 {name}\n")
        } else {
            format!("-{mode}. 1 0 0 {size:>8} Aug 25  2024 {name}\n")
        };
    }
    blocks.push(block);
    for name in below {
        listing(&from.join(&name), &format!("{to}/{name}"), blocks);
    }
}
