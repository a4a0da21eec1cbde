#include "support.h"

#include <math.h>

#include "run/layers.h"
#include "run/optimizers.h"
#include "run/tensors.h"

enum { GPT2_VOCAB = 50257, GPT2_CONTEXT = 1024 };

static ag_model_spec model_of(int64_t n_layer, int64_t n_embd)
{
    return (ag_model_spec){.n_layer = n_layer,
                           .n_head = 4,
                           .n_embd = n_embd,
                           .block_size = GPT2_CONTEXT,
                           .bias = true,
                           .tie_weights = true,
                           .norm_affine = true,
                           .final_norm = true,
                           .init_std = 0.02};
}

/* The four GPT-2 models as OpenAI released them (Hugging Face transformers counts the same). */
static void test_parameter_counts_of_gpt2(void **state)
{
    (void)state;
    static const struct {
        int64_t n_layer;
        int64_t n_embd;
        size_t parameters;
    } models[] = {
        {12, 768,  124439808 },
        {24, 1024, 354823168 },
        {36, 1280, 774030080 },
        {48, 1600, 1557611200},
    };
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        ag_arena arena;
        ag_tensor_table table;
        ag_model_spec model = model_of(models[i].n_layer, models[i].n_embd);
        ag_arena_init_growing(&arena);
        assert_ok(ag_tensor_table_make(&table, &model, GPT2_VOCAB, &arena));
        assert_int_equal(ag_tensor_parameters(&table), models[i].parameters);
        ag_arena_deinit(&arena);
    }
}

/* state_dict() of nanoGPT's GPT(n_layer=2, n_embd=8, block_size=16, vocab_size=11, bias=True),
 * less the tied lm_head.weight. */
static void test_tensors_are_nanogpts(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t dims[2];
    } rows[] = {
        {"transformer.wte.weight",             {11, 8}},
        {"transformer.wpe.weight",             {16, 8}},
        {"transformer.h.0.ln_1.weight",        {8, 1} },
        {"transformer.h.0.ln_1.bias",          {8, 1} },
        {"transformer.h.0.attn.c_attn.weight", {24, 8}},
        {"transformer.h.0.attn.c_attn.bias",   {24, 1}},
        {"transformer.h.0.attn.c_proj.weight", {8, 8} },
        {"transformer.h.0.attn.c_proj.bias",   {8, 1} },
        {"transformer.h.0.ln_2.weight",        {8, 1} },
        {"transformer.h.0.ln_2.bias",          {8, 1} },
        {"transformer.h.0.mlp.c_fc.weight",    {32, 8}},
        {"transformer.h.0.mlp.c_fc.bias",      {32, 1}},
        {"transformer.h.0.mlp.c_proj.weight",  {8, 32}},
        {"transformer.h.0.mlp.c_proj.bias",    {8, 1} },
        {"transformer.h.1.ln_1.weight",        {8, 1} },
        {"transformer.h.1.ln_1.bias",          {8, 1} },
        {"transformer.h.1.attn.c_attn.weight", {24, 8}},
        {"transformer.h.1.attn.c_attn.bias",   {24, 1}},
        {"transformer.h.1.attn.c_proj.weight", {8, 8} },
        {"transformer.h.1.attn.c_proj.bias",   {8, 1} },
        {"transformer.h.1.ln_2.weight",        {8, 1} },
        {"transformer.h.1.ln_2.bias",          {8, 1} },
        {"transformer.h.1.mlp.c_fc.weight",    {32, 8}},
        {"transformer.h.1.mlp.c_fc.bias",      {32, 1}},
        {"transformer.h.1.mlp.c_proj.weight",  {8, 32}},
        {"transformer.h.1.mlp.c_proj.bias",    {8, 1} },
        {"transformer.ln_f.weight",            {8, 1} },
        {"transformer.ln_f.bias",              {8, 1} },
    };
    ag_arena arena;
    ag_tensor_table table;
    ag_model_spec model = model_of(2, 8);
    model.block_size = 16;
    ag_arena_init_growing(&arena);
    assert_ok(ag_tensor_table_make(&table, &model, 11, &arena));
    assert_int_equal(table.count, sizeof rows / sizeof rows[0]);
    size_t end = 0;
    for (size_t i = 0; i < table.count; i++) {
        const ag_tensor *tensor = &table.rows[i];
        assert_string_equal(tensor->name, rows[i].name);
        assert_int_equal(tensor->dims[0], rows[i].dims[0]);
        assert_int_equal(tensor->dims[1], rows[i].dims[1]);
        assert_int_equal(tensor->n_dims, rows[i].dims[1] == 1 ? 1 : 2);
        assert_int_equal(tensor->count, rows[i].dims[0] * rows[i].dims[1]);
        assert_int_equal(tensor->decayed, rows[i].dims[1] > 1);
        assert_int_equal(tensor->offset % 16, 0);
        assert_true(tensor->offset >= end && tensor->offset < end + 16);
        end = tensor->offset + tensor->count;
        assert_ptr_equal(ag_tensor_find(&table, tensor->id, tensor->block), tensor);
    }
    assert_true(table.total >= end && table.total < end + 16);
    ag_arena_deinit(&arena);
}

