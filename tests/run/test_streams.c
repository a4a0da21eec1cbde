/* No two things that are random share a random word; and the numbers are those of the first
 * version, which no change may move. */
#include "support.h"

#include <stdio.h>
#include <string.h>

#include "base/philox.h"
#include "run/layers.h"
#include "run/sites.h"
#include "run/streams.h"
#include "run/tensors.h"

enum { MOST = 1024 };

typedef struct taken {
    uint32_t place, use;
    char what[96];
} taken;

static taken s_taken[MOST];
static size_t s_n;

static void take(uint32_t place, uint32_t use, const char *layer, const char *what)
{
    char name[96];
    snprintf(name, sizeof name, "%s %s", layer, what);
    for (size_t i = 0; i < s_n; i++) {
        if (s_taken[i].place == place && s_taken[i].use == use)
            fail_msg("%s and %s share place %u, use %u", s_taken[i].what, name, place, use);
    }
    assert_in_range(s_n, 0, MOST - 1);
    s_taken[s_n] = (taken){.place = place, .use = use};
    memcpy(s_taken[s_n++].what, name, sizeof name);
}

static const ag_model_spec s_model = {.n_layer = 3, .n_head = 2, .n_embd = 16, .block_size = 8};

/* With every linear layer and gain that a block may have, those of c_attn and a fused c_fc apart.
 */
static const ag_model_spec s_split = {.n_layer = 3,
                                      .n_head = 2,
                                      .n_embd = 16,
                                      .block_size = 8,
                                      .norm_affine = true,
                                      .norm_place = AG_NORM_SANDWICH,
                                      .final_norm = true,
                                      .mlp = AG_MLP_SWIGLU,
                                      .qkv = AG_QKV_SPLIT,
                                      .qk_norm = AG_QK_NORM_FULL,
                                      .qk_gain = true};

static void take_layer(const ag_model_spec *model, size_t index)
{
    ag_layer layer = ag_layer_at(model, 11, index);
    for (uint32_t role = 0; role < AG_ROLES; role++) {
        for (uint32_t use = 0; use < AG_USES; use++)
            take(layer.place + role, use, layer.name, ag_use_words[role][use]);
    }
    take(layer.place + AG_ROLE_WEIGHT, AG_USE_OPTIMIZER, layer.name, "update");
}

static void take_site(const ag_model_spec *model, size_t index)
{
    ag_site site = ag_site_at(model, index);
    for (size_t i = 0; i < site.n_tensors; i++) {
        const ag_site_tensor *tensor = &site.tensors[i];
        size_t uses = tensor->uses[0] != NULL ? AG_USES : 1;
        for (uint32_t use = 0; use < uses; use++)
            take(site.place + tensor->part, tensor->use + use, site.name, tensor->name);
    }
}

static void take_model(const ag_model_spec *model)
{
    s_n = 0;
    for (size_t i = 0; i < ag_layer_count(model); i++)
        take_layer(model, i);
    for (size_t i = 0; i < ag_site_count(model); i++)
        take_site(model, i);
    /* so those with AG_USE_SCALE, _SIGNS or _EVALUATION are apart */
    for (size_t i = 0; i < s_n; i++)
        assert_in_range(s_taken[i].use, 0, AG_USE_SCALE - 1);
}

static void test_rounding_words_are_apart(void **state)
{
    (void)state;
    take_model(&s_model);
    assert_int_equal(ag_layer_count(&s_split), 3 * AG_MOST_LINEARS + 1);
    take_model(&s_split);
}

/* Written down by hand: each stream's tag is two letters of its own. */
static void test_streams_are_apart(void **state)
{
    (void)state;
    static const ag_stream streams[] = {
        AG_STREAM_INIT,      AG_STREAM_DATA,   AG_STREAM_DROPOUT,   AG_STREAM_ROUNDING,
        AG_STREAM_SHARPNESS, AG_STREAM_SAMPLE, AG_STREAM_BOOTSTRAP, AG_STREAM_CORPUS,
    };
    static const char letters[][3] = {"IN", "DA", "DR", "SR", "SH", "SA", "BS", "CO"};
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
        assert_int_equal((int)streams[i], letters[i][0] << 8 | letters[i][1]);
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(streams[i], streams[j]);
    }
}

static void test_dropout_words_are_apart(void **state)
{
    (void)state;
    s_n = 0;
    take(ag_stream_place((size_t)s_model.n_layer, AG_SLOT_OTHERS, 0), 0, "", "embedding");
    for (size_t block = 0; block < (size_t)s_model.n_layer; block++) {
        size_t first = block * 4;
        take(ag_layer_at(&s_model, 11, first + AG_LINEAR_ATTN_C_PROJ).place, 0, "attention", "");
        take(ag_layer_at(&s_model, 11, first + AG_LINEAR_MLP_C_PROJ).place, 0, "MLP", "");
        take(ag_stream_place(block, AG_SLOT_ATTENTION, AG_PART_P), 0, "probabilities", "");
    }
}

/* Written down by hand: place = block * 64 + slot * 8 + part. */
static void test_numbers_stay(void **state)
{
    (void)state;
    static const struct {
        const char *site;
        size_t tensor;
        uint32_t place, use;
    } expected[] = {
        {"transformer.h.1.attn.c_attn.opt.m", 0, 64,           3},
        {"transformer.h.1.attn.c_proj.opt.v", 0, 64 + 8,       4},
        {"transformer.h.1.mlp.c_fc.wgrad",    0, 64 + 16 + 3,  0},
        {"transformer.h.2.attn.qk",           0, 128 + 32,     0},
        {"transformer.h.2.attn.qk",           2, 128 + 32 + 5, 0},
        {"transformer.h.2.attn.pv",           0, 128 + 32 + 3, 0},
        {"transformer.h.2.attn.pv",           2, 128 + 32 + 4, 0},
        {"transformer.h.0.residual",          1, 56 + 1,       0},
        {"lm_head.wgrad",                     0, 3 * 64 + 3,   0},
    };
    size_t found = 0;
    for (size_t i = 0; i < ag_site_count(&s_model); i++) {
        ag_site site = ag_site_at(&s_model, i);
        for (size_t j = 0; j < sizeof expected / sizeof expected[0]; j++) {
            if (strcmp(site.name, expected[j].site) != 0)
                continue;
            const ag_site_tensor *tensor = &site.tensors[expected[j].tensor];
            assert_int_equal(site.place + tensor->part, expected[j].place);
            assert_int_equal(tensor->use, expected[j].use);
            found++;
        }
    }
    assert_int_equal(found, sizeof expected / sizeof expected[0]);
    assert_int_equal(ag_layer_at(&s_model, 11, 2 * 4 + AG_LINEAR_MLP_C_PROJ).place, 128 + 24);
    assert_int_equal(ag_layer_at(&s_model, 11, 3 * 4).place, 3 * 64);
    assert_int_equal(ag_stream_place(3, AG_SLOT_OTHERS, 0), 3 * 64 + 56);
    assert_in_range(AG_TENSOR_IDS, 1, AG_PLACES_PER_BLOCK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams_are_apart),
        cmocka_unit_test(test_rounding_words_are_apart),
        cmocka_unit_test(test_dropout_words_are_apart),
        cmocka_unit_test(test_numbers_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
