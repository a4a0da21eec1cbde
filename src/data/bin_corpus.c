/* nanoGPT's prepared data: train.bin and val.bin, tokens as little-endian uint16, nothing else. */
#include <stdio.h>
#include <stdlib.h>

#include "data_internal.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "tokens are used as they lie in the file, and digests are of little-endian bytes");

/* One part. `limit` tokens are allowed, 0 = any; *size becomes at least largest token + 1. */
static ag_status check_part(int64_t *size, const ag_mapping *file, const char *path, int64_t limit)
{
    const uint16_t *tokens = file->base;
    if (file->bytes % sizeof *tokens != 0)
        return ag_fail(AG_ERR_INPUT,
                       "data.bin '%s': has an odd number of bytes, %zu; expected 2-byte tokens",
                       path, file->bytes);
    const size_t count = file->bytes / sizeof *tokens;
    uint16_t largest = 0;
    for (size_t i = 0; i < count; i++)
        largest = tokens[i] > largest ? tokens[i] : largest;
    *size = *size > largest ? *size : (int64_t)largest + 1;
    if (limit == 0 || largest < limit)
        return AG_OK;
    size_t at = 0;
    while (tokens[at] < limit)
        at++;
    return ag_fail(AG_ERR_INPUT,
                   "data.bin '%s': token %d at byte %zu is not below the vocabulary's size; "
                   "expected data.vocab to be above %d (or left out), not %lld",
                   path, tokens[at], at * sizeof *tokens, largest, (long long)limit);
}

static ag_status load_part(ag_corpus *corpus, size_t part, const char *name,
                           const ag_data_spec *spec)
{
    ag_corpus_memory *memory = corpus->memory;
    ag_mapping *file = &memory->tokens[part];
    char *path = NULL;
    if (asprintf(&path, "%s/%s", spec->bin, name) < 0)
        return ag_fail(AG_ERR_SYSTEM, "no memory for a path");
    ag_status status = ag_map_file(file, "data.bin", path);
    if (status == AG_OK)
        status = check_part(&corpus->facts.vocab_size, file, path, spec->vocab);
    free(path);
    return status;
}

ag_status ag_bin_corpus_load(ag_corpus *corpus, const ag_data_spec *spec)
{
    const ag_corpus_memory *memory = corpus->memory;
    corpus->facts.vocab_size = spec->vocab;
    AG_TRY(load_part(corpus, 0, "train.bin", spec));
    AG_TRY(load_part(corpus, 1, "val.bin", spec));
    corpus->train = memory->tokens[0].base;
    corpus->val = memory->tokens[1].base;
    corpus->facts.train_tokens = (int64_t)(memory->tokens[0].bytes / sizeof(uint16_t));
    corpus->facts.val_tokens = (int64_t)(memory->tokens[1].bytes / sizeof(uint16_t));
    return AG_OK;
}
