//! Secrets planted into real source files, and real source files that have none.

mod forms;
mod kinds;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use keyside::privacy::placeholders::{NamedText, Placeholders};
use keyside::privacy::redact::Redactor;

use crate::support::repository;
use kinds::{KINDS, LINES, NAMED_LINES, Place, Random};

const CASES_PER_KIND: usize = 5;
/// Enough lines to see one false hit in 20,000.
const LEAST_CLEAN_BYTES: usize = 3_000_000;
const BYTES_PER_PACKAGE_AND_ENDING: usize = 40_000;
/// Of odd texts; a build without optimization takes its time.
const ODD_BYTES: usize = if cfg!(debug_assertions) { 250_000 } else { 1_000_000 };

/// Files of the clean set that do hold what a secret looks like, each with its reason.
const NOT_CLEAN: &[(&str, &str)] = &[];

const ENDINGS: &[&str] = &[
    "rs", "c", "cc", "cpp", "h", "hpp", "cu", "cuh", "m", "metal", "cl", "py", "sh", "js", "ts",
    "css", "toml", "json", "yml", "yaml", "cmake", "md", "txt", "html", "tmpl", "wgsl", "comp",
    "nix", "in",
];

/// A file of the sources that cargo has of this project's dependencies.
struct Source {
    path: String,
    text: String,
}

/// Some files of each package that Cargo.lock names and of each kind of file, always the same.
fn sources() -> Vec<Source> {
    let lock = std::fs::read_to_string(repository("Cargo.lock")).unwrap();
    let value = |line: &str, key: &str| {
        let quoted = line.strip_prefix(key)?.strip_prefix(" = \"")?;
        quoted.strip_suffix('"').map(str::to_owned)
    };
    let names = lock.lines().filter_map(|line| value(line, "name"));
    let versions = lock.lines().filter_map(|line| value(line, "version"));
    let packages: Vec<String> =
        names.zip(versions).map(|(name, version)| format!("{name}-{version}")).collect();
    let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = cargo_home.or_else(|| Some(std::env::home_dir()?.join(".cargo"))).unwrap();
    let registries = std::fs::read_dir(cargo_home.join("registry/src")).unwrap();
    let registries: Vec<PathBuf> = registries.flatten().map(|it| it.path()).collect();
    let mut sources = Vec::new();
    for package in &packages {
        let folders = registries.iter().map(|it| it.join(package));
        let Some(folder) = folders.into_iter().find(|it| it.is_dir()) else { continue };
        let mut paths = Vec::new();
        collect(&folder, &mut paths);
        paths.sort();
        let mut taken: BTreeMap<String, usize> = BTreeMap::new();
        for path in paths {
            let ending = path.extension().unwrap_or_default().to_string_lossy().into_owned();
            let size = std::fs::metadata(&path).map_or(usize::MAX, |it| it.len() as usize);
            let of_ending = taken.entry(ending.clone()).or_default();
            if !ENDINGS.contains(&&ending[..]) || *of_ending + size > BYTES_PER_PACKAGE_AND_ENDING {
                continue;
            }
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            *of_ending += size;
            let below = path.strip_prefix(&folder).unwrap().to_string_lossy().replace('\\', "/");
            sources.push(Source { path: format!("{package}/{below}"), text });
        }
    }
    sources
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        match entry.file_type() {
            Ok(it) if it.is_dir() => collect(&entry.path(), into),
            Ok(it) if it.is_file() => into.push(entry.path()),
            _ => {}
        }
    }
}

/// A secret of a kind in one line or more, as it may stand in a file.
fn snippet(random: &mut Random, place: Place, form: &str) -> (String, String) {
    let (text, secret) = random.instance(form);
    let line = match place {
        Place::Snippet => return (text, secret),
        Place::Anywhere => random.of(LINES).to_owned(),
        Place::Named(names) => {
            let name = random.of(names);
            let mut camel = String::new();
            for (index, word) in name.split('_').enumerate() {
                let (first, rest) = word.split_at(1);
                let first = if index == 0 { first.to_owned() } else { first.to_uppercase() };
                camel.push_str(&first);
                camel.push_str(rest);
            }
            let line = random.of(NAMED_LINES);
            line.replace('#', name).replace('%', &name.to_uppercase()).replace('^', &camel)
        }
    };
    (line.replace('@', &text), secret)
}

