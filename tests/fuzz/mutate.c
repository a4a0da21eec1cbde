/* Mutations: single bytes, words of the trade, spans, lines, numbers, depth. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/philox.h"
#include "fuzz.h"
#include "run/params.h"

typedef struct mutation {
    fuzz_input *input;
    const fuzz_corpus *corpus;
    uint32_t draws;
} mutation;

static uint32_t draw(uint64_t seed, uint32_t number, uint32_t use, uint32_t which)
{
    return ag_philox(seed, number, use, which, 0x66757a7a).word[0];
}

static size_t below(mutation *m, size_t limit)
{
    uint32_t word = draw(m->input->seed, m->input->number, 0, m->draws++);
    return limit > 0 ? word % limit : 0;
}

uint32_t fuzz_below(const fuzz_input *input, uint32_t use, uint32_t limit)
{
    return draw(input->seed, input->number, use + 1, 0) % limit;
}

static void replace(fuzz_input *input, size_t at, size_t removed, const char *piece, size_t length)
{
    at = at < input->size ? at : input->size;
    removed = removed < input->size - at ? removed : input->size - at;
    if (input->size - removed + length > FUZZ_LARGEST)
        return;
    memmove(input->bytes + at + length, input->bytes + at + removed, input->size - at - removed);
    memcpy(input->bytes + at, piece, length);
    input->size += length - removed;
}

/* --- words */

static const char *const s_words[] = {
    "{",
    "}",
    "[",
    "]",
    ":",
    ": ",
    ",",
    "\n",
    "  ",
    "- ",
    "? ",
    "| ",
    "> ",
    "# ",
    "%YAML 9.9\n",
    "---\n",
    "...\n",
    "*a",
    "&a ",
    "<<: *a",
    "!!str ",
    "!x ",
    "'",
    "\"",
    "\\",
    "\t",
    "\r\n",
    "~",
    "null",
    "true",
    "no",
    "nan",
    ".inf",
    "-0",
    "0",
    "-1",
    "1e999",
    "1e-999",
    "0x1p-3",
    "0b1",
    "1_0",
    "9007199254740993",
    "18446744073709551616",
    "-9223372036854775808",
    "99999999999999999999999",
    "0.1.2",
    "1:30",
    "2026-11-25",
    "$format",
    "$",
    "E4M3",
    "E9M9",
    "E0M0",
    "mxfp8",
    "BF16",
    "none",
    "(a+)+$",
    "(?R)",
    "[[:alpha:]",
    "\\Q",
    "(?<!a|bc)x",
    ".*",
    "seeds",
    "format",
    "layers",
    "all",
    "include",
    "exclude",
    "layer_rules",
    "pattern",
    "default_format",
    "mixed_precision",
    "from",
    "until",
    "decided",
    "at_most",
    "phases",
    "90%",
    "skip_patterns",
    "scaling",
    "rounding",
    "granularity",
    "amax",
    "history",
    "select",
    "candidates",
    "channel: up",
    "hadamard",
    "products",
    "signs",
    "sr_bits",
    "static",
    "dequantized",
    "tensor",
    "e4m3+t",
    "4/6",
    "eden",
    "quest",
    "forward",
    "high_precision",
    "1/sqrt(tokens)",
    "muon",
    "lion",
    "kahan",
    "eco",
    "ring",
    "tables",
    "values",
    "ties",
    "bounds",
    "top",
    "nf4",
    "posit8_1",
    "binary8p4se",
    "baseline",
    "name",
    "\xef\xbb\xbf",
    "\xc2\x85",
    "\xe2\x80\xa8",
    "\xf0\x9f\x98\x80",
    "\xcc\x81",
    "\xe2\x80\xae",
    "\xc3",
    "\xc0\x80",
    "\xed\xa0\x80",
    "\xf5\x80\x80\x80",
    "\x01",
    "\x1b[2J",
    "\x7f",
};

enum { N_WORDS = sizeof s_words / sizeof s_words[0] };

/* A word of the list above, or a key of the experiment file with or without its section. */
static const char *pick_word(mutation *m)
{
    size_t count = 0;
    const ag_param *params = ag_params(&count);
    size_t which = below(m, N_WORDS + count);
    if (which < N_WORDS)
        return s_words[which];
    const char *key = params[which - N_WORDS].key;
    return below(m, 2) == 0 ? key : strchr(key, '.') + 1;
}

static void insert_word(mutation *m)
{
    const char *word = pick_word(m);
    replace(m->input, below(m, m->input->size + 1), 0, word, strlen(word));
}

static bool is_word_byte(char byte)
{
    return isalnum((unsigned char)byte) || byte == '_' || byte == '.' || byte == '-';
}

/* The word around a random place. */
static size_t find_word(mutation *m, size_t *length)
{
    const fuzz_input *input = m->input;
    size_t at = below(m, input->size);
    while (at < input->size && !is_word_byte(input->bytes[at]))
        at++;
    while (at > 0 && is_word_byte(input->bytes[at - 1]))
        at--;
    for (*length = 0; at + *length < input->size && is_word_byte(input->bytes[at + *length]);)
        ++*length;
    return at;
}

