//! The keys in Neovim, and whose they are where a menu, a snippet or a macro is at work.
#![cfg(unix)]

use std::path::Path;

use crate::nvim::{LOUDER, Neovim, Screen, TOTALS};
use crate::support::until_blocking;

/// Up to where the ghost has one answer: the rest of the line as the lines above have it.
const TYPED: &str = "let epsilon = map.get(\"epsilon\").copied().un";

/// The lines that were added to `TOTALS` below its seventh.
fn added(nvim: &Neovim) -> Vec<String> {
    let lines = nvim.lua("return vim.api.nvim_buf_get_lines(0, 7, -4, true)");
    serde_json::from_value(lines).expect("lines")
}

/// A new line with ghost text in it; what the line is to become.
fn with_ghost(nvim: &Neovim) -> String {
    nvim.keys(&["7G", "o"]);
    nvim.type_text(TYPED);
    let screen = nvim.wait("ghost text", Screen::is_settled_with_ghost);
    let ghost = screen.settled_ghost().to_owned();
    assert!(ghost.starts_with("wrap_or") && !ghost.contains('\n'), "{ghost:?}");
    format!("{}{ghost}", screen.line())
}

fn open() -> Neovim {
    Neovim::open_with("totals.rs", TOTALS, LOUDER)
}

