/* Corpora from files, by hand-made examples; their digests; every message. */
#include "scratch.h"

#include <math.h>

#include "data/corpus.h"
#include "data/markov.h"

static ag_data_spec text_spec(const char *path, double val_fraction)
{
    return (ag_data_spec){.text = path, .bin = "", .val_fraction = val_fraction};
}

static ag_data_spec bin_spec(const char *folder, int64_t vocab)
{
    return (ag_data_spec){.text = "", .bin = folder, .val_fraction = 0.1, .vocab = vocab};
}

static const char s_banana[] = "banana ca\xc3\xb1\xc3\xb3n \xe2\x82\xac\xf0\x9f\x98\x80!\n";

/* Vocabulary and tokens by hand; the digest is sha256sum's of the bytes that corpus.h describes,
 * written with printf. */
static void test_char_text(void **state)
{
    static const uint32_t vocab[] = {'\n', ' ',  '!',  'a',    'b',    'c',
                                     'n',  0xf1, 0xf3, 0x20ac, 0x1f600};
    static const uint16_t train[] = {4, 3, 6, 3, 6, 3, 1, 5, 3, 7, 8, 6};
    static const uint16_t val[] = {1, 9, 10, 2, 0};
    ag_data_spec spec =
        text_spec(scratch_file(*state, "banana.txt", s_banana, strlen(s_banana)), 0.25);
    ag_corpus corpus;
    assert_ok(ag_corpus_open(&corpus, &spec, 4));
    assert_int_equal(corpus.facts.vocab_size, 11);
    assert_int_equal(corpus.facts.train_tokens, 12);
    assert_int_equal(corpus.facts.val_tokens, 5);
    assert_memory_equal(corpus.vocab, vocab, sizeof vocab);
    assert_memory_equal(corpus.train, train, sizeof train);
    assert_memory_equal(corpus.val, val, sizeof val);
    assert_true(isnan(corpus.entropy_rate));
    assert_string_equal(corpus.facts.digest,
                        "36ec21d7b89209dca547b0cfcffcc40bdf2b1a417d6e91005029c91374c5f17b");
    ag_corpus_close(&corpus);
    ag_corpus_close(&corpus);
}

static void test_byte_text(void **state)
{
    static const unsigned char bytes[] = {0, 255, 128, 'a', 0xc3, 7, 7, 9};
    ag_data_spec spec = text_spec(scratch_file(*state, "bytes", bytes, sizeof bytes), 0.5);
    spec.tokenizer = AG_TOKENIZER_BYTE;
    ag_corpus corpus;
    assert_ok(ag_corpus_open(&corpus, &spec, 3));
    assert_int_equal(corpus.facts.vocab_size, 256);
    assert_int_equal(corpus.facts.train_tokens, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(corpus.train[i], bytes[i]);
        assert_int_equal(corpus.val[i], bytes[4 + i]);
    }
    for (uint32_t i = 0; i < 256; i++)
        assert_int_equal(corpus.vocab[i], i);
    ag_corpus_close(&corpus);
}

/* nanoGPT's int(n * 0.9): with val_fraction 0.1, 1115394 characters give 1003854 and 111540. */
static void test_split_as_nanogpt(void **state)
{
    enum { N = 1115394 };
    char *text = malloc(N);
    for (size_t i = 0; i < N; i++)
        text[i] = (char)('a' + i % 7);
    ag_data_spec spec = text_spec(scratch_file(*state, "long.txt", text, N), 0.1);
    ag_corpus corpus;
    assert_ok(ag_corpus_open(&corpus, &spec, 64));
    assert_int_equal(corpus.facts.train_tokens, 1003854);
    assert_int_equal(corpus.facts.val_tokens, 111540);
    assert_int_equal(corpus.val[0], 1003854 % 7);
    assert_int_equal(corpus.val[111539], (N - 1) % 7);
    ag_corpus_close(&corpus);
    free(text);
}

static const uint16_t s_train[] = {1, 300, 2, 0, 7};
static const uint16_t s_val[] = {256, 3, 3, 3};

static ag_data_spec make_bin(scratch *s, int64_t vocab)
{
    scratch_file(s, "train.bin", s_train, sizeof s_train);
    scratch_file(s, "val.bin", s_val, sizeof s_val);
    return bin_spec(s->folder, vocab);
}

