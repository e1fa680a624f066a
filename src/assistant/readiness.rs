//! What would stop a request anyway: looked for before a person is asked about it.

use crate::assistant::cloud::Cloud;
use crate::ledger::CapRefusal;
use crate::remote::outbound::Prepared;
use crate::remote::pricing::tariff::PriceSource;

/// # Errors
/// Why a request could not be sent if a person agreed to it now, in a sentence.
pub(crate) async fn may_be_sent(cloud: &Cloud, prepared: &Prepared) -> Result<(), String> {
    let unsent = |why: String| format!("nothing was sent: {why}");
    let (most, caps, model) =
        (worst_case(cloud, prepared), cloud.caps(), prepared.model().to_owned());
    let is_unknown = cloud.tariff_of(prepared.provider()).source == PriceSource::HighestKnown;
    let refusal = cloud.with_ledger(move |ledger, calendar| {
        ledger.refusal(most, &caps, &calendar.now()).map_err(|fault| fault.to_string())
    });
    if let Some(refusal) = refusal.await? {
        return Err(unsent(cap_sentence(refusal, is_unknown, &model)));
    }
    cloud.broker.check(prepared.provider(), prepared.host(), prepared.model()).await.map_err(unsent)
}

/// What a person is told where a cap would be passed.
pub(crate) fn cap_sentence(refusal: CapRefusal, is_unknown: bool, model: &str) -> String {
    if is_unknown {
        format!(
            "{refusal}; the price of {model} is not known, so the highest known is counted: give `prices` of the provider"
        )
    } else {
        refusal.to_string()
    }
}

/// The most that a request can cost.
pub(crate) fn worst_case(cloud: &Cloud, prepared: &Prepared) -> i64 {
    let tariff = cloud.tariff_of(prepared.provider());
    tariff.worst_case(prepared.n_input_tokens(), prepared.max_output_tokens())
}
