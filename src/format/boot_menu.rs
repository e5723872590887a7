//! What boot loaders can start, whatever their configuration's syntax.

/// One entry of a menu, or a submenu with those in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MenuEntry {
    /// Its title.
    pub title: String,
    /// Its identity, where it has one besides the title.
    pub id: Option<String>,
    /// The kernel, as the loader is told of it. `$name` in it is a variable that is not known.
    pub kernel: Option<String>,
    /// The initial RAM disks, likewise, in order.
    pub initrds: Vec<String>,
    /// The kernel's command line, without the kernel.
    pub options: String,
    /// The entries of a submenu.
    pub children: Option<Vec<MenuEntry>>,
    /// Whether its kernel is another system's, as os-prober found it.
    pub foreign: bool,
    /// The line where it begins, from 1.
    pub line: u32,
}

/// A menu.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Menu {
    /// Its entries, in order.
    pub entries: Vec<MenuEntry>,
    /// What it names as its default: a number, an id, a title; parts of a path through submenus joined with `>`. None where it
    /// names none.
    pub default: Option<String>,
    /// Whether entries of /boot/loader/entries belong to it.
    pub blscfg: bool,
    /// Lines that make no sense, and why.
    pub faults: Vec<(u32, String)>,
}

/// The most entries that are kept.
pub const MOST_ENTRIES: usize = 1000;

/// The entry that the default leads to, as GRUB finds it (`get_entry_number` in grub-core/normal/menu.c): by number, else by id, else by
/// title; inside a submenu by the part after `>`. The path to it is told by numbers.
///
/// What is not found is the first entry: so GRUB goes on. None of an empty menu.
pub fn default_entry<'a>(
    entries: &'a [MenuEntry],
    default: &str,
) -> Option<(&'a MenuEntry, Vec<usize>, bool)> {
    let (first, rest) = match split_path(default) {
        Some((first, rest)) => (first, rest),
        None => (default.replace(">>", ">"), String::new()),
    };
    let by_number = first.parse::<usize>().ok().filter(|n| *n < entries.len());
    let by_id = || entries.iter().position(|e| e.id.as_deref() == Some(first.as_str()));
    let by_title = || entries.iter().position(|e| e.title == first);
    let found = if first.is_empty() { None } else { by_number.or_else(by_id).or_else(by_title) };
    let position = found.unwrap_or(0);
    let entry = entries.get(position)?;
    let Some(children) = &entry.children else { return Some((entry, vec![position], found.is_some())) };
    let (inner, mut path, known) = default_entry(children, &rest)?;
    path.insert(0, position);
    Some((inner, path, found.is_some() && (known || rest.is_empty())))
}

/// Splits at the first `>` that is not doubled.
fn split_path(default: &str) -> Option<(String, String)> {
    let mut from = 0;
    loop {
        let at = default.get(from..)?.find('>')? + from;
        if default.get(at + 1..).is_some_and(|after| after.starts_with('>')) {
            from = at + 2;
            continue;
        }
        let first = default.get(..at)?.replace(">>", ">");
        return Some((first, default.get(at + 1..)?.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(title: &str, id: &str) -> MenuEntry {
        MenuEntry { title: title.into(), id: Some(id.into()), ..MenuEntry::default() }
    }

    #[test]
    fn the_default_is_found_by_number_id_and_title() {
        let advanced =
            MenuEntry { children: Some(vec![entry("a > b", "x"), entry("old", "y")]), ..entry("more", "m") };
        let menu = [entry("new", "n"), advanced, entry("5", "z")];
        let path = |default: &str| {
            let (found, path, known) = default_entry(&menu, default).unwrap();
            (found.title.clone(), path, known)
        };
        assert_eq!(path("0"), ("new".into(), vec![0], true));
        assert_eq!(path("1>1"), ("old".into(), vec![1, 1], true));
        assert_eq!(path("m>y"), ("old".into(), vec![1, 1], true));
        assert_eq!(path("more>a >> b"), ("a > b".into(), vec![1, 0], true));
        assert_eq!(path("1"), ("a > b".into(), vec![1, 0], true));
        assert_eq!(path("5"), ("5".into(), vec![2], true));
        assert_eq!(path("gone"), ("new".into(), vec![0], false));
        assert_eq!(path("m>gone"), ("a > b".into(), vec![1, 0], false));
        assert_eq!(path(""), ("new".into(), vec![0], false));
        assert!(default_entry(&[], "0").is_none());
    }
}
