#!/usr/bin/python3
"""The analysis package on small results files whose every number is chosen here.

BF16 is one run per seed, known under both layer configs; seed 1 of E7M0/uniform diverged. The files
are of the first version unless said: the last point of val_loss is the whole validation part."""

import io
import json
import sys
import tempfile
import unittest
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import h5py
import matplotlib.pyplot as plt
import numpy as np
from scipy import stats

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "analysis"))

import plot  # noqa: E402
from altgrad_analysis import Results  # noqa: E402
from altgrad_analysis.axes import Axis, parse_select, resolve  # noqa: E402
from altgrad_analysis.curves import Line, smooth  # noqa: E402
from altgrad_analysis.panels import Limits, tick_labels  # noqa: E402
from altgrad_analysis.plots import overview  # noqa: E402
from altgrad_analysis.styles import line_styles  # noqa: E402
from altgrad_analysis.text import width, wrap  # noqa: E402
from altgrad_analysis.verdicts import estimate, judge  # noqa: E402

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


def grid_json(axis_name, baseline):
    """What the analysis reads of /experiment/grid."""
    values = {"format": ["BF16", "E4M3", "E7M0"], "layers": ["uniform", "mlp"]}
    axes = [{"name": n, "type": "text", "values": [{"text": v} for v in values[n]]} for n in values]
    axes.append(
        {"name": "seed", "type": "int", "values": [{"text": str(s), "value": s} for s in (0, 1)]}
    )
    if axis_name:
        points = [("1e-3", 1e-3), ("3e-4", 3e-4), ("90.0", 90.0)]
        points = [{"text": text, "value": value} for text, value in points]
        axes.append({"name": axis_name, "type": "real", "values": points})
    indices = [values[n].index(baseline[n]) if n in baseline else None for n in values]
    indices += [None] * (len(axes) - len(indices))
    compare = {"metric": "val_loss", "margin": 0.05, "baseline": indices}
    return json.dumps({"name": "small", "axes": axes, "compare": compare})


def write(path, axis=None, baseline={"format": "BF16"}):
    """With `axis`, the grid has an axis of that name: 1e-3 for seed 0, 3e-4 for seed 1."""
    text = [("id", "S12"), ("format", "S8"), ("layers", "S8")]
    numbers = [("seed", "i8"), ("status", "S9"), ("val_loss", "f8"), ("entropy_rate", "f8")]
    rows = [
        (i.encode(), f.encode(), n.encode(), seed, status.encode(), loss, 1.5)
        for i, f, n, seed, status, loss in INDEX
    ]
    label_type = [("format", "S8"), ("layers", "S8"), ("seed", "i8")]
    labels = [(f.encode(), n.encode(), s, i.encode()) for f, n, s, i in LABELS]
    if axis:
        label_type.append(({"id": "id_"}.get(axis, axis.replace(".", "_")), "f8"))
        labels = [(*row[:3], 1e-3 if row[2] == 0 else 3e-4, row[3]) for row in labels]
    with h5py.File(path, "w") as file:
        file.attrs["format"] = "altgrad-results"
        file.attrs["experiment"] = "small"
        file["experiment/grid"] = grid_json(axis, baseline)
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