static void test_bin(void **state)
{
    ag_data_spec spec = make_bin(*state, 0);
    ag_corpus corpus;
    assert_ok(ag_corpus_open(&corpus, &spec, 3));
    assert_int_equal(corpus.facts.vocab_size, 301);
    assert_int_equal(corpus.facts.train_tokens, 5);
    assert_int_equal(corpus.facts.val_tokens, 4);
    assert_null(corpus.vocab);
    assert_memory_equal(corpus.train, s_train, sizeof s_train);
    assert_memory_equal(corpus.val, s_val, sizeof s_val);
    assert_string_equal(corpus.facts.digest,
                        "e059ef46eb198f0b96bc8c7e66eb3395c44e372cdc8df3dba7b7cb667c7f3e75");
    ag_corpus_close(&corpus);

    spec.vocab = 50304;
    assert_ok(ag_corpus_open(&corpus, &spec, 3));
    assert_int_equal(corpus.facts.vocab_size, 50304);
    ag_corpus_close(&corpus);
    spec.vocab = 301;
    assert_ok(ag_corpus_open(&corpus, &spec, 3));
    ag_corpus_close(&corpus);
}

static void test_bin_messages(void **state)
{
    scratch *s = *state;
    ag_corpus corpus;
    ag_data_spec spec = make_bin(s, 300);
    assert_fails(AG_ERR_INPUT, "train.bin': token 300 at byte 2 is not below",
                 ag_corpus_open(&corpus, &spec, 3));
    assert_non_null(strstr(ag_error_message(), "data.vocab to be above 300"));
    spec.vocab = 0;
    scratch_file(s, "val.bin", s_val, 7);
    assert_fails(AG_ERR_INPUT, "val.bin': has an odd number of bytes, 7",
                 ag_corpus_open(&corpus, &spec, 3));
    scratch_file(s, "val.bin", s_val, 6);
    assert_fails(AG_ERR_INPUT, "the validation part has 3 tokens; expected at least",
                 ag_corpus_open(&corpus, &spec, 3));
    assert_null(strstr(ag_error_message(), "val_fraction"));
    unlink(scratch_path(s, "val.bin"));
    assert_fails(AG_ERR_INPUT, "val.bin': cannot be opened: No such file",
                 ag_corpus_open(&corpus, &spec, 3));
}

static void test_text_messages(void **state)
{
    scratch *s = *state;
    ag_corpus corpus;
    ag_data_spec spec = text_spec(scratch_path(s, "absent.txt"), 0.1);
    assert_fails(AG_ERR_INPUT, "absent.txt': cannot be opened: No such file",
                 ag_corpus_open(&corpus, &spec, 4));
    spec.text = s->folder;
    assert_fails(AG_ERR_INPUT, "is a folder, expected a regular file",
                 ag_corpus_open(&corpus, &spec, 4));
    spec.text = "/dev/null";
    assert_fails(AG_ERR_INPUT, "is a device or pipe", ag_corpus_open(&corpus, &spec, 4));
    spec.text = scratch_path(s, "pipe");
    assert_int_equal(mkfifo(spec.text, 0600), 0);
    assert_fails(AG_ERR_INPUT, "is a device or pipe", ag_corpus_open(&corpus, &spec, 4));
    spec.text = scratch_file(s, "empty.txt", "", 0);
    assert_fails(AG_ERR_INPUT, "the file is empty", ag_corpus_open(&corpus, &spec, 4));
    spec.text = scratch_file(s, "short.txt", "0123456789", 10);
    assert_fails(AG_ERR_INPUT, "the validation part has 1 tokens; expected at least",
                 ag_corpus_open(&corpus, &spec, 4));
    assert_non_null(strstr(ag_error_message(), "block_size + 1 = 5"));
    assert_fails(AG_ERR_INPUT, "the training part has 9 tokens", ag_corpus_open(&corpus, &spec, 9));
}

/* Forms that RFC 3629 forbids, each after four good bytes. */
static void test_bad_utf8(void **state)
{
    static const char *const bad[] = {
        "\x80",             /* a continuation without a lead */
        "\xc3",             /* cut off by the end */
        "\xc3q",            /* cut off by another character */
        "\xc0\xaf",         /* overlong */
        "\xe0\x80\xaf",     /* overlong */
        "\xf0\x80\x80\xaf", /* overlong */
        "\xed\xa0\x80",     /* a surrogate */
        "\xf4\x90\x80\x80", /* beyond U+10FFFF */
        "\xf8\x88\x80\x80\x80",
        "\xff",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[16];
        snprintf(text, sizeof text, "good%s", bad[i]);
        ag_data_spec spec = text_spec(scratch_file(*state, "bad.txt", text, strlen(text)), 0.5);
        ag_corpus corpus;
        assert_fails(AG_ERR_INPUT, "the bytes at offset 4 (0x", ag_corpus_open(&corpus, &spec, 1));
    }
}

