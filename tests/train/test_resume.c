/* Runs that are interrupted and go on: they end with the bits of an undisturbed run, whatever
 * happened to their checkpoint. */
#include "numerics/recipe.h"
#include "tiny.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/checkpoint.h"

enum { FILE_BYTES = 1 << 18, HEADER_BYTES = 1576, NEVER = 1 << 30 };

static tiny s_a; /* large; undisturbed */
static tiny s_b; /* the one that things happen to */
static char s_folder[32] = "/tmp/altgrad-resume-XXXXXX";
static char s_path[64];
static char s_aside[80];

/* What the trainer said, and when it is stopped. */
typedef struct watch {
    int calls;
    int stop_at; /* the call of should_stop that says yes */
    int warnings;
    int64_t first_step;
    char said[4096];
} watch;

static void see(void *context, const ag_train_progress *now)
{
    watch *w = context;
    w->first_step = now->first_step;
}

static bool stop(void *context)
{
    watch *w = context;
    return ++w->calls == w->stop_at;
}

static void hear(void *context, ag_log_level level, const char *line)
{
    watch *w = context;
    w->warnings += level == AG_LOG_WARNING;
    snprintf(w->said, sizeof w->said, "%s", line);
}

static ag_train_hooks hooks_of(watch *w, double every_s)
{
    return (ag_train_hooks){.context = w,
                            .progress = see,
                            .should_stop = stop,
                            .say = hear,
                            .checkpoint = s_path,
                            .checkpoint_every_s = every_s};
}

/* --- the scenarios */

static ag_scheme scaled(const char *name, ag_amax_mode amax)
{
    ag_scheme scheme = tiny_scheme(name);
    scheme.amax = amax;
    scheme.history = 3;
    return scheme;
}

static void plain(tiny *t)
{
    (void)t;
}

static void delayed(tiny *t)
{
    tiny_quantise_all(t, scaled("e4m3", AG_AMAX_DELAYED));
}

static void windowed(tiny *t)
{
    tiny_quantise_all(t, scaled("e4m3", AG_AMAX_WINDOWED));
}

static void stochastic(tiny *t)
{
    ag_scheme scheme = scaled("e3m2", AG_AMAX_CURRENT);
    scheme.rounding = AG_ROUND_STOCHASTIC;
    tiny_quantise_all(t, scheme);
}

/* Stochastic rounding, the Hadamard transform and scales of groups together. */
static void nvfp4(tiny *t)
{
    for (int i = 0; i < TINY_LAYERS; i++)
        assert_ok(ag_recipe_parse(&t->layers[i], "nvfp4"));
}

static void mxfp4(tiny *t)
{
    for (int i = 0; i < TINY_LAYERS; i++)
        assert_ok(ag_recipe_parse(&t->layers[i], "mxfp4"));
    t->run.train.grad_accum = 2;
}

static void dropout(tiny *t)
{
    t->run.model.dropout = 0.2;
    t->run.train.data_order = AG_ORDER_SEQUENTIAL;
}

static void accumulating(tiny *t)
{
    windowed(t);
    t->run.train.grad_accum = 3;
    t->run.output.weights = AG_WEIGHTS_INITIAL_FINAL;
}

/* Scales that lag behind and a format with NaN beyond its range: about every other step is skipped,
 * so that steps and updates differ. */
static void skipping(tiny *t)
{
    ag_scheme scheme = scaled("e4m3", AG_AMAX_DELAYED);
    scheme.history = 1;
    scheme.overflow = AG_OVERFLOW_SPECIAL;
    tiny_quantise(t, AG_ROLE_WEIGHT, scheme);
    t->run.stop.on_nonfinite = AG_NONFINITE_SKIP;
}

static void diverging(tiny *t)
{
    t->run.optimizer.lr = 5.0;
    t->run.optimizer.grad_clip = 0.0;
    t->run.stop.loss_ratio = 1.2;
}

static void everything(tiny *t)
{
    ag_scheme scheme = scaled("e4m3", AG_AMAX_DELAYED);
    scheme.rounding = AG_ROUND_STOCHASTIC;
    tiny_quantise_all(t, scheme);
    for (int i = 0; i < TINY_LAYERS; i++)
        t->layers[i].scheme[AG_ROLE_GRAD_OUTPUT][1] = tiny_scheme("e5m2");
    t->run.train.grad_accum = 2;
    t->run.model.dropout = 0.2;
}

