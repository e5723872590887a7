//! What is found in a capture is what was found in the host it was taken of, to the byte.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod fixture;

use fixture::Beside;
use hostvet::engine::{Library, Overrides, Rule, judge};
use hostvet::fact::Facts;
use hostvet::report::{Detail, Report, human, json};
use hostvet::source::{
    Assume, BadCapture, Directory, Earlier, Files, Form, Host, Live, Missing, Options, Question, Recording,
    Target, TargetKind, open, open_capture,
};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::OnceLock;

/// `case.toml` and `host.toml`, as far as the tree is concerned.
#[derive(Debug, Deserialize)]
struct Case {
    #[serde(default)]
    beside: Beside,
}

/// As [`fixture::vet`], which compiles the rules for each host anew.
fn vet(host: Host, params: &BTreeMap<String, Overrides>) -> Report {
    static RULES: OnceLock<Vec<Rule>> = OnceLock::new();
    if !params.is_empty() {
        return fixture::vet(host, params);
    }
    let rules = RULES.get_or_init(|| Library::embedded().compile(params).0);
    let target = host.target.clone();
    let facts = Facts::new(host);
    let outcomes = rules.iter().map(|rule| judge(rule, &facts)).collect();
    Report::new(target, facts.system(), outcomes, Vec::new(), 0)
}

fn taken() -> jiff::Timestamp {
    "2024-05-01T06:00:00Z".parse().unwrap()
}

/// The report while a capture is taken, and the capture.
fn captured(host: Host, params: &BTreeMap<String, Overrides>) -> (Report, Vec<u8>) {
    let (host, recording) = Recording::start(host, None);
    let report = vet(host, params);
    let mut bytes = Vec::new();
    recording.write(Vec::new(), taken(), &mut bytes).unwrap();
    (report, bytes)
}

/// What `zstd -d | tar -x` makes of a capture: the names of its members, and their bytes one after the other.
fn unpacked(capture: &[u8]) -> (Vec<String>, Vec<u8>) {
    let mut tar = Vec::new();
    let mut rest = capture;
    while !rest.is_empty() {
        let mut frame = ruzstd::decoding::StreamingDecoder::new(&mut rest).unwrap();
        frame.read_to_end(&mut tar).unwrap();
    }
    let mut names = Vec::new();
    for entry in tar::Archive::new(tar.as_slice()).entries().unwrap() {
        names.push(entry.unwrap().path().unwrap().display().to_string());
    }
    (names, tar)
}

