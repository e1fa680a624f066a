//! What a generated text has to be, whatever the model would like to write: JSON of a schema.
//!
//! llguidance (guidance-ai/llguidance) says which tokens may come next: an Earley parser over a
//! lexer of regular-expression derivatives, which walks the vocabulary as a trie. It is Rust
//! throughout, so that a schema that is none is an error and no abort of the process.

pub mod closing;
pub mod state;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use llguidance::api::{GrammarInit, ParserLimits, TopLevelGrammar};
use llguidance::earley::ValidationResult;
use serde_json::{Value, json};

/// The key under which llguidance takes options in a schema.
const OPTIONS: &str = "x-guidance";

/// A grammar that any model can be held to.
pub struct Grammar(TopLevelGrammar);

impl Grammar {
    /// JSON that a schema describes, with a blank behind each comma and colon and no other.
    ///
    /// # Errors
    /// A part of a sentence: no answer can conform to the schema, it says something that can't be
    /// held to, or it is too large.
    pub fn of_json_schema(schema: &Value) -> Result<Self, String> {
        let mut schema = match schema {
            Value::Object(_) => schema.clone(),
            Value::Bool(true) => json!({}),
            _ => return Err("no object".to_owned()),
        };
        schema[OPTIONS] = json!({
            "item_separator": ", ",
            "key_separator": ": ",
            "whitespace_flexible": false,
        });
        let grammar = TopLevelGrammar::from_json_schema(schema);
        let init = GrammarInit::Serialized(grammar.clone());
        // A schema may be anybody's; what the library did not foresee is a fault like others.
        let validated = catch_unwind(AssertUnwindSafe(|| init.validate(None, limits())));
        match validated {
            Ok(ValidationResult::Error(fault)) => Err(first_line(&fault)),
            Ok(_) => Ok(Self(grammar)),
            Err(_) => Err("something that can't be read".to_owned()),
        }
    }
}

impl fmt::Debug for Grammar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grammar").finish_non_exhaustive()
    }
}

fn limits() -> ParserLimits {
    // Errors hold nothing of the text that is generated.
    ParserLimits { verbose_errors: false, ..ParserLimits::default() }
}

fn first_line(fault: &str) -> String {
    let line = fault.lines().next().unwrap_or_default();
    line.trim_start_matches("ERROR: ").to_owned()
}