def with_columns(rows, count, *columns):
    """`rows` with more columns, and as many rows as `count`."""
    kinds = [(name, rows.dtype[name]) for name in rows.dtype.names]
    new = np.zeros(count, [*kinds, *columns])
    for name in rows.dtype.names:
        new[name][: len(rows)] = rows[name]
    return new


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
        columns = ["format", "layers", "seed", "id", "layer", "operand", "step", "sqnr"]
        self.assertEqual(list(quant.columns), columns)
        self.assertEqual(set(quant["format"]), {"E4M3"})
        self.assertEqual(len(quant), 4)
        weight = quant[quant["operand"] == "weight"]
        self.assertEqual(list(weight["sqnr"]), [30.5, 34.5])
        self.assertEqual(list(weight["step"]), [0, 4])
        grad = self.results.samples("diagnostics/grad")
        self.assertEqual(
            grad.values.tolist(), [["E4M3", "uniform", 0, "b0", "lm_head", "", 0, 0.5]]
        )
        for unknown in ("diagnostics/rank", "flips", "nosuch"):
            with self.assertRaisesRegex(KeyError, "there are diagnostics/grad, quant"):
                self.results.samples(unknown)

    def test_samples_of_a_file_without(self):
        with h5py.File(self.path, "r+") as file:
            for run in file["runs"].values():
                for group in {"quant", "diagnostics"} & set(run):
                    del run[group]
        self.assertEqual(len(Results(self.path).samples("diagnostics/flips")), 0)
        with self.assertRaisesRegex(KeyError, "there are none: .*observe.diagnostics"):
            Results(self.path).samples("flips")

    def test_completed_runs_appear_under_each_label(self):
        runs = self.results.runs()
        self.assertEqual(len(runs), 9)  # ten labels, one of a run that failed
        self.assertEqual(sorted(runs[runs["id"] == "a0"]["layers"]), ["mlp", "uniform"])

    def test_table_by_hand(self):
        cell = self.cell("E4M3", "uniform")
        self.assertEqual((cell["done"], cell["pairs"]), (2, 2))
        self.assertAlmostEqual(cell["mean"], 2.25)
        self.assertAlmostEqual(cell["sd"], 0.3 / np.sqrt(2))
        self.assertAlmostEqual(cell["difference"], 0.15)  # of 0.1 and 0.2
        self.assertAlmostEqual(cell["difference_sd"], 0.1 / np.sqrt(2))
        # 95 % of Student's t with one degree of freedom lie within tan(0.475 pi)
        self.assertAlmostEqual(cell["half_width"], np.tan(0.475 * np.pi) * 0.05)
        self.assertEqual(cell["verdict"], "open")
        baseline = self.cell("BF16", "mlp")
        self.assertEqual((baseline["difference"], baseline["verdict"]), (0, "baseline"))

    def test_failed_and_diverged_runs_stay_out_of_means(self):
        cell = self.cell("E4M3", "mlp")
        self.assertEqual((cell["done"], cell["mean"], cell["diverged"]), (1, 2.0, 0))
        self.assertEqual((cell["failed"], cell["verdict"]), (1, ""))
        cell = self.cell("E7M0", "uniform")
        self.assertEqual((cell["done"], cell["mean"], cell["diverged"]), (1, 3.0, 1))
        self.assertEqual(cell["verdict"], "diverged")
        self.assertAlmostEqual(cell["difference"], 1.0)

    def test_every_run_is_counted(self):
        """Seed 1 of the baseline diverged; seed 0 of E4M3 is done without a finite value."""
        with h5py.File(self.path, "a") as file:
            index = file["index"][...]
            index["status"][1] = b"diverged"
            file["index"][...] = index
        self.results = Results(self.path)
        self.results.index.loc[2, "final_val_loss"] = np.inf
        words = ["done", "diverged", "failed", "pending", "without_value", "baseline_diverged"]
        cell = self.cell("E4M3", "uniform")
        self.assertEqual(list(cell[words]), [2, 0, 0, 0, 1, 1])
        self.assertEqual((cell["mean"], cell["pairs"], cell["verdict"]), (2.4, 0, ""))
        cell = self.cell("BF16", "uniform")
        self.assertEqual(list(cell[words]), [1, 1, 0, 0, 0, 0])
        self.assertEqual(cell["verdict"], "baseline")
        cell = self.cell("E7M0", "uniform")
        self.assertEqual(list(cell[words]), [1, 1, 0, 0, 0, 1])
        shown = self.shown(overview(self.results))
        self.assertIn("baseline diverged in 1 of 2, 1 without a value", shown)

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
        self.assertEqual(list(one["step"]), EVALS[:-1])
        self.assertEqual(list(one["value"]), [4.0, 3.0])
        self.assertEqual(len(curves[curves["id"] == "d1"]), 1)  # it ended before the third
        self.assertEqual(list(self.results.index["final_val_loss"][:3]), [2.0, 2.2, 2.1])
        self.assertEqual(len(self.results.curves("loss")), 10 * STEPS)
        with self.assertRaisesRegex(KeyError, "no curve of speed; there are loss, val_loss"):
            self.results.curves("speed")

    def test_smooth_is_a_trailing_mean(self):
        curve = np.array([[1.0, 3.0, 5.0, 7.0]])
        np.testing.assert_allclose(smooth(curve, 2), [[1.0, 2.0, 4.0, 6.0]])
        np.testing.assert_allclose(smooth(curve, 1), curve)

    def test_before_the_first_run_has_ended(self):
        with h5py.File(self.path, "a") as file:
            del file["curves"]
            del file["index"]
            numbers = [(name, "f8") for name in ("loss", "val_loss", "entropy_rate")]
            file["index"] = np.zeros(0, [("id", "S12"), ("status", "S9"), *numbers])
        results = Results(self.path)
        self.assertEqual(len(results.runs()), 0)
        self.assertEqual(len(results.curves("loss")), 0)
        self.assertIsNone(results.floor)
        self.assertEqual(list(results.index["status"]), 8 * ["pending"])
        table = results.table()
        self.assertEqual(len(table), 5)
        self.assertEqual(table["pending"].sum(), 10)
        self.assertTrue(table["mean"].isna().all())
        self.assertEqual(self.draw(self.path)[0], 0)

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
        write(self.path, axis="optimizer.lr")
        self.assertEqual(Results(self.path).cells, ["format", "layers", "optimizer_lr"])
        self.assertEqual(self.draw(self.path)[0], 0)
        first = (self.folder / "small.png").read_bytes()
        for select in ("optimizer_lr=0.0003", "optimizer.lr=3e-4", "optimizer.lr=.30e-3"):
            self.assertEqual(self.draw(self.path, "--select", select)[0], 0)
            self.assertNotEqual((self.folder / "small.png").read_bytes(), first)
        messages = {
            "optimizer.lr=7": "axis optimizer.lr has no value 7; it has 1e-3, 3e-4, 90.0",
            "lr=1e-3": "no axis lr; there are format, layers, seed, optimizer.lr",
            "format=E9": "axis format has no value E9; it has BF16, E4M3, E7M0",
            "optimizer.lr=90": "no run of the experiment has all of these values",
            "optimizer.lr": "expected AXIS=VALUE",
        }
        for select, message in messages.items():
            code, _, error = self.draw(self.path, "--select", select)
            self.assertEqual(code, 2, select)
            self.assertIn(message, error)

    def test_names_of_columns_as_axes(self):
        """An axis may have any name: its column then has an underscore at its end."""
        names = "runs mean sd difference difference_sd diverged value val_loss id step n label"
        names += " status layer operand sqnr index verdict format_ loss final_val_loss"
        for name in names.split():
            write(self.path, axis=name)
            self.results = Results(self.path)
            column = self.results.axes[3]
            self.assertEqual(column, name if name == "format_" else f"{name}_", name)
            table = self.results.table()
            self.assertEqual(list(table.columns).count(column), 1)
            self.assertEqual(table["done"].sum(), 8)
            for frame in (self.results.curves("val_loss"), self.results.samples()):
                self.assertTrue(set(frame[column]) <= {1e-3, 3e-4}, name)
            if name in ("mean", "value", "format_"):
                self.assertEqual(self.draw(self.path, "--select", f"{name}=3e-4")[0], 0)

    def test_plot_messages(self):
        code, _, error = self.draw(self.folder / "absent.h5")
        self.assertEqual(code, 2)
        self.assertIn("absent.h5", error)
        with h5py.File(self.folder / "foreign.h5", "w"):
            pass
        code, _, error = self.draw(self.folder / "foreign.h5")
        self.assertEqual(code, 2)
        self.assertIn("not a results file of altgrad", error)
        (self.folder / "x.yaml").write_text("altgrad: 1")
        code, _, error = self.draw(self.folder / "x.yaml")
        self.assertEqual(code, 2)
        self.assertIn("not an HDF5 file", error)

    def test_vector_output_has_fonts(self):
        for ending in ("pdf", "svg"):
            output = self.folder / f"small.{ending}"
            with redirect_stdout(io.StringIO()):
                self.assertEqual(plot.main([str(self.path), "-o", str(output)]), 0)
            written = output.read_bytes()
            self.assertNotIn(b"/Type3", written)
        self.assertIn(b"E4M3</text>", written)

    def shown(self, figure):
        """All that is written in the figure."""
        texts = [text.get_text() for text in figure.texts]
        for axes in figure.axes:
            texts += [text.get_text() for text in axes.texts]
        plt.close(figure)
        return [text.replace(r"\$", "$") for text in texts]

    def test_a_figure_says_what_the_table_says(self):
        shown = self.shown(overview(self.results))
        self.assertIn("+0.1500 ± 0.6353", shown)  # E4M3/uniform
        self.assertEqual(shown.count("open"), 1)
        self.assertEqual(shown.count("baseline"), 2)
        self.assertIn("1 of 2 diverged", shown)
        self.assertIn("1 failed", shown)
        self.assertTrue(any("margin of 0.05" in text for text in shown))

    def test_every_panel_names_its_point(self):
        write(self.path, axis="optimizer.lr")
        shown = self.shown(overview(Results(self.path), {"optimizer_lr": 3e-4}))
        # two layer configs: losses, difference, training loss and table of each; and the head
        self.assertEqual(shown.count("optimizer.lr = 3e-4"), 9)
        shown = self.shown(overview(Results(self.path)))
        self.assertEqual(shown.count("optimizer.lr = 1e-3"), 9)
        self.assertTrue(any("not drawn: optimizer.lr = 3e-4, 90.0" in text for text in shown))

    def test_the_final_loss_is_a_mark_of_its_own(self):
        figure = overview(self.results)
        lines = figure.axes[0].get_lines()
        marks = [line for line in lines if line.get_marker() == "D"]
        self.assertEqual([list(line.get_ydata()) for line in marks], [[2.25], [3.0], [2.1]])
        curves = [line for line in lines if line.get_marker() != "D" and len(line.get_xdata()) == 2]
        self.assertTrue(any(list(line.get_xdata()) == [0, 4] for line in curves))
        plt.close(figure)

    def test_live_curves(self):
        live = Path(f"{self.path}.d") / "live"
        live.mkdir(parents=True)
        lines = ['{"step": 0, "loss": 4.5}', '{"step": 2, "loss": null, "x": "?"}', "[1]", "{torn"]
        lines += ['{"eval_step": 4, "val_loss": 3.5}']
        lines += ['{"step": 1, "loss": 4.25}', '{"step": 3, "loss": 4.0}']
        (live / "c1.jsonl").write_text("\n".join(lines))
        (live / "a0.jsonl").write_text('{"step": 0, "loss": 99}\n')  # complete: stale
        (live / "unknown.jsonl").write_text('{"step": 0, "loss": 99}\n')
        with h5py.File(self.path, "a") as file:
            rows = file["index"][...]
            rows["status"][5] = b"pending"
            file["index"][...] = rows
            keep = [i for i in range(len(rows)) if i != 5]
            for name in ("run", "val_loss", "loss"):
                values = file["curves"][name][...][keep]
                del file["curves"][name]
                file["curves"][name] = values
        self.assertEqual(len(Results(self.path).curves("loss")), 9 * STEPS)
        results = Results(self.path, live=True)
        loss = results.curves("loss")
        self.assertEqual(len(loss), 9 * STEPS + 2)
        running = loss[loss["id"] == "c1"]
        self.assertEqual(running[["step", "value"]].values.tolist(), [[0, 4.5], [1, 4.25]])
        self.assertEqual(set(running["layers"]), {"mlp"})
        self.assertEqual(len(results.curves("val_loss").query("id == 'c1'")), 1)
        self.assertEqual(self.draw(self.path, "--live")[0], 0)

    def test_the_end_decides_on_the_limits(self):
        """The steep start does not, but with few evaluations all of them are seen."""
        steps = np.arange(0, 1001, 50)
        loss = np.where(steps < 50, 9.0, 3.0 - steps / 1000)
        line = Line("E4M3", False, steps, loss)
        self.assertEqual((Limits([line], 1000).low, Limits([line], 1000).high), (2.0, 2.95))
        few = Line("E4M3", False, steps[::10], loss[::10])
        self.assertEqual(Limits([few], 1000).high, 9.0)
        self.assertEqual(Limits([line, few], 1000).high, 2.95)

    def test_live_before_there_is_a_file(self):
        folder = self.folder / "new.h5.d"
        (folder / "live").mkdir(parents=True)
        grid = json.loads(grid_json("optimizer.lr", {"format": "BF16"}))
        grid["runs"] = [{"id": "a0"}, {"id": "b0"}]
        grid["labels"] = [[0, 0, 0, 0, 0], [0, 0, 1, 0, 0], [1, 1, 0, 1, 1]]
        (folder / "grid.json").write_text(json.dumps(grid))
        (folder / "live" / "b0.jsonl").write_text('{"step": 0, "loss": 4.5}\n')
        with self.assertRaises(FileNotFoundError):
            Results(self.folder / "new.h5")
        results = Results(self.folder / "new.h5", live=True)
        self.assertEqual(list(results.index["status"]), ["pending", "pending"])
        self.assertEqual(results.curves("loss")["optimizer_lr"].tolist(), [3e-4])
        self.assertEqual(results.table()["pending"].tolist(), [1, 1, 1])
        self.assertEqual(self.draw(self.folder / "new.h5", "--live")[0], 0)
        with self.assertRaisesRegex(KeyError, "no curve of lr; there are loss"):
            results.curves("lr")