/* The limits of each length are valid: U+7F, U+80, U+7FF, U+800, U+D7FF, U+E000, U+FFFF, U+10000,
 * U+10FFFF. */
static void test_good_utf8(void **state)
{
    static const char text[] = "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80"
                               "\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf";
    static const uint32_t vocab[] = {0x7f,   0x80,   0x7ff,   0x800,   0xd7ff,
                                     0xe000, 0xffff, 0x10000, 0x10ffff};
    ag_data_spec spec = text_spec(scratch_file(*state, "good.txt", text, sizeof text - 1), 0.5);
    ag_corpus corpus;
    assert_ok(ag_corpus_open(&corpus, &spec, 3));
    assert_int_equal(corpus.facts.vocab_size, 9);
    assert_memory_equal(corpus.vocab, vocab, sizeof vocab);
    ag_corpus_close(&corpus);
}

/* Every code point from U+10000 on, 4 bytes each. */
static size_t write_code_points(char *text, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t code = 0x10000 + i;
        *text++ = (char)(0xf0 | code >> 18);
        *text++ = (char)(0x80 | (code >> 12 & 63));
        *text++ = (char)(0x80 | (code >> 6 & 63));
        *text++ = (char)(0x80 | (code & 63));
    }
    return (size_t)count * 4;
}

static void test_at_most_65536_symbols(void **state)
{
    char *text = malloc(65537 * 4);
    size_t size = write_code_points(text, 65536);
    ag_data_spec spec = text_spec(scratch_file(*state, "many.txt", text, size), 0.5);
    ag_corpus corpus;
    assert_ok(ag_corpus_open(&corpus, &spec, 64));
    assert_int_equal(corpus.facts.vocab_size, 65536);
    assert_int_equal(corpus.val[32767], 65535);
    ag_corpus_close(&corpus);
    size = write_code_points(text, 65537);
    scratch_file(*state, "many.txt", text, size);
    assert_fails(AG_ERR_INPUT, "more than 65536 different code points, at byte 262144",
                 ag_corpus_open(&corpus, &spec, 64));
    free(text);
}

static void test_synthetic(void **state)
{
    (void)state;
    ag_data_spec spec = {.text = "", .bin = "", .synthetic = AG_SYNTHETIC_MARKOV, .vocab = 64};
    spec.order = 2;
    spec.tokens = 1000;
    spec.seed = 7;
    spec.val_fraction = 0.1;
    ag_corpus corpus;
    ag_markov *source;
    uint16_t tokens[1000];
    double rate;
    assert_ok(ag_markov_create(&source, &spec));
    ag_markov_generate(tokens, 1000, source);
    assert_ok(ag_markov_entropy_rate(&rate, source));
    ag_markov_destroy(source);
    for (int again = 0; again < 2; again++) { /* the second time from the cache */
        assert_ok(ag_corpus_open(&corpus, &spec, 64));
        assert_int_equal(corpus.facts.vocab_size, 64);
        assert_int_equal(corpus.facts.train_tokens, 900);
        assert_memory_equal(corpus.train, tokens, 900 * sizeof(uint16_t));
        assert_memory_equal(corpus.val, tokens + 900, 100 * sizeof(uint16_t));
        assert_true(corpus.entropy_rate == rate);
        assert_null(corpus.vocab);
        ag_corpus_close(&corpus);
    }
    assert_fails(AG_ERR_INPUT, "data.synthetic: the validation part has 100 tokens",
                 ag_corpus_open(&corpus, &spec, 100));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_char_text),
        cmocka_unit_test(test_byte_text),
        cmocka_unit_test(test_split_as_nanogpt),
        cmocka_unit_test(test_bin),
        cmocka_unit_test(test_bin_messages),
        cmocka_unit_test(test_text_messages),
        cmocka_unit_test(test_bad_utf8),
        cmocka_unit_test(test_good_utf8),
        cmocka_unit_test(test_at_most_65536_symbols),
        cmocka_unit_test(test_synthetic),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
