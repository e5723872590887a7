//! Java virtual machines: those that run, and those that services are configured to start.

use super::Fact;
use crate::format::{printed_processes, size_suffix::size, units::Units};
use crate::model::{Lazy, Partial};
use crate::record;
use crate::source::{At, Host, Missing, Optional, Reading, Reason, TEXT_CAP, Unreadable};

record! {
    /// Java virtual machines, by what their command lines say of memory.
    ///
    /// ```text
    /// /proc/1234/cmdline                 /usr/bin/java -server -Xms4g -Xmx8g -jar /opt/app/server.jar
    /// /etc/systemd/system/app.service    ExecStart=/usr/bin/java -Xms2048M -jar /opt/app/app.jar
    /// ```
    ///
    /// Source: java(1). Of several options of one kind the last counts. What argument files (`@file`), JAVA_TOOL_OPTIONS and
    /// the variables in units say is not seen. Absent where there is neither a running one nor a unit that starts one.
    #[bare(running)]
    pub struct Java {
        /// Those that run, by pid; those in containers too.
        pub running: Partial<Jvm>,
        /// Those that units start, by unit.
        pub configured: Lazy<Partial<Jvm>>,
    }
}

record! {
    /// A Java virtual machine.
    #[derive(Clone, PartialEq)]
    pub struct Jvm {
        /// Its process; absent where none is known to run.
        pub pid: Option<u32>,
        /// The unit that is configured to start it; absent for one that was found running.
        pub unit: Option<String>,
        /// What it runs: the class, the jar or the module.
        pub main: Option<String>,
        /// The heap it claims at once, in bytes: `-Xms`, `-XX:InitialHeapSize=`. Absent where it is not said.
        pub initial_heap: Option<u64>,
        /// The most its heap may take, in bytes: `-Xmx`, `-XX:MaxHeapSize=`; where only a larger `-Xms` is said, that. Absent
        /// where it is not said: a quarter of memory.
        pub max_heap: Option<u64>,
        /// `-XX:MaxRAMPercentage=`: the most its heap may take in percent of memory, where `max_heap` is absent.
        pub max_ram_percent: Option<f64>,
        /// `-Dcatalina.base=`, else `-Dcatalina.home=`: the directory of a Tomcat.
        pub catalina_base: Option<String>,
        /// Where it was read.
        pub at: At,
    }
}

/// The most JVMs, the most bytes of a command line, and of all units together.
const UNITS_CAP: usize = 16 * TEXT_CAP as usize;
const MOST: usize = 10_000;
const LINE_CAP: u64 = 2 << 20;

impl Fact for Java {
    const NAME: &'static str = "java";
    const READS: &'static [&'static str] = &[
        "/proc/PID/stat",
        "/proc/PID/cmdline",
        printed_processes::LONG,
        printed_processes::GROUPS,
        "/{etc,run,usr/local/lib,usr/lib,lib}/systemd/system/*.service",
        "/{etc,run,usr/local/lib,usr/lib,lib}/systemd/system/*.service.d/*.conf",
    ];

    fn collect(host: &Host) -> Reading<Self> {
        let running = running(host)?;
        if running.items.is_empty() && running.unread.is_empty() {
            let configured = configured(host);
            if configured.items.is_empty() {
                // There may be one where that could not be read.
                return Err(configured
                    .unread
                    .into_iter()
                    .next()
                    .map_or(Missing::Absent, Missing::Unreadable));
            }
            return Ok(Self { running, configured: Lazy::of(Ok(configured)) });
        }
        let host = host.clone();
        Ok(Self { running, configured: Lazy::new(move || Ok(configured(&host))) })
    }
}

/// The JVMs that run. A process that ends meanwhile is none; none runs where no kernel does.
pub(super) fn running(host: &Host) -> Reading<Partial<Jvm>> {
    let mut found = Partial::default();
    let lines = match host.processes() {
        Err(Missing::Absent) => return Ok(found),
        Err(missing) if missing.is_not_collected() => return printed(host, missing),
        lines => lines?,
    };
    // A line that is denied as a rule means that all are, which the fact `process` tells of.
    for line in lines.iter().filter(|line| matches!(line.comm(), Some("java" | "jsvc"))).take(MOST) {
        let pid = line.pid;
        let path = format!("/proc/{pid}/cmdline");
        if let Some(bytes) = host.source.read(path.as_ref(), LINE_CAP).noted(&mut found.unread) {
            let text = String::from_utf8_lossy(&bytes);
            let arguments: Vec<&str> = text.trim_end_matches('\0').split('\0').skip(1).collect();
            found.items.push(Jvm { pid: Some(pid), ..of_arguments(&arguments, At::file(path)) });
        }
    }
    Ok(found)
}

