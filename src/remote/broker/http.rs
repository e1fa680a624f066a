//! One request from order to last event: settings, key, connection, answer, and what is tried
//! again.

mod agreed;
mod answer_reader;
mod completions;
mod connection;
pub mod hub;
mod no_answer;

use std::path::Path;
use std::time::{Duration, SystemTime};

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Response};
use secrecy::ExposeSecret;
use tokio::time::timeout;

pub(crate) use self::completions::complete;
use self::connection::CONNECT_PATIENCE;
use crate::config::Config;
use crate::config::cloud::Provider;
use crate::config::layers::{self, Resolved};
use crate::remote::broker::ipc::Event;
use crate::remote::broker::keys;
use crate::remote::protocol::address::Address;
use crate::remote::protocol::failure::{self, Failure};
use crate::remote::protocol::fault::{self, FaultKind};
use crate::remote::protocol::retry::{Refusal, Retry, decide};
use crate::remote::protocol::{self, Ask, StopReason};
use crate::stdx::hex_sha256;

/// What the server orders.
#[derive(Debug)]
pub(crate) struct Order {
    pub provider: String,
    pub host: String,
    pub model: String,
    pub sha256: String,
    pub body: String,
}

/// The user's own settings, as they were when the broker was started; or why there are none.
#[derive(Debug)]
pub(crate) struct Settings(Result<Resolved, String>);

impl Settings {
    pub(crate) fn read(file: &Path) -> Self {
        Self(layers::read_file(file).map(|layer| layers::resolve(&[layer])))
    }
}

/// Reads an environment variable.
pub type Variable = fn(&str) -> Option<String>;

/// Where a call's events go. `send` waits while nobody takes them.
pub(crate) trait Listener {
    fn send(&self, event: Event) -> impl Future<Output = ()> + Send;
}

/// An order that was found good.
pub(super) struct Ready {
    pub(super) provider: Provider,
    pub(super) address: Address,
    headers: HeaderMap,
    client: Client,
    body: String,
    /// How many tokens the answer may have, as the body says.
    pub(super) max_output_tokens: Option<u64>,
    pub(super) stall: Duration,
}

/// Carries out an order; returns its last event.
pub(crate) async fn carry_out(
    order: Order,
    number: u64,
    settings: &Settings,
    variable: Variable,
    listener: &impl Listener,
) -> Event {
    let done = async {
        let sha256 = order.sha256.clone();
        let ready = prepare(order, settings, variable).await?;
        let Ready { provider, address, body, .. } = &ready;
        let (provider, model, n_bytes) = (&provider.name, &provider.model, body.len());
        tracing::info!(
            request = number,
            provider,
            host = address.host,
            model,
            n_bytes,
            sha256,
            "sending"
        );
        let response = send(&ready, listener).await?;
        answer_reader::read(&ready, response, listener).await
    };
    match done.await {
        Ok(stop) => Event::Done { stop },
        Err(failure) => Event::Failed(failure),
    }
}

/// Looks whether an order for this provider could be carried out; returns the one event of that.
pub(crate) async fn check(
    provider: String,
    host: String,
    model: String,
    settings: &Settings,
    variable: Variable,
) -> Event {
    let of_settings = settings
        .0
        .as_ref()
        .ok()
        .and_then(|it| it.config.cloud.providers.iter().find(|it| it.name == provider));
    // A question without a word in it.
    let body = of_settings.map(|it| protocol::body(it, &Ask::default(), true)).unwrap_or_default();
    let sha256 = hex_sha256(body.as_bytes());
    let order = Order { provider, host, model, sha256, body };
    match prepare(order, settings, variable).await {
        Ok(_) => Event::Done { stop: StopReason::End },
        Err(failure) => Event::Failed(failure),
    }
}

pub(crate) fn unsent(kind: FaultKind, sentence: String) -> Failure {
    Failure { kind, sentence, may_cost: false }
}

