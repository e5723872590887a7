//! What hostvet says of lines of sudoers, and what visudo says of them.
//!
//! `HOSTVET_VISUDO` names the program, or a command that runs it (`env LD_LIBRARY_PATH=… visudo`); without it there is nothing to
//! compare and the test says so. `HOSTVET_SEED` and `HOSTVET_LINES` choose other lines, and more of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, clippy::indexing_slicing)]

use hostvet::fact::Fact;
use hostvet::fact::sudoers::Sudoers;
use hostvet::source::{Files, Host, Target};
use std::process::Command;
use std::{env, fs};

const PIECES: &[&str] = &[
    "ann",
    "%wheel",
    "+net",
    "ALL",
    "OPS",
    "#1001",
    "!",
    "!!",
    "host1",
    "192.0.2.1",
    "192.0.2.0/24",
    "2001:db8::1",
    "=",
    "=",
    "=",
    "(",
    ")",
    "(ALL)",
    "(ALL:ALL)",
    "(root)",
    "(:dba)",
    ":",
    ",",
    "NOPASSWD:",
    "NOPASSWD :",
    "NOPASSWD",
    "NOEXEC:",
    "/bin/ls",
    "/bin/ls -l",
    "/sbin/halt \"\"",
    "/bin/",
    "/bin/x a=b",
    "sudoedit /etc/x",
    "sudoedit",
    "\\",
    "\"",
    "\"a b\"",
    "#",
    " ",
    "\t",
    "Defaults",
    "Defaults:ann",
    "Defaults@host1",
    "Defaults>root",
    "Defaults!/bin/ls",
    "env_reset",
    "!env_reset",
    "passwd_tries=3",
    "env_keep += \"A B\"",
    "env_keep",
    "User_Alias",
    "Host_Alias",
    "Cmnd_Alias",
    "Runas_Alias",
    "OPS=ann",
    "OPS = ann, bob",
    "STOP=/sbin/halt",
    "\\,",
    "a\\ b",
    "CWD=/tmp",
    "TIMEOUT=10",
    "x*",
    "[a-z]",
    "@",
    "%",
    "+",
    "-",
    ">",
    "é",
    "/bin/a\\:b",
    "/bin/a\\b",
];

const WHOLE: &[&str] = &[
    "ann ALL=(ALL) ALL",
    "%wheel host1 = NOPASSWD: /bin/ls, /sbin/halt",
    "Defaults env_reset, passwd_tries=3",
    "User_Alias OPS = ann, bob",
    "Cmnd_Alias STOP = /sbin/halt, /bin/ls -l",
    "Host_Alias LAN = 192.0.2.0/24, host1 : WEB = host2",
    "ann ALL = (root:dba) /bin/ls : host1 = ALL",
    "Defaults:ann,bob !env_reset",
    "Runas_Alias DB = mysql, #27",
];

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

/// A line: one that is right, with up to three pieces taken out, put in or exchanged; or pieces only.
fn line(dice: &mut Dice) -> String {
    let mut line: String = WHOLE[dice.roll(WHOLE.len())].to_owned();
    if dice.roll(4) == 0 {
        line.clear();
    }
    for _ in 0..=dice.roll(3) {
        let places: Vec<_> = line.char_indices().map(|(at, _)| at).chain([line.len()]).collect();
        let at = places[dice.roll(places.len())];
        if dice.roll(2) == 0 {
            line.insert_str(at, PIECES[dice.roll(PIECES.len())]);
        } else if at < line.len() {
            line.remove(at);
        }
    }
    if line.is_empty() {
        line = (0..2 + dice.roll(6)).map(|_| PIECES[dice.roll(PIECES.len())]).collect::<Vec<_>>().join(" ");
    }
    line
}

#[test]
fn lines_are_refused_as_visudo_refuses_them() {
    let Ok(visudo) = env::var("HOSTVET_VISUDO") else {
        eprintln!("HOSTVET_VISUDO names no visudo: nothing to compare");
        return;
    };
    let words: Vec<_> = visudo.split_whitespace().collect();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sudoers");
    let count = env::var("HOSTVET_LINES").map_or(400, |count| count.parse().unwrap());
    let mut dice = Dice(env::var("HOSTVET_SEED").map_or(7, |seed| seed.parse().unwrap()));
    let (mut differ, mut refused) = (Vec::new(), 0);
    for _ in 0..count {
        let text = line(&mut dice) + "\n";
        if text.ends_with("\\\n") {
            // What a backslash at the end of a file does depends on what was read before.
            continue;
        }
        fs::write(&file, &text).unwrap();
        let output = Command::new(words[0]).args(&words[1..]).args(["-c", "-f"]).arg(&file).output().unwrap();
        let said =
            String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        // An unknown setting, an address with a mask too long: sudo goes on behind those, and so they are none.
        let bad = !output.status.success()
            && !said.contains("unknown defaults")
            && !said.contains("is invalid for option")
            && !said.contains("value \"")
            && !said.contains("no value specified")
            && !said.contains("already defined")
            && !said.contains("should not be specified");
        let mut files = Files::new();
        files.file("/etc/sudoers", text.as_str());
        let found = Sudoers::collect(&Host::new(files, Target::live())).unwrap();
        if !output.status.success() && !bad {
            continue;
        }
        refused += usize::from(bad);
        if bad == found.mistakes.items.is_empty() {
            differ.push(format!(
                "{text:?}: hostvet {:?}; visudo {}",
                found.mistakes.items.first().map(|m| &m.reason),
                said.trim()
            ));
        }
    }
    eprintln!("{count} lines, {refused} refused");
    assert!(differ.is_empty(), "{} differ\n{}", differ.len(), differ.join("\n"));
}
