//! What is absent or unreadable spreads, unless the rest decides alone; and what decided is the evidence.

use crate::support::{answer, host, host_denying, value};
use hostvet::engine::Gap;
use hostvet::fact::Facts;
use serde_json::{Value, json};

/// `kernel` is absent, `fs.nr_open` and one file of limits.d are unreadable, the rest is there.
fn partly_read() -> Facts {
    host_denying(
        &[
            (
                "/etc/security/limits.conf",
                "* soft nofile 1024\n* hard nofile 4096\n@dba - memlock unlimited\n",
            ),
            ("/proc/sys/fs/file-nr", "900\t0\t1000\n"),
            ("/proc/sys/vm/swappiness", "60\n"),
            ("/proc/sys/net/ipv4/tcp_congestion_control", "cubic\n"),
        ],
        &["/etc/security/limits.d/90-secret.conf", "/proc/sys/fs/nr_open"],
    )
}

/// Every expression gives its value, or one of `absent`, `unreadable`, `failed`.
fn all(facts: &Facts, cases: &[(&str, Value)]) {
    for (text, wanted) in cases {
        assert_eq!(value(text, facts), *wanted, "{text}");
    }
}

#[test]
fn the_host_is_as_these_tests_need_it() {
    all(
        &partly_read(),
        &[
            ("kernel.major", json!("absent")),
            ("sysctl['fs.nr_open'] > 0", json!("unreadable")),
            ("limits.entries.size()", json!("unreadable")),
            ("files.allocated", json!(900)),
            ("sysctl['vm.swappiness'].value", json!(60)),
        ],
    );
}

#[test]
fn false_decides_an_and_and_true_an_or_whatever_else_is_missing() {
    all(
        &partly_read(),
        &[
            ("false && sysctl['fs.nr_open'] > 0", json!(false)),
            ("sysctl['fs.nr_open'] > 0 && false", json!(false)),
            ("kernel.major > 5 && false", json!(false)),
            ("true || kernel.major > 5", json!(true)),
            ("kernel.major > 5 || sysctl['fs.nr_open'] > 0 || true", json!(true)),
            ("true && sysctl['fs.nr_open'] > 0", json!("unreadable")),
            ("false || kernel.major > 5", json!("absent")),
            ("1 / 0 > 1 || true", json!(true)),
            ("1 / 0 > 1 && true", json!("failed")),
        ],
    );
}

#[test]
fn unreadable_outweighs_absent() {
    all(
        &partly_read(),
        &[
            ("kernel.major > 5 && sysctl['fs.nr_open'] > 0", json!("unreadable")),
            ("sysctl['fs.nr_open'] > 0 || kernel.major > 5", json!("unreadable")),
            ("kernel.major + sysctl['fs.nr_open']", json!("unreadable")),
            ("kernel.major > sysctl['fs.nr_open']", json!("unreadable")),
            ("min(kernel.major, sysctl['fs.nr_open'])", json!("unreadable")),
            ("[kernel.major, int(sysctl['fs.nr_open'])]", json!("unreadable")),
            ("kernel.major in [int(sysctl['fs.nr_open'])]", json!("unreadable")),
            ("kernel.major > 1 ? 1 : 2", json!("absent")),
        ],
    );
}

#[test]
fn has_and_or_value_answer_absence_and_never_hide_what_is_unreadable() {
    all(
        &partly_read(),
        &[
            ("has(kernel.major)", json!(false)),
            ("has(files.allocated)", json!(true)),
            ("has(sysctl['vm.swappiness'])", json!(true)),
            ("has(sysctl['vm.no_such_key'])", json!(false)),
            ("has(sysctl['fs.nr_open'])", json!("unreadable")),
            ("has(limits.entries[0])", json!(true)),
            ("has(limits.entries[9])", json!("unreadable")),
            ("kernel.?major.orValue(7)", json!(7)),
            ("kernel.?major.hasValue()", json!(false)),
            ("files.?allocated.orValue(7)", json!(900)),
            ("sysctl[?'vm.no_such_key'].orValue(7)", json!(7)),
            ("sysctl[?'vm.no_such_key'].hasValue()", json!(false)),
            ("sysctl[?'vm.swappiness'].orValue(7)", json!(60)),
            ("sysctl[?'fs.nr_open'].orValue(7)", json!("unreadable")),
            ("sysctl[?'fs.nr_open'].hasValue()", json!("unreadable")),
            ("sysctl[?'vm.no_such_key'].?running.orValue('none')", json!("none")),
            ("sysctl[?'vm.swappiness'].?running.orValue('none')", json!(60)),
            ("sysctl[?'fs.nr_open'].?running.orValue('none')", json!("unreadable")),
            ("sysctl.?keys[?'vm.no_such_key'].?running.orValue('none')", json!("none")),
            ("kernel.?major.orValue(sysctl['fs.nr_open']) > 0", json!("unreadable")),
        ],
    );
}

