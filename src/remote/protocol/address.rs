//! Where a provider is: its settings' base URL made into the one address that a request goes to, or
//! refused.
//!
//! The URL is read by the same parser as the HTTP client's (the `url` crate), so that what is
//! checked here is what is called there: two parsers that disagree about a host are a known way
//! past such checks.

// Addresses alone; what opens a connection is in `std`.
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::fmt;

use url::{Host, Url};

use crate::config::CompletionConfig;
use crate::config::cloud::Provider;
use crate::remote::protocol::fim_server;
use crate::remote::protocol::provider_protocol::{Endpoint, implementation};

/// A checked address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The whole URL of the protocol's one endpoint.
    pub url: String,
    /// `host:port`, for people, and to compare what was agreed with what is called.
    pub host: String,
    /// Whether it is this machine.
    pub is_loopback: bool,
    /// Whether the text goes without encryption. The host is then one of this machine or of a
    /// private network, and a name must be looked up with [`is_private`] in mind.
    pub is_plain: bool,
}

/// A base URL that no text may be sent to. Shown as a sentence that says what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressFault {
    /// The provider's name in the settings.
    pub provider: String,
    pub reason: AddressReason,
}

/// Why no text may be sent to a base URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressReason {
    NoUrl,
    /// Neither `https` nor `http`.
    OtherScheme,
    /// It holds a user name or a password.
    Credentials,
    Query,
    NoHost,
    /// `http` to a host that need not be of a private network.
    PlainToOthers,
}

impl fmt::Display for AddressFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (provider, what) = (&self.provider, self.reason);
        write!(f, "the base_url of the provider {provider} {what}; correct it in the settings file")
    }
}

impl fmt::Display for AddressReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AddressReason::NoUrl => "is not a URL such as https://example.com/v1",
            AddressReason::OtherScheme => {
                "must begin with https:// (or http:// for a server of one's own)"
            }
            AddressReason::Credentials => {
                "holds a user name or a password, which belongs to `keyside cloud login`"
            }
            AddressReason::Query => "holds a `?` or a `#`",
            AddressReason::NoHost => "names no host",
            AddressReason::PlainToOthers => {
                "is http://, which anybody on the way can read; that is followed only for this machine and private networks, \
                 use https://"
            }
        })
    }
}

impl std::error::Error for AddressFault {}

impl From<AddressFault> for String {
    fn from(fault: AddressFault) -> Self {
        fault.to_string()
    }
}

/// Endings of names that only a local network answers for: mDNS (RFC 6762), ICANN's `.internal`,
/// RFC 8375, and what routers hand out.
const LOCAL_ENDINGS: [&str; 4] = [".local", ".internal", ".home.arpa", ".lan"];

