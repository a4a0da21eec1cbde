/* Open block schemes against vectors made elsewhere: which scales their blocks have, and how these
 * are chosen. */
#include "support.h"

#include <string.h>

#include "base/bits.h"
#include "base/crc32.h"
#include "numerics/groups.h"

typedef struct block_input {
    const char *name;
    size_t rows, cols;
    const uint32_t *bits;
} block_input;

typedef struct block_case {
    const char *scheme;
    const char *input;
    bool by_row; /* outer: row */
    float top;
    const char *select;
    const char *error;
    int n_candidates;
    float candidates[AG_MOST_CANDIDATES];
    uint32_t crc; /* of the values */
} block_case;

#include "block_vectors.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
enum { MOST = 512 };

static int word_index(const char *word, const char *const *words, int count)
{
    int i = 0;
    while (i < count && strcmp(words[i], word) != 0)
        i++;
    assert_true(i < count);
    return i;
}

static ag_scheme scheme_of(const block_case *c)
{
    ag_scheme scheme;
    assert_ok(ag_scheme_parse(&scheme, c->scheme));
    if (c->by_row) { /* e2m1 in 1x16 of the tensor's scale is nv, and of the row's is not */
        scheme.granularity = AG_GRANULARITY_BLOCK;
        scheme.scale = strstr(c->scheme, "/ue5m3") != NULL ? AG_SCALE_UE5M3 : AG_SCALE_E4M3;
        scheme.outer = AG_OUTER_ROW;
    }
    scheme.top = c->top;
    scheme.select = (ag_select)word_index(c->select, ag_select_words, AG_SELECTS);
    scheme.error = (ag_block_error)word_index(c->error, ag_error_words, AG_BLOCK_ERRORS);
    scheme.n_candidates = c->n_candidates;
    memcpy(scheme.candidates, c->candidates, sizeof scheme.candidates);
    assert_ok(ag_scheme_check(&scheme));
    ag_scheme_normalise(&scheme);
    return scheme;
}

static const block_input *input_of(const block_case *c)
{
    size_t i = 0;
    while (i + 1 < COUNT(s_inputs) && strcmp(s_inputs[i].name, c->input) != 0)
        i++;
    return &s_inputs[i];
}

static void check_case(const block_case *c)
{
    static float x[MOST], out[MOST], scale[MOST], after[MOST], factors[MOST];
    ag_rounding_site where = {.key = 0x0123456789abcdef, .place = 5, .use = 1, .step = 7};
    const block_input *input = input_of(c);
    ag_scheme scheme = scheme_of(c);
    ag_matrix matrix = {input->rows, input->cols, AG_SUM_COLS, 0};
    ag_scales scales = {.scale = scale, .after = after, .factors = factors};
    size_t count = input->rows * input->cols;
    unsigned char bytes[4 * MOST];
    for (size_t i = 0; i < count; i++)
        x[i] = ag_bits_float(input->bits[i]);
    ag_quantize_matrix(out, x, &matrix, &scheme, &scales, &where);
    for (size_t i = 0; i < 4 * count; i++)
        bytes[i] = (unsigned char)(ag_float_bits(out[i / 4]) >> 8 * (i % 4));
    if (ag_crc32(bytes, 4 * count) != c->crc)
        fail_msg("%s of %s, select %s: other values", c->scheme, c->input, c->select);
}

static void test_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(s_cases); i++)
        check_case(&s_cases[i]);
}

/* The exponent that a rule gives one amax of E2M1, as a code. */
static uint32_t e8m0_code(uint32_t amax, ag_e8m0 rule)
{
    ag_scheme scheme;
    assert_ok(ag_scheme_parse(&scheme, "e2m1/1x8/e8m0floor"));
    scheme.e8m0 = rule;
    ag_scale_rule whole = ag_scale_rule_of(&scheme, 0.0f);
    return ag_float_bits(ag_scale_of_block(&whole, ag_bits_float(amax), 0).after) >> 23;
}

