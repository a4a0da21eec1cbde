/* Code tables against vectors made elsewhere, against the standards' own values, and the rules of
 * bounds, ties and names. */
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/philox.h"
#include "code_table_vectors.h"
#include "numerics/code_table.h"
#include "numerics/quantize.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static ag_format parsed(const char *name)
{
    ag_format format;
    assert_ok(ag_element_parse(&format, name));
    return format;
}

static float nearest(const ag_format *format, float x)
{
    return ag_round_nearest(format, x, AG_OVERFLOW_SATURATE);
}

static void test_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(s_table_rows); i++) {
        ag_format format = parsed(s_table_rows[i].table);
        float x = float_of(s_table_rows[i].x);
        uint32_t near = bits_of(nearest(&format, x));
        uint32_t random =
            bits_of(ag_round_stochastic(&format, x, s_table_rows[i].word, AG_OVERFLOW_SATURATE));
        if (near != s_table_rows[i].nearest || random != s_table_rows[i].stochastic)
            fail_msg("%s of %a: %08x and %08x, expected %08x and %08x", s_table_rows[i].table,
                     (double)x, near, random, s_table_rows[i].nearest, s_table_rows[i].stochastic);
    }
}

/* Posit Standard 2022 and its predecessors, arXiv 2404.18603, P3109's value tables: codes and their
 * values, which are their own nearest ones. */
static void test_values_of_standards(void **state)
{
    static const struct {
        const char *table;
        uint32_t code;
        float value;
    } rows[] = {
        {"posit8_0",  0x01, 0x1p-6f },
        {"posit8_0",  0x40, 1       },
        {"posit8_0",  0x50, 1.5f    },
        {"posit8_0",  0x60, 2       },
        {"posit8_0",  0x7f, 64      },
        {"posit8_0",  0xc0, -1      },
        {"posit8_1",  0x7f, 4096    },
        {"posit8_1",  0x50, 2       },
        {"posit8_2",  0x01, 0x1p-24f},
        {"posit8_2",  0x44, 1.5f    },
        {"posit8_2",  0x48, 2       },
        {"posit8_2",  0x7e, 0x1p20f },
        {"posit8_2",  0x7f, 0x1p24f },
        {"posit8_2",  0x81, -0x1p24f},
        {"takum8",    0x40, 1       },
        {"takum8",    0x44, 1.5f    },
        {"takum8",    0x48, 2       },
        {"takum8",    0xc0, -1      },
        {"nf4",       0x00, -1      },
        {"nf4",       0x07, 0       },
        {"dynamic8",  0x7f, 0       },
        {"dynamic8u", 0xff, 1       },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        ag_format format = parsed(rows[i].table);
        assert_int_equal(bits_of(ag_table_decode(format.table, rows[i].code)),
                         bits_of(rows[i].value));
        assert_int_equal(bits_of(nearest(&format, rows[i].value)), bits_of(rows[i].value));
    }
    for (int es = 0; es < 3; es++) { /* the code of Not a Real, and nothing else */
        char name[16];
        snprintf(name, sizeof name, "posit8_%d", es);
        for (uint32_t code = 0; code < AG_TABLE_CODES; code++)
            assert_int_equal(isnan(ag_table_decode(parsed(name).table, code)), code == 0x80);
    }
}

/* Between 2^20 and 2^24 lies the code of 9 bits of 2^22; the even code is that of 2^20. Nothing but
 * 0 becomes 0, and nothing becomes Not a Real. */
static void test_posits_round_by_their_codes(void **state)
{
    (void)state;
    ag_format posit = parsed("posit8_2");
    float bound = 0x1p22f;
    assert_true(nearest(&posit, bound) == 0x1p20f);
    assert_true(nearest(&posit, nextafterf(bound, INFINITY)) == 0x1p24f);
    assert_true(nearest(&posit, -bound) == -0x1p20f);
    assert_true(nearest(&posit, nextafterf(-bound, -INFINITY)) == -0x1p24f);
    assert_true(nearest(&posit, 0x1p-149f) == 0x1p-24f);
    assert_true(nearest(&posit, -0x1p-149f) == -0x1p-24f);
    assert_int_equal(bits_of(nearest(&posit, -0.0f)), 0x80000000);
    assert_true(nearest(&posit, INFINITY) == 0x1p24f);
    assert_true(nearest(&posit, -INFINITY) == -0x1p24f);
    assert_true(isnan(nearest(&posit, NAN)));
}

