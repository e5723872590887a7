use super::*;
use crate::source::{Files, Missing, Target};

fn collect(files: &Files) -> Reading<Accounts> {
    Accounts::collect(&Host::new(files.clone(), Target::root("case")))
}

fn tree() -> Files {
    let mut files = Files::new();
    files.file(
        "/etc/passwd",
        "root:x:0:0:root:/root:/bin/bash\nweb:x:1000:1000::/home/web:\nlost::5:999::/:/bin/sh\n",
    );
    files.file("/etc/group", "root:x:0:\nweb:x:1000:\nwheel:x:10:web,root\n");
    files.file(
        "/etc/shadow",
        "root:$6$salt$abc:19000:0:99999:7:::\nweb:!$y$j9T$x$y:0:::::20000:\nlost:*:::::::\n",
    );
    files
}

#[test]
fn names_of_groups_are_resolved() {
    let found = collect(&tree()).unwrap();
    let users = found.users.unwrap();
    assert_eq!(users[1].group, Ok("web".to_owned()));
    assert_eq!(users[1].groups, Ok(vec!["wheel".to_owned()]));
    assert_eq!((&users[2].group, users[2].password), (&Err(Missing::Absent), PasswordState::Empty));
    assert_eq!(users[0].at.to_string(), "/etc/passwd:1");
    let none = Ok(vec![]);
    let MalformedAccounts { passwd, group, shadow, gshadow } = found.malformed;
    assert_eq!((passwd, group, shadow, gshadow), (none.clone(), none.clone(), none, Err(Missing::Absent)));
}

#[test]
fn accounts_of_the_system_may_lie_below_usr() {
    let mut files = tree();
    files.file("/etc/nsswitch.conf", "passwd: files altfiles\ngroup: files altfiles\n");
    files
        .file("/usr/lib/passwd", "root:x:0:0:other:/root:/bin/sh\nbin:x:1:1:bin:/bin:/usr/sbin/nologin\nx\n");
    files.file("/usr/lib/group", "bin:x:1:\nwheel:x:11:\nssh_keys:x:101:\n");
    let found = collect(&files).unwrap();
    let users = found.users.unwrap();
    let names: Vec<_> = users.iter().map(|user| (user.name.as_str(), user.at.to_string())).collect();
    assert_eq!(names[3..], [("bin", "/usr/lib/passwd:2".to_owned())], "those of /etc come first");
    assert_eq!(users[3].group, Ok("bin".to_owned()));
    let groups: Vec<_> = found.groups.unwrap().iter().map(|group| (group.name.clone(), group.gid)).collect();
    assert_eq!(groups[2..], [("wheel".into(), 10), ("bin".into(), 1), ("ssh_keys".into(), 101)]);
    assert_eq!(found.malformed.passwd, Ok(Vec::new()));
    files.deny("/usr/lib/group");
    let found = collect(&files).unwrap();
    assert!(found.users.is_ok() && matches!(found.groups, Err(Missing::Unreadable(_))));
}

#[test]
fn of_a_password_only_its_state_is_kept() {
    let found = collect(&tree()).unwrap();
    assert!(!format!("{found:?}").contains("salt"));
    let shadow = found.shadow.unwrap();
    let states: Vec<_> = shadow.iter().map(|s| (s.password, s.scheme.as_deref())).collect();
    use PasswordState::*;
    assert_eq!(states, [(Hash, Some("6")), (Locked, Some("y")), (None, Option::None)]);
    assert_eq!((shadow[0].max_days, shadow[0].expire_day), (Some(99999), Option::None));
    assert_eq!((shadow[1].last_change_day, shadow[1].expire_day), (Some(0), Some(20000)));
}

#[test]
fn schemes_are_those_of_crypt() {
    for (hash, wanted) in [
        ("$1$a$b", "1"),
        ("$2b$10$x", "2b"),
        ("$md5,rounds=9$x", "md5"),
        ("abCD1234./567", "des"),
        ("plain text", "unknown"),
        ("$nonsense$x", "unknown"),
    ] {
        assert_eq!(scheme(hash), wanted, "{hash}");
    }
    for (field, wanted) in [
        ("!!", PasswordState::None),
        ("*LK*", PasswordState::None),
        ("!abCD1234./567", PasswordState::Locked),
        ("x", PasswordState::Shadow),
    ] {
        assert_eq!(state(field), wanted, "{field}");
    }
}

