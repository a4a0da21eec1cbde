/* Token files of every kind: llm.c's shards, plain integers of 2 and 4 bytes; what is none of them
 * is refused, and what is one of them is not. Digests are hashlib's, of the bytes that corpus.h
 * describes. */
#include "scratch.h"

#include "data/batch.h"
#include "data/corpus.h"

enum { MOST = 4096, UINT16_MAGIC = 20240520, UINT32_MAGIC = 20240801 };

static void fill(uint32_t *tokens, uint32_t count, uint32_t a, uint32_t vocab)
{
    for (uint32_t i = 0; i < count; i++)
        tokens[i] = (a * i * i + 7 * i) % vocab;
}

/* Integers of `width` bytes, little-endian; returns how many bytes they are. */
static size_t pack(unsigned char *to, const uint32_t *tokens, size_t count, size_t width)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t byte = 0; byte < width; byte++)
            *to++ = byte < 4 ? (unsigned char)(tokens[i] >> 8 * byte) : 0;
    }
    return count * width;
}

static void write_shard(const scratch *s, const char *name, const int32_t head[3],
                        const uint32_t *tokens, size_t count, size_t width)
{
    unsigned char bytes[1024 + 4 * MOST] = {0};
    memcpy(bytes, head, 3 * sizeof *head);
    pack(bytes + 1024, tokens, count, width);
    scratch_file(s, name, bytes, 1024 + count * width);
}

static void write_good(const scratch *s, const char *name, uint32_t count, uint32_t a)
{
    uint32_t tokens[MOST];
    const int32_t head[3] = {UINT16_MAGIC, 1, (int32_t)count};
    fill(tokens, count, a, 50257);
    write_shard(s, name, head, tokens, count, 2);
}

static void write_plain(const scratch *s, const char *name, const uint32_t *tokens, size_t count,
                        size_t width)
{
    unsigned char bytes[8 * MOST];
    scratch_file(s, name, bytes, pack(bytes, tokens, count, width));
}

static ag_data_spec shards(const scratch *s, const char *train, const char *val)
{
    return (ag_data_spec){.bin_train = scratch_path(s, train), .bin_val = scratch_path(s, val)};
}

/* In the bytewise order of their paths, as one stream: 30, 20 and 25 tokens. */
static void test_shards(void **state)
{
    scratch *s = *state;
    ag_corpus corpus;
    uint32_t last[25];
    write_good(s, "a_train_000010.bin", 25, 1201);
    write_good(s, "a_train_000002.bin", 20, 977);
    write_good(s, "a_train_000001.bin", 30, 311);
    write_good(s, "a_val_000000.bin", 40, 53);
    ag_data_spec spec = shards(s, "a_train_*.bin", "a_val_*.bin");
    assert_ok(ag_corpus_open(&corpus, &spec, 8));
    assert_int_equal(corpus.facts.train_tokens, 75);
    assert_int_equal(corpus.facts.val_tokens, 40);
    assert_int_equal(corpus.facts.vocab_size, 50165);
    fill(last, 25, 1201, 50257);
    for (size_t i = 0; i < 25; i++)
        assert_int_equal(corpus.train[50 + i], last[i]);
    assert_string_equal(corpus.facts.digest,
                        "2cfdc6d3654501a1fbced195b9d674d5546ac03b0b2acf489d1ad62677260213");
    ag_corpus_close(&corpus);
    ag_data_spec none = shards(s, "b_train_*.bin", "a_val_*.bin");
    assert_fails(AG_ERR_INPUT, "b_train_*.bin': no file matches this pattern",
                 ag_corpus_open(&corpus, &none, 8));
}