static void sgd(tiny *t)
{
    t->run.optimizer.type = AG_OPTIMIZER_SGD;
}

static void manifold(tiny *t)
{
    delayed(t);
    t->run.optimizer.type = AG_OPTIMIZER_MANIFOLD_ADAMW;
}

/* Random words of the optimizer, beside those of quantisation; a scale that no step sets again. */
static void grid(tiny *t)
{
    everything(t);
    t->run.optimizer.type = AG_OPTIMIZER_GRID;
    t->run.optimizer.lr = 0.3;
}

/* Every tensor beyond the layers, some with a history, all stochastic. */
static void sites(tiny *t)
{
    ag_scheme scheme = scaled("e5m2", AG_AMAX_DELAYED);
    scheme.rounding = AG_ROUND_STOCHASTIC;
    for (int kind = 0; kind < AG_SITE_KINDS; kind++)
        tiny_quantise_sites(t, (ag_site_kind)kind, scheme);
    scheme.amax = AG_AMAX_CURRENT;
    scheme.history = 0;
    tiny_quantise_sites(t, AG_SITE_WGRAD, scheme);
    t->run.train.grad_accum = 2;
    t->run.model.dropout = 0.2;
}

/* With every diagnostic: their rows, and what they remember between them. */
static void observed(tiny *t)
{
    everything(t);
    t->run.observe = (ag_observe_spec){.quant_every = 2, .diagnostics = ALL_DIAGNOSTICS};
}

static void observed_sites(tiny *t)
{
    sites(t);
    t->run.observe = (ag_observe_spec){.quant_every = 3, .diagnostics = ALL_DIAGNOSTICS};
}

static void observed_skipping(tiny *t)
{
    skipping(t);
    t->run.observe = (ag_observe_spec){.quant_every = 4, .diagnostics = ALL_DIAGNOSTICS};
}

typedef void scenario(tiny *t);
static scenario *const s_scenarios[] = {
    plain,    delayed,      windowed, stochastic, nvfp4,          mxfp4,
    dropout,  accumulating, skipping, diverging,  everything,     sgd,
    manifold, grid,         sites,    observed,   observed_sites, observed_skipping};
enum { SCENARIOS = sizeof s_scenarios / sizeof s_scenarios[0] };

static void make(tiny *t, scenario *set_up)
{
    tiny_make(t);
    t->run.train.steps = 7;
    t->run.eval.every = 3;
    snprintf(t->run.id, sizeof t->run.id, "0123456789ab");
    set_up(t);
}

/* --- comparing */

static void assert_same(const void *a, const void *b, int64_t count, size_t size)
{
    assert_memory_equal(a, b, (size_t)count * size);
}

/* Everything that a run leaves behind and that time does not touch. */
static void assert_same_record(const ag_record *a, const ag_record *b)
{
    assert_int_equal(a->outcome, b->outcome);
    assert_string_equal(a->reason, b->reason);
    assert_int_equal(a->steps, b->steps);
    assert_same(a->loss, b->loss, a->steps, sizeof(double));
    assert_same(a->grad_norm, b->grad_norm, a->steps, sizeof(double));
    assert_same(a->lr, b->lr, a->steps, sizeof(double));
    assert_same(a->clipped, b->clipped, a->steps, 1);
    assert_same(a->skipped, b->skipped, a->steps, 1);
    assert_int_equal(a->evals, b->evals);
    assert_same(a->eval_step, b->eval_step, a->evals, sizeof(int64_t));
    assert_same(a->val_loss, b->val_loss, a->evals, sizeof(double));
    assert_same(a->val_loss_hp, b->val_loss_hp, a->evals, sizeof(double));
    assert_int_equal(a->samples.count, b->samples.count);
    assert_same(a->samples.step, b->samples.step, a->samples.count, sizeof(int64_t));
    assert_same(a->samples.values, b->samples.values, a->samples.count,
                a->samples.width * sizeof(double));
    assert_string_equal(a->nonfinite, b->nonfinite);
    assert_int_equal(a->windows, b->windows);
    assert_same(a->final_windows, b->final_windows, a->windows, sizeof(double));
    assert_same(a->final_windows_hp, b->final_windows_hp, a->windows, sizeof(double));
    assert_string_equal(a->digest, b->digest);
    assert_string_equal(a->digest_initial, b->digest_initial);
    assert_memory_equal(a->weights, b->weights, a->tensors.total * sizeof(float));
    assert_int_equal(a->weights_initial == NULL, b->weights_initial == NULL);
    if (a->weights_initial != NULL)
        assert_memory_equal(a->weights_initial, b->weights_initial,
                            a->tensors.total * sizeof(float));
}

