//! What GRUB's menu is made from: /etc/default/grub, and the files beside it.

use super::shell_variables::Variables;
use crate::source::{Host, Missing, Optional, Reading};

/// The file that every GRUB 2 has.
pub const FILE: &str = "/etc/default/grub";

/// Debian's grub-mkconfig reads what is in here after it.
const PARTS: &str = "/etc/default/grub.d";

/// What the files set, one after the other. Absent where there is none.
pub fn read(host: &Host) -> Reading<Variables> {
    let mut files = vec![FILE.to_owned()];
    if let Some(names) = host.names(PARTS).optional()? {
        let parts = names.iter().filter(|name| name.ends_with(".cfg"));
        files.extend(parts.map(|name| format!("{PARTS}/{name}")));
    }
    let mut variables = None;
    for file in files {
        if let Some(text) = host.read_text(&file).optional()? {
            variables.get_or_insert_with(Variables::default).add(&file, &text);
        }
    }
    variables.ok_or(Missing::Absent)
}
