//! The keys that the kernel keeps for users, and how many they may have.

use super::Fact;
use crate::model::Partial;
use crate::record;
use crate::source::{At, Host, Missing, Reading, Reason, Unreadable};

const PATH: &str = "/proc/key-users";

record! {
    /// The keys that the kernel keeps for each user: session keyrings, tickets, keys of encrypted file systems.
    ///
    /// ```text
    /// /proc/key-users       0:    67 65/65 60/1000000 1178/25000000
    ///                    1000:     4 4/4 4/200 2184/20000
    /// ```
    ///
    /// Source: proc_key-users(5), keyrings(7), security/keys/proc.c. A container engine makes a session keyring or more for each
    /// container. Only users of hostvet's own name space of users are there. Absent where the kernel keeps none, and where no
    /// kernel runs.
    #[bare(list)]
    pub struct KeyUsers {
        /// The users that have keys, by number.
        pub list: Partial<KeyUser>,
    }
}

record! {
    /// A user that has keys.
    #[derive(Clone, PartialEq)]
    pub struct KeyUser {
        /// The user's number.
        pub uid: u32,
        /// Keys that count for the user's quota.
        pub keys: u64,
        /// The most there may be: kernel.keys.maxkeys, or root_maxkeys for root.
        pub keys_max: u64,
        /// What these keys hold, in bytes.
        pub bytes: u64,
        /// The most they may hold: kernel.keys.maxbytes, or root_maxbytes for root.
        pub bytes_max: u64,
        /// Where it was read.
        pub at: At,
    }
}

impl Fact for KeyUsers {
    const NAME: &'static str = "key_users";
    const READS: &'static [&'static str] = &[PATH];

    fn collect(host: &Host) -> Reading<Self> {
        Ok(Self { list: parse(&host.read_text(PATH)?) })
    }
}

fn parse(text: &str) -> Partial<KeyUser> {
    let mut users = Partial::default();
    for (number, line) in (1..).zip(text.lines()) {
        users.add(user(line, number).map(Some).ok_or_else(|| {
            let reason = Reason::Garbled(format!("line {number} is not that of a user"));
            Missing::Unreadable(Unreadable { path: PATH.into(), reason })
        }));
    }
    users
}

/// `uid: references keys/instantiated quota-keys/most quota-bytes/most`.
fn user(line: &str, number: u32) -> Option<KeyUser> {
    let (uid, rest) = line.split_once(':')?;
    let mut pairs = rest.split_ascii_whitespace().skip(2).map(|word| {
        let (used, most) = word.split_once('/')?;
        // The kernel prints its counts with a sign.
        Some((used.parse().ok()?, most.parse::<i64>().ok()?))
    });
    let mut pair = || {
        let (used, most): (u64, i64) = pairs.next()??;
        Some((used, u64::try_from(most).ok()?))
    };
    let ((keys, keys_max), (bytes, bytes_max)) = (pair()?, pair()?);
    let uid = uid.trim().parse().ok()?;
    Some(KeyUser { uid, keys, keys_max, bytes, bytes_max, at: At::line(PATH, number) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    #[test]
    fn users_have_keys_and_quotas() {
        let text = "    0:    67 65/65 60/1000000 1178/25000000\n 1000:     4 4/4 4/200 2184/20000\n";
        let found = parse(text);
        assert_eq!(found.unread, []);
        let root = &found.items[0];
        assert_eq!(
            (root.uid, root.keys, root.keys_max, root.bytes, root.bytes_max),
            (0, 60, 1_000_000, 1178, 25_000_000)
        );
        let user = &found.items[1];
        assert_eq!(
            (user.uid, user.keys, user.keys_max, user.bytes, user.bytes_max),
            (1000, 4, 200, 2184, 20_000)
        );
    }

    #[test]
    fn a_line_that_makes_no_sense_is_unread() {
        for text in
            ["x", "0: 1 2/3 4/5", "0: 1 2/3 4/5 6", "a: 1 2/3 4/5 6/7", "0: 1 2/3 4/-5 6/7", "\0\u{fffd}"]
        {
            let found = parse(text);
            assert_eq!((found.items.len(), found.unread.len()), (0, 1), "{text:?}");
        }
        assert_eq!(parse("").unread, []);
    }

    #[test]
    fn a_kernel_without_keys_has_none() {
        let host = Host::new(Files::new(), Target::live());
        assert_eq!(KeyUsers::collect(&host).map(|_| ()), Err(Missing::Absent));
    }
}
