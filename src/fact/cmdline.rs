//! The command line the running kernel was given.

use super::Fact;
use crate::format::kernel_command_line::parse;
use crate::model::Text;
use crate::record;
use crate::source::{At, Host, Reading};
use std::collections::BTreeMap;

record! {
    /// The command line the running kernel was given by the boot loader.
    ///
    /// ```text
    /// BOOT_IMAGE=/vmlinuz-6.1.0 root=UUID=… ro quiet selinux=0 hugepagesz=1G hugepages=16
    /// ```
    ///
    /// Source: proc_cmdline(5), the kernel's admin-guide/kernel-parameters. In a rule `cmdline['selinux']` is the last
    /// value given, and `'quiet' in cmdline` says whether a parameter was given at all. Names are as written; to
    /// the kernel `-` and `_` are the same in them. Absent where no kernel runs: images and plain roots.
    #[bare(values)]
    pub struct Cmdline {
        /// The parameters before `--`, in order; a name may repeat, and the order may matter (`hugepagesz=`).
        pub parameters: Vec<Parameter>,
        /// The last value of each parameter by its name; empty for one without `=`.
        pub values: BTreeMap<String, Text>,
        /// The arguments after `--`, which the kernel hands to init.
        pub init: Vec<String>,
        /// Where it was read.
        pub at: At,
    }
}

record! {
    /// One parameter of the kernel's command line: `root=/dev/vda1`, `ro`.
    #[derive(Clone, PartialEq)]
    pub struct Parameter {
        /// What stands before the first `=`.
        pub name: String,
        /// What stands after it, without quotes. Absent where there is no `=`.
        pub value: Option<Text>,
        /// Where it was read.
        pub at: At,
    }
}

impl Fact for Cmdline {
    const NAME: &'static str = "cmdline";
    const READS: &'static [&'static str] = &["/proc/cmdline"];

    fn collect(host: &Host) -> Reading<Self> {
        let path = Self::READS[0];
        let at = At::file(path);
        let found = parse(&host.read_text(path)?);
        let text = |value: Option<String>| value.map(Text);
        let values = found.parameters.iter().cloned();
        Ok(Self {
            values: values.map(|(name, value)| (name, text(value).unwrap_or(Text(String::new())))).collect(),
            parameters: found
                .parameters
                .into_iter()
                .map(|(name, value)| Parameter { name, value: text(value), at: at.clone() })
                .collect(),
            init: found.init,
            at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Missing, Target};

    fn collect(files: &Files) -> Reading<Cmdline> {
        Cmdline::collect(&Host::new(files.clone(), Target::live()))
    }

    #[test]
    fn the_last_value_of_a_repeated_parameter_counts() {
        let mut files = Files::new();
        files.file("/proc/cmdline", "ro console=tty0 console=ttyS0,115200 quiet -- single\n");
        let cmdline = collect(&files).unwrap();
        assert_eq!(cmdline.values["console"], Text("ttyS0,115200".into()));
        assert_eq!(cmdline.values["quiet"], Text(String::new()));
        assert_eq!(cmdline.parameters.len(), 4);
        assert_eq!(cmdline.parameters[1].value, Some(Text("tty0".into())));
        assert_eq!(cmdline.parameters[3].value, None);
        assert_eq!(cmdline.init, ["single"]);
    }

    #[test]
    fn denied_empty_garbage_and_absent_are_four_things() {
        let mut files = Files::new();
        assert!(matches!(collect(&files), Err(Missing::Absent)));
        files.file("/proc/cmdline", "");
        assert!(collect(&files).unwrap().parameters.is_empty());
        files.file("/proc/cmdline", b"\xff\0 a=\"b".to_vec());
        assert_eq!(collect(&files).unwrap().parameters.len(), 2);
        files.deny("/proc/cmdline");
        assert!(matches!(collect(&files), Err(Missing::Unreadable(_))));
    }
}
