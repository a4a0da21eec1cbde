/* Memory handed out in order and released together. A training run asks once for all that it needs,
 * so that nothing is allocated in the loop of steps and one number says what a run takes. Every
 * piece is aligned to 64 bytes, a cache line and an AVX-512 register, and zeroed: a run may not
 * depend on what memory held before. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pages.h"

enum { ALIGNMENT = 64, GROWTH_BYTES = 64 * 1024 };

struct ag_arena_block {
    ag_arena_block *next;
    size_t size; /* bytes of `data` */
    size_t used;
    unsigned char *data; /* aligned, zeroed */
};

/* Sizes are rounded, not addresses, so that what a run needs can be added up before. */
size_t ag_arena_rounded(size_t bytes)
{
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* The header takes a whole alignment, so that the data behind it is aligned as well. */
static ag_arena_block *add_block(ag_arena *arena, size_t bytes)
{
    size_t size = ag_arena_rounded(bytes > 0 ? bytes : 1);
    size_t header = ag_arena_rounded(sizeof(ag_arena_block));
    if (size < bytes || size > SIZE_MAX - header)
        return NULL;
    ag_arena_block *block = ag_pages_alloc(header + size);
    if (block == NULL)
        return NULL;
    *block = (ag_arena_block){.next = arena->blocks, .size = size};
    block->data = (unsigned char *)block + header;
    memset(block->data, 0, size);
    arena->blocks = block;
    return block;
}

ag_status ag_arena_init(ag_arena *arena, size_t bytes)
{
    *arena = (ag_arena){0};
    if (add_block(arena, bytes) == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory: %zu MiB are needed", bytes >> 20);
    return AG_OK;
}

void ag_arena_init_growing(ag_arena *arena)
{
    *arena = (ag_arena){.grows = true};
}

void ag_arena_deinit(ag_arena *arena)
{
    while (arena->blocks != NULL) {
        ag_arena_block *block = arena->blocks;
        arena->blocks = block->next;
        free(block);
    }
    arena->used = 0;
}

/* A fixed arena that is full says so (NULL); a growing one leaves the rest of its block and takes a
 * new one. */
void *ag_arena_alloc(ag_arena *arena, size_t bytes)
{
    size_t size = ag_arena_rounded(bytes);
    if (size < bytes)
        return NULL;
    ag_arena_block *block = arena->blocks;
    if (block == NULL || block->size - block->used < size) {
        if (!arena->grows)
            return NULL;
        block = add_block(arena, size > GROWTH_BYTES ? size : GROWTH_BYTES);
        if (block == NULL)
            return NULL;
    }
    void *memory = block->data + block->used;
    block->used += size;
    arena->used += size;
    return memory;
}

void ag_arena_rewind(ag_arena *arena, size_t used)
{
    ag_arena_block *block = arena->blocks;
    memset(block->data + used, 0, block->used - used);
    block->used = arena->used = used;
}

float *ag_arena_floats(ag_arena *arena, size_t count)
{
    if (count > SIZE_MAX / sizeof(float))
        return NULL;
    return ag_arena_alloc(arena, count * sizeof(float));
}

char *ag_arena_strndup(ag_arena *arena, const char *text, size_t length)
{
    char *copy = ag_arena_alloc(arena, length + 1);
    if (copy != NULL)
        memcpy(copy, text, length);
    return copy;
}

char *ag_arena_strdup(ag_arena *arena, const char *text)
{
    return ag_arena_strndup(arena, text, strlen(text));
}

char *ag_arena_printf(ag_arena *arena, const char *format, ...)
{
    va_list arguments;
    va_list again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    char *text = length < 0 ? NULL : ag_arena_alloc(arena, (size_t)length + 1);
    if (text != NULL)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    va_end(arguments);
    return text;
}
