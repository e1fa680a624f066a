//! The labels that a text can have: names, each with a description where somebody wrote one.

/// Of labels: more are no choice that a head can learn from a few examples.
pub const MAX_LABELS: usize = 1_000;
/// Of a name and of a description, in characters.
const MAX_NAME_CHARS: usize = 200;
const MAX_DESCRIPTION_CHARS: usize = 2_000;

/// A label.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TextLabel {
    /// As it is answered, without blanks around it.
    pub name: String,
    /// What it means, in words that such texts have; empty where there is none.
    pub description: String,
}

/// Two labels or more, each with a name of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LabelSet(Vec<TextLabel>);

impl LabelSet {
    /// # Errors
    /// There are fewer than two labels or more than [`MAX_LABELS`], a name is empty, too long or
    /// there twice, or a description is too long.
    pub fn new(labels: Vec<TextLabel>) -> Result<Self, String> {
        let mut kept: Vec<TextLabel> = Vec::with_capacity(labels.len());
        for (index, TextLabel { name, description }) in labels.into_iter().enumerate() {
            let (name, description) = (name.trim(), description.trim());
            let number = index + 1;
            if name.is_empty() {
                return Err(format!("label {number} is empty; write a name, or one comma less"));
            }
            if name.chars().count() > MAX_NAME_CHARS {
                return Err(format!(
                    "label {number} has more than {MAX_NAME_CHARS} characters; write a shorter name, and the rest as its description"
                ));
            }
            if description.chars().count() > MAX_DESCRIPTION_CHARS {
                return Err(format!(
                    "the description of label {number} has more than {MAX_DESCRIPTION_CHARS} characters; write a shorter one"
                ));
            }
            if let Some(first) = kept.iter().position(|it| it.name == name) {
                return Err(format!(
                    "labels {} and {number} have the same name; write it once",
                    first + 1
                ));
            }
            kept.push(TextLabel { name: name.to_owned(), description: description.to_owned() });
        }
        match kept.len() {
            0 | 1 => Err("there has to be a choice; name two labels or more".to_owned()),
            n if n > MAX_LABELS => Err(format!("there are {n} labels; name at most {MAX_LABELS}")),
            _ => Ok(Self(kept)),
        }
    }

    /// Labels with commas between them: `bug,feature=something new,question`.
    ///
    /// # Errors
    /// As [`LabelSet::new`].
    pub fn parse(text: &str) -> Result<Self, String> {
        let label = |part: &str| {
            let (name, description) = part.split_once('=').unwrap_or((part, ""));
            TextLabel { name: name.to_owned(), description: description.to_owned() }
        };
        Self::new(text.split(',').map(label).collect())
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Never: two are the least.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &TextLabel> {
        self.0.iter()
    }

    /// The name of a label by its place.
    pub fn name(&self, index: usize) -> &str {
        self.0.get(index).map_or("", |it| &it.name)
    }

    /// The place of a label by its name.
    pub fn place(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|it| it.name == name.trim())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        LabelSet::parse(text).unwrap().iter().map(|it| it.name.clone()).collect()
    }

    #[test]
    fn a_label_may_be_nearly_anything() {
        assert_eq!(names("a,b"), ["a", "b"]);
        assert_eq!(names("bug, bugfix ,bug report"), ["bug", "bugfix", "bug report"], "prefixes");
        assert_eq!(names("🐛,✨ new,ändern"), ["🐛", "✨ new", "ändern"]);
        let labels = LabelSet::parse("bug=it crashes = a lot,other").unwrap();
        assert_eq!(labels.iter().next().unwrap().description, "it crashes = a lot");
        assert_eq!((labels.place("other "), labels.place("Bug")), (Some(1), None));
    }

    #[test]
    fn what_is_no_choice_is_refused_with_what_to_do() {
        for (text, part) in [
            ("", "label 1 is empty"),
            ("a,,b", "label 2 is empty"),
            ("a, ,b", "label 2 is empty"),
            ("a,=described", "label 2 is empty"),
            ("a,b,", "label 3 is empty"),
            ("a", "name two labels or more"),
            ("a,b, a", "labels 1 and 3 have the same name"),
            ("a=x,a=y", "labels 1 and 2 have the same name"),
        ] {
            let sentence = LabelSet::parse(text).unwrap_err();
            assert!(sentence.contains(part), "{text:?}: {sentence}");
        }
        let many: Vec<String> = (0..=MAX_LABELS).map(|it| it.to_string()).collect();
        assert!(LabelSet::parse(&many.join(",")).unwrap_err().contains("at most 1000"));
        assert!(LabelSet::parse(&format!("a,{}", "b".repeat(201))).unwrap_err().contains("200"));
    }
}
