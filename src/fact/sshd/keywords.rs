//! The keywords of sshd_config: since when, where, and with what values.
//!
//! Source: sshd_config(5) and the table of servconf.c of OpenSSH 5.1 to 10.x; keywords are never removed from it, they become
//! deprecated and are passed over with a word in the log.

/// A keyword.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Keyword {
    /// In lower case.
    pub(super) name: &'static str,
    /// As the manual writes it.
    pub(super) shown: &'static str,
    /// The first version that has it.
    pub(super) since: (u32, u32),
    /// The first version that takes it inside a Match block. Absent: none.
    pub(super) in_match: Option<(u32, u32)>,
    pub(super) kind: Kind,
}

/// What a keyword takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Match,
    Include,
    /// One of these words, whatever their case.
    One(&'static [&'static str]),
    /// One of these words, in this case.
    Exactly(&'static [&'static str]),
    Int,
    Time,
    /// A time, or `none`.
    TimeOrNone,
    Port,
    Listen,
    /// One word: a file, a name.
    Word,
    /// One or more words, of which the first line counts.
    Words,
    /// One or more words; those of all lines count.
    Adding(Adding),
    /// All the rest of the line.
    Rest,
    /// All the rest of the line, a path or `none`.
    Command,
    /// A list of names between commas, of which sshd knows these.
    Names(Names),
    Subsystem,
    MaxStartups,
    RekeyLimit,
    Mask,
    SetEnv,
    Methods,
    /// Taken without a look: deprecated, unsupported, or a distribution's own.
    Any,
}

/// What the lines of an adding keyword hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Adding {
    Users,
    Groups,
    Environment,
}

/// What a list of algorithms is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    Ciphers,
    Macs,
    Kex,
    Keys,
}

const YES_NO: Kind = Kind::One(&["yes", "no"]);
const FORWARDING: Kind = Kind::One(&["yes", "all", "no", "remote", "local"]);
const FACILITIES: Kind = Kind::One(&[
    "daemon", "user", "auth", "authpriv", "local0", "local1", "local2", "local3", "local4", "local5",
    "local6", "local7",
]);
const LEVELS: Kind = Kind::One(&[
    "silent", "quiet", "fatal", "error", "info", "verbose", "debug", "debug1", "debug2", "debug3",
]);
const HASHES: Kind = Kind::One(&["md5", "sha1", "sha256", "sha384", "sha512"]);

/// Only in the global part.
const G: Option<(u32, u32)> = None;
/// In Match blocks as well, as long as there is the keyword.
const M: Option<(u32, u32)> = Some((0, 0));

const fn since(major: u32, minor: u32) -> Option<(u32, u32)> {
    Some((major, minor))
}

macro_rules! table {
    ($($shown:literal $name:literal $major:literal . $minor:literal $in_match:expr, $kind:expr;)*) => {
        &[$( Keyword { name: $name, shown: $shown, since: ($major, $minor), in_match: $in_match, kind: $kind } ),*]
    };
}

