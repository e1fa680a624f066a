//! Which files are never sent, whoever asks: files that hold secrets, and what the workspace's ignore files leave out.
//!
//! Four kinds of ignore files are honoured, each read as its makers read it: `.gitignore`, `.aiignore` (JetBrains),
//! `.cursorignore` and `.aiexclude` (Gemini: an empty one leaves out everything, and nothing is taken back in). What one of them
//! takes back in with `!`, no other has to follow, and nothing in a workspace can take back what keyside or the user's settings
//! leave out.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::files;

/// Names of ignore files, from the one that everybody has on.
pub const IGNORE_FILES: &[&str] = &[".gitignore", ".aiignore", ".cursorignore", ".aiexclude"];

/// Files that hold secrets, as in a `.gitignore`, whatever case they are written in.
const SECRETS: &str = include_str!("tables/secret_files.txt");

/// One ignore file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IgnoreFile {
    /// The folder that it lies in.
    pub folder: PathBuf,
    /// One of [`IGNORE_FILES`].
    pub name: &'static str,
    pub text: String,
}

/// The rules that hold in one workspace.
#[derive(Debug)]
pub struct Fence {
    /// With who says so. These hold wherever a file lies.
    everywhere: Vec<(&'static str, Arc<Gitignore>)>,
    /// For each name of an ignore file, those of that name, a folder's before those of what is in it.
    layered: Vec<(&'static str, Vec<Gitignore>)>,
    /// An empty `.aiexclude`: nothing below this is sent.
    closed: Vec<PathBuf>,
    /// The rules of other places, which hold as well.
    others: Vec<Fence>,
}

const OWN: &str = "keyside's list of files that hold secrets";
const USERS: &str = "cloud.never_send in your settings";

/// [`SECRETS`], compiled once: that takes some 20 ms, and a fence is made for each file that is opened.
static SECRET_FILES: LazyLock<Result<Arc<Gitignore>, String>> = LazyLock::new(|| {
    let globs = SECRETS.lines().filter(|it| !it.is_empty() && !it.starts_with('#'));
    matcher(Path::new("/"), globs.map(anywhere))
});

impl Fence {
    /// The rules of keyside, of the user's settings, and of the ignore files, which come with a folder's before those of what is
    /// in it. Globs of the settings that begin with `/` are of `root`; the others hold everywhere.
    ///
    /// # Errors
    /// One sentence, where a rule can't be read: then nothing may be sent, because it may be the one that matters. A line of an ignore
    /// file that git could not read either is passed over, as git does.
    pub fn new(
        root: &Path,
        never_send: &[String],
        ignore_files: &[IgnoreFile],
    ) -> Result<Self, String> {
        let mut everywhere = Vec::new();
        everywhere.push((OWN, SECRET_FILES.clone()?));
        // What a settings file takes back with `!` would take back what it left out itself, and is of no use.
        let users = never_send.iter().map(|it| it.trim()).filter(|it| !it.starts_with('!'));
        let (of_root, others): (Vec<&str>, Vec<&str>) = users.partition(|it| it.starts_with('/'));
        everywhere.push((USERS, matcher(root, of_root.into_iter().map(ToOwned::to_owned))?));
        everywhere.push((USERS, matcher(Path::new("/"), others.into_iter().map(anywhere))?));
        let mut layered: Vec<(&str, Vec<Gitignore>)> =
            IGNORE_FILES.iter().map(|name| (*name, Vec::new())).collect();
        let mut closed = Vec::new();
        for IgnoreFile { folder, name, text } in ignore_files {
            let takes_nothing_back = *name == ".aiexclude";
            if takes_nothing_back && text.trim().is_empty() {
                closed.push(folder.clone());
            }
            let mut builder = GitignoreBuilder::new(folder);
            for line in text.trim_start_matches('\u{feff}').lines() {
                if !(takes_nothing_back && line.starts_with('!')) {
                    let _ = builder.add_line(None, line);
                }
            }
            let built = builder.build().map_err(|_| {
                format!(
                    "{} can't be read, so nothing is sent; correct it",
                    folder.join(name).display()
                )
            })?;
            if let Some((_, rules)) = layered.iter_mut().find(|(it, _)| it == name) {
                rules.push(built);
            }
        }
        Ok(Self { everywhere, layered, closed, others: Vec::new() })
    }

    /// These rules and those of another place.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.others.push(other);
        self
    }

    /// As [`Self::stops`], of a file under any of its names: as it is written, and where links and `..` in that lead.
    pub fn stops_file(&self, path: &Path) -> Option<String> {
        files::names_of(path).iter().find_map(|it| self.stops(it))
    }

    /// Who says that nothing of a file is to be sent; `None`: nobody does. An absolute path.
    pub fn stops(&self, path: &Path) -> Option<String> {
        if self.closed.iter().any(|folder| path.starts_with(folder)) {
            return Some(".aiexclude".to_owned());
        }
        let own = self.everywhere.iter().filter(|(_, rules)| path.starts_with(rules.path()));
        let mut own =
            own.filter(|(_, rules)| rules.matched_path_or_any_parents(path, false).is_ignore());
        if let Some((who, _)) = own.next() {
            return Some((*who).to_owned());
        }
        let stops = |rules: &[Gitignore]| {
            // As git does: from the top down, and what is in a folder that is left out is not looked at.
            let mut parts: Vec<&Path> = path.ancestors().collect();
            parts.reverse();
            parts.iter().any(|part| {
                let nearest_first = rules
                    .iter()
                    .rev()
                    .filter(|it| part.starts_with(it.path()) && *part != it.path());
                let mut matches = nearest_first.map(|it| it.matched(part, *part != path));
                matches.find(|it| !it.is_none()).is_some_and(|it| it.is_ignore())
            })
        };
        let mut layered = self.layered.iter().filter(|(_, rules)| stops(rules));
        let who = layered.next().map(|(who, _)| (*who).to_owned());
        who.or_else(|| self.others.iter().find_map(|it| it.stops(path)))
    }
}

/// A glob as it holds in every folder: one with a slash in its middle would otherwise hold in the topmost alone.
fn anywhere(glob: &str) -> String {
    let has_inner_slash = glob.trim_end_matches('/').contains('/');
    if has_inner_slash && !glob.starts_with("**/") { format!("**/{glob}") } else { glob.to_owned() }
}

fn matcher(root: &Path, globs: impl Iterator<Item = String>) -> Result<Arc<Gitignore>, String> {
    let mut builder = GitignoreBuilder::new(root);
    // It can only fail where a glob is there already.
    let _ = builder.case_insensitive(true);
    let unreadable = |glob: &str| {
        format!(
            "cloud.never_send: `{glob}` is no glob that keyside can read, so nothing is sent; correct it"
        )
    };
    for glob in globs {
        builder.add_line(None, &glob).map_err(|_| unreadable(&glob))?;
    }
    builder.build().map(Arc::new).map_err(|_| unreadable("the list"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(folder: &str, name: &'static str, text: &str) -> IgnoreFile {
        IgnoreFile { folder: PathBuf::from(folder), name, text: text.to_owned() }
    }

    /// Which of the paths, separated by blanks, are stopped.
    #[track_caller]
    fn check(ignore_files: &[IgnoreFile], never_send: &[&str], paths: &str, stopped: &str) {
        let never_send: Vec<String> = never_send.iter().map(ToString::to_string).collect();
        let fence = Fence::new(Path::new("/w"), &never_send, ignore_files).unwrap();
        let found: Vec<&str> =
            paths.split_whitespace().filter(|it| fence.stops(Path::new(it)).is_some()).collect();
        assert_eq!(found.join(" "), stopped);
    }

    #[test]
    fn files_that_hold_secrets_are_stopped_everywhere() {
        check(
            &[],
            &[],
            "/w/.env /w/a/.env.local /w/a/.ENV /w/prod.env /w/src/env.rs /w/id_rsa /w/a/b/tls/server.KEY /w/src/key.rs \
             /w/.ssh/config /w/.aws/config /w/infra/prod.tfvars /w/infra/main.tf /w/secrets.yaml /w/src/secrets.rs \
             /w/.git/config /w/src/main.rs /w/credentials.json /w/src/credential.py",
            "/w/.env /w/a/.env.local /w/a/.ENV /w/prod.env /w/id_rsa /w/a/b/tls/server.KEY \
             /w/.ssh/config /w/.aws/config /w/infra/prod.tfvars /w/secrets.yaml /w/.git/config /w/credentials.json",
        );
    }

    #[test]
    fn usual_names_of_secret_files_are_stopped_in_any_case() {
        let paths = "/h/.bash_history /h/.zsh_history /h/.psql_history /h/.mysql_history /h/.rediscli_history \
                     /h/.python_history /h/.node_repl_history /h/.sqlite_history /h/.local/share/fish/fish_history \
                     /h/.s3cfg /h/.boto /h/.oci/config /h/.config/rclone/rclone.conf /h/.databrickscfg /h/.terraformrc \
                     /h/.config/gh/hosts.yml /h/.vault-token /h/.dockerconfigjson /w/auth.json /w/cookies.txt \
                     /w/wp-config.php /w/WP-Config.php /h/.m2/settings.xml /w/settings.xml /w/nuget.config /w/NuGet.Config \
                     /w/.dev.vars /w/kaggle.json /w/google-services.json /w/app/GoogleService-Info.plist /w/token.json \
                     /w/local_settings.py /w/database.yml /w/config/master.key /w/sftp-config.json /w/server.keytab \
                     /w/release.jks /w/wallet.dat /w/wpa_supplicant.conf /w/home.nmconnection /w/capture.har /h/.Xauthority \
                     /w/x.publishsettings /h/pip.conf /w/keystore.properties /h/.my.cnf /h/.mylogin.cnf /w/vault.yml";
        check(&[], &[], paths, &paths.split_whitespace().collect::<Vec<_>>().join(" "));
        let sources = "/w/src/settings.py /w/src/history.rs /w/token.rs /w/auth.ts /w/cookies.js /w/src/secret/mod.rs \
                       /w/docker-compose.yml /w/Dockerfile /w/package.json /w/src/key.rs /w/docs/passwords.md /w/vault.go";
        check(&[], &[], sources, "");
    }

    #[test]
    fn a_workspace_takes_nothing_back() {
        let all = "!.env\n!*.pem\n!private.rs\n!*\n";
        let files: Vec<IgnoreFile> =
            IGNORE_FILES.iter().map(|name| file("/w", name, all)).collect();
        check(
            &files,
            &["private.rs"],
            "/w/.env /w/a.pem /w/src/private.rs /w/a.rs",
            "/w/.env /w/a.pem /w/src/private.rs",
        );
    }

    #[test]
    fn each_ignore_file_is_followed_for_itself() {
        let files = [
            file("/w", ".gitignore", "target/\n*.log\n!keep.log\n"),
            file("/w", ".aiignore", "/internal/\n!target/\n"),
            file("/w", ".cursorignore", "*.sql\n"),
            file("/w/vendor", ".aiexclude", "*.c\n!good.c\n"),
        ];
        check(
            &files,
            &[],
            "/w/target/x.rs /w/a.log /w/keep.log /w/internal/a/b.rs /w/src/internal/b.rs /w/q.sql /w/vendor/good.c /w/good.c",
            "/w/target/x.rs /w/a.log /w/internal/a/b.rs /w/q.sql /w/vendor/good.c",
        );
    }

    #[test]
    fn the_nearest_ignore_file_of_a_name_decides() {
        let files = [
            file("/w", ".gitignore", "*.gen.rs\n"),
            file("/w/sub", ".gitignore", "!mine.gen.rs\n"),
        ];
        check(
            &files,
            &[],
            "/w/a.gen.rs /w/sub/a.gen.rs /w/sub/mine.gen.rs /w/mine.gen.rs",
            "/w/a.gen.rs /w/sub/a.gen.rs /w/mine.gen.rs",
        );
    }

    #[test]
    fn an_empty_aiexclude_closes_its_folder() {
        check(&[file("/w/a", ".aiexclude", " \n")], &[], "/w/a/b/c.rs /w/ab.rs", "/w/a/b/c.rs");
    }

    #[test]
    fn secrets_are_stopped_outside_of_the_workspace_too() {
        check(
            &[],
            &["sketches/", "docs/plan.md", "/top.rs"],
            "/home/me/.ssh/config /home/me/.kube/config /elsewhere/.env /elsewhere/a.rs /x/sketches/a.rs /y/docs/plan.md \
             /w/top.rs /y/top.rs",
            "/home/me/.ssh/config /home/me/.kube/config /elsewhere/.env /x/sketches/a.rs /y/docs/plan.md /w/top.rs",
        );
    }

    #[test]
    fn what_is_in_a_folder_that_is_left_out_is_not_taken_back() {
        let files = [
            file("/w", ".gitignore", "secret/\n!*.rs\n"),
            file("/w/secret", ".gitignore", "!*\n"),
            file("/w/open", ".gitignore", "\u{feff}*.txt\n"),
        ];
        check(
            &files,
            &[],
            "/w/secret/a.rs /w/secret/deep/b.rs /w/open/a.txt /w/a.rs",
            "/w/secret/a.rs /w/secret/deep/b.rs /w/open/a.txt",
        );
    }

    #[test]
    fn with_a_glob_that_can_not_be_read_nothing_is_sent() {
        assert!(Fence::new(Path::new("/w"), &["[z-a]".to_owned()], &[]).is_err());
    }
}
