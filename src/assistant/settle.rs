//! The money of a request: reserved before it is sent, settled when it is over.
//!
//! Nothing is sent before it is reserved in the ledger, and whatever happens after that is settled:
//! what may have been spent is never forgotten.

use std::path::Path;
use std::time::Instant;

use tokio::sync::watch;

use crate::assistant::actions::Action;
use crate::assistant::bill::bill;
use crate::assistant::cloud::Cloud;
use crate::assistant::editor_ui::{EditorUi, Progress, Tone};
use crate::assistant::readiness::{cap_sentence, worst_case};
use crate::assistant::settler::SoFar;
use crate::assistant::stream::{self, Ended, Received};
use crate::ledger::{CallId, Consent, Granted, Refused, Reservation, Status, WorkspaceHash};
use crate::remote::outbound::{Agreed, Outbound};
use crate::remote::pricing::tariff::{PriceSource, table_source};

/// A request that may be sent, and what is to be known of it on its way.
pub(crate) struct Sending<'a> {
    pub(crate) cloud: &'a Cloud,
    pub(crate) action: Action,
    /// Under which its answer is shown.
    pub(crate) title: &'a str,
    /// The answer is text for a person, which is shown while it comes.
    pub(crate) shows_text: bool,
    pub(crate) outbound: &'a Outbound,
    /// The folder that the question is of.
    pub(crate) workspace: Option<&'a Path>,
}

/// Reserves, sends, takes in and settles. Warnings are told on the way.
///
/// # Errors
/// One sentence, where it can't be reserved: then nothing was sent.
pub(crate) async fn reserve_and_send<F: EditorUi>(
    sending: &Sending<'_>,
    front: &F,
    cancelled: watch::Receiver<bool>,
) -> Result<Received, String> {
    let open = sending.cloud.open_call();
    let granted = reserve(sending).await?;
    sending.cloud.settler.start();
    let began = Instant::now();
    let received = stream::receive(sending, front, cancelled, |received| {
        let so_far = so_far(sending, received, began);
        sending.cloud.settler.tell(granted.id, Some(so_far));
    })
    .await;
    let settled = settle(sending, granted.id, &received, began).await;
    if settled.is_ok() {
        sending.cloud.settler.tell(granted.id, None);
    }
    drop(open);
    // Before anything is said: some editors take away what they show with the end of a progress.
    front.progress(Progress::End).await;
    for warning in granted.warnings.iter().filter(|it| it.is_new) {
        front.tell(Tone::Warning, format!("keyside: {warning}")).await;
    }
    if let Err(sentence) = settled {
        front.tell(Tone::Warning, format!("keyside: {sentence}")).await;
    }
    Ok(received)
}

/// Reserves the most that a request can cost.
///
/// # Errors
/// One sentence; then nothing may be sent.
async fn reserve(sending: &Sending<'_>) -> Result<Granted, String> {
    let &Sending { cloud, action, outbound, workspace, .. } = sending;
    let request = outbound.request();
    let (provider, host, model) =
        (request.provider().to_owned(), request.host().to_owned(), request.model().to_owned());
    let (n_files, n_sent_bytes, sha256) =
        (request.files().len() as u32, request.body().len() as u64, request.sha256());
    let n_redactions = request.redactions().values().sum::<usize>() as u32;
    let reserved_pico_usd = worst_case(cloud, request);
    let workspace = WorkspaceHash::of(&workspace.unwrap_or(Path::new("")).to_string_lossy());
    let consent = match outbound.agreed() {
        Agreed::Once => Consent::Once,
        Agreed::Workspace => Consent::Workspace,
    };
    let caps = cloud.caps();
    let is_unknown = cloud.tariff_of(&provider).source == PriceSource::HighestKnown;
    cloud
        .with_ledger(move |ledger, calendar| {
            let what = Reservation {
                workspace,
                action: action.name(),
                provider: &provider,
                host: &host,
                model: &model,
                reserved_pico_usd,
                price_table_date: Some(table_source().1),
                n_sent_bytes,
                n_files,
                n_redactions,
                payload_sha256: &sha256,
                consent,
                reason: "a person chose the action",
            };
            ledger.reserve(&what, &caps, &calendar.now()).map_err(|error| match error {
                Refused::Cap(refusal) => cap_sentence(refusal, is_unknown, &model),
                Refused::Fault(fault) => fault.to_string(),
            })
        })
        .await
}

/// What a request has cost, as far as it is known.
fn so_far(sending: &Sending<'_>, received: &Received, began: Instant) -> SoFar {
    let request = sending.outbound.request();
    let tariff = sending.cloud.tariff_of(request.provider());
    let reserved_pico_usd = worst_case(sending.cloud, request);
    let bill = bill(&tariff, received, request.n_input_tokens(), reserved_pico_usd);
    SoFar::of(&bill, received, began.elapsed().as_millis() as u64)
}

/// Writes into the ledger what the request cost.
///
/// # Errors
/// One sentence. Then what was reserved stays counted.
async fn settle(
    sending: &Sending<'_>,
    id: CallId,
    received: &Received,
    began: Instant,
) -> Result<(), String> {
    let status = match &received.ended {
        Ended::Whole => Status::Ok,
        Ended::Short(_) => Status::Truncated,
        Ended::Failed(_) => Status::Failed,
        Ended::Cancelled => Status::Cancelled,
    };
    let so_far = so_far(sending, received, began);
    let work = sending.cloud.with_ledger(move |ledger, _| {
        ledger.settle(id, &so_far.settlement(status)).map_err(|error| error.to_string())
    });
    work.await
}
