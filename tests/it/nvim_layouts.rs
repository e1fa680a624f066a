//! The plugin for Neovim in each layout that it is installed in: the branch of a release, which
//! plugin managers take; its archive, as a package; and the folder of a clone, as lazy.nvim loads it.
#![cfg(unix)]

use std::path::Path;
use std::process::Command;

use crate::support::{TempFolder, repository};
use crate::terminal::neovim::NeovimInTerminal;

const SIZE: (u16, u16) = (24, 80);

/// The plugin's files, as a release has them: those that are committed.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else if name != "tags" {
            std::fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

fn git(folder: &Path, words: &[&str]) {
    let mut command = Command::new("git");
    command.current_dir(folder).args(["-c", "user.name=a", "-c", "user.email=a@localhost"]);
    let output = command.args(words).output().expect("git");
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Neovim starts with this, and the plugin does its work: the server is ready, and help is there.
fn works(home: TempFolder, plugin: &str) {
    let file = ("main.rs", "fn main() {}\n");
    let nvim = NeovimInTerminal::open_with(home, plugin, file, "", SIZE, "keyside: ready");
    nvim.keys(":help keyside-keys\r", std::time::Duration::from_millis(20));
    let patience = crate::support::PATIENCE;
    let has_help = |it: &vt100::Screen| it.contents().contains("2. KEYS").then_some(());
    let seen = nvim.terminal.wait(patience, has_help);
    assert!(seen.is_some(), "no help:\n{}", nvim.terminal.rows().join("\n"));
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn a_branch_whose_root_is_the_plugin_by_vim_pack() {
    let home = TempFolder::new();
    let release = home.0.join("release");
    copy(&repository("editors/nvim"), &release);
    git(&release, &["init", "--quiet", "--initial-branch=nvim"]);
    git(&release, &["add", "."]);
    git(&release, &["commit", "--quiet", "--message=The plugin"]);
    let plugin = format!(
        "vim.o.cmdheight = 4  -- what it says of its work needs no key then
         vim.pack.add({{ {{ src = 'file://{}', version = 'nvim' }} }}, {{ confirm = false }})",
        release.display()
    );
    works(home, &plugin);
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn an_archive_as_a_package() {
    let home = TempFolder::new();
    let place = home.0.join("DATA/nvim/site/pack/keyside/start/keyside.nvim");
    copy(&repository("editors/nvim"), &place);
    works(home, "");
}

/// lazy.nvim keeps Neovim from loading plugins, and loads each itself.
#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn a_folder_as_lazy_nvim_loads_it() {
    let home = TempFolder::new();
    let place = home.0.join("clone/editors/nvim");
    copy(&repository("editors/nvim"), &place);
    let plugin = format!(
        "vim.go.loadplugins = false
         vim.opt.rtp:prepend('{0}')
         vim.cmd.source('{0}/plugin/keyside.lua')",
        place.display()
    );
    works(home, &plugin);
}
