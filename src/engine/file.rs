//! A rule file's text: the TOML, not yet understood.

use super::diagnostic::Diagnostic;
use super::embedded::Embedded;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;
use toml::Spanned;

/// The largest rule file. The largest shipped one has some 10 KiB.
pub const MAX_FILE: u64 = 256 << 10;

/// A rule file: its id, where it lies, and its text.
#[derive(Clone, Debug)]
pub struct RuleFile {
    /// The path below the rules directory, without `.toml`: `limits/nofile-above-nr-open`.
    pub id: String,
    /// Where the user finds it.
    pub path: String,
    /// The text.
    pub text: RuleText,
}

/// The text of a rule file. That of a rule that comes with hostvet is not copied out of the program.
#[derive(Clone, Debug)]
pub enum RuleText {
    /// Part of the program.
    Embedded(&'static Embedded),
    /// Read from a file.
    Read(Arc<str>),
}

impl Deref for RuleText {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Embedded(rule) => rule.text,
            Self::Read(text) => text,
        }
    }
}

impl<T: Into<Arc<str>>> From<T> for RuleText {
    fn from(text: T) -> Self {
        Self::Read(text.into())
    }
}

/// A text of a rule; that of a rule that comes with hostvet is not copied out of the program.
pub type Text = Cow<'static, str>;

/// The keys of a rule file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    pub(super) title: Spanned<Text>,
    pub(super) severity: Spanned<Text>,
    #[serde(default)]
    pub(super) tags: Vec<Spanned<Text>>,
    pub(super) each: Option<Spanned<Text>>,
    #[serde(rename = "as")]
    pub(super) item_name: Option<Spanned<Text>>,
    pub(super) item: Option<Spanned<Text>>,
    pub(super) when: Option<Spanned<Text>>,
    pub(super) not_applicable: Option<Spanned<Text>>,
    pub(super) problem: Spanned<Text>,
    pub(super) message: Spanned<Text>,
    pub(super) why: Spanned<Text>,
    pub(super) remedy: Spanned<Text>,
    #[serde(default)]
    pub(super) references: Vec<Text>,
    #[serde(default, rename = "let")]
    pub(super) lets: BTreeMap<Spanned<Text>, Spanned<Text>>,
    #[serde(default)]
    pub(super) params: BTreeMap<String, Spanned<toml::Value>>,
    #[serde(default, rename = "case")]
    pub(super) cases: Vec<Spanned<RawCase>>,
}

/// The keys of a case.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCase {
    pub(super) name: String,
    pub(super) target: Option<Spanned<String>>,
    pub(super) assume: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) files: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) binary: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    pub(super) links: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) directories: Vec<String>,
    #[serde(default)]
    pub(super) denied: Vec<String>,
    #[serde(default)]
    pub(super) modes: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    pub(super) owners: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    pub(super) sizes: BTreeMap<String, u64>,
    #[serde(default)]
    pub(super) space: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    pub(super) answers: BTreeMap<Spanned<String>, Spanned<String>>,
    #[serde(default)]
    pub(super) earlier: BTreeMap<String, String>,
    pub(super) seconds: Option<Spanned<f64>>,
    #[serde(default)]
    pub(super) deep: bool,
    #[serde(default)]
    pub(super) params: BTreeMap<String, toml::Value>,
    pub(super) severity: Option<Spanned<String>>,
    pub(super) reason: Option<String>,
    pub(super) remedy: Option<String>,
    pub(super) expect: Spanned<Expect>,
}

/// What a case expects: a word or one message, or several messages.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Expect {
    One(String),
    Messages(Vec<String>),
}

impl RuleFile {
    /// The keys. Without cases the text is read only up to the first of them, which is most of the work.
    pub(super) fn read(&self, with_cases: bool) -> Result<Raw, Box<Diagnostic>> {
        if !with_cases {
            // A file that breaks before its cases is told of in full below.
            if let Some(end) = self.text.find("\n[[case]]")
                && let Ok(raw) = toml::from_str(&self.text[..=end])
            {
                return Ok(raw);
            }
        }
        toml::from_str(&self.text).map_err(|error| Box::new(self.toml_error(&error)))
    }

    fn toml_error(&self, error: &toml::de::Error) -> Diagnostic {
        let message = error.message().to_owned();
        let help = unknown_key(&message);
        self.diagnostic(error.span().unwrap_or(0..0), message, help)
    }

    /// A mistake in this file.
    pub(super) fn diagnostic(
        &self,
        span: std::ops::Range<usize>,
        message: impl Into<String>,
        help: Option<String>,
    ) -> Diagnostic {
        Diagnostic {
            path: self.path.clone(),
            source: Arc::from(&*self.text),
            span,
            message: message.into(),
            help,
        }
    }
}

/// The nearest known key, out of serde's "unknown field `x`, expected one of `a`, `b`".
pub fn unknown_key(message: &str) -> Option<String> {
    let mut quoted = message.strip_prefix("unknown field ")?.split('`').skip(1).step_by(2);
    let wrong = quoted.next()?;
    super::check::nearest(wrong, quoted).map(|key| format!("did you mean `{key}`?"))
}
