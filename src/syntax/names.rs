//! The names that a stretch of code uses without saying what they are.

use std::collections::HashSet;
use std::ops::Range;

use super::outline::last_name;
use super::parse::Parsed;
use super::queries::Role;

impl Parsed<'_> {
    /// Names that are used within the range and not defined in it, in order of appearance, each
    /// once.
    ///
    /// Scopes are not looked at: a name that is bound anywhere in the range counts as its own. What
    /// a query leaves out, such as plain fields, is left out here.
    pub fn names_used(&self, range: Range<usize>) -> Vec<String> {
        let mut defined_at = HashSet::new();
        let mut defined = HashSet::new();
        let (mut called_at, mut fields_at) = (HashSet::new(), HashSet::new());
        let mut used: Vec<(usize, &str)> = Vec::new();
        self.search(range.clone(), &mut |captured| {
            for node in captured {
                if node.range.start < range.start || node.range.end > range.end {
                    continue;
                }
                let Some(name) = self.text.get(node.range.clone()) else { continue };
                match node.role {
                    // A function that calls itself uses nothing from outside.
                    Role::Definition | Role::Name => {
                        defined_at.insert(node.range.start);
                        defined.insert(last_name(name));
                    }
                    Role::Reference => used.push((node.range.start, name)),
                    Role::Called => {
                        called_at.insert(node.range.start);
                        used.push((node.range.start, name));
                    }
                    Role::Field => {
                        fields_at.insert(node.range.start);
                    }
                    _ => {}
                }
            }
        });
        used.sort_by_key(|it| it.0);
        let mut seen = HashSet::new();
        used.into_iter()
            .filter(|(at, name)| !defined_at.contains(at) && !defined.contains(name))
            .filter(|(at, _)| called_at.contains(at) || !fields_at.contains(at))
            .filter(|(_, name)| !name.is_empty() && seen.insert(*name))
            .map(|(_, name)| name.to_owned())
            .collect()
    }
}
