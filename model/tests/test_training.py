"""Tests of training: schedule, sharding, optimizer, checkpoint, growing, export. They need torch."""

import dataclasses
import importlib.util
import itertools
import os
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))

from pipeline import schedule  # noqa: E402
from pipeline.settings import SETTINGS, EvaluationSettings  # noqa: E402

HAS_TORCH = bool(importlib.util.find_spec("torch") and importlib.util.find_spec("gguf"))
if HAS_TORCH:
    import torch

    from pipeline import checkpoint, export, network, optimizer, sharding, train, trainer

    SMALL = network.Shape(64, 32, 2, 2, 1, 64, n_context=16)


class Schedule(unittest.TestCase):
    """The learning rate over a training."""

    def rates(self, decay: float, resumed_at: float = 0.0, n: int = 1000) -> list[float]:
        """After the warm-up, at `n` moments from the start to the end."""
        step = schedule.WARM_UP_STEPS
        return [schedule.learning_rate(i / n, resumed_at, step, decay) for i in range(n + 1)]

    def test_it_is_constant_and_then_falls_to_a_fiftieth(self):
        rates = self.rates(0.45)
        self.assertEqual(set(rates[:550]), {1.0})
        self.assertTrue(all(a >= b for a, b in itertools.pairwise(rates)))
        self.assertEqual(rates[-1], schedule.LEAST_RATE)
        self.assertAlmostEqual(rates[775], 0.5, places=6)

    def test_it_falls_all_the_time_with_a_decay_of_one(self):
        self.assertAlmostEqual(self.rates(1.0)[500], 0.5, places=6)

    def test_an_extended_training_is_constant_again_before_it_falls(self):
        rates = self.rates(0.5, resumed_at=0.6)
        self.assertEqual(set(rates[600:799]), {1.0})
        self.assertAlmostEqual(rates[900], 0.5, places=6)

    def test_it_warms_up(self):
        warm_up = [schedule.learning_rate(0.1, 0.0, step, 0.45) for step in range(200)]
        self.assertEqual(warm_up[0], 1 / schedule.WARM_UP_STEPS)
        self.assertEqual(warm_up[49], 0.5)
        self.assertEqual(set(warm_up[99:]), {1.0})


class CommandLines(unittest.TestCase):
    """Settings as the commands read them."""

    def test_every_setting_is_one_that_training_understands(self):
        if not HAS_TORCH:
            self.skipTest("needs torch")
        for name, setting in SETTINGS.items():
            places = ["--text", "TEXT", "--out", "OUT"]
            parsed = train.arguments(places + setting.train.arguments())
            for field in dataclasses.fields(setting.train):
                value = getattr(setting.train, field.name)
                if value is not None:
                    self.assertEqual(getattr(parsed, field.name), value, (name, field.name))

    def test_a_try_is_small_and_keeps_the_network(self):
        for setting in SETTINGS.values():
            tried = setting.train.for_a_try(2)
            self.assertEqual((tried.steps, tried.rows), (2, 1))
            self.assertEqual(tried.layers, setting.train.layers)
            self.assertEqual(tried.processes, 1 if setting.train.loaders else None)

    def test_what_is_none_is_left_to_the_command(self):
        self.assertEqual(EvaluationSettings(7).arguments(), ["--cases", "7"])
        all_of_it = EvaluationSettings(7, 0, 3).arguments()
        self.assertEqual(all_of_it, ["--cases", "7", "--blocks", "0", "--typed", "3"])


@unittest.skipUnless(HAS_TORCH, "needs the packages torch and gguf")
class Sharding(unittest.TestCase):
    """Parameters in one flat vector."""

    def test_slots_are_all_parameters_one_after_the_other(self):
        model = network.Network(SMALL)
        layout = sharding.Layout(model, 3)
        self.assertEqual(layout.size, sum(p.numel() for p in model.parameters()))
        end = 0
        for slot, (name, p) in zip(layout.slots, model.named_parameters(), strict=True):
            self.assertEqual((slot.name, slot.shape, slot.start), (name, tuple(p.shape), end))
            is_muons = p.ndim == 2 and not name.startswith("token_embd")
            self.assertEqual(slot.is_matrix, is_muons)
            end += slot.size
        flat = torch.arange(layout.size).float()
        self.assertTrue(torch.equal(torch.cat([v.flatten() for v in layout.views(flat)]), flat))

    def test_each_process_gets_about_as_much_of_the_matrices(self):
        layout = sharding.Layout(network.Network(network.Shape(64, 64, 6, 2, 1, 128)), 2)
        load = [0, 0]
        for slot in layout.slots:
            if slot.is_matrix:
                load[slot.owner] += slot.size * min(slot.shape)
        self.assertLess(abs(load[0] - load[1]), 0.1 * sum(load))


