//! The HTTP client: one for each request, with everything off that would send text anywhere else or
//! a second time.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, ClientBuilder, NoProxy, Proxy, redirect, retry};

use crate::remote::protocol::address::{Address, is_private};

/// Looking a name up, connecting and encrypting together.
pub(crate) const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// A client for one request to `address`.
///
/// No redirect is followed, nothing is sent again by itself, and the connection serves one request:
/// a kept one may turn out to be closed only after the request was written to it. A proxy is asked
/// for encrypted connections alone, where it sees the host's name and no text: the one in
/// `HTTPS_PROXY` or `ALL_PROXY`, unless `NO_PROXY` has the host, as people behind a company's
/// firewall expect. Text that goes without encryption goes straight to a private address or not at
/// all.
///
/// # Errors
/// One sentence. It does not repeat the proxy's address, which may hold a password.
pub(crate) fn client(
    address: &Address,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Client, String> {
    builder(address, variable)?.build().map_err(|error| {
        // Of all that can fail here only the system's certificates depend on the machine.
        let error = crate::remote::protocol::fault::shortened(&error.without_url().to_string());
        format!("no client for encrypted connections can be made ({error}); see whether this system has certificates installed")
    })
}

/// What such a client is made of.
///
/// # Errors
/// As [`client`].
pub(super) fn builder(
    address: &Address,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<ClientBuilder, String> {
    install_cryptography();
    let mut builder = Client::builder()
        .user_agent(concat!("keyside/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .pool_max_idle_per_host(0)
        .connect_timeout(CONNECT_PATIENCE)
        .https_only(!address.is_plain)
        .no_proxy();
    if address.is_plain {
        builder = builder.dns_resolver(Arc::new(PrivateAlone));
    } else if !address.is_loopback
        && let Some((name, proxy)) =
            first(variable, &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])
    {
        let wrong = || {
            format!(
                "the proxy in {name} is no address such as http://proxy.example:3128; correct it where it is set"
            )
        };
        // Without a scheme it is http, as other programs have it.
        let proxy = if proxy.contains("://") { proxy } else { format!("http://{proxy}") };
        if !proxy.starts_with("http://") && !proxy.starts_with("https://") {
            return Err(wrong());
        }
        let except = first(variable, &["no_proxy", "NO_PROXY"])
            .and_then(|(_, list)| NoProxy::from_string(&list));
        builder = builder.proxy(Proxy::https(&proxy).map_err(|_| wrong())?.no_proxy(except));
    }
    Ok(builder)
}

/// Without aws-lc, reqwest wants to be told what encrypts.
fn install_cryptography() {
    #[cfg(not(feature = "aws-lc-rs"))]
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Another thread may have been first, with the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

fn first<'a>(
    variable: &dyn Fn(&str) -> Option<String>,
    names: &[&'a str],
) -> Option<(&'a str, String)> {
    names.iter().find_map(|name| {
        let value = variable(name).filter(|it| !it.trim().is_empty())?;
        Some((*name, value))
    })
}

/// Looks names up and leaves out addresses that are not private: `http://nas` must not become a
/// host on the internet because somebody's name server says so.
struct PrivateAlone;

impl Resolve for PrivateAlone {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let looked_up = tokio::task::spawn_blocking(move || {
                (name.as_str(), 0).to_socket_addrs().map(Iterator::collect::<Vec<SocketAddr>>)
            });
            let all = looked_up.await??;
            let private: Vec<SocketAddr> =
                all.into_iter().filter(|it| is_private(it.ip())).collect();
            if private.is_empty() {
                return Err("http:// is followed to private addresses alone, use https://".into());
            }
            Ok(Box::new(private.into_iter()) as Addrs)
        })
    }
}
