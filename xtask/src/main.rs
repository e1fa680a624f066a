//! `cargo xtask try` and `cargo xtask test`: everything from a bare machine to ghost text, in one command.
//!
//! Building llama.cpp needs cmake, a C++ compiler and libclang; the tests need a real Neovim as well.
//! What is missing is installed with the system's package manager, after saying so; where that can't be
//! done, the exact command is printed. No dependencies, so that this starts in a second.

mod processor;
mod python;
mod release;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

const USAGE: &str = "usage: cargo xtask <command>

  try [FILE]   build keyside and show real ghost text on a real file
  test         run every test
  build        build keyside; with --for-this-processor, with the instructions that this one has beyond AVX2
  setup        install what building needs, nothing else
  release      make a release's files, step by step; with --dry-run, all of them for this machine";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    let result = match command.as_str() {
        "try" => try_it(&rest),
        "test" => test(&rest),
        "build" => build(&rest),
        "setup" => build_tools(),
        "release" => release::release(&rest),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("xtask: {sentence}");
            ExitCode::FAILURE
        }
    }
}

fn try_it(arguments: &[String]) -> Result<(), String> {
    build_tools()?;
    say("building keyside (the first time takes some minutes: llama.cpp is built too)");
    cargo(&["build", "--release", "--package", "keyside"])?;
    let program =
        root().join("target/release").join(format!("keyside{}", std::env::consts::EXE_SUFFIX));
    let mut command = Command::new(program);
    run(command.arg("try").args(arguments))
}

fn build(arguments: &[String]) -> Result<(), String> {
    build_tools()?;
    match arguments {
        [] => cargo(&["build", "--release", "--package", "keyside"]),
        [flag] if flag == "--for-this-processor" => processor::build(),
        _ => Err(USAGE.to_owned()),
    }
}

/// Compiles keyside itself with few optimisations, so that tests are built sooner; its dependencies,
/// llama.cpp among them, as ever. Speed is measured by the benches, which are built as the program is.
const QUICK_BUILD: [&str; 2] = ["--config", "profile.release.package.keyside.opt-level=1"];

fn test(arguments: &[String]) -> Result<(), String> {
    build_tools()?;
    editors()?;
    tracer()?;
    python::instruct_model()?;
    // Release, because the tests run a real model, and so that the library is compiled once for all.
    let mut all = vec!["test", "--release", "--workspace", "--no-fail-fast"];
    all.extend(QUICK_BUILD);
    all.extend(arguments.iter().map(String::as_str));
    cargo(&all)?;
    // Names of tests after `test` mean these tests alone.
    if arguments.is_empty() { python::model_pipeline() } else { Ok(()) }
}

/// Makes sure that cmake, a C++ compiler and libclang are there.
fn build_tools() -> Result<(), String> {
    let mut missing = Vec::new();
    if !works("cmake", &["--version"]) {
        missing.push("cmake");
    }
    if !(works("c++", &["--version"]) || cfg!(windows)) {
        missing.push("a C++ compiler");
    }
    // What cmake builds with; ninja does as well.
    if !(works("make", &["--version"]) || works("ninja", &["--version"]) || cfg!(windows)) {
        missing.push("make");
    }
    if !has_libclang() {
        missing.push("libclang");
    }
    if missing.is_empty() {
        return Ok(());
    }
    let what = missing.join(", ");
    let Some(install) = package_manager() else {
        return Err(format!(
            "{what} is missing and no package manager that this knows was found; install cmake, make, a \
             C++ compiler and libclang with its headers, then run this again"
        ));
    };
    say(&format!("{what} is missing"));
    self::install(&install)?;
    if !works("cmake", &["--version"]) || !has_libclang() {
        return Err(
            "what was installed is not found; open a new terminal and run this again".to_owned()
        );
    }
    Ok(())
}

