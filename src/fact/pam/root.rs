//! What the modules that tell users apart return for root: pam_succeed_if, pam_usertype, pam_access, pam_listfile,
//! pam_securetty. Each follows its module's source; what it cannot know may be anything.

use super::access::{self, Verdict};
use super::control::{AUTH_ERR, PERM_DENIED, SERVICE_ERR, SUCCESS};
use super::stack::Outcomes;
use crate::format::account_files;
use crate::source::{Host, Missing, Optional, Reading};
use std::cell::OnceCell;
use std::collections::HashSet;
use std::path::Path;

/// What a module returns for root, and why in words.
pub(super) type Answer = (Outcomes, String);

/// What root may be asked about.
pub(super) struct Root<'a> {
    pub(super) host: &'a Host,
    pub(super) service: &'a str,
    /// The groups that the files make root a member of, once they were asked for.
    pub(super) groups: OnceCell<Reading<HashSet<String>>>,
}

/// The name of a module without its directory.
pub(super) fn base(module: &str) -> &str {
    module.rsplit('/').next().unwrap_or(module)
}

impl Root<'_> {
    /// What `module` returns for root; `None` where that may be anything.
    pub(super) fn answer(&self, module: &str, arguments: &[String]) -> Reading<Option<Answer>> {
        match base(module) {
            "pam_succeed_if.so" => self.succeed_if(arguments),
            "pam_usertype.so" => Ok(user_type(arguments)),
            "pam_access.so" => self.access(arguments),
            "pam_listfile.so" => self.listfile(arguments),
            "pam_securetty.so" => self.securetty(arguments),
            _ => Ok(None),
        }
    }

    fn succeed_if(&self, arguments: &[String]) -> Reading<Option<Answer>> {
        const FLAGS: [&str; 6] = ["debug", "use_uid", "quiet", "quiet_fail", "quiet_success", "audit"];
        // Then it is about who runs the program, not about who logs in.
        if arguments.iter().any(|a| a == "use_uid") {
            return Ok(None);
        }
        let words: Vec<&str> = arguments.iter().map(String::as_str).filter(|a| !FLAGS.contains(a)).collect();
        for condition in words.chunks(3) {
            let &[left, test, right] = condition else {
                return Ok(Some((Outcomes::only(SERVICE_ERR), "its condition is incomplete".into())));
            };
            let text = format!("{left} {test} {right}");
            match self.holds(left, test, right)? {
                Held::Yes => {}
                Held::No => return Ok(Some((Outcomes::only(AUTH_ERR), format!("it requires {text}")))),
                Held::Error => {
                    return Ok(Some((Outcomes::only(SERVICE_ERR), format!("it cannot judge {text}"))));
                }
                Held::Unknown => return Ok(None),
            }
        }
        Ok(Some((Outcomes::only(SUCCESS), String::new())))
    }

    fn holds(&self, left: &str, test: &str, right: &str) -> Reading<Held> {
        let test = test.to_ascii_lowercase();
        if let "ingroup" | "notingroup" = test.as_str() {
            let own = self.groups()?;
            let member = right.split(':').any(|g| own.contains(g));
            return Ok(Held::of(member == (test == "ingroup")));
        }
        if test.ends_with("innetgr") {
            return Ok(Held::Unknown);
        }
        let value = match left.to_ascii_lowercase().as_str() {
            "login" | "name" | "user" => "root",
            "uid" | "gid" => "0",
            "service" => self.service,
            "shell" | "home" | "dir" | "homedir" | "ruser" | "rhost" | "tty" => return Ok(Held::Unknown),
            _ => return Ok(Held::Error),
        };
        let numbers = || Some((number(value)?, number(right)?));
        let compare = |holds: fn(i64, i64) -> bool| match numbers() {
            Some((a, b)) => Held::of(holds(a, b)),
            None => Held::Error,
        };
        Ok(match test.as_str() {
            "<" | "lt" => compare(|a, b| a < b),
            "<=" | "le" => compare(|a, b| a <= b),
            ">" | "gt" => compare(|a, b| a > b),
            ">=" | "ge" => compare(|a, b| a >= b),
            "eq" => compare(|a, b| a == b),
            "ne" => compare(|a, b| a != b),
            "=" => Held::of(value == right),
            "!=" => Held::of(value != right),
            "in" => Held::of(right.split(':').any(|item| item == value)),
            "notin" => Held::of(right.split(':').all(|item| item != value)),
            "=~" | "glob" | "!~" | "noglob" => match matches(right, value) {
                Some(matched) => Held::of(matched == matches!(test.as_str(), "=~" | "glob")),
                None => Held::Unknown,
            },
            _ => Held::Error,
        })
    }

    fn groups(&self) -> Result<&HashSet<String>, Missing> {
        self.groups.get_or_init(|| groups_of_root(self.host)).as_ref().map_err(Clone::clone)
    }

    fn access(&self, arguments: &[String]) -> Reading<Option<Answer>> {
        let option = |name: &str| arguments.iter().rev().find_map(|a| a.strip_prefix(name));
        let named = option("accessfile=");
        let format = access::Format {
            fields: option("fieldsep=").unwrap_or(":"),
            items: option("listsep=").unwrap_or(", \t"),
            bare_groups: !arguments.iter().any(|a| a == "nodefgroup"),
        };
        let mut files = vec![named.unwrap_or("/etc/security/access.conf").to_owned()];
        if named.is_none() {
            let names = self.host.names("/etc/security/access.d").optional()?.unwrap_or_default();
            let names = names.iter().filter(|name| name.ends_with(".conf"));
            files.extend(names.map(|name| format!("/etc/security/access.d/{name}")));
        }
        let groups = self.groups()?;
        for path in files {
            let Some(text) = self.host.read_text(&path).optional()? else {
                continue;
            };
            match access::judge(&text, self.service, groups, &format) {
                Verdict::NoMatch => {}
                Verdict::Unknown => return Ok(None),
                Verdict::Admitted => return Ok(Some((Outcomes::only(SUCCESS), String::new()))),
                Verdict::Refused(line) => {
                    return Ok(Some((Outcomes::only(PERM_DENIED), format!("{path}:{line} refuses root"))));
                }
            }
        }
        Ok(Some((Outcomes::only(SUCCESS), String::new())))
    }

    fn listfile(&self, arguments: &[String]) -> Reading<Option<Answer>> {
        let option = |name: &str| arguments.iter().rev().find_map(|a| a.strip_prefix(name));
        let on_error = match option("onerr=") {
            Some("succeed") => SUCCESS,
            _ => SERVICE_ERR,
        };
        let (Some(path), Some(sense @ ("allow" | "deny"))) = (option("file="), option("sense=")) else {
            return Ok(Some((Outcomes::only(on_error), "it lacks file= or sense=".into())));
        };
        let user = HashSet::from(["root".to_owned()]);
        let names = match option("item=") {
            Some("user") => &user,
            Some("group") => self.groups()?,
            _ => return Ok(None),
        };
        let Some(text) = self.host.read_text(path).optional()? else {
            return Ok(Some((Outcomes::only(on_error), format!("{path} is not there"))));
        };
        let listed = text.lines().any(|line| names.contains(line));
        Ok(Some(match (listed, sense) {
            (true, "deny") => (Outcomes::only(AUTH_ERR), format!("{path} lists root")),
            (false, "allow") => (Outcomes::only(AUTH_ERR), format!("{path} does not list root")),
            _ => (Outcomes::only(SUCCESS), String::new()),
        }))
    }

    /// Without /etc/securetty the module lets root in everywhere; so only a file refuses.
    fn securetty(&self, arguments: &[String]) -> Reading<Option<Answer>> {
        const PATH: &str = "/etc/securetty";
        let Some(stat) = self.host.source.stat(Path::new(PATH)).optional()? else {
            return Ok(Some((Outcomes::only(SUCCESS), String::new())));
        };
        if stat.mode & 0o002 != 0 {
            return Ok(Some((Outcomes::only(AUTH_ERR), format!("{PATH} is writable by everyone"))));
        }
        let text = self.host.read_text(PATH)?;
        let mut ttys = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        match self.service {
            // sshd says `ssh` for the terminal.
            "sshd" => Ok(match ttys.any(|tty| tty == "ssh") {
                true => Some((Outcomes::only(SUCCESS), String::new())),
                false => Some((Outcomes::only(AUTH_ERR), format!("{PATH} does not list ssh"))),
            }),
            // Which terminal a login uses is not known; that it is one of those listed is possible.
            "login" if ttys.next().is_none() => {
                if !arguments.iter().any(|a| a == "noconsole") && self.kernel_console()? {
                    return Ok(None);
                }
                Ok(Some((Outcomes::only(AUTH_ERR), format!("{PATH} lists no terminal"))))
            }
            _ => Ok(None),
        }
    }

    /// Whether the kernel was told of a console, which pam_securetty then lets in.
    fn kernel_console(&self) -> Reading<bool> {
        let line = self.host.read_text("/proc/cmdline").optional()?.unwrap_or_default();
        Ok(line.split_ascii_whitespace().any(|word| word.starts_with("console=")))
    }
}

