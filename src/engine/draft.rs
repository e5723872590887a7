//! A rule between its file and its use: the texts are parsed, names and types are not yet checked.

use super::check::{Names, Param, check, check_as, nearest};
use super::diagnostic::Diagnostic;
use super::file::{Raw, RuleFile, Text};
use super::node::{Node, NodeKind, Program};
use super::rule::{About, Rule, SeverityOf};
use super::severity::Severity;
use super::spans::Spans;
use super::syntax::{Expr, ExprError, ExprKind, parse};
use super::template::{Draft as TemplateDraft, parse_template};
use super::ty::Ty;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use toml::Spanned;

/// An expression in a rule file, parsed.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) text: Arc<str>,
    pub(super) expr: Expr,
    spans: Spans,
}

impl Source {
    /// The place in the file of a place in the expression.
    pub(super) fn place(&self, span: &Range<usize>) -> Range<usize> {
        self.spans.map(span)
    }
}

/// A name of `[let]`, and what it stands for.
type Let = (Text, Source);

/// A template in a rule file, parsed.
#[derive(Clone, Debug)]
struct Sentence {
    draft: TemplateDraft,
    spans: Spans,
}

/// A rule whose texts are parsed, but whose names and types are not checked yet. Mutations change its trees.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) file: RuleFile,
    pub(super) raw: Raw,
    pub(super) each: Option<Source>,
    pub(super) when: Option<Source>,
    pub(super) problem: Source,
    pub(super) severity: SeverityOf<Source>,
    pub(super) lets: Vec<Let>,
    item: Option<Sentence>,
    not_applicable: Option<Sentence>,
    told: Option<(Sentence, Sentence)>,
    params: BTreeMap<String, Param>,
}

/// How much of a rule file is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// What decides whether there is a problem: neither message nor remedy, nor the names only they use.
    Deciding,
    /// All but its cases.
    Whole,
    /// Its cases too.
    WithCases,
}

/// Values for `[params]` that the user set.
pub type Overrides = BTreeMap<String, toml::Value>;

type Found<T> = Result<T, Box<Diagnostic>>;

impl Draft {
    /// Reads a rule file.
    pub(super) fn read(file: RuleFile, extent: Extent) -> Found<Self> {
        let raw = file.read(extent == Extent::WithCases)?;
        Self::of(file, raw, extent)
    }

    /// Reads the expressions of keys that were read.
    pub(super) fn of(file: RuleFile, raw: Raw, extent: Extent) -> Found<Self> {
        let source = |text: &Spanned<Text>| parsed(&file, text);
        let sentence = |text: &Spanned<Text>| sentence(&file, text);
        let severity = match Severity::of(raw.severity.get_ref()) {
            Some(severity) => SeverityOf::Always(severity),
            None => SeverityOf::Computed(source(&raw.severity)?),
        };
        let params = raw.params.iter().map(|(name, value)| {
            let param = Param::of(value.get_ref()).ok_or_else(|| {
                Box::new(file.diagnostic(
                    value.span(),
                    "a parameter is a bool, number, string or list of these",
                    None,
                ))
            });
            Ok((name.clone(), param?))
        });
        let mut draft = Self {
            each: raw.each.as_ref().map(source).transpose()?,
            when: raw.when.as_ref().map(source).transpose()?,
            problem: source(&raw.problem)?,
            severity,
            lets: Vec::new(),
            item: raw.item.as_ref().map(sentence).transpose()?,
            not_applicable: raw.not_applicable.as_ref().map(sentence).transpose()?,
            told: match extent {
                Extent::Deciding => None,
                Extent::Whole | Extent::WithCases => Some((sentence(&raw.message)?, sentence(&raw.remedy)?)),
            },
            params: params.collect::<Found<_>>()?,
            raw,
            file,
        };
        draft.read_lets(extent)?;
        Ok(draft)
    }