impl Address {
    /// Checks a provider's base URL and adds the protocol's path. An empty one is the vendor's own.
    ///
    /// With or without a `/v1` at its end: a path without any version segment (`/v1`, `/v4`,
    /// `/v1beta`) gets `/v1`, and one that ends with the protocol's own path already is taken
    /// whole, for gateways that have it elsewhere.
    ///
    /// `https` is taken for every host. `http` shows the text to everybody on the way, so it is
    /// taken for this machine and for hosts of a private network alone: that is where people have
    /// an Ollama or a vLLM without a certificate. Those are private, link-local and carrier-grade
    /// (RFC 6598, as VPNs use it) addresses, names without a dot, and names with an ending that
    /// only a local network answers for. Whoever connects has to check with [`is_private`] what
    /// such a name leads to.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn of(provider: &Provider) -> Result<Self, AddressFault> {
        let endpoint = implementation(provider.protocol).endpoint(provider);
        let written = provider.base_url.trim();
        let written = if written.is_empty() { endpoint.vendor } else { written };
        Self::checked(written, &endpoint)
            .map_err(|reason| AddressFault { provider: provider.name.clone(), reason })
    }

    /// Where completions are asked for, beside the model in this process: this machine alone,
    /// because the text around the caret goes there with each key.
    ///
    /// # Errors
    /// One sentence.
    pub fn of_completion_server(config: &CompletionConfig) -> Result<Self, String> {
        let url = config.url_of_server();
        let checked = Self::checked(url, &fim_server::endpoint(config.server));
        match checked {
            Err(reason) => Err(format!(
                "`completion.server_url` {reason}; write an address such as http://127.0.0.1:8080 into the settings file"
            )),
            Ok(address) if !address.is_loopback => Err(format!(
                "`completion.server_url` names {}, which is not this machine, and text around the caret goes to no other; \
                 forward a port to it (`ssh -L 8080:127.0.0.1:8080 HOST`) and name http://127.0.0.1:8080",
                address.host
            )),
            Ok(address) => Ok(address),
        }
    }

    /// The hub that model files are fetched from.
    ///
    /// # Errors
    /// One sentence.
    pub fn of_hub(url: &str) -> Result<Self, String> {
        let endpoint = Endpoint { vendor: "", version: "", path: "/".into() };
        Self::checked(url, &endpoint).map_err(|reason| {
            format!(
                "HF_ENDPOINT {reason}; correct it where it is set, or unset it for Hugging Face"
            )
        })
    }

    fn checked(written: &str, endpoint: &Endpoint) -> Result<Self, AddressReason> {
        let refused = Err;
        let Ok(mut url) = Url::parse(written) else {
            return refused(AddressReason::NoUrl);
        };
        if !matches!(url.scheme(), "https" | "http") {
            return refused(AddressReason::OtherScheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refused(AddressReason::Credentials);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return refused(AddressReason::Query);
        }
        let Some(host) = url.host() else { return refused(AddressReason::NoHost) };
        let is_plain = url.scheme() == "http";
        if is_plain && !may_be_private(&host) {
            return refused(AddressReason::PlainToOthers);
        }
        let is_loopback = match &host {
            Host::Domain(name) => is_localhost(name),
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => IpAddr::V6(*address).to_canonical().is_loopback(),
        };
        let host = format!("{host}:{}", url.port_or_known_default().unwrap_or_default());
        set_endpoint(&mut url, endpoint);
        Ok(Self { url: url.into(), host, is_loopback, is_plain })
    }
}

fn set_endpoint(url: &mut Url, endpoint: &Endpoint) {
    let (path, query) = match endpoint.path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (&*endpoint.path, None),
    };
    let base = url.path().trim_end_matches('/');
    let whole = if base.ends_with(path) {
        base.to_owned()
    } else if base.split('/').any(is_version) {
        format!("{base}{path}")
    } else {
        format!("{base}{}{path}", endpoint.version)
    };
    url.set_path(&whole);
    url.set_query(query);
}

/// `v1`, `v4`, `v1beta`.
fn is_version(segment: &str) -> bool {
    segment.strip_prefix('v').is_some_and(|it| it.starts_with(|c: char| c.is_ascii_digit()))
}

fn may_be_private(host: &Host<&str>) -> bool {
    match host {
        Host::Ipv4(address) => is_private(IpAddr::V4(*address)),
        Host::Ipv6(address) => is_private(IpAddr::V6(*address)),
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            is_localhost(name)
                || !name.contains('.')
                || LOCAL_ENDINGS.iter().any(|it| name.ends_with(it))
        }
    }
}

/// RFC 6761: these names are this machine. The parser has put them into lower case.
fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name == "localhost" || name.ends_with(".localhost")
}

/// Whether an address is this machine's or one of a private network, which no router passes on to
/// the internet.
pub fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(it) => {
            it.is_loopback() || it.is_private() || it.is_link_local() || is_carrier_grade(it)
        }
        IpAddr::V6(it) => it.is_loopback() || is_unique_local(it) || it.is_unicast_link_local(),
    }
}

/// 100.64.0.0/10 of RFC 6598.
fn is_carrier_grade(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    first == 100 && second & 0xc0 == 64
}