#[test]
fn what_a_partial_list_shows_decides_and_what_it_does_not_show_is_unreadable() {
    all(
        &partly_read(),
        &[
            ("limits.entries.exists(e, e.value > 4000)", json!(true)),
            ("limits.entries.exists(e, e.item == 'nproc')", json!("unreadable")),
            ("limits.entries.all(e, e.item == 'nofile')", json!(false)),
            ("limits.entries.all(e, e.item in ['nofile', 'memlock'])", json!("unreadable")),
            ("limits.entries.exists_one(e, e.item == 'nofile')", json!(false)),
            ("limits.entries.exists_one(e, e.item == 'memlock')", json!("unreadable")),
            ("limits.entries[1].value", json!(4096)),
            ("limits.entries[3].value", json!("unreadable")),
            ("limits.entries.filter(e, e.item == 'nofile').size()", json!("unreadable")),
            ("limits.entries.map(e, e.item).size()", json!("unreadable")),
            ("limits.entries.map(e, e.item).join(' ')", json!("unreadable")),
            ("'memlock' in limits.entries.map(e, e.item)", json!(true)),
            ("'nproc' in limits.entries.map(e, e.item)", json!("unreadable")),
            ("limits.entries.map(e, e.item) == ['nofile', 'nofile', 'memlock']", json!("unreadable")),
            ("sum(limits.entries.filter(e, e.item == 'nofile').map(e, e.value))", json!("unreadable")),
            ("max(limits.entries.map(e, e.value))", json!("unreadable")),
            ("(limits.entries.map(e, e.item) + ['x']).size()", json!("unreadable")),
            ("top(limits.entries, 'value', 1).map(e, e.written).exists(w, w == 'unlimited')", json!(true)),
            ("limits.exists(e, e.value > 4000)", json!(true)),
        ],
    );
    let unread = json!({ "unreadable": "/etc/security/limits.d/90-secret.conf: permission denied" });
    let items = value("limits.entries.map(e, e.item)", &partly_read());
    assert_eq!(items, json!(["nofile", "nofile", "memlock", unread]));
}

#[test]
fn absent_items_are_left_out_of_lists_but_not_of_questions_about_all() {
    let facts =
        host(&[("/etc/security/limits.conf", "* hard nofile 10\n* hard chroot /srv\n* hard nproc 20\n")]);
    all(
        &facts,
        &[
            ("limits.entries.size()", json!(3)),
            ("limits.entries.map(e, e.value)", json!([10, 20])),
            ("limits.entries.map(e, e.value > 15, e.item)", json!(["nproc"])),
            ("limits.entries.filter(e, e.value > 5).size()", json!(2)),
            ("limits.entries.exists(e, e.value > 15)", json!(true)),
            ("limits.entries.exists(e, e.value > 25)", json!("absent")),
            ("limits.entries.all(e, e.value > 5)", json!("absent")),
            ("limits.entries.all(e, e.value > 15)", json!(false)),
            ("limits.entries.all(e, !has(e.value) || e.value > 5)", json!(true)),
            ("limits.entries.all(e, e.?value.orValue(99) > 5)", json!(true)),
            ("top(limits.entries, 'value', 9).map(e, e.item)", json!(["nproc", "nofile"])),
        ],
    );
}

#[test]
fn beyond_the_end_of_a_list_there_is_nothing() {
    all(
        &partly_read(),
        &[
            ("[1, 2][2]", json!("absent")),
            ("[1, 2][-1]", json!("absent")),
            ("has([1, 2][2])", json!(false)),
            ("[1, 2][?2].orValue(3)", json!(3)),
            ("[1, 2][?9223372036854775807].hasValue()", json!(false)),
            ("min([])", json!("absent")),
            ("sum([])", json!(0)),
        ],
    );
}

