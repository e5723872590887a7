use super::*;
use crate::model::Word;
use crate::source::{Files, Target};

const ELF: &[u8] = b"\x7fELF\x02\x01\x01";

fn pam(files: &Files) -> Pam {
    collect(files).unwrap()
}

fn collect(files: &Files) -> Reading<Pam> {
    Pam::collect(&Host::new(files.clone(), Target::live()))
}

fn tree(services: &[(&str, &str)]) -> Files {
    let mut files = Files::new();
    for (name, text) in services {
        files.file(format!("/etc/pam.d/{name}"), *text);
    }
    files
}

fn service<'a>(pam: &'a Pam, name: &str) -> &'a PamService {
    pam.services.items.iter().find(|s| s.name == name).unwrap()
}

fn modules(service: &PamService) -> Vec<String> {
    let rules = service.rules.as_ref().unwrap();
    let show = |r: &PamRule| format!("{} {}", r.r#type.word(), r.module.as_deref().unwrap_or("-"));
    rules.iter().map(show).collect()
}

fn refusals(pam: &Pam) -> Vec<String> {
    let mut found = Vec::new();
    for service in &pam.services.items {
        for r in service.root_refusals.get().unwrap() {
            found.push(format!("{} {} {}: {}", service.name, r.r#type.word(), r.at, r.reason));
        }
    }
    found
}

#[test]
fn nothing_of_pam_is_absent() {
    assert_eq!(collect(&Files::new()).err(), Some(Missing::Absent));
    let mut only_library = Files::new();
    only_library.file("/usr/lib64/libpam.so.0", ELF);
    let pam = pam(&only_library);
    assert_eq!(pam.library.as_deref(), Some("/usr/lib64/libpam.so.0"));
    assert_eq!(pam.module_directories, ["/usr/lib64/security", "/lib64/security"]);
    assert!(pam.services.items.is_empty());
    let mut merged = only_library;
    merged.link("/lib64", "usr/lib64").file("/usr/lib64/security/pam_unix.so", ELF);
    assert_eq!(self::pam(&merged).module_directories, ["/usr/lib64/security"]);
}

#[test]
fn a_denied_directory_is_unreadable() {
    let mut files = Files::new();
    files.deny("/etc/pam.d");
    assert!(matches!(collect(&files), Err(Missing::Unreadable(_))));
}

#[test]
fn a_denied_file_leaves_the_others_readable() {
    let mut files = tree(&[("login", "auth include common\n"), ("su", "auth required pam_unix.so\n")]);
    files.deny("/etc/pam.d/common");
    let pam = pam(&files);
    assert_eq!(pam.services.unread.len(), 1);
    assert!(matches!(service(&pam, "login").rules, Err(Missing::Unreadable(_))));
    assert_eq!(modules(service(&pam, "su")), ["auth pam_unix.so"]);
}

#[test]
fn an_include_brings_lines_of_its_type_and_debians_brings_all() {
    let common = "auth required pam_unix.so\naccount required pam_unix.so\n";
    let pam = pam(&tree(&[
        ("common", common),
        ("a", "auth required pam_env.so\nauth include common\n"),
        ("b", "@include common\nsession optional pam_x.so\n"),
        ("c", "account substack common\n"),
    ]));
    assert_eq!(modules(service(&pam, "a")), ["auth pam_env.so", "auth pam_unix.so"]);
    assert_eq!(modules(service(&pam, "b")), ["auth pam_unix.so", "account pam_unix.so", "session pam_x.so"]);
    assert_eq!(modules(service(&pam, "c")), ["account pam_unix.so"]);
    assert_eq!(service(&pam, "common").included_by, ["a", "b", "c"]);
    let rule = &service(&pam, "a").rules.as_ref().unwrap()[1];
    assert_eq!(rule.at.to_string(), "/etc/pam.d/common:1");
    assert_eq!(rule.actions["default"], "bad");
}

#[test]
fn the_administrators_file_hides_the_vendors() {
    let mut files = tree(&[("su", "auth required pam_unix.so\n")]);
    files.file("/usr/lib/pam.d/su", "auth required pam_deny.so\n");
    files.file("/usr/etc/pam.d/sudo", "auth include su\n");
    let pam = pam(&files);
    assert_eq!(modules(service(&pam, "su")), ["auth pam_unix.so"]);
    assert_eq!(modules(service(&pam, "sudo")), ["auth pam_unix.so"]);
    assert_eq!(service(&pam, "sudo").at.to_string(), "/usr/etc/pam.d/sudo");
}

#[test]
fn pam_conf_counts_where_there_is_no_directory() {
    let text = "login auth required pam_unix.so\nOTHER auth required \\\n  pam_deny.so\n";
    let mut files = Files::new();
    files.file("/etc/pam.conf", text);
    let found = pam(&files);
    assert_eq!(modules(service(&found, "login")), ["auth pam_unix.so"]);
    assert_eq!(service(&found, "other").rules.as_ref().unwrap()[0].at.to_string(), "/etc/pam.conf:2");
    assert_eq!(service(&found, "login").size, None);
    files.directory("/etc/pam.d");
    assert!(pam(&files).services.items.is_empty());
}

#[test]
fn missing_and_circular_includes_are_told_with_who_needs_them() {
    let pam = pam(&tree(&[
        ("login", "auth include gone\naccount include gone\nauth include fine\n"),
        ("fine", "auth required pam_unix.so\n"),
        ("sshd", "@include gone\n"),
        ("a", "auth include b\n"),
        ("b", "auth include a\n"),
    ]));
    let found: Vec<_> = pam.includes.items.iter().map(|i| (&*i.name, i.state.word())).collect();
    assert_eq!(found, [("a", "loop"), ("b", "loop"), ("fine", "ok"), ("gone", "missing")]);
    let gone = &pam.includes.items[3];
    assert_eq!(gone.lines, ["/etc/pam.d/login:1", "/etc/pam.d/login:2", "/etc/pam.d/sshd:1"]);
    assert_eq!(gone.services, ["login", "sshd"]);
    // `@include` takes the whole service down, `include` the stack.
    assert_eq!(service(&pam, "sshd").always_fails.get().unwrap().len(), 4);
    assert!(service(&pam, "login").always_fails.get().unwrap().contains(&"auth".to_owned()));
}

#[test]
fn includes_that_multiply_are_cut_off() {
    let mut files = Files::new();
    for level in 0..12 {
        let text = format!("auth include l{0}\nauth include l{0}\n", level + 1);
        files.file(format!("/etc/pam.d/l{level}"), text);
    }
    files.file("/etc/pam.d/l12", "auth required pam_unix.so\n");
    let pam = pam(&files);
    assert!(matches!(service(&pam, "l0").rules, Err(Missing::Unreadable(_))));
    assert_eq!(service(&pam, "l11").rules.as_ref().unwrap().len(), 2);
}

#[test]
fn stacks_are_evaluated_not_searched_for_pam_deny() {
    let debian = "auth [success=1 default=ignore] pam_unix.so\nauth requisite pam_deny.so\nauth required pam_permit.so\n";
    let jump_too_far = "auth [success=3 default=ignore] pam_unix.so\nauth requisite pam_deny.so\nauth required pam_permit.so\n";
    let red_hat = "auth sufficient pam_unix.so\nauth required pam_deny.so\n";
    let substack =
        "auth [success=1 default=ignore] pam_unix.so\nauth substack deny\nauth required pam_permit.so\n";
    let reset = "auth required pam_deny.so\nauth [default=reset] pam_x.so\nauth required pam_permit.so\n";
    let pam = pam(&tree(&[
        ("debian", debian),
        ("too-far", jump_too_far),
        ("red-hat", red_hat),
        ("deny", "auth required pam_deny.so\nauth requisite pam_deny.so\n"),
        ("substack", substack),
        ("reset", reset),
        ("bad-control", "auth requird pam_unix.so\n"),
        (
            "only-ignored",
            "auth optional pam_warn.so\nauth requisite pam_nologin.so\nauth required pam_env.so\n",
        ),
        ("no-function", "auth optional pam_unix.so\nauth required pam_limits.so\n"),
        ("successok", "auth required pam_nologin.so successok\n"),
    ]));
    let fails = |name: &str| service(&pam, name).always_fails.get().unwrap().contains(&"auth".to_owned());
    for name in ["debian", "red-hat", "substack", "reset", "successok"] {
        assert!(!fails(name), "{name}");
    }
    for name in ["too-far", "deny", "bad-control", "only-ignored", "no-function"] {
        assert!(fails(name), "{name}");
    }
}

#[test]
fn other_stands_in_for_a_stack_without_rules() {
    let found =
        pam(&tree(&[("login", "auth required pam_unix.so\n"), ("other", "account required pam_deny.so\n")]));
    assert_eq!(*service(&found, "login").always_fails.get().unwrap(), ["account", "session", "password"]);
}

#[test]
fn malformed_lines_tell_what_they_cost() {
    let pam = pam(&tree(&[
        ("a", "auth requird pam_unix.so\nauht sufficient pam_unix.so\nauth required\n"),
        ("b", "auth required pam_unix.so\nauth required \\\n"),
        ("dos", "#%PAM-1.0\r\nauth required pam_unix.so\r\n\r\n"),
        ("old.rpmsave", "nonsense\n"),
        ("empty", ""),
        ("garbage", "\0\u{fffd}\n\0\n"),
    ]));
    let found: Vec<_> = pam
        .services
        .items
        .iter()
        .flat_map(|s| s.malformed.iter().map(|m| (m.at.to_string(), m.effect.word(), s.copy)))
        .collect();
    let expected = [
        ("/etc/pam.d/a:1", "stack", false),
        ("/etc/pam.d/a:2", "line", false),
        ("/etc/pam.d/a:3", "stack", false),
        ("/etc/pam.d/b:2", "service", false),
        ("/etc/pam.d/dos:2", "stack", false),
        ("/etc/pam.d/old.rpmsave:1", "stack", true),
    ];
    assert_eq!(found, expected.map(|(at, effect, copy)| (at.to_owned(), effect, copy)));
    assert!(service(&pam, "dos").malformed[0].reason.starts_with("2 lines end in a carriage return"));
    assert_eq!(service(&pam, "empty").lines, 0);
}

#[test]
fn modules_are_looked_for_where_libpam_does() {
    let text = "auth required pam_a.so\nauth required pam_b.so\nauth required pam_c.so\nauth required pam_d.so\n\
        auth required /opt/pam_e.so\nauth required pam_f.so\n";
    let mut files = tree(&[("login", text)]);
    let states = |files: &Files| {
        let pam = pam(files);
        let state = |m: &PamModule| m.state.get().copied();
        pam.modules.items.iter().map(state).collect::<Vec<_>>()
    };
    assert_eq!(states(&files)[0], Err(Missing::Absent), "modules are no part of this tree");
    files.file("/usr/lib64/libpam.so.0", ELF).file("/usr/lib64/security/pam_a.so", ELF);
    files.file("/usr/lib64/security/pam_b.so", "").file("/usr/lib64/security/pam_c.so", "#!/bin/sh\n");
    // Another architecture's does not help.
    files.file("/usr/lib/security/pam_d.so", ELF).file("/opt/pam_e.so", ELF);
    files.deny("/usr/lib64/security/pam_f.so");
    let found = states(&files);
    use PamModuleState as State;
    assert_eq!(
        found[..5],
        [Ok(State::Present), Ok(State::Empty), Ok(State::NotElf), Ok(State::Missing), Ok(State::Present)]
    );
    assert!(matches!(found[5], Err(Missing::Unreadable(_))));
}

#[test]
fn debians_library_also_looks_where_modules_were_before_multiarch() {
    let mut files = tree(&[("login", "auth required pam_a.so\nauth required /lib/security/$ISA/pam_a.so\n")]);
    files.file("/lib/x86_64-linux-gnu/libpam.so.0", ELF).file("/lib/security/pam_a.so", ELF);
    for module in pam(&files).modules.items {
        assert_eq!(module.state.get(), Ok(&PamModuleState::Present), "{}", module.name);
    }
}

#[test]
fn which_services_a_missing_module_stops_follows_from_the_control() {
    let common = "auth [success=1 default=ignore] pam_unix.so\nauth requisite pam_deny.so\nauth required pam_permit.so\n\
        -session optional pam_systemd.so\nsession [success=ok module_unknown=ignore default=bad] pam_selinux.so\n";
    let found =
        pam(&tree(&[("common", common), ("login", "@include common\n"), ("login.bak", "@include common\n")]));
    let of = |name: &str| found.modules.items.iter().find(|m| m.name == name).unwrap();
    let unix = of("pam_unix.so");
    assert_eq!((unix.fatal, unix.decides), (false, true));
    assert_eq!(*unix.stops.get().unwrap(), ["common", "login"]);
    assert_eq!(unix.used_by, ["common", "login"]);
    assert!(of("pam_permit.so").fatal);
    for name in ["pam_systemd.so", "pam_selinux.so"] {
        assert!(!of(name).fatal && of(name).stops.get().unwrap().is_empty(), "{name}");
    }
}

#[test]
fn root_is_refused_by_conditions_that_cannot_hold() {
    let unix = "auth required pam_unix.so\naccount required pam_unix.so\n";
    let with = |line: &str| format!("{line}\n{unix}");
    for (line, ty) in [
        ("auth required pam_succeed_if.so user != root quiet", "auth"),
        ("auth requisite pam_succeed_if.so uid >= 1000 quiet_success", "auth"),
        ("account required pam_succeed_if.so user ingroup wheel:staff", "account"),
        ("auth required pam_succeed_if.so user notin root:admin", "auth"),
        ("auth required pam_succeed_if.so user !~ roo*", "auth"),
        ("auth required pam_succeed_if.so uid", "auth"),
        ("auth required pam_usertype.so isregular", "auth"),
    ] {
        let pam = pam(&tree(&[("login", &with(line))]));
        let found = refusals(&pam);
        assert_eq!(found.len(), 1, "{line}");
        assert!(found[0].starts_with(&format!("login {ty} /etc/pam.d/login:1: it")), "{found:?}");
    }
}

#[test]
fn root_is_not_refused_by_what_distributions_ship() {
    let red_hat_7 = "auth required pam_env.so\nauth sufficient pam_unix.so nullok\n\
        auth requisite pam_succeed_if.so uid >= 1000 quiet_success\nauth required pam_deny.so\n\
        account required pam_unix.so\naccount sufficient pam_localuser.so\n\
        account sufficient pam_succeed_if.so uid < 1000 quiet\naccount required pam_permit.so\n";
    let red_hat_9 = "auth required pam_env.so\nauth [default=1 ignore=ignore success=ok] pam_usertype.so isregular\n\
        auth [default=1 ignore=ignore success=ok] pam_localuser.so\nauth sufficient pam_unix.so nullok\n\
        auth [default=1 ignore=ignore success=ok] pam_usertype.so isregular\nauth sufficient pam_sss.so forward_pass\n\
        auth required pam_deny.so\naccount required pam_unix.so\naccount sufficient pam_usertype.so issystem\n\
        account [default=bad success=ok user_unknown=ignore] pam_sss.so\naccount required pam_permit.so\n";
    let login = "auth [user_unknown=ignore success=ok ignore=ignore default=bad] pam_securetty.so\n\
        auth required pam_unix.so\naccount required pam_access.so\n\
        auth required pam_listfile.so item=user sense=deny file=/etc/none onerr=succeed\n\
        auth required pam_succeed_if.so user != root use_uid\nauth optional pam_succeed_if.so user != root\n\
        auth [success=1 default=ignore] pam_succeed_if.so service in crond quiet\nauth required pam_unix.so\n\
        auth required pam_succeed_if.so shell = /bin/zsh\n";
    for stack in [red_hat_7, red_hat_9, login] {
        assert_eq!(refusals(&pam(&tree(&[("login", stack), ("sshd", stack)]))), [""; 0], "{stack}");
    }
}

#[test]
fn root_is_refused_by_lists_and_terminals() {
    let login = "auth required pam_securetty.so\nauth required pam_unix.so\naccount required pam_access.so\n";
    let sshd = "auth required pam_listfile.so item=user sense=deny file=/etc/ssh/denied onerr=succeed\n\
        auth required pam_unix.so\naccount required pam_access.so accessfile=/etc/other.conf\n";
    let mut files = tree(&[("login", login), ("sshd", sshd)]);
    files.file("/etc/securetty", "").file("/etc/security/access.conf", "+:ops:ALL\n-:ALL EXCEPT ops:LOCAL\n");
    files.file("/etc/ssh/denied", "guest\nroot\n").file("/etc/other.conf", "-:root:10.0.0.0/8\n");
    let expected = [
        "login auth /etc/pam.d/login:1: /etc/securetty lists no terminal",
        "login account /etc/pam.d/login:3: /etc/security/access.conf:2 refuses root",
        "sshd auth /etc/pam.d/sshd:1: /etc/ssh/denied lists root",
    ];
    assert_eq!(refusals(&pam(&files)), expected);
    files.file("/etc/group", "ops:x:20:root\n").file("/proc/cmdline", "console=tty0 console=ttyS0,115200\n");
    assert_eq!(refusals(&pam(&files)), ["sshd auth /etc/pam.d/sshd:1: /etc/ssh/denied lists root"]);
    files.deny("/etc/security/access.conf");
    assert!(matches!(service(&pam(&files), "login").root_refusals.get(), Err(Missing::Unreadable(_))));
}

#[test]
fn programs_tell_which_services_are_needed() {
    let mut files = tree(&[("other", "auth required pam_deny.so\naccount required pam_deny.so\n")]);
    files.file("/usr/bin/login", [ELF, b"..libpam.so.0\0"].concat());
    files.file("/usr/bin/su", [ELF, b"..libc.musl.so"].concat());
    files.file("/usr/sbin/sshd", ELF).file("/usr/lib/openssh/sshd-session", [ELF, b"libpam.so.0"].concat());
    let found = pam(&files);
    let list: Vec<_> = found
        .expected
        .iter()
        .map(|e| {
            (&*e.service, &*e.program, e.present.clone(), *e.needed.get().unwrap(), e.other_admits.clone())
        })
        .collect();
    assert_eq!(
        list,
        [
            ("login", "/usr/bin/login", Ok(false), true, Ok(false)),
            ("sshd", "/usr/sbin/sshd", Ok(false), true, Ok(false)),
            ("su", "/usr/bin/su", Ok(false), false, Ok(false)),
            ("su-l", "/usr/bin/su", Ok(false), false, Ok(false)),
        ]
    );
    files.file("/etc/pam.d/other", "auth required pam_unix.so\naccount required pam_unix.so\n");
    files.file("/etc/pam.d/login", "@include other\n");
    let found = pam(&files);
    assert_eq!(
        (found.expected[0].present.clone(), found.expected[0].other_admits.clone()),
        (Ok(true), Ok(true))
    );
}

#[test]
fn strangers_get_in_where_nothing_that_asks_has_to_succeed() {
    let by = |auth: &str| -> Vec<u32> {
        let pam = pam(&tree(&[("login", auth)]));
        let steps = service(&pam, "login").admits_strangers_by.get().unwrap().clone();
        steps.iter().filter_map(|step| step.at.line).collect()
    };
    let safe = [
        "auth required pam_env.so\nauth sufficient pam_unix.so\nauth required pam_deny.so\n",
        "auth [success=1 default=ignore] pam_unix.so\nauth requisite pam_deny.so\nauth required pam_permit.so\n",
        "auth sufficient pam_rootok.so\nauth sufficient pam_succeed_if.so user ingroup wheel\nauth required pam_unix.so\n",
        "auth required pam_faillock.so preauth\nauth sufficient pam_unix.so\nauth [default=die] pam_faillock.so authfail\n",
        "auth optional pam_permit.so\nauth required pam_pkcs11.so\n",
        "auth required pam_succeed_if.so user != root\nauth requisite pam_nologin.so\nauth required pam_sss.so\n",
    ];
    for stack in safe {
        assert_eq!(by(stack), [0; 0], "{stack}");
    }
    assert_eq!(
        by("auth required pam_env.so\nauth sufficient pam_permit.so\nauth required pam_unix.so\n"),
        [2]
    );
    assert_eq!(by("auth sufficient pam_faillock.so preauth\nauth required pam_unix.so\n"), [1]);
    let no_deny = "auth required pam_faillock.so preauth\nauth sufficient pam_unix.so\n";
    assert_eq!(by(no_deny), [1], "pam_deny is missing at the end");
    assert_eq!(
        by("auth required pam_env.so\nauth sufficient pam_unix.so\n"),
        [0; 0],
        "pam_env is ignored in auth"
    );
    assert_eq!(by("auth [success=1 default=ignore] pam_unix.so\nauth required pam_permit.so\n"), [2]);
    assert_eq!(
        by("auth optional pam_shells.so\nauth optional pam_unix.so\nauth optional pam_permit.so\n"),
        [1, 3]
    );
}