/* Means of neighbours in linspace(0.1, 1, 2^(i + 1) + 1), times 10^(i - 6): float32 in between may
 * be 2 units in the last place off. */
static void test_dynamic8u_by_its_formula(void **state)
{
    (void)state;
    ag_format format = parsed("dynamic8u");
    uint32_t code = 1;
    for (int i = 0; i < 7; i++) {
        int n = 2 << i;
        for (int j = 0; j < n; j++, code++) {
            double exact = (0.1 + 0.9 * (j + 0.5) / n) * pow(10, i - 6);
            double value = (double)ag_table_decode(format.table, code);
            assert_true(fabs(value - exact) <= exact * 0x1p-22);
        }
    }
    assert_int_equal(code, 255);
    assert_int_equal(bits_of(ag_table_decode(format.table, 0)), 0);
}

/* All finite values of a format as a table: the format's bits, to nearest and with random words. */
static void check_as_table(const char *name)
{
    ag_format format = parsed(name);
    ag_table_text text = {.n_codes = 1 << format.bits};
    const ag_code_table *table;
    for (uint32_t code = 0; code < 1u << format.bits; code++) {
        float value = ag_format_decode(&format, code);
        bool is_listed = isfinite(value) && !(value == 0.0f && code != 0);
        text.value[code] = is_listed ? value : NAN;
    }
    assert_ok(ag_element_table(&table, &text));
    ag_format listed = ag_element_format(table);
    assert_int_equal(bits_of(listed.max), bits_of(format.max));
    uint64_t generator = 7;
    for (int i = 0; i < 60000; i++) {
        uint32_t word = (uint32_t)ag_splitmix64(&generator);
        float x = float_of(word);
        if (i % 2 == 0) { /* a value, a bound, or a neighbour of one */
            int at = (int)(word % (uint32_t)(table->count - 1));
            x = float_of(i % 4 == 0 ? table->value[at] : table->nearest.from[at]);
            x = i % 3 == 0 ? nextafterf(x, -INFINITY) : i % 3 == 1 ? nextafterf(x, INFINITY) : x;
        }
        if (isinf(x) && format.has_inf) /* a table has none */
            continue;
        uint32_t random = (uint32_t)ag_splitmix64(&generator);
        assert_int_equal(bits_of(nearest(&listed, x)), bits_of(nearest(&format, x)));
        assert_int_equal(bits_of(ag_round_stochastic(&listed, x, random, AG_OVERFLOW_SATURATE)),
                         bits_of(ag_round_stochastic(&format, x, random, AG_OVERFLOW_SATURATE)));
    }
}

static void test_formats_as_tables(void **state)
{
    (void)state;
    check_as_table("e4m3fn");
    check_as_table("e2m1f");
    check_as_table("e5m2ieee");
    check_as_table("e3m2f");
}

static ag_table_text text_of(int count, const float *values)
{
    ag_table_text text = {.n_codes = count};
    memcpy(text.value, values, (size_t)count * sizeof *values);
    return text;
}

