//! The packages that are installed, as a sosreport has them printed: by `dpkg -l`, or a query of rpm.

use crate::source::{Host, Missing, Reading};

/// Links that sosreport makes, whatever the name of the command's own file.
const DEBS: &str = "/installed-debs";
const RPMS: &str = "/installed-rpms";

/// The version of the package of this name; none if it is not installed. Absent where nothing was printed.
pub(crate) fn version(host: &Host, name: &str) -> Reading<Option<String>> {
    match host.read_text(DEBS) {
        // Its head is there even if nothing is installed.
        Ok(text) if text.contains("+++-") => return Ok(deb(&text, name)),
        Ok(_) => {}
        Err(missing) if missing.is_elsewhere() => {}
        Err(missing) => return Err(missing),
    }
    let text = host.read_text(RPMS)?;
    // No system of rpms is without it, and errors are printed in its place.
    match rpm(&text, "rpm") {
        Some(_) => Ok(rpm(&text, name)),
        None => Err(Missing::garbled(RPMS, "is no list of packages")),
    }
}

/// `ii  openssh-server  1:9.2p1-2+deb12u3  amd64  secure shell (SSH) server`, the name with `:amd64` if there are several.
fn deb(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let (state, package, version) = (words.next()?, words.next()?, words.next()?);
        let package = package.split(':').next()?;
        (state.get(1..2) == Some("i") && package == name).then(|| version.to_owned())
    })
}

/// `openssh-server-8.7p1-38.el9_4.4.x86_64   Tue 05 Nov 2024`: neither version, release nor architecture has a dash.
fn rpm(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let word = line.split_ascii_whitespace().next()?;
        let rest = word.strip_prefix(name)?.strip_prefix('-')?;
        let (version, release) = rest.split_once('-')?;
        let (release, _architecture) = release.rsplit_once('.')?;
        (!release.contains('-')).then(|| format!("{version}-{release}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    fn of(path: &str, text: &str, name: &str) -> Reading<Option<String>> {
        let mut files = Files::new();
        files.file(path, text);
        version(&Host::new(files, Target::root("x")), name)
    }

    #[test]
    fn versions_are_told_from_names() {
        let rpms = "openssh-8.7p1-38.el9.x86_64   Tue 05 Nov 2024\nopenssh-server-8.7p1-38.el9_4.4.x86_64  Tue\nrpm-4.16.1.3-34.el9.x86_64  Tue\n";
        assert_eq!(of(RPMS, rpms, "openssh-server"), Ok(Some("8.7p1-38.el9_4.4".into())));
        assert_eq!(of(RPMS, rpms, "openssh"), Ok(Some("8.7p1-38.el9".into())));
        assert_eq!(of(RPMS, rpms, "open"), Ok(None));
        let debs = "||/ Name Version Architecture Description\n+++-====-====-====-====\nii  libc6:amd64  2.36-9+deb12u9  amd64  C\nrc  ssh  1:9 all  x\n";
        assert_eq!(of(DEBS, debs, "libc6"), Ok(Some("2.36-9+deb12u9".into())));
        assert_eq!(of(DEBS, debs, "ssh"), Ok(None));
    }

    #[test]
    fn what_is_no_list_says_nothing_of_a_package() {
        for text in ["", "error: cannot open Packages database in /var/lib/rpm\n", "\0\u{fffd}\n- -\n--\n"] {
            assert!(matches!(of(RPMS, text, "ssh"), Err(Missing::Unreadable(_))), "{text:?}");
            assert_eq!(of(DEBS, text, "ssh"), Err(Missing::Absent), "{text:?}");
        }
    }
}
