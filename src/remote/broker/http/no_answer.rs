//! Why no answer came to a request, read from the HTTP client's error.

use std::error::Error;
use std::io;

use crate::remote::protocol::failure::NoAnswer;
use crate::remote::protocol::fault::shortened;

/// What an error of the client means.
pub(super) fn of(error: &reqwest::Error) -> NoAnswer {
    if error.is_builder() {
        return NoAnswer::NotMade;
    }
    if !error.is_connect() {
        return NoAnswer::Broken(cause(error));
    }
    if error.is_dns() {
        return NoAnswer::UnknownHost(cause(error));
    }
    if error.is_timeout() {
        return NoAnswer::Silence;
    }
    match io_kind(error) {
        Some(io::ErrorKind::InvalidData) => NoAnswer::Tls(cause(error)),
        Some(io::ErrorKind::ConnectionRefused) => NoAnswer::ConnectionRefused,
        _ => NoAnswer::Unreachable(cause(error)),
    }
}

/// The innermost cause in its own words. The outer ones repeat the whole address.
fn cause(error: &reqwest::Error) -> String {
    let mut last = None;
    each_cause(error, &mut |it| last = Some(it.to_string()));
    shortened(&last.unwrap_or_default())
}

fn io_kind(error: &reqwest::Error) -> Option<io::ErrorKind> {
    let mut kind = None;
    each_cause(error, &mut |it| {
        if let Some(error) = it.downcast_ref::<io::Error>() {
            kind = Some(error.kind());
        }
    });
    kind
}

/// Goes from the outer to the inner cause. An [`io::Error`] that wraps another names the other's
/// cause as its own and leaves out the other itself.
fn each_cause(error: &reqwest::Error, look: &mut dyn FnMut(&(dyn Error + 'static))) {
    let mut next: Option<&(dyn Error + 'static)> = error.source();
    while let Some(it) = next {
        look(it);
        let inner = it.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => it.source(),
        };
    }
}
