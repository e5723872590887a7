//! What hostile or broken bytes do to hostvet: nothing worse than an `unreadable`.
//!
//! The fixtures' own files are damaged, one at a time, in every way that comes to mind; every fact with all its lazy fields
//! is gathered from the result, and every rule judges it. A panic on the way is caught by hostvet, which
//! is why it is looked for by a hook and by the words hostvet then uses. `HOSTVET_HOSTILE=all` damages every
//! file of every fixture in every way, which takes long, instead of one file of each kind in some ways.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use hostvet::engine::{Library, Rule, RuleFile, judge};
use hostvet::fact::{Facts, counters, kinds};
use hostvet::model::{View, json};
use hostvet::report::{Detail, Report, human};
use hostvet::source::{Earlier, FileKind, Files, Host, Target};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Once, OnceLock};
use std::time::Duration;

thread_local! {
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Notes every panic of this thread, also those that are caught.
fn watch() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.with_borrow_mut(|panics| panics.push(info.to_string()));
            usual(info);
        }));
    });
}

fn rules() -> Vec<Rule> {
    let (rules, mistakes) = Library::embedded().compile(&BTreeMap::new());
    assert!(mistakes.is_empty(), "{mistakes:?}");
    rules
}

/// Gathers every fact with every field, judges every rule, and says what broke on the way.
fn survive(files: &Files, rules: &[Rule], what: &str) -> Vec<String> {
    survive_host(Host::new(files.clone(), Target::root("hostile")), rules, what)
}

fn survive_host(host: Host, rules: &[Rule], what: &str) -> Vec<String> {
    watch();
    let facts = Facts::new(host);
    let mut broken = Vec::new();
    for (position, kind) in kinds().iter().enumerate() {
        let walk = || json(facts.get(position).map(View::Record)).to_string();
        match std::panic::catch_unwind(std::panic::AssertUnwindSafe(walk)) {
            Ok(text) if text.contains("please report") => broken.push(format!("{what}: {}", kind.name)),
            Ok(_) => {}
            Err(_) => broken.push(format!("{what}: a field of {}", kind.name)),
        }
    }
    for rule in rules {
        let outcome = judge(rule, &facts);
        for open in outcome.unknown.iter().filter(|open| open.reason.contains("please report")) {
            broken.push(format!("{what}: {}: {}", rule.about.id, open.reason));
        }
    }
    let panics = PANICS.with_borrow_mut(std::mem::take);
    broken.extend(panics.into_iter().map(|panic| format!("{what}: {panic}")));
    broken
}

/// A seed: a fixture's files by path, as the vetted system names them.
type Seed = BTreeMap<PathBuf, Node>;

#[derive(Clone, Debug)]
enum Node {
    File(Vec<u8>),
    Link(PathBuf),
}

fn seeds() -> &'static [Seed] {
    static SEEDS: OnceLock<Vec<Seed>> = OnceLock::new();
    SEEDS.get_or_init(|| {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        let mut seeds = Vec::new();
        for group in ["incidents", "hosts", "sosreports"] {
            let Ok(cases) = fs::read_dir(fixtures.join(group)) else { continue };
            let mut cases: Vec<PathBuf> = cases.map(|case| case.unwrap().path()).collect();
            cases.sort();
            for case in cases {
                let root = if case.join("root").is_dir() { case.join("root") } else { case };
                let mut seed = Seed::new();
                gather(&root, &root, &mut seed);
                seeds.push(seed);
            }
        }
        assert!(!seeds.is_empty());
        seeds
    })
}

fn gather(root: &Path, directory: &Path, seed: &mut Seed) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        let inside = Path::new("/").join(path.strip_prefix(root).unwrap());
        if kind.is_dir() {
            gather(root, &path, seed);
        } else if kind.is_symlink() {
            seed.insert(inside, Node::Link(fs::read_link(&path).unwrap()));
        } else if let Ok(bytes) = fs::read(&path) {
            seed.insert(inside, Node::File(bytes));
        }
    }
}

fn tree(seed: &Seed) -> Files {
    let mut files = Files::new();
    for (path, node) in seed {
        match node {
            Node::File(bytes) => files.file(path, bytes.clone()),
            Node::Link(target) => files.link(path, target),
        };
    }
    files
}

