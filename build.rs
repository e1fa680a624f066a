//! The program goes without its symbols, a tenth of its size, where the linker knows how to leave them out. In the profile this
//! would hold for llama.cpp's build as well; `KEYSIDE_SYMBOLS=1` keeps them, for a profiler.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=KEYSIDE_SYMBOLS");
    let is_set = |name: &str| std::env::var_os(name).is_some();
    let system = std::env::var_os("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if system == "linux" && !is_set("KEYSIDE_SYMBOLS") {
        println!("cargo::rustc-link-arg-bins=-Wl,-s");
    }
}
