/* A set of small integers by hash, sized once: finds a value that the caller keeps elsewhere, such
 * as the row of an array, by what it holds. */
#ifndef AG_CONFIG_INDEX_H
#define AG_CONFIG_INDEX_H

#include <stdint.h>

#include "findings.h"

typedef struct ag_index {
    size_t *slots; /* value + 1; 0 is free */
    size_t mask;
} ag_index;

typedef bool (*ag_index_same)(const void *context, size_t value);

bool ag_index_init(ag_index *index, size_t capacity, ag_findings *findings);

/* The slot that holds a value for which same() is true, or the free one for it. */
size_t *ag_index_find(const ag_index *index, uint64_t hash, ag_index_same same,
                      const void *context);

uint64_t ag_index_hash(const void *bytes, size_t count);

#endif
