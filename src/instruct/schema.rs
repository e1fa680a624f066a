//! JSON Schemas that answers conform to: read, and given bounds where they have none.
//!
//! A small model that may write a text of any length sometimes never ends it. So where a schema
//! leaves that open, the grammar is bounded, and what conforms to the bounded schema conforms to
//! the schema.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::instruct::finite::has_an_end;
use crate::lm::Grammar;

/// Of a schema file.
pub const MAX_SCHEMA_BYTES: u64 = 1 << 20;

/// Numbers without a bound get this one: whole numbers up to it are exact, and none needs an
/// exponent.
const MAX_NUMBER: f64 = 9_007_199_254_740_991.0;

/// Formats that are held to. Others are no more than a remark, as the standard has it.
const FORMATS: [&str; 10] =
    ["date-time", "date", "time", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri"];

/// See the module.
#[derive(Debug, Clone)]
pub struct AnswerSchema {
    /// In one line, as a model is shown it.
    pub text: String,
    pub grammar: Arc<Grammar>,
    /// With less room, for an answer that did not come to its end.
    pub tight_grammar: Arc<Grammar>,
}

/// What is added where a schema has no bound.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    max_length: u64,
    max_items: u64,
}

const WIDE: Bounds = Bounds { max_length: 400, max_items: 64 };
const TIGHT: Bounds = Bounds { max_length: 80, max_items: 8 };

impl AnswerSchema {
    /// # Errors
    /// The end of a sentence that begins with the schema's file: it is no JSON Schema, nothing
    /// conforms to it, it is too large, or it has something that can't be held to.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let schema: Value = serde_json::from_slice(bytes).map_err(|fault| {
            let (line, column) = (fault.line(), fault.column());
            format!("is not JSON (line {line}, column {column}); correct it")
        })?;
        if !schema.is_object() {
            return Err("is no JSON Schema, which is an object; correct it".to_owned());
        }
        if !has_an_end(&schema) {
            return Err("has no answer of finite size: something in it always holds another of its kind; make that \
                        optional"
                .to_owned());
        }
        let held_to = |bounds: Bounds| -> Result<Arc<Grammar>, String> {
            let plain = bounded(&schema, None);
            // A bound may contradict what is said of the same value elsewhere.
            let grammar = Grammar::of_json_schema(&bounded(&schema, Some(bounds)))
                .or_else(|_| Grammar::of_json_schema(&plain));
            grammar.map(Arc::new).map_err(|fault| {
                format!("can't be held to: {fault}; docs/extract.md has what a schema may say")
            })
        };
        let (grammar, tight_grammar) = (held_to(WIDE)?, held_to(TIGHT)?);
        Ok(Self { text: schema.to_string(), grammar, tight_grammar })
    }
}

/// The schema without what is only a remark, and with bounds where there are none.
fn bounded(schema: &Value, bounds: Option<Bounds>) -> Value {
    let mut schema = schema.clone();
    let definitions_are_whole = !has_merges(&schema);
    let walk = Walk { bounds, definitions_are_whole };
    walk.visit(&mut schema, true);
    schema
}

/// Whether somewhere several schemas are put together to one: then what a definition says may be a
/// part of what is said of a value.
fn has_merges(value: &Value) -> bool {
    match value {
        Value::Object(map) => {
            map.contains_key("allOf") || has_more_than_ref(map) || map.values().any(has_merges)
        }
        Value::Array(all) => all.iter().any(has_merges),
        _ => false,
    }
}

fn has_more_than_ref(map: &Map<String, Value>) -> bool {
    map.contains_key("$ref") && map.keys().any(|it| it != "$ref" && !is_remark(it))
}

/// How long a text of a format may be, which the grammar does not know by itself: RFC 5321 has 64
/// characters for the part of an address before the `@`, RFC 1035 253 for the name of a host.
const FORMAT_LENGTHS: &[(&str, u64)] = &[("email", 64), ("hostname", 253), ("uri", 400)];

fn is_remark(key: &str) -> bool {
    let remarks = ["title", "description", "$comment", "examples", "default", "deprecated"];
    remarks.contains(&key) || ["$schema", "$id", "$defs", "definitions"].contains(&key)
}

struct Walk {
    bounds: Option<Bounds>,
    definitions_are_whole: bool,
}