@unittest.skipUnless(HAS_TORCH, "needs the packages torch and gguf")
class Optimizer(unittest.TestCase):
    """Muon and Adam."""

    def test_a_direction_is_nearly_orthogonal(self):
        torch.manual_seed(1)
        for shape in ((24, 24), (48, 16), (16, 48)):
            direction = optimizer.orthogonalized(torch.randn(shape), torch.float32)
            singular = torch.linalg.svdvals(direction)
            self.assertEqual(direction.shape, shape)
            self.assertTrue(bool(((singular > 0.6) & (singular < 1.3)).all()), singular)

    def state(self, layout, n_processes: int, gradients: "torch.Tensor"):
        """A state with the same random weights each time; the processes' gradients sum to the
        given."""
        state = optimizer.OptimizerState.zeros(layout.size, n_processes, torch.zeros)
        state.weights.copy_(torch.randn(layout.size, generator=torch.Generator().manual_seed(2)))
        state.gradients.copy_(gradients.expand(n_processes, -1) / n_processes)
        return state

    def test_processes_together_do_what_one_does_alone(self):
        model = network.Network(SMALL)
        results = []
        for n_processes in (1, 3):
            layout = sharding.Layout(model, n_processes)
            generator = torch.Generator().manual_seed(3)
            gradients = torch.randn(1, layout.size, generator=generator)
            state = self.state(layout, n_processes, gradients)
            before = state.weights.clone()
            for number in (1, 2):
                for rank in range(n_processes):
                    optimizer.ShardedOptimizer(
                        layout, rank, n_processes, state, 0.02, torch.float32
                    ).step(0.5, number)
            self.assertTrue(bool((state.weights != before).all()), "every weight is updated")
            results.append(state.weights)
        torch.testing.assert_close(*results, rtol=1e-4, atol=1e-5)

    def test_a_step_goes_against_the_gradient(self):
        layout = sharding.Layout(network.Network(SMALL), 1)
        state = self.state(layout, 1, torch.zeros(1, layout.size))
        state.weights.zero_()
        state.gradients.fill_(1.0)
        optimizer.ShardedOptimizer(layout, 0, 1, state, 0.02, torch.float32).step(1.0, 1)
        for slot in layout.slots:
            change = state.weights[slot.start : slot.start + slot.size]
            self.assertLess(float(change.sum()), 0, slot.name)


@unittest.skipUnless(HAS_TORCH, "needs the packages torch and gguf")
class Checkpoints(unittest.TestCase):
    """What is kept between runs."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = f"{folder.name}/checkpoint.pt"
        self.gguf = f"{folder.name}/model.gguf"

    def saved(self, shape) -> "network.Network":
        """A network whose weights are in a checkpoint."""
        model = network.Network(shape)
        model.initialise(4)
        layout = sharding.Layout(model, 1)
        state = optimizer.OptimizerState.zeros(layout.size, 1, torch.zeros)
        for view, p in zip(layout.views(state.weights), model.parameters(), strict=True):
            view.copy_(p.detach())
        state.second_moment.fill_(0.5)
        progress = checkpoint.Progress(step=7, seconds=3.5, tokens=99, total_seconds=60)
        checkpoint.save(self.path, state, shape, progress)
        return model

    def test_what_is_saved_comes_back(self):
        self.assertIsNone(checkpoint.load(self.path))
        model = self.saved(SMALL)
        kept = checkpoint.load(self.path)
        self.assertEqual(network.Shape(**kept["shape"]), SMALL)
        layout = sharding.Layout(model, 2)
        state = optimizer.OptimizerState.zeros(layout.size, 2, torch.zeros)
        progress = checkpoint.restore(kept, state)
        self.assertEqual((progress.step, progress.seconds, progress.tokens), (7, 3.5, 99))
        for view, p in zip(layout.views(state.weights), model.parameters(), strict=True):
            self.assertTrue(torch.equal(view, p))
        self.assertEqual(set(state.second_moment.tolist()), {0.5})
        self.assertEqual(os.listdir(os.path.dirname(self.path)), ["checkpoint.pt"])

    def test_export_reads_the_weights_by_name(self):
        model = self.saved(SMALL)
        shape, tensors = export.read_checkpoint(self.path)
        self.assertEqual(shape, SMALL)
        for name, p in model.named_parameters():
            self.assertTrue((tensors[name] == p.detach().numpy()).all(), name)

    def written_gguf(self) -> "network.Network":
        """A network that is in a GGUF, as F16."""
        import gguf

        model = self.saved(SMALL)
        writer = gguf.GGUFWriter(self.gguf, "llama")
        export.write_metadata(writer, SMALL, "test", "F16")
        for name, values in export.read_checkpoint(self.path)[1].items():
            export.write_tensor(writer, name, values, "F16")
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return model

    def test_a_network_that_grew_computes_what_the_smaller_one_does(self):
        small = self.written_gguf()
        grown = network.Network(dataclasses.replace(SMALL, n_layers=5))
        grown.initialise(9)
        checkpoint.grow_from(grown, self.gguf)
        tokens = torch.arange(12).view(1, 12)
        with torch.no_grad():
            torch.testing.assert_close(grown(tokens), small(tokens), rtol=2e-2, atol=2e-2)

    def test_a_network_cannot_shrink_or_change_its_width(self):
        self.written_gguf()
        for change in ({"n_layers": 1}, {"d_ffn": 96}):
            other = network.Network(dataclasses.replace(SMALL, **change))
            with self.assertRaises(SystemExit):
                checkpoint.grow_from(other, self.gguf)


@unittest.skipUnless(HAS_TORCH, "needs the packages torch and gguf")
class TrainingClock(unittest.TestCase):
    """Training time."""

    def test_neither_compiling_nor_a_pause_counts(self):
        clock = trainer.Clock(100.0)
        clock.add(50.0)  # compiles
        self.assertEqual(clock.of_this_run(), 0)
        for _ in range(9):
            clock.add(1.0)
        clock.add(3600.0)  # the machine slept
        self.assertAlmostEqual(clock.of_this_run(), 9 + 3)
        self.assertAlmostEqual(clock.seconds, 112)


if __name__ == "__main__":
    unittest.main()