/// Everything that can be found wrong before a byte leaves the machine.
async fn prepare(order: Order, settings: &Settings, variable: Variable) -> Result<Ready, Failure> {
    let settings_are_wrong = |sentence| unsent(FaultKind::Settings, sentence);
    let Resolved { config: Config { cloud, .. }, notes, .. } =
        settings.0.as_ref().map_err(|it| settings_are_wrong(it.clone()))?;
    if !cloud.enabled {
        let sentence = "cloud requests are switched off; set `cloud.enabled` in the settings file and restart the server";
        return Err(settings_are_wrong(sentence.to_owned()));
    }
    let found = cloud.providers.iter().find(|it| it.name == order.provider).cloned();
    let provider = found.ok_or_else(|| {
        // One that is written wrongly is not among them.
        let named = format!("\"{}\"", order.provider);
        let mut notes = notes.iter().filter(|it| it.starts_with("cloud.providers"));
        match notes.find(|it| it.contains(&named)) {
            Some(note) => unsent(FaultKind::Settings, format!("{note}; correct it and restart the server")),
            None => {
                let name = fault::shortened(&order.provider);
                let sentence =
                    format!("the settings file had no provider {name} when the broker was started; restart the server");
                unsent(FaultKind::Mismatch, sentence)
            }
        }
    })?;
    let address = Address::of(&provider).map_err(|it| settings_are_wrong(it.to_string()))?;
    let ask = agreed::check(&order, &provider, &address, cloud)?;
    let max_output_tokens = Some(ask.max_output_tokens);
    let for_key = provider.clone();
    let key = tokio::task::spawn_blocking(move || keys::fetch(&for_key, &variable)).await;
    let key =
        key.unwrap_or_else(|_| Err("the key can't be fetched; restart the server".to_owned()));
    let key = key.map_err(|sentence| unsent(FaultKind::NoKey, sentence))?;
    let mut headers = HeaderMap::new();
    for (name, value) in protocol::headers(&provider).map_err(settings_are_wrong)? {
        // Gateways have their secrets in headers of their own.
        let is_sensitive = provider.headers.keys().any(|it| it.eq_ignore_ascii_case(&name));
        if let (Ok(name), Ok(mut value)) =
            (HeaderName::try_from(name), HeaderValue::try_from(value))
        {
            value.set_sensitive(is_sensitive);
            headers.insert(name, value);
        }
    }
    if let (Some(key), Some((name, before))) = (key, protocol::key_header(&provider)) {
        let Ok(mut value) = HeaderValue::try_from(format!("{before}{}", key.expose_secret()))
        else {
            return Err(unsent(
                FaultKind::NoKey,
                format!("the key of {} has special characters in it; copy it again", provider.name),
            ));
        };
        value.set_sensitive(true);
        let name =
            if name == "authorization" { AUTHORIZATION } else { HeaderName::from_static(name) };
        headers.insert(name, value);
    }
    let client = connection::client(&address, &variable).map_err(settings_are_wrong)?;
    let stall = Duration::from_secs(cloud.stall_seconds.clamp(1, 3_600));
    Ok(Ready { provider, address, headers, client, body: order.body, max_output_tokens, stall })
}

