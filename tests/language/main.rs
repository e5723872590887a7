//! The expression language: against CEL's specification, against another implementation of CEL, and on facts of which
//! parts are absent or unreadable.

#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

mod bounds;
mod conformance;
mod differential;
mod document;
mod mistakes;
mod support;
mod templates;
mod three_values;
