//! What volumes are and hold, as text: the answer to the question about a disk image's devices.

use super::{Volume, VolumeKind};

/// The volumes in the way of `blkid -o export`: a block of lines `KEY=value` for each, an empty line after each.
///
/// Keys are those of blkid(8) and lsblk(8); those of neither: `CLEAN` and `ERRORS` (yes, no), `ERROR_COUNT`, `FIRST_ERROR_TIME`,
/// `LAST_ERROR_TIME` (seconds since 1970), `ERROR_DETAIL` of a superblock, `MEMBER=yes` of what others are made of, and `UNREAD`,
/// why it is not known what a volume holds.
pub(in crate::source::disk) fn export(volumes: &[Volume]) -> Vec<u8> {
    let mut text = String::new();
    for volume in volumes {
        one(volume, &mut text);
    }
    text.into_bytes()
}

fn one(volume: &Volume, text: &mut String) {
    let mut put = |key: &str, value: Option<&str>| {
        if let Some(value) = value {
            text.push_str(key);
            text.push('=');
            escape(value, text);
            text.push('\n');
        }
    };
    put("DEVNAME", Some(&volume.name));
    put("PKNAME", volume.parent.as_deref());
    put("SIZE", Some(&volume.size.to_string()));
    match &volume.is {
        VolumeKind::Disk => put("DEVTYPE", Some("disk")),
        VolumeKind::Partition { number, uuid, label, r#type } => {
            put("DEVTYPE", Some("part"));
            put("PARTN", Some(&number.to_string()));
            put("PARTUUID", uuid.as_deref());
            put("PARTLABEL", label.as_deref());
            put("PARTTYPE", Some(r#type));
        }
        VolumeKind::Logical { group, name } => {
            put("DEVTYPE", Some("lvm"));
            put("VG_NAME", Some(group));
            put("LV_NAME", Some(name));
        }
    }
    put("UNREAD", volume.unread.as_deref());
    if let Some(held) = &volume.holds {
        put("TYPE", Some(held.kind));
        put("MEMBER", held.is_member().then_some("yes"));
        put("UUID", held.uuid.as_deref());
        put("UUID_SUB", held.uuid_sub.as_deref());
        put("LABEL", held.label.as_deref());
        let health = &held.health;
        let word = |yes: bool| if yes { "yes" } else { "no" };
        put("CLEAN", health.clean.map(word));
        put("ERRORS", health.errors.map(word));
        put("ERROR_COUNT", health.error_count.map(|n| n.to_string()).as_deref());
        put("FIRST_ERROR_TIME", health.first_error.map(|n| n.to_string()).as_deref());
        put("LAST_ERROR_TIME", health.last_error.map(|n| n.to_string()).as_deref());
        put("ERROR_DETAIL", health.detail.as_deref());
    }
    text.push('\n');
}

/// As `blkid -o export` does: what means something to a shell has a backslash before it, and control characters become `\x0a`.
fn escape(value: &str, text: &mut String) {
    for c in value.chars() {
        if c.is_control() {
            let mut utf8 = [0; 4];
            for byte in c.encode_utf8(&mut utf8).bytes() {
                text.push_str(&format!("\\x{byte:02x}"));
            }
        } else {
            if " \\\"'$`<>".contains(c) {
                text.push('\\');
            }
            text.push(c);
        }
    }
}
