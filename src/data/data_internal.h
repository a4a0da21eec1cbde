/* What the files of data share: mapped memory, the three kinds of corpora, the cache of facts. */
#ifndef AG_DATA_INTERNAL_H
#define AG_DATA_INTERNAL_H

#include <stdbool.h>

#include "base/text.h"
#include "data/corpus.h"

typedef struct ag_mapping {
    void *base; /* NULL = nothing */
    size_t bytes;
} ag_mapping;

/* What a file is that was given in the place of tokens or text, and what can be done about it. */
typedef struct ag_file_kind {
    const char *what; /* "a NumPy array" */
    const char *cure;
} ag_file_kind;

/* By the mark with which such a file begins; NULL for one without. */
const ag_file_kind *ag_file_recognise(const unsigned char *bytes, size_t size);

/* By its first 4 KiB. */
bool ag_looks_like_text(const unsigned char *bytes, size_t size);
bool ag_looks_like_numbers(const unsigned char *bytes, size_t size);

/* What these words look like if not tokens of 2 bytes (4 bytes: if not of 4); NULL where nothing
 * speaks against them. */
const ag_file_kind *ag_tokens_misread(const uint16_t *words, size_t count);
const ag_file_kind *ag_wide_tokens_misread(const uint32_t *tokens, size_t count);

/* Unset parameters of data are "", or NULL where a caller left them out. */
static inline bool ag_is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

/* The whole file, read-only. `key` is the parameter that named it, for the message: AG_ERR_INPUT
 * when it cannot be opened, is no regular file or is empty. */
ag_status ag_map_file(ag_mapping *mapping, const char *key, const char *path);

/* Zeroed memory, of which only what is touched is taken from the system. */
ag_status ag_map_memory(ag_mapping *mapping, size_t bytes);

/* Gives back what lies beyond the first `bytes`. */
void ag_map_shrink(ag_mapping *mapping, size_t bytes);
void ag_unmap(ag_mapping *mapping);

/* What ag_corpus.memory points to. */
typedef struct ag_corpus_memory {
    ag_mapping tokens[2];
    uint32_t *vocab; /* malloc */
} ag_corpus_memory;

/* --- token files */

/* The files of one part, sorted: train.bin of data.bin, or those of a pattern. */
typedef struct ag_token_paths {
    char **paths; /* [count] */
    size_t count;
} ag_token_paths;

ag_status ag_token_paths_find(ag_token_paths *paths, const ag_data_spec *spec, bool is_val);
void ag_token_paths_free(ag_token_paths *paths);

typedef struct ag_token_file {
    ag_mapping file;
    const void *tokens; /* in the mapping: [count] of `width` bytes */
    size_t count;
    size_t width;     /* 2 or 4 */
    uint32_t largest; /* token */
} ag_token_file;

/* Reads a file as what it is: plain integers or llm.c's, see ag_corpus_open. AG_ERR_INPUT with what
 * it is instead and the cure. */
ag_status ag_token_file_open(ag_token_file *out, const ag_data_spec *spec, const char *path,
                             const char *key);

/* llm.c's magic numbers: what such a file holds, or NULL. */
const char *ag_llmc_content(int32_t magic);

/* Each fills in tokens, vocabulary and sizes. The digest is left to the caller. */
ag_status ag_text_corpus_load(ag_corpus *corpus, const ag_data_spec *spec);
ag_status ag_bin_corpus_load(ag_corpus *corpus, const ag_data_spec *spec);

/* Cuts `count` tokens in two: the first floor(count * (1 - val_fraction)) train. */
void ag_corpus_split(ag_corpus *corpus, const uint16_t *tokens, int64_t count, double val_fraction);

/* Parameter and path that a message about this corpus begins with. */
void ag_corpus_place(char *place, size_t size, const ag_data_spec *spec);

/* What the cache keeps of a corpus. */
typedef struct ag_known_facts {
    ag_data_facts facts;
    double entropy_rate;
} ag_known_facts;

/* A text that changes whenever the facts may: parameters, and what the system knows of the files.
 * False when a file is not there, or was written less than two seconds ago and so might change once
 * more without a new time. */
bool ag_facts_cache_key(ag_text *key, const ag_data_spec *spec);

/* False when they are not in the cache, there is no cache or its entry is damaged. */
bool ag_facts_cache_read(ag_known_facts *known, const ag_text *key);

/* Does nothing where the cache cannot be written. */
void ag_facts_cache_write(const ag_known_facts *known, const ag_text *key);

#endif
