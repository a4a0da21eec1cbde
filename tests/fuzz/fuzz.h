/* Mutated input, in this process: what a target is, and how its input is mutated. A case is a pure
 * function of (seed, case number, corpus), so that a failure can be repeated alone. */
#ifndef AG_TESTS_FUZZ_FUZZ_H
#define AG_TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "run/grid.h"

enum { FUZZ_LARGEST = 1 << 16, FUZZ_ITEMS = 256 };

/* An input before it is mutated. */
typedef struct fuzz_item {
    const char *name;
    char *bytes; /* [size], then a 0 */
    size_t size;
} fuzz_item;

typedef struct fuzz_corpus {
    size_t count;
    fuzz_item items[FUZZ_ITEMS];
} fuzz_corpus;

typedef struct fuzz_input {
    const fuzz_item *item; /* what was mutated */
    uint64_t seed;
    uint32_t number; /* of the case */
    bool accepted;   /* the target sets it */
    size_t size;
    char bytes[FUZZ_LARGEST + 1]; /* a 0 behind them */
} fuzz_input;

/* Copies `size` bytes into the corpus. */
void fuzz_add(fuzz_corpus *corpus, const char *name, const char *bytes, size_t size);

/* The input of a case. Case 0 to count - 1 of the corpus are its items as they are. */
void fuzz_make(fuzz_input *input, const fuzz_corpus *corpus, uint64_t seed, uint32_t number);

/* A random number below `limit` that the case determines; `use` tells its uses apart. */
uint32_t fuzz_below(const fuzz_input *input, uint32_t use, uint32_t limit);

typedef struct fuzz_target {
    const char *name;
    void (*prepare)(fuzz_corpus *corpus); /* in an empty folder; the corpus holds the files given */
    const char *(*run)(fuzz_input *input); /* what is wrong, or NULL; one thread */
} fuzz_target;

extern const fuzz_target fuzz_experiments; /* fuzz_experiments.c: experiment files */
extern const fuzz_target fuzz_assignments; /* fuzz_json.c: what altgrad-train takes */
extern const fuzz_target fuzz_grids;       /* fuzz_json.c: grid.json */
extern const fuzz_target fuzz_notes;       /* fuzz_notes.c: the small files beside the results */

/* fuzz_json.c: what is wrong with the text of a run or a grid, or NULL. It must be read, and then
 * give the same text once more. */
const char *fuzz_check_run(const ag_run *run);
const char *fuzz_check_grid(const ag_grid *grid);

/* Writes a file; ends the program when that fails. */
void fuzz_write(const char *path, const char *bytes, size_t size);

#endif
