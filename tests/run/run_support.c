#include "run/run_support.h"

#include <stdlib.h>

ag_scheme scheme_of(const char *format)
{
    ag_format parsed;
    assert_ok(ag_format_parse(&parsed, format));
    return ag_scheme_plain(&parsed);
}

void set_role(ag_layer_precision *layer, ag_role role, ag_scheme scheme)
{
    layer->scheme[role][0] = scheme;
    layer->scheme[role][1] = scheme;
}

/* Its text was written by hand from the definition of the run id. The digest is what
 *     tr -d '\n' < tests/run/golden_run.json | sha256sum
 * prints; the id is the first 12 digits. */
static void make_run(run_fixture *f)
{
    ag_run *run = &f->run;
    ag_run_defaults(run);
    run->model.n_layer = 1;
    run->train.data_seed = 7;
    run->optimizer.lr = 6e-4;
    run->data.text = "input.txt";
    run->seed = 42;
    run->facts = (ag_data_facts){.vocab_size = 65, .train_tokens = 1003854, .val_tokens = 111540};
    for (size_t i = 0; i < AG_DIGEST_LENGTH; i++)
        run->facts.digest[i] = "0123456789abcdef"[i % 16];
    ag_layer_precision *c_attn = &f->layers[AG_LINEAR_C_ATTN];
    ag_scheme delayed = scheme_of("e4m3");
    ag_scheme stochastic = scheme_of("e5m2");
    delayed.amax = AG_AMAX_DELAYED;
    delayed.history = 16;
    stochastic.rounding = AG_ROUND_STOCHASTIC;
    set_role(c_attn, AG_ROLE_WEIGHT, scheme_of("e4m3"));
    c_attn->scheme[AG_ROLE_INPUT][0] = delayed;
    set_role(c_attn, AG_ROLE_GRAD_OUTPUT, stochastic);
    set_role(&f->layers[AG_LINEAR_MLP_C_PROJ], AG_ROLE_WEIGHT, scheme_of("e3m4"));
    run->layers = f->layers;
    assert_ok(ag_run_identify(run));
}

int set_up_run(void **state)
{
    run_fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    ag_arena_init_growing(&f->arena);
    ag_text_init(&f->text);
    make_run(f);
    *state = f;
    return 0;
}

int tear_down_run(void **state)
{
    run_fixture *f = *state;
    ag_arena_deinit(&f->arena);
    ag_text_deinit(&f->text);
    free(f);
    return 0;
}

void assert_golden(run_fixture *f, const char *path, const char *id)
{
    char golden[16384];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(golden, sizeof golden, file));
    fclose(file);
    golden[strcspn(golden, "\n")] = '\0';
    ag_run_canonical(&f->text, &f->run);
    assert_string_equal(f->text.data, golden);
    assert_string_equal(f->run.id, id);
}

/* jansson sorts by itself. */
json_t *load_sorted(const char *text)
{
    json_t *plain = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(plain);
    char *kept = json_dumps(plain, JSON_COMPACT);
    char *sorted = json_dumps(plain, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(kept, sorted);
    free(kept);
    free(sorted);
    return plain;
}

const char *replaced(const ag_text *text, const char *old, const char *new, ag_arena *arena)
{
    const char *place = strstr(text->data, old);
    if (place == NULL)
        fail_msg("the text lacks '%s'", old);
    return ag_arena_printf(arena, "%.*s%s%s", (int)(place - text->data), text->data, new,
                           place + strlen(old));
}

ag_status read_changed(run_fixture *f, const char *old, const char *new)
{
    ag_run back;
    ag_text_deinit(&f->text);
    ag_run_assignment(&f->text, &f->run);
    const char *changed = replaced(&f->text, old, new, &f->arena);
    return ag_run_from_assignment(&back, changed, strlen(changed), &f->arena);
}