static void test_init_is_nanogpts(void **state)
{
    (void)state;
    ag_arena arena;
    ag_tensor_table table;
    ag_model_spec model = model_of(8, 16);
    ag_arena_init_growing(&arena);
    assert_ok(ag_tensor_table_make(&table, &model, 11, &arena));
    for (size_t i = 0; i < table.count; i++) {
        const ag_tensor *tensor = &table.rows[i];
        bool is_norm = strstr(tensor->name, "ln_") != NULL;
        if (strstr(tensor->name, ".bias") != NULL) {
            assert_int_equal(tensor->init, AG_INIT_ZEROS);
        } else if (is_norm) {
            assert_int_equal(tensor->init, AG_INIT_GAIN);
        } else {
            assert_int_equal(tensor->init, AG_INIT_NORMAL);
            /* 2 * n_layer = 16: the root is 4 */
            double expected = strstr(tensor->name, "c_proj") != NULL ? 0.02 / 4 : 0.02;
            assert_true(tensor->init_std == expected);
        }
    }
    ag_arena_deinit(&arena);
}

/* Four times as wide as its base, 16 -> 64; the hidden layer of the MLP has 256. */
static void test_parametrisations(void **state)
{
    (void)state;
    static const struct {
        const char *tensor;
        double mup_std, mup_lr, mus_lr;
    } expected[] = {
        {"wte.weight",         0.02,     1,    1  },
        {"wpe.weight",         0.02,     1,    1  },
        {"attn.c_attn.weight", 0.01,     0.25, 0.5},
        {"attn.c_proj.weight", 0.01 / 4, 0.25, 0.5},
        {"mlp.c_fc.weight",    0.01,     0.25, 0.5},
        {"mlp.c_proj.weight",  0.01 / 4, 0.25, 0.5},
        {"lm_head.weight",     0.02,     1,    1  },
        {"ln_1.weight",        0,        1,    1  },
        {"c_fc.bias",          0,        1,    1  },
    };
    ag_arena arena;
    ag_arena_init_growing(&arena);
    for (int mus = 0; mus < 2; mus++) {
        ag_tensor_table table;
        ag_model_spec model = model_of(8, 64);
        model.tie_weights = false;
        model.base_width = 16;
        model.param = mus ? AG_PARAMETRISATION_MUS : AG_PARAMETRISATION_MUP;
        assert_ok(ag_tensor_table_make(&table, &model, 11, &arena));
        for (size_t e = 0; e < sizeof expected / sizeof expected[0]; e++) {
            size_t i = 0;
            while (strstr(table.rows[i].name, expected[e].tensor) == NULL)
                i++;
            const ag_tensor *tensor = &table.rows[i];
            bool drawn = tensor->init == AG_INIT_NORMAL;
            assert_true(tensor->init_std == (mus && drawn ? 1.0 : expected[e].mup_std));
            assert_true(tensor->lr_factor == (mus ? expected[e].mus_lr : expected[e].mup_lr));
        }
        for (size_t i = 0; i < ag_layer_count(&model); i++) {
            ag_layer layer = ag_layer_at(&model, 11, i);
            bool is_head = strcmp(layer.name, "lm_head") == 0;
            bool is_deep = strstr(layer.name, "mlp.c_proj") != NULL;
            double alpha = is_head ? 1.0 / 64 : is_deep ? 1.0 / 16 : 1.0 / 8;
            assert_true(layer.alpha == (mus ? alpha : is_head ? 0.25 : 1.0));
        }
    }
    ag_arena_deinit(&arena);
}

