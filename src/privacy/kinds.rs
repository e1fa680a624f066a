//! What kind of text a file's name promises. It decides how a bare value is read, and switches
//! nothing off.

/// A kind of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextKind {
    /// A programming language: bare words are code.
    Code,
    /// Settings: what follows a name is its value.
    Settings,
    /// Command lines.
    Shell,
    /// Tables: a line is a row.
    Table,
    /// Prose, or not known.
    Other,
}

const CODE: &[&str] = &[
    "rs", "c", "cc", "cpp", "cxx", "h", "hh", "hpp", "hxx", "m", "mm", "py", "pyi", "js", "mjs",
    "cjs", "jsx", "ts", "mts", "cts", "tsx", "java", "kt", "kts", "scala", "groovy", "gradle",
    "go", "rb", "php", "pl", "pm", "lua", "r", "swift", "cs", "vb", "fs", "fsx", "hs", "ml", "mli",
    "ex", "exs", "erl", "clj", "cljs", "cljc", "el", "lisp", "scm", "rkt", "dart", "jl", "nim",
    "zig", "d", "pas", "adb", "ads", "f90", "f", "cob", "sql", "sol", "vue", "svelte", "css",
    "scss", "less", "html", "htm", "proto", "graphql", "ino", "gd", "asm", "s", "cu", "metal",
    "wgsl", "glsl", "cmake", "v", "sv", "vhd", "tcl", "awk", "vim", "nix", "elm", "ipynb",
];
const SETTINGS: &[&str] = &[
    "yaml",
    "yml",
    "toml",
    "ini",
    "cfg",
    "conf",
    "cnf",
    "config",
    "properties",
    "props",
    "env",
    "json5",
    "tf",
    "tfvars",
    "hcl",
    "plist",
    "service",
    "desktop",
    "reg",
    "ldif",
    "netrc",
    "pgpass",
    "npmrc",
    "pypirc",
    "rc",
    "credentials",
    "secret",
    "secrets",
    "ovpn",
    "rdp",
];
const SHELL: &[&str] = &[
    "sh",
    "bash",
    "zsh",
    "fish",
    "ksh",
    "csh",
    "bat",
    "cmd",
    "ps1",
    "psm1",
    "dockerfile",
    "exp",
    "mk",
    "log",
    "history",
];

impl TextKind {
    /// By the name of a file, with `/` between its folders.
    pub(super) fn of(path: Option<&str>) -> Self {
        let Some(path) = path else { return Self::Other };
        let name = path.rsplit('/').next().unwrap_or(path);
        let stem = name.split('.').find(|it| !it.is_empty()).unwrap_or(name);
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        let is = |among: &[&str], word: &str| among.iter().any(|it| it.eq_ignore_ascii_case(word));
        let contains_env = name.starts_with(".env") || name.ends_with(".env");
        if contains_env || is(SETTINGS, ending) {
            Self::Settings
        } else if is(CODE, ending) {
            Self::Code
        } else if is(SHELL, ending)
            || is(
                &[
                    "Dockerfile",
                    "Containerfile",
                    "Makefile",
                    "Procfile",
                    "crontab",
                    "Jenkinsfile",
                    "history",
                    "bashrc",
                    "profile",
                ],
                stem,
            )
        {
            Self::Shell
        } else if is(&["csv", "tsv", "psv"], ending) {
            Self::Table
        } else if is(&["config", "credentials", "hosts", "inventory"], name) {
            Self::Settings
        } else {
            Self::Other
        }
    }
}