/* The same tokens in any container are the same data. */
static void test_equal_tokens_have_one_digest(void **state)
{
    scratch *s = *state;
    uint32_t train[MOST];
    uint32_t val[MOST];
    ag_corpus corpus;
    fill(train, 30, 311, 50257);
    fill(train + 30, 20, 977, 50257);
    fill(train + 50, 25, 1201, 50257);
    fill(val, 40, 53, 50257);
    write_plain(s, "train.bin", train, 75, 4);
    write_good(s, "val.bin", 40, 53); /* each part as it is */
    ag_data_spec spec = {.bin = s->folder, .dtype = AG_DTYPE_UINT32};
    assert_fails(AG_ERR_INPUT, "val.bin': llm.c's header says uint16, data.dtype another",
                 ag_corpus_open(&corpus, &spec, 8));
    write_plain(s, "val.bin", val, 40, 4);
    assert_ok(ag_corpus_open(&corpus, &spec, 8));
    assert_string_equal(corpus.facts.digest,
                        "2cfdc6d3654501a1fbced195b9d674d5546ac03b0b2acf489d1ad62677260213");
    ag_corpus_close(&corpus);
}

static void test_vocabularies_beyond_65536(void **state)
{
    scratch *s = *state;
    uint32_t tokens[MOST];
    int32_t inputs[8];
    int32_t targets[8];
    ag_corpus corpus;
    const int64_t window = 2;
    fill(tokens, 60, 7919, 128256);
    write_shard(s, "w_train.bin", (int32_t[]){UINT32_MAGIC, 7, 60}, tokens, 60, 4);
    ag_run run = {
        .model.block_size = 8, .train = {.batch_size = 1, .grad_accum = 1}
    };
    run.train.data_order = AG_ORDER_SEQUENTIAL;
    fill(tokens, 40, 53, 128256);
    write_shard(s, "w_val.bin", (int32_t[]){UINT32_MAGIC, 7, 40}, tokens, 40, 4);
    ag_data_spec spec = shards(s, "w_train.bin", "w_val.bin");
    assert_ok(ag_corpus_open(&corpus, &spec, 8));
    assert_int_equal(corpus.facts.vocab_size, 126733);
    assert_string_equal(corpus.facts.digest,
                        "554289f586522a8332dda9dfe62c63200430c2f869ea0a323eddd5949bee103a");
    assert_int_equal(ag_corpus_token_bytes(&corpus.facts), 4);
    ag_batch_val(inputs, targets, &corpus, &run, &window, 1);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(inputs[i], tokens[16 + i]);
        assert_int_equal(targets[i], tokens[17 + i]);
    }
    run.facts = corpus.facts;
    fill(tokens, 60, 7919, 128256);
    ag_batch_train(inputs, targets, &corpus, &run, 3, 0);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(inputs[i], tokens[24 + i]);
        assert_int_equal(targets[i], tokens[25 + i]);
    }
    ag_corpus_close(&corpus);
    spec.vocab = 100000;
    assert_fails(AG_ERR_INPUT, "is not below the vocabulary's size; expected data.vocab to be",
                 ag_corpus_open(&corpus, &spec, 8));
    write_good(s, "w_train2.bin", 40, 53);
    ag_data_spec mixed = shards(s, "w_train*.bin", "w_val.bin");
    assert_fails(AG_ERR_INPUT, "w_train2.bin': has tokens of 2 bytes, but '",
                 ag_corpus_open(&corpus, &mixed, 8));
}

/* --- refused */

static void expect_refused(const scratch *s, const char *part)
{
    ag_corpus corpus;
    ag_data_spec spec = shards(s, "bad.bin", "good.bin");
    assert_fails(AG_ERR_INPUT, part, ag_corpus_open(&corpus, &spec, 4));
    assert_non_null(strstr(ag_error_message(), "bad.bin'"));
}

