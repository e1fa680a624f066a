//! `keyside redact`: a text without its secrets, or where they are.

use std::io::{BufRead, Read, Write};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::cli::terminal;
use crate::privacy::placeholders::Placeholders;
use crate::privacy::redact::Redactor;

/// Reads a text from standard input and prints it with a placeholder for each secret; as JSON,
/// prints the rule, line and column of each finding, and never a secret. `path` is the name of the
/// file that the text is from: some rules are for some files only.
///
/// # Errors
/// One sentence. Where the text is not UTF-8 nothing is printed, since half a text without secrets
/// looks like the whole.
pub fn run(path: Option<&str>, as_json: bool) -> Result<(), String> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .read_to_end(&mut bytes)
        .map_err(|error| format!("standard input can't be read ({error})"))?;
    terminal::print_exact(&answer(&bytes, path, as_json)?)
}

fn answer(bytes: &[u8], path: Option<&str>, as_json: bool) -> Result<String, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| not_text(bytes, error.valid_up_to()))?;
    if !as_json {
        return Ok(Placeholders::new().redact(Redactor::shared(), text, path).0);
    }
    let list = serde_json::to_string_pretty(&findings(text, path))
        .map_err(|error| format!("the findings can't be written ({error})"))?;
    Ok(format!("{list}\n"))
}

/// Where secrets are, and what they look like, as JSON.
fn findings(text: &str, path: Option<&str>) -> Value {
    let found = Redactor::shared().find(text, path);
    found.iter().map(|it| json!({"rule": it.rule, "line": it.line, "column": it.column})).collect()
}

/// A text of many.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    path: Option<String>,
    text: String,
}

/// Reads texts from standard input, a line of JSON each (`{"path": …, "text": …}`), and prints the
/// findings of each, a line of JSON, as soon as it has been read. For programs that look through
/// thousands of files.
///
/// # Errors
/// One sentence, where a line is no such JSON.
pub fn run_each() -> Result<(), String> {
    each(std::io::stdin().lock(), std::io::stdout().lock())
}

fn each(input: impl BufRead, mut output: impl Write) -> Result<(), String> {
    for (number, line) in input.lines().enumerate() {
        let line = line.map_err(|error| format!("standard input can't be read ({error})"))?;
        let Text { path, text } = serde_json::from_str(&line).map_err(|error| {
            // The error's own words may quote the line.
            format!(
                "line {} of standard input is not {{\"path\": …, \"text\": …}} as JSON (column {})",
                number + 1,
                error.column()
            )
        })?;
        writeln!(output, "{}", findings(&text, path.as_deref()))
            .and_then(|()| output.flush())
            .map_err(|error| format!("the answer can't be written ({error})"))?;
    }
    Ok(())
}

fn not_text(bytes: &[u8], at: usize) -> String {
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return "standard input is UTF-16; convert it to UTF-8 first, for example with `iconv -f UTF-16 \
                -t UTF-8`"
            .to_owned();
    }
    let line = 1 + memchr::memchr_iter(b'\n', &bytes[..at]).count();
    format!(
        "standard input is not UTF-8 text (byte {at}, in line {line}); convert it first, or leave the \
         file out if it is no text"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Built from parts, so that no scanner takes this file for a leak.
    fn token() -> String {
        format!("gh{}_{}", 'p', "7Fk2Qx9LmZp4Rt8Vw1Yb6Nc3Hd5Js0GaEuTo")
    }

    #[test]
    fn a_text_comes_back_without_its_secrets() {
        let text = format!("let token = \"{}\";\r\n", token());
        let redacted = answer(text.as_bytes(), None, false).unwrap();
        assert_eq!(redacted, "let token = \"KEYSIDE_SECRET_1\";\r\n");
    }

    #[test]
    fn the_findings_have_places_and_no_secret() {
        let text = format!("\nlet é = \"{}\";", token());
        let findings = answer(text.as_bytes(), Some("a.rs"), true).unwrap();
        assert!(!findings.contains(&token()));
        let findings: serde_json::Value = serde_json::from_str(&findings).unwrap();
        assert_eq!(findings, json!([{"rule": "github-pat", "line": 2, "column": 10}]));
        assert_eq!(answer(b"nothing", None, true).unwrap(), "[]\n");
    }

    #[test]
    fn each_text_of_many_has_its_line() {
        let secret = json!({"path": "a.py", "text": format!("\nKEY = \"{}\"\n", token())});
        let input = format!("{secret}\n{{\"text\": \"nothing\"}}\n");
        let mut output = Vec::new();
        each(input.as_bytes(), &mut output).unwrap();
        assert_eq!(
            String::from_utf8(output).unwrap(),
            "[{\"rule\":\"github-pat\",\"line\":2,\"column\":8}]\n[]\n"
        );
        let sentence = each("{\"text\": 1}\n".as_bytes(), Vec::new()).unwrap_err();
        assert_eq!(
            sentence,
            "line 1 of standard input is not {\"path\": …, \"text\": …} as JSON (column 10)"
        );
    }

    #[test]
    fn what_is_no_text_is_refused_with_what_to_do() {
        let sentence = answer(b"a\n\xFFb", None, false).unwrap_err();
        assert!(sentence.contains("byte 2, in line 2"), "{sentence}");
        let sentence = answer(b"\xFF\xFEa\0", None, false).unwrap_err();
        assert!(sentence.contains("UTF-16"), "{sentence}");
        assert_eq!(answer(b"a\0b", None, false).unwrap(), "a\0b");
    }
}
