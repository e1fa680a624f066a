//! Ignore files, against the walker of the `ignore` crate on real folders.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use keyside::privacy::fence::{Fence, IgnoreFile};
use proptest::prelude::*;

use super::cases;
use crate::support::TempFolder;

const FOLDERS: &[&str] = &["", "a", "b", "a/b", "a/c", "b/a"];
const FILES: &[&str] = &["x.rs", "y.rs", "x.txt", "a", "long name.rs"];

/// Lines as people write them, and some that they do not mean.
fn any_lines() -> impl Strategy<Value = String> {
    let glob = prop_oneof![
        4 => "!?/?(a|b|c|x|y|\\*|\\?|\\*\\*)(/(a|b|x|\\*|\\*\\*)){0,2}(\\.rs|\\.txt|\\*|)/?",
        2 => prop_oneof![Just("*.rs"), Just("!x.rs"), Just("/*"), Just("!/a/"), Just("**/b/**"), Just("a/")]
            .prop_map(str::to_owned),
        1 => prop_oneof![
            Just("# a comment"),
            Just("\\!x.rs"),
            Just("[xy].rs"),
            Just("[!x].rs"),
            Just("x.rs "),
            Just("long\\ name.rs"),
            Just(""),
            Just("[")
        ]
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(glob, 0..5).prop_map(|it| it.join("\n"))
}

/// The files that the walker finds.
fn walked(root: &Path) -> BTreeSet<PathBuf> {
    let mut walker = ignore::WalkBuilder::new(root);
    walker.standard_filters(false).git_ignore(true).require_git(false).parents(false);
    let entries = walker.build().map(|it| it.unwrap().into_path());
    entries.filter(|it| it.is_file() && !it.ends_with(".gitignore")).collect()
}

proptest! {
    #![proptest_config(cases(120))]

    #[test]
    fn what_gitignore_leaves_out_is_fenced_off(
        texts in prop::collection::vec((prop::sample::select(FOLDERS), any_lines()), 1..4),
    ) {
        let home = TempFolder::new();
        let root = home.0.canonicalize().unwrap();
        let mut all = Vec::new();
        for folder in FOLDERS {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        for folder in FOLDERS {
            for file in FILES.iter().filter(|it| !root.join(folder).join(it).is_dir()) {
                let path = root.join(folder).join(file);
                std::fs::write(&path, "").unwrap();
                all.push(path);
            }
        }
        // One of each folder, a folder's before those of what is in it.
        let mut texts = texts;
        texts.sort_by_key(|it| it.0);
        texts.dedup_by_key(|it| it.0);
        let mut ignore_files = Vec::new();
        for (folder, text) in &texts {
            let folder = root.join(folder);
            std::fs::write(folder.join(".gitignore"), text).unwrap();
            ignore_files.push(IgnoreFile { folder, name: ".gitignore", text: text.clone() });
        }
        let fence = Fence::new(&root, &[], &ignore_files).unwrap();
        let sent: BTreeSet<PathBuf> =
            all.into_iter().filter(|it| fence.stops(it).is_none()).collect();
        prop_assert_eq!(sent, walked(&root), "{:?}", texts);
    }
}
