//! The running kernel's values, one file per key, read when a rule asks for the key.

use super::conf::{key_of, path_of};
use super::same::normalise;
use crate::model::{Located, Text};
use crate::source::{At, Host, Missing, Reading, Reason, TargetKind};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// What `sysctl -a` printed, where sosreport keeps it: it copies little of /proc/sys itself.
pub(super) const SOS_SYSCTL_A: &str = "/sos_commands/kernel/sysctl_-a";

#[derive(Debug)]
pub(super) struct Running {
    host: Host,
    is_running: bool,
    printed: OnceLock<Reading<BTreeMap<String, Located<Text>>>>,
}

impl Running {
    pub(super) fn new(host: &Host) -> Self {
        Self { host: host.clone(), is_running: host.is_running(), printed: OnceLock::new() }
    }

    /// Whether a key that cannot be found is one that the kernel does not have; a tree with a copy of /proc
    /// need not have copied all of it.
    pub(super) fn knows_every_key(&self) -> bool {
        self.is_running && self.host.target.kind == TargetKind::Live
    }

    /// The running value of the key at this path below /proc/sys.
    pub(super) fn read(&self, path: &str) -> Reading<Located<Text>> {
        let found = match self.is_running {
            true => self.proc_sys(path),
            false => Err(Missing::Absent),
        };
        match found {
            Err(missing) if missing.is_elsewhere() && !self.knows_every_key() => {
                let printed =
                    self.printed.get_or_init(|| self.host.read_text(SOS_SYSCTL_A).map(|t| parse(&t)));
                printed.as_ref().map_err(Clone::clone)?.get(path).cloned().ok_or(Missing::Absent)
            }
            found => found,
        }
    }

    fn proc_sys(&self, path: &str) -> Reading<Located<Text>> {
        if path.is_empty() || path.split('/').any(|part| part == ".." || part.contains('\0')) {
            return Err(Missing::Absent);
        }
        let path = format!("/proc/sys/{path}");
        match self.host.read_text(&path) {
            Ok(text) => Ok(Located { value: Text(normalise(&text)), at: At::file(path) }),
            Err(Missing::Unreadable(why)) if matches!(why.reason, Reason::WrongKind(_)) => {
                Err(Missing::Absent)
            }
            // Reading a directory fails only then on the live host, where kernel files are opened unseen.
            Err(Missing::Unreadable(why)) if why.reason == Reason::Io("is a directory".into()) => {
                Err(Missing::Absent)
            }
            Err(missing) => Err(missing),
        }
    }
}

/// The lines of `sysctl -a`; keys with their path.
fn parse(text: &str) -> BTreeMap<String, Located<Text>> {
    let line = |(line, number): (&str, u32)| {
        let (key, value) = line.split_once(" =")?;
        let key = key.trim();
        let plain = !key.is_empty() && !key.contains(char::is_whitespace) && key_of(&path_of(key)) == key;
        plain.then(|| {
            let value = Located { value: Text(normalise(value)), at: At::line(SOS_SYSCTL_A, number) };
            (path_of(key), value)
        })
    };
    text.lines().zip(1..).filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_of_sysctl_a_is_read_and_its_complaints_are_not() {
        let printed = parse(
            "sysctl: reading key \"net.ipv6.conf.all.stable_secret\"\nkernel.sem = 32000\t1024000000\t500\t32000\n\
             kernel.core_pattern = |/bin/x a=b %P\nnet.ipv4.conf.eth0/100.rp_filter = 2\nvm.empty =\n",
        );
        let value = |path: &str| printed.get(path).map(|v| v.value.0.as_str());
        assert_eq!(value("kernel/sem"), Some("32000 1024000000 500 32000"));
        assert_eq!(value("kernel/core_pattern"), Some("|/bin/x a=b %P"));
        assert_eq!(value("net/ipv4/conf/eth0.100/rp_filter"), Some("2"));
        assert_eq!(value("vm/empty"), Some(""));
        assert_eq!(printed.len(), 4);
    }
}
