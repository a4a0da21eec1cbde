/* One token file: plain integers, as nanoGPT's prepare.py writes them, or llm.c's, which begin with
 * 256 int32: a magic number, a version, the number of tokens, and a rest without meaning. Every
 * token is looked at once: one that the vocabulary does not have would read outside of the
 * embedding. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "data_internal.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "tokens are used as they lie in the file, and digests are of little-endian bytes");

enum { HEADER_BYTES = 256 * sizeof(int32_t), PLAIN_VOCAB_MAX = 1 << 20 };

typedef struct llmc_kind {
    int32_t magic;
    int32_t version;
    size_t width; /* of a token in bytes; 0 = the file holds none */
    const char *content;
} llmc_kind;

static const llmc_kind s_kinds[] = {
    {20240520, 1, 2, "a token file"       },
    {20240801, 7, 4, "a token file"       },
    {20240522, 0, 0, "an evaluation set"  },
    {20240326, 0, 0, "a model"            },
    {20240803, 0, 0, "a model"            },
    {20240327, 0, 0, "the state of a test"},
    {20240527, 0, 0, "the state of a run" },
    {20240328, 0, 0, "a tokenizer"        },
};

static const llmc_kind *find_kind(int32_t magic)
{
    for (size_t i = 0; i < sizeof s_kinds / sizeof s_kinds[0]; i++) {
        if (s_kinds[i].magic == magic)
            return &s_kinds[i];
    }
    return NULL;
}

const char *ag_llmc_content(int32_t magic)
{
    const llmc_kind *kind = find_kind(magic);
    return kind != NULL ? kind->content : NULL;
}

static int32_t word_at(const ag_mapping *file, size_t index)
{
    int32_t word = 0;
    if (file->bytes >= (index + 1) * sizeof word)
        memcpy(&word, (const char *)file->base + index * sizeof word, sizeof word);
    return word;
}

static const char s_plain_hint[] =
    "if it is no file of llm.c, but tokens that begin so by chance, set data.bin_format: plain";

/* --- after a header */

/* A file that was cut, or written by another version, is told by its own header. */
static ag_status check_sizes(const ag_token_file *out, const llmc_kind *kind, const char *path,
                             const char *key)
{
    const int32_t count = word_at(&out->file, 2);
    const size_t bytes = out->file.bytes;
    if (bytes < HEADER_BYTES)
        return ag_fail(AG_ERR_INPUT,
                       "%s '%s': llm.c's header is cut: %zu bytes, expected %d and the tokens; "
                       "write or copy the file again (%s)",
                       key, path, bytes, (int)HEADER_BYTES, s_plain_hint);
    if (word_at(&out->file, 1) != kind->version)
        return ag_fail(AG_ERR_INPUT,
                       "%s '%s': llm.c's header %" PRId32 " has version %" PRId32 ", expected "
                       "%" PRId32 " (tokens of %zu bytes); write the file again with llm.c's "
                       "dev/data scripts (%s)",
                       key, path, kind->magic, word_at(&out->file, 1), kind->version, kind->width,
                       s_plain_hint);
    if (count < 1 || bytes - HEADER_BYTES != (size_t)count * kind->width)
        return ag_fail(AG_ERR_INPUT,
                       "%s '%s': llm.c's header says %" PRId32 " tokens of %zu bytes, but %zu "
                       "bytes follow it; the file is cut or damaged: write or copy it again (%s)",
                       key, path, count, kind->width, bytes - HEADER_BYTES, s_plain_hint);
    return AG_OK;
}

/* The header says how many tokens there are; the file must hold as many. */
static ag_status read_llmc(ag_token_file *out, const ag_data_spec *spec, const llmc_kind *kind,
                           const char *path, const char *key)
{
    if (kind->width == 0)
        return ag_fail(AG_ERR_INPUT,
                       "%s '%s': is %s of llm.c, expected its tokens for training (%s)", key, path,
                       kind->content, s_plain_hint);
    AG_TRY(check_sizes(out, kind, path, key));
    if ((spec->dtype == AG_DTYPE_UINT16 && kind->width != 2) ||
        (spec->dtype == AG_DTYPE_UINT32 && kind->width != 4))
        return ag_fail(AG_ERR_INPUT,
                       "%s '%s': llm.c's header says uint%zu, data.dtype another type; leave "
                       "data.dtype out: it is for files without a header",
                       key, path, 8 * kind->width);
    out->width = kind->width;
    out->count = (size_t)word_at(&out->file, 2);
    out->tokens = (const char *)out->file.base + HEADER_BYTES;
    return AG_OK;
}

/* --- integers alone */

static ag_status refuse(const ag_file_kind *kind, const char *verb, const char *path,
                        const char *key)
{
    return ag_fail(AG_ERR_INPUT,
                   "%s '%s': %s %s, expected tokens as plain integers of 2 bytes, little-endian, "
                   "or llm.c's; %s",
                   key, path, verb, kind->what, kind->cure);
}

/* By the first bytes, unless these were said to be tokens. */
static ag_status check_mark(const ag_token_file *out, const ag_data_spec *spec, const char *path,
                            const char *key)
{
    static const ag_file_kind text = {"text", "name it in data.text, which has tokenizers"};
    const unsigned char *bytes = out->file.base;
    if (spec->bin_format == AG_BIN_PLAIN)
        return AG_OK;
    const int32_t swapped = (int32_t)__builtin_bswap32((uint32_t)word_at(&out->file, 0));
    if (find_kind(swapped) != NULL)
        return ag_fail(AG_ERR_INPUT,
                       "%s '%s': is a file of llm.c with its bytes swapped (big-endian); write it "
                       "again on a little-endian machine (%s)",
                       key, path, s_plain_hint);
    const ag_file_kind *kind = ag_file_recognise(bytes, out->file.bytes);
    if (kind == NULL && ag_looks_like_text(bytes, out->file.bytes))
        kind = &text;
    return kind != NULL ? refuse(kind, "is", path, key) : AG_OK;
}

