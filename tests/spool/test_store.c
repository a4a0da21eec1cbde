/* The store: put, publish, pack, extend, orphans, ownership; what is not ours stays as it is. */
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "record/made_up.h"
#include "record/record.h"
#include "results/publish.h"
#include "results/results.h"
#include "results/run_file.h"
#include "spool/notes.h"
#include "spool/store.h"
#include "support.h"

static const ag_store_options s_plain = {.worker = ag_results_work};
static const ag_store_options s_take_over = {.take_over = true, .worker = ag_results_work};

enum { SEEDS = 4 };

typedef struct fixture {
    ag_arena arena;
    ag_run runs[SEEDS];
    ag_grid grid;
    ag_job_facts facts;
    char folder[64];
    char path[96];
    ag_store *store;
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    ag_arena_init_growing(&f->arena);
    made_up_grid(&f->grid, f->runs, SEEDS, &f->arena);
    f->facts = (ag_job_facts){.build = "0.1", .hosts = "here", .ranks = 2};
    snprintf(f->folder, sizeof f->folder, "/tmp/altgrad-store-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/deep/out.h5", f->folder);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    char command[128];
    ag_store_close(f->store);
    snprintf(command, sizeof command, "rm -rf %s", f->folder);
    int status = system(command);
    ag_arena_deinit(&f->arena);
    free(f);
    return status;
}

static void open_with(fixture *f, size_t n_runs)
{
    ag_store_close(f->store);
    f->store = NULL;
    f->grid.n_runs = n_runs;
    f->grid.n_labels = n_runs;
    assert_ok(ag_store_open(&f->store, f->path, &f->grid, &f->facts, &s_plain));
}

static void *read_bytes(fixture *f, const char *path, size_t *size)
{
    struct stat facts;
    int fd = open(path, O_RDONLY);
    assert_int_equal(fstat(fd, &facts), 0);
    *size = (size_t)facts.st_size;
    void *bytes = ag_arena_alloc(&f->arena, *size);
    assert_int_equal(read(fd, bytes, *size), facts.st_size);
    close(fd);
    return bytes;
}

static void *run_bytes(fixture *f, size_t index, size_t *size)
{
    char path[128];
    ag_record record;
    made_up_record(&record, &f->runs[index], &f->arena);
    snprintf(path, sizeof path, "%s/made-up.h5", f->folder);
    assert_ok(ag_run_file_write(path, &record));
    return read_bytes(f, path, size);
}

static const char *run_file(fixture *f, size_t index)
{
    return ag_arena_printf(&f->arena, "%s.d/runs/%s.h5", f->path, f->runs[index].id);
}

static void put(fixture *f, size_t index)
{
    size_t size;
    void *bytes = run_bytes(f, index, &size);
    assert_ok(ag_store_put(f->store, f->runs[index].id, bytes, size));
}

static ag_status read_weights(fixture *f, const char *path, size_t index)
{
    ag_record record;
    made_up_record(&record, &f->runs[index], &f->arena);
    float *weights = ag_arena_floats(&f->arena, record.tensors.total);
    return ag_weights_read(weights, &record.tensors, path, f->runs[index].id);
}

/* The weights of the run come back from the results file, whatever its state. */
static void assert_weights(fixture *f, size_t index)
{
    ag_record record;
    made_up_record(&record, &f->runs[index], &f->arena);
    float *weights = ag_arena_floats(&f->arena, record.tensors.total);
    assert_ok(ag_weights_read(weights, &record.tensors, f->path, f->runs[index].id));
    for (size_t i = 0; i < record.tensors.count; i++) {
        const ag_tensor *tensor = &record.tensors.rows[i];
        assert_memory_equal(weights + tensor->offset, record.weights + tensor->offset,
                            tensor->count * sizeof(float));
    }
}

static void assert_row(const ag_results *results, const fixture *f, size_t index,
                       ag_run_status status)
{
    const ag_result_row *row = ag_results_row(results, f->runs[index].id);
    assert_non_null(row);
    assert_int_equal(row->status, status);
    if (status != AG_RUN_DONE)
        return;
    assert_true(row->val_loss == 2 + (double)f->runs[index].seed);
    assert_true(row->val_loss_hp == 1.5 + (double)f->runs[index].seed);
    assert_true(row->final_val_loss == 2.25 + (double)f->runs[index].seed);
    assert_true(row->final_val_loss_hp == 1.75 + (double)f->runs[index].seed);
    assert_true(row->loss == 4 - 4 / 10.0 + (double)f->runs[index].seed);
    assert_true(row->entropy_rate == 1.25);
    assert_true(row->train_s == 12.5);
    assert_int_equal(row->steps, MADE_UP_STEPS);
}

