//! A unit as systemd would load it: its file and its drop-ins, one after the other.

use super::Units;
use crate::format::unit_file::{self, Malformed, Setting};
use crate::source::{At, Missing, Reading, Reason, TEXT_CAP, Unreadable};
use std::sync::Arc;

/// The most text of one unit with its drop-ins.
const MAX_TEXT: usize = TEXT_CAP as usize;

/// An assignment, and where it stands.
pub type Assignment = (Setting, At);

/// What the files of a unit say, in the order in which systemd reads them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The assignments.
    pub settings: Vec<Assignment>,
    /// The lines that are none.
    pub malformed: Vec<(Malformed, Arc<str>)>,
    /// The files that it was read from, the unit's own first.
    pub files: Vec<Arc<str>>,
    /// Bytes of these files.
    pub bytes: usize,
}

impl Units {
    /// Reads a unit's file, or that of its template, and its drop-ins. Absent where it has no file, or a link that leads nowhere;
    /// unreadable if one of the files is. A masked unit is absent too.
    pub fn load(&self, name: &str) -> Reading<Loaded> {
        let file = self.file(name).filter(|file| !file.masked).ok_or(Missing::Absent)?;
        let mut loaded = Loaded::default();
        loaded.read(self, &file.path)?;
        let drop_ins = self.drop_ins(name);
        if let Some(why) = drop_ins.unread.into_iter().next() {
            return Err(Missing::Unreadable(why));
        }
        for at in drop_ins.items {
            match loaded.read(self, &at.path) {
                // A link that leads nowhere, or one to /dev/null by a way round: nothing is read.
                Err(
                    Missing::Absent | Missing::Unreadable(Unreadable { reason: Reason::WrongKind(_), .. }),
                ) => {}
                read => read?,
            }
        }
        Ok(loaded)
    }
}

impl Loaded {
    fn read(&mut self, units: &Units, path: &str) -> Reading<()> {
        let text = units.text(path)?;
        self.bytes += text.len();
        if self.bytes > MAX_TEXT {
            return Err(Missing::unreadable(path, Reason::TooLarge(MAX_TEXT as u64)));
        }
        let path: Arc<str> = path.into();
        let file = unit_file::parse(&text);
        let at = |setting: Setting| {
            let at = At::line(path.clone(), setting.line);
            (setting, at)
        };
        self.settings.extend(file.settings.into_iter().map(at));
        self.malformed.extend(file.malformed.into_iter().map(|malformed| (malformed, path.clone())));
        self.files.push(path);
        Ok(())
    }

    /// The assignments of a key, in order; an empty one takes back those before it and is not among them.
    pub fn list<'a>(&'a self, section: &str, key: &str) -> Vec<&'a Assignment> {
        let of_key = self.settings.iter().filter(|(s, _)| s.section == section && s.key == key);
        let mut found = Vec::new();
        for assignment in of_key {
            if assignment.0.value.is_empty() {
                found.clear();
            } else {
                found.push(assignment);
            }
        }
        found
    }

    /// The last assignment of a key, if it is not empty.
    pub fn last(&self, section: &str, key: &str) -> Option<&Assignment> {
        let last = self.settings.iter().rfind(|(s, _)| s.section == section && s.key == key);
        last.filter(|(s, _)| !s.value.is_empty())
    }

    /// The last value of a key, if it is not empty.
    pub fn value(&self, section: &str, key: &str) -> Option<&str> {
        self.last(section, key).map(|(setting, _)| setting.value.as_str())
    }

    /// The last value of a key as systemd reads a boolean; none where it is none.
    pub fn is_on(&self, section: &str, key: &str) -> Option<bool> {
        self.value(section, key).and_then(boolean)
    }
}

/// A boolean of systemd.syntax(7), in any capitals.
pub fn boolean(word: &str) -> Option<bool> {
    match word.to_ascii_lowercase().as_str() {
        "1" | "yes" | "y" | "true" | "t" | "on" => Some(true),
        "0" | "no" | "n" | "false" | "f" | "off" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Host, Target};

    fn units(files: &Files) -> Units {
        Units::find(Host::new(files.clone(), Target::root("x")))
    }

    #[test]
    fn drop_ins_come_after_the_file_and_may_take_back() {
        let mut files = Files::new();
        files
            .file("/usr/lib/systemd/system/a@.service", "[Service]\nExecStart=/bin/a\nUser=a\nType=odd\n")
            .file(
                "/etc/systemd/system/a@x.service.d/x.conf",
                "[Service]\nExecStart=\nExecStart=/bin/b\nUser=\nPrivateTmp=on\nnone\n",
            );
        let units = units(&files);
        let loaded = units.load("a@x.service").unwrap();
        let starts: Vec<_> = loaded
            .list("Service", "ExecStart")
            .into_iter()
            .map(|(s, at)| (s.value.as_str(), at.to_string()))
            .collect();
        assert_eq!(starts, [("/bin/b", "/etc/systemd/system/a@x.service.d/x.conf:3".to_owned())]);
        assert_eq!((loaded.value("Service", "User"), loaded.value("Service", "Type")), (None, Some("odd")));
        assert_eq!(
            (loaded.is_on("Service", "PrivateTmp"), loaded.is_on("Service", "Type")),
            (Some(true), None)
        );
        assert_eq!((loaded.malformed.len(), loaded.files.len()), (1, 2));
    }

    #[test]
    fn what_cannot_be_loaded_says_how() {
        let mut files = Files::new();
        files
            .link("/etc/systemd/system/a.service", "/dev/null")
            .link("/etc/systemd/system/b.service", "/opt/gone.service")
            .file("/etc/systemd/system/c.service", "[Service]\n")
            .deny("/etc/systemd/system/c.service.d/x.conf")
            .file("/etc/systemd/system/d.service", "[Service]\nUser=\u{fffd}\0")
            .link("/etc/systemd/system/d.service.d/x.conf", "gone");
        let units = units(&files);
        assert_eq!(units.load("a.service"), Err(Missing::Absent));
        assert_eq!(units.load("b.service"), Err(Missing::Absent));
        assert_eq!(units.load("z.service"), Err(Missing::Absent));
        assert!(matches!(units.load("c.service"), Err(Missing::Unreadable(_))));
        assert_eq!(units.load("d.service").unwrap().settings.len(), 1);
    }
}