/* Integers of another width or order of bytes, by what they look like (token_shape.c). */
static ag_status check_shape(const ag_token_file *out, const ag_data_spec *spec, const char *path,
                             const char *key)
{
    const ag_file_kind *kind = NULL;
    if (spec->bin_format == AG_BIN_PLAIN && spec->dtype != AG_DTYPE_AUTO)
        return AG_OK;
    if (spec->dtype == AG_DTYPE_AUTO)
        kind = ag_tokens_misread(out->tokens, out->count);
    else if (spec->dtype == AG_DTYPE_UINT32)
        kind = ag_wide_tokens_misread(out->tokens, out->count);
    if (kind == NULL)
        return AG_OK;
    return ag_fail(AG_ERR_INPUT,
                   "%s '%s': looks like %s, expected %s; %s. If its tokens are %s all the same, "
                   "set data.dtype: %s%s",
                   key, path, kind->what, out->width == 2 ? "uint16" : "uint32", kind->cure,
                   out->width == 2 ? "uint16" : "uint32", out->width == 2 ? "uint16" : "uint32",
                   out->width == 2 ? "" : " and data.bin_format: plain");
}

/* Without a header the width is what data.dtype says, else 2 bytes, as nanoGPT writes them. */
static ag_status read_plain(ag_token_file *out, const ag_data_spec *spec, const char *path,
                            const char *key)
{
    if (spec->bin_format == AG_BIN_LLMC)
        return ag_fail(AG_ERR_INPUT,
                       "%s '%s': does not begin with llm.c's magic number (20240520 or 20240801), "
                       "as data.bin_format: llm.c says; expected its header, or data.bin_format: "
                       "plain",
                       key, path);
    AG_TRY(check_mark(out, spec, path, key));
    out->width = spec->dtype == AG_DTYPE_UINT32 ? sizeof(uint32_t) : sizeof(uint16_t);
    if (out->file.bytes % out->width != 0)
        return ag_fail(AG_ERR_INPUT,
                       "%s '%s': has %s number of bytes, %zu; expected %zu-byte tokens", key, path,
                       out->width == 2 ? "an odd" : "a", out->file.bytes, out->width);
    out->count = out->file.bytes / out->width;
    out->tokens = out->file.base;
    return check_shape(out, spec, path, key);
}

/* --- both */

/* One pass over the file, which also brings it into the page cache. */
static void find_largest(ag_token_file *out)
{
    const uint16_t *narrow = out->tokens;
    const uint32_t *wide = out->tokens;
    uint32_t largest = 0;
    for (size_t i = 0; out->width == 2 && i < out->count; i++)
        largest = narrow[i] > largest ? narrow[i] : largest;
    for (size_t i = 0; out->width == 4 && i < out->count; i++)
        largest = wide[i] > largest ? wide[i] : largest;
    out->largest = largest;
}

static uint32_t token_at(const ag_token_file *file, size_t at)
{
    return file->width == 2 ? ((const uint16_t *)file->tokens)[at]
                            : ((const uint32_t *)file->tokens)[at];
}

/* The first token that is not below `limit`. */
static ag_status refuse_token(const ag_token_file *file, int64_t limit, const char *path,
                              const char *key, const char *cure)
{
    size_t at = 0;
    while (token_at(file, at) < limit)
        at++;
    const size_t offset = (size_t)((const char *)file->tokens - (const char *)file->file.base);
    return ag_fail(AG_ERR_INPUT,
                   "%s '%s': token %" PRIu32 " at byte %zu is not below the vocabulary's size; "
                   "expected %s",
                   key, path, token_at(file, at), offset + at * file->width, cure);
}

/* Without a size that somebody said, the integers may as well be of another type. */
static ag_status check_tokens(const ag_token_file *file, const ag_data_spec *spec, const char *path,
                              const char *key)
{
    char cure[160];
    if (spec->vocab == 0 && file->largest >= PLAIN_VOCAB_MAX)
        return refuse_token(file, PLAIN_VOCAB_MAX, path, key,
                            "tokens below 1048576, unless data.vocab says more (at most "
                            "16777216): are these uint32?");
    snprintf(cure, sizeof cure, "data.vocab to be above %" PRIu32 " (or left out), not %lld",
             file->largest, (long long)spec->vocab);
    if (spec->vocab != 0 && file->largest >= spec->vocab)
        return refuse_token(file, spec->vocab, path, key, cure);
    return AG_OK;
}

ag_status ag_token_file_open(ag_token_file *out, const ag_data_spec *spec, const char *path,
                             const char *key)
{
    *out = (ag_token_file){0};
    AG_TRY(ag_map_file(&out->file, key, path));
    const llmc_kind *kind =
        spec->bin_format != AG_BIN_PLAIN ? find_kind(word_at(&out->file, 0)) : NULL;
    ag_status status =
        kind != NULL ? read_llmc(out, spec, kind, path, key) : read_plain(out, spec, path, key);
    if (status == AG_OK) {
        find_largest(out);
        status = check_tokens(out, spec, path, key);
    }
    if (status != AG_OK)
        ag_unmap(&out->file);
    return status;
}
