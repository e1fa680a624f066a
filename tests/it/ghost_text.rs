//! What ghost text says, with the built-in model: what it does to the line that it is put into.

use serde_json::{Value, json};

use crate::support::{Client, inline_params};

/// Asked by a pause in typing, or by a person.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Ask {
    Automatic,
    Explicit,
}
use Ask::{Automatic, Explicit};

struct Editor {
    client: Client,
    n_opened: std::cell::Cell<usize>,
}

impl Editor {
    async fn start() -> Self {
        Self::with(Client::with_embedded_model()).await
    }

    /// With settings by which short and less sure texts are shown.
    async fn start_louder() -> Self {
        let values = json!({"min_characters": 2, "min_confidence": 0.45});
        Self::with(Client::with_embedded_model_and(values)).await
    }

    async fn with(client: Client) -> Self {
        client.initialize(&["utf-32"]).await;
        client.model_ready().await;
        Self { client, n_opened: std::cell::Cell::new(0) }
    }

    /// Opens a text with `$0` for the caret; its URI, line and column.
    fn open(&self, language: &str, marked: &str) -> (String, usize, usize) {
        let n = self.n_opened.get();
        self.n_opened.set(n + 1);
        let ending = match language {
            "rust" => "rs",
            "python" => "py",
            "javascript" => "js",
            other => other,
        };
        let uri = format!("file:///home/me/project/src/a{n}.{ending}");
        let caret = marked.find("$0").expect("$0 marks the caret");
        let text = marked.replacen("$0", "", 1);
        let document = json!({"uri": uri, "languageId": language, "version": 1, "text": text});
        self.client.notify("textDocument/didOpen", json!({"textDocument": document}));
        let line_start = text[..caret].rfind('\n').map_or(0, |at| at + 1);
        (uri, text[..caret].matches('\n').count(), text[line_start..caret].chars().count())
    }

    /// What each item would insert at the caret.
    async fn items(&self, language: &str, marked: &str, ask: Ask) -> Vec<String> {
        let (uri, line, column) = self.open(language, marked);
        let items = self.ask(&uri, line, column, ask, Value::Null).await;
        // Other texts that are open say how this one goes on.
        self.client.notify("textDocument/didClose", json!({"textDocument": {"uri": uri}}));
        items
    }

    async fn ask(
        &self,
        uri: &str,
        line: usize,
        column: usize,
        ask: Ask,
        selected: Value,
    ) -> Vec<String> {
        let mut params = inline_params(uri, line, column);
        params["context"]["triggerKind"] = json!(if ask == Explicit { 1 } else { 2 });
        if !selected.is_null() {
            params["context"]["selectedCompletionInfo"] = selected;
        }
        let answer = self.client.ask("textDocument/inlineCompletion", params).await;
        let items = answer["result"]["items"].as_array().expect("a list").clone();
        let inserted = |it: &Value| {
            let start = it["range"]["start"]["character"].as_u64().expect("a column") as usize;
            let text = it["insertText"].as_str().expect("plain text");
            text.chars().skip(column - start).collect()
        };
        items.iter().map(inserted).collect()
    }

