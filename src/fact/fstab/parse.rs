//! Lines of fstab to entries.

use super::{FstabEffect, FstabEntry, FstabFault, FstabLine, FstabPart, FstabSpecKind, option};
use crate::format::{fs_type, udev_link};
use crate::model::Lazy;
use crate::source::octal;
use crate::source::{At, Missing};
use std::collections::HashSet;

/// The entries of an fstab and its lines with their faults. Fields that need more than the text are absent.
pub fn parse(path: &str, text: &str) -> (Vec<FstabEntry>, Vec<FstabLine>) {
    let (mut entries, mut lines) = (Vec::new(), Vec::new());
    // `lines` takes the CR of a CR LF away, as libmount does.
    for (number, text) in (1..).zip(text.lines()) {
        let line =
            Line { path, number, text, fields: text.split([' ', '\t']).filter(|f| !f.is_empty()).collect() };
        if line.fields.first().is_none_or(|first| first.starts_with('#')) {
            continue;
        }
        let mut faults = Vec::new();
        let meant = line.blank().map(|(_, meant)| meant);
        entries.extend(line.entry(&mut faults));
        lines.push(FstabLine {
            text: text.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect(),
            mount_point: meant.unwrap_or_else(|| mount_point(line.field(1))),
            faults,
            line: number,
            at: line.at(),
        });
    }
    line_ends(text, &mut entries, &mut lines);
    (entries, lines)
}

/// The position of the entry of this line. Entries stand in the order of the file.
pub(super) fn entry_of(entries: &[FstabEntry], line: u32) -> Option<usize> {
    entries.binary_search_by_key(&line, |entry| entry.line).ok()
}

/// A fault of a line that does not stop the boot, as far as is known yet.
fn fault(part: FstabPart, effect: FstabEffect, what: impl Into<String>) -> FstabFault {
    FstabFault { part, what: what.into(), effect, stops_boot: false }
}

struct Line<'a> {
    path: &'a str,
    number: u32,
    text: &'a str,
    fields: Vec<&'a str>,
}

