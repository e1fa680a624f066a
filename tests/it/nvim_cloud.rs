//! Asking a cloud model from a real Neovim: the question to the person, the answer that grows in a window, the change in the buffer.
#![cfg(unix)]

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::nvim::Neovim;
use crate::provider::{Answer, Provider};

const SOURCE: &str = "fn area(width: u32, height: u32) -> u32 {\n    let result = width * height;\n    return result;\n}\n";

/// Whatever a person would be asked, they choose the first answer; what they were asked is kept.
const AGREE: &str = "
    _G.asked = {}
    vim.ui.select = function(items, options, done)
      table.insert(_G.asked, options.prompt or '')
      done(items[1], 1)
    end
    return true";

/// The texts of all buffers, with their names.
const BUFFERS: &str = "
    local texts = {}
    for _, buf in ipairs(vim.api.nvim_list_bufs()) do
      local lines = vim.api.nvim_buf_get_lines(buf, 0, -1, true)
      table.insert(texts, { vim.api.nvim_buf_get_name(buf), table.concat(lines, '\\n') })
    end
    return { texts, _G.asked, vim.v.errmsg }";

fn until(nvim: &Neovim, what: &str, done: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let state = nvim.lua(BUFFERS);
        if done(&state) {
            return state;
        }
        assert!(Instant::now() < deadline, "{what}: {state:#}");
        std::thread::sleep(Duration::from_millis(30));
    }
}

fn open(provider: &Provider) -> Neovim {
    let nvim = Neovim::open_with("area.rs", SOURCE, &provider.settings(""));
    nvim.lua(AGREE);
    nvim
}

#[tokio::test(flavor = "multi_thread")]
async fn an_explanation_opens_beside_and_a_refactoring_changes_the_buffer() {
    let text = "It multiplies two numbers.\n\nThe name of `result` says nothing.";
    let provider = Provider::start(Answer::Says {
        text: text.to_owned(),
        input_tokens: 50,
        output_tokens: 20,
    })
    .await;
    let nvim = open(&provider);
    nvim.keys(&["2G", ":Keyside explain<CR>"]);
    let state = until(&nvim, "the explanation", |state| {
        state[0].as_array().unwrap().iter().any(|it| it[1] == text)
    });
    let prompt = state[1][0].as_str().unwrap();
    assert!(prompt.contains("area.rs lines 1–4") && prompt.contains("test-model"), "{prompt}");
    assert_eq!(state[2], "", "Neovim reports an error");
    let [request] = &provider.requests()[..] else { panic!("one request") };
    assert!(request.body.contains("let result = width * height;"));

    let answer = "```rust\nfn area(width: u32, height: u32) -> u32 {\n    width * height\n}\n```\n";
    let provider = Provider::start(Answer::Says {
        text: answer.to_owned(),
        input_tokens: 50,
        output_tokens: 20,
    })
    .await;
    let nvim = open(&provider);
    nvim.keys(&["2G", ":Keyside refactor<CR>"]);
    let changed = "fn area(width: u32, height: u32) -> u32 {\n    width * height\n}";
    until(&nvim, "the change", |state| {
        state[0].as_array().unwrap().iter().any(|it| it[1] == changed)
    });
    // One change, which can be undone as one.
    nvim.keys(&["u"]);
    until(&nvim, "the text as it was", |state| {
        state[0].as_array().unwrap().iter().any(|it| it[1] == SOURCE.trim_end())
    });
}
