/* Code tables: the fast quantiser against the plain one, bit for bit. Built-in tables and random
 * ones, at every value and bound, their neighbours, and all bit patterns. */
#include "kernels_support.h"

#include <stdlib.h>
#include <string.h>

#include "numerics/code_table.h"

/* Which numbers a random table has. */
typedef enum spread { EVEN, OCTAVES, TINY, CROWDED, ONE_SIDED, SPREADS } spread;

static float any_value(uint64_t *generator, spread how)
{
    uint32_t random = (uint32_t)(ag_splitmix64(generator) >> 32);
    uint32_t sign = random & 0x80000000u;
    switch (how) {
    case EVEN:
        return uniform(generator, -3, 3);
    case OCTAVES: /* normal, up to 2^126 */
        return float_of(sign | (0x00800000u + random % 0x7e000000u));
    case TINY: /* subnormals and their neighbours */
        return float_of(sign | random % 0x01000000u);
    case CROWDED: /* more in a bucket than one comparison tells apart */
        return float_of(sign | (0x3f800000u + random % 300u));
    default:
        return -ldexpf(1.0f + (float)(random % 16u) / 16.0f, (int)(random >> 8) % 40);
    }
}

static const ag_code_table *random_table(uint64_t *generator)
{
    uint64_t most = ag_splitmix64(generator) % 2 == 0 ? AG_TABLE_FEW + 1 : AG_TABLE_CODES;
    ag_table_text text = {.n_codes = 2 + (int)(ag_splitmix64(generator) % (most - 1))};
    const ag_code_table *table;
    spread how = (spread)(ag_splitmix64(generator) % SPREADS);
    for (int i = 0; i < text.n_codes; i++) {
        text.value[i] = any_value(generator, how);
        for (int j = 0; j < i; j++) /* distinct */
            text.value[i] = text.value[j] == text.value[i] ? NAN : text.value[i];
    }
    text.ties = (ag_table_ties)(ag_splitmix64(generator) % AG_TABLE_TIES);
    if (ag_element_table(&table, &text) == AG_OK)
        return table;
    ag_error_clear();
    return random_table(generator);
}

/* Values, bounds and their neighbours; then all bit patterns. */
static float *make_inputs(size_t *count, const ag_code_table *table)
{
    enum { WILD = 500 };
    size_t n = 0;
    float *x = any_bits(9, 6 * AG_TABLE_CODES + WILD);
    for (int i = 0; i < table->count; i++) {
        for (int k = -1; k < 2; k++) {
            const uint32_t bits[] = {table->value[i], table->nearest.from[i]};
            for (int j = 0; j < 2 - (i + 1 == table->count); j++) {
                float at = float_of(bits[j]);
                x[n++] = k == 0 ? at : nextafterf(at, k < 0 ? -INFINITY : INFINITY);
            }
        }
    }
    *count = n + WILD;
    return x;
}

static void check_table(const ag_code_table *table)
{
    static const int bits[] = {0, 32, 8, 1};
    const ag_format format = ag_element_format(table);
    size_t count;
    float *x = make_inputs(&count, table);
    float *a = floats(count);
    float *b = floats(count);
    for (int i = 0; i < 2; i++) {
        float scale = i == 0 ? 1.0f : 0.7f;
        plain->quantize(a, x, count, &format, scale, AG_OVERFLOW_SATURATE);
        fast->quantize(b, x, count, &format, scale, AG_OVERFLOW_SATURATE);
        assert_same_bits(table->name, b, a, count);
    }
    for (size_t i = 0; i < sizeof bits / sizeof bits[0]; i++) {
        const ag_rounding_site where = {.key = 5, .place = 2, .step = 9, .bits = bits[i]};
        plain->quantize_stochastic(a, x, count, &format, 1, AG_OVERFLOW_SATURATE, &where, 77);
        fast->quantize_stochastic(b, x, count, &format, 1, AG_OVERFLOW_SATURATE, &where, 77);
        assert_same_bits(table->name, b, a, count);
    }
    free(x);
    free(a);
    free(b);
}

static void test_built_in(void **state)
{
    (void)state;
    size_t count;
    const ag_built_in_table *tables = ag_element_built_ins(&count);
    for (size_t i = 0; i < count; i++)
        check_table(ag_element_find(tables[i].name));
}

/* All ways are met: few values; of many one comparison in a bucket, and bisection. */
static void test_random_tables(void **state)
{
    (void)state;
    uint64_t generator = 31;
    int ways[3] = {0, 0, 0};
    for (int i = 0; i < 300; i++) {
        const ag_code_table *table = random_table(&generator);
        ways[table->count <= AG_TABLE_FEW ? 2 : table->nearest.single]++;
        check_table(table);
    }
    assert_true(ways[0] > 20 && ways[1] > 20 && ways[2] > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_built_in),
        cmocka_unit_test(test_random_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