static void test_tensors_without_bias_and_untied(void **state)
{
    (void)state;
    ag_arena arena;
    ag_tensor_table table;
    ag_model_spec model = model_of(3, 8);
    model.bias = false;
    model.tie_weights = false;
    ag_arena_init_growing(&arena);
    assert_ok(ag_tensor_table_make(&table, &model, 11, &arena));
    assert_int_equal(table.count, 2 + 3 * 6 + 1 + 1);
    assert_null(ag_tensor_find(&table, AG_T_C_FC_B, 0));
    assert_null(ag_tensor_find(&table, AG_T_C_FC_W, 3));
    const ag_tensor *head = ag_tensor_find(&table, AG_T_LM_HEAD_W, 0);
    assert_ptr_equal(head, &table.rows[table.count - 1]);
    assert_string_equal(head->name, "lm_head.weight");
    assert_int_equal(head->dims[0], 11);
    assert_int_equal(head->dims[1], 8);
    ag_arena_deinit(&arena);
}

static void test_layers_and_their_sites(void **state)
{
    (void)state;
    static const struct {
        size_t index;
        const char *name;
        ag_linear_kind kind;
        size_t inputs;
        size_t outputs;
        uint32_t place;
    } rows[] = {
        {0,  "transformer.h.0.attn.c_attn", AG_LINEAR_C_ATTN,      8,  24, 0           },
        {1,  "transformer.h.0.attn.c_proj", AG_LINEAR_ATTN_C_PROJ, 8,  8,  8           },
        {2,  "transformer.h.0.mlp.c_fc",    AG_LINEAR_C_FC,        8,  32, 16          },
        {3,  "transformer.h.0.mlp.c_proj",  AG_LINEAR_MLP_C_PROJ,  32, 8,  24          },
        {47, "transformer.h.11.mlp.c_proj", AG_LINEAR_MLP_C_PROJ,  32, 8,  11 * 64 + 24},
        {48, "lm_head",                     AG_LINEAR_LM_HEAD,     8,  65, 12 * 64     },
    };
    ag_model_spec model = model_of(12, 8);
    assert_int_equal(ag_layer_count(&model), 49);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ag_layer layer = ag_layer_at(&model, 65, rows[i].index);
        assert_string_equal(layer.name, rows[i].name);
        assert_int_equal(layer.kind, rows[i].kind);
        assert_int_equal(layer.block, rows[i].index / 4);
        assert_int_equal(layer.inputs, rows[i].inputs);
        assert_int_equal(layer.outputs, rows[i].outputs);
        assert_int_equal(layer.place, rows[i].place);
    }
}

