//! The resource limits that pam_limits gives to sessions, in the order in which it applies them.

mod line;
mod module;
#[cfg(test)]
mod tests;

use super::Fact;
use crate::model::{Field, Lazy, Partial, Type, View};
use crate::record;
use crate::source::{At, Host, Missing, Reading, Reason};
pub use line::{Kind, Which};
use line::{Line, parse};
pub use module::UnlimitedNofile;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

record! {
    /// The configuration of pam_limits: limits.conf, then every limits.d/*.conf by name.
    ///
    /// ```text
    /// /etc/security/limits.conf             *       soft    nofile  65535
    /// /etc/security/limits.conf             @dba    -       memlock unlimited
    /// /etc/security/limits.d/20-nproc.conf  *       soft    nproc   4096
    /// ```
    ///
    /// Source: limits.conf(5), pam_limits(8), and modules/pam_limits/pam_limits.c of Linux-PAM. Where /etc has no
    /// limits.conf the vendor's is read; a limits.d file of /etc hides the vendor's of the same name. Of the
    /// entries that match a user those for the user (or a uid range) come before those for a group, and these before `*`;
    /// among equals the last one holds. Sessions get these limits; services of systemd do not.
    /// Absent where there is none of the files.
    #[bare(entries)]
    pub struct Limits {
        /// The entries that pam_limits understands, in the order in which it reads them.
        pub entries: Partial<Entry>,
        /// What holds of each domain and item once all files are read.
        pub effective: Partial<Effective>,
        /// Every line that is neither blank nor a comment.
        pub lines: Partial<LimitsLine>,
        /// Those of the lines that pam_limits skips, or reads otherwise than they look.
        pub malformed: Partial<LimitsLine>,
        /// Lines of a domain and a `-` only: pam_limits sets nothing at all for these users.
        pub exempt: Vec<Exempt>,
        /// What pam_limits makes of "unlimited" for nofile, read from the module itself, for distributions backport this;
        /// absent where PAM has no pam_limits.so.
        pub unlimited_nofile: Lazy<UnlimitedNofile>,
        /// Whether entries for `*` and for groups leave root out, as Debian and its descendants have changed
        /// pam_limits to do. Read from the module itself; absent where PAM has no pam_limits.so.
        pub root_needs_own_entry: Lazy<bool>,
    }
}

record! {
    /// A line of limits.conf or limits.d that sets a limit.
    pub struct Entry {
        /// Whom it is for, as it is written: `root`, `*`, `@group`, `%group`, `1000:`.
        pub domain: String,
        /// What kind of domain that is; those that come first have priority over the later ones.
        pub kind: Kind,
        /// Which limit is set; `-` for maxlogins, maxsyslogins, nonewprivs and priority, where it makes no difference.
        pub r#type: Which,
        /// What is limited, in small letters: `nofile`, `nproc`, `memlock`, …
        pub item: String,
        /// The value as pam_limits reads it, in the item's own unit: KiB for core, data, fsize, memlock, rss, stack and
        /// as; minutes for cpu; bytes for msgqueue; else a number. Absent for chroot (Debian), which is a path.
        pub value: Option<Value>,
        /// Whether the value is unlimited in one of its spellings: `unlimited`, `infinity`, `-1`, `-`.
        pub unlimited: bool,
        /// The value as it is written.
        pub written: String,
        /// Whether this entry decides the soft limit of its domain: it sets one, and no later entry does.
        pub sets_soft: bool,
        /// Whether this entry decides the hard limit of its domain: it sets one, and no later entry does.
        pub sets_hard: bool,
        /// The later entry for the same domain and item that takes its soft limit, its hard limit or both; absent if none.
        pub overridden_by: Option<At>,
        /// The value of that later entry.
        pub overridden_value: Option<Value>,
        /// Which of the limits that later entry takes.
        pub overridden_type: Option<Which>,
        /// The line of the domain and a `-` only which makes pam_limits set nothing for this domain; absent if none.
        pub exempted_by: Option<At>,
        /// File and line.
        pub at: At,
    }
}

