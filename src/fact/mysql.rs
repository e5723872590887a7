//! The options of the MySQL or MariaDB server in its option files.

use super::Fact;
use crate::format::size_suffix;
use crate::model::{Located, Partial};
use crate::record;
use crate::source::{At, Host, Missing, Optional, Reading, Reason, TEXT_CAP, Unreadable};
use std::sync::Arc;

record! {
    /// The options of the MySQL or MariaDB server.
    ///
    /// ```text
    /// /etc/my.cnf                  !includedir /etc/my.cnf.d
    /// /etc/my.cnf.d/server.cnf     [mysqld]
    ///                              max-connections = 500
    ///                              innodb_buffer_pool_size = 8G
    /// ```
    ///
    /// Source: <https://dev.mysql.com/doc/refman/en/option-files.html>, and mysys/my_default.cc of MySQL. The last value
    /// counts; those in groups of one version, such as `[mysqld-8.0]`, are taken for those of the version that is installed.
    /// What `SET PERSIST`, the command line or `--defaults-file` say is not seen. Absent where there is no such file, or
    /// none that has a group of the server.
    pub struct Mysql {
        /// How many files it wants to have open at least. Absent where it is not set, and computed from other options.
        pub open_files_limit: Reading<Located<u64>>,
        /// How many clients may be connected at once. Absent where it is not set: 151.
        pub max_connections: Reading<Located<u64>>,
        /// How many tables it keeps open. Absent where it is not set: 4000 for MySQL 8, 2000 for MariaDB and MySQL 5.7.
        pub table_open_cache: Reading<Located<u64>>,
        /// The memory that InnoDB takes for its cache, in bytes. Absent where it is not set: 128 MiB.
        pub innodb_buffer_pool_size: Reading<Located<u64>>,
        /// `back_log`: the longest queue of connections that wait to be accepted. Absent where it is not set.
        pub back_log: Reading<Located<u64>>,
        /// Lines that it refuses, and numbers that it does not understand.
        pub malformed: Partial<MysqlMistake>,
        /// The first file.
        pub at: At,
    }
}

record! {
    /// A line of an option file that makes no sense.
    #[derive(Clone, PartialEq)]
    pub struct MysqlMistake {
        /// The line as it is written.
        pub text: String,
        /// Why.
        pub reason: String,
        /// File and line.
        pub at: At,
    }
}

/// In the order in which they are read; packages name the last one at most as the compiled-in directory.
const FILES: [&str; 3] = ["/etc/my.cnf", "/etc/mysql/my.cnf", "/usr/etc/my.cnf"];

const OPTIONS: [&str; 5] =
    ["open_files_limit", "max_connections", "table_open_cache", "innodb_buffer_pool_size", "back_log"];

/// As deep as MySQL follows includes, how many files are read and mistakes told of, and how many bytes are read.
const DEPTH: usize = 10;
const MOST: usize = 1000;
const BYTES: usize = TEXT_CAP as usize;

impl Fact for Mysql {
    const NAME: &'static str = "mysql";
    const READS: &'static [&'static str] =
        &["/etc/my.cnf", "/etc/mysql/my.cnf", "/usr/etc/my.cnf", "what they include"];

    fn collect(host: &Host) -> Reading<Self> {
        let mut options = Options::default();
        let mut first = None;
        for path in FILES {
            match options.file(host, path, 0) {
                Err(Missing::Absent) => continue,
                Err(Missing::Unreadable(why)) => options.unread.push(why),
                Ok(()) => {}
            }
            first = first.or(Some(At::file(path)));
        }
        let at = first.ok_or(Missing::Absent)?;
        if !options.server && options.unread.is_empty() {
            return Err(Missing::Absent);
        }
        let unread = options.unread;
        let mut values = options.values.into_iter().map(|found| match (unread.first(), found) {
            // It may overrule what was found.
            (Some(why), _) => Err(Missing::Unreadable(why.clone())),
            (None, found) => found.ok_or(Missing::Absent),
        });
        let mut next = || values.next().unwrap_or(Err(Missing::Absent));
        Ok(Self {
            open_files_limit: next(),
            max_connections: next(),
            table_open_cache: next(),
            innodb_buffer_pool_size: next(),
            back_log: next(),
            malformed: Partial { items: options.malformed, unread: unread.clone() },
            at,
        })
    }
}

#[derive(Default)]
struct Options {
    /// Whether there was a group of the server.
    server: bool,
    values: [Option<Located<u64>>; 5],
    malformed: Vec<MysqlMistake>,
    unread: Vec<Unreadable>,
    files: usize,
    bytes: usize,
}

