//! The one writer of documents, and the immutable [`World`] that everybody else reads.
//!
//! [`Documents`] belongs to the ingress alone, which applies edits in wire order and takes the world
//! for each request in the same breath. A request reads one world and never the documents, so what it
//! sees can't change under it. Taking a world copies one pointer; an edit copies the map only while a
//! world is still out, and never the text (ropes share it).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ropey::Rope;

use crate::text::edit::{Change, apply};
use crate::text::position::PositionEncoding;

/// One open document as it was at one version.
#[derive(Debug, Clone)]
pub struct Document {
    pub uri: Arc<str>,
    pub language_id: Arc<str>,
    pub version: i32,
    pub rope: Rope,
    /// An edit could not be followed, so the text is no longer the editor's. It is known again when the
    /// editor sends the whole text.
    pub lost: bool,
}

/// All open documents as they were when a request arrived.
#[derive(Debug, Clone, Default)]
pub struct World {
    documents: Arc<HashMap<Arc<str>, Arc<Document>>>,
    pub encoding: PositionEncoding,
    /// Rises with each world that was taken: of two requests, the one with the higher number came later.
    pub arrival: u64,
}

impl World {
    /// The document, or `None` where the editor has not opened it.
    pub fn document(&self, uri: &str) -> Option<Arc<Document>> {
        self.documents.get(uri).cloned()
    }

    /// What is open, as URIs.
    pub fn uris(&self) -> impl Iterator<Item = &str> {
        self.documents.keys().map(AsRef::as_ref)
    }

    /// The other documents in this document's language, those in the nearest folders first, at most `n`.
    pub fn others(&self, document: &Document, n: usize) -> Vec<Arc<Document>> {
        let usable = |it: &&Arc<Document>| {
            it.uri != document.uri && it.language_id == document.language_id && !it.lost
        };
        let mut others: Vec<Arc<Document>> =
            self.documents.values().filter(usable).cloned().collect();
        let shared = |it: &Arc<Document>| {
            it.uri.bytes().zip(document.uri.bytes()).take_while(|(a, b)| a == b).count()
        };
        others.sort_by(|a, b| shared(b).cmp(&shared(a)).then_with(|| a.uri.cmp(&b.uri)));
        others.truncate(n);
        others
    }
}

/// Why a notification about a document was not followed. The documents are as they were before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DocumentError {
    /// An edit or a close of a document that was never opened.
    NotOpen { uri: String },
    /// An edit whose version is not above the version at hand.
    VersionWentBack { uri: String, at_hand: i32, received: i32 },
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOpen { uri } => {
                write!(f, "{uri} is not open, so its edit was ignored; close and reopen the file")
            }
            Self::VersionWentBack { uri, at_hand, received } => write!(
                f,
                "an edit of {uri} to version {received} came after version {at_hand} and was \
                 ignored; close and reopen the file if its text differs"
            ),
        }
    }
}

impl std::error::Error for DocumentError {}

/// Each document as it is now: for work that takes so long that its own world is old when it is done. Locked for a look.
#[derive(Debug, Clone, Default)]
pub struct Newest(Arc<Mutex<Now>>);

#[derive(Debug, Default)]
struct Now {
    texts: HashMap<Arc<str>, (i32, Rope)>,
    n_changes: u64,
}

impl Newest {
    /// The newest version and its text, or `None` where the document is not open any more, or not known.
    pub fn of(&self, uri: &str) -> Option<(i32, Rope)> {
        self.lock().texts.get(uri).cloned()
    }

    /// Rises with each change of any document.
    pub fn n_changes(&self) -> u64 {
        self.lock().n_changes
    }

    fn set(&self, document: &Document) {
        let mut now = self.lock();
        now.n_changes += 1;
        if document.lost {
            now.texts.remove(&document.uri);
        } else {
            now.texts.insert(Arc::clone(&document.uri), (document.version, document.rope.clone()));
        }
    }

