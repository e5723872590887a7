//! /etc/login.defs: what login, useradd, passwd and their like go by.

use super::Fact;
use crate::record;
use crate::source::{At, Host, Missing, Optional, Reading};
use std::collections::HashMap;

record! {
    /// The settings of login.defs, as the programs of shadow read them.
    ///
    /// ```text
    /// /etc/login.defs   ERASECHAR       0177
    ///                   UMASK           022
    ///                   PASS_MAX_DAYS   99999
    ///                   ENCRYPT_METHOD  YESCRYPT
    /// ```
    ///
    /// Source: login.defs(5); lib/getdef.c, lib/salt.c and src/login.c of shadow. The value is the rest of the line: a `#` behind it belongs
    /// to it. Where distributions build login and su from util-linux, these read the file likewise, but a smaller part of it. Absent where there is
    /// no such file.
    #[bare(entries)]
    pub struct LoginDefs {
        /// The settings, in order; of one that stands there more than once the last counts, the others are left out.
        pub entries: Vec<LoginDef>,
        /// The file.
        pub at: At,
    }
}

record! {
    /// A setting of login.defs.
    pub struct LoginDef {
        /// Its name.
        pub key: String,
        /// Its value, as it is read.
        pub value: String,
        /// Why the value is none, and what is done instead: `is no number, so that the default is taken`. Absent for one that is, and where any
        /// text will do.
        pub problem: Option<String>,
        /// Where it stands.
        pub at: At,
    }
}

/// The vendor's, where it is kept apart, is read by a library that takes a comment for one.
const PATHS: [&str; 2] = ["/etc/login.defs", "/usr/etc/login.defs"];

const NUMBERS: [&str; 38] = [
    "BCRYPT_MAX_ROUNDS",
    "BCRYPT_MIN_ROUNDS",
    "ERASECHAR",
    "FAIL_DELAY",
    "GID_MAX",
    "GID_MIN",
    "HOME_MODE",
    "KILLCHAR",
    "LASTLOG_UID_MAX",
    "LOGIN_RETRIES",
    "LOGIN_TIMEOUT",
    "MAX_MEMBERS_PER_GROUP",
    "PASS_CHANGE_TRIES",
    "PASS_MAX_DAYS",
    "PASS_MAX_LEN",
    "PASS_MIN_DAYS",
    "PASS_MIN_LEN",
    "PASS_WARN_AGE",
    "SHA_CRYPT_MAX_ROUNDS",
    "SHA_CRYPT_MIN_ROUNDS",
    "SUB_GID_COUNT",
    "SUB_GID_MAX",
    "SUB_GID_MIN",
    "SUB_UID_COUNT",
    "SUB_UID_MAX",
    "SUB_UID_MIN",
    "SYS_GID_MAX",
    "SYS_GID_MIN",
    "SYS_UID_MAX",
    "SYS_UID_MIN",
    "TTYPERM",
    "UID_MAX",
    "UID_MIN",
    "ULIMIT",
    "UMASK",
    "YESCRYPT_COST_FACTOR",
    "SU_DELAY",
    "LOGIN_DELAY",
];

const SWITCHES: [&str; 8] = [
    "CREATE_HOME",
    "DEFAULT_HOME",
    "USERGROUPS_ENAB",
    "LOG_OK_LOGINS",
    "LOG_UNKFAIL_ENAB",
    "SYSLOG_SU_ENAB",
    "SYSLOG_SG_ENAB",
    "FAILLOG_ENAB",
];

const METHODS: [&str; 6] = ["DES", "MD5", "SHA256", "SHA512", "BCRYPT", "YESCRYPT"];

impl Fact for LoginDefs {
    const NAME: &'static str = "login_defs";
    const READS: &'static [&'static str] = &PATHS;

    fn collect(host: &Host) -> Reading<Self> {
        for path in PATHS {
            if let Some(text) = host.read_text(path).optional()? {
                let comments = path != PATHS[0] || host.exists(PATHS[1]) != Ok(false);
                return Ok(Self { entries: parse(path, &text, comments), at: At::file(path) });
            }
        }
        Err(Missing::Absent)
    }
}

fn parse(path: &str, text: &str, comments: bool) -> Vec<LoginDef> {
    let mut last: HashMap<&str, usize> = HashMap::new();
    let mut entries: Vec<Option<LoginDef>> = Vec::new();
    for (number, line) in (1..).zip(text.split('\n')) {
        let line = line.trim_matches([' ', '\t', '\r']);
        let Some((key, value)) = line.split_once([' ', '\t']).filter(|_| !line.starts_with('#')) else {
            continue;
        };
        let value = if comments { value.split('#').next().unwrap_or_default() } else { value };
        // Quotes around a value are left out by all but the newest.
        let value =
            value.trim_start_matches([' ', '\t', '"']).split('"').next().unwrap_or_default().trim_end();
        let entry = LoginDef {
            key: key.into(),
            value: value.into(),
            problem: problem(key, value),
            at: At::line(path, number),
        };
        if let Some(before) = last.insert(key, entries.len()).and_then(|before| entries.get_mut(before)) {
            *before = None;
        }
        entries.push(Some(entry));
    }
    entries.into_iter().flatten().collect()
}