    /// The first item, or an empty text.
    async fn first(&self, language: &str, marked: &str, ask: Ask) -> String {
        self.items(language, marked, ask).await.into_iter().next().unwrap_or_default()
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn what_follows_the_caret_is_not_said_again() {
    let editor = Editor::start().await;
    for (language, marked, right) in [
        (
            "xml",
            "<calls>\n  <call name=\"read\" number=\"1\"/>\n  <call name=\"write\" number=\"2\"/>\n  \
             <call na$0=\"open\" number=\"3\"/>\n</calls>\n",
            "me",
        ),
        (
            "javascript",
            "const fs = require('fs')\nconst os = require('os')\nconst path = requ$0('path')\n",
            "ire",
        ),
        (
            "python",
            "def f(user_id, user_name):\n    pass\n\nf(user_id=1, user_name='a')\nf(user_id=2, \
             user_n$0='b')\n",
            "ame",
        ),
        ("python", "self.width = width\nself.height = height\nself.hei$0 = 3\n", "ght"),
        ("rust", "let total = compute(a, b);\nlet sum = comp$0(c, d);\n", "ute"),
    ] {
        assert_eq!(editor.first(language, marked, Automatic).await, right, "{marked}");
        let asked = editor.first(language, marked, Explicit).await;
        assert!(asked.starts_with(right) && !asked.contains(['(', '=']), "{marked}: {asked}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selected_popup_item_does_not_say_the_opener_again() {
    let editor = Editor::start().await;
    let marked =
        "const fs = require('fs')\nconst os = require('os')\nconst path = requ$0('path')\n";
    let (uri, line, column) = editor.open("javascript", marked);
    let range = json!({
        "start": {"line": line, "character": column - 4},
        "end": {"line": line, "character": column},
    });
    let selected = json!({"range": range, "text": "require"});
    let items = editor.ask(&uri, line, column, Automatic, selected).await;
    assert!(items.iter().all(|it| it == "ire"), "{items:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn words_of_all_scripts_are_whole_and_half_of_one_is_completed() {
    let editor = Editor::start().await;
    for name in ["größe", "имя_пользователя", "顧客番号", "ユーザー名", "사용자_이름", "user_name"]
    {
        let n_half = name.chars().count() / 2;
        let half: String = name.chars().take(n_half).collect();
        let used = format!(
            "{name} = 1\nprint({name})\nif {name} > 2:\n    print({name}, 3)\nfor i in \
             range({name}):\n    f({name}, i)\n"
        );
        for (marked, begun) in
            [(format!("{used}x = {half}$0"), half.as_str()), (format!("{used}print($0)"), "")]
        {
            let text = editor.first("python", &marked, Automatic).await;
            assert!(format!("{begun}{text}").starts_with(name), "{begun}|{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn asking_shows_what_not_asking_does_and_more() {
    let editor = Editor::start_louder().await;
    let python = "items = []\nitems.append(1)\nitems.append(2)\nitems.app$0";
    let rust = "    assert_eq!(f(1), 2);\n    assert_eq!(f(2), 3);\n    asse$0";
    // The whole line may be the one above; its sure beginning is offered then.
    assert!(editor.first("python", python, Explicit).await.starts_with("end("));
    assert!(editor.first("rust", rust, Explicit).await.starts_with("rt_eq!(f("));
    // Unasked, nothing is left open: editors close a bracket that is typed.
    assert_eq!(editor.first("python", python, Automatic).await, "end");
    assert_eq!(editor.first("rust", rust, Automatic).await, "rt_eq!");
}

/// A property: at every place of a text, in both orders.
#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn asking_never_shows_less() {
    let editor = Editor::start_louder().await;
    let text = "def total(items, tax):\n    result = 0\n    for item in items:\n        result += item.price * \
                item.amount\n    for item in items:\n        print(item.name, item.price, 'each')\n    if \
                tax > 0:\n        result += result * tax\n    names = [item.name for item in items]\n    \
                return result, names, {'tax': tax, 'größe': len(items)}\n";
    let (mut n_shown, mut places) = (0, text.char_indices().map(|it| it.0).skip(60));
    while let Some(at) = places.nth(1) {
        let rest = text[at..].find('\n').map_or(text.len(), |it| at + it);
        // Within the line, and without its rest.
        for marked in [
            format!("{}$0{}", &text[..at], &text[at..]),
            format!("{}$0{}", &text[..at], &text[rest..]),
        ] {
            let (uri, line, column) = editor.open("python", &marked);
            let orders = [[Automatic, Explicit], [Explicit, Automatic]];
            let mut found = [Vec::new(), Vec::new()];
            for ask in orders[n_shown % 2] {
                found[ask as usize] = editor.ask(&uri, line, column, ask, Value::Null).await;
            }
            editor.client.notify("textDocument/didClose", json!({"textDocument": {"uri": uri}}));
            let [unasked, asked] = found;
            let Some(shown) = unasked.first() else { continue };
            n_shown += 1;
            let is_less = !asked.iter().any(|it| it.starts_with(shown));
            assert!(!is_less, "{marked}\nunasked {unasked:?}, asked {asked:?}");
        }
    }
    assert!(n_shown > 50, "{n_shown} texts are too few to tell");
    editor.client.assert_no_faults();
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_and_signs_do_not_go_round_in_circles() {
    let editor = Editor::start().await;
    for (language, marked) in [
        ("json", "[10, 10, 10, 10,\n 10, 10, $0"),
        (
            "markdown",
            "| a | b | c | d |\n| 7 | 7 | 7 | 7 |\n| 7 | 7 | 7 | 7 |\n| 7 | 7 | 7 | 7 | $0",
        ),
        ("python", "x = '的的的的的的的$0"),
    ] {
        assert_eq!(
            editor.items(language, marked, Explicit).await,
            Vec::<String>::new(),
            "{marked}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn what_a_text_opens_it_closes() {
    let editor = Editor::start().await;
    let used = "fn main() {\n    println!(\"total: {}\", total(1, 2));\n    println!(\"sum: {}\", total(3, \
                4));\n";
    let mut n_shown = 0;
    for line in ["    println!(\"product: {}\", total(5, 6));", "    let x = total(7, 8);"] {
        for at in 5..line.len() {
            let marked = format!("{used}{}$0\n}}\n", &line[..at]);
            let text = editor.first("rust", &marked, Automatic).await;
            let opens = |text: &str, c: char| text.matches(c).count();
            n_shown += usize::from(!text.is_empty());
            assert!(
                opens(&text, '(') <= opens(&text, ')')
                    && (opens(&text, '"') + opens(&line[..at], '"')).is_multiple_of(2)
                    || !text.contains(['(', '"']),
                "{}|{text}",
                &line[..at]
            );
        }
    }
    assert!(n_shown > 10, "{n_shown} texts are too few to tell");
}

/// A text with a block at the caret whose first line is the one of the blocks above.
const SAME_BLOCKS: &str = "fn check(a: &Form, b: &Form, c: &Form) -> Result<(), Error> {\n    if a.is_empty() {\n        \
                           return Err(Error::Empty);\n    }\n    if b.is_empty() {\n        return \
                           Err(Error::Empty);\n    }\n    if c.is_empty() {$0\n    }\n    Ok(())\n}\n";

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn behind_what_opens_a_block_its_first_line_is_shown() {
    let editor = Editor::start().await;
    let shown = editor.first("rust", SAME_BLOCKS, Automatic).await;
    assert!(shown.starts_with("\n        return Err(Error::Empty)"), "{shown}");
    // After Enter it is what is left of it.
    let below = SAME_BLOCKS.replace("$0", "\n        $0");
    let left = editor.first("rust", &below, Automatic).await;
    assert_eq!(format!("\n        {left}"), shown);
    // Whatever the document's line breaks are, the text has `\n`.
    let crlf = editor.first("rust", &SAME_BLOCKS.replace('\n', "\r\n"), Automatic).await;
    assert_eq!(crlf, shown);
    // A block that has lines gets none.
    let has_lines = SAME_BLOCKS.replace("$0", "$0\n        return Err(Error::Empty);");
    assert_eq!(editor.first("rust", &has_lines, Automatic).await, "");
    editor.client.assert_no_faults();
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn who_asks_behind_what_opens_a_block_gets_its_first_line() {
    let editor = Editor::start().await;
    for (language, marked, first) in [
        (
            "rust",
            "use std::collections::HashMap;\n\npub struct Counter {\n    counts: HashMap<String, \
             usize>,\n}\n\nimpl Counter {\n    pub fn new() -> Self {\n        Self { counts: HashMap::new() \
             }\n    }\n\n    pub fn len(&self) -> usize {$0\n    }\n}\n",
            "\n        self.",
        ),
        (
            "python",
            "class Store:\n    def __init__(self, path):\n        self.path = path\n        self.items = \
             {}\n\n    def clear(self):$0\n\n    def get(self, key):\n        return self.items[key]\n",
            "\n        ",
        ),
    ] {
        let shown = editor.first(language, marked, Explicit).await;
        assert!(shown.starts_with(first) && shown.trim().contains("self."), "{shown}");
    }
}
