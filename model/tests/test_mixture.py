"""Tests of the mixture: that it is the one that the product computes, and that fitting it works.

`tests/fixtures/mixture` has positions that `keyside eval --positions` recorded, each with the
features, weights and probability that the product computed; the product's tests compare with the
same files.
"""

import contextlib
import importlib.util
import io
import json
import os
import sys
import tempfile
import unittest
from unittest import mock

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
FIXTURES = os.path.join(HERE, "..", "..", "tests", "fixtures", "mixture")
SHIPPED = os.path.join(HERE, "..", "keyside-mixture.json")

HAS_TORCH = bool(importlib.util.find_spec("torch"))
if HAS_TORCH:
    import torch

    from pipeline import fit_mixture, mixture, positions
    from pipeline.features import SCHEMA


def recorded() -> list[dict]:
    """The recorded positions."""
    return positions.read_rows(f"{FIXTURES}/positions.jsonl")


@unittest.skipUnless(HAS_TORCH, "needs the package torch")
class Parity(unittest.TestCase):
    """The product's features, weights and probabilities."""

    def test_features_have_the_products_scale(self):
        with open(f"{FIXTURES}/scale.json") as file:
            scale = json.load(file)
        n_checked = 0
        for group, rows in scale.items():
            features = getattr(SCHEMA, group)
            for row in rows:
                values = torch.tensor(row["values"])
                named = dict(zip(features.names, values, strict=True))
                scaled = features.scaled(**named)
                torch.testing.assert_close(scaled, torch.tensor(row["scaled"]))
                if group == "match":
                    self.assertEqual(SCHEMA.quantized(scaled).tolist(), row["quantized"])
                n_checked += 1
        self.assertGreaterEqual(n_checked, 20)

    @torch.no_grad() if HAS_TORCH else (lambda it: it)
    def test_recorded_positions(self):
        rows = recorded()
        self.assertGreaterEqual(len(rows), 100)
        part = positions.Positions(rows)
        index = torch.arange(len(part))
        with_model, without_model = mixture.read(SHIPPED)
        close = {"rtol": 1e-3, "atol": 2e-5}
        nothing_hidden = torch.zeros(len(part), dtype=bool)
        _, features, _ = with_model.attend(part, index, nothing_hidden)
        of_product = torch.tensor([r["attention"] for r in rows])
        torch.testing.assert_close(features, of_product, **close)
        predicted = with_model(part, index)
        weights = torch.tensor([r["weights"] for r in rows])
        torch.testing.assert_close(predicted.weights, weights, **close)
        alone = without_model(part, index).weights
        weights = torch.tensor([r["weights_without_model"] for r in rows])
        torch.testing.assert_close(alone, weights, **close)
        of_target = predicted.probabilities.gather(1, part.target[:, None])[:, 0]
        probability = torch.tensor([r["probability"] for r in rows])
        torch.testing.assert_close(of_target, probability, **close)

    def test_the_recorded_positions_are_of_all_kinds(self):
        rows = recorded()
        is_constrained = SCHEMA.model.index("is_constrained")
        for name, has in {
            "constrained": lambda r: r["model"][is_constrained] > 0,
            "not constrained": lambda r: r["model"][is_constrained] == 0,
            "contexts": lambda r: r["contexts"],
            "no contexts": lambda r: not r["contexts"],
            "n-grams": lambda r: r["ngrams"][1][0] > 0,
            "no n-grams": lambda r: r["ngrams"][0][0] == 0,
        }.items():
            self.assertGreaterEqual(sum(bool(has(r)) for r in rows), 3, name)
        part = positions.Positions(rows)
        of_other_text = part.match_features[:, SCHEMA.match.index("is_in_other_text")]
        self.assertGreater(int((of_other_text > 0).sum()), 20)


