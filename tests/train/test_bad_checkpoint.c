/* Checkpoints that are damaged, of another run, missing, or that the disk has no room for: they are
 * said and set aside, the run starts over, and a good one is never lost to a bad one. */
#include "interrupted.h"
#include "same_record.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "record/checkpoint.h"
#include "record/record.h"

enum { HEADER_BYTES = 1576 };

static unsigned char s_good[FILE_BYTES];
static size_t s_good_size;

static size_t read_file(const char *path, unsigned char *bytes)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(bytes, 1, FILE_BYTES, file);
    assert_true(size < FILE_BYTES);
    (void)fclose(file);
    return size;
}

static void write_file(const unsigned char *bytes, size_t size)
{
    FILE *file = fopen(checkpoint_path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* The checkpoint that scenario_everything() leaves when it is stopped after step 4. */
static void make_good(void)
{
    watch w = {.stop_at = NEVER};
    ag_train_hooks hooks = watch_hooks(&w, 0.0);
    clear_files();
    scenario_make(&run_b, scenario_everything);
    run_b.run.eval.every = 2;
    tiny_start(&run_b);
    run_b.trainer.hooks = &hooks;
    for (int step = 0; step < 4; step++) {
        if (step % 2 == 0)
            assert_ok(ag_evaluate_periodic(&run_b.trainer));
        ag_trainer_step(&run_b.trainer);
    }
    ag_trainer_save(&run_b.trainer);
    tiny_end(&run_b);
    s_good_size = read_file(checkpoint_path, s_good);
    assert_true(s_good_size > HEADER_BYTES);
}

/* A trainer like that of make_good() tries the file: run_b, which tiny_end releases. */
static void try_file(watch *w, ag_train_hooks *hooks)
{
    *w = (watch){.stop_at = NEVER};
    *hooks = watch_hooks(w, 0.0);
    scenario_make(&run_b, scenario_everything);
    run_b.run.eval.every = 2;
    tiny_start(&run_b);
    run_b.trainer.hooks = hooks;
}

static bool all_zero(const float *x, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (x[i] != 0.0f)
            return false;
    }
    return true;
}

/* The run is before its first step, as if there had been no file; the file is out of the way. */
static void assert_refused(const watch *w, const char *part)
{
    char digest[AG_DIGEST_LENGTH + 1];
    const ag_train_state *s = &run_b.trainer.state;
    assert_ok(ag_weights_digest(digest, &s->tensors, s->weights));
    assert_string_equal(digest, run_b.record.digest_initial);
    assert_int_equal(s->step + s->updates + run_b.record.steps + run_b.record.evals, 0);
    assert_true(all_zero(s->m, s->tensors.total) && all_zero(s->v, s->tensors.total));
    assert_true(all_zero(s->amaxes, s->n_amaxes));
    for (size_t i = 0; i < s->n_scales; i++)
        assert_true(s->scales[i].pushed == 0 && s->scales[i].value == 1.0f);
    assert_int_equal(w->warnings, 1);
    if (strstr(w->said, checkpoint_path) == NULL || strstr(w->said, part) == NULL ||
        strstr(w->said, "the run starts from step 0") == NULL)
        fail_msg("'%s' lacks '%s'", w->said, part);
    assert_int_equal(access(checkpoint_path, F_OK), -1);
    assert_int_equal(access(checkpoint_aside, F_OK), 0);
    assert_string_equal(ag_error_message(), "");
}

/* Resumes the run that was begun with try_file. */
static void end_refused(const watch *w, const char *part)
{
    assert_ok(ag_trainer_resume(&run_b.trainer, NULL));
    assert_refused(w, part);
    tiny_end(&run_b);
}

static void expect_refusal(const char *part)
{
    watch w;
    ag_train_hooks hooks;
    try_file(&w, &hooks);
    end_refused(&w, part);
}

static void try_good(watch *w, ag_train_hooks *hooks)
{
    write_file(s_good, s_good_size);
    try_file(w, hooks);
}

static void test_good_is_used(void **state)
{
    (void)state;
    watch w;
    ag_train_hooks hooks;
    make_good();
    try_file(&w, &hooks);
    assert_ok(ag_trainer_resume(&run_b.trainer, NULL));
    assert_string_equal(w.said, "resumed at step 4");
    assert_int_equal(run_b.trainer.state.step, 4);
    assert_int_equal(run_b.record.evals, 2);
    tiny_end(&run_b);
}

/* Every byte of the header, and every 11th of the sections, the shortest of which has 16. */
static void test_every_flip_is_seen(void **state)
{
    (void)state;
    static unsigned char bytes[FILE_BYTES];
    make_good();
    for (size_t at = 0; at < s_good_size; at += at < HEADER_BYTES ? 1 : 11) {
        memcpy(bytes, s_good, s_good_size);
        bytes[at] ^= (unsigned char)(1U << at % 8);
        write_file(bytes, s_good_size);
        expect_refusal(at < 16             ? "not a checkpoint"
                       : at < 20           ? "of version"
                       : at < HEADER_BYTES ? "its header does not match its digest"
                                           : "does not match its crc32");
    }
}

static void test_every_cut_is_seen(void **state)
{
    (void)state;
    static unsigned char bytes[FILE_BYTES];
    make_good();
    for (size_t size = 0; size < s_good_size; size += 61) {
        write_file(s_good, size);
        expect_refusal(size < HEADER_BYTES ? "cut off in the header" : " bytes of ");
    }
    write_file(s_good, s_good_size - 1);
    expect_refusal(" bytes of ");
    memcpy(bytes, s_good, s_good_size);
    bytes[s_good_size] = 0;
    write_file(bytes, s_good_size + 1);
    expect_refusal(" bytes of ");
}

static void test_others_are_refused(void **state)
{
    (void)state;
    watch w;
    ag_train_hooks hooks;
    make_good();

    try_file(&w, &hooks);
    run_b.run.id[0] = 'f';
    end_refused(&w, "of run 0123456789ab, not of f123456789ab");

    try_good(&w, &hooks);
    run_b.trainer.k = &ag_kernels_plain;
    end_refused(&w, "which gives other bits");

    try_good(&w, &hooks);
    tiny_end(&run_b);
    run_b.run.model.init_seed = 7;
    tiny_start(&run_b);
    run_b.trainer.hooks = &hooks;
    end_refused(&w, "began with other weights");

    try_good(&w, &hooks);
    run_b.run.eval.every = 1;
    end_refused(&w, "has 2 evaluations where eval.every asks for 4");

    try_good(&w, &hooks);
    run_b.run.eval.every = 3; /* two as well, but at 0 and 3 */
    end_refused(&w, "at other steps");

    try_good(&w, &hooks);
    run_b.run.train.steps = 3;
    end_refused(&w, "no run of 3 steps");
}

/* Sums that match, contents that cannot be. */
static void test_nonsense_is_refused(void **state)
{
    (void)state;
    watch w;
    ag_train_hooks hooks;
    make_good();
    try_file(&w, &hooks);
    assert_ok(ag_trainer_resume(&run_b.trainer, NULL));
    run_b.trainer.state.scales[3].pushed = -1;
    run_b.trainer.saved_step = 0;
    ag_trainer_save(&run_b.trainer);
    tiny_end(&run_b);
    expect_refusal("a scale has seen -1 steps");

    double half[1] = {0.0};
    ag_section sections[] = {
        {"seconds", half, sizeof half},
    };
    ag_checkpoint_key key = {.run_id = "0123456789ab",
                             .digest_initial = run_b.record.digest_initial};
    snprintf(key.kernels, sizeof key.kernels, "fast");
    assert_ok(ag_checkpoint_write(checkpoint_path, &key, sections, 1));
    expect_refusal("has no section standing");
    int64_t standing[36] = {4, 9};
    sections[0] = (ag_section){"standing", standing, sizeof standing};
    assert_ok(ag_checkpoint_write(checkpoint_path, &key, sections, 1));
    expect_refusal("has no section seconds");
    ag_section both[] = {
        {"standing", standing, sizeof standing},
        {"seconds",  half,     sizeof half    },
    };
    assert_ok(ag_checkpoint_write(checkpoint_path, &key, both, 2));
    expect_refusal("section seconds has 8 bytes where 16 are expected");
}

/* A folder, and a path through a file. */
static void test_no_file_at_all(void **state)
{
    (void)state;
    watch w = {.stop_at = NEVER};
    clear_files();
    undisturbed(scenario_everything);
    assert_int_equal(mkdir(checkpoint_path, 0777), 0);
    assert_true(attempt(scenario_everything, &w, 0.0));
    assert_non_null(strstr(w.said, "Is a directory"));
    assert_same_record(&run_a.record, &run_b.record);
    tiny_end(&run_b);
    assert_int_equal(rmdir(checkpoint_aside), 0);

    char path[sizeof checkpoint_path];
    memcpy(path, checkpoint_path, sizeof path);
    write_file((const unsigned char *)"", 0);
    snprintf(checkpoint_path, sizeof checkpoint_path, "%s/x", path);
    w = (watch){.stop_at = NEVER};
    assert_true(attempt(scenario_everything, &w, 1e-9));
    assert_true(w.warnings > 1);
    assert_non_null(strstr(w.said, "without this checkpoint, the newest is of step 0"));
    assert_same_record(&run_a.record, &run_b.record);
    memcpy(checkpoint_path, path, sizeof path);
    tiny_end(&run_b);
    tiny_end(&run_a);
}

/* --- a full disk */

static void assert_still_good(void)
{
    static unsigned char bytes[FILE_BYTES];
    char part[80];
    assert_int_equal(read_file(checkpoint_path, bytes), s_good_size);
    assert_memory_equal(bytes, s_good, s_good_size);
    snprintf(part, sizeof part, "%s.part", checkpoint_path);
    assert_int_equal(access(part, F_OK), -1);
}

static void step_and_save(const char *reason)
{
    watch w;
    ag_train_hooks hooks;
    try_file(&w, &hooks);
    assert_ok(ag_trainer_resume(&run_b.trainer, NULL));
    ag_trainer_step(&run_b.trainer);
    ag_trainer_save(&run_b.trainer);
    assert_int_equal(w.warnings, 1);
    assert_non_null(strstr(w.said, reason));
    assert_non_null(strstr(w.said, checkpoint_path));
    assert_non_null(strstr(w.said, "the newest is of step 4"));
    tiny_end(&run_b);
}

static void test_a_full_disk_keeps_the_old_one(void **state)
{
    (void)state;
    char part[80];
    struct rlimit old;
    make_good();
    snprintf(part, sizeof part, "%s.part", checkpoint_path);
    assert_int_equal(symlink("/dev/full", part), 0);
    step_and_save("No space left on device");
    assert_still_good();

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    struct rlimit small = {s_good_size / 2, old.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    step_and_save("File too large");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_still_good();
}

/* What a kill leaves in the middle of a write is neither read nor left for good. */
static void test_half_a_file_is_removed(void **state)
{
    (void)state;
    char part[80];
    make_good();
    snprintf(part, sizeof part, "%s.part", checkpoint_path);
    assert_int_equal(link(checkpoint_path, part), 0);
    ag_checkpoint_remove(checkpoint_path);
    assert_int_equal(access(checkpoint_path, F_OK), -1);
    assert_int_equal(access(part, F_OK), -1);
    ag_checkpoint_remove(checkpoint_path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_is_used),
        cmocka_unit_test(test_every_flip_is_seen),
        cmocka_unit_test(test_every_cut_is_seen),
        cmocka_unit_test(test_others_are_refused),
        cmocka_unit_test(test_nonsense_is_refused),
        cmocka_unit_test(test_no_file_at_all),
        cmocka_unit_test(test_a_full_disk_keeps_the_old_one),
        cmocka_unit_test(test_half_a_file_is_removed),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
