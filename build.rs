//! What the program has to know of its build: for which instructions llama.cpp was built. And it
//! goes without its symbols, a tenth of its size, where the linker knows how to leave them out. In
//! the profile this would hold for llama.cpp's build as well; `KEYSIDE_SYMBOLS=1` keeps them, for a
//! profiler.

/// llama.cpp's names of instruction sets beyond the portable build's, each with Rust's. AMX is not
/// among them: llama.cpp asks the system for it and does without.
const BEYOND: &[(&str, &str)] = &[
    ("AVX_VNNI", "avxvnni"),
    ("AVX512", "avx512f"),
    ("AVX512_VBMI", "avx512vbmi"),
    ("AVX512_VNNI", "avx512vnni"),
    ("AVX512_BF16", "avx512bf16"),
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=KEYSIDE_SYMBOLS");
    let variable = |name: &str| {
        std::env::var_os(name).and_then(|it| it.into_string().ok()).unwrap_or_default()
    };
    if variable("CARGO_CFG_TARGET_OS") == "linux" && variable("KEYSIDE_SYMBOLS").is_empty() {
        println!("cargo::rustc-link-arg-bins=-Wl,-s");
    }
    let mut built_for = match &*variable("CARGO_CFG_TARGET_ARCH") {
        "x86_64" => vec!["AVX2", "FMA", "F16C", "BMI2"],
        _ => vec![],
    };
    let features = variable("CARGO_CFG_TARGET_FEATURE");
    for (name, feature) in BEYOND {
        // The variable is what llama.cpp's build script hands on, the feature what it takes from
        // `-C target-cpu`.
        let flag = format!("GGML_{name}");
        println!("cargo::rerun-if-env-changed={flag}");
        let is_on =
            matches!(&*variable(&flag), "ON" | "on" | "1" | "TRUE" | "true" | "YES" | "yes");
        if is_on || features.split(',').any(|it| it == *feature) {
            built_for.push(name);
        }
    }
    println!("cargo::rustc-env=KEYSIDE_BUILT_FOR={}", built_for.join(","));
}
