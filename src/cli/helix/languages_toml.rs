//! Putting keyside into the text of a `languages.toml` and taking it out.
//!
//! What is new stands in one block at the end, between two lines of comment, and is written anew
//! each time. A language that has a table of the user's own can't have a second one, so its list of
//! servers is changed in place.

use toml_edit::{Array, DocumentMut, Item, RawString, Table, Value};

use crate::cli::helix::own_servers::{VERSIONS, own_servers};

const BEGIN: &str = "# keyside: begin";
const END: &str = "# keyside: end";
/// Behind a list that was written into a table of the user's own.
const WRITTEN: &str = " # by keyside";
const NAME: &str = "keyside";
const SERVERS: &str = "language-servers";

/// The text with keyside beside the servers of these languages, each with those that Helix gives
/// it. `command` starts keyside.
///
/// # Errors
/// What is wrong with the text, as the end of a sentence that begins with its file's name.
pub(super) fn with_keyside(
    text: &str,
    command: &str,
    languages: &[&str],
) -> Result<String, String> {
    edited(text, |document, text| {
        let mut is_changed = take_out_written(document)?;
        let has_server = document.get("language-server").and_then(|it| it.get(NAME)).is_some();
        let mut new = Vec::new();
        for language in languages {
            match table_of(document, language)? {
                Some(table) => is_changed |= add_to(table, language)?,
                None => new.push((*language, known(language)?)),
            }
        }
        let text = if is_changed { document.to_string() } else { text };
        let server = (!has_server).then_some(command);
        Ok(format!("{text}{}", block(server, &new, text_end(&text))))
    })
}

/// The text without keyside, in whatever way it was put in.
///
/// # Errors
/// As [`with_keyside`].
pub(super) fn without_keyside(text: &str) -> Result<String, String> {
    edited(text, |document, text| {
        let mut is_changed = take_out_written(document)?;
        if let Some(servers) = document.get_mut("language-server").and_then(Item::as_table_like_mut)
        {
            is_changed |= servers.remove(NAME).is_some();
        }
        for table in tables(document)? {
            if let Some(servers) = table.get_mut(SERVERS).and_then(Item::as_array_mut) {
                is_changed |= remove_from(servers);
            }
        }
        Ok(if is_changed { document.to_string() } else { text })
    })
}

/// Runs an edit on the text without the block, with plain line breaks.
fn edited(
    text: &str,
    edit: impl FnOnce(&mut DocumentMut, String) -> Result<String, String>,
) -> Result<String, String> {
    let (mark, body) = match text.strip_prefix('\u{feff}') {
        Some(body) => ("\u{feff}", body),
        None => ("", text),
    };
    // Of a text with both kinds of breaks they stay as they are, as far as that goes.
    let has_crlf =
        body.contains("\r\n") && body.matches('\n').count() == body.matches("\r\n").count();
    let body = if has_crlf { body.replace("\r\n", "\n") } else { body.to_owned() };
    let parsed = |text: &str| {
        text.parse::<DocumentMut>().map_err(|error| {
            let at = error.span().map_or(0, |it| it.start.min(text.len()));
            let line = text.as_bytes()[..at].iter().filter(|it| **it == b'\n').count() + 1;
            let what = error.message().lines().next().unwrap_or_default().to_owned();
            format!("is no TOML ({what}, line {line}); correct it, nothing was changed")
        })
    };
    // Of the whole, because what is wrong may be within the block.
    parsed(&body)?;
    let body = without_block(&body)?;
    let mut document = parsed(&body)?;
    let edited = edit(&mut document, body)?;
    parsed(&edited).map_err(|_| {
        "has its servers or languages in a form that can't be added to; write them as \
         [language-server.NAME] and [[language]], nothing was changed"
            .to_owned()
    })?;
    let edited = if has_crlf { edited.replace('\n', "\r\n") } else { edited };
    Ok(format!("{mark}{edited}"))
}