/* Codes 0 to 3 for -4, 0, 1 and 2: bounds -2, 0.5 and 1.5 between codes 0|1, 1|2 and 2|3. */
static void test_ties(void **state)
{
    static const float values[] = {-4, 0, 1, 2};
    static const float expected[AG_TABLE_TIES][3] = {
        [AG_TIES_EVEN] = {-4, 1, 1},
          [AG_TIES_LOW] = {-4, 0, 1},
          [AG_TIES_AWAY] = {-4, 1, 2}
    };
    (void)state;
    for (int ties = 0; ties < AG_TABLE_TIES; ties++) {
        ag_table_text text = text_of(4, values);
        const ag_code_table *table;
        text.ties = (ag_table_ties)ties;
        assert_ok(ag_element_table(&table, &text));
        assert_true(ag_table_nearest(table, -2) == expected[ties][0]);
        assert_true(ag_table_nearest(table, 0.5f) == expected[ties][1]);
        assert_true(ag_table_nearest(table, 1.5f) == expected[ties][2]);
        assert_true(ag_table_nearest(table, nextafterf(-2, 0)) == 0);
        assert_true(signbit(ag_table_nearest(table, nextafterf(-2, 0))));
        assert_true(ag_table_nearest(table, nextafterf(0.5f, 1)) == 1);
        assert_true(ag_table_nearest(table, 100) == 2 && ag_table_nearest(table, -100) == -4);
    }
}

/* The order of the codes does not matter, nor codes that are no numbers; bounds and top do. */
static void test_one_table_of_each_meaning(void **state)
{
    static const float rising[] = {-4, 0, 1, 2};
    static const float mixed[] = {2, NAN, -4, 1, 0};
    (void)state;
    ag_table_text texts[5];
    const ag_code_table *tables[5];
    for (int i = 0; i < 5; i++) {
        texts[i] = i == 1 ? text_of(5, mixed) : text_of(4, rising);
        texts[i].ties = AG_TIES_LOW;
    }
    texts[2].top = 4;
    texts[3].top = 2;
    texts[4].n_bounds = 3;
    memcpy(texts[4].bound, (const float[]){-2, 0.25f, 1.5f}, 3 * sizeof(float));
    for (int i = 0; i < 5; i++)
        assert_ok(ag_element_table(&tables[i], &texts[i]));
    assert_ptr_equal(tables[0], tables[1]);
    assert_ptr_equal(tables[0], tables[2]);
    assert_ptr_not_equal(tables[0], tables[3]);
    assert_ptr_not_equal(tables[0], tables[4]);
    assert_true(ag_table_nearest(tables[4], 0.3f) == 1 && ag_table_nearest(tables[0], 0.3f) == 0);
    assert_true(tables[3]->top == 2 && tables[0]->top == 4);
    assert_ptr_equal(ag_element_find(tables[3]->name), tables[3]);
    ag_table_text nf4;
    assert_true(ag_element_built_in(&nf4, "NF4"));
    assert_ok(ag_element_table(&tables[0], &nf4));
    assert_string_equal(tables[0]->name, "nf4");
    assert_false(ag_element_built_in(&nf4, "nf5"));
}

/* By hand: 1.25 lies a quarter of the way from 1 to 2, -1 a quarter from 0 to -4. */
static void test_random_bits(void **state)
{
    static const float values[] = {-4, 0, 1, 2};
    const ag_code_table *table;
    (void)state;
    ag_table_text text = text_of(4, values);
    assert_ok(ag_element_table(&table, &text));
    assert_true(ag_table_stochastic(table, 1.25f, 0xbfffffff, 32) == 1);
    assert_true(ag_table_stochastic(table, 1.25f, 0xc0000000, 32) == 2);
    assert_true(ag_table_stochastic(table, -1, 0xbfffffff, 32) == 0);
    assert_true(ag_table_stochastic(table, -1, 0xc0000000, 32) == -4);
    /* two bits see the quarter, one bit does not */
    assert_true(ag_table_stochastic(table, 1.25f, 0xc0000000, 2) == 2);
    assert_true(ag_table_stochastic(table, 1.25f, 0x80000000, 2) == 1);
    assert_true(ag_table_stochastic(table, 1.25f, 0xffffffff, 1) == 1);
    assert_true(ag_table_stochastic(table, 2.5f, 0xffffffff, 32) == 2);
    assert_false(ag_table_overflows(table, 2.5f));
    assert_true(ag_table_overflows(table, 2.51f));
    assert_true(ag_table_spacing(table, 1.5f) == 1 && ag_table_spacing(table, -9) == 4);
}

