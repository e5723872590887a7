//! The second column of a PAM line: what libpam does with what a module returns.
//!
//! Follows `_pam_parse_control` of Linux-PAM word by word, prefix matching included.

// Return values that are named here; positions in VALUES.
pub(super) const SUCCESS: usize = 0;
pub(super) const SERVICE_ERR: usize = 3;
pub(super) const SYSTEM_ERR: usize = 4;
pub(super) const PERM_DENIED: usize = 6;
pub(super) const AUTH_ERR: usize = 7;
pub(super) const AUTHINFO_UNAVAIL: usize = 9;
pub(super) const USER_UNKNOWN: usize = 10;
pub(super) const SESSION_ERR: usize = 14;
pub(super) const AUTHTOK_ERR: usize = 20;
pub(super) const IGNORE: usize = 25;
pub(super) const MODULE_UNKNOWN: usize = 28;

/// Every value a module may return, in the order of their numbers (pam_tokens.h).
pub(super) const VALUES: [&str; 32] = [
    "success",
    "open_err",
    "symbol_err",
    "service_err",
    "system_err",
    "buf_err",
    "perm_denied",
    "auth_err",
    "cred_insufficient",
    "authinfo_unavail",
    "user_unknown",
    "maxtries",
    "new_authtok_reqd",
    "acct_expired",
    "session_err",
    "cred_unavail",
    "cred_expired",
    "cred_err",
    "no_module_data",
    "conv_err",
    "authtok_err",
    "authtok_recover_err",
    "authtok_lock_busy",
    "authtok_disable_aging",
    "try_again",
    "ignore",
    "abort",
    "authtok_expired",
    "module_unknown",
    "bad_item",
    "conv_again",
    "incomplete",
];

/// What is done with a return value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Ignore,
    Ok,
    Done,
    Bad,
    Die,
    Reset,
    /// Skip this many of the rules that follow.
    Jump(u32),
}

const ACTIONS: [(&str, Action); 6] = [
    ("ignore", Action::Ignore),
    ("ok", Action::Ok),
    ("done", Action::Done),
    ("bad", Action::Bad),
    ("die", Action::Die),
    ("reset", Action::Reset),
];

/// What is done with every return value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Actions([Action; 32]);

/// A control that was parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Control {
    /// What libpam makes of it.
    pub(super) actions: Actions,
    /// The pairs `value=action`, as written or as pam.conf(5) defines the word.
    pub(super) pairs: Vec<(String, String)>,
    /// What is wrong with it; libpam then takes every return value as `bad`.
    pub(super) fault: Option<String>,
}

impl Actions {
    /// Every return value counts as a failure.
    pub(super) const ALL_BAD: Self = Self([Action::Bad; 32]);

    /// What is done with this return value.
    pub(super) fn of(&self, value: usize) -> Action {
        self.0.get(value).copied().unwrap_or(Action::Bad)
    }

    /// Whether this return value makes the stack fail.
    pub(super) fn fails(&self, value: usize) -> bool {
        matches!(self.of(value), Action::Bad | Action::Die)
    }

    /// Whether success does something that failure does not: ends the stack, or skips rules.
    pub(super) fn decides(&self) -> bool {
        let success = self.of(SUCCESS);
        matches!(success, Action::Done | Action::Jump(_)) && success != self.of(MODULE_UNKNOWN)
    }
}

/// Parses a control; `token` has lost its brackets already.
pub(super) fn parse(token: &str) -> Control {
    let words = match token.to_ascii_lowercase().as_str() {
        "required" => "success=ok new_authtok_reqd=ok ignore=ignore default=bad",
        "requisite" => "success=ok new_authtok_reqd=ok ignore=ignore default=die",
        "sufficient" => "success=done new_authtok_reqd=done default=ignore",
        "optional" => "success=ok new_authtok_reqd=ok default=ignore",
        _ => token,
    };
    let mut set = [None; 32];
    let mut pairs = Vec::new();
    let mut rest = words;
    loop {
        rest = rest.trim_ascii_start();
        if rest.is_empty() {
            let actions = Actions(set.map(|action| action.unwrap_or(Action::Bad)));
            return Control { actions, pairs, fault: None };
        }
        match pair(rest) {
            Ok((value, action, after)) => {
                let name = VALUES.get(value).copied().unwrap_or("default");
                pairs.push((name.to_owned(), word(action)));
                match set.get_mut(value) {
                    Some(place) => *place = Some(action),
                    // `default` is for the values that were not named so far.
                    None => set.iter_mut().for_each(|place| *place = place.or(Some(action))),
                }
                rest = after;
            }
            Err(what) => {
                let fault = format!("`{token}` is no control: {what}");
                return Control { actions: Actions::ALL_BAD, pairs, fault: Some(fault) };
            }
        }
    }
}

/// One pair `value=action` at the start of `text`, and what follows it. The value 32 is `default`.
fn pair(text: &str) -> Result<(usize, Action, &str), String> {
    let values = VALUES.iter().copied().chain(["default"]);
    let (value, rest) = values
        .enumerate()
        .find_map(|(value, name)| Some((value, text.strip_prefix(name)?)))
        .ok_or_else(|| format!("a return value is expected at `{text}`"))?;
    let rest = rest.trim_ascii_start().strip_prefix('=').ok_or("`=` is expected after the return value")?;
    let rest = rest.trim_ascii_start();
    if rest.is_empty() {
        return Err("an action is expected after `=`".into());
    }
    if let Some((action, rest)) = ACTIONS.iter().find_map(|(name, a)| Some((*a, rest.strip_prefix(*name)?))) {
        return Ok((value, action, rest));
    }
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = rest.split_at(digits);
    // `ignore` is the word for a jump over nothing; libpam refuses 0.
    match number.parse() {
        Ok(jump @ 1..=0x7fff_ffff) => Ok((value, Action::Jump(jump), rest)),
        _ => Err(format!("an action or a number above 0 is expected at `{number}{rest}`")),
    }
}

fn word(action: Action) -> String {
    match ACTIONS.iter().find(|(_, a)| *a == action) {
        Some((word, _)) => (*word).to_owned(),
        None => match action {
            Action::Jump(count) => count.to_string(),
            _ => String::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_mean_what_pam_conf_says() {
        let required = parse("Required");
        assert_eq!(required, parse("success=ok new_authtok_reqd=ok ignore=ignore default=bad"));
        assert!(required.actions.fails(MODULE_UNKNOWN));
        assert_eq!(parse("sufficient").actions.of(SUCCESS), Action::Done);
        assert_eq!(parse("requisite").actions.of(AUTH_ERR), Action::Die);
        assert_eq!(parse("optional").actions.of(MODULE_UNKNOWN), Action::Ignore);
    }

    #[test]
    fn values_not_named_are_bad_and_default_fills_only_what_is_unset() {
        let control = parse("success=2 default=ignore user_unknown=die");
        assert_eq!(control.actions.of(SUCCESS), Action::Jump(2));
        assert_eq!(control.actions.of(AUTH_ERR), Action::Ignore);
        assert_eq!(control.actions.of(10), Action::Die);
        assert_eq!(parse("success=ok").actions.of(AUTH_ERR), Action::Bad);
        assert_eq!(control.pairs[1], ("default".into(), "ignore".into()));
    }

    #[test]
    fn a_control_that_is_none_makes_every_result_bad() {
        for bad in
            ["requird", "success=0", "success", "success=", "succes=ok", "success=okay", "success=ok,x"]
        {
            let control = parse(bad);
            assert!(control.fault.is_some(), "{bad}");
            assert_eq!(control.actions, Actions::ALL_BAD, "{bad}");
        }
    }
}