/// The report in both formats, but for what says that it is of a capture.
fn text(mut report: Report) -> String {
    report.target.captured = None;
    let mut out = Vec::new();
    json(&report, &mut out).unwrap();
    human(&report, Detail::Verbose, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[track_caller]
fn assert_same(found: &str, expected: &str, what: &str) {
    let both = || found.lines().zip(expected.lines());
    if found != expected {
        // The summary, which comes first, tells less than the first line that differs in the reports after it.
        let differs = both().filter(|(found, expected)| found != expected).take(12);
        let lines: Vec<String> =
            differs.map(|(found, expected)| format!("- {expected}\n+ {found}")).collect();
        panic!("{what}:\n{}", lines.join("\n"));
    }
}

#[test]
fn a_capture_of_every_fixture_gives_the_same_report() {
    let mut sizes = 0;
    for fixture in fixture::all("hosts").into_iter().chain(fixture::all("incidents")) {
        let about = ["host.toml", "case.toml"].map(|name| fixture.join(name));
        let case: Case = fixture::read(about.iter().find(|path| path.exists()).unwrap());
        let host = || fixture::host(&fixture, &case.beside);
        let params = &case.beside.params;
        let expected = text(vet(host(), params));
        let (meanwhile, capture) = captured(host(), params);
        sizes += capture.len();
        let what = fixture.display().to_string();
        assert_same(&text(meanwhile), &expected, &what);
        let replayed = vet(open_capture(capture, "capture").unwrap(), params);
        let about = replayed.target.captured.clone().unwrap();
        assert_eq!((about.taken, about.file.as_str()), (taken(), "capture"));
        assert_same(&text(replayed), &expected, &what);
    }
    assert!(sizes > 0);
}

/// What was read of this host while it was judged is judged the same ever after, though all of it moves.
#[test]
fn a_capture_of_this_host_is_judged_as_it_was() {
    let (report, capture) = captured(Host::new(Live, Target::live()), &BTreeMap::new());
    let expected = text(report);
    for _ in 0..2 {
        let replayed = vet(open_capture(capture.clone(), "capture").unwrap(), &BTreeMap::new());
        assert_same(&text(replayed), &expected, "this host");
    }
}

/// A capture of a capture is the same one.
#[test]
fn a_capture_can_be_captured() {
    let (_, first) = captured(Host::new(Live, Target::live()), &BTreeMap::new());
    let replayed = || open_capture(first.clone(), "first").unwrap();
    let (report, second) = captured(replayed(), &BTreeMap::new());
    assert_same(&text(report), &text(vet(replayed(), &BTreeMap::new())), "meanwhile");
    let again = vet(open_capture(second, "second").unwrap(), &BTreeMap::new());
    assert_same(&text(again), &text(vet(replayed(), &BTreeMap::new())), "replayed");
}

/// A host with a marker in every place that secrets are kept in; and what a capture may hold of it.
fn host_with_secrets() -> Files {
    let mut files = Files::new();
    let key = |kind: &str| {
        format!(
            "-----BEGIN {kind}PRIVATE KEY-----\nMIIEMARKERpem0123456789MARKERpem\nMARKERpemEND=\n-----END {kind}PRIVATE KEY-----\n"
        )
    };
    let openssh = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABMARKERssh\nMARKERssh\n\
-----END OPENSSH PRIVATE KEY-----\n";
    let hash = "$y$j9T$MARKERsaltMARKER$MARKERhash0123456789MARKERhash0123456789ab";
    files.file(
        "/etc/passwd",
        "root:x:0:0:root:/root:/bin/bash\nops:MARKERplain:1000:1000::/home/ops:/bin/sh\n",
    );
    files.file(
        "/etc/shadow",
        format!("root:{hash}:19000:0:99999:7:::\nops:!{hash}:19000:0:99999:7:::\nempty::19000::::::\n"),
    );
    files.file("/etc/gshadow", format!("root:{hash}::\n")).file("/etc/group", "root:x:0:\nops:x:1000:\n");
    files.mode("/etc/shadow", 0o640).unwrap();
    for path in [
        "/etc/ssh/ssh_host_rsa_key",
        "/root/.ssh/id_rsa",
        "/etc/ssl/private/web.key",
        "/etc/pki/tls/private/a.key",
    ] {
        files.file(path, key("RSA ")).mode(path, 0o600).unwrap();
    }
    files.file("/home/ops/.ssh/id_ed25519", openssh).file("/etc/ssh/ssh_host_ed25519_key", openssh);
    files.file(
        "/root/.aws/credentials",
        "[default]\naws_access_key_id = AKIA\naws_secret_access_key = MARKERaws/9\n",
    );
    files.file(
        "/root/.azure/accessTokens.json",
        r#"[{"refreshToken": "MARKERazure", "accessToken": "MARKERaz2"}]"#,
    );
    let gcloud = r#"{"private_key": "-----BEGIN PRIVATE KEY-----\nMARKERgcloud\n-----END PRIVATE KEY-----\n", "refresh_token": "MARKERrt"}"#;
    files.file("/root/.config/gcloud/application_default_credentials.json", gcloud);
    files.file(
        "/root/.docker/config.json",
        r#"{"auths": {"r": {"auth": "MARKERdocker", "identitytoken": "MARKERid"}}}"#,
    );
    files.file("/root/.kube/config", "users:\n- user:\n    client-key-data: MARKERkube\n    token: MARKERtoken\n    password: \"MARKER pw\"\n");
    files
        .file("/root/.git-credentials", "https://me:MARKERgit@host\n")
        .file("/root/.vault-token", "hvs.MARKERvault\n");
    files
        .file("/home/ops/.netrc", "machine a login b password MARKERnetrc\n")
        .file("/root/.pgpass", "h:5432:d:u:MARKERpg:MARKER\n");
    files
        .file("/root/.my.cnf", "[client]\npassword = \"MARKER my\"\n")
        .file("/root/.npmrc", "//r/:_authToken=MARKERnpm\n");
    files
        .file("/root/.pypirc", "[pypi]\npassword: MARKERpypi\n")
        .file("/root/.s3cfg", "secret_key = MARKERs3\n");
    files.file("/root/.cargo/credentials.toml", "[registry]\ntoken = \"MARKERcargo\"\n");
    files.file("/root/.config/gh/hosts.yml", "github.com:\n    oauth_token: MARKERgh\n");
    files
        .file("/root/.terraform.d/credentials.tfrc.json", r#"{"credentials": {"a": {"token": "MARKERtf"}}}"#);
    files.file(
        "/root/.config/rclone/rclone.conf",
        "[a]\npass = MARKERrclone\nsecret_access_key = MARKERrs3\n",
    );
    let grub = "set superusers=root\npassword_pbkdf2 root grub.pbkdf2.sha512.10000.ABCDEF0123456789ABCDEF.FEDCBA9876543210FEDC\n";
    files.file("/boot/grub/grub.cfg", grub).file("/etc/grub.d/40_custom", grub);
    files.file("/etc/fstab", "//nas/a /mnt cifs user=a,password=MARKERcifs,_netdev 0 0\n");
    files
        .file("/proc/1/environ", "container=docker\0DB_PASSWORD=MARKERenv\0")
        .file("/proc/1/stat", "1 (init) S 0\n");
    files.file("/etc/redis/redis.conf", "requirepass MARKERredis\nmasterauth MARKERredis2\n");
    files.file(
        "/etc/systemd/system/a.service",
        "[Service]\nExecStart=/bin/a\nEnvironment=\"API_TOKEN=MARKERunit b\"\n",
    );
    files.file(
        "/etc/profile",
        "export HTTP_PROXY=http://me:MARKERproxy@proxy:3128\nexport AWS_SECRET_ACCESS_KEY=MARKERprofile\n",
    );
    files.file("/etc/krb5.keytab", &b"\x05\x02\0\0MARKERkeytab"[..]);
    files.file(
        "/etc/wpa_supplicant/wpa_supplicant.conf",
        "network={\n\tssid=\"a\"\n\tpsk=\"MARKER wpa\"\n}\n",
    );
    let cloud = "#cloud-config\npassword: MARKERcloud\nchpasswd:\n  list: |\n    root:MARKERroot\n";
    files.file("/var/lib/cloud/instance/user-data.txt", cloud);
    files.answer(
        Question::ImageConfig,
        Ok(br#"{"os": "linux", "config": {"User": "app", "Env": ["PATH=/bin", "DB_PASSWORD=MARKERimage"]}}"#
            .to_vec()),
    );
    files
}

#[test]
fn no_secret_is_in_a_capture_and_the_report_is_the_same() {
    for kind in [TargetKind::Root, TargetKind::Image, TargetKind::ContainerImage, TargetKind::Live] {
        let host = || Host::new(host_with_secrets(), Target { kind, ..Target::root("tree") });
        let none = BTreeMap::new();
        let expected = text(vet(host(), &none));
        let (recorded, recording) = Recording::start(host(), None);
        // What no rule reads yet as well.
        for path in [
            "/etc/krb5.keytab",
            "/etc/wpa_supplicant/wpa_supplicant.conf",
            "/var/lib/cloud/instance/user-data.txt",
            "/etc/ssh/ssh_host_rsa_key",
            "/etc/ssh/ssh_host_ed25519_key",
            "/proc/1/environ",
            "/etc/gshadow",
        ] {
            recorded.source.read(Path::new(path), 1 << 20).unwrap();
        }
        recorded.source.ask(Question::ImageConfig).unwrap();
        let meanwhile = vet(recorded, &none);
        let mut capture = Vec::new();
        let (_, noted) = recording.write(Vec::new(), taken(), &mut capture).unwrap();
        let (names, bytes) = unpacked(&capture);
        assert!(names.len() > 30, "{names:?}");
        let seen = String::from_utf8_lossy(&bytes);
        for marker in ["MARKER", "ABCDEF0123456789", "FEDCBA987654321"] {
            let at = seen.find(marker).map(|at| &seen[at.saturating_sub(200)..at + 50]);
            assert_eq!(at, None, "{kind:?}");
        }
        assert!(noted.redacted.iter().any(|(path, what)| path == "/etc/shadow" && what == "password hash"));
        assert_same(&text(meanwhile), &expected, "meanwhile");
        assert_same(&text(vet(open_capture(capture, "c").unwrap(), &none)), &expected, "replayed");
        assert_eq!(
            expected.contains("AWS secret access key"),
            kind == TargetKind::Image || kind == TargetKind::ContainerImage
        );
    }
}

/// A small host, of which several things are asked; a capture of it.
fn small() -> (Host, Vec<u8>) {
    let mut files = Files::new();
    files
        .file("/etc/fstab", "/dev/sda1 / ext4 defaults 0 1\n")
        .file("/etc/empty", "")
        .link("/etc/mtab", "../proc/mounts");
    files
        .file("/proc/mounts", "/dev/sda1 / ext4 rw 0 0\n")
        .file("/var/log/syslog", "0123456789")
        .deny("/root");
    files.link("/lib", "usr/lib").file("/usr/lib/a.so", "abcdefghij").file("/etc/large", vec![b'l'; 100]);
    files.special("/dev/null", hostvet::source::FileKind::Character).file("/etc/unasked", "unasked");
    files.space("/", "size=100 free=10".parse().unwrap());
    let (host, recording) = Recording::start(Host::new(files, Target::root("small")), None);
    ask_all(&host);
    let mut capture = Vec::new();
    recording.write(vec!["--select x".into()], taken(), &mut capture).unwrap();
    (host, capture)
}

fn ask_all(host: &Host) -> String {
    let source = &host.source;
    let path = Path::new;
    let stream = source.stream(path("/etc/mtab")).map(|mut stream| {
        let mut text = String::new();
        stream.read_to_string(&mut text).map(|_| text).map_err(|error| error.to_string())
    });
    format!(
        "{:?}",
        (
            (
                source.read(path("/etc/fstab"), 100),
                source.read(path("/etc/empty"), 0),
                source.read(path("/etc/large"), 99)
            ),
            (source.read_tail(path("/var/log/syslog"), 4), source.read_at(path("/lib/a.so"), 2, 3)),
            (
                source.read_at(path("/lib/a.so"), 8, 10),
                stream,
                source.read(path("/root/x"), 5),
                source.read(path("/etc"), 5)
            ),
            (source.list(path("/etc")), source.list(path("/none")), source.list(path("/root"))),
            (
                source.stat(path("/dev/null")),
                source.lstat(path("/etc/mtab")),
                source.read_link(path("/etc/mtab"))
            ),
            (source.statvfs(path("/")), source.statvfs(path("/etc")), source.read(path("/etc/none"), 5)),
            source.ask(Question::FailedUnits),
        )
    )
}

fn reason(missing: Missing) -> String {
    match missing {
        Missing::Absent => "absent".into(),
        Missing::Unreadable(why) => why.reason.to_string(),
    }
}

#[test]
fn every_kind_of_answer_comes_back_as_it_was() {
    let (host, capture) = small();
    let replayed = open_capture(capture, "c").unwrap();
    assert_eq!(ask_all(&replayed), ask_all(&host));
}

#[test]
fn what_was_not_asked_is_not_absent_unless_its_directory_was_listed() {
    let replayed = open_capture(small().1, "c").unwrap();
    let source = &replayed.source;
    let read = |path: &str| source.read(Path::new(path), 1000).map_err(reason);
    let not = Err("was not captured: no rule that was judged then asked for it".to_owned());
    assert_eq!(read("/etc/unasked"), not);
    assert_eq!(read("/etc/nobody"), Err("absent".into()), "its directory was listed");
    assert_eq!(read("/etc/fstab/x"), Err("absent".into()), "is no directory");
    assert_eq!(read("/none/deep/er"), Err("absent".into()), "there is no such directory");
    assert_eq!(read("/usr/lib/b.so"), not);
    assert_eq!(read("/srv/a"), not);
    assert_eq!(read("/root/y"), not);
    assert_eq!(read("/dev/null"), not, "only followed it was asked for");
    // Other ways to the same file, and other pieces of it.
    assert_eq!(read("/etc/../etc//fstab"), Ok(b"/dev/sda1 / ext4 defaults 0 1\n".to_vec()));
    assert_eq!(read("/proc/mounts"), Ok(b"/dev/sda1 / ext4 rw 0 0\n".to_vec()));
    let at = |path: &str, offset, length| source.read_at(Path::new(path), offset, length).map_err(reason);
    assert_eq!((at("/usr/lib/a.so", 3, 2), at("/usr/lib/a.so", 0, 1)), (Ok(b"de".to_vec()), not.clone()));
    assert_eq!(at("/etc/fstab", 5, 4), Ok(b"sda1".to_vec()));
    assert_eq!(source.list(Path::new("/srv")).map_err(reason), Err(not.clone().unwrap_err()));
    assert_eq!(source.stat(Path::new("/etc/mtab")).unwrap().size, 24);
    assert_eq!(source.ask(Question::ImageConfig).map_err(reason), not);
}

/// The members of a capture, its manifest changed, and packed no more.
fn changed(capture: &[u8], change: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
    let (_, tar) = unpacked(capture);
    let mut change = Some(change);
    let mut new = tar::Builder::new(Vec::new());
    for entry in tar::Archive::new(tar.as_slice()).entries().unwrap() {
        let mut entry = entry.unwrap();
        let (mut header, path) = (entry.header().clone(), entry.path().unwrap().into_owned());
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        if let Some(change) = change.take() {
            let mut manifest = serde_json::from_slice(&bytes).unwrap();
            change(&mut manifest);
            bytes = serde_json::to_vec(&manifest).unwrap();
        }
        header.set_size(bytes.len() as u64);
        match header.entry_type().is_symlink() {
            true => new.append_link(&mut header, path, entry.link_name().unwrap().unwrap()).unwrap(),
            false => new.append_data(&mut header, path, bytes.as_slice()).unwrap(),
        }
    }
    new.into_inner().unwrap()
}

#[test]
fn what_a_newer_version_adds_is_no_matter_but_a_newer_format_is_told() {
    let (host, capture) = small();
    let newer = changed(&capture, |manifest| {
        manifest["hostvet"] = "9.9.9".into();
        manifest["phase_of_the_moon"] = serde_json::json!({"waxing": true});
        manifest["target"]["colour"] = "blue".into();
        manifest["answers"]["moon phase"] = serde_json::json!({"member": ".hostvet/answers/moon"});
        manifest["paths"]["/etc/fstab"]["extended_attributes"] = serde_json::json!(["a"]);
        manifest["paths"]["/etc/quota"] = serde_json::json!({
            "stat": {"missing": "over-quota", "since": 5}, "lstat": "socket-of-a-new-kind 0644 0:0 size=1 birth=7",
        });
    });
    let replayed = open_capture(newer, "c").unwrap();
    assert_eq!(replayed.target.captured.as_ref().unwrap().version, "9.9.9");
    assert_eq!(ask_all(&replayed), ask_all(&host));
    let stat = replayed.source.stat(Path::new("/etc/quota")).map_err(reason);
    assert_eq!(stat, Err("over quota".into()));
    // The least that every version has.
    let older = changed(&capture, |manifest| {
        manifest["paths"]["/etc/fstab"] = serde_json::json!({"bytes": {"end": 30}});
        for key in ["rules", "redacted", "answers"] {
            manifest.as_object_mut().unwrap().remove(key);
        }
    });
    let replayed = open_capture(older, "c").unwrap();
    assert_eq!(replayed.read_text("/etc/fstab").unwrap(), "/dev/sda1 / ext4 defaults 0 1\n");
    let format = changed(&capture, |manifest| manifest["hostvet_capture"] = 2.into());
    let error = open_capture(format, "c").unwrap_err();
    assert!(matches!(error, BadCapture::Newer { format: 2, .. }));
    assert!(error.to_string().contains("take a newer hostvet"), "{error}");
}

#[test]
fn what_a_hostile_manifest_claims_is_unreadable_or_refused() {
    let (_, capture) = small();
    let read = |change: &dyn Fn(&mut serde_json::Value), path: &str| {
        let host = open_capture(changed(&capture, change), "c").unwrap();
        let source = &host.source;
        // Whatever is asked, there is an answer.
        let _ = (
            source.read_tail(Path::new(path), 10),
            source.read_at(Path::new(path), u64::MAX - 1, 10),
            source.stat(Path::new(path)),
        );
        let _ = source
            .stream(Path::new(path))
            .map(|mut stream| std::io::copy(&mut (&mut stream).take(1 << 20), &mut std::io::sink()));
        source.read(Path::new(path), u64::MAX).map_err(reason)
    };
    let fstab = |bytes: serde_json::Value| {
        move |manifest: &mut serde_json::Value| manifest["paths"]["/etc/fstab"]["bytes"] = bytes.clone()
    };
    let lost = "cannot be read from the capture: ";
    for (bytes, told) in [
        (serde_json::json!({"end": u64::MAX}), "it has 30 bytes there"),
        (serde_json::json!({"end": 30, "member": "../../../etc/passwd"}), "is not in it"),
        (serde_json::json!({"end": 30, "member": "/etc/passwd"}), "is not in it"),
        (serde_json::json!({"end": 9, "pieces": [[0, 5], [u64::MAX, 25]]}), "its pieces do not add up"),
        (serde_json::json!({"end": 9, "pieces": [[0, u64::MAX]]}), "its pieces do not add up"),
    ] {
        let found = read(&fstab(bytes.clone()), "/etc/fstab").unwrap_err();
        assert!(found.starts_with(lost) && found.contains(told), "{bytes}: {found}");
    }
    // Pieces over one another, tails before the start.
    let overlap = serde_json::json!({"end": 20, "pieces": [[0, 20], [0, 10]], "tails": [[10, u64::MAX]], "broken": [u64::MAX, "x"]});
    assert_eq!(read(&fstab(overlap), "/etc/fstab").unwrap(), b"/dev/sda1 / ext4 def");
    // A circle of links, and one that leads out.
    let circle = |manifest: &mut serde_json::Value| {
        manifest["paths"]["/a"] = serde_json::json!({"lstat": "link 0777 0:0", "link": "/b"});
        manifest["paths"]["/b"] = serde_json::json!({"lstat": "link 0777 0:0", "link": "../../../../a"});
    };
    assert!(read(&circle, "/a/b/c").is_err());
    for bad in [
        serde_json::json!({"paths": 5}),
        serde_json::json!({"target": {"kind": "moon", "name": ""}}),
        serde_json::json!({"taken": "yesterday"}),
        serde_json::json!({"hostvet_capture": "one"}),
        serde_json::json!({"target": {"kind": "live", "name": "/", "assume": "memory=lots"}}),
    ] {
        let changed = changed(&capture, |manifest| {
            for (key, value) in bad.as_object().unwrap() {
                manifest[key] = value.clone();
            }
        });
        let error = open_capture(changed, "c").unwrap_err().to_string();
        assert!(error.starts_with("is a capture whose manifest, hostvet-capture.json, "), "{bad}: {error}");
    }
}

#[test]
fn a_damaged_capture_is_told_and_never_guessed_at() {
    let (host, capture) = small();
    let whole = ask_all(&host);
    let (_, tar) = unpacked(&capture);
    let mut state = 7_u64;
    let mut random = |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    let (mut refused, mut read) = (0, 0);
    for round in 0..600 {
        // Packed ones have checksums; what was unpacked and packed again by others has them of headers only.
        let mut bytes = if round % 2 == 0 { capture.clone() } else { tar.clone() };
        match round % 3 {
            0 => bytes.truncate(random(bytes.len())),
            1 => {
                let at = random(bytes.len());
                bytes[at] ^= 1 << random(8);
            }
            _ => {
                let at = random(bytes.len());
                let until = (at + 512).min(bytes.len());
                bytes[at..until].fill(0);
            }
        }
        match open_capture(bytes, "c") {
            Err(error) => {
                assert!(error.to_string().starts_with("is a capture "), "{error}");
                refused += 1;
            }
            Ok(host) => {
                let found = ask_all(&host);
                assert!(round % 2 == 1 || found == whole || found.contains("Unreadable"), "{round}: {found}");
                read += 1;
            }
        }
    }
    assert!(refused > 100 && read > 20, "{refused} {read}");
}

#[test]
fn two_readings_of_counters_are_captured() {
    let host = || {
        let mut files = Files::new();
        files.file("/proc/stat", "cpu 20\n").file("/proc/uptime", "5 5\n");
        let mut before = Files::new();
        before.file("/proc/stat", "cpu 10\n").deny("/proc/vmstat");
        let between = std::time::Duration::new(1, 500_000_001);
        Host::new(files, Target::live()).with_earlier(Earlier::new(before, between))
    };
    let ask = |host: &Host| {
        let earlier = host.earlier.as_ref().unwrap();
        let texts = ["/proc/stat", "/proc/vmstat", "/proc/uptime"].map(|path| earlier.read_text(path));
        (texts, host.read_text("/proc/stat"), earlier.per_second(10, 20))
    };
    let (recorded, recording) = Recording::start(host(), None);
    let expected = ask(&recorded);
    assert_eq!(expected, ask(&host()));
    let mut capture = Vec::new();
    recording.write(Vec::new(), taken(), &mut capture).unwrap();
    let replayed = open_capture(capture, "c").unwrap();
    assert_eq!(ask(&replayed), expected);
    let other = replayed.earlier.as_ref().unwrap().read_text("/proc/diskstats").map_err(reason);
    assert!(other.unwrap_err().starts_with("was not captured"));
}

fn hostvet(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hostvet")).args(args).output().unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn the_command_writes_all_or_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("c.tar.zst");
    let path = file.to_str().unwrap();
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hosts/debian-12/root");
    let tree = tree.to_str().unwrap();
    let names = || fs::read_dir(directory.path()).unwrap().count();
    // What fails leaves nothing behind.
    for (args, why) in [
        (&["capture", "-o", path, "/nowhere"][..], "/nowhere"),
        (&["capture", "-o", path, tree, "--select", "nosuch/*"], "nosuch"),
        (&["capture", "-o", directory.path().to_str().unwrap(), tree], "is a directory"),
        (&["capture", tree], "--output"),
    ] {
        let output = hostvet(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(told(&output).contains(why), "{args:?}: {}", told(&output));
        assert_eq!(names(), 0);
    }
    let output = hostvet(&["capture", "-o", path, tree]);
    assert!(output.status.success() && output.stdout.is_empty(), "{}", told(&output));
    assert!(told(&output).contains("files"), "{}", told(&output));
    use std::os::unix::fs::PermissionsExt;
    assert_eq!((fs::metadata(&file).unwrap().permissions().mode() & 0o777, names()), (0o600, 1));
    let refused = hostvet(&["capture", "-o", path, tree]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(told(&refused).contains("--force"), "{}", told(&refused));
    assert!(hostvet(&["capture", "-o", path, "--force", tree]).status.success());
    // The same bytes on the standard output, but for the time.
    let piped = hostvet(&["capture", "-o", "-", tree]);
    assert!(open_capture(piped.stdout, "c").is_ok());
    // The report names the same tree; and each format is the same but for the lines that tell of the capture.
    for format in ["json", "human"] {
        let report = |target: &str| {
            let output = hostvet(&["check", "--format", format, "--fail-on", "never", target]);
            assert!(output.status.success(), "{}", told(&output));
            String::from_utf8(output.stdout).unwrap()
        };
        let (of_tree, of_capture) = (report(tree), report(path));
        assert_eq!(of_capture, report(path));
        let differ = of_capture.lines().filter(|line| !of_tree.lines().any(|other| other == *line)).count();
        assert!(differ <= 7, "{of_capture}");
        assert!(of_capture.contains("c.tar.zst"));
    }
    // Nor does it need the tree: facts come of it as well, and a capture of it is the same.
    assert!(hostvet(&["facts", "--root", path, "os", "fstab"]).status.success());
    // It is no tar that happens to hold a file of that name.
    let host = open(&file, &Options::default()).unwrap();
    assert!(host.target.captured.is_some());
}

#[test]
fn a_capture_unpacks_to_a_tree_that_can_be_vetted() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hosts/debian-12");
    let case: Case = fixture::read(&fixture.join("host.toml"));
    let (_, capture) = captured(fixture::host(&fixture, &case.beside), &BTreeMap::new());
    let (_, tar) = unpacked(&capture);
    let mut tar = tar::Archive::new(tar.as_slice());
    tar.set_preserve_permissions(true);
    tar.set_preserve_ownerships(nix::unistd::geteuid().is_root());
    tar.unpack(directory.path()).unwrap();
    let fstab = fs::read(directory.path().join("etc/fstab")).unwrap();
    assert_eq!(fstab, fs::read(fixture.join("root/etc/fstab")).unwrap());
    // As the tree that it looks like, which tells less.
    let report = |form| {
        let options = Options { form, ..Options::default() };
        text(vet(named(open(directory.path(), &options).unwrap()), &BTreeMap::new()))
    };
    let source = Directory::open(directory.path()).unwrap();
    let as_tree = vet(Host::new(source, Target::root("tree")), &BTreeMap::new());
    assert_eq!(fixture::findings(&as_tree, hostvet::engine::Severity::Warning), Vec::<String>::new());
    assert!(as_tree.passed.len() > 50, "{}", as_tree.passed.len());
    assert_same(&report(Some(Form::Directory)), &text(as_tree), "told to be a tree");
    // As the capture that it is, it says the same to the byte.
    let packed = text(vet(named(open_capture(capture, "c").unwrap()), &BTreeMap::new()));
    assert_same(&report(None), &packed, "unpacked");
    // What was changed in it since is no part of the capture.
    fs::write(directory.path().join("etc/fstab"), "changed").unwrap();
    let changed = open(directory.path(), &Options::default()).unwrap().read_text("/etc/fstab");
    let why = "cannot be read from the capture: it has 7 bytes there, and not as many as it says";
    assert_eq!(changed.map_err(reason), Err(why.into()));
}

fn named(mut host: Host) -> Host {
    host.target.name = "tree".into();
    host
}

/// What was assumed and how deep was looked is a part of it.
#[test]
fn what_was_assumed_of_a_tree_holds_in_its_capture() {
    let assume: Assume = "memory=8GiB,cpus=4".parse().unwrap();
    let (layout, damage) =
        (vec!["/ is disk1 (ext4)".to_owned()], vec!["disk: its table is cut short".to_owned()]);
    let target = Target {
        kind: TargetKind::Image,
        assume: assume.clone(),
        layout: layout.clone(),
        damage: damage.clone(),
        ..Target::root("golden")
    };
    let mut host = Host::new(Files::new(), target);
    host.deep = true;
    let (_, recording) = Recording::start(host, None);
    let mut capture = Vec::new();
    recording.write(Vec::new(), taken(), &mut capture).unwrap();
    let replayed = open_capture(capture, "c").unwrap();
    let Target { kind, assume: found, name, captured, .. } = replayed.target;
    assert_eq!((replayed.target.layout, replayed.target.damage), (layout, damage));
    assert_eq!((kind, found, name.as_str(), replayed.deep), (TargetKind::Image, assume, "golden", true));
    assert_eq!(captured.unwrap().host, None);
}