    /// Reads the names of `[let]`. A name is made of names before it only, so the last ones are asked first who uses them.
    fn read_lets(&mut self, extent: Extent) -> Found<()> {
        let mut lets: Vec<_> = self.raw.lets.iter().collect();
        lets.sort_by_key(|(_, text)| std::cmp::Reverse(text.span().start));
        for (name, text) in lets {
            if extent != Extent::Deciding || self.mentions(name.get_ref()) {
                self.lets.push((name.get_ref().clone(), parsed(&self.file, text)?));
            }
        }
        self.lets.reverse();
        Ok(())
    }

    /// Whether anything that was read so far uses this name.
    fn mentions(&self, name: &str) -> bool {
        let severity = match &self.severity {
            SeverityOf::Computed(source) => Some(source),
            SeverityOf::Always(_) => None,
        };
        let lets = self.lets.iter().map(|(_, source)| source);
        let sources = [&self.each, &self.when].into_iter().flatten().chain([&self.problem]);
        let sentences = [&self.item, &self.not_applicable].into_iter().flatten();
        sources.chain(severity).chain(lets).any(|source| source.expr.mentions(name))
            || sentences.flat_map(|sentence| sentence.draft.exprs()).any(|expr| expr.mentions(name))
    }

    /// Checks the rule, with the user's values for its parameters.
    pub(super) fn compile(&self, overrides: &Overrides) -> Found<Rule> {
        let mut names = Names::new(self.params_with(overrides)?, self.told.is_none());
        let (shared, asking_item) = self.ordered_lets();
        let mut lets = self.lets(&shared, &mut names)?;
        let each = self.each(&mut names)?;
        lets.extend(self.lets(&asking_item, &mut names)?);
        let error = |spans: &Spans, e: ExprError| Box::new(diagnostic(&self.file, spans, e));
        let expr = |source: &Source| check(&source.expr, &names).map_err(|e| error(&source.spans, e));
        let is_bool = |ty: &Ty| matches!(ty, Ty::Bool);
        let truth = |source: &Source| {
            let root =
                check_as(&source.expr, &names, is_bool, "a bool").map_err(|e| error(&source.spans, e))?;
            Found::Ok(Program { text: source.text.clone(), root })
        };
        let fill = |s: &Sentence| s.draft.check(&names).map_err(|e| error(&s.spans, e));
        let not_applicable = self.not_applicable.as_ref().map(fill).transpose()?;
        // What names the item cannot be said before there is one.
        let (not_applicable, not_applicable_item) = match not_applicable {
            Some(said) if each.is_some() && said.programs().any(|p| asks_item(&p.root, shared.len())) => {
                (None, Some(said))
            }
            said => (said.clone(), said),
        };
        let when = self.when.as_ref().map(truth).transpose()?;
        let (when_item, when_once) = split(when, shared.len(), each.is_some());
        let problem = truth(&self.problem)?;
        let (severity, worst) = match &self.severity {
            SeverityOf::Always(severity) => (SeverityOf::Always(*severity), *severity),
            SeverityOf::Computed(source) => {
                let worst = worst(&source.expr).map_err(|e| error(&source.spans, e))?;
                let program = Program { text: source.text.clone(), root: expr(source)? };
                (SeverityOf::Computed(program), worst)
            }
        };
        let rule = Rule {
            about: Arc::new(self.about(worst)),
            each,
            when_once,
            when_item,
            problem,
            severity,
            item: self.item.as_ref().map(fill).transpose()?,
            not_applicable,
            not_applicable_item,
            told: match &self.told {
                Some((message, remedy)) => Some((fill(message)?, fill(remedy)?)),
                None => None,
            },
            abridged: None,
            lets,
            let_names: shared.iter().chain(&asking_item).map(|(name, _)| name.clone()).collect(),
            shared: shared.len(),
        };
        Ok(rule)
    }

    fn about(&self, worst: Severity) -> About {
        let raw = &self.raw;
        About {
            id: self.file.id.clone(),
            title: raw.title.get_ref().clone(),
            tags: raw.tags.iter().map(|t| t.get_ref().clone()).collect(),
            why: trimmed(&raw.why),
            remedy: trimmed(&raw.remedy),
            problem: flat(&raw.problem),
            when: raw.when.as_ref().map(flat),
            each: raw.item_name.as_ref().zip(raw.each.as_ref()).map(|(name, list)| (flat(name), flat(list))),
            severity: flat(&raw.severity),
            worst,
            params: raw.params.iter().map(|(k, v)| (k.clone(), v.get_ref().to_string())).collect(),
            references: raw.references.clone(),
        }
    }

