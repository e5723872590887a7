//! `hostvet facts`: what is known of a host, and what can be asked.

use super::{Failure, Status, Terminal, host};
use crate::fact::{self, Facts, Kind};
use crate::model::{Type, View, json, type_schema};
use crate::report::{facts_markdown, printable};
use crate::source::Missing;
use serde_json::{Map, Value};
use std::io::Write;

/// Arguments of `facts`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The facts to show; all if none is named
    names: Vec<String>,
    /// Vet the root tree in this directory, not this host
    #[arg(long, value_name = "DIR")]
    root: Option<std::path::PathBuf>,
    /// What the bytes of a tree cannot tell: memory=8GiB,cpus=4,platform=kvm
    #[arg(long, value_name = "KEY=VALUE,…")]
    assume: Option<String>,
    /// Describe the facts: fields, types, units, where they are read
    #[arg(long, conflicts_with_all = ["root", "assume"])]
    describe: bool,
    /// Print the JSON Schema of the facts
    #[arg(long, conflicts_with_all = ["describe", "root", "assume"])]
    schema: bool,
}

pub(super) fn run(args: &Args, terminal: &mut Terminal) -> Result<Status, Failure> {
    let kinds = chosen(&args.names)?;
    if args.describe {
        write!(terminal.out, "{}", facts_markdown(&kinds))?;
        return Ok(Status::Clean);
    }
    let document = if args.schema { schema(&kinds) } else { values(args, &kinds)? };
    // Values come from the vetted host, which may be hostile: JSON escapes the controls of ASCII, this the rest.
    let text = serde_json::to_string_pretty(&document).map_err(std::io::Error::other)?;
    writeln!(terminal.out, "{}", printable(&text))?;
    Ok(Status::Clean)
}

fn chosen(names: &[String]) -> Result<Vec<Kind>, Failure> {
    if names.is_empty() {
        return Ok(fact::kinds().to_vec());
    }
    let find = |name: &String| {
        fact::position(name).map(|i| fact::kinds()[i]).ok_or_else(|| {
            let near = crate::engine::nearest(name, fact::kinds().iter().map(|k| k.name));
            let hint = near.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
            Failure::Usage(format!("there is no fact `{name}`{hint}"))
        })
    };
    names.iter().map(find).collect()
}

fn values(args: &Args, kinds: &[Kind]) -> Result<Value, Failure> {
    let host = host::HostArgs { target: args.root.clone(), assume: args.assume.clone() };
    let facts = Facts::new(host.host(None)?);
    let mut document = Map::new();
    for kind in kinds {
        let found = fact::position(kind.name).map_or(Err(Missing::Absent), |i| facts.get(i));
        document.insert(kind.name.into(), json(found.map(View::Record)));
    }
    Ok(Value::Object(document))
}

fn schema(kinds: &[Kind]) -> Value {
    let mut definitions = Map::new();
    definitions.insert(
        "missing".into(),
        serde_json::json!({
            "description": "null: absent. An object: unreadable, and why.",
            "anyOf": [
                { "type": "null" },
                { "type": "object", "properties": { "unreadable": { "type": "string" } }, "required": ["unreadable"] },
            ],
        }),
    );
    let mut properties = Map::new();
    for kind in kinds {
        properties.insert(kind.name.into(), type_schema(Type::Record(kind.shape), &mut definitions));
    }
    serde_json::json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "hostvet facts",
        "type": "object",
        "properties": properties,
        "$defs": definitions,
    })
}