impl Walk {
    /// `is_whole`: nothing else is said of the same value.
    fn visit(&self, schema: &mut Value, is_whole: bool) {
        let Value::Object(map) = schema else { return };
        map.remove("x-guidance");
        let is_known = |it: &Value| it.as_str().is_some_and(|it| FORMATS.contains(&it));
        if map.get("format").is_some_and(|it| !is_known(it)) {
            map.remove("format");
        }
        let format = map.get("format").and_then(Value::as_str).unwrap_or_default();
        if let Some((_, most)) = FORMAT_LENGTHS.iter().find(|(name, _)| *name == format) {
            let given = map.get("maxLength").and_then(Value::as_u64).unwrap_or(u64::MAX);
            map.insert("maxLength".to_owned(), json!(given.min(*most)));
        }
        if map.get("uniqueItems") == Some(&json!(false)) {
            map.remove("uniqueItems");
        }
        let choices = ["anyOf", "oneOf"];
        let is_choice = choices.iter().any(|it| map.contains_key(*it));
        let is_merge = map.contains_key("allOf") || map.contains_key("$ref");
        if let Some(bounds) = self.bounds
            && is_whole
            && !is_choice
            && !is_merge
        {
            bound(map, bounds);
        }
        for key in ["properties", "patternProperties"] {
            for child in map.get_mut(key).and_then(Value::as_object_mut).into_iter().flatten() {
                self.visit(child.1, is_whole && !is_choice && !is_merge);
            }
        }
        for key in ["$defs", "definitions"] {
            for child in map.get_mut(key).and_then(Value::as_object_mut).into_iter().flatten() {
                self.visit(child.1, self.definitions_are_whole);
            }
        }
        let has_only_choice = map.keys().all(|it| choices.contains(&it.as_str()) || is_remark(it));
        for (keys, is_whole) in [
            (&["items", "prefixItems", "additionalProperties"][..], is_whole && !is_merge),
            (&choices[..], is_whole && has_only_choice),
            (&["allOf"][..], false),
        ] {
            for child in keys
                .iter()
                .filter_map(|it| map.remove(*it).map(|old| (*it, old)))
                .collect::<Vec<_>>()
            {
                let (key, mut child) = child;
                match &mut child {
                    Value::Array(all) => all.iter_mut().for_each(|it| self.visit(it, is_whole)),
                    child => self.visit(child, is_whole),
                }
                map.insert(key.to_owned(), child);
            }
        }
    }
}