    fn params_with(&self, overrides: &Overrides) -> Found<BTreeMap<String, Param>> {
        let mut params = self.params.clone();
        for (name, value) in overrides {
            // The mistake is in the configuration, of which this is what matters.
            let written = format!("[params.\"{}\"]\n{name} = {value}\n", self.file.id);
            let wrong = |message: String, help: Option<String>| {
                let start = written.find('\n').map_or(0, |end| end + 1);
                Box::new(Diagnostic {
                    path: "configuration".to_owned(),
                    span: start..written.len() - 1,
                    source: written.as_str().into(),
                    message,
                    help,
                })
            };
            let Some(known) = params.get_mut(name) else {
                let help = nearest(name, self.params.keys().map(String::as_str))
                    .map(|n| format!("did you mean `{n}`?"));
                return Err(wrong(format!("{} has no parameter `{name}`", self.file.id), help));
            };
            let fits = Param::of(value).filter(|new| same_kind(known, new));
            *known = fits.ok_or_else(|| {
                let message = format!("`{value}` does not fit the parameter `{name}` of {}", self.file.id);
                wrong(message, Some(format!("it is {} by default", self.raw.params[name].get_ref())))
            })?;
        }
        Ok(params)
    }

    /// Checks `each`, and enters the item's name.
    fn each(&self, names: &mut Names) -> Found<Option<Program>> {
        let file = &self.file;
        let (source, name) = match (&self.each, &self.raw.item_name) {
            (None, None) => return Ok(None),
            (None, Some(name)) => {
                return Err(Box::new(file.diagnostic(
                    name.span(),
                    "`as` names an item, but there is no `each`",
                    None,
                )));
            }
            (Some(_), None) => {
                let span = self.raw.each.as_ref().map_or(0..0, Spanned::span);
                let help = Some("write as = \"entry\", say".to_owned());
                return Err(Box::new(file.diagnostic(span, "`each` needs a name for the item", help)));
            }
            (Some(source), Some(name)) => (source, name),
        };
        let is_list = |ty: &Ty| matches!(ty, Ty::List(_) | Ty::Map(_));
        let root = check_as(&source.expr, names, is_list, "a list")
            .map_err(|e| Box::new(diagnostic(file, &source.spans, e)))?;
        let item = match &root.ty {
            Ty::List(of) => (**of).clone(),
            _ => Ty::Str,
        };
        refuse_taken(file, names, name.get_ref(), name.span())?;
        names.slots.push((name.get_ref().to_string(), item));
        Ok(Some(Program { text: source.text.clone(), root }))
    }

    /// The names of `[let]`: first those that are the same for every item, then those that depend on it; in the order of
    /// the file within each.
    fn ordered_lets(&self) -> (Vec<&Let>, Vec<&Let>) {
        let mut asking: Vec<&str> = self.raw.item_name.iter().map(|name| &**name.get_ref()).collect();
        self.lets.iter().partition(|(name, source)| {
            let asks = asking.iter().any(|asked| source.expr.mentions(asked));
            if asks {
                asking.push(name);
            }
            !asks
        })
    }

    /// Checks names of `[let]`, and enters them.
    fn lets(&self, lets: &[&Let], names: &mut Names) -> Found<Vec<Program>> {
        let mut programs = Vec::new();
        for (name, source) in lets {
            let span = self.raw.lets.keys().find(|k| k.get_ref() == name).map_or(0..0, Spanned::span);
            refuse_taken(&self.file, names, name, span)?;
            let root =
                check(&source.expr, names).map_err(|e| Box::new(diagnostic(&self.file, &source.spans, e)))?;
            names.add_let(name, &root);
            programs.push(Program { text: source.text.clone(), root });
        }
        Ok(programs)
    }
}

