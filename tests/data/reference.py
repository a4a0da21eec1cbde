#!/usr/bin/python3
"""Recomputes from the published definitions, with the standard library alone, the numbers that
test_markov.c and test_batch.c compare with. Prints them; the tests hold a copy."""

MASK = 2**32 - 1


def philox(key, counter):
    """Philox4x32-10 (Salmon et al., SC 2011)."""
    k, c = [key & MASK, key >> 32], list(counter)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & MASK, (a >> 32) ^ c[3] ^ k[1], a & MASK]
        k = [(k[0] + 0x9E3779B9) & MASK, (k[1] + 0xBB67AE85) & MASK]
    return c


def stream_key(seed, stream):
    z = ((seed ^ stream) + 0x9E3779B97F4A7C15) % 2**64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
    return z ^ (z >> 31)


def split(number):
    return [number & MASK, number >> 32]


class Markov:
    """The mixture of include/data/markov.h, written as its text says it."""

    def __init__(self, vocab, order, seed):
        self.vocab, self.order, self.key = vocab, order, stream_key(seed, 0x434F)

    def successor(self, lag, symbol, r):
        w = philox(self.key, [symbol, lag, r, 1])
        u = ((w[1] << 32 | w[0]) >> 11) / 2**53
        return int(self.vocab * (u * u))

    def token(self, t, history):
        w = philox(self.key, split(t) + [0, 0])
        if self.order == 0 or w[0] < 2**28:
            return (w[3] << 32 | w[2]) % self.vocab
        lag = min(1 + 32 - w[1].bit_length(), self.order)
        r = min(32 - w[2].bit_length(), 3)
        return self.successor(lag, history[-lag] if t >= lag else 0, r)

    def tokens(self, count):
        history = []
        for t in range(count):
            history.append(self.token(t, history))
        return history


def starts(seed, sequences, train_tokens, block_size):
    key = stream_key(seed, 0x4441)
    for q in sequences:
        w = philox(key, split(q) + [0, 0])
        yield (w[1] << 32 | w[0]) % (train_tokens - block_size)


print("markov 64 2 7: ", Markov(64, 2, 7).tokens(48))
print("markov 10 3 1: ", Markov(10, 3, 1).tokens(48))
print("markov 100 0 5:", Markov(100, 0, 5).tokens(16))
print("starts 42:     ", list(starts(42, [0, 1, 2, 11, 2**33 + 5], 1000, 64)))
