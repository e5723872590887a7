//! The functions and methods of the language: what they take, what they give, what they do.
//!
//! A method's receiver is its first argument.

use super::eval::numbers_in_order;
use super::ty::Ty;
use super::value::{Gap, Items, Value};
use crate::source::parse_size;
use globset::{Glob, GlobMatcher};
use regex::{Regex, RegexBuilder};
use std::borrow::Cow;
use std::cmp::Ordering;

/// The longest string that an expression may make, in bytes.
const MAX_STRING: usize = 1 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Size,
    Int,
    Double,
    String,
    Bytes,
    Duration,
    Percent,
    HumanBytes,
    Min,
    Max,
    Sum,
    StartsWith,
    EndsWith,
    Contains,
    Matches,
    Glob,
    LowerAscii,
    UpperAscii,
    Trim,
    Split,
    Join,
    Replace,
    Substring,
    IndexOf,
}

/// What an argument must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arg {
    /// int, double, or a text that is a number.
    Number,
    /// int, or a text that is a number.
    Int,
    /// string, word or text.
    Str,
    /// What has a size: a string, a list, a map.
    Sized,
    /// A list of numbers.
    Numbers,
    /// A list of strings.
    Strings,
    /// bool, number or string.
    Scalar,
}

/// How a function is called.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signature {
    pub(super) name: &'static str,
    pub(super) function: Function,
    /// Whether it is called as `receiver.name(…)`, `name(…)`, or either.
    pub(super) form: Form,
    pub(super) args: &'static [Arg],
    /// How many of the last arguments may be left out.
    pub(super) optional: usize,
    /// Whether the last argument may be repeated.
    pub(super) repeats: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Free,
    Method,
    Either,
}

const fn sig(name: &'static str, function: Function, form: Form, args: &'static [Arg]) -> Signature {
    Signature { name, function, form, args, optional: 0, repeats: false }
}

/// Every function. Several of one name are tried in order.
pub(super) const SIGNATURES: &[Signature] = &[
    sig("size", Function::Size, Form::Either, &[Arg::Sized]),
    sig("int", Function::Int, Form::Free, &[Arg::Scalar]),
    sig("double", Function::Double, Form::Free, &[Arg::Scalar]),
    sig("string", Function::String, Form::Free, &[Arg::Scalar]),
    sig("bytes", Function::Bytes, Form::Free, &[Arg::Str]),
    sig("duration", Function::Duration, Form::Free, &[Arg::Str]),
    sig("percent", Function::Percent, Form::Free, &[Arg::Number, Arg::Number]),
    sig("human_bytes", Function::HumanBytes, Form::Free, &[Arg::Number]),
    sig("min", Function::Min, Form::Free, &[Arg::Numbers]),
    Signature { repeats: true, ..sig("min", Function::Min, Form::Free, &[Arg::Number, Arg::Number]) },
    sig("max", Function::Max, Form::Free, &[Arg::Numbers]),
    Signature { repeats: true, ..sig("max", Function::Max, Form::Free, &[Arg::Number, Arg::Number]) },
    sig("sum", Function::Sum, Form::Free, &[Arg::Numbers]),
    sig("startsWith", Function::StartsWith, Form::Method, &[Arg::Str, Arg::Str]),
    sig("endsWith", Function::EndsWith, Form::Method, &[Arg::Str, Arg::Str]),
    sig("contains", Function::Contains, Form::Method, &[Arg::Str, Arg::Str]),
    sig("matches", Function::Matches, Form::Either, &[Arg::Str, Arg::Str]),
    sig("glob", Function::Glob, Form::Either, &[Arg::Str, Arg::Str]),
    sig("lowerAscii", Function::LowerAscii, Form::Method, &[Arg::Str]),
    sig("upperAscii", Function::UpperAscii, Form::Method, &[Arg::Str]),
    sig("trim", Function::Trim, Form::Method, &[Arg::Str]),
    sig("split", Function::Split, Form::Method, &[Arg::Str, Arg::Str]),
    Signature { optional: 1, ..sig("join", Function::Join, Form::Method, &[Arg::Strings, Arg::Str]) },
    sig("replace", Function::Replace, Form::Method, &[Arg::Str, Arg::Str, Arg::Str]),
    Signature {
        optional: 1,
        ..sig("substring", Function::Substring, Form::Method, &[Arg::Str, Arg::Int, Arg::Int])
    },
    sig("indexOf", Function::IndexOf, Form::Method, &[Arg::Str, Arg::Str]),
];