fn problem(key: &str, value: &str) -> Option<String> {
    if NUMBERS.contains(&key) {
        let comment = if value.contains('#') { ", for the comment behind it belongs to it" } else { "" };
        return match number(value) {
            None => Some(format!("is no number{comment}: the default is taken")),
            Some(number) if matches!(key, "ERASECHAR" | "KILLCHAR") && !(0..=255).contains(&number) => {
                Some("is no character: those have numbers up to 255".into())
            }
            Some(number) if matches!(key, "UMASK" | "HOME_MODE") && !(0..=0o7777).contains(&number) => {
                Some("is no mode, which is at most 07777".into())
            }
            Some(number) if key == "UMASK" && !value.starts_with('0') && number > 7 => {
                Some("is decimal, for an octal number begins with 0".into())
            }
            Some(_) => None,
        };
    }
    if SWITCHES.contains(&key) && !value.eq_ignore_ascii_case("yes") && !value.eq_ignore_ascii_case("no") {
        return Some("is neither yes nor no, and read as no".into());
    }
    // The name is compared letter by letter.
    (key == "ENCRYPT_METHOD" && !METHODS.contains(&value)).then(|| {
        format!(
            "is no method: chpasswd, newusers and chgpasswd make hashes of DES instead; known are {}",
            METHODS.join(", ")
        )
    })
}

/// A number as strtol(3) with base 0 reads it, and the whole of it.
fn number(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let number = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => i64::from_str_radix(hex, 16),
        None if digits.len() > 1 && digits.starts_with('0') => i64::from_str_radix(digits, 8),
        None => digits.parse(),
    };
    number.ok().map(|number| if negative { -number } else { number }).filter(|number| *number >= -1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    fn problems(text: &str) -> Vec<String> {
        parse("/etc/login.defs", text, false)
            .into_iter()
            .filter_map(|e| Some(format!("{} {} {}", e.key, e.value, e.problem?)))
            .collect()
    }

    #[test]
    fn what_distributions_ship_is_right() {
        let text = "# comment\nMAIL_DIR\t/var/mail\nENV_PATH  PATH=/usr/bin:/bin\nERASECHAR\t0177\nKILLCHAR 025\nUMASK\t\t022\nPASS_MAX_DAYS 99999\nPASS_MIN_DAYS\t-1\nHOME_MODE 0700\nUSERGROUPS_ENAB yes\nCREATE_HOME Yes\nENCRYPT_METHOD YESCRYPT\nTTYPERM 0600\nUID_MIN\t\t\t 1000\nUSERDEL_CMD\nUMASK \"077\"\nFAIL_DELAY 0x3\n";
        assert_eq!(problems(text), [""; 0]);
        assert_eq!(
            parse("/x", text, false).len(),
            14,
            "the first UMASK does not count, a name alone is none"
        );
    }

    #[test]
    fn what_is_no_value_is_told_with_its_consequence() {
        let bad = "ERASECHAR DEL\nKILLCHAR 300\nUMASK abc\nUMASK 089\nPASS_MAX_DAYS 90 # days\nCREATE_HOME true\nENCRYPT_METHOD sha512\nUID_MIN -2\nHOME_MODE 077777\nGID_MIN --1\n";
        let expected = [
            "ERASECHAR DEL is no number: the default is taken",
            "KILLCHAR 300 is no character: those have numbers up to 255",
            "UMASK 089 is no number: the default is taken",
            "PASS_MAX_DAYS 90 # days is no number, for the comment behind it belongs to it: the default is taken",
            "CREATE_HOME true is neither yes nor no, and read as no",
            "ENCRYPT_METHOD sha512 is no method: chpasswd, newusers and chgpasswd make hashes of DES instead; known are DES, MD5, SHA256, SHA512, BCRYPT, YESCRYPT",
            "UID_MIN -2 is no number: the default is taken",
            "HOME_MODE 077777 is no mode, which is at most 07777",
            "GID_MIN --1 is no number: the default is taken",
        ];
        assert_eq!(problems(bad), expected);
        assert_eq!(
            problems("UMASK 22\nUMASKS x\n\0\n\u{fffd} x\n"),
            ["UMASK 22 is decimal, for an octal number begins with 0"]
        );
        assert_eq!(problems("UMASK 7"), [""; 0]);
    }

    #[test]
    fn where_the_vendors_file_is_apart_comments_may_follow() {
        let mut files = Files::new();
        files.file("/etc/login.defs", "UMASK 022 # x\n");
        let collect = |files: &Files| LoginDefs::collect(&Host::new(files.clone(), Target::root("x")));
        assert!(collect(&files).unwrap().entries[0].problem.is_some());
        files.file("/usr/etc/login.defs", "");
        assert_eq!(collect(&files).unwrap().entries[0].problem, None);
        files.deny("/etc/login.defs");
        assert!(matches!(collect(&files), Err(Missing::Unreadable(_))));
        assert!(matches!(collect(&Files::new()), Err(Missing::Absent)));
    }
}
