//! Files of small projects that are typed from their beginning (tests/new_code): what a person who
//! writes new code gains.

use std::path::Path;
use std::sync::Arc;

use crate::completion::Completer;
use crate::evaluate::cases::SourceFile;
use crate::evaluate::report::Workspaces;
use crate::evaluate::typing::{Stretch, TypedKeys, typed_keys};
use crate::lm::ModelInfo;

/// The stem of the file that is typed.
const TYPED_STEM: &str = "new";

/// A project: the file that is typed, and those that it is added to.
#[derive(Debug, Clone)]
pub struct Project {
    pub name: String,
    files: Vec<SourceFile>,
    typed: usize,
}

/// The projects of a folder, a folder each.
///
/// # Errors
/// One sentence, where there is none or one can't be used.
pub fn read_folder(folder: &Path) -> Result<Vec<Project>, String> {
    let mut all = Vec::new();
    for path in entries(folder)?.into_iter().filter(|it| it.is_dir()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut files = Vec::new();
        let mut typed = None;
        for path in entries(&path)?.into_iter().filter(|it| it.is_file()) {
            if path.file_stem().is_some_and(|it| it == TYPED_STEM) {
                typed = Some(files.len());
            }
            let text = std::fs::read_to_string(&path)
                .map_err(|error| format!("{} can't be read ({error})", path.display()))?;
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            files.push(SourceFile { package: name.clone(), path: format!("{name}/{file}"), text });
        }
        let Some(typed) = typed else {
            return Err(format!("{} has no file {TYPED_STEM}.* to be typed", path.display()));
        };
        all.push(Project { name, files, typed });
    }
    if all.is_empty() {
        return Err(format!("{} holds no project; tests/new_code does", folder.display()));
    }
    Ok(all)
}

fn entries(folder: &Path) -> Result<Vec<std::path::PathBuf>, String> {
    let unreadable = |error| format!("{} can't be read ({error})", folder.display());
    let mut all: Vec<_> =
        std::fs::read_dir(folder).map_err(unreadable)?.flatten().map(|it| it.path()).collect();
    all.sort();
    Ok(all)
}

/// A table: a row for each project's file, and one of all. `info` is that of the completer's model.
///
/// # Errors
/// Those of the model.
pub fn table(
    projects: &[Project],
    completer: &Completer,
    info: &Arc<ModelInfo>,
    runtime: &tokio::runtime::Runtime,
) -> Result<String, String> {
    let mut out = String::from(
        "| project | characters | time gained | keystroke savings | right of shown | texts a 100 keys |\n\
         |---|---|---|---|---|---|\n",
    );
    let mut all = TypedKeys::default();
    let mut workspaces = Workspaces::new(true, Arc::clone(info));
    for project in projects {
        let file = [Stretch::whole_file(&project.files, project.typed)];
        let typed = typed_keys(&file, &mut workspaces, completer, runtime)?;
        out.push_str(&row(&project.name, typed.clone()));
        all.add(typed);
    }
    out.push_str(&row("all", all));
    Ok(out)
}

fn row(name: &str, typed: TypedKeys) -> String {
    let it = typed.figures();
    format!(
        "| {name} | {} | {:.1}% | {:.1}% | {:.1}% of {} | {:.1} |\n",
        it.n_characters,
        100.0 * it.time_gained,
        100.0 * it.spared,
        100.0 * it.right_of_shown,
        it.n_showings,
        it.showings_per_100_keys,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_has_a_file_to_be_typed() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/new_code");
        let projects = read_folder(&folder).expect("projects");
        let names: Vec<&str> = projects.iter().map(|it| &*it.name).collect();
        assert_eq!(names, ["go", "python", "rust", "shell", "typescript"]);
        for it in &projects {
            assert!(it.files[it.typed].path.contains("/new."), "{it:?}");
            assert!(it.files.len() > 1, "{it:?}");
        }
        let failure = read_folder(&folder.join("go")).expect_err("no folder is in there");
        assert!(failure.contains("holds no project"), "{failure}");
        let failure = read_folder(&folder.join("..")).expect_err("no project has the file");
        assert!(failure.contains("has no file new.* to be typed"), "{failure}");
    }
}
