//! What the next menu of GRUB will be made from.

use super::Fact;
use crate::format::grub_settings;
use crate::model::Text;
use crate::record;
use crate::source::{At, Host, Reading};
use std::collections::BTreeMap;

record! {
    /// The settings that grub-mkconfig makes GRUB's menu from, wherever they are: also where no boot loader is to be seen.
    ///
    /// ```text
    /// /etc/default/grub                    GRUB_DEFAULT=0
    ///                                      GRUB_CMDLINE_LINUX_DEFAULT="quiet"
    /// /etc/default/grub.d/50-cloudimg.cfg  GRUB_CMDLINE_LINUX_DEFAULT="console=ttyS0"
    /// ```
    ///
    /// Source: GNU GRUB's manual, "Simple configuration"; the shell sources the files, and Debian's grub-mkconfig those of
    /// grub.d after the first. What commands in them do is not known. Absent without such a file.
    #[bare(values)]
    pub struct GrubSettings {
        /// The values by name: `grub_settings['GRUB_DEFAULT']`.
        pub values: BTreeMap<String, Text>,
        /// The lines that open a quote which nothing closes.
        pub unclosed: Vec<At>,
    }
}

impl Fact for GrubSettings {
    const NAME: &'static str = "grub_settings";
    const READS: &'static [&'static str] = &[grub_settings::FILE, "/etc/default/grub.d/*.cfg"];

    fn collect(host: &Host) -> Reading<Self> {
        let found = grub_settings::read(host)?;
        let values = found.values.into_iter().map(|(name, (value, _))| (name, Text(value)));
        Ok(Self { values: values.collect(), unclosed: found.unclosed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Missing, Target};

    fn collect(files: &Files) -> Reading<GrubSettings> {
        GrubSettings::collect(&Host::new(files.clone(), Target::root("case")))
    }

    #[test]
    fn later_files_have_the_last_word() {
        let mut files = Files::new();
        files
            .file("/etc/default/grub", "GRUB_DEFAULT=saved\nBAD=\"x\n")
            .file("/etc/default/grub.d/50.cfg", "GRUB_DEFAULT=\"$GRUB_DEFAULT\"2\n")
            .file("/etc/default/grub.d/README", "GRUB_DEFAULT=3\n");
        let found = collect(&files).unwrap();
        assert_eq!(found.values["GRUB_DEFAULT"], Text("saved2".into()));
        assert_eq!(found.unclosed, [At::line("/etc/default/grub", 2)]);
    }

    #[test]
    fn none_is_absent_and_a_denied_one_unknown() {
        let mut files = Files::new();
        assert!(matches!(collect(&files), Err(Missing::Absent)));
        files.file("/etc/default/grub", "").deny("/etc/default/grub.d");
        assert!(matches!(collect(&files), Err(Missing::Unreadable(_))));
    }
}
