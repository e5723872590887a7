use super::*;

fn redacted(path: &str, text: &str) -> String {
    let mut all = text.as_bytes().to_vec();
    bytes(Path::new(path), &mut all);
    assert_eq!(all.len(), text.len(), "{path}");
    String::from_utf8(all).unwrap()
}

#[track_caller]
fn check(path: &str, text: &str, expected: &str) {
    assert_eq!(redacted(path, text), expected, "{path}");
}

#[track_caller]
fn unchanged(path: &str, text: &str) {
    check(path, text, text);
}

#[test]
fn hashes_keep_their_scheme_and_what_locks_them() {
    let hash = format!("$y$j9T$saltSALTsalt$SECRETsecretSECRET{}", "a".repeat(25));
    let hidden = format!("$y$j9T$xxxxxxxxxxxx$xxxxxxxxxxxxxxxxxx{}", "x".repeat(25));
    check(
        "/etc/shadow",
        &format!("root:{hash}:19000:0:99999:7:::\n"),
        &format!("root:{hidden}:19000:0:99999:7:::\n"),
    );
    check("/etc/shadow", &format!("a:!!{hash}:1::::::\n"), &format!("a:!!{hidden}:1::::::\n"));
    // Anywhere.
    check("/root/notes", &format!("rootpw --iscrypted {hash}\n"), &format!("rootpw --iscrypted {hidden}\n"));
    check("/etc/shadow", "a:$6$rounds=5000$salt$hAsH:1\n", "a:$6$rounds=5000$xxxx$xxxx:1\n");
    check("/etc/shadow", "a:$2b$10$abcdefghij:1\n", "a:$2b$10$xxxxxxxxxx:1\n");
    check(
        "/etc/shadow",
        "a:abCdefghijk./:1\nb:_J9..K0AyUubRzRpXZp:1\n",
        "a:xxxxxxxxxxxxx:1\nb:_xxxxxxxxxxxxxxxxxx:1\n",
    );
    check("/etc/gshadow", "wheel:$1$ab$cd:a:b\n", "wheel:$1$ab$xx:a:b\n");
    check("/etc/passwd", "a:open:0:0::/:/bin/sh\n", "a:xxxx:0:0::/:/bin/sh\n");
    check("/etc/security/opasswd", "a:1000:2:$1$ab$cd,$1$ef$gh\n", "a:1000:2:$1$ab$xx,$1$ef$xx\n");
    for none in [
        "root:x:0:0:root:/root:/bin/sh\n",
        "a::1:\n",
        "a:*:1:\n",
        "a:!:1:\n",
        "a:!!:1:\n",
        "a:*LK*:1\n",
        "a:!*:1\n",
    ] {
        unchanged("/etc/shadow", none);
    }
}

#[test]
fn private_keys_keep_their_marks_and_whether_there_is_a_passphrase() {
    let key = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00AA\n\nMIIEsecret+/==\nmore\n\
-----END RSA PRIVATE KEY-----\nafter\n";
    let hidden = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00AA\n\nxxxxxxxxxxxx==\nxxxx\n\
-----END RSA PRIVATE KEY-----\nafter\n";
    check("/srv/any.pem", key, hidden);
    let first = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gt";
    let openssh =
        format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{first}\nSECRET\n-----END OPENSSH PRIVATE KEY-----\n");
    let found = redacted("/etc/ssh/ssh_host_ed25519_key", &openssh);
    assert!(
        found.contains(&format!("\n{}{}\nxxxxxx\n", &first[..40], "x".repeat(first.len() - 40))),
        "{found}"
    );
    check(
        "/root/.config/gcloud/application_default_credentials.json",
        r#"{"private_key": "-----BEGIN PRIVATE KEY-----\nMIIEabc\nDEF=\n-----END PRIVATE KEY-----\n", "client_id": "keep"}"#,
        r#"{"private_key": "-----BEGIN PRIVATE KEY-----\nxxxxxxx\nxxx=\n-----END PRIVATE KEY-----\n", "client_id": "keep"}"#,
    );
    // One that is cut off, and none.
    check("/a", "-----BEGIN EC PRIVATE KEY-----\nabc", "-----BEGIN EC PRIVATE KEY-----\nxxx");
    unchanged("/a", "-----BEGIN PUBLIC KEY-----\nabc\n-----END PUBLIC KEY-----\n");
    unchanged("/usr/bin/ssh", "no PRIVATE KEY-----\0words of a program\0");
}