impl Line<'_> {
    fn field(&self, position: usize) -> &str {
        self.fields.get(position).copied().unwrap_or_default()
    }

    fn at(&self) -> At {
        At::line(self.path, self.number)
    }

    /// What the line is taken for at boot, if for anything; what is wrong with it goes to `faults`.
    fn entry(&self, faults: &mut Vec<FstabFault>) -> Option<FstabEntry> {
        if let Some(fatal) = self.fatal() {
            faults.push(fatal);
            return None;
        }
        let entry = self.read();
        self.count(faults);
        self.spec(&entry, faults);
        self.escapes(&entry, faults);
        if let Some(meant) = fs_type::meant(&entry.r#type) {
            let what = format!("has the file system type `{}`; `{meant}` must be meant", entry.r#type);
            faults.push(fault(FstabPart::Type, FstabEffect::Fails, what));
        }
        for option in entry.options.iter().filter(|_| entry.r#type != "swap") {
            if let Some(meant) = option::meant(option) {
                let what =
                    format!("has the option `{option}`, which no file system knows; `{meant}` must be meant");
                faults.push(fault(FstabPart::Option, FstabEffect::Fails, what));
            }
        }
        self.numbers(faults);
        for fault in faults.iter_mut() {
            fault.stops_boot = entry.stops_boot;
        }
        Some(entry)
    }

    /// What keeps the line from being an entry that means what it says.
    fn fatal(&self) -> Option<FstabFault> {
        if self.text.chars().any(|c| c.is_control() && c != '\t' && c != '\r') {
            let what = "holds control characters";
            return Some(fault(FstabPart::Garbage, FstabEffect::Ignored, what));
        }
        if self.fields.len() < 2 {
            let what = "has only 1 field: there is no mount point";
            return Some(fault(FstabPart::Fields, FstabEffect::Ignored, what));
        }
        if let Some((blank, _)) = self.blank() {
            return Some(blank);
        }
        let (point, fs_type) = (self.field(1), self.field(2));
        if point.starts_with('/') || matches!(fs_type, "swap" | "ignore") {
            return None;
        }
        let what = format!("has the mount point `{point}`, which is no absolute path");
        Some(fault(FstabPart::MountPoint, FstabEffect::Ignored, what))
    }

    /// A blank in one of the first two fields: the type stands too far to the right. With the mount point meant.
    fn blank(&self) -> Option<(FstabFault, String)> {
        let is_type =
            |field: &str| fs_type::is_known(field) && !matches!(field, "auto" | "none" | "ignore" | "shm");
        if fs_type::is_known(self.field(2)) {
            return None;
        }
        let position = (3..self.fields.len()).find(|i| is_type(self.field(*i)))?;
        let meant = self.fields.get(..position)?;
        // The last path before the type is where the mount point starts, what is before it is the first field.
        let point = (1..position).rev().find(|i| self.field(*i).starts_with('/')).unwrap_or(1);
        let place = if point == 1 { "mount point" } else { "first field" };
        let read = if self.field(1).starts_with('/') {
            format!("it is read as mount point {} and type `{}`", self.field(1), self.field(2))
        } else {
            format!("`{}` is read as the mount point", self.field(1))
        };
        let effect = if self.field(1).starts_with('/') { FstabEffect::Misread } else { FstabEffect::Ignored };
        let mut wrong = fault(FstabPart::Blank, effect, format!("has a blank in its {place}: {read}"));
        wrong.stops_boot = effect == FstabEffect::Misread && !option::spare(&options(self.field(3)));
        Some((wrong, meant.get(point..).unwrap_or_default().join(" ")))
    }

    fn read(&self) -> FstabEntry {
        let fs_type = if self.field(2).is_empty() { "auto" } else { self.field(2) };
        let fs_type = octal::decode(fs_type);
        let spec = octal::decode(self.field(0));
        let options = options(self.field(3));
        let bind = option::has(&options, "bind") || option::has(&options, "rbind");
        let (spec_kind, spec_value) = spec_kind(&spec, &fs_type, bind);
        let spec_path = spec_path(spec_kind, &spec_value);
        let netdev = option::has(&options, "_netdev");
        let mount_point = match fs_type.as_str() {
            "swap" if !self.field(1).starts_with('/') => octal::decode(self.field(1)),
            _ => mount_point(self.field(1)),
        };
        let remote = netdev || fs_type::is_known_remote(&fs_type);
        let never = matches!(fs_type.as_str(), "swap" | "autofs" | "ignore");
        FstabEntry {
            network: fs_type::is_remote(&fs_type, &spec)
                || spec_kind == FstabSpecKind::Network
                || spec_path.as_deref().is_some_and(is_network_device),
            stops_boot: mount_point == "/" || !(never || remote || option::spare(&options)),
            spec_kind,
            spec_value,
            spec_path,
            spec_exists: Lazy::of(Err(Missing::Absent)),
            mount_point,
            mount_point_real: Lazy::of(Err(Missing::Absent)),
            mount_point_exists: Lazy::of(Err(Missing::Absent)),
            mount_point_is_directory: Lazy::of(Err(Missing::Absent)),
            dump: self.field(4).parse().unwrap_or(0),
            pass: self.field(5).parse().unwrap_or(0),
            noauto: option::last_of(&options, "noauto", "auto") == Some(true),
            nofail: option::last_of(&options, "nofail", "fail") == Some(true),
            read_only: option::last_of(&options, "ro", "rw") == Some(true),
            automount: option::is_automount(&options),
            netdev,
            remote,
            bind,
            spec,
            r#type: fs_type,
            options,
            line: self.number,
            at: self.at(),
        }
    }

    fn count(&self, faults: &mut Vec<FstabFault>) {
        if self.fields.len() == 2 {
            // systemd lets mount(8) find the type out; libmount wants it written.
            let what = "has only 2 fields: there is no file system type";
            faults.push(fault(FstabPart::Fields, FstabEffect::Half, what));
        }
        if self.fields.len() > 6 && !self.field(6).starts_with('#') && self.field(4).parse::<i32>().is_ok() {
            let what = format!("has {} fields; what follows the sixth is ignored", self.fields.len());
            faults.push(fault(FstabPart::Excess, FstabEffect::Harmless, what));
        }
    }

    fn spec(&self, entry: &FstabEntry, faults: &mut Vec<FstabFault>) {
        let Some((tag, value)) = entry.spec.split_once('=') else { return };
        let upper = tag.to_ascii_uppercase();
        if !TAGS.iter().any(|(known, _)| *known == upper) {
            return;
        }
        let what = if upper != tag {
            format!("writes `{tag}=` in lower case; only `{upper}=` is understood")
        } else if unquoted(value).is_none() {
            format!("has quotes that do not match in `{}`", entry.spec)
        } else if entry.spec_value.is_empty() {
            format!("has nothing after `{tag}=`")
        } else {
            return;
        };
        faults.push(fault(FstabPart::Spec, FstabEffect::Fails, what));
    }

    fn escapes(&self, entry: &FstabEntry, faults: &mut Vec<FstabFault>) {
        // In /dev/disk/by-label/a\x20b the backslash is the name's own, and \\server\share is Windows' way.
        let labelled = matches!(entry.spec_kind, FstabSpecKind::Label | FstabSpecKind::Partlabel);
        let spec = Some(self.field(0)).filter(|_| labelled);
        for field in spec.into_iter().chain([self.field(1)]) {
            if let Some(escape) = octal::doubtful(field) {
                let what = format!(
                    "has `{escape}` in `{field}`, which systemd leaves as it is: only \\040, \\011, \\012 and \\134 are understood everywhere"
                );
                faults.push(fault(FstabPart::Escape, FstabEffect::Misread, what));
            }
        }
    }

    fn numbers(&self, faults: &mut Vec<FstabFault>) {
        let (dump, pass) = (self.field(4), self.field(5));
        if !dump.is_empty() && dump.parse::<i32>().is_err() {
            let (part, what) = if dump.starts_with('#') {
                (FstabPart::Dump, "has a comment after its options, where a number belongs".to_owned())
            } else if self.field(3).ends_with(',') || dump.starts_with(',') {
                (FstabPart::Blank, format!("has a blank in its options, before `{dump}`"))
            } else {
                (FstabPart::Dump, format!("has `{dump}` for its fifth field (dump), which is no number"))
            };
            faults.push(fault(part, FstabEffect::Half, what));
        } else if !pass.is_empty() && !pass.starts_with('#') && pass.parse::<i32>().is_err() {
            let what = format!("has `{pass}` for its sixth field (fsck pass), which is no number");
            faults.push(fault(FstabPart::Pass, FstabEffect::Half, what));
        }
    }
}

