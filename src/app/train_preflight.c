/* Whether this host could train: what the real training uses, on a model of a second. Each part of
 * it has failed somewhere: an instruction that the CPU lacks, a library of another version, no room
 * for a run file in memory. */
#include "train_preflight.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "data/batch.h"
#include "proc/memory.h"
#include "record/record.h"
#include "results/run_file.h"
#include "run/params.h"
#include "run/run_json.h"
#include "train/train.h"

/* Four linear layers of one block, and lm_head. */
enum { TINY_LAYERS = 5 };

/* No quantisers and no file: the run's own data were found before. */
static void describe(ag_run *run, const ag_layer_precision *layers)
{
    ag_run_defaults(run);
    run->model.n_layer = 1;
    run->model.n_head = 1;
    run->model.n_embd = 64;
    run->model.block_size = 16;
    run->data.synthetic = AG_SYNTHETIC_MARKOV;
    run->data.val_fraction = 0.5;
    run->data.vocab = 4;
    run->data.order = 1;
    run->data.tokens = 100;
    run->train.steps = 1;
    run->train.batch_size = 1;
    run->eval = (ag_eval_spec){.every = 0, .windows = 1, .batch = 1};
    run->layers = layers;
}

/* With the same kernels and the same writer as a real run. */
static ag_status train_on(const ag_run *run, const ag_corpus *corpus, int fd)
{
    ag_arena memory;
    ag_record record = {0};
    AG_TRY(ag_arena_init(&memory, ag_train_bytes(run, ag_val_windows(corpus, run))));
    ag_status status = ag_train(&record, run, corpus, NULL, &ag_kernels_fast, NULL, &memory);
    if (status == AG_OK)
        status = ag_run_file_write_fd(fd, &record);
    ag_arena_deinit(&memory);
    return status;
}

/* Its id is made like any other: the writer stores it, and the hash is one more thing that could be
 * missing. */
static ag_status train_tiny(int fd)
{
    static const ag_layer_precision layers[TINY_LAYERS];
    ag_run run;
    ag_corpus corpus;
    describe(&run, layers);
    AG_TRY(ag_corpus_open(&corpus, &run.data, run.model.block_size));
    run.facts = corpus.facts;
    ag_status status = ag_run_identify(&run);
    if (status == AG_OK)
        status = train_on(&run, &corpus, fd);
    ag_corpus_close(&corpus);
    return status;
}

/* The report takes the run file's place, as a supervisor hands over one file. */
ag_status ag_train_preflight(int fd)
{
    char hdf5[32];
    ag_memory_limit memory;
    AG_TRY(train_tiny(fd));
    ag_run_file_library(hdf5, sizeof hdf5);
    ag_memory_limit_read(&memory, "");
    ag_text report;
    ag_text_init(&report);
    ag_text_printf(&report, "{\"build\": \"%s\", \"hdf5\": \"%s\", ", ALTGRAD_VERSION, hdf5);
    ag_text_printf(&report, "\"memory\": {\"limit\": %llu, \"held\": %llu, \"source\": ",
                   (unsigned long long)memory.bytes, (unsigned long long)memory.held);
    ag_json_string(&report, memory.source);
    ag_text_add(&report, "}}");
    bool written =
        !report.failed && ftruncate(fd, 0) == 0 && ag_write_at(fd, report.data, report.length, 0);
    ag_text_deinit(&report);
    return written ? AG_OK : ag_fail_errno("cannot report to the supervisor");
}