#[test]
fn a_text_is_a_number_beside_numbers_and_a_string_elsewhere() {
    all(
        &partly_read(),
        &[
            ("sysctl['vm.swappiness'] == 60", json!(true)),
            ("sysctl['vm.swappiness'] == 60.0", json!(true)),
            ("sysctl['vm.swappiness'] == '60'", json!(true)),
            ("sysctl['vm.swappiness'] / 8", json!(7.5)),
            ("sysctl['vm.swappiness'] + '%'", json!("60%")),
            ("sysctl['vm.swappiness'] in [60]", json!(true)),
            ("sysctl['vm.swappiness'] in ['60']", json!(true)),
            ("60 in [sysctl['vm.swappiness']]", json!(true)),
            ("sysctl['vm.swappiness'] < sysctl['vm.swappiness'] + 1", json!(true)),
            ("(true ? 5 : sysctl['vm.swappiness']) + 1", json!(6)),
            ("(false ? 5 : sysctl['vm.swappiness']) + 1", json!(61)),
            ("[sysctl['vm.swappiness'], 5]", json!([60, 5])),
            ("sum([sysctl['vm.swappiness'], 5])", json!(65)),
            ("size(sysctl['vm.swappiness'])", json!(2)),
            ("sysctl['net.ipv4.tcp_congestion_control'] == 'cubic'", json!(true)),
            ("sysctl['net.ipv4.tcp_congestion_control'] in ['bbr', 'cubic']", json!(true)),
            ("sysctl['net.ipv4.tcp_congestion_control'] in []", json!(false)),
            ("sysctl['net.ipv4.tcp_congestion_control'] > 0", json!("unreadable")),
            ("60 in [sysctl['net.ipv4.tcp_congestion_control']]", json!(false)),
            ("int(sysctl['net.ipv4.tcp_congestion_control'])", json!("failed")),
        ],
    );
    let why = answer("sysctl['net.ipv4.tcp_congestion_control'] > 0", &partly_read()).value.unwrap_err();
    assert_eq!(why.to_string(), "sysctl['net.ipv4.tcp_congestion_control']: `cubic` is not a number");
}

#[test]
fn unlimited_is_more_than_every_number_and_computes_to_no_nonsense() {
    let facts =
        host(&[("/etc/security/limits.conf", "* - memlock unlimited\n* - nofile 9223372036854775807\n")]);
    all(
        &facts,
        &[
            ("limits.entries[0].value > 9223372036854775807", json!(true)),
            ("limits.entries[0].value == limits.entries[0].value", json!(true)),
            ("limits.entries[0].value - 1 > 0", json!(true)),
            ("limits.entries[0].value - limits.entries[0].value", json!("failed")),
            ("limits.entries[0].value * 0", json!("failed")),
            ("percent(5, limits.entries[0].value)", json!(0.0)),
            ("percent(limits.entries[0].value, limits.entries[0].value)", json!("failed")),
            ("human_bytes(limits.entries[0].value)", json!("unlimited")),
            ("int(limits.entries[0].value)", json!("failed")),
            ("string(limits.entries[0].value)", json!("unlimited")),
            // Of type double, though whole: no overflow where a double goes on.
            ("limits.entries[1].value + 1 > 9223372036854775807", json!(true)),
            ("limits.entries[1].value * 2 > limits.entries[1].value", json!(true)),
        ],
    );
}

/// The expressions that are listed as evidence.
fn evidence(text: &str, facts: &Facts) -> Vec<String> {
    let answer = answer(text, facts);
    let shown = answer.evidence.into_iter().map(|e| match e.at {
        Some(at) => format!("{} = {} ({at})", e.expr, e.value),
        None => format!("{} = {}", e.expr, e.value),
    });
    shown.collect()
}

#[test]
fn evidence_is_what_was_read_with_its_place() {
    let facts = partly_read();
    assert_eq!(
        evidence("files.allocated * 100 > files.max * 80 && sysctl['vm.swappiness'] > 0", &facts),
        [
            "files.allocated = 900 (/proc/sys/fs/file-nr:1)",
            "files.max = 1000 (/proc/sys/fs/file-nr:1)",
            "sysctl['vm.swappiness'] = 60 (/proc/sys/vm/swappiness)",
        ]
    );
}

