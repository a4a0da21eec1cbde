/* Prepared tokens: nanoGPT's train.bin and val.bin, or llm.c's shards, one after the other. They
 * are used where they lie in the page cache, shared by all trainers of a host, unless several
 * files, or another width, make a copy necessary. */
#include <stdlib.h>
#include <string.h>

#include "data_internal.h"

typedef struct token_part {
    ag_token_paths paths;
    ag_token_file *files; /* [paths.count] */
    size_t count;         /* tokens */
    uint32_t largest;
} token_part;

static void close_part(token_part *part)
{
    for (size_t i = 0; part->files != NULL && i < part->paths.count; i++)
        ag_unmap(&part->files[i].file);
    free(part->files);
    ag_token_paths_free(&part->paths);
}

/* A shard of another width is seldom one of the same data set. */
static ag_status open_file(token_part *part, size_t i, const ag_data_spec *spec, const char *key)
{
    ag_token_file *file = &part->files[i];
    AG_TRY(ag_token_file_open(file, spec, part->paths.paths[i], key));
    if (file->width != part->files[0].width)
        return ag_fail(AG_ERR_INPUT,
                       "%s '%s': has tokens of %zu bytes, but '%s' of %zu; expected one width in "
                       "all files of a part: does the pattern match another data set too?",
                       key, part->paths.paths[i], file->width, part->paths.paths[0],
                       part->files[0].width);
    part->count += file->count;
    part->largest = file->largest > part->largest ? file->largest : part->largest;
    return AG_OK;
}

/* The key that named the part goes into every message about it. */
static ag_status open_part(token_part *part, const ag_data_spec *spec, bool is_val)
{
    const char *key = ag_is_set(spec->bin) ? "data.bin"
                      : is_val             ? "data.bin_val"
                                           : "data.bin_train";
    AG_TRY(ag_token_paths_find(&part->paths, spec, is_val));
    part->files = calloc(part->paths.count, sizeof *part->files);
    if (part->files == NULL)
        return ag_fail(AG_ERR_SYSTEM, "no memory for the list of token files");
    for (size_t i = 0; i < part->paths.count; i++)
        AG_TRY(open_file(part, i, spec, key));
    return AG_OK;
}

/* `to` has `width` bytes per token, which is enough for all of them. */
static void copy_tokens(void *to, size_t width, const ag_token_file *file)
{
    const uint16_t *narrow = file->tokens;
    const uint32_t *wide = file->tokens;
    if (file->width == width) {
        memcpy(to, file->tokens, file->count * width);
        return;
    }
    for (size_t i = 0; i < file->count; i++) {
        if (width == sizeof(uint16_t))
            ((uint16_t *)to)[i] = (uint16_t)wide[i];
        else
            ((uint32_t *)to)[i] = narrow[i];
    }
}

/* The tokens of a part in one piece, which `mapping` comes to own. */
static ag_status join_part(const void **tokens, ag_mapping *mapping, token_part *part, size_t width)
{
    if (part->paths.count == 1 && part->files[0].width == width) {
        *tokens = part->files[0].tokens;
        *mapping = part->files[0].file;
        part->files[0].file = (ag_mapping){0};
        return AG_OK;
    }
    AG_TRY(ag_map_memory(mapping, part->count * width));
    char *to = mapping->base;
    for (size_t i = 0; i < part->paths.count; i++) {
        copy_tokens(to, width, &part->files[i]);
        to += part->files[i].count * width;
    }
    *tokens = mapping->base;
    return AG_OK;
}

/* Both parts have one width in memory: 2 bytes unless some token needs more, whatever the files
 * had. So the digest is that of the tokens and not of their files. */
static ag_status join(ag_corpus *corpus, token_part parts[2], const ag_data_spec *spec)
{
    ag_corpus_memory *memory = corpus->memory;
    const void *tokens[2] = {NULL, NULL};
    const uint32_t largest =
        parts[0].largest > parts[1].largest ? parts[0].largest : parts[1].largest;
    const bool is_wide = largest > UINT16_MAX;
    for (size_t i = 0; i < 2; i++)
        AG_TRY(join_part(&tokens[i], &memory->tokens[i], &parts[i],
                         is_wide ? sizeof(uint32_t) : sizeof(uint16_t)));
    corpus->train = is_wide ? NULL : tokens[0];
    corpus->val = is_wide ? NULL : tokens[1];
    corpus->wide_train = is_wide ? tokens[0] : NULL;
    corpus->wide_val = is_wide ? tokens[1] : NULL;
    corpus->facts.train_tokens = (int64_t)parts[0].count;
    corpus->facts.val_tokens = (int64_t)parts[1].count;
    corpus->facts.vocab_size = spec->vocab > 0 ? spec->vocab : (int64_t)largest + 1;
    return AG_OK;
}

/* Both parts are opened before either is copied: the width in memory depends on both. */
ag_status ag_bin_corpus_load(ag_corpus *corpus, const ag_data_spec *spec)
{
    token_part parts[2] = {0};
    ag_status status = open_part(&parts[0], spec, false);
    if (status == AG_OK)
        status = open_part(&parts[1], spec, true);
    if (status == AG_OK)
        status = join(corpus, parts, spec);
    close_part(&parts[0]);
    close_part(&parts[1]);
    return status;
}
