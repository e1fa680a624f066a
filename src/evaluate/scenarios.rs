//! Carets at which a good colleague would speak, and others at which they would not
//! (tests/scenarios): how often something is shown at each.

use std::path::Path;

use ropey::Rope;

use crate::completion::{Completer, CompletionAsk, CompletionMode, complete};
use crate::evaluate::report::share;

/// What marks the caret.
const CARET: &str = "$0";

/// One caret.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// The ending of files in its language.
    pub language: String,
    pub title: String,
    /// Texts that would be right; none where silence is.
    pub right: Vec<String>,
    pub before: String,
    pub after: String,
}

/// What was shown at a scenario's caret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Right,
    Wrong,
    Silent,
}

impl Scenario {
    /// What is shown is right if a right text begins with it, or it with one of them.
    pub fn verdict(&self, shown: &str) -> Verdict {
        let begins = |it: &String| it.starts_with(shown.trim()) || shown.trim().starts_with(it);
        match shown.trim() {
            "" => Verdict::Silent,
            _ if self.right.iter().any(begins) => Verdict::Right,
            _ => Verdict::Wrong,
        }
    }
}

/// The scenarios of a folder, a file a language.
///
/// # Errors
/// One sentence, where there is none or one can't be used.
pub fn read_folder(folder: &Path) -> Result<Vec<Scenario>, String> {
    let unreadable = |error| format!("{} can't be read ({error})", folder.display());
    let mut files: Vec<_> =
        std::fs::read_dir(folder).map_err(unreadable)?.flatten().map(|it| it.path()).collect();
    files.sort();
    let mut all = Vec::new();
    for file in files.iter().filter(|it| it.extension().is_some_and(|it| it == "txt")) {
        let language = file.file_stem().unwrap_or_default().to_string_lossy();
        let text = std::fs::read_to_string(file)
            .map_err(|error| format!("{} can't be read ({error})", file.display()))?;
        all.extend(parse(&language, &text).map_err(|it| format!("{}: {it}", file.display()))?);
    }
    if all.is_empty() {
        return Err(format!("{} holds no scenario; tests/scenarios does", folder.display()));
    }
    Ok(all)
}

/// The scenarios of one file.
///
/// # Errors
/// What is wrong with the first that can't be used.
fn parse(language: &str, text: &str) -> Result<Vec<Scenario>, String> {
    let parts = text.strip_prefix("=== ").unwrap_or_default().split("\n=== ");
    let mut all = Vec::new();
    for part in parts {
        let (title, body) = part.split_once('\n').unwrap_or((part, ""));
        let is_right = |line: &&str| line.starts_with(">>> ");
        let right: Vec<String> =
            body.lines().filter(is_right).map(|line| line[4..].to_owned()).collect();
        let code: Vec<&str> = body.lines().filter(|line| !is_right(line)).collect();
        let code = code.join("\n");
        let Some((before, after)) = code.split_once(CARET) else {
            return Err(format!("{title:?} has no {CARET} for the caret"));
        };
        if title.starts_with("speak: ") == right.is_empty() {
            return Err(format!(
                "{title:?} needs lines that begin with `>>> ` if it begins with `speak: `, and else none"
            ));
        }
        all.push(Scenario {
            language: language.to_owned(),
            title: title.to_owned(),
            right,
            before: before.to_owned(),
            after: after.to_owned(),
        });
    }
    Ok(all)
}

/// What is shown at each caret while a person types, as `ask` says.
///
/// # Errors
/// Those of the model.
pub async fn shown(completer: &Completer, scenarios: &[Scenario]) -> Result<Vec<String>, String> {
    let mut all = Vec::new();
    for (number, it) in scenarios.iter().enumerate() {
        let rope = Rope::from_str(&format!("{}{}", it.before, it.after));
        let path = format!("scenario{number}.{}", it.language);
        let ask = CompletionAsk::at(path.as_str(), &path, rope, it.before.chars().count())
            .with_mode(CompletionMode::Fresh)
            .arriving(completer.next_arrival());
        all.push(complete(completer, ask).await.map_err(|error| error.to_string())?.text);
    }
    Ok(all)
}

/// A table: a row a language and one of all, then what was wrong.
pub fn report(scenarios: &[Scenario], shown: &[String]) -> String {
    let mut out = String::from(
        "| language | should speak | spoke | right of these | should be silent | silent |\n\
         |---|---|---|---|---|---|\n",
    );
    let all: Vec<(&Scenario, &String)> = scenarios.iter().zip(shown).collect();
    let mut languages: Vec<&str> = scenarios.iter().map(|it| &*it.language).collect();
    languages.dedup();
    let percent = |n: usize, of: usize| format!("{:.0}%", 100.0 * share(n, of));
    for language in languages.iter().copied().map(Some).chain([None]) {
        let of_language = |it: &&(&Scenario, &String)| language.is_none_or(|l| it.0.language == l);
        let count = |speaks: bool, verdict: Option<Verdict>| {
            let mine = all.iter().filter(of_language).filter(|it| it.0.right.is_empty() != speaks);
            mine.filter(|it| verdict.is_none_or(|v| it.0.verdict(it.1) == v)).count()
        };
        let (speak, silent) = (count(true, None), count(false, None));
        let right = count(true, Some(Verdict::Right));
        let spoke = right + count(true, Some(Verdict::Wrong));
        let row = [
            language.unwrap_or("all").to_owned(),
            speak.to_string(),
            percent(spoke, speak),
            percent(right, spoke),
            silent.to_string(),
            percent(count(false, Some(Verdict::Silent)), silent),
        ];
        out.push_str(&format!("| {} |\n", row.join(" | ")));
    }
    for (scenario, shown) in all {
        let is_fine = match scenario.verdict(shown) {
            Verdict::Right => true,
            Verdict::Silent => scenario.right.is_empty(),
            Verdict::Wrong => false,
        };
        if !is_fine {
            out.push_str(&format!("{}, {}: {shown:?}\n", scenario.language, scenario.title));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "=== speak: it repeats\nab\nab$0\ncd\n>>> c\n>>> dd\n=== silent: a name\nfn $0";

    #[test]
    fn a_file_is_read_and_judged() {
        let all = parse("rs", TEXT).expect("two scenarios");
        let [speak, silent] = &all[..] else { panic!("{all:?}") };
        assert_eq!((&*speak.before, &*speak.after), ("ab\nab", "\ncd"));
        let verdicts = ["cx", "d", "", "x"].map(|it| speak.verdict(it));
        use Verdict::{Right, Silent, Wrong};
        assert_eq!(verdicts, [Right, Right, Silent, Wrong]);
        assert_eq!([silent.verdict(" "), silent.verdict("main")], [Silent, Wrong]);
        let table = report(&all, &["x".to_owned(), String::new()]);
        assert!(table.contains("| all | 1 | 100% | 0% | 1 | 100% |\n"), "{table}");
        assert!(table.ends_with("rs, speak: it repeats: \"x\"\n"), "{table}");
    }

    #[test]
    fn what_can_t_be_used_is_named() {
        assert!(parse("rs", "=== speak: x\nab").is_err_and(|it| it.contains("$0")));
        assert!(parse("rs", "=== speak: x\na$0").is_err_and(|it| it.contains(">>>")));
        assert!(parse("rs", "=== silent: x\na$0\n>>> b").is_err_and(|it| it.contains(">>>")));
    }
}
