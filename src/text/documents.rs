//! The one writer of documents, and the immutable [`World`] that everybody else reads.
//!
//! [`Documents`] belongs to the ingress alone, which applies edits in wire order and takes the
//! world for each request at the same time. A request reads one world and never the documents, so
//! what it sees can't change under it. Taking a world copies one pointer; an edit copies the map
//! only while a world is still out, and never the text (ropes share it).

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ropey::Rope;

use crate::text::edit::{Change, apply};
use crate::text::position::{PositionEncoding, place};
use crate::text::uri::{canonical, file_path};

/// One open document as it was at one version.
#[derive(Debug, Clone)]
pub struct Document {
    /// As its editor spells it.
    pub uri: Arc<str>,
    /// The one spelling, by which documents are told apart.
    pub key: Arc<str>,
    /// The file that its URI names, or would name once it is saved (see [`file_path`]).
    pub file: Option<Arc<Path>>,
    pub language_id: Arc<str>,
    /// The latest that the editor has told.
    pub version: i32,
    /// What the version of the next edit of a range has to be above; `None`: the whole text came
    /// without a version.
    above: Option<i32>,
    /// Different after each change, of whatever document.
    pub revision: u64,
    pub rope: Rope,
    /// Where the latest change took characters away and put none there, as an index of a character.
    pub deleted_at: Option<usize>,
    /// An edit could not be followed, so the text is no longer the editor's. It is known again when
    /// the editor sends the whole text.
    pub lost: bool,
}

impl Document {
    /// A document that was opened just now.
    pub fn new(uri: &str, language_id: &str, version: Option<i32>, text: &str) -> Self {
        Self {
            uri: uri.into(),
            key: canonical(uri).into(),
            file: file_path(uri).map(Arc::from),
            language_id: language_id.into(),
            version: version.unwrap_or_default(),
            above: version,
            revision: 0,
            rope: Rope::from_str(text),
            deleted_at: None,
            lost: false,
        }
    }

    /// Whether its text is a file's, rather than something that is made of one or that will be one.
    pub fn is_file(&self) -> bool {
        self.key.starts_with("file:")
    }
}

/// All open documents as they were when a request arrived.
#[derive(Debug, Clone, Default)]
pub struct World {
    documents: Arc<HashMap<Arc<str>, Arc<Document>>>,
    pub encoding: PositionEncoding,
    /// Rises with each world that was taken: of two requests, the one with the higher number came
    /// later.
    pub arrival: u64,
}

impl World {
    /// The document, or `None` where the editor has not opened it.
    pub fn document(&self, uri: &str) -> Option<Arc<Document>> {
        // Nearly all editors spell it so already.
        let spelled_so = self.documents.get(uri);
        spelled_so.or_else(|| self.documents.get(&*canonical(uri))).cloned()
    }

    /// Whether there is a document of this key.
    pub fn is_open(&self, key: &str) -> bool {
        self.documents.contains_key(key)
    }

    /// All of them.
    pub fn documents(&self) -> impl Iterator<Item = &Arc<Document>> {
        self.documents.values()
    }

    /// The files whose texts are open.
    pub fn open_files(&self) -> impl Iterator<Item = Arc<Path>> {
        let files = self.documents.values().filter(|it| it.is_file());
        files.filter_map(|it| it.file.clone())
    }

    /// The other documents in this document's language, those in the nearest folders first, at most
    /// `n`.
    pub fn others(&self, document: &Document, n: usize) -> Vec<Arc<Document>> {
        let usable = |it: &&Arc<Document>| {
            it.key != document.key && it.language_id == document.language_id && !it.lost
        };
        let mut others: Vec<Arc<Document>> =
            self.documents.values().filter(usable).cloned().collect();
        let shared = |it: &Arc<Document>| {
            it.key.bytes().zip(document.key.bytes()).take_while(|(a, b)| a == b).count()
        };
        others.sort_by(|a, b| shared(b).cmp(&shared(a)).then_with(|| a.key.cmp(&b.key)));
        others.truncate(n);
        others
    }
}

/// Why a notification about a document was not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DocumentError {
    /// An edit or a close of a document that was never opened.
    NotOpen { uri: String },
    /// An edit that can't be read. The document was in step until then and is lost now.
    Unreadable { uri: String },
    /// An edit of a range whose version is not above the version at hand, or that has none. The
    /// document was in step until then and is lost now.
    OutOfOrder { uri: String, at_hand: i32, received: Option<i32> },
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SO: &str = "so nothing is suggested in it; close and reopen the file";
        match self {
            Self::NotOpen { uri } => {
                write!(f, "{uri} is not open, so its edit was ignored; close and reopen the file")
            }
            Self::Unreadable { uri } => write!(f, "an edit of {uri} could not be read, {SO}"),
            Self::OutOfOrder { uri, at_hand, received: Some(received) } => {
                write!(
                    f,
                    "an edit of {uri} to version {received} came after version {at_hand}, {SO}"
                )
            }
            Self::OutOfOrder { uri, received: None, .. } => {
                write!(f, "an edit of {uri} came without a version, {SO}")
            }
        }
    }
}

impl std::error::Error for DocumentError {}

/// Each document as it is now: for work that takes so long that its own world is old when it is
/// done. Locked for a look.
#[derive(Debug, Clone, Default)]
pub struct Newest(Arc<Mutex<Now>>);

#[derive(Debug, Default)]
struct Now {
    texts: HashMap<Arc<str>, (i32, Rope)>,
    n_changes: u64,
}