impl Signature {
    /// Whether it can be called with this many arguments, the receiver among them.
    pub(super) fn takes(&self, count: usize) -> bool {
        count >= self.args.len() - self.optional && (count <= self.args.len() || self.repeats)
    }
}

impl Arg {
    pub(super) fn accepts(self, ty: &Ty) -> bool {
        let items = |is: fn(&Ty) -> bool| match ty {
            Ty::List(of) => is(of),
            other => matches!(other, Ty::Any),
        };
        match self {
            Self::Number => ty.is_number() || matches!(ty, Ty::Text),
            Self::Int => matches!(ty, Ty::Int | Ty::Text | Ty::Any),
            Self::Str => ty.is_string(),
            Self::Sized => ty.is_string() || matches!(ty, Ty::List(_) | Ty::Map(_)),
            Self::Numbers => items(Ty::is_number),
            Self::Strings => items(Ty::is_string),
            Self::Scalar => ty.is_scalar() || matches!(ty, Ty::Any),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Number => "a number",
            Self::Int => "an int",
            Self::Str => "a string",
            Self::Sized => "a string, list or map",
            Self::Numbers => "a list of numbers",
            Self::Strings => "a list of strings",
            Self::Scalar => "a number, string or bool",
        }
    }
}

impl Function {
    /// What it costs to compile a pattern that is not written in the rule.
    pub(super) fn compiles(self) -> u64 {
        if matches!(self, Self::Matches | Self::Glob) { 1000 } else { 0 }
    }

    /// What it gives for arguments of these types.
    pub(super) fn gives(self, args: &[&Ty]) -> Ty {
        let item = |ty: &Ty| match ty {
            Ty::List(of) => (**of).clone(),
            other => other.clone(),
        };
        match self {
            Self::Size | Self::Int | Self::Bytes | Self::Duration | Self::IndexOf => Ty::Int,
            Self::Double | Self::Percent => Ty::Double,
            Self::Min | Self::Max | Self::Sum => {
                match args.iter().all(|ty| matches!(item(ty), Ty::Int | Ty::Any)) {
                    true => Ty::Int,
                    false => Ty::Double,
                }
            }
            Self::StartsWith | Self::EndsWith | Self::Contains | Self::Matches | Self::Glob => Ty::Bool,
            Self::Split => Ty::list(Ty::Str),
            _ => Ty::Str,
        }
    }

    /// What it does. The arguments have been checked against its signature.
    pub(super) fn call<'a>(self, args: &[Value<'a>]) -> Result<Value<'a>, Gap> {
        match (self, args) {
            (Self::Size, [Value::List(items)]) => match items.unread().first() {
                Some(why) => Err(Gap::Unreadable(why.clone())),
                None => Ok(int(items.len())),
            },
            (Self::Size, [Value::Map(map, _)]) => match map.unread().first() {
                Some(why) => Err(Gap::Unreadable(why.clone())),
                None => Ok(int(map.keys().len())),
            },
            (Self::Size, [s]) => Ok(int(str(s).chars().count())),
            (Self::Int, [value]) => to_int(value),
            (Self::Double, [value]) => to_double(value),
            // All digits: rounding is for sentences.
            (Self::String, [Value::Double(d)]) if d.is_finite() => Ok(text(d.to_string())),
            (Self::String, [value]) => Ok(text(value.to_string())),
            (Self::Bytes, [s]) => {
                let bytes = parse_size(str(s)).map_err(|e| Gap::Failed(e.to_string()))?;
                Ok(i64::try_from(bytes).map_or(Value::Double(bytes as f64), Value::Int))
            }
            (Self::Duration, [s]) => seconds(str(s)).map(Value::Int),
            (Self::Percent, [a, b]) => match number(b)? {
                0.0 => Err(Gap::Failed(format!("percent({a}, 0) divides by zero"))),
                whole => match number(a)? * 100.0 / whole {
                    percent if percent.is_nan() => {
                        Err(Gap::Failed(format!("percent({a}, {b}) has no value")))
                    }
                    percent => Ok(Value::Double(percent)),
                },
            },
            (Self::HumanBytes, [n]) => Ok(text(human_bytes(number(n)?))),
            (Self::Min, _) => extreme(args, Ordering::Less),
            (Self::Max, _) => extreme(args, Ordering::Greater),
            (Self::Sum, [Value::List(items)]) => sum(items),
            (Self::StartsWith, [s, p]) => Ok(Value::Bool(str(s).starts_with(str(p)))),
            (Self::EndsWith, [s, p]) => Ok(Value::Bool(str(s).ends_with(str(p)))),
            (Self::Contains, [s, p]) => Ok(Value::Bool(str(s).contains(str(p)))),
            (Self::Matches, [s, p]) => Ok(Value::Bool(regex(str(p)).map_err(Gap::Failed)?.is_match(str(s)))),
            (Self::Glob, [s, p]) => Ok(Value::Bool(glob(str(p)).map_err(Gap::Failed)?.is_match(str(s)))),
            (Self::LowerAscii, [s]) => Ok(text(str(s).to_ascii_lowercase())),
            (Self::UpperAscii, [s]) => Ok(text(str(s).to_ascii_uppercase())),
            (Self::Trim, [s]) => Ok(text(str(s).trim())),
            (Self::Split, [s, sep]) => {
                // An empty separator gives the characters, as CEL's strings extension has it.
                let parts: Vec<_> = match str(sep) {
                    "" => str(s).chars().map(|c| text(c.to_string())).collect(),
                    sep => str(s).split(sep).map(text).collect(),
                };
                Ok(Value::List(Items::made(parts)))
            }
            (Self::Join, [Value::List(items), rest @ ..]) => {
                let sep = rest.first().map_or("", str);
                let parts: Vec<_> = whole(items, "an item to join")?.iter().map(Value::to_string).collect();
                short_enough(parts.iter().map(String::len).sum::<usize>() + sep.len() * parts.len())?;
                Ok(text(parts.join(sep)))
            }
            (Self::Replace, [s, from, to]) => {
                short_enough(str(s).len() + str(s).matches(str(from)).count() * str(to).len())?;
                Ok(text(str(s).replace(str(from), str(to))))
            }
            (Self::Substring, [s, from, rest @ ..]) => substring(str(s), from, rest.first()),
            (Self::IndexOf, [s, p]) => Ok(Value::Int(
                str(s)
                    .find(str(p))
                    .map_or(-1, |byte| i64::try_from(str(s)[..byte].chars().count()).unwrap_or(i64::MAX)),
            )),
            _ => Err(Gap::Failed(format!(
                "{self:?} was called with what it does not take; please report this"
            ))),
        }
    }
}

