/* The optimizers over a model's tensors: which tensors follow a grid, that they stay on it, and
 * what the optimizers share. */
#include "optimizer_run.h"

static tiny s_a; /* large */

static size_t row_of(const tiny *t, ag_tensor_id id, size_t block)
{
    const ag_tensor_table *tensors = &t->trainer.state.tensors;
    return (size_t)(ag_tensor_find(tensors, id, block) - tensors->rows);
}

static void test_which_tensors_have_a_grid(void **state)
{
    (void)state;
    optimizer_make(&s_a, AG_OPTIMIZER_GRID);
    tiny_start(&s_a);
    const ag_train_state *s = &s_a.trainer.state;
    size_t count = 0;
    for (size_t i = 0; i < s->tensors.count; i++)
        count += s->grids[i].scheme != NULL;
    assert_int_equal(count, 8); /* 2 blocks of 4 but for one c_attn, and lm_head */
    assert_null(s->grids[row_of(&s_a, AG_T_C_ATTN_W, 0)].scheme);
    assert_null(s->grids[row_of(&s_a, AG_T_WTE, 0)].scheme);
    assert_null(s->grids[row_of(&s_a, AG_T_C_FC_B, 0)].scheme);

    const ag_model *model = &s_a.trainer.model;
    const struct {
        ag_tensor_id id;
        const ag_linear *linear;
    } cases[] = {
        {AG_T_C_ATTN_W,    &model->blocks[1].linears[AG_LINEAR_C_ATTN]     },
        {AG_T_ATTN_PROJ_W, &model->blocks[1].linears[AG_LINEAR_ATTN_C_PROJ]},
        {AG_T_C_FC_W,      &model->blocks[1].linears[AG_LINEAR_C_FC]       },
        {AG_T_MLP_PROJ_W,  &model->blocks[1].linears[AG_LINEAR_MLP_C_PROJ] },
        {AG_T_LM_HEAD_W,   &model->lm_head                                 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t block = cases[i].id == AG_T_LM_HEAD_W ? 0 : 1;
        const ag_tensor_grid *grid = &s->grids[row_of(&s_a, cases[i].id, block)];
        const ag_operand *weight = &cases[i].linear->operands[AG_ROLE_WEIGHT][0];
        assert_ptr_equal(grid->scheme, weight->scheme);
        assert_ptr_equal(grid->scale, weight->scale);
        assert_int_equal(grid->place, weight->place);
    }
    tiny_end(&s_a);

    optimizer_make(&s_a, AG_OPTIMIZER_GRID);
    s_a.run.model.tie_weights = true;
    tiny_start(&s_a);
    assert_null(s_a.trainer.state.grids[row_of(&s_a, AG_T_WTE, 0)].scheme);
    tiny_end(&s_a);
}

/* Tensors without a grid move as under the optimizer that theirs derives from, as long as the
 * gradients are the same: in the first step. */
static void assert_plain_elsewhere(ag_optimizer_type type, ag_optimizer_type plain)
{
    static tiny s_b;
    optimizer_make(&s_a, type);
    optimizer_make(&s_b, plain);
    tiny_start(&s_a);
    tiny_start(&s_b);
    const ag_train_state *a = &s_a.trainer.state;
    const ag_train_state *b = &s_b.trainer.state;
    const ag_update update = {.grads = s_a.trainer.model.grads, .lr = 0.1, .grad_scale = 1.0};
    tiny_fill(s_a.trainer.model.grads, a->tensors.total, 3, 1.0f);
    ag_optimizer_step(&s_a.trainer.state, &s_a.run.optimizer, &update, &ag_kernels_fast);
    ag_optimizer_step(&s_b.trainer.state, &s_b.run.optimizer, &update, &ag_kernels_fast);
    for (size_t i = 0; i < a->tensors.count; i++) {
        const ag_tensor *tensor = &a->tensors.rows[i];
        int difference = memcmp(a->weights + tensor->offset, b->weights + tensor->offset,
                                tensor->count * sizeof(float));
        if (a->grids[i].scheme == NULL)
            assert_int_equal(difference, 0);
        else if (type == AG_OPTIMIZER_GRID)
            assert_int_not_equal(difference, 0);
    }
    tiny_end(&s_a);
    tiny_end(&s_b);
}

static void test_tensors_without_a_grid(void **state)
{
    (void)state;
    assert_plain_elsewhere(AG_OPTIMIZER_MANIFOLD_ADAMW, AG_OPTIMIZER_ADAMW);
    assert_plain_elsewhere(AG_OPTIMIZER_GRID, AG_OPTIMIZER_SGD);
}

/* Each weight is a value of the format, and what the products read. */
static void assert_on_grid(const ag_linear *linear, float scale)
{
    const ag_operand *weight = &linear->operands[AG_ROLE_WEIGHT][0];
    assert_true(weight->scale->value == scale);
    for (size_t i = 0; i < linear->layer.outputs * linear->layer.inputs; i++) {
        uint32_t code = 0;
        assert_ok(ag_format_encode(&code, &weight->scheme->format, linear->weight[i] * scale));
        assert_true(weight->values[i] * weight->factor.all == linear->weight[i]);
    }
}

/* Scales are powers of two with room for the growth that was asked for, whatever the scheme says
 * of amaxes, and stay; the forward pass reads weights as they are. */
static void test_weights_stay_on_their_grid(void **state)
{
    (void)state;
    optimizer_make(&s_a, AG_OPTIMIZER_GRID);
    ag_scheme scheme = tiny_scheme("e4m3");
    scheme.amax = AG_AMAX_DELAYED;
    scheme.history = 2;
    tiny_quantise(&s_a, AG_ROLE_WEIGHT, scheme);
    s_a.run.optimizer.headroom = 3;
    tiny_start(&s_a);
    ag_linear *linear = &s_a.trainer.model.blocks[1].linears[AG_LINEAR_C_FC];
    float scale = linear->operands[AG_ROLE_WEIGHT][0].scale->value;
    int exponent = 0;
    assert_true(frexpf(scale, &exponent) == 0.5f);
    size_t count = linear->layer.outputs * linear->layer.inputs;
    float largest = ag_amax(linear->weight, count) * scale * 8.0f;
    assert_true(largest <= 448.0f && largest > 224.0f);

    for (int step = 0; step < 5; step++) {
        ag_trainer_step(&s_a.trainer);
        ag_pass pass = ag_trainer_pass(&s_a.trainer, AG_MODE_TRAIN, 1, 0);
        ag_linear_prepare(linear, &pass);
        assert_on_grid(linear, scale);
    }
    tiny_end(&s_a);
}

/* A wide format that asks for no scale keeps scale 1. */
static void test_a_grid_without_scale(void **state)
{
    (void)state;
    optimizer_make(&s_a, AG_OPTIMIZER_GRID);
    tiny_quantise(&s_a, AG_ROLE_WEIGHT, tiny_scheme("fp16"));
    tiny_start(&s_a);
    ag_trainer_step(&s_a.trainer);
    assert_true(s_a.trainer.model.lm_head.operands[AG_ROLE_WEIGHT][0].scale->value == 1.0f);
    tiny_end(&s_a);
}

/* --- all of them */

static void test_they_share_initial_weights_and_batches(void **state)
{
    (void)state;
    static tiny s_b;
    optimizer_make(&s_a, AG_OPTIMIZER_ADAMW);
    tiny_start(&s_a);
    ag_trainer_step(&s_a.trainer);
    for (int type = AG_OPTIMIZER_SGD; type < AG_OPTIMIZERS; type++) {
        optimizer_make(&s_b, (ag_optimizer_type)type);
        tiny_start(&s_b);
        ag_trainer_step(&s_b.trainer);
        assert_string_equal(s_a.record.digest_initial, s_b.record.digest_initial);
        assert_memory_equal(s_a.trainer.tokens.inputs, s_b.trainer.tokens.inputs,
                            24 * sizeof(int32_t));
        tiny_end(&s_b);
    }
    tiny_end(&s_a);
}

static void test_they_learn(void **state)
{
    (void)state;
    static const double rates[AG_OPTIMIZERS] = {
        [AG_OPTIMIZER_ADAMW] = 1e-2,          [AG_OPTIMIZER_SGD] = 0.3,
        [AG_OPTIMIZER_MANIFOLD_ADAMW] = 1e-2, [AG_OPTIMIZER_GRID] = 0.3,
        [AG_OPTIMIZER_LION] = 3e-3,           [AG_OPTIMIZER_MUON] = 1e-2,
    };
    for (int type = 0; type < AG_OPTIMIZERS; type++) {
        optimizer_make(&s_a, (ag_optimizer_type)type);
        s_a.run.train.steps = 200;
        s_a.run.optimizer.lr = rates[type];
        s_a.run.optimizer.weight_decay = 0.0;
        s_a.run.optimizer.momentum = 0.9;
        tiny_train(&s_a, &ag_kernels_fast);
        double loss = s_a.record.val_loss[0];
        if (!(loss < 0.8 * log(TINY_VOCAB)))
            fail_msg("optimizer %d: validation loss %g", type, loss);
        tiny_end(&s_a);
    }
}

/* Three names of one evenly spaced grid: the same training to the last bit, also where the
 * optimizer follows the grid. On such a grid manifold_adamw is AdamW. */
static void test_integers_by_any_name(void **state)
{
    (void)state;
    static const char *const names[] = {"int8", "e0m7f", "e1m6f"};
    static const ag_optimizer_type types[] = {AG_OPTIMIZER_ADAMW, AG_OPTIMIZER_MANIFOLD_ADAMW,
                                              AG_OPTIMIZER_GRID};
    char digests[3][3][AG_DIGEST_LENGTH + 1];
    for (size_t i = 0; i < 9; i++) {
        optimizer_make(&s_a, types[i / 3]);
        s_a.run.optimizer.lr = 0.01;
        tiny_quantise(&s_a, AG_ROLE_WEIGHT, tiny_scheme(names[i % 3]));
        tiny_train(&s_a, &ag_kernels_fast);
        memcpy(digests[i / 3][i % 3], s_a.record.digest, sizeof digests[0][0]);
        tiny_end(&s_a);
    }
    for (size_t type = 0; type < 3; type++) {
        assert_string_equal(digests[type][1], digests[type][0]);
        assert_string_equal(digests[type][2], digests[type][0]);
    }
    assert_string_equal(digests[1][0], digests[0][0]);
    assert_string_not_equal(digests[2][0], digests[0][0]);
}

static void test_sgd_has_no_second_moment(void **state)
{
    (void)state;
    optimizer_make(&s_a, AG_OPTIMIZER_ADAMW);
    size_t adamw = ag_train_bytes(&s_a.run, ag_val_windows(&s_a.corpus, &s_a.run));
    tiny_start(&s_a);
    size_t moment = s_a.trainer.state.tensors.total * sizeof(float);
    tiny_end(&s_a);
    optimizer_make(&s_a, AG_OPTIMIZER_SGD);
    size_t sgd = ag_train_bytes(&s_a.run, ag_val_windows(&s_a.corpus, &s_a.run));
    assert_int_equal(adamw - sgd, moment);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_which_tensors_have_a_grid),
        cmocka_unit_test(test_tensors_without_a_grid),
        cmocka_unit_test(test_weights_stay_on_their_grid),
        cmocka_unit_test(test_a_grid_without_scale),
        cmocka_unit_test(test_they_share_initial_weights_and_batches),
        cmocka_unit_test(test_they_learn),
        cmocka_unit_test(test_integers_by_any_name),
        cmocka_unit_test(test_sgd_has_no_second_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
