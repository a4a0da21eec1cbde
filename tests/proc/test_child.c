/* The test starts itself again as the child, which then misbehaves as its argument says. */
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "proc/child.h"

enum { BIG = 40 * 1000 * 1000 };

/* --- the child */

static unsigned char pattern(size_t i)
{
    return (unsigned char)(i * 2654435761u >> 13);
}

static int leave(const void *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t written = write(AG_CHILD_RESULT_FD, (const char *)bytes + done, size - done);
        if (written <= 0)
            return 1;
        done += (size_t)written;
    }
    return 0;
}

static int leave_pattern(void)
{
    unsigned char *bytes = malloc(BIG);
    for (size_t i = 0; bytes != NULL && i < BIG; i++)
        bytes[i] = pattern(i);
    int code = bytes == NULL ? 1 : leave(bytes, BIG);
    free(bytes);
    return code;
}

static int echo(void)
{
    char bytes[256];
    ssize_t got = read(STDIN_FILENO, bytes, sizeof bytes);
    return got < 0 ? 1 : leave(bytes, (size_t)got);
}

/* A line for each open descriptor, and one for each variable of the environment. */
static int tell_inheritance(void)
{
    char line[4096];
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL)
        return 1;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(folder))
            continue;
        int length = snprintf(line, sizeof line, "fd %s\n", entry->d_name);
        leave(line, (size_t)length);
    }
    closedir(folder);
    for (char **variable = environ; *variable != NULL; variable++) {
        int length = snprintf(line, sizeof line, "env %.4000s\n", *variable);
        leave(line, (size_t)length);
    }
    return 0;
}

static void beat(ag_progress_page *page)
{
    atomic_store(&page->step, 41);
    atomic_store(&page->beats, 1);
}

static int wait_for_ever(void)
{
    ag_progress_page *page;
    if (ag_progress_map(&page, AG_CHILD_PROGRESS_FD) != AG_OK)
        return 1;
    beat(page);
    for (;;)
        pause();
}

static int be_child(int argc, char **argv)
{
    const char *deed = argv[2];
    signal(SIGSEGV, SIG_DFL); /* a sanitizer catches it */
    if (strcmp(deed, "segfault") == 0)
        raise(SIGSEGV);
    if (strcmp(deed, "abort") == 0)
        abort();
    if (strcmp(deed, "exit7") == 0) {
        fputs("first line\nthe reason\twas this\n", stderr);
        return 7;
    }
    if (strcmp(deed, "echo") == 0)
        return echo();
    if (strcmp(deed, "big") == 0)
        return leave_pattern();
    if (strcmp(deed, "inheritance") == 0)
        return tell_inheritance();
    if (strcmp(deed, "nap") == 0) {
        ag_clock_nap(1.0);
        return 0;
    }
    if (strcmp(deed, "stubborn") == 0)
        signal(SIGTERM, SIG_IGN);
    if (strcmp(deed, "follow") == 0 && (argc < 4 || !ag_child_follow_parent(atoi(argv[3]))))
        return 9;
    return wait_for_ever();
}

/* --- the parent */

static ag_child *start(const char *deed, const char *extra, const char *const *environment)
{
    const char *argv[] = {"/proc/self/exe", "child", deed, extra, NULL};
    ag_child_spec spec = {.argv = argv,
                          .environment = environment,
                          .input = "some input",
                          .input_size = 10,
                          .grace_s = 0.02};
    ag_child *child = NULL;
    assert_ok(ag_child_start(&child, &spec));
    return child;
}

static ag_child_end finish(ag_child *child)
{
    ag_child_end end;
    while ((end = ag_child_poll(child)).state == AG_CHILD_RUNNING)
        ag_clock_nap(1e-3);
    return end;
}

static void wait_for_beat(ag_child *child)
{
    while (atomic_load(&ag_child_progress(child)->beats) == 0)
        ag_clock_nap(1e-3);
}

static void test_deaths_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *deed;
        ag_child_end end;
        const char *text;
    } cases[] = {
        {"segfault",
         {.state = AG_CHILD_KILLED, .signal = SIGSEGV},
         "was killed by SIGSEGV (Segmentation fault)"                                                },
        {"abort",    {.state = AG_CHILD_KILLED, .signal = SIGABRT}, "was killed by SIGABRT (Aborted)"},
        {"exit7",    {.state = AG_CHILD_EXITED, .code = 7},         "ended with exit code 7"         },
        {"echo",     {.state = AG_CHILD_EXITED, .code = 0},         "ended with exit code 0"         },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[128];
        ag_child *child = start(cases[i].deed, NULL, NULL);
        ag_child_end end = finish(child);
        assert_int_equal(end.state, cases[i].end.state);
        assert_int_equal(end.signal, cases[i].end.signal);
        assert_int_equal(end.code, cases[i].end.code);
        assert_true(end.peak_size > 0);
        ag_child_end_text(text, sizeof text, &end);
        assert_string_equal(text, cases[i].text);
        ag_child_destroy(child);
    }
}