static void results_are_found_before_and_after_packing(void **state)
{
    fixture *f = *state;
    ag_results results;
    open_with(f, 3);
    put(f, 1);
    assert_ok(ag_store_fail(f->store, &(ag_failure){f->runs[2].id, "out of memory", 2}));
    assert_true(ag_store_has(f->store, f->runs[1].id));
    assert_false(ag_store_has(f->store, f->runs[0].id));
    for (int pass = 0; pass < 3; pass++) {
        if (pass == 1)
            assert_ok(ag_results_publish(f->path));
        if (pass == 2)
            assert_ok(ag_results_pack(f->path));
        assert_ok(ag_results_open(&results, f->path));
        assert_int_equal(results.packed, pass == 2);
        assert_int_equal(results.n_rows, 3);
        assert_row(&results, f, 0, AG_RUN_PENDING);
        assert_row(&results, f, 1, AG_RUN_DONE);
        assert_row(&results, f, 2, AG_RUN_FAILED);
        assert_string_equal(results.rows[2].reason, "out of memory");
        ag_results_close(&results);
        if (pass > 0)
            assert_weights(f, 1);
    }
}

static void a_run_that_came_after_the_last_publish_counts(void **state)
{
    fixture *f = *state;
    ag_results results;
    open_with(f, 2);
    put(f, 0);
    assert_ok(ag_results_publish(f->path));
    put(f, 1);
    assert_ok(ag_results_open(&results, f->path));
    assert_row(&results, f, 0, AG_RUN_DONE);
    assert_row(&results, f, 1, AG_RUN_DONE);
    ag_results_close(&results);
    assert_int_equal(unlink(run_file(f, 0)), 0);
    assert_ok(ag_results_open(&results, f->path));
    assert_row(&results, f, 0, AG_RUN_PENDING);
    ag_results_close(&results);
}

static void packing_leaves_no_run_files_and_can_be_repeated(void **state)
{
    fixture *f = *state;
    char runs[128];
    open_with(f, 2);
    put(f, 0);
    put(f, 1);
    assert_ok(ag_store_event(f->store, "packed", "\"runs\": 2"));
    assert_ok(ag_results_pack(f->path));
    snprintf(runs, sizeof runs, "%s.d/runs", f->path);
    assert_int_not_equal(access(runs, F_OK), 0);
    assert_ok(ag_results_pack(f->path));
    assert_ok(ag_results_publish(f->path));
    open_with(f, 2);
    assert_int_not_equal(access(runs, F_OK), 0); /* complete: nothing is written back */
    assert_true(ag_store_has(f->store, f->runs[0].id));
    assert_weights(f, 0);
}

/* A packer that was killed at its very end. */
static void closing_removes_the_run_files_that_are_packed(void **state)
{
    fixture *f = *state;
    const char *old = ag_arena_printf(&f->arena, "%s.d/runs.old", f->path);
    open_with(f, 1);
    put(f, 0);
    assert_ok(ag_results_pack(f->path));
    assert_int_equal(mkdir(old, 0777), 0);
    assert_int_equal(close(creat(ag_arena_printf(&f->arena, "%s/a.h5", old), 0600)), 0);
    ag_store_close(f->store);
    f->store = NULL;
    assert_int_not_equal(access(old, F_OK), 0);
    assert_weights(f, 0);
}

static void a_packed_file_is_extended(void **state)
{
    fixture *f = *state;
    ag_results results;
    open_with(f, 2);
    put(f, 0);
    put(f, 1);
    assert_ok(ag_results_pack(f->path));
    open_with(f, 4);
    assert_true(ag_store_has(f->store, f->runs[0].id));
    assert_false(ag_store_has(f->store, f->runs[3].id));
    put(f, 3);
    assert_ok(ag_results_publish(f->path));
    assert_weights(f, 0);
    put(f, 2);
    assert_ok(ag_results_pack(f->path));
    assert_ok(ag_results_open(&results, f->path));
    for (size_t i = 0; i < 4; i++) {
        assert_row(&results, f, i, AG_RUN_DONE);
        assert_weights(f, i);
    }
    ag_results_close(&results);
}

