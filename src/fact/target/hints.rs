//! Which platform a tree that does not run was made for.

use super::Platform;
use super::platform::Found;
use crate::format::{kernel_files::kernel_version, units::Units};
use crate::source::{Host, Missing, Optional, Reading};

/// cloud-init's configuration, and the directory of what stands above it.
pub(super) const CLOUD_CONFIG: [&str; 2] = ["/etc/cloud/cloud.cfg", "/etc/cloud/cloud.cfg.d"];

/// The datasource that cloud-init is told to use, whatever it would find.
pub(super) const IDENTIFY: &str = "/etc/cloud/ds-identify.cfg";

/// The datasources of one platform alone, by the documents of the clouds; those that serve several (NoCloud, ConfigDrive, OpenStack, OVF,
/// CloudStack, MAAS, ...) say nothing. All but the first three are clouds on KVM.
const DATASOURCES: [(&str, Platform); 14] = [
    ("Azure", Platform::Microsoft),
    ("Ec2", Platform::Amazon),
    ("VMware", Platform::Vmware),
    ("Akamai", Platform::Kvm),
    ("AliYun", Platform::Kvm),
    ("DigitalOcean", Platform::Kvm),
    ("Exoscale", Platform::Kvm),
    ("GCE", Platform::Kvm),
    ("Hetzner", Platform::Kvm),
    ("NWCS", Platform::Kvm),
    ("Oracle", Platform::Kvm),
    ("Scaleway", Platform::Kvm),
    ("UpCloud", Platform::Kvm),
    ("Vultr", Platform::Kvm),
];

/// Agents that do nothing elsewhere, by their services. Those of VMware and QEMU are in images for all.
const AGENTS: [(&str, Platform); 4] = [
    ("walinuxagent.service", Platform::Microsoft),
    ("waagent.service", Platform::Microsoft),
    ("google-guest-agent.service", Platform::Kvm),
    ("google-guest-agent-manager.service", Platform::Kvm),
];

/// How the names of kernels end that are made for one cloud.
const KERNELS: [(&str, Platform); 7] = [
    ("-azure", Platform::Microsoft),
    ("-azure-fde", Platform::Microsoft),
    ("-aws", Platform::Amazon),
    ("-gcp", Platform::Kvm),
    ("-gke", Platform::Kvm),
    ("-oracle", Platform::Kvm),
    ("-kvm", Platform::Kvm),
];

/// What the tree was made for, where all that tells of it agrees; absent where nothing does, or where they differ.
pub(super) fn detect(host: &Host) -> Reading<Found> {
    let mut hints = datasources(host)?;
    let units = Units::of(host);
    for (name, platform) in AGENTS {
        if units.enabled(name)? {
            hints.push(Found::new(platform, name));
        }
    }
    let kernels: Option<Vec<_>> = names(host, "/boot")?
        .iter()
        .filter_map(|name| Some((name, kernel_version(name)?)))
        .map(|(name, version)| kernel(name, version))
        .collect();
    // One that is for all, beside them, can start elsewhere.
    hints.extend(kernels.unwrap_or_default());
    let mut hints = hints.into_iter();
    let first = hints.next().ok_or(Missing::Absent)?;
    match hints.all(|other| other.platform == first.platform) {
        true => Ok(first),
        false => Err(Missing::Absent),
    }
}

fn kernel(name: &str, version: &str) -> Option<Found> {
    let (_, platform) = KERNELS.iter().find(|(end, _)| version.ends_with(end))?;
    Some(Found::new(*platform, format!("/boot/{name}")))
}

/// The platforms of the datasources that cloud-init is to look for.
fn datasources(host: &Host) -> Reading<Vec<Found>> {
    let mut files = vec![CLOUD_CONFIG[0].to_owned()];
    files.extend(
        names(host, CLOUD_CONFIG[1])?
            .iter()
            .filter(|n| n.ends_with(".cfg"))
            .map(|n| format!("{}/{n}", CLOUD_CONFIG[1])),
    );
    // What stands in the last file counts; a list takes the place of another.
    let mut told = Vec::new();
    for file in files {
        let Some(text) = host.read_text(&file).optional()? else { continue };
        if let Some((line, names)) = datasource_list(&text) {
            told = named(&names, &format!("{file}:{line}"));
        }
    }
    if let Some(text) = host.read_text(IDENTIFY).optional()? {
        for (number, line) in text.lines().enumerate() {
            if let Some(name) = line.strip_prefix("datasource:") {
                told = named(&[name.trim().to_owned()], &format!("{IDENTIFY}:{}", number + 1));
            }
        }
    }
    Ok(told)
}

fn named(names: &[String], source: &str) -> Vec<Found> {
    let known = |name: &String| DATASOURCES.iter().find(|(datasource, _)| datasource == name);
    names.iter().filter_map(known).map(|(_, platform)| Found::new(*platform, source.to_owned())).collect()
}

/// The names in the list `datasource_list` of cloud-init's YAML, and its line: `[ Azure, None ]`, on one line or several, or a line a
/// name. Nothing of YAML's rarer forms, which nobody writes there.
fn datasource_list(text: &str) -> Option<(usize, Vec<String>)> {
    let bare = |line: &str| line.split(" #").next().unwrap_or_default().trim_end().to_owned();
    let mut lines = text.lines().enumerate().skip_while(|(_, line)| !line.starts_with("datasource_list:"));
    let (number, first) = lines.next()?;
    let first = bare(first.strip_prefix("datasource_list:")?);
    let mut list = first.trim().to_owned();
    for (_, line) in lines {
        let line = bare(line);
        let item = line.trim_start().strip_prefix("- ");
        match item {
            Some(item) if !list.starts_with('[') => list = format!("{list},{item}"),
            None if list.starts_with('[') && !list.contains(']') => list.push_str(&line),
            _ if line.trim().is_empty() || line.trim_start().starts_with('#') => {}
            _ => break,
        }
    }
    let names =
        list.trim_matches(['[', ']', ' ']).split(',').map(|name| name.trim().trim_matches(['"', '\'']));
    Some((number + 1, names.filter(|name| !name.is_empty()).map(str::to_owned).collect()))
}

fn names(host: &Host, directory: &str) -> Reading<Vec<String>> {
    Ok(host.names(directory).optional()?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_in_all_forms_that_are_in_use() {
        for (text, names) in [
            ("a: 1\ndatasource_list: [ Azure ]\nb: 2\n", vec!["Azure"]),
            ("datasource_list: [ Ec2, None ]  # the cloud\n", vec!["Ec2", "None"]),
            ("datasource_list: ['VMware', \"OVF\",None]\n", vec!["VMware", "OVF", "None"]),
            (
                "datasource_list:\n  - GCE\n\n  # no other\n  - None\nusers:\n  - default\n",
                vec!["GCE", "None"],
            ),
            ("datasource_list:\n- GCE\nusers:\n- default\n", vec!["GCE"]),
            (
                "datasource_list: [ NoCloud,\n  ConfigDrive,\n  Azure ]\nusers: [a]\n",
                vec!["NoCloud", "ConfigDrive", "Azure"],
            ),
            ("datasource_list: []\n", vec![]),
            ("datasource_list:", vec![]),
        ] {
            assert_eq!(datasource_list(text).unwrap().1, names, "{text}");
        }
        assert_eq!(datasource_list("# datasource_list: [ Azure ]\n  datasource_list: [ Ec2 ]\n"), None);
    }
}
