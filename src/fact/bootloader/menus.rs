//! The menus of each boot loader, with the files that their entries name.

use super::{BootEntry, BootInitrd};
use crate::format::boot_menu::{Menu, MenuEntry, default_entry};
use crate::format::kernel_files::version_in_path;
use crate::format::loader_entry::{LoaderEntry, grub_order, parse, systemd_boot_order};
use crate::format::{
    device_path, grub_script, kernel_command_line, menu_lst, mountinfo, syslinux, udev_link,
};
use crate::model::{Partial, Text};
use crate::source::{At, FileKind, Host, Missing, Optional, Reading, Reason, Unreadable};
use std::collections::BTreeMap;
use std::path::Path;

/// A menu with what its entries lead to.
#[derive(Default)]
pub(super) struct Made {
    pub(super) entries: Partial<BootEntry>,
    pub(super) faults: Vec<(u32, String)>,
    pub(super) default_name: Option<String>,
    pub(super) default_found: bool,
    default: Option<BootEntry>,
    /// Why the default cannot be told.
    unknown: Option<Unreadable>,
}

impl Made {
    /// Whether there is anything to choose from, or may be.
    pub(super) fn is_menu(&self) -> bool {
        !self.entries.items.is_empty() || !self.entries.unread.is_empty()
    }

    pub(super) fn started(&self) -> Reading<BootEntry> {
        let unread = self.unknown.as_ref().or(self.entries.unread.first());
        match (&self.default, unread) {
            (_, Some(why)) => Err(Missing::Unreadable(why.clone())),
            (Some(entry), None) => Ok(entry.clone()),
            (None, None) => Err(Missing::Absent),
        }
    }
}

/// The entries of loader/entries with the files they were read from.
struct Listed {
    entries: Vec<(LoaderEntry, String)>,
    unread: Vec<Unreadable>,
}

/// As many entries nobody has.
const MOST: usize = 500;

fn listed(host: &Host, folder: &str) -> Listed {
    let mut found = Listed { entries: Vec::new(), unread: Vec::new() };
    let Some(names) = host.names(folder).noted(&mut found.unread) else {
        return found;
    };
    for name in names.iter().filter(|name| name.ends_with(".conf")).take(MOST) {
        let path = format!("{folder}/{name}");
        if let Some(text) = host.read_text(&path).noted(&mut found.unread) {
            found.entries.push((parse(name, &text), path));
        }
    }
    found
}

/// GRUB 2's menu: that of its script, and, with blscfg, the entries of their own files in front of it.
pub(super) fn grub(host: &Host, config: &str, folder: Option<&str>) -> Reading<Made> {
    let text = host.read_text(config)?;
    let beside = config.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut env = BTreeMap::new();
    for folder in folder.into_iter().chain([beside]) {
        if let Some(text) = host.read_text(&format!("{folder}/grubenv")).optional()? {
            env = grub_script::grubenv(&text);
            break;
        }
    }
    let mut menu = grub_script::menu(&text, &env);
    // Of what 41_custom reads, after all others.
    if text.contains("custom.cfg")
        && let Some(custom) = host.read_text(&format!("{beside}/custom.cfg")).optional()?
    {
        menu.entries.extend(grub_script::menu(&custom, &env).entries);
    }
    let mut paths = Vec::new();
    let mut unread = Vec::new();
    if menu.blscfg {
        let mut found = listed(host, "/boot/loader/entries");
        found.entries.sort_by(|(a, _), (b, _)| grub_order(a, b));
        unread = found.unread;
        let bls: Vec<MenuEntry> =
            found.entries.iter().map(|(entry, _)| with_variables(&entry.entry, &env)).collect();
        paths = found.entries.into_iter().map(|(_, path)| path).collect();
        menu.entries.splice(0..0, bls);
    }
    Ok(made(host, config, menu, &paths, unread, &[""]))
}

/// The entry with the variables of grubenv in its command line, as blscfg replaces them.
fn with_variables(entry: &MenuEntry, env: &BTreeMap<String, String>) -> MenuEntry {
    let mut entry = entry.clone();
    let replace = |text: &str| {
        let words = text.split_ascii_whitespace().filter_map(|word| match word.strip_prefix('$') {
            Some(name) => env.get(name.trim_matches(['{', '}'])).cloned(),
            None => Some(word.to_owned()),
        });
        words.collect::<Vec<_>>().join(" ")
    };
    entry.options = replace(&entry.options);
    entry.initrds = entry.initrds.iter().map(|name| replace(name)).filter(|name| !name.is_empty()).collect();
    entry
}

