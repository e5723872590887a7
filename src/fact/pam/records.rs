//! What rules see of PAM.

use crate::model::{Lazy, Partial};
use crate::source::{At, Reading};
use crate::{record, word};
use std::collections::BTreeMap;

word! {
    /// What a line is for: the four stacks of a service.
    pub enum PamType {
        /// Who are you?
        Auth = "auth",
        /// May you, now and from here?
        Account = "account",
        /// Changing the password.
        Password = "password",
        /// What is set up and torn down around a session.
        Session = "session",
    }
}

impl PamType {
    /// All four, in the order in which a login uses them.
    pub const ALL: [Self; 4] = [Self::Auth, Self::Account, Self::Session, Self::Password];

    /// The type of this name, in any case.
    pub fn of(word: &str) -> Option<Self> {
        use crate::model::Word;
        Self::ALL.into_iter().find(|ty| ty.word().eq_ignore_ascii_case(word))
    }
}

word! {
    /// What libpam would find where a line names a module.
    pub enum PamModuleState {
        /// A file that begins as an ELF object does.
        Present = "present",
        /// Nothing.
        Missing = "missing",
        /// A file of 0 bytes.
        Empty = "empty",
        /// A file of something else.
        NotElf = "not-elf",
    }
}

word! {
    /// What a malformed line costs.
    pub enum PamEffect {
        /// Every use of the service fails.
        Service = "service",
        /// The stack of that type fails.
        Stack = "stack",
        /// The line itself is without effect.
        Line = "line",
    }
}

word! {
    /// Whether a file can be included.
    pub enum PamIncludeState {
        /// It can.
        Ok = "ok",
        /// It is not there.
        Missing = "missing",
        /// It includes itself, directly or not.
        Loop = "loop",
        /// It is the 17th file open within each other.
        TooDeep = "too-deep",
    }
}

record! {
    /// The configuration of Linux-PAM, read as libpam reads it.
    ///
    /// ```text
    /// /etc/pam.d/login   auth  [success=1 default=ignore]  pam_unix.so nullok
    ///                    auth  requisite                   pam_deny.so
    ///                    account  include                  system-auth
    ///                    -session optional                 pam_systemd.so
    /// ```
    ///
    /// Source: pam.conf(5), and libpam/pam_handlers.c of Linux-PAM. Absent where there is neither a
    /// configuration nor a libpam.so.0.
    pub struct Pam {
        /// The libpam.so.0 that programs of this system load. Absent where there is none, as in a sosreport.
        pub library: Option<String>,
        /// The directories in which modules without a path are looked for, in that order. Empty where neither
        /// libpam nor such a directory is in this tree.
        pub module_directories: Vec<String>,
        /// The services: every file of /etc/pam.d and the vendor's directories, as a program of that name would
        /// use it; or the services of /etc/pam.conf where there is no such directory. Sorted by name.
        pub services: Partial<PamService>,
        /// Every line that names a module, once, in the file it is written in.
        pub modules: Partial<PamModule>,
        /// Every file that a service includes, once.
        pub includes: Partial<PamInclude>,
        /// The files that make pam_nologin refuse everyone but root: /etc/nologin and, where a kernel runs,
        /// /run/nologin.
        pub nologin_files: Reading<Vec<PamNologin>>,
        /// Programs of this system that need a service of a certain name.
        pub expected: Vec<PamExpected>,
    }
}

record! {
    /// A PAM service.
    pub struct PamService {
        /// Its name, the name of its file: `sshd`.
        pub name: String,
        /// Its file.
        pub at: At,
        /// The size of the file in bytes. Absent in /etc/pam.conf, where a service has no file of its own.
        pub size: Option<u64>,
        /// How many lines it has itself, includes among them, comments not.
        pub lines: usize,
        /// Whether the file's name is one that package managers and editors give to copies: `login.rpmsave`, `sshd~`.
        pub copy: bool,
        /// The files it includes, directly or not, as they are named there.
        pub includes: Vec<String>,
        /// The services that include it, directly or not.
        pub included_by: Vec<String>,
        /// Its rules with all includes resolved, in order. Unreadable where a file that it includes is.
        pub rules: Reading<Vec<PamRule>>,
        /// The types of which the stack fails whatever modules say: pam_deny at its end, no rule at all and
        /// none in `other`. Where a type has no rule, `other` stands in.
        pub always_fails: Lazy<Vec<String>>,
        /// Rules of its auth stack with which somebody gets in who knows no password: a sufficient pam_permit, or any success
        /// before a password module that only counts when it succeeds. Empty: nobody does.
        pub admits_strangers_by: Lazy<Vec<PamStep>>,
        /// Its own lines that libpam cannot use as they stand.
        pub malformed: Vec<PamMalformed>,
        /// Rules of its auth and account stacks that refuse root, each by itself, whatever the modules beside it say.
        /// Reads what those modules read: access.conf(5), securetty(5), the files of pam_listfile, /etc/group.
        pub root_refusals: Lazy<Vec<PamRefusal>>,
    }
}

