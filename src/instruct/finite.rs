//! Whether something conforms to a schema that refers to itself: an object that always holds one of
//! its kind has no end.

use serde_json::{Map, Value};

/// Looks so often; a schema that needs more is taken as it is.
const MAX_LOOKS: usize = 100_000;

/// Whether some value of finite size may conform, as far as references and what is required go.
pub fn has_an_end(schema: &Value) -> bool {
    let mut search = Search { root: schema, references: Vec::new(), n_looks: 0 };
    search.may_end(schema)
}

struct Search<'a> {
    root: &'a Value,
    /// Those that led here. What comes back to one of them is no shorter way.
    references: Vec<&'a str>,
    n_looks: usize,
}

impl<'a> Search<'a> {
    fn may_end(&mut self, schema: &'a Value) -> bool {
        self.n_looks += 1;
        let Value::Object(map) = schema else { return true };
        if self.n_looks > MAX_LOOKS {
            return true;
        }
        self.reference_may_end(map)
            && self.choices_may_end(map)
            && self.items_may_end(map)
            && self.properties_may_end(map)
    }

    fn reference_may_end(&mut self, map: &'a Map<String, Value>) -> bool {
        let Some(reference) = map.get("$ref").and_then(Value::as_str) else { return true };
        if self.references.contains(&reference) {
            return false;
        }
        let place = reference.strip_prefix('#').and_then(|it| self.root.pointer(it));
        // One that leads nowhere is a fault of another kind.
        let Some(target) = place else { return true };
        self.references.push(reference);
        let may_end = self.may_end(target);
        self.references.pop();
        may_end
    }

    fn choices_may_end(&mut self, map: &'a Map<String, Value>) -> bool {
        let all = |key: &str| map.get(key).and_then(Value::as_array);
        let choices = [all("anyOf"), all("oneOf")];
        all("allOf").is_none_or(|parts| parts.iter().all(|it| self.may_end(it)))
            && choices.into_iter().flatten().all(|of| of.iter().any(|it| self.may_end(it)))
    }

    /// Of a value that may be something else than an array or an object, nothing is asked.
    fn items_may_end(&mut self, map: &'a Map<String, Value>) -> bool {
        let n_least = map.get("minItems").and_then(Value::as_u64).unwrap_or_default() as usize;
        if !is_only(map, "array") || n_least == 0 {
            return true;
        }
        let prefix = map.get("prefixItems").and_then(Value::as_array);
        let prefix = prefix.map_or(&[][..], Vec::as_slice);
        let rest = map.get("items").filter(|_| n_least > prefix.len());
        prefix.iter().take(n_least).chain(rest).all(|it| self.may_end(it))
    }

    fn properties_may_end(&mut self, map: &'a Map<String, Value>) -> bool {
        let required = map.get("required").and_then(Value::as_array);
        if !is_only(map, "object") {
            return true;
        }
        let names = required.into_iter().flatten().filter_map(Value::as_str);
        let properties = map.get("properties");
        names.filter_map(|it| properties?.get(it)).all(|it| self.may_end(it))
    }
}

fn is_only(map: &Map<String, Value>, name: &str) -> bool {
    map.get("type").is_some_and(|it| it == name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_always_holds_one_of_its_kind_has_no_end() {
        let defined = |schema: Value| json!({"$ref": "#/$defs/a", "$defs": {"a": schema}});
        let itself = json!({"$ref": "#/$defs/a"});
        let object =
            |of: &Value| json!({"type": "object", "properties": {"of": of}, "required": ["of"]});
        for (schema, expected) in [
            (json!({"type": "string"}), true),
            (defined(itself.clone()), false),
            (defined(object(&itself)), false),
            (defined(object(&json!({"anyOf": [{"type": "null"}, itself]}))), true),
            (defined(object(&json!({"type": "array", "items": itself}))), true),
            (defined(object(&json!({"type": "array", "items": itself, "minItems": 1}))), false),
            (defined(json!({"type": "object", "properties": {"of": itself}})), true),
            (defined(json!({"allOf": [{"type": "object"}, object(&itself)]})), false),
            (defined(json!({"anyOf": [object(&itself), object(&object(&itself))]})), false),
        ] {
            assert_eq!(has_an_end(&schema), expected, "{schema}");
        }
    }
}
