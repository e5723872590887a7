//! The configuration of SYSLINUX and EXTLINUX, which U-Boot reads as well (SYSLINUX's "Config" document).

use super::boot_menu::{MOST_ENTRIES, Menu, MenuEntry};

/// The menu of such a file: `DEFAULT name`, then `LABEL`, `LINUX`, `INITRD`, `APPEND` of each entry, whatever their case.
pub fn menu(text: &str) -> Menu {
    let mut menu = Menu::default();
    let mut global = String::new();
    for (line, text) in (1..).zip(text.lines()) {
        let text = text.trim();
        let (word, rest) = text.split_once(|c: char| c.is_ascii_whitespace()).unwrap_or((text, ""));
        let rest = rest.trim();
        let lower = rest.to_ascii_lowercase();
        let full = menu.entries.len() >= MOST_ENTRIES;
        match (word.to_ascii_lowercase().as_str(), menu.entries.last_mut()) {
            ("label", _) if !full => {
                let (id, options) = (Some(rest.to_owned()), global.clone());
                menu.entries.push(MenuEntry {
                    title: rest.to_owned(),
                    id,
                    options,
                    line,
                    ..MenuEntry::default()
                });
            }
            // A menu's program is no entry.
            ("default" | "ontimeout", _) if !rest.is_empty() && !rest.ends_with(".c32") => {
                menu.default = Some(rest.to_owned());
            }
            ("menu", Some(entry)) if lower == "default" => menu.default = entry.id.clone(),
            ("menu", Some(entry)) if lower.starts_with("label ") => {
                entry.title = rest.get(6..).unwrap_or_default().trim().replace('^', "");
            }
            ("linux" | "kernel" | "fdt_kernel", Some(entry)) => entry.kernel = Some(rest.to_owned()),
            ("initrd", Some(entry)) => {
                entry.initrds = rest.split(',').map(|file| file.trim().to_owned()).collect()
            }
            ("append", Some(entry)) => {
                let (initrds, options): (Vec<&str>, Vec<&str>) =
                    rest.split_ascii_whitespace().partition(|word| word.starts_with("initrd="));
                if let Some(files) = initrds.last().and_then(|word| word.strip_prefix("initrd=")) {
                    entry.initrds = files.split(',').map(str::to_owned).collect();
                }
                entry.options = options.join(" ");
            }
            ("append", None) => global = rest.to_owned(),
            _ => {}
        }
    }
    // More of the command line may follow the name of the entry.
    if let Some(default) = &menu.default
        && !menu.entries.iter().any(|entry| entry.id.as_ref() == Some(default))
    {
        menu.default = default.split_ascii_whitespace().next().map(str::to_owned);
    }
    menu
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_whatever_the_case() {
        let menu = menu(
            "DEFAULT menu.c32\nPROMPT 0\nONTIMEOUT lts\n\nLABEL lts\n  MENU DEFAULT\n  MENU LABEL Linux ^lts\n  LINUX vmlinuz-lts\n  INITRD initramfs-lts\n  APPEND root=UUID=1 modules=ext4 quiet\nlabel old\n  kernel /vmlinuz\n  append initrd=/ucode.img,/initrd root=/dev/sda1\n",
        );
        assert_eq!(menu.default.as_deref(), Some("lts"));
        let [lts, old] = menu.entries.as_slice() else { panic!() };
        assert_eq!(
            (lts.title.as_str(), lts.kernel.as_deref(), lts.line),
            ("Linux lts", Some("vmlinuz-lts"), 5)
        );
        assert_eq!(
            (lts.options.as_str(), lts.initrds.as_slice()),
            ("root=UUID=1 modules=ext4 quiet", &["initramfs-lts".to_owned()][..])
        );
        assert_eq!((old.options.as_str(), old.initrds.len()), ("root=/dev/sda1", 2));
        let named = super::menu("default Fedora (3.12)\nlabel Fedora (3.12)\n linux /v\n");
        assert_eq!(named.default.as_deref(), Some("Fedora (3.12)"));
        let more = super::menu("default linux single\nlabel linux\n linux /v\n");
        assert_eq!(more.default.as_deref(), Some("linux"));
        assert!(super::menu("\0\u{fffd}\nLABEL\nmenu label").entries.len() == 1);
    }
}
