//! hostvet's reading of sshd_config against sshd's own, where there is one: `HOSTVET_SSHD`, or /usr/sbin/sshd.
//!
//! Configurations are made from a seed, with Include, Match and mistakes. Of each, `sshd -t` must refuse what hostvet calls
//! malformed and nothing else, and `sshd -T -C …` must print the values that hostvet says are in force. The machine needs a user
//! that sshd can drop to; where `sshd -t` does not take an empty file, the test says so and passes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use hostvet::fact::Fact;
use hostvet::fact::sshd::{Connection, Sshd, effective};
use hostvet::source::{Files, Host, Target};
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

/// sshd, a directory to write to, and a host key.
struct Real {
    sshd: PathBuf,
    version: String,
    dir: tempfile::TempDir,
}

impl Real {
    fn find() -> Option<Self> {
        let sshd = env::var_os("HOSTVET_SSHD").map_or_else(|| PathBuf::from("/usr/sbin/sshd"), PathBuf::from);
        if !sshd.is_file() {
            eprintln!("no {}; set HOSTVET_SSHD", sshd.display());
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let keygen = env::var_os("HOSTVET_SSH_KEYGEN").unwrap_or_else(|| "ssh-keygen".into());
        let key = dir.path().join("key");
        let made = Command::new(keygen).args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
        if !made.is_ok_and(|status| status.success()) {
            eprintln!("no ssh-keygen");
            return None;
        }
        // Older ones know no -V, but say it when they complain of that.
        let told = Command::new(&sshd).arg("-V").output().unwrap();
        let told = String::from_utf8_lossy(&told.stderr).into_owned();
        let version = told.lines().find(|line| line.contains("OpenSSH_")).unwrap_or_default().to_owned();
        let real = Self { sshd, version, dir };
        fs::write(real.dir.path().join("sshd_config"), "").unwrap();
        if let Err(why) = real.run(&["-t"]) {
            eprintln!("{} does not work here: {why}", real.sshd.display());
            return None;
        }
        Some(real)
    }

    /// Whether it is from before 8.7.
    fn is_old(&self) -> bool {
        let number = self.version.split("OpenSSH_").nth(1).and_then(|rest| rest.get(..3)).unwrap_or("");
        matches!(number, "8.0" | "8.1" | "8.2" | "8.3" | "8.4" | "8.5" | "8.6")
            || number.starts_with(['5', '6', '7'])
    }

    fn run(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new(&self.sshd);
        command.args(arguments).arg("-f").arg(self.dir.path().join("sshd_config"));
        let output = command.arg("-h").arg(self.dir.path().join("key")).output().unwrap();
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    /// Writes the files, with `@` for the directory, and gives the host that has them.
    fn host(&self, files: &[(String, String)]) -> Host {
        let root = self.dir.path();
        let mut tree = Files::new();
        for (name, text) in files {
            let text = text.replace('@', root.to_str().unwrap());
            fs::write(root.join(name), &text).unwrap();
            let path =
                if name == "sshd_config" { PathBuf::from("/etc/ssh/sshd_config") } else { root.join(name) };
            tree.file(path, text);
        }
        // hostvet reads the version and nothing else from the program.
        tree.file("/usr/sbin/sshd", self.version.as_bytes());
        tree.file("/etc/passwd", fs::read("/etc/passwd").unwrap());
        tree.file("/etc/group", fs::read("/etc/group").unwrap());
        Host::new(tree, Target::root("differential"))
    }
}

/// A small generator of numbers, the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % sides as u64) as usize
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.roll(of.len())]
    }
}

