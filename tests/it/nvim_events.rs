//! What the Neovim plugin reports of suggestions, and what `keyside usage` makes of it.
#![cfg(unix)]

use serde_json::Value;

use crate::nvim::{LOUDER, Neovim, STATS, Screen, TOTALS};
use crate::support::{keyside, run, until_blocking};

/// The count of one thing that became of suggestions, once it is at least `least`.
#[track_caller]
fn count(nvim: &Neovim, name: &str, least: i64) -> i64 {
    until_blocking(|| {
        let stats = nvim.lua(STATS);
        let n = stats["completions"][name].as_i64().unwrap_or_else(|| panic!("{stats}"));
        (n >= least).then_some(n)
    })
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn a_word_all_of_it_and_nothing_are_told_apart() {
    let mut nvim = Neovim::open_with("totals.rs", TOTALS, LOUDER);
    nvim.lua("vim.keymap.set('i', '<F2>', '<Plug>(keyside-accept-word)')");
    nvim.keys(&["7G", "o"]);
    nvim.type_text("let epsilon = map.get(\"epsilon\").copied().un");
    let before = nvim.wait("two words", |screen| screen.settled_ghost().contains('('));
    nvim.keys(&["<F2>"]);
    nvim.wait("a word of the ghost", |screen| screen.line() != before.line());
    assert_eq!(count(&nvim, "accepted_parts", 1), 1);
    assert_eq!(count(&nvim, "accepted", 0), 0);

    // Insert mode is left while a ghost stands there.
    nvim.keys(&["<Esc>", "o"]);
    nvim.type_until_ghost("let zeta = map.get(\"zeta\").copied().un");
    let n_rejected = count(&nvim, "rejected", 0);
    nvim.keys(&["<Esc>"]);
    assert_eq!(count(&nvim, "rejected", n_rejected + 1), n_rejected + 1);

    nvim.keys(&["o"]);
    let before = nvim.type_until_ghost("let eta = map.get(\"eta\").copied().un");
    let n_rejected = count(&nvim, "rejected", 0);
    nvim.keys(&["<Tab>"]);
    nvim.wait("the ghost as text", |screen: &Screen| screen.line() != before.line());
    assert_eq!(count(&nvim, "accepted", 1), 1);
    assert_eq!(count(&nvim, "rejected", 0), n_rejected, "what is taken is not rejected");
    nvim.assert_server_agrees();

    nvim.keys(&["<Esc>"]);
    // What was suggested after it may have been on the screen by then.
    let n_rejected = n_rejected..=n_rejected + 1;
    nvim.keys(&[":qa!<CR>"]);
    nvim.assert_server_ends();
    let output = run(keyside(&nvim.home.join("keyside"), &["usage", "--json"]), "");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let total = |name: &str| report["total"][name].as_i64().unwrap();
    assert_eq!(total("accepted_words"), 1, "{report}");
    assert_eq!(total("accepted_suggestions"), 1, "{report}");
    assert!(n_rejected.contains(&total("rejected_suggestions")), "{report}");
    assert!(total("shown_suggestions") >= 3 && total("spared_characters") > 0, "{report}");
}
