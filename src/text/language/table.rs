//! The table of languages, by name. Most rows say only that a name is known; what they leave out
//! has the values of `language`.

use tree_sitter_language::LanguageFn;

use super::{BareDots, Language, NgramGroup, Outline};
use crate::text::lexis::{self, Lexis};

const C: &str = include_str!("../../../grammars/c.scm");
const CPP: &str = include_str!("../../../grammars/cpp.scm");
const ECMA: &str = include_str!("../../../grammars/ecma.scm");
const GO: &str = include_str!("../../../grammars/go.scm");
const JAVA: &str = include_str!("../../../grammars/java.scm");
const JAVASCRIPT: &str = include_str!("../../../grammars/javascript.scm");
const LUA: &str = include_str!("../../../grammars/lua.scm");
const PYTHON: &str = include_str!("../../../grammars/python.scm");
const RUST: &str = include_str!("../../../grammars/rust.scm");
const TYPESCRIPT: &str = include_str!("../../../grammars/typescript.scm");

/// All of them.
pub static LANGUAGES: &[Language] = &[
    language("abap"),
    language("ada").extensions(&["adb", "ads"]).lexis(&lexis::SQL),
    language("agda"),
    language("apex"),
    language("applescript"),
    language("asciidoc").extensions(&["adoc"]).lexis(&lexis::PROSE),
    language("asm"),
    language("astro").extensions(&["astro"]).lexis(&lexis::SCRIPT).watched(),
    language("awk").extensions(&["awk"]).lexis(&lexis::SHELL),
    language("bat").other_ids(&["dosbatch"]).aliases(&["batch"]),
    language("bibtex").lexis(&lexis::PROSE),
    language("bicep"),
    language("blade"),
    language("brainfuck"),
    language("c")
        .extensions(&["c", "h"])
        .lexis(&lexis::C_LIKE)
        .family("c")
        .watched()
        .outline(tree_sitter_c::LANGUAGE, &[C]),
    language("cairo"),
    language("capnp"),
    language("clojure").extensions(&["clj", "cljs", "cljc"]).lexis(&lexis::LISP).watched(),
    language("cmake").extensions(&["cmake"]).lexis(&lexis::SHELL),
    language("cobol"),
    language("coffeescript").extensions(&["coffee"]).lexis(&lexis::SHELL),
    language("conf").extensions(&["conf"]).lexis(&lexis::SHELL),
    language("cpp")
        .aliases(&["c++", "cplusplus", "h"])
        .extensions(&["cc", "cpp", "cxx", "hh", "hpp", "hxx", "inl"])
        .lexis(&lexis::C_LIKE)
        .family("c")
        .watched()
        .outline(tree_sitter_cpp::LANGUAGE, &[C, CPP]),
    language("crystal").extensions(&["cr"]).lexis(&lexis::SHELL),
    language("csharp")
        .other_ids(&["cs", "c-sharp"])
        .aliases(&["c#"])
        .extensions(&["cs"])
        .lexis(&lexis::C_LIKE)
        .watched(),
    language("css").extensions(&["css"]).lexis(&lexis::C_LIKE).watched(),
    language("csv"),
    language("cuda"),
    language("cuda-cpp").extensions(&["cu"]).lexis(&lexis::C_LIKE),
    language("cython").extensions(&["pyx"]).lexis(&lexis::PYTHON),
    language("d").extensions(&["d"]).lexis(&lexis::C_LIKE),
    language("dart").extensions(&["dart"]).lexis(&lexis::WITH_TRIPLE).watched(),
    language("diff"),
    language("dockercompose").lexis(&lexis::SHELL),
    language("dockerfile")
        .aliases(&["docker"])
        .file_names(&["Dockerfile", "Containerfile"])
        .lexis(&lexis::SHELL),
    language("dot"),
    language("dotenv"),
    language("edn"),
    language("eex"),
    language("ejs"),
    language("elixir").extensions(&["ex", "exs"]).lexis(&lexis::PYTHON).watched(),
    language("elm").extensions(&["elm"]).lexis(&lexis::HASKELL),
    language("elvish"),
    language("erb").other_ids(&["eruby"]).extensions(&["erb"]).lexis(&lexis::MARKUP),
    language("erlang").extensions(&["erl"]).lexis(&lexis::PERCENT),
    language("fennel").lexis(&lexis::LISP),
    language("fish").extensions(&["fish"]).lexis(&lexis::SHELL),
    language("fortran"),
    language("fsharp").aliases(&["f#"]).extensions(&["fs", "fsx"]).lexis(&lexis::ML).watched(),
    language("gdscript").extensions(&["gd"]).lexis(&lexis::PYTHON),
    language("gdshader"),
    language("gherkin"),
    language("git-commit").other_ids(&["gitcommit"]).lexis(&lexis::PROSE),
    language("git-rebase").other_ids(&["gitrebase"]),
    language("gitattributes"),
    language("gitconfig"),
    language("gitignore"),
    language("gleam"),
    language("glsl").extensions(&["glsl"]).lexis(&lexis::C_LIKE),
    language("gn"),
    language("go")
        .aliases(&["golang"])
        .extensions(&["go"])
        .lexis(&lexis::GO)
        .watched()
        .outline(tree_sitter_go::LANGUAGE, &[GO]),
    language("go.mod").other_ids(&["gomod"]),
    language("go.sum").other_ids(&["gosum"]),
    language("gowork"),
    language("gradle").extensions(&["gradle"]).lexis(&lexis::WITH_TRIPLE),
    language("graphql").extensions(&["graphql"]).lexis(&lexis::PYTHON),
    language("groovy").extensions(&["groovy"]).lexis(&lexis::WITH_TRIPLE).family("java").watched(),
    language("haml"),
    language("handlebars").extensions(&["handlebars"]).lexis(&lexis::MARKUP),
    language("haskell").extensions(&["hs"]).lexis(&lexis::HASKELL).watched(),
    language("haxe"),
    language("hcl").extensions(&["hcl"]).lexis(&lexis::SHELL),
    language("heex"),
    language("help"),
    language("hjson"),
    language("hlsl").extensions(&["hlsl"]).lexis(&lexis::C_LIKE),
    language("html").extensions(&["html", "htm"]).lexis(&lexis::MARKUP).watched(),
    language("htmldjango"),
    language("http"),
    language("idris"),
    language("idris2"),
    language("ignore"),
    language("ini").extensions(&["ini"]).lexis(&lexis::SHELL),
    language("java")
        .extensions(&["java"])
        .lexis(&lexis::WITH_TRIPLE)
        .family("java")
        .watched()
        .outline(tree_sitter_java::LANGUAGE, &[JAVA]),
    language("javascript")
        .other_ids(&["javascriptreact", "jsx"])
        .aliases(&["javascript.jsx", "node", "es6"])
        .extensions(&["js", "mjs", "cjs", "jsx"])
        .lexis(&lexis::SCRIPT)
        .family("ts")
        .watched()
        .ngrams(NgramGroup::Script)
        .outline(tree_sitter_javascript::LANGUAGE, &[ECMA, JAVASCRIPT]),
    language("jinja"),
    language("jinja-html").lexis(&lexis::MARKUP),
    language("json").extensions(&["json"]).lexis(&lexis::C_LIKE),
    language("json5").extensions(&["json5"]).lexis(&lexis::C_LIKE),
    language("jsonc").extensions(&["jsonc"]).lexis(&lexis::C_LIKE),
    language("jsonl"),
    language("jsonnet"),
    language("julia").extensions(&["jl"]).lexis(&lexis::PYTHON).watched(),
    language("just"),
    language("kdl"),
    language("kotlin")
        .extensions(&["kt", "kts"])
        .lexis(&lexis::WITH_TRIPLE)
        .family("java")
        .watched(),
    language("latex").other_ids(&["tex"]).extensions(&["tex"]).lexis(&lexis::PROSE),
    language("lean"),
    language("less").extensions(&["less"]).lexis(&lexis::C_LIKE),
    language("liquid"),
    language("lisp")
        .other_ids(&["commonlisp"])
        .aliases(&["elisp"])
        .extensions(&["lisp", "el"])
        .lexis(&lexis::LISP),
    language("log"),
    language("lua")
        .aliases(&["luau"])
        .extensions(&["lua"])
        .lexis(&lexis::LUA)
        .watched()
        .bare_dots(BareDots::ElisionAlone)
        .outline(tree_sitter_lua::LANGUAGE, &[LUA]),
    language("luau"),
    language("mail").lexis(&lexis::PROSE),
    language("makefile")
        .other_ids(&["make"])
        .extensions(&["mk"])
        .file_names(&["Makefile", "makefile", "GNUmakefile"])
        .lexis(&lexis::SHELL),
    language("markdown")
        .extensions(&["md", "markdown"])
        .lexis(&lexis::PROSE)
        .family("md")
        .watched(),
    language("matlab").lexis(&lexis::PERCENT),
    language("mdx").extensions(&["mdx"]).lexis(&lexis::PROSE),
    language("mermaid"),
    language("meson"),
    language("mojo"),
    language("mustache"),
    language("nasm"),
    language("nginx"),
    language("nickel"),
    language("nim").extensions(&["nim"]).lexis(&lexis::PYTHON),
    language("nix").extensions(&["nix"]).lexis(&lexis::NIX).watched(),
    language("nu"),
    language("objective-c").other_ids(&["objc"]).extensions(&["m"]).lexis(&lexis::C_LIKE),
    language("objective-cpp").other_ids(&["objcpp"]).extensions(&["mm"]).lexis(&lexis::C_LIKE),
    language("ocaml").extensions(&["ml", "mli"]).lexis(&lexis::ML).family("ml").watched(),
    language("octave"),
    language("odin"),
    language("org").extensions(&["org"]).lexis(&lexis::PROSE),
    language("pascal").extensions(&["pas"]).lexis(&lexis::C_LIKE),
    language("perl").extensions(&["pl", "pm"]).lexis(&lexis::SHELL).watched(),
    language("php").extensions(&["php"]).lexis(&lexis::PHP).watched(),
    language("pkl"),
    language("plaintext").other_ids(&["text"]).extensions(&["txt"]).lexis(&lexis::PROSE),
    language("plsql").lexis(&lexis::SQL),
    language("po"),
    language("pony"),
    language("postcss"),
    language("powershell").other_ids(&["ps1"]).extensions(&["ps1"]).lexis(&lexis::SHELL).watched(),
    language("prisma"),
    language("prolog").lexis(&lexis::PERCENT),
    language("properties").extensions(&["properties"]).lexis(&lexis::SHELL),
    language("proto")
        .other_ids(&["proto3", "protobuf"])
        .extensions(&["proto"])
        .lexis(&lexis::C_LIKE)
        .watched(),
    language("pug").other_ids(&["jade"]),
    language("puppet"),
    language("purescript").lexis(&lexis::HASKELL),
    language("python")
        .aliases(&["python3"])
        .extensions(&["py", "pyi", "pyw"])
        .lexis(&lexis::PYTHON)
        .family("py")
        .watched()
        .bare_dots(BareDots::Code)
        .ngrams(NgramGroup::Python)
        .outline(tree_sitter_python::LANGUAGE, &[PYTHON]),
    language("qml"),
    language("quarto").lexis(&lexis::PROSE),
    language("query"),
    language("r").extensions(&["r"]).lexis(&lexis::SHELL).watched(),
    language("racket").extensions(&["rkt"]).lexis(&lexis::LISP),
    language("raku").other_ids(&["perl6"]).lexis(&lexis::SHELL),
    language("razor").lexis(&lexis::MARKUP),
    language("reason").lexis(&lexis::ML),
    language("regex"),
    language("rego"),
    language("rescript"),
    language("restructuredtext").other_ids(&["rst"]).extensions(&["rst"]).lexis(&lexis::PROSE),
    language("rmd"),
    language("ron"),
    language("ruby")
        .extensions(&["rb"])
        .file_names(&["Gemfile", "Rakefile"])
        .lexis(&lexis::SHELL)
        .watched(),
    language("rust")
        .extensions(&["rs"])
        .lexis(&lexis::RUST)
        .watched()
        .ngrams(NgramGroup::Rust)
        .outline(tree_sitter_rust::LANGUAGE, &[RUST]),
    language("sass"),
    language("scala").extensions(&["scala"]).lexis(&lexis::WITH_TRIPLE).family("java").watched(),
    language("scheme").extensions(&["scm"]).lexis(&lexis::LISP),
    language("scss").extensions(&["scss"]).lexis(&lexis::C_LIKE).watched(),
    language("search-result"),
    language("shaderlab"),
    language("shellscript")
        .other_ids(&["sh", "bash", "zsh"])
        .aliases(&["shell"])
        .extensions(&["sh", "bash", "zsh"])
        .lexis(&lexis::SHELL)
        .family("sh")
        .watched(),
    language("slim"),
    language("smali"),
    language("smithy"),
    language("sml"),
    language("snippets"),
    language("solidity").extensions(&["sol"]).lexis(&lexis::C_LIKE),
    language("sparql"),
    language("sql").other_ids(&["mysql"]).extensions(&["sql"]).lexis(&lexis::SQL).watched(),
    language("ssh-config").other_ids(&["sshconfig"]),
    language("starlark").other_ids(&["bzl"]).lexis(&lexis::PYTHON),
    language("stylus"),
    language("svelte").extensions(&["svelte"]).lexis(&lexis::SCRIPT).family("ts").watched(),
    language("svg").extensions(&["svg"]).lexis(&lexis::MARKUP),
    language("swift").extensions(&["swift"]).lexis(&lexis::WITH_TRIPLE).watched(),
    language("systemd"),
    language("systemverilog").extensions(&["sv"]).lexis(&lexis::C_LIKE),
    language("tablegen"),
    language("tcl").extensions(&["tcl"]).lexis(&lexis::SHELL),
    language("teal"),
    language("templ"),
    language("terraform").extensions(&["tf"]).lexis(&lexis::SHELL).watched(),
    language("textile"),
    language("thrift"),
    language("tmux"),
    language("toml").extensions(&["toml"]).lexis(&lexis::PYTHON).watched(),
    language("tsv"),
    language("turtle"),
    language("twig"),
    language("typescript")
        .extensions(&["ts", "mts", "cts"])
        .lexis(&lexis::SCRIPT)
        .family("ts")
        .watched()
        .ngrams(NgramGroup::Script)
        .outline(tree_sitter_typescript::LANGUAGE_TYPESCRIPT, &[ECMA, TYPESCRIPT]),
    language("typescriptreact")
        .other_ids(&["tsx"])
        .aliases(&["typescript.tsx", "typescript", "ts"])
        .extensions(&["tsx"])
        .lexis(&lexis::SCRIPT)
        .family("ts")
        .watched()
        .ngrams(NgramGroup::Script)
        .outline(tree_sitter_typescript::LANGUAGE_TSX, &[ECMA, TYPESCRIPT]),
    language("typst"),
    language("unison"),
    language("v").lexis(&lexis::C_LIKE),
    language("vala"),
    language("vb").aliases(&["vba", "vbscript"]).extensions(&["bas"]).lexis(&lexis::VISUAL_BASIC),
    language("verilog").extensions(&["v"]).lexis(&lexis::C_LIKE),
    language("vhdl").extensions(&["vhd"]).lexis(&lexis::SQL),
    language("vim").aliases(&["viml", "vimscript"]).extensions(&["vim"]).lexis(&lexis::VIM),
    language("vue").extensions(&["vue"]).lexis(&lexis::SCRIPT).family("ts").watched(),
    language("wasm"),
    language("wat"),
    language("wgsl").extensions(&["wgsl"]).lexis(&lexis::C_LIKE),
    language("xml").extensions(&["xml", "xsd"]).lexis(&lexis::MARKUP),
    language("xsl").extensions(&["xsl"]).lexis(&lexis::MARKUP),
    language("yaml").extensions(&["yaml", "yml"]).lexis(&lexis::SHELL).family("yaml").watched(),
    language("yang"),
    language("zig").extensions(&["zig"]).lexis(&lexis::C_LIKE).watched(),
];