/// Runs commands that install something, after saying so.
fn install(lines: &[String]) -> Result<(), String> {
    say(&format!("installing with: {}", lines.join(" && ")));
    for line in lines {
        let mut words = line.split_whitespace();
        let program = words.next().unwrap_or_default();
        let status =
            Command::new(program).args(words).env("DEBIAN_FRONTEND", "noninteractive").status();
        if !status.is_ok_and(|status| status.success()) {
            return Err(format!(
                "that failed; run it by hand, then this again: {}",
                lines.join(" && ")
            ));
        }
    }
    Ok(())
}

/// The commands that install the build tools, or `None` where there is no known package manager.
fn package_manager() -> Option<Vec<String>> {
    let managers: &[(&str, &[&str])] = &[
        ("apt-get", &["apt-get update -qq", "apt-get install -y -qq cmake make g++ libclang-dev"]),
        ("dnf", &["dnf install -y cmake make gcc-c++ clang-devel"]),
        ("pacman", &["pacman -S --needed --noconfirm cmake make gcc clang"]),
        ("zypper", &["zypper --non-interactive install cmake make gcc-c++ clang-devel"]),
        ("apk", &["apk add cmake g++ make clang-dev linux-headers"]),
        ("brew", &["brew install cmake llvm"]),
        ("winget", &["winget install --silent Kitware.CMake", "winget install --silent LLVM.LLVM"]),
    ];
    let (name, commands) = managers.iter().find(|(name, _)| works(name, &["--version"]))?;
    let as_root = *name != "brew" && *name != "winget" && !is_root();
    let prefix = if as_root { "sudo " } else { "" };
    Some(commands.iter().map(|command| format!("{prefix}{command}")).collect())
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout == b"0\n")
}

/// Looks where the `clang-sys` crate looks: its variable, then the places of each system.
fn has_libclang() -> bool {
    let mut folders: Vec<PathBuf> =
        std::env::var_os("LIBCLANG_PATH").map(PathBuf::from).into_iter().collect();
    let llvm_config = Command::new("llvm-config").arg("--libdir").output();
    if let Ok(output) = llvm_config {
        folders.push(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    let patterns = [
        "/usr/lib/llvm-*/lib",
        "/usr/local/llvm*/lib*",
        "/usr/lib*",
        "/usr/lib*/*-linux-gnu*",
        "/usr/local/lib*",
        "/opt/homebrew/opt/llvm/lib",
        "/usr/local/opt/llvm/lib",
        "/Library/Developer/CommandLineTools/usr/lib",
        "/Applications/Xcode.app/Contents/Developer/Toolchains/XcodeDefault.xctoolchain/usr/lib",
        "C:/Program Files/LLVM/bin",
    ];
    folders.extend(patterns.iter().flat_map(|it| matching(it)));
    folders.iter().any(|folder| holds_libclang(folder))
}

fn holds_libclang(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // libclang-14.so.1, libclang.so, libclang.dylib, libclang.dll; not libclang-cpp.
        name.starts_with("libclang")
            && !name.starts_with("libclang-cpp")
            && (name.contains(".so") || name.ends_with(".dylib") || name.ends_with(".dll"))
    })
}

/// Folders that match a pattern in which `*` stands for any part of one name.
fn matching(pattern: &str) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::from(if pattern.starts_with('/') { "/" } else { "" })];
    for part in pattern.split('/').filter(|it| !it.is_empty()) {
        found = found
            .iter()
            .flat_map(|folder| {
                if !part.contains('*') {
                    return vec![folder.join(part)];
                }
                let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
                entries
                    .filter(|entry| name_matches(part, &entry.file_name()))
                    .map(|entry| entry.path())
                    .collect()
            })
            .collect();
    }
    found
}

fn name_matches(pattern: &str, name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let mut rest: &str = &name;
    let mut parts = pattern.split('*').peekable();
    let Some(after_first) = parts.next().and_then(|first| rest.strip_prefix(first)) else {
        return false;
    };
    rest = after_first;
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.is_empty()
}

/// What watches the program's calls to the system from outside.
fn tracer() -> Result<(), String> {
    if !cfg!(target_os = "linux") || works("strace", &["-V"]) {
        return Ok(());
    }
    apt_install("strace", "the tests watch the program with strace")
}

