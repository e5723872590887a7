//! `hostvet facts`: what is known of a host, and what can be asked.

use super::{Failure, Status, Terminal, host, progress};
use crate::fact::{self, Facts, Kind};
use crate::model::{Shown, Type, View, type_schema};
use crate::report::{PrintableJson, facts_markdown};
use crate::source::Missing;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use std::io::Write;

/// Arguments of `facts`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The facts to show; all if none is named
    names: Vec<String>,
    /// Describe the facts: fields, types, units, where they are read
    #[arg(long, conflicts_with_all = ["root", "assume", "sample"])]
    describe: bool,
    /// Print the JSON Schema of the facts
    #[arg(long, conflicts_with_all = ["describe", "root", "assume", "sample"])]
    schema: bool,
    /// Show those of a TARGET, as `check` takes it, not of this host
    #[arg(long, value_name = "TARGET", help_heading = "Target")]
    root: Option<std::path::PathBuf>,
    #[command(flatten)]
    form: host::FormArgs,
    /// What the bytes of a tree cannot tell: memory=8GiB,cpus=4,platform=kvm
    #[arg(long, value_name = "KEY=VALUE,…", help_heading = "Target")]
    assume: Option<String>,
    #[command(flatten)]
    sample: host::SampleArg,
}

pub(super) fn run(args: &Args, terminal: &mut Terminal) -> Result<Status, Failure> {
    let kinds = chosen(&args.names)?;
    if args.describe {
        write!(terminal.out, "{}", facts_markdown(&kinds))?;
        return Ok(Status::Clean);
    }
    // Values come from the vetted host, which may be hostile: JSON escapes the controls of ASCII, this the rest.
    let out = PrintableJson(&mut terminal.out);
    let written = match args.schema {
        true => serde_json::to_writer_pretty(out, &schema(&kinds)),
        false => serde_json::to_writer_pretty(out, &values(args, kinds)?),
    };
    written.map_err(std::io::Error::from)?;
    writeln!(terminal.out)?;
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

fn values(args: &Args, mut kinds: Vec<Kind>) -> Result<Values, Failure> {
    let host = host::HostArgs {
        target: args.root.clone(),
        form: args.form.clone(),
        assume: args.assume.clone(),
        sample: args.sample,
        deep: false,
    };
    kinds.sort_by_key(|kind| kind.name);
    kinds.dedup_by_key(|kind| kind.name);
    let host = host.host(None)?;
    // Facts are written while they are gathered.
    progress::end();
    Ok(Values { facts: Facts::new(host), kinds })
}

/// The facts of a host, gathered while they are written.
struct Values {
    facts: Facts,
    kinds: Vec<Kind>,
}

impl Serialize for Values {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.kinds.iter().map(|kind| {
            let found = fact::position(kind.name).map_or(Err(Missing::Absent), |i| self.facts.get(i));
            (kind.name, Shown(found.map(View::Record)))
        }))
    }
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
