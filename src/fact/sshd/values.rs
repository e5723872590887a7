//! What sshd takes as the value of a keyword, and in what words it refuses one.
//!
//! Source: process_server_config_line_depth() of servconf.c; convtime(), a2port(), scan_scaled(). Tried with OpenSSH 8.0p1, 9.2p1 and
//! 9.9p2: tests/sshd_differential.rs.

use super::keywords::{Adding, Kind, Names};
use super::patterns;
use super::version::Version;
use super::words::Words;

/// Why sshd refuses the line, if it surely does.
pub(super) fn refused(kind: Kind, words: &Words, version: Version) -> Option<String> {
    let old = version.before(8, 7);
    let Some(arguments) = &words.arguments else {
        // Before 8.7 such an argument was as good as none, which some keywords took.
        let lenient = matches!(
            kind,
            Kind::Any
                | Kind::Adding(_)
                | Kind::Words
                | Kind::SetEnv
                | Kind::Methods
                | Kind::Rest
                | Kind::Command
        );
        let certain = version.from(8, 7) || !lenient;
        return certain.then(|| "a quote is not closed".into());
    };
    if words.rest.is_empty() {
        let lenient =
            matches!(kind, Kind::Any | Kind::Adding(_) | Kind::Words | Kind::Methods | Kind::SetEnv);
        return (version.from(8, 7) || !lenient).then(|| "has no value".into());
    }
    let first = arguments.first().map(String::as_str);
    let single = match kind {
        Kind::Match | Kind::Include | Kind::Any => return None,
        Kind::Rest => return None,
        Kind::Command => {
            let path = words.rest.as_str();
            let bad = !path.starts_with('/') && !path.eq_ignore_ascii_case("none");
            return bad.then(|| format!("`{path}` is no absolute path"));
        }
        Kind::Words if arguments.is_empty() => return (!old).then(|| "has no value".into()),
        Kind::Words => return None,
        Kind::Adding(what) => return adding(what, arguments, old),
        Kind::Methods => return methods(arguments, old),
        Kind::SetEnv => {
            let bad = arguments.iter().find(|a| !a.contains('='));
            return bad.filter(|_| !old).map(|a| format!("`{a}` is not NAME=VALUE"));
        }
        Kind::Subsystem => return (arguments.len() < 2).then(|| "needs a name and a command".into()),
        Kind::Listen => first.and_then(|a| listen(a, version)),
        Kind::RekeyLimit => return rekey_limit(arguments),
        Kind::Port => first.and_then(|a| bad_port(a).then(|| format!("`{a}` is no port"))),
        Kind::One(known) => {
            first.and_then(|a| one_of(a, known, known.iter().any(|k| a.eq_ignore_ascii_case(k))))
        }
        Kind::Exactly(known) => first.and_then(|a| one_of(a, known, known.contains(&a))),
        // Before 7.8 any text was taken, and was 0 where it was no number.
        Kind::Int => {
            first.filter(|a| !is_int(a) && version.from(7, 8)).map(|a| format!("`{a}` is no number"))
        }
        Kind::Time => first.and_then(bad_time),
        Kind::TimeOrNone => first.filter(|a| !a.eq_ignore_ascii_case("none")).and_then(bad_time),
        Kind::MaxStartups => {
            first.filter(|a| !is_max_startups(a, version)).map(|a| format!("`{a}` is not start:rate:full"))
        }
        Kind::Mask => first.filter(|a| !is_mask(a)).map(|a| format!("`{a}` is no octal mask")),
        Kind::Names(of) => first.and_then(|a| names(of, a, version)),
        Kind::Word => None,
    };
    if single.is_some() {
        return single;
    }
    match first {
        None | Some("") => Some("has no value".into()),
        Some(_) => match (arguments.get(1), kind) {
            (Some(domain), Kind::Listen) if domain == "rdomain" && arguments.len() > 2 => None,
            (Some(extra), _) => Some(format!("takes one value, and `{extra}` follows it")),
            (None, _) => None,
        },
    }
}

fn one_of(given: &str, known: &[&str], is: bool) -> Option<String> {
    (!is && !given.is_empty()).then(|| format!("`{given}` is none of {}", known.join(", ")))
}

