//! /etc/rc.local: the commands that somebody has put at the end of the boot.

use super::Fact;
use crate::format::units::Units;
use crate::record;
use crate::source::{At, FileKind, Host, Missing, Optional, Reading};
use std::path::Path;

record! {
    /// The script of the last word at boot.
    ///
    /// ```text
    /// #!/bin/sh
    /// /opt/app/start.sh &
    /// tail -f /var/log/app.log          the boot waits here for ever
    /// exit 0
    /// ```
    ///
    /// Source: systemd-rc-local-generator(8), rc-local.service. Absent where there is no such file.
    pub struct RcLocal {
        /// Whether anybody may execute it. systemd passes over one that nobody may.
        pub executable: bool,
        /// Whether the boot runs it if it may be executed: rc-local.service of systemd, or a link of System V init.
        pub runs: Reading<bool>,
        /// Whether systemd runs it.
        pub by_systemd: bool,
        /// The interpreter of its first line, `#!`. Absent without such a line.
        pub interpreter: Option<String>,
        /// Whether that is there. Absent without such a line.
        pub interpreter_exists: Reading<bool>,
        /// What it does: all lines but comments, empty ones, `exit 0`, and the touch of a lock file that Red Hat's has.
        pub commands: Vec<RcLocalLine>,
        /// The lines among these, before any `exit` of the whole script, at which it stays for ever. A loop is one if nothing in
        /// it can leave it.
        pub endless: Vec<RcLocalLine>,
        /// The file.
        pub at: At,
    }
}

record! {
    /// A line of /etc/rc.local.
    #[derive(Clone, PartialEq)]
    #[bare(text)]
    pub struct RcLocalLine {
        /// The line, lines that go on joined, without blanks around.
        pub text: String,
        /// File and line.
        pub at: At,
    }
}

/// Red Hat's is the one that /etc/rc.local is a link to.
const PATHS: [&str; 2] = ["/etc/rc.local", "/etc/rc.d/rc.local"];

const RUN_LEVELS: [&str; 6] =
    ["/etc/rc2.d", "/etc/rc3.d", "/etc/rc5.d", "/etc/rc.d/rc2.d", "/etc/rc.d/rc3.d", "/etc/rc.d/rc5.d"];

/// More than any honest script has.
const MOST: usize = 10_000;

impl Fact for RcLocal {
    const NAME: &'static str = "rc_local";
    const READS: &'static [&'static str] = &[
        "/etc/rc.local",
        "/etc/rc.d/rc.local",
        "/usr/lib/systemd/system/rc-local.service",
        "/usr/lib/systemd/system-generators/systemd-rc-local-generator",
        "/etc/rc*.d/S*local",
    ];

    fn collect(host: &Host) -> Reading<Self> {
        for path in PATHS {
            let Some(stat) = host.source.stat(Path::new(path)).optional()? else {
                continue;
            };
            let text = host.read_text(path)?;
            let first = text.lines().next().and_then(|line| line.strip_prefix("#!"));
            let interpreter = first.and_then(|line| line.split_ascii_whitespace().next()).map(str::to_owned);
            let exists = interpreter.as_deref().map(|path| host.exists(path).map_err(Missing::Unreadable));
            let lines = lines(path, &text);
            let by_systemd = by_systemd(host);
            return Ok(Self {
                executable: stat.kind == FileKind::File && stat.mode & 0o111 != 0,
                runs: match by_systemd {
                    true => Ok(true),
                    false => by_sysv(host),
                },
                by_systemd,
                interpreter,
                interpreter_exists: exists.unwrap_or(Err(Missing::Absent)),
                endless: endless(&lines),
                commands: lines.into_iter().filter(|line| !is_nothing(&line.text)).collect(),
                at: At::file(path),
            });
        }
        Err(Missing::Absent)
    }
}

/// Whether systemd has its unit for the script and what makes a boot start it.
fn by_systemd(host: &Host) -> bool {
    let units = Units::of(host);
    let name = "rc-local.service";
    if units.masked(name) || units.file(name).is_none() {
        return false;
    }
    let generators = ["/usr/lib/systemd/system-generators", "/lib/systemd/system-generators"];
    units.enabled(name) == Ok(true)
        || generators.iter().any(|dir| host.exists(&format!("{dir}/systemd-rc-local-generator")) == Ok(true))
}

