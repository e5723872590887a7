use super::*;
use crate::model::Word;
use crate::source::{Files, Target};

fn collect(files: &Files) -> Reading<Apparmor> {
    Apparmor::collect(&Host::new(files.clone(), Target::root("case")))
}

/// A profile with all that it includes.
fn tree() -> Files {
    let mut files = Files::new();
    files
        .file("/usr/sbin/apparmor_parser", "\x7fELF")
        .file("/etc/apparmor.d/tunables/global", "include <tunables/home>\n")
        .file("/etc/apparmor.d/tunables/home", "@{HOME}=@{HOMEDIRS}/*/ /root/\n@{HOMEDIRS}=/home/\n")
        .file("/etc/apparmor.d/abi/3.0", "query {label {multi_transaction {yes}}}")
        .file("/etc/apparmor.d/abstractions/base", "  /etc/{a,b}/** r, # it's a {\n")
        .file("/etc/apparmor.d/local/README", "# {")
        .file("/etc/apparmor.d/usr.sbin.x", "abi <abi/3.0>,\ninclude <tunables/global>\n/usr/sbin/x {\n  #include <abstractions/base>\n  include if exists <local/usr.sbin.x>\n  \"/a {b}/c\" r,\n}\n");
    files
}

fn told(files: &Files) -> Vec<String> {
    let found = collect(files).unwrap().mistakes;
    assert_eq!(found.unread, []);
    let told =
        |m: ApparmorMistake| format!("{} {} {} stops {}", m.at, m.kind.word(), m.name, m.stops.join(" "));
    found.items.into_iter().map(told).collect()
}

#[test]
fn a_set_of_profiles_is_gone_through() {
    let found = collect(&tree()).unwrap();
    assert_eq!((found.parser, found.enabled), (Ok(PARSERS[0].to_owned()), Err(Missing::Absent)));
    let names: Vec<_> = found.files.items.iter().map(|file| file.name.as_str()).collect();
    assert_eq!((names, found.mistakes), (vec!["usr.sbin.x"], Partial::default()));
    assert_eq!(collect(&Files::new()).err(), Some(Missing::Absent));
}

#[test]
fn what_is_included_and_is_not_there_stops_all_that_include_it() {
    let mut files = tree();
    files
        .file("/etc/apparmor.d/tunables/home", "#include <tunables/home.d>\n")
        .file("/etc/apparmor.d/y", "include <tunables/global>\nabi <abi/9>,\n/y { include \"/gone\"\n}\n")
        .file("/etc/apparmor.d/z", "/z { }\n")
        .file("/etc/apparmor.d/y~", "include <nothing>");
    let expected = [
        "/etc/apparmor.d/tunables/home:1 include <tunables/home.d> stops usr.sbin.x y",
        "/etc/apparmor.d/y:2 abi <abi/9> stops y",
        "/etc/apparmor.d/y:3 include /gone stops y",
    ];
    assert_eq!(told(&files), expected);
    files.directory("/etc/apparmor.d/tunables/home.d");
    assert_eq!(told(&files), expected[1..]);
    files.file("/etc/apparmor/parser.conf", "# x\nInclude /opt/aa/\n").file("/opt/aa/abi/9", "");
    assert_eq!(told(&files), expected[2..]);
}

#[test]
fn a_profile_that_is_disabled_is_stopped_by_nothing() {
    let mut files = tree();
    files.file("/etc/apparmor.d/y", "/y {").link("/etc/apparmor.d/disable/y", "/etc/apparmor.d/y");
    assert!(told(&files).is_empty());
    files.link("/etc/apparmor.d/disable/y", "/etc/apparmor.d/gone");
    assert_eq!(told(&files), ["/etc/apparmor.d/y:1 unclosed  stops y"]);
    let found = collect(&files).unwrap().files.items;
    assert_eq!(found[1].disable_dangling.as_deref(), Some("/etc/apparmor.d/gone"));
    assert_eq!((found[0].disabled.clone(), found[0].disable_dangling.clone()), (Ok(false), None));
}

