//! Words in which a person says where a request shall go. A choice of the person's wins over what
//! the request looks like; only words that can mean little else are taken for one.

use crate::route::task::RouteTarget;

/// In small letters, with single blanks. In doubt nothing is sent: `local` words are tried first.
const LOCAL: &[&str] = &[
    "no cloud",
    "without the cloud",
    "without a cloud",
    "without cloud",
    "not to the cloud",
    "not in the cloud",
    "don't send it anywhere",
    "don't send this anywhere",
    "do not send this anywhere",
    "don't send my code",
    "do not send my code",
    "leave my machine",
    "leave this machine",
    "leaves my machine",
    "leaves this machine",
    "stay on my machine",
    "stays on my machine",
    "stay on this machine",
    "with the local model",
    "use the local model",
    "using the local model",
    "local model only",
    "keep it local",
    "keep this local",
    "ohne cloud",
    "nicht in die cloud",
    "mit dem lokalen modell",
];
const CLOUD: &[&str] = &[
    "ask the cloud",
    "with the cloud model",
    "use the cloud model",
    "using the cloud model",
    "send it to the cloud",
    "send this to the cloud",
    "ask claude",
    "ask gpt",
    "ask chatgpt",
    "ask gemini",
    "frag claude",
    "frag die cloud",
];

/// Where the request's own words say that it shall go.
pub fn chosen_target(instruction: &str) -> Option<RouteTarget> {
    let words: Vec<String> = instruction.split_whitespace().map(str::to_lowercase).collect();
    let text = words.join(" ").replace('\u{2019}', "'");
    let has = |phrases: &[&str]| phrases.iter().any(|it| has_phrase(&text, it));
    if has(LOCAL) {
        Some(RouteTarget::Local)
    } else if has(CLOUD) {
        Some(RouteTarget::Cloud)
    } else {
        None
    }
}

/// Whether `text` has `phrase` with no letter beside it.
fn has_phrase(text: &str, phrase: &str) -> bool {
    text.match_indices(phrase).any(|(at, _)| {
        !text[..at].ends_with(char::is_alphanumeric)
            && !text[at + phrase.len()..].starts_with(char::is_alphanumeric)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_says_where_is_a_choice() {
        for (text, target) in [
            ("Explain this, but  don\u{2019}t send it anywhere", Some(RouteTarget::Local)),
            ("no cloud please: fix this", Some(RouteTarget::Local)),
            ("explain, nothing may leave my machine", Some(RouteTarget::Local)),
            ("ask claude why this is slow", Some(RouteTarget::Cloud)),
            ("don't ask claude, keep it local", Some(RouteTarget::Local)),
            ("add a client for the claude api", None),
            ("deploy this to the cloud", None),
            ("task gpt4all with this", None),
            ("why is there no cloudfront here", None),
            ("make it work without a network", None),
        ] {
            assert_eq!(chosen_target(text), target, "{text}");
        }
    }
}
