/* Text files. A token is a byte, or the rank of a code point among those that the text uses, as in
 * nanoGPT's shakespeare_char. Ranks are in the order of code points, so that the vocabulary depends
 * on which characters occur and not on where. */
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "data_internal.h"

enum {
    CODE_POINTS = 0x110000,
    SYMBOLS_MAX = 65536, /* what a uint16 tells apart */
};

/* Which code points were met. `number` counts them from 1 in the order of their first appearance;
 * 0 = not met. Their rank is known only at the end of the text. */
typedef struct symbol_set {
    uint32_t *number; /* [CODE_POINTS] */
    uint16_t *rank;   /* [SYMBOLS_MAX], of number - 1 */
    size_t count;
} symbol_set;

/* The first pass: writes the number of each code point, less one, in the order of first appearance.
 * `count` becomes how many there are. */
static ag_status number_text(uint16_t *tokens, size_t *count, symbol_set *symbols,
                             const ag_mapping *file, const char *path)
{
    const char *bytes = file->base;
    *count = 0;
    for (size_t at = 0; at < file->bytes;) {
        uint32_t code;
        size_t length = ag_utf8_read(&code, bytes + at, file->bytes - at);
        if (length == 0)
            return ag_fail(AG_ERR_INPUT,
                           "data.text '%s': the bytes at offset %zu (0x%02x ...) are not UTF-8; "
                           "expected UTF-8 text, or 'tokenizer: byte'",
                           path, at, (unsigned char)bytes[at]);
        if (symbols->number[code] == 0) {
            if (symbols->count == SYMBOLS_MAX)
                return ag_fail(AG_ERR_INPUT,
                               "data.text '%s': more than %d different code points, at byte %zu; "
                               "expected fewer, or 'tokenizer: byte'",
                               path, SYMBOLS_MAX, at);
            symbols->number[code] = (uint32_t)++symbols->count;
        }
        tokens[(*count)++] = (uint16_t)(symbols->number[code] - 1);
        at += length;
    }
    return AG_OK;
}

/* Between the passes: ranks the code points that were met. */
static ag_status rank_symbols(ag_corpus *corpus, symbol_set *symbols)
{
    ag_corpus_memory *memory = corpus->memory;
    memory->vocab = calloc(symbols->count + 1, sizeof *memory->vocab);
    if (memory->vocab == NULL)
        return ag_fail(AG_ERR_SYSTEM, "no memory for the vocabulary");
    size_t rank = 0;
    for (uint32_t code = 0; code < CODE_POINTS; code++) {
        if (symbols->number[code] == 0)
            continue;
        symbols->rank[symbols->number[code] - 1] = (uint16_t)rank;
        memory->vocab[rank++] = code;
    }
    corpus->vocab = memory->vocab;
    corpus->facts.vocab_size = (int64_t)rank;
    return AG_OK;
}

/* Two passes: which characters there are is known only after the first, and ranks need all of them.
 */
static ag_status load_chars(ag_corpus *corpus, size_t *count, const ag_mapping *file,
                            const char *path)
{
    ag_corpus_memory *memory = corpus->memory;
    uint16_t *tokens = memory->tokens[0].base;
    symbol_set symbols = {
        .number = calloc(CODE_POINTS, sizeof *symbols.number),
        .rank = calloc(SYMBOLS_MAX, sizeof *symbols.rank),
    };
    ag_status status = AG_OK;
    if (symbols.number == NULL || symbols.rank == NULL) {
        status = ag_fail(AG_ERR_SYSTEM, "no memory for a table of code points");
        goto cleanup;
    }
    if ((status = number_text(tokens, count, &symbols, file, path)) != AG_OK)
        goto cleanup;
    if ((status = rank_symbols(corpus, &symbols)) != AG_OK)
        goto cleanup;
    for (size_t i = 0; i < *count; i++)
        tokens[i] = symbols.rank[tokens[i]];
cleanup:
    free(symbols.rank);
    free(symbols.number);
    return status;
}

/* All 256 bytes are the vocabulary, whether they occur or not: any text fits, and models of two
 * texts compare. */
static ag_status load_bytes(ag_corpus *corpus, size_t *count, const ag_mapping *file)
{
    ag_corpus_memory *memory = corpus->memory;
    memory->vocab = calloc(256, sizeof *memory->vocab);
    if (memory->vocab == NULL)
        return ag_fail(AG_ERR_SYSTEM, "no memory for the vocabulary");
    for (uint32_t byte = 0; byte < 256; byte++)
        memory->vocab[byte] = byte;
    const unsigned char *bytes = file->base;
    uint16_t *tokens = memory->tokens[0].base;
    for (size_t i = 0; i < file->bytes; i++)
        tokens[i] = bytes[i];
    *count = file->bytes;
    corpus->vocab = memory->vocab;
    corpus->facts.vocab_size = 256;
    return AG_OK;
}

/* Bytes of a container or of numbers are no text in any tokenizer. */
static ag_status check_kind(const ag_mapping *file, const char *path)
{
    int32_t magic = 0;
    memcpy(&magic, file->base, file->bytes < sizeof magic ? file->bytes : sizeof magic);
    const ag_file_kind *kind = ag_file_recognise(file->base, file->bytes);
    if (ag_llmc_content(magic) != NULL)
        return ag_fail(AG_ERR_INPUT,
                       "data.text '%s': is %s of llm.c, expected UTF-8 text; token files go into "
                       "data.bin, or data.bin_train and data.bin_val",
                       path, ag_llmc_content(magic));
    if (kind != NULL)
        return ag_fail(AG_ERR_INPUT, "data.text '%s': is %s, expected UTF-8 text; %s", path,
                       kind->what, kind->cure);
    if (ag_looks_like_numbers(file->base, file->bytes))
        return ag_fail(AG_ERR_INPUT,
                       "data.text '%s': looks like numbers (many bytes are 0), expected UTF-8 "
                       "text; token files go into data.bin, or data.bin_train and data.bin_val, "
                       "UTF-16 is converted by 'iconv -f UTF-16LE -t UTF-8'",
                       path);
    return AG_OK;
}

ag_status ag_text_corpus_load(ag_corpus *corpus, const ag_data_spec *spec)
{
    ag_corpus_memory *memory = corpus->memory;
    ag_mapping file = {0};
    size_t count = 0;
    AG_TRY(ag_map_file(&file, "data.text", spec->text));
    ag_status status = check_kind(&file, spec->text);
    if (status == AG_OK)
        status = ag_map_memory(&memory->tokens[0], file.bytes * sizeof(uint16_t));
    if (status == AG_OK && spec->tokenizer == AG_TOKENIZER_BYTE)
        status = load_bytes(corpus, &count, &file);
    else if (status == AG_OK)
        status = load_chars(corpus, &count, &file, spec->text);
    ag_unmap(&file);
    if (status != AG_OK)
        return status;
    ag_map_shrink(&memory->tokens[0], count * sizeof(uint16_t));
    ag_corpus_split(corpus, memory->tokens[0].base, (int64_t)count, spec->val_fraction);
    return AG_OK;
}
