//! A program that is missing, of another version or ends by itself: a person in Neovim is told once,
//! with what to do, and a server that was killed is there again.
#![cfg(unix)]

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::nvim::{LOUDER, Neovim, Screen, TOTALS};
use crate::support::until_blocking;

/// What Neovim's messages hold, once they hold `part`.
#[track_caller]
fn messages(nvim: &Neovim, part: &str) -> String {
    until_blocking(|| {
        let said = nvim.lua("return vim.fn.execute('messages')");
        Some(said.as_str().unwrap().to_owned()).filter(|it| it.contains(part))
    })
}

/// The state that a statusline shows, and the sentence of it.
fn state(nvim: &Neovim) -> Value {
    nvim.lua("return { require('keyside').status() }")
}

/// The process of a server that is ready, and another one than `before`.
fn ready_server(nvim: &Neovim, before: Option<u64>) -> u64 {
    until_blocking(|| {
        let now = nvim.lua(
            "
            local client = vim.lsp.get_clients({ name = 'keyside' })[1]
            local children = vim.api.nvim_get_proc_children(vim.fn.getpid())
            return { client and client.initialized and require('keyside').status() or '', children }",
        );
        let process_id = now[1][0].as_u64()?;
        (now[0] == "ready" && Some(process_id) != before).then_some(process_id)
    })
}

fn kill(process_id: u64) {
    let killed = std::process::Command::new("kill").args(["-9", &process_id.to_string()]).status();
    assert!(killed.expect("run kill").success());
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn a_server_that_is_killed_is_started_again_five_times_and_then_it_is_said() {
    let nvim = Neovim::open_with("totals.rs", TOTALS, LOUDER);
    nvim.keys(&["6Go"]);
    let screen = nvim.type_until_ghost("let delta = map");
    let last = screen.line().chars().next_back().unwrap();
    let mut server = ready_server(&nvim, None);
    kill(server);
    server = ready_server(&nvim, Some(server));
    // Typing goes on where it was, and has ghost text.
    nvim.keys(&["<BS>"]);
    nvim.type_text(&last.to_string());
    let screen = nvim.wait("ghost text of the new server", Screen::is_settled_with_ghost);
    let ghost = screen.settled_ghost().to_owned();
    let typed = screen.line().to_owned();
    // The file may have a line like that already.
    let n_on_screen = || {
        let line = format!("{typed}{ghost}");
        nvim.rows().iter().filter(|it| it.contains(&line)).count()
    };
    let n_with_ghost = n_on_screen();
    nvim.assert_server_agrees();
    for _ in 0..4 {
        kill(server);
        server = ready_server(&nvim, Some(server));
    }
    kill(server);
    let said = messages(&nvim, "ended six times in three minutes");
    assert_eq!(said.matches("six times").count(), 1, "{said}");
    assert_eq!(state(&nvim)[0], "error");
    assert_eq!(n_on_screen() + 1, n_with_ghost, "{ghost:?} of a dead server: {:?}", nvim.rows());

    nvim.keys(&["<Esc>", ":let v:errmsg = ''<CR>", ":Keyside restart<CR>"]);
    ready_server(&nvim, Some(server));
    nvim.assert_server_agrees();
}

/// Opens a file with a program that can't do what it should; what is wrong is said once.
fn is_told(program: &str, parts: &[&str]) {
    let nvim = Neovim::start("totals.rs", TOTALS, "", program);
    let said = messages(&nvim, parts[0]);
    for part in parts {
        assert_eq!(said.matches(part).count(), 1, "{part:?} in {said}");
    }
    let [state, sentence] = state(&nvim).as_array().unwrap().clone().try_into().unwrap();
    assert!(state == "error" && sentence.as_str().unwrap().contains(parts[0]), "{sentence}");
    nvim.keys(&[":edit other.rs<CR>"]);
    let status = nvim.lua("return vim.fn.execute('Keyside status')");
    assert!(status.as_str().unwrap().contains(parts[0]), "{status}");
    // Not a second time for a second file.
    assert_eq!(messages(&nvim, parts[0]).matches(parts[0]).count(), 1);
}

#[test]
fn a_program_that_is_missing_or_may_not_be_executed_is_named() {
    let home = crate::support::TempFolder::new();
    let plain = home.0.join("plain");
    std::fs::write(&plain, "text").unwrap();
    for program in ["/nowhere/keyside", plain.to_str().unwrap()] {
        is_told(program, &["is missing, or may not be executed", program]);
    }
}

#[test]
fn a_program_that_ends_at_once_is_not_started_again() {
    let home = crate::support::TempFolder::new();
    let broken = home.0.join("broken");
    std::fs::write(&broken, "#!/bin/sh\nexit 3\n").unwrap();
    std::fs::set_permissions(&broken, std::fs::Permissions::from_mode(0o755)).unwrap();
    let parts = ["the program ended with exit code 3 before it was ready", ":Keyside log"];
    is_told(broken.to_str().unwrap(), &parts);
}

#[test]
fn a_program_of_another_version_is_said() {
    let nvim = Neovim::start("totals.rs", TOTALS, "", "/nowhere/keyside");
    messages(&nvim, "/nowhere/keyside");
    // A server in Neovim itself, of which nothing but its name and version is needed.
    nvim.lua(
        "
        local function cmd(dispatchers)
          local is_closing = false
          local server = {}
          function server.request(method, _, callback)
            local info = { name = 'keyside', version = '0.9.3' }
            local result = method == 'initialize' and { capabilities = {}, serverInfo = info } or nil
            vim.schedule(function() callback(nil, result or vim.NIL) end)
            return true, 1
          end
          function server.notify(method)
            is_closing = is_closing or method == 'exit'
            return true
          end
          function server.is_closing() return is_closing end
          function server.terminate() is_closing = true; dispatchers.on_exit(0, 15) end
          return server
        end
        vim.lsp.config('keyside', { cmd = cmd })
        vim.cmd('Keyside restart')
        return true",
    );
    let said = messages(&nvim, "0.9.3");
    assert!(said.contains("this plugin is for 0.1.x; update the older one"), "{said}");
}
