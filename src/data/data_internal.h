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

/* A text that changes whenever the facts may: parameters, sizes, modification times. False when a
 * file is not there, or was written less than two seconds ago and so might change once more without
 * a new modification time. */
bool ag_facts_cache_key(ag_text *key, const ag_data_spec *spec);

/* False when they are not in the cache, there is no cache or its entry is damaged. */
bool ag_facts_cache_read(ag_known_facts *known, const ag_text *key);

/* Does nothing where the cache cannot be written. */
void ag_facts_cache_write(const ag_known_facts *known, const ag_text *key);

#endif
