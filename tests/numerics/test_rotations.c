/* Rounding with few random bits, Hadamard transforms, static scales and scales of rotated values,
 * against vectors made elsewhere. */
#include "support.h"

#include <math.h>
#include <string.h>

#include "base/bits.h"
#include "base/crc32.h"
#include "numerics/groups.h"

typedef struct bits_row {
    const char *format;
    int bits;
    const char *variant;
    uint32_t x, word, y;
} bits_row;

typedef struct signs_row {
    int size;
    bool drawn; /* for a step, with the next three; else fixed */
    uint64_t key;
    uint32_t place, step;
    const char *signs;
} signs_row;

typedef struct static_row {
    const char *rule; /* const, sqrt, rsqrt */
    size_t size;
    uint32_t constant;
    bool pow2;
    uint32_t scale;
} static_row;

typedef struct turn_row {
    int size;
    bool drawn; /* key 0123456789abcdef, site 342, step 7 */
    size_t rows, cols;
    const uint32_t *x, *y;
} turn_row;

typedef struct quest_row {
    const uint32_t *x;
    size_t count;
    uint32_t crc; /* of the values */
    uint32_t code;
} quest_row;

#include "rotation_vectors.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
enum { MOST = 512 };

static void test_few_random_bits(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(s_bits); i++) {
        const bits_row *row = &s_bits[i];
        ag_format format;
        int variant = 0;
        assert_ok(ag_format_parse(&format, row->format));
        while (strcmp(ag_sr_words[variant], row->variant) != 0)
            variant++;
        float y = ag_round_few_bits(&format, float_of(row->x), row->word, row->bits,
                                    (ag_sr_variant)variant, AG_OVERFLOW_SATURATE);
        assert_int_equal(bits_of(y), row->y);
    }
}

static ag_turn turn_of(int size, bool drawn, uint64_t key, uint32_t place, uint32_t step)
{
    ag_scheme scheme = {.hadamard = size, .signs = drawn ? AG_SIGNS_STEP : AG_SIGNS_FIXED};
    ag_rounding_site where = {.key = key, .turn = place, .step = step};
    return ag_turn_of(&scheme, &where);
}

static void test_signs(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(s_signs); i++) {
        const signs_row *row = &s_signs[i];
        ag_turn turn = turn_of(row->size, row->drawn, row->key, row->place, row->step);
        for (int j = 0; j < row->size; j++)
            assert_true((turn.signs[j] < 0.0f) == (row->signs[j] == '-'));
    }
}

static void check_turn(const turn_row *row, const ag_turn *turn)
{
    static float x[MOST], y[MOST], across[MOST];
    size_t count = row->rows * row->cols;
    for (size_t i = 0; i < count; i++) {
        x[i] = float_of(row->x[i]);
        across[i % row->cols * row->rows + i / row->cols] = x[i];
    }
    ag_hadamard(y, x, row->rows, row->cols, AG_SUM_COLS, turn);
    ag_hadamard(across, across, row->cols, row->rows, AG_SUM_ROWS, turn);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(bits_of(y[i]), row->y[i]);
        assert_int_equal(bits_of(across[i % row->cols * row->rows + i / row->cols]), row->y[i]);
    }
}

static void test_turns(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(s_turns); i++) {
        const turn_row *row = &s_turns[i];
        ag_turn turn = turn_of(row->size, row->drawn, 0x0123456789abcdef, 342, 7);
        check_turn(row, &turn);
    }
}

/* There and back: what is left are roundings, of 8 steps at most each way. */
static void test_a_turn_has_an_inverse(void **state)
{
    (void)state;
    float x[128];
    float y[128];
    for (int size = 16; size <= 128; size *= 2) {
        ag_turn turn = turn_of(size, true, 5, 9, 2);
        for (int i = 0; i < size; i++)
            x[i] = (float)(i * i % 37) - 18.0f;
        ag_hadamard(y, x, 1, (size_t)size, AG_SUM_COLS, &turn);
        turn.back = true;
        ag_hadamard(y, y, 1, (size_t)size, AG_SUM_COLS, &turn);
        for (int i = 0; i < size; i++)
            assert_true(fabsf(y[i] - x[i]) < 1e-4f);
    }
}

