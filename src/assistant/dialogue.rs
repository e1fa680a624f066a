//! One request from a chosen action to its end: gather, look, agree, send, present. A person is
//! asked here, and nowhere else; nothing is reserved or sent before somebody has agreed.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

use crate::assistant::CloudRequest;
use crate::assistant::cloud::Cloud;
use crate::assistant::editor_ui::{Answered, ConsentChoice, EditorUi, Tone};
use crate::assistant::gather::{Gathered, gather};
use crate::assistant::present::Asked;
use crate::assistant::readiness::{may_be_sent, worst_case};
use crate::assistant::settle::{Sending, reserve_and_send};
use crate::assistant::shown_files::readable;
use crate::assistant::stream::Ended;
use crate::assistant::{kept_requests, present, route_note, stream};
use crate::config::consent::{Entry, Standing};
use crate::ledger::usd;
use crate::remote::outbound::{Outbound, Prepared, prepare};
use crate::remote::pricing::tariff::PriceSource;
use crate::stdx::clean;
use crate::text::Newest;

/// Files that a question names; it has to be read in an editor's pop-up.
const MAX_NAMES: usize = 5;
/// Of the folder that standing consent is for, which has to be seen whole.
const MAX_FOLDER_CHARS: usize = 300;

/// Runs a request to its end; everything that there is to say of it is said to `front`.
/// `cancelled` turns true when a person wants it to stop.
pub async fn run<F: EditorUi>(
    cloud: Arc<Cloud>,
    newest: Newest,
    asked: CloudRequest,
    front: F,
    mut cancelled: watch::Receiver<bool>,
) {
    let (asked, mut shown) = (Arc::new(asked), ShownFiles::default());
    let agreed = tokio::select! {
        agreed = agree(&cloud, &asked, &front, &mut shown) => agreed,
        () = stream::until_cancelled(&mut cancelled) => Ok(None),
    };
    match agreed {
        Ok(None) => {}
        Ok(Some((gathered, outbound))) => {
            send(&cloud, &newest, &asked, &gathered, outbound, &front, cancelled).await;
        }
        Err(sentence) => front.tell(Tone::Error, format!("keyside: {sentence}")).await,
    }
}

/// Files that were written for a person to look at, gone when the request is over: they are text
/// of the workspace.
#[derive(Default)]
struct ShownFiles(Vec<PathBuf>);

impl Drop for ShownFiles {
    fn drop(&mut self) {
        for file in &self.0 {
            let _ = std::fs::remove_file(file);
        }
    }
}

