//! The exit status: the same in every subcommand.

use std::process::ExitCode;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// 0: nothing found at or above `--fail-on`.
    Clean,
    /// 1: something found.
    Found,
    /// 2: the job could not be done, or not all of it.
    Unable,
    /// 3: nothing found, but something could not be judged (only with `--fail-on-unknown`).
    Unknown,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status as u8)
    }
}
