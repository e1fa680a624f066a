//! Where keyside keeps things: configuration, data and cache, by the platform's rules, or all three
//! under `KEYSIDE_HOME`.

use std::path::PathBuf;

use etcetera::BaseStrategy;

/// The three folders. They need not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folders {
    /// Holds `config.toml`.
    pub config: PathBuf,
    pub data: PathBuf,
    pub cache: PathBuf,
}

impl Folders {
    /// Finds the folders; `home` is the value of `KEYSIDE_HOME`.
    ///
    /// # Errors
    /// One sentence, where there is neither `KEYSIDE_HOME` nor a home folder.
    pub fn find(home: Option<PathBuf>) -> Result<Self, String> {
        if let Some(home) = home {
            return Ok(Self { data: home.join("data"), cache: home.join("cache"), config: home });
        }
        let base = etcetera::choose_base_strategy().map_err(|_| {
            "no home folder was found; set KEYSIDE_HOME to a folder of your own".to_owned()
        })?;
        Ok(Self {
            config: base.config_dir().join("keyside"),
            data: base.data_dir().join("keyside"),
            cache: base.cache_dir().join("keyside"),
        })
    }

    /// Makes the folders in which keyside writes. Where that can't be done, writing in them says so.
    pub fn make(&self) {
        for folder in [&self.data, &self.cache] {
            let _ = std::fs::create_dir_all(folder);
        }
    }

    /// What may be sent without asking again.
    pub fn consent_file(&self) -> PathBuf {
        self.config.join("consent.toml")
    }

    /// What a person has corrected.
    pub fn corrections_file(&self) -> PathBuf {
        self.data.join("corrections.jsonl")
    }

    /// The settings file.
    pub fn config_file(&self) -> PathBuf {
        self.config.join("config.toml")
    }
}

/// Where Helix keeps its configuration: by the same rules, which it has from the same library.
///
/// # Errors
/// One sentence, where there is no home folder.
pub fn of_helix() -> Result<PathBuf, String> {
    let base = etcetera::choose_base_strategy().map_err(|_| {
        "no home folder was found; name the file, as in `keyside config helix languages.toml`"
            .to_owned()
    })?;
    Ok(base.config_dir().join("helix"))
}
