//! /proc/PID/maps: how many mappings a process has, and which of its programs and libraries are gone.

/// 32 MiB are some 300 000 mappings, four times the kernel's default limit; more is unreadable.
pub(super) const CAP: u64 = 32 << 20;

/// What is taken from it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Maps {
    /// Lines, each a mapping.
    pub(super) count: u64,
    /// Files that programs run from, and that are deleted, each once.
    pub(super) deleted: Vec<String>,
}

/// ` (deleted)` is also what the kernel writes after things that never had a name in a directory.
const NO_FILES: [&str; 7] = ["/memfd:", "/dev/", "/SYSV", "/[aio]", "/anon_hugepage", "/drm", "/i915"];

pub(super) fn parse(text: &str) -> Maps {
    let mut maps = Maps::default();
    for line in text.lines() {
        maps.count += 1;
        let Some(line) = line.strip_suffix(" (deleted)") else { continue };
        // address perms offset device inode path, the path after blanks that line it up.
        let executable = line.split(' ').nth(1).is_some_and(|perms| perms.contains('x'));
        let Some(path) = line.find('/').and_then(|start| line.get(start..)).filter(|_| executable) else {
            continue;
        };
        if !NO_FILES.iter().any(|prefix| path.starts_with(prefix)) && !maps.deleted.iter().any(|d| d == path)
        {
            maps.deleted.push(path.to_owned());
        }
    }
    maps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_are_counted_and_deleted_libraries_named_once() {
        let text = "\
            55d0-55e0 r-xp 00000000 fd:01 1311       /usr/sbin/nginx\n\
            7f00-7f10 r--p 00000000 fd:01 1312       /usr/lib/libssl.so.3 (deleted)\n\
            7f10-7f20 r-xp 00001000 fd:01 1312       /usr/lib/libssl.so.3 (deleted)\n\
            7f20-7f30 r-xp 00001000 fd:01 1313       /usr/lib/libssl.so.3 (deleted)\n\
            7f30-7f40 rw-s 00000000 00:01 1024       /dev/zero (deleted)\n\
            7f40-7f50 rwxp 00000000 00:01 1025       /memfd:jit (deleted)\n\
            7f50-7f60 rw-p 00000000 fd:01 1026       /var/log/a b (deleted)\n\
            7f60-7f70 rw-p 00000000 00:00 0 \n";
        let maps = parse(text);
        assert_eq!((maps.count, maps.deleted), (8, vec!["/usr/lib/libssl.so.3".to_owned()]));
    }

    #[test]
    fn garbage_names_nothing() {
        assert_eq!(parse(""), Maps::default());
        assert_eq!(parse("\0\u{fffd} (deleted)\n(deleted)\n").deleted, Vec::<String>::new());
    }
}