/// Bounds what has none. The schema is the only one of its values.
fn bound(map: &mut Map<String, Value>, bounds: Bounds) {
    if map.contains_key("enum") || map.contains_key("const") {
        return;
    }
    let is = |map: &Map<String, Value>, name: &str| match map.get("type") {
        Some(Value::String(it)) => it == name,
        Some(Value::Array(all)) => all.iter().any(|it| it == name),
        _ => false,
    };
    let least = |map: &Map<String, Value>, key: &str| map.get(key).and_then(Value::as_u64);
    if is(map, "string") && !["maxLength", "format"].iter().any(|it| map.contains_key(*it)) {
        let most = bounds.max_length.max(least(map, "minLength").unwrap_or_default());
        map.insert("maxLength".to_owned(), json!(most));
    }
    if is(map, "array") && !map.contains_key("maxItems") {
        let n_prefix = map.get("prefixItems").and_then(Value::as_array).map_or(0, Vec::len) as u64;
        let least = least(map, "minItems").unwrap_or_default().max(n_prefix);
        map.insert("maxItems".to_owned(), json!(bounds.max_items.max(least)));
    }
    if is(map, "integer") || is(map, "number") {
        let number = |key: &str| map.get(key).and_then(Value::as_f64);
        let lower = number("minimum").or(number("exclusiveMinimum"));
        let upper = number("maximum").or(number("exclusiveMaximum"));
        if lower.is_none() && upper.is_none_or(|it| it > -MAX_NUMBER) {
            map.insert("minimum".to_owned(), json!(-MAX_NUMBER as i64));
        }
        if upper.is_none() && lower.is_none_or(|it| it < MAX_NUMBER) {
            map.insert("maximum".to_owned(), json!(MAX_NUMBER as i64));
        }
    }
    if map.contains_key("properties") && !map.contains_key("type") {
        map.insert("type".to_owned(), json!("object"));
    }
    let names_others = ["additionalProperties", "patternProperties", "minProperties"];
    if map.contains_key("properties") && !names_others.iter().any(|it| map.contains_key(*it)) {
        map.insert("additionalProperties".to_owned(), json!(false));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_bounds(schema: Value) -> Value {
        bounded(&schema, Some(WIDE))
    }

    #[test]
    fn what_has_no_bound_gets_one() {
        let most = MAX_NUMBER as i64;
        for (schema, expected) in [
            (json!({"type": "string"}), json!({"type": "string", "maxLength": 400})),
            (
                json!({"type": ["string", "null"], "minLength": 900}),
                json!({"type": ["string", "null"], "minLength": 900, "maxLength": 900}),
            ),
            (json!({"type": "string", "maxLength": 3}), json!({"type": "string", "maxLength": 3})),
            (
                json!({"type": "string", "format": "phone"}),
                json!({"type": "string", "maxLength": 400}),
            ),
            (
                json!({"type": "string", "format": "date"}),
                json!({"type": "string", "format": "date"}),
            ),
            (
                json!({"type": "string", "format": "email"}),
                json!({"type": "string", "format": "email", "maxLength": 64}),
            ),
            (
                json!({"type": "string", "format": "hostname", "maxLength": 9}),
                json!({"type": "string", "format": "hostname", "maxLength": 9}),
            ),
            (
                json!({"type": "integer", "minimum": 0}),
                json!({"type": "integer", "minimum": 0, "maximum": most}),
            ),
            (
                json!({"type": "integer", "minimum": 1e300}),
                json!({"type": "integer", "minimum": 1e300}),
            ),
            (json!({"enum": ["a"], "type": "string"}), json!({"enum": ["a"], "type": "string"})),
            (
                json!({"type": "array", "items": {"type": "boolean"}, "minItems": 70}),
                json!({"type": "array", "minItems": 70, "maxItems": 70, "items": {"type": "boolean"}}),
            ),
            (
                json!({"properties": {"a": {"type": "null"}}}),
                json!({"type": "object", "properties": {"a": {"type": "null"}}, "additionalProperties": false}),
            ),
            (
                json!({"properties": {}, "additionalProperties": true}),
                json!({"type": "object", "properties": {}, "additionalProperties": true}),
            ),
        ] {
            assert_eq!(with_bounds(schema.clone()), expected, "{schema}");
        }
    }

    #[test]
    fn what_is_a_part_of_what_is_said_of_a_value_stays_open() {
        let open = json!({"properties": {"a": {"type": "string"}}});
        for schema in [
            json!({"allOf": [open, open]}),
            json!({"properties": {"a": {"type": "string"}}, "anyOf": [{"required": ["b"]}, open]}),
            json!({"allOf": [{"$ref": "#/$defs/d"}], "$defs": {"d": open}}),
            json!({"$ref": "#/$defs/d", "required": ["b"], "$defs": {"d": open}}),
        ] {
            assert_eq!(with_bounds(schema.clone()), schema);
        }
        let alone = with_bounds(json!({"$ref": "#/$defs/d", "$defs": {"d": open}, "title": "x"}));
        assert_eq!(alone["$defs"]["d"]["additionalProperties"], false);
        let choice = with_bounds(json!({"anyOf": [open, {"type": "null"}]}));
        assert_eq!(choice["anyOf"][0]["additionalProperties"], false);
    }

    #[test]
    fn a_schema_that_can_not_be_held_to_is_told() {
        for (text, part) in [
            ("{", "is not JSON (line 1, column 1)"),
            ("[]", "is no JSON Schema"),
            ("{\"type\": \"array\", \"uniqueItems\": true}", "uniqueItems"),
            (
                "{\"type\": \"object\", \"properties\": {\"a\": {\"type\": \"integer\", \"minimum\": 2, \"maximum\": 1}}, \"required\": [\"a\"]}",
                "nsatisfiable",
            ),
        ] {
            let fault = AnswerSchema::parse(text.as_bytes()).expect_err("a fault");
            assert!(fault.contains(part), "{text}: {fault}");
        }
        let deep = format!("{}{}", "{\"items\":".repeat(500), "1".to_owned() + &"}".repeat(500));
        assert!(AnswerSchema::parse(deep.as_bytes()).is_err());
        // A bound that contradicts another part is given up.
        let long = json!({"type": "array", "items": {"type": "string", "pattern": "^a{500}$"}});
        assert!(AnswerSchema::parse(long.to_string().as_bytes()).is_ok());
    }
}
