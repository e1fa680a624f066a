//! Settings as they were written in three places, and what becomes of them when one changes.

use std::collections::HashSet;
use std::sync::{MutexGuard, PoisonError};

use serde_json::Value;

use crate::config::layers::{self, Layer};
use crate::lsp::server::Server;

/// Settings as they were written: file, `initializationOptions`, `didChangeConfiguration`.
pub(super) struct Settings {
    layers: [Layer; 3],
    /// Why the file could not be read, until that has been told.
    fault: Option<String>,
    /// What is wrong in them, as it was told.
    told: HashSet<String>,
}

impl Settings {
    pub(super) fn new(file: Result<Layer, String>) -> Self {
        let empty = |source: &str| Layer::of_editor(source, Value::Null);
        let (file, fault) = match file {
            Ok(layer) => (layer, None),
            Err(sentence) => (empty("file"), Some(sentence)),
        };
        let layers = [file, empty("initializationOptions"), empty("editor")];
        Self { layers, fault, told: HashSet::new() }
    }
}

impl Server {
    /// Takes `initializationOptions` into use. Returns what is wrong in all settings, in sentences.
    pub(crate) fn first_settings(&self) -> Vec<String> {
        let options = layers::editor_values(&self.profile().initialization_options);
        let mut notes: Vec<String> = self.settings().fault.take().into_iter().collect();
        notes.extend(self.session.cloud_fault());
        notes.extend(self.session.completion_fault());
        notes.extend(self.settings_with(|settings| settings.layers[1].values = options));
        self.watch_engine();
        notes
    }

    /// Takes the settings of `workspace/didChangeConfiguration` into use, over the earlier ones.
    /// Nothing in them (`null`, which some clients send to say "ask for them") changes nothing.
    pub(crate) fn settings_changed(&self, settings: &Value) -> Vec<String> {
        if settings.is_null() {
            return Vec::new();
        }
        let values = layers::shared_values(settings);
        self.settings_with(|settings| settings.layers[2].values = values)
    }

    /// Takes the settings file into use as it is now; one that can't be read changes nothing.
    pub(crate) async fn settings_file_changed(&self) -> Vec<String> {
        let file = self.session.settings_file();
        let read = tokio::task::spawn_blocking(move || layers::read_file(&file)).await;
        match read {
            Ok(Ok(layer)) => self.settings_with(|settings| settings.layers[0] = layer),
            Ok(Err(sentence)) => vec![sentence.replace(layers::NOT_USED, "the earlier ones stay")],
            Err(_) => Vec::new(),
        }
    }

    /// Takes the folders of the workspace into use: a model may have an adapter for one.
    pub(crate) fn take_folders(&self) {
        // Where the system refuses a thread, the old model stays.
        if self.session.reconfigure((*self.session.config()).clone()).is_ok_and(|it| it) {
            self.watch_engine();
        }
    }

    /// Returns what is wrong in them now and has not been told.
    fn settings_with(&self, change: impl FnOnce(&mut Settings)) -> Vec<String> {
        let (config, mut notes) = {
            let mut settings = self.settings();
            change(&mut settings);
            let resolved = layers::resolve(&settings.layers);
            let all: HashSet<String> = resolved.notes.iter().cloned().collect();
            let told = std::mem::replace(&mut settings.told, all);
            let new = resolved.notes.into_iter().filter(|it| !told.contains(it));
            (resolved.config, new.collect::<Vec<_>>())
        };
        let before = self.session.config();
        if before.cloud != config.cloud {
            notes.push("a change of `cloud` takes a restart of the server".to_owned());
        }
        let is_switched = before.completion.enabled != config.completion.enabled;
        match self.session.reconfigure(config) {
            Ok(replaced) if replaced || is_switched => self.watch_engine(),
            Ok(_) => {}
            Err(error) => {
                notes.push(format!("the new model can't be started ({error}); the old one stays"));
            }
        }
        notes
    }

    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