/// Lines that sshd prints as they are written.
const ANYWHERE: [&str; 23] = [
    "PermitRootLogin yes",
    "PermitRootLogin no",
    "permitrootlogin forced-commands-only",
    "PasswordAuthentication no",
    "PasswordAuthentication=yes",
    "PubkeyAuthentication no",
    "PubkeyAuthentication yes # c",
    "KbdInteractiveAuthentication no",
    "ChallengeResponseAuthentication yes",
    "MaxAuthTries 3",
    "MaxAuthTries 9",
    "MaxSessions 2",
    "MaxSessions \"7\"",
    "X11Forwarding yes",
    "X11Forwarding no",
    "AllowUsers root ann@10.0.0.0/8",
    "AllowUsers bob",
    "DenyUsers eve",
    "AllowGroups wheel sudo",
    "DenyGroups nobody",
    "AuthorizedKeysFile .ssh/a /etc/k/%u",
    "X11UseLocalhost no",
    "AuthorizedKeysFile .ssh/b",
];
const GLOBAL: [&str; 8] = [
    "Port 22",
    "Port 2222",
    "StrictModes no",
    "StrictModes yes",
    "UseDNS yes",
    "UseDNS no",
    "LoginGraceTime 60",
    "MaxStartups 5:50:20",
];
const MATCHES: [&str; 14] = [
    "Match User root",
    "Match User *,!root",
    "Match Address 10.0.0.0/8",
    "Match Address !10.1.0.0/16,10.*",
    "Match Host *.example.com",
    "Match all",
    "Match User root Address 10.0.0.0/8",
    "Match Group root",
    "Match Group *,!root",
    "Match LocalPort 22",
    "Match LocalAddress 192.0.2.1",
    "match user ro?t host client.example.com",
    "Match Group daemon,root",
    "Match User nobody",
];
const MISTAKES: [&str; 29] = [
    "PermitRootLogins no",
    "PermitRootLogin maybe",
    "Port 70000",
    "Port 22 23",
    "Match",
    "Match user",
    "Match all user root",
    "Match usr root",
    "Match Address 10.0.0.1/8",
    "AllowUsers",
    "Include",
    "Banner 'x",
    "Subsystem sftp",
    "MaxStartups 0",
    "LoginGraceTime 1y",
    "Ciphers nonsense",
    "MACs hmac-ripemd160",
    "AcceptEnv A=b",
    "AuthenticationMethods pin",
    "AuthorizedKeysCommand keys",
    "SyslogFacility mail",
    "RekeyLimit much",
    "\u{feff}Port 22",
    "MaxAuthTries many",
    "PermitTunnel YES",
    "PasswordAuthentication",
    "AuthenticationMethods hostbased publickey,password",
    "AuthenticationMethods publickey password",
    "AuthorizedKeysCommand /bin/true",
];

fn text(dice: &mut Dice, includes: &[&str], mistakes: bool) -> String {
    let mut text = String::new();
    let mut in_match = false;
    for _ in 0..2 + dice.roll(9) {
        let line = match dice.roll(12) {
            0..=5 => dice.pick(&ANYWHERE),
            6 | 7 if !in_match || (mistakes && dice.roll(6) == 0) => dice.pick(&GLOBAL),
            8 | 9 => dice.pick(&MATCHES),
            10 if !includes.is_empty() => dice.pick(includes),
            11 if mistakes && dice.roll(2) == 0 => dice.pick(&MISTAKES),
            _ => dice.pick(&ANYWHERE),
        };
        in_match = match line.to_ascii_lowercase() {
            l if l.starts_with("match all") => false,
            l if l.starts_with("match") => true,
            _ => in_match,
        };
        text.push_str(line);
        text.push('\n');
    }
    text
}

fn configuration(dice: &mut Dice, mistakes: bool) -> Vec<(String, String)> {
    // An included file may stand within a Match block, where global keywords are refused: keep these out of it.
    let inner = |dice: &mut Dice, includes: &[&str]| {
        let all = text(dice, includes, mistakes);
        let keep = |line: &&str| mistakes || !GLOBAL.contains(line);
        all.lines().filter(keep).map(|line| format!("{line}\n")).collect::<String>()
    };
    vec![
        (
            "sshd_config".into(),
            text(
                dice,
                &["Include @/a*.conf", "Include @/b.conf @/none/*.conf", "Include @/b.conf"],
                mistakes,
            ),
        ),
        ("a1.conf".into(), inner(dice, &["Include @/b.conf"])),
        ("a2.conf".into(), inner(dice, &[])),
        ("b.conf".into(), inner(dice, &[])),
    ]
}

