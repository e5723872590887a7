//! passwd and group, in the two places where the C library finds them.

use crate::source::{Host, Optional, Reading};

/// The file of /etc of this name, `passwd` or `group`, and after it that of /usr/lib, where ostree keeps the accounts of the system.
/// Who looks a name up gets the first that there is.
pub fn read(host: &Host, name: &str) -> Reading<String> {
    let mut text = host.read_text(&format!("/etc/{name}"))?;
    if let Some((_, more)) = of_system(host, name)? {
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&more);
    }
    Ok(text)
}

/// The path and the text of the file in /usr/lib: where nsswitch.conf names `altfiles`, the module that looks there.
pub fn of_system(host: &Host, name: &str) -> Reading<Option<(String, String)>> {
    let switch = host.read_text("/etc/nsswitch.conf").optional()?.unwrap_or_default();
    let services = |line: &str| {
        let (database, services) = line.split('#').next()?.split_once(':')?;
        (database.trim() == name)
            .then(|| services.split_ascii_whitespace().any(|service| service == "altfiles"))
    };
    if !switch.lines().find_map(services).unwrap_or(false) {
        return Ok(None);
    }
    let path = format!("/usr/lib/{name}");
    Ok(host.read_text(&path).optional()?.map(|text| (path, text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Missing, Target};

    #[test]
    fn accounts_below_usr_count_where_nsswitch_says_so() {
        let mut files = Files::new();
        files.file("/etc/group", "wheel:x:10:").file("/usr/lib/group", "tty:x:5:\n");
        let read = |files: &Files| read(&Host::new(files.clone(), Target::root("case")), "group");
        assert_eq!(read(&files), Ok("wheel:x:10:".into()));
        files.file(
            "/etc/nsswitch.conf",
            "passwd: files altfiles\n# group: altfiles\ngroup: files [SUCCESS=merge] altfiles # x\n",
        );
        assert_eq!(read(&files), Ok("wheel:x:10:\ntty:x:5:\n".into()));
        files.deny("/usr/lib/group");
        assert!(matches!(read(&files), Err(Missing::Unreadable(_))));
        files.file("/etc/nsswitch.conf", "group: files\npasswd: altfiles\n");
        assert_eq!(read(&files), Ok("wheel:x:10:".into()));
        assert_eq!(
            super::read(&Host::new(Files::new(), Target::root("case")), "group"),
            Err(Missing::Absent)
        );
    }
}
