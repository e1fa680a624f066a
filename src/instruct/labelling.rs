//! The words in which an instruct model is asked for one of some labels.

use std::fmt::Write;

/// A label, with what it means where somebody wrote that.
#[derive(Debug, Clone, Copy)]
pub struct NamedLabel<'a> {
    pub name: &'a str,
    pub description: &'a str,
}

/// Texts that say nothing. What a model makes of them is how much it likes each label whatever the
/// text: Zhao et al. 2021, "Calibrate Before Use", arXiv:2102.09690.
pub const CONTENT_FREE: [&str; 3] = ["N/A", "[MASK]", "..."];

/// What is the same for all texts. `more` is what a person adds; `examples` are texts with the
/// names of their labels.
pub fn labelling_instruction(
    labels: &[NamedLabel<'_>],
    more: Option<&str>,
    examples: &[(&str, &str)],
) -> String {
    let mut words = "Say which label the text has. Answer with one of these labels and nothing \
                     else:"
        .to_owned();
    for NamedLabel { name, description } in labels {
        let colon = if description.is_empty() { "" } else { ": " };
        let _ = write!(words, "\n- {name}{colon}{description}");
    }
    if let Some(more) = more {
        let _ = write!(words, "\n{}", more.trim());
    }
    for (text, label) in examples {
        let _ = write!(words, "\n\nText: {}\nLabel: {label}", text.trim());
    }
    words
}

/// Probabilities without what the model likes anyway: each divided by its prior, adding up to 1.
pub fn without_priors(probabilities: &[f64], priors: &[f64]) -> Vec<f64> {
    // One that the model would never say is not made the likeliest by a rounding error.
    const LEAST_PRIOR: f64 = 1e-6;
    let mut shares: Vec<f64> = probabilities
        .iter()
        .zip(priors)
        .map(|(probability, prior)| probability / prior.max(LEAST_PRIOR))
        .collect();
    let sum: f64 = shares.iter().sum();
    let n = shares.len() as f64;
    shares.iter_mut().for_each(|it| *it = if sum > 0.0 { *it / sum } else { 1.0 / n });
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_instruction_names_each_label() {
        let label = |name, description| NamedLabel { name, description };
        let labels = [label("bug", "it crashes"), label("✨ new", "")];
        assert_eq!(
            labelling_instruction(&labels, Some(" Be quick. "), &[("it hangs\n", "bug")]),
            "Say which label the text has. Answer with one of these labels and nothing else:\n\
             - bug: it crashes\n- ✨ new\nBe quick.\n\nText: it hangs\nLabel: bug"
        );
    }

    #[test]
    fn what_the_model_likes_anyway_counts_for_nothing() {
        let found = without_priors(&[0.8, 0.2], &[0.8, 0.2]);
        assert!((found[0] - 0.5).abs() < 1e-12, "{found:?}");
        let found = without_priors(&[0.6, 0.4], &[0.9, 0.1]);
        assert!(found[1] > 0.85 && (found[0] + found[1] - 1.0).abs() < 1e-12, "{found:?}");
        assert_eq!(without_priors(&[0.0, 0.0], &[0.5, 0.5]), [0.5, 0.5]);
    }
}