fn tab_is_a_tab(nvim: &Neovim, why: &str) {
    nvim.keys(&["<Tab>"]);
    let screen = nvim.wait(why, |screen| !screen.line().ends_with(".un"));
    assert_eq!(screen.line().trim(), TYPED, "{why}");
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn the_ghost_is_on_the_screen_in_the_window_with_the_caret_alone() {
    let nvim = open();
    nvim.keys(&[":split<CR>"]);
    let line = with_ghost(&nvim);
    let rows = nvim.rows();
    let n_of = |text: &str| rows.iter().filter(|row| row.as_str() == text).count();
    assert_eq!((n_of(&line), n_of(&format!("    {TYPED}"))), (1, 1), "{rows:#?}");
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn what_is_accepted_repeats_and_is_undone_like_text() {
    let nvim = open();
    let line = with_ghost(&nvim);
    nvim.keys(&["<Tab>"]);
    nvim.wait("the text", |screen| screen.line() == line);
    nvim.keys(&["<Esc>", "."]);
    until_blocking(|| (added(&nvim) == [line.clone(), line.clone()]).then_some(()));
    nvim.keys(&["u", "u"]);
    until_blocking(|| (added(&nvim) == [format!("    {TYPED}")]).then_some(()));
    nvim.assert_server_agrees();
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn a_macro_holds_what_was_accepted() {
    let nvim = open();
    nvim.lua("vim.keymap.set('i', '<M-w>', '<Plug>(keyside-accept-word)')");
    nvim.keys(&["qa"]);
    let line = with_ghost(&nvim);
    nvim.keys(&["<M-w>"]);
    nvim.wait("a word", |screen| screen.line().ends_with(".unwrap_or"));
    nvim.keys(&["<Tab>"]);
    nvim.wait("all", |screen| screen.line() == line);
    nvim.keys(&["<Esc>", "q"]);
    until_blocking(|| {
        let register = nvim.lua("return vim.fn.keytrans(vim.fn.getreg('a'))");
        let register = register.as_str().unwrap();
        let has_keys = register.contains("<Tab>") || register.contains("<M-w>");
        (!has_keys && !register.contains("Plug")).then_some(())
    });
    // Where nothing at all is suggested, it types the same.
    nvim.keys(&[":Keyside disable buffer<CR>", ":8d<CR>", "@a"]);
    until_blocking(|| (added(&nvim) == [line.clone()]).then_some(()));
    assert_eq!(nvim.lua("return vim.v.errmsg"), "");
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn tab_in_neovims_own_menu() {
    let nvim = open();
    nvim.lua("vim.o.completeopt = 'menu,menuone,noselect'");
    let is_open = |nvim: &Neovim| nvim.lua("return vim.fn.pumvisible() == 1") == true;
    // Nothing is selected: the ghost is taken, and the menu goes.
    let line = with_ghost(&nvim);
    nvim.keys(&["<C-n>"]);
    until_blocking(|| is_open(&nvim).then_some(()));
    nvim.keys(&["<Tab>"]);
    nvim.wait("the ghost as text", |screen| screen.line() == line);
    assert!(!is_open(&nvim));
    nvim.keys(&["<Esc>", "u", "u"]);

    // An entry is selected, which is text already: Tab is what it was.
    nvim.lua("vim.o.completeopt = 'menu,menuone'");
    with_ghost(&nvim);
    nvim.keys(&["<C-n>"]);
    until_blocking(|| is_open(&nvim).then_some(()));
    nvim.keys(&["<Tab>"]);
    let screen = nvim.wait("a tab", |screen| screen.line().ends_with(' '));
    assert_eq!(screen.line().trim(), TYPED.to_owned() + "wrap_or");
    nvim.assert_server_agrees();
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn the_ghost_steps_back_for_the_menus_of_plugins() {
    // Neither plugin is here; these modules have the functions and events of theirs that are used.
    let cmp = "
        local listeners = {}
        package.loaded.cmp = {
          visible = function() return _G.menu end,
          event = { on = function(_, name, call) listeners[name] = call end },
        }
        _G.set = function(is_open)
          _G.menu = is_open
          listeners[is_open and 'menu_opened' or 'menu_closed']()
        end";
    let blink = "
        package.loaded['blink.cmp'] = { is_menu_visible = function() return _G.menu end }
        _G.set = function(is_open)
          _G.menu = is_open
          local name = is_open and 'BlinkCmpMenuOpen' or 'BlinkCmpMenuClose'
          vim.api.nvim_exec_autocmds('User', { pattern = name })
        end";
    for plugin in [cmp, blink] {
        let nvim = open();
        nvim.lua(&format!("_G.menu = false {plugin}"));
        let line = with_ghost(&nvim);
        nvim.lua("_G.set(true)");
        until_blocking(|| (!nvim.rows().contains(&line)).then_some(()));
        nvim.lua("_G.set(false)");
        until_blocking(|| nvim.rows().contains(&line).then_some(()));
        nvim.lua("_G.set(true)");
        until_blocking(|| (!nvim.rows().contains(&line)).then_some(()));
        tab_is_a_tab(&nvim, "the menu's key");
    }
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn tab_goes_on_in_a_snippet() {
    let nvim = open();
    nvim.keys(&["7G", "o"]);
    nvim.lua("vim.snippet.expand('$1 // ${2:here}')");
    nvim.type_text(TYPED);
    nvim.keys(&["<Tab>"]);
    until_blocking(|| (nvim.lua("return vim.fn.mode()") == "s").then_some(()));
    assert_eq!(added(&nvim), [format!("    {TYPED} // here")]);
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn a_key_dismisses_one_asks_and_two_go_through_what_there_is() {
    let nvim = open();
    nvim.lua("vim.keymap.set('i', '<M-]>', '<Plug>(keyside-next)')");
    nvim.lua("vim.keymap.set('i', '<M-[>', '<Plug>(keyside-previous)')");
    let line = with_ghost(&nvim);
    nvim.keys(&["<C-]>"]);
    until_blocking(|| (!nvim.rows().contains(&line)).then_some(()));
    tab_is_a_tab(&nvim, "nothing to accept");
    nvim.keys(&["<Esc>", "u", "u"]);

    let line = with_ghost(&nvim);
    nvim.keys(&["<C-]>"]);
    until_blocking(|| (!nvim.rows().contains(&line)).then_some(()));
    nvim.keys(&["<M-\\>"]);
    until_blocking(|| nvim.rows().iter().any(|row| row.starts_with(&line)).then_some(()));
    // At least one more where a person asks, or the same one.
    nvim.keys(&["<M-]>", "<M-[>"]);
    until_blocking(|| nvim.rows().iter().any(|row| row.starts_with(&line)).then_some(()));
    assert_eq!(nvim.lua("return vim.v.errmsg"), "");

    // Without ghost text <C-]> is what it was: it ends an abbreviation.
    nvim.keys(&["<Esc>", ":Keyside disable buffer<CR>", ":iabbrev kx keyside<CR>", "o"]);
    nvim.type_text("kx");
    nvim.keys(&["<C-]>"]);
    nvim.wait("the abbreviation", |screen| screen.line().trim() == "keyside");
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn a_buffer_a_language_and_a_while_without_ghost_text() {
    let nvim = open();
    for (off, on, why) in [
        ("disable buffer", "enable buffer", "in this buffer"),
        ("toggle buffer", "toggle buffer", "in this buffer"),
        ("disable language", "enable language", "for rust"),
        ("snooze 5", "snooze off", "snoozed until"),
    ] {
        let line = with_ghost(&nvim);
        nvim.keys(&["<C-o>", &format!(":Keyside {off}<CR>")]);
        until_blocking(|| (!nvim.rows().contains(&line)).then_some(()));
        nvim.type_text("w");
        let said = nvim.lua("return vim.fn.execute('Keyside')");
        assert!(said.as_str().unwrap().contains(why), "{said}");
        let state = nvim.lua("return require('keyside').statusline()");
        let is_said = state == "keyside: off" || state == "keyside: snoozed";
        assert!(is_said, "{state}");
        // Whatever was asked has been answered, and nothing is there.
        nvim.assert_server_agrees();
        nvim.wait("no ghost", |screen| screen.settled_ghost().is_empty());
        nvim.keys(&["<Esc>", &format!(":Keyside {on}<CR>"), "u", "u"]);
        until_blocking(|| {
            let state = nvim.lua("return require('keyside').statusline()");
            (state == "keyside: ready").then_some(())
        });
        nvim.keys(&[":edit!<CR>"]);
    }
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn a_level_says_how_much_is_suggested() {
    let nvim = Neovim::open_with("totals.rs", TOTALS, "");
    let ghost = |level: &str| {
        nvim.keys(&["<Esc>", &format!(":Keyside level {level}<CR>"), "7Go"]);
        nvim.type_text("if al");
        nvim.assert_server_agrees();
        nvim.wait("an answer", Screen::is_settled).settled_ghost().to_owned()
    };
    assert_eq!(ghost("quiet"), "");
    assert!(ghost("eager").starts_with("pha"));
    assert_eq!(ghost("quiet"), "");
    nvim.keys(&["<Esc>", ":Keyside level loud<CR>"]);
    let said = nvim.lua("return vim.fn.execute('messages')");
    assert!(said.as_str().unwrap().contains("quiet, balanced or eager"), "{said}");
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn without_true_colour_the_ghost_is_no_code() {
    let nvim = open();
    let group = "return vim.api.nvim_get_hl(0, { name = 'KeysideGhost', link = false })";
    let foreground = |nvim: &Neovim| nvim.lua(group)["ctermfg"].clone();
    assert!(foreground(&nvim).is_u64() || nvim.lua(group)["cterm"].is_object());
    nvim.keys(&[":colorscheme quiet<CR>", ":colorscheme default<CR>"]);
    assert!(foreground(&nvim).is_u64() || nvim.lua(group)["cterm"].is_object());
    // A person's own colours stay.
    nvim.lua("vim.api.nvim_set_hl(0, 'KeysideGhost', { ctermfg = 5 })");
    nvim.lua("vim.api.nvim_exec_autocmds('UIEnter', {})");
    assert_eq!(foreground(&nvim), 5);
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn help_opens_without_a_plugin_manager() {
    // As git leaves it: without the tags, which are no part of the repository.
    let tags = Path::new(env!("CARGO_MANIFEST_DIR")).join("editors/nvim/doc/tags");
    let _ = std::fs::remove_file(tags);
    let nvim = open();
    until_blocking(|| {
        let found = nvim.lua("return vim.fn.getcompletion('keyside-keys', 'help')");
        (found == serde_json::json!(["keyside-keys"])).then_some(())
    });
    nvim.keys(&[":help keyside-keys<CR>"]);
    until_blocking(|| nvim.rows().iter().any(|row| row.starts_with("2. KEYS")).then_some(()));
    let names = nvim.lua("return vim.fn.getcompletion('Keyside disable ', 'cmdline')");
    assert_eq!(names, serde_json::json!(["buffer", "language"]));
}