fn int<'a>(n: usize) -> Value<'a> {
    Value::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

fn text<'a>(s: impl Into<String>) -> Value<'a> {
    Value::Str(Cow::Owned(s.into()))
}

fn str<'v>(value: &'v Value<'_>) -> &'v str {
    value.as_str().unwrap_or_default()
}

/// The number a value is; [`Gap::Failed`] for a text that is none.
pub(super) fn number(value: &Value<'_>) -> Result<f64, Gap> {
    match value {
        Value::Int(i) => Ok(*i as f64),
        Value::Double(d) => Ok(*d),
        other => Err(Gap::Failed(format!("`{other}` is not a number"))),
    }
}

/// A text as the number it holds: whole if it is whole.
pub(super) fn parse_number<'a>(s: &str) -> Option<Value<'a>> {
    let s = s.trim();
    if let Ok(i) = s.parse() {
        return Some(Value::Int(i));
    }
    // Rust also reads "inf" and "nan", which no kernel file means as a number.
    let looks = s.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.');
    s.parse().ok().filter(|d: &f64| looks && d.is_finite()).map(Value::Double)
}

fn to_int<'a>(value: &Value<'a>) -> Result<Value<'a>, Gap> {
    let out_of_range = || Gap::Failed(format!("`{value}` does not fit into an int"));
    match value {
        Value::Int(i) => Ok(Value::Int(*i)),
        // The bounds are exact in a double: -2^63 and 2^63.
        Value::Double(d) if *d > -9_223_372_036_854_775_808.0 && *d < 9_223_372_036_854_775_808.0 => {
            Ok(Value::Int(*d as i64))
        }
        Value::Double(_) => Err(out_of_range()),
        other => match other.as_str().and_then(|s| s.parse().ok()) {
            Some(i) => Ok(Value::Int(i)),
            None => Err(Gap::Failed(format!("`{other}` is not a whole number"))),
        },
    }
}

fn to_double<'a>(value: &Value<'a>) -> Result<Value<'a>, Gap> {
    match value {
        Value::Int(i) => Ok(Value::Double(*i as f64)),
        Value::Double(d) => Ok(Value::Double(*d)),
        // "nan" is a number to Rust, but none that a rule could judge.
        other => match other.as_str().and_then(|s| s.parse().ok()).filter(|d: &f64| !d.is_nan()) {
            Some(d) => Ok(Value::Double(d)),
            None => Err(Gap::Failed(format!("`{other}` is not a number"))),
        },
    }
}

