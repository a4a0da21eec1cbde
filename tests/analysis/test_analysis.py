#!/usr/bin/python3
"""The analysis package on a small results file whose every number is chosen here.

BF16 is one run a seed, known under both layer configs; seed 1 of E7M0/uniform diverged."""

import io
import json
import sys
import tempfile
import unittest
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import h5py
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "analysis"))

import plot  # noqa: E402
from altgrad_analysis import Results  # noqa: E402
from altgrad_analysis.plots import smooth  # noqa: E402

NAN = float("nan")
INDEX = [
    # id, format, layers, seed, status, val_loss
    ("a0", "BF16", "uniform", 0, "done", 2.0),
    ("a1", "BF16", "uniform", 1, "done", 2.2),
    ("b0", "E4M3", "uniform", 0, "done", 2.1),
    ("b1", "E4M3", "uniform", 1, "done", 2.4),
    ("c0", "E4M3", "mlp", 0, "done", 2.0),
    ("c1", "E4M3", "mlp", 1, "failed", NAN),
    ("d0", "E7M0", "uniform", 0, "done", 3.0),
    ("d1", "E7M0", "uniform", 1, "diverged", 9.0),
]
LABELS = [row[1:4] + row[:1] for row in INDEX]
LABELS += [("BF16", "mlp", 0, "a0"), ("BF16", "mlp", 1, "a1")]
STEPS, EVALS = 8, [0, 4, 8]


def val_curve(row):
    final = row[5]
    curve = np.array([4.0, 3.0, final])
    return np.array([4.0, final, NAN]) if row[4] == "diverged" else curve


def grid_json(names, baseline):
    """What the analysis reads of /experiment/grid."""
    values = {"format": ["BF16", "E4M3", "E7M0"], "layers": ["uniform", "mlp"]}
    axes = [{"name": n, "values": [{"text": v} for v in values.get(n, [])]} for n in names]
    indices = [values[n].index(baseline[n]) if n in baseline else None for n in names]
    return json.dumps({"axes": axes, "compare": {"baseline": indices}})


def write(path, lr_axis=False, baseline={"format": "BF16"}):
    """With lr_axis, the grid has an axis optimizer.lr of one value more than the runs show."""
    text = [("id", "S12"), ("format", "S8"), ("layers", "S8")]
    numbers = [("seed", "i8"), ("status", "S9"), ("val_loss", "f8"), ("entropy_rate", "f8")]
    rows = [
        (i.encode(), f.encode(), n.encode(), seed, status.encode(), loss, 1.5)
        for i, f, n, seed, status, loss in INDEX
    ]
    label_type = [("format", "S8"), ("layers", "S8"), ("seed", "i8")]
    labels = [(f.encode(), n.encode(), s, i.encode()) for f, n, s, i in LABELS]
    if lr_axis:
        label_type.append(("optimizer_lr", "f8"))
        labels = [(*row[:3], 1e-3 if row[2] == 0 else 3e-4, row[3]) for row in labels]
    with h5py.File(path, "w") as file:
        file.attrs["format"] = "altgrad-results"
        file.attrs["experiment"] = "small"
        names = [name for name, _ in label_type]
        file["experiment/grid"] = grid_json(names, baseline)
        file["index"] = np.array(rows, text + numbers)
        file["labels"] = np.array(labels, label_type + [("id", "S12")])
        curves = file.create_group("curves")
        curves["run"] = [row[0] for row in INDEX]
        curves["step"] = np.arange(STEPS)
        curves["eval_step"] = EVALS
        curves["val_loss"] = np.array([val_curve(row) for row in INDEX])
        for run, sampled in ("a0", []), ("b0", [0, 4]):
            layer = file.create_group(f"runs/{run}/metrics" if not sampled else f"runs/{run}/quant")
            for operand in ("weight", "input") if sampled else ():
                layer[f"lm_head/{operand}/step"] = sampled
                layer[f"lm_head/{operand}/sqnr"] = [30.5 + step for step in sampled]
        file["runs/b0/diagnostics/grad/lm_head/step"] = [0]
        file["runs/b0/diagnostics/grad/lm_head/cosine"] = [0.5]
        curves["loss"] = np.tile(np.linspace(4, 2, STEPS), (len(INDEX), 1))


class AnalysisTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.path = self.folder / "small.h5"
        write(self.path)
        self.results = Results(self.path)

    def cell(self, form, layers):
        table = self.results.table()
        rows = table[(table["format"] == form) & (table["layers"] == layers)]
        self.assertEqual(len(rows), 1)
        return rows.iloc[0]

    def test_axes_index_and_floor(self):
        self.assertEqual(self.results.axes, ["format", "layers", "seed"])
        self.assertEqual(self.results.cells, ["format", "layers"])
        self.assertEqual(len(self.results.index), 8)
        self.assertEqual(len(self.results.labels), 10)
        self.assertEqual(self.results.index["format"].iloc[2], "E4M3")
        self.assertEqual(self.results.floor, 1.5)
        self.assertEqual(self.results.name, "small")

    def test_samples(self):
        quant = self.results.samples()
        self.assertEqual(list(quant.columns), ["id", "layer", "operand", "step", "sqnr"])
        self.assertEqual(len(quant), 4)
        weight = quant[quant["operand"] == "weight"]
        self.assertEqual(list(weight["sqnr"]), [30.5, 34.5])
        self.assertEqual(list(weight["step"]), [0, 4])
        grad = self.results.samples("diagnostics/grad")
        self.assertEqual(grad.values.tolist(), [["b0", "lm_head", "", 0, 0.5]])
        self.assertEqual(len(self.results.samples("diagnostics/rank")), 0)

    def test_completed_runs_appear_under_each_label(self):
        runs = self.results.runs()
        self.assertEqual(len(runs), 9)  # ten labels, one of a run that failed
        self.assertEqual(sorted(runs[runs["id"] == "a0"]["layers"]), ["mlp", "uniform"])

    def test_table_by_hand(self):
        cell = self.cell("E4M3", "uniform")
        self.assertEqual(cell["runs"], 2)
        self.assertAlmostEqual(cell["mean"], 2.25)
        self.assertAlmostEqual(cell["sd"], 0.3 / np.sqrt(2))
        self.assertAlmostEqual(cell["difference"], 0.15)  # of 0.1 and 0.2
        self.assertAlmostEqual(cell["difference_sd"], 0.1 / np.sqrt(2))
        self.assertEqual(self.cell("BF16", "mlp")["difference"], 0)

    def test_failed_and_diverged_runs_stay_out_of_means(self):
        cell = self.cell("E4M3", "mlp")
        self.assertEqual((cell["runs"], cell["mean"], cell["diverged"]), (1, 2.0, 0))
        cell = self.cell("E7M0", "uniform")
        self.assertEqual((cell["runs"], cell["mean"], cell["diverged"]), (1, 3.0, 1))
        self.assertAlmostEqual(cell["difference"], 1.0)

    def test_another_baseline(self):
        """E4M3/uniform, seed by seed: 2.1 and 2.4."""
        write(self.path, baseline={"format": "E4M3", "layers": "uniform"})
        self.results = Results(self.path)
        self.assertEqual(self.results.baseline, {"format": "E4M3", "layers": "uniform"})
        self.assertAlmostEqual(self.cell("BF16", "mlp")["difference"], -0.15)
        self.assertAlmostEqual(self.cell("E4M3", "mlp")["difference"], -0.1)
        write(self.path, baseline={})
        self.results = Results(self.path)
        self.assertTrue(np.isnan(self.cell("BF16", "mlp")["difference"]))
        self.assertEqual(self.draw(self.path)[0], 0)

    def test_curves(self):
        curves = self.results.curves("val_loss")
        self.assertEqual(list(curves.columns), ["format", "layers", "seed", "id", "step", "value"])
        one = curves[(curves["id"] == "a0") & (curves["layers"] == "mlp")]
        self.assertEqual(list(one["step"]), EVALS)
        self.assertEqual(list(one["value"]), [4.0, 3.0, 2.0])
        self.assertEqual(len(curves[curves["id"] == "d1"]), 2)  # it ended before the third
        self.assertEqual(len(self.results.curves("loss")), 10 * STEPS)
        with self.assertRaisesRegex(KeyError, "no metric speed; there are loss, val_loss"):
            self.results.curves("speed")

    def test_smooth_is_a_trailing_mean(self):
        curve = np.array([[1.0, 3.0, 5.0, 7.0]])
        np.testing.assert_allclose(smooth(curve, 2), [[1.0, 2.0, 4.0, 6.0]])
        np.testing.assert_allclose(smooth(curve, 1), curve)

    def test_before_the_first_run_has_ended(self):
        with h5py.File(self.path, "a") as file:
            del file["curves"]
            del file["index"]
            file["index"] = np.zeros(0, [("id", "S12"), ("status", "S9"), ("entropy_rate", "f8")])
        results = Results(self.path)
        self.assertEqual(len(results.runs()), 0)
        self.assertEqual(len(results.curves("loss")), 0)
        self.assertIsNone(results.floor)

    def draw(self, *arguments):
        output = self.folder / "small.png"
        errors = io.StringIO()
        with redirect_stderr(errors), redirect_stdout(io.StringIO()):
            code = plot.main([str(arguments[0]), "-o", str(output), *arguments[1:]])
        return code, output, errors.getvalue()

    def test_plot(self):
        code, output, _ = self.draw(self.path)
        self.assertEqual(code, 0)
        self.assertEqual(output.read_bytes()[:8], b"\x89PNG\r\n\x1a\n")
        self.assertGreater(output.stat().st_size, 20000)

    def test_plot_of_one_value_of_another_axis(self):
        write(self.path, lr_axis=True)
        self.assertEqual(Results(self.path).cells, ["format", "layers", "optimizer_lr"])
        self.assertEqual(self.draw(self.path)[0], 0)
        self.assertEqual(self.draw(self.path, "--select", "optimizer_lr=0.0003")[0], 0)
        code, _, error = self.draw(self.path, "--select", "optimizer_lr=7")
        self.assertEqual(code, 2)
        self.assertIn("no completed run to draw", error)

    def test_plot_messages(self):
        code, _, error = self.draw(self.folder / "absent.h5")
        self.assertEqual(code, 2)
        self.assertIn("absent.h5", error)
        with h5py.File(self.folder / "foreign.h5", "w"):
            pass
        code, _, error = self.draw(self.folder / "foreign.h5")
        self.assertEqual(code, 2)
        self.assertIn("not a results file of altgrad", error)
        code, _, error = self.draw(self.path, "--select", "lr")
        self.assertEqual(code, 2)
        self.assertIn("expected AXIS=VALUE", error)


if __name__ == "__main__":
    unittest.main()
