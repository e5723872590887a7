use super::*;
use crate::source::{Files, Target};

const DEBIAN: &str = r#"# /etc/profile: system-wide .profile file
if [ "$(id -u)" -eq 0 ]; then
  PATH="/usr/sbin:/usr/bin"
else
  PATH="/usr/bin"
fi
export PATH

if [ "${PS1-}" ]; then
  if [ "${BASH-}" ] && [ "$BASH" != "/bin/sh" ]; then
    if [ -f /etc/bash.bashrc ]; then
      . /etc/bash.bashrc
    fi
  else
    PS1='$ '
  fi
fi
if [ -d /etc/profile.d ]; then
  for i in /etc/profile.d/*.sh; do
    if [ -r $i ]; then
      . $i
    fi
  done
  unset i
fi
"#;

const REDHAT_BASHRC: &str = r#"# /etc/bashrc
if [ -z "$BASHRCSOURCED" ]; then
  BASHRCSOURCED="Y"
  if [ "$PS1" ]; then
    case $TERM in
    xterm*|vte*)
      PROMPT_COMMAND='printf "\033]0;%s@%s:%s\007" "${USER}" "${HOSTNAME%%.*}" "${PWD/#$HOME/\~}"'
      ;;
    *)
      [ -e /etc/sysconfig/bash-prompt-default ] && PROMPT_COMMAND=/etc/sysconfig/bash-prompt-default
      ;;
    esac
  fi
  if ! shopt -q login_shell ; then
    pathmunge () {
        case ":${PATH}:" in
            *:"$1":*)
                ;;
            *)
                if [ "$2" = "after" ] ; then PATH=$PATH:$1; else PATH=$1:$PATH; fi
        esac
    }
    for i in /etc/profile.d/*.sh; do
        if [ -r "$i" ]; then
            if [ "$PS1" ]; then . "$i"; else . "$i" >/dev/null; fi
        fi
    done
    unset i
    unset -f pathmunge
  fi
fi
"#;

const REDHAT_PROFILE: &str = r#"pathmunge () { case ":${PATH}:" in *:"$1":*) ;; *) PATH=$1:$PATH; esac; }
if [ -x /usr/bin/id ]; then
    if [ -z "$EUID" ]; then
        EUID=`/usr/bin/id -u`
        UID=`/usr/bin/id -ru`
    fi
    USER="`/usr/bin/id -un`"
fi
for i in /etc/profile.d/*.sh /etc/profile.d/sh.local ; do
    if [ -r "$i" ]; then
        if [ "${-#*i}" != "$-" ]; then
            . "$i"
        else
            . "$i" >/dev/null
        fi
    fi
done
unset i
unset -f pathmunge
if [ -n "${BASH_VERSION-}" ] ; then
        if [ -f /etc/bashrc ] ; then
                . /etc/bashrc
       fi
fi
"#;

const PROFILE: &str =
    "if [ \"$BASH\" ]; then\n  if [ -f ~/.bashrc ]; then\n    . ~/.bashrc\n  fi\nfi\nmesg n || true\n";

fn collect(files: &[(&str, &str)]) -> Profiles {
    let mut host = Files::new();
    host.file("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\nann:x:1000:1000::/home/ann:/bin/sh\nwww:x:33:33::/:/usr/sbin/nologin\n");
    for (path, text) in files {
        host.file(path, *text);
    }
    Profiles::collect(&Host::new(host, Target::root("x"))).unwrap()
}

fn loops(files: &[(&str, &str)]) -> Vec<(String, String)> {
    collect(files)
        .files
        .items
        .into_iter()
        .flat_map(|f| f.loops)
        .map(|l| (l.lines.join(" "), l.users.join(" ")))
        .collect()
}

fn ends(files: &[(&str, &str)]) -> Vec<(String, String, String)> {
    let ends = collect(files).files.items.into_iter().flat_map(|f| f.ends);
    ends.map(|e| (e.at.to_string(), e.command, e.users.join(" "))).collect()
}

fn one(lines: &str, users: &str) -> Vec<(String, String)> {
    vec![(lines.to_owned(), users.to_owned())]
}

#[test]
fn what_distributions_ship_comes_to_its_end() {
    let debian = collect(&[
        ("/etc/profile", DEBIAN),
        ("/etc/bash.bashrc", "[ -z \"$PS1\" ] && return\nshopt -s checkwinsize\n"),
        ("/etc/profile.d/a.sh", "[ -n \"$LANG\" ] || export LANG=C.UTF-8\n"),
        ("/root/.profile", PROFILE),
        ("/root/.bashrc", "# nothing\n"),
    ]);
    let files: Vec<_> = debian.files.items.iter().map(|f| (f.path.as_str(), f.always)).collect();
    let all = ["/etc/bash.bashrc", "/etc/profile", "/etc/profile.d/a.sh", "/root/.bashrc", "/root/.profile"];
    assert_eq!(files, all.map(|path| (path, true)));
    assert!(debian.files.items.iter().all(|f| f.loops.is_empty() && f.ends.is_empty()));
    let redhat = [
        ("/etc/profile", REDHAT_PROFILE),
        ("/etc/bashrc", REDHAT_BASHRC),
        ("/etc/profile.d/sh.local", "#\n"),
        ("/etc/profile.d/which2.sh", "case \"$(basename x)\" in\nbash) alias which='a | b' ;;\nesac\n"),
        ("/root/.bash_profile", "if [ -f ~/.bashrc ]; then\n\t. ~/.bashrc\nfi\n"),
        ("/root/.bashrc", "if [ -f /etc/bashrc ]; then\n\t. /etc/bashrc\nfi\n"),
    ];
    assert_eq!(loops(&redhat), []);
    assert_eq!(ends(&redhat), []);
    assert_eq!(collect(&redhat).files.items.len(), 6);
}

#[test]
fn a_file_that_reads_itself_is_a_loop_for_all_who_read_it() {
    let text = "JAVA_HOME=/root/jdk\nexport PATH=$JAVA_HOME/bin:$PATH\n\nsource /etc/profile\n";
    assert_eq!(loops(&[("/etc/profile", text)]), one("/etc/profile:4", "ann root"));
    assert_eq!(loops(&[("/etc/profile", "#source /etc/profile\n")]), []);
    // Behind what distributions ship, as it is added.
    let added = format!("{REDHAT_PROFILE}. /etc/profile\n");
    assert_eq!(loops(&[("/etc/profile", &added), ("/etc/bashrc", REDHAT_BASHRC)])[0].0, "/etc/profile:25");
    let here = "cat <<END >/dev/null\n. /etc/profile\nEND\necho '\n. /etc/profile\n' \"\n. /etc/profile\"\n";
    assert_eq!(loops(&[("/etc/profile", here)]), []);
}

#[test]
fn a_circle_is_told_with_all_its_lines() {
    let by = |bashrc: &str| {
        loops(&[
            ("/root/.bash_profile", "# mine\nif [ -f ~/.bashrc ]; then . ~/.bashrc; fi\n"),
            ("/root/.bashrc", bashrc),
        ])
    };
    assert_eq!(by("source \"$HOME/.bash_profile\"\n"), one("/root/.bash_profile:2 /root/.bashrc:1", "root"));
    assert_eq!(by("[ -n \"$DONE\" ] && return\nDONE=1\nsource ~/.bash_profile\n"), []);
    assert_eq!(by("[ -z \"$PS1\" ] && return\nsource ~/.bash_profile\n").len(), 1);
    assert_eq!(by("shopt -q login_shell || source ~/.bash_profile\n").len(), 1);
    let drop_in = [("/etc/profile", DEBIAN), ("/etc/profile.d/env.sh", "A=1\nsource /etc/profile\n")];
    assert_eq!(loops(&drop_in), one("/etc/profile:21 /etc/profile.d/env.sh:2", "ann root"));
}

#[test]
fn what_depends_on_something_unknown_is_no_loop() {
    let silent = [
        "if [ -z \"$X\" ]; then X=1; . /etc/profile; fi\n",
        "[ \"$X\" ] || . /etc/profile\n",
        "case $TERM in xterm) . /etc/profile ;; esac\n",
        "grep -q x /etc/y && . /etc/profile\n",
        "f() { . /etc/profile; }\nf\n",
        "(. /etc/profile)\n",
        ". /etc/profile | cat\n",
        ". $(which profile)\n",
        "[ -f /etc/gone ] && . /etc/profile\n",
        "[[ $X == y && -f /etc/profile ]] && . /etc/profile\n",
        "return\n. /etc/profile\n",
        "[ \"$X\" ] && return\n. /etc/profile\n",
        "exit\n. /etc/profile\n",
        "while read line; do . /etc/profile; done < /etc/x\n",
        "for i in 1 2; do [ \"$X\" ] && break; . /etc/profile; done\n",
        "false && . /etc/profile\n",
        "if ! true; then . /etc/profile; fi\n",
        "eval \". /etc/profile\"\n",
        "N=$((N+1)); [ $N -gt 3 ] || . /etc/profile\n",
        "unset X\nif [ -n \"$X\" ]; then . /etc/profile; fi\n",
        "if then fi\n. /etc/profile\n",
    ];
    for text in silent {
        assert_eq!(loops(&[("/etc/profile", text)]), [], "{text}");
    }
    let certain = [
        "if true; then . /etc/profile; fi\n",
        "[ -f /etc/profile ] && . /etc/profile\n",
        "[[ -f /etc/profile && -r /etc/profile ]] && . /etc/profile\n",
        "for f in /etc/profile; do test -e $f && . \"$f\"; done\n",
        "{ . /etc/profile; }\n",
        "X=0\nif [ \"$X\" = 0 ]; then X=1; . /etc/profile; fi\n",
        "unset X\n[ -z \"$X\" ] && { X=1; builtin source /etc/profile; }\n",
        "FILE=/etc/profile; . $FILE\n",
        "case $- in *i*) . /etc/profile;; esac\n",
        "if [ -d /gone ]; then :; elif [ -e /gone -o -e /etc/profile ]; then . /etc/profile; fi\n",
    ];
    for text in certain {
        assert_eq!(
            loops(&[("/etc/profile", text)]),
            one(&format!("/etc/profile:{}", text.lines().count()), "ann root"),
            "{text}"
        );
    }
}

#[test]
fn what_ends_the_shell_is_found_where_it_is_certain() {
    let found =
        |text: &str| ends(&[("/etc/profile", text), ("/usr/bin/menu", "ELF"), ("/usr/bin/sh", "ELF")]);
    let end = |line: u32, command: &str| {
        vec![(format!("/etc/profile:{line}"), command.to_owned(), "ann root".to_owned())]
    };
    assert_eq!(found("umask 022\nexit\n"), end(2, "exit"));
    assert_eq!(found("set -eu\n"), end(1, "set -eu"));
    assert_eq!(found("set -o errexit\n"), end(1, "set -o errexit"));
    for text in [
        "set -e\nx\nset +e\n",
        "set -u\n",
        "set -o vi\n",
        "[ $X ] && set -e\n",
        "(exit 1)\n",
        "x || exit 1\n",
        "trap 'exit' HUP\n",
        "exec >/dev/null 2>&1\n",
        "exec 3<&0\n",
        "exec gone\n",
        "if [ $X ]; then exec menu; fi\n",
        "exit() { :; }\nexit\n",
    ] {
        assert_eq!(found(text), [], "{text}");
    }
    let mut host = Files::new();
    host.file("/etc/profile", "exec -l /usr/bin/menu $X\n").file("/usr/bin/menu", "ELF");
    host.mode("/usr/bin/menu", 0o755).unwrap();
    let found = Profiles::collect(&Host::new(host, Target::root("x"))).unwrap().files.items.remove(0).ends;
    assert_eq!(
        (found[0].command.as_str(), found[0].kind),
        ("exec -l /usr/bin/menu $X", ProfileEndKind::Exec)
    );
}

#[test]
fn a_file_that_may_not_be_read_leaves_the_answer_open() {
    let mut host = Files::new();
    host.file("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\n").file("/etc/profile", ":\n").deny("/root");
    let found = Profiles::collect(&Host::new(host.clone(), Target::root("x"))).unwrap();
    assert!(!found.files.unread.is_empty());
    host.deny("/etc/passwd");
    assert!(matches!(Profiles::collect(&Host::new(host, Target::root("x"))), Err(Missing::Unreadable(_))));
    let absent = Profiles::collect(&Host::new(Files::new(), Target::root("x")));
    assert!(matches!(absent, Err(Missing::Absent)));
}

#[test]
fn hostile_scripts_end() {
    let deep = "(".repeat(5000);
    let many = ". /etc/b\n".repeat(5000);
    let wide = format!("for i in {}; do . /etc/b; done\n", "x ".repeat(5000));
    for text in [
        "",
        "\0\u{fffd}\n",
        "if",
        "$((",
        "\"",
        "cat <<",
        "${",
        "`",
        "case x in",
        "a=(",
        "f()",
        "[[ a =~ (",
        "x\\",
        deep.as_str(),
        many.as_str(),
        wide.as_str(),
    ] {
        collect(&[
            ("/etc/profile", text),
            ("/etc/b", "for i in 1 2 3; do . /etc/c; done"),
            ("/etc/c", "[ $X ] && . /etc/b"),
        ]);
    }
}
