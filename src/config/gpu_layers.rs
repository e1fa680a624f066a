//! How much of a model runs on a graphics processor.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// `"auto"`, or a number of layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GpuLayers {
    #[default]
    Auto,
    Number(u32),
}

/// More than any model has.
const MAX_LAYERS: u64 = 1_000;

impl Serialize for GpuLayers {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => to.serialize_str("auto"),
            Self::Number(n) => to.serialize_u32(*n),
        }
    }
}

impl<'de> Deserialize<'de> for GpuLayers {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(from)?;
        let number = value.as_u64().filter(|it| *it <= MAX_LAYERS);
        match (value.as_str(), number.and_then(|it| u32::try_from(it).ok())) {
            (Some("auto"), _) => Ok(Self::Auto),
            (_, Some(n)) => Ok(Self::Number(n)),
            _ => Err(serde::de::Error::custom("neither \"auto\" nor a number of layers")),
        }
    }
}

impl JsonSchema for GpuLayers {
    fn schema_name() -> Cow<'static, str> {
        "GpuLayers".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "integer"], "minimum": 0, "maximum": MAX_LAYERS})
    }
}