static void exchange_word(mutation *m)
{
    size_t length = 0;
    size_t at = find_word(m, &length);
    const char *word = pick_word(m);
    replace(m->input, at, length, word, strlen(word));
}

/* --- bytes and spans */

static void change_byte(mutation *m)
{
    if (m->input->size > 0)
        m->input->bytes[below(m, m->input->size)] ^= (char)(1U << below(m, 8));
}

static void delete_span(mutation *m)
{
    replace(m->input, below(m, m->input->size + 1), below(m, 40), "", 0);
}

static void insert_copy(mutation *m, size_t to, const char *from, size_t length)
{
    char copy[4096];
    length = length < sizeof copy ? length : sizeof copy;
    memcpy(copy, from, length);
    replace(m->input, to, 0, copy, length);
}

static void copy_span(mutation *m)
{
    size_t from = below(m, m->input->size + 1);
    size_t most = m->input->size - from;
    size_t length = below(m, 60);
    insert_copy(m, below(m, m->input->size + 1), m->input->bytes + from,
                length < most ? length : most);
}

static void cut_off(mutation *m)
{
    m->input->size = below(m, m->input->size + 1);
}

/* One piece many times: depth, length, or both. */
static void repeat_word(mutation *m)
{
    static const size_t counts[] = {2, 9, 70, 600, 5000};
    const char *word = pick_word(m);
    size_t at = below(m, m->input->size + 1);
    size_t length = strlen(word);
    size_t count = counts[below(m, 5)];
    for (size_t i = 0; i < count; i++)
        replace(m->input, at, 0, word, length);
}

/* --- lines */

static size_t find_line(mutation *m, size_t *length)
{
    const fuzz_input *input = m->input;
    size_t at = below(m, input->size + 1);
    while (at > 0 && input->bytes[at - 1] != '\n')
        at--;
    const char *end = memchr(input->bytes + at, '\n', input->size - at);
    *length = end != NULL ? (size_t)(end - input->bytes) + 1 - at : input->size - at;
    return at;
}

static void delete_line(mutation *m)
{
    size_t length = 0;
    size_t at = find_line(m, &length);
    replace(m->input, at, length, "", 0);
}

static void copy_line(mutation *m)
{
    size_t length = 0;
    size_t unused = 0;
    size_t from = find_line(m, &length);
    size_t to = find_line(m, &unused);
    insert_copy(m, to, m->input->bytes + from, length);
}

static void join_lines(mutation *m)
{
    size_t length = 0;
    size_t at = find_line(m, &length);
    if (length > 0)
        replace(m->input, at + length - 1, 1, "", 0);
}

static void indent_line(mutation *m)
{
    size_t length = 0;
    size_t at = find_line(m, &length);
    replace(m->input, at, below(m, 3), "    ", below(m, 5));
}

/* A span of another input. */
static void splice(mutation *m)
{
    const fuzz_item *other = &m->corpus->items[below(m, m->corpus->count)];
    size_t from = below(m, other->size + 1);
    size_t most = other->size - from;
    size_t length = below(m, 200);
    insert_copy(m, below(m, m->input->size + 1), other->bytes + from,
                length < most ? length : most);
}

static void (*const s_edits[])(mutation *m) = {
    change_byte, insert_word, exchange_word, exchange_word, delete_span, copy_span,   delete_line,
    copy_line,   join_lines,  indent_line,   splice,        cut_off,     repeat_word,
};

enum { N_EDITS = sizeof s_edits / sizeof s_edits[0], MOST_EDITS = 6 };

void fuzz_make(fuzz_input *input, const fuzz_corpus *corpus, uint64_t seed, uint32_t number)
{
    mutation m = {.input = input, .corpus = corpus};
    input->seed = seed;
    input->number = number;
    input->accepted = false;
    bool as_it_is = number < corpus->count;
    input->item = &corpus->items[as_it_is ? number : below(&m, corpus->count)];
    input->size = input->item->size;
    memcpy(input->bytes, input->item->bytes, input->size);
    size_t edits = as_it_is ? 0 : 1 + below(&m, 1 + below(&m, MOST_EDITS)); /* mostly few */
    for (size_t i = 0; i < edits; i++)
        s_edits[below(&m, N_EDITS)](&m);
    input->bytes[input->size] = '\0';
}

void fuzz_add(fuzz_corpus *corpus, const char *name, const char *bytes, size_t size)
{
    fuzz_item item = {.name = strdup(name), .bytes = malloc(size + 1), .size = size};
    if (item.name == NULL || item.bytes == NULL || size > FUZZ_LARGEST ||
        corpus->count == FUZZ_ITEMS) {
        fprintf(stderr, "fuzz: cannot take %s (%zu bytes)\n", name, size);
        exit(2);
    }
    memcpy(item.bytes, bytes, size);
    item.bytes[size] = '\0';
    corpus->items[corpus->count++] = item;
}
