//! Thousands of random expressions, evaluated here and by the `cel` crate: the results must be the same.
//!
//! Only what both have is generated, and nothing that hostvet refuses or answers otherwise on purpose: no mixing of
//! ints and doubles, no lists of several types, no chained comparisons (`differences.txt` has those). Where one of the
//! two has no value, the other must have none either, but for [`known_difference`].

use crate::support::{Random, host};
use cel::{Context, Program, Value as Cel};
use hostvet::engine::{Expression, Gap, Overrides};
use serde_json::{Value, json};

/// How many expressions are tried.
const ROUNDS: usize = 3000;

/// How deep they are at most.
const DEPTH: usize = 5;

#[test]
fn random_expressions_mean_the_same_to_the_cel_crate() {
    let facts = host(&[]);
    let params: Overrides = toml::from_str(PARAMS).unwrap();
    let mut context = Context::default();
    context.add_variable("params", toml::Value::Table(params.clone().into_iter().collect())).unwrap();
    let mut random = Random(20_240_229);
    let (mut with_value, mut excused) = (0, 0);
    for _ in 0..ROUNDS {
        let kind =
            *random.of(&[Kind::Bool, Kind::Bool, Kind::Int, Kind::Double, Kind::Str, Kind::Ints, Kind::Strs]);
        let text = Generator { random: &mut random, variables: Vec::new() }.expression(kind, DEPTH).text;
        let ours = Expression::parse(&text, &params).unwrap_or_else(|e| panic!("{text}: {e:?}"));
        let ours = ours.evaluate(&facts).value;
        let theirs = Program::compile(&text).unwrap_or_else(|e| panic!("{text}: {e}")).execute(&context);
        with_value += usize::from(ours.is_ok());
        match (&ours, theirs) {
            (Ok(ours), Ok(theirs)) => assert_eq!(*ours, json_of(&theirs), "{text}"),
            (Err(_), Err(_)) => {}
            (ours, theirs) => {
                excused += 1;
                assert!(known_difference(&text, ours), "{text}: {ours:?} here, {theirs:?} there");
            }
        }
    }
    // What has no value compares nothing, and what is excused even less.
    assert!(with_value > ROUNDS * 2 / 3, "only {with_value} of {ROUNDS} have a value");
    assert!(excused < ROUNDS / 30, "{excused} of {ROUNDS} were excused");
}

const PARAMS: &str = "i = 7\nd = 0.25\ns = 'añb'\nyes = true\nis = [3, -1, 3]\n";

/// Whether only one of the two may have a value: see `differences.txt`.
fn known_difference(text: &str, ours: &Result<Value, Gap>) -> bool {
    match ours {
        // More than one is more than one, a list that has the item has it, and two lists differ, whatever else fails;
        // `map` and `filter` leave out the items for which something is absent, such as an index.
        Ok(_) => ["exists_one(", " in ", ".map(", ".filter("].iter().any(|part| text.contains(part)),
        // A double divided by zero.
        Err(gap) => *gap == Gap::Failed("division by zero".into()) && text.contains(" / "),
    }
}

fn json_of(value: &Cel) -> Value {
    match value {
        Cel::Bool(b) => json!(b),
        Cel::Int(i) => json!(i),
        Cel::Float(d) => json!(d),
        Cel::String(s) => json!(**s),
        Cel::List(items) => items.iter().map(json_of).collect(),
        other => panic!("{other:?} is never generated"),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bool,
    Int,
    Double,
    Str,
    Ints,
    Strs,
}

/// How tightly an expression holds together: what is looser than its place asks for goes into parentheses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Choice,
    Or,
    And,
    Comparison,
    Sum,
    Product,
    Unary,
    Member,
}

struct Made {
    text: String,
    level: Level,
}

impl Made {
    fn new(level: Level, text: impl Into<String>) -> Self {
        Self { text: text.into(), level }
    }
}

struct Generator<'r> {
    random: &'r mut Random,
    variables: Vec<(String, Kind)>,
}