/// # Errors
/// Where one of the two lines is there and the other is not.
fn without_block(text: &str) -> Result<String, String> {
    let mut kept = String::with_capacity(text.len());
    let mut is_within = false;
    for line in text.split_inclusive('\n') {
        match (is_within, line.starts_with(BEGIN), line.starts_with(END)) {
            (false, true, _) => {
                is_within = true;
                // With the empty line before it.
                if kept.ends_with("\n\n") {
                    kept.pop();
                }
            }
            (true, false, true) => is_within = false,
            (false, false, false) => kept.push_str(line),
            (true, false, false) => {}
            (true, true, _) | (false, _, true) => return Err(half_a_block()),
        }
    }
    if is_within { Err(half_a_block()) } else { Ok(kept) }
}

fn half_a_block() -> String {
    format!(
        "has only one of the lines `{BEGIN}` and `{END}`; remove it with what is keyside's, \
         nothing was changed"
    )
}

/// What goes between a text and the block.
fn text_end(text: &str) -> &'static str {
    match text {
        "" => "",
        _ if text.ends_with('\n') => "\n",
        _ => "\n\n",
    }
}

/// What is added at the end; nothing where nothing is to be added.
fn block(server: Option<&str>, languages: &[(&str, &[&str])], before: &str) -> String {
    if server.is_none() && languages.is_empty() {
        return String::new();
    }
    let mut block = format!(
        "{before}{BEGIN}. What is between these lines is written anew by `keyside config helix`.\n\
         # The servers beside it are Helix's own, those of its versions {VERSIONS}.\n"
    );
    if let Some(command) = server {
        let command = Value::from(command);
        block.push_str(&format!("[language-server.{NAME}]\ncommand = {command}\n"));
        block.push_str("args = [\"serve\"]\n");
    }
    for (language, servers) in languages {
        let servers = list(servers);
        block.push_str(&format!("\n[[language]]\nname = \"{language}\"\n{SERVERS} = {servers}\n"));
    }
    block.push_str(END);
    block.push('\n');
    block
}

/// Helix's servers and keyside, in a line.
fn list(own: &[&str]) -> Array {
    own.iter().copied().chain([NAME]).collect()
}

/// # Errors
/// Where it is not known which servers Helix has for it.
fn known(language: &str) -> Result<&'static [&'static str], String> {
    own_servers(language).ok_or_else(|| {
        format!(
            "has no `{SERVERS}` of the language {language}, and those of Helix are not known here; \
             write them there, then run this again"
        )
    })
}

/// The tables of languages.
///
/// # Errors
/// Where they are written as one value.
fn tables(document: &mut DocumentMut) -> Result<impl Iterator<Item = &mut Table>, String> {
    let tables = match document.get_mut("language") {
        None => None,
        Some(Item::ArrayOfTables(tables)) => Some(tables.iter_mut()),
        Some(_) => {
            return Err("does not have its languages as tables; write each as [[language]], \
                        nothing was changed"
                .to_owned());
        }
    };
    Ok(tables.into_iter().flatten())
}

/// The table of a language, where it has one: that with its servers, where it has several.
fn table_of<'a>(
    document: &'a mut DocumentMut,
    language: &str,
) -> Result<Option<&'a mut Table>, String> {
    let named = |table: &&mut Table| table.get("name").and_then(Item::as_str) == Some(language);
    Ok(tables(document)?.filter(named).max_by_key(|it| it.contains_key(SERVERS)))
}

/// Adds keyside to a table of the user's own; returns whether that was needed.
fn add_to(table: &mut Table, language: &str) -> Result<bool, String> {
    match table.get_mut(SERVERS) {
        None => {
            let mut servers = Value::Array(list(known(language)?));
            servers.decor_mut().set_suffix(WRITTEN);
            table.insert(SERVERS, Item::Value(servers));
            Ok(true)
        }
        Some(servers) => {
            let servers = servers.as_array_mut().ok_or_else(|| {
                format!(
                    "has no list in `{SERVERS}` of {language}; make it one, nothing was changed"
                )
            })?;
            if servers.iter().any(is_keyside) {
                return Ok(false);
            }
            append(servers);
            Ok(true)
        }
    }
}

