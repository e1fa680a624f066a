//! Keys: where each provider's is, and fetching, storing and deleting it. A key is a
//! [`SecretString`] from the moment it is read: it has no `Debug` that shows it, and its memory is
//! wiped when it is dropped.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::config::cloud::{Auth, Provider};

/// The name under which the system's keyring lists them.
#[cfg(feature = "keyring")]
const SERVICE: &str = "keyside";
/// Longer than a person takes to unlock the keyring.
const KEYRING_PATIENCE: Duration = Duration::from_secs(60);
/// Longer than any provider's key.
const MAX_KEY_BYTES: usize = 16 << 10;

/// Where a key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The provider is asked without one.
    None,
    Keyring,
    /// An environment variable, by its name.
    Variable(String),
}

impl Place {
    /// Reads a provider's settings.
    ///
    /// # Errors
    /// One sentence. It does not repeat what is there: it may be a key, put there by mistake.
    pub fn of(provider: &Provider) -> Result<Self, String> {
        if provider.auth == Auth::None {
            return Ok(Self::None);
        }
        let is_name = |it: char| it.is_ascii_alphanumeric() || it == '_';
        match provider.key_variable() {
            Some(name) if !name.is_empty() && name.chars().all(is_name) => {
                Ok(Self::Variable(name.to_owned()))
            }
            None if provider.key == "keyring" => Ok(Self::Keyring),
            _ => Err(format!(
                "`key` of the provider {} is neither `keyring` nor `env:VARIABLE`; correct it in the settings file, where the key \
                 itself does not belong",
                provider.name
            )),
        }
    }
}

