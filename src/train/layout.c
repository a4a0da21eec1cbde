/* Memory of a run: the same code first measures what it will take, then takes it. */
#include <stdint.h>

#include "layout.h"

/* A failure is kept until the end: the many calls of a layout need not each look at theirs. */
void *ag_layout_table(ag_layout *layout, size_t bytes)
{
    void *memory = ag_arena_alloc(layout->arena, bytes);
    layout->failed |= memory == NULL;
    return memory;
}

/* Rounded as the arena rounds, or the sum would be too small by some bytes for each array. */
void *ag_layout_bytes(ag_layout *layout, size_t bytes)
{
    if (!layout->measuring)
        return ag_layout_table(layout, bytes);
    layout->bytes += ag_arena_rounded(bytes);
    return NULL;
}

float *ag_layout_floats(ag_layout *layout, size_t count)
{
    return ag_layout_bytes(layout, count * sizeof(float));
}

float *ag_layout_part(float *base, size_t count)
{
    return base == NULL ? NULL : base + count;
}
