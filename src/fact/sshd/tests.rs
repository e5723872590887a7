use super::*;
use crate::source::{Files, Reason, Target};

const PASSWD: &str = "root:x:0:0::/root:/bin/bash\nann:x:1000:1000::/home/ann:/bin/bash\nbob:x:1001:1001::/home/bob:/bin/bash\n\
                      web:x:33:33::/srv:/usr/sbin/nologin\n";
const GROUP: &str = "root:x:0:\nann:x:1000:\nsudo:x:27:ann\nbob:x:1001:\n";
const SHADOW: &str = "root:$6$a$b:1::::::\nann:$6$a$b:1::::::\nbob:!:1::::::\n";
const KEY: &str = "ssh-ed25519 AAAAC3 x\n";

fn files(config: &str) -> Files {
    let mut files = Files::new();
    files.file("/etc/passwd", PASSWD).file("/etc/group", GROUP).file("/etc/shadow", SHADOW);
    files.file("/usr/sbin/sshd", "OpenSSH_9.2p1 Debian-2").file("/etc/ssh/sshd_config", config);
    files
}

fn fact(files: Files) -> Sshd {
    Sshd::collect(&Host::new(files, Target::root("t"))).unwrap()
}

fn of(config: &str) -> Sshd {
    fact(files(config))
}

fn user<'a>(sshd: &'a Sshd, name: &str) -> &'a SshUser {
    sshd.users.get().unwrap().iter().find(|user| user.name == name).unwrap()
}

#[test]
fn the_first_value_counts_and_includes_are_read_in_place() {
    let mut files = files("Include sshd_config.d/*.conf\nPasswordAuthentication yes\nPort 22\n");
    files.file(
        "/etc/ssh/sshd_config.d/50-cloud.conf",
        "PasswordAuthentication no\nMatch User ann\nPasswordAuthentication yes\n",
    );
    files
        .file("/etc/ssh/sshd_config.d/10-port.conf", "Port 2222\n")
        .file("/etc/ssh/sshd_config.d/old.bak", "Nonsense\n");
    let sshd = fact(files);
    assert_eq!(sshd.password_authentication, Ok(false));
    assert_eq!(sshd.ports, Ok(vec![2222, 22]));
    assert!(sshd.malformed.items.is_empty());
    let states: Vec<_> = sshd.directives.items.iter().map(|d| (d.at.to_string(), d.state)).collect();
    let expected = [
        ("/etc/ssh/sshd_config.d/10-port.conf:1", DirectiveState::Effective),
        ("/etc/ssh/sshd_config.d/50-cloud.conf:1", DirectiveState::Effective),
        ("/etc/ssh/sshd_config.d/50-cloud.conf:3", DirectiveState::Conditional),
        ("/etc/ssh/sshd_config:2", DirectiveState::Shadowed),
        ("/etc/ssh/sshd_config:3", DirectiveState::Effective),
    ];
    assert_eq!(states, expected.map(|(at, state)| (at.to_owned(), state)));
    assert_eq!(user(&sshd, "ann").password_possible, Ok(true));
    assert_eq!(user(&sshd, "root").password_possible, Ok(false));
}

#[test]
fn ports_of_addresses_replace_those_of_port() {
    assert_eq!(of("ListenAddress 0.0.0.0:2022\nListenAddress ::\nPort 24\n").ports, Ok(vec![2022, 24]));
    assert_eq!(of("ListenAddress [::1]:2022\n").ports, Ok(vec![2022]));
    assert_eq!(of("").ports, Ok(vec![22]));
}