/// The groups that the files make root a member of.
fn groups_of_root(host: &Host) -> Reading<HashSet<String>> {
    let mut groups = HashSet::from(["root".to_owned()]);
    let Some(text) = account_files::read(host, "group").optional()? else {
        return Ok(groups);
    };
    for line in text.lines() {
        let mut fields = line.split(':');
        let name = fields.next().unwrap_or("");
        if fields.nth(2).is_some_and(|members| members.split(',').any(|m| m.trim() == "root")) {
            groups.insert(name.to_owned());
        }
    }
    Ok(groups)
}

fn user_type(arguments: &[String]) -> Option<Answer> {
    let has = |word: &str| arguments.iter().any(|a| a == word);
    if has("use_uid") {
        return None;
    }
    match (has("issystem"), has("isregular")) {
        (true, false) => Some((Outcomes::only(SUCCESS), String::new())),
        (false, true) => Some((Outcomes::only(AUTH_ERR), "it requires a regular user".into())),
        _ => None,
    }
}

/// Whether a condition of pam_succeed_if holds for root.
enum Held {
    Yes,
    No,
    Unknown,
    /// The module answers service_err.
    Error,
}

impl Held {
    fn of(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

/// A number as strtoll(3) with base 0 reads it.
fn number(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let number = match lower.strip_prefix("0x") {
        Some(hex) => i64::from_str_radix(hex, 16),
        None if lower.len() > 1 && lower.starts_with('0') => i64::from_str_radix(&lower, 8),
        None => lower.parse(),
    };
    number.ok().map(|n| sign * n)
}

/// Whether a shell pattern matches; `None` for a pattern that is none.
fn matches(pattern: &str, text: &str) -> Option<bool> {
    // A pattern that long is no login name's, and would take long to compile.
    if pattern.len() > 1000 {
        return None;
    }
    Some(globset::Glob::new(pattern).ok()?.compile_matcher().is_match(text))
}
