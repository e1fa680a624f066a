//! Labels of texts by the instruct model: the labels, their descriptions and the examples stay in
//! the KV cache, so that a text costs its own tokens and one evaluation. In the background lane it
//! gives way to any key.

use std::sync::Arc;

use crate::app::instruct::answers::{Answer, Answers};
use crate::app::instruct::{InUse, InstructModel};
use crate::classify::labels::LabelSet;
use crate::classify::{LabelProbabilities, LabelledText};
use crate::instruct::labelling::{CONTENT_FREE, NamedLabel, labelling_instruction, without_priors};
use crate::lm::{Lane, Token};

/// What the examples may take of the context; the rest is for texts.
const MAX_EXAMPLES_SHARE: f64 = 0.5;

/// One task, and the labels of texts by it.
pub struct LabelChooser {
    model: Arc<InstructModel>,
    lane: Lane,
    prefix: Vec<Token>,
    choices: Vec<Vec<Token>>,
    /// How likely each label is where the text says nothing.
    priors: Vec<f64>,
    /// Examples that there was no room for.
    pub n_examples_left_out: usize,
}

impl LabelChooser {
    /// Loads the model, has it read the task, and asks it what it thinks of texts that say nothing.
    /// Of examples, the last count most: where not all find room, the first are left out.
    ///
    /// # Errors
    /// One sentence: there is no model, or the labels leave no room for texts.
    pub async fn new(
        model: Arc<InstructModel>,
        lane: Lane,
        labels: &LabelSet,
        examples: &[LabelledText],
        more: Option<&str>,
    ) -> Result<Self, String> {
        let in_use = model.take().await?;
        let choices: Vec<Vec<Token>> =
            labels.iter().map(|it| in_use.info.tokens_of(&it.name)).collect();
        let shown = shown_examples(&in_use, examples);
        let named: Vec<NamedLabel<'_>> = labels
            .iter()
            .map(|it| NamedLabel { name: &it.name, description: &it.description })
            .collect();
        let pairs: Vec<(&str, &str)> =
            shown.iter().map(|it| (it.text.as_str(), labels.name(it.label))).collect();
        let instruction = labelling_instruction(&named, more, &pairs);
        let n_examples_left_out = examples.len() - shown.len();
        let longest = choices.iter().map(Vec::len).max().unwrap_or_default() + 1;
        let answers = Answers::new(in_use, lane.clone(), &instruction, longest)?;
        let mut priors = vec![0.0; choices.len()];
        for text in CONTENT_FREE {
            let found = answers.choose(text, &choices).await?.value;
            priors.iter_mut().zip(found).for_each(|(sum, it)| *sum += it);
        }
        priors.iter_mut().for_each(|it| *it /= CONTENT_FREE.len() as f64);
        let prefix = answers.into_prefix();
        Ok(Self { model, lane, prefix, choices, priors, n_examples_left_out })
    }

    /// The label of a text.
    ///
    /// # Errors
    /// One sentence, or the end of one that begins with the text's place.
    pub async fn choose(&self, text: &str) -> Result<Answer<LabelProbabilities>, String> {
        let in_use = self.model.take().await?;
        let longest = self.choices.iter().map(Vec::len).max().unwrap_or_default() + 1;
        let answers = Answers::with_prefix(in_use, self.lane.clone(), self.prefix.clone(), longest);
        let found = answers.choose(text, &self.choices).await?;
        let probabilities = without_priors(&found.value, &self.priors);
        let n_cut_chars = found.n_cut_chars;
        Ok(found.with(LabelProbabilities::of(probabilities, n_cut_chars, false)))
    }
}

/// As many of the last examples as find room, in their order.
fn shown_examples<'a>(in_use: &InUse, examples: &'a [LabelledText]) -> &'a [LabelledText] {
    let mut n_left = (in_use.info.n_context_tokens as f64 * MAX_EXAMPLES_SHARE) as usize;
    let mut n_shown = 0;
    for example in examples.iter().rev() {
        let words = "\n\nText: \nLabel: a label of some words";
        let n_tokens = in_use.info.tokens_of(&[words, &example.text].concat()).len();
        let Some(left) = n_left.checked_sub(n_tokens) else { break };
        (n_left, n_shown) = (left, n_shown + 1);
    }
    &examples[examples.len() - n_shown..]
}
