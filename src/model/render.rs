//! Facts as JSON, and their types as JSON Schema.

use super::{Shape, Type, View};
use crate::source::{Missing, Reading};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::{Map as Object, Value, json};

/// A number as people read it: at most two decimals, none if it is whole, `unlimited` for infinity.
pub fn render_double(number: f64) -> String {
    if number.is_infinite() && number > 0.0 {
        return "unlimited".into();
    }
    let text = format!("{number:.2}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// A fact's value as JSON. What is absent is `null`; what is unreadable is `{"unreadable": "path: reason"}`.
pub fn json(reading: Reading<View<'_>>) -> Value {
    match reading {
        Ok(View::Bool(b)) => b.into(),
        Ok(View::Int(i)) => i.into(),
        Ok(View::Double(d)) if d.is_finite() => d.into(),
        Ok(View::Double(d)) => render_double(d).into(),
        Ok(View::Str(s) | View::Text(s)) => s.into_owned().into(),
        Ok(View::List(list)) => {
            let items = (0..list.len()).map(|i| json(list.get(i)));
            let unread = list.unread().iter().map(|why| json!({ "unreadable": why.to_string() }));
            items.chain(unread).collect()
        }
        Ok(View::Map(map)) => {
            Value::Object(map.keys().into_iter().map(|k| (k.to_owned(), json(map.get(k)))).collect())
        }
        Ok(View::Record(record)) => {
            let fields = record.shape().fields.iter().enumerate();
            Value::Object(fields.map(|(i, f)| (f.name.to_owned(), json(record.get(i)))).collect())
        }
        Err(Missing::Absent) => Value::Null,
        Err(Missing::Unreadable(why)) => json!({ "unreadable": why.to_string() }),
    }
}

/// The same JSON while it is written, for facts that may be large.
#[derive(Debug)]
pub struct Shown<'a>(pub Reading<View<'a>>);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Ok(View::List(list)) => {
                let mut items = to.serialize_seq(None)?;
                for i in 0..list.len() {
                    items.serialize_element(&Shown(list.get(i)))?;
                }
                for why in list.unread() {
                    items.serialize_element(&Shown(Err(Missing::Unreadable(why.clone()))))?;
                }
                items.end()
            }
            Ok(View::Map(map)) => {
                let mut entries = to.serialize_map(None)?;
                for key in map.keys() {
                    entries.serialize_entry(key, &Shown(map.get(key)))?;
                }
                entries.end()
            }
            Ok(View::Record(record)) => {
                let mut fields: Vec<(usize, &str)> =
                    record.shape().fields.iter().map(|f| f.name).enumerate().collect();
                fields.sort_by_key(|(_, name)| *name);
                let mut entries = to.serialize_map(Some(fields.len()))?;
                for (i, name) in fields {
                    entries.serialize_entry(name, &Shown(record.get(i)))?;
                }
                entries.end()
            }
            scalar => json(scalar.clone()).serialize(to),
        }
    }
}

/// The JSON Schema of a type; record types go to `definitions`, once each.
pub fn type_schema(ty: Type, definitions: &mut Object<String, Value>) -> Value {
    match ty {
        Type::Bool => json!({ "type": "boolean" }),
        Type::Int => json!({ "type": "integer" }),
        Type::Double => {
            json!({ "type": ["number", "string"], "description": "a number, or `unlimited`" })
        }
        Type::String | Type::Text => json!({ "type": "string" }),
        Type::Word(words) => {
            json!({ "enum": words.iter().map(|(word, _)| *word).collect::<Vec<_>>() })
        }
        Type::List(of) => json!({ "type": "array", "items": type_schema(*of, definitions) }),
        Type::Map(of) => {
            json!({ "type": "object", "additionalProperties": type_schema(*of, definitions) })
        }
        Type::Record(shape) => {
            let shape = shape();
            if !definitions.contains_key(shape.name) {
                definitions.insert(shape.name.into(), Value::Null);
                let schema = record_schema(shape, definitions);
                definitions.insert(shape.name.into(), schema);
            }
            json!({ "$ref": format!("#/$defs/{}", shape.name) })
        }
    }
}

fn record_schema(shape: &Shape, definitions: &mut Object<String, Value>) -> Value {
    let mut properties = Object::new();
    for field in &shape.fields {
        let value = type_schema(field.ty, definitions);
        let missing = json!({ "$ref": "#/$defs/missing" });
        let sampled = if field.sampled { "\nTakes two readings: `--sample`." } else { "" };
        let description = format!("{}{sampled}", field.doc());
        properties
            .insert(field.name.into(), json!({ "description": description, "anyOf": [value, missing] }));
    }
    json!({ "type": "object", "description": shape.doc(), "properties": properties })
}
