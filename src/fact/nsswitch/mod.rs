//! Where the C library looks up users, groups and hosts.

mod libraries;
mod parse;
#[cfg(test)]
mod tests;

use super::Fact;
use crate::format::shared_library::{Libraries, LibraryState};
use crate::model::Lazy;
use crate::record;
use crate::source::{At, Host, Optional, Reading};
use std::collections::BTreeMap;

record! {
    /// The name service switch: which services the GNU C library asks for users, groups, hosts and the like, and whether
    /// their libraries are there.
    ///
    /// ```text
    /// passwd:     files sss systemd
    /// hosts:      files mdns4_minimal [NOTFOUND=return] dns
    /// ```
    ///
    /// Source: nsswitch.conf(5), nss(5), glibc's nss/nss_database.c. Absent with neither the file nor the GNU C library: musl
    /// has no such switch, and asks files and DNS.
    #[bare(databases)]
    pub struct Nsswitch {
        /// The databases by name: those that the file sets, others' such as `sudoers` too, and of those that it does not set
        /// `passwd`, `group`, `shadow`, `gshadow`, `hosts` and `networks` with the C library's default.
        pub databases: BTreeMap<String, NssDatabase>,
        /// The libraries of the services that the C library's own databases name, by service. Absent without the GNU C library.
        pub libraries: Lazy<Vec<NssLibrary>>,
        /// The GNU C library itself. Absent where it is no part of this tree.
        pub glibc: Lazy<Glibc>,
        /// Lines, and ends of lines, that the C library leaves out.
        pub malformed: Vec<NsswitchMalformed>,
        /// The file, also where it is not there.
        pub at: At,
    }
}

record! {
    /// What the C library does to look something up.
    #[derive(Clone, PartialEq)]
    #[bare(services)]
    pub struct NssDatabase {
        /// The services it asks, in order.
        pub services: Vec<NssService>,
        /// Whether this is the C library's default, or taken from another database (`shadow` from `passwd`), as the file
        /// does not set it.
        pub assumed: bool,
        /// Where it is set.
        pub at: At,
    }
}

record! {
    /// A service that is asked.
    #[derive(Clone, PartialEq)]
    pub struct NssService {
        /// Its name: `files`, `dns`, `sss`.
        pub name: String,
        /// What is to be done upon its answers, as written: `NOTFOUND=return`, `!UNAVAIL=return`.
        pub actions: Vec<String>,
        /// Whether nothing after it is asked if it cannot be asked: `UNAVAIL=return`.
        pub unavailable_ends: bool,
    }
}

record! {
    /// The library of a service.
    pub struct NssLibrary {
        /// The service: `files`.
        pub service: String,
        /// The databases of the C library in which it stands.
        pub databases: Vec<String>,
        /// Its file: `libnss_files.so.2`.
        pub file: String,
        /// What is there.
        pub state: Reading<LibraryState>,
        /// Whether the C library has the service built in, as it has `files` and `dns` since 2.34, and needs no library.
        pub built_in: Reading<bool>,
        /// Where it is; absent if it is missing.
        pub path: Option<String>,
        /// What the link of that name says, if it is one that leads nowhere.
        pub dangling: Option<String>,
        /// The databases in which nothing is asked any more if it cannot be loaded: `UNAVAIL=return`.
        pub ends: Vec<String>,
        /// Where the service stands first.
        pub at: At,
    }
}

record! {
    /// The GNU C library.
    #[derive(Clone, PartialEq)]
    #[bare(version)]
    pub struct Glibc {
        /// Its version, from the name or the bytes of its file: `2.17`.
        pub version: String,
        /// 2 of 2.17.
        pub major: u32,
        /// 17 of 2.17.
        pub minor: u32,
        /// Its file.
        pub at: At,
    }
}

record! {
    /// Something that the C library leaves out.
    #[derive(Clone, PartialEq)]
    pub struct NsswitchMalformed {
        /// The line.
        pub text: String,
        /// Where it stands.
        pub at: At,
    }
}

const PATH: &str = "/etc/nsswitch.conf";

impl Fact for Nsswitch {
    const NAME: &'static str = "nsswitch";
    const READS: &'static [&'static str] =
        &[PATH, "/etc/ld.so.conf", "/etc/ld.so.conf.d/*.conf", "*/libc.so.6", "*/libnss_*.so.2"];

    fn collect(host: &Host) -> Reading<Self> {
        let text = host.read_text(PATH).optional()?;
        if text.is_none() {
            Libraries::find(host)?;
        }
        let text = text.unwrap_or_default();
        let parse::Parsed { databases, malformed } = parse::parse(PATH, &text);
        let (for_libraries, for_glibc) = (host.clone(), host.clone());
        let named = databases.clone();
        Ok(Self {
            libraries: Lazy::new(move || libraries::find(&for_libraries, &named)),
            glibc: Lazy::new(move || libraries::glibc(&for_glibc, &Libraries::find(&for_glibc)?.libc)),
            databases,
            malformed,
            at: At::file(PATH),
        })
    }
}
