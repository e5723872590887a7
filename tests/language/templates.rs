//! Sentences with expressions in them.

use crate::support::{compile, host_denying, rule};
use hostvet::engine::judge;

/// The message of a rule on a host of which parts are missing.
fn filled(template: &str) -> String {
    let facts = host_denying(
        &[
            ("/etc/security/limits.conf", "* soft nofile 1024\n@dba - memlock unlimited\n"),
            ("/proc/sys/fs/file-nr", "900\t0\t1000\n"),
            ("/proc/sys/vm/swappiness", "60\n"),
        ],
        &["/etc/security/limits.d/90-secret.conf", "/proc/sys/fs/nr_open"],
    );
    let rule = compile(rule("\"true\"", "", &format!("'''\n{template}'''"))).map_err(|e| e.render(false));
    judge(&rule.unwrap_or_else(|e| panic!("{e}")), &facts).findings[0].message.clone()
}

#[test]
fn braces_that_are_doubled_stand_for_themselves() {
    for (template, wanted) in [
        ("a {{b}} c", "a {b} c"),
        ("{{{1 + 1}}}", "{2}"),
        ("awk '{{print $1}}'", "awk '{print $1}'"),
        ("}}{{", "}{"),
        ("{{{{}}}}", "{{}}"),
        ("{1}{2}", "12"),
        ("", ""),
    ] {
        assert_eq!(filled(template), wanted, "{template}");
    }
}

#[test]
fn braces_and_quotes_in_an_expressions_strings_end_nothing() {
    for (template, wanted) in [
        ("{'}'}", "}"),
        ("{\"{\"}", "{"),
        ("{'}' + \"}\"}.", "}}."),
        ("{'\\'}'}", "'}"),
        ("{\"'\"}", "'"),
        (r"{r'\'}", r"\"),
        (r#"{r"\"}"#, r"\"),
        ("{sysctl[\"vm.swappiness\"]} and {sysctl['vm.swappiness']}", "60 and 60"),
        ("{\"\"\"a}\"b\"\"\"}", "a}\"b"),
        ("{ 1 // one }\n + 1 }", "2"),
        ("{size('ä€🐱}')}", "4"),
    ] {
        assert_eq!(filled(template), wanted, "{template}");
    }
}

#[test]
fn values_are_written_as_people_read_them() {
    for (template, wanted) in [
        ("{files.max}", "1000"),
        ("{percent(1, 3)} %", "33.33 %"),
        ("{2.0}", "2"),
        ("{1 == 1}", "true"),
        ("{['a', 'b']}", "a, b"),
        ("{[]}", ""),
        ("{limits.entries[1].value}", "unlimited"),
        ("{limits.entries[0].at}", "/etc/security/limits.conf:1"),
        ("{sysctl['vm.swappiness']}", "60"),
        ("{limits.entries[0].kind}", "default"),
    ] {
        assert_eq!(filled(template), wanted, "{template}");
    }
}

#[test]
fn what_is_missing_is_said_in_its_place() {
    for (template, wanted) in [
        ("{kernel.major}", "(none)"),
        ("{kernel.?major}", "(none)"),
        ("{sysctl['fs.nr_open']}", "(unknown: /proc/sys/fs/nr_open: permission denied)"),
        ("{1 / 0}", "(unknown: division by zero)"),
        (
            "{limits.entries.map(e, e.item)}",
            "nofile, memlock, (unknown: /etc/security/limits.d/90-secret.conf: permission denied)",
        ),
    ] {
        assert_eq!(filled(template), wanted, "{template}");
    }
}
