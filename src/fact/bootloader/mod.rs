//! The boot loader: what it can start, and what it starts by default.

mod find;
mod menus;
mod search;
mod settings;

#[cfg(test)]
mod tests;

use super::Fact;
use crate::model::{Partial, Text};
use crate::source::{At, Host, Missing, Reading};
use crate::{record, word};
use std::collections::BTreeMap;

record! {
    /// The boot loader: its configuration, what it can start, and what it starts by default.
    ///
    /// ```text
    /// /boot/grub/grub.cfg             menuentry 'Debian GNU/Linux' … { linux /boot/vmlinuz-6.1.0-28-amd64 root=UUID=… ro quiet
    /// /boot/grub2/grubenv             saved_entry=5f2a7c3e9b1d4e60a8c47b1e2d9f3a06-5.14.0-503.15.1.el9_5.x86_64
    /// /boot/loader/entries/*.conf     linux /vmlinuz-5.14.0-503.15.1.el9_5.x86_64
    /// /etc/default/grub               GRUB_CMDLINE_LINUX_DEFAULT="quiet"
    /// ```
    ///
    /// Source: GNU GRUB's manual, GRUB Legacy's manual, the UAPI group's Boot Loader Specification, bootctl(1), SYSLINUX's
    /// documents. grub.cfg is a script: what depends on firmware or other disks is not known, and said so. What a boot menu or EFI
    /// variables chose for once is not seen. Absent where no boot loader is to be seen: containers, machines whose kernel comes from
    /// outside.
    pub struct Bootloader {
        /// Which one.
        pub kind: BootloaderKind,
        /// What shows that it is installed: its files.
        pub installed: Vec<String>,
        /// The file with its menu, whether or not it is there: `/boot/grub/grub.cfg`.
        pub config: String,
        /// Whether that file is there; false for a link that leads nowhere.
        pub config_exists: bool,
        /// Its size in bytes.
        pub config_bytes: Option<u64>,
        /// Lines of it that make no sense, with the reasons: `/boot/grub/grub.cfg:12: a quote is never closed`.
        pub faults: Vec<String>,
        /// What can be started, in order, those in submenus included. An entry starts a kernel; those that hand over to another
        /// system's boot loader have none.
        pub entries: Partial<BootEntry>,
        /// What is started unless somebody chooses: absent without entries, unreadable where that cannot be told.
        pub default: Reading<Box<BootEntry>>,
        /// How the configuration names its default: `0`, an id, a title. Absent where it does not; the first entry is it then.
        pub default_name: Option<String>,
        /// Whether there is an entry of that name; if not, the first is started.
        pub default_found: bool,
        /// What GRUB on the EFI system partition searches for, to find its configuration on another file system; empty where it is
        /// not led so.
        pub searches: Partial<BootSearch>,
        /// The kernel command lines: of the default entry, of the files that new entries are made from, and of the kernel that runs.
        pub command_lines: Partial<BootCommandLine>,
        /// The lines of device.map. Absent without the file.
        pub device_map: Reading<Vec<DeviceMapLine>>,
    }
}

word! {
    /// A boot loader.
    pub enum BootloaderKind {
        /// GRUB 2.
        Grub = "grub",
        /// GRUB before 1.0: menu.lst, grub.conf.
        GrubLegacy = "grub-legacy",
        /// systemd-boot.
        SystemdBoot = "systemd-boot",
        /// SYSLINUX and EXTLINUX, and U-Boot with their configuration.
        Extlinux = "extlinux",
        /// zipl, of IBM Z.
        Zipl = "zipl",
    }
}

record! {
    /// What a boot loader can start.
    #[derive(Clone)]
    pub struct BootEntry {
        /// Its title.
        pub title: String,
        /// Its id. Absent without one.
        pub id: Option<String>,
        /// Its place in the menu, as GRUB counts: `0`, `1>2` for the third of a submenu.
        pub position: String,
        /// The kernel, as the boot loader is told of it. Absent where it starts no kernel itself.
        pub kernel: Option<String>,
        /// The path of the kernel in this root. Absent where it is not there, unreadable where its name depends on what is
        /// not known.
        pub kernel_file: Reading<String>,
        /// The size of that file in bytes.
        pub kernel_bytes: Reading<u64>,
        /// The version of the kernel, by its name. Absent where that does not tell.
        pub version: Option<String>,
        /// The initial RAM disks, in order.
        pub initrds: Vec<BootInitrd>,
        /// The command line.
        pub options: String,
        /// The parameters of the command line by name, the last value of each; empty for one without `=`.
        pub parameters: BTreeMap<String, Text>,
        /// What `root=` names. Absent without it.
        pub root: Option<String>,
        /// The /dev path of that: `/dev/vda1`, `/dev/disk/by-uuid/0a34…`. Absent where it names something else than a device.
        pub root_path: Option<String>,
        /// Whether `root_path` is there, as `spec_exists` of an entry of fstab; absent without one.
        pub root_exists: Reading<bool>,
        /// Whether it is another system's, as os-prober found it: its files are not in this root.
        pub foreign: bool,
        /// Where it was read.
        pub at: At,
    }
}

