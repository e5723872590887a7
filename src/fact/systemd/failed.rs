//! The units that failed since the boot, as the running service manager tells.

use crate::record;
use crate::source::{At, Host, Message, Missing, Optional, Question, Reading};

record! {
    /// A unit that failed.
    #[derive(Clone, PartialEq)]
    pub struct FailedUnit {
        /// Its name: `nginx.service`.
        pub name: String,
        /// Its description.
        pub description: String,
        /// Whether its file was read: `loaded`, `not-found`, `bad-setting`, `error`, `masked`.
        pub load_state: String,
        /// What of it failed: `failed` as a rule.
        pub sub_state: String,
        /// Whom that was asked.
        pub at: At,
    }
}

/// Where sosreport keeps what the command printed.
pub(super) const PRINTED: &str = "/sos_commands/systemd/systemctl_list-units_--failed";

/// More than anybody reads.
const MOST: usize = 10_000;

/// Asks the service manager.
pub(super) fn units(host: &Host) -> Reading<Vec<FailedUnit>> {
    let Some(answer) = host.source.ask(Question::FailedUnits).optional()? else {
        // There is nobody to ask, but what was printed may be there.
        let text = host.read_text(PRINTED)?;
        return printed(&text).ok_or_else(|| Missing::garbled(PRINTED, "is no list of failed units"));
    };
    parse(&answer)
        .ok_or_else(|| Missing::garbled(Question::FailedUnits.to_string(), "the answer makes no sense"))
}

/// The table of `systemctl list-units --failed`, before some lines that explain it and the number of its units:
///
/// ```text
///   UNIT          LOAD   ACTIVE SUB    DESCRIPTION
/// ● kdump.service loaded failed failed Crash recovery kernel arming
///
/// 1 loaded units listed. Pass --all to see loaded but inactive units, too.
/// ```
fn printed(text: &str) -> Option<Vec<FailedUnit>> {
    let told = text
        .lines()
        .find_map(|line| line.split_once(" loaded units listed")?.0.trim().parse::<usize>().ok())?;
    let unit = |(line, number): (&str, u32)| {
        let line = line.trim_start_matches([' ', '●', '*', '×']);
        let mut words = line.split_ascii_whitespace();
        let (name, load_state, active, sub_state) =
            (words.next()?, words.next()?, words.next()?, words.next()?);
        (active == "failed" && name.contains('.')).then(|| FailedUnit {
            name: name.to_owned(),
            description: words.collect::<Vec<_>>().join(" "),
            load_state: load_state.to_owned(),
            sub_state: sub_state.to_owned(),
            at: At::line(PRINTED, number),
        })
    };
    let mut found: Vec<_> = text.lines().zip(1..).filter_map(unit).take(MOST).collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    (found.len() == told.min(MOST)).then_some(found)
}

fn parse(answer: &[u8]) -> Option<Vec<FailedUnit>> {
    let message = Message::of(answer)?;
    if message.error.is_some() || message.signature != "a(ssssssouso)" {
        return None;
    }
    let mut body = message.body;
    body.u32()?;
    let mut found = Vec::new();
    let at = At::file(Question::FailedUnits.to_string());
    loop {
        body.align(8)?;
        if body.is_at_end() || found.len() >= MOST {
            break;
        }
        let (name, description, load_state) = (body.string()?, body.string()?, body.string()?);
        let (active, sub_state) = (body.string()?, body.string()?);
        // The unit that it follows, its object, its job with type and object.
        body.string()?;
        body.string()?;
        body.u32()?;
        body.string()?;
        body.string()?;
        if active == "failed" {
            found.push(FailedUnit { name, description, load_state, sub_state, at: at.clone() });
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    /// One unit, as systemd 252 writes it; shortened.
    const ANSWER: &str = "6c0201016e000000090000001b0000000501750002000000080167000d61287373737373736f75736f2900000000000066000000000000000b0000007765622e73657276696365000a000000576562207365727665720000060000006c6f616465640000060000006661696c65640000060000006661696c656400000000000000000000020000002f6f0000000000000000000000000000010000002f00";

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
    }

    #[test]
    fn the_answer_is_a_list_of_units() {
        let found = parse(&bytes(ANSWER)).unwrap();
        assert_eq!(
            (found.len(), found[0].name.as_str(), found[0].description.as_str()),
            (1, "web.service", "Web server")
        );
    }

    #[test]
    fn the_printed_table_is_read_whole_or_not_at_all() {
        let text = "  UNIT LOAD ACTIVE SUB DESCRIPTION\n● kdump.service loaded failed failed Crash recovery\n  a.mount not-found failed failed a.mount\n\n\
            LOAD = Reflects whether\n\n2 loaded units listed. Pass --all\n";
        let found = printed(text).unwrap();
        assert_eq!(
            found.iter().map(|u| (&*u.name, &*u.load_state)).collect::<Vec<_>>(),
            [("a.mount", "not-found"), ("kdump.service", "loaded")]
        );
        assert_eq!((found[1].description.as_str(), found[1].at.line), ("Crash recovery", Some(2)));
        assert_eq!(printed("0 loaded units listed.\n"), Some(Vec::new()));
        for torn in [
            "",
            "System has not been booted with systemd as init system (PID 1). Can't operate.\n",
            &text[..60],
            "3 loaded units listed.\n",
        ] {
            assert_eq!(printed(torn), None, "{torn:?}");
        }
    }

    #[test]
    fn a_torn_answer_is_none_and_no_answer_is_absent() {
        let whole = bytes(ANSWER);
        for end in 0..whole.len() {
            assert_eq!(parse(&whole[..end]), None, "{end}");
        }
        let mut host = Files::new();
        assert_eq!(units(&Host::new(host.clone(), Target::live())), Err(Missing::Absent));
        host.answer(Question::FailedUnits, Ok(vec![b'l'; 64]));
        assert!(matches!(units(&Host::new(host, Target::live())), Err(Missing::Unreadable(_))));
    }
}
