use super::*;
use crate::source::{Files, Target};

fn collect(files: &Files) -> Reading<Bootloader> {
    Bootloader::collect(&Host::new(files.clone(), Target::root("x")))
}

fn default(files: &Files) -> Reading<Box<BootEntry>> {
    collect(files).unwrap().default
}

const GRUB: &str = "load_env\nset default=\"${saved_entry}\"\nmenuentry 'new' --id n {\n linux /boot/vmlinuz-6.1.0-2 root=UUID=1 ro quiet\n initrd /boot/initrd.img-6.1.0-2\n}\nsubmenu 'more' --id m {\n menuentry 'old' --id o {\n  linux /vmlinuz-6.1.0-1 root=/dev/vda1 single\n }\n}\n";

fn grub() -> Files {
    let mut files = Files::new();
    files
        .file("/boot/grub/grub.cfg", GRUB)
        .file("/boot/grub/i386-pc/core.img", "x")
        .file("/boot/grub/grubenv", "saved_entry=m>o\n");
    files
        .file("/boot/vmlinuz-6.1.0-1", "one")
        .file("/boot/vmlinuz-6.1.0-2", "two")
        .file("/boot/initrd.img-6.1.0-2", "ram");
    files
}

#[test]
fn grub_starts_what_its_environment_names() {
    let files = grub();
    let found = collect(&files).unwrap();
    assert_eq!(
        (found.kind, found.config.as_str(), found.config_exists),
        (BootloaderKind::Grub, "/boot/grub/grub.cfg", true)
    );
    assert_eq!(found.installed, ["/boot/grub/grubenv", "/boot/grub/i386-pc"]);
    assert_eq!(found.entries.items.len(), 2);
    assert_eq!((found.default_name.as_deref(), found.default_found), (Some("m>o"), true));
    let old = found.default.unwrap();
    assert_eq!(
        (old.position.as_str(), old.kernel_file.clone(), old.kernel_bytes.clone()),
        ("1>0", Ok("/boot/vmlinuz-6.1.0-1".into()), Ok(3))
    );
    assert_eq!((old.version.as_deref(), old.root_path.as_deref()), (Some("6.1.0-1"), Some("/dev/vda1")));
    assert_eq!(old.at.to_string(), "/boot/grub/grub.cfg:8");
    let line = &found.command_lines.items[0];
    assert_eq!(
        (line.place, line.words.as_slice()),
        (CommandLinePlace::Default, &["root=/dev/vda1".to_owned(), "single".into()][..])
    );
}

#[test]
fn a_default_that_is_not_there_is_the_first_entry() {
    let mut files = grub();
    files.file("/boot/grub/grubenv", "saved_entry=gone\n");
    let found = collect(&files).unwrap();
    assert_eq!((found.default_found, found.default.unwrap().title.as_str()), (false, "new"));
    files.file("/boot/grub/grub.cfg", "if loadfont x; then set default=1; fi\nmenuentry a { linux /v; }\n");
    assert!(matches!(default(&files), Err(Missing::Unreadable(_))));
}

#[test]
fn an_emptied_or_removed_configuration_has_no_default() {
    let mut files = grub();
    files.file("/boot/grub/grub.cfg", "");
    let found = collect(&files).unwrap();
    assert_eq!((found.config_bytes, found.entries.items.len()), (Some(0), 0));
    assert!(matches!(found.default, Err(Missing::Absent)));
    let mut files = Files::new();
    files.file("/boot/grub2/i386-pc/normal.mod", "");
    let found = collect(&files).unwrap();
    assert_eq!((found.config.as_str(), found.config_exists), ("/boot/grub2/grub.cfg", false));
    files.deny("/boot/grub2/grub.cfg");
    assert!(matches!(collect(&files), Err(Missing::Unreadable(_))));
}

#[test]
fn files_are_found_wherever_the_boot_file_system_is() {
    let mut files = Files::new();
    files.file("/boot/vmlinuz-1", "x").file("/boot/initrd-1", "xx");
    for (name, found) in [
        ("/boot/vmlinuz-1", true),
        ("/vmlinuz-1", true),
        ("(hd0,gpt2)/vmlinuz-1", true),
        ("/@/boot/vmlinuz-1", true),
        ("/BOOT/debian@/vmlinuz-1", true),
        ("/vmlinuz-2", false),
    ] {
        files.file(
            "/boot/grub/grub.cfg",
            format!("menuentry a {{\n linux {name}\n initrd $gone/initrd-1 /initrd-9\n}}\n"),
        );
        let entry = default(&files).unwrap();
        assert_eq!(entry.kernel_file.is_ok(), found, "{name}");
        assert_eq!(
            (entry.initrds[0].size_bytes.clone(), entry.initrds[1].file.clone()),
            (Ok(2), Err(Missing::Absent))
        );
    }
    files.file("/boot/grub/grub.cfg", "menuentry a {\n linux $fw_path/vmlinuz\n}\n");
    assert!(matches!(default(&files).unwrap().kernel_file, Err(Missing::Unreadable(_))));
}

