/* Who may write, beyond what test_store.c shows: owners that look alive and are dead, jobs that
 * were requeued, damaged owner files; and children in which libhdf5 may crash. */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "made_up.h"
#include "store/guard.h"
#include "store/store.h"
#include "support.h"

typedef struct fixture {
    ag_arena arena;
    ag_run run;
    ag_grid grid;
    char folder[64];
    char path[96];
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    ag_arena_init_growing(&f->arena);
    made_up_grid(&f->grid, &f->run, 1, &f->arena);
    snprintf(f->folder, sizeof f->folder, "/tmp/altgrad-owner-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/out.h5", f->folder);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    int status = system(ag_arena_printf(&f->arena, "rm -rf %s", f->folder));
    ag_arena_deinit(&f->arena);
    free(f);
    return status;
}

static ag_status open_as(ag_store **store, fixture *f, const char *job)
{
    const ag_job_facts facts = {.job = job};
    ag_error_clear();
    return ag_store_open(store, f->path, &f->grid, &facts, false);
}

static void write_owner(fixture *f, const char *text)
{
    assert_int_equal(system(ag_arena_printf(&f->arena, "mkdir -p %s.d", f->path)), 0);
    FILE *file = fopen(ag_arena_printf(&f->arena, "%s.d/owner", f->path), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* A process that was killed keeps its entry in /proc until its parent asks for its end. */
static void a_zombie_is_dead(void **state)
{
    fixture *f = *state;
    ag_store *store = NULL;
    siginfo_t info;
    pid_t child = fork();
    if (child == 0) {
        bool opened = open_as(&store, f, NULL) == AG_OK;
        kill(getpid(), opened ? SIGKILL : SIGTERM);
    }
    assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(info.si_status, SIGKILL);
    assert_ok(open_as(&store, f, NULL));
    ag_store_close(store);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void a_requeued_job_replaces_its_earlier_life(void **state)
{
    static const struct {
        const char *held; /* by an owner on another host, moments ago */
        const char *own;
        bool taken;
    } cases[] = {
        {"SLURM 71, 2 nodes",            "SLURM 71, 2 nodes, restart 1",  true },
        {"SLURM 71, 2 nodes, restart 9", "SLURM 71, 3 nodes, restart 10", true },
        {"SLURM 71, 2 nodes",            "SLURM 71, 2 nodes",             false},
        {"SLURM 71, 2 nodes, restart 1", "SLURM 71, 2 nodes, restart 1",  false},
        {"SLURM 71, 2 nodes, restart 2", "SLURM 71, 2 nodes, restart 1",  false},
        {"SLURM 7, 2 nodes",             "SLURM 71, 2 nodes, restart 1",  false},
        {"-",                            "SLURM 71, 2 nodes, restart 1",  false},
        {"-",                            "",                              false},
    };
    fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ag_store *store = NULL;
        write_owner(f, ag_arena_printf(&f->arena,
                                       "host elsewhere\npid 1\nstarted 1\ntoken 0123\njob %s\n",
                                       cases[i].held));
        ag_status status = open_as(&store, f, cases[i].own);
        assert_int_equal(status, cases[i].taken ? AG_OK : AG_ERR_SYSTEM);
        if (!cases[i].taken)
            assert_non_null(strstr(ag_error_message(), "host elsewhere, pid 1"));
        ag_store_close(store);
    }
}

static void a_damaged_owner_file_is_told(void **state)
{
    fixture *f = *state;
    ag_store *store = NULL;
    write_owner(f, "host");
    assert_int_equal(open_as(&store, f, NULL), AG_ERR_SYSTEM);
    assert_non_null(strstr(ag_error_message(), "out.h5.d/owner is damaged"));
}

/* Publishing for an owner that was replaced writes nothing. */
static void a_replaced_owner_publishes_nothing(void **state)
{
    fixture *f = *state;
    ag_store *store = NULL;
    ag_store *second = NULL;
    char token[64];
    assert_ok(open_as(&store, f, NULL));
    snprintf(token, sizeof token, "%s", ag_store_token(store));
    assert_ok(ag_store_open(&second, f->path, &f->grid, &(ag_job_facts){0}, true));
    assert_fails(AG_ERR_SYSTEM, "was taken over by another altgrad",
                 ag_store_work(AG_STORE_PUBLISH, f->path, token));
    assert_int_not_equal(access(f->path, F_OK), 0);
    ag_error_clear();
    assert_ok(ag_store_work(AG_STORE_PUBLISH, f->path, ag_store_token(second)));
    assert_int_equal(access(f->path, F_OK), 0);
    ag_store_close(store);
    ag_store_close(second);
}

/* --- children */

static ag_status say(void *context)
{
    return ag_fail(AG_ERR_INPUT, "said by %s", (const char *)context);
}

static ag_status crash(void *context)
{
    (void)context;
    (void)signal(SIGSEGV, SIG_DFL); /* a sanitizer's handler would report it as its own finding */
    (void)raise(SIGSEGV);
    return AG_OK;
}

static ag_status count(void *context)
{
    ++*(int *)context;
    return AG_OK;
}

static void a_child_tells_how_it_ended(void **state)
{
    (void)state;
    int alone = 0;
    int *shared = ag_guard_share(sizeof *shared);
    assert_fails(AG_ERR_INPUT, "said by me", ag_guard(say, "me"));
    assert_fails(AG_ERR_SYSTEM, "ended early (Segmentation fault)", ag_guard(crash, NULL));
    ag_error_clear();
    assert_ok(ag_guard(count, &alone));
    assert_ok(ag_guard(count, shared));
    assert_int_equal(alone, 0);
    assert_int_equal(*shared, 1);
    ag_guard_unshare(shared, sizeof *shared);
}

static ag_status wait_for_three(void *context)
{
    const volatile int *beats = context;
    while (*beats < 3)
        ag_clock_nap(1e-4);
    return ag_fail(AG_ERR_INPUT, "three");
}

static void beat(void *context)
{
    ++*(volatile int *)context;
}

/* The child does not end before it was waited for so long. */
static void beats_go_on_while_a_child_works(void **state)
{
    (void)state;
    int *beats = ag_guard_share(sizeof *beats);
    assert_fails(AG_ERR_INPUT, "three", ag_guard_beating(wait_for_three, beats, beat, 1));
    assert_true(*beats >= 3);
    ag_guard_unshare(beats, sizeof *beats);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_zombie_is_dead),
        CASE(a_requeued_job_replaces_its_earlier_life),
        CASE(a_damaged_owner_file_is_told),
        CASE(a_replaced_owner_publishes_nothing),
        cmocka_unit_test(a_child_tells_how_it_ended),
        cmocka_unit_test(beats_go_on_while_a_child_works),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