static void test_damaged_headers(void **state)
{
    static const struct {
        int32_t head[3];
        size_t width;
        const char *part;
    } cases[] = {
        {{UINT16_MAGIC, 1, 60},  2, "says 60 tokens of 2 bytes, but 100 bytes follow"},
        {{UINT16_MAGIC, 1, 40},  2, "says 40 tokens of 2 bytes, but 100 bytes follow"},
        {{UINT16_MAGIC, 1, 0},   2, "says 0 tokens"                                  },
        {{UINT16_MAGIC, 1, -50}, 2, "says -50 tokens"                                },
        {{UINT16_MAGIC, 2, 50},  2, "has version 2, expected 1"                      },
        {{UINT32_MAGIC, 1, 50},  4, "has version 1, expected 7"                      },
        {{UINT32_MAGIC, 7, 50},  2, "says 50 tokens of 4 bytes, but 100"             },
        {{20240522, 1, 50},      2, "is an evaluation set of llm.c"                  },
        {{20240326, 3, 50},      2, "is a model of llm.c"                            },
        {{20240803, 5, 50},      2, "is a model of llm.c"                            },
        {{20240327, 2, 50},      2, "is the state of a test of llm.c"                },
        {{20240527, 1, 50},      2, "is the state of a run of llm.c"                 },
        {{20240328, 2, 50},      2, "is a tokenizer of llm.c"                        },
        {{0, 1 << 24, 50},       2, "bytes swapped"                                  },
    };
    scratch *s = *state;
    uint32_t tokens[50];
    fill(tokens, 50, 11, 1000);
    write_good(s, "good.bin", 40, 53);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int32_t head[3];
        memcpy(head, cases[i].head, sizeof head);
        if (i + 1 == sizeof cases / sizeof cases[0])
            head[0] = (int32_t)__builtin_bswap32(UINT16_MAGIC);
        write_shard(s, "bad.bin", head, tokens, 50, cases[i].width);
        expect_refused(s, cases[i].part);
        assert_non_null(strstr(ag_error_message(), "data.bin_format: plain"));
    }
    static const int32_t cut[64] = {UINT16_MAGIC, 1, 50};
    scratch_file(s, "bad.bin", cut, sizeof cut);
    expect_refused(s, "llm.c's header is cut: 256 bytes");
}

static void test_other_files(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *part;
    } cases[] = {
#define CASE(bytes, part) {bytes "0123456789abcdef", sizeof(bytes) + 15, part}
        CASE("\x93NUMPY\1\0v\0{'descr'", "is a NumPy array"),
        CASE("\x1f\x8b\x08\0\1\2\3\4", "is gzip-compressed"),
        CASE("PK\3\4\x14\0\0\0", "is a zip archive"),
        CASE("\x80\4\x95\1\0\0\0\0\0\0\0]q\0(K\1K\2e0.", "is"),
        CASE("PAR1\x15\4\x15\6", "is a Parquet file"),
        CASE("ARROW1\0\0\xff\xff\xff\xff", "is an Arrow file"),
        CASE("\xff\xff\xff\xff\x10\0\0\0\x10\0\0\0", "is an Arrow stream"),
        CASE("\x89HDF\r\n\x1a\n\0\0", "is an HDF5 file"),
        CASE("\x18\0\0\0\0\0\0\0{\"a\":{\"dtype\":\"F32\"", "is a safetensors file"),
        CASE("\x28\xb5\x2f\xfd\1\2", "is zstd-compressed"),
        CASE("BZh91AY&SY\1\2", "is bzip2-compressed"),
        CASE("{\"tokens\": [1, 2, 3, 4]}\n ", "is text"),
        CASE("First Citizen:\nB\xc3\xa4r, speak.\n", "is text"),
        CASE("Rar!\x1a\7\1\0", "is a RAR archive"),
        CASE("GGUF\3\0\0\0", "is a GGUF file"),
        CASE("RIFF\x24\1\0\0WAVEfmt ", "is a sound or a film"),
        CASE("\xff\xd8\xff\xe0\0\x10JFIF", "is a picture"),
        CASE("Obj\1\4\x16"
             "avro.schema",
             "is an Avro file"),
        CASE("\xff\xfeT\0o\0 \0b\0e\0", "is UTF-16 text"),
#undef CASE
    };
    scratch *s = *state;
    write_good(s, "good.bin", 40, 53);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char bytes[128];
        memcpy(bytes, cases[i].bytes, cases[i].size);
        size_t size = cases[i].size;
        if (strcmp(cases[i].part, "is") == 0)
            bytes[size - 1] = '.'; /* as every pickle ends */
        scratch_file(s, "bad.bin", bytes, size);
        expect_refused(s, cases[i].part);
        if (strcmp(cases[i].part, "is text") == 0)
            continue;
        ag_corpus corpus;
        ag_data_spec text = {.text = scratch_path(s, "bad.bin"), .val_fraction = 0.5};
        assert_fails(AG_ERR_INPUT, cases[i].part, ag_corpus_open(&corpus, &text, 4));
        text.tokenizer = AG_TOKENIZER_BYTE;
        assert_fails(AG_ERR_INPUT, "expected UTF-8 text", ag_corpus_open(&corpus, &text, 4));
    }
}