/// All of them, sorted by name; 0.0 is any version that can still be met.
#[rustfmt::skip]
const TABLE: &[Keyword] = table! {
    "AcceptEnv" "acceptenv" 0 . 0 since(6, 1), Kind::Adding(Adding::Environment);
    "AddressFamily" "addressfamily" 0 . 0 G, Kind::One(&["inet", "inet6", "any"]);
    "AFSTokenPassing" "afstokenpassing" 0 . 0 G, Kind::Any;
    "AllowAgentForwarding" "allowagentforwarding" 0 . 0 M, YES_NO;
    "AllowGroups" "allowgroups" 0 . 0 since(6, 1), Kind::Adding(Adding::Groups);
    "AllowStreamLocalForwarding" "allowstreamlocalforwarding" 6 . 7 M, FORWARDING;
    "AllowTcpForwarding" "allowtcpforwarding" 0 . 0 M, FORWARDING;
    "AllowUsers" "allowusers" 0 . 0 since(6, 1), Kind::Adding(Adding::Users);
    "AuthenticationMethods" "authenticationmethods" 6 . 2 M, Kind::Methods;
    "AuthorizedKeysCommand" "authorizedkeyscommand" 0 . 0 M, Kind::Command;
    "AuthorizedKeysCommandUser" "authorizedkeyscommanduser" 0 . 0 M, Kind::Word;
    "AuthorizedKeysFile" "authorizedkeysfile" 0 . 0 since(5, 6), Kind::Words;
    "AuthorizedKeysFile2" "authorizedkeysfile2" 0 . 0 since(5, 6), Kind::Any;
    "AuthorizedPrincipalsCommand" "authorizedprincipalscommand" 6 . 9 M, Kind::Command;
    "AuthorizedPrincipalsCommandUser" "authorizedprincipalscommanduser" 6 . 9 M, Kind::Word;
    "AuthorizedPrincipalsFile" "authorizedprincipalsfile" 5 . 6 M, Kind::Word;
    "Banner" "banner" 0 . 0 M, Kind::Word;
    "CASignatureAlgorithms" "casignaturealgorithms" 7 . 9 M, Kind::Names(Names::Keys);
    "ChallengeResponseAuthentication" "challengeresponseauthentication" 0 . 0 since(8, 7), YES_NO;
    "ChannelTimeout" "channeltimeout" 9 . 2 M, Kind::Words;
    "CheckMail" "checkmail" 0 . 0 G, Kind::Any;
    "ChrootDirectory" "chrootdirectory" 0 . 0 M, Kind::Word;
    "Ciphers" "ciphers" 0 . 0 G, Kind::Names(Names::Ciphers);
    "ClientAliveCountMax" "clientalivecountmax" 0 . 0 since(7, 4), Kind::Int;
    "ClientAliveInterval" "clientaliveinterval" 0 . 0 since(7, 4), Kind::Time;
    "Compression" "compression" 0 . 0 G, Kind::One(&["yes", "delayed", "no"]);
    "DenyGroups" "denygroups" 0 . 0 since(6, 1), Kind::Adding(Adding::Groups);
    "DenyUsers" "denyusers" 0 . 0 since(6, 1), Kind::Adding(Adding::Users);
    "DisableForwarding" "disableforwarding" 7 . 4 M, YES_NO;
    "DSAAuthentication" "dsaauthentication" 0 . 0 G, YES_NO;
    "ExposeAuthInfo" "exposeauthinfo" 7 . 6 M, YES_NO;
    "FingerprintHash" "fingerprinthash" 6 . 8 G, HASHES;
    "ForceCommand" "forcecommand" 0 . 0 M, Kind::Rest;
    "GatewayPorts" "gatewayports" 0 . 0 M, Kind::One(&["clientspecified", "yes", "no"]);
    "GSSAPIAuthentication" "gssapiauthentication" 0 . 0 M, Kind::Any;
    "GSSAPICleanupCredentials" "gssapicleanupcredentials" 0 . 0 G, Kind::Any;
    "GSSAPIDelegateCredentials" "gssapidelegatecredentials" 10 . 1 G, Kind::Any;
    "GSSAPIStrictAcceptorCheck" "gssapistrictacceptorcheck" 0 . 0 G, Kind::Any;
    "HostbasedAcceptedAlgorithms" "hostbasedacceptedalgorithms" 8 . 5 M, Kind::Names(Names::Keys);
    "HostbasedAcceptedKeyTypes" "hostbasedacceptedkeytypes" 6 . 8 M, Kind::Names(Names::Keys);
    "HostbasedAuthentication" "hostbasedauthentication" 0 . 0 M, YES_NO;
    "HostbasedUsesNameFromPacketOnly" "hostbasedusesnamefrompacketonly" 0 . 0 since(5, 6), YES_NO;
    "HostCertificate" "hostcertificate" 5 . 4 G, Kind::Word;
    "HostDSAKey" "hostdsakey" 0 . 0 G, Kind::Word;
    "HostKey" "hostkey" 0 . 0 G, Kind::Word;
    "HostKeyAgent" "hostkeyagent" 6 . 3 G, Kind::Word;
    "HostKeyAlgorithms" "hostkeyalgorithms" 7 . 0 G, Kind::Names(Names::Keys);
    "IgnoreRhosts" "ignorerhosts" 0 . 0 since(8, 3), Kind::One(&["yes", "no", "shosts-only"]);
    "IgnoreUserKnownHosts" "ignoreuserknownhosts" 0 . 0 G, YES_NO;
    "Include" "include" 8 . 2 M, Kind::Include;
    "IPQoS" "ipqos" 5 . 7 M, Kind::Words;
    "KbdInteractiveAuthentication" "kbdinteractiveauthentication" 0 . 0 M, YES_NO;
    "KeepAlive" "keepalive" 0 . 0 G, YES_NO;
    "KerberosAuthentication" "kerberosauthentication" 0 . 0 M, Kind::Any;
    "KerberosGetAFSToken" "kerberosgetafstoken" 0 . 0 G, Kind::Any;
    "KerberosOrLocalPasswd" "kerberosorlocalpasswd" 0 . 0 G, Kind::Any;
    "KerberosTgtPassing" "kerberostgtpassing" 0 . 0 G, Kind::Any;
    "KerberosTicketCleanup" "kerberosticketcleanup" 0 . 0 G, Kind::Any;
    "KexAlgorithms" "kexalgorithms" 5 . 7 G, Kind::Names(Names::Kex);
    "KeyRegenerationInterval" "keyregenerationinterval" 0 . 0 G, Kind::Any;
    "ListenAddress" "listenaddress" 0 . 0 G, Kind::Listen;
    "LoginGraceTime" "logingracetime" 0 . 0 G, Kind::Time;
    "LogLevel" "loglevel" 0 . 0 since(7, 6), LEVELS;
    "LogVerbose" "logverbose" 8 . 5 M, Kind::Words;
    "MACs" "macs" 0 . 0 G, Kind::Names(Names::Macs);
    "Match" "match" 0 . 0 M, Kind::Match;
    "MaxAuthTries" "maxauthtries" 0 . 0 M, Kind::Int;
    "MaxSessions" "maxsessions" 0 . 0 M, Kind::Int;
    "MaxStartups" "maxstartups" 0 . 0 G, Kind::MaxStartups;
    "ModuliFile" "modulifile" 8 . 6 G, Kind::Word;
    "PAMAuthenticationViaKbdInt" "pamauthenticationviakbdint" 0 . 0 G, Kind::Any;
    "PAMServiceName" "pamservicename" 9 . 8 M, Kind::Any;
    "PasswordAuthentication" "passwordauthentication" 0 . 0 M, YES_NO;
    "PermitEmptyPasswords" "permitemptypasswords" 0 . 0 since(5, 2), YES_NO;
    "PermitListen" "permitlisten" 7 . 8 M, Kind::Words;
    "PermitOpen" "permitopen" 0 . 0 M, Kind::Words;
    "PermitRootLogin" "permitrootlogin" 0 . 0 M, Kind::One(&["yes", "no", "prohibit-password", "without-password", "forced-commands-only"]);
    "PermitTTY" "permittty" 6 . 5 M, YES_NO;
    "PermitTunnel" "permittunnel" 0 . 0 since(5, 6), Kind::Exactly(&["yes", "no", "point-to-point", "ethernet"]);
    "PermitUserEnvironment" "permituserenvironment" 0 . 0 G, Kind::Word;
    "PermitUserRC" "permituserrc" 6 . 7 M, YES_NO;
    "PerSourceMaxStartups" "persourcemaxstartups" 8 . 5 G, Kind::Word;
    "PerSourceNetBlockSize" "persourcenetblocksize" 8 . 5 G, Kind::Word;
    "PerSourcePenalties" "persourcepenalties" 9 . 8 G, Kind::Words;
    "PerSourcePenaltyExemptList" "persourcepenaltyexemptlist" 9 . 8 G, Kind::Word;
    "PidFile" "pidfile" 0 . 0 G, Kind::Word;
    "Port" "port" 0 . 0 G, Kind::Port;
    "PrintLastLog" "printlastlog" 0 . 0 G, Kind::Any;
    "PrintMotd" "printmotd" 0 . 0 G, YES_NO;
    "Protocol" "protocol" 0 . 0 G, Kind::Any;
    "PubkeyAcceptedAlgorithms" "pubkeyacceptedalgorithms" 8 . 5 M, Kind::Names(Names::Keys);
    "PubkeyAcceptedKeyTypes" "pubkeyacceptedkeytypes" 6 . 8 M, Kind::Names(Names::Keys);
    "PubkeyAuthentication" "pubkeyauthentication" 0 . 0 M, YES_NO;
    "PubkeyAuthOptions" "pubkeyauthoptions" 8 . 2 M, Kind::Words;
    "RDomain" "rdomain" 7 . 7 M, Kind::Any;
    "RefuseConnection" "refuseconnection" 9 . 9 M, YES_NO;
    "RekeyLimit" "rekeylimit" 6 . 3 M, Kind::RekeyLimit;
    "RequiredRSASize" "requiredrsasize" 9 . 1 M, Kind::Int;
    "ReverseMappingCheck" "reversemappingcheck" 0 . 0 G, Kind::Any;
    "RevokedKeys" "revokedkeys" 5 . 4 M, Kind::Words;
    "RHostsAuthentication" "rhostsauthentication" 0 . 0 G, Kind::Any;
    "RhostsRSAAuthentication" "rhostsrsaauthentication" 0 . 0 M, Kind::Any;
    "RSAAuthentication" "rsaauthentication" 0 . 0 M, Kind::Any;
    "SecurityKeyProvider" "securitykeyprovider" 8 . 2 G, Kind::Word;
    "ServerKeyBits" "serverkeybits" 0 . 0 G, Kind::Any;
    "SetEnv" "setenv" 7 . 8 M, Kind::SetEnv;
    "SkeyAuthentication" "skeyauthentication" 0 . 0 since(8, 7), Kind::Any;
    "SshdAuthPath" "sshdauthpath" 10 . 0 G, Kind::Word;
    "SshdSessionPath" "sshdsessionpath" 9 . 8 G, Kind::Word;
    "StreamLocalBindMask" "streamlocalbindmask" 6 . 7 M, Kind::Mask;
    "StreamLocalBindUnlink" "streamlocalbindunlink" 6 . 7 M, YES_NO;
    "StrictModes" "strictmodes" 0 . 0 G, YES_NO;
    "Subsystem" "subsystem" 0 . 0 since(9, 5), Kind::Subsystem;
    "SyslogFacility" "syslogfacility" 0 . 0 G, FACILITIES;
    "TCPKeepAlive" "tcpkeepalive" 0 . 0 G, YES_NO;
    "TrustedUserCAKeys" "trustedusercakeys" 5 . 4 M, Kind::Word;
    "UnusedConnectionTimeout" "unusedconnectiontimeout" 9 . 2 M, Kind::TimeOrNone;
    "UseDNS" "usedns" 0 . 0 G, YES_NO;
    "UseLogin" "uselogin" 0 . 0 G, Kind::Any;
    "UsePAM" "usepam" 0 . 0 G, Kind::Any;
    "UsePrivilegeSeparation" "useprivilegeseparation" 0 . 0 G, Kind::Any;
    "VerifyReverseMapping" "verifyreversemapping" 0 . 0 G, Kind::Any;
    "VersionAddendum" "versionaddendum" 6 . 1 G, Kind::Rest;
    "X11DisplayOffset" "x11displayoffset" 0 . 0 M, Kind::Int;
    "X11Forwarding" "x11forwarding" 0 . 0 M, YES_NO;
    "X11UseLocalhost" "x11uselocalhost" 0 . 0 M, YES_NO;
    "XAuthLocation" "xauthlocation" 0 . 0 G, Kind::Word;
    "ZeroKnowledgePasswordAuthentication" "zeroknowledgepasswordauthentication" 0 . 0 M, Kind::Any;
};