fn adding(what: Adding, arguments: &[String], old: bool) -> Option<String> {
    if old {
        return arguments
            .iter()
            .find(|a| what == Adding::Environment && a.contains('='))
            .map(|a| format!("`{a}` is no name of a variable"));
    }
    if arguments.is_empty() {
        return Some("has no value".into());
    }
    arguments.iter().find_map(|argument| match what {
        _ if argument.is_empty() => Some("a value is empty".to_owned()),
        Adding::Environment => {
            argument.contains('=').then(|| format!("`{argument}` is no name of a variable"))
        }
        Adding::Users => {
            let host = argument.split_once('@').map(|(_, host)| host)?;
            patterns::address_listed(host, None)
                .is_none()
                .then(|| format!("`{argument}` has a network whose mask does not fit it"))
        }
        Adding::Groups => None,
    })
}

/// The methods of authentication that any build knows.
const METHODS: [&str; 7] =
    ["none", "publickey", "password", "keyboard-interactive", "hostbased", "gssapi-with-mic", "gssapi-keyex"];

fn methods(arguments: &[String], old: bool) -> Option<String> {
    if arguments.is_empty() {
        return (!old).then(|| "has no value".into());
    }
    let any = arguments.iter().filter(|a| *a == "any").count();
    if any > 0 && arguments.len() > 1 {
        return Some("`any` must stand alone".into());
    }
    let method = |m: &&str| !METHODS.contains(&m.split(':').next().unwrap_or(""));
    let unknown = arguments.iter().filter(|a| *a != "any").flat_map(|list| list.split(',')).find(method);
    unknown.map(|m| format!("`{m}` is no method of authentication"))
}

/// A number of a port, or the name of a service, which only the vetted host could tell.
fn bad_port(text: &str) -> bool {
    match text.parse::<i64>() {
        Ok(port) => !(1..=65535).contains(&port),
        Err(_) => text.is_empty() || !text.starts_with(|c: char| c.is_ascii_alphabetic()),
    }
}

fn listen(address: &str, version: Version) -> Option<String> {
    // Before 8.0 a slash could stand before the port.
    if address.contains('/') {
        return version
            .from(8, 0)
            .then(|| format!("`{address}` is no address; a network cannot be listened on"));
    }
    let bare = !address.contains('[') && address.matches(':').count() >= 2;
    let port = match address.rsplit_once(':') {
        _ if bare => None,
        Some((_, port)) if !port.contains(']') => Some(port),
        _ => None,
    };
    port.filter(|port| bad_port(port)).map(|port| format!("`{port}` of `{address}` is no port"))
}

fn is_int(text: &str) -> bool {
    text.parse::<i32>().is_ok_and(|n| n >= 0)
}

/// Seconds of `1h30m`; `None` for what is no time.
pub(super) fn time(text: &str) -> Option<i64> {
    let mut total: i64 = 0;
    let mut rest = text;
    if text.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (digits, after) = rest.split_at(end);
        let number: i64 = digits.parse().ok()?;
        let mut chars = after.chars();
        let unit = match chars.next() {
            None | Some('s' | 'S') => 1,
            Some('m' | 'M') => 60,
            Some('h' | 'H') => 3600,
            Some('d' | 'D') => 86_400,
            Some('w' | 'W') => 604_800,
            Some(_) => return None,
        };
        rest = chars.as_str();
        total = total.checked_add(number.checked_mul(unit)?)?;
    }
    (total <= i64::from(i32::MAX)).then_some(total)
}

fn bad_time(text: &str) -> Option<String> {
    time(text).is_none().then(|| format!("`{text}` is no time"))
}

/// Start, rate and full of `10:30:100`, or of `10`.
pub(super) fn max_startups(text: &str) -> Option<(i64, Option<i64>, i64)> {
    let numbers: Vec<i64> =
        text.split(':').map(|n| n.parse::<i32>().map(i64::from)).collect::<Result<_, _>>().ok()?;
    match numbers.as_slice() {
        [start] => Some((*start, None, *start)),
        [start, rate, full] => Some((*start, Some(*rate), *full)),
        _ => None,
    }
}

fn is_max_startups(text: &str, version: Version) -> bool {
    // sscanf() stops at what is no number, so that more than these may be taken.
    match max_startups(text) {
        Some((start, rate, full)) => {
            // Numbers below 1 were taken before.
            let positive = (start > 0 && full > 0) || !version.from(9, 2);
            positive && rate.is_none_or(|rate| start <= full && (1..=100).contains(&rate))
        }
        None => {
            text.matches(':').count() > 2
                || text.split(':').any(|part| part.starts_with(|c: char| c.is_ascii_digit()))
        }
    }
}

