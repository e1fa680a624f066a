//! What is released has one version, and the README's set-up is what tests run.

use serde_json::Value;

use crate::support::{TempFolder, keyside, repository, run};

fn read(name: &str) -> String {
    std::fs::read_to_string(repository(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

#[test]
fn versions_are_in_step() {
    let home = TempFolder::new();
    let said = run(keyside(&home.0, &["--version"]), "");
    assert_eq!(String::from_utf8_lossy(&said.stdout).trim(), format!("keyside {}", version()));
    for (name, pointers) in [
        ("editors/vscode/package.json", &["/version"][..]),
        ("editors/vscode/package-lock.json", &["/version", "/packages//version"]),
    ] {
        let json: Value = serde_json::from_str(&read(name)).unwrap();
        for pointer in pointers {
            let found = json.pointer(pointer).and_then(Value::as_str);
            assert_eq!(found, Some(version()), "{name}: {pointer}");
        }
    }
    let changelog = read("CHANGELOG.md");
    let newest = changelog.lines().find_map(|it| it.strip_prefix("## ")).unwrap();
    assert_eq!(newest.split(' ').next(), Some(version()), "CHANGELOG.md: its newest section");
    // The plugin for Neovim says which versions of the program it works with.
    let (minor, _) = version().rsplit_once('.').unwrap();
    let plugin = read("editors/nvim/lua/keyside/server.lua");
    assert!(plugin.contains(&format!("M.VERSION = '{minor}.'")), "server.lua");
}

#[test]
fn the_workflow_of_a_release_runs_what_runs_here() {
    let workflow = read(".github/workflows/release.yml");
    let steps: Vec<&str> = workflow
        .lines()
        .filter_map(|it| it.trim().trim_start_matches("- ").strip_prefix("run: "))
        .collect();
    assert!(steps.len() > 5, "{steps:?}");
    for step in steps {
        assert!(step.starts_with("cargo xtask "), "{step:?} can't be run elsewhere");
    }
    // Every target has a machine that builds it.
    let plan: toml::Table = read("xtask/release.toml").parse().unwrap();
    let targets = plan["dist"]["targets"].as_array().unwrap();
    assert_eq!(targets.len(), 6);
    for target in targets {
        assert!(workflow.contains(target.as_str().unwrap()), "no machine builds {target}");
    }
}

/// Who runs a command of the set-up.
enum Run {
    /// This test: these arguments of keyside end well, in an empty home.
    Here(&'static [&'static str]),
    /// This file does, which has this text.
    By(&'static str, &'static str),
}

const SETUP: &[(&str, Run)] = &[
    ("cargo xtask setup", Run::By(".ci/run", "cargo xtask setup\n")),
    ("cargo install --path .", Run::By(".ci/run", "cargo install --path . ")),
    ("keyside doctor", Run::Here(&["doctor"])),
    ("keyside config helix", Run::By("tests/it/helix.rs", "&[\"config\", \"helix\"]")),
    (
        "cd editors/vscode && npm ci && npm run package",
        Run::By(".github/workflows/ci.yml", "npm ci && npm run package && npm test"),
    ),
    (
        "code --install-extension keyside-*.vsix",
        Run::By("editors/vscode/tests/editor.mjs", "'--install-extension', vsix"),
    ),
    ("keyside serve", Run::By("tests/it/support.rs", "&[\"serve\"]")),
    ("keyside model list", Run::Here(&["model", "list"])),
    ("keyside model use NAME", Run::By("tests/it/models.rs", "&[\"model\", \"use\", ")),
];

/// Commands of a part of a document: lines of shell, and what is in backticks in tables and text.
fn commands(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    for (index, part) in text.split("```").enumerate() {
        if let Some(shell) = part.strip_prefix("sh\n") {
            let lines = shell.lines().map(|it| it.split(" #").next().unwrap().trim());
            all.extend(lines.filter(|it| !it.is_empty()).map(str::to_owned));
        } else if index % 2 == 0 {
            let programs = ["cargo ", "keyside ", "cd ", "code ", "npm "];
            let inside = part.split('`').skip(1).step_by(2);
            all.extend(
                inside.filter(|it| programs.iter().any(|p| it.starts_with(p))).map(str::to_owned),
            );
        }
    }
    all
}

#[test]
fn each_command_of_the_set_up_is_run() {
    let readme = read("README.md");
    let (_, rest) = readme.split_once("\n## Set-up\n").expect("a section");
    let section = rest.split("\n## ").next().unwrap();
    let listed = commands(section);
    assert!(listed.len() > 5, "{listed:?}");
    for command in &listed {
        let found = SETUP.iter().find(|it| it.0 == command);
        let (_, how) = found.unwrap_or_else(|| panic!("README.md: `{command}` is run by no test"));
        match how {
            Run::Here(arguments) => {
                let home = TempFolder::new();
                let output = run(keyside(&home.0, arguments), "");
                assert!(output.status.success(), "{command}: {output:?}");
            }
            Run::By(file, text) => {
                assert!(read(file).contains(text), "{file} does not run `{command}` any more");
            }
        }
    }
    for (command, _) in SETUP {
        assert!(listed.iter().any(|it| it == command), "README.md has no `{command}` any more");
    }
}
