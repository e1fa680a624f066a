//! A real Neovim with our plugin and our server in it, driven one key at a time as a person would.
//!
//! What the model suggests is its own affair. These tests say how what is shown, what is accepted
//! and what the server believes the file to hold relate to each other.
#![cfg(unix)]

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::support::{PATIENCE, PROGRAM, until_blocking};
pub use crate::terminal::samples::TOTALS;

/// Between two keys of a person who types fast.
const GAP: Duration = Duration::from_millis(60);

/// Settings with which the rest of such a line is shown, and not its first word alone; however slow
/// this machine is. The smaller model is sure of it; the larger one is at its threshold there.
pub const LOUDER: &str = "[model]\nbuilt_in = \"keyside-nano-v1\"\n[completion]\nmin_confidence = \
                          0.45\nmin_characters = 8\ngenerate_ms = 60000\n";

const RESULTS: &str = r#"fn run(input: &str) -> Result<u32, String> {
    let result = parse(input)?;
    let result = check(result)?;
    let result = round(result);
    show(result);
    send(result);

    Ok(result)
}
"#;

/// The state of the server, what it says about it, and the processes that Neovim started.
const STATUS: &str = "
    local client = vim.lsp.get_clients({ name = 'keyside' })[1]
    local state, message = require('keyside').status()
    local children = vim.api.nvim_get_proc_children(vim.fn.getpid())
    return { client and client.initialized and state or 'starting', message, children }";

/// What a `Screen` holds.
const SCREEN: &str = "
    local lines = vim.api.nvim_buf_get_lines(0, 0, -1, true)
    local drawn = vim.api.nvim_create_namespace('keyside')
    local mark = vim.api.nvim_buf_get_extmarks(0, drawn, 0, -1, { details = true })[1]
    local ghost = mark and { mark[2], mark[3], mark[4].virt_text, mark[4].virt_lines or {} }
    local pending = false
    for _, request in pairs(vim.lsp.get_clients({ name = 'keyside' })[1].requests) do
      local asks = request.method == 'textDocument/inlineCompletion'
      pending = pending or asks and request.type == 'pending'
    end
    return { lines, vim.api.nvim_win_get_cursor(0), ghost or vim.NIL, pending }";