/// strtol() reads the octal digits at the start, and what follows them is not looked at.
fn is_mask(text: &str) -> bool {
    let end = text.find(|c: char| !('0'..='7').contains(&c)).unwrap_or(text.len());
    text.get(..end).and_then(|digits| u32::from_str_radix(digits, 8).ok()).is_some_and(|mask| mask <= 0o777)
}

fn rekey_limit(arguments: &[String]) -> Option<String> {
    let amount = arguments.first()?;
    let digits =
        amount.trim_end_matches(['k', 'K', 'm', 'M', 'g', 'G', 't', 'T', 'p', 'P', 'e', 'E', 'b', 'B']);
    match digits.parse::<f64>() {
        _ if amount == "default" => {}
        Err(_) => return Some(format!("`{amount}` is no amount")),
        Ok(bytes) if digits == amount && bytes != 0.0 && bytes < 16.0 => {
            return Some(format!("`{amount}` is too small"));
        }
        Ok(_) => {}
    }
    match arguments.get(1) {
        Some(time) if time != "none" => bad_time(time),
        _ => None,
    }
}

const CIPHERS: &[&str] = &[
    "3des-cbc",
    "aes128-cbc",
    "aes192-cbc",
    "aes256-cbc",
    "aes128-ctr",
    "aes192-ctr",
    "aes256-ctr",
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "rijndael-cbc@lysator.liu.se",
    "none",
    "arcfour",
    "arcfour128",
    "arcfour256",
    "blowfish-cbc",
    "cast128-cbc",
    "acss@openssh.org",
];
const MACS: &[&str] = &[
    "hmac-sha1",
    "hmac-sha1-96",
    "hmac-sha2-256",
    "hmac-sha2-512",
    "hmac-md5",
    "hmac-md5-96",
    "hmac-ripemd160",
    "hmac-ripemd160@openssh.com",
    "umac-64@openssh.com",
    "umac-128@openssh.com",
    "hmac-sha1-etm@openssh.com",
    "hmac-sha1-96-etm@openssh.com",
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-md5-etm@openssh.com",
    "hmac-md5-96-etm@openssh.com",
    "hmac-ripemd160-etm@openssh.com",
    "umac-64-etm@openssh.com",
    "umac-128-etm@openssh.com",
    "hmac-sha2-256-96",
    "hmac-sha2-512-96",
];
/// What was removed, and in which version.
const REMOVED: &[(&str, (u32, u32))] = &[
    ("arcfour", (7, 6)),
    ("arcfour128", (7, 6)),
    ("arcfour256", (7, 6)),
    ("blowfish-cbc", (7, 6)),
    ("cast128-cbc", (7, 6)),
    ("hmac-ripemd160", (7, 6)),
    ("hmac-ripemd160@openssh.com", (7, 6)),
    ("hmac-ripemd160-etm@openssh.com", (7, 6)),
];

/// A list of ciphers or MACs. The names of key exchanges and of key types differ between builds, so they are not judged.
fn names(of: Names, list: &str, version: Version) -> Option<String> {
    let known = match of {
        Names::Ciphers => CIPHERS,
        Names::Macs => MACS,
        Names::Kex | Names::Keys => return None,
    };
    // What is taken away need not be known.
    if list.starts_with('-') {
        return None;
    }
    let list = list.strip_prefix(['+', '^']).unwrap_or(list);
    list.split(',').find_map(|name| {
        if !known.contains(&name) {
            // Names with a domain may be a build's own.
            let ours = !name.contains('@') || name.ends_with("@openssh.com");
            return ours.then(|| format!("`{name}` is unknown to every OpenSSH"));
        }
        let (_, (major, minor)) =
            REMOVED.iter().find(|(n, (major, minor))| *n == name && version.from(*major, *minor))?;
        Some(format!("`{name}` was removed in OpenSSH {major}.{minor}"))
    })
}

#[cfg(test)]
mod tests {
    use super::super::{keywords, words};
    use super::*;

