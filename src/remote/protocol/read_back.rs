//! Reading a request's body again, where it comes from somebody who is not trusted: it has to be,
//! to the byte, what keyside makes for this provider of a system text and turns. So nothing can be
//! in it that would be read as more than text: no tools, no files, no other model, no member twice.

use serde_json::Value;

use crate::config::cloud::Provider;
use crate::remote::protocol::provider_protocol::implementation;
use crate::remote::protocol::{Ask, Role, Turn, body};

/// What a body asks, or `None` where it is not one of keyside's for this provider.
pub fn ask_of(provider: &Provider, bytes: &str) -> Option<Ask> {
    let json: Value = serde_json::from_str(bytes).ok()?;
    let ask = implementation(provider.protocol).ask_of_body(&json)?;
    (body(provider, &ask, true) == bytes).then_some(ask)
}

/// The turns of a list of `{"role": …, "content": …}`.
pub(crate) fn turns_of(messages: &Value) -> Option<Vec<Turn>> {
    messages.as_array()?.iter().map(turn_of).collect()
}

pub(crate) fn turn_of(message: &Value) -> Option<Turn> {
    let role = match message["role"].as_str()? {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        _ => return None,
    };
    Some(Turn { role, text: message["content"].as_str()?.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::cloud::Protocol;

    fn provider(protocol: Protocol) -> Provider {
        Provider { protocol, model: "m".to_owned(), ..Provider::default() }
    }

    #[test]
    fn what_keyside_makes_is_read_as_what_it_was_made_of() {
        for &protocol in Protocol::ALL {
            for system in ["", "You \"help\".\u{2028}"] {
                let turn = |role, text: &str| Turn { role, text: text.to_owned() };
                let ask = Ask {
                    system: system.to_owned(),
                    turns: vec![
                        turn(Role::User, "a \u{1f980} \\ \n"),
                        turn(Role::Assistant, ""),
                        turn(Role::User, "system"),
                    ],
                    max_output_tokens: 100,
                };
                let provider = provider(protocol);
                assert_eq!(ask_of(&provider, &body(&provider, &ask, true)), Some(ask));
            }
        }
    }

    #[test]
    fn whatever_else_is_in_it_it_is_not_keysides() {
        for &protocol in Protocol::ALL {
            let provider = provider(protocol);
            let turns = vec![Turn { role: Role::User, text: "hello".to_owned() }];
            let ask = Ask { system: "s".to_owned(), turns, max_output_tokens: 100 };
            let good = body(&provider, &ask, true);
            assert!(ask_of(&provider, &good).is_some());
            let mut n_changed = 0;
            for (from, to) in [
                ("{", "{\"tools\":[],"),
                ("{", "{\"model\":\"other\","),
                ("\"m\"", "\"other\""),
                ("{", "{ "),
                ("true", "false"),
                ("\"hello\"", "[{\"type\":\"text\",\"text\":\"hello\"}]"),
                ("\"hello\"", "\"hello\",\"name\":\"x\""),
                ("hello", "hell\\u006f"),
                ("user", "tool"),
                ("100", "100.0"),
                ("100", "-1"),
            ] {
                let bad = good.replacen(from, to, 1);
                // Not every protocol has the model or the wish for a stream in the body.
                if bad != good {
                    assert_eq!(ask_of(&provider, &bad), None, "{bad}");
                    n_changed += 1;
                }
            }
            assert!(n_changed >= 9, "{good}");
            for bad in
                ["", "{}", "[]", "null", &good[1..], &format!("{good}\n"), &format!("{good}{good}")]
            {
                assert_eq!(ask_of(&provider, bad), None, "{bad}");
            }
            for &other in Protocol::ALL.iter().filter(|it| **it != protocol) {
                let other = Provider { protocol: other, ..provider.clone() };
                assert_eq!(ask_of(&other, &good), None, "{protocol:?}");
            }
        }
    }
}