    fn forget(&self, uri: &str) {
        self.lock().texts.remove(uri);
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

    /// Takes in a document. One that is open already is replaced, which is what its editor must mean.
    pub fn open(&mut self, uri: &str, language_id: &str, version: i32, text: &str) {
        let uri: Arc<str> = uri.into();
        let document = Document {
            uri: Arc::clone(&uri),
            language_id: language_id.into(),
            version,
            rope: Rope::from_str(text),
            lost: false,
        };
        self.newest.set(&document);
        Arc::make_mut(&mut self.world.documents).insert(uri, Arc::new(document));
    }

    /// Applies the changes of one notification, all or none.
    ///
    /// # Errors
    /// [`DocumentError::NotOpen`], or [`DocumentError::VersionWentBack`] where `version` is not above
    /// the one at hand: such an edit was made against a text that is no longer there.
    pub fn change(
        &mut self,
        uri: &str,
        version: i32,
        changes: &[Change],
    ) -> Result<(), DocumentError> {
        let encoding = self.world.encoding;
        let Some(at_hand) = self.world.documents.get(uri).map(|document| document.version) else {
            return Err(DocumentError::NotOpen { uri: uri.to_owned() });
        };
        if version <= at_hand {
            return Err(DocumentError::VersionWentBack {
                uri: uri.to_owned(),
                at_hand,
                received: version,
            });
        }
        if let Some(document) = Arc::make_mut(&mut self.world.documents).get_mut(uri) {
            let document = Arc::make_mut(document);
            for change in changes {
                document.lost &= change.range.is_some();
                if !document.lost {
                    apply(&mut document.rope, change, encoding);
                }
            }
            document.version = version;
            self.newest.set(document);
        }
        Ok(())
    }

    /// Notes that an edit of the document could not be followed.
    pub fn lose(&mut self, uri: &str) {
        if let Some(document) = Arc::make_mut(&mut self.world.documents).get_mut(uri) {
            Arc::make_mut(document).lost = true;
            self.newest.forget(uri);
        }
    }

    /// Forgets a document and frees its text.
    ///
    /// # Errors
    /// [`DocumentError::NotOpen`].
    pub fn close(&mut self, uri: &str) -> Result<(), DocumentError> {
        self.newest.forget(uri);
        match Arc::make_mut(&mut self.world.documents).remove(uri) {
            Some(_) => Ok(()),
            None => Err(DocumentError::NotOpen { uri: uri.to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::position::{LinePosition, LineRange};

    fn full(text: &str) -> Vec<Change> {
        vec![Change { range: None, text: text.to_owned() }]
    }

    #[test]
    fn a_world_does_not_change() {
        let newest = Newest::default();
        let mut documents = Documents::with_newest(newest.clone());
        documents.open("file:///a", "rust", 1, "one");
        let world = documents.world();
        documents.change("file:///a", 2, &full("two")).unwrap();
        assert_eq!(
            newest.of("file:///a").map(|it| (it.0, it.1.to_string())),
            Some((2, "two".to_owned()))
        );
        documents.close("file:///a").unwrap();
        assert!(newest.of("file:///a").is_none());
        assert_eq!(world.document("file:///a").unwrap().rope.to_string(), "one");
        assert!(documents.world().document("file:///a").is_none());
    }

    #[test]
    fn a_version_that_does_not_rise_is_refused() {
        let mut documents = Documents::default();
        documents.open("file:///a", "rust", 5, "one");
        for version in [5, 4, i32::MIN] {
            let refused = documents.change("file:///a", version, &full("two"));
            assert!(matches!(refused, Err(DocumentError::VersionWentBack { at_hand: 5, .. })));
        }
        assert_eq!(documents.world().document("file:///a").unwrap().rope.to_string(), "one");
    }

    #[test]
    fn a_lost_text_is_found_again_with_the_whole_text() {
        let mut documents = Documents::default();
        documents.open("file:///a", "rust", 1, "one");
        documents.lose("file:///a");
        let start = LinePosition { line: 0, column: 0 };
        let range = Some(LineRange { start, end: start });
        let typed = [Change { range, text: "x".to_owned() }];
        documents.change("file:///a", 2, &typed).unwrap();
        assert!(documents.world().document("file:///a").unwrap().lost);
        documents.change("file:///a", 3, &full("three")).unwrap();
        documents.change("file:///a", 4, &typed).unwrap();
        let document = documents.world().document("file:///a").unwrap();
        assert_eq!((document.lost, document.rope.to_string().as_str()), (false, "xthree"));
    }

    #[test]
    fn an_unknown_document_is_refused() {
        let mut documents = Documents::default();
        assert!(documents.change("file:///b", 1, &full("x")).is_err());
        assert!(documents.close("file:///b").is_err());
    }
}
