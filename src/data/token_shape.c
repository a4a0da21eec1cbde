/* What integers a file without a mark may hold, if they are not the 2 bytes, little-endian, as
 * which it would be read. Tokens of a text do not know whether their place is even or odd, so:
 *
 *   every second word is 0, or below 256 while 32 of the others are not       4 bytes
 *   two words of four are 0, the second half of each                          8 bytes
 *   the words that are 0 come first                                           big-endian, floats
 *   low bytes never reach values that 32 of them should have, and the high    big-endian 2 bytes,
 *   bytes are not small as those of tokens are                                or bytes
 *
 * Each happens to a true file by chance in less than one of 2^31, unless it has few tokens or a
 * pattern of its own: then data.dtype says what it is, and nothing is looked for. */
#include <string.h>

#include "data_internal.h"

enum { LANES = 4, LEAST_TOKENS = 16, EVIDENCE = 32, BYTE = 256 };

typedef struct lanes {
    uint16_t max[LANES];     /* of words 4 i + lane */
    unsigned low_max[LANES]; /* of their low bytes */
    size_t large[LANES];     /* words of 256 or more */
    double low_sum;
    double high_sum;
    unsigned high_max;
} lanes;

/* One pass: the words at each place of four, and the sums of their bytes. */
static lanes survey(const uint16_t *words, size_t count)
{
    lanes l = {0};
    for (size_t i = 0; i < count; i++) {
        const size_t lane = i % LANES;
        const uint16_t word = words[i];
        const unsigned low = word & 0xffu;
        const unsigned high = word >> 8;
        l.max[lane] = word > l.max[lane] ? word : l.max[lane];
        l.low_max[lane] = low > l.low_max[lane] ? low : l.low_max[lane];
        l.high_max = high > l.high_max ? high : l.high_max;
        l.large[lane] += high > 0;
        l.low_sum += low;
        l.high_sum += high;
    }
    return l;
}

/* "are 0" for the lanes of `mask`, and not for all others. */
static bool are_zero(const lanes *l, unsigned mask)
{
    bool others = false;
    for (unsigned lane = 0; lane < LANES; lane++) {
        if ((mask >> lane & 1) == 0)
            others |= l->max[lane] > 0;
        else if (l->max[lane] > 0)
            return false;
    }
    return others;
}

static bool are_wide(const lanes *l, size_t count)
{
    bool halves = l->max[1] < BYTE && l->max[3] < BYTE && l->large[0] + l->large[2] >= EVIDENCE;
    return count % 2 == 0 && (are_zero(l, 0xa) || halves);
}

/* The upper half of each 4 bytes comes first. */
static bool are_wide_reversed(const lanes *l, size_t count)
{
    bool evidence = l->large[0] + l->large[2] + l->large[1] + l->large[3] >= EVIDENCE;
    bool halves = l->low_max[0] == 0 && l->low_max[2] == 0 && l->low_max[1] + l->low_max[3] > 0;
    return count % 2 == 0 && (are_zero(l, 0x5) || (halves && evidence));
}

static bool are_swapped(const lanes *l, size_t count)
{
    unsigned low_max = 0;
    for (size_t lane = 0; lane < LANES; lane++)
        low_max = l->low_max[lane] > low_max ? l->low_max[lane] : low_max;
    const size_t missing = count * (BYTE - 1 - low_max) / BYTE;
    return missing >= EVIDENCE && 2 * l->high_sum > l->low_sum && l->high_max > 0;
}

const ag_file_kind *ag_tokens_misread(const uint16_t *words, size_t count)
{
    static const ag_file_kind kinds[] = {
        {"8-byte integers (int64: 3 of 4 words are 0)",
         "rewrite it: python3 -c 'import numpy; numpy.fromfile(\"FILE\", \"<i8\")"
         ".astype(\"<u2\").tofile(\"train.bin\")'"                                               },
        {"4-byte integers (uint32: every second word is small)", "set data.dtype: uint32"        },
        {"big-endian or floating-point numbers",
         "rewrite it: python3 -c 'import numpy; numpy.fromfile(\"FILE\", \">u4\")"
         ".astype(\"<u2\").tofile(\"train.bin\")', with the type that it has in place of \">u4\""},
        {"big-endian numbers, or tokens of 1 byte",
         "rewrite it: python3 -c 'import numpy; numpy.fromfile(\"FILE\", \">u2\")"
         ".astype(\"<u2\").tofile(\"train.bin\")', with \"u1\" in place of \">u2\" for bytes"    },
    };
    if (count < LEAST_TOKENS)
        return NULL;
    const lanes l = survey(words, count);
    if (count % LANES == 0 && are_zero(&l, 0xc))
        return &kinds[0];
    if (are_wide(&l, count))
        return &kinds[1];
    if (are_wide_reversed(&l, count))
        return &kinds[2];
    return are_swapped(&l, count) ? &kinds[3] : NULL;
}

const ag_file_kind *ag_wide_tokens_misread(const uint32_t *tokens, size_t count)
{
    static const ag_file_kind kind = {
        "8-byte integers (int64: every second of 4 bytes is 0)",
        "rewrite it: python3 -c 'import numpy; numpy.fromfile(\"FILE\", \"<i8\")"
        ".astype(\"<u4\").tofile(\"train.bin\")'"};
    uint32_t even = 0;
    uint32_t odd = 0;
    for (size_t i = 0; i + 1 < count; i += 2) {
        even |= tokens[i];
        odd |= tokens[i + 1];
    }
    return count % 2 == 0 && count >= LEAST_TOKENS / 2 && odd == 0 && even != 0 ? &kind : NULL;
}
