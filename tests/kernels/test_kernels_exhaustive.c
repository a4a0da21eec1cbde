/* The fast quantising kernels on every float32 input, against the plain quantiser: argv[1] names
 * the format. A random word is that of the input's own index. */
#include "kernels_support.h"

#include "numerics/code_table.h"

enum { COUNT = 1 << 16 };

static const char *s_format;

static void check_inputs(const ag_format *format, uint32_t begin, float *x, float *a, float *b)
{
    const ag_rounding_site where = {.key = 0x0123456789abcdef, .place = 5, .use = 1, .step = 7};
    for (uint32_t i = 0; i < COUNT; i++)
        x[i] = float_of(begin + i);
    for (int overflow = 0; overflow < AG_OVERFLOWS; overflow++) {
        plain->quantize(a, x, COUNT, format, 1, (ag_overflow)overflow);
        fast->quantize(b, x, COUNT, format, 1, (ag_overflow)overflow);
        assert_same_bits(format->name, b, a, COUNT);
    }
    plain->quantize_stochastic(a, x, COUNT, format, 1, AG_OVERFLOW_SATURATE, &where, begin);
    fast->quantize_stochastic(b, x, COUNT, format, 1, AG_OVERFLOW_SATURATE, &where, begin);
    assert_same_bits(format->name, b, a, COUNT);
}

static void test_every_input(void **state)
{
    (void)state;
    ag_format format;
    assert_ok(ag_element_parse(&format, s_format));
    float *x = floats(COUNT);
    float *a = floats(COUNT);
    float *b = floats(COUNT);
    for (uint32_t run = 0; run < UINT32_MAX / COUNT + 1; run++)
        check_inputs(&format, run * COUNT, x, a, b);
    free(x);
    free(a);
    free(b);
}

int main(int argc, char **argv)
{
    s_format = argc > 1 ? argv[1] : "e4m3fn";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
