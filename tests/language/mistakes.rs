//! The typical mistakes, and what an author is told: the place in the file, what is wrong, what to write instead.

use crate::support::{compile, rule};

/// An expression, the part of it that is at fault, the message, and the help.
const MISTAKES: &[(&str, &str, &str, &str)] = &[
    // Names.
    ("memry.total_kib > 5", "memry", "there is no fact or name `memry`", "did you mean `memory`?"),
    ("bogus.total_kib > 5", "bogus", "there is no fact or name `bogus`", "`hostvet facts --describe` lists"),
    ("files.alocated > 5", "alocated", "Files has no field `alocated`", "did you mean `allocated`?"),
    ("files.colour > 5", "colour", "Files has no field `colour`", "it has allocated, unused, max, at"),
    ("limits.entries.exists(e, e.itm == 'x')", "itm", "Entry has no field `itm`", "did you mean `item`?"),
    ("files.allocated.max > 5", "max", "int has no fields", ""),
    ("limits.entries.item == 'x'", "item", "list(Entry) has no fields", "ask its items"),
    ("params.most > 5", "most", "[params] has no `most`", ""),
    ("params > 5", "params", "`params` has no value itself", "params.NAME"),
    (
        "files.max.startWith('x')",
        "startWith",
        "there is no function `startWith`",
        "did you mean `startsWith`?",
    ),
    ("siez('x') > 1", "siez", "there is no function `siez`", "did you mean `size`?"),
    // Types.
    ("files.max", "files.max", "this is int, but a bool is wanted", ""),
    ("files.max && true", "files.max", "this is int, but a bool is wanted", ""),
    ("files.max > 'x'", "files.max > 'x'", "int cannot be compared with string", ""),
    ("'x' + files.max == ''", "'x' + files.max", "`+` does not go between string and int", "string(x)"),
    ("true ? 1 : 'x'", "'x'", "this is string, but the other branch is int", ""),
    ("[1, 2, 'x'].size() > 1", "'x'", "this is string, but the items before it are int", ""),
    ("limits.entries['a'].value > 1", "'a'", "a list is indexed by an int, and this is string", ""),
    ("sysctl[1] > 1", "1", "a map is indexed by a string, and this is int", ""),
    ("files.max.startsWith('x')", "files.max", "`startsWith` wants a string here, and this is int", ""),
    ("min('x') > 1", "'x'", "`min` wants a list of numbers here, and this is string", ""),
    ("size() > 1", "size", "`size` takes 1 argument", ""),
    ("files.exists(f, true)", "files", "`exists` is asked of a list, and this is Files", ""),
    ("limits.entries.exists(e, e.kind == 'usr')", "'usr'", "it is never 'usr'", "did you mean `user`?"),
    ("limits.entries.exists(e, e.kind in ['user', 'gruop'])", "'gruop'", "it is never 'gruop'", "`group`"),
    ("kernel.release < '6.9'", "'6.9'", "strings are in order letter by letter", "compare numbers"),
    ("sysctl['vm.swappiness'] < '10'", "'10'", "strings are in order letter by letter", "number: 10"),
    ("'x'.matches('(')", "'('", "this pattern is wrong", ""),
    ("bytes('8 apples') > 1", "'8 apples'", "", ""),
    ("duration('ten') > 1", "'ten'", "`ten` is not a duration", ""),
    // What may be absent.
    ("files.?max > 5", "files.?max > 5", "optional(int) cannot be compared with int", ".orValue(…)"),
    ("files.?max + 5 > 1", "files.?max + 5", "`+` does not go between", ".orValue(…)"),
    ("size([files.?max]) > 1", "files.?max", "an item cannot be optional(int)", ".orValue(…)"),
    ("files.max.orValue(5) > 5", "files.max", "`orValue` is asked of an optional value", "a.?b"),
    ("has(files)", "files", "`has` asks for a field or an item", ""),
    ("files.has(max)", "has", "`has` is not called this way", "has(a.b)"),
    ("all(limits.entries, e, true)", "all", "`all` is not called this way", "list.all(x, …)"),
    // What other languages write.
    ("files.max > 5 and true", "and", "`and` is no operator", "write `&&`"),
    ("files.max > 5 or true", "or", "`or` is no operator", "write `||`"),
    ("not has(files.max)", "not", "`not` is no operator", "write `!`"),
    ("'x' not in ['x']", "not", "`not` is no operator", "write `!(a in b)`"),
    ("files.max is 5", "is", "`is` is no operator", "write `==`"),
    ("files.max = 5", "=", "`=` means nothing here", "compare with `==`"),
    ("files.max === 5", "=", "`=` means nothing here", "compare with `==`"),
    ("files.max > 5 & true", "&", "`&` means nothing here", "write `&&`"),
    ("files.max == null", "null", "there is no null", "has(a.b)"),
    ("1 < files.max < 5", "<", "`<` cannot follow another comparison", "`&&`"),
    ("files.max > 8GiB", "8GiB", "`8GiB` is no number", "bytes('8GiB')"),
    ("files.max > 1_000", "1_000", "`1_000` is no number", "in one"),
    ("files.max > 99999999999999999999", "99999999999999999999", "this is no number of 64 bits", ""),
    // Brackets and quotes.
    ("(files.max > 5", "", "expected `)`, found the end", ""),
    ("files.max > 5)", ")", "expected an operator or the end, found `)`", ""),
    ("files.max >", "", "expected a value, found the end", ""),
    ("files..max > 5", ".", "expected a name, found `.`", ""),
    ("'x == 'x'", "'", "this string has no end", ""),
    ("kernel.release.matches('6\\d')", "\\d", "this escape is not known", "raw string"),
    // Names of macros.
    ("limits.entries.exists(params, true)", "params", "`params` means something already", "another name"),
    ("limits.entries.exists(1, true)", "1", "here stands the name for the item", ""),
    (
        "limits.entries.exists(e)",
        "limits.entries.exists(e)",
        "`exists` takes a name and an expression",
        ".exists(x, …)",
    ),
];

