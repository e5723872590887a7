//! Which boot loader is installed, and its menu.

use super::menus::{self, Made};
use super::{BootEntry, BootloaderKind};
use crate::model::Partial;
use crate::source::{FileKind, Host, Missing, Optional, Reading, Unreadable};
use std::path::Path;

/// What was found of the boot loader.
pub(super) struct Found {
    pub(super) kind: BootloaderKind,
    pub(super) installed: Vec<String>,
    pub(super) config: String,
    pub(super) config_bytes: Option<u64>,
    pub(super) faults: Vec<String>,
    pub(super) entries: Partial<BootEntry>,
    pub(super) default: Reading<BootEntry>,
    pub(super) default_name: Option<String>,
    pub(super) default_found: bool,
}

impl Found {
    fn has_menu(&self) -> bool {
        !self.entries.items.is_empty() || !self.entries.unread.is_empty()
    }
}

/// Where GRUB's own files are, after the root or the boot file system.
const GRUB: [&str; 2] = ["/boot/grub", "/boot/grub2"];

/// The EFI system partition's folders.
const EFI: [&str; 3] = ["/boot/efi/EFI", "/efi/EFI", "/boot/EFI"];

/// Where systemd-boot's folder may be.
const LOADER: [&str; 4] = ["/efi/loader", "/boot/efi/loader", "/boot/loader", "/boot/esp/loader"];

const EXTLINUX: [&str; 5] = [
    "/boot/extlinux/extlinux.conf",
    "/boot/extlinux.conf",
    "/boot/syslinux/syslinux.cfg",
    "/boot/syslinux/extlinux.conf",
    "/boot/firmware/extlinux/extlinux.conf",
];

pub(super) fn look(host: &Host) -> Reading<Found> {
    // The EFI system partition may be closed to all but root; what /boot tells by itself is told all the same.
    let (efi, closed) = match efi(host).optional() {
        Ok(efi) => (efi.unwrap_or_default(), None),
        Err(why) => (Vec::new(), Some(why)),
    };
    // What is left of a boot loader that was replaced has no menu.
    let mut left = None;
    for found in [grub(host, &efi, closed.as_ref())?, legacy(host, &efi)?].into_iter().flatten() {
        if found.has_menu() {
            return Ok(found);
        }
        left = left.or(Some(found));
    }
    match other(host, efi)? {
        Some(found) if found.has_menu() || left.is_none() => Ok(found),
        found => left.or(found).ok_or(closed.map_or(Missing::Absent, Missing::Unreadable)),
    }
}

fn other(host: &Host, efi: Vec<String>) -> Reading<Option<Found>> {
    for folder in LOADER {
        let config = format!("{folder}/loader.conf");
        let is_efi = efi.iter().any(|path| path.to_ascii_lowercase().contains("/systemd/systemd-boot"));
        if host.exists(&config)? || is_efi && host.exists(folder)? {
            return systemd_boot(host, folder, config, efi).map(Some);
        }
    }
    for config in EXTLINUX {
        if let Some(text) = host.read_text(config).optional()? {
            let made = menus::extlinux(host, config, &text)?;
            return finish(host, BootloaderKind::Extlinux, vec![config.to_owned()], config.to_owned(), made)
                .map(Some);
        }
    }
    if host.exists("/etc/zipl.conf")? && host.exists("/boot/loader/entries")? {
        let made = menus::loader_entries(host, "/boot/loader/entries", None, true)?;
        return finish(
            host,
            BootloaderKind::Zipl,
            vec!["/etc/zipl.conf".into()],
            "/etc/zipl.conf".into(),
            made,
        )
        .map(Some);
    }
    Ok(None)
}

/// The size of the regular file at a path; none where there is no such.
fn file(host: &Host, path: &str) -> Reading<Option<u64>> {
    let stat = host.source.stat(Path::new(path)).optional()?;
    Ok(stat.filter(|stat| stat.kind == FileKind::File).map(|stat| stat.size))
}

/// The boot loaders and configurations on the EFI system partition.
pub(super) fn efi(host: &Host) -> Reading<Vec<String>> {
    let mut found = Vec::new();
    for folder in EFI {
        for vendor in host.names(folder).optional()?.unwrap_or_default() {
            for name in
                host.names(&format!("{folder}/{vendor}")).optional().ok().flatten().unwrap_or_default()
            {
                let lower = name.to_ascii_lowercase();
                if lower.ends_with(".efi") || lower == "grub.cfg" || lower == "grub.conf" {
                    found.push(format!("{folder}/{vendor}/{name}"));
                }
            }
        }
    }
    Ok(found)
}

/// Files of GRUB 2 beside its configuration: what grub-install puts there.
fn grub_files(host: &Host, folder: &str) -> Reading<Vec<String>> {
    let mut found = Vec::new();
    for name in host.names(folder).optional()?.unwrap_or_default() {
        // A folder of modules for a firmware.
        let modules = ["i386-", "x86_64-", "arm64-", "arm-", "powerpc-", "riscv64-", "loongarch64-", "ia64-"];
        if modules.iter().any(|start| name.starts_with(start)) || name == "grubenv" {
            found.push(format!("{folder}/{name}"));
        }
    }
    Ok(found)
}

