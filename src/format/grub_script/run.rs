//! Running a script, for the menu it makes.

use super::Statement;
use super::words::{Part, Word};
use crate::format::boot_menu::{MOST_ENTRIES, Menu, MenuEntry};
use std::collections::BTreeMap;

/// What is not known has no value here.
type Variables = BTreeMap<String, Option<String>>;

/// A word with its variables replaced; those that are not known stand in it as `$name`.
struct Value {
    text: String,
    known: bool,
}

pub(super) struct Run<'a> {
    grubenv: &'a BTreeMap<String, String>,
    variables: Variables,
    menu: Menu,
    /// The entry whose block is run.
    entry: Option<MenuEntry>,
    /// Statements that may still be run.
    steps: u32,
    /// As many entries were made.
    made: usize,
}

/// What the firmware and the disks decide.
const UNKNOWN: [&str; 9] = [
    "grub_platform",
    "grub_cpu",
    "cmdpath",
    "net_default_server",
    "pxe_default_server",
    "fw_path",
    "biosnum",
    "?",
    "smbios",
];

impl<'a> Run<'a> {
    pub(super) fn new(grubenv: &'a BTreeMap<String, String>) -> Self {
        let unknown = UNKNOWN.iter().map(|name| ((*name).to_owned(), None));
        let mut variables: Variables = unknown.collect();
        // Since GRUB 2.00; features are all there.
        for (name, value) in [
            ("menuentry_id_option", "--id"),
            ("feature_menuentry_id", "y"),
            ("feature_menuentry_options", "y"),
            ("feature_default_font_path", "y"),
            ("feature_platform_search_hint", "y"),
            ("feature_timeout_style", "y"),
            ("feature_200_final", "y"),
        ] {
            variables.insert(name.into(), Some(value.into()));
        }
        let menu = Menu::default();
        Self { grubenv, variables, menu, entry: None, steps: 100_000, made: 0 }
    }

    pub(super) fn finish(mut self) -> Menu {
        // A variable that is not known names no entry.
        self.menu.default = match self.variables.get("default") {
            Some(Some(value)) => Some(value.clone()),
            Some(None) => Some("$default".into()),
            None => None,
        };
        self.menu
    }

    pub(super) fn statements(&mut self, statements: &[Statement]) {
        for statement in statements {
            if self.steps == 0 {
                return;
            }
            self.steps -= 1;
            match statement {
                Statement::Command { words, block, line } => self.command(words, block.as_deref(), *line),
                Statement::If { branches, otherwise } => self.choose(branches, otherwise),
                Statement::Loop(body) => self.perhaps(body),
                Statement::Function => {}
            }
        }
    }

    fn choose(&mut self, branches: &[(Vec<Statement>, Vec<Statement>)], otherwise: &[Statement]) {
        match branches.split_first() {
            None => self.statements(otherwise),
            Some(((condition, body), rest)) => match self.holds(condition) {
                Some(true) => self.statements(body),
                Some(false) => self.choose(rest, otherwise),
                None => {
                    let before = self.variables.clone();
                    self.statements(body);
                    let after = std::mem::replace(&mut self.variables, before);
                    self.choose(rest, otherwise);
                    self.merge(after);
                }
            },
        }
    }

    /// What may be run or not.
    fn perhaps(&mut self, body: &[Statement]) {
        let before = self.variables.clone();
        self.statements(body);
        self.merge(before);
    }

    /// What two ways have left differently is not known.
    fn merge(&mut self, other: Variables) {
        let names: Vec<String> = other.keys().chain(self.variables.keys()).cloned().collect();
        for name in names {
            if self.variables.get(&name) != other.get(&name) {
                self.variables.insert(name, None);
            }
        }
    }