/// Files that are read by the same code: names do not matter in these directories, numbers nowhere.
fn kind_of(path: &Path) -> String {
    const MANY: [&str; 20] = [
        "/etc/pam.d/",
        "/etc/systemd/system/",
        "/usr/lib/systemd/",
        "/usr/lib64/security/",
        "/usr/lib/x86_64-linux-gnu/",
        "/proc/sys/net/",
        "/proc/sys/kernel/",
        "/proc/sys/vm/",
        "/proc/sys/fs/",
        "/run/udev/data/",
        "/dev/disk/",
        "/usr/lib/sysctl.d/",
        "/usr/sbin/",
        "/usr/bin/",
        "/usr/lib/security/",
        "/bin/",
        "/sbin/",
        "/etc/init.d/",
        "/etc/runlevels/",
        "/var/",
    ];
    let text = path.to_string_lossy();
    if let Some(many) = MANY.iter().find(|many| text.starts_with(**many)) {
        return (*many).to_owned();
    }
    // A file of one group says what the same one of another says.
    if text.starts_with("/sys/fs/cgroup/") {
        return format!("/sys/fs/cgroup/{}", path.file_name().unwrap_or_default().display());
    }
    // /sys/class/block/sda1/size is as /sys/class/block/sdb/size, hugepages-2048kB as hugepages-1048576kB.
    let part = |part: &str| match part.chars().any(|c| c.is_ascii_digit()) || part.starts_with("sd") {
        true => "N".to_owned(),
        false => part.to_owned(),
    };
    text.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// Whether to try everything.
fn all() -> bool {
    std::env::var_os("HOSTVET_HOSTILE").is_some()
}

/// The files to damage, each with the seed it is of.
fn victims() -> Vec<(&'static Seed, &'static Path)> {
    let all = all();
    let mut seen = BTreeSet::new();
    let files = seeds().iter().flat_map(|seed| seed.keys().map(move |path| (seed, path.as_path())));
    files.filter(|(_, path)| all || seen.insert(kind_of(path))).collect()
}

/// Marsaglia's xorshift64: the same bytes in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

/// Every number in the text becomes this one.
fn numbers(bytes: &[u8], number: &str) -> Vec<u8> {
    let mut made = Vec::new();
    let mut inside = false;
    for byte in bytes {
        match byte.is_ascii_digit() {
            true if inside => {}
            true => made.extend(number.bytes()),
            false => made.push(*byte),
        }
        inside = byte.is_ascii_digit();
    }
    made
}

fn replaced(bytes: &[u8], from: u8, to: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|b| if *b == from { to.to_vec() } else { vec![*b] }).collect()
}

/// The file's bytes, damaged in one way after the other.
fn damaged(bytes: &[u8], random: &mut Random) -> Vec<(&'static str, Vec<u8>)> {
    let mut found = vec![
        ("empty", Vec::new()),
        ("a line end only", b"\n".to_vec()),
        ("a NUL", b"\0".to_vec()),
        ("NULs", vec![0; 5000]),
        ("random bytes", random.bytes(2000)),
        ("one long line", replaced(bytes, b'\n', b" ").repeat(1 + 20_000 / (1 + bytes.len()))),
        ("DOS line ends", replaced(bytes, b'\n', b"\r\n")),
        ("no blanks", replaced(bytes, b' ', b"")),
        ("lines of one field", replaced(bytes, b' ', b"\n")),
        ("not UTF-8", replaced(bytes, b'a', b"\xff\xc3")),
        ("wide characters", replaced(bytes, b' ', "\u{2028}\u{1f600}\u{e9}".as_bytes())),
        ("a byte order mark", [b"\xef\xbb\xbf", bytes].concat()),
        ("2^64", numbers(bytes, "18446744073709551616")),
        ("2^64 - 1", numbers(bytes, "18446744073709551615")),
        ("2^63", numbers(bytes, "9223372036854775808")),
        ("negative numbers", numbers(bytes, "-1")),
        ("-2^63", numbers(bytes, "-9223372036854775808")),
        ("zeroes", numbers(bytes, "0")),
        ("a number of 100 digits", numbers(bytes, &"9".repeat(100))),
        ("a fraction", numbers(bytes, "1e308")),
        ("backslashes", replaced(bytes, b'\n', b"\\\n")),
        ("quotes", replaced(bytes, b'=', b"=\"'")),
        ("brackets", replaced(bytes, b' ', b" [ ")),
        ("twice", bytes.repeat(2)),
    ];
    let cut = |at: usize| bytes.get(..at).unwrap_or(bytes).to_vec();
    found.extend((0..6).map(|_| ("cut off", cut(random.below(bytes.len())))));
    found.push(("without its last byte", cut(bytes.len().saturating_sub(1))));
    for _ in 0..4 {
        let mut flipped = bytes.to_vec();
        for _ in 0..=flipped.len() / 50 {
            let (at, byte) = (random.below(flipped.len()), random.next() as u8);
            if let Some(place) = flipped.get_mut(at) {
                *place = byte;
            }
        }
        found.push(("a few bytes changed", flipped));
    }
    found
}

