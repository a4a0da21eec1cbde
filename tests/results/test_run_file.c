/* Run files: what is written comes back; damage and foreign files are told. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "record/made_up.h"
#include "record/record.h"
#include "record/samples.h"
#include "results/run_file.h"
#include "run/digest.h"
#include "support.h"

typedef struct fixture {
    ag_arena arena;
    ag_layer_precision precision[MADE_UP_LAYERS];
    ag_run run;
    ag_record record;
    float *read;
    char path[64];
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    ag_arena_init_growing(&f->arena);
    made_up_run(&f->run, 3, f->precision);
    made_up_record(&f->record, &f->run, &f->arena);
    f->read = ag_arena_floats(&f->arena, f->record.tensors.total);
    snprintf(f->path, sizeof f->path, "/tmp/altgrad-test-%d.h5", (int)getpid());
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    unlink(f->path);
    ag_arena_deinit(&f->arena);
    free(f);
    return 0;
}

static void assert_weights(const fixture *f)
{
    for (size_t i = 0; i < f->record.tensors.count; i++) {
        const ag_tensor *tensor = &f->record.tensors.rows[i];
        assert_memory_equal(f->read + tensor->offset, f->record.weights + tensor->offset,
                            tensor->count * sizeof(float));
    }
}

static void weights_come_back(void **state)
{
    fixture *f = *state;
    assert_ok(ag_run_file_write(f->path, &f->record));
    assert_ok(ag_weights_read(f->read, &f->record.tensors, f->path, f->run.id));
    assert_weights(f);
    memset(f->read, 0, f->record.tensors.total * sizeof(float));
    assert_ok(ag_weights_read(f->read, &f->record.tensors, f->path, ""));
    assert_weights(f);
}

static void the_digest_is_of_the_tensors_without_gaps(void **state)
{
    fixture *f = *state;
    const ag_tensor_table *tensors = &f->record.tensors;
    float *packed = ag_arena_floats(&f->arena, ag_tensor_parameters(tensors));
    size_t used = 0;
    for (size_t i = 0; i < tensors->count; i++)
        for (size_t j = 0; j < tensors->rows[i].count; j++)
            packed[used++] = f->record.weights[tensors->rows[i].offset + j];
    char expected[AG_DIGEST_LENGTH + 1];
    assert_ok(ag_sha256_of(expected, packed, used * sizeof *packed));
    assert_string_equal(f->record.digest, expected);
}

static size_t size_of(const char *path)
{
    struct stat facts;
    assert_int_equal(stat(path, &facts), 0);
    return (size_t)facts.st_size;
}

static void a_descriptor_gets_a_whole_file_from_its_start(void **state)
{
    fixture *f = *state;
    int fd = open(f->path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    static const char old[200000] = "what was there before is replaced";
    assert_int_equal(write(fd, old, sizeof old), sizeof old);
    assert_ok(ag_run_file_write_fd(fd, &f->record));
    close(fd);
    assert_true(size_of(f->path) < sizeof old);
    assert_ok(ag_weights_read(f->read, &f->record.tensors, f->path, f->run.id));
    assert_weights(f);
}

static void the_same_record_gives_the_same_bytes(void **state)
{
    fixture *f = *state;
    char digests[2][AG_DIGEST_LENGTH + 1];
    for (int i = 0; i < 2; i++) {
        assert_ok(ag_run_file_write(f->path, &f->record));
        size_t size = size_of(f->path);
        void *bytes = ag_arena_alloc(&f->arena, size);
        int fd = open(f->path, O_RDONLY);
        assert_int_equal(read(fd, bytes, size), size);
        close(fd);
        assert_ok(ag_sha256_of(digests[i], bytes, size));
    }
    assert_string_equal(digests[0], digests[1]);
}

/* Flips one bit of the first place of the file that holds `value`. */
static void damage(const char *path, float value)
{
    static char bytes[1 << 20];
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    size_t size = fread(bytes, 1, sizeof bytes, file);
    char *place = memmem(bytes, size, &value, sizeof value);
    assert_non_null(place);
    fseek(file, place - bytes, SEEK_SET);
    fputc(*place ^ 1, file);
    fclose(file);
}

