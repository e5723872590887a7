//! hostvet
fn main() {}