/// Those that ps printed, with their arguments joined by blanks, in a report that has no more of them.
fn printed(host: &Host, missing: Missing) -> Reading<Partial<Jvm>> {
    let list = match printed_processes::list(host) {
        Err(elsewhere) if elsewhere.is_elsewhere() => return Err(missing),
        list => list?,
    };
    let jvms = list.iter().filter(|process| matches!(&*process.comm, "java" | "jsvc")).take(MOST);
    let items = jvms.map(|process| {
        let arguments: Vec<&str> = process.command.split_ascii_whitespace().skip(1).collect();
        Jvm { pid: Some(process.pid), ..of_arguments(&arguments, At::file(printed_processes::LONG)) }
    });
    Ok(Partial { items: items.collect(), unread: Vec::new() })
}

/// The JVMs that units start with a command line of their own, as drop-ins leave it.
fn configured(host: &Host) -> Partial<Jvm> {
    let units = Units::of(host);
    let mut found = Partial { items: Vec::new(), unread: units.unread.clone() };
    let mut bytes = 0;
    // What is only another name of a unit starts nothing more.
    let services =
        units.files.iter().filter(|(name, file)| name.ends_with(".service") && file.alias_of.is_none());
    for (unit, file) in services {
        if bytes > UNITS_CAP || found.items.len() >= MOST {
            let what = "was not read: the units before it are too large".to_owned();
            found.unread.push(Unreadable { path: file.path.as_str().into(), reason: Reason::NotRead(what) });
            break;
        }
        let loaded = match units.load(unit) {
            Ok(loaded) => loaded,
            Err(Missing::Absent | Missing::Unreadable(Unreadable { reason: Reason::WrongKind(_), .. })) => {
                continue;
            }
            Err(Missing::Unreadable(why)) => {
                found.unread.push(why);
                continue;
            }
        };
        bytes += loaded.bytes;
        let starts = loaded.list("Service", "ExecStart");
        let Some((setting, at)) = starts.last() else { continue };
        let words: Vec<&str> = setting.value.split_ascii_whitespace().map(unquoted).collect();
        let Some((program, arguments)) = words.split_first() else { continue };
        let program = program.trim_start_matches(['-', '@', ':', '+', '!', '|']);
        if program.rsplit('/').next() == Some("java") {
            found.items.push(Jvm { unit: Some(unit.clone()), ..of_arguments(arguments, at.clone()) });
        }
    }
    found
}

fn unquoted(word: &str) -> &str {
    let inner = |quote| word.strip_prefix(quote).and_then(|w| w.strip_suffix(quote));
    inner('"').or_else(|| inner('\'')).unwrap_or(word)
}

