/* Memory. Laying out runs twice through the same code, first to measure. Tables and structs come
 * from the arena both times; arrays are only counted while measuring (and NULL). */
#ifndef AG_TRAIN_LAYOUT_H
#define AG_TRAIN_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

typedef struct ag_layout {
    ag_arena *arena;
    bool measuring;
    size_t bytes; /* of arrays, while measuring */
    bool failed;  /* the arena was too small */
} ag_layout;

void *ag_layout_table(ag_layout *layout, size_t bytes);
void *ag_layout_bytes(ag_layout *layout, size_t bytes);
float *ag_layout_floats(ag_layout *layout, size_t count);

/* `base` advanced by `count`, or NULL where there is no base (while measuring). */
float *ag_layout_part(float *base, size_t count);

#endif