impl Options {
    fn file(&mut self, host: &Host, path: &str, depth: usize) -> Reading<()> {
        if self.files >= MOST || self.bytes > BYTES {
            let what = "was not read: the files before it are too many, too large, or include each other";
            return Err(Missing::unreadable(path, Reason::NotRead(what.into())));
        }
        let text = host.read_text(path)?;
        self.files += 1;
        self.bytes += text.len();
        let path: Arc<str> = path.into();
        let mut of_server = false;
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            let at = At::line(path.clone(), number);
            if let Some(directive) = line.strip_prefix('!') {
                // Deeper ones are passed over with a warning.
                if depth < DEPTH {
                    self.include(host, directive.trim_start(), depth);
                }
            } else if let Some(group) = line.strip_prefix('[') {
                match group.split_once(']') {
                    Some((group, _)) => of_server = is_of_server(group.trim()),
                    None => {
                        self.malformed(line, "the group has no ]", at);
                        return Ok(());
                    }
                }
                self.server |= of_server;
            } else if of_server {
                self.option(line, at);
            }
        }
        Ok(())
    }

    fn include(&mut self, host: &Host, directive: &str, depth: usize) {
        let Some((word, path)) = directive.split_once(char::is_whitespace) else { return };
        let path = path.trim().trim_end_matches('/');
        let paths = match word {
            "includedir" => {
                let names = host.names(path).noted(&mut self.unread).unwrap_or_default();
                let names = names.into_iter().filter(|n| n.ends_with(".cnf"));
                names.map(|n| format!("{path}/{n}")).collect()
            }
            "include" => vec![path.to_owned()],
            _ => Vec::new(),
        };
        for path in paths {
            // One that is not there is passed over.
            if let Err(Missing::Unreadable(why)) = self.file(host, &path, depth + 1)
                && self.unread.len() < MOST
            {
                self.unread.push(why);
            }
        }
    }

    fn option(&mut self, line: &str, at: At) {
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        // `-` and `_` are one, and `loose-` makes it no mistake to name an unknown option.
        let name = name.trim().replace('-', "_");
        let name = name.strip_prefix("loose_").unwrap_or(&name);
        let Some(position) = OPTIONS.iter().position(|known| *known == name) else { return };
        let value =
            value.split_once('#').map_or(value, |(before, _)| before).trim().trim_matches(['"', '\'']);
        match size_suffix::size(value) {
            Some(value) => self.values[position] = Some(Located { value, at }),
            None => self.malformed(line, "the value is no number", at),
        }
    }

    fn malformed(&mut self, text: &str, reason: &str, at: At) {
        if self.malformed.len() < MOST {
            self.malformed.push(MysqlMistake { text: text.to_owned(), reason: reason.to_owned(), at });
        }
    }
}

/// Whether the server reads this group, of whatever version.
fn is_of_server(group: &str) -> bool {
    let version = |prefix: &str| {
        let rest = group.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-'));
        rest.is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit()))
    };
    matches!(group, "mysqld" | "server" | "mariadb" | "mariadbd")
        || ["mysqld", "mariadb", "mariadbd"].into_iter().any(version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    fn collect(files: &Files) -> Reading<Mysql> {
        Mysql::collect(&Host::new(files.clone(), Target::root("x")))
    }

    fn value(found: &Reading<Located<u64>>) -> Option<u64> {
        found.as_ref().ok().map(|found| found.value)
    }

    #[test]
    fn the_last_value_of_the_servers_groups_counts() {
        let mut files = Files::new();
        files
            .file("/etc/my.cnf", "[client]\nmax_connections=1\n[mysqld]\nmax-connections = 100 # many\n!includedir /etc/my.cnf.d/\nback_log=80\n")
            .file("/etc/my.cnf.d/b.cnf", "[mariadb-10.11]\nloose_max_connections=\"500\"\n[mysqld_safe]\nopen-files-limit=9\n")
            .file("/etc/my.cnf.d/a.cnf", "[server]\nmax_connections=300\ninnodb_buffer_pool_size = 8G\n")
            .file("/etc/my.cnf.d/c.cnf.rpmsave", "[server]\nmax_connections=7\n");
        let mysql = collect(&files).unwrap();
        assert_eq!(value(&mysql.max_connections), Some(500));
        assert_eq!(value(&mysql.innodb_buffer_pool_size), Some(8 << 30));
        assert_eq!(value(&mysql.back_log), Some(80));
        assert_eq!(mysql.open_files_limit, Err(Missing::Absent));
        assert_eq!(mysql.max_connections.unwrap().at, At::line("/etc/my.cnf.d/b.cnf", 2));
    }

    #[test]
    fn what_a_denied_file_may_overrule_is_unknown() {
        let mut files = Files::new();
        files
            .file("/etc/mysql/my.cnf", "[mysqld]\nmax_connections=5\n!include /etc/secret.cnf\n")
            .deny("/etc/secret.cnf");
        assert!(matches!(collect(&files).unwrap().max_connections, Err(Missing::Unreadable(_))));
        let mut files = Files::new();
        files.deny("/etc/my.cnf");
        assert!(matches!(collect(&files).unwrap().max_connections, Err(Missing::Unreadable(_))));
    }

    #[test]
    fn options_of_clients_alone_are_no_server() {
        let mut files = Files::new();
        assert_eq!(collect(&files).unwrap_err(), Missing::Absent);
        files.file(
            "/etc/mysql/my.cnf",
            "[client-server]\nsocket = /run/x\n!include /none\n!includedir /none\n",
        );
        assert_eq!(collect(&files).unwrap_err(), Missing::Absent);
    }

    #[test]
    fn garbage_is_kept_and_circles_end() {
        let mut files = Files::new();
        files.file(
            "/etc/my.cnf",
            "\0\u{fffd}\n!\n[mysqld]\nmax_connections=many\nopen_files_limit\n[broken\nback_log=1\n",
        );
        let mysql = collect(&files).unwrap();
        let lines: Vec<_> = mysql.malformed.items.iter().map(|m| m.at.line.unwrap()).collect();
        assert_eq!(lines, [4, 5, 6]);
        assert_eq!(mysql.back_log, Err(Missing::Absent));
        files.file(
            "/etc/my.cnf",
            "!include /etc/my.cnf\n!include /etc/my.cnf\n!include /etc/my.cnf\n[mysqld]\n",
        );
        assert!(collect(&files).is_ok());
    }
}
