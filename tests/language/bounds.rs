//! No text, however long, deep or senseless, makes hostvet panic, overrun its stack or run for ever.

use crate::support::{Random, compile, host, refusal, rule, value};
use hostvet::engine::syntax::{MAX_LENGTH, parse};
use hostvet::engine::{Expression, Overrides};
use serde_json::json;
use std::thread;

/// Runs in a thread whose stack is as small as Rust makes them.
fn in_a_small_stack(run: impl FnOnce() + Send + 'static) {
    thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap().join().unwrap();
}

#[test]
fn what_nests_too_deep_is_refused() {
    in_a_small_stack(|| {
        let deep = |open: &str, inner: &str, close: &str, n: usize| open.repeat(n) + inner + &close.repeat(n);
        let texts = [
            deep("(", "1", ")", 4000),
            deep("(", "", "", 8000),
            deep("[", "", "", 8000),
            deep("[", "1", "]", 4000),
            deep("-", "1", "", 8000),
            deep("!", "true", "", 8000),
            deep("- ", "1", "", 4000),
            deep("-(", "1", ")", 2000),
            deep("size(", "''", ")", 1000),
            deep("[1].all(x, ", "true", ")", 500),
            deep("x[", "0", "]", 2000),
            deep("true ? true : ", "true", "", 500),
            deep("true ? ", "true", " : true", 500),
            deep("1 + ", "1", "", 1500),
            deep("1 * ", "1", "", 1500),
            format!("memory{}", ".a".repeat(2000)),
            format!("memory{}", ".?a".repeat(2000)),
            format!("memory{}", ".a()".repeat(1500)),
            format!("memory{}", "[0]".repeat(2000)),
            deep("1 == (", "1", ")", 1000),
            deep("true || true && 1 == 1 + 1 * (", "1", ")", 250),
            deep("true ? true : !true || 1 == -[size(", "1", ")]", 200),
        ];
        for text in texts {
            let shown: String = text.chars().take(30).collect();
            assert!(text.len() <= MAX_LENGTH, "{shown} is refused for its length");
            let error = parse(&text).expect_err(&shown);
            assert!(
                error.message.contains("nests more than") || error.message.starts_with("expected"),
                "{shown}: {}",
                error.message
            );
        }
    });
}

#[test]
fn what_nests_just_not_too_deep_is_evaluated_in_a_small_stack() {
    in_a_small_stack(|| {
        let facts = host(&[("/etc/security/limits.conf", "* hard nofile 10\n")]);
        let deep = |open: &str, inner: &str, close: &str, n: usize| open.repeat(n) + inner + &close.repeat(n);
        let texts = [
            deep("(", "true", ")", 60),
            deep("!", "true", "", 60),
            deep("1 + ", "1", "", 60),
            deep("true ? true : ", "true", "", 60),
            deep("size([", "1", "])", 30),
            deep("[", "1", "]", 60),
            (0..60).map(|n| format!("[1].all(v{n}, ")).collect::<String>() + "true" + &")".repeat(60),
            (0..30).map(|n| format!("limits.exists(v{n}, v{n}.value > 1 && ")).collect::<String>()
                + "true"
                + &")".repeat(30),
            (0..60).map(|n| format!("[1].map(v{n}, ")).collect::<String>() + "1" + &")".repeat(60),
        ];
        for text in texts {
            let value = value(&text, &facts);
            assert!(value != json!("failed") && value != json!("absent"), "{text}");
        }
    });
}

#[test]
fn long_chains_are_no_deep_trees() {
    in_a_small_stack(|| {
        let facts = host(&[]);
        assert_eq!(value(&vec!["true"; 1000].join("&&"), &facts), json!(true));
        assert_eq!(value(&vec!["false"; 1000].join("||"), &facts), json!(false));
        assert_eq!(value(&format!("[{}].size()", vec!["1"; 4000].join(",")), &facts), json!(4000));
    });
}

#[test]
fn what_is_too_long_is_refused_before_it_is_looked_at() {
    in_a_small_stack(|| {
        let choices = "true ? true : ".repeat(5000) + "true";
        for text in [choices, "(".repeat(10_000), "\"".repeat(1 << 20), "1".repeat(1 << 20)] {
            assert!(refusal(&text).message.contains("is longer than"));
        }
        assert!(parse(&format!("'{}'", "x".repeat(MAX_LENGTH - 2))).is_ok());
    });
}

#[test]
fn names_that_build_on_one_another_are_bounded() {
    in_a_small_stack(|| {
        let chain = |n: usize, next: fn(usize) -> String| {
            let steps: String = (1..n).map(|i| format!("a{i} = \"{}\"\n", next(i - 1))).collect();
            format!("a0 = \"1\"\n{steps}")
        };
        let compiled =
            |n, next| compile(rule("\"true\"", &chain(n, next), "\"m\"")).map_err(|mistake| mistake.message);
        // The deepest that is allowed.
        let deepest = |n: usize| {
            let lets = chain(n, |i| format!("1 + a{i}"));
            compile(crate::support::rule(&format!("\"a{} == {n}\"", n - 1), &lets, "\"m\""))
        };
        let rule = deepest(60).unwrap();
        assert_eq!(hostvet::engine::judge(&rule, &host(&[])).findings.len(), 1);
        assert!(deepest(70).is_err());
        // Each is computed once, however often it is used.
        assert!(compiled(40, |i| format!("a{i} + a{i} + a{i}")).is_ok());
        assert!(compiled(5000, |i| format!("a{i} + 1")).unwrap_err().contains("nests more than"));
        assert!(compiled(5000, |i| format!("[a{i}]")).unwrap_err().contains("nests more than"));
    });
}

