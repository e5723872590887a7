//! The links that udev makes to block devices by what is on them.

/// The path of the link for `UUID=…`, `LABEL=…`, `PARTUUID=…` or `PARTLABEL=…`, or the spec itself where it is a path in /dev. None
/// for anything else.
pub fn path(spec: &str) -> Option<String> {
    if spec.starts_with("/dev/") {
        return Some(spec.to_owned());
    }
    let (key, value) = spec.split_once('=')?;
    let folder = match key {
        "UUID" => "by-uuid",
        "LABEL" => "by-label",
        "PARTUUID" => "by-partuuid",
        "PARTLABEL" => "by-partlabel",
        _ => return None,
    };
    Some(format!("/dev/disk/{folder}/{}", encode(value)))
}

/// A label or UUID as udev writes it in the name of a link: what encode_devnode_name() does not leave as it is becomes `\x20`.
pub fn encode(value: &str) -> String {
    let mut encoded = String::new();
    for c in value.chars() {
        if c.is_ascii_alphanumeric() || "#+-.:=@_".contains(c) || !c.is_ascii() {
            encoded.push(c);
        } else {
            encoded.push_str(&format!("\\x{:02x}", u32::from(c)));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::path;

    #[test]
    fn specs_have_links() {
        assert_eq!(path("UUID=0a34-1").as_deref(), Some("/dev/disk/by-uuid/0a34-1"));
        assert_eq!(path("LABEL=my disk").as_deref(), Some("/dev/disk/by-label/my\\x20disk"));
        assert_eq!(path("/dev/mapper/vg-root").as_deref(), Some("/dev/mapper/vg-root"));
        for none in ["live:CDLABEL=x", "nfs", "8:1", "ZFS=rpool", ""] {
            assert_eq!(path(none), None, "{none}");
        }
    }
}
