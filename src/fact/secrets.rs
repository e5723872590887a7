//! Secrets that lie where programs keep them: which kind and where, never what they are.

use super::Fact;
use crate::model::Partial;
use crate::record;
use crate::source::glob::NAMES;
use crate::source::{At, FileKind, Host, Missing, Reading, Stat};
use std::path::Path;

record! {
    /// Private keys, passwords and tokens in the files where programs keep them.
    ///
    /// ```text
    /// /root/.ssh/id_ed25519          -----BEGIN OPENSSH PRIVATE KEY-----
    /// /home/ops/.aws/credentials     aws_secret_access_key = …
    /// ```
    ///
    /// Source: ssh-keygen(1), netrc(5) and the documents of the programs. Only these places are looked into, the homes being
    /// /root and those below /home. Host keys of sshd are not among them. The secrets themselves are not kept.
    #[bare(found)]
    pub struct Secrets {
        /// What was found.
        pub found: Partial<Secret>,
    }
}

record! {
    /// A secret in a file.
    #[derive(Clone, PartialEq)]
    pub struct Secret {
        /// What it is: `private key`, `AWS secret access key`, …
        pub kind: String,
        /// Whether it is a private key with a passphrase, which is of no use without that.
        pub encrypted: bool,
        /// The file.
        pub path: String,
        /// File and line.
        pub at: At,
    }
}

/// The largest file that is looked into; one of 64 KiB would be an uncommon kubeconfig already.
const CAP: u64 = 1 << 20;

/// Where in a home directory (or, with a slash before, anywhere) what kind of secret is kept, and by what words a line
/// of it is known. Of several words one must be there; the empty one is in every line.
const PLACES: &[(&str, &str, &[&str])] = &[
    (".ssh/*", PRIVATE_KEY, KEY_MARKS),
    ("/etc/ssl/private/*", PRIVATE_KEY, KEY_MARKS),
    ("/etc/pki/tls/private/*", PRIVATE_KEY, KEY_MARKS),
    (".aws/credentials", "AWS secret access key", &["aws_secret_access_key"]),
    (".azure/accessTokens.json", "Azure token", &["refreshToken"]),
    (".azure/msal_token_cache.json", "Azure token", &["\"secret\""]),
    (
        ".config/gcloud/application_default_credentials.json",
        "Google Cloud credential",
        &["private_key\"", "refresh_token"],
    ),
    (
        ".config/gcloud/legacy_credentials/*/adc.json",
        "Google Cloud credential",
        &["private_key\"", "refresh_token"],
    ),
    (".docker/config.json", "registry password", &["\"auth\":", "\"identitytoken\":"]),
    (".config/containers/auth.json", "registry password", &["\"auth\":"]),
    (".kube/config", "Kubernetes credential", &["client-key-data:", "token:", "password:"]),
    ("/etc/kubernetes/admin.conf", "Kubernetes credential", &["client-key-data:"]),
    (".git-credentials", "git password", &["://"]),
    (".netrc", "password", &["password"]),
    (".pgpass", "PostgreSQL password", &[":"]),
    (".my.cnf", "MySQL password", &["password"]),
    (".npmrc", "npm token", &["_authToken", "_password"]),
    (".pypirc", "PyPI password", &["password"]),
    (".cargo/credentials.toml", "registry token", &["token"]),
    (".config/gh/hosts.yml", "GitHub token", &["oauth_token"]),
    (".terraform.d/credentials.tfrc.json", "Terraform token", &["token"]),
    (".vault-token", "Vault token", &[""]),
    (".config/rclone/rclone.conf", "storage password", &["secret_access_key", "pass =", "token ="]),
    (".s3cfg", "AWS secret access key", &["secret_key"]),
];

const PRIVATE_KEY: &str = "private key";
const KEY_MARKS: &[&str] = &["PRIVATE KEY-----"];

impl Fact for Secrets {
    const NAME: &'static str = "secrets";
    const READS: &'static [&'static str] = &[
        "/root/.ssh/*",
        "/home/*/.ssh/*",
        "/etc/ssl/private/*",
        "/etc/pki/tls/private/*",
        "/etc/kubernetes/admin.conf",
        "/root/.aws/credentials and the like, and those of /home/*",
    ];

    fn collect(host: &Host) -> Reading<Self> {
        let (mut found, mut names_left) = (Partial::default(), NAMES);
        for (place, kind, marks) in PLACES {
            let globs = match place.starts_with('/') {
                true => vec![(*place).to_owned()],
                false => vec![format!("/root/{place}"), format!("/home/*/{place}")],
            };
            for glob in globs {
                let (paths, unread) = host.glob(&glob, &mut names_left);
                found.unread.extend(unread);
                for path in paths {
                    found.add(secret(host, &path, marks).map(|found| {
                        found.map(|(line, encrypted)| Secret {
                            kind: (*kind).into(),
                            encrypted,
                            at: At::line(path.as_str(), line),
                            path: path.clone(),
                        })
                    }));
                }
            }
        }
        Ok(Self { found })
    }
}