static void test_a_nap_ends_with_the_child(void **state)
{
    (void)state;
    const double long_s = 60.0;
    ag_child *child = start("nap", NULL, NULL);
    double began = ag_clock_s();
    ag_clock_nap(long_s);
    assert_true(ag_clock_s() - began < long_s / 2);
    assert_int_equal(finish(child).code, 0);
    ag_child_destroy(child);
}

static void test_input_comes_back_as_result(void **state)
{
    (void)state;
    const void *bytes;
    size_t size;
    ag_child *child = start("echo", NULL, NULL);
    finish(child);
    assert_ok(ag_child_result(&bytes, &size, child));
    assert_int_equal(size, 10);
    assert_memory_equal(bytes, "some input", 10);
    ag_child_destroy(child);
}

static void test_a_big_result_is_intact(void **state)
{
    (void)state;
    const void *bytes;
    size_t size;
    ag_child *child = start("big", NULL, NULL);
    finish(child);
    assert_ok(ag_child_result(&bytes, &size, child));
    assert_int_equal(size, BIG);
    for (size_t i = 0; i < BIG; i++) {
        if (((const unsigned char *)bytes)[i] != pattern(i))
            fail_msg("byte %zu is wrong", i);
    }
    ag_child_destroy(child);
}

static void test_no_result_is_empty(void **state)
{
    (void)state;
    const void *bytes;
    size_t size;
    ag_child *child = start("exit7", NULL, NULL);
    finish(child);
    assert_ok(ag_child_result(&bytes, &size, child));
    assert_null(bytes);
    assert_int_equal(size, 0);
    ag_child_destroy(child);
}

static void test_log_tail(void **state)
{
    (void)state;
    char text[256];
    ag_child *child = start("exit7", NULL, NULL);
    finish(child);
    ag_child_log_tail(text, sizeof text, child);
    assert_string_equal(text, "first line\nthe reason was this");
    ag_child_log_tail(text, 24, child); /* cuts into the first line */
    assert_string_equal(text, "the reason was this");
    ag_child_destroy(child);
}

static void test_log_file(void **state)
{
    (void)state;
    char path[] = "/tmp/altgrad-log-XXXXXX";
    char text[256] = "";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_true(write(fd, "of an earlier attempt", 21) == 21);
    const char *argv[] = {"/proc/self/exe", "child", "exit7", NULL};
    ag_child_spec spec = {.argv = argv, .log_path = path};
    ag_child *child = NULL;
    assert_ok(ag_child_start(&child, &spec));
    finish(child);
    assert_true(pread(fd, text, sizeof text - 1, 0) > 0);
    assert_string_equal(text, "first line\nthe reason\twas this\n");
    ag_child_destroy(child);
    close(fd);
    unlink(path);
}

/* A leaked descriptor, as MPI libraries leave them, is not inherited; launcher variables neither.
 */
static void test_inheritance(void **state)
{
    (void)state;
    static const char *const overlay[] = {"ALTGRAD_TEST_A=new", "OPENBLAS_NUM_THREADS=1", NULL};
    const void *bytes;
    size_t size;
    int leak = fcntl(STDIN_FILENO, F_DUPFD, 40);
    assert_int_equal(leak, 40);
    setenv("ALTGRAD_TEST_A", "old", 1);
    setenv("ALTGRAD_TEST_AB", "stays", 1);
    setenv("OMPI_COMM_WORLD_RANK", "1", 1);
    setenv("PMI_RANK", "1", 1);
    setenv("PMIX_RANK", "1", 1);
    ag_child *child = start("inheritance", NULL, overlay);
    finish(child);
    assert_ok(ag_child_result(&bytes, &size, child));
    char *text = calloc(1, size + 1);
    memcpy(text, bytes, size);
    for (int fd = 0; fd < 64; fd++) {
        char line[16];
        snprintf(line, sizeof line, "fd %d\n", fd);
        if ((strstr(text, line) != NULL) != (fd <= AG_CHILD_PROGRESS_FD))
            fail_msg("the child %s descriptor %d", fd > 4 ? "inherits" : "lacks", fd);
    }
    assert_non_null(strstr(text, "env ALTGRAD_TEST_A=new\n"));
    assert_null(strstr(text, "env ALTGRAD_TEST_A=old\n"));
    assert_non_null(strstr(text, "env ALTGRAD_TEST_AB=stays\n"));
    assert_non_null(strstr(text, "env OPENBLAS_NUM_THREADS=1\n"));
    assert_null(strstr(text, "env OMPI_"));
    assert_null(strstr(text, "env PMI"));
    free(text);
    ag_child_destroy(child);
    close(leak);
}

