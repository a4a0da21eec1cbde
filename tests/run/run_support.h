/* Runs and grids as text: what the tests of both share. */
#ifndef AG_TESTS_SPEC_SUPPORT_H
#define AG_TESTS_SPEC_SUPPORT_H

#include "support.h"

#include <jansson.h>

#include "numerics/recipe.h"
#include "run/grid.h"
#include "run/layers.h"
#include "run/params.h"
#include "run/run_json.h"
#include "run/sites.h"

enum {
    MAX_BLOCKS = 112, /* three digits of block number */
    GPT2_LINEARS = 4, /* of a block, */
    GPT2_SITES = 21,  /* and its sites; behind the blocks are 4 of lm_head and */
    GPT2_LAST = 3,    /* those of ln_f, wpe and wte */
    MAX_LAYERS = AG_MOST_LINEARS * MAX_BLOCKS + 1,
    MOST_NORMS = 6, /* of a block */
    MAX_SITES = (AG_MOST_LINEARS * AG_SITES_PER_LINEAR + 3 + MOST_NORMS) * MAX_BLOCKS +
                AG_SITES_PER_LINEAR + AG_MOST_EMBEDDINGS + 1,
};

#define GOLDEN_RUN_ID "54ecbe5b38af"

typedef struct run_fixture {
    ag_arena arena;
    ag_text text;
    ag_layer_precision layers[MAX_LAYERS];
    ag_layer_precision sites[MAX_SITES]; /* null, and not yet the run's */
    ag_run run;
} run_fixture;

/* The run of spec/golden_run.json. */
int set_up_run(void **state);
int tear_down_run(void **state);

ag_scheme scheme_of(const char *format);
void set_role(ag_layer_precision *layer, ag_role role, ag_scheme scheme); /* for both uses */

/* Fails unless the run's canonical text is the file's only line, and its id this. */
void assert_golden(run_fixture *f, const char *path, const char *id);

/* The parsed text; fails unless its keys are sorted. */
json_t *load_sorted(const char *text);

/* A change of a text, and a part of the message that refuses it. */
typedef struct text_change {
    const char *old;
    const char *new;
    const char *message;
} text_change;

/* The text with its first `old` replaced by `new`; the test fails where there is none. */
const char *replaced(const ag_text *text, const char *old, const char *new, ag_arena *arena);

/* Reads the assignment of the fixture's run with its first `old` replaced by `new`. */
ag_status read_changed(run_fixture *f, const char *old, const char *new);

#endif