/// Keywords of distributions and of well-known patches, in any version: Debian's and Red Hat's GSSAPI key exchange, Red Hat's
/// Kerberos, SUSE's, and HPN-SSH's.
const VENDORS: &[&str] = &[
    "authorizedkeyscommandrunas",
    "debianbanner",
    "disablemtaes",
    "exposeauthenticationmethods",
    "gssapienablek5users",
    "gssapikexalgorithms",
    "gssapikeyexchange",
    "gssapistorecredentialsonrekey",
    "gssapitrustdns",
    "gssusesessionccache",
    "gssapiusesessioncredcache",
    "hpnbufferlimit",
    "hpnbuffersize",
    "hpndisabled",
    "kerberosuniqueccache",
    "kerberosusekuserok",
    "kexdhmin",
    "ldapconf",
    "logpubkeyfingerprint",
    "noneenabled",
    "nonemacenabled",
    "requiredauthentications1",
    "requiredauthentications2",
    "rsaminsize",
    "showpatchlevel",
    "tcprcvbuf",
    "tcprcvbufpoll",
    "uselpk",
    "usemptcp",
    "useldap",
    "x11maxdisplays",
    "warnweakcrypto",
];

static VENDOR: Keyword = Keyword { name: "", shown: "", since: (0, 0), in_match: M, kind: Kind::Any };

