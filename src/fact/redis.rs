//! The configuration of redis and valkey servers.

use super::Fact;
use crate::model::{Located, Partial};
use crate::record;
use crate::source::{At, Host, Missing, Optional, Reading, Reason, TEXT_CAP, glob};
use std::collections::BTreeSet;
use std::sync::Arc;

record! {
    /// The servers of redis and valkey that have a configuration file.
    ///
    /// ```text
    /// /etc/redis/redis.conf   port 6379
    ///                         tcp-backlog 511
    ///                         maxclients 10000
    ///                         include /etc/redis/local.conf
    /// ```
    ///
    /// Source: the redis.conf that redis comes with, and loadServerConfigFromString in src/config.c. What `CONFIG SET` or the
    /// command line changes is not seen. Absent where there is no such file.
    #[bare(servers)]
    pub struct Redis {
        /// One for each file that no other one includes; those of sentinels are left out.
        pub servers: Partial<RedisServer>,
    }
}

record! {
    /// A server, as its file configures it.
    #[derive(Clone, PartialEq)]
    pub struct RedisServer {
        /// The port for TCP; 0 for none. redis' default is 6379.
        pub port: Located<u64>,
        /// How many clients may be connected at once. redis' default is 10000; it takes 32 files more, and lowers this where it
        /// cannot have them.
        pub maxclients: Located<u64>,
        /// The longest queue of connections that wait to be accepted. redis' default is 511.
        pub tcp_backlog: Located<u64>,
        /// Lines that redis refuses, which then does not start, as far as they are looked at.
        pub malformed: Vec<String>,
        /// Its file.
        pub at: At,
    }
}

impl Fact for Redis {
    const NAME: &'static str = "redis";
    const READS: &'static [&'static str] = &[
        "/etc/redis.conf",
        "/etc/redis/*.conf",
        "/etc/valkey.conf",
        "/etc/valkey/*.conf",
        "what they include",
    ];

    fn collect(host: &Host) -> Reading<Self> {
        let mut files = Vec::new();
        let mut unread = Vec::new();
        let mut budget = Budget { names: glob::NAMES, files: 20_000, bytes: TEXT_CAP as usize };
        for pattern in &Self::READS[..4] {
            let (paths, denied) = host.glob(pattern, &mut budget.names);
            unread.extend(denied);
            for path in paths {
                if let Some(settings) = Settings::read(host, &path, &mut budget).noted(&mut unread) {
                    files.push((path, settings));
                }
            }
        }
        let included: BTreeSet<String> = files.iter().flat_map(|(_, s)| s.included.clone()).collect();
        let own = files.into_iter().filter(|(path, settings)| !settings.sentinel && !included.contains(path));
        let items: Vec<RedisServer> = own.map(|(path, settings)| settings.server(&path)).collect();
        if items.is_empty() && unread.is_empty() {
            return Err(Missing::Absent);
        }
        // What an included file may have overruled is not known.
        Ok(Self { servers: Partial { items, unread } })
    }
}

/// How deep files may include each other.
const DEPTH: usize = 16;

/// How many mistakes are told of.
const TOLD: usize = 1000;

/// What may still be read of all servers' files together.
struct Budget {
    names: usize,
    files: usize,
    bytes: usize,
}

#[derive(Default)]
struct Settings {
    sentinel: bool,
    values: [Option<Located<u64>>; 3],
    malformed: Vec<String>,
    included: Vec<String>,
}

/// The settings that are looked at, with redis' defaults.
const VALUES: [(&str, u64); 3] = [("port", 6379), ("maxclients", 10_000), ("tcp-backlog", 511)];

impl Settings {
    /// Unreadable if one of the files is: it might overrule the others.
    fn read(host: &Host, path: &str, budget: &mut Budget) -> Reading<Self> {
        let mut settings = Self::default();
        settings.file(host, path, 0, budget)?;
        Ok(settings)
    }

