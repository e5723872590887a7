//! Mount options, as systemd-fstab-generator(8) judges them.

/// Which of two opposed options comes last: `Some(true)` for `yes`, `Some(false)` for `no`.
pub(super) fn last_of(options: &[String], yes: &str, no: &str) -> Option<bool> {
    options.iter().rev().find_map(|o| if o == yes { Some(true) } else { (o == no).then_some(false) })
}

/// Whether the option is there, with or without a value.
pub(super) fn has(options: &[String], name: &str) -> bool {
    options.iter().any(|o| o == name || o.strip_prefix(name).is_some_and(|rest| rest.starts_with('=')))
}

/// Whether the entry is mounted when first used.
pub(super) fn is_automount(options: &[String]) -> bool {
    options.iter().any(|o| o == "x-systemd.automount" || o == "comment=systemd.automount")
}

/// Whether options make local-fs.target go on without the entry.
pub(super) fn spare(options: &[String]) -> bool {
    last_of(options, "noauto", "auto") == Some(true)
        || last_of(options, "nofail", "fail") == Some(true)
        || is_automount(options)
        || has(options, "_netdev")
        || has(options, "x-systemd.wanted-by")
        || has(options, "x-systemd.required-by")
}

/// The common option that one which no file system has is one slip of the keyboard away from.
///
/// Such an option is handed to the kernel or to a helper, which refuses the mount: ext4 says
/// "Unrecognized mount option", tmpfs and xfs "Unknown parameter".
pub(super) fn meant(option: &str) -> Option<&'static str> {
    const COMMON: &[&str] = &["defaults", "nofail", "noauto", "noatime", "nodiratime", "relatime", "_netdev"];
    if COMMON.contains(&option) || option.len() < 5 {
        return None;
    }
    COMMON.iter().find(|c| strsim::osa_distance(c, option) == 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(text: &str) -> Vec<String> {
        text.split(',').map(str::to_owned).collect()
    }

    #[test]
    fn the_last_of_opposed_options_counts() {
        assert_eq!(last_of(&options("defaults,nofail,fail"), "nofail", "fail"), Some(false));
        assert_eq!(last_of(&options("auto,noauto"), "noauto", "auto"), Some(true));
        assert_eq!(last_of(&options("defaults"), "noauto", "auto"), None);
    }

    #[test]
    fn only_slips_are_typos() {
        for (wrong, right) in
            [("default", "defaults"), ("nofial", "nofail"), ("noatim", "noatime"), ("netdev", "_netdev")]
        {
            assert_eq!(meant(wrong), Some(right), "{wrong}");
        }
        for fine in [
            "defaults",
            "nofail",
            "fail",
            "auto",
            "atime",
            "lazytime",
            "norelatime",
            "noexec",
            "noauto_da_alloc",
        ] {
            assert_eq!(meant(fine), None, "{fine}");
        }
    }

    #[test]
    fn options_spare_the_boot() {
        for text in [
            "noauto",
            "nofail",
            "x-systemd.automount",
            "comment=systemd.automount",
            "_netdev",
            "x-systemd.wanted-by=a.target",
        ] {
            assert!(spare(&options(text)), "{text}");
        }
        for text in ["defaults", "nofail,fail", "x-systemd.device-timeout=5", "comment=cloudconfig"] {
            assert!(!spare(&options(text)), "{text}");
        }
    }
}