/// The line that has the secret, counted from 1, and whether it is encrypted; `None` where the file has none.
fn secret(host: &Host, path: &str, marks: &[&str]) -> Reading<Option<(u32, bool)>> {
    let Stat { kind, .. } = host.source.stat(Path::new(path))?;
    // What Debian's ssl-cert makes for tests, which nobody relies on; a directory or socket beside the keys.
    if path.ends_with("/ssl-cert-snakeoil.key") || kind != FileKind::File {
        return Err(Missing::Absent);
    }
    let bytes = host.source.read(Path::new(path), CAP)?;
    let text = String::from_utf8_lossy(&bytes);
    let holds = |line: &str| {
        let line = line.trim_start();
        !line.is_empty() && !line.starts_with('#') && marks.iter().any(|mark| line.contains(mark))
    };
    let Some(line) = text.lines().position(holds) else { return Ok(None) };
    let rest: Vec<&str> = text.lines().skip(line).take(3).map(str::trim).collect();
    Ok(u32::try_from(line + 1).ok().map(|number| (number, is_encrypted(&rest))))
}

/// Whether a private key whose first lines these are has a passphrase: PKCS #8 and the old format of OpenSSL say so in
/// words, OpenSSH's begins with `openssh-key-v1`, a zero and the length and name of the cipher, in base64.
fn is_encrypted(lines: &[&str]) -> bool {
    match lines {
        [first, ..] if first.contains("ENCRYPTED PRIVATE KEY") => true,
        [_, second, ..] if second.contains("4,ENCRYPTED") => true,
        [_, second, ..] => second.starts_with(OPENSSH) && !second.starts_with(OPENSSH_NONE),
        _ => false,
    }
}

/// `openssh-key-v1`, and the same with the cipher `none`.
const OPENSSH: &str = "b3BlbnNzaC1rZXktdjE";
const OPENSSH_NONE: &str = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    fn found(files: Files) -> (Vec<String>, usize) {
        let secrets = Secrets::collect(&Host::new(files, Target::root("x"))).unwrap().found;
        let lines = secrets.items.iter().map(|secret| format!("{} {}", secret.kind, secret.at));
        (lines.collect(), secrets.unread.len())
    }

    #[test]
    fn each_kind_is_found_where_it_is_kept_and_not_repeated() {
        let mut files = Files::new();
        files.file(
            "/root/.ssh/id_rsa",
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\n",
        );
        files
            .file("/root/.ssh/id_rsa.pub", "ssh-rsa AAAA x\n")
            .file("/root/.ssh/known_hosts", "a ssh-rsa AAAA\n");
        files.file(
            "/home/a/.aws/credentials",
            "[default]\naws_access_key_id = A\naws_secret_access_key = B\n",
        );
        files.file("/home/b/.netrc", "# password x\n").file("/home/b/.vault-token", "hvs.x\n");
        files
            .directory("/etc/ssl/private/old")
            .file("/etc/ssl/private/ssl-cert-snakeoil.key", "PRIVATE KEY-----");
        let expected = [
            "private key /root/.ssh/id_rsa:1",
            "AWS secret access key /home/a/.aws/credentials:3",
            "Vault token /home/b/.vault-token:1",
        ];
        assert_eq!(found(files).0, expected);
    }

    #[test]
    fn a_passphrase_is_seen_in_every_format() {
        let key = |kind: &str, second: &str| {
            is_encrypted(&[format!("-----BEGIN {kind}PRIVATE KEY-----").as_str(), second, "xx"])
        };
        assert!(key("ENCRYPTED ", "MIIF") && key("RSA ", "Proc-Type: 4,ENCRYPTED"));
        assert!(key("OPENSSH ", "b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0"));
        assert!(!key("OPENSSH ", "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ"));
        assert!(!key("RSA ", "MIIE") && !key("", "MIIE") && !is_encrypted(&["x"]));
    }

    #[test]
    fn what_may_not_be_read_is_not_taken_for_clean() {
        let mut files = Files::new();
        files.deny("/root").directory("/home");
        assert!(found(files).1 > 0);
        assert_eq!(found(Files::new()), (Vec::new(), 0));
    }

    #[test]
    fn garbage_holds_no_secret() {
        let mut files = Files::new();
        files
            .file("/root/.kube/config", vec![0xff, 0, 10, 0])
            .file("/root/.pgpass", "")
            .file("/root/.npmrc", "\n\n");
        assert_eq!(found(files), (Vec::new(), 0));
    }
}
