#!/usr/bin/python3
"""The report on small results files, whose every number is chosen here or in test_analysis.py."""

import io
import os
import re
import signal
import subprocess
import sys
import tempfile
import unittest
from contextlib import redirect_stderr, redirect_stdout
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import h5py
import numpy as np
import pandas as pd
from scipy import stats

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "analysis"))

import test_analysis as small  # noqa: E402
from altgrad_analysis import Results  # noqa: E402
from altgrad_analysis.report import command  # noqa: E402
from altgrad_analysis.report.comparison import wilson  # noqa: E402
from altgrad_analysis.report.facts import Facts, matrices  # noqa: E402
from altgrad_analysis.report.fit import bits_shape, fit_law  # noqa: E402
from altgrad_analysis.report.live import follow  # noqa: E402
from altgrad_analysis.report.page import LeftOut  # noqa: E402
from altgrad_analysis.report.scaling import best_points  # noqa: E402
from altgrad_analysis.report.scales import MINUS, Scale, fixed, number  # noqa: E402

VOID = {"meta", "br"}  # SVG elements without content end in "/>"


class Nesting(HTMLParser):
    """Every element that is opened is closed, in order; collects what links and loads."""

    def __init__(self, text):
        super().__init__()
        self.open, self.targets, self.ids, self.wrong = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        for name, value in attrs:
            if name in ("href", "src"):
                self.targets.append(value)
            if name == "id":
                self.ids.append(value)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


class ReportTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.path = self.folder / "small.h5"

    def report(self, *arguments):
        """Exit code, page, standard error."""
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = command.main([str(self.path), *arguments])
        page = Path(out.getvalue().strip()).read_text() if code == 0 else ""
        return code, page, err.getvalue()

    def good(self, *arguments):
        code, page, err = self.report(*arguments)
        self.assertEqual((code, err), (0, ""))
        found = Nesting(page)
        self.assertEqual((found.open, found.wrong), ([], []))
        self.assertEqual(len(found.ids), len(set(found.ids)))
        for target in found.targets:
            self.assertRegex(target, r"^(#|data:text/csv|[a-z-]+\.csv$)")
            if target.startswith("#"):
                self.assertIn(target[1:], found.ids)
        self.assertNotIn("http:", page.replace("http-equiv", ""))
        self.assertNotIn("https:", page)
        return page

    def left_out(self, page):
        items = re.findall(r"<li><b>(.*?)</b>: (.*?)</li>", page)
        return dict(items)

    def edit_index(self, **columns):
        with h5py.File(self.path, "a") as file:
            rows = file["index"][...]
            for name, value in columns.items():
                rows[name] = value
            del file["index"]
            file["index"] = rows

    # --- whole pages

    def test_a_page_stands_alone_and_has_a_file_behind_each_figure(self):
        small.write(self.path)
        page = self.good()
        for name in ("final-loss", "validation-loss", "paired-differences", "forest", "seeds"):
            self.assertIn(f'id="{name}"', page)
            self.assertGreater(len(pd.read_csv(self.folder / "small.report" / f"{name}.csv")), 0)
        self.assertIn("same learning rate", self.left_out(page)["Learning rates"])
        self.assertIn("states no claims", self.left_out(page)["Claims"])

    def test_the_same_file_is_the_same_page(self):
        small.write(self.path)
        pages = [self.good("-o", str(self.folder / name)) for name in "ab"]
        self.assertEqual(*pages)

    def test_the_table_behind_is_the_table(self):
        small.write(self.path)
        self.good("-o", str(self.folder / "out"))
        csv = pd.read_csv(self.folder / "out" / "final-loss.csv")
        table = Results(self.path).table()
        self.assertEqual(len(csv), len(table))
        for name in ("mean", "sd", "difference", "half_width"):
            np.testing.assert_allclose(csv[name], table[name], rtol=1e-12)

    def test_unfinished_failed_and_diverged_grids_have_a_page(self):
        for status in ("pending", "failed", "diverged"):
            with self.subTest(status):
                small.write(self.path)
                self.edit_index(status=status.encode(), val_loss=np.nan)
                if status != "diverged":
                    with h5py.File(self.path, "a") as file:
                        del file["curves"], file["runs"]
                page = self.good()
                self.assertIn(f"<b>8</b> {status}", page)
                self.assertIn("no run", self.left_out(page)["Differences to the baseline"])
                self.assertEqual("runs are not complete" in page, status == "pending")

    def test_without_a_baseline_there_are_no_differences(self):
        small.write(self.path, baseline={})
        page = self.good()
        self.assertIn("names no baseline", self.left_out(page)["Paired difference over steps"])
        self.assertNotIn("<th>verdict</th>", page)

    def test_one_seed_has_no_intervals(self):
        small.write(self.path)
        page = self.good("--select", "seed=0")
        self.assertIn("there is one seed", self.left_out(page)["Every seed"])

    def test_a_selection_says_what_it_leaves_and_verdicts_stay_those_of_all_seeds(self):
        """BF16's mean of 2.0 and 2.2 is 2.1 over both seeds, and 2.0 over the selected one."""
        small.write(self.path)
        sentence = "which are over all its seeds, as altgrad summary"
        self.assertNotIn(sentence, self.good())
        whole = pd.read_csv(self.folder / "small.report" / "final-loss.csv")
        self.assertEqual(self.good("--select", "seed=0").count(sentence), 1)
        folder = self.folder / "small.report"
        pd.testing.assert_frame_equal(pd.read_csv(folder / "final-loss.csv"), whole)
        base = whole[(whole["format"] == "BF16") & (whole["layers"] == "uniform")]
        self.assertAlmostEqual(base["mean"].item(), 2.1)
        curves = pd.read_csv(folder / "validation-loss.csv")
        ends = curves[(curves["format"] == "BF16") & (curves["layers"] == "uniform")]
        self.assertAlmostEqual(ends["mean"].iloc[0], 4.0)
        self.assertTrue((ends["low"] == ends["high"]).all())
        page = self.good("--select", "layers=mlp")
        self.assertIn(sentence, page)
        self.assertEqual(set(pd.read_csv(folder / "final-loss.csv")["layers"]), {"mlp"})
        self.assertIn("<b>6</b> done", page)  # the counts are of the whole experiment

    def test_wrong_files_get_a_message(self):
        for content, message in ((b"", "not an HDF5"), (b"text", "not an HDF5")):
            self.path.write_bytes(content)
            code, _, err = self.report()
            self.assertEqual((code, err.count("\n")), (2, 1))
            self.assertIn(message, err)
        small.write(self.path)
        self.path.write_bytes(self.path.read_bytes()[:5000])
        code, _, err = self.report()
        self.assertEqual((code, err.count("\n")), (2, 1))
        self.assertIn("altgrad check", err)

    def test_wrong_selections_get_a_message(self):
        small.write(self.path, axis="optimizer.lr")
        for word, message in (("shoe=1", "no axis shoe"), ("optimizer.lr=7", "3e-4")):
            code, _, err = self.report("--select", word)
            self.assertEqual(code, 2)
            self.assertIn(message, err)

    def test_a_page_that_follows_ends_when_nobody_trains(self):
        """The owner's file goes while the page is drawn for the second time, as if a run had ended."""
        small.write(self.path)
        owner = Path(f"{self.path}.d") / "owner"
        owner.parent.mkdir()
        owner.write_text("host x\n")
        drawn = []

        def draw(refresh=None):
            drawn.append(refresh)
            if len(drawn) == 2:
                owner.unlink()
                raise KeyError("a file that changes")
            return "page"

        out = io.StringIO()
        with redirect_stdout(out):
            self.assertEqual(follow(self.path, draw, 0.001), 0)
        self.assertEqual((drawn, out.getvalue()), ([0.001, 0.001, None], "page\n"))

    def test_a_page_of_an_experiment_that_begins_needs_no_results_file(self):
        grid = small.json.loads(small.grid_json(None, {"format": "BF16"}))
        names = [[point["text"] for point in axis["values"]] for axis in grid["axes"][:2]]
        ids = list(dict.fromkeys(row[3] for row in small.LABELS))
        grid["runs"] = [{"id": run_id} for run_id in ids]
        grid["labels"] = [
            [ids.index(i), names[0].index(f), names[1].index(n), s] for f, n, s, i in small.LABELS
        ]
        folder = Path(f"{self.path}.d")
        folder.mkdir()
        (folder / "grid.json").write_text(small.json.dumps(grid))
        code, page, err = self.report("--live")
        self.assertEqual((code, err.count("\n")), (0, 1), err)
        self.assertIn("<b>8</b> pending", page)

    def test_ctrl_c_ends_a_page_that_follows_with_a_last_drawing(self):
        """A process of its own, whose file somebody seems to train."""
        small.write(self.path)
        owner = Path(f"{self.path}.d") / "owner"
        owner.parent.mkdir()
        owner.write_text("host x\n")
        command = [
            sys.executable,
            "-B",
            "-m",
            "altgrad_analysis",
            "report",
            str(self.path),
            "--live",
        ]
        paths = {"PYTHONPATH": str(Path(small.__file__).resolve().parents[2] / "analysis")}
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **paths},
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        ) as process:
            page = Path(process.stdout.readline().strip())
            self.assertIn("http-equiv", page.read_text())
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        self.assertEqual((process.returncode, out, err), (130, "", ""))
        self.assertNotIn("http-equiv", page.read_text())

    def test_a_figure_that_fails_is_a_fault_and_costs_no_other(self):
        small.write(self.path)

        def fail(context):
            raise ZeroDivisionError("by <nothing>")

        def lack(context):
            raise LeftOut("there is none")

        figures = [("Bad one", fail), ("Not here", lack), *command.FIGURES]
        with mock.patch.object(command, "FIGURES", figures):
            code, _, err = self.report()
        self.assertEqual((code, err.count("\n")), (1, 1))
        self.assertIn("Bad one: not drawn, by a fault of altgrad", err)
        page = (self.folder / "small.report" / "report.html").read_text()
        left_out = self.left_out(page[page.index('id="left-out"') :])
        self.assertEqual(left_out["Not here"], "there is none")
        self.assertNotIn("Bad one", left_out)
        self.assertIn("by &lt;nothing&gt;", page)
        self.assertIn('id="final-loss"', page)

    def test_a_page_that_nobody_feeds_says_so(self):
        small.write(self.path)
        code, page, err = self.report("--live")
        self.assertEqual(code, 0)
        self.assertIn("nobody trains", err)
        self.assertNotIn("refresh", page)

    def test_names_are_data(self):
        small.write(self.path)
        grid = Results(self.path).grid
        grid["name"] = "<script>alert(1)</script> & \x1b"
        with h5py.File(self.path, "a") as file:
            del file["experiment/grid"]
            file["experiment/grid"] = small.json.dumps(grid)
        page = self.good()
        self.assertNotIn("<script", page)
        self.assertNotIn("\x1b", page)

    def test_claims_are_judged(self):
        """One of two runs of E7M0 diverged, which leaves open whether more than a half do; that its
        share is above 0 is certain."""
        small.write(self.path)
        grid = Results(self.path).grid
        point = {"kind": "diverges", "source": "", "points": [[2, None, None]]}
        grid["claims"] = [
            {"name": "half", "text": "<half> & more", "bound": 0.5, **point},
            {"name": "any", "text": "", "bound": 0.0, **point},
        ]
        with h5py.File(self.path, "a") as file:
            del file["experiment/grid"]
            file["experiment/grid"] = small.json.dumps(grid)
        page = self.good()
        self.assertIn("&lt;half&gt; &amp; more", page)
        self.assertIn("format = E7M0 diverges in more than 0.5 of its runs", page)
        self.assertIn("1 of 2", page)
        claims = pd.read_csv(self.folder / "small.report" / "claims.csv")
        self.assertEqual(list(claims["state"]), ["open", "confirmed"])
        for state in claims["state"]:
            self.assertIn(f'<tr class="{state}"><td>', page)

    def test_diverged_shares(self):
        small.write(self.path)
        self.good()
        shares = pd.read_csv(self.folder / "small.report" / "diverged.csv").set_index("format")
        self.assertEqual(tuple(shares.loc["E7M0", ["diverged", "complete"]]), (1, 2))
        self.assertEqual(tuple(shares.loc["BF16", ["diverged", "complete"]]), (0, 2))

    # --- parts

    def test_wilson_is_scipys(self):
        for count, total in ((0, 1), (0, 10), (3, 10), (10, 10), (250, 1000)):
            theirs = stats.binomtest(count, total).proportion_ci(method="wilson")
            np.testing.assert_allclose(wilson(count, total), theirs, rtol=1e-10, atol=1e-12)

    def test_numbers(self):
        self.assertEqual(fixed(-0.00001), "0.0000")
        self.assertEqual(fixed(0.01, signed=True), "+0.0100")
        self.assertEqual(number(3e-5), f"3e{MINUS}5")
        self.assertEqual([number(v, 2) for v in (100, 150, -400)], ["100", "150", f"{MINUS}400"])
        self.assertEqual(number(1.2e6), "1.2e6")
        self.assertEqual(number(float("nan")), "-")

    def test_scales_place_and_tick(self):
        scale = Scale("symlog", -1, 100, 0, 300, 1.0)
        self.assertEqual(float(scale.place(-1)), 0)
        self.assertEqual(float(scale.place(100)), 300)
        self.assertAlmostEqual(float(scale.place(0)), 75)
        self.assertAlmostEqual(float(scale.place(10)), 225)
        log = Scale("log", 1e-4, 1e-1, 0, 90)
        self.assertEqual([t for _, t in log.ticks()], ["0.0001", "0.001", "0.01", "0.1"])
        self.assertAlmostEqual(float(log.place(1e-3)), 30)

    def test_parameters_of_known_models(self):
        gpt2 = {"n_layer": 12, "n_head": 12, "n_embd": 768}
        self.assertEqual(matrices(lambda k, d=0: gpt2.get(k, d)), 84934656)
        llama = {
            "n_layer": 32,
            "n_head": 32,
            "n_embd": 4096,
            "mlp": "swiglu",
            "mlp_multiple_of": 256,
        }
        self.assertEqual(matrices(lambda k, d=0: llama.get(k, d)), 6476005376)

    def test_a_known_power_law_is_found(self):
        """Losses from a law without noise, of three formats; then with seeds that shift all cells."""
        truth = {"E": 1.5, "A": 40.0, "alpha": 0.4, "B": 90.0, "beta": 0.35}
        shares = {"BF16": 1.0, "FP8": 0.8, "FP4": 0.45}
        cells = pd.DataFrame(
            [(f, n, d) for f in shares for n in (1e4, 4e4, 2e5, 1e6) for d in (1e5, 1e6, 1e7)],
            columns=["format", "parameters", "tokens"],
        )
        effective = cells["format"].map(shares) * cells["parameters"]
        loss = truth["E"] + truth["A"] * effective ** -truth["alpha"]
        loss = (loss + truth["B"] * cells["tokens"] ** -truth["beta"]).to_numpy()
        law = fit_law(cells, loss[:, None], "BF16")
        for name, value in {**truth, **{f"m {f}": m for f, m in shares.items()}}.items():
            np.testing.assert_allclose(law.values[name], value, rtol=1e-3, err_msg=name)
        self.assertEqual(law.low, {})
        noise = 0.01 * np.random.default_rng(1).standard_normal((len(cells), 6))
        noisy = fit_law(cells, loss[:, None] + noise, "BF16")
        again = fit_law(cells, loss[:, None] + noise, "BF16")
        self.assertEqual(noisy.low, again.low)
        self.assertLess(noisy.low["m FP4"], 0.45)
        self.assertGreater(noisy.high["m FP4"], 0.45)
        self.assertLess(noisy.high["m FP4"] - noisy.low["m FP4"], 0.1)
        # that of one standard deviation of the squares of `degrees` normal numbers: sqrt(2 / degrees)
        degrees = len(cells) - 5 - (len(shares) - 1)
        self.assertLess(abs(noisy.miss**2 / noisy.noise**2 - 1), 3 * np.sqrt(2 / degrees))
        self.assertLess(law.miss, 1e-6)
        self.assertTrue(noisy.holds and law.holds)

    def test_a_law_that_does_not_hold_is_said_not_to(self):
        tokens = np.array([1e4, 3e4, 1e5, 3e5, 1e6, 3e6])
        cells = pd.DataFrame({"format": "BF16", "parameters": 1e5, "tokens": tokens})
        losses = np.where(tokens < 2e5, 4.0, 2.0)[:, None] * [1.001, 0.999]  # a step, not a power
        law = fit_law(cells, losses, "BF16")
        fitted = law.loss(cells["parameters"], tokens, "BF16")
        squares = np.sum(np.log(fitted / losses.mean(axis=1)) ** 2)
        self.assertAlmostEqual(law.miss, np.sqrt(squares / (6 - 3)), places=9)
        self.assertAlmostEqual(law.noise, 1e-3, places=6)  # sd 1e-3 sqrt(2), over sqrt(2)
        self.assertFalse(law.holds)

    def test_a_law_of_one_size_has_one_term(self):
        tokens = np.array([1e4, 3e4, 1e5, 3e5, 1e6])
        cells = pd.DataFrame({"format": "BF16", "parameters": 1e5, "tokens": tokens})
        law = fit_law(cells, (2.0 + 50 * tokens**-0.5)[:, None], "BF16")
        self.assertTrue(np.isnan(law.values["alpha"]))
        np.testing.assert_allclose([law.values["E"], law.values["beta"]], [2.0, 0.5], rtol=1e-4)
        with self.assertRaisesRegex(ValueError, "3 sizes or 3 numbers"):
            fit_law(cells.head(2), np.ones((2, 1)), "BF16")

    def test_a_floor_that_the_losses_do_not_tell_is_said(self):
        tokens = np.array([1e4, 3e4, 1e5, 3e5, 1e6])
        cells = pd.DataFrame({"format": "BF16", "parameters": 1e5, "tokens": tokens})
        for floor, loose in ((0.0, ["E"]), (2.0, [])):
            law = fit_law(cells, (floor + 9 * tokens**-0.1)[:, None], "BF16")
            self.assertEqual(law.loose, loose)

    def test_the_best_point_is_chosen_on_other_seeds(self):
        """Seed 0 prefers 1, the others 2: with three seeds the first one chooses, and is not judged;
        with two, all choose."""
        losses = {1: (1.0, 3.0, 3.2), 2: (1.5, 2.0, 2.4)}
        rows = [("F", 10.0, 5.0, s, lr, v) for lr, of in losses.items() for s, v in enumerate(of)]
        columns = ["format", "run parameters", "run tokens", "seed", "lr", "value"]
        runs = pd.DataFrame(rows, columns=columns)
        context = SimpleNamespace(block_axes=[SimpleNamespace(column="lr", name="optimizer.lr")])
        judged, how = best_points(context, runs)
        self.assertEqual(list(judged["value"]), [3.0, 3.2])
        self.assertIn("chosen on 1 of 3 seeds and judged on the others", how)
        judged, how = best_points(context, runs[runs["seed"] < 2])
        self.assertEqual(list(judged["value"]), [1.5, 2.0])
        self.assertIn("optimistic", how)
        self.assertEqual(best_points(context, runs[runs["lr"] == 1])[1], "")

    def test_the_shape_over_bits_is_found(self):
        bits = np.array([4.0, 6.0, 8.0, 16.0])
        shares = (1 - np.exp(-bits / 2.5)) / (1 - np.exp(-16 / 2.5))
        self.assertAlmostEqual(bits_shape(bits, shares), 2.5, places=5)
        self.assertTrue(np.isnan(bits_shape([8, 8], [0.9, 0.8])))

    def test_samples_are_drawn_by_layer_and_step(self):
        small.write(self.path)
        page = self.good()
        self.assertIn("lm_head weight", page)
        sqnr = pd.read_csv(self.folder / "small.report" / "sqnr.csv")
        self.assertEqual(sorted(sqnr["value"]), [30.5, 30.5, 34.5, 34.5])
        self.assertIn(
            "[flips]", self.left_out(page)["Weights that moved to another grid value (flips)"]
        )

    def test_axes_may_be_called_like_columns_of_ours(self):
        for name in ("block", "tokens", "bits", "row", "size"):
            small.write(self.path, axis=name)
            self.good()

    def with_rates(self, axis, optimizers):
        """Seed 0 has 1e-3 and seed 1 3e-4, each with its optimizer."""
        small.write(self.path, axis=axis)
        grid = Results(self.path).grid
        grid["runs"] = [
            {
                "id": run,
                "seed": seed,
                "set": {"optimizer.lr": (1e-3, 3e-4)[seed], "optimizer.type": optimizers[seed]},
            }
            for run, _, _, seed, _, _ in small.INDEX
        ]
        with h5py.File(self.path, "a") as file:
            del file["experiment/grid"]
            file["experiment/grid"] = small.json.dumps(grid)

    def test_learning_rates(self):
        self.with_rates("optimizer.lr", ("adamw", "adamw"))  # each is a mean of one run
        self.good()
        best = pd.read_csv(self.folder / "small.report" / "learning-rates.csv")
        e4m3 = best[(best["format"] == "E4M3") & (best["group"] == "uniform")].set_index("lr")
        self.assertEqual(e4m3["mean"].to_dict(), {3e-4: 2.4, 1e-3: 2.1})
        e7m0 = best[best["format"] == "E7M0"].set_index("lr")
        self.assertEqual(e7m0["diverged"].to_dict(), {3e-4: 1, 1e-3: 0})

    def test_rates_of_different_optimizers_are_no_curve(self):
        self.with_rates("update", ("adamw", "lion"))
        self.assertIn("something else does too", self.left_out(self.good())["Learning rates"])

    def test_rates_without_a_run_that_is_done_are_pending(self):
        self.with_rates("optimizer.lr", ("adamw", "adamw"))
        pending = [row[1] == "E4M3" or row[0] == "a1" for row in small.INDEX]
        self.edit_index(
            status=[b"pending" if p else row[4].encode() for p, row in zip(pending, small.INDEX)],
            val_loss=[np.nan if p else row[5] for p, row in zip(pending, small.INDEX)],
        )
        page = self.good()
        section = page[page.index('id="learning-rates"') :]
        rows = re.findall(r"<tr><td>uniform</td><td class=n>(\w+)</td>(.*?)</tr>", section)
        notes = {name: re.findall(r">([^<]*)</td>", row)[-1] for name, row in rows}
        self.assertEqual(notes["E4M3"], "no run is done yet")
        self.assertEqual(notes["BF16"], "at the edge of the grid, 1 pending")
        self.assertNotIn("E4M3", section[: section.index("<figure")])

    def test_over_the_axes_tells_what_diverged(self):
        self.with_rates("update", ("adamw", "lion"))
        self.good()
        axes = pd.read_csv(self.folder / "small.report" / "axes.csv")
        e7m0 = axes[axes["format"] == "E7M0"].set_index("point")
        self.assertEqual(e7m0["runs"].to_dict(), {1e-3: 1, 3e-4: 0})
        self.assertEqual(e7m0["diverged"].to_dict(), {1e-3: 0, 3e-4: 1})
        self.assertEqual(e7m0["mean"].dropna().to_dict(), {1e-3: 3.0})
        self.with_rates("optimizer.lr", ("adamw", "adamw"))
        self.assertIn("no further axis", self.left_out(self.good())["Over the axes"])

    def test_over_bits_wants_formats_with_different_bits_beside_the_baseline(self):
        for narrow, is_drawn in (("E2M1", True), ("E7M0", False)):
            small.write(self.path)
            grid = Results(self.path).grid
            grid["layers"] = [
                {"lm_head": {"weight": {"format": name}}} for name in ("BF16", "E4M3", narrow)
            ]
            kinds = {"a": 0, "b": 1, "c": 1, "d": 2}
            grid["runs"] = [{"id": r[0], "layers": kinds[r[0][0]]} for r in small.INDEX]
            table = [(b"BF16", 16, 8, 7), (b"E4M3", 8, 4, 3), (b"E2M1", 4, 2, 1), (b"E7M0", 8, 7, 0)]
            columns = [("name", "S8"), ("bits", "i4"), ("exponent", "i4"), ("mantissa", "i4")]
            with h5py.File(self.path, "a") as file:
                del file["experiment/grid"]
                file["experiment/grid"] = small.json.dumps(grid)
                file["formats"] = np.array(table, columns)
            page = self.good()
            self.assertEqual('id="bits"' in page, is_drawn)
            if not is_drawn:
                self.assertIn("the same number of bits", self.left_out(page)["Over bits"])

    def test_samples_that_are_all_alike_are_a_line(self):
        small.write(self.path)
        with h5py.File(self.path, "a") as file:
            for operand in ("weight", "input"):
                file[f"runs/b0/quant/lm_head/{operand}/sqnr"][...] = 30.5
        left = self.left_out(self.good())
        self.assertEqual(
            left["Signal to quantisation noise (SQNR)"], "it is 30.5 dB in every sample"
        )

    def test_runs_of_a_file_without_facts_have_no_sizes(self):
        small.write(self.path)
        self.assertTrue(Facts(Results(self.path)).sizes(["a0"]).isna().all(axis=None))


if __name__ == "__main__":
    unittest.main()
