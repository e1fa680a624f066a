//! The items of a text: which one a selection is in, and what each looks like from outside.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::ops::Range;

use super::parse::Parsed;
use super::queries::Role;

/// What an item is, as far as it makes a difference here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ItemKind {
    Function,
    Type,
    /// Methods of a type that is defined elsewhere.
    Implementation,
    Constant,
    Module,
    Macro,
}

/// Something with a name that a person would ask about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub kind: ItemKind,
    pub name: String,
    /// All of it in bytes, with the comments and attributes that lead it.
    pub range: Range<usize>,
    /// The same without its body: documentation, attributes and signature.
    pub head: Range<usize>,
}

impl Parsed<'_> {
    /// The smallest item that holds the selection. `None`: none does, as for a caret on a blank
    /// line between two.
    pub fn enclosing_item(&self, selection: Range<usize>) -> Option<Item> {
        let wanted = without_blanks(self.text, selection)?;
        let items = self.items().into_iter();
        items
            .filter(|it| it.range.start <= wanted.start && wanted.end <= it.range.end)
            .min_by_key(|it| it.range.len())
    }

    /// The items that define a name, in their order.
    pub fn definitions(&self) -> Vec<Item> {
        let mut items = self.items();
        items.retain(|it| it.kind != ItemKind::Implementation);
        items
    }

    /// What somebody who uses an item has to know of it: a function's head, and of anything else
    /// the whole, if that has no more than `max_lines`, or else the head. Without the indentation
    /// of its first line.
    pub fn seen_from_outside(&self, item: &Item, max_lines: usize) -> String {
        let whole = self.text.get(item.range.clone()).unwrap_or_default();
        let head = self.text.get(item.head.clone()).unwrap_or_default();
        let is_whole = item.kind != ItemKind::Function && whole.lines().count() <= max_lines;
        let line = self.text[..item.range.start].rsplit('\n').next().unwrap_or_default();
        let indentation = &line[..line.len() - line.trim_start().len()];
        let seen = if is_whole { whole } else { head };
        let lines = seen.lines().map(|line| line.strip_prefix(indentation).unwrap_or(line));
        lines.collect::<Vec<_>>().join("\n")
    }

    fn items(&self) -> Vec<Item> {
        let found = self.found();
        let mut items: Vec<Item> = found.items.iter().map(|it| self.item(it, &found)).collect();
        items.sort_by_key(|it| (it.range.start, Reverse(it.range.end), Reverse(it.head.end)));
        // Two patterns may mark the same item; the longer head tells more of it.
        items.dedup_by(|later, first| later.range == first.range && later.name == first.name);
        items
    }

    fn item(&self, marked: &Marked, found: &Found) -> Item {
        let mut range = marked.range.clone();
        let mut node_id = marked.node_id;
        while let Some((outer_id, outer)) = found.around.get(&node_id) {
            range = outer.clone();
            node_id = *outer_id;
        }
        let with_doc = marked.body.as_ref().map_or(range.end, |body| {
            let at = found.docs.partition_point(|it| it.start < body.start);
            let doc =
                found.docs.get(at).filter(|it| self.text[body.start..it.start].trim().is_empty());
            doc.map_or(body.start, |it| it.end)
        });
        range.start = self.start_with_leads(range.start, &found.leads);
        if self.text[range.end..].starts_with(';') {
            range.end += 1;
        }
        range.end = range.start + self.text[range.clone()].trim_end().len();
        let head_end = with_doc.clamp(range.start, range.end);
        let head = self.text[range.start..head_end].trim_end().len();
        Item {
            kind: marked.kind,
            name: marked.name.clone(),
            head: range.start..range.start + head,
            range,
        }
    }

    /// Where an item begins if the comments and attributes right before it are counted in. A blank
    /// line parts them from it, and a comment behind other code belongs to that code.
    fn start_with_leads(&self, start: usize, leads: &[Range<usize>]) -> usize {
        let mut with_leads = start;
        let mut at = start;
        let before = leads.partition_point(|it| it.start < start);
        for lead in leads[..before].iter().rev() {
            // Where a grammar counts the line's end in, as Rust's does for documentation.
            let end = lead.start + self.text[lead.clone()].trim_end().len();
            let Some(between) = self.text.get(end..at) else { continue };
            if !between.trim().is_empty() || between.matches('\n').count() > 1 {
                break;
            }
            at = lead.start;
            let line = self.text[..at].rsplit('\n').next().unwrap_or_default();
            if line.trim().is_empty() {
                with_leads = at;
            }
        }
        with_leads
    }

    fn found(&self) -> Found {
        let mut found = Found::default();
        self.search(0..self.text.len(), &mut |captured| {
            let mut item = None;
            let (mut name, mut body, mut around, mut inner) = (None, None, None, None);
            for node in captured {
                match node.role {
                    Role::Item(kind) => item = Some((kind, node)),
                    Role::Name => name = self.text.get(node.range.clone()),
                    Role::Body => body = Some(node.range.clone()),
                    Role::Doc => found.docs.push(node.range.clone()),
                    Role::Lead => found.leads.push(node.range.clone()),
                    Role::Around => around = Some((node.node_id, node.range.clone())),
                    Role::Inner => inner = Some(node.node_id),
                    Role::Definition | Role::Reference | Role::Called | Role::Field => {}
                }
            }
            if let (Some(around), Some(inner)) = (around, inner) {
                found.around.insert(inner, around);
            }
            if let (Some((kind, node)), Some(name)) = (item, name) {
                let (node_id, range) = (node.node_id, node.range.clone());
                let name = last_name(name).to_owned();
                found.items.push(Marked { kind, name, node_id, range, body });
            }
        });
        found.docs.sort_by_key(|it| it.start);
        found.leads.sort_by_key(|it| it.start);
        found
    }
}

/// What a query marked.
#[derive(Default)]
struct Found {
    items: Vec<Marked>,
    /// By the id of the node inside: the id and the range of the one around it.
    around: HashMap<usize, (usize, Range<usize>)>,
    leads: Vec<Range<usize>>,
    docs: Vec<Range<usize>>,
}

struct Marked {
    kind: ItemKind,
    name: String,
    node_id: usize,
    range: Range<usize>,
    body: Option<Range<usize>>,
}

/// `c` of `a::b::c`, `a.b.c` and `a:c`.
pub(super) fn last_name(path: &str) -> &str {
    path.rsplit([':', '.']).next().unwrap_or(path).trim()
}

/// The selection without the blanks at its ends. A selection of blanks alone, as a caret is, means
/// its line's first character or its line's last. `None`: that line is blank, or the selection is
/// not in the text.
fn without_blanks(text: &str, selection: Range<usize>) -> Option<Range<usize>> {
    let selected = text.get(selection.clone())?;
    let start = selection.end - selected.trim_start().len();
    if start < selection.end {
        return Some(start..start + selected.trim().len());
    }
    let at = selection.start;
    let line_start = text[..at].rfind('\n').map_or(0, |it| it + 1);
    let line_end = text[at..].find('\n').map_or(text.len(), |it| at + it);
    let line = &text[line_start..line_end];
    if line.trim().is_empty() {
        return None;
    }
    let first = line_end - line.trim_start().len();
    let last = line_start + line.trim_end().len();
    let at = at.clamp(first, last);
    Some(at..at)
}
