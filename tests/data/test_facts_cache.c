/* What is in the cache is used, what is damaged is not, and without a cache all works alike. */
#include "scratch.h"

#include <dirent.h>

#include "data/corpus.h"
#include "data_internal.h"
#include "run/digest.h"

static time_t s_ahead_s = 10;

/* In place of the system's: nobody can set the time at which a file of a test was last changed, but
 * some seconds later the cache takes it. */
time_t time(time_t *out)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL)
        *out = now.tv_sec + s_ahead_s;
    return now.tv_sec + s_ahead_s;
}

static const char s_text[] = "to be or not to be, that is the question";

static ag_data_spec make_text(scratch *s)
{
    return (ag_data_spec){.text = scratch_file(s, "text.txt", s_text, strlen(s_text)),
                          .bin = "",
                          .val_fraction = 0.5};
}

static void assert_same_facts(const ag_data_facts *a, const ag_data_facts *b)
{
    assert_string_equal(a->digest, b->digest);
    assert_int_equal(a->vocab_size, b->vocab_size);
    assert_int_equal(a->train_tokens, b->train_tokens);
    assert_int_equal(a->val_tokens, b->val_tokens);
}

/* The only entry of the cache, or "" when there is none. Empties the cache with `remove`. */
static void find_entry(char path[512], const scratch *s, bool remove)
{
    char folder[128];
    snprintf(folder, sizeof folder, "%s/altgrad", s->folder);
    path[0] = '\0';
    DIR *directory = opendir(folder);
    for (const struct dirent *e; directory != NULL && (e = readdir(directory)) != NULL;) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, 512, "%s/%s", folder, e->d_name);
        if (remove)
            unlink(path);
    }
    if (directory != NULL)
        closedir(directory);
}

/* Puts these bytes in the place of an entry. */
static void overwrite(const char *path, const char *bytes, size_t count)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    fclose(file);
}

static size_t read_entry(char *bytes, size_t size, const char *path)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t count = fread(bytes, 1, size - 1, file);
    fclose(file);
    bytes[count] = '\0';
    return count;
}

/* A digest that the text has not: only the cache can say it. */
static void plant(ag_data_facts *facts, const ag_data_spec *spec)
{
    ag_known_facts known = {.facts = *facts};
    ag_text key;
    ag_text_init(&key);
    memset(known.facts.digest, 'f', AG_DIGEST_LENGTH);
    assert_true(ag_facts_cache_key(&key, spec));
    ag_facts_cache_write(&known, &key);
    ag_text_deinit(&key);
    *facts = known.facts;
}

/* Of the same size and, as scratch_file does, of the same date: no tool can set the other time. */
static void test_a_replaced_file_is_noticed(void **state)
{
    scratch *s = *state;
    ag_data_facts first;
    ag_data_facts again;
    ag_data_spec spec = make_text(s);
    char other[sizeof s_text];
    assert_ok(ag_corpus_facts(&first, &spec, 4));
    plant(&first, &spec);
    assert_ok(ag_corpus_facts(&again, &spec, 4));
    assert_same_facts(&again, &first);

    memset(other, 'x', sizeof other);
    scratch_file(s, "text.txt", other, strlen(s_text));
    assert_ok(ag_corpus_facts(&again, &spec, 4));
    assert_int_equal(again.vocab_size, 1);

    scratch_date(scratch_file(s, "text.txt", s_text, strlen(s_text)), 1000000001);
    assert_ok(ag_corpus_facts(&again, &spec, 4));
    assert_string_not_equal(again.digest, first.digest);
}

/* With another file's inode, size and both times it would still be found out. */
static void test_who_trains_reads_the_file(void **state)
{
    ag_data_facts truth;
    ag_data_facts planted;
    ag_data_spec spec = make_text(*state);
    ag_corpus corpus;
    assert_ok(ag_corpus_facts(&truth, &spec, 4));
    planted = truth;
    plant(&planted, &spec);
    assert_ok(ag_corpus_open(&corpus, &spec, 4));
    assert_same_facts(&corpus.facts, &truth);
    ag_corpus_close(&corpus);
    assert_ok(ag_corpus_facts(&planted, &spec, 4)); /* and the cache has learned */
    assert_same_facts(&planted, &truth);
}

static void write_shard(const scratch *s, const char *name, unsigned first)
{
    uint16_t tokens[40];
    for (unsigned i = 0; i < 40; i++)
        tokens[i] = (uint16_t)(first + i % 7);
    scratch_file(s, name, tokens, sizeof tokens);
}

/* Every shard counts, and that there is another. */
static void test_shards_are_part_of_the_key(void **state)
{
    scratch *s = *state;
    ag_data_facts facts;
    ag_data_spec spec = {.bin_train = strdup(scratch_path(s, "t*.shard")),
                         .bin_val = strdup(scratch_path(s, "t1.shard"))};
    write_shard(s, "t1.shard", 1);
    write_shard(s, "t2.shard", 2);
    assert_ok(ag_corpus_facts(&facts, &spec, 4));
    assert_int_equal(facts.vocab_size, 9);
    write_shard(s, "t2.shard", 3);
    assert_ok(ag_corpus_facts(&facts, &spec, 4));
    assert_int_equal(facts.vocab_size, 10);
    write_shard(s, "t3.shard", 4);
    assert_ok(ag_corpus_facts(&facts, &spec, 4));
    assert_int_equal(facts.vocab_size, 11);
    assert_int_equal(facts.train_tokens, 120);
    free((char *)spec.bin_train);
    free((char *)spec.bin_val);
}

