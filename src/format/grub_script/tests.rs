use super::*;
use crate::format::boot_menu::default_entry;

fn made(text: &str) -> Menu {
    menu(text, &BTreeMap::new())
}

const DEBIAN: &str = r#"
if [ -s $prefix/grubenv ]; then
  set have_grubenv=true
  load_env
fi
if [ "${next_entry}" ] ; then
   set default="${next_entry}"
   set next_entry=
   save_env next_entry
else
   set default="0"
fi
if [ x"${feature_menuentry_id}" = xy ]; then
  menuentry_id_option="--id"
else
  menuentry_id_option=""
fi
function savedefault {
  if [ -z "${boot_once}" ]; then
    saved_entry="${chosen}"
  fi
}
menuentry 'Debian GNU/Linux' --class debian --class os $menuentry_id_option 'gnulinux-simple-1' {
	load_video
	if [ x$grub_platform = xxen ]; then insmod xzio; insmod lzopio; fi
	search --no-floppy --fs-uuid --set=root 1
	echo	'Loading Linux 6.1.0 ...'
	linux	/boot/vmlinuz-6.1.0 root=UUID=1 ro  quiet $vt_handoff
	initrd	/boot/intel-ucode.img /boot/initrd.img-6.1.0
}
submenu 'Advanced options' $menuentry_id_option 'gnulinux-advanced-1' {
	menuentry 'with "5.10"' --id=old { linux /boot/vmlinuz-5.10 root=UUID=1 ro single
	}
}
menuentry 'Windows (on /dev/sda1)' --class windows $menuentry_id_option 'osprober-chain-2' {
	chainloader +1
}
"#;

#[test]
fn the_menu_of_grub_mkconfig_is_read() {
    let menu = made(DEBIAN);
    assert_eq!(menu.faults, []);
    assert_eq!(menu.default.as_deref(), Some("0"));
    let [debian, advanced, windows] = menu.entries.as_slice() else { panic!("{:?}", menu.entries) };
    assert_eq!(
        (debian.title.as_str(), debian.id.as_deref(), debian.line),
        ("Debian GNU/Linux", Some("gnulinux-simple-1"), 23)
    );
    assert_eq!(debian.kernel.as_deref(), Some("/boot/vmlinuz-6.1.0"));
    assert_eq!(debian.options, "root=UUID=1 ro quiet");
    assert_eq!(debian.initrds, ["/boot/intel-ucode.img", "/boot/initrd.img-6.1.0"]);
    let old = &advanced.children.as_ref().unwrap()[0];
    assert_eq!(
        (old.title.as_str(), old.id.as_deref(), old.options.as_str()),
        ("with \"5.10\"", Some("old"), "root=UUID=1 ro single")
    );
    assert!(windows.foreign && windows.kernel.is_none());
}

#[test]
fn grubenv_chooses_where_the_script_asks_it() {
    let env = grubenv(
        "# GRUB Environment Block\nsaved_entry=gnulinux-advanced-1>old\nkernelopts=root=UUID=1 ro\n####",
    );
    assert_eq!(env["saved_entry"], "gnulinux-advanced-1>old");
    let text =
        format!("load_env\nset default=\"${{saved_entry}}\"\n{}", DEBIAN.replace("set default=\"0\"", ""));
    let menu = menu(&text, &env);
    assert_eq!(menu.default.as_deref(), Some("gnulinux-advanced-1>old"));
    assert_eq!(default_entry(&menu.entries, menu.default.as_ref().unwrap()).unwrap().1, [1, 0]);
}

#[test]
fn what_cannot_be_told_is_not_guessed() {
    let menu = made(
        "if [ \"$grub_platform\" = \"efi\" ]; then set kernel=/a; set same=1; else set kernel=/b; set same=1; fi\nif loadfont x; then set default=2; fi\nmenuentry a { linux $kernel/vmlinuz x=$same $gone; }\nif [ -f /x ]; then\nmenuentry b { linux /v\n}\nfi\n",
    );
    assert_eq!(menu.entries[0].kernel.as_deref(), Some("$kernel/vmlinuz"));
    assert_eq!(menu.entries[0].options, "x=1");
    assert_eq!(menu.entries.len(), 2);
    assert_eq!(menu.default.as_deref(), Some("$default"));
}

#[test]
fn bls_and_configfile_and_hypervisors() {
    assert!(made("insmod blscfg\nblscfg\n").blscfg);
    let xen = made(
        "menuentry x {\n multiboot2 /xen.gz placeholder dom0_mem=1G\n module2 /vmlinuz-6.1 placeholder root=UUID=1 ro\n module2 --nounzip /initrd.img-6.1\n}\n",
    );
    let entry = &xen.entries[0];
    assert_eq!(
        (entry.kernel.as_deref(), entry.options.as_str()),
        (Some("/vmlinuz-6.1"), "placeholder root=UUID=1 ro")
    );
    assert_eq!(entry.initrds, ["/initrd.img-6.1"]);
}

#[test]
fn faults_have_their_lines_and_cost_no_more() {
    let fault = |text: &str| made(text).faults.first().map(|(line, _)| *line);
    assert_eq!(fault("menuentry 'a {\n linux /v\n}\n"), Some(1));
    assert_eq!(fault("set a=1\nif [ x ]; then\nset b=1\n"), Some(2));
    assert_eq!(fault("menuentry a {\n linux /v\n"), Some(1));
    assert_eq!(fault("a\n}\n"), Some(2));
    assert_eq!(fault("menuentry a { linux /v }\nset a=b\n"), None);
    assert_eq!(fault("# nothing\n\nfoo bar {x} $\n"), None);
    assert_eq!(made("menuentry a {\n linux /v root=/dev/vda1\n").entries[0].options, "root=/dev/vda1");
}

#[test]
fn hostile_scripts_end() {
    let deep = "submenu a {\n".repeat(10_000);
    assert!(!made(&deep).faults.is_empty());
    let ifs = "if x; then\n".repeat(10_000);
    made(&ifs);
    made(&"menuentry a { linux /v }\n".repeat(5_000));
    for text in [
        "",
        "\0",
        "$",
        "${",
        "\"$",
        "'",
        "\\",
        "{",
        "}",
        "set",
        "if",
        "menuentry",
        "function",
        "for",
        "set =",
        "\u{fffd}",
    ] {
        made(text);
    }
}
