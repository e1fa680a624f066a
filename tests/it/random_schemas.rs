//! Random small JSON Schemas, of all that a schema may say.

use keyside::stdx::random::Random;
use serde_json::{Map, Value, json};

/// A schema of an object, at most three levels deep.
pub fn random_schema(random: &mut Random) -> Value {
    let mut schema = object(random, 2);
    if random.below(4) == 0 {
        schema["$defs"] = json!({"shared": value(random, 0)});
        schema["properties"]["shared"] = json!({"$ref": "#/$defs/shared"});
        schema["required"] = json!(["shared"]);
    }
    schema
}

const NAMES: [&str; 10] =
    ["name", "date", "price", "items", "größe", "is it?", "\"id\"", "colour", "n", "note"];

fn object(random: &mut Random, depth: usize) -> Value {
    let mut properties = Map::new();
    for _ in 0..1 + random.below(4) {
        let name = NAMES[random.below(NAMES.len())];
        properties.insert(name.to_owned(), value(random, depth));
    }
    let names: Vec<String> = properties.keys().cloned().collect();
    let required: Vec<&String> = names.iter().filter(|_| random.below(3) > 0).collect();
    let mut schema = json!({"type": "object", "properties": properties, "required": required});
    match random.below(4) {
        0 => schema["additionalProperties"] = json!(false),
        1 => schema["additionalProperties"] = json!({"type": "boolean"}),
        _ => {}
    }
    schema
}

fn value(random: &mut Random, depth: usize) -> Value {
    let n = |random: &mut Random, most: usize| random.below(most + 1);
    match random.below(if depth == 0 { 12 } else { 16 }) {
        0 => json!({"type": "string"}),
        1 => {
            let least = n(random, 5);
            json!({"type": "string", "minLength": least, "maxLength": least + n(random, 9)})
        }
        2 => json!({"enum": ["red", "two words", 3, null, false, "größe"]}),
        3 => json!({"const": ["a", 1, {"b": null}]}),
        4 => {
            let least = n(random, 200) as i64 - 100;
            json!({"type": "integer", "minimum": least, "maximum": least + n(random, 300) as i64})
        }
        5 => json!({"type": "integer"}),
        6 => json!({"type": "number", "minimum": 0}),
        7 => json!({"type": "boolean"}),
        8 => json!({"type": ["null", "string", "integer"], "description": "anything"}),
        9 => {
            let formats = ["date", "date-time", "uuid", "email", "uri", "ipv4", "made-up"];
            json!({"type": "string", "format": formats[random.below(formats.len())]})
        }
        10 => {
            let patterns = ["^[A-Z]{2}-[0-9]{3}$", "^(yes|no|maybe)$", "[0-9]+", "^[a-z]+@x$"];
            json!({"type": "string", "pattern": patterns[random.below(patterns.len())]})
        }
        11 => {
            json!({"anyOf": [{"type": "null"}, {"type": "string", "maxLength": 20}, {"type": "number"}]})
        }
        12 => object(random, depth - 1),
        13 => {
            let least = n(random, 2);
            let items = value(random, depth - 1);
            json!({"type": "array", "items": items, "minItems": least, "maxItems": least + n(random, 3)})
        }
        14 => {
            let (one, two) = (value(random, depth - 1), value(random, depth - 1));
            json!({"type": "array", "prefixItems": [one, two], "items": false, "minItems": 1})
        }
        _ => json!({
            "allOf": [
                {"type": "object", "properties": {"a": value(random, depth - 1)}, "required": ["a"]},
                {"type": "object", "properties": {"b": {"type": "boolean"}}, "required": ["b"]},
            ],
            "maxProperties": 3,
        }),
    }
}