#[test]
fn no_damage_to_a_file_breaks_a_fact_or_a_rule() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (rules, mut broken) = (rules(), Vec::new());
    for (number, (seed, path)) in victims().into_iter().enumerate() {
        let mut files = tree(seed);
        let bytes = match seed.get(path) {
            Some(Node::File(bytes)) => bytes.clone(),
            _ => b"some text = 1\n".to_vec(),
        };
        // Neighbours are of the same fact: between them they meet every damage.
        let ways = damaged(&bytes, &mut random).into_iter().enumerate();
        for (_, (what, bytes)) in ways.filter(|(way, _)| all() || way % 18 == number % 18) {
            files.file(path, bytes);
            broken.extend(survive(&files, &rules, &format!("{}: {what}", path.display())));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// Whichever of two readings is damaged, and both.
#[test]
fn no_damage_to_a_reading_breaks_a_rate() {
    let mut random = Random(0x5851_f42d_4c95_7f2d);
    let (rules, mut broken) = (rules(), Vec::new());
    let counters: BTreeSet<String> = counters().iter().map(|path| path.replace("PID", "N")).collect();
    let mut met = BTreeSet::new();
    for seed in seeds() {
        let whole = tree(seed);
        for (path, node) in seed.iter().filter(|(path, _)| counters.contains(&kind_of(path))) {
            let Node::File(bytes) = node else { continue };
            // One of each kind will do.
            if !met.insert(kind_of(path)) && !all() {
                continue;
            }
            for (what, bytes) in damaged(bytes, &mut random) {
                let mut damaged = whole.clone();
                damaged.file(path, bytes);
                for (now, earlier) in [(&whole, &damaged), (&damaged, &whole), (&damaged, &damaged)] {
                    let host = Host::new(now.clone(), Target::root("hostile"));
                    let host = host.with_earlier(Earlier::new(earlier.clone(), Duration::from_secs(1)));
                    broken.extend(survive_host(host, &rules, &format!("{}: {what}", path.display())));
                }
            }
        }
    }
    assert!(met.len() >= 6, "{met:?}");
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn nothing_in_place_of_a_file_breaks_a_fact_or_a_rule() {
    let (rules, mut broken) = (rules(), Vec::new());
    for (number, (seed, path)) in victims().into_iter().enumerate() {
        let clean = tree(seed);
        let mut way = number;
        let name = |what: &str| format!("{}: {what}", path.display());
        let mut survive = |change: &dyn Fn(&mut Files), what: &str| {
            way += 1;
            if !all() && way % 8 != 0 {
                return;
            }
            let mut files = clean.clone();
            change(&mut files);
            broken.extend(survive(&files, &rules, &name(what)));
        };
        for kind in [FileKind::Fifo, FileKind::Socket, FileKind::Block, FileKind::Character, FileKind::Other]
        {
            survive(&|files| _ = files.special(path, kind), kind.name());
        }
        survive(&|files| _ = files.directory(path), "a directory");
        survive(&|files| _ = files.file(path.join("below"), "x"), "a directory with a file");
        survive(&|files| _ = files.deny(path), "denied");
        survive(&|files| _ = files.link(path, path), "a link to itself");
        survive(&|files| _ = files.link(path, "/nowhere"), "a dangling link");
        survive(&|files| _ = files.link(path, "/"), "a link to /");
        survive(&|files| _ = files.link(path, "../../../../../../../proc"), "a link to /proc");
        survive(
            &|files| _ = files.link(path, "/dev/null").special("/dev/null", FileKind::Character),
            "masked",
        );
        let parent = path.parent().unwrap();
        survive(&|files| _ = files.deny(parent), "its directory denied");
        survive(&|files| _ = files.link(parent, parent), "its directory a link to itself");
        survive(&|files| _ = files.file(parent, "x"), "its directory a file");
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

fn facts_of(files: &Files) -> serde_json::Value {
    let facts = Facts::new(Host::new(files.clone(), Target::root("hostile")));
    let fact = |(position, kind): (usize, &hostvet::fact::Kind)| {
        (kind.name.to_owned(), json(facts.get(position).map(View::Record)))
    };
    kinds().iter().enumerate().map(fact).collect()
}

/// Few bytes that would make any amount of work or memory: they are given up, in words.
#[test]
fn bombs_are_given_up_with_a_reason() {
    let includes = |files: &mut Files, line: &dyn Fn(usize) -> String, depth: usize| {
        (0..depth).for_each(|i| _ = files.file(format!("/etc/pam.d/a{i}"), line(i)));
        files.file(format!("/etc/pam.d/a{depth}"), "");
    };
    let mut bombs: Vec<(&str, Files, &str)> = Vec::new();
    let mut add = |name, text, make: &dyn Fn(&mut Files)| {
        let mut files = Files::new();
        make(&mut files);
        bombs.push((name, files, text));
    };
    add("includes of nothing", "includes make it more than", &|files| {
        includes(files, &|i| format!("auth include a{}\n", i + 1).repeat(100), 14);
    });
    add("includes of themselves", "loop", &|files| {
        includes(files, &|i| format!("@include a{}\n@include a{i}\n@include a0\n", i + 1), 14);
    });
    add("stacks of many ways", "too many ways", &|files| {
        let rules =
            "auth [success=1 default=ignore new_authtok_reqd=2 cred_err=3 perm_denied=reset] pam_a.so\n";
        files.file("/etc/pam.d/common", rules.repeat(400));
        (0..4).for_each(|i| _ = files.file(format!("/etc/pam.d/s{i}"), "@include common\n"));
    });
    add("long stacks of many services", "too many rules in all", &|files| {
        files.file("/etc/pam.d/common", "auth required pam_permit.so\n".repeat(400));
        (0..60).for_each(|i| _ = files.file(format!("/etc/pam.d/s{i}"), "@include common\n"));
    });
    add("a service of very many lines", "is larger than", &|files| {
        files.file("/etc/pam.d/login", "auth required a\n".repeat(50_000));
    });
    add("very many services", "holds more than 5000 files", &|files| {
        (0..5_001).for_each(|i| _ = files.file(format!("/etc/pam.d/s{i}"), ""));
    });
    add("drop-ins for every service", "more than 100000", &|files| {
        for i in 0..500 {
            files.file(format!("/etc/systemd/system/u{i}.service"), "[Service]\n");
            files.file(format!("/etc/systemd/system/service.d/{i}.conf"), "[Service]\nLimitNOFILE=5\n");
        }
    });
    add("a limits.conf of very many lines", "more than 100000 lines in all", &|files| {
        files.file("/etc/security/limits.conf", "a\n".repeat(100_001));
    });
    add("an fstab of very many lines", "is larger than", &|files| {
        files.file("/etc/fstab", "a /b\n".repeat(200_000));
    });
    add("a sysctl key of 100 000 characters", "longer than any path", &|files| {
        files.file("/etc/sysctl.d/a.conf", format!("net/{}=1\n", "*a".repeat(50_000)));
    });
    for (name, files, told) in bombs {
        let found = facts_of(&files).to_string();
        assert!(found.contains(told), "{name}: `{told}` is not said: {:.2000}", found);
        let broken = survive(&files, &rules(), name);
        assert!(broken.is_empty(), "{}", broken.join("\n"));
    }
}

#[test]
fn accounts_of_one_name_do_not_multiply_their_groups() {
    let mut files = Files::new();
    files.file("/etc/passwd", "a::0:0::/:\n".repeat(3_000)).file("/etc/group", "g::0:a\n".repeat(3_000));
    let users = facts_of(&files)["accounts"]["users"].clone();
    assert_eq!(users[0]["groups"].as_array().unwrap().len(), 3_000);
    assert!(users[1]["groups"].is_null());
}

#[test]
fn thousands_of_findings_are_told_in_part() {
    let mut files = Files::new();
    let lines: String = (0..3_000).map(|i| format!("u{i} hard nofile 9999999999\n")).collect();
    files.file("/etc/security/limits.conf", lines).file("/proc/sys/fs/nr_open", "1048576\n");
    let facts = Facts::new(Host::new(files, Target::root("hostile")));
    let rules = rules();
    let rule = rules.iter().find(|rule| rule.about.id == "limits/nofile-above-nr-open").unwrap();
    let outcome = judge(rule, &facts);
    assert_eq!(outcome.findings.len(), 1_000);
    assert!(outcome.unknown[0].reason.contains("2000 more of limits.entries"), "{:?}", outcome.unknown);
}

/// A rule whose loops never end is stopped by the count of steps, item after item.
#[test]
fn a_rule_that_loops_for_ever_is_stopped() {
    let text = r#"
title    = "loops"
severity = "warning"
each     = "limits.entries"
as       = "entry"
item     = "{entry.domain}"
problem  = "limits.entries.all(a, limits.entries.all(b, limits.entries.exists(c, a.domain + b.domain != c.domain)))"
message  = "{limits.entries.map(a, limits.entries.map(b, a.domain + b.domain).join(',')).join(',')}"
why      = "a rule may be anybody's"
remedy   = "none"
references = ["man:limits.conf(5)"]
"#;
    let mut library = Library::default();
    library.add(RuleFile { id: "test/loops".into(), path: "loops.toml".into(), text: text.into() });
    let (rules, mistakes) = library.compile(&BTreeMap::new());
    assert!(mistakes.is_empty(), "{mistakes:?}");
    let mut files = Files::new();
    let lines: String = (0..5_000).map(|i| format!("u{i} hard nofile 1000\n")).collect();
    files.file("/etc/security/limits.conf", lines);
    let outcome = judge(&rules[0], &Facts::new(Host::new(files, Target::root("hostile"))));
    assert!(outcome.findings.is_empty());
    assert!(
        outcome.unknown.iter().any(|open| open.reason.contains("gave up after")),
        "{:?}",
        outcome.unknown[0]
    );
}

/// Characters that would end a line, colour a terminal, or turn the direction of writing.
const EVIL: &str = "a\n\u{1b}[31mred\r\u{9b}2J\u{202e}txt\u{2028}\u{200b}\u{7}\u{e0041}";

#[test]
fn hostile_names_and_values_stay_on_their_line() {
    let mut files = Files::new();
    files.file(
        format!("/etc/sysctl.d/{EVIL}.conf"),
        format!("vm.panic_on_oom = 1{EVIL}\nvm.panic_on_oom = 1\n{EVIL}\n"),
    );
    files.file(
        format!("/etc/security/limits.d/{EVIL}.conf"),
        format!("{EVIL} hard nofile 9999999999\n* hard nofile {EVIL}\n"),
    );
    files.file(format!("/etc/systemd/system/{EVIL}.service"), format!("[Service]\nLimitNOFILE={EVIL}\n"));
    files.file(format!("/etc/pam.d/{EVIL}"), format!("auth required pam_{EVIL}.so\n@include {EVIL}\n"));
    files.file("/etc/fstab", format!("/dev/sd{EVIL} /mnt\\012rm\\040-rf ext4 {EVIL} 0 x\n"));
    files
        .file("/etc/passwd", format!("{EVIL}:x:0:0::/:\n"))
        .file("/etc/os-release", format!("PRETTY_NAME='{EVIL}'\n"));
    files.file(
        "/proc/7/stat",
        format!("7 ({EVIL}) S 1 7 7 0 -1 4194560 1 0 0 0 1 1 0 0 20 0 1 0 100 0 0 0\n"),
    );
    files.deny(format!("/etc/sysctl.d/{EVIL}-denied.conf"));
    let host = Host::new(files.clone(), Target::root(format!("/images/{EVIL}")));
    let target = host.target.clone();
    let facts = Facts::new(host);
    let outcomes: Vec<_> = rules().iter().map(|rule| judge(rule, &facts)).collect();
    let report = Report::new(target, facts.system(), outcomes, Vec::new(), 0);
    assert!(report.findings.len() > 3 && !report.unknown.is_empty());
    let clean = |text: &str| {
        let bad =
            |c: &char| (c.is_control() && *c != '\n') || "\u{202e}\u{2028}\u{200b}\u{e0041}".contains(*c);
        assert_eq!(text.chars().find(bad), None, "{text}");
    };
    let mut out = Vec::new();
    hostvet::report::json(&report, &mut out).unwrap();
    clean(std::str::from_utf8(&out).unwrap());
    let parsed: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(parsed["target"]["name"], format!("/images/{EVIL}"), "JSON escapes, and changes nothing");
    // The report's own colours are all of this form.
    let colours = regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap();
    for detail in [Detail::Quiet, Detail::Normal, Detail::Verbose] {
        let mut out = Vec::new();
        human(&report, detail, &mut out).unwrap();
        let text = colours.replace_all(std::str::from_utf8(&out).unwrap(), "").into_owned();
        clean(&text);
        assert!(!text.lines().any(|line| line.trim_start().starts_with("rm -rf")), "{text}");
        if detail == Detail::Quiet {
            assert_eq!(text.lines().count(), report.findings.len(), "{text}");
        }
    }
}

#[test]
fn rule_files_that_are_none_are_told_and_the_others_run() {
    let dir = tempfile::tempdir().unwrap();
    let (root, area) = (dir.path().join("root"), dir.path().join("rules/area"));
    fs::create_dir_all(root.join("etc/sysctl.d")).unwrap();
    fs::create_dir_all(root.join("usr")).unwrap();
    fs::write(root.join("etc/sysctl.d/a.conf"), "vm.panic_on_oom = 1\n").unwrap();
    fs::create_dir_all(area.join("directory.toml")).unwrap();
    nix::unistd::mkfifo(&area.join("fifo.toml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    std::os::unix::fs::symlink("loop.toml", area.join("loop.toml")).unwrap();
    fs::write(area.join("bytes.toml"), b"title = '\xff'").unwrap();
    fs::write(area.join("large.toml"), " ".repeat(300_000)).unwrap();
    fs::write(area.join("nested.toml"), format!("title = {}", "[".repeat(100_000))).unwrap();
    fs::write(area.join("evil\n\u{1b}[2J.toml"), "").unwrap();
    let check = |config: &[&str]| {
        let mut hostvet = std::process::Command::new(env!("CARGO_BIN_EXE_hostvet"));
        hostvet.arg("check").arg(&root).args(config).args(["--fail-on", "never"]);
        let output = hostvet.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, out, err) = check(&["--rules", area.parent().unwrap().to_str().unwrap()]);
    assert_eq!(code, Some(2), "{err}");
    assert!(out.contains("memory/panic-on-oom"), "the other rules did not run: {out}");
    for told in [
        "directory.toml: is not a regular file",
        "fifo.toml: is not a regular file",
        "loop.toml: Too many levels of symbolic links",
        "bytes.toml: is not UTF-8 text",
        "large.toml: is larger than 256 KiB",
        "nested.toml:1:",
        "evil\\n\\x1b[2J.toml: rules lie in",
    ] {
        assert!(err.contains(told), "{told} is not told: {err}");
    }
    let config = dir.path().join("config.toml");
    for (text, told) in [
        ("#\n".repeat(600_000), "config.toml: is larger than 1024 KiB"),
        (format!("select = {}", "[".repeat(100_000)), "config.toml:1:"),
        (format!("a{} = 1", ".a".repeat(100_000)), "config.toml:1:"),
    ] {
        fs::write(&config, text).unwrap();
        let (code, _, err) = check(&["--config", config.to_str().unwrap()]);
        assert_eq!(code, Some(2), "{err}");
        assert!(err.contains(told), "{told} is not told: {err}");
    }
}