static void orphans_are_kept_and_return(void **state)
{
    fixture *f = *state;
    ag_results results;
    open_with(f, 3);
    for (size_t i = 0; i < 3; i++)
        put(f, i);
    assert_ok(ag_results_pack(f->path));
    open_with(f, 2);
    assert_ok(ag_results_pack(f->path));
    assert_ok(ag_results_open(&results, f->path));
    assert_int_equal(results.n_rows, 3);
    assert_true(results.rows[2].orphan);
    assert_string_equal(results.rows[2].id, f->runs[2].id);
    assert_weights(f, 2);
    ag_results_close(&results);
    open_with(f, 3);
    assert_ok(ag_results_pack(f->path));
    assert_ok(ag_results_open(&results, f->path));
    assert_false(results.rows[2].orphan);
    assert_row(&results, f, 2, AG_RUN_DONE);
    ag_results_close(&results);
}

static void a_second_owner_is_refused_and_told_who_it_is(void **state)
{
    fixture *f = *state;
    char expected[64];
    ag_store *second = NULL;
    open_with(f, 2);
    put(f, 0);
    snprintf(expected, sizeof expected, "pid %d", (int)getpid());
    assert_fails(AG_ERR_SYSTEM, expected,
                 ag_store_open(&second, f->path, &f->grid, &f->facts, &s_plain));
    assert_null(second);
    assert_ok(ag_store_beat(f->store));
    assert_ok(ag_store_open(&second, f->path, &f->grid, &f->facts, &s_take_over));
    assert_fails(AG_ERR_SYSTEM, "taken over", ag_store_beat(f->store));
    assert_fails(AG_ERR_SYSTEM, "taken over", ag_store_put(f->store, f->runs[1].id, "x", 1));
    assert_false(ag_store_has(second, f->runs[1].id));
    ag_store_close(f->store); /* must not give away what the second has */
    f->store = second;
    assert_ok(ag_store_beat(f->store));
}

/* out.h5 -> far -> real/results.h5, which is not there at first. */
static void a_link_is_followed_and_not_replaced(void **state)
{
    fixture *f = *state;
    struct stat facts;
    ag_store *second = NULL;
    const char *real = ag_arena_printf(&f->arena, "%s/real/results.h5", f->folder);
    snprintf(f->path, sizeof f->path, "%s/out.h5", f->folder);
    assert_int_equal(symlink("far", f->path), 0);
    assert_int_equal(symlink(real, ag_arena_printf(&f->arena, "%s/far", f->folder)), 0);
    open_with(f, 2);
    put(f, 0);
    assert_fails(AG_ERR_SYSTEM, "being written by another",
                 ag_store_open(&second, real, &f->grid, &f->facts, &s_plain));
    ag_error_clear();
    put(f, 1);
    assert_ok(ag_results_pack(f->path));
    assert_int_equal(lstat(f->path, &facts), 0);
    assert_true(S_ISLNK(facts.st_mode));
    assert_weights(f, 1);
    snprintf(f->path, sizeof f->path, "%s", real);
    assert_weights(f, 1);
}

static void the_owner_of_a_dead_process_is_replaced(void **state)
{
    fixture *f = *state;
    pid_t child = fork();
    if (child == 0) {
        ag_store *store = NULL;
        bool opened = ag_store_open(&store, f->path, &f->grid, &f->facts, &s_plain) == AG_OK;
        kill(getpid(), opened ? SIGKILL : SIGTERM);
    }
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(WTERMSIG(status), SIGKILL);
    open_with(f, 2);
    put(f, 0);
}

