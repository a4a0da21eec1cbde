/* The small files beside the results, one of them damaged each time: what status, summary and pack
 * read of them is there, or a message says which file is not as it was. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "record/made_up.h"
#include "record/record.h"
#include "results/overview.h"
#include "results/publish.h"
#include "results/results.h"
#include "results/run_file.h"
#include "spool/live.h"
#include "spool/notes.h"
#include "spool/store.h"
#include "support.h"

static const ag_store_options s_plain = {.worker = ag_results_work};

enum { RUNS = 4 };
static const char s_out[] = "out.h5";

static void put_run(ag_store *store, const ag_run *run)
{
    static char bytes[1 << 20];
    ag_record record;
    ag_arena arena;
    ag_arena_init_growing(&arena);
    made_up_record(&record, run, &arena);
    assert_ok(ag_run_file_write("run.h5", &record));
    FILE *file = fopen("run.h5", "rb");
    size_t size = file != NULL ? fread(bytes, 1, sizeof bytes, file) : 0;
    assert_true(file != NULL && fclose(file) == 0);
    assert_ok(ag_store_put(store, run->id, bytes, size));
    ag_arena_deinit(&arena);
}

static void take_file(fuzz_corpus *corpus, const char *path)
{
    static char bytes[FUZZ_LARGEST];
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return;
    size_t size = fread(bytes, 1, sizeof bytes, file);
    if (size > 0 && ferror(file) == 0)
        fuzz_add(corpus, path, bytes, size);
    (void)fclose(file);
}

/* Every file of a folder; folders and what is in them are left out. */
static void take_files(fuzz_corpus *corpus, const char *folder)
{
    DIR *all = opendir(folder);
    assert_non_null(all);
    for (const struct dirent *entry; (entry = readdir(all)) != NULL;) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        take_file(corpus, path);
    }
    closedir(all);
}

static void prepare(fuzz_corpus *corpus)
{
    static ag_run runs[RUNS];
    static const char *const names[RUNS] = {"E4M3 0", "E4M3 1", "E4M3 2", "E4M3 3"};
    const ag_job_facts facts = {.build = "0", .libraries = "none", .hosts = "here", .ranks = 1};
    ag_grid grid;
    ag_arena arena;
    ag_store *store = NULL;
    ag_arena_init_growing(&arena);
    made_up_grid(&grid, runs, RUNS, &arena);
    assert_ok(ag_store_open(&store, s_out, &grid, &facts, &s_plain));
    assert_ok(ag_store_plan(store, &grid, names, NULL));
    put_run(store, &runs[0]);
    put_run(store, &runs[1]);
    const ag_failure failure = {runs[2].id, "no such luck", 2};
    assert_ok(ag_store_fail(store, &failure));
    char member[64];
    snprintf(member, sizeof member, "\"run\": \"%s\"", runs[1].id);
    assert_ok(ag_store_event(store, "diverged", member));
    const ag_live_run running = {.id = runs[3].id, .step = 2, .steps = 5, .loss = 3.5};
    const ag_live live = {.now_s = 2e9, .ranks = 1, .n_running = 1, .running = &running};
    assert_ok(ag_store_live(store, &live));
    take_files(corpus, "out.h5.d");
    take_files(corpus, "out.h5.d/failed");
    assert_true(corpus->count >= 6);
    ag_arena_deinit(&arena);
    free(store); /* not closed: it still owns the results */
}

/* *whole tells whether there was nothing to complain about. */
static const char *watch(bool *whole)
{
    ag_overview seen;
    ag_owner_view owner;
    char log[256];
    if (ag_owner_find(&owner, s_out) != AG_OK)
        return "the owner cannot be asked for";
    *whole = ag_overview_open(&seen, s_out) == AG_OK;
    if (!*whole)
        return ag_error_message()[0] == '\0' ? "status has no message" : NULL;
    for (size_t i = 0; i < seen.n_runs; i++) {
        (void)ag_overview_reason(&seen, &seen.runs[i]);
        (void)ag_overview_log(log, sizeof log, &seen, seen.runs[i].id);
    }
    ag_overview_close(&seen);
    return NULL;
}

static const char *read_results(void)
{
    ag_results results;
    ag_error_clear();
    if (ag_results_open(&results, s_out) != AG_OK)
        return ag_error_message()[0] == '\0' ? "summary has no message" : NULL;
    ag_results_close(&results);
    return NULL;
}

static const char *publish(void)
{
    ag_error_clear();
    if (ag_results_publish(s_out) != AG_OK && ag_error_message()[0] == '\0')
        return "pack has no message";
    return NULL;
}

static const char *run(fuzz_input *input)
{
    fuzz_write(input->item->name, input->bytes, input->size);
    const char *complaint = watch(&input->accepted);
    if (complaint == NULL)
        complaint = read_results();
    if (complaint == NULL && fuzz_below(input, 0, 8) == 0)
        complaint = publish();
    fuzz_write(input->item->name, input->item->bytes, input->item->size);
    return complaint;
}

const fuzz_target fuzz_notes = {"notes", prepare, run};