    fn judge(line: &str, version: Option<(u32, u32)>) -> Option<String> {
        let version = Version(version);
        let words = words::split(line, version.before(8, 7)).unwrap();
        refused(keywords::find(&words.keyword).unwrap().kind, &words, version)
    }

    const NEW: Option<(u32, u32)> = Some((9, 2));

    /// Each was given to `sshd -t` of OpenSSH 9.2p1, which refuses the first and takes the second.
    #[test]
    fn values_are_refused_as_sshd_does() {
        for (bad, good) in [
            ("Port 0", "Port 65535"),
            ("Port 65536", "Port ssh"),
            ("Port 22 23", "Port 22 # and more"),
            ("PermitRootLogin maybe", "PermitRootLogin Without-Password"),
            ("PasswordAuthentication true", "PasswordAuthentication YES"),
            ("LoginGraceTime 2x", "LoginGraceTime 1h30m"),
            ("LoginGraceTime -1", "LoginGraceTime 0"),
            ("MaxStartups 10:0:100", "MaxStartups 10:30:100"),
            ("MaxStartups 0", "MaxStartups 1"),
            ("MaxStartups 20:30:10", "MaxStartups 10:100:10"),
            ("MaxAuthTries many", "MaxAuthTries 6"),
            ("ListenAddress 0.0.0.0:99999", "ListenAddress [::]:22"),
            ("ListenAddress [::1]:0", "ListenAddress ::1"),
            ("AllowUsers", "AllowUsers ann bob@10.0.0.0/8"),
            ("AllowUsers a@10.0.0.1/8", "AllowUsers a@10.*"),
            ("AcceptEnv A=b", "AcceptEnv LANG LC_*"),
            ("SetEnv A", "SetEnv A=b C=d"),
            ("Subsystem sftp", "Subsystem sftp internal-sftp -l INFO"),
            ("AuthorizedKeysCommand keys", "AuthorizedKeysCommand /usr/bin/keys %u"),
            (
                "AuthenticationMethods publickey,pin",
                "AuthenticationMethods publickey,keyboard-interactive:pam password",
            ),
            ("AuthenticationMethods any password", "AuthenticationMethods any"),
            ("Ciphers aes256", "Ciphers +aes256-cbc"),
            ("Ciphers arcfour", "Ciphers -arcfour"),
            ("MACs hmac-ripemd160", "MACs hmac-sha2-256"),
            ("PermitTunnel YES", "PermitTunnel yes"),
            ("RekeyLimit much", "RekeyLimit 1G 1h"),
            ("StreamLocalBindMask 8", "StreamLocalBindMask 0177"),
            ("SyslogFacility mail", "SyslogFacility AUTHPRIV"),
            ("LogLevel loud", "LogLevel DEBUG3"),
            ("Banner \"/etc/issue", "Banner \"/etc/issue net\""),
            ("UnusedConnectionTimeout soon", "UnusedConnectionTimeout none"),
            ("Protocol", "Protocol 1"),
            ("Compression maybe", "Compression delayed"),
        ] {
            assert!(judge(bad, NEW).is_some(), "{bad}");
            assert_eq!(judge(good, NEW), None, "{good}");
        }
    }

    #[test]
    fn older_versions_took_other_things() {
        assert_eq!(judge("Port 22 # ssh", Some((7, 4))), None);
        assert_eq!(judge("MaxStartups 0", Some((8, 0))), None);
        assert_eq!(judge("AllowUsers ann # bob", Some((7, 4))), None);
        assert_eq!(judge("AllowUsers", Some((7, 4))), None);
        assert_eq!(judge("MaxAuthTries many", Some((7, 4))), None);
        assert_eq!(judge("Ciphers arcfour", Some((7, 4))), None);
    }

    #[test]
    fn of_an_unknown_version_only_what_all_refuse_is_refused() {
        for fine in ["Port 22 # ssh", "AllowUsers", "MaxAuthTries many", "Ciphers arcfour", "Protocol"] {
            assert_eq!(judge(fine, None), None, "{fine}");
        }
        assert!(judge("PermitRootLogin", None).is_some());
        assert!(judge("PermitRootLogin maybe", None).is_some());
    }

    #[test]
    fn times_are_sums() {
        assert_eq!(time("2m"), Some(120));
        assert_eq!(time("1h30"), Some(3630));
        assert_eq!(time("99999999999w"), None);
        assert_eq!(time(""), None);
    }
}
