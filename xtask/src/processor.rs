//! A keyside for this machine's processor: llama.cpp built with the instructions that it has beyond AVX2, and tried before it is
//! handed over.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::{cargo_command, root, run, say};

/// What Linux calls an instruction set, and the flag of llama.cpp's build. Not among them: AVX512-FP16, with which its attention is
/// half as fast for heads of 64.
const FLAGS: &[(&str, &str)] = &[
    ("avx_vnni", "GGML_AVX_VNNI"),
    ("avx512f", "GGML_AVX512"),
    ("avx512vbmi", "GGML_AVX512_VBMI"),
    ("avx512_vnni", "GGML_AVX512_VNNI"),
    ("avx512_bf16", "GGML_AVX512_BF16"),
    ("amx_tile", "GGML_AMX_TILE"),
    ("amx_int8", "GGML_AMX_INT8"),
];

/// Builds into a folder of its own, because cargo does not see these flags change, and tries what was built.
pub(crate) fn build() -> Result<(), String> {
    let known = std::fs::read_to_string("/proc/cpuinfo").map_err(
        |_| "only Linux says what its processor has; `cargo xtask build` works everywhere",
    )?;
    let mut flags = flags_of(&known);
    if flags.iter().any(|it| it.contains("AMX")) && !builds_amx(&compiler_version()) {
        say(
            "this compiler builds AMX code that crashes (GCC before 13), so it goes without; a newer one is three times as fast at prompts",
        );
        flags.retain(|it| !it.contains("AMX"));
    }
    if flags.is_empty() {
        say("this processor has nothing beyond the portable build's AVX2");
    }
    let folder = root().join("target/this-processor");
    let mut command = cargo_command();
    command.args(["build", "--release", "--package", "keyside", "--target-dir"]).arg(&folder);
    for flag in &flags {
        command.env(flag, "ON");
    }
    run(&mut command)?;
    let program = folder.join("release").join(format!("keyside{}", std::env::consts::EXE_SUFFIX));
    decodes(&program)?;
    let with = if flags.is_empty() { "AVX2 alone".to_owned() } else { flags.join(", ") };
    say(&format!("{} is built with {with}, and decodes", program.display()));
    Ok(())
}

/// The flags for a processor, from `/proc/cpuinfo`.
fn flags_of(cpuinfo: &str) -> Vec<&'static str> {
    let line = cpuinfo.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
    let has = |name: &str| line.split_whitespace().any(|it| it == name);
    FLAGS.iter().filter(|(name, _)| has(name)).map(|(_, flag)| *flag).collect()
}

/// Whether a compiler, by what it says of itself, can be trusted with AMX: GCC 12's `ldtilecfg` reads a tile's shape that was not
/// written yet.
fn builds_amx(version: &str) -> bool {
    let major = version.trim().split('.').next().and_then(|it| it.parse::<u32>().ok());
    version.contains("clang") || major.is_some_and(|it| it >= 13)
}

fn compiler_version() -> String {
    let said = |argument: &str| {
        let output = Command::new("c++").arg(argument).stdin(Stdio::null()).output();
        output.map(|it| String::from_utf8_lossy(&it.stdout).into_owned()).unwrap_or_default()
    };
    let version = said("--version");
    if version.contains("clang") { version } else { said("-dumpfullversion") }
}

/// Has the program complete a line with its own model, in a process that may die of it.
fn decodes(program: &Path) -> Result<(), String> {
    let mut command = Command::new(program);
    command.arg("try").stdin(Stdio::null());
    let output =
        command.output().map_err(|error| format!("what was built can't be started ({error})"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && !text.trim().is_empty() {
        return Ok(());
    }
    Err(format!(
        "what was built does not work here ({}: {}); use `cargo xtask build` instead, and please report this",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_follow_the_processor() {
        assert_eq!(flags_of("processor\t: 0\nflags\t\t: fpu avx2 fma\n"), Vec::<&str>::new());
        let server = "flags\t\t: avx2 avx512f avx512_vnni avx512_fp16 amx_bf16 amx_tile amx_int8\n";
        assert_eq!(
            flags_of(server),
            ["GGML_AVX512", "GGML_AVX512_VNNI", "GGML_AMX_TILE", "GGML_AMX_INT8"]
        );
        assert_eq!(flags_of("flags : avx2 avx_vnni"), ["GGML_AVX_VNNI"]);
        assert_eq!(flags_of(""), Vec::<&str>::new());
    }

    #[test]
    fn an_old_compiler_is_not_trusted_with_amx() {
        assert!(!builds_amx("12.2.0\n") && !builds_amx("") && builds_amx("14.2.0\n"));
        assert!(builds_amx("Debian clang version 14.0.6\n"));
    }
}
