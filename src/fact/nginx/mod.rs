//! What nginx is configured to do: its workers, what they may have open, and what they listen on.

mod syntax;
#[cfg(test)]
mod tests;

use super::Fact;
use crate::model::{Located, Partial};
use crate::record;
use crate::source::{At, Host, Missing, Reading, Reason, TEXT_CAP, Unreadable, glob};
use std::sync::Arc;
use syntax::{Kind, Statement};

record! {
    /// The configuration of nginx, with all that it includes.
    ///
    /// ```text
    /// /etc/nginx/nginx.conf            worker_processes auto;
    ///                                  worker_rlimit_nofile 65535;
    ///                                  events { worker_connections 10240; }
    ///                                  http { include /etc/nginx/conf.d/*.conf; }
    /// /etc/nginx/conf.d/site.conf      server { listen 80 backlog=4096 reuseport; }
    /// ```
    ///
    /// Source: <https://nginx.org/en/docs/ngx_core_module.html>, and src/core/ngx_conf_file.c of nginx. Other files than
    /// the two usual ones, chosen with `-c`, are not looked for. Absent where there is none.
    pub struct Nginx {
        /// How many workers there are: a number, or `auto` for one for each CPU. nginx's default is 1.
        pub worker_processes: Reading<Located<String>>,
        /// How many connections a worker may have open at once, to clients and to proxied servers together. nginx's default is 512.
        pub worker_connections: Reading<Located<u64>>,
        /// How many files a worker may have open: its soft and hard limit from then on. Absent where nginx leaves the limit alone.
        pub worker_rlimit_nofile: Reading<Located<u64>>,
        /// Whether anything is proxied, to which each client's request takes a connection and a file more: `proxy_pass`,
        /// `fastcgi_pass` and the like.
        pub proxies: Reading<bool>,
        /// What it listens on, in order.
        pub listens: Partial<NginxListen>,
        /// Where the text makes no sense to nginx, which then does not start and keeps what runs when it is told to reload.
        pub malformed: Partial<NginxMistake>,
        /// The file that includes the others.
        pub at: At,
    }
}

record! {
    /// A `listen` directive.
    #[derive(Clone, PartialEq)]
    pub struct NginxListen {
        /// What it listens on, as it is written: `80`, `[::]:443`, `unix:/run/nginx.sock`.
        pub address: String,
        /// The block it stands in: `http`, `stream` or `mail`.
        pub protocol: String,
        /// `backlog=`: the longest queue of connections that wait to be accepted. Absent where it is not set: nginx asks for 511.
        pub backlog: Option<i64>,
        /// `reuseport`: each worker has a socket of its own.
        pub reuseport: bool,
        /// File and line.
        pub at: At,
    }
}

record! {
    /// Where the configuration makes no sense to nginx.
    #[derive(Clone, PartialEq)]
    pub struct NginxMistake {
        /// What is wrong.
        pub reason: String,
        /// File and line.
        pub at: At,
    }
}

impl Fact for Nginx {
    const NAME: &'static str = "nginx";
    const READS: &'static [&'static str] =
        &["/etc/nginx/nginx.conf", "/usr/local/nginx/conf/nginx.conf", "what they include"];

    fn collect(host: &Host) -> Reading<Self> {
        for path in &Self::READS[..2] {
            match host.read_text(path) {
                Err(Missing::Absent) => {}
                text => return Ok(Reader::new(host, path).read(path, &text?)),
            }
        }
        Err(Missing::Absent)
    }
}

/// How deep files may include each other; nginx's own bound is the number of files that it may have open.
const DEPTH: usize = 16;

/// How many files are read, and how many bytes of them together. Hosts of thousands of sites are below.
const FILES: usize = 20_000;
const BYTES: u64 = 4 * TEXT_CAP;

/// How many `listen` directives and mistakes are told of. Hosts of thousands of sites have some ten thousand.
const TOLD: usize = 100_000;

struct Reader<'a> {
    host: &'a Host,
    /// Where relative names begin: the directory of the first file.
    prefix: String,
    /// The names of the blocks that are open.
    blocks: Vec<String>,
    files: usize,
    bytes: u64,
    stopped: bool,
    names_left: usize,
    values: [Option<Located<String>>; 3],
    proxies: bool,
    listens: Vec<NginxListen>,
    malformed: Vec<NginxMistake>,
    unread: Vec<Unreadable>,
}

/// The directives of which the first one is kept (nginx refuses a second one), and the block they stand in.
const VALUES: [(&str, &str); 3] =
    [("worker_processes", ""), ("worker_connections", "events"), ("worker_rlimit_nofile", "")];

const PASSES: [&str; 6] =
    ["proxy_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass", "grpc_pass", "memcached_pass"];

impl<'a> Reader<'a> {
    fn new(host: &'a Host, path: &str) -> Self {
        Self {
            host,
            prefix: path.rsplit_once('/').map_or_else(String::new, |(dir, _)| dir.to_owned()),
            blocks: Vec::new(),
            files: 0,
            bytes: 0,
            stopped: false,
            names_left: glob::NAMES,
            values: [None, None, None],
            proxies: false,
            listens: Vec::new(),
            malformed: Vec::new(),
            unread: Vec::new(),
        }
    }

