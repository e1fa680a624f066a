//! Templates: a text for the model's task, a line of `---`, and a text for what is asked, with
//! `{{names}}` in it.
//!
//! A paragraph, which ends at a blank line, in which a name has nothing to say is left out as a
//! whole.

/// Names that a template may use.
pub(super) const NAMES: &[&str] = &[
    "language",
    "path",
    "code",
    "diagnostics",
    "definitions",
    "around",
    "conventions",
    "question",
];

/// A template that has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pub(super) system: String,
    paragraphs: Vec<String>,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// One sentence with the line.
    pub fn read(text: &str) -> Result<Self, String> {
        let text = text.replace("\r\n", "\n");
        let Some((system, user)) = text.split_once("\n---\n") else {
            return Err("there is no line of `---` between the task and the question".to_owned());
        };
        for (index, line) in text.lines().enumerate() {
            for (name, _) in names(line) {
                if !NAMES.contains(&name) {
                    return Err(format!(
                        "line {}: there is no `{{{{{name}}}}}`; there are: {}",
                        index + 1,
                        NAMES.join(", ")
                    ));
                }
            }
        }
        if names(system).next().is_some() {
            return Err("the task, before the line of `---`, is the same for all questions and has no names in it".to_owned());
        }
        if !names(user).any(|(name, _)| name == "code") {
            return Err("there is no `{{code}}` in the question; add it".to_owned());
        }
        let paragraphs: Vec<String> = user.trim().split("\n\n").map(ToOwned::to_owned).collect();
        Ok(Self { system: system.trim().to_owned(), paragraphs })
    }

    /// Whether it has a place for what goes by this name.
    pub fn uses(&self, name: &str) -> bool {
        self.paragraphs.iter().any(|it| names(it).any(|(used, _)| used == name))
    }

    /// The question, with what `value` has to say for each name. A value is put in as it is: a name
    /// in it means nothing.
    pub(super) fn fill(&self, value: impl Fn(&str) -> String) -> String {
        let filled = self.paragraphs.iter().filter_map(|paragraph| {
            let mut text = String::new();
            let mut at = 0;
            for (name, range) in names(paragraph) {
                let value = value(name);
                if value.is_empty() {
                    return None;
                }
                text.push_str(&paragraph[at..range.start]);
                text.push_str(&value);
                at = range.end;
            }
            text.push_str(&paragraph[at..]);
            Some(text)
        });
        filled.collect::<Vec<_>>().join("\n\n")
    }
}

/// Each `{{name}}` and where it is.
fn names(text: &str) -> impl Iterator<Item = (&str, std::ops::Range<usize>)> {
    text.match_indices("{{").filter_map(|(at, _)| {
        let length = text[at..].find("}}")?;
        Some((text[at + 2..at + length].trim(), at..at + length + 2))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assistant::actions::Action;

    #[test]
    fn paragraphs_without_a_value_are_left_out_and_values_are_not_read_again() {
        let template = Template::read(
            "Task.\n---\nIn {{language}}:\n{{code}}\n\nBeware: {{diagnostics}}\n\nEnd.\n",
        )
        .unwrap();
        let filled = template.fill(|name| match name {
            "diagnostics" => String::new(),
            "code" => "{{path}} {{diagnostics}}".to_owned(),
            name => name.to_uppercase(),
        });
        assert_eq!(filled, "In LANGUAGE:\n{{path}} {{diagnostics}}\n\nEnd.");
    }

    #[test]
    fn faults_are_told_by_line() {
        let why = |text: &str| Template::read(text).unwrap_err();
        assert!(why("no line").contains("`---`"));
        assert!(
            why("Task.\n---\n{{code}}\n{{cod}}\n").starts_with("line 4: there is no `{{cod}}`")
        );
        assert!(
            why("Task of {{language}}.\n---\n{{code}}\n").contains("the same for all questions")
        );
    }

    #[test]
    fn the_templates_that_ship_can_be_read() {
        for action in Action::ALL {
            let template = Template::read(action.template()).unwrap();
            let filled = template.fill(|name| format!("<{name}>"));
            assert!(filled.contains("<code>"), "{action:?}");
        }
    }
}