/* As torchao's rules have it. */
static void test_rules_of_e8m0(void **state)
{
    (void)state;
    static const struct {
        uint32_t amax;
        uint32_t codes[AG_E8M0_RULES]; /* floor, rceil, even */
    } rows[] = {
        {0x00000000, {0x00, 0x00, 0x00}},
        {0x3f7fffff, {0x7c, 0x7d, 0x7d}},
        {0x3fc00000, {0x7d, 0x7d, 0x7d}},
        {0x3fdfffff, {0x7d, 0x7e, 0x7d}},
        {0x3fe00000, {0x7d, 0x7e, 0x7e}},
        {0x40dfffff, {0x7f, 0x80, 0x7f}},
        {0x40e00000, {0x7f, 0x80, 0x80}},
        {0x7f7fffff, {0xfc, 0xfd, 0xfd}},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (int rule = 0; rule < AG_E8M0_RULES; rule++)
            assert_int_equal(e8m0_code(rows[i].amax, (ag_e8m0)rule), rows[i].codes[rule]);
    }
}

/* MX and NVFP4 are open schemes that have a name: the same scheme, however it is written. */
static void test_named_blocks_are_open_ones(void **state)
{
    (void)state;
    static const char *const same[][2] = {
        {"e4m3/mx",                   "e4m3/1x32/e8m0rceil"        },
        {"e0m7/mx",                   "e0m7/1x32/e8m0floor"        },
        {"e2m1/nv",                   "e2m1/1x16/e4m3+t"           },
        {"e2m1/nv16x16",              "e2m1/16x16/e4m3+t"          },
        {"e2m1/nv/e4m3+t",            "e2m1/1x16/e4m3+t"           },
        {"e4m3/1x128",                "e4m3/1x128/pow2"            },
        {"e4m3/1x128/amax",           "e4m3/1x128/fp32"            },
        {"e4m3/mx/e8m0even",          "e4m3/1x32/e8m0even"         },
        {"e4m3/row",                  "e4m3/row/fp32"              },
        {"E2M1/NV/E4M3+T/STOCHASTIC", "e2m1/1x16/e4m3+t/stochastic"},
    };
    for (size_t i = 0; i < COUNT(same); i++) {
        ag_scheme a;
        ag_scheme b;
        assert_ok(ag_scheme_parse(&a, same[i][0]));
        assert_ok(ag_scheme_parse(&b, same[i][1]));
        assert_true(ag_scheme_equal(&a, &b));
    }
}

/* What has no effect makes no other scheme. */
static void test_normalising(void **state)
{
    (void)state;
    ag_scheme plain;
    ag_scheme said;
    assert_ok(ag_scheme_parse(&plain, "int4/1x16/e4m3+t"));
    said = plain;
    said.top = 448.0f; /* E4M3's largest */
    said.candidates[3] = 5.0f;
    said.error = AG_ERROR_MSE;
    ag_scheme_normalise(&said);
    assert_true(ag_scheme_equal(&plain, &said));
    said.top = 256.0f;
    ag_scheme_normalise(&said);
    assert_false(ag_scheme_equal(&plain, &said));
}

static void test_contradictions(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *message;
    } cases[] = {
        {"e4m3/mx/ue5m3",        "granularity 'mx' has scales of its own, e8m0"},
        {"e2m1/nv/e4m3",         "has scales of its own, e4m3+t"               },
        {"e2m1/nv/fp32",         "for scale 'fp32' say granularity '1x16'"     },
        {"e4m3/tensor/ue5m3",    "is for blocks"                               },
        {"e4m3/1x32/e8m0",       "there is no scale 'e8m0'"                    },
        {"e4m3/1x32/e8m0even+t", "there is no scale"                           },
        {"e4m3/1x32/fp32+t",     "there is no scale 'fp32+t'"                  },
        {"e4m3/1x32/e5m2+u",     "there is no scale 'e5m2+u'"                  },
        {"e4m3/0x32/e8m0floor",  "blocks are 0x32"                             },
        {"bf16/1x16/e4m3",       "takes no scale"                              },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        ag_scheme scheme;
        assert_fails(AG_ERR_INPUT, cases[i].message, ag_scheme_parse(&scheme, cases[i].name));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_rules_of_e8m0),
        cmocka_unit_test(test_named_blocks_are_open_ones),
        cmocka_unit_test(test_normalising),
        cmocka_unit_test(test_contradictions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
