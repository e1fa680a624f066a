//! Where nothing is suggested, a person in Neovim finds out why: `:Keyside status` and
//! `:checkhealth keyside`.
#![cfg(unix)]

use crate::nvim::Neovim;
use crate::support::until_blocking;

const SOURCE: &str = "fn main() {\n    let x = 1;\n}\n";

/// What `:Keyside status` says, once it holds `part`.
#[track_caller]
fn status(nvim: &Neovim, part: &str) -> String {
    until_blocking(|| {
        let said = nvim.lua("return vim.fn.execute('Keyside status')");
        Some(said.as_str().unwrap().trim().to_owned()).filter(|it| it.contains(part))
    })
}

/// The report of `:checkhealth`, which is closed again.
fn health(nvim: &Neovim) -> String {
    let report = nvim.lua(
        "vim.cmd('checkhealth keyside')
        local lines = vim.api.nvim_buf_get_lines(0, 0, -1, true)
        vim.cmd('bwipeout!')
        return table.concat(lines, '\\n')",
    );
    report.as_str().unwrap().to_owned()
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn all_is_well() {
    let nvim = Neovim::open_with("a.rs", SOURCE, "");
    let said = status(&nvim, "ready");
    assert!(said.starts_with("keyside ") && said.contains("keyside-nano"), "{said}");
    let report = health(&nvim);
    assert!(report.contains("a.rs): ghost text is on"), "{report}");
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn suggestions_are_switched_off() {
    let nvim = Neovim::open_with("a.rs", SOURCE, "[completion]\nenabled = false\n");
    let said = status(&nvim, "`completion.enabled` is false");
    assert!(!said.contains("ready"), "{said}");
    let report = health(&nvim);
    let reason = "nothing is suggested, because `completion.enabled` is false";
    assert!(report.contains(reason) && !report.contains("ready"), "{report}");
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn a_language_is_switched_off() {
    let settings = "[completion]\ndisabled_languages = [\"Rust\"]\n";
    let nvim = Neovim::open_with("a.rs", SOURCE, settings);
    let said = status(&nvim, "`completion.disabled_languages`");
    assert!(said.contains("`Rust`") && !said.contains("ready"), "{said}");
    assert_eq!(nvim.lua("return require('keyside').status()"), "off");
    let report = health(&nvim);
    assert!(report.contains("a.rs): nothing is suggested in this document"), "{report}");
    // Another language is as it was.
    let other = nvim.home.join("project/b.py");
    std::fs::write(&other, "x = 1\n").unwrap();
    nvim.lua(&format!("vim.cmd.edit({:?})", other.display().to_string()));
    status(&nvim, "ready");
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn every_ordinary_file_is_attended_to() {
    let nvim = Neovim::open_with("a.rs", SOURCE, "");
    for name in ["README.md", "LICENSE", "a.qwertz"] {
        nvim.lua(&format!("vim.cmd.edit({:?})", nvim.home.join("project").join(name)));
        status(&nvim, "ready");
    }
    nvim.lua("vim.bo.filetype = 'qwertz'");
    status(&nvim, "ready");
    assert_eq!(nvim.lua("return #vim.lsp.get_clients({ name = 'keyside' })"), 1, "one server");
    nvim.assert_server_agrees();
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn why_there_is_nothing_in_a_buffer() {
    let nvim = Neovim::open_with("a.rs", SOURCE, "");
    nvim.lua("vim.cmd('hide enew')");
    status(&nvim, "neither a name nor a filetype");
    nvim.lua("vim.bo.filetype = 'gitcommit'");
    let said = status(&nvim, "\"gitcommit\"");
    assert!(said.contains("vim.g.keyside.exclude"), "{said}");
    let report = health(&nvim);
    assert!(report.contains("\"gitcommit\"") && report.contains("ghost text is on"), "{report}");
    nvim.lua("vim.g.keyside = { exclude = {} } vim.bo.filetype = 'mail'");
    status(&nvim, "ready");
    nvim.lua("vim.cmd('Keyside disable')");
    status(&nvim, "keyside is disabled; :Keyside enable");
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn a_model_of_no_use_is_said_and_the_built_in_one_suggests() {
    let nvim = Neovim::open_with("a.rs", SOURCE, "[model]\npath = \"/nowhere.gguf\"\n");
    let said = status(&nvim, "/nowhere.gguf does not exist");
    assert!(said.contains("ready keyside-nano-v2 suggests instead"), "{said}");
    assert!(health(&nvim).contains("/nowhere.gguf does not exist"));
}