record! {
    /// An initial RAM disk of an entry.
    #[derive(Clone)]
    pub struct BootInitrd {
        /// Its name, as the boot loader is told of it.
        pub name: String,
        /// The path in this root. Absent where it is not there, unreadable where its name depends on what is not known.
        pub file: Reading<String>,
        /// The size of that file in bytes.
        pub size_bytes: Reading<u64>,
        /// Where it was read.
        pub at: At,
    }
}

record! {
    /// A file system that GRUB searches for by what it is called.
    #[derive(Clone)]
    pub struct BootSearch {
        /// What it searches for, as fstab would name it: `UUID=0a34…`, `LABEL=boot`.
        pub spec: String,
        /// The /dev path of that: `/dev/disk/by-uuid/0a34…`.
        pub path: String,
        /// Whether it is there, as `spec_exists` of an entry of fstab; GRUB itself does not tell capitals from small letters.
        pub exists: Reading<bool>,
        /// Where it was read.
        pub at: At,
    }
}

record! {
    /// A kernel command line, or a part of one.
    pub struct BootCommandLine {
        /// Where it counts.
        pub place: CommandLinePlace,
        /// The file, or the variable in it: `GRUB_CMDLINE_LINUX`.
        pub name: String,
        /// The command line.
        pub text: String,
        /// Its words, without quotes.
        pub words: Vec<String>,
        /// Where it was read.
        pub at: At,
    }
}

word! {
    /// Where a command line counts.
    pub enum CommandLinePlace {
        /// At the next start: the default entry's.
        Default = "default",
        /// When entries are made anew: /etc/default/grub, /etc/kernel/cmdline.
        Settings = "settings",
        /// Now: /proc/cmdline.
        Running = "running",
    }
}

record! {
    /// A line of device.map: which disk GRUB's name stands for.
    #[derive(Clone, PartialEq)]
    pub struct DeviceMapLine {
        /// GRUB's name: `(hd0)`.
        pub name: String,
        /// The device: `/dev/vda`.
        pub device: String,
        /// Where it was read.
        pub at: At,
    }
}

impl Fact for Bootloader {
    const NAME: &'static str = "bootloader";
    const READS: &'static [&'static str] = &[
        "/boot/{grub,grub2}/{grub.cfg,custom.cfg,grubenv,menu.lst,grub.conf,device.map,*}",
        "/boot/efi/EFI/*/{grub.cfg,grub.conf,*.efi}",
        "/{boot,efi,boot/efi}/loader/{loader.conf,entries/*.conf}",
        "/boot/{extlinux,syslinux}/*.{conf,cfg}",
        "/etc/default/grub",
        "/etc/default/grub.d/*.cfg",
        "/etc/kernel/cmdline",
        "/proc/cmdline",
        "/proc/self/mountinfo",
    ];

    fn collect(host: &Host) -> Reading<Self> {
        let found = find::look(host)?;
        let default = found.default.map(Box::new);
        let mut command_lines = settings::command_lines(host);
        match &default {
            Ok(entry) => command_lines.items.insert(0, settings::of_default(entry)),
            Err(Missing::Unreadable(why)) => command_lines.unread.push(why.clone()),
            Err(Missing::Absent) => {}
        }
        Ok(Self {
            kind: found.kind,
            searches: match found.kind {
                BootloaderKind::Grub => search::searches(host),
                _ => Partial::default(),
            },
            installed: found.installed,
            config_exists: found.config_bytes.is_some(),
            config_bytes: found.config_bytes,
            config: found.config,
            faults: found.faults,
            entries: found.entries,
            default,
            default_name: found.default_name,
            default_found: found.default_found,
            command_lines,
            device_map: settings::device_map(host),
        })
    }
}

/// The command line of the kernel that is started unless somebody chooses: that of the boot loader's default entry, or where no
/// boot loader is to be seen, of the first of /boot/loader/entries.
pub fn started_by_default(host: &Host) -> Reading<String> {
    let entry = match find::look(host).and_then(|found| found.default) {
        Err(Missing::Absent) => menus::loader_entries(host, "/boot/loader/entries", None, true)?.started(),
        found => found,
    };
    Ok(entry?.options)
}
