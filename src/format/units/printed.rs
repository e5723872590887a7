//! What the service manager itself told of all its unit files and of those that change others, where a sosreport keeps it.
//!
//! ```text
//! UNIT FILE            STATE      VENDOR PRESET         (systemctl list-unit-files)
//! crond.service        enabled    enabled
//! session-3.scope      transient  -
//!
//! 2 unit files listed.
//!
//! [EXTENDED]   /usr/lib/systemd/system/crond.service → /etc/systemd/system/crond.service.d/a.conf      (systemd-delta)
//!
//! 1 overridden configuration files found.
//! ```
//!
//! A sosreport has the directories of units that packages and administrators use, but not all that systemd looks into.

use super::{DIRS, UnitFilePlace, Units, is_unit, template};
use crate::source::{Missing, Reason};

const UNIT_FILES: &str = "/sos_commands/systemd/systemctl_list-unit-files";
const DELTA: &str = "/sos_commands/systemd/systemd-delta";

/// Units that somebody had made while the system ran.
const TRANSIENT: &str = "/run/systemd/transient";
/// The last directory of those that are not collected in which there are units at the next boot.
const LOCAL: &str = "/usr/local/lib/systemd/system";

impl Units {
    /// Takes directories that were not collected for read, where what was printed leaves nothing for them to hold: every unit that
    /// has a file is known from the others, as masked and as enabled as it is told, and nothing below /usr/local changes one.
    ///
    /// What then may be in them are resource limits of control groups, which `systemctl set-property --runtime` sets.
    pub(super) fn take_printed(&mut self) {
        let is_open = |path: &str, reason: &Reason| *reason == Reason::NotCollected && DIRS.contains(&path);
        if !self.unread.iter().any(|why| is_open(&why.path, &why.reason)) {
            return;
        }
        let listed = match self.host.read_text(UNIT_FILES) {
            Ok(text) => unit_files(&text),
            Err(Missing::Absent | Missing::Unreadable(_)) => None,
        };
        let Some(listed) = listed else { return };
        for (name, _) in listed.iter().filter(|(_, state)| state == "transient") {
            let path = format!("{TRANSIENT}/{name}");
            let place = UnitFilePlace { path, link: None, masked: false, alias_of: None };
            self.files.entry(name.clone()).or_insert(place);
        }
        if !listed.iter().all(|(name, state)| self.agrees(name, state)) {
            return;
        }
        let local = || self.host.read_text(DELTA).is_ok_and(|text| !changes(&text, LOCAL));
        let keeps_local = self.unread.iter().any(|why| &*why.path == LOCAL) && !local();
        self.unread.retain(|why| !is_open(&why.path, &why.reason) || (keeps_local && &*why.path == LOCAL));
    }

    /// Whether what is known of this unit accounts for its state.
    fn agrees(&self, name: &str, state: &str) -> bool {
        let Some(file) = self.files.get(name) else { return false };
        if file.alias_of.is_some() {
            return true;
        }
        if file.masked != state.starts_with("masked") {
            return false;
        }
        let mut names = std::iter::once(name).chain(self.aliases(name).iter().map(String::as_str));
        !state.starts_with("enabled")
            || !self.aliases(name).is_empty()
            || names.any(|name| self.pulled.contains_key(name))
            || self.pulls.iter().any(|pull| template(&pull.unit).as_deref() == Some(name))
    }
}

/// The names and states; none where the table is not whole.
fn unit_files(text: &str) -> Option<Vec<(String, String)>> {
    let mut lines = text.lines().skip_while(|line| !line.starts_with("UNIT FILE"));
    lines.next()?;
    let row = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let (name, state) = (words.next()?, words.next()?);
        is_unit(name).then(|| (name.to_owned(), state.to_owned()))
    };
    let rows: Option<Vec<_>> = lines.by_ref().take_while(|line| !line.trim().is_empty()).map(row).collect();
    let told = lines.find_map(|line| line.split_once(" unit file")?.0.trim().parse::<usize>().ok())?;
    rows.filter(|rows| rows.len() == told)
}

/// Whether a file below this directory overrides or extends another; so too if it is not all there that would tell.
fn changes(text: &str, dir: &str) -> bool {
    let is_whole = text.trim_end().ends_with("overridden configuration files found.");
    !is_whole || text.contains(dir)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Host, Target};

    const TABLE: &str = "UNIT FILE STATE VENDOR PRESET\na.service enabled enabled\nb.service disabled enabled\nc.service masked enabled\n\
        d.service alias -\ne@.service enabled -\nrun-u1.service transient -\n";
    const NOTHING: &str = "\n0 overridden configuration files found.\n";

    fn report(table: &str, delta: &str) -> Units {
        let mut files = Files::new();
        for unit in ["a", "b", "e@"] {
            files.file(format!("/lib/systemd/system/{unit}.service"), "[Unit]\n");
        }
        files
            .link(
                "/etc/systemd/system/multi-user.target.wants/a.service",
                "../../../lib/systemd/system/a.service",
            )
            .link(
                "/etc/systemd/system/multi-user.target.wants/e@1.service",
                "../../../lib/systemd/system/e@.service",
            )
            .link("/etc/systemd/system/c.service", "/dev/null")
            .link("/etc/systemd/system/d.service", "../../../lib/systemd/system/a.service")
            .file("/version.txt", "sosreport: 3.9\n")
            .file(UNIT_FILES, table)
            .file(DELTA, delta);
        Units::find(Host::new(files, Target::root("x")))
    }

    fn with_end(rows: &str) -> String {
        format!("{rows}\n{} unit files listed.\n", rows.lines().count() - 1)
    }

    fn is_open(units: &Units) -> bool {
        matches!(units.enabled("b.service"), Err(Missing::Unreadable(_)))
    }

    #[test]
    fn what_is_listed_and_known_leaves_nothing_open() {
        let units = report(&with_end(TABLE), NOTHING);
        assert_eq!((units.enabled("a.service"), units.enabled("b.service")), (Ok(true), Ok(false)));
        assert_eq!(units.unread, []);
        assert!(units.files.contains_key("run-u1.service"));
    }

    #[test]
    fn a_unit_or_a_link_that_is_not_known_leaves_all_open() {
        for (from, to) in [
            ("d.service alias", "z.service disabled"),
            ("b.service disabled", "b.service enabled"),
            ("b.service disabled", "b.service masked-runtime"),
            ("c.service masked", "c.service static"),
        ] {
            assert!(is_open(&report(&with_end(&TABLE.replace(from, to)), NOTHING)), "{to}");
        }
        let local = "[EXTENDED] /lib/systemd/system/b.service → /usr/local/lib/systemd/system/b.service.d/x.conf\n\n\
            1 overridden configuration files found.\n";
        assert!(is_open(&report(&with_end(TABLE), local)));
        assert!(is_open(&report(&with_end(TABLE), "[EXTENDED] /lib")));
    }

    #[test]
    fn half_a_table_is_none() {
        let whole = with_end(TABLE);
        assert_eq!(unit_files(&whole).unwrap().len(), 6);
        assert_eq!(
            unit_files("UNIT FILE STATE\na.service static\n\n1 unit file listed.\n").unwrap().len(),
            1
        );
        for text in [
            "",
            "Failed to list unit files: Connection reset by peer\n",
            TABLE,
            &whole.replace("6 unit", "7 unit"),
            &whole.replace("a.service", "a"),
            "UNIT FILE\n\0\u{fffd}\n",
        ] {
            assert_eq!(unit_files(text), None, "{text:?}");
            assert!(is_open(&report(text, NOTHING)));
        }
    }
}
