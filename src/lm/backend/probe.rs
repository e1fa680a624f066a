//! Tries a model file in a process of its own before it is loaded here.
//!
//! llama.cpp checks much of a file with assertions that end the process, and a language server that
//! ends is started again by its editor, with the same file. So a file that is not known is loaded
//! and asked for one token by a child first: if that dies, this process has a sentence to say
//! instead. What was found good is remembered by path, size and time of change.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::UNIX_EPOCH;

use crate::files;
use crate::lm::backend::NamedBy;
use crate::lm::backend::measure::ModelMeasurement;
use crate::lm::registry::LoraSpec;

/// The hidden command that tries a file; see `cli/check_model.rs`.
pub const COMMAND: &str = "check-model";

/// The program that has the command. Without it, as in programs that link this library, no file is
/// tried.
static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Says which program has [`COMMAND`]: this one.
pub fn set_program(program: PathBuf) {
    // Another time it is the same one.
    let _ = PROGRAM.set(program);
}

/// The instruction sets beyond every processor's that llama.cpp was built for, by its names
/// (`build.rs`). It can't be asked itself: its first answer may be such an instruction.
pub fn built_for() -> impl Iterator<Item = &'static str> {
    env!("KEYSIDE_BUILT_FOR").split(',').filter(|it| !it.is_empty())
}

/// Whether this processor has the instructions that llama.cpp was built for; without them it would
/// be killed at the first call.
///
/// # Errors
/// One sentence.
pub fn processor() -> Result<(), String> {
    built_for().try_for_each(has)
}

fn has(name: &str) -> Result<(), String> {
    if is_there(name) {
        return Ok(());
    }
    Err(if ["AVX2", "FMA", "F16C", "BMI2"].contains(&name) {
        "this processor has no AVX2, which keyside needs; use a machine with AVX2 and FMA (Intel \
         since 2013, AMD since 2015)"
            .to_owned()
    } else {
        format!(
            "this processor has no {name}, for which this keyside was built; build it again without GGML_{name}"
        )
    })
}

/// Whether this processor has an instruction set by llama.cpp's name. What can't be asked for
/// counts as there.
fn is_there(name: &str) -> bool {
    #[cfg(target_arch = "x86_64")]
    match name {
        "AVX2" => return std::is_x86_feature_detected!("avx2"),
        "FMA" => return std::is_x86_feature_detected!("fma"),
        "F16C" => return std::is_x86_feature_detected!("f16c"),
        "BMI2" => return std::is_x86_feature_detected!("bmi2"),
        "AVX_VNNI" => return std::is_x86_feature_detected!("avxvnni"),
        "AVX512" => return std::is_x86_feature_detected!("avx512f"),
        "AVX512_VBMI" => return std::is_x86_feature_detected!("avx512vbmi"),
        "AVX512_VNNI" => return std::is_x86_feature_detected!("avx512vnni"),
        "AVX512_BF16" => return std::is_x86_feature_detected!("avx512bf16"),
        _ => {}
    }
    let _ = name;
    true
}

/// Tries a file, with an adapter where it has one, unless both are known to be good. `cache_folder`
/// is where that is remembered.
///
/// # Errors
/// One sentence, where the child died. A file that llama.cpp refuses properly passes: loading it
/// here says better why.
pub fn check(
    path: &Path,
    lora: Option<&LoraSpec>,
    cache_folder: &Path,
    named_by: NamedBy,
) -> Result<(), String> {
    let Some(program) = PROGRAM.get() else { return Ok(()) };
    let Some(mut fingerprint) = fingerprint(path) else { return Ok(()) };
    if let Some(lora) = lora {
        let Some(of_adapter) = self::fingerprint(&files::expand_home(&lora.path)) else {
            return Ok(());
        };
        fingerprint = format!("{fingerprint} with {of_adapter}");
    }
    let known = cache_folder.join("models").join("checked.txt");
    let good = files::read_text(&known).unwrap_or_default();
    if good.lines().any(|line| line == fingerprint) {
        return Ok(());
    }
    let mut command = Command::new(program);
    // The child ends when its standard input does, so it does not outlive this process.
    command.arg(COMMAND).arg(path);
    if let Some(lora) = lora {
        command.arg("--lora").arg(&lora.path);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut child) = command.spawn() else { return Ok(()) };
    let input = child.stdin.take();
    let status = child.wait();
    drop(input);
    match status.ok().and_then(|status| status.code()) {
        Some(0) => {
            // Remembering is a convenience; where it fails the file is tried again next time.
            let _ = std::fs::create_dir_all(cache_folder.join("models"));
            let _ = files::replace(&known, format!("{fingerprint}\n{good}").as_bytes());
            Ok(())
        }
        Some(1) => Ok(()),
        _ => Err(match lora {
            // The model alone is tried next.
            Some(LoraSpec { path: adapter, .. }) => format!(
                "{} with the adapter {adapter} makes llama.cpp fail; take it out of model.lora",
                path.display()
            ),
            None => format!(
                "{} makes llama.cpp fail, its contents are not what they should be; get the file again, or {}",
                path.display(),
                named_by.or_else()
            ),
        }),
    }
}

/// Measures a file in a process of its own.
///
/// # Errors
/// One sentence: that of the child, or that it died.
pub fn measure(path: &Path) -> Result<ModelMeasurement, String> {
    let shown = path.display();
    let program = PROGRAM.get().ok_or("only the program keyside itself can measure a model")?;
    let mut child = Command::new(program)
        .args([COMMAND, "--measure"])
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("the system refuses a process to load {shown} ({error})"))?;
    // It ends when its input does, so not before it has answered.
    let input = child.stdin.take();
    let output = child.wait_with_output();
    drop(input);
    let output = output.map_err(|error| format!("{shown} can't be measured ({error})"))?;
    let Output { status, stdout, stderr: said } = output;
    if status.code() == Some(0) {
        let measured = serde_json::from_slice(&stdout);
        return measured.map_err(|_| format!("{shown} can't be measured; please report this"));
    }
    let said = String::from_utf8_lossy(&said);
    let said = said.lines().last().unwrap_or_default().trim_start_matches("keyside: ");
    Err(match status.code() {
        Some(1) if !said.is_empty() => said.to_owned(),
        _ => format!(
            "{shown} makes llama.cpp fail, its contents are not what they should be; get the file again"
        ),
    })
}

fn fingerprint(path: &Path) -> Option<String> {
    let metadata = std::fs::metadata(path).ok()?;
    let changed = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    let version = env!("CARGO_PKG_VERSION");
    let path = path.display();
    Some(format!(
        "{version} {} {}.{:09} {path}",
        metadata.len(),
        changed.as_secs(),
        changed.subsec_nanos()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instruction_that_is_not_there_is_said_instead_of_met() {
        assert_eq!(processor(), Ok(()));
        #[cfg(target_arch = "x86_64")]
        {
            assert!(built_for().any(|it| it == "AVX2"));
            let beyond = [
                ("AVX_VNNI", std::is_x86_feature_detected!("avxvnni")),
                ("AVX512_BF16", std::is_x86_feature_detected!("avx512bf16")),
            ];
            for (name, is_there) in beyond {
                let sentence = format!(
                    "this processor has no {name}, for which this keyside was built; build it again without GGML_{name}"
                );
                assert_eq!(has(name), if is_there { Ok(()) } else { Err(sentence) });
            }
        }
    }
}