/// CR LF: libmount takes the CR away, getmntent(3) leaves it on the last field.
///
/// A CR after a number does no harm, nor after an option that is handed on to mount(8), because systemd strips the
/// lines of the unit it writes. But `nofail` and its like are looked for with the CR still on.
fn line_ends(text: &str, entries: &mut [FstabEntry], lines: &mut [FstabLine]) {
    let ends: HashSet<u32> = (1..)
        .zip(text.split_inclusive('\n'))
        .filter(|(_, line)| line.ends_with("\r\n"))
        .map(|(n, _)| n)
        .collect();
    let mut hurt = false;
    for line in lines.iter_mut().filter(|line| ends.contains(&line.line)) {
        let Some(entry) = entry_of(entries, line.line).and_then(|at| entries.get_mut(at)) else { continue };
        let Some((last, seen)) = entry.options.split_last() else { continue };
        let is_last = line.text.trim_end().ends_with(last.as_str());
        if is_last && option::spare(&entry.options) && !option::spare(seen) {
            entry.stops_boot |= !entry.remote && entry.r#type != "swap";
            let what =
                format!("ends in CR LF, as DOS files do, so that systemd does not understand `{last}`");
            let wrong = fault(FstabPart::LineEnd, FstabEffect::Misread, what);
            line.faults.push(FstabFault { stops_boot: entry.stops_boot, ..wrong });
            hurt = true;
        }
    }
    if let Some(first) = lines.iter_mut().find(|line| !hurt && ends.contains(&line.line)) {
        let what = "ends in CR LF, as DOS files do";
        first.faults.push(fault(FstabPart::LineEnd, FstabEffect::Harmless, what));
    }
}

