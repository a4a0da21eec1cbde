/* Files that are no experiments, and mutated ones: always a message, never a crash or a hang.
 * ALTGRAD_MUTATIONS in the environment sets how many mutations are tried. */
#include <stdlib.h>
#include <unistd.h>

#include "base/philox.h"
#include "config/config_support.h"

static void expect_refused(const void *bytes, size_t size, const char *part)
{
    ag_text messages;
    ag_experiment *experiment = NULL;
    ag_status status = load_bytes(&experiment, bytes, size, &messages);
    assert_int_equal(status, AG_ERR_INPUT);
    if (strstr(messages.data, part) == NULL && strstr(ag_error_message(), part) == NULL)
        fail_msg("wanted '%s' and got '%s'\n%s", part, ag_error_message(), messages.data);
    ag_text_deinit(&messages);
}

static void test_files_that_are_none(void **state)
{
    (void)state;
    ag_text messages;
    ag_text_init(&messages);
    ag_experiment *experiment = NULL;
    assert_fails(AG_ERR_INPUT, "is a directory",
                 ag_experiment_load(&experiment, "/tmp", NULL, 0, &messages));
    assert_fails(AG_ERR_INPUT, "No such file",
                 ag_experiment_load(&experiment, "/no/such.yaml", NULL, 0, &messages));
    assert_fails(AG_ERR_INPUT, "at most 1048576 bytes",
                 ag_experiment_load(&experiment, "/dev/zero", NULL, 0, &messages));
    expect_refused("", 0, "is empty");
    expect_refused("# nothing\n", 10, "is empty");
    expect_refused("altgrad: 1\0\n", 12, "zero byte");
    expect_refused("altgrad: 1\nname: \xff\n", 19, ":2: byte 17 (0xff) is not UTF-8");
    expect_refused("\x7f"
                   "ELF\x02\x01\x01\x80",
                   8, "not UTF-8");
    expect_refused("name: \"a\\0b\"\n", 13, "zero character");
}

static char *repeated(const char *head, const char *unit, size_t count, const char *tail)
{
    size_t length = strlen(unit);
    char *text = malloc(strlen(head) + count * length + strlen(tail) + 1);
    assert_non_null(text);
    char *end = stpcpy(text, head);
    for (size_t i = 0; i < count; i++)
        end = stpcpy(end, unit);
    stpcpy(end, tail);
    return text;
}

static void expect_repeated_refused(const char *head, const char *unit, size_t count,
                                    const char *part)
{
    char *text = repeated(head, unit, count, "\n");
    expect_refused(text, strlen(text), part);
    free(text);
}

static void test_bombs(void **state)
{
    (void)state;
    expect_repeated_refused("altgrad: ", "[", 500000, "nested too deeply");
    expect_repeated_refused("altgrad: ", "{a: ", 200000, "nested too deeply");
    expect_repeated_refused("altgrad: ", "9", 1000000, "altgrad: '999");
    expect_repeated_refused("name: ", "x", 1048570, "has 1048577 bytes");
    expect_repeated_refused("altgrad: 1\nseeds: [", "1, ", 300000, "too much in one file");
    expect_repeated_refused("altgrad: 1\n", "a: 1\n", 20000, "stands here twice");
    expect_repeated_refused("altgrad: 1\nlayer_configs: {a: {layer_rules: [{format: null, "
                            "pattern: '",
                            "(", 900, "");
    static const char laughs[] =
        "a: &a [1,2,3,4,5,6,7,8,9]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
        "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
        "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n";
    expect_refused(laughs, sizeof laughs - 1, "too much in one file");
    expect_refused("a: &a [*a]\n", 11, "no earlier '&a'");
}

static void test_aliases_work(void **state)
{
    (void)state;
    ag_experiment *experiment =
        load_good(HEAD "formats: [E5M2]\nlayer_configs:\n"
                       "  a: {layer_rules: &rules [{pattern: attn, format: null}], "
                       "default_format: $format}\n"
                       "  b: {layer_rules: *rules, default_format: E4M3}\n");
    assert_int_equal(ag_experiment_grid(experiment)->n_runs, 2);
    ag_experiment_destroy(experiment);
}

/* --- mutations */

enum { LARGEST = 8192, DEFAULT_MUTATIONS = 300 };

static const char *const s_pieces[] = {
    "{",     "}",       "[",     "]",    ":",   ",",      "\n",      "  ",     "- ",    "null",
    "~",     "$format", "1e999", "-1",   "0",   "''",     "\"",      "'",      "*a",    "&a ",
    "99999", "E4M3",    "!!x ",  "\t",   "#",   "|\n",    "%",       "\\",     "(a+)+", "---\n",
    "seed",  "format",  "\xc3",  "\x01", "nan", "0x1p-3", "1000000", "layers", "? ",    "<<: *a",
};

typedef struct mutant {
    char bytes[LARGEST];
    size_t size;
} mutant;

static void replace(mutant *m, size_t at, size_t removed, const char *piece, size_t length)
{
    if (at > m->size)
        at = m->size;
    if (removed > m->size - at)
        removed = m->size - at;
    if (m->size - removed + length > LARGEST)
        return;
    memmove(m->bytes + at + length, m->bytes + at + removed, m->size - at - removed);
    memcpy(m->bytes + at, piece, length);
    m->size += length - removed;
}

/* Inserts, deletes, overwrites or copies a stretch. */
static void mutate(mutant *m, uint32_t number, uint32_t edit)
{
    ag_philox_block random = ag_philox(0x6675, number, edit, 0, 0);
    size_t at = random.word[0] % (m->size + 1);
    const char *piece = s_pieces[random.word[1] % (sizeof s_pieces / sizeof s_pieces[0])];
    size_t span = random.word[2] % 24;
    switch (random.word[3] % 4) {
    case 0:
        replace(m, at, 0, piece, strlen(piece));
        break;
    case 1:
        replace(m, at, span, "", 0);
        break;
    case 2:
        replace(m, at, span, piece, strlen(piece));
        break;
    default: {
        char copy[24];
        size_t from = random.word[1] % (m->size + 1);
        size_t length = span < m->size - from ? span : m->size - from;
        memcpy(copy, m->bytes + from, length);
        replace(m, at, 0, copy, length);
        break;
    }
    }
}

static void test_mutated_files_never_crash(void **state)
{
    (void)state;
    static mutant original;
    FILE *file = fopen("config/whole.yaml", "rb");
    assert_non_null(file);
    original.size = fread(original.bytes, 1, LARGEST, file);
    fclose(file);
    const char *wanted = getenv("ALTGRAD_MUTATIONS");
    long count = wanted != NULL ? atol(wanted) : DEFAULT_MUTATIONS;
    size_t refused = 0;
    for (long number = 0; number < count; number++) {
        mutant m = original;
        for (uint32_t edit = 0; edit <= (uint32_t)number % 6; edit++)
            mutate(&m, (uint32_t)number, edit);
        ag_text messages;
        ag_experiment *experiment = NULL;
        ag_status status = load_bytes(&experiment, m.bytes, m.size, &messages);
        refused += status == AG_ERR_INPUT;
        if (status != AG_OK)
            assert_true(status == AG_ERR_INPUT && ag_error_message()[0] != '\0');
        ag_experiment_destroy(experiment);
        ag_text_deinit(&messages);
    }
    assert_true(count < DEFAULT_MUTATIONS || refused > (size_t)count / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_that_are_none),
        cmocka_unit_test(test_bombs),
        cmocka_unit_test(test_aliases_work),
        cmocka_unit_test(test_mutated_files_never_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
