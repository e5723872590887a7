//! A source that gives the answers that were remembered, and says of all else that it was not captured.

use super::known::{Contents, Known};
use super::not_captured;
use crate::source::{
    Entry, FileKind, Missing, Question, Reading, Reason, Source, Space, Stat, Tail, normalise, resolve,
};
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fmt::{self, Debug};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The answers of a source that is not there any more.
///
/// What was asked then is answered as it was then, to the byte. What was not asked can follow from it: a name that is not in
/// its directory's list is absent, and what is read by another path is the same file. Else it is unreadable, never absent.
#[derive(Default)]
pub(super) struct Replay {
    pub(super) paths: HashMap<OsString, Known>,
    pub(super) answers: BTreeMap<Question, Reading<Vec<u8>>>,
    /// The paths that were read, by the place they lead to, where that is another one.
    others: OnceLock<HashMap<PathBuf, OsString>>,
}

impl Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay").field("paths", &self.paths.len()).finish_non_exhaustive()
    }
}

impl Replay {
    pub(super) fn new(
        paths: HashMap<OsString, Known>,
        answers: BTreeMap<Question, Reading<Vec<u8>>>,
    ) -> Self {
        Self { paths, answers, others: OnceLock::new() }
    }

    /// What was read by another path, which leads to this place.
    fn other(&self, place: &Path) -> Option<&Known> {
        let others = self.others.get_or_init(|| {
            let read = self.paths.iter().filter(|(_, known)| !known.contents.is_empty());
            read.filter_map(|(path, _)| Some((self.elsewhere(Path::new(path), true)?, path.clone())))
                .collect()
        });
        self.paths.get(others.get(place)?)
    }

    fn known(&self, path: &Path) -> Option<&Known> {
        self.paths.get(path.as_os_str())
    }

    /// Where a path leads to, if that is another one.
    fn elsewhere(&self, path: &Path, follow: bool) -> Option<PathBuf> {
        let place = resolve(self, path, follow).ok()?;
        (place.as_os_str() != path.as_os_str()).then_some(place)
    }

    /// Why nothing is at a path, or what is there cannot be known; links are followed in the last name if `follow`.
    fn missing(&self, path: &Path, follow: bool) -> Missing {
        let path = normalise(path);
        let mut above: Vec<&Path> = path.ancestors().collect();
        above.reverse();
        for here in &above {
            let is_last = *here == path;
            let Some(known) = self.known(here) else {
                match self.is_listed(here) {
                    Some(false) => return Missing::Absent,
                    _ => continue,
                }
            };
            let followed = (!is_last || follow).then_some(known);
            let answers = [
                known.lstat.as_ref().and_then(|answer| answer.as_ref().err()),
                followed.and_then(|known| known.stat.as_ref()?.as_ref().err()),
                followed.and_then(|known| known.list.as_ref()?.as_ref().err()).filter(|_| !is_last),
                followed.and_then(|known| known.contents.failed.first()).map(|(_, missing)| missing),
            ];
            for missing in answers.into_iter().flatten() {
                match missing {
                    Missing::Absent => return Missing::Absent,
                    // Who may not look at a directory cannot see what is below.
                    Missing::Unreadable(why) if why.reason == Reason::Denied && known.lstat_fails() => {
                        return Missing::unreadable(&path, Reason::Denied);
                    }
                    Missing::Unreadable(_) => {}
                }
            }
            let kind = known.lstat.as_ref().and_then(|answer| answer.as_ref().ok()).map(|stat| stat.kind);
            let leads_on =
                matches!(kind, None | Some(FileKind::Directory | FileKind::Link | FileKind::Other));
            if !is_last && !leads_on {
                return Missing::Absent;
            }
            // What is not listed can be there all the same: a thread's number below /proc.
            if !known.is_there() && self.is_listed(here) == Some(false) {
                return Missing::Absent;
            }
        }
        not_captured(&path)
    }

    /// Whether the directory above says that there is such a name; `None` if it was not listed.
    fn is_listed(&self, path: &Path) -> Option<bool> {
        let (parent, name) = (path.parent()?, path.file_name()?);
        let entries = self.known(parent)?.list.as_ref()?.as_ref().ok()?;
        Some(entries.binary_search_by(|entry| entry.name.as_os_str().cmp(name)).is_ok())
    }

    /// The answer that the bytes at this path give, or at the one it leads to.
    fn bytes<T>(&self, path: &Path, get: impl Fn(&Contents) -> Option<Reading<T>>) -> Reading<T> {
        if let Some(answer) = self.known(path).and_then(|known| get(&known.contents)) {
            return answer;
        }
        let place = self.elsewhere(path, true);
        if let Some(answer) =
            place.as_ref().and_then(|place| self.known(place)).and_then(|known| get(&known.contents))
        {
            return answer;
        }
        let place = place.as_deref().unwrap_or(path);
        if let Some(answer) = self.other(place).and_then(|known| get(&known.contents)) {
            return answer;
        }
        let known = self.known(place);
        // It was there, and something hindered its reading: that hinders every other way to read it.
        let failed = known.and_then(|known| known.contents.failed.first());
        if let Some((_, Missing::Unreadable(why))) = failed
            && matches!(why.reason, Reason::Denied | Reason::WrongKind(_) | Reason::LinkLoop)
        {
            return Err(Missing::unreadable(path, why.reason.clone()));
        }
        match known.and_then(|known| known.lstat.as_ref()?.as_ref().ok()) {
            Some(stat) if !matches!(stat.kind, FileKind::File | FileKind::Link | FileKind::Other) => {
                Err(Missing::unreadable(path, Reason::WrongKind(stat.kind.name())))
            }
            _ => Err(self.missing(place, true)),
        }
    }
}