@unittest.skipUnless(HAS_TORCH, "needs the package torch")
class Mixtures(unittest.TestCase):
    """What a mixture may read, and what it gives."""

    def setUp(self):
        self.part = positions.Positions(recorded())
        self.index = torch.arange(len(self.part))

    @torch.no_grad() if HAS_TORCH else (lambda it: it)
    def weights(self, sources, **changes):
        """Of a new mixture of these sources."""
        torch.manual_seed(0)
        model = mixture.AttentionMixture(frozenset(sources), **changes)
        return model(self.part, self.index).weights

    def test_weights_sum_to_one_and_absent_components_have_none(self):
        weights = self.weights(mixture.ALL_SOURCES)
        torch.testing.assert_close(weights.sum(1), torch.ones(len(self.part)))
        no_contexts = self.part.n_contexts == 0
        heads = slice(1, 1 + SCHEMA.n_heads)
        self.assertEqual(float(weights[no_contexts, heads].sum()), 0)
        self.assertGreater(float(weights[~no_contexts, heads].min()), 0)

    def test_a_source_that_may_not_be_read_has_no_weight(self):
        ngrams = slice(1 + SCHEMA.n_heads, None)
        heads = slice(1, 1 + SCHEMA.n_heads)
        without = self.weights({"model", "document", "workspace"})
        self.assertEqual(float(without[:, ngrams].sum()), 0)
        self.assertEqual(float(self.weights({"model", "ngrams"})[:, heads].sum()), 0)
        # Fewer positions have a context in the document than in any text.
        n_with = [
            int((self.weights({"model", *texts})[:, 1] > 0).sum())
            for texts in (["document"], ["workspace"], ["document", "workspace"])
        ]
        self.assertLess(max(n_with[:2]), n_with[2])

    def test_sources_are_hidden_while_fitting_as_often_as_asked(self):
        torch.manual_seed(0)
        model = mixture.AttentionMixture()
        all_hidden = mixture.Dropout(workspace=1.0, ngrams=1.0)
        with torch.no_grad():
            hidden = model(self.part, self.index, all_hidden).weights
            model.sources = frozenset({"model", "document"})
            not_allowed = model(self.part, self.index).weights
        torch.testing.assert_close(hidden, not_allowed)

    def test_what_is_written_is_read_again(self):
        torch.manual_seed(0)
        with_model = mixture.AttentionMixture()
        without = mixture.AttentionMixture(mixture.ALL_SOURCES - {"model"}, with_model.attention)
        with tempfile.TemporaryDirectory() as folder:
            mixture.write(f"{folder}/mixture.json", with_model, without)
            pair = mixture.read(f"{folder}/mixture.json")
        for old, new in zip((with_model, without), pair, strict=True):
            with torch.no_grad():
                expected = old(self.part, self.index).probabilities
                got = new(self.part, self.index).probabilities
            torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-4)


@unittest.skipUnless(HAS_TORCH, "needs the package torch")
class Fitting(unittest.TestCase):
    """Fitting on the recorded positions."""

    def nats(self, model, part) -> float:
        """The cross-entropy of the right tokens."""
        with torch.no_grad():
            predicted = model(part, torch.arange(len(part))).probabilities
        of_target = predicted.gather(1, part.target[:, None])
        return float(-(of_target + fit_mixture.LEAST_PROBABILITY).log().mean())

    def test_a_fitted_mixture_is_better_than_a_random_one(self):
        part = positions.Positions(recorded())
        torch.manual_seed(0)
        random = self.nats(mixture.AttentionMixture(), part)
        with mock.patch.object(fit_mixture, "N_EPOCHS", 60):
            self.assertLess(self.nats(fit_mixture.fitted(part, mixture.ALL_SOURCES), part), random)

    def test_components_that_were_not_fitted_stay_silent(self):
        self.assertEqual(fit_mixture.silenced_components(mixture.ALL_SOURCES), [])
        self.assertEqual(fit_mixture.silenced_components({"model", "document"}), [3, 4])
        self.assertEqual(fit_mixture.silenced_components({"model", "ngrams"}), [1, 2])
        part = positions.Positions(recorded())
        with mock.patch.object(fit_mixture, "N_EPOCHS", 1):
            with_model, _ = fit_mixture.fit_to_ship(part, frozenset({"model", "document"}))
        with_model.sources = mixture.ALL_SOURCES
        with torch.no_grad():
            weights = with_model(part, torch.arange(len(part))).weights
        self.assertEqual(float(weights[:, 3:].sum()), 0)

    def test_the_command_writes_networks_that_the_product_reads(self):
        with tempfile.TemporaryDirectory() as folder:
            arguments = ["--positions", f"{FIXTURES}/positions.jsonl", "--out", f"{folder}/it.json"]
            with (
                mock.patch.object(fit_mixture, "N_EPOCHS", 1),
                mock.patch.object(sys, "argv", ["fit_mixture", *arguments]),
                contextlib.redirect_stdout(io.StringIO()) as printed,
            ):
                fit_mixture.main()
            with open(f"{folder}/it.json") as file, open(SHIPPED) as shipped:
                written, shipped = json.load(file), json.load(shipped)
        tables = [line for line in printed.getvalue().splitlines() if line.startswith("| ")]
        self.assertEqual(len(tables), 2 + len(fit_mixture.VARIANTS) + 5, printed.getvalue())

        def sizes(it):
            return {
                name: {layer: (len(rows), len(rows[0])) for layer, rows in layers.items()}
                for name, layers in it.items()
            }

        self.assertEqual(sizes(written), sizes(shipped))


if __name__ == "__main__":
    unittest.main()