record! {
    /// One rule of a service, includes resolved.
    #[derive(Clone, PartialEq)]
    pub struct PamRule {
        /// Which stack it belongs to.
        pub r#type: PamType,
        /// The control as it is written, without brackets: `required`, `success=1 default=ignore`.
        pub control: String,
        /// What is done with each return value, `default` for those not named; a number is a jump.
        pub actions: BTreeMap<String, String>,
        /// The module as it is named. Absent where the line names none.
        pub module: Option<String>,
        /// Its arguments; one in brackets without them.
        pub arguments: Vec<String>,
        /// Whether `-` stands before the type: a missing module is then not logged (it fails all the same).
        pub optional: bool,
        /// Where it is written.
        pub at: At,
    }
}

record! {
    /// A line that names a module.
    pub struct PamModule {
        /// The module as it is named: `pam_unix.so`.
        pub name: String,
        /// The line.
        pub rule: PamRule,
        /// The service file it is written in.
        pub file: String,
        /// Whether that file is a copy that no program uses (see the service's `copy`).
        pub copy: bool,
        /// What is there in its place. Absent where `module_directories` is empty; reads the module.
        pub state: Lazy<PamModuleState>,
        /// Whether the stack fails when this line is reached and the module cannot be loaded: `required`, `requisite`,
        /// and brackets in which `module_unknown` is `bad` or `die`.
        pub fatal: bool,
        /// Whether the module's success ends the stack or skips rules: `sufficient`, `success=1`.
        pub decides: bool,
        /// The services that use this line.
        pub used_by: Vec<String>,
        /// Those of them in which this stack cannot succeed when the module cannot be loaded.
        pub stops: Lazy<Vec<String>>,
        /// Where it is written.
        pub at: At,
    }
}

record! {
    /// A file that is included.
    #[derive(Clone, PartialEq)]
    pub struct PamInclude {
        /// The file as it is named: `system-auth`.
        pub name: String,
        /// Whether libpam can include it.
        pub state: PamIncludeState,
        /// The lines that include it (those that cannot, if some can), as `path:line`.
        pub lines: Vec<String>,
        /// The services that come to those lines.
        pub services: Vec<String>,
        /// The first of the lines.
        pub at: At,
    }
}

record! {
    /// A line that libpam cannot use as it stands.
    #[derive(Clone, PartialEq)]
    pub struct PamMalformed {
        /// The line.
        pub text: String,
        /// What is wrong with it.
        pub reason: String,
        /// What that costs.
        pub effect: PamEffect,
        /// Where it is written.
        pub at: At,
    }
}

record! {
    /// A rule, as it is written.
    #[derive(Clone, PartialEq)]
    pub struct PamStep {
        /// The rule, columns separated by one blank.
        pub text: String,
        /// Where it is written.
        pub at: At,
    }
}

record! {
    /// A rule that refuses root.
    #[derive(Clone, PartialEq)]
    pub struct PamRefusal {
        /// The stack: auth or account.
        pub r#type: PamType,
        /// The module: `pam_succeed_if.so`.
        pub module: String,
        /// The rule, columns separated by one blank.
        pub text: String,
        /// Why root is refused, in words.
        pub reason: String,
        /// Where it is written.
        pub at: At,
    }
}

record! {
    /// A file that keeps everyone but root out.
    #[derive(Clone, PartialEq)]
    pub struct PamNologin {
        /// What is shown to those kept out: the file's text, its lines joined by blanks.
        pub text: String,
        /// The file.
        pub at: At,
    }
}

record! {
    /// A program that needs a service.
    pub struct PamExpected {
        /// The service's name: `login`.
        pub service: String,
        /// The program: `/usr/bin/login`.
        pub program: String,
        /// Whether the service has a file, or lines in /etc/pam.conf. Unreadable where that cannot be told.
        pub present: Reading<bool>,
        /// Whether the program is linked with libpam; reads the program.
        pub needed: Lazy<bool>,
        /// Whether `other`, which stands in for a missing service, can let anyone in.
        pub other_admits: Reading<bool>,
        /// Where the service's file belongs.
        pub at: At,
    }
}