record! {
    /// What holds of a domain and an item once all files are read, of the items that have a soft and a hard limit.
    ///
    /// A limit that the domain itself does not set is the one of `*`, unless the domain is root (who has none of
    /// `*` on Debian). A user for whom several domains match is not looked into.
    #[derive(Clone)]
    pub struct Effective {
        /// Whom it is for: `root`, `*`, `@group`, `1000:`.
        pub domain: String,
        /// What is limited: `nofile`, …
        pub item: String,
        /// The soft limit, in the item's unit; absent where nothing sets it.
        pub soft: Option<Value>,
        /// The hard limit, in the item's unit; absent where nothing sets it.
        pub hard: Option<Value>,
        /// Where the soft limit is set.
        pub soft_at: Option<At>,
        /// Where the hard limit is set.
        pub hard_at: Option<At>,
        /// Where one of the two is set.
        pub at: At,
    }
}

record! {
    /// A line of limits.conf or limits.d, understood or not.
    #[derive(Clone)]
    pub struct LimitsLine {
        /// The line, without comment.
        pub text: String,
        /// What pam_limits does with it, and why, if that is not what it looks like; else absent.
        pub reason: Option<String>,
        /// Whether the line has an effect, though perhaps not the one it seems to have.
        pub applied: bool,
        /// File and line.
        pub at: At,
    }
}

record! {
    /// A line of a domain and a `-` only.
    pub struct Exempt {
        /// For whom pam_limits sets nothing at all: `root`, `@group`, `1000:`.
        pub domain: String,
        /// File and line.
        pub at: At,
    }
}

/// A value of limits.conf: a number, negative for nice and priority, or unlimited, which is larger than all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// At most this many.
    Number(i128),
    /// `unlimited`, `infinity`, `-1` or `-`.
    Unlimited,
}

impl Field for Value {
    const TYPE: Type = Type::Double;

    fn view(&self) -> Reading<View<'_>> {
        Ok(match self {
            Self::Number(n) => i64::try_from(*n).map_or(View::Double(*n as f64), View::Int),
            Self::Unlimited => View::Double(f64::INFINITY),
        })
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(n) => write!(f, "{n}"),
            Self::Unlimited => f.write_str("unlimited"),
        }
    }
}

const MAIN: &str = "/etc/security";

/// Where distributions that keep their defaults out of /etc build Linux-PAM to look (`vendordir`): SUSE, Fedora.
const VENDOR: [&str; 2] = ["/usr/etc/security", "/usr/share/security"];

impl Fact for Limits {
    const NAME: &'static str = "limits";
    const READS: &'static [&'static str] = &[
        "/etc/security/limits.conf",
        "/etc/security/limits.d/*.conf",
        "/usr/etc/security/limits.conf",
        "/usr/etc/security/limits.d/*.conf",
        "/usr/share/security/limits.conf",
        "/usr/share/security/limits.d/*.conf",
        "/usr/lib/*/security/pam_limits.so",
    ];

    fn collect(host: &Host) -> Reading<Self> {
        let mut texts = Partial::default();
        let mut lines = 0;
        texts.add(main_file(host).and_then(|found| few_lines(found, &mut lines)));
        for (path, found) in drop_ins(host) {
            let found = found.and_then(|()| few_lines(Some((host.read_text(&path)?, path)), &mut lines));
            texts.add(found);
        }
        if texts.items.is_empty() && texts.unread.is_empty() {
            return Err(Missing::Absent);
        }
        let mut limits = gather(&texts.items);
        limits.entries.unread.clone_from(&texts.unread);
        limits.effective.unread.clone_from(&texts.unread);
        limits.lines.unread.clone_from(&texts.unread);
        limits.malformed.unread = texts.unread;
        let [first, second] = [host.clone(), host.clone()];
        limits.unlimited_nofile = Lazy::new(move || module::unlimited_nofile(&first));
        limits.root_needs_own_entry = Lazy::new(move || module::root_needs_own_entry(&second));
        Ok(limits)
    }
}

type Text = (String, String);

/// How many lines all files may have together; honest ones have some hundred.
const MAX_LINES: usize = 100_000;

