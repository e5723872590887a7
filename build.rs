//! Embeds the rules: every `rules/<area>/<name>.toml` becomes an entry of a sorted list, its text and its keys.
//!
//! What an entry means is told in `src/engine/embedded.rs`. A file that is no rule keeps its text only: the program tells what
//! is wrong with it, as with a file of the user's.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};
use toml::{Spanned, Value};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    title: String,
    severity: String,
    #[serde(default)]
    tags: Vec<String>,
    each: Option<String>,
    r#as: Option<String>,
    item: Option<String>,
    when: Option<String>,
    not_applicable: Option<String>,
    problem: String,
    message: String,
    why: String,
    remedy: String,
    #[serde(default)]
    references: Vec<String>,
    #[serde(default)]
    r#let: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    params: BTreeMap<String, Value>,
    #[serde(default, rename = "case")]
    _cases: Vec<Value>,
}

fn main() -> io::Result<()> {
    let root = env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?;
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    println!("cargo:rerun-if-changed=rules");
    let mut files = Vec::new();
    for area in fs::read_dir(Path::new(&root).join("rules"))? {
        let area = area?;
        if !area.file_type()?.is_dir() {
            continue;
        }
        println!("cargo:rerun-if-changed={}", area.path().display());
        for file in fs::read_dir(area.path())? {
            let path = file?.path();
            if path.extension().is_some_and(|e| e == "toml") {
                let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                files.push((format!("{}/{name}", area.file_name().to_string_lossy()), path));
            }
        }
    }
    files.sort();
    let mut list = String::from("&[\n");
    for (id, path) in files {
        let keys = toml::from_str(&fs::read_to_string(&path)?).ok().and_then(|keys| keys_of(&keys));
        let keys = keys.map_or("None".to_owned(), |keys| format!("Some({keys})"));
        writeln!(list, "Embedded {{ id: {id:?}, text: include_str!({path:?}), keys: {keys} }},")
            .map_err(io::Error::other)?;
    }
    list.push_str("]\n");
    fs::write(Path::new(&out).join("rules.rs"), list)
}

/// The keys as Rust; `None` where a parameter is of a kind that none can be.
fn keys_of(keys: &Keys) -> Option<String> {
    let mut lets: Vec<_> = keys.r#let.iter().collect();
    lets.sort_by_key(|(_, text)| text.span().start);
    let lets: Vec<_> = lets.into_iter().map(|(name, text)| (name, text.get_ref())).collect();
    let params = keys.params.iter().map(|(name, value)| Some(format!("({name:?}, {})", literal(value)?)));
    Some(format!(
        "Keys {{ title: {:?}, severity: {:?}, tags: &{:?}, each: {:?}, item_name: {:?}, item: {:?}, when: {:?}, \
         not_applicable: {:?}, problem: {:?}, message: {:?}, why: {:?}, remedy: {:?}, references: &{:?}, \
         lets: &{lets:?}, params: &[{}] }}",
        keys.title,
        keys.severity,
        keys.tags,
        keys.each,
        keys.r#as,
        keys.item,
        keys.when,
        keys.not_applicable,
        keys.problem,
        keys.message,
        keys.why,
        keys.remedy,
        keys.references,
        params.collect::<Option<Vec<_>>>()?.join(", "),
    ))
}

fn literal(value: &Value) -> Option<String> {
    Some(match value {
        Value::Boolean(bool) => format!("Literal::Bool({bool})"),
        Value::Integer(int) => format!("Literal::Int({int})"),
        Value::Float(double) if double.is_finite() => format!("Literal::Double({double:?})"),
        Value::String(text) => format!("Literal::Str({text:?})"),
        Value::Array(items) => {
            format!("Literal::List(&[{}])", items.iter().map(literal).collect::<Option<Vec<_>>>()?.join(", "))
        }
        _ => return None,
    })
}