pub(super) fn legacy(host: &Host, config: &str, text: &str) -> Reading<Made> {
    let menu = menu_lst::menu(text);
    let mut made = made(host, config, menu, &[], Vec::new(), &[""]);
    if made.default_name.as_deref() == Some("saved") {
        let unknown = "the default is the entry that was last chosen, which GRUB keeps in a file of its own";
        made.unknown = Some(Unreadable { path: config.into(), reason: Reason::NotRead(unknown.into()) });
    }
    Ok(made)
}

pub(super) fn extlinux(host: &Host, config: &str, text: &str) -> Reading<Made> {
    // Names without a slash are beside the configuration.
    let beside = config.rsplit_once('/').map_or("", |(folder, _)| folder);
    Ok(made(host, config, syslinux::menu(text), &[], Vec::new(), &[beside, "/boot/firmware", ""]))
}

/// What systemd-boot and zipl choose from: the files alone. The default of systemd-boot is a pattern of file names.
pub(super) fn loader_entries(
    host: &Host,
    folder: &str,
    default: Option<String>,
    zipl: bool,
) -> Reading<Made> {
    let mut found = listed(host, folder);
    found.entries.sort_by(|(a, _), (b, _)| if zipl { grub_order(a, b) } else { systemd_boot_order(a, b) });
    let pattern = default.clone().unwrap_or_default();
    let chosen = |entry: &MenuEntry| {
        let id = entry.id.as_deref().unwrap_or_default();
        // Counted attempts are in the name: `id+3-1.conf`.
        let plain = id.split('+').next().unwrap_or(id);
        let matches = |name: &str| crate::source::glob::matches(&pattern, name);
        [id, plain].iter().any(|name| matches(name) || matches(&format!("{name}.conf")))
    };
    let position = found.entries.iter().position(|(entry, _)| chosen(&entry.entry));
    let entries: Vec<MenuEntry> = found.entries.iter().map(|(entry, _)| entry.entry.clone()).collect();
    let paths: Vec<String> = found.entries.into_iter().map(|(_, path)| path).collect();
    let menu = Menu { entries, default: position.map(|at| at.to_string()), ..Menu::default() };
    let root = folder.strip_suffix("/loader/entries").unwrap_or_default().to_owned();
    let mut made = made(host, folder, menu, &paths, found.unread, &[&root, ""]);
    if pattern.starts_with('@') {
        let unknown = "the default is what the firmware's variables say";
        made.unknown = Some(Unreadable { path: folder.into(), reason: Reason::NotRead(unknown.into()) });
    }
    made.default_found |= default.is_none();
    made.default_name = default;
    Ok(made)
}

/// The menu with its files, which are looked for below these folders.
fn made(
    host: &Host,
    config: &str,
    menu: Menu,
    paths: &[String],
    unread: Vec<Unreadable>,
    roots: &[&str],
) -> Made {
    let name = menu.default.clone().unwrap_or_default();
    let at = |entry: &MenuEntry, path: &[usize]| match path {
        [first] if *first < paths.len() => {
            paths.get(*first).map_or_else(|| At::file(config), |path| At::file(path.as_str()))
        }
        _ => At::line(config, entry.line),
    };
    let record = |entry: &MenuEntry, path: &[usize]| resolved(host, entry, path, at(entry, path), roots);
    let mut all = Vec::new();
    flatten(&menu.entries, &mut Vec::new(), &mut |entry, path| all.push(record(entry, path)));
    let chosen = default_entry(&menu.entries, &name);
    let mut made = Made {
        default_found: chosen.as_ref().is_some_and(|(_, _, found)| *found),
        default: chosen.map(|(entry, path, _)| record(entry, &path)),
        entries: Partial { items: all, unread },
        faults: menu.faults,
        default_name: menu.default,
        unknown: None,
    };
    if name.contains('$') {
        let unknown = "which entry is the default depends on what only the firmware or another disk knows";
        made.unknown = Some(Unreadable { path: config.into(), reason: Reason::NotRead(unknown.into()) });
    }
    made
}