#[test]
fn entries_of_their_own_files_come_first_the_newest_first() {
    let mut files = Files::new();
    files.file(
        "/boot/grub2/grub.cfg",
        "load_env\nset default=\"${saved_entry}\"\nblscfg\nmenuentry 'UEFI' { fwsetup\n}\n",
    );
    for version in ["5.14.0-70", "5.14.0-427", "0-rescue"] {
        let text = format!(
            "title R ({version})\nlinux /vmlinuz-{version}\ninitrd /initramfs-{version}.img $tuned_initrd\noptions $kernelopts $gone quiet\n"
        );
        files.file(format!("/boot/loader/entries/m-{version}.conf"), text);
    }
    files.file("/boot/grub2/grubenv", "saved_entry=\nkernelopts=root=UUID=1 ro\n");
    let found = collect(&files).unwrap();
    let positions: Vec<_> =
        found.entries.items.iter().map(|e| (e.title.as_str(), e.position.as_str())).collect();
    assert_eq!(
        positions,
        [("R (5.14.0-427)", "0"), ("R (5.14.0-70)", "1"), ("R (0-rescue)", "2"), ("UEFI", "3")]
    );
    let entry = found.default.unwrap();
    assert_eq!(
        (entry.options.as_str(), entry.at.to_string()),
        ("root=UUID=1 ro quiet", "/boot/loader/entries/m-5.14.0-427.conf".into())
    );
    assert_eq!(entry.initrds.len(), 1);
    files.file("/boot/grub2/grubenv", "saved_entry=m-5.14.0-70\n");
    assert_eq!(default(&files).unwrap().title, "R (5.14.0-70)");
    files.deny("/boot/loader/entries/m-5.14.0-427.conf");
    assert!(matches!(default(&files), Err(Missing::Unreadable(_))));
}

#[test]
fn other_boot_loaders_are_read_as_well() {
    let mut legacy = Files::new();
    legacy
        .file("/boot/grub/stage2", "x")
        .link("/boot/grub/menu.lst", "./grub.conf")
        .file("/boot/vmlinuz-2.6", "k");
    legacy.file(
        "/boot/grub/grub.conf",
        "default=0\ntitle CentOS\n kernel /boot/vmlinuz-2.6 ro root=/dev/vda1\n",
    );
    let found = collect(&legacy).unwrap();
    assert_eq!((found.kind, found.config.as_str()), (BootloaderKind::GrubLegacy, "/boot/grub/grub.conf"));
    assert_eq!(found.default.unwrap().kernel_bytes, Ok(1));
    legacy.file("/boot/grub/grub.conf", "default saved\ntitle a\n kernel /x\n");
    assert!(matches!(default(&legacy), Err(Missing::Unreadable(_))));

    let mut systemd = Files::new();
    systemd.file("/efi/loader/loader.conf", "timeout 3\ndefault arch-*\n");
    systemd
        .file("/efi/loader/entries/arch-lts.conf", "title A\nlinux /vmlinuz-lts\n")
        .file("/efi/vmlinuz-lts", "k");
    systemd.file("/efi/loader/entries/zzz.conf", "title Z\nlinux /z\n");
    let found = collect(&systemd).unwrap();
    assert_eq!((found.kind, found.default_found), (BootloaderKind::SystemdBoot, true));
    assert_eq!(found.default.unwrap().kernel_file, Ok("/efi/vmlinuz-lts".into()));

    systemd.file("/boot/grub/x86_64-efi/core.efi", "what grub-install left");
    assert_eq!(collect(&systemd).unwrap().kind, BootloaderKind::SystemdBoot);

    let mut alpine = Files::new();
    alpine.file(
        "/boot/extlinux.conf",
        "DEFAULT lts\nLABEL lts\n LINUX vmlinuz-lts\n INITRD initramfs-lts\n APPEND root=UUID=1\n",
    );
    alpine.file("/boot/vmlinuz-lts", "k");
    let entry = default(&alpine).unwrap();
    assert_eq!(
        (entry.kernel_file.clone(), entry.initrds[0].file.clone()),
        (Ok("/boot/vmlinuz-lts".into()), Err(Missing::Absent))
    );
}

#[test]
fn settings_command_lines_and_the_device_map_are_read() {
    let mut files = grub();
    files.file("/etc/default/grub", "GRUB_DEFAULT=saved\nGRUB_CMDLINE_LINUX=\"console=tty0\"\nGRUB_CMDLINE_LINUX_DEFAULT=\"$GRUB_CMDLINE_LINUX quiet\"\nBAD=\"x\n");
    files
        .file("/etc/default/grub.d/50-cloud.cfg", "GRUB_CMDLINE_LINUX_DEFAULT=\"console=ttyS0\"\n")
        .file("/proc/cmdline", "ro -- single\n");
    files.file("/boot/grub/device.map", "# this device map was generated by anaconda\n(hd0)     /dev/hda\n");
    let found = collect(&files).unwrap();
    assert_eq!(found.command_lines.items[2].at.to_string(), "/etc/default/grub.d/50-cloud.cfg:1");
    let lines: Vec<_> =
        found.command_lines.items.iter().map(|line| (line.name.as_str(), line.text.as_str())).collect();
    assert_eq!(
        lines,
        [
            ("old", "root=/dev/vda1 single"),
            ("GRUB_CMDLINE_LINUX", "console=tty0"),
            ("GRUB_CMDLINE_LINUX_DEFAULT", "console=ttyS0"),
            ("/proc/cmdline", "ro -- single")
        ]
    );
    assert_eq!(found.command_lines.items[3].words, ["ro", "single"]);
    let map = found.device_map.unwrap();
    assert_eq!(
        (map[0].name.as_str(), map[0].device.as_str(), map[0].at.to_string()),
        ("(hd0)", "/dev/hda", "/boot/grub/device.map:2".into())
    );
}

#[test]
fn no_boot_loader_is_absent_and_a_closed_partition_is_not() {
    assert!(matches!(collect(&Files::new()), Err(Missing::Absent)));
    let mut files = Files::new();
    files.file("/boot/vmlinuz-1", "").directory("/boot/grub");
    assert!(matches!(collect(&files), Err(Missing::Absent)));
    files.deny("/boot/efi");
    assert!(matches!(collect(&files), Err(Missing::Unreadable(_))));
    let mut files = grub();
    files.deny("/boot/efi");
    assert!(collect(&files).unwrap().default.is_ok());
}
