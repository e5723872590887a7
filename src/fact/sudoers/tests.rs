use super::*;
use crate::source::{Files, Target};

fn host(sudoers: &str) -> Files {
    let mut files = Files::new();
    files.file("/etc/sudoers", sudoers);
    files.mode("/etc/sudoers", 0o440).unwrap();
    files
}

fn collect(files: &Files) -> Sudoers {
    Sudoers::collect(&Host::new(files.clone(), Target::live())).unwrap()
}

/// The lines with a mistake.
fn mistakes(sudoers: &str) -> Vec<String> {
    let found = collect(&host(sudoers)).mistakes.items;
    found.into_iter().map(|m| format!("{}: {}", m.at.line.unwrap(), m.reason)).collect()
}

const DEBIAN: &str = "#\n# This file MUST be edited with the 'visudo' command as root.\nDefaults\tenv_reset\nDefaults\tmail_badpass\nDefaults\tsecure_path=\"/usr/local/sbin:/usr/local/bin\"\nDefaults\tuse_pty\n#Defaults:%sudo env_keep += \"http_proxy\"\n# Host alias specification\n\nroot\tALL=(ALL:ALL) ALL\n%sudo\tALL=(ALL:ALL) ALL\n\n# See sudoers(5) for more information on \"@include\" directives:\n\n@includedir /etc/sudoers.d\n";

#[test]
fn what_is_written_is_understood() {
    let good = [
        DEBIAN,
        "",
        "#",
        "Defaults !visiblepw, env_keep =  \"COLORS DISPLAY\", \\\n  env_keep += \"A B\"\n",
        "Defaults:ops,%dba !lecture\nDefaults@host1 log_year\nDefaults>root set_logname\nDefaults!/usr/bin/vi noexec\n",
        "Defaults requiretty # must be\nDefaults passwd_tries=3, !insults\n",
        "User_Alias OPS = ann, %dba, #1001, +net : DEV = bob\nHost_Alias LAN = 192.0.2.0/24, 192.0.2.1/255.255.255.0, 2001:db8::/32, db*\nCmnd_Alias STOP = /sbin/halt, !/sbin/reboot \"\", sudoedit /etc/x\nRunas_Alias DB = mysql, #27\n",
        "OPS,!ann LAN=(DB:dba) NOEXEC: NOPASSWD: STOP, PASSWD : /bin/ls -l \\, x, (root) ALL : other = /bin/\n",
        "%admin ALL=(ALL) ALL\n\"%domain users\" ALL=(ALL) ALL\nAD\\\\ann ALL=ALL\nann@x.org ALL=ALL\n",
        "a ALL = (:dba) /x\na ALL=() ALL\na ALL=(ALL) CWD=/x CHROOT=/y NOPASSWD: ALL\na ALL=(ALL) TYPE=t ROLE=r ALL\n",
        "a ALL= sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 /bin/ls\n",
        "a ALL=/bin/x a=b --c=d e\\=f, /bin/y *\n",
        "  root ALL=(ALL) ALL\r\n",
        "root ALL=(ALL) ALL",
        "@include other\n#include \"/etc/with blank\"\n",
    ];
    for text in good {
        assert_eq!(mistakes(text), [""; 0], "{text}");
    }
}

#[test]
fn what_sudo_refuses_is_found_with_its_line() {
    let bad = [
        ("root ALL=(ALL) ALL\ndeploy ALL=(ALL)\n", "2: a command is expected: a full path, ALL or an alias"),
        ("ann ALL=ls\n", "1: a command is expected: a full path, ALL or an alias"),
        ("ann ALL ALL\n", "1: `=` is missing after the hosts"),
        ("ann\n", "1: a host is expected"),
        ("\n\nann ALL=(root ALL\n", "3: a parenthesis is not closed"),
        ("ann ALL=(root) ALL,\n", "1: a command is expected: a full path, ALL or an alias"),
        ("Defaults =x\n", "1: the name of a setting is expected"),
        ("Defaults a b\n", "1: something follows that does not belong to it"),
        ("Defaults x=\"y\n", "1: a string does not end on its line"),
        ("User_Alias ops = ann\n", "1: the name of an alias is expected, in upper case"),
        ("User_Alias OPS ann\n", "1: `=` is missing after the name of an alias"),
        ("ann ALL=NOPASSWD ALL\n", "1: something follows that does not belong to it"),
        ("% ALL=ALL\n", "1: a group has no name"),
        ("ann ALL=/bin/a\\b\n", "1: a command"),
        ("@include /a /b\n", "1: one path is expected"),
        ("ann ALL=(ALL) ALL \\\n x\n", "1: something follows that does not belong to it"),
        ("\0\n", "1: "),
    ];
    for (text, expected) in bad {
        let found = mistakes(text);
        assert!(
            found.len() == 1 && found[0].starts_with(expected.split("a command").next().unwrap()),
            "{text}: {found:?}"
        );
        if !expected.ends_with("a command") && text != "\0\n" {
            assert_eq!(found, [expected], "{text}");
        }
    }
}