/// Fetches a provider's key; `variable` reads the environment. `Ok(None)`: it needs none. It may
/// wait for the person to unlock the keyring.
///
/// # Errors
/// One sentence.
pub fn fetch(
    provider: &Provider,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<SecretString>, String> {
    match Place::of(provider)? {
        Place::None => Ok(None),
        Place::Variable(name) => match variable(&name) {
            Some(key) => Ok(Some(checked(key)?)),
            None => Err(format!(
                "the environment variable {name} with the key of {} is not set; set it where the editor is started, and restart the \
                 editor",
                provider.name
            )),
        },
        Place::Keyring => match in_keyring(provider.name.clone(), Entry::Fetch)? {
            Some(key) => Ok(Some(key)),
            None => Err(format!(
                "there is no key of {0} in the keyring; put it there with `keyside cloud login {0}`",
                provider.name
            )),
        },
    }
}

/// Puts a key into the keyring, over the one that was there.
///
/// # Errors
/// One sentence.
pub fn store(provider_name: &str, key: SecretString) -> Result<(), String> {
    in_keyring(provider_name.to_owned(), Entry::Store(key)).map(drop)
}

/// Takes a key out of the keyring; says whether there was one.
///
/// # Errors
/// One sentence.
pub fn delete(provider_name: &str) -> Result<bool, String> {
    Ok(in_keyring(provider_name.to_owned(), Entry::Delete)?.is_some())
}

/// Makes a key of what was typed, piped in or set: without the blanks around it, and only if a
/// header can carry it.
///
/// # Errors
/// One sentence, without the key.
pub fn checked(typed: String) -> Result<SecretString, String> {
    let typed = SecretString::from(typed);
    let key = typed.expose_secret().trim();
    if key.is_empty() || key.len() > MAX_KEY_BYTES || !key.bytes().all(|it| it.is_ascii_graphic()) {
        return Err(
            "the key is empty, too long, or has blanks or special characters in it; copy it again"
                .to_owned(),
        );
    }
    Ok(SecretString::from(key))
}

#[cfg_attr(not(feature = "keyring"), expect(dead_code, reason = "there is no keyring to ask"))]
enum Entry {
    Fetch,
    Store(SecretString),
    Delete,
}

/// Asks the keyring on a thread of its own: a keyring that waits for a person, or for nobody, must
/// not hold up anything else. `Ok(None)`: no such key.
fn in_keyring(name: String, what: Entry) -> Result<Option<SecretString>, String> {
    let (sender, receiver) = std::sync::mpsc::channel();
    let thread = std::thread::Builder::new().name("keyring".to_owned()).spawn(move || {
        let _ = sender.send(ask_keyring(&name, &what));
    });
    let answer = match thread {
        Ok(_) => receiver.recv_timeout(KEYRING_PATIENCE),
        Err(error) => {
            return Err(format!(
                "the system refuses a thread for the keyring ({error}); try again"
            ));
        }
    };
    answer.unwrap_or_else(|_| {
        Err("the keyring does not answer; unlock it and try again, or set `key` of the provider to `env:VARIABLE`".to_owned())
    })
}

#[cfg(not(feature = "keyring"))]
fn ask_keyring(name: &str, _: &Entry) -> Result<Option<SecretString>, String> {
    Err(unusable("this keyside was built without it", name))
}

#[cfg(feature = "keyring")]
fn ask_keyring(name: &str, what: &Entry) -> Result<Option<SecretString>, String> {
    let asked = keyring::Entry::new(SERVICE, name).and_then(|entry| match what {
        Entry::Fetch => entry.get_password().map(SecretString::from),
        Entry::Store(key) => {
            entry.set_password(key.expose_secret()).map(|()| SecretString::default())
        }
        Entry::Delete => entry.delete_credential().map(|()| SecretString::default()),
    });
    // An error of the keyring may hold what is in it, so of most the kind alone is told.
    let why = match asked {
        Ok(key) => return Ok(Some(key)),
        Err(keyring::Error::NoEntry) => return Ok(None),
        Err(keyring::Error::Ambiguous(_)) => {
            return Err(format!(
                "the keyring has several keys of {name}; delete them there and use `keyside cloud login {name}` again"
            ));
        }
        Err(keyring::Error::NoDefaultStore | keyring::Error::NotSupportedByStore(_)) => {
            "there is none"
        }
        Err(keyring::Error::NoStorageAccess(_)) => "it is locked",
        Err(keyring::Error::PlatformFailure(_)) => "it fails",
        Err(_) => "what is in it is no key",
    };
    Err(unusable(why, name))
}

fn unusable(why: &str, name: &str) -> String {
    format!(
        "the system's keyring can't be used ({why}); unlock it, or put the key into an environment variable and set `key` of the \
         provider {name} to `env:VARIABLE`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider(key: &str) -> Provider {
        Provider { name: "p".to_owned(), key: key.to_owned(), ..Provider::default() }
    }

    #[test]
    fn a_variable_is_read_and_trimmed() {
        let variable = |name: &str| (name == "THE_KEY").then(|| " sk-1\n".to_owned());
        let key = fetch(&provider("env:THE_KEY"), &variable).unwrap().unwrap();
        assert_eq!(key.expose_secret(), "sk-1");
        let sentence = fetch(&provider("env:OTHER"), &variable).unwrap_err();
        assert!(sentence.contains("OTHER") && sentence.contains("is not set"), "{sentence}");
        let none = Provider { auth: Auth::None, ..provider("env:OTHER") };
        assert!(fetch(&none, &variable).unwrap().is_none());
    }

    #[test]
    fn a_key_in_the_wrong_place_is_not_repeated() {
        for key in ["sk-secret", "env:", "env:sk-secret", "", "Keyring"] {
            let sentence = Place::of(&provider(key)).unwrap_err();
            assert!(!sentence.contains("secret"), "{sentence}");
        }
        for key in ["sk secret", "sk-\u{e9}secret", "\n", "sk\nsecret"] {
            let sentence = checked(key.to_owned()).unwrap_err();
            assert!(!sentence.contains("secret"), "{sentence}");
        }
    }
}