static void test_cancel_ends_the_willing_and_the_stubborn(void **state)
{
    (void)state;
    static const struct {
        const char *deed;
        int signal;
    } cases[] = {
        {"wait",     SIGTERM},
        {"stubborn", SIGKILL},
    };
    for (size_t i = 0; i < 2; i++) {
        ag_child *child = start(cases[i].deed, NULL, NULL);
        wait_for_beat(child);
        assert_int_equal(ag_child_poll(child).state, AG_CHILD_RUNNING);
        assert_int_equal(atomic_load(&ag_child_progress(child)->step), 41);
        ag_child_cancel(child);
        ag_child_end end = finish(child);
        assert_int_equal(end.state, AG_CHILD_KILLED);
        assert_int_equal(end.signal, cases[i].signal);
        ag_child_destroy(child);
    }
}

static void test_destroy_kills(void **state)
{
    (void)state;
    ag_child *child = start("stubborn", NULL, NULL);
    wait_for_beat(child);
    ag_child_destroy(child);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

/* A process between us and the child is killed; the child, adopted by us, must follow it. */
static void test_child_dies_with_its_parent(void **state)
{
    (void)state;
    int channel[2];
    assert_int_equal(pipe(channel), 0);
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    pid_t between = fork();
    if (between == 0) {
        char self[16];
        snprintf(self, sizeof self, "%d", (int)getpid());
        ag_child *child = start("follow", self, NULL);
        wait_for_beat(child);
        if (write(channel[1], "r", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    char byte;
    assert_int_equal(read(channel[0], &byte, 1), 1);
    kill(between, SIGKILL);
    assert_int_equal(waitpid(between, NULL, 0), between);
    int status;
    assert_true(waitpid(-1, &status, 0) > 0);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
    close(channel[0]);
    close(channel[1]);
}

static void test_a_child_of_another_parent_leaves(void **state)
{
    (void)state;
    ag_child *child = start("follow", "1", NULL);
    ag_child_end end = finish(child);
    assert_int_equal(end.code, 9);
    ag_child_destroy(child);
}

static void test_a_missing_program_is_an_error(void **state)
{
    (void)state;
    const char *argv[] = {"/nonexistent/altgrad-train", NULL};
    ag_child_spec spec = {.argv = argv};
    ag_child *child = NULL;
    assert_fails(AG_ERR_SYSTEM, "cannot start /nonexistent/altgrad-train: No such file",
                 ag_child_start(&child, &spec));
    assert_null(child);
}

/* Every descriptor that a child needed is closed with it. */
static void test_no_descriptor_is_lost(void **state)
{
    (void)state;
    int before = dup(0);
    close(before);
    for (int i = 0; i < 20; i++) {
        ag_child *child = start("echo", NULL, NULL);
        finish(child);
        ag_child_destroy(child);
    }
    int after = dup(0);
    int high = fcntl(0, F_DUPFD_CLOEXEC, 16);
    close(after);
    close(high);
    assert_int_equal(after, before);
    assert_int_equal(high, 16);
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "child") == 0)
        return be_child(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deaths_are_told_apart),
        cmocka_unit_test(test_a_nap_ends_with_the_child),
        cmocka_unit_test(test_input_comes_back_as_result),
        cmocka_unit_test(test_a_big_result_is_intact),
        cmocka_unit_test(test_no_result_is_empty),
        cmocka_unit_test(test_log_tail),
        cmocka_unit_test(test_log_file),
        cmocka_unit_test(test_inheritance),
        cmocka_unit_test(test_cancel_ends_the_willing_and_the_stubborn),
        cmocka_unit_test(test_destroy_kills),
        cmocka_unit_test(test_child_dies_with_its_parent),
        cmocka_unit_test(test_a_child_of_another_parent_leaves),
        cmocka_unit_test(test_a_missing_program_is_an_error),
        cmocka_unit_test(test_no_descriptor_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