/// Installs packages of Debian, after saying so; elsewhere says `why` they are needed.
fn apt_install(packages: &str, why: &str) -> Result<(), String> {
    if !works("apt-get", &["--version"]) {
        return Err(format!("{why}; install it, then run this again"));
    }
    let prefix = if is_root() { "" } else { "sudo " };
    install(&[
        format!("{prefix}apt-get update -qq"),
        format!("{prefix}apt-get install -y -qq {packages}"),
    ])
}

/// Makes sure that the tests find a Neovim of at least 0.12, one of 0.11, and on Linux a Helix of 2026,
/// an Emacs with lsp-mode, and a Kakoune with kak-lsp.
fn editors() -> Result<(), String> {
    let folder = root().join("target/editors");
    let is_named = |variable: &str| std::env::var_os(variable).is_some();
    let has = |program: &str| folder.join(program).exists();
    let mut missing = Vec::new();
    let has_neovim = || {
        is_named("KEYSIDE_TEST_NVIM")
            || neovim_is_new_enough("nvim")
            || neovim_is_new_enough(&folder.join("nvim").to_string_lossy())
    };
    if cfg!(target_os = "linux") {
        if !is_named("KEYSIDE_TEST_EMACS") && !has("emacs") {
            missing.push("emacs");
        }
        if !is_named("KEYSIDE_TEST_KAK") {
            missing.extend(["kak", "kak-lsp"].into_iter().filter(|it| !has(it)));
        }
    }
    if !cfg!(windows) && !has_neovim() {
        missing.push("nvim");
    }
    let has_build = cfg!(all(target_os = "linux", target_arch = "x86_64"));
    if has_build && !is_named("KEYSIDE_TEST_NVIM_0_11") && !has("nvim-0.11") {
        missing.push("nvim-0.11");
    }
    // Releases up to 25.07 ask a person nothing, and a build's version does not tell when it was made.
    if cfg!(target_os = "linux") && !is_named("KEYSIDE_TEST_HX") && !has("hx") {
        missing.push("hx");
    }
    if missing.is_empty() {
        return Ok(());
    }
    if !works("apt-get", &["--version"]) {
        return Err(
            "the tests drive a real Neovim, 0.12 or newer and 0.11, and on Linux a Helix of 2026, an Emacs \
             30 with lsp-mode, and a Kakoune with kak-lsp; install them and name them in \
             KEYSIDE_TEST_NVIM, KEYSIDE_TEST_NVIM_0_11, KEYSIDE_TEST_HX, KEYSIDE_TEST_EMACS and, for a \
             folder with kak and kak-lsp, KEYSIDE_TEST_KAK, then run this again"
                .to_owned(),
        );
    }
    say("fetching editors for the tests into target/editors (nothing on the system is changed)");
    let mut script = Command::new("bash");
    script.arg(root().join("xtask/get-editors.sh")).arg(&folder).args(missing);
    run(&mut script)
}

fn neovim_is_new_enough(program: &str) -> bool {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output();
    let Ok(output) = output else { return false };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let Some(version) = text.lines().next().and_then(|line| line.strip_prefix("NVIM v")) else {
        return false;
    };
    let mut numbers = version.split(['.', '-']).map_while(|it| it.parse::<u32>().ok());
    let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    (major, minor) >= (0, 12)
}

fn cargo(arguments: &[&str]) -> Result<(), String> {
    run(cargo_command().args(arguments))
}

fn cargo_command() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{name} ended with {status}")),
        Err(error) => Err(format!("{name} can't be started ({error})")),
    }
}

fn works(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_path_buf()
}

fn say(what: &str) {
    eprintln!("xtask: {what}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_patterns() {
        for (pattern, name, expected) in [
            ("llvm-*", "llvm-14", true),
            ("llvm-*", "llvm", false),
            ("lib*", "lib64", true),
            ("*-linux-gnu*", "x86_64-linux-gnu", true),
            ("*-linux-gnu*", "x86_64-linux-musl", false),
            ("lib", "lib64", false),
        ] {
            assert_eq!(name_matches(pattern, OsStr::new(name)), expected, "{pattern} {name}");
        }
    }
}
