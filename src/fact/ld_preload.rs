//! What every program of the system loads before its own libraries.

use super::Fact;
use crate::format::shared_library::{Libraries, LibraryState, look};
use crate::record;
use crate::source::{At, Host, Missing, Reading, Reason};

record! {
    /// The libraries that /etc/ld.so.preload has every program load before its own.
    ///
    /// ```text
    /// /etc/ld.so.preload   /usr/lib64/libjemalloc.so.2
    /// /etc/ld.so.preload   /$LIB/libagent.so    # monitoring
    /// ```
    ///
    /// Source: ld.so(8), `do_preload` in glibc's elf/rtld.c. Names are parted by blanks, colons and line ends; `#` begins a
    /// comment. Absent where there is no such file.
    #[bare(libraries)]
    pub struct LdPreload {
        /// The libraries, in order.
        pub libraries: Vec<Preloaded>,
        /// The file.
        pub at: At,
    }
}

record! {
    /// A library that every program loads.
    pub struct Preloaded {
        /// As it is written: a path, or a name that is looked up in the library directories.
        pub name: String,
        /// What is there. Absent where the GNU C library, which reads the file, is no part of this tree.
        pub state: Reading<LibraryState>,
        /// Where it stands.
        pub at: At,
    }
}

const PATH: &str = "/etc/ld.so.preload";

/// More names than this are not looked up: each costs every program a file.
const MOST: usize = 1000;

impl Fact for LdPreload {
    const NAME: &'static str = "ld_preload";
    const READS: &'static [&'static str] =
        &[PATH, "/etc/ld.so.conf", "/etc/ld.so.conf.d/*.conf", "*/libc.so.6"];

    fn collect(host: &Host) -> Reading<Self> {
        let names = parse(&host.read_text(PATH)?);
        if names.len() > MOST {
            return Err(Missing::garbled(PATH, format!("names more than {MOST} libraries")));
        }
        let libraries = Libraries::find(host);
        let found = |(name, line): (String, u32)| {
            let state = libraries.clone().and_then(|libraries| state(host, &libraries, &name));
            Preloaded { name, state, at: At::line(PATH, line) }
        };
        Ok(Self { libraries: names.into_iter().map(found).collect(), at: At::file(PATH) })
    }
}

fn parse(text: &str) -> Vec<(String, u32)> {
    let lines = (1..).zip(text.split('\n'));
    lines
        .flat_map(|(number, line)| {
            let names = line.split('#').next().unwrap_or_default().split([' ', '\t', '\r', ':']);
            names.filter(|name| !name.is_empty()).map(move |name| (name.to_owned(), number))
        })
        .collect()
}

fn state(host: &Host, libraries: &Libraries, name: &str) -> Reading<LibraryState> {
    // What the linker puts in for $LIB is the last part of its own directory: lib64, lib/x86_64-linux-gnu.
    let lib = libraries.home.trim_start_matches("/usr").trim_start_matches('/');
    let name = name.replace("${LIB}", lib).replace("$LIB", lib);
    if name.contains('$') {
        let what = format!("hostvet does not know what {name} stands for");
        return Err(Missing::unreadable(PATH, Reason::NotRead(what)));
    }
    match name.contains('/') {
        // The linker starts from the program's working directory.
        true if !name.starts_with('/') => {
            let what = format!("{name} depends on where a program is started");
            Err(Missing::unreadable(PATH, Reason::NotRead(what)))
        }
        true => look(host, &name),
        false => Ok(libraries.locate(host, &name)?.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    fn states(files: &Files) -> Reading<Vec<(String, Reading<LibraryState>)>> {
        let fact = LdPreload::collect(&Host::new(files.clone(), Target::live()))?;
        Ok(fact.libraries.into_iter().map(|l| (l.name, l.state)).collect())
    }

    #[test]
    fn names_are_parted_by_blanks_and_colons_and_comments_are_left_out() {
        let found = parse("# all\n/a.so:/b.so\tc.so # d.so\r\n\n\0\u{fffd}");
        let names: Vec<_> = found.iter().map(|(name, line)| (name.as_str(), *line)).collect();
        assert_eq!(names, [("/a.so", 2), ("/b.so", 2), ("c.so", 2), ("\0\u{fffd}", 4)]);
        assert!(parse("").is_empty());
    }

    #[test]
    fn each_library_is_looked_for() {
        let elf = b"\x7fELF\x02";
        let mut files = Files::new();
        files
            .file("/usr/lib64/libc.so.6", elf)
            .file("/usr/lib64/libj.so.2", elf)
            .file("/lib64/libagent.so", "");
        files.file(PATH, "libj.so.2 /$LIB/libagent.so /gone.so $ORIGIN/x.so rel/x.so\n");
        let found = states(&files).unwrap();
        assert_eq!(found[0].1, Ok(LibraryState::Present));
        assert_eq!(found[1].1, Ok(LibraryState::Empty));
        assert_eq!(found[2].1, Ok(LibraryState::Missing));
        assert!(found[3..].iter().all(|(_, state)| matches!(state, Err(Missing::Unreadable(_)))));
    }

    #[test]
    fn a_tree_without_libraries_cannot_tell() {
        let mut files = Files::new();
        files.file(PATH, "/gone.so\n");
        assert_eq!(states(&files).unwrap()[0].1, Err(Missing::Absent));
        assert_eq!(states(&Files::new()), Err(Missing::Absent));
        files.deny(PATH);
        assert!(matches!(states(&files), Err(Missing::Unreadable(_))));
    }
}