static void test_what_is_no_table(void **state)
{
    static const float twice[] = {1, 2, 1};
    static const float far[] = {0, 0x1p127f};
    static const float good[] = {0, 1, 2};
    (void)state;
    const ag_code_table *table;
    ag_table_text text = text_of(3, twice);
    assert_fails(AG_ERR_INPUT, "values 0 and 2 (counted from 0) are both 1 as float32",
                 ag_element_table(&table, &text));
    text = text_of(2, far);
    assert_fails(AG_ERR_INPUT, "expected -2^126 to 2^126", ag_element_table(&table, &text));
    text = text_of(1, good);
    assert_fails(AG_ERR_INPUT, "2 to 256 values, not 1", ag_element_table(&table, &text));
    text = text_of(3, good);
    text.n_bounds = 1;
    assert_fails(AG_ERR_INPUT, "1 for 3 values: expected one between each two neighbours, 2",
                 ag_element_table(&table, &text));
    text.n_bounds = 2;
    text.bound[0] = 0.5f;
    text.bound[1] = 0.75f;
    assert_fails(AG_ERR_INPUT, "bound 1 (counted from 0) is 0.75: expected 1 to 2",
                 ag_element_table(&table, &text));
    text.n_bounds = 0;
    text.top = 0x1p127f;
    assert_fails(AG_ERR_INPUT, "expected 2^-126 to 2^126", ag_element_table(&table, &text));
}

static void test_names(void **state)
{
    static const float values[] = {-1, 0, 3};
    (void)state;
    const ag_code_table *table;
    ag_format format;
    ag_table_text text = text_of(3, values);
    assert_ok(ag_element_table(&table, &text));
    assert_ok(ag_element_define("mine", table));
    assert_string_equal(parsed("MINE").name, table->name);
    assert_fails(AG_ERR_INPUT, "name of another table", ag_element_define("Mine", table));
    assert_fails(AG_ERR_INPUT, "name of another table", ag_element_define("nf4", table));
    assert_fails(AG_ERR_INPUT, "is a format's name", ag_element_define("e4m3", table));
    assert_fails(AG_ERR_INPUT, "is a format's name", ag_element_define("mxfp8", table));
    assert_fails(AG_ERR_INPUT, "'a/b' is no name for a table: expected a letter and up to 30",
                 ag_element_define("a/b", table));
    assert_fails(AG_ERR_INPUT, "did you mean the table 'mine'?", ag_element_parse(&format, "mime"));
    ag_element_forget();
    assert_null(ag_element_find("mine"));
    assert_fails(AG_ERR_INPUT, "there is no format 'mine'", ag_element_parse(&format, "mine"));
}

/* What schemes refuse, and the top that scales take. */
static void test_schemes(void **state)
{
    (void)state;
    ag_scheme scheme;
    assert_ok(ag_scheme_parse(&scheme, "nf4/1x32/e8m0rceil"));
    assert_ok(ag_scheme_check(&scheme));
    assert_fails(AG_ERR_INPUT, "is a table; use 'e8m0rceil' or 'e8m0floor'",
                 ag_scheme_parse(&scheme, "nf4/1x32/e8m0even"));
    assert_ok(ag_scheme_parse(&scheme, "nf4/1x32/fp32/stochastic"));
    scheme.sr_bits = 8;
    scheme.sr_variant = AG_SR_HALF;
    assert_fails(AG_ERR_INPUT, "is for formats with a mantissa, and nf4 is a table",
                 ag_scheme_check(&scheme));
    assert_ok(ag_scheme_parse(&scheme, "posit8_1/1x16/e4m3"));
    assert_true(ag_scheme_limit(&scheme) == 4096);
    assert_ok(ag_scheme_parse(&scheme, "posit8_1/1x16/fp32"));
    assert_true(isinf(ag_scheme_limit(&scheme)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_values_of_standards),
        cmocka_unit_test(test_posits_round_by_their_codes),
        cmocka_unit_test(test_dynamic8u_by_its_formula),
        cmocka_unit_test(test_formats_as_tables),
        cmocka_unit_test(test_ties),
        cmocka_unit_test(test_one_table_of_each_meaning),
        cmocka_unit_test(test_random_bits),
        cmocka_unit_test(test_what_is_no_table),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_schemes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
