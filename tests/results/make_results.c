/* make_results OUT.h5 spooled|packed|orphans: a results file of made-up runs, for check_readers.py.
 * With orphans the formats have names that are data, whatever they look like, and the grid forgets
 * two of its four runs before the file is packed. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "record/made_up.h"
#include "record/record.h"
#include "results/publish.h"
#include "results/run_file.h"
#include "spool/notes.h"
#include "spool/store.h"
#include "support.h"

static const ag_store_options s_plain = {.worker = ag_results_work};

enum { RUNS = 4, FAILED = 3, MOST_BYTES = 1 << 20 };

static ag_status put(ag_store *store, const ag_run *run, const char *path, ag_arena *arena)
{
    static char bytes[MOST_BYTES];
    ag_record record;
    made_up_record(&record, run, arena);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    AG_TRY(ag_run_file_write_fd(fd, &record));
    ssize_t size = pread(fd, bytes, sizeof bytes, 0);
    close(fd);
    unlink(path);
    return ag_store_put(store, run->id, bytes, (size_t)size);
}

static ag_status make(const char *path, bool packed, ag_arena *arena)
{
    ag_run runs[RUNS];
    ag_grid grid;
    ag_store *store = NULL;
    const ag_job_facts facts = {.build = "0.1", .ranks = 2};
    made_up_grid(&grid, runs, RUNS, arena);
    AG_TRY(ag_store_open(&store, path, &grid, &facts, &s_plain));
    for (size_t i = 0; i < FAILED; i++)
        AG_TRY(put(store, &runs[i], ag_store_log_path(store, runs[i].id), arena));
    AG_TRY(ag_store_fail(store, &(ag_failure){runs[FAILED].id, "crashed: SIGSEGV", 2}));
    AG_TRY(ag_store_event(store, "started", "\"ranks\": 2"));
    AG_TRY(packed ? ag_results_pack(path) : ag_results_publish(path));
    ag_store_close(store);
    return AG_OK;
}

static void rename_formats(ag_grid *grid)
{
    static const char *const names[RUNS] = {"NA", "", "null",
                                            ("gr\xc3\xb6\xc3\x9f"
                                             "er \xf0\x9f\x98\x80")};
    for (size_t i = 0; i < grid->n_labels; i++) {
        ag_axis_value *values = (ag_axis_value *)grid->labels[i].values;
        values[0].text = names[i];
    }
}

static ag_status forget_runs(const char *path, ag_arena *arena)
{
    ag_run runs[RUNS];
    ag_grid grid;
    ag_store *store = NULL;
    const ag_job_facts facts = {.build = "0.1", .ranks = 2};
    made_up_grid(&grid, runs, RUNS, arena);
    rename_formats(&grid);
    AG_TRY(ag_store_open(&store, path, &grid, &facts, &s_plain));
    for (size_t i = 0; i < RUNS; i++)
        AG_TRY(put(store, &runs[i], ag_store_log_path(store, runs[i].id), arena));
    AG_TRY(ag_results_pack(path));
    ag_store_close(store);
    grid.n_runs = grid.n_labels = 2;
    AG_TRY(ag_store_open(&store, path, &grid, &facts, &s_plain));
    AG_TRY(ag_results_pack(path));
    ag_store_close(store);
    return AG_OK;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return EXIT_FAILURE;
    ag_arena arena;
    ag_arena_init_growing(&arena);
    ag_status status = strcmp(argv[2], "orphans") == 0
                           ? forget_runs(argv[1], &arena)
                           : make(argv[1], strcmp(argv[2], "packed") == 0, &arena);
    if (status != AG_OK)
        fprintf(stderr, "%s\n", ag_error_message());
    ag_arena_deinit(&arena);
    return status == AG_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