fn flatten(entries: &[MenuEntry], above: &mut Vec<usize>, each: &mut dyn FnMut(&MenuEntry, &[usize])) {
    for (position, entry) in entries.iter().enumerate() {
        above.push(position);
        match &entry.children {
            Some(children) => flatten(children, above, each),
            None => each(entry, above),
        }
        above.pop();
    }
}

fn resolved(host: &Host, entry: &MenuEntry, path: &[usize], at: At, roots: &[&str]) -> BootEntry {
    let parameters = kernel_command_line::parse(&entry.options).parameters;
    let values: BTreeMap<String, Text> =
        parameters.into_iter().map(|(name, value)| (name, Text(value.unwrap_or_default()))).collect();
    let root = values.get("root").map(|root| root.0.clone());
    let kernel = entry.kernel.as_deref().ok_or(Missing::Absent);
    let kernel = kernel.and_then(|name| file(host, name, roots));
    let initrds = entry.initrds.iter().map(|name| {
        let found = file(host, name, roots);
        BootInitrd {
            name: name.clone(),
            size_bytes: found.as_ref().map(|(_, size)| *size).map_err(Clone::clone),
            file: found.map(|(path, _)| path),
            at: at.clone(),
        }
    });
    let root_path = root.as_deref().and_then(udev_link::path);
    BootEntry {
        title: entry.title.clone(),
        id: entry.id.clone(),
        position: path.iter().map(usize::to_string).collect::<Vec<_>>().join(">"),
        kernel_bytes: kernel.as_ref().map(|(_, size)| *size).map_err(Clone::clone),
        kernel_file: kernel.map(|(path, _)| path),
        version: entry.kernel.as_deref().and_then(version_in_path).map(str::to_owned),
        kernel: entry.kernel.clone(),
        initrds: initrds.collect(),
        options: entry.options.clone(),
        parameters: values,
        root_exists: match &root_path {
            Some(path) => device_path::exists(host, path),
            None => Err(Missing::Absent),
        },
        root_path,
        root,
        foreign: entry.foreign,
        at,
    }
}

/// The file that a boot loader's path names, and its size. The boot loader sees the file system that holds /boot, which may be the
/// root's (`/boot/vmlinuz`), one of its own (`/vmlinuz`), or a subvolume or data set in a larger one (`/@/boot/vmlinuz`,
/// `/BOOT/debian@/vmlinuz`); so the path is looked for at the ends it has. In a report of a host, which tells nothing of its root
/// directory, that is left out where /boot is a file system of its own.
fn file(host: &Host, name: &str, roots: &[&str]) -> Reading<(String, u64)> {
    // `(hd0,1)/vmlinuz`, `($root)/vmlinuz`.
    let path = match name.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
        Some((_, path)) => path,
        None => name,
    };
    if path.contains('$') {
        let why = "its name depends on a variable that is not known";
        return Err(Missing::unreadable(name, Reason::NotRead(why.into())));
    }
    let path = format!("/{}", path.trim_start_matches('/'));
    let mut tried = 0;
    let mut open = None;
    let mut rest = path.as_str();
    while !rest.is_empty() && tried < 8 {
        for root in roots.iter().copied().chain(["/boot"]) {
            let place = format!("{root}{rest}");
            match host.source.stat(Path::new(&place)) {
                Ok(stat) if stat.kind == FileKind::File => return Ok((place, stat.size)),
                Ok(_) | Err(Missing::Absent) => {}
                Err(missing) if missing.is_not_collected() => {
                    if !root.is_empty() || !boot_is_mounted(host) {
                        open.get_or_insert(missing);
                    }
                }
                Err(missing) => return Err(missing),
            }
        }
        tried += 1;
        rest = rest
            .get(1..)
            .and_then(|inner| inner.find('/').and_then(|at| inner.get(at..)))
            .unwrap_or_default();
    }
    Err(open.unwrap_or(Missing::Absent))
}

/// Whether /boot is a file system of its own, as far as is told.
fn boot_is_mounted(host: &Host) -> bool {
    let mounts = mountinfo::read(host).map(|(path, text)| mountinfo::parse(path, &text).0);
    mounts.is_ok_and(|mounts| mounts.iter().any(|mount| mount.mount_point == "/boot"))
}