/* Every layer's weight is a tensor of its name and shape; the tied lm_head's is the embedding. */
static void test_layers_match_tensors(void **state)
{
    (void)state;
    ag_arena arena;
    ag_tensor_table table;
    ag_model_spec model = model_of(5, 12);
    model.tie_weights = false;
    ag_arena_init_growing(&arena);
    assert_ok(ag_tensor_table_make(&table, &model, 30, &arena));
    for (size_t i = 0; i < ag_layer_count(&model); i++) {
        ag_layer layer = ag_layer_at(&model, 30, i);
        const char *weight = ag_arena_printf(&arena, "%s.weight", layer.name);
        size_t row = 0;
        while (row < table.count && strcmp(table.rows[row].name, weight) != 0)
            row++;
        assert_true(row < table.count);
        assert_int_equal(table.rows[row].dims[0], layer.outputs);
        assert_int_equal(table.rows[row].dims[1], layer.inputs);
    }
    ag_arena_deinit(&arena);
}

/* An optimizer is another one without a grid if, and only if, it asks for something of the grid; so
 * one without a row, which would pass for AdamW, is noticed. */
static void test_each_optimizer_has_a_row(void **state)
{
    (void)state;
    for (ag_optimizer_type type = 0; type < AG_OPTIMIZERS; type++) {
        const ag_optimizer_traits *traits = &ag_optimizers[type];
        bool follows = traits->has_moving_spacing || traits->fixes_scale;
        if ((traits->plain != type) != follows ||
            ag_optimizers[traits->plain].plain != traits->plain)
            fail_msg("optimizer %d: no row in ag_optimizers, or one at odds with itself",
                     (int)type);
    }
}

/* Four queries' heads of 3 channels share two of keys and values. */
static void test_parts_are_the_layers_that_a_fused_one_is(void **state)
{
    (void)state;
    static const struct {
        ag_tensor_id id;
        size_t count;
        size_t rows[AG_MOST_PARTS];
    } cases[] = {
        {AG_T_C_ATTN_W,    3, {12, 6, 6}},
        {AG_T_ATTN_PROJ_W, 1, {10}      },
        {AG_T_C_GATE_W,    1, {7}       },
        {AG_T_C_FC_W,      1, {7}       },
        {AG_T_MLP_PROJ_W,  1, {10}      },
        {AG_T_WTE,         0, {0}       },
        {AG_T_LM_HEAD_W,   0, {0}       },
        {AG_T_LN_1_W,      0, {0}       },
    };
    ag_arena arena;
    ag_tensor_table table;
    ag_model_spec model = model_of(1, 10);
    model.n_head = 4;
    model.n_kv_head = 2;
    model.head_dim = 3;
    model.mlp = AG_MLP_SWIGLU;
    model.mlp_hidden = 7;
    model.tie_weights = false;
    ag_arena_init_growing(&arena);
    assert_ok(ag_tensor_table_make(&table, &model, 30, &arena));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t rows[AG_MOST_PARTS] = {0};
        const ag_tensor *tensor = ag_tensor_find(&table, cases[i].id, 0);
        assert_non_null(tensor);
        assert_int_equal(ag_tensor_parts(rows, &model, tensor), cases[i].count);
        assert_memory_equal(rows, cases[i].rows, sizeof rows);
    }
    ag_arena_deinit(&arena);
}

static void test_a_full_arena_is_an_error(void **state)
{
    (void)state;
    ag_arena arena;
    ag_tensor_table table;
    ag_model_spec model = model_of(5, 12);
    assert_ok(ag_arena_init(&arena, 64));
    assert_fails(AG_ERR_SYSTEM, "out of memory", ag_tensor_table_make(&table, &model, 30, &arena));
    ag_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parameter_counts_of_gpt2),
        cmocka_unit_test(test_tensors_are_nanogpts),
        cmocka_unit_test(test_init_is_nanogpts),
        cmocka_unit_test(test_parametrisations),
        cmocka_unit_test(test_tensors_without_bias_and_untied),
        cmocka_unit_test(test_layers_and_their_sites),
        cmocka_unit_test(test_layers_match_tensors),
        cmocka_unit_test(test_each_optimizer_has_a_row),
        cmocka_unit_test(test_parts_are_the_layers_that_a_fused_one_is),
        cmocka_unit_test(test_a_full_arena_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
