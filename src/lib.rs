//! hostvet
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod fact;
pub mod format;
pub mod model;
pub mod source;
