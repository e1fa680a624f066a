//! `keyside config helix` on files of a person's own.

use std::path::Path;
use std::process::Output;

use crate::support::{TempFolder, keyside, run, text};

fn config_helix(home: &TempFolder, arguments: &[&str]) -> Output {
    let mut command = keyside(&home.0, &[&["config", "helix"], arguments].concat());
    command.env("XDG_CONFIG_HOME", home.0.join("xdg"));
    run(command, "")
}

/// What it says, where it succeeds, with `FILE` for the file.
#[track_caller]
fn said(output: &Output, file: &Path) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    text(&output.stdout).replace(&file.display().to_string(), "FILE")
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap()
}

#[cfg(unix)]
#[test]
fn helixs_own_file_is_written_and_left_as_it_was() {
    let home = TempFolder::new();
    let file = home.0.join("xdg/helix/languages.toml");
    let open = "; in a Helix that is open, `:config-reload` and `:lsp-restart` follow it\n";

    let output = config_helix(&home, &["--dry-run"]);
    assert!(said(&output, &file).contains("\n+[language-server.keyside]\n"));
    assert!(!file.exists(), "nothing was to be written");

    let said_first = said(&config_helix(&home, &[]), &file);
    assert!(said_first.starts_with("FILE has keyside beside the servers of "), "{said_first}");
    assert!(said_first.ends_with(&format!(" languages{open}")), "{said_first}");
    let written = read(&file);
    assert!(written.contains("\nlanguage-servers = [\"rust-analyzer\", \"keyside\"]\n"));
    // It is not on the PATH.
    assert!(written.contains(&format!("\ncommand = \"{}\"\n", crate::support::PROGRAM)));
    let again = said(&config_helix(&home, &[]), &file);
    assert_eq!(again, "FILE is as it should be; nothing was changed\n");

    let one = said(&config_helix(&home, &["--languages", "go"]), &file);
    assert_eq!(one, format!("FILE has keyside beside the servers of go{open}"));
    assert!(!read(&file).contains("rust"));

    let preview = said(&config_helix(&home, &["--remove", "--dry-run"]), &file);
    assert!(preview.contains("\n-[language-server.keyside]\n"), "{preview}");
    let removed = said(&config_helix(&home, &["--remove"]), &file);
    assert_eq!(removed, format!("FILE no longer has keyside{open}"));
    assert_eq!(read(&file), "");
    let again = said(&config_helix(&home, &["--remove"]), &file);
    assert_eq!(again, "FILE has no keyside in it; nothing was changed\n");
}

#[cfg(unix)]
#[test]
fn a_link_stays_one_and_a_file_for_one_person_stays_that() {
    use std::os::unix::fs::PermissionsExt;

    let home = TempFolder::new();
    let (link, file) = (home.0.join("languages.toml"), home.0.join("dotfiles.toml"));
    std::fs::write(&file, "# Mine.\n").unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    config_helix(&home, &[link.to_str().unwrap()]);
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(read(&file).starts_with("# Mine.\n\n# keyside: begin"), "{}", read(&file));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_can_not_be_followed_changes_nothing() {
    let home = TempFolder::new();
    let file = home.0.join("languages.toml");
    let name = file.to_str().unwrap();
    for (content, arguments, part) in [
        ("a = [1".as_bytes(), &[name][..], "is no TOML ("),
        (b"a = [1", &[name, "--remove"], "correct it, nothing was changed"),
        (b"a = [1", &[name, "--dry-run"], "correct it, nothing was changed"),
        (b"# \xff", &[name], "can't be read (it is not UTF-8)"),
        (b"# Mine.", &[name, "--languages", "klingon"], "of the language klingon"),
    ] {
        std::fs::write(&file, content).unwrap();
        let output = config_helix(&home, arguments);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains(part) && error.lines().count() == 1, "{error}");
        assert!(output.stdout.is_empty());
        assert_eq!(std::fs::read(&file).unwrap(), content);
    }
    let folder = home.0.to_str().unwrap();
    let error = text(&config_helix(&home, &[folder]).stderr);
    assert!(error.contains("can't be read"), "{error}");
}