#[test]
fn tokens_and_urls_are_known_by_their_shape() {
    check("/a", "ghp_0123456789abcdefghijABCDEFGHIJ", "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    check(
        "/a",
        "t = eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abc-def_1",
        "t = eyJxxxxxxxxxxxxxxxxx.xxxxxxxxxxxxxxxxxxxxxxxxxxx.xxxxxxxxx",
    );
    check("/etc/apt/sources.list", "deb https://me:S3cret@repo/x y", "deb https://me:xxxxxx@repo/x y");
    check("/root/.git-credentials", "https://me:S3@cret@host\n", "https://me:xxxxxxx@host\n");
    unchanged("/a", "https://host:8080/a@b http://user@host/ $npm_config_cache_of_mine_is_here npm_x");
    check(
        "/boot/grub/grub.cfg",
        "password_pbkdf2 root grub.pbkdf2.sha512.10000.AB12.CD34\n",
        "password_pbkdf2 root grub.pbkdf2.sha512.10000.xxxx.xxxx\n",
    );
    unchanged("/etc/profile", "echo \"$1$HOME/and/many/more/letters/of/it\"; a=$2\n");
}

#[test]
fn names_say_what_is_a_secret() {
    check(
        "/proc/1/environ",
        "HOME=/root\0DB_PASSWORD=a b/c\0TOKEN_FILE=/run/x\0",
        "HOME=/root\0DB_PASSWORD=x b/c\0TOKEN_FILE=/run/x\0",
    );
    check(
        "/proc/7/cmdline",
        "app\0--api-key\0Abc9\0--password=Secret\0--port\x00123\0",
        "app\0--api-key\0xxxx\0--password=xxxxxx\0--port\x00123\0",
    );
    check(
        "/proc/7/cmdline",
        "/usr/bin/mysqldump\0-pS3cret\0-uroot\0",
        "/usr/bin/mysqldump\0-pxxxxxx\0-uroot\0",
    );
    check(
        "/etc/systemd/system/a.service",
        "Environment=\"A_SECRET=a b\" B=c\n",
        "Environment=\"A_SECRET=x x\" B=c\n",
    );
    check("/etc/ldap.conf", "bindpw hello\nbindpw_x hello\n", "bindpw xxxxx\nbindpw_x hello\n");
    check(
        "/etc/redis/redis.conf",
        "requirepass hello\nuser a on >pass ~*\n",
        "requirepass xxxxx\nuser a on >xxxx ~*\n",
    );
    check(
        "/etc/fstab",
        "//a/b /c cifs user=a,password=Hell0,rw 0 0\n",
        "//a/b /c cifs user=a,password=xxxxx,rw 0 0\n",
    );
    check("/etc/mysql/my.cnf", "[client]\npassword = \"a b\"\n", "[client]\npassword = \"x x\"\n");
    for (path, text) in [
        (
            "/etc/pam.d/login",
            "password required pam_unix.so sha512 use_authtok\npassword [success=1 default=ignore] pam_x.so\n",
        ),
        ("/etc/nsswitch.conf", "passwd: files systemd\nshadow: files\n"),
        ("/etc/ssh/sshd_config", "PasswordAuthentication=no\nPasswordAuthentication yes\n"),
        ("/etc/login.defs", "PASS_MAX_DAYS 99999\nENCRYPT_METHOD SHA512\n"),
        ("/var/lib/dpkg/status", "Depends: passwd (>= 1:4.2), libsecret-1-0 (= 0.20.5)\n"),
        ("/etc/profile", "PASSWORD=$(cat x)\nexport TOKEN_DIR=/tmp\nTOKEN=\nPASSWORD_MODE=1\n"),
        ("/boot/grub/grub.cfg", "menuentry 'a' --users '' { linux /vmlinuz root=UUID=1 }\n"),
    ] {
        unchanged(path, text);
    }
}

