//! Where libpam finds modules.

use super::records::PamModuleState;
use crate::format::shared_library::DIRECTORIES;
use crate::source::{FileKind, Host, Missing, Reading, Reason, Unreadable};
use elsa::sync::FrozenMap;
use std::path::Path;
use std::sync::Arc;

/// Larger files are taken for modules without a look: the largest of distributions are below 1 MiB.
const MODULE_CAP: u64 = 4 << 20;

/// The libpam that programs load, and the directories in which it looks for modules.
#[derive(Clone, Debug, Default)]
pub(super) struct Library {
    pub(super) path: Option<String>,
    pub(super) directories: Vec<String>,
    /// Why it is not known where it is.
    unknown: Option<Unreadable>,
    /// What was found at the paths that were looked at: most modules are named by many lines.
    looked_at: Arc<FrozenMap<String, Box<Reading<PamModuleState>>>>,
}

impl Library {
    /// Finds both. A directory that may not be searched counts as there.
    pub(super) fn find(host: &Host) -> Result<Self, Unreadable> {
        let mut unknown = None;
        for pair in DIRECTORIES {
            for directory in pair {
                let path = format!("{directory}/libpam.so.0");
                let exists = match host.exists(&path) {
                    Err(why) if why.reason == Reason::NotCollected => {
                        unknown = unknown.or(Some(why));
                        false
                    }
                    exists => exists?,
                };
                if exists {
                    let multiarch = directory.contains("-linux-");
                    // Debian's libpam falls back to the directory from before multiarch.
                    let places = pair.iter().chain(if multiarch { &["/lib"][..] } else { &[] });
                    let all: Vec<String> = places.map(|place| format!("{place}/security")).collect();
                    let there = existing(host, all.iter().cloned());
                    let directories = if there.is_empty() { all } else { there };
                    return Ok(Self { path: Some(path), directories, ..Self::default() });
                }
            }
        }
        if unknown.is_some() {
            return Ok(Self { unknown, ..Self::default() });
        }
        // A tree without the library, such as a few files of one: whatever directory it has.
        let all = DIRECTORIES.as_flattened().iter().map(|directory| format!("{directory}/security"));
        Ok(Self { directories: existing(host, all), ..Self::default() })
    }

    /// What is there where a line names `module`. Absent: modules are no part of this tree.
    pub(super) fn state(&self, host: &Host, module: &str) -> Reading<PamModuleState> {
        if self.directories.is_empty() {
            return Err(self.unknown.clone().map_or(Missing::Absent, Missing::Unreadable));
        }
        // $ISA stood for the directory of the architecture; Red Hat's libpam still replaces it.
        let names: Vec<String> = match module.contains("$ISA") {
            true => [".", "../../lib64/security"].iter().map(|isa| module.replacen("$ISA", isa, 1)).collect(),
            false => vec![module.to_owned()],
        };
        let mut worst = PamModuleState::Missing;
        for name in names {
            let paths: Vec<String> = match name.starts_with('/') {
                true => vec![name],
                false => self.directories.iter().map(|directory| format!("{directory}/{name}")).collect(),
            };
            for path in paths {
                match self.look(host, &path)? {
                    PamModuleState::Missing => {}
                    PamModuleState::Present => return Ok(PamModuleState::Present),
                    other => worst = other,
                }
            }
        }
        Ok(worst)
    }

    fn look(&self, host: &Host, path: &str) -> Reading<PamModuleState> {
        match self.looked_at.get(path) {
            Some(known) => known.clone(),
            None => self.looked_at.insert(path.to_owned(), Box::new(look(host, path))).clone(),
        }
    }
}

/// Those that are there, or may be; of a merged /usr, where /lib is a link to /usr/lib, not both.
fn existing(host: &Host, paths: impl Iterator<Item = String>) -> Vec<String> {
    let is_link = |path: &str| {
        let top = Path::new(path).iter().take(2).collect::<std::path::PathBuf>();
        host.source.lstat(&top).is_ok_and(|stat| stat.kind == FileKind::Link)
    };
    paths.filter(|path| !is_link(path) && host.exists(path).unwrap_or(true)).collect()
}

fn look(host: &Host, path: &str) -> Reading<PamModuleState> {
    match host.source.read(Path::new(path), MODULE_CAP) {
        Ok(bytes) if bytes.is_empty() => Ok(PamModuleState::Empty),
        Ok(bytes) if bytes.starts_with(b"\x7fELF") => Ok(PamModuleState::Present),
        Ok(_) => Ok(PamModuleState::NotElf),
        Err(Missing::Absent) => Ok(PamModuleState::Missing),
        Err(Missing::Unreadable(why)) => match why.reason {
            Reason::TooLarge(_) => Ok(PamModuleState::Present),
            Reason::WrongKind(_) => Ok(PamModuleState::NotElf),
            Reason::LinkLoop => Ok(PamModuleState::Missing),
            _ => Err(Missing::Unreadable(why)),
        },
    }
}