/// The keyword of this name, whatever its case.
pub(super) fn find(name: &str) -> Option<&'static Keyword> {
    let name = name.to_ascii_lowercase();
    if let Ok(at) = TABLE.binary_search_by(|k| k.name.cmp(&name)) {
        return TABLE.get(at);
    }
    VENDORS.contains(&name.as_str()).then_some(&VENDOR)
}

/// The keyword that this is another name of.
pub(super) fn alias(name: &'static str, new: bool) -> &'static str {
    match name {
        "hostdsakey" => "hostkey",
        "dsaauthentication" => "pubkeyauthentication",
        "keepalive" => "tcpkeepalive",
        "hostbasedacceptedkeytypes" => "hostbasedacceptedalgorithms",
        "pubkeyacceptedkeytypes" => "pubkeyacceptedalgorithms",
        // Before 8.7 it was a switch of its own, beside the other.
        "challengeresponseauthentication" | "skeyauthentication" if new => "kbdinteractiveauthentication",
        "skeyauthentication" => "challengeresponseauthentication",
        name => name,
    }
}

/// The known keyword that a misspelt one is closest to, if it is close.
pub(super) fn close_to(name: &str) -> Option<&'static str> {
    if name.len() > 40 {
        return None;
    }
    let name = name.to_ascii_lowercase();
    let distances = TABLE.iter().map(|k| (distance(&name, k.name), k.shown));
    distances.min_by_key(|(distance, _)| *distance).filter(|(d, _)| *d <= 2).map(|(_, shown)| shown)
}

/// How many characters must be put in, left out or changed.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut corner = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, y) in row.iter_mut().skip(1).zip(b.bytes()) {
            let above = *cell;
            let best = (corner + usize::from(x != y)).min(left + 1).min(above + 1);
            (corner, left, *cell) = (above, best, best);
        }
    }
    row.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order() {
        assert!(TABLE.is_sorted_by(|a, b| a.name < b.name));
        assert!(TABLE.iter().all(|k| k.shown.eq_ignore_ascii_case(k.name)));
    }

    #[test]
    fn keywords_have_no_case() {
        assert_eq!(find("permitROOTlogin").map(|k| k.shown), Some("PermitRootLogin"));
        assert_eq!(find("DebianBanner").map(|k| k.kind), Some(Kind::Any));
        assert_eq!(find("PermitRootLogins"), None);
    }

    #[test]
    fn a_misspelt_keyword_is_recognised() {
        assert_eq!(close_to("PermitRootLogins"), Some("PermitRootLogin"));
        assert_eq!(close_to("PasswordAuthentification"), Some("PasswordAuthentication"));
        assert_eq!(close_to("Banana"), None);
        assert_eq!(close_to(&"x".repeat(10_000)), None);
    }
}
