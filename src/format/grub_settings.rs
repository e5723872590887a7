//! What GRUB's menu is made from: /etc/default/grub, and the files beside it.

use super::shell_variables::Variables;
use crate::source::{Host, Missing, Reading};

/// The file that every GRUB 2 has.
pub const FILE: &str = "/etc/default/grub";

/// Debian's grub-mkconfig reads what is in here after it.
const PARTS: &str = "/etc/default/grub.d";

/// What the files set, one after the other. Absent where there is none.
pub fn read(host: &Host) -> Reading<Variables> {
    let mut files = vec![FILE.to_owned()];
    match host.names(PARTS) {
        Ok(names) => {
            let parts = names.iter().filter(|name| name.ends_with(".cfg"));
            files.extend(parts.map(|name| format!("{PARTS}/{name}")));
        }
        Err(Missing::Absent) => {}
        Err(why) => return Err(why),
    }
    let mut variables = None;
    for file in files {
        match host.read_text(&file) {
            Ok(text) => variables.get_or_insert_with(Variables::default).add(&file, &text),
            Err(Missing::Absent) => {}
            Err(why) => return Err(why),
        }
    }
    variables.ok_or(Missing::Absent)
}
