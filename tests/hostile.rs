//! What hostile or broken bytes do to hostvet: nothing worse than an `unreadable`.
//!
//! The fixtures' own files are damaged, one at a time, in every way that comes to mind; every fact with all its lazy fields
//! is gathered from the result, and every rule judges it. A panic on the way is caught by hostvet, which
//! is why it is looked for by a hook and by the words hostvet then uses. `HOSTVET_HOSTILE=all` damages every
//! file of every fixture instead of one of each kind.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use hostvet::engine::{Library, Rule, judge};
use hostvet::fact::{Facts, kinds};
use hostvet::model::{View, json};
use hostvet::source::{FileKind, Files, Host, Target};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Once, OnceLock};

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
    watch();
    let facts = Facts::new(Host::new(files.clone(), Target::root("hostile")));
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
        for group in ["incidents", "hosts"] {
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

/// Files that are read by the same code: a number is as good as another.
fn kind_of(path: &Path) -> String {
    let text = path.to_string_lossy();
    let parts = text.split('/').map(|part| match part.parse::<u32>() {
        Ok(_) => "N",
        Err(_) if ["/etc/pam.d/", "/usr/lib/systemd/system/"].iter().any(|d| text.starts_with(d)) => {
            part.rsplit_once('.').map_or("", |(_, kind)| kind)
        }
        Err(_) => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

/// The files to damage, each with the seed it is of.
fn victims() -> Vec<(&'static Seed, &'static Path)> {
    let all = std::env::var_os("HOSTVET_HOSTILE").is_some();
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
    for (seed, path) in victims() {
        let mut files = tree(seed);
        let bytes = match seed.get(path) {
            Some(Node::File(bytes)) => bytes.clone(),
            _ => b"some text = 1\n".to_vec(),
        };
        for (what, bytes) in damaged(&bytes, &mut random) {
            files.file(path, bytes);
            broken.extend(survive(&files, &rules, &format!("{}: {what}", path.display())));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn nothing_in_place_of_a_file_breaks_a_fact_or_a_rule() {
    let (rules, mut broken) = (rules(), Vec::new());
    for (seed, path) in victims() {
        let clean = tree(seed);
        let name = |what: &str| format!("{}: {what}", path.display());
        let mut survive = |change: &dyn Fn(&mut Files), what: &str| {
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
