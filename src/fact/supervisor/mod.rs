//! supervisord, which gives its programs their limits.

use super::Fact;
use crate::model::Partial;
use crate::record;
use crate::source::{At, Host, Missing, Reading};

mod ini;
#[cfg(test)]
mod tests;

record! {
    /// The configurations of supervisord, where packages and its own manual put them.
    ///
    /// ```text
    /// /etc/supervisor/supervisord.conf   [supervisord]
    ///                                    minfds=655350   ; min. avail startup file descriptors; default 1024
    ///                                    [include]
    ///                                    files = /etc/supervisor/conf.d/*.conf
    /// ```
    ///
    /// Source: supervisor's Configuration File, and read_config and set_rlimits_or_exit of its supervisor/options.py. Included files count
    /// as if they stood in the file, later ones over earlier ones. Absent without it.
    #[bare(configurations)]
    pub struct Supervisor {
        /// The configurations; more than one where the package's and another are there.
        pub configurations: Partial<SupervisorConfig>,
    }
}

record! {
    /// A configuration of supervisord.
    #[derive(Clone, PartialEq)]
    pub struct SupervisorConfig {
        /// The file.
        pub path: String,
        /// Open files that supervisord, and so its programs, must at least be allowed: it raises its soft limit to this, and as root the
        /// hard one too, and does not start where it cannot. 1024 where nothing sets it.
        pub minfds: u64,
        /// Where `minfds` is set; absent where it is not.
        pub minfds_at: Option<At>,
        /// The same for processes. 200 where nothing sets it.
        pub minprocs: u64,
        /// Where `minprocs` is set; absent where it is not.
        pub minprocs_at: Option<At>,
        /// The names of its programs.
        pub programs: Vec<String>,
        /// The file.
        pub at: At,
    }
}

const PLACES: [&str; 2] = ["/etc/supervisord.conf", "/etc/supervisor/supervisord.conf"];

/// Files that one configuration includes, at most.
const MOST_INCLUDED: usize = 1_000;

impl Fact for Supervisor {
    const NAME: &'static str = "supervisor";
    const READS: &'static [&'static str] =
        &[PLACES[0], PLACES[1], "/etc/supervisor/conf.d/*.conf", "/etc/supervisord.d/*.ini"];

    fn collect(host: &Host) -> Reading<Self> {
        let mut configurations = Partial::default();
        for path in PLACES {
            configurations.add(configuration(host, path).map(Some));
        }
        match configurations {
            Partial { ref items, ref unread } if items.is_empty() && unread.is_empty() => Err(Missing::Absent),
            configurations => Ok(Self { configurations }),
        }
    }
}

fn configuration(host: &Host, path: &str) -> Reading<SupervisorConfig> {
    let text = host.read_text(path)?;
    let mut lines = ini::lines(&text, path);
    let include = lines.iter().rev().find(|line| line.section == "include" && line.key == "files");
    let included = include.map(|line| included(host, path, &line.value)).transpose()?.unwrap_or_default();
    for path in included {
        // It was there a moment ago.
        match host.read_text(&path) {
            Ok(text) => lines.extend(ini::lines(&text, &path)),
            Err(Missing::Absent) => {}
            Err(why) => return Err(why),
        }
    }
    let number = |key: &str, default| {
        let Some(line) = lines.iter().rev().find(|line| line.section == "supervisord" && line.key == key) else {
            return Ok((default, None));
        };
        let number = line.value.parse().ok().map(|number| (number, Some(line.at.clone())));
        number.ok_or_else(|| Missing::garbled(&*line.at.path, format!("{key} is no whole number")))
    };
    let ((minfds, minfds_at), (minprocs, minprocs_at)) = (number("minfds", 1024)?, number("minprocs", 200)?);
    let mut programs: Vec<_> =
        lines.iter().filter_map(|line| line.section.strip_prefix("program:")).map(str::to_owned).collect();
    programs.sort();
    programs.dedup();
    Ok(SupervisorConfig { path: path.to_owned(), minfds, minfds_at, minprocs, minprocs_at, programs, at: At::file(path) })
}

/// The files that these patterns stand for, in order: relative to the file's directory, wildcards in the name only.
fn included(host: &Host, path: &str, patterns: &str) -> Reading<Vec<String>> {
    let here = path.rsplit_once('/').map_or("", |(directory, _)| directory);
    let mut found = Vec::new();
    for pattern in patterns.split_ascii_whitespace() {
        let pattern = pattern.strip_prefix("%(here)s/").unwrap_or(pattern);
        let full = if pattern.starts_with('/') { pattern.to_owned() } else { format!("{here}/{pattern}") };
        let Some((directory, name)) = full.rsplit_once('/') else { continue };
        let Ok(glob) = globset::Glob::new(name) else { continue };
        let matcher = glob.compile_matcher();
        match host.names(directory) {
            Ok(names) => {
                let fitting = names.into_iter().filter(|n| !n.starts_with('.') && matcher.is_match(n));
                found.extend(fitting.map(|name| format!("{directory}/{name}")));
            }
            Err(Missing::Absent) => {}
            Err(why) => return Err(why),
        }
        found.truncate(MOST_INCLUDED);
    }
    Ok(found)
}