#[test]
fn lists_of_a_block_replace_the_global_ones() {
    let sshd = of("UsePAM yes\nAllowUsers bob\nMatch Address 10.0.0.0/8\nAllowUsers ann\n");
    assert_eq!(user(&sshd, "ann").allowed, Ok(true));
    assert_eq!(user(&sshd, "bob").allowed, Ok(true));
    assert_eq!(user(&sshd, "root").allowed, Ok(false));
    assert_eq!(
        user(&sshd, "root").reasons,
        ["AllowUsers bob (/etc/ssh/sshd_config:2)", "PermitRootLogin prohibit-password by default"]
    );
    let sshd = of("UsePAM yes\nDenyUsers ann\nMatch Address 10.0.0.0/8\nDenyUsers bob\n");
    assert_eq!(
        (user(&sshd, "ann").allowed.clone(), user(&sshd, "bob").allowed.clone()),
        (Ok(true), Ok(true))
    );
    let sshd = of("UsePAM yes\nDenyUsers ann@*\nDenyUsers bob@10.0.0.0/8\nAllowGroups sudo bob\n");
    assert_eq!(
        (user(&sshd, "ann").allowed.clone(), user(&sshd, "bob").allowed.clone()),
        (Ok(false), Ok(true))
    );
    assert_eq!(user(&sshd, "root").reasons[0], "AllowGroups sudo bob (/etc/ssh/sshd_config:4)");
}

#[test]
fn accounts_without_a_shell_are_not_people() {
    let sshd = of("");
    let names: Vec<_> = sshd.users.get().unwrap().iter().map(|user| user.name.as_str()).collect();
    assert_eq!(names, ["root", "ann", "bob"]);
    assert!(user(&sshd, "ann").administrator && !user(&sshd, "bob").administrator);
}

#[test]
fn without_pam_a_locked_account_is_shut_out_with_its_key() {
    let mut tree = files("UsePAM no\n");
    tree.file("/home/bob/.ssh/authorized_keys", KEY);
    let sshd = fact(tree.clone());
    assert_eq!(
        (user(&sshd, "bob").has_keys.clone(), user(&sshd, "bob").way_in.clone()),
        (Ok(true), Ok(false))
    );
    tree.file("/etc/ssh/sshd_config", "UsePAM yes\n");
    assert_eq!(user(&fact(tree), "bob").way_in, Ok(true));
}

#[test]
fn all_methods_of_a_list_must_be_passed() {
    let mut tree = files("AuthenticationMethods publickey,password\n");
    tree.file("/home/bob/.ssh/authorized_keys", KEY).file("/home/ann/.ssh/authorized_keys", KEY);
    let sshd = fact(tree);
    assert_eq!((user(&sshd, "ann").way_in.clone(), user(&sshd, "bob").way_in.clone()), (Ok(true), Ok(false)));
}

#[test]
fn a_private_group_may_write_on_debian_only() {
    let mut tree = files("UsePAM yes\nPasswordAuthentication no\n");
    tree.file("/home/ann/.ssh/authorized_keys", KEY);
    tree.owner("/home/ann/.ssh/authorized_keys", 1000, 1000).unwrap();
    tree.mode("/home/ann/.ssh/authorized_keys", 0o664).unwrap();
    for (os, expected) in [("ID=debian\n", true), ("ID=rocky\nID_LIKE=\"rhel centos fedora\"\n", false)] {
        tree.file("/etc/os-release", os);
        assert_eq!(user(&fact(tree.clone()), "ann").keys_usable, Ok(expected), "{os}");
    }
    // Another one in the group.
    tree.file("/etc/os-release", "ID=debian\n").file("/etc/group", "ann:x:1000:bob\n");
    assert_eq!(user(&fact(tree), "ann").keys_usable, Ok(false));
}

#[test]
fn what_files_do_not_tell_is_unknown() {
    let mut tree = files("PasswordAuthentication no\nTrustedUserCAKeys /etc/ssh/ca.pub\n");
    assert!(matches!(user(&fact(tree.clone()), "root").way_in, Err(Missing::Unreadable(_))));
    tree.file("/etc/ssh/sshd_config", "UsePAM yes\n").deny("/etc/shadow");
    let sshd = fact(tree.clone());
    let denied = |value: &Reading<bool>| matches!(value, Err(Missing::Unreadable(why)) if why.reason == Reason::Denied);
    assert!(denied(&user(&sshd, "ann").has_password) && denied(&user(&sshd, "ann").way_in));
    tree.file("/etc/ssh/sshd_config", "Include /etc/ssh/more.conf\nUsePAM yes\n").deny("/etc/ssh/more.conf");
    let sshd = fact(tree);
    assert!(sshd.users.get().is_err() && sshd.malformed.unread.len() == 1);
}

