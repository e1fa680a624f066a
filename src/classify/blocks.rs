//! The blocks of features, side by side, each with how much it counts.

use crate::classify::static_table::StaticTable;
use crate::classify::terms::{SparseRow, TermIndex, WordSpans};

/// How much each block counts: factors of rows that have length 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BlockWeights {
    pub terms: f32,
    pub dense: f32,
}

/// What features a text has; made from the examples' texts.
#[derive(Debug)]
pub struct FeatureBlocks {
    terms: TermIndex,
    pub weights: BlockWeights,
}

/// The features of a text.
#[derive(Debug, Clone, Default)]
pub struct FeatureRow {
    pub terms: SparseRow,
    /// Empty where the block counts for nothing.
    pub dense: Vec<f32>,
}

impl FeatureRow {
    /// Weighs a row whose blocks count 1 each.
    pub fn weigh(&mut self, weights: BlockWeights) {
        self.terms.iter_mut().for_each(|it| it.1 *= weights.terms);
        self.dense.iter_mut().for_each(|it| *it *= weights.dense);
    }
}

impl FeatureBlocks {
    /// The blocks of these examples; each counts 1.
    pub fn of(texts: &[&str], spans: WordSpans) -> Self {
        Self {
            terms: TermIndex::of(texts, spans),
            weights: BlockWeights { terms: 1.0, dense: 1.0 },
        }
    }

    pub fn n_term_columns(&self) -> usize {
        self.terms.n_columns()
    }

    /// The features of a text, with the weights of their blocks.
    pub fn row(&self, text: &str) -> FeatureRow {
        // Where a block counts for nothing it is not worked out.
        let terms = if self.weights.terms > 0.0 { self.terms.row(text) } else { Vec::new() };
        let table = StaticTable::embedded().filter(|_| self.weights.dense > 0.0);
        let dense = table.map_or_else(Vec::new, |it| it.vector(text));
        let mut row = FeatureRow { terms, dense };
        row.weigh(self.weights);
        row
    }
}