/// A text without blanks around it.
fn trimmed(text: &Spanned<Text>) -> Text {
    match text.get_ref() {
        Cow::Borrowed(text) => text.trim().into(),
        Cow::Owned(text) => text.trim().to_owned().into(),
    }
}

/// An expression on one line.
fn flat(text: &Spanned<Text>) -> Text {
    let text = trimmed(text);
    match text.contains("  ") || text.contains(['\n', '\t', '\r']) {
        true => text.split_whitespace().collect::<Vec<_>>().join(" ").into(),
        false => text,
    }
}

fn parsed(file: &RuleFile, text: &Spanned<Text>) -> Found<Source> {
    let spans = Spans::new(file.text.clone(), text.span(), text.get_ref().len());
    let expr = parse(text.get_ref()).map_err(|e| Box::new(diagnostic(file, &spans, e)))?;
    Ok(Source { text: (**text.get_ref()).into(), expr, spans })
}

fn sentence(file: &RuleFile, text: &Spanned<Text>) -> Found<Sentence> {
    let spans = Spans::new(file.text.clone(), text.span(), text.get_ref().len());
    let draft =
        parse_template(text.get_ref().trim_end()).map_err(|e| Box::new(diagnostic(file, &spans, e)))?;
    Ok(Sentence { draft, spans })
}

fn diagnostic(file: &RuleFile, spans: &Spans, error: ExprError) -> Diagnostic {
    file.diagnostic(spans.map(&error.span), error.message, error.help)
}

fn refuse_taken(file: &RuleFile, names: &Names, name: &str, span: Range<usize>) -> Found<()> {
    if names.is_taken(name) {
        let help = Some("choose another name".to_owned());
        return Err(Box::new(file.diagnostic(span, format!("`{name}` means something already"), help)));
    }
    if !name.starts_with(|c: char| c.is_ascii_lowercase())
        || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    {
        return Err(Box::new(file.diagnostic(span, format!("`{name}` is no snake_case name"), None)));
    }
    Ok(())
}

/// The conjuncts of `when`: those that depend on the item, and those that do not.
fn split(when: Option<Program>, shared: usize, has_item: bool) -> (Vec<Program>, Vec<Program>) {
    let Some(when) = when else { return Default::default() };
    let parts = match when.root.kind {
        NodeKind::And(parts) => parts,
        kind => vec![Node { kind, ..when.root }],
    };
    let programs = parts.into_iter().map(|root| Program { text: when.text.clone(), root });
    programs.partition(|program| has_item && asks_item(&program.root, shared))
}

/// Whether an expression depends on the item; all names of `[let]` but the first `shared` do.
fn asks_item(node: &Node, shared: usize) -> bool {
    node.any(&mut |node| match node.kind {
        NodeKind::Slot(0) => true,
        NodeKind::Let(position) => position >= shared,
        _ => false,
    })
}

/// The worst severity that an expression can give: its branches must be the words themselves.
fn worst(expr: &Expr) -> Result<Severity, ExprError> {
    match &expr.kind {
        ExprKind::Cond(_, yes, no) => Ok(worst(yes)?.max(worst(no)?)),
        ExprKind::Str(word) => Severity::of(word).ok_or_else(|| {
            ExprError::new(expr.span.clone(), format!("`{word}` is no severity"))
                .help("it is critical, warning or info")
        }),
        _ => Err(ExprError::new(expr.span.clone(), "a severity is 'critical', 'warning' or 'info'")
            .help("or a choice of these: percent(a, b) >= params.critical ? 'critical' : 'warning'")),
    }
}

fn same_kind(a: &Param, b: &Param) -> bool {
    match (a, b) {
        (Param::Int(_) | Param::Double(_), Param::Int(_) | Param::Double(_))
        | (Param::Bool(_), Param::Bool(_))
        | (Param::Str(_), Param::Str(_)) => true,
        (Param::List(a), Param::List(b)) => match (a.first(), b.first()) {
            (Some(a), Some(b)) => same_kind(a, b),
            _ => true,
        },
        _ => false,
    }
}
