#include "train_preflight.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/batch.h"
#include "proc/memory.h"
#include "record/record.h"
#include "results/run_file.h"
#include "run/params.h"
#include "run/run_json.h"
#include "train/train.h"

enum { TINY_LAYERS = 5 };

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

ag_status ag_train_preflight(int fd)
{
    char text[1024];
    char hdf5[32];
    ag_memory_limit memory;
    AG_TRY(train_tiny(fd));
    ag_run_file_library(hdf5, sizeof hdf5);
    ag_memory_limit_read(&memory, "");
    int length = snprintf(text, sizeof text, "build %s\nhdf5 %s\nmemory %llu %llu %s\n",
                          ALTGRAD_VERSION, hdf5, (unsigned long long)memory.bytes,
                          (unsigned long long)memory.held, memory.source);
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)length, 0) != length)
        return ag_fail_errno("cannot report to the supervisor");
    return AG_OK;
}
