//! The language servers that Helix gives its languages. A list of one's own takes their place
//! there, so whoever adds one has to name them all.

/// A language of Helix's with its servers, in order.
pub(super) type OwnServers = (&'static str, &'static [&'static str]);

/// In which versions each was looked up; both have all of these languages.
pub(super) const VERSIONS: &str = "25.01 and of July 2026";

/// As in the newer one, with what the older one has beside it last. Helix passes over a name that
/// it has no server for. A test holds this to a real Helix (`tests/it/helix.rs`).
pub(super) const OWN_SERVERS: &[OwnServers] = &[
    ("astro", &["astro-ls"]),
    ("bash", &["bash-language-server"]),
    ("c", &["clangd"]),
    ("c-sharp", &["roslyn-language-server", "omnisharp", "csharp-ls"]),
    ("clojure", &["clojure-lsp"]),
    ("cpp", &["clangd"]),
    ("css", &["vscode-css-language-server"]),
    ("dart", &["dart"]),
    ("elixir", &["elixir-ls", "expert"]),
    ("fsharp", &["fsharp-ls"]),
    ("go", &["gopls", "golangci-lint-lsp"]),
    ("groovy", &[]),
    ("haskell", &["haskell-language-server"]),
    ("hcl", &["terraform-ls"]),
    ("html", &["vscode-html-language-server", "superhtml"]),
    ("java", &["jdtls"]),
    ("javascript", &["typescript-language-server"]),
    ("jsx", &["typescript-language-server"]),
    ("julia", &["julia"]),
    ("kotlin", &["kotlin-language-server"]),
    ("lua", &["lua-language-server"]),
    ("markdown", &["marksman", "markdown-oxide", "rumdl"]),
    ("nix", &["nil", "nixd"]),
    ("ocaml", &["ocamllsp"]),
    ("perl", &["perlnavigator"]),
    ("php", &["intelephense"]),
    ("powershell", &[]),
    ("protobuf", &["buf", "pbkit", "protols", "bufls"]),
    ("python", &["ty", "ruff", "jedi", "pylsp", "zuban"]),
    ("r", &["r"]),
    ("ruby", &["ruby-lsp", "solargraph"]),
    ("rust", &["rust-analyzer"]),
    ("scala", &["metals"]),
    ("scss", &["vscode-css-language-server"]),
    ("sql", &[]),
    ("svelte", &["svelteserver"]),
    ("swift", &["sourcekit-lsp"]),
    ("toml", &["taplo", "tombi"]),
    ("tsx", &["typescript-language-server"]),
    ("typescript", &["typescript-language-server"]),
    ("vue", &["vuels"]),
    ("yaml", &["yaml-language-server", "ansible-language-server"]),
    ("zig", &["zls"]),
];

/// The servers of a language, where it is known.
pub(super) fn own_servers(language: &str) -> Option<&'static [&'static str]> {
    OWN_SERVERS.iter().find(|(name, _)| *name == language).map(|(_, servers)| *servers)
}
