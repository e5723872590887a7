//! hostvet
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod cli;
pub mod engine;
pub mod fact;
pub mod format;
pub mod model;
pub mod report;
pub mod source;