/// The text, if it does not make too many `lines` with those before it.
fn few_lines(text: Option<Text>, lines: &mut usize) -> Reading<Option<Text>> {
    let Some((text, path)) = text else { return Ok(None) };
    // Long lines take as much as many.
    *lines = lines.saturating_add(text.lines().count().max(text.len() / 100));
    if *lines > MAX_LINES {
        let what = format!("not taken into account: the files have more than {MAX_LINES} lines in all");
        return Err(Missing::unreadable(path, Reason::NotRead(what)));
    }
    Ok(Some((text, path)))
}

/// limits.conf: the vendor's only where /etc has none.
fn main_file(host: &Host) -> Reading<Option<Text>> {
    for dir in [MAIN].into_iter().chain(VENDOR) {
        let path = format!("{dir}/limits.conf");
        match host.read_text(&path) {
            Err(Missing::Absent) => {}
            Err(missing) if missing.is_not_collected() && has_no_vendor_directory(host, dir) => {}
            Err(missing) => return Err(missing),
            Ok(text) => return Ok(Some((text, path))),
        }
    }
    Err(Missing::Absent)
}

/// The paths of limits.d in the order of their names; a directory that cannot be listed stands for itself.
fn drop_ins(host: &Host) -> Vec<(String, Reading<()>)> {
    let mut found: BTreeMap<String, (String, Reading<()>)> = BTreeMap::new();
    for dir in [MAIN].into_iter().chain(VENDOR) {
        let no_vendor = has_no_vendor_directory(host, dir);
        let dir = format!("{dir}/limits.d");
        match host.names(&dir) {
            Ok(names) => {
                // glob(3) does not match a dot at the beginning with `*`.
                for name in names.into_iter().filter(|n| n.ends_with(".conf") && !n.starts_with('.')) {
                    let path = format!("{dir}/{name}");
                    found.entry(name).or_insert((path, Ok(())));
                }
            }
            Err(Missing::Absent) => {}
            Err(missing) if missing.is_not_collected() && no_vendor => {}
            Err(missing) => {
                found.insert(dir.clone(), (dir, Err(missing)));
            }
        }
    }
    found.into_values().collect()
}

/// Whether Linux-PAM is surely built without a vendor's directory: that of Debian up to 12, Ubuntu up to 24.04, and of Red Hat and
/// its kin before 10.
fn has_no_vendor_directory(host: &Host, dir: &str) -> bool {
    let text = host.read_text("/etc/os-release").unwrap_or_default();
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        Some(line.trim_matches(['"', '\'', ' ']))
    };
    let ids = [value("ID="), value("ID_LIKE=")].map(Option::unwrap_or_default).join(" ");
    let is = |name: &str| ids.split_ascii_whitespace().any(|id| id == name);
    let version: Option<f64> = value("VERSION_ID=").and_then(|version| version.parse().ok());
    let before = |first: f64| version.is_some_and(|version| version < first);
    let is_without = match () {
        () if is("rhel") => before(10.0),
        () if is("ubuntu") => before(24.05),
        () if is("debian") => before(13.0),
        () => false,
    };
    dir != MAIN && is_without
}

/// What these files say together, in their order.
fn gather(texts: &[Text]) -> Limits {
    let (mut entries, mut exempt, mut lines) = (Vec::new(), Vec::new(), Vec::new());
    for (text, path) in texts {
        let path: Arc<str> = path.as_str().into();
        for (number, line) in (1u32..).zip(text.split('\n')) {
            let text = line::significant(line);
            if text.is_empty() {
                continue;
            }
            let at = At::line(path.clone(), number);
            let (applied, reason) = match parse(text, &at) {
                Ok(Line::Entry(entry, misread)) => {
                    entries.push(*entry);
                    (true, misread)
                }
                Ok(Line::Exempt(domain)) => {
                    exempt.push(Exempt { domain, at: at.clone() });
                    (true, None)
                }
                Err(reason) => (false, Some(reason)),
            };
            lines.push(LimitsLine { text: text.to_owned(), reason, applied, at });
        }
    }
    decide(&mut entries, &exempt);
    let complete = Vec::new;
    Limits {
        effective: Partial { items: effective(&entries), unread: complete() },
        entries: Partial { items: entries, unread: complete() },
        malformed: Partial {
            items: lines.iter().filter(|l| l.reason.is_some()).cloned().collect(),
            unread: complete(),
        },
        lines: Partial { items: lines, unread: complete() },
        exempt,
        unlimited_nofile: Lazy::of(Err(Missing::Absent)),
        root_needs_own_entry: Lazy::of(Err(Missing::Absent)),
    }
}