static void a_failed_write_leaves_what_was_there(void **state)
{
    fixture *f = *state;
    size_t size;
    size_t old_size;
    size_t new_size;
    char file[160];
    open_with(f, 2);
    put(f, 0);
    snprintf(file, sizeof file, "%s.d/runs/%s.h5", f->path, f->runs[0].id);
    void *old = read_bytes(f, file, &old_size);
    void *bytes = run_bytes(f, 1, &size);
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    rlim_t before = limit.rlim_cur;
    signal(SIGXFSZ, SIG_IGN);
    limit.rlim_cur = 2000;
    setrlimit(RLIMIT_FSIZE, &limit);
    ag_error_clear();
    ag_status first = ag_store_put(f->store, f->runs[0].id, bytes, size);
    ag_status second = ag_store_put(f->store, f->runs[1].id, bytes, size);
    limit.rlim_cur = before;
    setrlimit(RLIMIT_FSIZE, &limit);
    assert_int_equal(first, AG_ERR_SYSTEM);
    assert_int_equal(second, AG_ERR_SYSTEM);
    assert_non_null(strstr(ag_error_message(), "File too large"));
    assert_memory_equal(old, read_bytes(f, file, &new_size), old_size);
    assert_int_equal(old_size, new_size);
    assert_false(ag_store_has(f->store, f->runs[1].id));
    assert_ok(ag_store_put(f->store, f->runs[1].id, bytes, size));
    assert_ok(ag_results_pack(f->path));
    assert_weights(f, 1);
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void assert_text(const char *path, const char *text)
{
    char found[64] = "";
    FILE *file = fopen(path, "r");
    assert_non_null(fgets(found, sizeof found, file));
    fclose(file);
    assert_string_equal(found, text);
}

/* What a kill or a full disk cut off stays a line of its own. */
static void test_event_after_a_cut_line(void **state)
{
    fixture *f = *state;
    char path[160];
    char cut[64];
    char event[2][128];
    open_with(f, 1);
    snprintf(path, sizeof path, "%s.d/events.jsonl", f->path);
    write_text(path, "{\"time\": \"2026-");
    assert_ok(ag_store_event(f->store, "one", ""));
    assert_ok(ag_store_event(f->store, "two", ""));
    FILE *file = fopen(path, "r");
    assert_non_null(fgets(cut, sizeof cut, file));
    assert_string_equal(cut, "{\"time\": \"2026-\n");
    for (size_t i = 0; i < 2; i++)
        assert_non_null(fgets(event[i], sizeof event[i], file));
    assert_null(fgets(cut, sizeof cut, file));
    fclose(file);
    assert_non_null(strstr(event[0], "\"event\": \"one\"}\n"));
    assert_non_null(strstr(event[1], "\"event\": \"two\"}\n"));
}

static void a_foreign_file_is_refused_and_untouched(void **state)
{
    fixture *f = *state;
    snprintf(f->path, sizeof f->path, "%s/out.h5", f->folder);
    write_text(f->path, "not ours");
    assert_fails(AG_ERR_FILE, "out.h5: not an HDF5 file",
                 ag_store_open(&f->store, f->path, &f->grid, &f->facts, &s_plain));
    assert_text(f->path, "not ours");
    ag_results results;
    assert_fails(AG_ERR_FILE, "not an HDF5 file", ag_results_open(&results, f->path));
    unlink(f->path);
    open_with(f, 2);
    put(f, 0);
    write_text(f->path, "not ours");
    assert_fails(AG_ERR_FILE, "not an HDF5 file", ag_results_pack(f->path));
    assert_text(f->path, "not ours");
}

/* A damaged run file is kept elsewhere, and the run is pending. */
static void assert_set_aside(fixture *f, size_t index)
{
    assert_int_equal(
        access(ag_arena_printf(&f->arena, "%s.d/damaged/%s.h5", f->path, f->runs[index].id), F_OK),
        0);
    assert_false(ag_store_has(f->store, f->runs[index].id));
}

static void a_damaged_run_file_is_set_aside_and_pending(void **state)
{
    fixture *f = *state;
    char file[160];
    open_with(f, 2);
    put(f, 0);
    assert_ok(ag_results_publish(f->path));
    put(f, 1);
    snprintf(file, sizeof file, "%s.d/runs/%s.h5", f->path, f->runs[1].id);
    assert_int_equal(truncate(file, 5000), 0);
    assert_fails(AG_ERR_FILE, "1 of its runs were damaged and are pending again",
                 ag_results_pack(f->path));
    assert_set_aside(f, 1);
    assert_weights(f, 0);
    put(f, 1);
    assert_ok(ag_results_pack(f->path));
    assert_weights(f, 1);
}

/* One flipped bit of a weight leaves good HDF5: only the checksum tells. */
static void a_flipped_bit_is_not_packed(void **state)
{
    fixture *f = *state;
    char file[160];
    size_t size;
    ag_record record;
    open_with(f, 2);
    put(f, 0);
    made_up_record(&record, &f->runs[0], &f->arena);
    snprintf(file, sizeof file, "%s.d/runs/%s.h5", f->path, f->runs[0].id);
    char *bytes = read_bytes(f, file, &size);
    char *place = memmem(bytes, size, record.weights, 64);
    assert_non_null(place);
    int fd = open(file, O_WRONLY);
    *place ^= 1;
    assert_int_equal(pwrite(fd, place, 1, place - bytes), 1);
    close(fd);
    assert_fails(AG_ERR_FILE, "weights/transformer.wte.weight does not match its crc32",
                 read_weights(f, file, 0));
    assert_fails(AG_ERR_FILE, "is not packed", ag_results_pack(f->path));
    assert_set_aside(f, 0);
}

static void a_file_without_its_run_files_is_refused(void **state)
{
    fixture *f = *state;
    char command[192];
    open_with(f, 2);
    put(f, 0);
    assert_ok(ag_results_publish(f->path));
    ag_store_close(f->store);
    f->store = NULL;
    snprintf(command, sizeof command, "rm -rf %s.d", f->path);
    assert_int_equal(system(command), 0);
    assert_fails(AG_ERR_FILE, "which is missing",
                 ag_store_open(&f->store, f->path, &f->grid, &f->facts, &s_plain));
}

static void completed_ids_need_no_experiment(void **state)
{
    fixture *f = *state;
    ag_ids ids = {.count = 99};
    assert_ok(ag_results_completed(&ids, f->path, &f->arena));
    assert_int_equal(ids.count, 0);
    open_with(f, 3);
    put(f, 2);
    for (int pass = 0; pass < 2; pass++) {
        assert_ok(ag_results_completed(&ids, f->path, &f->arena));
        assert_int_equal(ids.count, 1);
        assert_string_equal(ids.id[0], f->runs[2].id);
        assert_ok(ag_results_pack(f->path));
    }
}

/* By hand: 0 and 2 are complete, 1 and 2 are named, so that 0 alone is an orphan. */
static void an_orphan_is_complete_and_not_named(void **state)
{
    fixture *f = *state;
    char complete[2][AG_ID_LENGTH + 1];
    ag_ids ids = {2, complete};
    ag_ids orphans;
    ag_grid grid = f->grid;
    memcpy(complete[0], f->runs[0].id, sizeof complete[0]);
    memcpy(complete[1], f->runs[2].id, sizeof complete[1]);
    ag_ids_sort(&ids);
    grid.runs = f->runs + 1;
    grid.n_runs = 2;
    assert_ok(ag_ids_orphans(&orphans, &ids, &grid, &f->arena));
    assert_int_equal(orphans.count, 1);
    assert_string_equal(orphans.id[0], f->runs[0].id);
    grid.n_runs = 0; /* nothing is named: all are */
    assert_ok(ag_ids_orphans(&orphans, &ids, &grid, &f->arena));
    assert_int_equal(orphans.count, 2);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(results_are_found_before_and_after_packing),
        CASE(test_event_after_a_cut_line),
        CASE(a_run_that_came_after_the_last_publish_counts),
        CASE(packing_leaves_no_run_files_and_can_be_repeated),
        CASE(closing_removes_the_run_files_that_are_packed),
        CASE(a_packed_file_is_extended),
        CASE(orphans_are_kept_and_return),
        CASE(an_orphan_is_complete_and_not_named),
        CASE(a_second_owner_is_refused_and_told_who_it_is),
        CASE(a_link_is_followed_and_not_replaced),
        CASE(the_owner_of_a_dead_process_is_replaced),
        CASE(a_failed_write_leaves_what_was_there),
        CASE(a_foreign_file_is_refused_and_untouched),
        CASE(a_damaged_run_file_is_set_aside_and_pending),
        CASE(a_flipped_bit_is_not_packed),
        CASE(a_file_without_its_run_files_is_refused),
        CASE(completed_ids_need_no_experiment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
