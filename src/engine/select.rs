//! Which rules to run: globs over ids, and `tag:` words.

use super::check::nearest;
use super::functions::glob;
use super::rule::About;
use globset::GlobMatcher;

/// `--select` and `--ignore`.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    select: Vec<Pattern>,
    ignore: Vec<Pattern>,
}

#[derive(Clone, Debug)]
struct Pattern {
    text: String,
    tag: bool,
    matcher: GlobMatcher,
}

/// A pattern that cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadPattern {
    /// Not a glob.
    #[error("`{0}` is no pattern: {1}")]
    Syntax(String, String),
    /// A glob that no rule meets: most likely misspelt, and never meant to select nothing.
    #[error("no rule matches `{pattern}`; {}", match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`hostvet rules list` shows them all".to_owned(),
    })]
    Nothing {
        /// The pattern.
        pattern: String,
        /// The id that is most like it.
        near: Option<String>,
    },
}

impl Selection {
    /// All rules that meet any of `select` (all rules if there is none), but none of `ignore`.
    pub fn new(select: &[String], ignore: &[String]) -> Result<Self, BadPattern> {
        Ok(Self { select: patterns(select)?, ignore: patterns(ignore)? })
    }

    /// Whether this rule is meant.
    pub fn has(&self, rule: &About) -> bool {
        (self.select.is_empty() || self.select.iter().any(|p| p.meets(rule)))
            && !self.ignore.iter().any(|p| p.meets(rule))
    }

    /// Refuses patterns that no rule meets.
    pub fn check<'r>(&self, rules: impl Iterator<Item = &'r About> + Clone) -> Result<(), BadPattern> {
        match self.select.iter().chain(&self.ignore).find(|p| !rules.clone().any(|rule| p.meets(rule))) {
            Some(pattern) => {
                let near = nearest(&pattern.text, rules.map(|rule| rule.id.as_str())).map(str::to_owned);
                Err(BadPattern::Nothing { pattern: pattern.text.clone(), near })
            }
            None => Ok(()),
        }
    }
}

impl Pattern {
    fn meets(&self, rule: &About) -> bool {
        if self.tag {
            return rule.tags.iter().any(|tag| self.matcher.is_match(&**tag));
        }
        // `limits` means the area, as a directory's name means what is in it.
        self.matcher.is_match(&rule.id) || self.matcher.is_match(rule.area())
    }
}

fn patterns(texts: &[String]) -> Result<Vec<Pattern>, BadPattern> {
    let pattern = |text: &String| {
        let (tag, wanted) = match text.strip_prefix("tag:") {
            Some(tag) => (true, tag),
            None => (false, text.trim_end_matches('/')),
        };
        let matcher = glob(wanted).map_err(|e| BadPattern::Syntax(text.clone(), e))?;
        Ok(Pattern { text: text.clone(), tag, matcher })
    };
    texts.iter().map(pattern).collect()
}