/* One attempt at the run of s_b: true when it came to its end, with its record in s_b. */
static bool attempt(scenario *set_up, watch *w, double every_s)
{
    ag_train_hooks hooks = hooks_of(w, every_s);
    make(&s_b, set_up);
    size_t bytes = ag_train_bytes(&s_b.run, ag_val_windows(&s_b.corpus, &s_b.run));
    assert_ok(ag_arena_init(&s_b.arena, bytes));
    ag_error_clear();
    ag_status status =
        ag_train(&s_b.record, &s_b.run, &s_b.corpus, NULL, &ag_kernels_fast, &hooks, &s_b.arena);
    if (status == AG_OK)
        return true;
    assert_int_equal(status, AG_ERR_SYSTEM);
    assert_non_null(strstr(ag_error_message(), "stopped after"));
    tiny_end(&s_b);
    return false;
}

static void finish(scenario *set_up)
{
    watch w = {.stop_at = NEVER};
    assert_true(attempt(set_up, &w, 0.0));
    assert_int_equal(w.warnings, 0);
    assert_same_record(&s_a.record, &s_b.record);
    tiny_end(&s_b);
}

static void undisturbed(scenario *set_up)
{
    make(&s_a, set_up);
    tiny_train(&s_a, &ag_kernels_fast);
}

static void clear_files(void)
{
    ag_checkpoint_remove(s_path);
    unlink(s_aside);
}

/* --- interruptions */

/* At every moment at which a run can be stopped: after each step, in and after each evaluation. */
static void test_interrupted_anywhere(void **state)
{
    (void)state;
    for (int i = 0; i < SCENARIOS; i++) {
        int stops = 0;
        undisturbed(s_scenarios[i]);
        for (;; stops++) {
            watch w = {.stop_at = stops + 1};
            clear_files();
            if (attempt(s_scenarios[i], &w, 0.0))
                break;
            finish(s_scenarios[i]);
        }
        assert_true(stops >= s_a.record.steps + s_a.record.evals);
        assert_same_record(&s_a.record, &s_b.record);
        tiny_end(&s_b);
        tiny_end(&s_a);
    }
}

static void test_scenarios_are_what_they_say(void **state)
{
    (void)state;
    int updates_after_skips = 0;
    undisturbed(skipping);
    for (int64_t i = 1; i < s_a.record.steps; i++)
        updates_after_skips += s_a.record.skipped[i - 1] && !s_a.record.skipped[i];
    assert_true(updates_after_skips >= 2);
    tiny_end(&s_a);
    undisturbed(observed);
    assert_int_equal(s_a.record.samples.count, 4); /* steps 0, 2, 4 and 6 of 7 */
    tiny_end(&s_a);
    undisturbed(observed_skipping);
    assert_int_equal(s_a.record.samples.count, 3); /* steps 0, 4 and 6 */
    assert_non_null(strstr(s_a.record.nonfinite, "quantised weight of"));
    tiny_end(&s_a);
    undisturbed(diverging);
    assert_int_equal(s_a.record.outcome, AG_OUTCOME_DIVERGED);
    assert_true(s_a.record.steps > 1 && s_a.record.steps < s_a.run.train.steps);
    tiny_end(&s_a);
}

/* Again and again, at moments drawn by lot; with and without checkpoints by the clock. */
static void test_interrupted_often(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 24; round++) {
        scenario *set_up = s_scenarios[round % SCENARIOS];
        bool done = false;
        clear_files();
        undisturbed(set_up);
        for (uint32_t i = 0; !done; i++) {
            watch w = {.stop_at = 2 + (int)(ag_philox(round, i, 0, 0, 0).word[0] % 12)};
            assert_true(i < 100);
            done = attempt(set_up, &w, round % 2 == 0 ? 0.0 : 1e-9);
            assert_int_equal(w.warnings, 0);
        }
        assert_same_record(&s_a.record, &s_b.record);
        tiny_end(&s_b);
        tiny_end(&s_a);
    }
}

/* Moments, scales and amax histories too: a checkpoint by way of another is that of a straight
 * run. Both are of the last step. */
