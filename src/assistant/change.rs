//! What an answer makes of a document: its code in the place of what was asked about, checked, with
//! the secrets where they were.

use std::ops::Range;

use crate::assistant::CloudRequest;
use crate::assistant::apply::{self, Edit, NotApplied};
use crate::assistant::gather::Gathered;
use crate::assistant::put_back::{PutBack, RangeOf, put_back};
use crate::remote::outbound::Prepared;
use crate::syntax;

/// What an answer makes of a document.
#[derive(Debug)]
pub struct Changed {
    pub text: String,
    pub edits: Vec<Edit>,
    /// Where the answer's code stands in the text.
    pub new_lines: Range<usize>,
    /// Why it is not to be put in, although it is code: as a part of a sentence. Then placeholders
    /// stand in the text.
    pub withheld: Option<String>,
}

impl Gathered {
    /// What an answer makes of a document, in which what was asked about stands at `target`.
    ///
    /// # Errors
    /// Where the answer is no code that could stand there.
    pub fn change(
        &self,
        asked: &CloudRequest,
        request: &Prepared,
        text: &str,
        target: Range<usize>,
        answer: &str,
    ) -> Result<Changed, NotApplied> {
        let language = &asked.language_id;
        let code = apply::code_of(answer, language)?;
        // The document as the model saw it: what it left as it is has to be the same.
        let hidden = request.target();
        let (before, after) = (&text[..target.start], &text[target.end..]);
        let hidden_text = [before, hidden, after].concat();
        let hidden_target = target.start..target.start + hidden.len();
        let replaced =
            apply::replaced(&hidden_text, hidden_target.clone(), hidden, &code, language)?;
        let PutBack { text: changed, withheld } = put_back(
            request.secrets(),
            language,
            RangeOf { text: &hidden_text, range: &hidden_target },
            RangeOf { text: &replaced.text, range: &replaced.new },
        );
        let n_errors = |text: &str| syntax::parse(language, text).map(|it| it.error_count());
        if let Some(before) = n_errors(text).filter(|_| withheld.is_none()) {
            let after = n_errors(&changed).ok_or(NotApplied::Unchecked)?;
            apply::has_no_new_errors(before, after)?;
        }
        let n_after = hidden_text.len() - replaced.old.end;
        let new_lines = replaced.old.start..changed.len() - n_after;
        let edits = apply::minimal_edits(text, &changed);
        Ok(Changed { text: changed, edits, new_lines, withheld })
    }
}
