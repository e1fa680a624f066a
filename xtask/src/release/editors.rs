//! What editors install: the extension for VS Code, one file for each platform with the program in
//! it, and the plugin for Neovim, as an archive and as a branch whose root is the plugin.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{copy, empty, host, plan, says_its_version};
use crate::{root, run, say};

/// Rust's targets, and VS Code's names for them.
const PLATFORMS: &[(&str, &str)] = &[
    ("x86_64-unknown-linux-gnu", "linux-x64"),
    ("aarch64-unknown-linux-gnu", "linux-arm64"),
    ("x86_64-apple-darwin", "darwin-x64"),
    ("aarch64-apple-darwin", "darwin-arm64"),
    ("x86_64-pc-windows-msvc", "win32-x64"),
    ("aarch64-pc-windows-msvc", "win32-arm64"),
];

/// Plugin managers that take a repository take a branch of it: `branch = 'nvim'` for lazy.nvim,
/// `version = 'nvim'` for vim.pack.
const BRANCH: &str = "nvim";

/// Makes an extension of each archive that is there.
pub(super) fn extensions(version: &str) -> Result<(), String> {
    let folder = root().join("editors/vscode");
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    if !folder.join("node_modules").exists() {
        run(Command::new(npm).args(["ci", "--no-fund", "--no-audit"]).current_dir(&folder))?;
    }
    let mut n_made = 0;
    for (target, platform) in PLATFORMS {
        let is_windows = target.contains("windows");
        let ending = if is_windows { "zip" } else { "tar.gz" };
        let archive = plan::made().join(format!("keyside-{target}.{ending}"));
        if !archive.exists() {
            continue;
        }
        let unpacked = plan::folder().join("unpacked");
        empty(&unpacked)?;
        let mut unpack = Command::new(if is_windows && !cfg!(windows) { "unzip" } else { "tar" });
        unpack.args(if is_windows && !cfg!(windows) { ["-q"] } else { ["-xf"] });
        run(unpack.arg(&archive).current_dir(&unpacked))?;
        let name = if is_windows { "keyside.exe" } else { "keyside" };
        let program = find(&unpacked, name)
            .ok_or_else(|| format!("there is no {name} in {}", archive.display()))?;
        if *target == host()? {
            says_its_version(&program, version)?;
        }
        let mut package = Command::new(npm);
        package.args(["run", "--silent", "package"]).current_dir(&folder);
        run(package.env("KEYSIDE_SERVER", &program).env("KEYSIDE_TARGET", platform))?;
        let made = format!("keyside-{platform}.vsix");
        copy(&folder.join(&made), &plan::made().join(&made))?;
        n_made += 1;
    }
    if n_made == 0 {
        return Err("there is no archive yet; run `cargo xtask release archive`".to_owned());
    }
    Ok(())
}

/// A file of this name, in the folder or in one of its own.
fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let entries: Vec<PathBuf> =
        std::fs::read_dir(folder).ok()?.flatten().map(|it| it.path()).collect();
    let here = entries.iter().find(|it| it.is_file() && it.ends_with(name)).cloned();
    here.or_else(|| entries.iter().filter(|it| it.is_dir()).find_map(|it| find(it, name)))
}

/// The program in this machine's extension starts, and is of this version.
pub(super) fn try_extension(version: &str) -> Result<(), String> {
    let host = host()?;
    let Some((_, platform)) = PLATFORMS.iter().find(|it| it.0 == host) else {
        say(&format!("there is no extension for {host}"));
        return Ok(());
    };
    let extension = plan::made().join(format!("keyside-{platform}.vsix"));
    let unpacked = plan::folder().join("unpacked");
    empty(&unpacked)?;
    let mut unpack = Command::new(if cfg!(windows) { "tar" } else { "unzip" });
    unpack.arg(if cfg!(windows) { "-xf" } else { "-q" }).arg(&extension);
    run(unpack.current_dir(&unpacked))?;
    let program = format!("keyside{}", std::env::consts::EXE_SUFFIX);
    says_its_version(&unpacked.join("extension/server").join(program), version)
}

/// The plugin as an archive that is unpacked into a folder of packages.
pub(super) fn plugin() -> Result<(), String> {
    let commit = plugin_commit(None)?;
    let archive = plan::made().join("keyside.nvim.tar.gz");
    let mut make = git();
    make.args(["archive", "--format=tar.gz", "--prefix=keyside.nvim/", "--output"]);
    run(make.arg(archive).arg(commit))
}

/// Puts the plugin's branch where the release is, one commit further.
pub(super) fn push_plugin(tag: &str) -> Result<(), String> {
    let mut fetch = git();
    fetch.args(["fetch", "--quiet", "origin", BRANCH]);
    // There is none before the first release.
    let before = run(&mut fetch).and_then(|()| said(git().args(["rev-parse", "FETCH_HEAD"]))).ok();
    let commit = plugin_commit(before.as_deref())?;
    run(git().args(["push", "origin", &format!("{commit}:refs/heads/{BRANCH}")]))?;
    // A plugin manager that goes by versions finds them here.
    run(git().args(["push", "origin", &format!("{commit}:refs/tags/{BRANCH}-{tag}")]))
}

/// A commit whose root is the plugin, with the licences.
fn plugin_commit(before: Option<&str>) -> Result<String, String> {
    let mut tree = said(git().args(["ls-tree", "HEAD:editors/nvim"]))?;
    tree += "\n";
    tree += &said(git().args(["ls-tree", "HEAD", "LICENSE-MIT", "LICENSE-APACHE"]))?;
    let listed = plan::folder().join("plugin-tree");
    std::fs::create_dir_all(plan::folder()).map_err(|error| error.to_string())?;
    std::fs::write(&listed, tree + "\n").map_err(|error| error.to_string())?;
    let listed = std::fs::File::open(&listed).map_err(|error| error.to_string())?;
    let tree = said(git().arg("mktree").stdin(listed))?;
    let of = said(git().args(["rev-parse", "--short", "HEAD"]))?;
    let mut commit = git();
    commit.args(["commit-tree", &tree, "-m", &format!("The plugin for Neovim, of {of}")]);
    if let Some(before) = before {
        commit.args(["-p", before]);
    }
    for role in ["AUTHOR", "COMMITTER"] {
        commit.env(format!("GIT_{role}_NAME"), "keyside");
        commit.env(format!("GIT_{role}_EMAIL"), "keyside@localhost");
    }
    said(&mut commit)
}

fn git() -> Command {
    let mut command = Command::new("git");
    command.current_dir(root());
    command
}

/// What a command prints.
fn said(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{name} can't be started ({error})"))?;
    if !output.status.success() {
        return Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
