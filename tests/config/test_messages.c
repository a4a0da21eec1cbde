/* Golden messages: each messages/NAME.yaml gives exactly messages/NAME.txt (the findings, then the
 * summary). ALTGRAD_REGOLD=1 in the environment writes the texts anew. */
#include <dirent.h>
#include <stdlib.h>

#include "config/config_support.h"

static const char s_folder[] = "config/messages";

static void read_file(ag_text *text, const char *path)
{
    char block[4096];
    size_t count;
    ag_text_init(text);
    FILE *file = fopen(path, "rb");
    while (file != NULL && (count = fread(block, 1, sizeof block, file)) > 0)
        ag_text_add_n(text, block, count);
    if (file != NULL)
        fclose(file);
}

static void write_file(const char *path, const ag_text *text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text->data, 1, text->length, file), text->length);
    fclose(file);
}

/* Absolute paths differ from machine to machine: the folder's becomes FOLDER. */
static void add_portable(ag_text *text, const char *message)
{
    char folder[4096];
    assert_non_null(realpath(s_folder, folder));
    const char *found;
    while ((found = strstr(message, folder)) != NULL) {
        ag_text_add_n(text, message, (size_t)(found - message));
        ag_text_add(text, "FOLDER");
        message = found + strlen(folder);
    }
    ag_text_add(text, message);
}

static bool check_case(const char *name)
{
    char path[300];
    ag_text messages;
    ag_text got;
    ag_text wanted;
    snprintf(path, sizeof path, "%s/%s", s_folder, name);
    ag_text_init(&messages);
    ag_text_init(&got);
    ag_experiment *experiment = NULL;
    ag_status status = ag_experiment_load(&experiment, path, NULL, &messages);
    add_portable(&got, messages.data);
    ag_text_printf(&got, "=> %s\n", status == AG_OK ? "loaded" : ag_error_message());
    ag_experiment_destroy(experiment);
    snprintf(path, sizeof path, "%s/%.*s.txt", s_folder, (int)(strlen(name) - 5), name);
    if (getenv("ALTGRAD_REGOLD") != NULL)
        write_file(path, &got);
    read_file(&wanted, path);
    bool same = strcmp(got.data, wanted.data) == 0;
    if (!same)
        print_error("%s: expected\n%s\ngot\n%s\n", name, wanted.data, got.data);
    ag_text_deinit(&messages);
    ag_text_deinit(&got);
    ag_text_deinit(&wanted);
    return same;
}

static void test_messages_are_as_recorded(void **state)
{
    (void)state;
    DIR *folder = opendir(s_folder);
    assert_non_null(folder);
    size_t cases = 0;
    size_t failed = 0;
    struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        size_t length = strlen(entry->d_name);
        if (length < 6 || strcmp(entry->d_name + length - 5, ".yaml") != 0)
            continue;
        cases++;
        failed += !check_case(entry->d_name);
    }
    closedir(folder);
    assert_true(cases > 10);
    assert_int_equal(failed, 0);
}

static void test_set_reports_its_own_text(void **state)
{
    (void)state;
    const char *sets[] = {"train.steps=many", "optimizer.lrr=1", "train.steps", "optimizer.lr=1"};
    ag_text got;
    ag_text_init(&got);
    ag_experiment *experiment = NULL;
    ag_status status =
        ag_experiment_load(&experiment, "config/messages/set.base",
                           &(ag_experiment_options){.sets = sets, .n_sets = 4}, &got);
    assert_int_equal(status, AG_ERR_INPUT);
    assert_string_equal(
        got.data,
        "--set:1:13: error: train.steps: 'many' is not valid: expected whole number, 0 to "
        "2147483647\n"
        "train.steps=many\n"
        "            ^~~~\n"
        "--set:1:1: error: there is no parameter 'optimizer.lrr'; did you mean 'optimizer.lr'? "
        "('altgrad params' lists them)\n"
        "optimizer.lrr=1\n"
        "^~~~~~~~~~~~~\n"
        "--set:1:1: error: --set takes key=value, such as --set train.steps=100\n"
        "train.steps\n"
        "^~~~~~~~~~~\n"
        "--set:1:14: error: --set optimizer.lr: axis 'optimizer.lr' sets this key; choose its "
        "points with --only instead\n"
        "optimizer.lr=1\n"
        "             ^\n");
    ag_text_deinit(&got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_are_as_recorded),
        cmocka_unit_test(test_set_reports_its_own_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
