//! PAM: the stacks that decide who gets in, as libpam would put them together.
//!
//! `syntax` and `control` read lines, `config` resolves includes, `stack` searches what a stack can amount to,
//! `everyone`, `root`, `access` and `stranger` know what modules say to whom. Nothing here calls a module.

mod access;
mod config;
mod control;
mod everyone;
mod expected;
mod modules;
mod records;
mod root;
mod services;
mod stack;
mod stranger;
mod syntax;
#[cfg(test)]
mod tests;

pub use records::*;

use super::Fact;
use crate::source::{At, Host, Missing, Optional, Reading};
use config::Config;
use modules::Library;
use services::Services;
use std::sync::Arc;

impl Fact for Pam {
    const NAME: &'static str = "pam";
    const READS: &'static [&'static str] = &[
        "/etc/pam.d/*",
        "/usr/lib/pam.d/*",
        "/usr/etc/pam.d/*",
        "/etc/pam.conf",
        "*/libpam.so.0",
        "*/security/pam_*.so",
        "/etc/security/access.conf",
        "/etc/security/access.d/*.conf",
        "/etc/securetty",
        "/etc/group",
        "/etc/nsswitch.conf",
        "/usr/lib/group",
        "/proc/cmdline",
        "/etc/nologin",
        "/run/nologin",
    ];

    fn collect(host: &Host) -> Reading<Self> {
        let library = Library::find(host)?;
        let opened = Config::open(host)?;
        if opened.is_none() && library.path.is_none() {
            return Err(Missing::Absent);
        }
        let all = opened.map(|(config, names)| Services::of(&config, names)).unwrap_or_default();
        let all = Arc::new(all);
        Ok(Self {
            services: all.partial(all.services(host)),
            modules: all.partial(all.modules(host, &library)),
            includes: all.partial(all.includes()),
            nologin_files: nologin_files(host),
            expected: all.expected(host),
            library: library.path,
            module_directories: library.directories,
        })
    }
}

/// What pam_nologin looks for.
fn nologin_files(host: &Host) -> Reading<Vec<PamNologin>> {
    // What an image has in /run is not there after a boot.
    let places: &[&str] =
        if host.is_running() { &["/run/nologin", "/etc/nologin"] } else { &["/etc/nologin"] };
    let mut found = Vec::new();
    for path in places {
        if let Some(text) = host.read_text(path).optional()? {
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            found.push(PamNologin { text, at: At::file(*path) });
        }
    }
    Ok(found)
}
