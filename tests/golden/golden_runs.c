/* golden_runs RUNS.json DIGESTS THREADS [-w]
 *
 * Trains the runs of RUNS.json, which `altgrad plan FILE --json` printed, and compares what they
 * come to with DIGESTS: one line per run, its id, the SHA-256 of its final weights (16 digits), its
 * last training loss and the loss of its first validation window, to the last bit. With -w the file
 * is written instead. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/pool.h"
#include "data/batch.h"
#include "run/run_json.h"
#include "train/train.h"

enum { LINE = 128 };

static int fail(const char *what)
{
    fprintf(stderr, "golden_runs: %s %s\n", what, ag_error_message());
    return 2;
}

static ag_status train(char line[LINE], const ag_run *run)
{
    ag_arena memory;
    ag_record record = {0};
    ag_corpus corpus;
    AG_TRY(ag_corpus_open(&corpus, &run->data, run->model.block_size));
    ag_status status = ag_arena_init(&memory, ag_train_bytes(run, ag_val_windows(&corpus, run)));
    if (status == AG_OK) {
        status = ag_train(&record, run, &corpus, NULL, &ag_kernels_fast, NULL, &memory);
        if (status == AG_OK)
            snprintf(line, LINE, "%s %.16s %a %a\n", run->id, record.digest,
                     record.loss[record.steps - 1], record.final_windows[0]);
        ag_arena_deinit(&memory);
    }
    ag_corpus_close(&corpus);
    return status;
}

static ag_status train_text(char line[LINE], const json_t *assignment)
{
    ag_arena texts;
    ag_run run;
    char *text = json_dumps(assignment, 0);
    ag_arena_init_growing(&texts);
    ag_status status = ag_run_from_assignment(&run, text, strlen(text), &texts);
    if (status == AG_OK)
        status = train(line, &run);
    ag_arena_deinit(&texts);
    free(text);
    return status;
}

/* The next pinned line, read unless it waits for its run already; "" at the end. */
static const char *next_pinned(FILE *digests, char pinned[LINE])
{
    if (pinned[0] == '\0' && fgets(pinned, LINE, digests) == NULL)
        pinned[0] = '\0';
    return pinned;
}

/* How many faults there are: runs stand in the order of the plan, so one with another id than the
 * next pinned line is new, and the line waits. */
static size_t compare(FILE *digests, char pinned[LINE], const char *line)
{
    if (strncmp(next_pinned(digests, pinned), line, AG_ID_LENGTH) != 0) {
        fprintf(stderr, "not pinned: %s", line);
        return 1;
    }
    size_t differs = strcmp(pinned, line) != 0;
    if (differs > 0)
        fprintf(stderr, "got      %sexpected %s", line, pinned);
    pinned[0] = '\0';
    return differs;
}

static size_t compare_rest(FILE *digests, char pinned[LINE])
{
    size_t count = 0;
    for (; next_pinned(digests, pinned)[0] != '\0'; pinned[0] = '\0', count++)
        fprintf(stderr, "pinned, but not in the plan: %s", pinned);
    return count;
}

int main(int argc, char **argv)
{
    bool writes = argc == 5 && strcmp(argv[4], "-w") == 0;
    if (argc < 4 || ag_pool_start(atoi(argv[3])) != AG_OK)
        return fail("usage: golden_runs RUNS.json DIGESTS THREADS [-w]");
    json_t *plan = json_load_file(argv[1], 0, NULL);
    json_t *runs = json_object_get(plan, "runs");
    FILE *digests = fopen(argv[2], writes ? "w" : "r");
    if (!json_is_array(runs) || digests == NULL)
        return fail("cannot read the files");
    if (ag_kernels_init() != AG_OK)
        return fail("cannot multiply:");
    char pinned[LINE] = "";
    size_t differ = 0;
    for (size_t i = 0; i < json_array_size(runs); i++) {
        char line[LINE] = "";
        if (train_text(line, json_array_get(runs, i)) != AG_OK)
            return fail("a run failed:");
        if (writes)
            fputs(line, digests);
        else
            differ += compare(digests, pinned, line);
    }
    differ += writes ? 0 : compare_rest(digests, pinned);
    printf("%zu runs, %zu differ\n", json_array_size(runs), differ);
    json_decref(plan);
    ag_pool_stop();
    return fclose(digests) != 0 || differ > 0;
}