/// Sends the request until it is answered with a success, as often as that is harmless.
async fn send(ready: &Ready, listener: &impl Listener) -> Result<Response, Failure> {
    let host = &ready.address.host;
    let mut n_tries = 0;
    loop {
        n_tries += 1;
        listener.send(Event::Sending).await;
        let request = ready
            .client
            .post(&ready.address.url)
            .headers(ready.headers.clone())
            .body(ready.body.clone());
        // Connecting has a limit of its own, and then nothing has been sent; a silence beyond both
        // is one after sending.
        let response = match timeout(CONNECT_PATIENCE + ready.stall, request.send()).await {
            Err(_) => return Err(stalled(ready, "has not begun to answer")),
            Ok(Err(error)) => {
                return Err(failure::no_answer(
                    &ready.provider,
                    host,
                    &no_answer::of(&error.without_url()),
                ));
            }
            Ok(Ok(response)) => response,
        };
        if response.status().is_success() {
            let request_id = request_id(response.headers());
            listener.send(Event::Answering { request_id }).await;
            return Ok(response);
        }
        let (mut failure, retry) = refusal(ready, response, n_tries).await;
        match retry {
            Retry::After(wait) => {
                let seconds = wait.as_secs_f64().ceil() as u64;
                let sentence =
                    format!("{}; trying again in {seconds} s", before_advice(&failure.sentence));
                listener.send(Event::Waiting { seconds, sentence }).await;
                tokio::time::sleep(wait).await;
            }
            Retry::NotBefore(wait) => {
                let seconds = wait.as_secs();
                let time = match seconds {
                    0..=120 => format!("{seconds} seconds"),
                    _ => format!("{} minutes", seconds.div_ceil(60)),
                };
                let what = before_advice(&failure.sentence);
                failure.sentence = format!("{what}; ask again in {time}, not before");
                return Err(failure);
            }
            Retry::No => return Err(failure),
        }
    }
}

/// What happened, without what to do next.
fn before_advice(sentence: &str) -> &str {
    sentence.rsplit_once("; ").map_or(sentence, |(what, _)| what)
}

/// Reads an answer with an error status.
async fn refusal(ready: &Ready, mut response: Response, n_tries: u32) -> (Failure, Retry) {
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let body = answer_reader::error_body(ready, &mut response).await;
    let mut refused = fault::of_status(status, &body);
    refused.message = without_secrets(ready, refused.message);
    let header = |name: &str| headers.get(name).and_then(|it| it.to_str().ok());
    let refusal = Refusal {
        status,
        kind: refused.kind,
        should_retry: header("x-should-retry"),
        retry_after_ms: header("retry-after-ms"),
        retry_after: header("retry-after"),
    };
    // Only where many clients meet does the spread matter, so the clock's lowest digits are chance
    // enough.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let chance = f64::from(now.subsec_nanos() % 1_000) / 1e3;
    let request_id = request_id(&headers);
    let more = if request_id.is_empty() {
        format!("status {status}")
    } else {
        format!("status {status}, request {request_id}")
    };
    // A gateway that gave up waiting does not know what the model behind it did.
    let may_cost = matches!(status, 504 | 524);
    let failure = failure::refused(&ready.provider, &ready.address.host, &refused, &more, may_cost);
    (failure, decide(&refusal, n_tries, now.as_secs(), chance))
}

/// What is shorter is a word that any message may have.
const LEAST_SECRET_BYTES: usize = 8;

/// A message of the provider's without what was sent to it.
pub(super) fn without_secrets(ready: &Ready, message: String) -> String {
    let values = ready.headers.values().filter(|it| it.is_sensitive());
    let mut keys = values.filter_map(|it| it.to_str().ok()?.split(' ').next_back());
    let repeats_key = keys.any(|key| key.len() >= LEAST_SECRET_BYTES && message.contains(key));
    if repeats_key { String::new() } else { fault::without_echo(message, &ready.body) }
}

fn request_id(headers: &HeaderMap) -> String {
    let names = ["request-id", "x-request-id", "x-litellm-call-id", "apim-request-id"];
    let value = names.iter().find_map(|name| headers.get(*name)?.to_str().ok()).unwrap_or_default();
    value.chars().filter(char::is_ascii_graphic).take(128).collect()
}

pub(super) fn stalled(ready: &Ready, what: &str) -> Failure {
    let host = &ready.address.host;
    let seconds = ready.stall.as_secs();
    Failure {
        kind: FaultKind::Stalled,
        sentence: format!(
            "{host} {what} for {seconds} s and was given up; it may have been charged for, ask again or raise `cloud.stall_seconds`"
        ),
        may_cost: true,
    }
}