/// `90s`, `10m`, `1h30m`, `2d` in seconds.
pub(super) fn seconds(s: &str) -> Result<i64, Gap> {
    let bad = || Gap::Failed(format!("`{s}` is not a duration: write 90s, 10m, 1h30m, 2d"));
    let mut rest = s.trim();
    let mut total: i64 = 0;
    if rest.is_empty() {
        return Err(bad());
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let count: i64 = rest[..digits].parse().map_err(|_| bad())?;
        let unit = match rest[digits..].bytes().next() {
            Some(b's') => 1,
            Some(b'm') => 60,
            Some(b'h') => 3600,
            Some(b'd') => 86400,
            _ => return Err(bad()),
        };
        total = count.checked_mul(unit).and_then(|n| total.checked_add(n)).ok_or_else(bad)?;
        rest = &rest[digits + 1..];
    }
    Ok(total)
}

/// `7.6 GiB`, `512 KiB`: powers of 1024, one decimal, none if it is whole.
pub(super) fn human_bytes(n: f64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    if n.is_infinite() && n > 0.0 {
        return "unlimited".into();
    }
    let mut value = n;
    let mut unit = 0;
    // 1023.97 would be shown as 1024.
    while (value.abs() * 10.0).round() >= 10240.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let digits = format!("{value:.1}");
    format!("{} {}", digits.strip_suffix(".0").unwrap_or(&digits), UNITS[unit])
}

/// The items of a list that was read as a whole.
fn whole<'a>(items: &Items<'a>, what: &str) -> Result<Vec<Value<'a>>, Gap> {
    if let Some(why) = items.unread().first() {
        return Err(Gap::Unreadable(why.clone()));
    }
    items.iter().map(|item| item.map_err(|missing| Gap::of(missing, || what.to_owned()))).collect()
}

/// The extreme of the arguments, or of the one list.
fn extreme<'a>(args: &[Value<'a>], wanted: Ordering) -> Result<Value<'a>, Gap> {
    let from_list;
    let values = match args {
        [Value::List(items)] => {
            from_list = whole(items, "an item of the list")?;
            &from_list
        }
        other => other,
    };
    let mut values = values.iter();
    let mut best = values.next().ok_or_else(|| Gap::Absent("the extreme of an empty list".into()))?;
    for value in values {
        if numbers_in_order(value, best)? == Some(wanted) {
            best = value;
        }
    }
    Ok(best.clone())
}

fn sum<'a>(items: &Items<'a>) -> Result<Value<'a>, Gap> {
    let mut total: i64 = 0;
    let mut broken: Option<f64> = None;
    for item in whole(items, "an item of the sum")? {
        match (&item, broken) {
            (Value::Int(i), None) => {
                total = total.checked_add(*i).ok_or_else(|| Gap::Failed("the sum is too large".into()))?;
            }
            (_, so_far) => broken = Some(so_far.unwrap_or(total as f64) + number(&item)?),
        }
    }
    match broken {
        None => Ok(Value::Int(total)),
        Some(nan) if nan.is_nan() => Err(Gap::Failed("the sum has no value".into())),
        Some(sum) => Ok(Value::Double(sum)),
    }
}

/// Refuses to make a string that no sentence needs and that would fill the memory.
pub(super) fn short_enough(len: usize) -> Result<(), Gap> {
    match len > MAX_STRING {
        true => Err(Gap::Failed(format!("a string became longer than {} KiB", MAX_STRING >> 10))),
        false => Ok(()),
    }
}

fn substring<'a>(s: &str, from: &Value<'a>, to: Option<&Value<'a>>) -> Result<Value<'a>, Gap> {
    let len = s.chars().count();
    let position = |value: &Value<'a>| match value {
        Value::Int(i) => usize::try_from(*i).ok().filter(|i| *i <= len),
        _ => None,
    };
    let start = position(from);
    let end = to.map_or(Some(len), position);
    match (start, end) {
        (Some(start), Some(end)) if start <= end => {
            Ok(text(s.chars().skip(start).take(end - start).collect::<String>()))
        }
        _ => Err(Gap::Failed(format!("substring lies outside of `{s}`"))),
    }
}

/// A pattern of the `regex` crate: linear time, bounded memory.
pub(super) fn regex(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(pattern).size_limit(1 << 20).build().map_err(|e| {
        let text = e.to_string();
        text.lines().last().unwrap_or(&text).trim_start_matches("error: ").to_owned()
    })
}

/// A shell pattern: `*`, `?`, `[…]`, `{a,b}`; `*` also matches `/`.
pub(super) fn glob(pattern: &str) -> Result<GlobMatcher, String> {
    Glob::new(pattern).map(|g| g.compile_matcher()).map_err(|e| e.kind().to_string())
}
