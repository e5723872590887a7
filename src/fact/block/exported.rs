//! Block devices of a sosreport: what udev told of them, as sysfs itself was not collected.

use super::{Block, BlockDevice, BlockKind, mark_members, sysfs, udev};
use crate::format::udev_export::{self, Exported, PATH};
use crate::source::{At, Host, Reading};
use std::collections::{BTreeSet, HashMap};

pub(super) fn block(host: &Host) -> Reading<Block> {
    let text = udev_export::read(host)?;
    let listed = host.read_text(sysfs::PARTITIONS).unwrap_or_default();
    let sizes: HashMap<&str, u64> = sysfs::sizes(&listed).collect();
    let mut devices: Vec<BlockDevice> =
        udev_export::block_devices(&text).map(|exported| device(&exported, &sizes)).collect();
    devices.sort_by(|a, b| a.name.cmp(&b.name));
    mark_members(host, &mut devices);
    let links: BTreeSet<String> =
        devices.iter().filter_map(|device| device.links.as_ref().ok()).flatten().cloned().collect();
    Ok(Block { paths: Ok(super::paths(&devices, &[])), links: Ok(links.into_iter().collect()), devices })
}

fn device(exported: &Exported<'_>, sizes: &HashMap<&str, u64>) -> BlockDevice {
    let name = exported.name;
    let is_partition = exported.property("DEVTYPE") == Some("partition");
    let kind = if is_partition { BlockKind::Partition } else { sysfs::kind(name) };
    let path = match exported.property("DM_NAME") {
        Some(mapped) => format!("/dev/mapper/{mapped}"),
        None => format!("/dev/{name}"),
    };
    let known = Ok(udev::Known::of(exported));
    let mut device = udev::device(name, path, kind, known, At::line(PATH, exported.line));
    device.number =
        exported.property("MAJOR").zip(exported.property("MINOR")).map(|(a, b)| format!("{a}:{b}"));
    device.size_bytes = sizes.get(name).copied();
    device.parent = match is_partition {
        true => exported.place.rsplit('/').nth(1).map(str::to_owned),
        false => None,
    };
    device
}