static void test_a_hit_is_checked_against_the_block_size(void **state)
{
    ag_data_facts facts;
    ag_data_spec spec = make_text(*state);
    assert_ok(ag_corpus_facts(&facts, &spec, 19));
    assert_fails(AG_ERR_INPUT, "the training part has 20 tokens; expected at least",
                 ag_corpus_facts(&facts, &spec, 20));
}

static void test_parameters_are_part_of_the_key(void **state)
{
    ag_data_facts chars;
    ag_data_facts bytes;
    ag_data_spec spec = make_text(*state);
    assert_ok(ag_corpus_facts(&chars, &spec, 4));
    spec.tokenizer = AG_TOKENIZER_BYTE;
    assert_ok(ag_corpus_facts(&bytes, &spec, 4));
    assert_int_equal(bytes.vocab_size, 256);
    spec.val_fraction = 0.25;
    assert_ok(ag_corpus_facts(&bytes, &spec, 4));
    assert_int_equal(bytes.val_tokens, 10);
}

static void test_a_damaged_entry_is_ignored(void **state)
{
    scratch *s = *state;
    ag_data_facts facts;
    ag_data_facts again;
    char entry[512];
    char good[1024];
    find_entry(entry, s, true);
    ag_data_spec spec = make_text(s);
    assert_ok(ag_corpus_facts(&facts, &spec, 4));
    find_entry(entry, s, false);
    size_t size = read_entry(good, sizeof good, entry);
    for (size_t cut = 0; cut < size; cut += 7) {
        overwrite(entry, good, cut);
        assert_ok(ag_corpus_facts(&again, &spec, 4));
        assert_same_facts(&again, &facts);
    }
    for (size_t at = 0; at < size; at++) {
        char bad[1024];
        memcpy(bad, good, size);
        bad[at] = (char)(bad[at] ^ 1);
        overwrite(entry, bad, size);
        assert_ok(ag_corpus_facts(&again, &spec, 4));
        assert_same_facts(&again, &facts);
    }
    char long_one[4000];
    memset(long_one, ' ', sizeof long_one);
    overwrite(entry, long_one, sizeof long_one);
    assert_ok(ag_corpus_facts(&again, &spec, 4));
    assert_same_facts(&again, &facts);
    read_entry(long_one, sizeof long_one, entry);
    assert_string_equal(long_one, good); /* made anew */
}

/* A file that was only just written may change again without a new time. */
static void test_fresh_files_are_not_cached(void **state)
{
    scratch *s = *state;
    ag_data_facts facts;
    char entry[512];
    find_entry(entry, s, true);
    s_ahead_s = 0;
    ag_data_spec spec = make_text(s);
    assert_ok(ag_corpus_facts(&facts, &spec, 4));
    find_entry(entry, s, false);
    assert_string_equal(entry, ""); /* although its date is of 2001 */
    s_ahead_s = 10;
    scratch_date(spec.text, time(NULL));
    assert_ok(ag_corpus_facts(&facts, &spec, 4));
    find_entry(entry, s, false);
    assert_string_equal(entry, "");
}

/* Neither variable set, a relative one, and a folder that cannot be made. */
static void test_without_a_cache(void **state)
{
    scratch *s = *state;
    ag_data_facts facts;
    char *home = getenv("HOME") != NULL ? strdup(getenv("HOME")) : NULL;
    ag_data_spec spec = make_text(s);
    static const char *const caches[] = {"", "relative", "/dev/null/no"};
    unsetenv("HOME");
    for (size_t i = 0; i < 3; i++) {
        setenv("XDG_CACHE_HOME", caches[i], 1);
        assert_ok(ag_corpus_facts(&facts, &spec, 4));
        assert_int_equal(facts.train_tokens, 20);
    }
    unsetenv("XDG_CACHE_HOME");
    setenv("HOME", s->folder, 1);
    assert_ok(ag_corpus_facts(&facts, &spec, 4));
    char folder[128];
    snprintf(folder, sizeof folder, "%s/.cache/altgrad", s->folder);
    assert_int_equal(access(folder, F_OK), 0);
    setenv("XDG_CACHE_HOME", s->folder, 1);
    if (home != NULL)
        setenv("HOME", home, 1);
    free(home);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_replaced_file_is_noticed),
        cmocka_unit_test(test_who_trains_reads_the_file),
        cmocka_unit_test(test_shards_are_part_of_the_key),
        cmocka_unit_test(test_a_hit_is_checked_against_the_block_size),
        cmocka_unit_test(test_parameters_are_part_of_the_key),
        cmocka_unit_test(test_a_damaged_entry_is_ignored),
        cmocka_unit_test(test_fresh_files_are_not_cached),
        cmocka_unit_test(test_without_a_cache),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
