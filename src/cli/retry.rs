//! `keyside cloud retry`: sends what was kept, and prints the answers.

use std::path::Path;

use crate::assistant::editor_ui::{Answered, ConsentChoice, EditorUi, Progress, Tone};
use crate::assistant::{Cloud, kept_requests};
use crate::cli::{serve, setup, terminal};
use crate::config::Config;
use crate::config::folders::Folders;
use crate::text::LineRange;

/// Sends all requests that were kept, one after the other.
///
/// # Errors
/// One sentence, where not all could be sent.
pub fn run(config: &Config, folders: &Folders) -> Result<(), String> {
    let started = Cloud::start(&config.cloud, folders, serve::helpers(config)?)?
        .ok_or("cloud.enabled is not set; switch it on in the settings file")?;
    setup::enter_sandbox(folders);
    setup::forget_keys(config);
    let cloud = Cloud::connect(started)?;
    let files = kept_requests::kept(&cloud.unsent_folder());
    if files.is_empty() {
        return terminal::print("nothing is kept\n");
    }
    let runtime = setup::runtime()?;
    let mut n_failed = 0;
    for file in &files {
        match runtime.block_on(kept_requests::retry(&cloud, file, &Terminal)) {
            Ok(answer) => terminal::print(&format!("{answer}\n"))?,
            Err(sentence) => {
                terminal::complain(&format!("{}: {sentence}", file.display()));
                n_failed += 1;
            }
        }
    }
    if n_failed > 0 {
        return Err(format!("{n_failed} of {} requests came to nothing", files.len()));
    }
    Ok(())
}

/// Asks no question and shows nothing but the answers.
struct Terminal;

impl EditorUi for Terminal {
    async fn ask(&self, _: String, _: &[ConsentChoice]) -> Answered {
        Answered::NotAsked
    }

    fn hides_what_it_shows(&self) -> bool {
        false
    }

    async fn tell(&self, _: Tone, sentence: String) {
        terminal::complain(sentence.strip_prefix("keyside: ").unwrap_or(&sentence));
    }

    async fn show(&self, _: &Path, _: bool) -> bool {
        false
    }

    async fn progress(&self, _: Progress) {}

    async fn answer(&self, _: &str, _: &str, _: bool) -> bool {
        true
    }

    async fn apply(
        &self,
        _: &str,
        _: &str,
        _: i32,
        _: Vec<(LineRange, String)>,
    ) -> Result<(), String> {
        Err("there is no document".to_owned())
    }
}