#[test]
fn of_an_or_only_the_part_that_decided_is_evidence() {
    let facts = partly_read();
    assert_eq!(
        evidence("files.max < 5 || files.allocated > 5", &facts),
        ["files.allocated = 900 (/proc/sys/fs/file-nr:1)"]
    );
    // Both parts read it; the one that decided must not lose it.
    assert_eq!(
        evidence("(files.max > 5000 && true) || files.max > 50", &facts),
        ["files.max = 1000 (/proc/sys/fs/file-nr:1)"]
    );
    assert_eq!(
        evidence("!(files.max > 5 && files.allocated < 5)", &facts),
        ["files.allocated = 900 (/proc/sys/fs/file-nr:1)"]
    );
}

#[test]
fn of_a_loop_only_the_deciding_turn_is_evidence() {
    let facts = partly_read();
    assert_eq!(
        evidence("limits.entries.exists(e, e.value > 4000)", &facts),
        ["e.value = 4096 (/etc/security/limits.conf:2)"]
    );
    assert_eq!(
        evidence("limits.entries.all(e, e.item == 'nofile')", &facts),
        ["e.item = \"memlock\" (/etc/security/limits.conf:3)"]
    );
    let whole = host(&[("/etc/security/limits.conf", "* hard nofile 10\n* hard nproc 20\n")]);
    assert_eq!(
        evidence("limits.entries.all(e, e.value < 30)", &whole),
        ["limits.entries.all(e, e.value < 30) = true"]
    );
    assert_eq!(
        evidence("limits.entries.filter(e, e.value > 15).size() == 1", &whole),
        ["e.value = 20 (/etc/security/limits.conf:2)"]
    );
}

#[test]
fn a_string_of_a_facts_own_list_is_evidence() {
    let facts = host(&[("/proc/sys/net/ipv4/ip_local_port_range", "32768\t60999\n")]);
    assert_eq!(
        evidence("sysctl['net.ipv4.ip_local_port_range'].fields.exists(port, port == 60999)", &facts),
        ["port = 60999 (/proc/sys/net/ipv4/ip_local_port_range)"]
    );
}

#[test]
fn absence_and_a_default_taken_for_it_are_evidence() {
    let facts = partly_read();
    assert_eq!(evidence("!has(kernel.major)", &facts), ["has(kernel.major) = false"]);
    assert_eq!(evidence("kernel.?major.orValue(0) < 5", &facts), ["kernel.major = null"]);
    assert_eq!(evidence("files.?max.orValue(0) > 5", &facts), ["files.max = 1000 (/proc/sys/fs/file-nr:1)"]);
    assert_eq!(evidence("has(files.max)", &facts), ["files.max = 1000 (/proc/sys/fs/file-nr:1)"]);
}

#[test]
fn what_nobody_asked_to_sample_is_no_evidence() {
    let facts = host(&[("/proc/net/snmp", "Tcp: OutSegs\nTcp: 7\n")]);
    let sent = "snmp.per_s[?'Tcp'][?'OutSegs'].orValue(0.0) * sampling.?seconds.orValue(0.0) < 1.0";
    assert_eq!(evidence(sent, &facts), Vec::<String>::new());
    let none = "snmp.groups[?'Udp'][?'InErrors'].orValue(0) < 1";
    assert_eq!(evidence(none, &facts), ["snmp.groups['Udp']['InErrors'] = null"]);
}

#[test]
fn evidence_has_an_end() {
    let lines: String = (0..500).map(|n| format!("* hard nofile {n}\n")).collect();
    let facts = host(&[("/etc/security/limits.conf", &lines)]);
    let shown = evidence(
        "limits.entries.filter(e, e.value >= 0).size() > 1 && limits.entries.exists(e, e.value == 499)",
        &facts,
    );
    assert_eq!(shown.len(), 11);
    assert_eq!(shown.last().unwrap(), "e.value = 499 (/etc/security/limits.conf:500)");
}

#[test]
fn a_loop_in_a_loop_over_much_gives_up_instead_of_running_for_ever() {
    let lines: String = (0..3000).map(|n| format!("* hard nofile {n}\n")).collect();
    let facts = host(&[("/etc/security/limits.conf", &lines)]);
    let text = "limits.entries.all(a, limits.entries.all(b, limits.entries.all(c, c.value != -1)))";
    let Err(Gap::Failed(why)) = answer(text, &facts).value else { panic!("it came to an end") };
    assert!(why.starts_with("gave up after"), "{why}");
}
