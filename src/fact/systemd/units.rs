//! Which units have a file, which file counts, and which drop-ins change it. Only directories and links are read.

use crate::format::units::Units;
use crate::model::Partial;
use crate::record;
use crate::source::{At, Reading, Reason, Unreadable};

record! {
    /// A unit that has a file.
    #[derive(Clone, PartialEq)]
    pub struct Unit {
        /// Its name: `nginx.service`, `getty@.service`.
        pub name: String,
        /// Whether it is masked: its file is a link to /dev/null or empty, so that it cannot be started.
        pub masked: bool,
        /// Whether it is started at boot, as far as links tell: one in a directory `*.wants`, `*.requires` or `*.upholds` asks for
        /// it, by any of its names, or for an instance of it; those of targets for rescue, sleep and shutdown left out. Nothing
        /// else is looked at: see `boot` for what is really reached.
        pub enabled: Reading<bool>,
        /// The unit of which it is but another name: its file is a link to that one's. Absent if it is none.
        pub alias_of: Option<String>,
        /// Files that change it, in the order in which they are read.
        pub drop_ins: Vec<At>,
        /// Its file.
        pub at: At,
    }
}

/// How many drop-ins all units may have together; one for all units of a kind counts for each. Honest hosts have some hundred.
const MAX_DROP_INS: usize = 100_000;

/// All units, by name; what could not be listed is said beside them.
pub(super) fn of(units: &Units) -> Partial<Unit> {
    let mut found = Partial { items: Vec::new(), unread: units.unread.clone() };
    let mut count = 0;
    for (name, file) in &units.files {
        let mut drop_ins = Vec::new();
        if count <= MAX_DROP_INS {
            let of_unit = units.drop_ins(name);
            count += of_unit.items.len();
            drop_ins = of_unit.items;
            found.unread.extend(
                of_unit.unread.into_iter().filter(|why| !found.unread.contains(why)).collect::<Vec<_>>(),
            );
            if count > MAX_DROP_INS {
                let what =
                    format!("the drop-ins of later units are not told: there are more than {MAX_DROP_INS}");
                found
                    .unread
                    .push(Unreadable { path: file.path.as_str().into(), reason: Reason::NotRead(what) });
            }
        }
        found.items.push(Unit {
            name: name.clone(),
            masked: file.masked,
            enabled: units.enabled(name),
            alias_of: file.alias_of.clone(),
            drop_ins,
            at: At::file(file.path.as_str()),
        });
    }
    found
}