static void a_flipped_bit_is_found(void **state)
{
    fixture *f = *state;
    assert_ok(ag_run_file_write(f->path, &f->record));
    const ag_tensor *tensor = ag_tensor_find(&f->record.tensors, AG_T_C_FC_W, 0);
    damage(f->path, f->record.weights[tensor->offset + 17]);
    assert_fails(AG_ERR_FILE, "transformer.h.0.mlp.c_fc.weight does not match its crc32",
                 ag_weights_read(f->read, &f->record.tensors, f->path, f->run.id));
}

static void another_model_is_refused(void **state)
{
    fixture *f = *state;
    assert_ok(ag_run_file_write(f->path, &f->record));
    ag_tensor_table wider;
    ag_model_spec model = f->run.model;
    model.n_embd = 16;
    assert_ok(ag_tensor_table_make(&wider, &model, 7, &f->arena));
    float *weights = ag_arena_floats(&f->arena, wider.total);
    assert_fails(AG_ERR_INPUT, "has the shape [7, 8], the model wants [7, 16]",
                 ag_weights_read(weights, &wider, f->path, ""));
    model = f->run.model;
    model.bias = true;
    assert_ok(ag_tensor_table_make(&wider, &model, 7, &f->arena));
    weights = ag_arena_floats(&f->arena, wider.total);
    assert_fails(AG_ERR_INPUT, "has no weights 'transformer.h.0.ln_1.bias'",
                 ag_weights_read(weights, &wider, f->path, ""));
}

static void what_is_no_run_file_is_refused(void **state)
{
    fixture *f = *state;
    assert_fails(AG_ERR_INPUT, "No such file",
                 ag_weights_read(f->read, &f->record.tensors, "/tmp/altgrad-no-such", ""));
    FILE *file = fopen(f->path, "w");
    fputs("plain text", file);
    fclose(file);
    assert_fails(AG_ERR_FILE, "not an HDF5 file",
                 ag_weights_read(f->read, &f->record.tensors, f->path, ""));
    assert_ok(ag_run_file_write(f->path, &f->record));
    assert_fails(AG_ERR_INPUT, "has no run '0123456789ab'",
                 ag_weights_read(f->read, &f->record.tensors, f->path, "0123456789ab"));
    assert_int_equal(truncate(f->path, 3000), 0);
    assert_fails(AG_ERR_FILE, "damaged", ag_weights_read(f->read, &f->record.tensors, f->path, ""));
}

static void a_fixed_arena_of_the_stated_size_suffices(void **state)
{
    fixture *f = *state;
    ag_arena arena;
    ag_record record;
    assert_ok(ag_arena_init(&arena, ag_record_bytes(&f->run, 2, MADE_UP_WINDOWS)));
    assert_ok(ag_record_make(&record, &f->run, 2, MADE_UP_WINDOWS, &arena));
    assert_int_equal(arena.used, ag_record_bytes(&f->run, 2, MADE_UP_WINDOWS));
    ag_arena_deinit(&arena);
}

static void sampled_steps_are_counted_as_they_are_chosen(void **state)
{
    (void)state;
    ag_run run = {.observe = {.diagnostics = 1}};
    for (run.train.steps = 0; run.train.steps < 12; run.train.steps++) {
        for (run.observe.quant_every = 0; run.observe.quant_every < 14; run.observe.quant_every++) {
            int64_t count = 0;
            for (int64_t step = 0; step < run.train.steps; step++) {
                assert_int_equal(ag_samples_before(&run, step), count);
                count += ag_samples_due(&run, step);
            }
            assert_int_equal(ag_samples_before(&run, run.train.steps), count);
        }
    }
    run = (ag_run){
        .train.steps = 10, .observe = {.quant_every = 4, .diagnostics = 1}
    };
    assert_true(ag_samples_due(&run, 0) && ag_samples_due(&run, 4) && ag_samples_due(&run, 8));
    assert_true(ag_samples_due(&run, 9) && !ag_samples_due(&run, 1));
    run.observe.diagnostics = 0;
    assert_false(ag_samples_due(&run, 0));
    assert_int_equal(ag_samples_before(&run, 10), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(weights_come_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_digest_is_of_the_tensors_without_gaps, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_descriptor_gets_a_whole_file_from_its_start, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_same_record_gives_the_same_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_flipped_bit_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_model_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_run_file_is_refused, set_up, tear_down),
        cmocka_unit_test(sampled_steps_are_counted_as_they_are_chosen),
        cmocka_unit_test_setup_teardown(a_fixed_arena_of_the_stated_size_suffices, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
