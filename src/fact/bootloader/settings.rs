//! What new entries are made from, and other files about the boot loader.

use super::{BootCommandLine, BootEntry, CommandLinePlace, DeviceMapLine};
use crate::format::{grub_settings, kernel_command_line};
use crate::model::Partial;
use crate::source::{At, Host, Missing, Optional, Reading};

const KERNEL: &str = "/etc/kernel/cmdline";
const RUNNING: &str = "/proc/cmdline";

/// The command lines but that of the default entry.
pub(super) fn command_lines(host: &Host) -> Partial<BootCommandLine> {
    let mut found = Partial::default();
    found.add(grub_settings::read(host).map(|settings| {
        let names = ["GRUB_CMDLINE_LINUX", "GRUB_CMDLINE_LINUX_DEFAULT"];
        let set = names.iter().filter_map(|name| Some((*name, settings.values.get(*name)?.clone())));
        let lines = set.map(|(name, (value, at))| command_line(CommandLinePlace::Settings, name, &value, at));
        lines.collect::<Vec<_>>()
    }));
    for (place, path) in [(CommandLinePlace::Settings, KERNEL), (CommandLinePlace::Running, RUNNING)] {
        found.add(host.read_text(path).map(|text| [command_line(place, path, &text, At::file(path))]));
    }
    found
}

pub(super) fn of_default(entry: &BootEntry) -> BootCommandLine {
    command_line(CommandLinePlace::Default, &entry.title, &entry.options, entry.at.clone())
}

fn command_line(place: CommandLinePlace, name: &str, text: &str, at: At) -> BootCommandLine {
    let parsed = kernel_command_line::parse(text);
    let words = parsed.parameters.into_iter().map(|(name, value)| match value {
        Some(value) => format!("{name}={value}"),
        None => name,
    });
    let words = words.chain(parsed.init).collect();
    BootCommandLine { place, name: name.to_owned(), text: text.trim().to_owned(), words, at }
}

pub(super) fn device_map(host: &Host) -> Reading<Vec<DeviceMapLine>> {
    for path in ["/boot/grub/device.map", "/boot/grub2/device.map"] {
        if let Some(text) = host.read_text(path).optional()? {
            let lines = (1..).zip(text.lines()).filter_map(|(line, text)| {
                let (name, device) = text.trim().split_once(|c: char| c.is_ascii_whitespace())?;
                let device = device.trim();
                (name.starts_with('(') && device.starts_with('/')).then(|| DeviceMapLine {
                    name: name.to_owned(),
                    device: device.to_owned(),
                    at: At::line(path, line),
                })
            });
            return Ok(lines.collect());
        }
    }
    Err(Missing::Absent)
}