#[test]
fn sshd_refuses_what_hostvet_calls_malformed_and_nothing_else() {
    let Some(real) = Real::find() else { return };
    let mut dice = Dice(7);
    let mut refused = 0;
    for _ in 0..400 {
        let files = configuration(&mut dice, true);
        let host = real.host(&files);
        let fact = Sshd::collect(&host).unwrap();
        let ours: Vec<String> =
            fact.malformed.items.iter().map(|m| format!("{} {} {}", m.at, m.keyword, m.reason)).collect();
        match real.run(&["-t"]) {
            Ok(_) => assert!(ours.is_empty(), "sshd takes it: {ours:?}\n{files:#?}"),
            Err(why) => {
                assert!(!ours.is_empty(), "sshd refuses it: {why}\n{files:#?}");
                refused += 1;
            }
        }
    }
    assert!(refused > 50, "only {refused} were refused");
}

/// Every keyword of the manual of 9.9.
const KEYWORDS: &str = "AcceptEnv AddressFamily AllowAgentForwarding AllowGroups AllowStreamLocalForwarding AllowTcpForwarding AllowUsers \
    AuthenticationMethods AuthorizedKeysCommand AuthorizedKeysCommandUser AuthorizedKeysFile AuthorizedPrincipalsCommand \
    AuthorizedPrincipalsCommandUser AuthorizedPrincipalsFile Banner CASignatureAlgorithms ChannelTimeout ChrootDirectory Ciphers \
    ClientAliveCountMax ClientAliveInterval Compression DenyGroups DenyUsers DisableForwarding ExposeAuthInfo FingerprintHash ForceCommand \
    GatewayPorts GSSAPIAuthentication GSSAPICleanupCredentials GSSAPIStrictAcceptorCheck HostbasedAcceptedAlgorithms \
    HostbasedAuthentication HostbasedUsesNameFromPacketOnly HostCertificate HostKey HostKeyAgent HostKeyAlgorithms IgnoreRhosts \
    IgnoreUserKnownHosts Include IPQoS KbdInteractiveAuthentication KerberosAuthentication KerberosGetAFSToken KerberosOrLocalPasswd \
    KerberosTicketCleanup KexAlgorithms ListenAddress LoginGraceTime LogLevel LogVerbose MACs Match MaxAuthTries MaxSessions MaxStartups \
    ModuliFile PAMServiceName PasswordAuthentication PermitEmptyPasswords PermitListen PermitOpen PermitRootLogin PermitTTY PermitTunnel \
    PermitUserEnvironment PermitUserRC PerSourceMaxStartups PerSourceNetBlockSize PerSourcePenalties PerSourcePenaltyExemptList PidFile Port \
    PrintLastLog PrintMotd PubkeyAcceptedAlgorithms PubkeyAuthentication PubkeyAuthOptions RefuseConnection RekeyLimit RequiredRSASize \
    RevokedKeys SecurityKeyProvider SetEnv SshdSessionPath StreamLocalBindMask StreamLocalBindUnlink StrictModes Subsystem SyslogFacility \
    TCPKeepAlive TrustedUserCAKeys UnusedConnectionTimeout UseDNS UsePAM VersionAddendum X11DisplayOffset X11Forwarding X11UseLocalhost \
    XAuthLocation Protocol UsePrivilegeSeparation ServerKeyBits KeyRegenerationInterval RSAAuthentication RhostsRSAAuthentication UseLogin \
    ChallengeResponseAuthentication SkeyAuthentication KeepAlive DSAAuthentication HostDSAKey PubkeyAcceptedKeyTypes";

/// What may stand behind a keyword, right or wrong.
const VALUES: [&str; 24] = [
    "",
    "yes",
    "NO",
    "maybe",
    "0",
    "1",
    "-1",
    "070",
    "10:30:60",
    "1h30m",
    "/etc/x",
    "none",
    "any",
    "a b",
    "a # b",
    "\"a b",
    "'a b'",
    "A=b",
    "a=b c=d",
    "10.0.0.1/8",
    "publickey,password",
    "aes256-ctr",
    "INFO",
    "sftp internal-sftp",
];

/// Whether hostvet leaves it to sshd: what these take depends on the build, or is rarely written.
fn is_left(keyword: &str) -> bool {
    let lower = keyword.to_ascii_lowercase();
    [
        "gssapi",
        "kerberos",
        "ipqos",
        "permitopen",
        "permitlisten",
        "persource",
        "channeltimeout",
        "pubkeyauthoptions",
        "usepam",
        "printlastlog",
    ]
    .iter()
    .any(|start| lower.starts_with(start))
        || ["port", "revokedkeys", "skeyauthentication", "setenv", "authenticationmethods"]
            .contains(&lower.as_str())
        || lower.contains("algorithms")
        || lower.contains("keytypes")
}

