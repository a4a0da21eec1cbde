"""TensorBoard's event files, without TensorBoard.

A file is a row of records: length (uint64), its masked CRC-32C, the bytes, their masked CRC-32C, all
little-endian. The bytes are an Event in protobuf: 1 wall_time (double), 2 step (int64), 3
file_version (string), 5 summary {1 value {1 tag (string), 2 simple_value (float)}}. Records of one
curve differ in three numbers, so that they are made as arrays and not one by one.
"""

import numpy as np

VERSION = b"brain.Event:2"


def _make_table():
    """Of CRC-32C, reflected: polynomial 0x82F63B78."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = (table >> 1) ^ np.where(table & 1, np.uint32(0x82F63B78), np.uint32(0))
    return table


_TABLE = _make_table()


def crc32c(rows):
    """Of each row of `rows` [n, length], bytes."""
    crc = np.full(len(rows), 0xFFFFFFFF, np.uint32)
    for column in rows.T:
        crc = _TABLE[(crc ^ column) & 0xFF] ^ (crc >> 8)
    return crc ^ np.uint32(0xFFFFFFFF)


def masked(crc):
    """As records hold it, so that a CRC of data that hold CRCs stays a good one."""
    return ((crc >> np.uint32(15)) | (crc << np.uint32(17))) + np.uint32(0xA282EAD8)


def framed(rows):
    """The records whose bytes are the rows of `rows` [n, length], one behind the other."""
    n, length = rows.shape
    size = np.frombuffer(np.uint64(length).tobytes(), np.uint8)
    head = np.concatenate([size, _bytes(masked(crc32c(size[None])))[0]])
    return np.hstack([np.tile(head, (n, 1)), rows, _bytes(masked(crc32c(rows)))]).tobytes()


def _bytes(numbers):
    """Each number's bytes, a row each, little-endian."""
    numbers = np.ascontiguousarray(numbers)
    return numbers.astype(numbers.dtype.newbyteorder("<")).view(np.uint8).reshape(len(numbers), -1)


def _varints(values, length):
    """Of whole numbers that take so many bytes."""
    shifts = np.arange(length, dtype=np.uint64) * np.uint64(7)
    parts = (values[:, None].astype(np.uint64) >> shifts) & np.uint64(0x7F)
    parts[:, : length - 1] |= np.uint64(0x80)
    return parts.astype(np.uint8)


def _varint(value):
    length = max(1, -(-int(value).bit_length() // 7))
    return _varints(np.array([value]), length)[0].tobytes()


def _field(number, content):
    """A field of bytes: text or a message inside."""
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def header():
    """The record that every file begins with."""
    event = b"\x09" + bytes(8) + _field(3, VERSION)
    return framed(np.frombuffer(event, np.uint8)[None])


def scalars(tag, steps, values):
    """Records of a curve. The step stands for the time, too: results hold no times."""
    steps, values = np.asarray(steps, np.int64), np.asarray(values, np.float32)
    value = _field(1, tag.encode()) + b"\x15"
    value = b"\x0a" + _varint(len(value) + 4) + value
    summary = np.frombuffer(b"\x2a" + _varint(len(value) + 4) + value, np.uint8)
    lengths = np.maximum(1, np.ceil(np.log2(steps + 1.0) / 7).astype(int))
    parts = []
    for length in np.unique(lengths):
        chosen = lengths == length
        n = int(chosen.sum())
        rows = [
            np.full((n, 1), 0x09, np.uint8),
            _bytes(steps[chosen].astype(np.float64)),
            np.full((n, 1), 0x10, np.uint8),
            _varints(steps[chosen], length),
            np.tile(summary, (n, 1)),
            _bytes(values[chosen]),
        ]
        parts.append(framed(np.hstack(rows)))
    return b"".join(parts)
