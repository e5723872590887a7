//! What rules see of sshd's configuration and of who gets in.

use crate::source::{At, Reading};
use crate::{record, word};

word! {
    /// What has become of a line of the configuration.
    pub enum DirectiveState {
        /// It counts.
        Effective = "effective",
        /// An earlier line of the same keyword counts instead.
        Shadowed = "shadowed",
        /// It counts for connections that its Match block is for.
        Conditional = "conditional",
    }
}

record! {
    /// A line of sshd's configuration that sshd takes.
    #[derive(Clone, PartialEq)]
    pub struct Directive {
        /// The keyword as the manual writes it.
        pub keyword: String,
        /// Its arguments, without quotes.
        pub arguments: Vec<String>,
        /// All that follows the keyword, as it is written.
        pub text: String,
        /// The conditions of the Match block that it stands in, or that its file is included in: `User ann`. Absent outside of one.
        pub condition: Option<String>,
        /// Whether it counts.
        pub state: DirectiveState,
        /// Where it was read.
        pub at: At,
    }
}

impl Directive {
    /// The same line as one that sshd refuses.
    pub(super) fn malformed(&self, reason: String) -> MalformedDirective {
        MalformedDirective {
            keyword: self.keyword.clone(),
            text: self.text.clone(),
            reason,
            at: self.at.clone(),
        }
    }
}

record! {
    /// A line that sshd refuses, so that it does not start.
    #[derive(Clone, PartialEq)]
    pub struct MalformedDirective {
        /// The keyword as it is written.
        pub keyword: String,
        /// All that follows it, as it is written.
        pub text: String,
        /// Why: `is not allowed within a Match block`.
        pub reason: String,
        /// Where it was read.
        pub at: At,
    }
}

word! {
    /// What a name in the configuration is the name of.
    pub enum NameKind {
        /// A user.
        User = "user",
        /// A group.
        Group = "group",
    }
}

record! {
    /// A user or group that the configuration names as such, not by a pattern.
    #[derive(Clone, PartialEq)]
    pub struct NamedAccount {
        /// The name.
        pub name: String,
        /// What it is the name of.
        pub kind: NameKind,
        /// The keyword: `AllowUsers`, `DenyGroups`, `Match`.
        pub keyword: String,
        /// Whether the host has such a user or group. Absent where accounts also come from elsewhere than the files.
        pub exists: Reading<bool>,
        /// Whether the same line names or may match another that exists.
        pub others: bool,
        /// Where it was read.
        pub at: At,
    }
}

record! {
    /// A private host key that sshd loads.
    #[derive(Clone, PartialEq)]
    pub struct HostKey {
        /// Its path.
        pub path: String,
        /// Whether the configuration names it; if not, it is one of the defaults.
        pub configured: bool,
        /// Whether there is such a file, and it is not empty.
        pub present: Reading<bool>,
        /// Whether sshd can load it: it is present, and nobody but root (or the group ssh_keys) may read it.
        pub usable: Reading<bool>,
        /// Whether a unit or script of the distribution makes it before sshd starts.
        pub generated: bool,
        /// The line that names it, else the file itself.
        pub at: At,
    }
}

word! {
    /// What a file is to sshd.
    pub enum GuardedKind {
        /// A private host key.
        HostKey = "host-key",
        /// A file of authorized keys, or a directory above it.
        AuthorizedKeys = "authorized-keys",
        /// The empty directory that unprivileged processes of sshd are locked into.
        PrivilegeSeparation = "privilege-separation",
        /// The directory of the configuration, or a file in it.
        Configuration = "configuration",
    }
}

record! {
    /// A file whose owner and permissions matter to sshd.
    #[derive(Clone, PartialEq)]
    pub struct GuardedFile {
        /// Its path, without links; of a file of keys that a directory above it spoils, that directory's.
        pub path: String,
        /// What it is to sshd.
        pub kind: GuardedKind,
        /// What is wrong with it: `is writable by everyone (0777)`. Absent where nothing is.
        pub reason: Option<String>,
        /// Whose keys it holds. Absent for the host's own files.
        pub user: Option<String>,
        /// The permissions it should have, for chmod: `600`, `go-w`.
        pub wanted: String,
        /// The owner it should have, where it has another one. Absent where the owner is right.
        pub owner: Option<String>,
        /// Whether sshd does not start for what is wrong.
        pub stops: bool,
        /// The file.
        pub at: At,
    }
}

record! {
    /// An account that people may log in by: root, and users with a shell.
    #[derive(Clone, PartialEq)]
    pub struct SshUser {
        /// Login name.
        pub name: String,
        /// User ID.
        pub uid: u32,
        /// Whether it is root or a member of sudo, wheel, admin or adm.
        pub administrator: bool,
        /// Whether sshd lets it in at all, from somewhere: shell, lock, AllowUsers and its kin, PermitRootLogin.
        pub allowed: Reading<bool>,
        /// Whether it has a password that could be asked for.
        pub has_password: Reading<bool>,
        /// Whether it can log in by that password from somewhere.
        pub password_possible: Reading<bool>,
        /// Whether there are keys in its files of authorized keys, whether or not they are looked at.
        pub has_keys: Reading<bool>,
        /// Whether it can log in by one of these keys from somewhere.
        pub keys_usable: Reading<bool>,
        /// Whether it can log in by ssh and gets a shell, from somewhere.
        pub way_in: Reading<bool>,
        /// What stands in the way, with the line of the configuration where one does.
        pub reasons: Vec<String>,
        /// Whether a line of the configuration or a file's permissions stand in the way, and not only a default.
        pub by_choice: bool,
        /// Where it was read.
        pub at: At,
    }
}