    fn file(&mut self, host: &Host, path: &str, depth: usize, budget: &mut Budget) -> Reading<()> {
        if depth > DEPTH || budget.files == 0 || budget.bytes == 0 {
            let what = "was not read: the files before it are too many, too large, or include each other";
            return Err(Missing::unreadable(path, Reason::NotRead(what.into())));
        }
        let text = host.read_text(path)?;
        budget.files -= 1;
        budget.bytes = budget.bytes.saturating_sub(text.len());
        let path: Arc<str> = path.into();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
            let (name, value) = (name.to_ascii_lowercase(), rest.trim().trim_matches(['"', '\'']));
            if name == "include" {
                // Since redis 7 a glob may stand here.
                let (paths, denied) = host.glob(value, &mut budget.names);
                if let Some(why) = denied.into_iter().next() {
                    return Err(Missing::Unreadable(why));
                }
                for included in paths {
                    match self.file(host, &included, depth + 1, budget) {
                        Err(Missing::Absent) if glob::is_glob(value) => {}
                        Err(Missing::Absent) => {
                            self.mistake(format!("{path}:{number}: {included} does not exist"));
                        }
                        read => read?,
                    }
                    self.included.push(included);
                }
            } else if name == "sentinel" {
                self.sentinel = true;
            } else if let Some(at) = VALUES.iter().position(|(known, _)| *known == name) {
                match value.parse() {
                    // The last one holds.
                    Ok(value) => {
                        self.values[at] = Some(Located { value, at: At::line(path.clone(), number) });
                    }
                    Err(_) => self.mistake(format!("{path}:{number}: {line}")),
                }
            }
        }
        Ok(())
    }

    fn mistake(&mut self, what: String) {
        if self.malformed.len() < TOLD {
            self.malformed.push(what);
        }
    }

    fn server(self, path: &str) -> RedisServer {
        let mut values = self.values.into_iter().zip(VALUES).map(|(found, (_, default))| {
            found.unwrap_or_else(|| Located { value: default, at: At::file(path) })
        });
        let mut next = || values.next().unwrap_or_else(|| Located { value: 0, at: At::file(path) });
        RedisServer {
            port: next(),
            maxclients: next(),
            tcp_backlog: next(),
            malformed: self.malformed,
            at: At::file(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    fn servers(files: &Files) -> Partial<RedisServer> {
        Redis::collect(&Host::new(files.clone(), Target::root("x"))).unwrap().servers
    }

    fn numbers(server: &RedisServer) -> (u64, u64, u64) {
        (server.port.value, server.maxclients.value, server.tcp_backlog.value)
    }

    #[test]
    fn what_is_not_set_is_rediss_default() {
        let mut files = Files::new();
        files.file("/etc/redis.conf", "# maxclients 5\nbind 127.0.0.1\nMAXCLIENTS 20000\n");
        let server = &servers(&files).items[0];
        assert_eq!(numbers(server), (6379, 20_000, 511));
        assert_eq!(server.maxclients.at, At::line("/etc/redis.conf", 3));
        assert_eq!(server.port.at, At::file("/etc/redis.conf"));
    }

    #[test]
    fn each_file_is_a_server_but_sentinels_and_what_others_include() {
        let mut files = Files::new();
        files
            .file("/etc/redis/6379.conf", "include /etc/redis/common.conf\ntcp-backlog 128\n")
            .file("/etc/redis/6380.conf", "port 6380\ninclude \"/etc/redis/common.conf\"\n")
            .file("/etc/redis/common.conf", "maxclients 500\ntcp-backlog 64\n")
            .file("/etc/redis/sentinel.conf", "port 26379\nsentinel monitor m 10.0.0.1 6379 2\n")
            .file("/etc/redis/users.acl", "user default on\n")
            .file("/etc/valkey/valkey.conf", "port 7000\n");
        let found: Vec<_> = servers(&files).items.iter().map(numbers).collect();
        assert_eq!(found, [(6379, 500, 128), (6380, 500, 64), (7000, 10_000, 511)]);
    }

    #[test]
    fn a_server_of_which_a_part_is_denied_is_unknown() {
        let mut files = Files::new();
        files.file("/etc/redis/a.conf", "include /etc/secret.conf\n").deny("/etc/secret.conf");
        let found = servers(&files);
        assert_eq!((found.items.len(), found.unread.len()), (0, 1));
        let mut files = Files::new();
        files.deny("/etc/redis");
        assert_eq!(servers(&files).unread.len(), 1);
    }

    #[test]
    fn garbage_and_circles_do_no_harm() {
        let mut files = Files::new();
        files.file("/etc/redis.conf", "\0\u{fffd}\nmaxclients many\nport\ninclude /none\n");
        let found = servers(&files);
        assert_eq!(numbers(&found.items[0]), (6379, 10_000, 511));
        assert_eq!(found.items[0].malformed.len(), 3);
        files.file("/etc/redis.conf", "include /etc/redis.conf\ninclude /etc/redis.conf\n");
        assert_eq!(servers(&files).unread.len(), 1);
        let none = Redis::collect(&Host::new(Files::new(), Target::root("x")));
        assert_eq!(none.unwrap_err(), Missing::Absent);
    }
}