/// From the action to a request that may be sent; `None` where a person said no.
async fn agree<F: EditorUi>(
    cloud: &Arc<Cloud>,
    asked: &Arc<CloudRequest>,
    front: &F,
    shown: &mut ShownFiles,
) -> Result<Option<(Gathered, Outbound)>, String> {
    route_note::may_leave(asked)?;
    let (for_gathering, what) = (Arc::clone(cloud), Arc::clone(asked));
    // It parses and reads files: not for a thread that answers keys.
    let work = tokio::task::spawn_blocking(move || {
        let gathered = gather(&for_gathering, &what)?;
        let prepared = prepare(for_gathering.provider(), &gathered.draft, &gathered.fence)?;
        Ok::<_, String>((gathered, prepared))
    });
    let (gathered, prepared) = work.await.unwrap_or_else(|_| {
        Err("the question could not be put together; the log says where".to_owned())
    })?;
    // Of a text that is no file nothing can be said once and for all.
    let workspaces = gathered.workspaces.clone();
    let prepared = match workspaces.is_empty() {
        true => prepared,
        false => {
            let consents = cloud.consents()?;
            if prepared.standing(&consents, &workspaces) == Some(Standing::Never) {
                return Err(format!(
                    "nothing of this workspace is sent to {}, as you said; `keyside cloud allow` takes that back",
                    prepared.provider()
                ));
            }
            match prepared.under(&consents, &workspaces) {
                Ok(outbound) => return Ok(Some((gathered, outbound))),
                Err(prepared) => *prepared,
            }
        }
    };
    let choices = match workspaces.is_empty() {
        false => ConsentChoice::OF_WORKSPACE,
        true => ConsentChoice::OF_NO_WORKSPACE,
    };
    // What would stop it anyway is said before a person reads a question.
    may_be_sent(cloud, &prepared).await?;
    let note = route_note::note(cloud, asked).await;
    loop {
        let question = question(cloud, &prepared, &workspaces).await? + &note;
        for note in cloud.take_notes() {
            front.tell(Tone::Warning, format!("keyside: {note}")).await;
        }
        let choice = match front.ask(question, choices).await {
            Answered::Chose(choice) => choice,
            Answered::Nothing => ConsentChoice::Cancel,
            Answered::NotAsked => {
                return Err(match workspaces.first() {
                    Some(workspace) => format!(
                        "nothing was sent, because this editor asks nobody; run `keyside cloud allow` in {}",
                        workspace.display()
                    ),
                    None => "nothing was sent, because this editor asks nobody, and what is no file of a workspace can't be allowed \
                             once and for all; save it in one"
                        .to_owned(),
                });
            }
        };
        match choice {
            ConsentChoice::SendOnce => return Ok(Some((gathered, prepared.agreed_by_a_person()))),
            ConsentChoice::Show => {
                show(cloud, &prepared, front, shown).await?;
                if front.hides_what_it_shows() {
                    let sentence =
                        "keyside: this is what would be sent; to send it, choose the action again";
                    front.tell(Tone::Info, sentence.to_owned()).await;
                    return Ok(None);
                }
            }
            ConsentChoice::AlwaysForWorkspace => {
                remember(cloud, &prepared, &workspaces, Standing::Always).await?;
                let outbound = prepared.under(&cloud.consents()?, &workspaces).map_err(|_| {
                    format!(
                        "{} does not hold what was just said; look at it",
                        cloud.consent_file().display()
                    )
                })?;
                return Ok(Some((gathered, outbound)));
            }
            ConsentChoice::NeverForWorkspace => {
                remember(cloud, &prepared, &workspaces, Standing::Never).await?;
                let sentence = format!(
                    "keyside: nothing of this workspace is sent to {} from now on; `keyside cloud allow` takes that back",
                    prepared.provider()
                );
                front.tell(Tone::Info, sentence).await;
                return Ok(None);
            }
            ConsentChoice::Cancel => {
                front.tell(Tone::Info, "keyside: nothing was sent".to_owned()).await;
                return Ok(None);
            }
        }
    }
}

/// Opens the very bytes; in a form to be read first, where the editor shows a file as it is.
async fn show<F: EditorUi>(
    cloud: &Cloud,
    prepared: &Prepared,
    front: &F,
    shown: &mut ShownFiles,
) -> Result<(), String> {
    let file = match shown.0.first() {
        Some(file) => file.clone(),
        None => {
            let name = format!("request-{}", &prepared.sha256()[..12]);
            if front.hides_what_it_shows() {
                cloud.shown.write(&name, "txt", &readable(prepared.body()))?
            } else {
                cloud.shown.write(&name, "json", prepared.body())?
            }
        }
    };
    if shown.0.is_empty() {
        shown.0.push(file.clone());
    }
    if !front.show(&file, true).await {
        front
            .tell(Tone::Info, format!("keyside: what will be sent is in {}", file.display()))
            .await;
    }
    Ok(())
}

async fn remember(
    cloud: &Cloud,
    prepared: &Prepared,
    workspaces: &[PathBuf],
    answer: Standing,
) -> Result<(), String> {
    for workspace in workspaces {
        let entry = Entry {
            workspace: workspace.clone(),
            provider: prepared.provider().to_owned(),
            host: prepared.host().to_owned(),
            answer,
        };
        cloud.remember(entry).await?;
    }
    Ok(())
}

