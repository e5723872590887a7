//! The devices of a disk image.

use super::{Block, BlockDevice, BlockKind};
use crate::format::image_devices::{self, ImageDevice};
use crate::source::{At, Missing, Question, Reading, Reason};

pub(super) fn block(answer: &str) -> Block {
    let found = image_devices::parse(answer);
    let mut links: Vec<String> = found.iter().flat_map(ImageDevice::links).collect();
    links.sort();
    links.dedup();
    let mut devices: Vec<BlockDevice> = found.iter().map(device).collect();
    devices.sort_by(|a, b| a.name.cmp(&b.name));
    let why =
        "what the kernel will call its disks depends on the machine that the image will run on".to_owned();
    Block { devices, paths: Err(Missing::unreadable("/dev", Reason::NotRead(why))), links: Ok(links) }
}

fn device(found: &ImageDevice) -> BlockDevice {
    let (name, at) = (found.name().to_owned(), At::file(Question::BlockDevices.to_string()));
    let get = |key: &str| found.get(key).map(str::to_owned).ok_or(Missing::Absent);
    // What cannot be read may hold anything.
    let held = |key: &str| match (get(key), found.get("UNREAD")) {
        (Err(_), Some(why)) => Err(Missing::unreadable(name.as_str(), Reason::NotRead(why.to_owned()))),
        (found, _) => found,
    };
    let number = |key: &str| found.get(key).and_then(|number| number.parse::<u64>().ok());
    let yes = |key: &str| found.get(key).map(|word| word == "yes");
    let (kind, path) = match (found.get("DEVTYPE"), found.get("PARTN"), found.mapper_path()) {
        (Some("part"), Some(number), _) => (BlockKind::Partition, format!("partition {number}")),
        (Some("lvm"), _, Some(path)) => (BlockKind::Dm, path),
        _ => (BlockKind::Disk, "the whole disk".to_owned()),
    };
    let links: Reading<Vec<String>> = Ok(found.links());
    BlockDevice {
        path,
        number: None,
        kind,
        size_bytes: number("SIZE"),
        parent: found.get("PKNAME").filter(|_| kind == BlockKind::Partition).map(str::to_owned),
        uuid: held("UUID"),
        uuid_sub: held("UUID_SUB"),
        label: held("LABEL"),
        partuuid: get("PARTUUID"),
        partlabel: get("PARTLABEL"),
        r#type: held("TYPE"),
        links,
        link_priority: Ok(0),
        member: found.get("MEMBER").is_some(),
        clean: yes("CLEAN"),
        errors: yes("ERRORS"),
        error_count: number("ERROR_COUNT"),
        last_error_date: number("LAST_ERROR_TIME").and_then(date),
        error_detail: found.get("ERROR_DETAIL").map(str::to_owned),
        at,
        name,
    }
}

fn date(seconds: u64) -> Option<String> {
    let time = jiff::Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?;
    Some(time.strftime("%Y-%m-%d %H:%M:%S").to_string())
}