#[test]
fn a_link_to_nothing_stops_whoever_reads_its_directory() {
    let mut files = tree();
    files.link("/etc/apparmor.d/abstractions/x.d/a", "/gone").link("/etc/apparmor.d/b", "gone");
    files.file("/etc/apparmor.d/y", "/y {\n include <abstractions/x.d>\n}\n");
    files.file("/etc/apparmor.d/z", "/z {\n include <abstractions/x.d>\n}\n");
    let expected =
        ["/etc/apparmor.d/abstractions/x.d/a link /gone stops y z", "/etc/apparmor.d/b link gone stops b"];
    assert_eq!(told(&files), expected);
}

#[test]
fn braces_and_quotation_marks_are_counted_where_they_are_some() {
    let found = |text: &str| scan(text).mistakes;
    use MistakeKind::*;
    for (text, wanted) in [
        ("/x {\n /a r,\n", Some((Unclosed, 1))),
        ("/x {\n /a r,\n}\n}\n", Some((Surplus, 4))),
        ("/x {\n \"/a r,\n}\n", Some((Quotation, 2))),
        ("/x {\n \"/a r,\n \"/b c\" r,\n}\n", Some((Quotation, 2))),
        ("\0\0", Some((Nul, 1))),
        ("/x {\n /a{b,c}/@{D} r, # } \"\n}", None),
        ("#comment {\n/x { }", None),
        ("/x {\n /a[{]b r,\n}\n", None),
        ("/x {\n /a#{b r,\n}\n", None),
        ("/x {\n /a\\{b r, /c\\\" r,\n}\n", None),
        ("/x { \"/a\\\"b {\" r, }", None),
        ("@{P}=a,b}\n/x {\n /{c,@{P} r,\n}\n", None),
        ("", None),
        ("\u{fffd}\u{fffd}\\", None),
    ] {
        assert_eq!(found(text), wanted.into_iter().collect::<Vec<_>>(), "{text:?}");
    }
}

#[test]
fn includes_are_found_where_a_token_begins() {
    let found = |text: &str| -> Vec<_> {
        let named = |i: Include| format!("{}{}:{}", i.name, if i.optional { "?" } else { "" }, i.line);
        scan(text).includes.into_iter().map(named).collect()
    };
    use lex::Include;
    assert_eq!(found("#include <a>\ninclude <b/c d>\n\n #include<e>\n"), ["a:1", "b/c d:2", "e:4"]);
    assert_eq!(
        found("/a r, #include \"/f\"\n include if exists <g>\n #include if  exists \"h\""),
        ["/f:1", "g?:2", "h?:3"]
    );
    assert_eq!(found(" include /i/j,\n\"x\ninclude <k>\" include <l>"), ["/i/j:1", "l:3"]);
    assert_eq!(found("abi <kernel>,\nabi <default>,\nabi <abi/4.0>,"), ["abi/4.0:3"]);
    assert!(
        found("# include <a>\n# x #include <a>\n/include <a>\nincludes <a>\n#included by <a>\ninclude <a\n>")
            .is_empty()
    );
}

#[test]
fn what_is_denied_is_unknown() {
    let mut files = tree();
    files.deny("/etc/apparmor.d/abstractions/base");
    let found = collect(&files).unwrap();
    assert_eq!(
        (found.mistakes.items.len(), found.mistakes.unread.len(), found.files.unread.len()),
        (0, 1, 0)
    );
    files.deny("/etc/apparmor.d");
    assert!(matches!(collect(&files), Err(Missing::Unreadable(_))));
}

#[test]
fn a_kernel_says_whether_it_has_apparmor() {
    let mut files = tree();
    files.directory("/sys/module");
    assert_eq!(collect(&files).unwrap().enabled, Ok(false));
    files.file(ENABLED, "Y\n");
    assert_eq!(collect(&files).unwrap().enabled, Ok(true));
}

#[test]
fn circles_and_great_numbers_of_includes_come_to_an_end() {
    let mut files = tree();
    files.file("/etc/apparmor.d/a", "include <b>\n").file("/etc/apparmor.d/b", "include <a>\n");
    assert!(told(&files).is_empty());
    let many: String = (0..300_000).map(|i| format!("include <n{i}>\n")).collect();
    files.file("/etc/apparmor.d/a", many);
    let found = collect(&files).unwrap();
    assert_eq!(found.mistakes.unread.len(), 1);
}