/// Finds, for each entry, the last one for the same domain and item, which takes its place.
fn decide(entries: &mut [Entry], exempt: &[Exempt]) {
    let exempt: HashMap<_, _> = exempt.iter().map(|e| (e.domain.as_str(), &e.at)).collect();
    let mut last: HashMap<_, [Option<usize>; 2]> = HashMap::new();
    for (position, entry) in entries.iter().enumerate() {
        let [soft, hard] = last.entry((entry.domain.clone(), entry.item.clone())).or_default();
        *soft = Some(position).filter(|_| entry.r#type.has_soft()).or(*soft);
        *hard = Some(position).filter(|_| entry.r#type.has_hard()).or(*hard);
    }
    for position in 0..entries.len() {
        let (before, after) = entries.split_at_mut(position + 1);
        let Some(entry) = before.last_mut() else { continue };
        let key = (entry.domain.clone(), entry.item.clone());
        let [soft, hard] = last.get(&key).copied().unwrap_or_default();
        let soft = soft.filter(|p| *p > position && entry.r#type.has_soft());
        let hard = hard.filter(|p| *p > position && entry.r#type.has_hard());
        entry.exempted_by = exempt.get(entry.domain.as_str()).map(|at| (*at).clone());
        let exempted = entry.exempted_by.is_some();
        entry.sets_soft = entry.r#type.has_soft() && soft.is_none() && !exempted;
        entry.sets_hard = entry.r#type.has_hard() && hard.is_none() && !exempted;
        if let Some(winner) = soft.max(hard).and_then(|p| after.get(p - position - 1)) {
            entry.overridden_by = Some(winner.at.clone());
            entry.overridden_value = winner.value;
        }
        entry.overridden_type = match (soft, hard) {
            (None, None) => None,
            (Some(_), None) => Some(Which::Soft),
            (None, Some(_)) => Some(Which::Hard),
            (Some(_), Some(_)) => Some(Which::Both),
        };
    }
}

/// The soft and the hard limit of each domain and item.
fn effective(entries: &[Entry]) -> Vec<Effective> {
    let mut found: Vec<Effective> = Vec::new();
    let mut known = HashMap::new();
    for entry in
        entries.iter().filter(|e| (e.sets_soft || e.sets_hard) && line::ITEMS.contains(&e.item.as_str()))
    {
        let position = *known.entry((&entry.domain, &entry.item)).or_insert_with(|| {
            found.push(Effective {
                domain: entry.domain.clone(),
                item: entry.item.clone(),
                soft: None,
                hard: None,
                soft_at: None,
                hard_at: None,
                at: entry.at.clone(),
            });
            found.len() - 1
        });
        let Some(one) = found.get_mut(position) else { continue };
        if entry.sets_soft {
            (one.soft, one.soft_at) = (entry.value, Some(entry.at.clone()));
        }
        if entry.sets_hard {
            (one.hard, one.hard_at) = (entry.value, Some(entry.at.clone()));
        }
    }
    let defaults: Vec<_> = found.iter().filter(|e| e.domain == "*").cloned().collect();
    for one in found.iter_mut().filter(|e| e.domain != "root") {
        let Some(all) = defaults.iter().find(|d| d.item == one.item) else { continue };
        if one.soft.is_none() {
            (one.soft, one.soft_at) = (all.soft, all.soft_at.clone());
        }
        if one.hard.is_none() {
            (one.hard, one.hard_at) = (all.hard, all.hard_at.clone());
        }
    }
    found
}