/// fc00::/7 of RFC 4193.
fn is_unique_local(address: Ipv6Addr) -> bool {
    address.octets()[0] & 0xfe == 0xfc
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::cloud::Protocol;

    fn address(protocol: Protocol, base_url: &str) -> Result<Address, AddressFault> {
        let base_url = base_url.to_owned();
        Address::of(&Provider { name: "p".to_owned(), protocol, base_url, ..Provider::default() })
    }

    #[test]
    fn an_endpoint_brings_its_version_and_its_query() {
        let endpoint = Endpoint {
            vendor: "https://a.test",
            version: "/v1beta",
            path: "/models/m:ask?alt=sse".into(),
        };
        for (base_url, expected) in [
            ("https://a.test", "https://a.test/v1beta/models/m:ask?alt=sse"),
            ("https://a.test/v2/", "https://a.test/v2/models/m:ask?alt=sse"),
            ("https://a.test/x/models/m:ask", "https://a.test/x/models/m:ask?alt=sse"),
        ] {
            let mut url = Url::parse(base_url).unwrap();
            set_endpoint(&mut url, &endpoint);
            assert_eq!(url.as_str(), expected);
        }
    }

    #[test]
    fn base_urls_with_and_without_v1_come_to_the_same() {
        let anthropic = Protocol::AnthropicMessages;
        let chat = Protocol::OpenaiChat;
        let responses = Protocol::OpenaiResponses;
        for (protocol, base_url, expected) in [
            (anthropic, "", "https://api.anthropic.com/v1/messages"),
            (anthropic, "https://api.anthropic.com", "https://api.anthropic.com/v1/messages"),
            (anthropic, "https://api.anthropic.com/v1/", "https://api.anthropic.com/v1/messages"),
            (anthropic, "https://a.test/anthropic/", "https://a.test/anthropic/v1/messages"),
            (anthropic, "https://a.test/x/messages", "https://a.test/x/messages"),
            (chat, "", "https://api.openai.com/v1/chat/completions"),
            (chat, " http://localhost:8080 ", "http://localhost:8080/v1/chat/completions"),
            (chat, "http://localhost:8080/v1", "http://localhost:8080/v1/chat/completions"),
            (chat, "https://openrouter.ai/api/v1", "https://openrouter.ai/api/v1/chat/completions"),
            (
                chat,
                "https://g.test/v1beta/openai/",
                "https://g.test/v1beta/openai/chat/completions",
            ),
            (
                chat,
                "https://m.test/inference/chat/completions",
                "https://m.test/inference/chat/completions",
            ),
            (responses, "", "https://api.openai.com/v1/responses"),
            (
                responses,
                "https://r.openai.azure.com/openai/v1/",
                "https://r.openai.azure.com/openai/v1/responses",
            ),
        ] {
            assert_eq!(address(protocol, base_url).unwrap().url, expected, "{base_url}");
        }
    }

    #[test]
    fn hosts_are_named_with_their_port() {
        for (base_url, host, is_loopback) in [
            ("", "api.anthropic.com:443", false),
            ("https://API.example.com:8443/x", "api.example.com:8443", false),
            ("http://127.0.0.1:8080", "127.0.0.1:8080", true),
            ("http://0x7f.1", "127.0.0.1:80", true),
            ("http://[::1]:9", "[::1]:9", true),
            ("http://localhost.:9", "localhost.:9", true),
            ("http://gpu-box:8000", "gpu-box:8000", false),
            ("https://b\u{fc}cher.example", "xn--bcher-kva.example:443", false),
        ] {
            let address = address(Protocol::AnthropicMessages, base_url).unwrap();
            assert_eq!((address.host.as_str(), address.is_loopback), (host, is_loopback));
        }
    }

    #[test]
    fn text_without_encryption_goes_to_private_hosts_alone() {
        for host in [
            "10.1.2.3",
            "192.168.0.9:1",
            "172.16.0.1",
            "100.64.1.1",
            "[fd00::1]",
            "[fe80::1]",
            "nas.local",
            "x.lan",
        ] {
            assert!(address(Protocol::OpenaiChat, &format!("http://{host}")).unwrap().is_plain);
        }
        for host in [
            "example.com",
            "8.8.8.8",
            "172.32.0.1",
            "100.128.0.1",
            "[2001:db8::1]",
            "[::ffff:8.8.8.8]",
            "localhost.example.com",
            "0.0.0.0",
        ] {
            let sentence =
                address(Protocol::OpenaiChat, &format!("http://{host}")).unwrap_err().to_string();
            assert!(sentence.contains("use https://"), "{sentence}");
        }
    }

    #[test]
    fn what_is_no_plain_address_is_refused_without_being_repeated() {
        for base_url in [
            "ftp://x.test",
            "file:///etc/passwd",
            "x.test",
            "https://",
            "https://me:secret@x.test",
            "https://secret@x.test",
            "https://x.test/v1?key=secret",
            "https://x.test/#secret",
        ] {
            let sentence = address(Protocol::OpenaiChat, base_url).unwrap_err().to_string();
            assert!(!sentence.contains("secret") && sentence.contains("provider p"), "{sentence}");
        }
    }
}
