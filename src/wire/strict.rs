//! Reading a request's body again, where it comes from somebody who is not trusted: it has to be,
//! to the byte, what keyside makes for this provider of a system text and turns. So nothing can be
//! in it that would be read as more than text: no tools, no files, no other model, no member twice.

use serde_json::Value;

use crate::config::cloud::{Protocol, Provider};
use crate::wire::{Ask, Role, Turn, body};

/// What a body asks, or `None` where it is not one of keyside's for this provider.
pub fn ask_of(provider: &Provider, bytes: &str) -> Option<Ask> {
    let json: Value = serde_json::from_str(bytes).ok()?;
    let number = |name: &str| json.get(name).and_then(Value::as_u64);
    let text = |it: &Value| it.as_str().map(str::to_owned);
    let (limit, system, messages) = match provider.protocol {
        Protocol::AnthropicMessages => {
            (number("max_tokens"), json.pointer("/system/0/text").and_then(text), &json["messages"])
        }
        Protocol::OpenaiChat => (
            number("max_completion_tokens").or_else(|| number("max_tokens")),
            None,
            &json["messages"],
        ),
        Protocol::OpenaiResponses => {
            (number("max_output_tokens"), json.get("instructions").and_then(text), &json["input"])
        }
    };
    let mut ask =
        Ask { system: system.unwrap_or_default(), turns: Vec::new(), max_output_tokens: limit? };
    for message in messages.as_array()? {
        let text = text(message.get("content")?)?;
        let role = match message.get("role")?.as_str()? {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" if ask.turns.is_empty() && ask.system.is_empty() => {
                ask.system = text;
                continue;
            }
            _ => return None,
        };
        ask.turns.push(Turn { role, text });
    }
    (body(provider, &ask, true) == bytes).then_some(ask)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider(protocol: Protocol) -> Provider {
        Provider { protocol, model: "m".to_owned(), ..Provider::default() }
    }

    const PROTOCOLS: [Protocol; 3] =
        [Protocol::AnthropicMessages, Protocol::OpenaiChat, Protocol::OpenaiResponses];

    #[test]
    fn what_keyside_makes_is_read_as_what_it_was_made_of() {
        for protocol in PROTOCOLS {
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
        for protocol in PROTOCOLS {
            let provider = provider(protocol);
            let turns = vec![Turn { role: Role::User, text: "hello".to_owned() }];
            let ask = Ask { system: "s".to_owned(), turns, max_output_tokens: 100 };
            let good = body(&provider, &ask, true);
            assert!(ask_of(&provider, &good).is_some());
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
                assert_ne!(bad, good, "{from}");
                assert_eq!(ask_of(&provider, &bad), None, "{bad}");
            }
            for bad in
                ["", "{}", "[]", "null", &good[1..], &format!("{good}\n"), &format!("{good}{good}")]
            {
                assert_eq!(ask_of(&provider, bad), None, "{bad}");
            }
            let other = Provider { protocol: PROTOCOLS[(protocol as usize + 1) % 3], ..provider };
            assert_eq!(ask_of(&other, &good), None, "{protocol:?}");
        }
    }
}
