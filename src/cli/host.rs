//! From the TARGET argument to the host that is vetted.

use super::{Failure, progress};
use crate::fact::{counters, started_by_default};
use crate::source::{
    Assume, BadTarget, Choice, DeploymentChoice, DiskChoice, Form, Host, ImagePlatform, Live, Options,
    Target, TargetKind, open,
};
use clap::ValueEnum;
use jiff::SignedDuration;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Options that say what is vetted.
#[derive(Debug, clap::Args)]
pub(super) struct HostArgs {
    /// What holds a root tree: a directory, a tar (also compressed), a sosreport, a container image (an OCI layout or what
    /// `docker save` writes), a disk image (raw, qcow2 …) or a disk, a capture; this host if left out
    pub(super) target: Option<PathBuf>,
    #[command(flatten)]
    pub(super) form: FormArgs,
    /// What the bytes of a tree cannot tell: memory=8GiB,cpus=4,platform=kvm
    #[arg(long, value_name = "KEY=VALUE,…", help_heading = "Target")]
    pub(super) assume: Option<String>,
    #[command(flatten)]
    pub(super) sample: SampleArg,
    /// Also what takes long: look for the files of all packages, and compare programs and libraries with them
    #[arg(long, help_heading = "Target")]
    pub(super) deep: bool,
}

/// Options that say how TARGET is read.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Target")]
pub(super) struct FormArgs {
    /// Take TARGET for this, instead of recognising it
    #[arg(long, value_enum, value_name = "KIND")]
    kind: Option<Kind>,
    /// Which of several container images: its name or digest
    #[arg(long, value_name = "NAME")]
    image: Option<String>,
    /// Which of several container images: what it is for, as linux/amd64
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<ImagePlatform>,
    /// Which partition or volume of a disk holds the root: disk2, vg/root, UUID=…; of a subvolume disk2:@
    #[arg(long, value_name = "NAME")]
    root_partition: Option<String>,
    /// Which deployment of an ostree system, if not the one that boots by default: its OSNAME, or the beginning of its checksum
    #[arg(long, value_name = "NAME")]
    deployment: Option<String>,
    /// Also open other files that a disk image names: the image it is based on, or where its data are
    #[arg(long)]
    allow_backing: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// A directory that holds a root tree
    Directory,
    /// A tar of a root tree, or a sosreport
    Tar,
    /// A container image, in a directory or a tar
    ContainerImage,
    /// A disk image, a file system's, or a disk
    Disk,
}

impl FormArgs {
    fn open(&self, path: &Path) -> Result<Host, BadTarget> {
        let form = self.kind.map(|kind| match kind {
            Kind::Directory => Form::Directory,
            Kind::Tar => Form::Tar,
            Kind::ContainerImage => Form::ContainerImage,
            Kind::Disk => Form::Disk,
        });
        let image = Choice { image: self.image.clone(), platform: self.platform.clone() };
        let disk =
            DiskChoice { root_partition: self.root_partition.clone(), allow_backing: self.allow_backing };
        let deployment = DeploymentChoice { name: self.deployment.clone(), boots: Some(started_by_default) };
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        let watch = progress::watch(&name);
        let host = open(path, &Options { form, image, disk, deployment, watch: watch.clone() });
        progress::erase();
        let host = match path.is_dir() {
            true => host?.watched(watch),
            false => host?,
        };
        let has = |kind| host.target.kind == kind;
        if !has(TargetKind::ContainerImage) && (self.image.is_some() || self.platform.is_some()) {
            return Err(BadTarget::NotThat(
                "is no container image: --image and --platform choose one of several",
            ));
        }
        if has(TargetKind::ContainerImage) && self.deployment.is_some() {
            return Err(BadTarget::NotThat(
                "is a container image, which is one tree: --deployment chooses one of several",
            ));
        }
        if !has(TargetKind::Image) && (self.root_partition.is_some() || self.allow_backing) {
            return Err(BadTarget::NotThat("is no disk: --root-partition and --allow-backing are for disks"));
        }
        Ok(host)
    }

    fn is_empty(&self) -> bool {
        let choices = [&self.image, &self.root_partition, &self.deployment];
        self.kind.is_none()
            && self.platform.is_none()
            && !self.allow_backing
            && choices.iter().all(|choice| choice.is_none())
    }
}

/// The option for what takes two readings.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(super) struct SampleArg {
    /// Read the kernel's counters twice, this long apart, so that there are rates: 1s, 10s
    #[arg(long, value_name = "DURATION", value_parser = duration, help_heading = "Target")]
    pub(super) sample: Option<Duration>,
}

/// The shortest and the longest wait. In less than a second a few of something make a high rate.
const WAITS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3600)];

fn duration(text: &str) -> Result<Duration, String> {
    let parsed =
        text.parse::<SignedDuration>().map_err(|_| "write a duration, such as 1s or 1m".to_owned())?;
    let wait = Duration::try_from(parsed).unwrap_or_default();
    match wait >= WAITS[0] && wait <= WAITS[1] {
        true => Ok(wait),
        false => Err("it must be from 1s to 1h".to_owned()),
    }
}

impl HostArgs {
    /// The host, with what the configuration assumes where the arguments say nothing.
    pub(super) fn host(&self, configured: Option<&str>) -> Result<Host, Failure> {
        let mut host = self.shallow(configured)?;
        host.deep |= self.deep;
        Ok(host)
    }

    fn shallow(&self, configured: Option<&str>) -> Result<Host, Failure> {
        let assume: Assume = match self.assume.as_deref().or(configured) {
            Some(text) => text.parse()?,
            None => Assume::default(),
        };
        let tree = self.target.as_deref().filter(|path| *path != Path::new("/"));
        match tree {
            None if self.assume.is_some() => {
                Err(Failure::Usage("--assume is for trees: a running host says itself what it has".into()))
            }
            None if !self.form.is_empty() => {
                Err(Failure::Usage("--kind, --image, --platform, --root-partition, --deployment and --allow-backing say what TARGET is: give one".into()))
            }
            None => {
                let host = Host::new(Live, Target::live());
                let host = match self.sample.sample {
                    Some(wait) => {
                        progress::waiting("waiting between two readings of the counters", wait);
                        host.sampled(&counters(), wait)
                    }
                    None => host,
                };
                progress::erase();
                Ok(host.watched(progress::watch("this host")))
            }
            Some(path) if self.sample.sample.is_some() => Err(Failure::Usage(format!(
                "--sample is for a running host: in {} nothing happens between two readings",
                path.display()
            ))),
            Some(path) => {
                let error = |error| Failure::Target { path: path.to_path_buf(), error };
                let mut host = self.form.open(path).map_err(error)?;
                // What was assumed of a captured tree holds until the user assumes something else.
                if host.target.captured.is_none() || self.assume.is_some() {
                    host.target.assume = assume;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_takes_as_long_as_people_say() {
        assert_eq!(duration("1s"), Ok(Duration::from_secs(1)));
        assert_eq!(duration("1m 30s"), Ok(Duration::from_secs(90)));
        for bad in ["", "1", "s", "0s", "999ms", "-1s", "61m", "1 month"] {
            assert!(duration(bad).is_err(), "{bad:?}");
        }
    }
}
