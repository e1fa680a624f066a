//! The workspace that a file on the command line belongs to, as an editor would have opened it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::app::Session;
use crate::completion::OtherFiles;
use crate::lm::ModelInfo;

/// For the workspace's files; after it one goes on without them, as in an editor.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// What a repository's top is known by.
const TOPS: &[&str] = &[".git", ".jj", ".hg", ".svn"];

/// The workspace's files, once they are read. The file itself counts as open, so what stands in it
/// on the disk is not known.
pub fn files_beside(session: &Session, model: &Arc<ModelInfo>, path: &str) -> OtherFiles {
    let Some(file) = std::path::absolute(path).ok().filter(|it| it.is_file()) else {
        return OtherFiles::None;
    };
    let Some(folder) = workspace_of(&file) else { return OtherFiles::None };
    session.completer.workspace.set_folders(vec![folder]);
    let file: Arc<Path> = file.into();
    let open = vec![Arc::clone(&file)];
    let most = session.config().completion.workspace_tokens;
    let began = Instant::now();
    session.completer.workspace.view(&file, &open, model, most);
    let is_building = || session.completer.workspace.report().iter().any(|it| it.building);
    while is_building() && began.elapsed() < LONGEST_WAIT {
        std::thread::sleep(Duration::from_millis(5));
    }
    OtherFiles::Workspace { file, open }
}

/// The repository that a file is in, or else the present folder where it holds the file, or else
/// the file's own.
pub fn workspace_of(file: &Path) -> Option<PathBuf> {
    let is_top = |folder: &&Path| TOPS.iter().any(|it| folder.join(it).exists());
    let repository = file.ancestors().skip(1).find(is_top).map(Path::to_path_buf);
    let here = || std::env::current_dir().ok().filter(|it| file.starts_with(it));
    repository.or_else(here).or_else(|| file.parent().map(Path::to_path_buf))
}
