//! Whether an order is for what a person agreed to. The server says what that was, and is not
//! trusted further than can be seen here: host and model are those of the user's settings, and the
//! bytes are a text that keyside itself has put together, of a size that the settings allow.

use crate::config::cloud::{CloudConfig, Provider};
use crate::remote::broker::http::{Order, unsent};
use crate::remote::broker::ipc::{Failure, MAX_BODY_BYTES};
use crate::remote::pricing::token_estimate;
use crate::remote::protocol::address::Address;
use crate::remote::protocol::fault::FaultKind;
use crate::remote::protocol::{Ask, read_back};
use crate::stdx::hex_sha256;

/// Reads what an order asks.
///
/// # Errors
/// Why it is not sent.
pub(crate) fn check(
    order: &Order,
    provider: &Provider,
    address: &Address,
    cloud: &CloudConfig,
) -> Result<Ask, Failure> {
    if order.body.len() > MAX_BODY_BYTES {
        let sentence = format!(
            "the request has more than {} MiB and was not sent; select less text",
            MAX_BODY_BYTES >> 20
        );
        return Err(unsent(FaultKind::TooLarge, sentence));
    }
    if address.host != order.host || order.model != provider.model {
        let sentence = format!(
            "the request is for another model or host than the settings of {} named when the broker was started, so it was not \
             sent; restart the server",
            provider.name
        );
        return Err(unsent(FaultKind::Mismatch, sentence));
    }
    let ask = read_back::ask_of(provider, &order.body)
        .filter(|_| hex_sha256(order.body.as_bytes()) == order.sha256);
    let Some(ask) = ask else {
        let sentence = "the request is not what was agreed to, so it was not sent; ask again, and report this if it comes again";
        return Err(unsent(FaultKind::Mismatch, sentence.to_owned()));
    };
    // What was taken out may be longer in tokens than what stands in its place.
    let max_input_tokens = cloud.max_input_tokens * 3 / 2 + 1_000;
    if ask.max_output_tokens > cloud.max_output_tokens
        || token_estimate::ask_tokens(&ask) > max_input_tokens
    {
        let sentence = "the request is larger than `cloud.max_input_tokens` or `cloud.max_output_tokens` allowed when the broker \
                        was started, so it was not sent; restart the server";
        return Err(unsent(FaultKind::TooLarge, sentence.to_owned()));
    }
    Ok(ask)
}
