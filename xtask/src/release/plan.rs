//! What `dist` reads: a package of its own, in a folder below `target`, so that name, version and
//! licence have one home, `Cargo.toml`, and the address is the one that the release is made at.

use std::path::PathBuf;

use super::{copy, read, variable};
use crate::root;

/// What lies beside the program in each archive.
const BESIDE: &[&str] = &["README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"];

/// Where the plan is.
pub(super) fn folder() -> PathBuf {
    root().join("target/release-plan")
}

/// Where all that is made lies, archives and installers by `dist` and the rest beside them.
pub(super) fn made() -> PathBuf {
    folder().join("target/distrib")
}

/// What `dist` calls a package: where its program and what is beside it are.
pub(super) fn package() -> PathBuf {
    folder().join("keyside")
}

/// Writes the plan, and returns its folder.
pub(super) fn write() -> Result<PathBuf, String> {
    let cargo = read("Cargo.toml")?;
    let mut package = String::from("[package]\n");
    for name in ["name", "version", "description", "license"] {
        package += &format!("{name} = \"{}\"\n", field(&cargo, name)?);
    }
    package += &format!("repository = \"{}\"\n", address());
    package += "binaries = [\"keyside\"]\n";
    package += "build-command = [\"cargo\", \"xtask\", \"release\", \"program\"]\n";
    let folder = folder();
    let inside = self::package();
    std::fs::create_dir_all(&inside).map_err(|error| format!("{}: {error}", inside.display()))?;
    for name in BESIDE {
        copy(&root().join(name), &inside.join(name))?;
    }
    let workspace = "[workspace]\nmembers = [\"dist:keyside\"]\n\n".to_owned();
    let workspace = workspace + &read("xtask/release.toml")?;
    for (file, text) in
        [(inside.join("dist.toml"), package), (folder.join("dist-workspace.toml"), workspace)]
    {
        std::fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(folder)
}

/// Where the release will be: on GitHub it says so itself. Elsewhere nothing is published, and the
/// installers are tried with the folder that the archives are in.
fn address() -> String {
    let named = variable("GITHUB_SERVER_URL").zip(variable("GITHUB_REPOSITORY"));
    named.map_or_else(
        || "https://github.com/owner/keyside".to_owned(),
        |(server, repository)| format!("{server}/{repository}"),
    )
}

/// Everything that people fetch.
pub(super) fn files() -> Result<Vec<PathBuf>, String> {
    let made = made();
    let entries =
        std::fs::read_dir(&made).map_err(|error| format!("{}: {error}", made.display()))?;
    let is_for_people = |name: &str| !name.ends_with("dist-manifest.json");
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .filter(|it| it.path().is_file() && is_for_people(&it.file_name().to_string_lossy()))
        .map(|it| it.path())
        .collect();
    files.sort();
    Ok(files)
}

/// The first `name = "value"` of a TOML text.
pub(super) fn field(toml: &str, name: &str) -> Result<String, String> {
    let value = |line: &str| {
        let value = line.strip_prefix(name)?.trim_start().strip_prefix('=')?.trim();
        Some(value.strip_prefix('"')?.strip_suffix('"')?.to_owned())
    };
    toml.lines().find_map(value).ok_or_else(|| format!("there is no text {name:?} in it"))
}

/// What the changelog says of a version.
#[derive(Debug, PartialEq)]
pub(super) struct Section {
    pub(super) text: String,
    pub(super) is_unreleased: bool,
}

pub(super) fn changelog(text: &str, version: &str) -> Result<Section, String> {
    let mut lines = text.lines();
    let heading = lines.by_ref().find(|line| {
        let rest = line.strip_prefix("## ").and_then(|it| it.strip_prefix(version));
        rest.is_some_and(|it| it.is_empty() || it.starts_with(' '))
    });
    let heading = heading.ok_or_else(|| format!("CHANGELOG.md has no section {version}"))?;
    let section: Vec<&str> = lines.take_while(|it| !it.starts_with("## ")).collect();
    let text = section.join("\n").trim().to_owned() + "\n";
    Ok(Section { text, is_unreleased: heading.contains("unreleased") })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "# Changelog\n\n## 0.2.0 (unreleased)\n\n* new\n\n## 0.1.0\n\n* old\n* older\n";

    #[test]
    fn a_version_has_its_section_of_the_changelog() {
        let section =
            |text: &str, is_unreleased| Ok(Section { text: text.to_owned(), is_unreleased });
        assert_eq!(changelog(TEXT, "0.2.0"), section("* new\n", true));
        assert_eq!(changelog(TEXT, "0.1.0"), section("* old\n* older\n", false));
        assert!(changelog(TEXT, "0.1").is_err());
    }

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let toml = "versions = \"2\"\nversion = \"0.1.0\"\n";
        assert_eq!(field(toml, "version").as_deref(), Ok("0.1.0"));
        assert!(field(toml, "name").is_err());
    }
}