fn states(files: &Files) -> Vec<(String, SudoersState)> {
    collect(files).files.items.into_iter().map(|file| (file.path, file.state)).collect()
}

#[test]
fn every_file_is_judged_as_sudo_would() {
    let mut files = host(DEBIAN);
    for name in ["README", "a.conf", "b~", "c", "d", "e"] {
        files.file(format!("/etc/sudoers.d/{name}"), "ann ALL=ALL\n");
        files.mode(format!("/etc/sudoers.d/{name}"), 0o440).unwrap();
    }
    files.directory("/etc/sudoers.d/f");
    files.mode("/etc/sudoers.d/c", 0o666).unwrap().owner("/etc/sudoers.d/d", 1000, 0).unwrap();
    files.mode("/etc/sudoers.d/e", 0o460).unwrap();
    let state = |path: &str, state| (format!("/etc/sudoers{path}"), state);
    use SudoersState::{
        GroupWritable, Missing, Ok, SkippedName, TooDeep, WorldWritable, WrongKind, WrongOwner,
    };
    let expected = [
        state("", Ok),
        state(".d", Ok),
        state(".d/README", Ok),
        state(".d/a.conf", SkippedName),
        state(".d/b~", SkippedName),
        state(".d/c", WorldWritable),
        state(".d/d", WrongOwner),
        state(".d/e", Ok),
    ];
    assert_eq!(states(&files), expected);
    files.owner("/etc/sudoers", 0, 5).unwrap().mode("/etc/sudoers", 0o460).unwrap();
    assert_eq!(states(&files)[0], state("", GroupWritable));
    let mut files = host("@include sudoers\n#include /etc/gone\n@includedir /etc/sudoers\n");
    files.mode("/etc/sudoers", 0o440).unwrap();
    let expected = [state("", Ok), state("", TooDeep), ("/etc/gone".into(), Missing), state("", TooDeep)];
    assert_eq!(states(&files), expected);
    assert_eq!(states(files.remove_sudoers()), [state("", WrongKind)]);
}

trait Remove {
    fn remove_sudoers(&mut self) -> &Files;
}

impl Remove for Files {
    fn remove_sudoers(&mut self) -> &Files {
        *self = Files::new();
        self.directory("/etc/sudoers")
    }
}

#[test]
fn rules_and_aliases_are_told() {
    let found = collect(&host(
        "User_Alias OPS=ann\nOPS, !BOB ALL=(WEB) NOPASSWD: /bin/ls -l, STOP\nCmnd_Alias STOP=/sbin/halt\n",
    ));
    let rule = &found.rules.items[0];
    assert_eq!(
        (rule.users.join(" "), rule.commands.join(" "), rule.without_password),
        ("OPS !BOB".into(), "/bin/ls -l STOP".into(), true)
    );
    let undefined: Vec<_> =
        found.undefined.items.iter().map(|u| format!("{} {} {}", u.kind, u.name, u.at)).collect();
    assert_eq!(undefined, ["Runas_Alias WEB /etc/sudoers:2", "User_Alias BOB /etc/sudoers:2"]);
    assert_eq!(found.recovers, Err(Missing::Absent));
    let mut files = host("");
    files.file("/usr/libexec/sudo/sudoers.so", "\x7fELF error_recovery=");
    assert_eq!(collect(&files).recovers, Ok(true));
}

#[test]
fn what_may_not_be_read_leaves_a_gap() {
    let mut files = host(DEBIAN);
    files.deny("/etc/sudoers.d");
    let found = collect(&files);
    assert_eq!((found.mistakes.unread.len(), found.rules.unread.len(), found.rules.items.len()), (1, 1, 2));
    files.deny("/etc/sudoers");
    assert!(matches!(Sudoers::collect(&Host::new(files, Target::live())), Err(Missing::Unreadable(_))));
    assert!(matches!(Sudoers::collect(&Host::new(Files::new(), Target::live())), Err(Missing::Absent)));
}

#[test]
fn hostile_text_is_no_more_than_a_mistake() {
    for text in [
        "\\",
        "\\\n",
        "\"",
        "Defaults",
        "Defaults:",
        "Defaults\"",
        "!!!!",
        "#include",
        "@include \"",
        "a ALL=^",
        "a ALL=^x$",
        "a::1=x",
        "%:",
        "é ALL=ü",
        "a ALL=sha256:",
        "\u{fffd}\\\u{fffd}",
        "a ALL=/é\\é",
        "Defaults é=\\é",
    ] {
        collect(&host(text));
    }
}
