//! What a process uses: since it was started, and per second of a sample.

use super::place::Place;
use super::stat::TICKS_PER_SECOND;
use crate::format::key_value::KeyValues;
use crate::model::Sampled;
use crate::source::{Missing, Reading};

/// A counter of /proc/PID/io.
pub(super) fn io(place: &Place, key: &str) -> Reading<u64> {
    KeyValues::new(&place.path("io"), &place.text("io")?, ':').count(key)
}

/// How fast a counter of /proc/PID/io rises.
pub(super) fn io_per_s(place: &Place, key: &str) -> Reading<Sampled<f64>> {
    let (earlier, _) = place.earlier()?;
    let path = place.path("io");
    let before = KeyValues::new(&path, &earlier.read_text(&path)?, ':').count(key)?;
    Ok(earlier.per_second(before, io(place, key)?).into())
}

/// How much of the time of one CPU it took.
pub(super) fn cpu_percent(place: &Place) -> Reading<Sampled<f64>> {
    let (earlier, before) = place.earlier()?;
    let ticks = earlier.per_second(before.cpu_ticks, place.stat.cpu_ticks).ok_or(Missing::Absent)?;
    Ok(Sampled(Ok(ticks * 100.0 / TICKS_PER_SECOND)))
}
