//! The files of the boot loader specification: an entry for each kernel in loader/entries/*.conf (UAPI group, "Boot Loader
//! Specification"), read by systemd-boot and, with `blscfg`, by GRUB.

use super::boot_menu::MenuEntry;
use super::version_order::compare;
use std::cmp::Ordering;

/// An entry, and what it is sorted by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoaderEntry {
    /// The entry; its id is the file's name without `.conf`.
    pub entry: MenuEntry,
    /// `sort-key`.
    pub sort_key: Option<String>,
    /// `version`.
    pub version: String,
}

/// The entry in a file of this name.
pub fn parse(name: &str, text: &str) -> LoaderEntry {
    let id = name.strip_suffix(".conf").unwrap_or(name);
    let mut found = LoaderEntry {
        entry: MenuEntry { id: Some(id.to_owned()), line: 1, ..MenuEntry::default() },
        sort_key: None,
        version: String::new(),
    };
    for line in text.lines() {
        let line = line.trim();
        if line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once(|c: char| c.is_ascii_whitespace()).unwrap_or((line, ""));
        let value = value.trim();
        match key {
            "title" => found.entry.title = value.to_owned(),
            "version" => found.version = value.to_owned(),
            "sort-key" => found.sort_key = Some(value.to_owned()),
            "linux" | "efi" | "uki" if !value.is_empty() => found.entry.kernel = Some(value.to_owned()),
            "initrd" => found.entry.initrds.extend(value.split_ascii_whitespace().map(str::to_owned)),
            "options" => {
                let gap = if found.entry.options.is_empty() { "" } else { " " };
                found.entry.options.push_str(&format!("{gap}{value}"));
            }
            _ => {}
        }
    }
    if found.entry.title.is_empty() {
        found.entry.title = id.to_owned();
    }
    found
}

/// The order in which GRUB shows them: by file name, the newest version first.
pub fn grub_order(a: &LoaderEntry, b: &LoaderEntry) -> Ordering {
    compare(b.entry.id.as_deref().unwrap_or_default(), a.entry.id.as_deref().unwrap_or_default())
}

/// The order in which systemd-boot shows them: those with a sort key first, by it; then the newest version first.
pub fn systemd_boot_order(a: &LoaderEntry, b: &LoaderEntry) -> Ordering {
    let by_key = match (&a.sort_key, &b.sort_key) {
        (Some(x), Some(y)) => x.cmp(y).then_with(|| compare(&b.version, &a.version)),
        (x, y) => y.is_some().cmp(&x.is_some()),
    };
    by_key.then_with(|| grub_order(a, b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_kernel_initrds_and_options() {
        let found = parse(
            "4f1d-5.14.0.conf",
            "title Red Hat (5.14.0)\nversion 5.14.0\nlinux /vmlinuz-5.14.0\ninitrd /initramfs-5.14.0.img $tuned_initrd\noptions root=UUID=1 ro\noptions quiet\n# x\ngrub_class rhel\n",
        );
        let entry = found.entry;
        assert_eq!((entry.title.as_str(), entry.id.as_deref()), ("Red Hat (5.14.0)", Some("4f1d-5.14.0")));
        assert_eq!(
            (entry.kernel.as_deref(), entry.options.as_str()),
            (Some("/vmlinuz-5.14.0"), "root=UUID=1 ro quiet")
        );
        assert_eq!(entry.initrds, ["/initramfs-5.14.0.img", "$tuned_initrd"]);
        assert_eq!(parse("a.conf", "\0\nlinux\n").entry.kernel, None);
    }

    #[test]
    fn the_newest_is_first_and_rescue_last() {
        let mut list: Vec<_> = ["m-0-rescue.conf", "m-5.14.0-70.conf", "m-5.14.0-427.conf"]
            .iter()
            .map(|name| parse(name, ""))
            .collect();
        list.sort_by(grub_order);
        let ids: Vec<_> = list.iter().map(|e| e.entry.id.clone().unwrap()).collect();
        assert_eq!(ids, ["m-5.14.0-427", "m-5.14.0-70", "m-0-rescue"]);
        let (old, new) = (
            parse("x.conf", "sort-key debian\nversion 6.9\n"),
            parse("y.conf", "sort-key debian\nversion 6.10\n"),
        );
        assert_eq!(systemd_boot_order(&new, &old), Ordering::Less);
        assert_eq!(systemd_boot_order(&parse("z.conf", ""), &old), Ordering::Greater);
    }
}
