//! An expression by itself, outside of any rule: for libraries, and for the tests of the language.

use super::check::{Names, Param, check};
use super::draft::Overrides;
use super::eval::{Evidence, Judgement, SharedNames};
use super::node::Program;
use super::syntax::{ExprError, parse};
use super::value::Gap;
use crate::fact::Facts;
use std::cell::Cell;

/// An expression whose names and types are known, ready to be evaluated.
///
/// ```
/// use hostvet::engine::Expression;
/// use hostvet::fact::Facts;
/// use hostvet::source::{Files, Host, Target};
///
/// let mut files = Files::new();
/// files.file("/proc/sys/fs/file-nr", "900\t0\t1000\n");
/// let facts = Facts::new(Host::new(files, Target::live()));
///
/// let params = [("most".to_owned(), 80.into())].into();
/// let full = Expression::parse("percent(files.allocated, files.max) > params.most", &params)?;
/// let answer = full.evaluate(&facts);
/// assert_eq!(answer.value, Ok(true.into()));
/// assert_eq!(answer.evidence[0].expr, "files.allocated");
/// # Ok::<_, hostvet::engine::syntax::ExprError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Expression(Program);

/// What an expression said of one host.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The value, or why there is none. A list of which parts could not be read has
    /// `{"unreadable": "path: reason"}` in their place.
    pub value: Result<serde_json::Value, Gap>,
    /// What was read on the way and decided, in order.
    pub evidence: Vec<Evidence>,
}

impl Expression {
    /// Parses and checks an expression; `params` are the constants it knows as `params.NAME`.
    pub fn parse(text: &str, params: &Overrides) -> Result<Self, ExprError> {
        let param = |(name, value): (&String, &toml::Value)| {
            let wrong = || format!("the parameter `{name}` is no bool, number, string or list of these");
            let param = Param::of(value).ok_or_else(|| ExprError::new(0..0, wrong()))?;
            Ok((name.clone(), param))
        };
        let params = params.iter().map(param).collect::<Result<_, ExprError>>()?;
        let root = check(&parse(text)?, &Names::new(params, false))?;
        Ok(Self(Program { text: text.into(), root }))
    }

    /// Its type, as error messages name it: `int`, `list(string)`.
    pub fn type_name(&self) -> String {
        self.0.root.ty.to_string()
    }

    /// Its value on a host.
    pub fn evaluate(&self, facts: &Facts) -> Answer {
        let steps = Cell::new(0);
        let names = SharedNames::new(&[], 0);
        let judgement = Judgement::new(facts, &names, None, &steps, true);
        let value = judgement.eval(&self.0).map(|value| value.json());
        Answer { value, evidence: judgement.into_evidence() }
    }
}