static void test_numbers_are_no_text(void **state)
{
    scratch *s = *state;
    uint32_t tokens[200];
    ag_corpus corpus;
    ag_data_spec text = {.text = scratch_path(s, "numbers"), .val_fraction = 0.5};
    fill(tokens, 200, 11, 65);
    write_plain(s, "numbers", tokens, 200, 2);
    assert_fails(AG_ERR_INPUT, "looks like numbers", ag_corpus_open(&corpus, &text, 4));
    write_good(s, "numbers", 40, 53);
    assert_fails(AG_ERR_INPUT, "is a token file of llm.c, expected UTF-8 text",
                 ag_corpus_open(&corpus, &text, 4));
    text.text = scratch_file(s, "numbers", "a \0 in a text is a symbol", 25);
    assert_ok(ag_corpus_open(&corpus, &text, 4));
    ag_corpus_close(&corpus);
}

/* --- integers of other types, of small and of large vocabularies */

enum { BIG = 1 };

static void write_integers(const scratch *s, uint32_t vocab, size_t width, unsigned order)
{
    uint32_t tokens[1000];
    unsigned char bytes[8 * 1000];
    for (uint32_t i = 0; i < 1000; i++)
        tokens[i] = (uint32_t)((uint64_t)i * 2654435761u % 4294967291u % vocab);
    size_t size = pack(bytes, tokens, 1000, width);
    for (size_t at = 0; order == BIG && at < size; at += width) {
        for (size_t i = 0; i < width / 2; i++) {
            unsigned char byte = bytes[at + i];
            bytes[at + i] = bytes[at + width - 1 - i];
            bytes[at + width - 1 - i] = byte;
        }
    }
    scratch_file(s, "bad.bin", bytes, size);
}

static void test_other_integers(void **state)
{
    static const struct {
        uint32_t vocab;
        size_t width;
        unsigned order;
        const char *part;
    } cases[] = {
        {65,     4, 0,   "set data.dtype: uint32"           },
        {50257,  4, 0,   "set data.dtype: uint32"           },
        {128256, 4, 0,   "set data.dtype: uint32"           },
        {65,     8, 0,   "numpy.fromfile(\"FILE\", \"<i8\")"},
        {50257,  8, 0,   "numpy.fromfile(\"FILE\", \"<i8\")"},
        {128256, 8, 0,   "numpy.fromfile(\"FILE\", \"<i8\")"},
        {65,     2, BIG, "big-endian"                       },
        {1000,   2, BIG, "big-endian"                       },
        {50257,  2, BIG, "big-endian"                       },
        {65,     4, BIG, "big-endian"                       },
        {50257,  4, BIG, "big-endian"                       },
        {128256, 4, BIG, "big-endian"                       },
        {65,     8, BIG, "big-endian"                       },
        {50257,  8, BIG, "big-endian"                       },
        {65,     1, 0,   "tokens of 1 byte"                 },
    };
    scratch *s = *state;
    write_good(s, "good.bin", 40, 53);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_integers(s, cases[i].vocab, cases[i].width, cases[i].order);
        expect_refused(s, cases[i].part);
    }
    static const float floats[] = {1, 5, 64, 3, 2, 7, 7, 9, 11, 12, 13, 1, 0, 3, 5, 8};
    scratch_file(s, "bad.bin", floats, sizeof floats);
    expect_refused(s, "floating-point");
    ag_corpus corpus;
    ag_data_spec spec = shards(s, "bad.bin", "bad.bin");
    write_integers(s, 65, 4, 0);
    spec.dtype = AG_DTYPE_UINT32;
    assert_ok(ag_corpus_open(&corpus, &spec, 4));
    assert_int_equal(corpus.facts.vocab_size, 65);
    ag_corpus_close(&corpus);
    write_integers(s, 65, 8, 0);
    assert_fails(AG_ERR_INPUT, "looks like 8-byte integers", ag_corpus_open(&corpus, &spec, 4));
    write_integers(s, 50257, 2, 0);
    assert_fails(AG_ERR_INPUT, "are these uint32?", ag_corpus_open(&corpus, &spec, 4));
}