/// What the arguments after the program's name say; those of the Java program itself are left out.
fn of_arguments(arguments: &[&str], at: At) -> Jvm {
    let mut jvm = Jvm {
        pid: None,
        unit: None,
        main: None,
        initial_heap: None,
        max_heap: None,
        max_ram_percent: None,
        catalina_base: None,
        at,
    };
    let mut home = None;
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let after = |prefix: &str| argument.strip_prefix(prefix);
        if let Some(value) = after("-Xmx").or_else(|| after("-XX:MaxHeapSize=")) {
            jvm.max_heap = size(value).or(jvm.max_heap);
        } else if let Some(value) = after("-Xms").or_else(|| after("-XX:InitialHeapSize=")) {
            jvm.initial_heap = size(value).or(jvm.initial_heap);
        } else if let Some(value) = after("-XX:MaxRAMPercentage=") {
            jvm.max_ram_percent = value.parse().ok().filter(|p: &f64| (0.0..=100.0).contains(p));
        } else if let Some(value) = after("-Dcatalina.base=") {
            jvm.catalina_base = Some(value.to_owned());
        } else if let Some(value) = after("-Dcatalina.home=") {
            home = Some(value.to_owned());
        } else if matches!(*argument, "-jar" | "-m" | "--module") {
            jvm.main = arguments.next().map(|main| (*main).to_owned());
            break;
        } else if matches!(
            *argument,
            "-cp"
                | "-classpath"
                | "--class-path"
                | "-p"
                | "--module-path"
                | "--add-modules"
                | "--add-opens"
                | "--add-exports"
                | "--add-reads"
                | "--limit-modules"
                | "--upgrade-module-path"
        ) {
            arguments.next();
        } else if !argument.starts_with(['-', '@']) {
            jvm.main = Some((*argument).to_owned());
            break;
        }
    }
    if jvm.initial_heap > jvm.max_heap && jvm.max_heap.is_none() {
        jvm.max_heap = jvm.initial_heap;
    }
    jvm.catalina_base = jvm.catalina_base.or(home);
    jvm
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    fn jvm(line: &str) -> Jvm {
        let arguments: Vec<&str> = line.split(' ').collect();
        of_arguments(&arguments, At::file("/x"))
    }

    fn collect(files: &Files) -> Reading<Java> {
        Java::collect(&Host::new(files.clone(), Target::root("x")))
    }

    #[test]
    fn the_last_option_of_a_kind_counts() {
        let found = jvm("-server -Xms1g -Xmx4096m -Xmx8G -cp a:b -verbose:gc -jar /app.jar -Xmx1k");
        assert_eq!((found.initial_heap, found.max_heap), (Some(1 << 30), Some(8 << 30)));
        assert_eq!(found.main.as_deref(), Some("/app.jar"));
        let found = jvm(
            "-XX:InitialHeapSize=1024 -XX:MaxHeapSize=2048 -XX:MaxRAMPercentage=75.0 com.example.Main -Xmx9g",
        );
        assert_eq!(
            (found.initial_heap, found.max_heap, found.max_ram_percent),
            (Some(1024), Some(2048), Some(75.0))
        );
        assert_eq!(found.main.as_deref(), Some("com.example.Main"));
    }

    #[test]
    fn xms_alone_is_the_most_as_well() {
        assert_eq!(jvm("-Xms2048M -version").max_heap, Some(2 << 30));
        assert_eq!(jvm("-Xms2g -Xmx1g").max_heap, Some(1 << 30));
    }

    #[test]
    fn what_is_no_size_says_nothing() {
        for line in
            ["-Xmx", "-Xmx8gb", "-Xmx-1", "-Xmx99999999999t", "", "\u{fffd}", "-XX:MaxRAMPercentage=900"]
        {
            let found = jvm(line);
            assert_eq!((found.max_heap, found.max_ram_percent), (None, None), "{line:?}");
        }
    }

    #[test]
    fn running_ones_are_known_by_their_name() {
        let mut files = Files::new();
        files
            .file("/proc/7/stat", "7 (java) S 1 7 7\n")
            .file("/proc/7/cmdline", "/usr/bin/java\0-Dcatalina.home=/h\0-Dcatalina.base=/b\0-Xmx1g\0org.apache.catalina.startup.Bootstrap\0start\0")
            .file("/proc/8/stat", "8 (javac) S 1 7 7\n")
            .file("/proc/9/stat", "9 (java) S 1 7 7\n")
            .deny("/proc/9/cmdline");
        let running = collect(&files).unwrap().running;
        assert_eq!((running.items.len(), running.unread.len()), (1, 1));
        let found = &running.items[0];
        assert_eq!(
            (found.pid, found.max_heap, found.catalina_base.as_deref()),
            (Some(7), Some(1 << 30), Some("/b"))
        );
    }

    #[test]
    fn units_that_start_java_are_found() {
        let mut files = Files::new();
        files
            .file("/etc/systemd/system/a.service", "[Service]\nExecStart=/bin/true\nExecStart=\nExecStart=-/opt/jdk/bin/java \\\n  \"-Xms4g\" -jar a.jar\n")
            .file("/usr/lib/systemd/system/a.service", "[Service]\nExecStart=/usr/bin/java -Xms1g\n")
            .file("/usr/lib/systemd/system/b.service", "[Service]\n# java\nExecStart=/bin/javac\n");
        let drop_in = "[Service]\nExecStart=\nExecStart=/usr/bin/java -Xms2g\n";
        files
            .file("/usr/lib/systemd/system/c.service", "[Service]\nExecStart=/usr/bin/java -Xms1g\n")
            .file("/etc/systemd/system/c.service.d/heap.conf", drop_in)
            .link("/etc/systemd/system/alias.service", "/usr/lib/systemd/system/c.service")
            .link("/etc/systemd/system/d.service", "/dev/null")
            .special("/dev/null", crate::source::FileKind::Character);
        let java = collect(&files).unwrap();
        let found = &java.configured.get().unwrap().items;
        assert_eq!(found.len(), 2);
        assert_eq!((found[1].unit.as_deref(), found[1].initial_heap), (Some("c.service"), Some(2 << 30)));
        assert_eq!(found[1].at, At::line("/etc/systemd/system/c.service.d/heap.conf", 3));
        assert_eq!((found[0].unit.as_deref(), found[0].initial_heap), (Some("a.service"), Some(4 << 30)));
        assert_eq!(found[0].at, At::line("/etc/systemd/system/a.service", 4));
        assert_eq!(collect(&Files::new()).unwrap_err(), Missing::Absent);
    }
}