impl Newest {
    /// The newest version and its text, or `None` where the document is not open any more, or not
    /// known.
    pub fn of(&self, uri: &str) -> Option<(i32, Rope)> {
        self.lock().texts.get(&*canonical(uri)).cloned()
    }

    /// Rises with each change of any document.
    pub fn n_changes(&self) -> u64 {
        self.lock().n_changes
    }

    fn set(&self, document: &Document) {
        let mut now = self.lock();
        now.n_changes += 1;
        if document.lost {
            now.texts.remove(&document.key);
        } else {
            now.texts.insert(Arc::clone(&document.key), (document.version, document.rope.clone()));
        }
    }

    fn forget(&self, key: &str) {
        self.lock().texts.remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writer.
#[derive(Debug, Default)]
pub struct Documents {
    world: World,
    newest: Newest,
    n_changes: u64,
}

impl Documents {
    /// A writer that keeps `newest` up to date.
    pub fn with_newest(newest: Newest) -> Self {
        Self { newest, ..Self::default() }
    }

    /// Sets what columns count; done once, when the session begins.
    pub fn set_encoding(&mut self, encoding: PositionEncoding) {
        self.world.encoding = encoding;
    }

    /// The documents as they are now.
    pub fn world(&mut self) -> World {
        self.world.arrival += 1;
        self.world.clone()
    }

    /// Takes in a document. One that is open already is replaced, which is what its editor must
    /// mean. Without a text it is lost from the start.
    pub fn open(&mut self, uri: &str, language_id: &str, version: Option<i32>, text: Option<&str>) {
        self.n_changes += 1;
        let document = Document {
            revision: self.n_changes,
            lost: text.is_none(),
            ..Document::new(uri, language_id, version, text.unwrap_or_default())
        };
        self.newest.set(&document);
        Arc::make_mut(&mut self.world.documents)
            .insert(Arc::clone(&document.key), Arc::new(document));
    }

    /// Applies the changes of one notification; `None` is one that can't be read, and makes the
    /// document lost.
    ///
    /// A whole text is applied whatever its version, and whatever stands before it: it depends on
    /// nothing. An edit of a range was made against one text, and whether that is the one at hand
    /// only the version tells. If it does not rise, an edit was lost, came twice or came late;
    /// applied, it might be wrong from then on, silently. So the document is lost, until the next
    /// whole text.
    ///
    /// # Errors
    /// [`DocumentError::NotOpen`], or why the document is lost from now on. What is lost already is
    /// no error.
    pub fn change(
        &mut self,
        uri: &str,
        version: Option<i32>,
        changes: &[Option<Change>],
    ) -> Result<(), DocumentError> {
        let encoding = self.world.encoding;
        let key = canonical(uri);
        let not_open = || DocumentError::NotOpen { uri: uri.to_owned() };
        let documents = Arc::make_mut(&mut self.world.documents);
        let document = Arc::make_mut(documents.get_mut(&*key).ok_or_else(not_open)?);
        let is_whole = |it: &Option<Change>| it.as_ref().is_some_and(|it| it.range.is_none());
        let last_whole = changes.iter().rposition(is_whole);
        let changes = &changes[last_whole.unwrap_or_default()..];
        let rises = match (version, document.above) {
            (Some(version), Some(above)) => version > above,
            (version, _) => version.is_some(),
        };
        let fault = if changes.contains(&None) {
            Some(DocumentError::Unreadable { uri: uri.to_owned() })
        } else if last_whole.is_none() && !rises && !changes.is_empty() {
            let (at_hand, received) = (document.version, version);
            Some(DocumentError::OutOfOrder { uri: uri.to_owned(), at_hand, received })
        } else {
            None
        };
        let was_lost = document.lost;
        document.lost = fault.is_some() || (was_lost && last_whole.is_none());
        if !document.lost {
            for change in changes.iter().flatten() {
                apply(&mut document.rope, change, encoding);
            }
            let last = changes.last().and_then(Option::as_ref);
            let range = last.filter(|it| it.text.is_empty()).and_then(|it| it.range);
            document.deleted_at = range
                .filter(|it| it.start != it.end)
                .map(|it| place(&document.rope, it.start.min(it.end), encoding).char_index);
        }
        if last_whole.is_some() || rises {
            document.version = version.unwrap_or(document.version);
            document.above = version;
        }
        self.n_changes += 1;
        document.revision = self.n_changes;
        self.newest.set(document);
        match fault {
            Some(fault) if !was_lost => Err(fault),
            _ => Ok(()),
        }
    }

    /// Notes that an edit of the document could not be read at all.
    ///
    /// # Errors
    /// [`DocumentError::NotOpen`], or [`DocumentError::Unreadable`] where it was in step until now.
    pub fn lose(&mut self, uri: &str) -> Result<(), DocumentError> {
        self.change(uri, None, &[None])
    }

    /// Whether the text of an open document is not known.
    pub fn is_lost(&self, uri: &str) -> bool {
        self.world.document(uri).is_some_and(|it| it.lost)
    }

    /// Forgets a document and frees its text.
    ///
    /// # Errors
    /// [`DocumentError::NotOpen`].
    pub fn close(&mut self, uri: &str) -> Result<(), DocumentError> {
        let key = canonical(uri);
        self.newest.forget(&key);
        match Arc::make_mut(&mut self.world.documents).remove(&*key) {
            Some(_) => Ok(()),
            None => Err(DocumentError::NotOpen { uri: uri.to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests;
