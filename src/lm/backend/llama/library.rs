//! llama.cpp itself: started once a process, and what it logs.

use std::ffi::{CStr, c_char, c_void};
use std::sync::{Mutex, OnceLock, PoisonError};

use llama_cpp_2::llama_backend::LlamaBackend;

/// The library, started with the first call.
///
/// # Errors
/// One sentence.
pub(super) fn backend() -> Result<&'static LlamaBackend, String> {
    // llama.cpp can be initialised once a process.
    static BACKEND: OnceLock<Result<LlamaBackend, String>> = OnceLock::new();
    BACKEND
        .get_or_init(|| {
            // SAFETY: the callback is a plain function that lives as long as the program, and it
            // takes no user data.
            unsafe { llama_cpp_sys_2::llama_log_set(Some(on_log), std::ptr::null_mut()) };
            LlamaBackend::init().map_err(|error| format!("llama.cpp can't be started: {error}"))
        })
        .as_ref()
        .map_err(Clone::clone)
}

/// The last errors that llama.cpp logged: the only place where it says why a load failed.
static ERRORS: Mutex<String> = Mutex::new(String::new());

extern "C" fn on_log(
    level: llama_cpp_sys_2::ggml_log_level,
    text: *const c_char,
    _user_data: *mut c_void,
) {
    if text.is_null() {
        return;
    }
    // SAFETY: llama.cpp hands over a C string that lives for the call.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    let text = text.trim_end();
    if level == llama_cpp_sys_2::GGML_LOG_LEVEL_ERROR {
        // A stopped decode is an error to llama.cpp and everyday business here.
        tracing::debug!("llama.cpp: {text}");
        let mut errors = ERRORS.lock().unwrap_or_else(PoisonError::into_inner);
        if errors.is_empty() {
            errors.push_str(text);
        }
    } else {
        tracing::trace!("llama.cpp: {text}");
    }
}

pub(super) fn forget_errors() {
    ERRORS.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

/// The first error since [`forget_errors`], without the name of the C++ function before it.
pub(super) fn last_error() -> String {
    let errors = ERRORS.lock().unwrap_or_else(PoisonError::into_inner);
    let text = errors.split_once(": ").map_or(errors.as_str(), |(_, text)| text);
    let text = text.strip_prefix("error loading model: ").unwrap_or(text);
    if text.is_empty() { "llama.cpp gave no reason".to_owned() } else { text.to_owned() }
}