/// A language of which only the name is known.
const fn language(name: &'static str) -> Language {
    Language {
        name,
        other_ids: &[],
        aliases: &[],
        extensions: &[],
        file_names: &[],
        family: None,
        is_watched: false,
        lexis: None,
        bare_dots: BareDots::Elision,
        ngram_group: None,
        outline: None,
    }
}

type Names = &'static [&'static str];

/// What a row may say; each is documented at its field.
impl Language {
    const fn other_ids(self, other_ids: Names) -> Self {
        Self { other_ids, ..self }
    }

    const fn aliases(self, aliases: Names) -> Self {
        Self { aliases, ..self }
    }

    const fn extensions(self, extensions: Names) -> Self {
        Self { extensions, ..self }
    }

    const fn file_names(self, file_names: Names) -> Self {
        Self { file_names, ..self }
    }

    const fn family(self, first_extension: &'static str) -> Self {
        Self { family: Some(first_extension), ..self }
    }

    const fn watched(self) -> Self {
        Self { is_watched: true, ..self }
    }

    const fn lexis(self, lexis: &'static Lexis) -> Self {
        Self { lexis: Some(lexis), ..self }
    }

    const fn bare_dots(self, bare_dots: BareDots) -> Self {
        Self { bare_dots, ..self }
    }

    const fn ngrams(self, group: NgramGroup) -> Self {
        Self { ngram_group: Some(group), ..self }
    }

    const fn outline(self, grammar: LanguageFn, queries: Names) -> Self {
        Self { outline: Some(Outline { grammar, queries }), ..self }
    }
}
