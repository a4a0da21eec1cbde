#!/usr/bin/python3
"""`altgrad export --tables` on the small results files of test_analysis.py. Event files are read by a
reader of its own here, written after TensorFlow's record and event formats."""

import importlib.util
import io
import json
import struct
import sys
import tempfile
import unittest
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "analysis"))

import test_analysis as small  # noqa: E402
from altgrad_analysis import Results, tables, tensorboard  # noqa: E402


def crc_of(data):
    """CRC-32C bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def unmasked(stored):
    rotated = (stored - 0xA282EAD8) & 0xFFFFFFFF
    return (rotated >> 17 | rotated << 15) & 0xFFFFFFFF


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def message(data):
    """{field: value}: whole numbers, floats and bytes."""
    fields, at = {}, 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            fields[key >> 3], at = varint(data, at)
            continue
        if key & 7 == 2:
            size, at = varint(data, at)
            fields[key >> 3] = data[at : at + size]
        else:
            size = {1: 8, 5: 4}[key & 7]
            fields[key >> 3] = struct.unpack_from({8: "<d", 4: "<f"}[size], data, at)[0]
        at += size
    return fields


def events(data):
    """The events of a file, whose checks are checked."""
    at = 0
    while at < len(data):
        (length, crc) = struct.unpack_from("<QI", data, at)
        assert unmasked(crc) == crc_of(data[at : at + 8])
        content = data[at + 12 : at + 12 + length]
        (crc,) = struct.unpack_from("<I", data, at + 12 + length)
        assert unmasked(crc) == crc_of(content)
        yield message(content)
        at += 16 + length


def scalars(data):
    """{tag: [(step, value)]}."""
    found = {}
    for event in list(events(data))[1:]:
        value = message(message(event[5])[1])
        found.setdefault(value[1].decode(), []).append((event[2], value[2]))
        assert event[1] == event[2]
    return found


class EventTest(unittest.TestCase):
    def test_crc_of_known_values(self):
        """ "123456789", and 32 bytes 0 and 255 as RFC 3720, B.4 has them."""
        known = {
            b"123456789": 0xE3069283,
            bytes(32): 0x8A9136AA,
            bytes([255]) * 32: 0x62A8AB43,
            bytes(range(32)): 0x46DD794E,
        }
        for data, value in known.items():
            row = np.frombuffer(data, np.uint8)[None]
            self.assertEqual(int(tensorboard.crc32c(row)[0]), value)
            self.assertEqual(crc_of(data), value)

    def test_a_file_begins_as_every_event_file_does(self):
        """24 bytes of content and the check of that number are alike in all of them."""
        data = tensorboard.header()
        self.assertEqual(data[:12].hex(), "1800000000000000a37f4b22")
        self.assertEqual([event[3] for event in events(data)], [b"brain.Event:2"])

    def test_steps_of_every_length_come_back(self):
        steps = [0, 1, 127, 128, 16383, 16384, 2097151, 2097152, 2**40]
        values = np.linspace(-3, 7, len(steps), dtype=np.float32)
        data = tensorboard.header() + tensorboard.scalars("train/loss", steps, values)
        self.assertEqual(scalars(data), {"train/loss": list(zip(steps, map(float, values)))})


class TablesTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.path, self.out = self.folder / "small.h5", self.folder / "out"

    def write(self, **options):
        small.write(self.path, **options)

    def export(self, path=None):
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = tables.main([str(path or self.path), "--to", str(self.out)])
        return code, out.getvalue(), err.getvalue()

    def exported(self):
        self.assertEqual(self.export()[0::2], (0, ""))

    def csv(self, name):
        return pd.read_csv(self.out / f"{name}.csv", float_precision="round_trip")

    def event_file(self, run_id):
        (path,) = self.out.glob(f"tensorboard/*-{run_id}/events.out.tfevents.*")
        return path.read_bytes()

    def test_every_table_is_written_and_named(self):
        self.write()
        code, out, err = self.export()
        self.assertEqual((code, err), (0, ""))
        names = {Path(line).name for line in out.splitlines()}
        for name in ("runs", "labels", "comparison", "train", "evals", "quant", "diagnostics_grad"):
            self.assertIn(f"{name}.csv", names)
            self.assertTrue((self.out / f"{name}.csv").exists())

    def test_runs_and_labels(self):
        self.write()
        self.exported()
        runs = self.csv("runs")
        self.assertEqual(list(runs["id"]), [row[0] for row in small.INDEX])
        self.assertEqual(list(runs["status"]), [row[4] for row in small.INDEX])
        np.testing.assert_array_equal(runs["final_val_loss"], [row[5] for row in small.INDEX])
        labels = self.csv("labels")[["format", "layers", "seed", "id"]]
        self.assertEqual(list(labels.itertuples(index=False, name=None)), small.LABELS)

    def test_curves_have_a_row_per_run_and_step(self):
        """The last of the three evaluations of a run stands for the whole part, and is no point."""
        self.write()
        self.exported()
        evals = self.csv("evals")
        b0 = evals[evals["id"] == "b0"]
        self.assertEqual(list(zip(b0["eval_step"], b0["val_loss"])), [(0, 4.0), (4, 3.0)])
        train = self.csv("train")
        self.assertEqual(len(train), len(small.INDEX) * small.STEPS)
        np.testing.assert_array_equal(
            train.loc[train["id"] == "a0", "loss"], np.linspace(4, 2, small.STEPS)
        )

    def test_the_comparison_is_the_table(self):
        self.write()
        self.exported()
        ours, table = self.csv("comparison"), Results(self.path).table()
        self.assertEqual(list(ours["verdict"].fillna("")), list(table["verdict"]))
        for name in ("n", "mean", "difference", "half_width", "p_adjusted"):
            np.testing.assert_array_equal(ours[name], table[name])

    def test_samples_stand_once_though_a_run_has_several_labels(self):
        """An axis that is called like a column of the samples stays out, too."""
        for axis in (None, "layer"):
            self.write(axis=axis)
            self.exported()
            quant = self.csv("quant")
            self.assertEqual(list(quant), ["id", "layer", "operand", "step", "sqnr"])
            self.assertEqual(sorted(quant["sqnr"]), [30.5, 30.5, 34.5, 34.5])

    def test_event_files_hold_the_curves(self):
        self.write()
        self.exported()
        found = scalars(self.event_file("c0"))
        self.assertEqual(found["eval/val_loss"], [(0, 4.0), (4, 3.0)])
        losses = np.linspace(4, 2, small.STEPS).astype(np.float32)
        self.assertEqual(found["train/loss"], list(enumerate(map(float, losses))))
        self.assertEqual([value for _, value in found["final/val_loss"]], [2.0])
        complete = sum(row[4] in ("done", "diverged") for row in small.INDEX)
        self.assertEqual(len(list(self.out.glob("tensorboard/*"))), complete)

    def test_long_curves_are_thinned_to_their_last_point(self):
        self.write()
        with h5py.File(self.path, "a") as file:
            del file["curves/step"], file["curves/loss"]
            file["curves/step"] = np.arange(2500)
            file["curves/loss"] = np.tile(np.arange(2500.0), (len(small.INDEX), 1))
        self.exported()
        points = scalars(self.event_file("a0"))["train/loss"]
        self.assertLessEqual(len(points), tables.MOST_POINTS)
        self.assertEqual(points[-1], (2499, 2499.0))
        self.assertEqual({step - value for step, value in points}, {0.0})

    def test_folders_are_named_by_labels_that_any_file_system_takes(self):
        name = tables.folder_name("format=a/b c:\u00e9,seed=0", "77")
        self.assertEqual(name, "format=a_b_c_seed=0-77")
        self.assertEqual(len(tables.folder_name("x" * 500, "77")), 83)

    def test_claims_have_a_table(self):
        self.write()
        with h5py.File(self.path, "a") as file:
            grid = json.loads(file["experiment/grid"][()])
            point = {"kind": "diverges", "bound": 0.1, "points": [[2, None, None]]}
            grid["claims"] = [{"name": "wide", "text": 'a, "b"', "source": "", **point}]
            del file["experiment/grid"]
            file["experiment/grid"] = json.dumps(grid)
        self.exported()
        claims = self.csv("claims")
        self.assertEqual(list(claims["text"]), ['a, "b"'])
        self.assertEqual(tuple(claims.loc[0, ["diverged", "runs"]]), (1, 2))

    def test_unfinished_files_have_tables(self):
        for status in ("pending", "failed", "diverged"):
            with self.subTest(status):
                self.write()
                with h5py.File(self.path, "a") as file:
                    index = file["index"][...]
                    index["status"], index["val_loss"] = status.encode(), np.nan
                    file["index"][...] = index
                    if status != "diverged":
                        del file["curves"], file["runs"]
                self.exported()
                self.assertEqual(set(self.csv("runs")["status"]), {status})

    def test_wrong_files_get_a_message(self):
        self.path.write_text("a,b\n1,2\n")
        code, out, err = self.export()
        self.assertEqual((code, out, err.count("\n")), (2, "", 1))
        self.assertIn("not an HDF5 file", err)
        self.write()
        self.out.write_text("")
        code, _, err = self.export()
        self.assertEqual((code, err.count("\n")), (2, 1))
        self.assertIn(str(self.out), err)

    @unittest.skipUnless(importlib.util.find_spec("pyarrow"), "pyarrow is not installed")
    def test_parquet_is_the_same_table(self):
        self.write()
        self.exported()
        for csv in sorted(self.out.glob("*.csv")):
            frame = pd.read_parquet(csv.with_suffix(".parquet"))
            pd.testing.assert_frame_equal(
                frame.reset_index(drop=True), self.csv(csv.stem), check_dtype=False
            )

    @unittest.skipIf(importlib.util.find_spec("pyarrow"), "pyarrow is installed")
    def test_without_pyarrow_there_is_no_parquet(self):
        self.write()
        self.exported()
        self.assertEqual(list(self.out.glob("*.parquet")), [])


if __name__ == "__main__":
    unittest.main()
