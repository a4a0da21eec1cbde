/* altgrad-train as its users meet it: assignments in, exit codes, messages and run files out. */
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "data/corpus.h"
#include "numerics/recipe.h"
#include "proc/child.h"
#include "proc/progress.h"
#include "record/record.h"
#include "results/run_file.h"
#include "run/params.h"
#include "run/run_json.h"

enum { LAYERS = 5, WEIGHTS = 4096 };

static const char *s_program;
static char s_folder[64] = "/tmp/altgrad-train-XXXXXX";

typedef struct planned {
    ag_run run;
    ag_layer_precision layers[LAYERS];
    ag_text assignment;
} planned;

/* A run of a second at most, on the built-in corpus; not yet identified. */
static void plan(planned *p)
{
    memset(p, 0, sizeof *p);
    ag_text_init(&p->assignment);
    ag_run *run = &p->run;
    ag_run_defaults(run);
    run->model.n_layer = 1;
    run->model.n_head = 2;
    run->model.n_embd = 8;
    run->model.block_size = 8;
    run->data.synthetic = AG_SYNTHETIC_MARKOV;
    run->data.vocab = 6;
    run->data.order = 1;
    run->data.tokens = 2000;
    run->train.steps = 5;
    run->optimizer.warmup = 2;
    run->eval.every = 2;
    for (int i = 0; i < LAYERS; i++)
        assert_ok(ag_recipe_parse(&p->layers[i], "e4m3"));
    run->layers = p->layers;
    assert_ok(ag_corpus_facts(&run->facts, &run->data, run->model.block_size));
}

static void identify(planned *p)
{
    assert_ok(ag_run_identify(&p->run));
    ag_run_assignment(&p->assignment, &p->run);
}

static const char *in_folder(char path[128], const char *name)
{
    snprintf(path, 128, "%s/%s", s_folder, name);
    return path;
}

static ag_child *start(const char *const *options, const char *input)
{
    ag_child *child = NULL;
    const char *argv[12] = {s_program};
    for (size_t i = 0; options[i] != NULL; i++)
        argv[i + 1] = options[i];
    ag_child_spec spec = {.argv = argv,
                          .input = input,
                          .input_size = strlen(input),
                          .result_bytes = 1 << 20,
                          .grace_s = 30.0};
    assert_ok(ag_child_start(&child, &spec));
    return child;
}

static ag_child_end wait_for(ag_child *child)
{
    ag_child_end end = ag_child_poll(child);
    for (double start_s = ag_clock_s(); end.state == AG_CHILD_RUNNING; end = ag_child_poll(child)) {
        if (ag_clock_s() - start_s > 50.0)
            fail_msg("altgrad-train does not end");
        ag_clock_nap(0.005);
    }
    return end;
}

/* Runs the program to its end; fails unless it ends with `code` and its messages contain `part`. */
static void assert_end(int code, const char *part, const char *const *options, const char *input)
{
    char log[4096];
    ag_child *child = start(options, input);
    ag_child_end end = wait_for(child);
    ag_child_log_tail(log, sizeof log, child);
    if (end.state != AG_CHILD_EXITED || end.code != code || strstr(log, part) == NULL)
        fail_msg("exit code %d and '%s' expected, got %d: %s", code, part, end.code, log);
    ag_child_destroy(child);
}

static void test_result_and_progress(void **state)
{
    (void)state;
    static planned p;
    plan(&p);
    identify(&p);
    const char *const options[] = {"--quiet", "--result-fd", "3", "--progress-fd", "4", NULL};
    ag_child *child = start(options, p.assignment.data);
    ag_child_end end = wait_for(child);
    assert_int_equal(end.state, AG_CHILD_EXITED);
    assert_int_equal(end.code, 0);
    const ag_progress_page *page = ag_child_progress(child);
    double loss = 0.0;
    uint64_t bits = atomic_load(&page->loss_bits);
    memcpy(&loss, &bits, sizeof loss);
    assert_int_equal(atomic_load(&page->step), 5);
    assert_int_equal(atomic_load(&page->steps), 5);
    assert_true(loss > 0.1 && loss < 3.0);
    assert_true(atomic_load(&page->beats) >= 5);
    const void *bytes = NULL;
    size_t size = 0;
    assert_ok(ag_child_result(&bytes, &size, child));
    assert_true(size > 1000);
    assert_memory_equal(bytes, "\x89HDF", 4);
    ag_child_destroy(child);
    ag_text_deinit(&p.assignment);
}

/* The second run starts from the weights of the first and, in no steps, leaves them as they are. */
static void test_start_from_a_run(void **state)
{
    (void)state;
    static planned p;
    static float weights[2][WEIGHTS];
    char path[2][128];
    ag_arena arena;
    ag_tensor_table tensors;
    in_folder(path[0], "first.h5");
    in_folder(path[1], "second.h5");
    ag_arena_init_growing(&arena);

    plan(&p);
    identify(&p);
    assert_end(0, "val_loss", (const char *const[]){"-o", path[0], NULL}, p.assignment.data);
    assert_ok(ag_tensor_table_make(&tensors, &p.run.model, p.run.facts.vocab_size, &arena));
    assert_true(tensors.total <= WEIGHTS);
    assert_ok(ag_weights_read(weights[0], &tensors, path[0], p.run.id));
    ag_text_deinit(&p.assignment);

    plan(&p);
    p.run.train.steps = 0;
    p.run.model.init_file = path[0];
    assert_ok(ag_weights_digest(p.run.init_digest, &tensors, weights[0]));
    identify(&p);
    assert_end(0, " 0 steps", (const char *const[]){"-o", path[1], NULL}, p.assignment.data);
    assert_ok(ag_weights_read(weights[1], &tensors, path[1], ""));
    assert_memory_equal(weights[0], weights[1], tensors.total * sizeof(float));
    ag_text_deinit(&p.assignment);

    plan(&p);
    p.run.model.init_file = path[0];
    weights[0][0] += 1.0f;
    assert_ok(ag_weights_digest(p.run.init_digest, &tensors, weights[0]));
    identify(&p);
    assert_end(2, "the weights have changed", (const char *const[]){"-o", path[1], NULL},
               p.assignment.data);
    ag_text_deinit(&p.assignment);
    ag_arena_deinit(&arena);
}

