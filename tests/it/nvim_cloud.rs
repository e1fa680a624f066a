//! Asking a cloud model from a real Neovim: the question to the person, the answer that grows in a
//! window, the change in the buffer.
#![cfg(unix)]

use std::time::Instant;

use serde_json::Value;

use crate::nvim::Neovim;
use crate::provider::{Answer, Provider};
use crate::support::{PATIENCE, until_blocking};

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

#[track_caller]
fn until(nvim: &Neovim, what: &str, done: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    until_blocking(|| {
        let state = nvim.lua(BUFFERS);
        let is_late = began.elapsed() > PATIENCE / 2;
        assert!(!is_late || done(&state), "{what}: {state:#}");
        done(&state).then_some(state)
    })
}

/// Comes back when Neovim has worked off what the server had sent before it was asked.
fn round_trip(nvim: &Neovim) -> Value {
    nvim.lua(
        "local client = vim.lsp.get_clients({ name = 'keyside' })[1]
        return client:request_sync('keyside/stats', nil, 10000, 0).result",
    )
}

fn open(provider: &Provider) -> Neovim {
    let nvim = Neovim::open_with("area.rs", SOURCE, &provider.settings(""));
    nvim.lua(AGREE);
    nvim
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
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
    assert!(prompt.contains("“area.rs” lines 1–4") && prompt.contains("test-model"), "{prompt}");
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

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn what_will_be_sent_can_be_read_in_peace_before_the_question_comes_back() {
    let says = Answer::Says { text: "It adds.".to_owned(), input_tokens: 3, output_tokens: 3 };
    let provider = Provider::start(says).await;
    let nvim = open(&provider);
    nvim.lua(
        "
        _G.choices = { 'Show what will be sent', 'Show what will be sent', 'Send once' }
        vim.ui.select = function(items, options, done)
          table.insert(_G.asked, options.prompt or '')
          local wanted = table.remove(_G.choices, 1)
          for _, item in ipairs(items) do
            if item.title == wanted then return done(item) end
          end
        end
        return true",
    );
    nvim.keys(&["2G", ":Keyside explain<CR>"]);
    let is_reading = |state: &Value| {
        state[0].as_array().unwrap().iter().any(|it| {
            let (name, text) = (it[0].as_str().unwrap(), it[1].as_str().unwrap());
            name.contains("what will be sent") && text.contains("    let result = width")
        })
    };
    let n_asked = |state: &Value| state[1].as_array().unwrap().len();
    let state = until(&nvim, "what will be sent", is_reading);
    assert_eq!(n_asked(&state), 1);
    // A person reads on, and nobody asks them anything; what they read is in no file of Neovim's.
    nvim.keys(&["G", "gg", "/width<CR>", "n"]);
    assert_eq!(round_trip(&nvim)["escalations"], 1, "it waits for the person");
    let state = nvim.lua(BUFFERS);
    assert!(is_reading(&state) && n_asked(&state) == 1, "{state:#}");
    assert_eq!(
        nvim.lua("return { vim.bo.buftype, vim.bo.swapfile }"),
        serde_json::json!(["nofile", false])
    );
    assert!(provider.requests().is_empty());
    nvim.keys(&["<CR>"]);
    // The second time the window is closed instead.
    until(&nvim, "the second showing", |state| n_asked(state) == 2 && is_reading(state));
    nvim.keys(&[":quit<CR>"]);
    let state = until(&nvim, "the explanation", |state| {
        state[0].as_array().unwrap().iter().any(|it| it[1] == "It adds.")
    });
    assert_eq!((n_asked(&state), &state[2]), (3, &Value::from("")));
    assert_eq!(provider.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn closing_an_answers_window_ends_the_request() {
    for close in ["<C-w>o", "<C-w>l:quit<CR>", "<C-w>l:bdelete!<CR>"] {
        let text = "It multiplies ".to_owned();
        let provider = Provider::start(Answer::SaysAndStalls { text }).await;
        let nvim = open(&provider);
        nvim.keys(&["2G", ":Keyside explain<CR>"]);
        until(&nvim, "the beginning of the answer", |state| {
            state[0].as_array().unwrap().iter().any(|it| it[1] == "It multiplies ")
        });
        assert_eq!(*provider.n_closed.borrow(), 0);
        nvim.keys(&[close]);
        let mut n_closed = provider.n_closed.clone();
        n_closed.wait_for(|it| *it == 1).await.unwrap();
        // It is not opened again.
        let n_windows = nvim.lua("return #vim.api.nvim_list_wins()");
        assert_eq!((n_windows, &nvim.lua(BUFFERS)[2]), (1.into(), &Value::from("")), "{close}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn what_is_missing_is_asked_for() {
    let says = Answer::Says { text: "Because.".to_owned(), input_tokens: 3, output_tokens: 3 };
    let provider = Provider::start(says).await;
    let nvim = open(&provider);
    nvim.lua(
        "
        _G.prompts = {}
        vim.ui.input = function(options, done)
          table.insert(_G.prompts, options.prompt)
          done(#_G.prompts > 1 and 'why is this slow' or nil)
        end
        return true",
    );
    nvim.keys(&["2G", ":Keyside ask<CR>", ":Keyside fix<CR>"]);
    until(&nvim, "the request", |_| provider.requests().len() == 1);
    assert_eq!(
        nvim.lua("return _G.prompts"),
        serde_json::json!([
            "What do you want to know? ",
            "Nothing is reported here. What is wrong? "
        ])
    );
    assert!(provider.requests()[0].body.contains("why is this slow"));
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn what_is_under_way_is_on_the_screen_until_it_is_over() {
    // An explanation has a window, and a change has none before it is there.
    for (action, sign) in [("explain", "writing, about "), ("refactor", "keyside: Refactor (")] {
        let text = "It multiplies ".to_owned();
        let provider = Provider::start(Answer::SaysAndStalls { text }).await;
        let nvim = open(&provider);
        nvim.keys(&["2G", &format!(":Keyside {action}<CR>")]);
        let is_on_screen = |nvim: &Neovim| nvim.rows().iter().any(|row| row.contains(sign));
        until_blocking(|| is_on_screen(&nvim).then_some(()));
        let line = nvim.lua("return require('keyside').statusline()");
        assert!(line.as_str().unwrap().contains("(test-model)"), "{line}");
        nvim.keys(&[":Keyside cancel<CR>"]);
        until_blocking(|| {
            let line = nvim.lua("return require('keyside').statusline()");
            (line == "keyside: ready" && !is_on_screen(&nvim)).then_some(())
        });
        assert_eq!(nvim.lua("return vim.v.errmsg"), "");
    }
}
