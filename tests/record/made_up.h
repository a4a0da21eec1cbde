/* A made-up run and its record: every value is a formula, so that a reader can compute it again. */
#ifndef AG_TESTS_STORE_MADE_UP_H
#define AG_TESTS_STORE_MADE_UP_H

#include "record/record.h"
#include "run/grid.h"
#include "run/params.h"
#include "run/run_json.h"

enum { MADE_UP_STEPS = 5, MADE_UP_WINDOWS = 3, MADE_UP_LAYERS = 5 };

/* A run of one block and MADE_UP_STEPS steps, identified. `precision` is [MADE_UP_LAYERS]. */
void made_up_run(ag_run *run, int64_t seed, const ag_layer_precision *precision);

/* loss[i] = 4 - i / 10 + seed, val_loss = 3, 2 (+ seed), weights[i] = i / 1000 + seed, ... */
void made_up_record(ag_record *record, const ag_run *run, ag_arena *arena);

/* One run a seed, from 0; axes format, layers, seed and optimizer.lr. Layer 0's weight is E4M3. */
void made_up_grid(ag_grid *grid, ag_run *runs, size_t n_runs, ag_arena *arena);

#endif
