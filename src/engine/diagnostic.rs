//! Mistakes in rule and configuration files, shown where they stand.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A mistake in a file: what, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file, as the user knows it.
    pub path: String,
    /// Its whole text; empty where it could not be read.
    pub source: Arc<str>,
    /// The bytes at fault.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// The line of the mistake, from 1.
    pub fn line(&self) -> usize {
        1 + self.source.as_bytes()[..self.span.start.min(self.source.len())]
            .iter()
            .filter(|b| **b == b'\n')
            .count()
    }

    /// The mistake with the lines around it and a caret under the place.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        if self.source.is_empty() {
            const NOTHING: [Snippet<'_, annotate_snippets::Annotation<'_>>; 0] = [];
            let title = format!("{}: {}", self.path, self.message);
            return renderer.render(&[Level::ERROR.primary_title(title.as_str()).elements(NOTHING)]);
        }
        let end = self.span.end.min(self.source.len());
        let span = self.span.start.min(end)..end;
        let snippet = Snippet::source(&*self.source)
            .path(self.path.as_str())
            .annotation(AnnotationKind::Primary.span(span));
        let mut report = Level::ERROR.primary_title(self.message.as_str()).element(snippet);
        if let Some(help) = &self.help {
            report = report.element(Level::HELP.message(help.as_str()));
        }
        renderer.render(&[report])
    }
}

/// One line, for logs: `path:line: message (help)`.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line(), self.message)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}
