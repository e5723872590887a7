//! apk's database: one file of records, each line a letter and a value.

use super::{CAP, File, Look, Manager, Package, Read};
use crate::source::{At, Host, Missing, Optional, Reading, text};
use std::path::Path;

const DATABASES: [&str; 2] = ["/lib/apk/db/installed", "/usr/lib/apk/db/installed"];

pub(super) fn read(host: &Host, look: &mut Look) -> Reading<Read> {
    for path in DATABASES {
        let Some(database) = host.source.read(Path::new(path), CAP).optional()?.map(text) else { continue };
        let mut installed = 0;
        for record in
            database.split("\n\n").filter(|record| record.starts_with("P:") || record.contains("\nP:"))
        {
            installed += 1;
            let package = package(record, path);
            if look.wants(&package.name) {
                look.package(package);
            }
        }
        return Ok((Manager::Apk, path.to_owned(), installed));
    }
    Err(Missing::Absent)
}

fn package(record: &str, path: &str) -> Package {
    let mut package =
        Package { name: String::new(), version: String::new(), at: At::file(path), files: Vec::new() };
    let mut directory = "";
    for line in record.lines() {
        match line.split_once(':') {
            Some(("P", name)) => name.clone_into(&mut package.name),
            Some(("V", version)) => version.clone_into(&mut package.version),
            Some(("F", below)) => directory = below.trim_end_matches('/'),
            // All of /etc is protected: what is removed there stays removed.
            Some(("R", name)) if directory.is_empty() => {
                package.files.push(File { path: format!("/{name}"), is_setting: false, digest: None })
            }
            Some(("R", name)) => {
                let is_setting = directory == "etc" || directory.starts_with("etc/");
                package.files.push(File { path: format!("/{directory}/{name}"), is_setting, digest: None });
            }
            _ => {}
        }
    }
    package
}