static void test_changed_data_are_refused(void **state)
{
    (void)state;
    static planned p;
    plan(&p);
    p.run.facts.digest[0] = p.run.facts.digest[0] == '0' ? '1' : '0';
    identify(&p);
    assert_end(2, "the data have changed", (const char *const[]){"--result-fd", "3", NULL},
               p.assignment.data);
    ag_text_deinit(&p.assignment);
}

static void test_bad_input(void **state)
{
    (void)state;
    static planned p;
    plan(&p);
    identify(&p);
    const char *const plain[] = {"--result-fd", "3", NULL};
    assert_end(2, "", plain, "");
    assert_end(2, "", plain, "{\"id\": 3");
    assert_end(2, "no option", (const char *const[]){"--walk", NULL}, "");
    assert_end(2, "whole number", (const char *const[]){"--result-fd", "x", NULL}, "");
    assert_end(2, "number of seconds", (const char *const[]){"--checkpoint-every", "-1", NULL}, "");
    assert_end(2, "unexpected argument", (const char *const[]){"run.json", NULL}, "");
    assert_end(0, "", (const char *const[]){"--help", NULL}, "");
    assert_end(3, "", (const char *const[]){"-o", "/dev/null/run.h5", NULL}, p.assignment.data);
    assert_end(3, "", (const char *const[]){"--progress-fd", "99", NULL}, p.assignment.data);
    ag_text_deinit(&p.assignment);
}

/* Started, and stopped by SIGTERM once it has trained beyond `step`; what it said goes to `log`. */
static void stop_beyond(int64_t *step, char *log, size_t size, const char *checkpoint,
                        const char *assignment)
{
    const char *const options[] = {"--result-fd", "3", "--progress-fd", "4", "--checkpoint",
                                   checkpoint,    NULL};
    ag_child *child = start(options, assignment);
    const ag_progress_page *page = ag_child_progress(child);
    while (atomic_load(&page->step) <= *step && ag_child_poll(child).state == AG_CHILD_RUNNING)
        ag_clock_nap(0.005);
    ag_child_cancel(child);
    ag_child_end end = wait_for(child);
    ag_child_log_tail(log, size, child);
    assert_int_equal(end.state, AG_CHILD_EXITED);
    assert_int_equal(end.code, 75);
    assert_non_null(strstr(log, "stopped after"));
    *step = atomic_load(&page->step);
    ag_child_destroy(child);
}

static void test_sigterm_stops_and_the_same_command_continues(void **state)
{
    (void)state;
    static planned p;
    char path[128];
    char log[4096];
    char expected[64];
    int64_t step = 0;
    in_folder(path, "checkpoints/stopped.ckpt");
    plan(&p);
    p.run.train.steps = 3000000;
    p.run.eval.every = 0;
    identify(&p);
    stop_beyond(&step, log, sizeof log, path, p.assignment.data);
    assert_null(strstr(log, "resumed"));
    snprintf(expected, sizeof expected, "resumed at step %lld\n", (long long)step);
    stop_beyond(&step, log, sizeof log, path, p.assignment.data);
    if (strstr(log, expected) == NULL)
        fail_msg("'%s' expected: %s", expected, log);
    ag_text_deinit(&p.assignment);
}

/* The run is what it would have been; only its messages tell. */
static void test_a_bad_checkpoint_is_no_failure(void **state)
{
    (void)state;
    static planned p;
    char checkpoint[128];
    char output[128];
    in_folder(checkpoint, "bad.ckpt");
    in_folder(output, "bad.h5");
    FILE *file = fopen(checkpoint, "w");
    assert_non_null(file);
    (void)fputs("not a checkpoint", file);
    (void)fclose(file);
    plan(&p);
    identify(&p);
    const char *const options[] = {"-q", "-o", output, "--checkpoint", checkpoint, NULL};
    assert_end(0, "the run starts from step 0", options, p.assignment.data);
    ag_text_deinit(&p.assignment);
}

static int setup(void **state)
{
    (void)state;
    return mkdtemp(s_folder) == NULL ? -1 : setenv("XDG_CACHE_HOME", s_folder, 1);
}

static int teardown(void **state)
{
    (void)state;
    char command[96];
    snprintf(command, sizeof command, "rm -rf '%s'", s_folder);
    return system(command);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    s_program = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_result_and_progress),
        cmocka_unit_test(test_start_from_a_run),
        cmocka_unit_test(test_changed_data_are_refused),
        cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_sigterm_stops_and_the_same_command_continues),
        cmocka_unit_test(test_a_bad_checkpoint_is_no_failure),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
