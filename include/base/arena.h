/* Memory that is handed out once and released together. A fixed arena (ag_arena_init) holds what
 * a training run needs and never grows; a growing one (ag_arena_init_growing) holds the many
 * small things of a parsed file.
 *
 *   base                     used                          size
 *   | weights | grads | .... |  free                        |      a fixed arena is one block
 */
#ifndef AG_BASE_ARENA_H
#define AG_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

typedef struct ag_arena_block ag_arena_block;

typedef struct ag_arena {
    ag_arena_block *blocks; /* newest first */
    size_t used;            /* bytes handed out, alignment included */
    bool grows;
} ag_arena;

/* A block of `bytes`, zeroed, which does not grow. */
ag_status ag_arena_init(ag_arena *arena, size_t bytes);

/* An empty arena that asks the system for more whenever it is full. */
void ag_arena_init_growing(ag_arena *arena);

/* Releases everything. Also right for an arena that is all zero bytes. */
void ag_arena_deinit(ag_arena *arena);

/* Takes back, zeroed, what a fixed arena has handed out since `used` was its arena->used. */
void ag_arena_rewind(ag_arena *arena, size_t used);

/* `bytes` zeroed bytes aligned to 64, or NULL when the arena is full (or the system is). */
void *ag_arena_alloc(ag_arena *arena, size_t bytes);

/* `count` zeroed floats aligned to 64 bytes, or NULL. */
float *ag_arena_floats(ag_arena *arena, size_t count);

/* A copy of `text`, or of its first `length` bytes with a 0 after them, or NULL. */
char *ag_arena_strdup(ag_arena *arena, const char *text);
char *ag_arena_strndup(ag_arena *arena, const char *text, size_t length);

/* A string made by printf's rules, or NULL. */
char *ag_arena_printf(ag_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What ag_arena_alloc(bytes) takes from a fixed arena: for sizing it beforehand. */
size_t ag_arena_rounded(size_t bytes);

#endif