    fn value(&self, word: &Word) -> Value {
        let mut value = Value { text: String::new(), known: true };
        for part in &word.parts {
            match part {
                Part::Text(text) => value.text.push_str(text),
                Part::Variable(name) => match self.variables.get(name) {
                    Some(Some(text)) => value.text.push_str(text),
                    // Where GRUB is installed, and the disk it found, are told by the tree.
                    None if name == "root" || name == "prefix" => {
                        value.text.push_str(if name == "root" { "(root)" } else { "(root)/grub" });
                    }
                    None => {}
                    Some(None) => {
                        value.text.push('$');
                        value.text.push_str(name);
                        value.known = false;
                    }
                },
            }
        }
        value
    }

    fn values(&self, words: &[Word]) -> Vec<Value> {
        let mut values = Vec::new();
        for word in words {
            let value = self.value(word);
            let variable = word.parts.iter().any(|part| matches!(part, Part::Variable(_)));
            if word.is_quoted() || !variable {
                values.push(value);
            } else {
                // A variable without quotes is as many words as its value has, none at all if it is empty.
                let split = value.text.split_ascii_whitespace();
                values.extend(split.map(|text| Value { text: text.to_owned(), known: value.known }));
            }
        }
        values
    }

    fn holds(&self, condition: &[Statement]) -> Option<bool> {
        let [Statement::Command { words, block: None, .. }] = condition else { return None };
        // Empty variables stay: `[ $x = y ]` is asked of them all the same.
        let mut words: Vec<Value> = words.iter().map(|word| self.value(word)).collect();
        let mut expected = true;
        while words.first().is_some_and(|word| word.text == "!") {
            words.remove(0);
            expected = !expected;
        }
        let first = words.first()?.text.clone();
        match first.as_str() {
            "true" => return Some(expected),
            "false" => return Some(!expected),
            "[" if words.last().is_some_and(|word| word.text == "]") => words.truncate(words.len() - 1),
            "test" => {}
            _ => return None,
        }
        words.remove(0);
        while words.first().is_some_and(|word| word.text == "!") {
            words.remove(0);
            expected = !expected;
        }
        self.test(&words).map(|holds| holds == expected)
    }

    fn test(&self, words: &[Value]) -> Option<bool> {
        let file = |path: &str| path.ends_with("/grubenv").then_some(!self.grubenv.is_empty());
        match words {
            [] => Some(false),
            [one] => one.known.then_some(!one.text.is_empty()),
            [flag, one] => match flag.text.as_str() {
                "-n" => one.known.then_some(!one.text.is_empty()),
                "-z" => one.known.then_some(one.text.is_empty()),
                "-s" | "-f" | "-e" => file(&one.text),
                _ => None,
            },
            [left, operator, right] if left.known && right.known => match operator.text.as_str() {
                "=" | "==" => Some(left.text == right.text),
                "!=" => Some(left.text != right.text),
                _ => None,
            },
            _ => None,
        }
    }

    fn assign(&mut self, name: &str, value: Value) {
        let keep = value.known || name == "default";
        self.variables.insert(name.to_owned(), keep.then_some(value.text));
    }