impl Known {
    fn lstat_fails(&self) -> bool {
        matches!(self.lstat, Some(Err(_)))
    }

    fn is_there(&self) -> bool {
        let Self { stat, lstat, link, list, space: _, contents } = self;
        let stat = matches!(stat, Some(Ok(_))) || matches!(lstat, Some(Ok(_)));
        stat || matches!(link, Some(Ok(_))) || matches!(list, Some(Ok(_))) || !contents.is_empty()
    }
}

impl Source for Replay {
    fn read(&self, path: &Path, cap: u64) -> Reading<Vec<u8>> {
        self.bytes(path, |contents| contents.read(path, cap))
    }

    fn read_tail(&self, path: &Path, cap: u64) -> Reading<Tail> {
        self.bytes(path, |contents| contents.read_tail(path, cap))
    }

    fn stream(&self, path: &Path) -> Reading<Box<dyn Read + Send>> {
        self.bytes(path, |contents| {
            contents.stream().or_else(|| {
                let known = contents.stream_what_is_known(super::NOT_CAPTURED.to_owned());
                known.map(Ok)
            })
        })
    }

    fn read_at(&self, path: &Path, offset: u64, length: usize) -> Reading<Vec<u8>> {
        self.bytes(path, |contents| contents.read_at(path, offset, length))
    }

    fn list(&self, path: &Path) -> Reading<Vec<Entry>> {
        if let Some(answer) = self.known(path).and_then(|known| known.list.clone()) {
            return answer;
        }
        let place = self.elsewhere(path, true);
        let place = place.as_deref().unwrap_or(path);
        let known = self.known(place);
        match known.and_then(|known| known.list.clone()) {
            Some(answer) => answer,
            None => match known.and_then(|known| known.lstat.as_ref()?.as_ref().ok()) {
                Some(stat)
                    if !matches!(stat.kind, FileKind::Directory | FileKind::Link | FileKind::Other) =>
                {
                    Err(Missing::unreadable(path, Reason::WrongKind("not a directory")))
                }
                _ => Err(self.missing(place, true)),
            },
        }
    }

    fn stat(&self, path: &Path) -> Reading<Stat> {
        if let Some(answer) = self.known(path).and_then(|known| known.stat.clone()) {
            return answer;
        }
        let place = self.elsewhere(path, true);
        let place = place.as_deref().unwrap_or(path);
        let known = self.known(place);
        match known.and_then(|known| known.lstat.clone()) {
            Some(Ok(stat)) if stat.kind != FileKind::Link => Ok(stat),
            _ => match known.and_then(|known| known.stat.clone()) {
                Some(answer) => answer,
                None => Err(self.missing(place, true)),
            },
        }
    }

    fn lstat(&self, path: &Path) -> Reading<Stat> {
        if let Some(answer) = self.known(path).and_then(|known| known.lstat.clone()) {
            return answer;
        }
        // A path without links above it leads to itself.
        match self.elsewhere(path, false).and_then(|place| self.known(&place)?.lstat.clone()) {
            Some(answer) => answer,
            None => Err(self.missing(path, false)),
        }
    }

    fn read_link(&self, path: &Path) -> Reading<PathBuf> {
        if let Some(answer) = self.known(path).and_then(|known| known.link.clone()) {
            return answer;
        }
        let place = self.elsewhere(path, false);
        let place = place.as_deref().unwrap_or(path);
        let known = self.known(place);
        match known.and_then(|known| known.link.clone()) {
            Some(answer) => answer,
            None => match known.and_then(|known| known.lstat.as_ref()?.as_ref().ok()) {
                Some(stat) if stat.kind != FileKind::Link => {
                    Err(Missing::unreadable(path, Reason::WrongKind("not a symbolic link")))
                }
                _ => Err(self.missing(place, false)),
            },
        }
    }

    fn statvfs(&self, path: &Path) -> Reading<Space> {
        if let Some(answer) = self.known(path).and_then(|known| known.space.clone()) {
            return answer;
        }
        let place = self.elsewhere(path, true);
        let place = place.as_deref().unwrap_or(path);
        match self.known(place).and_then(|known| known.space.clone()) {
            Some(answer) => answer,
            None => Err(self.missing(place, true)),
        }
    }

    fn ask(&self, question: Question) -> Reading<Vec<u8>> {
        match self.answers.get(&question) {
            Some(answer) => answer.clone(),
            None => Err(not_captured(Path::new(&question.to_string()))),
        }
    }
}