#[test]
fn what_is_in_its_place_is_a_secret() {
    check(
        "/etc/wpa_supplicant/a.conf",
        "network={\n psk=\"hello you\"\n key_mgmt=WPA-PSK\n}\n",
        "network={\n psk=\"xxxxx xxx\"\n key_mgmt=WPA-PSK\n}\n",
    );
    check("/root/.netrc", "machine a login b password c1\n", "machine a login b password xx\n");
    check("/root/.pgpass", "h:5432:d:u:p:w\n# a:b\n", "h:5432:d:u:xxx\n# a:b\n");
    check("/root/.vault-token", "hvs.abc\n", "xxxxxxx\n");
    check(
        "/root/.docker/config.json",
        r#"{"auths": {"r": {"auth": "YWJj"}}}"#,
        r#"{"auths": {"r": {"auth": "xxxx"}}}"#,
    );
    check(
        "/root/.kube/config",
        "  client-key-data: TUlJ\n  client-certificate-data: QUJD\n  token: abc\n",
        "  client-key-data: xxxx\n  client-certificate-data: QUJD\n  token: xxx\n",
    );
    check(
        "/root/.aws/credentials",
        "aws_access_key_id = AKIA1\naws_secret_access_key = Ab/9\n",
        "aws_access_key_id = AKIA1\naws_secret_access_key = xxxx\n",
    );
    check(
        "/var/lib/cloud/instance/user-data.txt",
        "#cloud-config\npassword: hello\nchpasswd:\n  list: |\n    root:S3cret\n  expire: false\nlock_passwd: true\n",
        "#cloud-config\npassword: xxxxx\nchpasswd:\n  list: |\n    root:xxxxxx\n  expire: false\nlock_passwd: true\n",
    );
    check(
        "/boot/grub/menu.lst",
        "password --md5 $1$ab$cdefgh\npassword hello\n",
        "password --md5 $1$ab$xxxxxx\npassword xxxxx\n",
    );
    check("/etc/ppp/chap-secrets", "a b \"c1\" *\n", "a b xxxx *\n");
    let mut keytab = vec![5, 2, 0, 7, 65];
    bytes(Path::new("/etc/krb5.keytab"), &mut keytab);
    assert_eq!(keytab[..2], [5, 2]);
    assert!(!keytab[2..].contains(&65));
}

#[test]
fn the_environment_of_an_image_is_looked_through() {
    let mut config = br#"{"config": {"Env": ["PATH=/bin", "DB_PASSWORD=a\"b c", "N=1"]}}"#.to_vec();
    let found = answer(Question::ImageConfig, &mut config).unwrap();
    assert_eq!(found.to_string(), "password or token");
    let text = String::from_utf8(config).unwrap();
    assert_eq!(text, r#"{"config": {"Env": ["PATH=/bin", "DB_PASSWORD=xxxx x", "N=1"]}}"#);
}

/// Nothing here may index past an end, whatever it is given.
#[test]
fn garbage_is_looked_through_as_well() {
    let pieces: [&[u8]; 16] = [
        b"-----BEGIN RSA PRIVATE KEY-----",
        b"\\",
        b"$y$",
        b"$6$a$",
        b"://a:b@",
        b"password=",
        b"\"",
        b"\0",
        b"\n",
        b":",
        b"grub.pbkdf2.",
        b"eyJ",
        b"\xff\xfe",
        b"chpasswd:\n  a:",
        b"=",
        b"b3BlbnNzaC1rZXktdjE",
    ];
    let places = [
        "/etc/shadow",
        "/root/.netrc",
        "/root/.pgpass",
        "/etc/cloud/a",
        "/etc/ipsec.secrets",
        "/boot/grub/grub.cfg",
        "/a.keytab",
        "/proc/1/cmdline",
        "/etc/redis.conf",
    ];
    let mut state = 1_u64;
    let mut random = |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    for _ in 0..3000 {
        let mut text: Vec<u8> = (0..random(12)).flat_map(|_| pieces[random(pieces.len())].to_vec()).collect();
        let length = text.len();
        bytes(Path::new(places[random(places.len())]), &mut text);
        assert_eq!(text.len(), length);
    }
}
