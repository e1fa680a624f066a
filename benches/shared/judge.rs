//! What a text does to the line that it is put into, judged without the filters of the product.

/// Comments, most likely: their apostrophes are no quotes.
pub fn is_prose(line: &str) -> bool {
    let trimmed = line.trim();
    trimmed.len() < 6
        || ["//", "#", "*", "/*", "--", "<!--", "%", ";", "\"\"\"", "="]
            .iter()
            .any(|it| trimmed.starts_with(it))
        || [" //", " #", "/*", " -- ", "\"\"\"", "'''"].iter().any(|it| trimmed.contains(it))
}

pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// What is inserted at the caret and what is left of the line behind it.
pub struct Inserted {
    pub text: String,
    pub after: String,
}

/// The opener that a rest of a line begins with.
pub fn opener(rest: &str) -> Option<&'static str> {
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    let not_assigned = ["==", "=>", "=~", "=<"].iter().any(|it| rest.starts_with(it));
    let all = ["(", "[", "{", "=", "'", "\""];
    all.into_iter().find(|it| rest.starts_with(it) && !(*it == "=" && not_assigned))
}

pub fn collides(inserted: &Inserted) -> bool {
    let Some(opener) = opener(&inserted.after) else { return false };
    let text = &inserted.text;
    let has_opener = match opener {
        "=" => {
            let others = ["==", "=>", "!=", "<=", ">="];
            let text = others.iter().fold(text.clone(), |text, it| text.replace(it, ""));
            text.contains('=')
        }
        opener => text.contains(opener),
    };
    let argument = inserted.after.trim_start().trim_start_matches(opener).trim_start();
    let argument: String =
        argument.trim_start_matches(['\'', '"']).chars().take_while(|c| is_word(*c)).collect();
    let words = |it: &str| it.split(|c| !is_word(c)).skip(1).any(|it| it == argument);
    has_opener || (argument.len() >= 3 && words(text))
}

/// How a text stands at its end, looked at from a line's beginning.
#[derive(Default)]
pub struct Scan {
    pub quote: Option<char>,
    /// Open brackets with their places.
    pub open: Vec<(usize, char)>,
}

impl Scan {
    pub fn of(text: &str) -> Self {
        let mut this = Self::default();
        let chars: Vec<char> = text.chars().collect();
        let mut at = 0;
        while at < chars.len() {
            let c = chars[at];
            match this.quote {
                Some(_) if c == '\\' => at += 1,
                Some(quote) if c == quote => this.quote = None,
                Some(_) => {}
                None => match c {
                    '\'' if at > 0 && is_word(chars[at - 1]) => {}
                    // A lifetime, a quoted symbol.
                    '\'' if !chars[at + 1..].contains(&'\'') && is_name(&chars[at + 1..]) => {}
                    '"' | '\'' | '`' => this.quote = Some(c),
                    '(' | '[' | '{' => this.open.push((at, c)),
                    ')' | ']' | '}' => drop(this.open.pop()),
                    _ => {}
                },
            }
            at += 1;
        }
        this
    }
}

pub fn is_name(chars: &[char]) -> bool {
    chars.first().is_some_and(|c| is_word(*c))
        && chars.iter().find(|c| !is_word(**c)).is_some_and(|c| ">, )&:".contains(*c))
}
