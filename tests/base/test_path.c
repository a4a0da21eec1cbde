/* Paths as shells expand them, and what is refused. */
#include "support.h"

#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/path.h"

static void expect(const char *path, const char *expanded)
{
    ag_arena arena;
    const char *out = NULL;
    ag_arena_init_growing(&arena);
    assert_ok(ag_path_expand(&out, path, &arena));
    assert_string_equal(out, expanded);
    ag_arena_deinit(&arena);
}

static void expect_error(const char *path, const char *part)
{
    ag_arena arena;
    const char *out = NULL;
    ag_arena_init_growing(&arena);
    assert_fails(AG_ERR_INPUT, part, ag_path_expand(&out, path, &arena));
    assert_non_null(strstr(ag_error_message(), path));
    ag_arena_deinit(&arena);
}

static void test_what_shells_expand(void **state)
{
    (void)state;
    setenv("HOME", "/home/of/me", 1);
    setenv("AG_A", "one", 1);
    setenv("AG_A_2", "two $AG_A ~", 1);
    setenv("AG_EMPTY", "", 1);
    expect("plain/a b.txt", "plain/a b.txt");
    expect("~", "/home/of/me");
    expect("~/x.h5", "/home/of/me/x.h5");
    expect("x~/~", "x~/~");
    expect("./~x", "./~x");
    expect("$AG_A/x", "one/x");
    expect("${AG_A}x.h5", "onex.h5");
    expect("a$AG_A.h5", "aone.h5");
    expect("$AG_A$AG_A_2", "onetwo $AG_A ~"); /* only once */
    expect("x${AG_EMPTY}y", "xy");
    expect("\\$AG_A \\~", "$AG_A \\~");
    expect("\\~x", "~x");
    expect("back\\slash", "back\\slash");
    expect("a$/b$", "a$/b$");
    const struct passwd *root = getpwuid(0);
    if (root != NULL && strcmp(root->pw_name, "root") == 0) {
        char home[256];
        snprintf(home, sizeof home, "%s/y", root->pw_dir);
        expect("~root/y", home);
    }
}

static void test_what_is_refused(void **state)
{
    (void)state;
    unsetenv("AG_UNSET");
    expect_error("$AG_UNSET/x", "AG_UNSET is not set");
    expect_error("x/${AG_UNSET}", "AG_UNSET is not set");
    expect_error("$(pwd)/x", "expected $NAME or ${NAME} at '$(pwd)/x'");
    expect_error("${AG_A:-x}", "expected $NAME or ${NAME}");
    expect_error("${AG_A", "expected $NAME or ${NAME}");
    expect_error("${}", "expected $NAME or ${NAME}");
    expect_error("$1", "or \\$ for a dollar sign");
    expect_error("~no.such.user/x", "no user has this name");
    expect_error("~/$AG_UNSET", "AG_UNSET is not set");
}

/* A folder may have characters that a pattern would take for its own. */
static void test_paths_in_a_folder(void **state)
{
    ag_arena arena;
    (void)state;
    ag_arena_init_growing(&arena);
    assert_string_equal(ag_path_after("/a[1]", "b*.bin", true, &arena), "/a\\[1\\]/b*.bin");
    assert_string_equal(ag_path_after("/a[1]", "b.txt", false, &arena), "/a[1]/b.txt");
    assert_string_equal(ag_path_after("/a", "/b*", true, &arena), "/b*");
    ag_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_shells_expand),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_paths_in_a_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