/* True files: of any vocabulary, with a few large tokens among small ones, all the same. What has a
 * pattern of its own is taken where data.dtype says so. */
static void test_true_files_are_taken(void **state)
{
    static const uint32_t vocabs[] = {2, 65, 256, 257, 300, 1000, 32000, 50257, 50304, 65536};
    scratch *s = *state;
    uint32_t tokens[1000];
    ag_corpus corpus;
    ag_data_spec spec = shards(s, "bad.bin", "bad.bin");
    for (size_t i = 0; i < sizeof vocabs / sizeof vocabs[0]; i++) {
        write_integers(s, vocabs[i], 2, 0);
        assert_ok(ag_corpus_open(&corpus, &spec, 4));
        assert_int_equal(corpus.facts.train_tokens, 1000);
        ag_corpus_close(&corpus);
    }
    fill(tokens, 1000, 11, 65);
    for (size_t i = 0; i < 1000; i += 50)
        tokens[i] = 50256; /* ends of documents */
    write_plain(s, "bad.bin", tokens, 1000, 2);
    assert_ok(ag_corpus_open(&corpus, &spec, 4));
    ag_corpus_close(&corpus);
    memset(tokens, 0, sizeof tokens);
    write_plain(s, "bad.bin", tokens, 1000, 2);
    assert_ok(ag_corpus_open(&corpus, &spec, 4));
    ag_corpus_close(&corpus);
    for (size_t i = 0; i < 1000; i += 2)
        tokens[i] = 1;
    write_plain(s, "bad.bin", tokens, 1000, 2);
    assert_fails(AG_ERR_INPUT, "set data.dtype: uint16", ag_corpus_open(&corpus, &spec, 4));
    spec.dtype = AG_DTYPE_UINT16;
    assert_ok(ag_corpus_open(&corpus, &spec, 4));
    ag_corpus_close(&corpus);
}

/* 55432, 308, 1, 0 are tokens too, where that is said. */
static void test_bin_format(void **state)
{
    scratch *s = *state;
    ag_corpus corpus;
    write_good(s, "bad.bin", 40, 53);
    ag_data_spec spec = shards(s, "bad.bin", "bad.bin");
    spec.bin_format = AG_BIN_PLAIN;
    spec.dtype = AG_DTYPE_UINT16;
    assert_ok(ag_corpus_open(&corpus, &spec, 4));
    assert_int_equal(corpus.facts.train_tokens, 552);
    assert_int_equal(corpus.train[0], 55432);
    assert_int_equal(corpus.train[1], 308);
    ag_corpus_close(&corpus);
    write_integers(s, 65, 2, 0);
    spec.bin_format = AG_BIN_LLMC;
    assert_fails(AG_ERR_INPUT, "does not begin with llm.c's magic number",
                 ag_corpus_open(&corpus, &spec, 4));
}

static void test_folders(void **state)
{
    scratch *s = *state;
    ag_corpus corpus;
    char folder[128];
    snprintf(folder, sizeof folder, "%s/inner", s->folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    write_good(s, "inner/t_train_000001.bin", 40, 53);
    ag_data_spec spec = {.bin = folder};
    assert_fails(AG_ERR_INPUT, "/*train*.bin', bin_val: '", ag_corpus_open(&corpus, &spec, 4));
    spec.bin = scratch_path(s, "inner/t_train_000001.bin");
    assert_fails(AG_ERR_INPUT, "is a file, expected the folder", ag_corpus_open(&corpus, &spec, 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shards),
        cmocka_unit_test(test_equal_tokens_have_one_digest),
        cmocka_unit_test(test_vocabularies_beyond_65536),
        cmocka_unit_test(test_damaged_headers),
        cmocka_unit_test(test_other_files),
        cmocka_unit_test(test_numbers_are_no_text),
        cmocka_unit_test(test_other_integers),
        cmocka_unit_test(test_true_files_are_taken),
        cmocka_unit_test(test_bin_format),
        cmocka_unit_test(test_folders),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