static void test_static_scales(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(s_static); i++) {
        const static_row *row = &s_static[i];
        ag_scheme scheme = {.constant = float_of(row->constant), .pow2 = row->pow2};
        scheme.rule = strcmp(row->rule, "const") == 0  ? AG_STATIC_CONSTANT
                      : strcmp(row->rule, "sqrt") == 0 ? AG_STATIC_TIMES
                                                       : AG_STATIC_OVER;
        assert_int_equal(bits_of(ag_static_scale(&scheme, row->size)), row->scale);
    }
}

static void test_static_scales_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *written; /* NULL: refused */
    } cases[] = {
        {"50",               "50"             },
        {"2^-3",             "0.125"          },
        {"2 * sqrt(fan_in)", "2*sqrt(fan_in)" },
        {"1/sqrt(tokens)",   "1/sqrt(tokens)" },
        {"sqrt(fan_out)",    "1*sqrt(fan_out)"},
        {"-1",               NULL             },
        {"0",                NULL             },
        {"2*sqrt(fan)",      NULL             },
        {"2*fan_in",         NULL             },
        {"many",             NULL             },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[AG_STATIC_TEXT];
        ag_scheme scheme;
        assert_ok(ag_scheme_parse(&scheme, "e4m3/tensor"));
        if (cases[i].written == NULL) {
            assert_fails(AG_ERR_INPUT, "static scale", ag_static_parse(&scheme, cases[i].text));
            continue;
        }
        assert_ok(ag_static_parse(&scheme, cases[i].text));
        ag_static_write(text, &scheme);
        assert_string_equal(text, cases[i].written);
    }
}

/* A scale of 1 is none. */
static void test_normalising(void **state)
{
    (void)state;
    ag_scheme none;
    ag_scheme one;
    assert_ok(ag_scheme_parse(&none, "e4m3/tensor/none"));
    assert_ok(ag_scheme_parse(&one, "e4m3/tensor"));
    assert_ok(ag_static_parse(&one, "1"));
    ag_scheme_normalise(&one);
    assert_true(ag_scheme_equal(&none, &one));
    assert_ok(ag_scheme_parse(&none, "e4m3/tensor/amax/stochastic"));
    one = none;
    one.sr_bits = 32;
    ag_scheme_normalise(&one);
    assert_true(ag_scheme_equal(&none, &one));
}

static void test_quest(void **state)
{
    (void)state;
    ag_scheme scheme;
    assert_ok(ag_scheme_parse(&scheme, "e2m1/mx/e8m0floor/nearest/hadamard32"));
    scheme.select = AG_SELECT_QUEST;
    assert_ok(ag_scheme_check(&scheme));
    for (size_t i = 0; i < COUNT(s_quest); i++) {
        const quest_row *row = &s_quest[i];
        ag_matrix matrix = {1, row->count, AG_SUM_COLS, 0};
        ag_groups groups = ag_groups_of(&scheme, &matrix);
        float scale = 0.0f;
        float after = 0.0f;
        float x[32];
        unsigned char bytes[128];
        ag_scales scales = {.scale = &scale, .after = &after};
        for (size_t j = 0; j < row->count; j++)
            x[j] = float_of(row->x[j]);
        ag_scales_select(&scales, &scheme, x, &groups, &matrix, NULL);
        for (size_t j = 0; j < 4 * row->count; j++) {
            float q = ag_round_nearest(&scheme.format, x[j / 4] * scale, AG_OVERFLOW_SATURATE);
            bytes[j] = (unsigned char)(bits_of(q * after) >> 8 * (j % 4));
        }
        assert_int_equal(ag_crc32(bytes, 4 * row->count), row->crc);
        assert_true(row->code == 0xff ? isnan(after) : bits_of(after) >> 23 == row->code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few_random_bits), cmocka_unit_test(test_signs),
        cmocka_unit_test(test_turns),           cmocka_unit_test(test_a_turn_has_an_inverse),
        cmocka_unit_test(test_static_scales),   cmocka_unit_test(test_static_scales_by_name),
        cmocka_unit_test(test_normalising),     cmocka_unit_test(test_quest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
