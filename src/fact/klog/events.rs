//! The lines by kind and subject.

use super::clock::Now;
use super::kinds::{KlogKind, file};
use super::line::Line;
use super::oom::Dumps;
use super::{KlogEvent, OomKill};
use crate::source::At;
use std::collections::{BTreeMap, VecDeque};

const DAY: i64 = 86_400;
pub(super) const WEEK: i64 = 7 * DAY;

/// The most subjects of a kind that are told apart.
const MOST_SUBJECTS: usize = 64;
/// What the rest is counted under.
const OTHERS: &str = "(others)";
/// The most details of one event.
const MOST_DETAILS: usize = 8;
/// The most kills that are listed.
const MOST_KILLS: usize = 1_000;

#[derive(Debug, Default)]
struct Tally {
    count: u64,
    day: u64,
    week: u64,
    first: usize,
    last: usize,
    details: VecDeque<String>,
    ended: bool,
}

impl Tally {
    fn add(&mut self, position: usize, detail: String, age: Option<i64>) {
        if self.count == 0 {
            self.first = position;
        }
        self.count += 1;
        self.day += u64::from(age.is_none_or(|age| age < DAY));
        self.week += u64::from(age.is_none_or(|age| age < WEEK));
        self.last = position;
        self.ended = false;
        if detail.is_empty() {
            return;
        }
        self.details.retain(|d| *d != detail);
        self.details.push_back(detail);
        if self.details.len() > MOST_DETAILS {
            self.details.pop_front();
        }
    }
}

type Tallies = BTreeMap<KlogKind, BTreeMap<Option<String>, Tally>>;

/// The events, and the kills among them. The lines are in the order of time.
pub(super) fn find(lines: &[Line], now: Now, at: &At) -> (Vec<KlogEvent>, Vec<OomKill>) {
    let mut tallies = Tallies::new();
    let mut kills: VecDeque<OomKill> = VecDeque::new();
    let mut dumps = Dumps::default();
    for (position, line) in lines.iter().enumerate() {
        let age = line.age(now);
        let read = dumps.read(position, &line.text);
        failed(&mut tallies, read.failure, lines, now);
        if let Some(kill) = read.kill {
            tally(&mut tallies, KlogKind::Oom, None).add(position, kill.detail(), age);
            kills.push_back(OomKill {
                date: line.date(),
                age_seconds: age,
                at: line.at.clone(),
                ..kill.told()
            });
            if kills.len() > MOST_KILLS {
                kills.pop_front();
            }
            continue;
        }
        let Some(said) = file(&line.text) else { continue };
        if !said.ends {
            tally(&mut tallies, said.kind, said.subject).add(position, said.detail, age);
        } else if let Some(tally) = tallies.get_mut(&said.kind).and_then(|t| t.get_mut(&said.subject)) {
            tally.ended = true;
        }
    }
    // A dump at the end of the log that nothing follows.
    failed(&mut tallies, dumps.end(), lines, now);
    let mut events = Vec::new();
    for kind in KlogKind::ALL {
        match tallies.remove(&kind) {
            None => events.push(event(kind, None, Tally::default(), lines, now, at)),
            Some(found) => {
                events.extend(found.into_iter().map(|(subject, t)| event(kind, subject, t, lines, now, at)))
            }
        }
    }
    (events, kills.into())
}

/// Counts a failed allocation.
fn failed(tallies: &mut Tallies, failure: Option<(usize, String)>, lines: &[Line], now: Now) {
    let Some((start, detail)) = failure else { return };
    let age = lines.get(start).and_then(|line| line.age(now));
    tally(tallies, KlogKind::PageAllocationFailure, None).add(start, detail, age);
}

fn tally(tallies: &mut Tallies, kind: KlogKind, subject: Option<String>) -> &mut Tally {
    let of_kind = tallies.entry(kind).or_default();
    let subject = match of_kind.len() < MOST_SUBJECTS || of_kind.contains_key(&subject) {
        true => subject,
        false => Some(OTHERS.to_owned()),
    };
    of_kind.entry(subject).or_default()
}

fn event(
    kind: KlogKind,
    subject: Option<String>,
    tally: Tally,
    lines: &[Line],
    now: Now,
    at: &At,
) -> KlogEvent {
    let line = |position| lines.get(position).filter(|_| tally.count > 0);
    let (first, last) = (line(tally.first), line(tally.last));
    let (from, to) = (first.and_then(Line::date), last.and_then(Line::date));
    let date = |date: &Option<String>| date.clone().unwrap_or_else(|| "an unknown time".into());
    KlogEvent {
        times: match tally.count {
            0 => "never".into(),
            1 => format!("once, {}", to.clone().unwrap_or_else(|| "at an unknown time".into())),
            n => format!("{n} times, from {} to {}", date(&from), date(&to)),
        },
        first: from,
        last: to,
        kind,
        subject,
        count: tally.count,
        day: tally.day,
        week: tally.week,
        last_time: last.and_then(Line::known_time),
        age_seconds: last.and_then(|l| l.age(now)),
        ended: tally.ended,
        text: last.map(|l| l.text.clone()),
        at: last.map_or_else(|| at.clone(), |l| l.at.clone()),
        details: tally.details.into(),
    }
}
