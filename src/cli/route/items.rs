//! Requests as lines of JSON, and decisions as lines of JSON.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::cli::items::{ItemFault, Line, Named};
use crate::cli::route::task_of;
use crate::route::{RequestTask, RouteDecision, RouteRequest, RouteTarget};

/// A request, of which all but the instruction may be missing.
#[derive(Debug)]
pub struct RouteItem {
    /// Whatever JSON it is; `null` where it has none.
    pub id: Box<RawValue>,
    fields: RouteFields,
    action: Option<RequestTask>,
    choice: Option<RouteTarget>,
}

#[derive(Debug, Deserialize)]
struct RouteFields {
    #[serde(default = "null")]
    id: Box<RawValue>,
    #[serde(default)]
    instruction: String,
    #[serde(default)]
    language: Option<String>,
    #[serde(default)]
    selection: Option<String>,
    #[serde(default)]
    diagnostics: Option<Vec<String>>,
    #[serde(default)]
    files: Option<Vec<String>>,
    #[serde(default)]
    action: Option<String>,
    #[serde(default)]
    choose: Option<String>,
    #[serde(default)]
    local_confidence: Option<f64>,
}

/// The name of a line without one.
pub fn null() -> Box<RawValue> {
    RawValue::NULL.to_owned()
}

impl RouteItem {
    /// # Errors
    /// The line is too long, no JSON of the right shape, has neither an instruction nor an action,
    /// or names an action or a target that is none.
    pub fn of(line: &Line) -> Result<Self, ItemFault> {
        let fault = |id: Box<RawValue>, what: &str| ItemFault::new(id, line.number, what);
        let bytes = line.bytes.as_ref().map_err(|what| fault(null(), what))?;
        let fields = serde_json::from_slice::<RouteFields>(bytes).map_err(|error| {
            // The error's own words may quote the line.
            let what = format!(
                "is not {{\"id\": …, \"instruction\": …}} as JSON (column {})",
                error.column()
            );
            fault(Named::in_line(bytes), &what)
        })?;
        let id = || fields.id.clone();
        let action = fields.action.as_deref().map(task_of).transpose();
        let action = action.map_err(|what| fault(id(), &what))?;
        let choice = fields.choose.as_deref().map(|it| {
            RouteTarget::of_name(it).ok_or("has a `choose` that is neither local nor cloud")
        });
        let choice = choice.transpose().map_err(|what| fault(id(), what))?;
        if fields.instruction.trim().is_empty() && action.is_none() {
            return Err(fault(id(), "has an empty instruction"));
        }
        Ok(Self { id: fields.id.clone(), fields, action, choice })
    }

    /// The paths that it spans.
    pub fn files(&self) -> &[String] {
        self.fields.files.as_deref().unwrap_or_default()
    }

    /// As the policy takes it. What the line chooses wins over what the command chooses.
    pub fn request(&self, choice: Option<RouteTarget>, is_private: bool) -> RouteRequest<'_> {
        RouteRequest {
            instruction: &self.fields.instruction,
            action: self.action,
            choice: self.choice.or(choice),
            is_private,
            language: self.fields.language.as_deref().unwrap_or_default(),
            n_selected_lines: self.fields.selection.as_deref().map_or(0, |it| it.lines().count()),
            diagnostics: self.fields.diagnostics.as_deref().unwrap_or_default(),
            n_files: self.files().len(),
            local_confidence: self.fields.local_confidence,
        }
    }
}

/// The decision, a line of JSON.
pub fn answer(id: &RawValue, decision: &RouteDecision, ms: f64) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let rounded = |it: f64| (it * 1e4).round() / 1e4;
    format!(
        "{{\"id\":{id},\"task\":\"{}\",\"target\":\"{}\",\"reason\":{},\"confidence\":{},\"ask\":{},\"task_confidence\":{},\"rule\":\"{}\",\"ms\":{}}}\n",
        decision.task.name(),
        decision.target.name(),
        quoted(&decision.reason),
        rounded(decision.confidence),
        decision.asks,
        rounded(decision.task_confidence),
        decision.rule,
        (ms * 1e3).round() / 1e3,
    )
}