fn grub(host: &Host, efi: &[String], closed: Option<&Unreadable>) -> Reading<Option<Found>> {
    let (mut installed, mut configs, mut denied) = (Vec::new(), Vec::new(), None);
    for folder in GRUB {
        installed.extend(grub_files(host, folder)?);
        match file(host, &format!("{folder}/grub.cfg")) {
            Ok(Some(_)) => configs.push(format!("{folder}/grub.cfg")),
            Ok(None) => {}
            Err(Missing::Unreadable(why)) => denied = Some(why),
            Err(Missing::Absent) => {}
        }
    }
    // What has GRUB in its name there, and shim, which starts it.
    let program = |path: &&String| {
        path.to_ascii_lowercase().ends_with(".efi") && path.to_ascii_lowercase().contains("/grub")
    };
    installed.extend(efi.iter().filter(program).cloned());
    let stubs = efi.iter().filter(|path| path.ends_with("/grub.cfg"));
    configs.extend(stubs.cloned());
    if let Some(why) = denied {
        return Err(Missing::Unreadable(why));
    }
    if configs.is_empty() && installed.is_empty() {
        return Ok(None);
    }
    // GRUB 1 and 2 may both have been there; only one has files of its kind.
    if configs.is_empty() && installed.iter().all(|path| path.ends_with("/grubenv")) {
        return Ok(None);
    }
    let folder =
        GRUB.into_iter().find(|folder| installed.iter().any(|path| path.starts_with(&format!("{folder}/"))));
    let usual = format!("{}/grub.cfg", folder.unwrap_or(GRUB[0]));
    let mut best: Option<(String, Made)> = None;
    for config in configs {
        let made = menus::grub(host, &config, folder)?;
        // A stub on the EFI system partition only leads to the real one.
        if made.is_menu() {
            best = Some((config, made));
            break;
        }
        if best.is_none() {
            best = Some((config, made));
        }
    }
    let (config, made) = best.unwrap_or((usual, Made::default()));
    if let Some(why) = closed.filter(|_| !made.is_menu()) {
        // The menu may be where we may not look.
        return Err(Missing::Unreadable(why.clone()));
    }
    finish(host, BootloaderKind::Grub, installed, config, made).map(Some)
}

fn legacy(host: &Host, efi: &[String]) -> Reading<Option<Found>> {
    let folder = GRUB[0];
    let mut installed = Vec::new();
    for name in ["stage1", "stage2"] {
        if host.exists(&format!("{folder}/{name}"))? {
            installed.push(format!("{folder}/{name}"));
        }
    }
    let names = ["/boot/grub/menu.lst", "/boot/grub/grub.conf"];
    let on_efi = efi.iter().map(String::as_str).filter(|path| path.ends_with("/grub.conf"));
    let mut configs = Vec::new();
    for name in names.into_iter().chain(on_efi) {
        if let Some(size) = file(host, name)? {
            configs.push((name, size));
        }
    }
    if installed.is_empty() && configs.is_empty() {
        return Ok(None);
    }
    // On Red Hat's systems menu.lst is a link to grub.conf, the name that people know there.
    let is_link = host.source.read_link(Path::new(names[0])).is_ok();
    let config = configs
        .iter()
        .find(|(name, _)| !(is_link && *name == names[0]))
        .or(configs.first())
        .map(|(name, _)| *name);
    let config = config.unwrap_or(if is_link { names[1] } else { names[0] });
    let made = match host.read_text(config).optional()? {
        Some(text) => menus::legacy(host, config, &text)?,
        None => Made::default(),
    };
    finish(host, BootloaderKind::GrubLegacy, installed, config.to_owned(), made).map(Some)
}

fn systemd_boot(host: &Host, folder: &str, config: String, efi: Vec<String>) -> Reading<Found> {
    let text = host.read_text(&config).optional()?.unwrap_or_default();
    let default = text.lines().filter_map(|line| {
        let (key, value) = line.trim().split_once(|c: char| c.is_ascii_whitespace())?;
        (key == "default").then(|| value.trim().to_owned())
    });
    let default = default.fold(None, |_, value| Some(value));
    let made = menus::loader_entries(host, &format!("{folder}/entries"), default, false)?;
    let installed =
        efi.into_iter().filter(|path| path.to_ascii_lowercase().contains("systemd-boot")).collect();
    finish(host, BootloaderKind::SystemdBoot, installed, config, made)
}

fn finish(
    host: &Host,
    kind: BootloaderKind,
    installed: Vec<String>,
    config: String,
    made: Made,
) -> Reading<Found> {
    let config_bytes = file(host, &config)?;
    Ok(Found {
        kind,
        installed,
        faults: made.faults.iter().map(|(line, what)| format!("{config}:{line}: {what}")).collect(),
        default: made.started(),
        entries: made.entries,
        default_name: made.default_name,
        default_found: made.default_found,
        config_bytes,
        config,
    })
}
