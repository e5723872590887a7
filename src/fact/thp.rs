//! Transparent huge pages.

use super::Fact;
use crate::record;
use crate::source::{At, Host, Missing, Reading};

record! {
    /// When the kernel gives programs huge pages without being asked.
    ///
    /// ```text
    /// /sys/kernel/mm/transparent_hugepage/enabled   always [madvise] never
    /// /sys/kernel/mm/transparent_hugepage/defrag    always defer defer+madvise [madvise] never
    /// ```
    ///
    /// Source: admin-guide/mm/transhuge of the kernel's documents. Absent where the kernel has none, and where none runs.
    #[bare(enabled)]
    pub struct Thp {
        /// Who gets huge pages: `always` everybody, `madvise` who asks for them, `never` nobody.
        pub enabled: String,
        /// What a program waits for when there is no huge page: the word that is chosen. Absent where the kernel does not say.
        pub defrag: Reading<String>,
        /// Where it was read.
        pub at: At,
    }
}

impl Fact for Thp {
    const NAME: &'static str = "thp";
    const READS: &'static [&'static str] =
        &["/sys/kernel/mm/transparent_hugepage/enabled", "/sys/kernel/mm/transparent_hugepage/defrag"];

    fn collect(host: &Host) -> Reading<Self> {
        let read = |path: &str| {
            let text = host.read_text(path)?;
            let word = chosen(&text).map(str::to_owned);
            word.ok_or_else(|| Missing::garbled(path, "none of its words is in brackets"))
        };
        Ok(Self {
            enabled: read(Self::READS[0])?,
            defrag: read(Self::READS[1]),
            at: At::file(Self::READS[0]),
        })
    }
}

/// The word in brackets.
fn chosen(text: &str) -> Option<&str> {
    let (word, _) = text.split_once('[')?.1.split_once(']')?;
    Some(word.trim()).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    #[test]
    fn the_chosen_word_is_in_brackets() {
        assert_eq!(chosen("always [madvise] never\n"), Some("madvise"));
        assert_eq!(chosen("[always] madvise never"), Some("always"));
        for garbage in ["", "always madvise", "[", "]x[", "[]", "\0\u{fffd}"] {
            assert_eq!(chosen(garbage), None, "{garbage:?}");
        }
    }

    #[test]
    fn garbage_is_unreadable_and_nothing_is_absent() {
        let mut files = Files::new();
        let collect = |files: &Files| Thp::collect(&Host::new(files.clone(), Target::root("x")));
        assert_eq!(collect(&files).unwrap_err(), Missing::Absent);
        files.file("/sys/kernel/mm/transparent_hugepage/enabled", "x");
        assert!(matches!(collect(&files), Err(Missing::Unreadable(_))));
        files.file("/sys/kernel/mm/transparent_hugepage/enabled", "[always] never");
        let thp = collect(&files).unwrap();
        assert_eq!((thp.enabled.as_str(), thp.defrag), ("always", Err(Missing::Absent)));
    }
}