/// Whether System V init runs it: S99local, or Debian's S…rc.local. Not where systemd is in its place.
fn by_sysv(host: &Host) -> Reading<bool> {
    let systemd = ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"];
    if systemd.iter().any(|path| host.exists(path) == Ok(true)) {
        return Ok(false);
    }
    for dir in RUN_LEVELS {
        let names = host.names(dir).optional()?.unwrap_or_default();
        if names.iter().any(|n| n.starts_with('S') && n.ends_with("local")) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The lines that are no comment and not empty, without what is given to a command as its input (`<<END`).
fn lines(path: &str, text: &str) -> Vec<RcLocalLine> {
    let mut found: Vec<RcLocalLine> = Vec::new();
    let (mut joined, mut first) = (String::new(), 0);
    let mut until: Option<String> = None;
    for (number, line) in (1u32..).zip(text.lines()) {
        let line = line.trim();
        if let Some(end) = &until {
            if line == end {
                until = None;
            }
            continue;
        }
        if joined.is_empty() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            first = number;
        }
        if let Some(line) = line.strip_suffix('\\') {
            joined.push_str(line);
            continue;
        }
        joined.push_str(line);
        until = here_document(&joined);
        if found.len() < MOST {
            found.push(RcLocalLine {
                text: std::mem::take(&mut joined).trim().to_owned(),
                at: At::line(path, first),
            });
        }
        joined.clear();
    }
    found
}

/// The word that ends the input which begins after this line.
fn here_document(line: &str) -> Option<String> {
    let (before, rest) = line.split_once("<<")?;
    if rest.starts_with('<') || before.contains("((") {
        return None;
    }
    let word = rest.trim_start_matches('-').trim_start();
    let word: String = word
        .chars()
        .filter(|c| !matches!(c, '"' | '\''))
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    (!word.is_empty()).then_some(word)
}

/// Whether a line does nothing that anybody would miss.
fn is_nothing(line: &str) -> bool {
    matches!(line, "exit" | "exit 0" | ":" | "true") || line.starts_with("touch /var/lock/subsys/local")
}

/// The lines at which the script stays.
fn endless(lines: &[RcLocalLine]) -> Vec<RcLocalLine> {
    let mut found = Vec::new();
    // How deep in if, case, functions and loops; what is in functions may never be called.
    let mut depth = 0i32;
    let mut loops: Vec<(usize, i32, bool)> = Vec::new();
    for (position, line) in lines.iter().enumerate() {
        let text = without_comment(&line.text);
        if depth == 0 && matches!(text.split_ascii_whitespace().next(), Some("exit" | "exec")) {
            if stays(text.strip_prefix("exec").unwrap_or_default()) {
                found.push(line.clone());
            }
            break;
        }
        let words: Vec<&str> = text.split([';', ' ', '\t']).filter(|word| !word.is_empty()).collect();
        if forever(&text) {
            loops.push((position, depth, false));
        }
        // What may leave the loop.
        if words.iter().any(|word| matches!(*word, "break" | "exit" | "return" | "exec" | "kill")) {
            loops.iter_mut().for_each(|(.., left)| *left = true);
        }
        let in_function = depth > 0 && loops.is_empty();
        if !in_function && !text.contains("()") && stays(&text) {
            found.push(line.clone());
        }
        for word in &words {
            match *word {
                "if" | "case" | "do" | "{" => depth += 1,
                "fi" | "esac" | "done" | "}" => depth -= 1,
                word if word.ends_with("(){") => depth += 1,
                _ => {}
            }
        }
        if words.contains(&"done")
            && let Some((start, at, left)) = loops.last().copied()
            && depth <= at
        {
            loops.pop();
            // `done &`, and a loop that reads until its input ends.
            let rest = text.rsplit_once("done").map_or("", |(_, rest)| rest);
            if !left
                && at == 0
                && !in_background(&text)
                && !rest.contains('<')
                && let Some(line) = lines.get(start)
            {
                found.push(line.clone());
            }
        }
    }
    found
}

/// Whether a loop begins that has no condition.
fn forever(line: &str) -> bool {
    let plain = line.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    let begins = |head: &str| {
        plain.strip_prefix(head).is_some_and(|rest| rest.is_empty() || rest.starts_with([';', ' ']))
    };
    [
        "while true",
        "while :",
        "while [ 1 ]",
        "while [ true ]",
        "while ((1))",
        "until false",
        "for ((;;))",
        "for (( ; ; ))",
    ]
    .iter()
    .any(|head| begins(head))
}

/// Whether a line runs a program in the foreground that does not end by itself.
fn stays(line: &str) -> bool {
    let line = without_comment(line);
    if in_background(&line) {
        return false;
    }
    // A timeout ends what it runs; of several commands in one line the last one counts, of a pipe the first one does too.
    line.split(';').flat_map(|part| part.split("&&")).flat_map(|part| part.split('|')).any(|command| {
        let mut words: Vec<&str> = command.split_ascii_whitespace().collect();
        while matches!(words.first(), Some(&("sudo" | "nohup" | "exec" | "nice" | "ionice" | "env"))) {
            words.remove(0);
        }
        let Some((program, arguments)) = words.split_first() else { return false };
        let name = program.rsplit('/').next().unwrap_or(program);
        let short = |letter: char| {
            arguments
                .iter()
                .any(|a| a.starts_with('-') && !a.starts_with("--") && a.chars().skip(1).any(|c| c == letter))
        };
        let long = |option: &str| arguments.iter().any(|a| a.starts_with(option));
        match name {
            "tail" => (short('f') || short('F') || long("--follow")) && !long("--pid"),
            "journalctl" => short('f') || long("--follow"),
            "dmesg" => short('w') || long("--follow"),
            "sleep" => arguments.first().is_some_and(|a| matches!(*a, "infinity" | "inf")),
            "ping" => !(short('c') || short('w') || arguments.is_empty()),
            "tailf" | "watch" => true,
            _ => false,
        }
    })
}

/// Whether a line, or a block that ends in it, is left to itself: it ends with a single `&`, or `wait` is not asked for.
fn in_background(line: &str) -> bool {
    let line = line.trim_end();
    line.ends_with('&') && !line.ends_with("&&") || line.ends_with("& )") || line.ends_with("&)")
}

/// A line without the comment at its end.
fn without_comment(line: &str) -> String {
    match line.find(" #") {
        Some(at) if !line.get(..at).is_some_and(|before| before.contains(['"', '\''])) => {
            line.get(..at).unwrap_or(line).to_owned()
        }
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    fn told(text: &str) -> Vec<u32> {
        endless(&lines("/etc/rc.local", text)).into_iter().filter_map(|line| line.at.line).collect()
    }

    #[test]
    fn what_never_ends_is_told() {
        for (text, line) in [
            ("#!/bin/sh\ntail -f /var/log/messages\nexit 0\n", 2),
            ("/usr/bin/tail -n 5 -F x", 1),
            ("x && tail --follow=name y", 1),
            ("journalctl -fu x | grep y", 1),
            ("sleep infinity # for ever", 1),
            ("ping 192.0.2.1", 1),
            ("exec tail -f x", 1),
            ("while true; do\n  date >> /x\n  sleep 5\ndone\n", 1),
            ("while :\ndo\n  if x; then\n    y\n  fi\ndone\n", 1),
            ("if [ -e /x ]; then y; fi\nwhile true; do z; sleep 1; done", 2),
            ("tail -f \\\n  /x\n", 1),
            ("cat > /x <<END\ntail -f y\nEND\nwatch z\n", 4),
        ] {
            assert_eq!(told(text), [line], "{text}");
        }
    }

    #[test]
    fn what_ends_or_is_left_to_itself_is_not() {
        for text in [
            "tail -f /var/log/messages &",
            "(tail -f x &)",
            "tail -n 5 x\ntail x",
            "nohup tail -f x > /dev/null 2>&1 &",
            "exit 0\ntail -f x",
            "ping -c 1 192.0.2.1 | tail -1",
            "while true; do x; sleep 5; done &",
            "while true; do\n x && break\n sleep 5\ndone\n",
            "while true\ndo\n sleep 5\ndone &\n",
            "while read line; do x; done < /y",
            "f() {\n  tail -f x\n}\n",
            "# tail -f x\n\n\0\u{fffd}",
            "cat <<'EOF' > /x\ntail -f y\nEOF\n",
            "if x; then\n  tail -f y &\nfi\n",
            "done\nfi\n}\nesac",
        ] {
            assert_eq!(told(text), Vec::<u32>::new(), "{text}");
        }
    }

    #[test]
    fn who_runs_it_and_with_what_is_told() {
        let mut files = Files::new();
        files
            .file("/etc/rc.d/rc.local", "#!/bin/bash\ntouch /var/lock/subsys/local\n/opt/start\n")
            .link("/etc/rc.local", "rc.d/rc.local")
            .file("/bin/bash", "ELF")
            .file("/usr/lib/systemd/systemd", "")
            .file("/usr/lib/systemd/system/rc-local.service", "[Unit]\n");
        files.mode("/etc/rc.d/rc.local", 0o644);
        let collect = |files: &Files| RcLocal::collect(&Host::new(files.clone(), Target::root("x")));
        let found = collect(&files).unwrap();
        assert_eq!((found.executable, found.runs, found.by_systemd), (false, Ok(false), false));
        assert_eq!((found.interpreter.as_deref(), found.interpreter_exists), (Some("/bin/bash"), Ok(true)));
        assert_eq!(found.commands.iter().map(|c| c.text.as_str()).collect::<Vec<_>>(), ["/opt/start"]);
        files.file("/usr/lib/systemd/system-generators/systemd-rc-local-generator", "");
        assert!(collect(&files).unwrap().by_systemd);
        files.link("/etc/systemd/system/rc-local.service", "/dev/null");
        assert_eq!(collect(&files).unwrap().runs, Ok(false));
        let mut sysv = Files::new();
        sysv.file("/etc/rc.local", "").link("/etc/rc3.d/S99local", "../rc.local");
        assert_eq!(collect(&sysv).unwrap().runs, Ok(true));
        sysv.deny("/etc/rc.local");
        assert!(matches!(collect(&sysv), Err(Missing::Unreadable(_))));
        assert!(matches!(collect(&Files::new()), Err(Missing::Absent)));
    }
}
