//! Where GRUB on the EFI system partition looks for its configuration.

use super::BootSearch;
use super::find::efi;
use crate::format::{device_path, udev_link};
use crate::model::Partial;
use crate::source::{At, Host};

/// The searches of the small configurations beside GRUB's programs there, which do nothing but lead to the real one. Those with a
/// menu of their own are that real one.
pub(super) fn searches(host: &Host) -> Partial<BootSearch> {
    let mut found = Partial::default();
    let files = efi(host).unwrap_or_else(|missing| {
        found.add(Err::<Vec<_>, _>(missing));
        Vec::new()
    });
    for path in files.iter().filter(|path| path.ends_with("/grub.cfg")) {
        let searches = host.read_text(path).map(|text| match leads_on(&text) {
            true => parse(host, path, &text),
            false => Vec::new(),
        });
        found.add(searches);
    }
    found
}

fn leads_on(text: &str) -> bool {
    let starts = |word: &str| text.lines().any(|line| line.trim_start().starts_with(word));
    starts("configfile ") && !starts("menuentry ")
}

fn parse(host: &Host, path: &str, text: &str) -> Vec<BootSearch> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let Some(spec) = spec(line) else { continue };
        let Some(device) = udev_link::path(&spec) else { continue };
        let exists = device_path::exists(host, &device);
        found.push(BootSearch { spec, path: device, exists, at: At::line(path, number) });
    }
    found
}

/// What a line searches for, as fstab would name it: `search.fs_uuid UUID root`, `search --fs-uuid --set=root UUID`.
fn spec(line: &str) -> Option<String> {
    let mut words = line.split_ascii_whitespace();
    let (tag, value) = match words.next()? {
        "search.fs_uuid" => ("UUID", words.next()?),
        "search.fs_label" => ("LABEL", words.next()?),
        "search" => {
            let words: Vec<&str> = words.collect();
            let has = |long: &str, short: &str| words.iter().any(|word| *word == long || *word == short);
            let tag = if has("--fs-uuid", "-u") {
                "UUID"
            } else if has("--label", "-l") {
                "LABEL"
            } else {
                return None;
            };
            (tag, words.last().copied().filter(|word| !word.starts_with('-'))?)
        }
        _ => return None,
    };
    let value = value.trim_matches(['\'', '"']);
    // What a variable holds is not known here.
    (!value.is_empty() && !value.contains('$')).then(|| format!("{tag}={value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_search_are_read() {
        for (line, expected) in [
            ("search.fs_uuid 3f0d-1 root hd0,gpt2", Some("UUID=3f0d-1")),
            ("search --no-floppy --fs-uuid --set=dev 9c1f-2", Some("UUID=9c1f-2")),
            ("  search --no-floppy -u --set=root --hint-bios=hd0,gpt2 '9c1f-2'", Some("UUID=9c1f-2")),
            ("search.fs_label boot root", Some("LABEL=boot")),
            ("search -l --set=root boot", Some("LABEL=boot")),
            ("search --file --set=root /x", None),
            ("search --fs-uuid --set=root", None),
            ("search --fs-uuid --set=root $uuid", None),
            ("search.fs_uuid", None),
            ("set prefix=($root)/boot/grub", None),
            ("", None),
        ] {
            assert_eq!(spec(line).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn a_configuration_with_a_menu_is_no_guide() {
        assert!(leads_on("search.fs_uuid 1 root\nconfigfile $prefix/grub.cfg\n"));
        assert!(!leads_on("search.fs_uuid 1 root\nmenuentry 'a' {\n}\nconfigfile x\n"));
        assert!(!leads_on("# configfile x\n"));
    }
}
