/* Files that are no experiments: always a message, never a crash or a hang. tests/fuzz mutates
 * those that are. */
#include <stdlib.h>
#include <unistd.h>

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
                 ag_experiment_load(&experiment, "/tmp", NULL, &messages));
    assert_fails(AG_ERR_INPUT, "No such file",
                 ag_experiment_load(&experiment, "/no/such.yaml", NULL, &messages));
    assert_fails(AG_ERR_INPUT, "at most 1048576 bytes",
                 ag_experiment_load(&experiment, "/dev/zero", NULL, &messages));
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
    expect_repeated_refused("altgrad: 1\n", "a: 1\n", 20000, "appears twice in this mapping");
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

/* Reading stops after 20 mistakes: what comes later looks for things that were never read. */
static void test_after_the_last_mistake(void **state)
{
    (void)state;
    for (size_t mistakes = 17; mistakes < 22; mistakes++) {
        char text[2048] = "altgrad: 1\n";
        for (size_t i = 0; i < mistakes; i++)
            sprintf(text + strlen(text), "mistake%zu: 1\n", i);
        strcat(text, "formats: [BF16, E4M3]\nlayer_configs: {a: {format: $format}}\n"
                     "axes: {size: {s: {model.n_layer: 1}}}\nexclude: [{format: E4M3, size: s}]\n"
                     "include: [{format: E4M3, layers: a, size: s, seed: 7}]\n"
                     "compare: {baseline: {format: BF16, layers: a, size: s, seed: 0}}\n");
        expect_refused(text, strlen(text), " errors");
    }
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_that_are_none),
        cmocka_unit_test(test_bombs),
        cmocka_unit_test(test_after_the_last_mistake),
        cmocka_unit_test(test_aliases_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