static void test_the_state_is_the_same(void **state)
{
    (void)state;
    static float kept[3][FILE_BYTES / sizeof(float)];
    watch w = {.stop_at = NEVER};
    ag_train_hooks hooks = hooks_of(&w, 0.0);
    for (int by_way = 0; by_way < 2; by_way++) {
        clear_files();
        make(&s_b, everything);
        tiny_start(&s_b);
        s_b.trainer.hooks = &hooks;
        for (int step = 0; step < 5; step++)
            ag_trainer_step(&s_b.trainer);
        if (by_way == 1) {
            s_b.record.evals = 2;
            s_b.record.eval_step[1] = 3;
            ag_trainer_save(&s_b.trainer);
            tiny_end(&s_b);
            make(&s_b, everything);
            tiny_start(&s_b);
            s_b.trainer.hooks = &hooks;
            assert_ok(ag_trainer_resume(&s_b.trainer, NULL));
            assert_int_equal(s_b.trainer.state.step, 5);
        }
        for (int step = 5; step < 7; step++)
            ag_trainer_step(&s_b.trainer);
        const ag_train_state *s = &s_b.trainer.state;
        const void *arrays[] = {s->m, s->v, s->amaxes};
        size_t total = s->tensors.total * sizeof(float);
        size_t bytes[] = {total, total, s->n_amaxes * sizeof(float)};
        assert_int_equal(s->updates, 7);
        for (int i = 0; i < 3; i++) {
            assert_true(bytes[i] > 0 && bytes[i] <= sizeof kept[i]);
            if (by_way == 0)
                memcpy(kept[i], arrays[i], bytes[i]);
            else
                assert_memory_equal(kept[i], arrays[i], bytes[i]);
        }
        tiny_end(&s_b);
    }
}

static void test_what_is_said(void **state)
{
    (void)state;
    watch first = {.stop_at = 7}; /* two reports an evaluation's half, so after step 3 */
    watch second = {.stop_at = NEVER};
    clear_files();
    assert_false(attempt(stochastic, &first, 0.0));
    assert_string_equal(first.said, "");
    assert_true(attempt(stochastic, &second, 0.0));
    char expected[64];
    snprintf(expected, sizeof expected, "resumed at step %lld", (long long)second.first_step);
    assert_string_equal(second.said, expected);
    assert_true(second.first_step > 0);
    tiny_end(&s_b);
}

static void test_saving_takes_no_memory(void **state)
{
    (void)state;
    watch w = {.stop_at = NEVER};
    ag_train_hooks hooks = hooks_of(&w, 1e-9);
    clear_files();
    make(&s_b, everything);
    tiny_start(&s_b);
    s_b.trainer.hooks = &hooks;
    size_t used = s_b.arena.used;
    for (int i = 0; i < 3; i++) {
        ag_trainer_step(&s_b.trainer);
        assert_ok(ag_trainer_report(&s_b.trainer));
        assert_int_equal(s_b.trainer.saved_step, i + 1);
    }
    assert_int_equal(s_b.arena.used, used);
    tiny_end(&s_b);
}

