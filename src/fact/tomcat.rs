//! The connectors of Tomcat.

use super::{Fact, java};
use crate::model::Partial;
use crate::record;
use crate::source::{At, Host, Missing, Reading, Reason, Unreadable, glob, resolve};
use roxmltree::{Document, Node};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

record! {
    /// The connectors of the Tomcats whose configuration is found.
    ///
    /// ```text
    /// /opt/tomcat/conf/server.xml   <Connector port="8080" protocol="HTTP/1.1" acceptCount="1000" maxThreads="800" />
    /// ```
    ///
    /// Source: <https://tomcat.apache.org/tomcat-10.1-doc/config/http.html>. Looked for are the usual places and those of the
    /// Tomcats that run. Absent where there is none.
    #[bare(connectors)]
    pub struct Tomcat {
        /// The connectors, by file and in its order.
        pub connectors: Partial<TomcatConnector>,
    }
}

record! {
    /// A connector.
    #[derive(Clone, PartialEq)]
    pub struct TomcatConnector {
        /// The port, as it is written: a number, or a property such as `${http.port}`.
        pub port: String,
        /// The protocol, as it is written; Tomcat's default is HTTP/1.1.
        pub protocol: String,
        /// The longest queue of connections that wait to be accepted. Tomcat's default is 100.
        pub accept_count: Reading<u64>,
        /// How many requests are worked on at once. Tomcat's default is 200. Absent where an executor decides.
        pub max_threads: Reading<u64>,
        /// How many connections are held at once. Tomcat's default is 8192 since version 8.
        pub max_connections: Reading<u64>,
        /// File and line.
        pub at: At,
    }
}

/// Far more than a server.xml has. Whether attributes repeat is looked for in time that grows with the square of their number.
const CAP: u64 = 128 << 10;

/// More instances than a host has, and more connectors than one of them has.
const MOST: usize = 1000;

impl Fact for Tomcat {
    const NAME: &'static str = "tomcat";
    const READS: &'static [&'static str] = &[
        "/etc/tomcat*/server.xml",
        "/usr/share/tomcat*/conf/server.xml",
        "/var/lib/tomcat*/conf/server.xml",
        "/opt/*tomcat*/conf/server.xml",
        "/usr/local/*tomcat*/conf/server.xml",
        "/srv/*tomcat*/conf/server.xml",
        "/proc/PID/cmdline",
    ];

    fn collect(host: &Host) -> Reading<Self> {
        let mut connectors = Partial::default();
        let mut candidates = Vec::new();
        for pattern in &Self::READS[..6] {
            let (paths, unread) = host.glob(pattern, &mut glob::NAMES.clone());
            connectors.unread.extend(unread);
            candidates.extend(paths);
        }
        let running = java::running(host)?;
        connectors.unread.extend(running.unread);
        let bases = running.items.into_iter().filter_map(|jvm| jvm.catalina_base);
        candidates.extend(bases.filter(|b| b.starts_with('/')).map(|base| format!("{base}/conf/server.xml")));
        if candidates.len() > MOST {
            let what = format!("was not read: there are more than {MOST} such files");
            let path = candidates.swap_remove(MOST).into();
            connectors.unread.push(Unreadable { path, reason: Reason::NotRead(what) });
            candidates.truncate(MOST);
        }
        let mut seen = BTreeSet::new();
        let mut any = !connectors.unread.is_empty();
        for path in candidates {
            // Packages link one of the places to another.
            let real = resolve(&*host.source, Path::new(&path), true).unwrap_or_else(|_| path.clone().into());
            if !seen.insert(real) {
                continue;
            }
            let bytes = host.source.read(Path::new(&path), CAP);
            match bytes.and_then(|bytes| parse(&path, &String::from_utf8_lossy(&bytes))) {
                Err(Missing::Absent) => continue,
                Err(Missing::Unreadable(why)) => connectors.unread.push(why),
                Ok(found) => connectors.items.extend(found),
            }
            any = true;
        }
        if any { Ok(Self { connectors }) } else { Err(Missing::Absent) }
    }
}

