//! Following links inside a root, for sources whose bytes no kernel resolves.

use super::{FileKind, Missing, Reading, Reason, Source};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// As many links as the kernel follows before it says ELOOP (path_resolution(7)).
const MAX_LINKS: u32 = 40;

/// The path that `path` leads to with every link followed inside the root: `..` stops at the root,
/// and an absolute link starts there again. The last component need not exist; a link there
/// is followed only with `follow_last`.
pub fn resolve(source: &dyn Source, path: &Path, follow_last: bool) -> Reading<PathBuf> {
    walk(path, follow_last, &|here| step(source.lstat(here)?.kind, || source.read_link(here)))
}

/// What is at a place on the way.
pub(super) enum Step {
    /// A link, to this.
    Link(PathBuf),
    /// What may have names below it.
    Through,
    /// Something else.
    End,
}

/// The step of this kind.
pub(super) fn step(kind: FileKind, link: impl FnOnce() -> Reading<PathBuf>) -> Reading<Step> {
    Ok(match kind {
        FileKind::Link => Step::Link(link()?),
        FileKind::Directory | FileKind::Other => Step::Through,
        _ => Step::End,
    })
}

/// The same for a source that is asked by `look` alone, always of paths on whose way there are no links.
pub(super) fn walk(
    path: &Path,
    follow_last: bool,
    look: &dyn Fn(&Path) -> Reading<Step>,
) -> Reading<PathBuf> {
    let mut rest: VecDeque<OsString> = parts(path);
    let mut done = PathBuf::from("/");
    let mut links = 0;
    while let Some(part) = rest.pop_front() {
        if part == ".." {
            done.pop();
            continue;
        }
        let here = done.join(&part);
        if rest.is_empty() && !follow_last {
            return Ok(here);
        }
        match look(&here) {
            Ok(Step::Link(target)) => {
                links += 1;
                if links > MAX_LINKS {
                    return Err(Missing::unreadable(path, Reason::LinkLoop));
                }
                if target.is_absolute() {
                    done = PathBuf::from("/");
                }
                for part in parts(&target).into_iter().rev() {
                    rest.push_front(part);
                }
            }
            Ok(Step::End) if !rest.is_empty() => return Err(Missing::Absent),
            Ok(_) => done = here,
            Err(Missing::Absent) if rest.is_empty() => done = here,
            Err(missing) => return Err(missing),
        }
    }
    Ok(done)
}

/// `path` without `.`, doubled slashes and `..`, seen from the root: purely by its letters.
pub fn normalise(path: &Path) -> PathBuf {
    let mut done = PathBuf::from("/");
    for part in parts(path) {
        if part == ".." {
            done.pop();
        } else {
            done.push(part);
        }
    }
    done
}

fn parts(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|c| match c {
            Component::Normal(part) => Some(part.to_owned()),
            Component::ParentDir => Some("..".into()),
            _ => None,
        })
        .collect()
}
