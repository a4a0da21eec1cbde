/* A hash index over values that live elsewhere, by open addressing, at most half full: small, and
 * no allocation after the first. Grids have up to 100,000 combinations, names up to thousands. */
#include "index.h"

bool ag_index_init(ag_index *index, size_t capacity, ag_findings *findings)
{
    size_t size = 16;
    while (size < 2 * capacity)
        size *= 2;
    index->mask = size - 1;
    index->slots = ag_config_alloc(findings, size, sizeof *index->slots);
    return index->slots != NULL;
}

/* Linear probing; the caller enters a value by writing its index + 1 into the free slot. */
size_t *ag_index_find(const ag_index *index, uint64_t hash, ag_index_same same, const void *context)
{
    size_t at = (size_t)hash & index->mask;
    while (index->slots[at] != 0 && !same(context, index->slots[at] - 1))
        at = (at + 1) & index->mask;
    return &index->slots[at];
}

/* FNV-1a (Fowler, Noll, Vo), with the bits mixed once more because only the low ones choose the
 * slot. */
uint64_t ag_index_hash(const void *bytes, size_t count)
{
    const unsigned char *byte = bytes;
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ byte[i]) * 0x100000001b3u;
    return hash ^ (hash >> 32);
}
