//! What modules return for somebody who knows no password and holds no key.

use super::config::{Call, Rule};
use super::control::{AUTH_ERR, AUTHINFO_UNAVAIL, IGNORE, USER_UNKNOWN};
use super::everyone;
use super::records::PamType;
use super::root::base;
use super::stack::Outcomes;
use super::syntax::What;

/// Modules that may succeed without having looked at a password, a key or a token.
const UNASKING: [&str; 15] = [
    "pam_cap.so",
    "pam_console.so",
    "pam_debug.so",
    "pam_echo.so",
    "pam_faillock.so",
    "pam_gnome_keyring.so",
    "pam_issue.so",
    "pam_kwallet5.so",
    "pam_lastlog.so",
    "pam_reauthorize.so",
    "pam_securetty.so",
    "pam_sepermit.so",
    "pam_shells.so",
    "pam_tally.so",
    "pam_tally2.so",
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
    if let Some(always) = everyone::outcomes(PamType::Auth, module, arguments) {
        return always;
    }
    match base(module) {
        // It records the failure, root's only if it is told to.
        "pam_faillock.so" if arguments.iter().any(|a| a == "authfail") => Outcomes::of(&[AUTH_ERR, IGNORE]),
        name if UNASKING.contains(&name) => Outcomes::ANY,
        name if SELECTING.contains(&name) && !actions.decides() => Outcomes::ANY,
        _ => REFUSED,
    }
}