/* --- checkpoints that are no good */

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
    FILE *file = fopen(s_path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* The checkpoint that everything() leaves when it is stopped after step 4. */
static void make_good(void)
{
    watch w = {.stop_at = NEVER};
    ag_train_hooks hooks = hooks_of(&w, 0.0);
    clear_files();
    make(&s_b, everything);
    s_b.run.eval.every = 2;
    tiny_start(&s_b);
    s_b.trainer.hooks = &hooks;
    for (int step = 0; step < 4; step++) {
        if (step % 2 == 0)
            assert_ok(ag_evaluate_periodic(&s_b.trainer));
        ag_trainer_step(&s_b.trainer);
    }
    ag_trainer_save(&s_b.trainer);
    tiny_end(&s_b);
    s_good_size = read_file(s_path, s_good);
    assert_true(s_good_size > HEADER_BYTES);
}

/* A trainer like that of make_good() tries the file: s_b, which tiny_end releases. */
static void try_file(watch *w, ag_train_hooks *hooks)
{
    *w = (watch){.stop_at = NEVER};
    *hooks = hooks_of(w, 0.0);
    make(&s_b, everything);
    s_b.run.eval.every = 2;
    tiny_start(&s_b);
    s_b.trainer.hooks = hooks;
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
    const ag_train_state *s = &s_b.trainer.state;
    assert_ok(ag_weights_digest(digest, &s->tensors, s->weights));
    assert_string_equal(digest, s_b.record.digest_initial);
    assert_int_equal(s->step + s->updates + s_b.record.steps + s_b.record.evals, 0);
    assert_true(all_zero(s->m, s->tensors.total) && all_zero(s->v, s->tensors.total));
    assert_true(all_zero(s->amaxes, s->n_amaxes));
    for (size_t i = 0; i < s->n_scales; i++)
        assert_true(s->scales[i].pushed == 0 && s->scales[i].value == 1.0f);
    assert_int_equal(w->warnings, 1);
    if (strstr(w->said, s_path) == NULL || strstr(w->said, part) == NULL ||
        strstr(w->said, "the run starts from step 0") == NULL)
        fail_msg("'%s' lacks '%s'", w->said, part);
    assert_int_equal(access(s_path, F_OK), -1);
    assert_int_equal(access(s_aside, F_OK), 0);
    assert_string_equal(ag_error_message(), "");
}

static void expect_refusal(const char *part)
{
    watch w;
    ag_train_hooks hooks;
    try_file(&w, &hooks);
    assert_ok(ag_trainer_resume(&s_b.trainer, NULL));
    assert_refused(&w, part);
    tiny_end(&s_b);
}

static void test_good_is_used(void **state)
{
    (void)state;
    watch w;
    ag_train_hooks hooks;
    make_good();
    try_file(&w, &hooks);
    assert_ok(ag_trainer_resume(&s_b.trainer, NULL));
    assert_string_equal(w.said, "resumed at step 4");
    assert_int_equal(s_b.trainer.state.step, 4);
    assert_int_equal(s_b.record.evals, 2);
    tiny_end(&s_b);
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
    s_b.run.id[0] = 'f';
    assert_ok(ag_trainer_resume(&s_b.trainer, NULL));
    assert_refused(&w, "of run 0123456789ab, not of f123456789ab");
    tiny_end(&s_b);

    write_file(s_good, s_good_size);
    try_file(&w, &hooks);
    s_b.trainer.k = &ag_kernels_ref;
    assert_ok(ag_trainer_resume(&s_b.trainer, NULL));
    assert_refused(&w, "which gives other bits");
    tiny_end(&s_b);

    write_file(s_good, s_good_size);
    try_file(&w, &hooks);
    tiny_end(&s_b);
    s_b.run.model.init_seed = 7;
    tiny_start(&s_b);
    s_b.trainer.hooks = &hooks;
    assert_ok(ag_trainer_resume(&s_b.trainer, NULL));
    assert_refused(&w, "began with other weights");
    tiny_end(&s_b);

    write_file(s_good, s_good_size);
    try_file(&w, &hooks);
    s_b.run.eval.every = 1;
    assert_ok(ag_trainer_resume(&s_b.trainer, NULL));
    assert_refused(&w, "has 2 evaluations where eval.every asks for 4");
    tiny_end(&s_b);

    write_file(s_good, s_good_size);
    try_file(&w, &hooks);
    s_b.run.eval.every = 3; /* two as well, but at 0 and 3 */
    assert_ok(ag_trainer_resume(&s_b.trainer, NULL));
    assert_refused(&w, "at other steps");
    tiny_end(&s_b);

    write_file(s_good, s_good_size);
    try_file(&w, &hooks);
    s_b.run.train.steps = 3;
    assert_ok(ag_trainer_resume(&s_b.trainer, NULL));
    assert_refused(&w, "no run of 3 steps");
    tiny_end(&s_b);
}

/* Sums that match, contents that cannot be. */
static void test_nonsense_is_refused(void **state)
{
    (void)state;
    watch w;
    ag_train_hooks hooks;
    make_good();
    try_file(&w, &hooks);
    assert_ok(ag_trainer_resume(&s_b.trainer, NULL));
    s_b.trainer.state.scales[3].pushed = -1;
    s_b.trainer.saved_step = 0;
    ag_trainer_save(&s_b.trainer);
    tiny_end(&s_b);
    expect_refusal("a scale has seen -1 steps");

    double half[1] = {0.0};
    ag_section sections[] = {
        {"seconds", half, sizeof half},
    };
    ag_checkpoint_key key = {.run_id = "0123456789ab", .digest_initial = s_b.record.digest_initial};
    snprintf(key.kernels, sizeof key.kernels, "fast, %s", ag_kernels_blas());
    assert_ok(ag_checkpoint_write(s_path, &key, sections, 1));
    expect_refusal("has no section standing");
    int64_t standing[36] = {4, 9};
    sections[0] = (ag_section){"standing", standing, sizeof standing};
    assert_ok(ag_checkpoint_write(s_path, &key, sections, 1));
    expect_refusal("has no section seconds");
    ag_section both[] = {
        {"standing", standing, sizeof standing},
        {"seconds",  half,     sizeof half    },
    };
    assert_ok(ag_checkpoint_write(s_path, &key, both, 2));
    expect_refusal("section seconds has 8 bytes where 16 are expected");
}

/* A folder, and a path through a file. */
static void test_no_file_at_all(void **state)
{
    (void)state;
    watch w = {.stop_at = NEVER};
    clear_files();
    undisturbed(everything);
    assert_int_equal(mkdir(s_path, 0777), 0);
    assert_true(attempt(everything, &w, 0.0));
    assert_non_null(strstr(w.said, "Is a directory"));
    assert_same_record(&s_a.record, &s_b.record);
    tiny_end(&s_b);
    assert_int_equal(rmdir(s_aside), 0);

    char path[sizeof s_path];
    memcpy(path, s_path, sizeof path);
    write_file((const unsigned char *)"", 0);
    snprintf(s_path, sizeof s_path, "%s/x", path);
    w = (watch){.stop_at = NEVER};
    assert_true(attempt(everything, &w, 1e-9));
    assert_true(w.warnings > 1);
    assert_non_null(strstr(w.said, "without this checkpoint, the newest is of step 0"));
    assert_same_record(&s_a.record, &s_b.record);
    memcpy(s_path, path, sizeof path);
    tiny_end(&s_b);
    tiny_end(&s_a);
}

/* --- a full disk */

static void assert_still_good(void)
{
    static unsigned char bytes[FILE_BYTES];
    char part[80];
    assert_int_equal(read_file(s_path, bytes), s_good_size);
    assert_memory_equal(bytes, s_good, s_good_size);
    snprintf(part, sizeof part, "%s.part", s_path);
    assert_int_equal(access(part, F_OK), -1);
}

static void step_and_save(const char *reason)
{
    watch w;
    ag_train_hooks hooks;
    try_file(&w, &hooks);
    assert_ok(ag_trainer_resume(&s_b.trainer, NULL));
    ag_trainer_step(&s_b.trainer);
    ag_trainer_save(&s_b.trainer);
    assert_int_equal(w.warnings, 1);
    assert_non_null(strstr(w.said, reason));
    assert_non_null(strstr(w.said, s_path));
    assert_non_null(strstr(w.said, "the newest is of step 4"));
    tiny_end(&s_b);
}

static void test_a_full_disk_keeps_the_old_one(void **state)
{
    (void)state;
    char part[80];
    struct rlimit old;
    make_good();
    snprintf(part, sizeof part, "%s.part", s_path);
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
    snprintf(part, sizeof part, "%s.part", s_path);
    assert_int_equal(link(s_path, part), 0);
    ag_checkpoint_remove(s_path);
    assert_int_equal(access(s_path, F_OK), -1);
    assert_int_equal(access(part, F_OK), -1);
    ag_checkpoint_remove(s_path);
}

static int setup(void **state)
{
    (void)state;
    if (mkdtemp(s_folder) == NULL)
        return -1;
    snprintf(s_path, sizeof s_path, "%s/run.ckpt", s_folder);
    snprintf(s_aside, sizeof s_aside, "%s.unused", s_path);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    clear_files();
    return rmdir(s_folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scenarios_are_what_they_say),
        cmocka_unit_test(test_interrupted_anywhere),
        cmocka_unit_test(test_interrupted_often),
        cmocka_unit_test(test_the_state_is_the_same),
        cmocka_unit_test(test_what_is_said),
        cmocka_unit_test(test_saving_takes_no_memory),
        cmocka_unit_test(test_good_is_used),
        cmocka_unit_test(test_every_flip_is_seen),
        cmocka_unit_test(test_every_cut_is_seen),
        cmocka_unit_test(test_others_are_refused),
        cmocka_unit_test(test_nonsense_is_refused),
        cmocka_unit_test(test_no_file_at_all),
        cmocka_unit_test(test_a_full_disk_keeps_the_old_one),
        cmocka_unit_test(test_half_a_file_is_removed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