    fn command(&mut self, words: &[Word], block: Option<&[Statement]>, line: u32) {
        let Some((first, rest)) = words.split_first() else { return };
        let name = self.value(first).text;
        if let ("menuentry" | "submenu", Some(block)) = (name.as_str(), block) {
            let values = self.values(rest);
            return self.entry(name == "submenu", &values, block, line);
        }
        let assignment = |word: &Word| match word.parts.first() {
            Some(Part::Text(text)) => text.split_once('=').map(|(name, _)| name.to_owned()),
            _ => None,
        };
        match name.as_str() {
            "set" => {
                for word in rest {
                    if let Some(name) = assignment(word) {
                        self.set(&name, word);
                    }
                }
            }
            "unset" => {
                for value in self.values(rest) {
                    self.variables.remove(&value.text);
                }
            }
            "load_env" => {
                for (name, value) in self.grubenv {
                    self.variables.insert(name.clone(), Some(value.clone()));
                }
            }
            "blscfg" => self.menu.blscfg = true,
            "linux" | "linux16" | "linuxefi" | "kernel" | "multiboot" | "multiboot2" | "xen_hypervisor" => {
                let values = self.values(rest);
                self.kernel(&name, &values);
            }
            "module" | "module2" | "xen_module" => {
                let values = self.values(rest);
                self.module(&values);
            }
            "initrd" | "initrd16" | "initrdefi" => {
                let values = self.values(rest);
                if let Some(entry) = &mut self.entry {
                    // The last of several commands counts.
                    entry.initrds = values
                        .into_iter()
                        .map(|value| value.text)
                        .filter(|text| !text.starts_with("--"))
                        .collect();
                }
            }
            _ if rest.is_empty() && assignment(first).is_some() => {
                if let Some(name) = assignment(first) {
                    self.set(&name, first);
                }
            }
            _ => {}
        }
    }

    /// `name=value`, where the word has it all.
    fn set(&mut self, name: &str, word: &Word) {
        let mut value = self.value(word);
        value.text = value.text.split_once('=').map(|(_, value)| value.to_owned()).unwrap_or_default();
        self.assign(name, value);
    }

    fn kernel(&mut self, command: &str, values: &[Value]) {
        let Some(entry) = &mut self.entry else { return };
        let mut values =
            values.iter().filter(|value| !value.text.starts_with("--")).map(|value| value.text.as_str());
        entry.kernel = values.next().map(str::to_owned);
        // Of Xen the hypervisor comes first; its options are not the kernel's.
        let kernels = matches!(command, "linux" | "linux16" | "linuxefi" | "kernel");
        entry.options = if kernels { values.collect::<Vec<_>>().join(" ") } else { String::new() };
    }

    /// What is loaded beside a hypervisor: first the kernel, then its initial RAM disk.
    fn module(&mut self, values: &[Value]) {
        let Some(entry) = &mut self.entry else { return };
        let mut values =
            values.iter().filter(|value| !value.text.starts_with("--")).map(|value| value.text.as_str());
        let Some(file) = values.next() else { return };
        if entry.options.is_empty() && entry.initrds.is_empty() && file.contains("vmlinu") {
            entry.kernel = Some(file.to_owned());
            entry.options = values.collect::<Vec<_>>().join(" ");
        } else {
            entry.initrds.push(file.to_owned());
        }
    }

    fn entry(&mut self, submenu: bool, values: &[Value], block: &[Statement], line: u32) {
        if self.made == MOST_ENTRIES {
            return;
        }
        self.made += 1;
        let mut entry = MenuEntry { line, ..MenuEntry::default() };
        let (mut title, mut words) = (None, values.iter());
        while let Some(value) = words.next() {
            match value.text.as_str() {
                "--id" => entry.id = words.next().map(|value| value.text.clone()),
                "--class" | "--users" | "--hotkey" | "--source" => drop(words.next()),
                option if option.starts_with("--") => {
                    entry.id = option.strip_prefix("--id=").map(str::to_owned).or(entry.id);
                }
                _ => title = title.or(Some(value.text.clone())),
            }
        }
        entry.title = title.unwrap_or_default();
        entry.foreign = entry.id.as_ref().is_some_and(|id| id.starts_with("osprober-"))
            || entry.title.contains("(on /dev/");
        // A block has its own variables, as it runs when it is chosen.
        let before = self.variables.clone();
        let outer = self.entry.take();
        if submenu {
            let siblings = std::mem::take(&mut self.menu.entries);
            self.statements(block);
            entry.children = Some(std::mem::replace(&mut self.menu.entries, siblings));
        } else {
            self.entry = Some(entry);
            self.statements(block);
            entry = self.entry.take().unwrap_or_default();
        }
        self.entry = outer;
        self.variables = before;
        self.menu.entries.push(entry);
    }
}