    fn read(mut self, path: &str, text: &str) -> Nginx {
        self.file(&path.into(), text, 0);
        let unread = self.unread;
        // What is not there may be in what could not be read.
        let or_missing = |found: Option<Located<String>>, default: Option<&str>| match (found, default) {
            (Some(found), _) => Ok(found),
            (None, default) => match (unread.first(), default) {
                (Some(why), _) => Err(Missing::Unreadable(why.clone())),
                (None, Some(value)) => Ok(Located { value: value.to_owned(), at: At::file(path) }),
                (None, None) => Err(Missing::Absent),
            },
        };
        let [processes, connections, nofile] = self.values;
        Nginx {
            worker_processes: or_missing(processes, Some("1")),
            worker_connections: or_missing(connections, Some("512")).and_then(number),
            worker_rlimit_nofile: or_missing(nofile, None).and_then(number),
            proxies: match unread.first() {
                Some(why) if !self.proxies => Err(Missing::Unreadable(why.clone())),
                _ => Ok(self.proxies),
            },
            listens: Partial { items: self.listens, unread: unread.clone() },
            malformed: Partial { items: self.malformed, unread },
            at: At::file(path),
        }
    }

    fn file(&mut self, path: &Arc<str>, text: &str, depth: usize) {
        self.bytes += text.len() as u64;
        let (statements, mistake) = syntax::read(text);
        let outside = self.blocks.len();
        for statement in &statements {
            match statement.kind {
                Kind::Simple => self.directive(path, statement, depth),
                Kind::Opens => self.blocks.push(statement.words.first().cloned().unwrap_or_default()),
                // A file cannot close the block that includes it.
                Kind::Closes if self.blocks.len() == outside => {
                    self.mistake(path, statement.line, "a } without a block");
                    break;
                }
                Kind::Closes => {
                    self.blocks.pop();
                }
            }
        }
        if let Some(mistake) = mistake {
            self.mistake(path, mistake.line, mistake.what);
        } else if self.blocks.len() > outside {
            self.mistake(path, text.lines().count() as u32, "a block does not end");
        }
        self.blocks.truncate(outside);
    }

    fn mistake(&mut self, path: &Arc<str>, line: u32, reason: &str) {
        self.malformed.push(NginxMistake { reason: reason.to_owned(), at: At::line(path.clone(), line) });
    }

    fn directive(&mut self, path: &Arc<str>, statement: &Statement, depth: usize) {
        let Some((name, arguments)) = statement.words.split_first() else { return };
        let at = At::line(path.clone(), statement.line);
        let block = self.blocks.last().map_or("", String::as_str);
        if name == "include" {
            if let [pattern] = arguments {
                self.include(pattern, &at, depth);
            }
        } else if PASSES.contains(&name.as_str()) {
            self.proxies = true;
        } else if name == "listen" && block == "server" {
            let protocol = self.blocks.first().cloned().unwrap_or_default();
            if !self.stops(path, 0) {
                self.listens.extend(listen(arguments, protocol, at));
            }
        } else if let Some(position) = VALUES.iter().position(|value| *value == (name.as_str(), block))
            && let ([value], slot @ None) = (arguments, &mut self.values[position])
        {
            *slot = Some(Located { value: value.clone(), at });
        }
    }

    /// Whether too much has been read already; what is left is then not known, which is said once.
    fn stops(&mut self, path: &str, depth: usize) -> bool {
        let enough = self.listens.len() + self.malformed.len() >= TOLD
            || depth >= DEPTH
            || self.files >= FILES
            || self.bytes > BYTES
            || self.names_left == 0;
        if enough && !self.stopped {
            self.stopped = true;
            let what = "was not read: the files before it are too many, too large, or include each other";
            self.unread.push(Unreadable { path: path.into(), reason: Reason::NotRead(what.into()) });
        }
        self.stopped
    }

    fn include(&mut self, pattern: &str, at: &At, depth: usize) {
        let pattern = match pattern.starts_with('/') {
            true => pattern.to_owned(),
            false => format!("{}/{pattern}", self.prefix),
        };
        if self.stops(&pattern, depth) {
            return;
        }
        let (paths, unread) = self.host.glob(&pattern, &mut self.names_left);
        self.unread.extend(unread);
        for path in paths {
            if self.stops(&path, depth) {
                return;
            }
            self.files += 1;
            match self.host.read_text(&path) {
                Ok(text) => self.file(&path.into(), &text, depth + 1),
                Err(Missing::Absent) if glob::is_glob(&pattern) => {}
                Err(Missing::Absent) => {
                    let reason = format!("the included file {path} does not exist");
                    self.malformed.push(NginxMistake { reason, at: at.clone() });
                }
                Err(Missing::Unreadable(why)) => self.unread.push(why),
            }
        }
    }
}

fn number(found: Located<String>) -> Reading<Located<u64>> {
    match found.value.parse() {
        Ok(value) => Ok(Located { value, at: found.at }),
        Err(_) => {
            let what = format!("{} in line {} is no number", found.value, found.at.line.unwrap_or(0));
            Err(Missing::garbled(&*found.at.path, what))
        }
    }
}

fn listen(arguments: &[String], protocol: String, at: At) -> Option<NginxListen> {
    let (address, options) = arguments.split_first()?;
    let backlog = options.iter().find_map(|o| o.strip_prefix("backlog=")?.parse().ok());
    let reuseport = options.iter().any(|o| o == "reuseport");
    Some(NginxListen { address: address.clone(), protocol, backlog, reuseport, at })
}
