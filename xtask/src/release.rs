//! `cargo xtask release`: archives and installers by `dist`, the extension for VS Code for each
//! platform, and the plugin for Neovim. Each step of `.github/workflows/release.yml` is one of these.

mod editors;
mod plan;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{cargo_command, root, run, say};

const USAGE: &str = "usage: cargo xtask release <step>

  check               versions are in step, and `dist` takes the plan
  archive [TARGET]    the program in an archive, for this machine or a target of Rust's
  editors             installers, and of all archives that are there the extensions; the plugin
  try                 installs what was made into an empty home, and starts it
  publish             a release on GitHub with all of it, and the plugin's branch; only from a tag
  --dry-run           check, archive, editors and try, for this machine";

pub(crate) fn release(arguments: &[String]) -> Result<(), String> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["check"] => check(),
        ["archive"] => archive(&host()?),
        ["archive", target] => archive(target),
        // What `dist` calls.
        ["program"] => program(),
        ["editors"] => editors(),
        ["try"] => try_it(),
        ["publish"] => publish(),
        ["--dry-run"] => {
            empty(&plan::folder())?;
            check()?;
            archive(&host()?)?;
            editors()?;
            try_it()
        }
        _ => Err(USAGE.to_owned()),
    }
}

fn check() -> Result<(), String> {
    let version = version()?;
    let section = plan::changelog(&read("CHANGELOG.md")?, &version)?;
    if let Some(tag) = tag() {
        if tag != format!("v{version}") {
            return Err(format!("the tag {tag} is not of version {version}, which Cargo.toml has"));
        }
        if section.is_unreleased {
            return Err(format!("CHANGELOG.md still calls {version} unreleased"));
        }
    }
    run(dist()?.arg("plan"))
}

fn archive(target: &str) -> Result<(), String> {
    let mut build = dist()?;
    build.args(["build", "--artifacts=local", "--output-format=json", "--target", target]);
    let output = build.stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("dist can't be started ({error})"))?;
    if !output.status.success() {
        return Err(format!("dist ended with {}", output.status));
    }
    // From it installers know the archive's checksum.
    let file = plan::made().join(format!("{target}-dist-manifest.json"));
    std::fs::write(&file, output.stdout).map_err(|error| format!("{}: {error}", file.display()))
}

/// Builds the program that goes into the archive of `CARGO_DIST_TARGET`; or takes `KEYSIDE_PROGRAM`.
fn program() -> Result<(), String> {
    let target = variable("CARGO_DIST_TARGET").map_or_else(host, Ok)?;
    let suffix = if target.contains("windows") { ".exe" } else { "" };
    let name = format!("keyside{suffix}");
    let built = match std::env::var_os("KEYSIDE_PROGRAM") {
        Some(named) => {
            say(&format!("this archive has {}, which was built before", named.display()));
            root().join(named)
        }
        None => {
            let mut command = cargo_command();
            command.args(["build", "--release", "--locked", "--package", "keyside"]);
            // Without libraries that a machine may lack.
            command.args(["--features", "self-contained"]);
            let mut folder = root().join("target");
            if target != host()? {
                command.args(["--target", &target]);
                folder.push(&target);
            }
            // `dist` names the compilers that are found without, and for another name cargo would
            // build everything anew.
            for (compiler, found) in
                [("CC", ["gcc", "clang", "cl.exe"]), ("CXX", ["g++", "clang++", "cl.exe"])]
            {
                if variable(compiler).is_some_and(|it| found.contains(&&*it)) {
                    command.env_remove(compiler);
                }
            }
            run(&mut command)?;
            folder.join("release").join(&name)
        }
    };
    copy(&built, &plan::package().join(&name))
}

fn editors() -> Result<(), String> {
    run(dist()?.args(["build", "--artifacts=global"]))?;
    editors::extensions(&version()?)?;
    editors::plugin()
}