#[test]
fn planted_secrets_are_found_go_out_and_come_back() {
    let sources = sources();
    let sources: Vec<&Source> =
        sources.iter().filter(|it| (500..6_000).contains(&it.text.len())).collect();
    assert!(sources.len() > 100, "only {} files to plant secrets into", sources.len());
    let redactor = Redactor::shared();
    let mut random = Random::new(0x5EC2E7);
    let (mut n_cases, mut n_found) = (0, 0);
    let mut missed: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, place, form) in KINDS {
        for _ in 0..CASES_PER_KIND {
            let source = sources[random.below(sources.len())];
            let (planted, secret) = snippet(&mut random, *place, form);
            let n_lines = source.text.lines().count();
            let after: usize =
                source.text.split_inclusive('\n').take(random.below(n_lines)).map(str::len).sum();
            let (before, behind) = source.text.split_at(after);
            let text = format!("{before}{planted}\n{behind}");
            let start = before.len() + planted.find(&secret).unwrap();
            let found = redactor.find(&text, Some(&source.path));
            n_cases += 1;
            let covers = |range: &std::ops::Range<usize>| {
                range.start <= start && start + secret.len() <= range.end
            };
            let other = match found.iter().find(|it| covers(&it.range)) {
                Some(it) => format!("Elsewhere it is x{}x.", &text[it.range.clone()]),
                None => String::new(),
            };
            if other.is_empty() {
                missed.entry(name).or_default().push(planted);
            } else {
                n_found += 1;
            }
            let mut placeholders = Placeholders::new();
            let texts: [NamedText<'_>; 2] = [(&text, Some(&source.path)), (&other, None)];
            let redacted = placeholders.redact_all(redactor, &texts);
            assert_eq!(redacted[0].findings, found);
            for finding in &found {
                let found = &text[finding.range.clone()];
                for it in &redacted {
                    assert!(!it.text.contains(found), "{name} is left in {}", source.path);
                }
            }
            assert_eq!(placeholders.restore(&redacted[0].text), text);
            assert_eq!(placeholders.restore(&redacted[1].text), other);
        }
    }
    println!("{n_found} of {n_cases} secrets of {} kinds found", KINDS.len());
    let per_kind: Vec<String> = missed
        .iter()
        .map(|(name, planted)| {
            format!(
                "{name}: {} of {CASES_PER_KIND} missed:\n    {}",
                planted.len(),
                planted.join("\n    ")
            )
        })
        .collect();
    println!("{}", per_kind.join("\n"));
    assert!(KINDS.len() >= 60 && n_cases >= 300);
    assert!(n_found * 100 >= n_cases * 95, "{n_found} of {n_cases}:\n{}", per_kind.join("\n"));
}

#[test]
fn clean_source_has_next_to_no_hits() {
    let redactor = Redactor::shared();
    let (mut n_bytes, mut n_lines, mut hits) = (0, 0, Vec::new());
    for Source { path, text } in sources() {
        if NOT_CLEAN.iter().any(|(name, _)| *name == path) {
            continue;
        }
        n_bytes += text.len();
        n_lines += text.lines().count();
        for finding in redactor.find(&text, Some(&path)) {
            let line = text.lines().nth(finding.line - 1).unwrap_or_default();
            let line: String = line.chars().take(200).collect();
            hits.push(format!("{path}:{}: {}: {line}", finding.line, finding.rule));
        }
    }
    println!("{} hits in {n_lines} lines, {n_bytes} bytes", hits.len());
    assert!(n_bytes >= LEAST_CLEAN_BYTES, "only {n_bytes} bytes of source at hand");
    assert!(hits.len() * 20_000 < n_lines, "in {n_lines} lines:\n{}", hits.join("\n"));
}

#[test]
fn odd_texts_come_back_as_they_were() {
    let mut random = Random::new(1);
    let mut much = |piece: &dyn Fn(&mut Random) -> String| {
        let mut text = String::new();
        while text.len() < ODD_BYTES {
            text.push_str(&piece(&mut random));
        }
        text
    };
    let base64 = much(&|random| random.instance("<900b>").0);
    let texts = [
        ("one letter", much(&|_| "a".repeat(1000))),
        ("a keyword again and again", much(&|_| "token".to_owned())),
        ("keywords in words", much(&|_| "key_auth.api-".to_owned())),
        ("assignments without an end", much(&|_| "password=\"".to_owned())),
        ("many small secrets", much(&|random| random.instance("k = \"ghp_<36w>\",").0)),
        ("many in one line", much(&|random| random.instance("api_key=<40w>;").0)),
        ("curl", much(&|_| "curl ".to_owned())),
        ("curl with half a header", much(&|_| "curl -H \"Authorization: ".to_owned())),
        ("heads of keys", much(&|_| format!("-----BEGIN {} KEY-----\n", "PRIVATE"))),
        ("ends of keys", much(&|_| format!("-----END {} KEY-----\n", "PRIVATE"))),
        ("lines of base64 and an end", {
            let lines = much(&|random| random.instance("<20L>").0);
            format!("{lines}-----END {} KEY-----\n", "PRIVATE")
        }),
        ("lists of kinds", much(&|_| "kind: Secret\ndata:\n  a: b\n".to_owned())),
        ("curl in lines", much(&|_| "curl -u a \\\n -H x \\\n".to_owned())),
        ("colons", much(&|_| "login a password: 5432:a:b:".to_owned())),
        ("an address without an end", much(&|_| "://aaaaaaaaaaaaaaaaaaaa".to_owned())),
        ("cookies", much(&|_| "cookie: a=b; ".to_owned())),
        ("half a token", much(&|_| "eyJhbGciOiJIUzI1NiJ9.".to_owned())),
        ("base64", base64),
        ("NUL", much(&|_| "\0".repeat(1000))),
        ("no ASCII", much(&|_| "пароль=\"é\u{1F600}\" ".to_owned())),
        ("minified", much(&|_| "function(t,e){return t.key=e.token,t.auth=n[0]}".to_owned())),
        ("quotes", much(&|_| "\\\"'`".to_owned())),
        ("addresses", much(&|_| "http://a:".to_owned())),
    ];
    for (name, text) in &texts {
        let mut placeholders = Placeholders::new();
        let (redacted, _) = placeholders.redact(Redactor::shared(), text, None);
        assert!(placeholders.restore(&redacted) == *text, "{name} does not come back");
    }
}

#[test]
fn line_breaks_of_windows_and_wide_characters_do_not_move_a_finding() {
    let mut random = Random::new(2);
    let (token, _) = random.instance("glpat-<20w>");
    let text = format!("\u{FEFF}// é\r\n// \u{1F600}\r\n\tlet é = \"{token}\";\r\n");
    let findings = Redactor::shared().find(&text, Some("src\\a.rs"));
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(text[findings[0].range.clone()], token);
    assert_eq!((findings[0].line, findings[0].column), (3, 11));
    assert_eq!(findings[0].rule, "gitlab-pat");
}
