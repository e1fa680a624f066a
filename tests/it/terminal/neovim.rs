//! Neovim in a terminal, with our plugin and our server, as a person has it before them.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::{PATIENCE, PROGRAM, TempFolder, until_blocking};
use crate::terminal::{Terminal, text_in};

/// What ghost text is drawn in where a test looks for it on the screen: no colour scheme has it.
pub const GHOST: vt100::Color = vt100::Color::Idx(201);

/// A line of `init.lua` that gives ghost text the colour [`GHOST`].
pub const GHOST_COLOUR: &str = "vim.o.termguicolors = false
    vim.api.nvim_set_hl(0, 'KeysideGhost', { ctermfg = 201 })";

/// Keys go to the terminal; the program is two processes, as Neovim always is: the editor, and what
/// draws it.
pub struct NeovimInTerminal {
    pub terminal: Terminal,
    _home: TempFolder,
    pub file: PathBuf,
    editor: Child,
    screen: Child,
}

impl NeovimInTerminal {
    /// Opens a file with this text, and waits until the status line says this of keyside. `lua` is
    /// the rest of the person's `init.lua`.
    pub fn open(name: &str, text: &str, lua: &str, size: (u16, u16), says: &str) -> Self {
        let plugin = Path::new(env!("CARGO_MANIFEST_DIR")).join("editors/nvim");
        let plugin = format!("vim.opt.runtimepath:prepend({plugin:?})");
        Self::open_with(TempFolder::new(), &plugin, (name, text), lua, size, says)
    }

    /// The same in a home that is there already, with Lua that loads the plugin.
    pub fn open_with(
        home: TempFolder,
        plugin: &str,
        (name, text): (&str, &str),
        lua: &str,
        size: (u16, u16),
        says: &str,
    ) -> Self {
        let file = home.0.join("project").join(name);
        std::fs::create_dir_all(home.0.join("project")).expect("make a folder for the test");
        std::fs::write(&file, text).expect("write the file to edit");
        let init = home.0.join("init.lua");
        let server = PROGRAM;
        let ours = format!(
            "{plugin}
             vim.lsp.config('keyside', {{ cmd = {{ {server:?}, 'serve' }} }})
             vim.o.statusline = ' %t  %{{v:lua.Keyside_in_few_words()}}'
             function Keyside_in_few_words()
               local is_there, keyside = pcall(require, 'keyside')
               return is_there and keyside.statusline() or ''
             end
             vim.o.laststatus, vim.o.showmode, vim.o.ruler = 2, false, false
             {lua}\n"
        );
        std::fs::write(&init, ours).expect("write init.lua");
        let socket = home.0.join("socket");
        let mut command = isolated(&home.0);
        command.args(["--headless", "-i", "NONE", "-n", "-u"]).arg(&init);
        command.arg("--listen").arg(&socket).arg(&file);
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let editor = quiet.spawn().expect("start Neovim");
        until_blocking(|| socket.exists().then_some(()));
        let mut command = isolated(&home.0);
        // Its usual place is its own executable, which a program that is started by way of its
        // loader can't find.
        command.arg("--server").arg(&socket).arg("--remote-ui");
        command.env("TERM", "xterm-256color").env("COLORTERM", "truecolor");
        let (terminal, screen) = Terminal::start(command, size.0, size.1);
        let neovim = Self { terminal, _home: home, file, editor, screen };
        let is_there = |rows: &vt100::Screen| rows.contents().contains(says).then_some(());
        let seen = neovim.terminal.wait(PATIENCE, is_there);
        assert!(seen.is_some(), "no {says:?}:\n{}", neovim.terminal.rows().join("\n"));
        neovim
    }

    /// Presses keys, one after the other, with this between two of them.
    pub fn keys(&self, keys: &str, gap: Duration) {
        self.terminal.keys(keys, gap);
    }

    /// The ghost text that stands on the screen, where `init.lua` gives it its colour.
    pub fn ghost(&self) -> String {
        self.terminal.look(|it| text_in(it, GHOST))
    }
}

impl Drop for NeovimInTerminal {
    fn drop(&mut self) {
        // Its server ends with it.
        for child in [&mut self.screen, &mut self.editor] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Neovim with nothing of the person's own: the one that is named, that `cargo xtask test` has
/// fetched, or that is installed.
fn isolated(home: &Path) -> Command {
    let named = std::env::var_os("KEYSIDE_TEST_NVIM").map(PathBuf::from);
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/editors/nvim");
    let fetched = Some(fetched).filter(|it| it.exists());
    let mut command = Command::new(named.or(fetched).unwrap_or_else(|| PathBuf::from("nvim")));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if ["NVIM", "VIM", "XDG_"].iter().any(|it| name.starts_with(it)) {
            command.env_remove(name);
        }
    }
    command.current_dir(home).env("KEYSIDE_HOME", home.join("keyside"));
    for folder in ["CONFIG", "DATA", "STATE", "CACHE"] {
        command.env(format!("XDG_{folder}_HOME"), home.join(folder));
    }
    command
}