#[test]
fn names_that_double_one_another_give_up() {
    let doubled = |first: &str, last: &str| {
        let steps: String = (1..40).map(|i| format!("a{i} = \"a{} + a{}\"\n", i - 1, i - 1)).collect();
        let lets = format!("a0 = \"{first}\"\n{steps}");
        let rule = compile(rule(&format!("\"{last}\""), &lets, "\"m\"")).unwrap();
        let outcome = hostvet::engine::judge(&rule, &host(&[]));
        outcome.unknown[0].reason.clone()
    };
    assert!(doubled("'0123456789abcdef'", "a39 == ''").contains("a string became longer"));
    assert!(doubled("[1]", "a39.size() == 1").contains("gave up after"));
    let lists: String = (1..60).map(|i| format!("a{i} = \"[a{}, a{}]\"\n", i - 1, i - 1)).collect();
    let rule = compile(rule("\"a59 == [a58, a58]\"", &format!("a0 = \"[1]\"\n{lists}"), "\"m\"")).unwrap();
    let outcome = hostvet::engine::judge(&rule, &host(&[]));
    assert!(outcome.unknown[0].reason.contains("gave up after"), "{:?}", outcome.unknown);
}

#[test]
fn strings_that_grow_without_end_are_refused_while_they_are_made() {
    let facts = host(&[]);
    let grown = "'aaaaaaaaaaaaaaaa'".to_owned() + &".replace('a', 'aaaaaaaaaaaaaaaa')".repeat(10);
    assert_eq!(value(&grown, &facts), json!("failed"));
    let joined = "[1,2,3,4,5,6,7,8].map(x, 'a')".to_owned()
        + &".map(x, [x, x, x, x, x, x, x, x, x, x].join('0123456789abcdef'))".repeat(12)
        + ".size() > 0";
    assert_eq!(value(&joined, &facts), json!("failed"));
}

#[test]
fn senseless_bytes_are_refused_or_evaluated_but_never_a_panic() {
    let facts = host(&[("/etc/security/limits.conf", "* hard nofile 10\n")]);
    let mut random = Random(1);
    for _ in 0..20_000 {
        let bytes: Vec<u8> = (0..random.below(40)).map(|_| random.next() as u8).collect();
        run(&String::from_utf8_lossy(&bytes), &facts);
        let printable: String =
            (0..random.below(40)).map(|_| (32 + random.below(60) as u8) as char).collect();
        run(&printable, &facts);
    }
}

#[test]
fn a_soup_of_tokens_is_refused_or_evaluated_but_never_a_panic() {
    const TOKENS: [&str; 70] = [
        "1",
        "0",
        "-",
        "9223372036854775807",
        "9223372036854775808",
        "0x",
        "0xff",
        "1e9",
        "1e999",
        ".5",
        "1.",
        "'a'",
        "\"b\"",
        "'",
        "\"",
        "'''",
        "r'",
        "r'\\'",
        "'\\x4",
        "'\\u00e9'",
        "'\\ud800'",
        "'\\U00110000'",
        "'\0'",
        "'é'",
        "é",
        "\u{feff}",
        "true",
        "false",
        "null",
        "in",
        "not",
        "and",
        "(",
        ")",
        "[",
        "]",
        "[?",
        "{",
        "}",
        ",",
        ".",
        ".?",
        "?",
        ":",
        "&&",
        "||",
        "!",
        "==",
        "!=",
        "<",
        "<=",
        "=",
        "&",
        "+",
        "*",
        "/",
        "%",
        "//",
        "\n",
        "x",
        "limits",
        "limits.entries",
        "sysctl['a']",
        ".all(x,",
        ".map(x, x)",
        ".filter(x, true)",
        ".orValue(1)",
        "has(",
        "size(",
        "top(",
    ];
    let facts = host(&[("/etc/security/limits.conf", "* hard nofile 10\n")]);
    let mut random = Random(2);
    for _ in 0..40_000 {
        let glue = *random.of(&["", " "]);
        let soup: Vec<_> = (0..1 + random.below(12)).map(|_| *random.of(&TOKENS)).collect();
        run(&soup.join(glue), &facts);
    }
}

/// Whatever happens must not be a panic, and an error's span must lie in the text.
fn run(text: &str, facts: &hostvet::fact::Facts) {
    match Expression::parse(text, &Overrides::new()) {
        Ok(expression) => drop(expression.evaluate(facts)),
        Err(error) => {
            assert!(text.get(error.span.clone()).is_some(), "{text:?}: {error:?}");
        }
    }
}

#[test]
fn nul_and_what_is_not_ascii_are_characters_like_others() {
    let facts = host(&[]);
    for (text, wanted) in [
        ("size('\0')", json!(1)),
        ("size('a\\x00b')", json!(3)),
        ("'ä' + \"€\" + '🐱'", json!("ä€🐱")),
        ("size('ä€🐱')", json!(3)),
        ("'ä€🐱'.substring(1, 2)", json!("€")),
        ("'ä€🐱'.indexOf('🐱')", json!(2)),
        ("'ä€'.split('')", json!(["ä", "€"])),
        ("'\\u00e4' == 'ä'", json!(true)),
        ("'\u{feff}'.size()", json!(1)),
    ] {
        assert_eq!(value(text, &facts), wanted, "{text:?}");
    }
    assert!(refusal("ä > 1").message.contains("`ä` means nothing here"));
    assert!(refusal("'\\ud800'").message.contains("escape"));
}
