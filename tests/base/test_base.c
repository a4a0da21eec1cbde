#include "support.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/philox.h"
#include "base/text.h"

/* Known answers of Random123's kat_vectors. */
static void test_philox_known_answers(void **state)
{
    (void)state;
    static const struct {
        uint64_t key;
        uint32_t counter[4];
        uint32_t expected[4];
    } cases[] = {
        {0,                  {0, 0, 0, 0},                 {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {UINT64_MAX,
         {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}                                                  },
        {0x299f31d0a4093822,
         {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}                                                  },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const uint32_t *c = cases[i].counter;
        ag_philox_block block = ag_philox(cases[i].key, c[0], c[1], c[2], c[3]);
        assert_memory_equal(block.word, cases[i].expected, sizeof block.word);
    }
}

/* First outputs from state 1, by the published reference code. */
static void test_splitmix_known_answers(void **state)
{
    (void)state;
    uint64_t generator = 1;
    assert_true(ag_splitmix64(&generator) == 0x910a2dec89025cc1u);
    assert_true(ag_splitmix64(&generator) == 0xbeeb8da1658eec67u);
}

static void test_streams_of_one_seed_differ(void **state)
{
    (void)state;
    static const ag_stream streams[] = {AG_STREAM_INIT, AG_STREAM_DATA, AG_STREAM_DROPOUT,
                                        AG_STREAM_ROUNDING, AG_STREAM_CORPUS};
    for (size_t i = 0; i < 5; i++)
        for (size_t j = 0; j < i; j++)
            assert_true(ag_stream_key(42, streams[i]) != ag_stream_key(42, streams[j]));
}

static void test_arena_is_aligned_zeroed_and_bounded(void **state)
{
    (void)state;
    ag_arena arena;
    assert_ok(ag_arena_init(&arena, 256));
    float *a = ag_arena_floats(&arena, 3);
    float *b = ag_arena_floats(&arena, 48);
    assert_non_null(a);
    assert_non_null(b);
    assert_int_equal((uintptr_t)a % 64, 0);
    assert_int_equal((uintptr_t)b % 64, 0);
    assert_true(b >= a + 3);
    for (size_t i = 0; i < 48; i++)
        assert_int_equal(bits_of(b[i]), 0);
    assert_int_equal(arena.used, 256);
    assert_null(ag_arena_alloc(&arena, 1));
    assert_null(ag_arena_floats(&arena, SIZE_MAX / 2));
    ag_arena_deinit(&arena);
    ag_arena_deinit(&arena);
}

static void test_growing_arena_keeps_what_it_gave(void **state)
{
    (void)state;
    ag_arena arena;
    ag_arena_init_growing(&arena);
    const char *first = ag_arena_printf(&arena, "%s-%d", "run", 7);
    for (int i = 0; i < 1000; i++)
        assert_non_null(ag_arena_alloc(&arena, 1000));
    char *part = ag_arena_strndup(&arena, "formats", 6);
    assert_string_equal(first, "run-7");
    assert_string_equal(part, "format");
    ag_arena_deinit(&arena);
}

static void test_the_first_message_stands(void **state)
{
    (void)state;
    ag_error_clear();
    assert_int_equal(ag_fail(AG_ERR_INPUT, "the %s", "cause"), AG_ERR_INPUT);
    assert_int_equal(ag_fail(AG_ERR_SYSTEM, "a consequence"), AG_ERR_SYSTEM);
    assert_string_equal(ag_error_message(), "the cause");
    ag_error_clear();
    assert_string_equal(ag_error_message(), "");
}

static void test_text_grows(void **state)
{
    (void)state;
    ag_text text;
    ag_text_init(&text);
    assert_string_equal(text.data, "");
    for (int i = 0; i < 1000; i++)
        ag_text_printf(&text, "%d,", i % 10);
    ag_text_add(&text, "end");
    assert_int_equal(text.length, 2003);
    assert_int_equal(strlen(text.data), 2003);
    assert_string_equal(text.data + 1996, "8,9,end");
    ag_text_deinit(&text);
}

static void test_nearest_word(void **state)
{
    (void)state;
    static const char *const words[] = {"n_layer", "n_head", "n_embd", "block_size", "lr"};
    assert_string_equal(ag_nearest_word("n_layers", words, 5), "n_layer");
    assert_string_equal(ag_nearest_word("N_Haed", words, 5), "n_head");
    assert_string_equal(ag_nearest_word("rl", words, 5), "lr");
    assert_null(ag_nearest_word("temperature", words, 5));
    assert_null(ag_nearest_word("", words, 5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_philox_known_answers),
        cmocka_unit_test(test_splitmix_known_answers),
        cmocka_unit_test(test_streams_of_one_seed_differ),
        cmocka_unit_test(test_arena_is_aligned_zeroed_and_bounded),
        cmocka_unit_test(test_growing_arena_keeps_what_it_gave),
        cmocka_unit_test(test_the_first_message_stands),
        cmocka_unit_test(test_text_grows),
        cmocka_unit_test(test_nearest_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
