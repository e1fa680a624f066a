//! One name for one type, all over the crate; and no file that is too large to keep.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use crate::support::repository;
use crate::tidy::{rust_files, without_tests};

/// Types that are public under the same name in several modules. It only gets shorter.
const SAME_NAMES: &[&str] = &[
    "Answer",
    "Call",
    "Ended",
    "Event",
    "FaultKind",
    "Name",
    "Parsed",
    "Part",
    "Place",
    "Provider",
    "Refused",
    "Role",
    "Settings",
    "Standing",
    "Status",
    "StopReason",
    "Usage",
];

#[test]
fn a_public_types_name_is_its_own() {
    let mut homes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in rust_files(&["src"]) {
        for line in without_tests(&text).lines().map(str::trim_start) {
            let Some(rest) = line.strip_prefix("pub") else { continue };
            let rest =
                rest.strip_prefix("(crate)").or(rest.strip_prefix("(super)")).unwrap_or(rest);
            let kinds = [" struct ", " enum ", " trait ", " type "];
            let Some(rest) = kinds.iter().find_map(|it| rest.strip_prefix(it)) else { continue };
            let name = rest.split(|it: char| !it.is_alphanumeric() && it != '_').next().unwrap();
            homes.entry(name.to_owned()).or_default().insert(path.clone());
        }
    }
    for (name, files) in &homes {
        let is_excused = SAME_NAMES.contains(&name.as_str());
        assert!(files.len() == 1 || is_excused, "`{name}` is a type in {files:?}");
    }
    for name in SAME_NAMES {
        let n_files = homes.get(*name).map_or(0, BTreeSet::len);
        assert!(n_files > 1, "`{name}` is the name of one type; take it off the list");
    }
}

/// Everybody who clones the repository has each file of its history for ever.
#[test]
fn no_file_of_the_repository_is_larger_than_its_largest_model() {
    const MAX_BYTES: u64 = 20 << 20;
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(repository("")).output();
    let listed = listed.expect("git lists the files").stdout;
    let names = String::from_utf8(listed).expect("names in UTF-8");
    let names: Vec<&str> = names.split_terminator('\0').collect();
    assert!(names.len() > 100, "{names:?}");
    for name in names {
        // One that is deleted and not committed yet is listed as well.
        let n_bytes = std::fs::metadata(repository(name)).map_or(0, |it| it.len());
        assert!(n_bytes <= MAX_BYTES, "{name} has {n_bytes} bytes");
    }
}