#[test]
fn who_may_know_other_passwords_is_heard() {
    let mut tree = files("UsePAM yes\n");
    tree.file("/etc/pam.d/sshd", "auth sufficient pam_sss.so\nauth required pam_deny.so\n");
    assert!(user(&fact(tree), "bob").password_possible.is_err());
}

#[test]
fn older_versions_have_older_defaults() {
    let mut tree = files("UsePAM yes\n");
    tree.file("/usr/sbin/sshd", "OpenSSH_6.6p1");
    let sshd = fact(tree);
    assert_eq!(sshd.permit_root_login, Ok("yes".into()));
    assert_eq!(user(&sshd, "root").password_possible, Ok(true));
    assert_eq!(sshd.host_keys.unwrap().len(), 4);
    let sshd = of("UsePAM yes\n");
    assert_eq!(sshd.permit_root_login, Ok("prohibit-password".into()));
    assert_eq!(user(&sshd, "root").password_possible, Ok(false));
    assert!(!user(&sshd, "root").by_choice);
}

#[test]
fn what_sshd_refuses_at_its_start_is_told() {
    let reason =
        |config: &str| of(config).malformed.items.first().map(|m| m.reason.clone()).unwrap_or_default();
    assert_eq!(reason("AuthorizedKeysCommand /bin/k\n"), "is set without AuthorizedKeysCommandUser");
    assert!(reason("AuthenticationMethods publickey\nPubkeyAuthentication no\n").contains("switched off"));
    assert_eq!(reason("AuthenticationMethods publickey password\nPubkeyAuthentication no\n"), "");
    assert_eq!(
        reason("Subsystem sftp a\nSubsystem sftp b\n"),
        "defines sftp again, after /etc/ssh/sshd_config:1"
    );
    assert_eq!(reason("Include /etc/ssh/sshd_config\n"), "nests files more than 16 deep");
    let mut tree = files("Include x.d/*\n");
    tree.link("/etc/ssh/x.d/gone.conf", "/nowhere").directory("/etc/ssh/x.d/y.conf");
    assert!(fact(tree).malformed.items[0].reason.contains("leads to /etc/ssh/x.d/gone.conf"));
}

#[test]
fn files_that_include_one_another_end() {
    let mut tree = files(&"Include a.conf\n".repeat(50));
    tree.file("/etc/ssh/a.conf", "Include b.conf\n".repeat(50))
        .file("/etc/ssh/b.conf", "Include c.conf\n".repeat(50));
    tree.file("/etc/ssh/c.conf", "Include d.conf\n".repeat(50)).file("/etc/ssh/d.conf", "UseDNS no\n");
    let sshd = fact(tree);
    assert_eq!(sshd.malformed.unread.len(), 1);
}

#[test]
fn garbage_is_told_and_does_no_harm() {
    for text in [
        "\0\0\n",
        "\u{fffd}\u{fffd} x\n",
        "\"\n",
        "= =\n",
        "Match\nMatch\n",
        "Port \"\n",
        "Include \"\"\n",
        &"x".repeat(100_000),
    ] {
        let sshd = of(text);
        assert!(!sshd.malformed.items.is_empty() || text.starts_with(['"', '=']), "{text:.20}");
        assert!(sshd.users.get().is_ok());
    }
}

#[test]
fn nothing_of_sshd_is_absent() {
    let mut files = Files::new();
    files.file("/etc/passwd", PASSWD);
    assert_eq!(Sshd::collect(&Host::new(files, Target::root("t"))).map(|_| ()), Err(Missing::Absent));
}