/// A server is named, or a table with its name and its features.
fn is_keyside(server: &Value) -> bool {
    let name = server.as_inline_table().and_then(|it| it.get("name")).unwrap_or(server);
    name.as_str() == Some(NAME)
}

/// Takes out lists that were written into tables of the user's own; of one that somebody has
/// changed, keyside alone. Returns whether there were any.
fn take_out_written(document: &mut DocumentMut) -> Result<bool, String> {
    let mut is_changed = false;
    for table in tables(document)? {
        let own = table.get("name").and_then(Item::as_str).and_then(own_servers);
        let Some(servers) = table.get_mut(SERVERS).and_then(Item::as_array_mut) else { continue };
        if text_of(servers.decor().suffix()) != WRITTEN {
            continue;
        }
        is_changed = true;
        let is_own = |it: &Value| {
            let name = it.as_str();
            is_keyside(it) || own.is_some_and(|own| own.iter().any(|own| Some(*own) == name))
        };
        if servers.iter().all(is_own) {
            table.remove(SERVERS);
        } else {
            servers.decor_mut().set_suffix("");
            remove_from(servers);
        }
    }
    Ok(is_changed)
}

fn text_of(raw: Option<&RawString>) -> String {
    raw.and_then(RawString::as_str).unwrap_or_default().to_owned()
}

/// From the last line break on: the indentation of what stands in a line of its own.
fn last_line(blanks: &str) -> &str {
    blanks.rfind('\n').map_or(blanks, |at| &blanks[at..])
}

/// Adds keyside to the end of a list as the list is written: in its line, or in a line of its own.
/// A comment behind the last entry stays behind it.
fn append(servers: &mut Array) {
    let mut new = Value::from(NAME);
    let n = servers.len();
    let Some(last) = n.checked_sub(1).and_then(|it| servers.get(it)) else {
        servers.push_formatted(new);
        return;
    };
    let before = text_of(last.decor().prefix());
    let behind = match servers.trailing_comma() {
        true => text_of(Some(servers.trailing())),
        false => text_of(last.decor().suffix()),
    };
    let indentation = if before.contains('\n') { last_line(&before) } else { " " };
    let comment = behind.strip_suffix(last_line(&behind)).unwrap_or_default();
    let prefix = format!("{comment}{indentation}");
    let closing = if behind.contains('\n') { last_line(&behind) } else { &behind };
    new.decor_mut().set_prefix(prefix);
    if servers.trailing_comma() {
        let closing = closing.to_owned();
        servers.set_trailing(closing);
    } else {
        new.decor_mut().set_suffix(closing);
        if let Some(last) = servers.get_mut(n - 1) {
            last.decor_mut().set_suffix("");
        }
    }
    servers.push_formatted(new);
}

/// Takes keyside out of a list; returns whether it was there. What stood before it, a comment
/// perhaps, goes to what comes after it.
fn remove_from(servers: &mut Array) -> bool {
    let mut is_changed = false;
    loop {
        let found = servers.iter().position(is_keyside);
        let Some(at) = found else { return is_changed };
        is_changed = true;
        let removed = servers.remove(at);
        let before = text_of(removed.decor().prefix());
        let comment = before.strip_suffix(last_line(&before)).unwrap_or_default();
        let n = servers.len();
        if let Some(next) = servers.get_mut(at) {
            let own = text_of(next.decor().prefix());
            let own = if at == 0 && !own.contains('\n') { "" } else { own.as_str() };
            let prefix = format!("{comment}{own}");
            next.decor_mut().set_prefix(prefix);
        } else if servers.trailing_comma() {
            let trailing = format!("{comment}{}", text_of(Some(servers.trailing())));
            servers.set_trailing(trailing);
        } else if n > 0
            && let Some(last) = servers.get_mut(n - 1)
        {
            let suffix = format!("{comment}{}", text_of(removed.decor().suffix()));
            last.decor_mut().set_suffix(suffix);
        }
    }
}

#[cfg(test)]
mod tests;
