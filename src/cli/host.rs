//! From the TARGET argument to the host that is vetted.

use super::Failure;
use crate::source::{Assume, Directory, Host, Live, Target, TargetKind};
use std::io;
use std::path::{Path, PathBuf};

/// Options that say what is vetted.
#[derive(Debug, clap::Args)]
pub(super) struct HostArgs {
    /// A directory that holds a root tree; this host if left out
    pub(super) target: Option<PathBuf>,
    /// What the bytes of a tree cannot tell: memory=8GiB,cpus=4,platform=kvm
    #[arg(long, value_name = "KEY=VALUE,…")]
    pub(super) assume: Option<String>,
}

impl HostArgs {
    /// The host, with what the configuration assumes where the arguments say nothing.
    pub(super) fn host(&self, configured: Option<&str>) -> Result<Host, Failure> {
        let assume: Assume = match self.assume.as_deref().or(configured) {
            Some(text) => text.parse()?,
            None => Assume::default(),
        };
        let tree = self.target.as_deref().filter(|path| *path != Path::new("/"));
        match tree {
            None if self.assume.is_some() => {
                Err(Failure::Usage("--assume is for trees: a running host says itself what it has".into()))
            }
            None => Ok(Host::new(Live, Target::live())),
            Some(path) => {
                let error = |error| Failure::Io { path: path.to_path_buf(), error };
                let found = std::fs::metadata(path).map_err(error)?;
                if !found.is_dir() {
                    let what =
                        "is no directory; other targets than this host and a root tree cannot be read yet";
                    return Err(error(io::Error::other(what)));
                }
                let directory = Directory::open(path).map_err(error)?;
                let name = path.display().to_string();
                let host = Host::new(directory, Target { kind: TargetKind::Root, assume, name });
                if !host.is_root_tree() {
                    let what = "holds no root tree: neither etc, usr nor proc is in it";
                    return Err(error(io::Error::other(what)));
                }
                Ok(host)
            }
        }
    }
}

/// The same tree, taken for the golden image that it is to become.
pub(super) fn as_image(mut host: Host) -> Result<Host, Failure> {
    if host.target.kind == TargetKind::Live {
        return Err(Failure::Usage("--profile image needs a TARGET: a running host is no image".into()));
    }
    if host.target.kind == TargetKind::Root {
        host.target.kind = TargetKind::Image;
    }
    Ok(host)
}