fn options(field: &str) -> Vec<String> {
    field.split(',').filter(|o| !o.is_empty()).map(octal::decode).collect()
}

/// A mount point, decoded, without doubled and trailing slashes.
fn mount_point(field: &str) -> String {
    let decoded = octal::decode(field);
    if !decoded.starts_with('/') {
        return decoded;
    }
    let parts: Vec<&str> = decoded.split('/').filter(|p| !p.is_empty()).collect();
    format!("/{}", parts.join("/"))
}

/// Tags of the first field, with the folder of /dev/disk that has a link for each.
const TAGS: [(&str, FstabSpecKind); 5] = [
    ("UUID", FstabSpecKind::Uuid),
    ("LABEL", FstabSpecKind::Label),
    ("PARTUUID", FstabSpecKind::Partuuid),
    ("PARTLABEL", FstabSpecKind::Partlabel),
    ("ID", FstabSpecKind::Id),
];

fn spec_kind(spec: &str, fs_type: &str, bind: bool) -> (FstabSpecKind, String) {
    if let Some((tag, value)) = spec.split_once('=')
        && let Some((_, kind)) = TAGS.iter().find(|(known, _)| *known == tag)
    {
        return (*kind, unquoted(value).unwrap_or(value).to_owned());
    }
    let kind = if fs_type::PSEUDO.contains(&fs_type) {
        FstabSpecKind::Pseudo
    } else if bind {
        FstabSpecKind::Path
    } else if matches!(spec, "/dev/root" | "/dev/nfs" | "/dev/fuse") {
        // Names for "what the kernel was booted with"; no such device need exist.
        FstabSpecKind::Other
    } else if spec.starts_with("/dev/") {
        FstabSpecKind::Device
    } else if spec.starts_with("//") || spec.starts_with("\\\\") || is_remote_path(spec) {
        FstabSpecKind::Network
    } else if spec.starts_with('/') {
        FstabSpecKind::Path
    } else if spec == "none" {
        FstabSpecKind::Pseudo
    } else {
        FstabSpecKind::Other
    };
    (kind, spec.to_owned())
}

/// `host:/path`, as NFS and most others write it.
fn is_remote_path(spec: &str) -> bool {
    !spec.starts_with('/') && spec.contains(":/")
}

/// Block devices behind which is another host.
fn is_network_device(path: &str) -> bool {
    ["/dev/nbd", "/dev/rbd", "/dev/drbd"].iter().any(|start| path.starts_with(start))
        || (path.starts_with("/dev/disk/by-path/") && path.contains("-iscsi-"))
}

/// A tag's value without its quotes; none where they do not match.
fn unquoted(value: &str) -> Option<&str> {
    let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        return (!value.ends_with(['"', '\''])).then_some(value);
    };
    value.strip_prefix(quote)?.strip_suffix(quote)
}

/// The path that udev makes for a spec.
fn spec_path(kind: FstabSpecKind, value: &str) -> Option<String> {
    let folder = match kind {
        FstabSpecKind::Device => return Some(value.to_owned()),
        FstabSpecKind::Uuid => "by-uuid",
        FstabSpecKind::Label => "by-label",
        FstabSpecKind::Partuuid => "by-partuuid",
        FstabSpecKind::Partlabel => "by-partlabel",
        FstabSpecKind::Id => "by-id",
        _ => return None,
    };
    Some(format!("/dev/disk/{folder}/{}", udev_link::encode(value)))
}
