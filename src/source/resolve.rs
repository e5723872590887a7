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
        match source.lstat(&here) {
            Ok(stat) if stat.kind == FileKind::Link => {
                links += 1;
                if links > MAX_LINKS {
                    return Err(Missing::unreadable(path, Reason::LinkLoop));
                }
                let target = source.read_link(&here)?;
                if target.is_absolute() {
                    done = PathBuf::from("/");
                }
                for part in parts(&target).into_iter().rev() {
                    rest.push_front(part);
                }
            }
            Ok(stat) if !rest.is_empty() && !matches!(stat.kind, FileKind::Directory | FileKind::Other) => {
                return Err(Missing::Absent);
            }
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