impl Generator<'_> {
    /// The text of an expression that stands where this level is wanted.
    fn at(&mut self, level: Level, kind: Kind, depth: usize) -> String {
        let made = self.expression(kind, depth);
        let needless = self.random.below(16) == 0;
        if made.level < level || needless { format!("({})", made.text) } else { made.text }
    }

    fn expression(&mut self, kind: Kind, depth: usize) -> Made {
        if depth == 0 || self.random.below(8) == 0 {
            return self.leaf(kind);
        }
        let below = depth - 1;
        if self.random.below(10) == 0 {
            let condition = self.at(Level::Or, Kind::Bool, below);
            let yes = self.at(Level::Or, kind, below);
            let no = self.at(Level::Choice, kind, below);
            return Made::new(Level::Choice, format!("{condition} ? {yes} : {no}"));
        }
        match kind {
            Kind::Bool => self.bool(below),
            Kind::Int => self.int(below),
            Kind::Double => self.double(below),
            Kind::Str => self.string(below),
            Kind::Ints | Kind::Strs => self.list(kind, below),
        }
    }

    fn leaf(&mut self, kind: Kind) -> Made {
        let known: Vec<_> =
            self.variables.iter().filter(|(_, k)| *k == kind).map(|(name, _)| name.clone()).collect();
        if !known.is_empty() && self.random.below(3) > 0 {
            return Made::new(Level::Member, self.random.of(&known).clone());
        }
        let choices: &[&str] = match kind {
            Kind::Bool => &["true", "false", "params.yes"],
            Kind::Int => &["0", "1", "2", "3", "10", "-1", "-7", "0x1f", "9223372036854775807", "params.i"],
            Kind::Double => &["0.0", "1.0", "0.5", ".5", "-2.25", "1e3", "12.5e-1", "params.d"],
            Kind::Str => &["''", "'a'", "\"ab\"", "'ñ\\u00e9'", "r'\\d'", "'b a'", "'''a'b'''", "params.s"],
            Kind::Ints => &["[]", "[1]", "[3, 1, 2]", "[0, -1,]", "params.is"],
            Kind::Strs => &["['a']", "['a', 'b', 'ab']", "['', 'ñ']"],
        };
        let text = *self.random.of(choices);
        Made::new(if text.starts_with('-') { Level::Unary } else { Level::Member }, text)
    }

    fn bool(&mut self, depth: usize) -> Made {
        match self.random.below(12) {
            0 | 1 => self.chain(Level::And, "&&", depth),
            2 | 3 => self.chain(Level::Or, "||", depth),
            4 => Made::new(Level::Unary, format!("!{}", self.at(Level::Unary, Kind::Bool, depth))),
            5..=7 => {
                let kind = *self.random.of(&[Kind::Int, Kind::Int, Kind::Double, Kind::Str, Kind::Bool]);
                let operator = *self.random.of(&["==", "!=", "<", "<=", ">", ">="]);
                self.binary(Level::Comparison, Level::Sum, kind, operator, depth)
            }
            8 => {
                let (item, list) = *self.random.of(&[(Kind::Int, Kind::Ints), (Kind::Str, Kind::Strs)]);
                let item = self.at(Level::Sum, item, depth);
                Made::new(Level::Comparison, format!("{item} in {}", self.at(Level::Sum, list, depth)))
            }
            9 => {
                let kind = *self.random.of(&[Kind::Ints, Kind::Strs]);
                let operator = *self.random.of(&["==", "!="]);
                self.binary(Level::Comparison, Level::Sum, kind, operator, depth)
            }
            10 => {
                let method = *self.random.of(&["startsWith", "endsWith", "contains"]);
                let (of, part) =
                    (self.at(Level::Member, Kind::Str, depth), self.at(Level::Choice, Kind::Str, 1));
                Made::new(Level::Member, format!("{of}.{method}({part})"))
            }
            _ => {
                let name = *self.random.of(&["all", "exists", "exists_one"]);
                let kind = *self.random.of(&[Kind::Ints, Kind::Strs]);
                self.macro_call(kind, name, Kind::Bool, depth)
            }
        }
    }

    fn int(&mut self, depth: usize) -> Made {
        match self.random.below(10) {
            0..=2 => {
                let operator = *self.random.of(&["+", "-"]);
                self.binary(Level::Sum, Level::Product, Kind::Int, operator, depth)
            }
            3 | 4 => {
                let operator = *self.random.of(&["*", "/", "%"]);
                self.binary(Level::Product, Level::Unary, Kind::Int, operator, depth)
            }
            5 => Made::new(Level::Unary, format!("-{}", self.at(Level::Member, Kind::Int, depth))),
            6 => Made::new(Level::Member, format!("size({})", self.at(Level::Choice, Kind::Str, depth))),
            7 => Made::new(Level::Member, format!("{}.size()", self.at(Level::Member, Kind::Ints, depth))),
            8 => Made::new(Level::Member, format!("int({})", self.at(Level::Choice, Kind::Double, depth))),
            _ => {
                let list = self.at(Level::Member, Kind::Ints, depth);
                Made::new(Level::Member, format!("{list}[{}]", self.random.below(3)))
            }
        }
    }

    fn double(&mut self, depth: usize) -> Made {
        match self.random.below(4) {
            0 | 1 => {
                let operator = *self.random.of(&["+", "-"]);
                self.binary(Level::Sum, Level::Product, Kind::Double, operator, depth)
            }
            2 => {
                let operator = *self.random.of(&["*", "*", "/"]);
                self.binary(Level::Product, Level::Unary, Kind::Double, operator, depth)
            }
            _ => Made::new(Level::Member, format!("double({})", self.at(Level::Choice, Kind::Int, depth))),
        }
    }

    fn string(&mut self, depth: usize) -> Made {
        match self.random.below(4) {
            0 | 1 => self.binary(Level::Sum, Level::Product, Kind::Str, "+", depth),
            2 => Made::new(Level::Member, format!("string({})", self.at(Level::Choice, Kind::Int, depth))),
            _ => {
                let list = self.at(Level::Member, Kind::Strs, depth);
                Made::new(Level::Member, format!("{list}[{}]", self.random.below(2)))
            }
        }
    }

    fn list(&mut self, kind: Kind, depth: usize) -> Made {
        let item = if kind == Kind::Ints { Kind::Int } else { Kind::Str };
        match self.random.below(6) {
            0 | 1 => {
                let items: Vec<_> =
                    (0..1 + self.random.below(3)).map(|_| self.at(Level::Choice, item, depth)).collect();
                Made::new(Level::Member, format!("[{}]", items.join(", ")))
            }
            2 => self.binary(Level::Sum, Level::Product, kind, "+", depth),
            3 => self.macro_call(kind, "filter", Kind::Bool, depth),
            4 => {
                let over = *self.random.of(&[Kind::Ints, Kind::Strs]);
                self.macro_call(over, "map", item, depth)
            }
            _ => {
                let over = self.at(Level::Member, kind, depth);
                let name = self.enter(item);
                let test = self.at(Level::Choice, Kind::Bool, depth.min(2));
                let make = self.at(Level::Choice, item, depth.min(2));
                self.variables.pop();
                Made::new(Level::Member, format!("{over}.map({name}, {test}, {make})"))
            }
        }
    }

    fn binary(&mut self, level: Level, right: Level, kind: Kind, operator: &str, depth: usize) -> Made {
        // Comparisons do not follow one another here; all else leans to the left.
        let left = if level == Level::Comparison { Level::Sum } else { level };
        let (left, right) = (self.at(left, kind, depth), self.at(right, kind, depth));
        Made::new(level, format!("{left} {operator} {right}"))
    }

    fn chain(&mut self, level: Level, operator: &str, depth: usize) -> Made {
        let part = if level == Level::And { Level::Comparison } else { Level::And };
        let parts: Vec<_> = (0..2 + self.random.below(3)).map(|_| self.at(part, Kind::Bool, depth)).collect();
        Made::new(level, parts.join(&format!(" {operator} ")))
    }

    fn macro_call(&mut self, over: Kind, name: &str, gives: Kind, depth: usize) -> Made {
        let list = self.at(Level::Member, over, depth);
        let variable = self.enter(if over == Kind::Ints { Kind::Int } else { Kind::Str });
        let body = self.at(Level::Choice, gives, depth.min(3));
        self.variables.pop();
        Made::new(Level::Member, format!("{list}.{name}({variable}, {body})"))
    }

    fn enter(&mut self, kind: Kind) -> String {
        let name = format!("v{}", self.variables.len());
        self.variables.push((name.clone(), kind));
        name
    }
}
