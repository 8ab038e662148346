//! Templates of a page: those of this folder, and one of somebody's own, which can include them.
//!
//! Templates are Jinja's. All texts are escaped, in templates of any name. What a template asks for and is not there ends the page, so that a
//! misspelt name is found out; a part of the report that may be missing is asked for with `is defined`.

use super::number_style::NumberStyle;
use crate::base::error::{Error, Kind, Result};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use serde::Serialize;

/// Templates that others can include, by name.
const OWN: &[(&str, &str)] = &[
    ("page.html", include_str!("templates/page.html")),
    ("figure.html", include_str!("templates/figure.html")),
    ("style.css", include_str!("templates/style.css")),
];

/// A template of a page, read already: its name for messages, and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageTemplate {
    name: String,
    text: String,
}

impl PageTemplate {
    /// A template with a name for messages, such as the path that it was read from.
    ///
    /// # Errors
    /// When it is no template; the message names the line.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Result<Self> {
        let template = PageTemplate { name: name.into(), text: text.into() };
        environment(Some(&template), NumberStyle::default())?;
        Ok(template)
    }

    /// The template of a file.
    ///
    /// # Errors
    /// When it cannot be read, or is no template.
    pub fn read(path: &std::path::Path) -> Result<Self> {
        let name = path.to_string_lossy();
        let text = std::fs::read_to_string(path).map_err(|e| Error::io("cannot read the template", e).input(name.clone()))?;
        Self::new(name, text)
    }
}

/// A template with what it is rendered from.
pub(super) fn render(template: Option<&PageTemplate>, style: NumberStyle, context: &impl Serialize) -> Result<String> {
    let environment = environment(template, style)?;
    let name = template.map_or("page.html", |template| &template.name);
    let rendered = environment.get_template(name).and_then(|page| page.render(Serde(context)));
    rendered.map_err(|e| failed(&e, template))
}

fn environment<'a>(template: Option<&'a PageTemplate>, style: NumberStyle) -> Result<Environment<'a>> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.map_err(|e| failed(&e, None))?);
    let written = |value: &Value| value.to_string();
    environment.add_filter("number", move |value: Value| style.number(&written(&value)));
    environment.add_filter("amount", move |value: Value| style.amount(&written(&value)));
    environment.add_filter("percent", move |value: Value| style.percent(&written(&value)));
    let added = OWN.iter().try_for_each(|(name, text)| environment.add_template(name, text));
    added.map_err(|e| failed(&e, None))?;
    if let Some(template) = template {
        environment.add_template(&template.name, &template.text).map_err(|e| failed(&e, Some(template)))?;
    }
    Ok(environment)
}

/// What went wrong in which line of which template.
fn failed(error: &minijinja::Error, template: Option<&PageTemplate>) -> Error {
    // What an included template failed of is the cause of the including one's failure.
    let mut innermost = error;
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        innermost = cause.downcast_ref().unwrap_or(innermost);
        next = cause.source();
    }
    let detail = innermost.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
    let what = format!("{}{detail}", innermost.kind());
    let Some(template) = template else { return Error::internal(format!("the page's template fails: {what}")) };
    let name = innermost.name().unwrap_or(&template.name);
    let failed = Error::new(Kind::Usage, format!("the template fails: {what}")).input(name);
    failed.line(innermost.line().and_then(|line| u64::try_from(line).ok()))
}
