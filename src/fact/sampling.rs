//! Whether the counters were read twice.

use super::Fact;
use crate::model::Sampled;
use crate::record;
use crate::source::{Host, Missing, Reading};

record! {
    /// The two readings of the kernel's counters that `--sample` takes, and that rates are told from.
    ///
    /// ```text
    /// hostvet check --sample 1s
    /// ```
    ///
    /// Fields of other facts that take two readings say so; without these they are absent. Absent where no kernel runs.
    #[bare(seconds)]
    pub struct Sampling {
        /// The time between the two readings, in seconds.
        pub seconds: Sampled<f64>,
    }
}

impl Fact for Sampling {
    const NAME: &'static str = "sampling";
    const READS: &'static [&'static str] = &["--sample"];

    fn collect(host: &Host) -> Reading<Self> {
        if !host.is_running() {
            return Err(Missing::Absent);
        }
        Ok(Self { seconds: host.earlier.as_ref().map(|earlier| earlier.seconds()).into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Earlier, Files, Target};
    use std::time::Duration;

    #[test]
    fn seconds_are_there_if_two_readings_are() {
        let host = Host::new(Files::new(), Target::live());
        assert_eq!(Sampling::collect(&host).unwrap().seconds, Sampled::default());
        let host = host.with_earlier(Earlier::new(Files::new(), Duration::from_millis(1500)));
        assert_eq!(Sampling::collect(&host).unwrap().seconds, Sampled(Ok(1.5)));
        let image = Host::new(Files::new(), Target::root("x"));
        assert_eq!(Sampling::collect(&image).map(|_| ()), Err(Missing::Absent));
    }
}