#[test]
fn malformed_lines_are_kept_with_their_reason_and_without_their_text() {
    let mut files = Files::new();
    let passwd = "\u{feff}root:x:0:0::/root:/bin/sh\r\na:x:1\nd:x:4:4::/\nb:x:one:1::/:/bin/sh\n\n# comment\n+::::::\nc\0:x\n:x:1:1:::\n";
    files.file("/etc/passwd", passwd).file("/etc/shadow", "root:$6$secret$hash\n").file("/etc/group", "");
    let found = collect(&files).unwrap();
    let bad: Vec<_> = [&found.malformed.passwd, &found.malformed.group, &found.malformed.shadow]
        .into_iter()
        .flat_map(|of| of.as_ref().unwrap())
        .map(|m| (m.at.to_string(), m.name.as_str(), m.reason.as_str(), m.ignored))
        .collect();
    let expected = [
        ("/etc/passwd:1", "root", "begins with a byte order mark, which becomes part of the name", false),
        (
            "/etc/passwd:1",
            "root",
            "ends in a carriage return (DOS line end), which becomes part of the last field",
            false,
        ),
        ("/etc/passwd:2", "a", "has 3 fields instead of 7", true),
        ("/etc/passwd:3", "d", "has 6 fields instead of 7", false),
        ("/etc/passwd:4", "b", "has the user ID `one`, which is no number", true),
        ("/etc/passwd:7", "+", "is left over from NIS compat mode", true),
        ("/etc/passwd:8", "c", "holds a NUL byte; the line ends there for the C library", true),
        ("/etc/passwd:9", "", "has no name", true),
        ("/etc/shadow:1", "root", "has 2 fields instead of 9", true),
    ];
    assert_eq!(bad, expected.map(|(at, name, reason, ignored)| (at.to_owned(), name, reason, ignored)));
    assert!(!format!("{found:?}").contains("secret"));
    let users: Vec<_> = found.users.unwrap().into_iter().map(|u| (u.name, u.shell)).collect();
    assert_eq!(users, [("\u{feff}root".into(), "/bin/sh\r".into()), ("d".to_owned(), String::new())]);
}

#[test]
fn unreadable_shadow_is_unknown_and_the_other_files_are_known() {
    let mut files = tree();
    files.deny("/etc/shadow");
    let found = collect(&files).unwrap();
    assert!(matches!(found.shadow, Err(Missing::Unreadable(_))));
    assert!(matches!(found.malformed.shadow, Err(Missing::Unreadable(_))));
    assert_eq!(found.gshadow, Err(Missing::Absent));
    assert!(found.users.is_ok());
    assert_eq!((found.malformed.passwd, found.malformed.group), (Ok(vec![]), Ok(vec![])));
    assert_eq!(collect(&Files::new()).err(), Some(Missing::Absent));
}

#[test]
fn empty_and_garbage_files_are_read() {
    let mut files = Files::new();
    files.file("/etc/passwd", "").file("/etc/group", b"\xff\xfe\0:::\n".to_vec());
    let found = collect(&files).unwrap();
    assert_eq!((found.users, found.malformed.passwd), (Ok(vec![]), Ok(vec![])));
    assert_eq!(found.malformed.group.unwrap().len(), 1);
}

#[test]
fn a_password_is_followed_into_shadow_and_doubles_are_told() {
    let mut files = Files::new();
    let passwd =
        "root:x:0:0::/root:/bin/bash\na:x:5:5::/:/usr/sbin/nologin\nb::6:6::/:\na:x:5:9::/:/bin/sync\n";
    files.file("/etc/passwd", passwd).file("/etc/group", "g:x:1:\nh:x:2:\ng:x:3:\n");
    files.file("/etc/shadow", "root:$y$j9T$x$y:1:0:9:7:::\nroot::1:0:9:7:::\n");
    let accounts = Accounts::collect(&Host::new(files.clone(), Target::root("x"))).unwrap();
    let users = accounts.users.unwrap();
    let secrets: Vec<_> = users.iter().map(|user| user.effective_password.clone()).collect();
    assert_eq!(secrets[..3], [Ok(PasswordState::Hash), Err(Missing::Absent), Ok(PasswordState::Empty)]);
    let shells: Vec<_> = users.iter().map(|user| user.login_shell).collect();
    assert_eq!(shells, [true, false, true, false]);
    assert_eq!(users[3].same_name_at, Some(At::line("/etc/passwd", 2)));
    assert_eq!(users[3].same_uid_at, Some(At::line("/etc/passwd", 2)));
    assert_eq!((&users[1].same_name_at, &users[1].same_uid_at), (&None, &None));
    assert_eq!(accounts.groups.unwrap()[2].same_name_at, Some(At::line("/etc/group", 1)));
    files.deny("/etc/shadow");
    let accounts = Accounts::collect(&Host::new(files, Target::root("x"))).unwrap();
    assert!(matches!(accounts.users.unwrap()[0].effective_password, Err(Missing::Unreadable(_))));
}
