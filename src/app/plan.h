/* The parts of `altgrad plan`. */
#ifndef AG_APP_PLAN_H
#define AG_APP_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/text.h"
#include "command_line.h"
#include "config/experiment.h"

typedef struct ag_plan_options {
    const char *file;
    const char *out; /* NULL: what the experiment says */
    ag_texts sets;
    ag_texts only;
    long ranks;
    bool layers;
    bool json;
    bool less; /* nothing but a warning where kept runs recorded less: for helpers */
} ag_plan_options;

/* Prints the plan of an experiment file. */
ag_status ag_plan_show(const ag_plan_options *options);

/* What one training costs, estimated from its shapes. */
typedef struct ag_plan_cost {
    size_t parameters;
    double tokens;      /* trained on */
    double flops;       /* training and evaluation */
    double accumulated; /* of those, in products with an accumulator of their own */
    double disk;        /* bytes that it leaves behind */
    double memory;      /* bytes of a trainer: its arena and the tokens */
} ag_plan_cost;

/* What one core sustains, in 1e9 of the operations that ag_plan_run_cost counts per second:
 * products and everything between them. A constant and no measurement, since a plan is mostly made
 * on another host than the training, and must say the same each time. It depends on how products
 * add up, hardly on the number of bits. Measured on one thread, GPTs of 128 and 384 channels, in
 * FP32, BF16, E4M3, mxfp8, mxfp4, mxint8 and nvfp4: 120 to 380 on a CPU with AVX-512, 60 to 76 with
 * AVX2; E4M3 with the accumulators h100-fp8 and deepseek, which add term by term: 5 to 8. */
enum { AG_PLAN_GFLOPS = 100, AG_PLAN_ACCUMULATED_GFLOPS = 6 };

/* MiB that the two programs of a rank hold without any run, at most: libraries, buffers. */
enum { AG_PLAN_TRAINER_MIB = 24, AG_PLAN_RANK_MIB = 32 };

ag_plan_cost ag_plan_run_cost(const ag_run *run);

/* Seconds of one core that this takes, by those constants. */
double ag_plan_guess_s(const ag_plan_cost *cost);

/* --- what the results hold of a grid */

typedef enum ag_held_state {
    AG_HELD_NOT,
    AG_HELD_FAILED, /* pending again */
    AG_HELD_LESS,   /* kept, but it recorded less than is asked for now */
    AG_HELD_ALL,    /* kept */
    AG_HELD_STATES
} ag_held_state;

typedef struct ag_held_run {
    ag_held_state state;
    bool diverged;     /* of those that are complete */
    const char *lacks; /* the key of a setting; AG_HELD_LESS only */
    int64_t step;      /* where its checkpoint stands; 0 where it has none, or is complete */
    int64_t trunk;     /* steps that another run trains for it (ag_holdings_find_trunks) */
} ag_held_run;

typedef struct ag_holdings {
    bool exists;                       /* whether there are results at all */
    ag_held_run *runs;                 /* [n_runs] of the grid */
    size_t n_timed;                    /* kept runs that the next two are of */
    double timed_s;                    /* seconds that they took */
    double timed_flops;                /* as ag_plan_run_cost counts them */
    double timed_guess_s;              /* what ag_plan_guess_s says of them */
    int64_t numerics;                  /* the version that they were computed by */
    size_t n_orphans;                  /* complete, but no run of the grid */
    char (*orphans)[AG_ID_LENGTH + 1]; /* [n_orphans] */
    ag_arena arena;
} ag_holdings;

/* Close it also after a failure. */
ag_status ag_holdings_read(ag_holdings *holdings, const char *out, const ag_grid *grid);
void ag_holdings_close(ag_holdings *holdings);

/* Which of the selected runs begin with steps of others. */
ag_status ag_holdings_find_trunks(ag_holdings *holdings, const ag_grid *grid, const bool *selected);

/* Append what that saves: a line where it is something; a member "trunks". */
void ag_plan_trunks(ag_text *text, const ag_holdings *holdings, const ag_grid *grid,
                    const bool *selected);
void ag_plan_trunks_json(ag_text *text, const ag_holdings *holdings, const ag_grid *grid,
                         const bool *selected);

/* Appends what of the selected runs is kept, to be trained, and orphaned. */
void ag_holdings_text(ag_text *text, const char *out, const ag_holdings *holdings,
                      const ag_grid *grid, const bool *selected);
void ag_holdings_json(ag_text *text, const char *out, const ag_holdings *holdings,
                      const ag_grid *grid, const bool *selected);

/* Appends a line, without its end, where kept runs recorded less than is asked for now. */
void ag_holdings_warn(ag_text *text, const ag_holdings *holdings, const ag_grid *grid,
                      const bool *selected);

/* Appends each corpus of the selected runs: source, tokens of each part, vocabulary. The second is
 * a list of {"kind", "source", "train_tokens", "val_tokens", "vocab_size", "digest"}. */
void ag_plan_data(ag_text *text, const ag_grid *grid, const bool *selected);
void ag_plan_data_json(ag_text *text, const ag_grid *grid, const bool *selected);

/* Appends each state that selected runs begin with (train.start): whose it is and how many do. The
 * second is a list of {"file", "run", "step", "digest", "runs"}. */
void ag_plan_starts(ag_text *text, const ag_grid *grid, const bool *selected);
void ag_plan_starts_json(ag_text *text, const ag_grid *grid, const bool *selected);

/* Appends one row for each distinct model of the selected runs, then disk and time. */
ag_status ag_plan_models(ag_text *text, const ag_grid *grid, const bool *selected, int ranks,
                         const ag_holdings *holdings);

/* Appends the format of each layer and role, one table for each (format, layer config). */
ag_status ag_plan_layers(ag_text *text, const ag_grid *grid, const bool *selected);

/* Appends {"experiment", "runs", "labels", "data", "results"}. */
void ag_plan_json(ag_text *text, const ag_grid *grid, const bool *selected, const char *out,
                  const ag_holdings *holdings);

#endif
