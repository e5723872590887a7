//! What modules return for somebody who knows no password and holds no key.

use super::config::{Call, Rule};
use super::control::{AUTH_ERR, AUTHINFO_UNAVAIL, USER_UNKNOWN};
use super::records::PamType;
use super::root::{base, for_everyone};
use super::stack::Outcomes;
use super::syntax::What;

/// Modules that succeed without having looked at a password, a key or a token.
const UNASKING: [&str; 26] = [
    "pam_cap.so",
    "pam_console.so",
    "pam_debug.so",
    "pam_echo.so",
    "pam_env.so",
    "pam_faildelay.so",
    "pam_faillock.so",
    "pam_gnome_keyring.so",
    "pam_group.so",
    "pam_issue.so",
    "pam_keyinit.so",
    "pam_kwallet5.so",
    "pam_lastlog.so",
    "pam_limits.so",
    "pam_loginuid.so",
    "pam_mail.so",
    "pam_motd.so",
    "pam_nologin.so",
    "pam_reauthorize.so",
    "pam_securetty.so",
    "pam_selinux.so",
    "pam_sepermit.so",
    "pam_shells.so",
    "pam_tally.so",
    "pam_tally2.so",
    "pam_umask.so",
];

/// Modules that only tell some users, places or times from others. Where their success ends the stack or skips rules, somebody
/// wanted just these to get in.
const SELECTING: [&str; 9] = [
    "pam_access.so",
    "pam_listfile.so",
    "pam_localuser.so",
    "pam_rootok.so",
    "pam_succeed_if.so",
    "pam_time.so",
    "pam_timestamp.so",
    "pam_usertype.so",
    "pam_wheel.so",
];

/// What a password module says to a wrong password, to a user it does not know, and where its server is away.
const REFUSED: Outcomes = Outcomes::of(&[AUTH_ERR, USER_UNKNOWN, AUTHINFO_UNAVAIL]);

/// What the rule's module may return; what is not known is taken for a module that asks for a password.
pub(super) fn outcome(rule: &Rule) -> Outcomes {
    let (What::Module { module: Some(module), arguments, .. }, Call::Module(actions)) =
        (&rule.line.what, rule.call)
    else {
        return REFUSED;
    };
    if let Some(always) = for_everyone(PamType::Auth, module) {
        return always;
    }
    match base(module) {
        // It records the failure, and says so.
        "pam_faillock.so" if arguments.iter().any(|a| a == "authfail") => Outcomes::only(AUTH_ERR),
        name if UNASKING.contains(&name) => Outcomes::ANY,
        name if SELECTING.contains(&name) && !actions.decides() => Outcomes::ANY,
        _ => REFUSED,
    }
}
