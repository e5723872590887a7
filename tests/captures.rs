//! What is found in a capture is what was found in the host it was taken of, to the byte.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod fixture;

use fixture::{Beside, vet};
use hostvet::engine::Overrides;
use hostvet::report::{Detail, Report, human, json};
use hostvet::source::{Host, Live, Recording, Target, open_capture};
use serde::Deserialize;
use std::collections::BTreeMap;

/// `case.toml` and `host.toml`, as far as the tree is concerned.
#[derive(Debug, Deserialize)]
struct Case {
    #[serde(default)]
    beside: Beside,
}

fn taken() -> jiff::Timestamp {
    "2024-05-01T06:00:00Z".parse().unwrap()
}

/// The report while a capture is taken, and the capture.
fn captured(host: Host, params: &BTreeMap<String, Overrides>) -> (Report, Vec<u8>) {
    let (host, recording) = Recording::start(host, None);
    let report = vet(host, params);
    let mut bytes = Vec::new();
    recording.write(Vec::new(), taken(), &mut bytes).unwrap();
    (report, bytes)
}

/// The report in both formats, but for what says that it is of a capture.
fn text(mut report: Report) -> String {
    report.target.captured = None;
    let mut out = Vec::new();
    json(&report, &mut out).unwrap();
    human(&report, Detail::Verbose, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[track_caller]
fn assert_same(found: &str, expected: &str, what: &str) {
    let both = || found.lines().zip(expected.lines());
    if found != expected {
        // The summary, which comes first, tells less than the first line that differs in the reports after it.
        let differs = both().filter(|(found, expected)| found != expected).take(12);
        let lines: Vec<String> =
            differs.map(|(found, expected)| format!("- {expected}\n+ {found}")).collect();
        panic!("{what}:\n{}", lines.join("\n"));
    }
}

#[test]
fn a_capture_of_every_fixture_gives_the_same_report() {
    let mut sizes = 0;
    for fixture in fixture::all("hosts").into_iter().chain(fixture::all("incidents")) {
        let about = ["host.toml", "case.toml"].map(|name| fixture.join(name));
        let case: Case = fixture::read(about.iter().find(|path| path.exists()).unwrap());
        let host = || fixture::host(&fixture, &case.beside);
        let params = &case.beside.params;
        let expected = text(vet(host(), params));
        let (meanwhile, capture) = captured(host(), params);
        sizes += capture.len();
        let what = fixture.display().to_string();
        assert_same(&text(meanwhile), &expected, &what);
        let replayed = vet(open_capture(capture, "capture").unwrap(), params);
        let about = replayed.target.captured.clone().unwrap();
        assert_eq!((about.taken, about.file.as_str()), (taken(), "capture"));
        assert_same(&text(replayed), &expected, &what);
    }
    assert!(sizes > 0);
}

/// What was read of this host while it was judged is judged the same ever after, though all of it moves.
#[test]
fn a_capture_of_this_host_is_judged_as_it_was() {
    let (report, capture) = captured(Host::new(Live, Target::live()), &BTreeMap::new());
    let expected = text(report);
    for _ in 0..2 {
        let replayed = vet(open_capture(capture.clone(), "capture").unwrap(), &BTreeMap::new());
        assert_same(&text(replayed), &expected, "this host");
    }
}

/// A capture of a capture is the same one.
#[test]
fn a_capture_can_be_captured() {
    let (_, first) = captured(Host::new(Live, Target::live()), &BTreeMap::new());
    let replayed = || open_capture(first.clone(), "first").unwrap();
    let (report, second) = captured(replayed(), &BTreeMap::new());
    assert_same(&text(report), &text(vet(replayed(), &BTreeMap::new())), "meanwhile");
    let again = vet(open_capture(second, "second").unwrap(), &BTreeMap::new());
    assert_same(&text(again), &text(vet(replayed(), &BTreeMap::new())), "replayed");
}
