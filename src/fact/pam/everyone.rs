//! Modules that say the same to everyone, as their sources have it.

use super::control::{
    AUTH_ERR, AUTHTOK_ERR, IGNORE, MODULE_UNKNOWN, SERVICE_ERR, SESSION_ERR, SUCCESS, SYSTEM_ERR,
    USER_UNKNOWN,
};
use super::records::PamType;
use super::root::base;
use super::stack::Outcomes;

/// What everyone gets of a module; `None` where it depends, or is not known.
pub(super) fn outcomes(ty: PamType, module: &str, arguments: &[String]) -> Option<Outcomes> {
    use PamType::{Account, Auth, Password, Session};
    let only = |value| Some(Outcomes::only(value));
    match (base(module), ty) {
        ("pam_permit.so", _) => only(SUCCESS),
        ("pam_warn.so", _) => only(IGNORE),
        ("pam_deny.so", Auth | Account) => only(AUTH_ERR),
        ("pam_deny.so", Session) => only(SESSION_ERR),
        ("pam_deny.so", Password) => only(AUTHTOK_ERR),
        ("pam_nologin.so", Auth | Account) => {
            let otherwise = if arguments.iter().any(|a| a == "successok") { SUCCESS } else { IGNORE };
            Some(Outcomes::of(&[otherwise, AUTH_ERR, USER_UNKNOWN, SYSTEM_ERR]))
        }
        // In auth these do their work with the credentials only.
        ("pam_env.so" | "pam_faildelay.so" | "pam_group.so" | "pam_keyinit.so" | "pam_mail.so", Auth) => {
            only(IGNORE)
        }
        ("pam_env.so", Account) => only(SERVICE_ERR),
        ("pam_selinux.so", Auth) => only(AUTH_ERR),
        // These have no function for the stack.
        ("pam_limits.so" | "pam_motd.so" | "pam_umask.so", Auth | Account)
        | ("pam_loginuid.so" | "pam_time.so", Auth)
        | (
            "pam_faildelay.so" | "pam_group.so" | "pam_keyinit.so" | "pam_mail.so" | "pam_selinux.so",
            Account,
        ) => only(MODULE_UNKNOWN),
        _ => None,
    }
}
