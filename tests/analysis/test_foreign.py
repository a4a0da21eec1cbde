#!/usr/bin/python3
"""Results.from_csv(): runs of another program under altgrad's statistics. check_summary.py compares
them with those that altgrad prints; here are values by hand, and what is said of wrong files."""

import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "analysis"))

from altgrad_analysis import Results  # noqa: E402
from altgrad_analysis.report.command import make  # noqa: E402

# format, seed, last loss; each run has a loss of 4 at step 0 and the last one at step 10
RUNS = [("bf16", 0, 2.0), ("bf16", 1, 2.2), ("bf16", 2, 2.3)]
RUNS += [("fp8", 0, 2.1), ("fp8", 1, 2.4), ("fp8", 2, 2.35)]


def rows(runs=RUNS, columns="format,seed,step,val_loss"):
    lines = [f"{form},{seed},{step},{loss}" for form, seed, last in runs
             for step, loss in ((0, 4.0), (10, last))]  # fmt: skip
    return "\n".join([columns, *lines]) + "\n"


class ForeignTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "theirs.csv"

    def read(self, text, **options):
        self.path.write_text(text)
        options = {"baseline": {"format": "bf16"}, "margin": 0.05, **options}
        return Results.from_csv(self.path, **options)

    def refuse(self, text, message, **options):
        with self.assertRaisesRegex(ValueError, message) as caught:
            self.read(text, **options)
        self.assertIn("theirs.csv: ", str(caught.exception))

    def test_the_difference_is_that_of_a_paired_t_test(self):
        cell = self.read(rows()).table().set_index("format").loc["fp8"]
        ours, base = np.array([2.1, 2.4, 2.35]), np.array([2.0, 2.2, 2.3])
        test = stats.ttest_rel(ours, base)
        interval = test.confidence_interval(0.95)
        self.assertAlmostEqual(cell["difference"], np.mean(ours - base))
        self.assertAlmostEqual(cell["low"], interval.low)
        self.assertAlmostEqual(cell["high"], interval.high)
        self.assertEqual((cell["pairs"], cell["verdict"]), (3, "open"))

    def test_curves_and_final_losses(self):
        results = self.read(rows())
        self.assertEqual((results.name, results.metric), ("theirs", "final_val_loss"))
        self.assertEqual(list(results.index["final_val_loss"]), [loss for _, _, loss in RUNS])
        curves = results.curves("val_loss")
        self.assertEqual(list(curves["value"]), [v for _, _, loss in RUNS for v in (4.0, loss)])
        self.assertEqual(set(results.labels["layers"]), {"all"})

    def test_columns_are_renamed_and_other_columns_are_axes(self):
        lines = ["precision,seed,it,eval/loss,lr,width"]
        lines += [f"{f},{s},{step},{2 + float(lr)},{lr},64" for f in ("bf16", "fp8") for s in (0, 1)
                  for lr in ("1e-3", "0.01") for step in (0, 5)]  # fmt: skip
        names = {"precision": "format", "it": "step", "eval/loss": "val_loss"}
        results = self.read("\n".join(lines), columns=names, axes=["lr", "width"])
        self.assertEqual([a.name for a in results.grid_axes], "format layers seed lr width".split())
        self.assertEqual(results.grid_axes[3].texts, ["1e-3", "0.01"])
        self.assertEqual(len(results.index), 8)
        chosen = results.select(results.index, {"lr": 1e-3})
        self.assertEqual(set(chosen["final_val_loss"]), {2.001})

    def test_diverged_and_unfinished_runs_are_told(self):
        runs = [(f, s, "nan" if (f, s) == ("fp8", 1) else loss) for f, s, loss in RUNS]
        text = rows(runs).replace("fp8,2,10,2.35\n", "")
        results = self.read(text)
        status = results.index.set_index(["format", "seed"])["status"].to_dict()
        expected = {("fp8", 1): "diverged", ("fp8", 2): "pending"}
        self.assertEqual(status, {key: expected.get(key, "done") for key in status})
        cell = results.table().set_index("format").loc["fp8"]
        self.assertEqual((cell["verdict"], cell["pairs"], cell["pending"]), ("diverged", 1, 1))

    def test_a_status_that_is_said_is_believed(self):
        text = rows().replace("\n", ",done\n").replace("val_loss,done", "val_loss,status")
        text = text.replace("fp8,2,10,2.35,done", "fp8,2,10,2.35,failed")
        status = self.read(text).index.set_index(["format", "seed"])["status"]
        self.assertEqual((status["fp8", 2], status["fp8", 1]), ("failed", "done"))

    def test_sparse_metrics_keep_their_own_steps(self):
        text = "format,seed,step,loss,val_loss\nbf16,0,0,4,4.5\nbf16,0,1,3,\nbf16,0,2,2.5,2.75\n"
        results = self.read(text)
        self.assertEqual(list(results.curves("loss")["step"]), [0, 1, 2])
        self.assertEqual(list(results.curves("val_loss")["value"]), [4.5, 2.75])

    def test_several_files_and_tables_are_one_experiment(self):
        self.path.write_text(rows(RUNS[:3]))
        other = self.path.with_name("b.csv")
        other.write_text(rows(RUNS[3:]))
        options = {"baseline": {"format": "bf16"}, "margin": 0.05}
        several = Results.from_csv([self.path, other], **options).table()
        pd.testing.assert_frame_equal(several, self.read(rows()).table())
        frame = pd.read_csv(self.path)
        pd.testing.assert_frame_equal(Results.from_csv(frame, **options).table(), several)

    def test_other_metrics_are_compared_when_they_are_named(self):
        text = rows(columns="format,seed,step,accuracy")
        results = self.read(text, metrics=["accuracy"])
        self.assertEqual(results.metric, "accuracy")
        self.assertAlmostEqual(results.table()["difference"].iloc[1], 0.35 / 3)

    def test_a_page_is_drawn_without_faults(self):
        html, files, faults = make(self.read(rows()))
        self.assertEqual(faults, [])
        self.assertIn("paired-differences.csv", files)

    def test_what_a_csv_file_cannot_have(self):
        results = self.read(rows())
        self.assertEqual(len(results.samples()), 0)
        with self.assertRaisesRegex(KeyError, "no weights"):
            results.weights("run0")

    def test_wrong_files_get_a_message(self):
        good = rows()
        for text, message in (
            ("", "empty file"),
            ("format,seed,step,val_loss\n", "no rows"),
            (good.replace("seed", "run"), "no column 'seed'; there are format, run, step"),
            (good.replace("val_loss", "score"), "no metric; .*`metrics` names others"),
            (good.replace("bf16,1,10,2.2", "bf16,1,10,two"), "row 4: val_loss is 'two'"),
            (
                good.replace("bf16,1,10,2.2", "bf16,1,1.5,2.2"),
                "row 4: step is '1.5', expected a whole",
            ),
            (good.replace("bf16,1,10,2.2", "bf16,1,,2.2"), "row 4: step is ''"),
            (good.replace("bf16,1,10", ",1,10"), "row 4: format is empty"),
            (
                good.replace("bf16,1,10", "bf16,1,0"),
                "row 4: step 0 of format bf16.* is there twice",
            ),
            (good.replace("2.2\n", "2.2,7\n"), "not a CSV file"),
            ("\x89HDF\r\n\x1a\n", "no column 'format'|not a CSV"),
        ):
            with self.subTest(message):
                self.refuse(text, message)
        self.path.write_bytes(b"\xff\xfe\x00")
        with self.assertRaisesRegex(ValueError, "not a CSV file"):
            Results.from_csv(self.path)
        with self.assertRaises(FileNotFoundError):
            Results.from_csv(self.path.with_name("nosuch.csv"))

    def test_wrong_wishes_get_a_message(self):
        good = rows()
        self.refuse(good, "names none of its columns for val_loss_hp", columns={"x": "val_loss_hp"})
        self.refuse(good, "`metrics`: no column acc", metrics=["acc"])
        self.refuse(good, "`axes`: no column width", axes=["width"])
        with self.assertRaisesRegex(ValueError, "axis format has no value fp32; it has bf16, fp8"):
            self.read(good, baseline={"format": "fp32"})
        with self.assertRaisesRegex(KeyError, "no axis colour"):
            self.read(good, baseline={"colour": "red"})
        with self.assertRaisesRegex(KeyError, "no metric accuracy"):
            self.read(good, metric="accuracy")


if __name__ == "__main__":
    unittest.main()