/// Neovim's copy of the file and the server's, what kept the server from telling, and Neovim's last
/// error.
const COPIES: &str = "
    local buf = vim.api.nvim_get_current_buf()
    local text = table.concat(vim.api.nvim_buf_get_lines(buf, 0, -1, true), '\\n') .. '\\n'
    local client = vim.lsp.get_clients({ name = 'keyside' })[1]
    local params = { uri = vim.uri_from_bufnr(buf) }
    local answer, reason = client:request_sync('keyside/document', params, 10000, buf)
    local ours = { length = #text, sha256 = vim.fn.sha256(text) }
    local theirs = answer and answer.result or vim.NIL
    local failure = answer and answer.err and answer.err.message or reason or vim.NIL
    return { ours, theirs, failure, vim.v.errmsg }";

/// The server's counts.
pub const STATS: &str = "
    local client = vim.lsp.get_clients({ name = 'keyside' })[1]
    return client:request_sync('keyside/stats', nil, 10000, 0).result";

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn tab_puts_in_what_the_ghost_shows() {
    let nvim = Neovim::open("totals.rs", TOTALS);
    nvim.keys(&["7G", "o"]);
    let before = nvim.type_until_ghost("let epsilon = map.get(\"epsilon\").copied().un");
    nvim.accept(&before);
    nvim.assert_server_agrees();
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn tab_continues_the_identifier_at_the_caret() {
    let nvim = Neovim::open("results.rs", RESULTS);
    nvim.keys(&["6G", "o"]);
    nvim.type_text("keep(resu");
    let before = nvim.wait("ghost text after `resu`", Screen::is_settled_with_ghost);
    let ghost = before.ghost.as_ref().unwrap();
    assert!(
        ghost.text.starts_with(|c: char| c.is_alphanumeric() || c == '_'),
        "{:?} does not continue `resu`",
        ghost.text
    );
    let after = nvim.accept(&before);
    assert_eq!(after.lines.last(), before.lines.last(), "the code below the caret stays");
    nvim.assert_server_agrees();
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn tab_indents_where_there_is_no_ghost() {
    let nvim = Neovim::open("totals.rs", TOTALS);
    // The server stays at work, and has no say: whatever it would suggest here is not shown.
    nvim.keys(&[":Keyside disable buffer<CR>", "7G", "o", "x"]);
    let before = nvim.wait("the x", |screen| screen.line().ends_with('x'));
    nvim.keys(&["<Tab>"]);
    let after = nvim.wait("the indent", |screen| screen.line() != before.line());
    let added = after.line().strip_prefix(before.line()).expect("<Tab> adds to the line");
    assert!(!added.is_empty() && added.chars().all(char::is_whitespace), "<Tab> added {added:?}");
    nvim.assert_server_agrees();
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn where_the_caret_rests_the_first_key_finds_its_prompt_ready() {
    let text = TOTALS.repeat(20);
    let nvim = Neovim::open("totals.rs", &text);
    // Whatever else this machine does, and whatever counts know.
    let completion = "{ prefetch_on_battery = true, min_lookup_confidence = 1 }";
    let settings = format!("{{ keyside = {{ completion = {completion} }} }}");
    let change = "vim.lsp.get_clients({ name = 'keyside' })[1]:notify";
    nvim.lua(&format!("{change}('workspace/didChangeConfiguration', {{ settings = {settings} }})"));
    nvim.keys(&["174G", "$"]);
    until_blocking(|| {
        let engine = nvim.lua(STATS)["engine"].clone();
        let evaluated = engine["prefetch_evaluated_tokens"].as_u64().unwrap();
        (evaluated > 300 && engine["idle"] == true).then_some(())
    });
    nvim.keys(&["i"]);
    let first = until_blocking(|| Some(nvim.lua(STATS)["last"].clone()).filter(Value::is_object));
    assert!(first["cached_tokens"].as_u64().unwrap() > 300, "{first}");
    assert!(first["evaluated_tokens"].as_u64().unwrap() <= 16, "{first}");
    nvim.assert_server_agrees();
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn the_server_ends_when_neovim_quits() {
    let mut nvim = Neovim::open("totals.rs", TOTALS);
    nvim.keys(&[":qa!<CR>"]);
    nvim.assert_server_ends();
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn the_server_ends_when_neovim_is_killed() {
    let mut nvim = Neovim::open("totals.rs", TOTALS);
    nvim.child.kill().expect("kill Neovim");
    nvim.assert_server_ends();
}

/// A headless Neovim that listens on a socket, in a folder of its own.
pub struct Neovim {
    program: PathBuf,
    pub home: PathBuf,
    child: Child,
    server: u32,
}

/// What a person sees, and whether an answer is still to come.
#[derive(Debug)]
pub struct Screen {
    lines: Vec<String>,
    /// Row and byte column, from 0.
    caret: (usize, usize),
    ghost: Option<Ghost>,
    pending: bool,
}

#[derive(Debug)]
struct Ghost {
    row: usize,
    col: usize,
    text: String,
}

impl Screen {
    pub fn line(&self) -> &str {
        &self.lines[self.caret.0]
    }

    /// What is suggested; nothing, where it is not settled yet.
    pub fn settled_ghost(&self) -> &str {
        self.ghost.as_ref().filter(|_| !self.pending).map_or("", |it| &it.text)
    }

    pub fn is_settled(&self) -> bool {
        !self.pending
    }

    pub fn is_settled_with_ghost(&self) -> bool {
        self.ghost.is_some() && self.is_settled()
    }
}

impl Neovim {
    /// Opens a file with this text, and waits until the server has its model, or says that nothing
    /// is suggested.
    fn open(name: &str, text: &str) -> Self {
        Self::open_with(name, text, "")
    }

    /// The same, with settings of the user's.
    pub fn open_with(name: &str, text: &str, settings: &str) -> Self {
        let mut nvim = Self::start(name, text, settings, PROGRAM);
        nvim.server = until_blocking(|| {
            let answer = nvim.try_lua(STATUS).ok()?;
            assert_ne!(answer[0], "error", "the server reports: {}", answer[1]);
            let is_there = answer[0] == "ready" || answer[0] == "off";
            is_there.then(|| answer[2][0].as_u64().expect("Neovim has the server for a child"))
        }) as u32;
        nvim
    }

    /// Opens a file in a Neovim whose server is this program, and waits until Neovim answers.
    pub fn start(name: &str, text: &str, settings: &str, server: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let program = find_neovim();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let home =
            std::env::temp_dir().join(format!("keyside-nvim-{}-{count}", std::process::id()));
        fs::create_dir_all(home.join("project")).expect("make a folder for the test");
        let file = home.join("project").join(name);
        fs::write(&file, text).expect("write the file to edit");
        fs::create_dir_all(home.join("keyside")).expect("make a folder for the settings");
        fs::write(home.join("keyside/config.toml"), settings).expect("write the settings");
        let init = home.join("init.lua");
        let plugin = Path::new(env!("CARGO_MANIFEST_DIR")).join("editors/nvim");
        fs::write(
            &init,
            format!(
                "vim.opt.runtimepath:prepend({plugin:?})\n\
                 vim.lsp.config('keyside', {{ cmd = {{ {server:?}, 'serve' }} }})\n"
            ),
        )
        .expect("write init.lua");

        let child = isolated(&program, &home)
            .arg("--headless")
            .arg("--listen")
            .arg(home.join("socket"))
            .arg("-u")
            .arg(&init)
            .args(["-i", "NONE", "-n"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("start Neovim");
        let nvim = Self { program, home, child, server: 0 };
        until_blocking(|| nvim.try_lua("return true").ok());
        nvim
    }

    /// Presses keys in Neovim's notation, one after the other.
    pub fn keys(&self, keys: &[&str]) {
        for key in keys {
            let started = Instant::now();
            let status = self.remote("--remote-send", key).status().expect("send a key");
            assert!(status.success(), "Neovim did not take the key {key}");
            std::thread::sleep(GAP.saturating_sub(started.elapsed()));
        }
    }

    pub fn type_text(&self, text: &str) {
        for c in text.chars() {
            let key = if c == '<' { "<lt>".to_owned() } else { c.to_string() };
            self.keys(&[&key]);
        }
    }

    /// Types until there is ghost text, without a stop between keys; waits after the last one.
    pub fn type_until_ghost(&self, text: &str) -> Screen {
        for c in text.chars() {
            self.type_text(c.encode_utf8(&mut [0; 4]));
            let screen = self.screen();
            if screen.is_settled_with_ghost() {
                return screen;
            }
        }
        self.wait("ghost text", Screen::is_settled_with_ghost)
    }

    /// Presses <Tab>, and checks that the ghost of `before` became text where it was shown, and
    /// that nothing else changed.
    fn accept(&self, before: &Screen) -> Screen {
        let ghost = before.ghost.as_ref().unwrap();
        assert_eq!((ghost.row, ghost.col), before.caret, "the ghost is at the caret");
        let mut line = before.line().to_owned();
        line.insert_str(ghost.col, &ghost.text);
        let mut expected = before.lines.clone();
        expected.splice(ghost.row..=ghost.row, line.split('\n').map(str::to_owned));

        self.keys(&["<Tab>"]);
        let after = self
            .wait("the accepted text", |screen| screen.lines != before.lines && !screen.pending);
        assert_eq!(after.lines, expected);
        let added = ghost.text.split('\n');
        let end = if ghost.text.contains('\n') { 0 } else { ghost.col }
            + added.clone().next_back().unwrap().len();
        assert_eq!(
            after.caret,
            (ghost.row + added.count() - 1, end),
            "the caret is after the accepted text"
        );
        after
    }

    /// The server's copy of the file is Neovim's buffer, byte for byte.
    pub fn assert_server_agrees(&self) {
        let answer = self.lua(COPIES);
        let [ours, theirs, failure, errors] = answer.as_array().unwrap().as_slice() else {
            panic!("{answer}")
        };
        assert!(failure.is_null(), "keyside/document: {failure}");
        assert_eq!((&ours["length"], &ours["sha256"]), (&theirs["length"], &theirs["sha256"]));
        assert_eq!(errors, "", "Neovim reports an error");
    }

    /// Neovim has been told to end, one way or another: its server does not outlive it.
    pub fn assert_server_ends(&mut self) {
        until_blocking(|| self.child.try_wait().expect("wait for Neovim"));
        until_blocking(|| (!is_running(self.server)).then_some(()));
    }

    #[track_caller]
    pub fn wait(&self, what: &str, done: impl Fn(&Screen) -> bool) -> Screen {
        let began = Instant::now();
        until_blocking(|| {
            let screen = self.screen();
            let is_late = began.elapsed() > PATIENCE / 2;
            assert!(!is_late || done(&screen), "no {what}: {screen:?}");
            done(&screen).then_some(screen)
        })
    }

    /// What stands in the cells of the screen, row by row, without blanks at the ends.
    pub fn rows(&self) -> Vec<String> {
        let rows = self.lua(
            "
            vim.cmd.redraw()
            local rows = {}
            for row = 1, vim.o.lines do
              local cells = {}
              for col = 1, vim.o.columns do
                cells[col] = vim.fn.screenstring(row, col)
              end
              table.insert(rows, (table.concat(cells):gsub('%s+$', '')))
            end
            return rows",
        );
        serde_json::from_value(rows).expect("rows of text")
    }

    fn screen(&self) -> Screen {
        let seen = self.lua(SCREEN);
        let number = |value: &Value| value.as_u64().expect("a number") as usize;
        let chunks = |value: &Value| {
            value
                .as_array()
                .into_iter()
                .flatten()
                .map(|chunk| chunk[0].as_str().expect("a text").to_owned())
                .collect::<String>()
        };
        Screen {
            lines: serde_json::from_value(seen[0].clone()).expect("lines"),
            caret: (number(&seen[1][0]) - 1, number(&seen[1][1])),
            ghost: seen[2].is_array().then(|| Ghost {
                row: number(&seen[2][0]),
                col: number(&seen[2][1]),
                text: seen[2][3]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .fold(chunks(&seen[2][2]), |text, line| text + "\n" + &chunks(line)),
            }),
            pending: seen[3] == true,
        }
    }

    /// Runs the body of a Lua function in Neovim; what it returns comes back as JSON.
    #[track_caller]
    pub fn lua(&self, body: &str) -> Value {
        self.try_lua(body).unwrap_or_else(|failure| panic!("Neovim has no answer: {failure}"))
    }

    fn try_lua(&self, body: &str) -> Result<Value, String> {
        let code = format!("vim.json.encode(((function() {body} end)()))").replace('\'', "''");
        let asked = self.remote("--remote-expr", &format!("luaeval('{code}')")).output();
        let output = asked.expect("ask Neovim");
        serde_json::from_slice(&output.stdout)
            .map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())
    }

    fn remote(&self, how: &str, what: &str) -> Command {
        let mut command = isolated(&self.program, &self.home);
        command.arg("--server").arg(self.home.join("socket")).arg(how).arg(what);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

impl Drop for Neovim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if self.server != 0 && is_running(self.server) {
            let _ = Command::new("kill").args(["-9", &self.server.to_string()]).status();
        }
        let _ = fs::remove_dir_all(&self.home);
    }
}

/// Neovim with nothing of the person's own: no configuration, no plugins, no state.
fn isolated(program: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(home).env("KEYSIDE_HOME", home.join("keyside"));
    for folder in ["CONFIG", "DATA", "STATE", "CACHE"] {
        command.env(format!("XDG_{folder}_HOME"), home.join(folder));
    }
    for name in [
        "NVIM",
        "NVIM_APPNAME",
        "NVIM_LISTEN_ADDRESS",
        "VIMINIT",
        "EXINIT",
        "XDG_CONFIG_DIRS",
        "XDG_DATA_DIRS",
    ] {
        command.env_remove(name);
    }
    command
}

fn find_neovim() -> PathBuf {
    if let Some(named) = std::env::var_os("KEYSIDE_TEST_NVIM").map(PathBuf::from) {
        assert!(
            is_at_least(&named, 11),
            "KEYSIDE_TEST_NVIM={} does not run as Neovim 0.11 or newer",
            named.display()
        );
        return named;
    }
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/editors/nvim");
    [fetched, PathBuf::from("nvim")].into_iter().find(|program| is_at_least(program, 12)).expect(
        "there is no Neovim 0.12 or newer to test with: run `cargo xtask test`, which fetches one",
    )
}

fn is_at_least(program: &Path, minor: u32) -> bool {
    let Ok(output) = Command::new(program).arg("--version").stdin(Stdio::null()).output() else {
        return false;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut numbers = text
        .strip_prefix("NVIM v")
        .unwrap_or("")
        .split('.')
        .map_while(|part| part.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(0), Some(minor))
}

/// A process that has ended may still be listed, where nobody asked how it ended.
fn is_running(pid: u32) -> bool {
    if Path::new("/proc/self/stat").exists() {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        return stat.rsplit(')').next().is_some_and(|rest| {
            !rest.trim().is_empty() && !rest.trim_start().starts_with(['Z', 'X'])
        });
    }
    let listed =
        Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output().expect("run ps");
    let state = String::from_utf8_lossy(&listed.stdout).into_owned();
    !state.trim().is_empty() && !state.starts_with('Z')
}