fn parse(path: &str, text: &str) -> Reading<Vec<TomcatConnector>> {
    let garbled = |why: roxmltree::Error| Missing::garbled(path, format!("is not well-formed: {why}"));
    let document = Document::parse(text).map_err(garbled)?;
    let path: Arc<str> = path.into();
    let connector = |node: Node| {
        let line = document.text_pos_at(node.range().start).row;
        let number = |name: &str, default: Reading<u64>| match node.attribute(name) {
            None => default,
            Some(value) => value.trim().parse().map_err(|_| {
                Missing::Unreadable(Unreadable {
                    path: path.clone(),
                    reason: Reason::NotRead(format!("{name} is {value} in line {line}")),
                })
            }),
        };
        let word = |name, default: &str| node.attribute(name).unwrap_or(default).to_owned();
        let threads = if node.has_attribute("executor") { Err(Missing::Absent) } else { Ok(200) };
        TomcatConnector {
            port: word("port", ""),
            protocol: word("protocol", "HTTP/1.1"),
            accept_count: number("acceptCount", Ok(100)),
            max_threads: number("maxThreads", threads),
            max_connections: number("maxConnections", Ok(8192)),
            at: At::line(path.clone(), line),
        }
    };
    Ok(document
        .descendants()
        .filter(|node| node.has_tag_name("Connector"))
        .take(MOST)
        .map(connector)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    const SERVER: &str = "<?xml version='1.0' encoding='utf-8'?>\n<!-- <Connector port=\"1\"/> -->\n<Server port=\"8005\">\n \
        <Service name=\"Catalina\">\n  <Connector port=\"8080\" acceptCount=\"1000\"\n    maxThreads=\"800\"/>\n  \
        <Connector port=\"${ajp}\" protocol=\"AJP/1.3\" executor=\"pool\" acceptCount=\"${n}\"/>\n </Service>\n</Server>\n";

    fn collect(files: &Files) -> Reading<Tomcat> {
        Tomcat::collect(&Host::new(files.clone(), Target::root("x")))
    }

    #[test]
    fn connectors_have_their_lines_and_tomcats_defaults() {
        let found = parse("/x", SERVER).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].port.as_str(), found[0].accept_count.clone()), ("8080", Ok(1000)));
        assert_eq!((found[0].max_threads.clone(), found[0].max_connections.clone()), (Ok(800), Ok(8192)));
        assert_eq!(found[0].at, At::line("/x", 5));
        assert_eq!(
            (found[1].protocol.as_str(), found[1].max_threads.clone()),
            ("AJP/1.3", Err(Missing::Absent))
        );
        assert!(matches!(found[1].accept_count, Err(Missing::Unreadable(_))));
    }

    #[test]
    fn a_file_with_several_names_counts_once() {
        let mut files = Files::new();
        files.file("/etc/tomcat9/server.xml", SERVER).link("/var/lib/tomcat9/conf", "/etc/tomcat9");
        assert_eq!(collect(&files).unwrap().connectors.items.len(), 2);
        files
            .file("/proc/7/stat", "7 (java) S 1\n")
            .file("/proc/7/cmdline", "java\0-Dcatalina.base=/data/app\0X\0");
        files.file("/data/app/conf/server.xml", SERVER);
        assert_eq!(collect(&files).unwrap().connectors.items.len(), 4);
    }

    #[test]
    fn garbage_is_unreadable_and_nothing_is_absent() {
        assert_eq!(collect(&Files::new()).unwrap_err(), Missing::Absent);
        for text in
            ["", "<Server>", "<!DOCTYPE x [<!ENTITY a \"&a;&a;\">]><x>&a;</x>", "\0", &"<a>".repeat(100_000)]
        {
            let mut files = Files::new();
            files.file("/etc/tomcat/server.xml", text);
            let found = collect(&files).unwrap().connectors;
            assert_eq!((found.items.len(), found.unread.len()), (0, 1), "{:.20}", text);
        }
    }
}
