//! What a rule says of a case it says of a capture of it.

use super::case::cases;
use super::draft::{Draft, Extent};
use super::vet::{Outcome, judge};
use super::{Library, Rule};
use crate::fact::Facts;
use crate::source::{Host, Recording, open_capture, parallel};

fn captured(host: Host, rule: &Rule) -> (Outcome, Vec<u8>) {
    let (host, recording) = Recording::start(host, None);
    let outcome = judge(rule, &Facts::new(host));
    let mut bytes = Vec::new();
    recording.write(Vec::new(), jiff::Timestamp::UNIX_EPOCH, &mut bytes).unwrap();
    (outcome, bytes)
}

#[test]
fn every_case_of_every_rule_is_judged_the_same_in_a_capture() {
    let library = Library::embedded();
    let files: Vec<_> = library.files().collect();
    let judged = parallel::map(&files, 1, |file| {
        let draft = Draft::read((*file).clone(), Extent::WithCases).unwrap();
        let mut judged = 0;
        for case in cases(&draft).unwrap() {
            let rule = draft.compile(case.params()).unwrap();
            let told = |outcome: Outcome| format!("{outcome:#?}");
            let expected = told(judge(&rule, &Facts::new(case.host().clone())));
            let (meanwhile, bytes) = captured(case.host().clone(), &rule);
            let replayed = open_capture(bytes, "case").unwrap();
            let replayed = told(judge(&rule, &Facts::new(replayed)));
            for (what, found) in [("while it was captured", told(meanwhile)), ("replayed", replayed)] {
                assert!(found == expected, "{}: {} {what}:\n{found}\n{expected}", file.id, case.name);
            }
            judged += 1;
        }
        judged
    });
    assert!(judged.iter().sum::<usize>() > 1000);
}