/// What a person is asked: who gets what, at which price, and what has been spent.
async fn question(
    cloud: &Cloud,
    prepared: &Prepared,
    workspaces: &[PathBuf],
) -> Result<String, String> {
    let (day, month) = cloud
        .with_ledger(|ledger, calendar| {
            ledger.standings(&calendar.now()).map_err(|fault| fault.to_string())
        })
        .await?;
    let caps = cloud.caps();
    let mut files: Vec<String> = prepared
        .files()
        .iter()
        .take(MAX_NAMES)
        .map(|file| {
            let last = file.lines.end.saturating_sub(1);
            format!("{} lines {}–{last}", clean::name(&file.name), file.lines.start)
        })
        .collect();
    if let Some(n_more @ 1..) = prepared.files().len().checked_sub(MAX_NAMES) {
        files.push(format!("{n_more} more"));
    }
    let n_secrets: usize = prepared.redactions().values().sum();
    let rules: Vec<&str> = prepared.redactions().keys().map(String::as_str).collect();
    let secrets = match n_secrets {
        0 => "No secret was found in it.".to_owned(),
        1 => format!("1 secret was taken out ({}).", rules.join(", ")),
        n => format!("{n} secrets were taken out ({}).", rules.join(", ")),
    };
    let price = match cloud.tariff_of(prepared.provider()).source {
        PriceSource::HighestKnown => {
            " (its price is not known, so the highest known is counted; `prices` in the settings says it)"
        }
        PriceSource::ThisMachine => {
            " (a server on this machine, counted as nothing; `prices` in the settings says otherwise)"
        }
        PriceSource::Provider | PriceSource::Settings | PriceSource::Table => "",
    };
    let folder = |it: &PathBuf| clean::quoted(&it.display().to_string(), MAX_FOLDER_CHARS);
    let folders: Vec<String> = workspaces.iter().map(folder).collect();
    let standing = match &*folders.join(" and ") {
        "" => String::new(),
        all => format!(" \u{201c}Always\u{201d} and \u{201c}Never\u{201d} hold for {all}."),
    };
    // Who gets it and what it costs stand before every word that a repository has chosen.
    Ok(format!(
        "Send about {} tokens to {} at {}? It costs {} at most{price}. Spent today {} of {}, this month {} of {}. {secrets} {}: {}.{standing}",
        prepared.n_input_tokens(),
        prepared.model(),
        prepared.host(),
        usd(worst_case(cloud, prepared)),
        usd(day.total()),
        usd(caps.daily_pico_usd),
        usd(month.total()),
        usd(caps.monthly_pico_usd),
        match prepared.files().len() {
            1 => "1 text is sent".to_owned(),
            n => format!("{n} texts are sent"),
        },
        files.join(", "),
    ))
}

/// Sends, and shows what came of it.
async fn send<F: EditorUi>(
    cloud: &Cloud,
    newest: &Newest,
    asked: &CloudRequest,
    gathered: &Gathered,
    outbound: Outbound,
    front: &F,
    cancelled: watch::Receiver<bool>,
) {
    let workspace = gathered.workspace();
    let title = asked.title();
    let sending = Sending {
        cloud,
        action: asked.action,
        title: &title,
        shows_text: asked.action.answers_in_text(),
        outbound: &outbound,
        workspace,
    };
    let received = match reserve_and_send(&sending, front, cancelled).await {
        Ok(received) => received,
        Err(sentence) => {
            return front.tell(Tone::Error, format!("keyside: nothing was sent: {sentence}")).await;
        }
    };
    if let Ended::Failed(failure) = &received.ended
        && failure.kind.may_pass()
        && !failure.may_cost
        && cloud.config().keep_unsent
    {
        let kept = outbound.request().kept(asked.action.name(), workspace);
        let sentence = match kept_requests::keep(cloud, &kept) {
            Ok(()) => "the request is kept; `keyside cloud retry` sends it".to_owned(),
            Err(sentence) => sentence,
        };
        front.tell(Tone::Info, format!("keyside: {sentence}")).await;
    }
    let request = outbound.request();
    let about = Asked { cloud, newest, question: asked, gathered, request };
    present::show(&about, &received, front).await;
}