/// Installs the program of this machine from its archive, as a person would, and starts it.
fn try_it() -> Result<(), String> {
    let (version, home) = (version()?, plan::folder().join("home"));
    empty(&home)?;
    let made = plan::made();
    let installer = if cfg!(windows) { "keyside-installer.ps1" } else { "keyside-installer.sh" };
    let mut install = Command::new(if cfg!(windows) { "powershell" } else { "sh" });
    install.arg(made.join(installer)).env("KEYSIDE_NO_MODIFY_PATH", "1");
    install.env("KEYSIDE_DOWNLOAD_URL", format!("file://{}", made.display()));
    // Nothing of the person's own: not their home, and no other keyside.
    for name in ["CARGO_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_BIN_HOME"] {
        install.env_remove(name);
    }
    run(install.env("HOME", &home).env("USERPROFILE", &home))?;
    let program = format!("keyside{}", std::env::consts::EXE_SUFFIX);
    let installed = home.join(".local/bin").join(program);
    says_its_version(&installed, &version)?;
    run(Command::new(&installed).arg("doctor").env("KEYSIDE_HOME", home.join("keyside")))?;
    editors::try_extension(&version)?;
    say(&format!("version {version} is installed, starts, and is in its extension"));
    Ok(())
}

/// A release that people see.
fn publish() -> Result<(), String> {
    let tag = tag().ok_or("a release is published by the workflow, from a tag `vX.Y.Z`")?;
    let version = version()?;
    let section = plan::changelog(&read("CHANGELOG.md")?, &version)?;
    let notes = plan::folder().join("notes.md");
    std::fs::write(&notes, section.text)
        .map_err(|error| format!("{}: {error}", notes.display()))?;
    editors::push_plugin(&tag)?;
    let mut create = Command::new("gh");
    create.args(["release", "create", &tag, "--verify-tag", "--title", &tag, "--notes-file"]);
    run(create.arg(&notes).args(plan::files()?))
}

fn says_its_version(program: &Path, version: &str) -> Result<(), String> {
    let output = Command::new(program).arg("--version").output();
    let output = output.map_err(|error| format!("{}: {error}", program.display()))?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if said == format!("keyside {version}") {
        return Ok(());
    }
    Err(format!("{} says {said:?}, and not that it is keyside {version}", program.display()))
}

/// The version, as Cargo.toml has it; others have to have the same (`tests/it/release.rs`).
fn version() -> Result<String, String> {
    plan::field(&read("Cargo.toml")?, "version")
}

/// The tag that this runs for, on GitHub.
fn tag() -> Option<String> {
    let is_tag = variable("GITHUB_REF_TYPE").is_some_and(|it| it == "tag");
    is_tag.then(|| variable("GITHUB_REF_NAME")).flatten()
}

fn variable(name: &str) -> Option<String> {
    std::env::var_os(name)?.into_string().ok()
}

/// The target that this machine's compiler builds for.
fn host() -> Result<String, String> {
    let output = Command::new("rustc").arg("-vV").output();
    let output = output.map_err(|error| format!("rustc can't be started ({error})"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find_map(|it| it.strip_prefix("host: "));
    line.map(str::to_owned).ok_or_else(|| "rustc does not say for what it builds".to_owned())
}

/// `dist`, in a folder with the plan; installed below `target`, where it is not on the PATH.
fn dist() -> Result<Command, String> {
    let folder = plan::write()?;
    let wanted = plan::field(&read("xtask/release.toml")?, "cargo-dist-version")?;
    let ours = root().join("target/tools");
    let installed = ours.join("bin").join(format!("dist{}", std::env::consts::EXE_SUFFIX));
    let is_wanted = |program: &Path| {
        let output = Command::new(program).arg("--version").output();
        output.is_ok_and(|it| String::from_utf8_lossy(&it.stdout).contains(&wanted))
    };
    let program = if is_wanted(Path::new("dist")) { PathBuf::from("dist") } else { installed };
    if !is_wanted(&program) {
        say(&format!("installing cargo-dist {wanted} into target/tools (some minutes)"));
        let mut install = cargo_command();
        install.args(["install", "--locked", "--root"]).arg(&ours);
        run(install.arg(format!("cargo-dist@{wanted}")))?;
    }
    let mut command = Command::new(program);
    command.current_dir(folder);
    Ok(command)
}

fn read(name: &str) -> Result<String, String> {
    std::fs::read_to_string(root().join(name)).map_err(|error| format!("{name}: {error}"))
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let copied = std::fs::copy(from, to);
    copied.map_err(|error| format!("{} to {}: {error}", from.display(), to.display()))?;
    Ok(())
}

/// Makes a folder of which nothing is left from before.
fn empty(folder: &Path) -> Result<(), String> {
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))
}