class SecondVersionTest(unittest.TestCase):
    """The final loss is a column of the index, orphans stand apart, pending runs are there."""

    def test_orphans_pending_and_final_losses(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = Path(folder.name) / "second.h5"
        write(path)
        with h5py.File(path, "a") as file:
            rows = file["index"][...]
            new = with_columns(rows, 8, ("final_val_loss", "f8"), ("steps", "i8"))
            new["final_val_loss"] = rows["val_loss"] + 0.5
            new["status"][5] = b"pending"
            del file["index"]
            file["index"] = new
            new["id"] = [b"o%d" % i for i in range(len(new))]
            file["orphans"] = new[:3]
        results = Results(path)
        self.assertEqual(list(results.orphans["id"]), ["o0", "o1", "o2"])
        self.assertEqual(list(results.orphans["format"]), ["BF16", "BF16", "E4M3"])
        self.assertEqual(results.index["status"].tolist().count("pending"), 1)
        self.assertNotIn("o0", set(results.index["id"]))
        val_loss = results.curves("val_loss")
        self.assertEqual(list(val_loss[val_loss["id"] == "b0"]["step"]), EVALS)
        table = results.table("final_val_loss")
        self.assertAlmostEqual(table["mean"][0], 2.6)
        self.assertEqual(table["pending"].sum(), 1)
        with self.assertRaisesRegex(KeyError, "no metric speed; there are .*final_val_loss"):
            results.table("speed")

    def test_orphans_of_the_first_version(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = Path(folder.name) / "first.h5"
        write(path)
        with h5py.File(path, "a") as file:
            rows = file["index"][...]
            new = with_columns(rows, 9, ("orphan", "i1"))
            new[8] = (b"o8", b"", b"", 0, b"done", 7.0, NAN, 1)
            new["val_loss"][3] = NAN  # seed 1 of E4M3/uniform: done, it said
            del file["index"]
            file["index"] = new
        results = Results(path)
        self.assertEqual(list(results.orphans["id"]), ["o8"])
        self.assertEqual(len(results.index), 8)
        self.assertNotIn("orphan", results.index)
        self.assertEqual(results.index["status"][3], "diverged")
        cell = results.select(results.table(), {"format": "E4M3", "layers": "uniform"}).iloc[0]
        self.assertEqual((cell["done"], cell["diverged"]), (1, 1))


class PartsTest(unittest.TestCase):
    def test_estimates_against_scipy(self):
        random = np.random.default_rng(1)
        values = random.normal(0.1, 0.3, 57)
        groups = np.sort(random.integers(0, 6, 57))
        values[[3, 20]] = np.nan, np.inf
        n, mean, sd, half = estimate(values, groups, 7)
        for group in range(6):
            own = values[(groups == group) & np.isfinite(values)]
            low, high = stats.t.interval(0.95, len(own) - 1, own.mean(), stats.sem(own))
            self.assertEqual(n[group], len(own))
            np.testing.assert_allclose(mean[group], np.mean(own), rtol=1e-13)
            np.testing.assert_allclose(sd[group], np.std(own, ddof=1), rtol=1e-13)
            np.testing.assert_allclose(half[group], (high - low) / 2, rtol=1e-9)
        self.assertEqual(n[6], 0)
        self.assertTrue(np.isnan([mean[6], sd[6], half[6]]).all())

    def test_verdicts(self):
        mean = np.array([0.10, 0.07, -0.10, 0.01, 0.00, 0.03, -0.2, 0.05])
        half = np.array([0.01, 0.02, 0.04, 0.03, 0.06, 0.02, NAN, 0.0])
        words = ["worse", "open", "better", "same", "open", "same", "", "same"]
        words[1] = "open"  # from the margin itself
        self.assertEqual(list(judge(mean, half, 0.05)), words)

    def test_values_compare_by_type(self):
        lr = Axis("optimizer.lr", "optimizer_lr", "real", [0.003, 90.0], ["3e-3", "90.0"])
        for text in ("3e-3", "0.003", ".003", "0.30e-2", 0.003):
            self.assertEqual(lr.find(text), 0.003)
        for text in ("90", "90.0", "9e1", 90):
            self.assertEqual(lr.find(text), 90.0)
        lists = ["[0.9, 0.99]", "[0.9, 0.95]"]
        betas = Axis("optimizer.betas", "optimizer_betas", "text", lists, lists)
        for text in ("[0.9,0.99]", "0.9,0.99", "[0.90, 0.99]", "[0.9, 0.99]"):
            self.assertEqual(betas.find(text), "[0.9, 0.99]")
        truth = Axis("model.bias", "model_bias", "text", ["true", "false"], ["true", "false"])
        self.assertEqual(truth.find("True"), "true")
        self.assertEqual(truth.find(False), "false")
        form = Axis("format", "format", "text", ["BF16", "e4m3"], ["BF16", "e4m3"])
        self.assertEqual(form.find("E4M3"), "e4m3")
        names = Axis("names", "names", "text", ["1", "1.0", "a,b"], ["1", "1.0", "a,b"])
        self.assertEqual([names.find(n) for n in ("1", "1.0", "a,b")], ["1", "1.0", "a,b"])
        with self.assertRaisesRegex(ValueError, "axis names has no value 1.00; it has 1, 1.0, a,b"):
            names.find("1.00")
        select = parse_select(["optimizer.lr=3e-3", "format=bf16", "format=e4m3"])
        self.assertEqual(
            resolve([lr, form], select), {"optimizer_lr": [0.003], "format": ["BF16", "e4m3"]}
        )

    def test_tick_labels_differ_where_ticks_do(self):
        ticks = [4.1416, 4.1424, 4.1432, 4.144]
        self.assertEqual(tick_labels(ticks, False), ["4.1416", "4.1424", "4.1432", "4.144"])
        self.assertEqual(tick_labels([2.4, 2.8, 3.2], False), ["2.4", "2.8", "3.2"])
        minus = "\N{MINUS SIGN}"
        signed = tick_labels([-0.0003, 0.0, 0.0003], True)
        self.assertEqual(signed, [minus + "0.0003", "0", "+0.0003"])

    def test_lines_do_not_repeat(self):
        formats = ["BF16"] + [f"f{i}" for i in range(60)]
        styles = line_styles(formats, "BF16")
        kinds = {(s["color"], str(s["linestyle"]), s.get("marker", "")) for s in styles.values()}
        self.assertEqual(len(kinds), 61)
        plain = [(styles[f]["color"], str(styles[f]["linestyle"])) for f in formats[1:31]]
        self.assertEqual(len(set(plain)), 30)

    def test_wrapped_text_is_whole_and_fits(self):
        for text in ("a word and another word " * 9, "x" * 200, "_a $b $c", "", "$x^{$ " * 30):
            lines = wrap(text, 9, 2.0)
            self.assertEqual("".join(lines).replace(" ", ""), text.replace(" ", ""))
            self.assertTrue(all(width(line, 9) <= 2.0 for line in lines))
        self.assertEqual(wrap("a\x1b[31m\n", 9, 2.0), ["a\\x1b[31m\\n"])


if __name__ == "__main__":
    unittest.main()
