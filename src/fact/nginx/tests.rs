use super::*;
use crate::source::{Files, Target};

fn collect(files: &Files) -> Reading<Nginx> {
    Nginx::collect(&Host::new(files.clone(), Target::root("x")))
}

fn nginx(text: &str) -> Nginx {
    let mut files = Files::new();
    files.file("/etc/nginx/nginx.conf", text);
    collect(&files).unwrap()
}

fn value<T: Clone>(found: &Reading<Located<T>>) -> Option<T> {
    found.as_ref().ok().map(|found| found.value.clone())
}

#[test]
fn what_is_not_set_is_nginxs_default() {
    let nginx = nginx("events {}\nhttp {}\n");
    assert_eq!(value(&nginx.worker_processes).as_deref(), Some("1"));
    assert_eq!(value(&nginx.worker_connections), Some(512));
    assert_eq!(nginx.worker_rlimit_nofile, Err(Missing::Absent));
    assert_eq!(nginx.worker_connections.unwrap().at, At::file("/etc/nginx/nginx.conf"));
    assert_eq!((nginx.proxies, nginx.listens.items.len()), (Ok(false), 0));
}

#[test]
fn a_value_counts_only_in_its_block() {
    let text = "worker_processes 16;\nworker_rlimit_nofile 102400;\nworker_connections 1;\n\
        events { worker_connections 10240; worker_processes 3; }\n";
    let nginx = nginx(text);
    assert_eq!(value(&nginx.worker_processes).as_deref(), Some("16"));
    assert_eq!(value(&nginx.worker_connections), Some(10240));
    assert_eq!(value(&nginx.worker_rlimit_nofile), Some(102_400));
}

#[test]
fn includes_are_followed_from_the_directory_of_the_first_file() {
    let mut files = Files::new();
    files
        .file(
            "/etc/nginx/nginx.conf",
            "include modules/*.conf;\nhttp {\n include conf.d/*.conf;\n include /srv/site;\n}\n",
        )
        .file("/etc/nginx/modules/a.conf", "worker_processes auto;")
        .file(
            "/etc/nginx/conf.d/b.conf",
            "server {\n listen [::]:80 backlog=65533 reuseport;\n location / { proxy_pass http://x; }\n}",
        )
        .file("/srv/site", "server { listen unix:/run/x; listen 443 ssl; }\nlisten 9;\n");
    let nginx = collect(&files).unwrap();
    assert_eq!(value(&nginx.worker_processes).as_deref(), Some("auto"));
    assert_eq!(nginx.proxies, Ok(true));
    let listens: Vec<_> =
        nginx.listens.items.iter().map(|l| (l.address.as_str(), l.backlog, l.reuseport)).collect();
    assert_eq!(listens, [("[::]:80", Some(65533), true), ("unix:/run/x", None, false), ("443", None, false)]);
    assert_eq!(nginx.listens.items[0].at, At::line("/etc/nginx/conf.d/b.conf", 2));
    assert_eq!(nginx.listens.items[0].protocol, "http");
    assert_eq!(nginx.malformed.items, []);
}

#[test]
fn what_a_file_that_cannot_be_read_may_set_is_unknown() {
    let mut files = Files::new();
    files
        .file("/etc/nginx/nginx.conf", "worker_processes 2;\nevents {}\ninclude secret.conf;\n")
        .deny("/etc/nginx/secret.conf");
    let nginx = collect(&files).unwrap();
    assert_eq!(value(&nginx.worker_processes).as_deref(), Some("2"));
    assert!(matches!(nginx.worker_connections, Err(Missing::Unreadable(_))));
    assert!(matches!(nginx.worker_rlimit_nofile, Err(Missing::Unreadable(_))));
    assert!(matches!(nginx.proxies, Err(Missing::Unreadable(_))));
    files.deny("/etc/nginx/nginx.conf");
    assert!(matches!(collect(&files), Err(Missing::Unreadable(_))));
}

#[test]
fn files_that_include_each_other_come_to_an_end() {
    let mut files = Files::new();
    files.file(
        "/etc/nginx/nginx.conf",
        "include nginx.conf;\ninclude nginx.conf;\ninclude *.conf;\nworker_processes 2;\n",
    );
    let nginx = collect(&files).unwrap();
    assert_eq!(value(&nginx.worker_processes).as_deref(), Some("2"));
    assert!(!nginx.listens.unread.is_empty());
}

#[test]
fn what_nginx_refuses_is_kept_with_its_line() {
    let mistakes =
        |text| nginx(text).malformed.items.into_iter().map(|m| m.at.line.unwrap()).collect::<Vec<_>>();
    assert_eq!(mistakes("events {\n"), [1]);
    assert_eq!(mistakes("a;\n}\nb;\n"), [2]);
    assert_eq!(mistakes("a;\ninclude none.conf;\n"), [2]);
    assert_eq!(mistakes("include none*.conf;\n\n\u{fffd}\0;"), [0_u32; 0]);
    assert!(matches!(nginx("worker_rlimit_nofile many;").worker_rlimit_nofile, Err(Missing::Unreadable(_))));
}

#[test]
fn without_a_configuration_there_is_no_nginx() {
    assert_eq!(collect(&Files::new()).unwrap_err(), Missing::Absent);
    let mut files = Files::new();
    files.file("/usr/local/nginx/conf/nginx.conf", "events { worker_connections 7; }");
    assert_eq!(value(&collect(&files).unwrap().worker_connections), Some(7));
}