/// The ways to write a string in TOML, if it can be written so.
fn toml_strings(text: &str) -> Vec<String> {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    let mut ways = vec![
        format!("\"{escaped}\""),
        format!("\"\"\"{escaped}\"\"\""),
        format!("\"\"\"\n{escaped}\n\"\"\""),
        format!("\"\"\"\n\\\n   {escaped} \\\n   \"\"\""),
        format!("'''\n  {text}\n'''"),
    ];
    if !text.ends_with('\'') {
        ways.push(format!("'''{text}'''"));
    }
    if !text.contains('\'') {
        ways.push(format!("'{text}'"));
    }
    ways
}

#[test]
fn every_mistake_is_told_with_its_place_and_remedy_in_every_kind_of_toml_string() {
    for (text, part, message, help) in MISTAKES {
        for written in toml_strings(text) {
            let file = rule(&written, "", "\"m\"");
            let mistake = compile(file.clone()).map(|_| ()).expect_err(text);
            assert!(mistake.message.contains(message), "{written}: {}", mistake.message);
            let found = mistake.help.clone().unwrap_or_default();
            assert!(found.contains(help) && found.is_empty() == help.is_empty(), "{written}: help: {found}");
            let in_file = part.replace('\\', if written.starts_with('"') { "\\\\" } else { "\\" });
            assert_eq!(file.text[mistake.span.clone()].trim_end(), in_file, "{written}");
            let at = file.text.find(&written).unwrap();
            let line = 1 + file.text[..mistake.span.start].matches('\n').count();
            assert!(mistake.span.start >= at && mistake.span.start <= at + written.len(), "{written}");
            assert_eq!(mistake.line(), line);
            let shown = mistake.render(false);
            assert!(shown.contains(&format!("area/name.toml:{line}:")), "{shown}");
            if !part.is_empty() {
                assert!(shown.contains(&"^".repeat(in_file.chars().count())), "{shown}");
            }
        }
    }
}

#[test]
fn a_mistake_is_shown_as_an_author_needs_it() {
    let file = rule("\"files.alocated > 5 && files.max > 1\"", "", "\"m\"");
    let shown = compile(file).map(|_| ()).unwrap_err().render(false);
    assert_eq!(
        shown,
        "error: Files has no field `alocated`
 --> area/name.toml:3:18
  |
3 | problem = \"files.alocated > 5 && files.max > 1\"
  |                  ^^^^^^^^
  |
  = help: did you mean `allocated`?"
    );
}

#[test]
fn the_place_is_right_in_a_template_and_in_a_name() {
    let wrong_in_message = [
        ("\"ä {files.max} of {files.mx}\"", "mx", "Files has no field `mx`"),
        ("\"\"\"\n{{x}} {files.max}\n  {files.mx}\"\"\"", "mx", "Files has no field `mx`"),
        ("\"{files}\"", "files", "Files cannot stand in a sentence"),
        ("\"awk '{print $1}'\"", "$", "`$` means nothing here"),
        ("\"a {files.max\"", "{", "this brace is never closed"),
        ("\"a } b\"", "}", "this brace closes nothing"),
        ("\"a {} b\"", "", "expected a value, found the end"),
    ];
    for (message, part, wanted) in wrong_in_message {
        let file = rule("\"true\"", "", message);
        let mistake = compile(file.clone()).map(|_| ()).expect_err(message);
        assert_eq!(mistake.message, wanted, "{message}");
        assert_eq!(&file.text[mistake.span.clone()], part, "{message}");
    }
    let file = rule("\"true\"", "a = \"1\"\nb = \"a + c\"\nc = \"2\"\n", "\"m\"");
    let mistake = compile(file.clone()).map(|_| ()).unwrap_err();
    assert_eq!((&file.text[mistake.span.clone()], mistake.line()), ("c", 10));
}