#[test]
fn every_keyword_takes_and_refuses_the_values_that_sshd_does() {
    let Some(real) = Real::find() else { return };
    let (mut both, mut wrong) = (0, Vec::new());
    for keyword in KEYWORDS.split_ascii_whitespace() {
        for value in VALUES {
            let blocks: &[&str] =
                if ["yes", "maybe"].contains(&value) { &["", "Match user a\n"] } else { &[""] };
            for before in blocks {
                let line = format!("{keyword} {value}");
                let host = real.host(&[("sshd_config".into(), format!("{before}{line}\n"))]);
                let ours = Sshd::collect(&host)
                    .unwrap()
                    .malformed
                    .items
                    .iter()
                    .map(|m| m.reason.clone())
                    .collect::<Vec<_>>();
                match (real.run(&["-t"]), ours.is_empty()) {
                    (Ok(_), false) => wrong.push(format!("{before}{line}: sshd takes it, hostvet: {ours:?}")),
                    // Names of hosts are looked up, and the cipher `none` is there in some builds.
                    (Err(why), true) if why.contains("bad addr or host") || line == "Ciphers none" => {}
                    (Err(why), true) if !is_left(keyword) => {
                        wrong.push(format!("{before}{line}: hostvet takes it, sshd: {why}"))
                    }
                    (Err(_), false) => both += 1,
                    _ => {}
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
    assert!(both > 300, "only {both} were refused by both");
}

#[test]
fn the_values_in_force_are_those_that_sshd_prints() {
    let Some(real) = Real::find() else { return };
    let mut dice = Dice(3);
    let mut compared = 0;
    for _ in 0..200 {
        let files = configuration(&mut dice, false);
        let host = real.host(&files);
        for user in ["root", "nobody"] {
            let client = dice.pick(&["client.example.com", "other.test"]);
            let address = dice.pick(&["10.2.3.4", "10.1.0.9", "198.51.100.7"]);
            let connection = Connection {
                user: Some(user.into()),
                groups: Some(groups(user)),
                host: Some(client.into()),
                address: Some(address.into()),
                local_address: Some("192.0.2.1".into()),
                local_port: Some(22),
            };
            let spec = format!("user={user},host={client},addr={address},laddr=192.0.2.1,lport=22");
            let printed = match real.run(&["-T", "-C", &spec]) {
                Ok(printed) => printed,
                // Older versions refuse some of these lines; the other tests compare that.
                Err(_) if !Sshd::collect(&host).unwrap().malformed.items.is_empty() => continue,
                Err(why) => panic!("{why}\n{files:#?}"),
            };
            for (keyword, values) in effective(&host, &connection).unwrap() {
                let theirs = printed_values(&printed, &keyword);
                // A value that is not set in any block that holds is at its default.
                if matches!(values.as_slice(), [only] if only.is_empty())
                    || keyword == "listenaddress"
                    || (real.is_old() && is_challenge(&keyword))
                {
                    continue;
                }
                assert_eq!(normal(&keyword, &values), theirs, "{keyword} for {spec}\n{files:#?}");
                compared += 1;
            }
        }
    }
    assert!(compared > 100, "only {compared} values were compared");
}

/// Before 8.7 these were two switches, and either put both on.
fn is_challenge(keyword: &str) -> bool {
    keyword == "challengeresponseauthentication" || keyword == "kbdinteractiveauthentication"
}

/// The groups of a user of this machine.
fn groups(user: &str) -> Vec<String> {
    let output = Command::new("id").args(["-Gn", user]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).split_ascii_whitespace().map(str::to_owned).collect()
}

fn printed_values(printed: &str, keyword: &str) -> Vec<String> {
    let of = |line: &str| {
        let (name, value) = line.split_once(' ')?;
        (name == keyword).then(|| value.to_owned())
    };
    printed.lines().filter_map(of).collect()
}

/// As sshd prints them: times in seconds, a list of files in one line.
fn normal(keyword: &str, values: &[String]) -> Vec<String> {
    match keyword {
        "pubkeyauthentication" | "passwordauthentication" => {
            values.iter().map(|v| v.to_ascii_lowercase()).collect()
        }
        _ => values.to_vec(),
    }
}
