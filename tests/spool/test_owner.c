/* Who may write, beyond what test_store.c shows: owners that look alive and are dead, jobs that
 * were requeued, damaged owner files; and children in which libhdf5 may crash. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "record/made_up.h"
#include "results/guard.h"
#include "results/overview.h"
#include "results/publish.h"
#include "spool/notes.h"
#include "spool/owner.h"
#include "spool/store.h"
#include "support.h"

static const ag_store_options s_plain = {.worker = ag_results_work};
static const ag_store_options s_take_over = {.take_over = true, .worker = ag_results_work};

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
    return ag_store_open(store, f->path, &f->grid, &facts, &s_plain);
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

/* Text of a file of /proc that is one word; or where a link of it leads. */
static const char *proc_word(const char *path, ag_arena *arena)
{
    char word[256] = "";
    FILE *file = fopen(path, "r");
    if (readlink(path, word, sizeof word - 1) <= 0 && file != NULL)
        assert_int_equal(fscanf(file, "%255s", word), 1);
    if (file != NULL)
        fclose(file);
    return ag_arena_strdup(arena, word);
}

/* Field 22 of /proc/self/stat; the name in field 2 of this test holds no space. */
static const char *own_start(ag_arena *arena)
{
    char word[32] = "";
    FILE *file = fopen("/proc/self/stat", "r");
    assert_non_null(file);
    for (int field = 1; field <= 22; field++)
        assert_int_equal(fscanf(file, "%31s", word), 1);
    fclose(file);
    return ag_arena_strdup(arena, word);
}

static void make_silent(fixture *f, int seconds)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    now.tv_sec -= seconds;
    const char *path = ag_arena_printf(&f->arena, "%s.d/owner", f->path);
    assert_int_equal(utimensat(AT_FDCWD, path, (struct timespec[2]){now, now}, 0), 0);
}

/* A pid tells only where it is one: elsewhere the heartbeat does. */
static void a_pid_is_asked_in_its_own_space_alone(void **state)
{
    fixture *f = *state;
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    const char *space = proc_word("/proc/self/ns/pid", &f->arena);
    const char *boot = proc_word("/proc/sys/kernel/random/boot_id", &f->arena);
    const char *self =
        ag_arena_printf(&f->arena, "pid %d\nstarted %s", (int)getpid(), own_start(&f->arena));
    const char *gone = "pid 999999999\nstarted 1";
    const struct {
        const char *process;
        const char *space; /* NULL: by a version that did not say */
        const char *boot;
        int silent_s;
        ag_life life;
    } cases[] = {
        {gone, space,   boot,   0,   AG_LIFE_DEAD     },
        {self, space,   boot,   900, AG_LIFE_HERE     },
        {gone, "pid:1", boot,   0,   AG_LIFE_ELSEWHERE},
        {self, "pid:1", boot,   0,   AG_LIFE_ELSEWHERE},
        {gone, "pid:1", boot,   299, AG_LIFE_ELSEWHERE},
        {gone, "pid:1", boot,   400, AG_LIFE_SILENT   },
        {gone, space,   "b-00", 0,   AG_LIFE_ELSEWHERE},
        {gone, space,   "b-00", 400, AG_LIFE_SILENT   },
        {gone, "-",     boot,   0,   AG_LIFE_ELSEWHERE},
        {self, NULL,    NULL,   900, AG_LIFE_HERE     },
        {gone, NULL,    NULL,   0,   AG_LIFE_ELSEWHERE},
        {gone, NULL,    NULL,   100, AG_LIFE_SILENT   },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ag_store *store = NULL;
        ag_owner_view seen;
        ag_text text;
        ag_text_init(&text);
        ag_text_printf(&text, "host %s\n%s\ntoken 0123\njob -\n", host, cases[i].process);
        if (cases[i].space != NULL)
            ag_text_printf(&text, "space %s\nboot %s\n", cases[i].space, cases[i].boot);
        write_owner(f, text.data);
        ag_text_deinit(&text);
        make_silent(f, cases[i].silent_s);
        assert_ok(ag_owner_find(&seen, f->path));
        assert_int_equal(seen.life, cases[i].life);
        bool is_left = cases[i].life == AG_LIFE_DEAD || cases[i].life == AG_LIFE_SILENT;
        assert_int_equal(open_as(&store, f, NULL), is_left ? AG_OK : AG_ERR_SYSTEM);
        ag_store_close(store);
    }
}

/* --- what is not the owner's stays */

static const fixture *s_second; /* comes while the first prepares */

static ag_status let_another_come(ag_store_task task, const char *path, const char *token)
{
    ag_store *store = NULL;
    const fixture *f = s_second;
    s_second = NULL;
    if (f != NULL) {
        assert_int_equal(ag_store_open(&store, f->path, &f->grid, &(ag_job_facts){0}, &s_plain),
                         AG_ERR_SYSTEM);
        assert_non_null(strstr(ag_error_message(), "copies that do not know each other"));
        ag_error_clear();
    }
    return ag_results_work(task, path, token);
}

static bool is_there(fixture *f, const char *name)
{
    return access(ag_arena_printf(&f->arena, "%s.d/%s", f->path, name), F_OK) == 0;
}

static void a_refused_copy_removes_nothing(void **state)
{
    fixture *f = *state;
    ag_store *store = NULL;
    const ag_store_options options = {.worker = let_another_come};
    s_second = f;
    assert_ok(ag_store_open(&store, f->path, &f->grid, &(ag_job_facts){0}, &options));
    assert_true(is_there(f, "grid.json") && is_there(f, "facts.json") && is_there(f, "owner"));
    ag_store_close(store);
    assert_false(is_there(f, "owner"));
}

static ag_store *s_newcomer; /* who stays the owner */

static ag_status be_replaced(ag_store_task task, const char *path, const char *token)
{
    const fixture *f = s_second;
    (void)task;
    (void)path;
    (void)token;
    s_second = NULL;
    if (f != NULL)
        assert_ok(ag_store_open(&s_newcomer, f->path, &f->grid, &(ag_job_facts){0}, &s_take_over));
    return ag_fail(AG_ERR_SYSTEM, "it failed");
}

/* One that was taken over and then fails leaves what the new owner wrote. */
static void a_replaced_owner_removes_nothing(void **state)
{
    fixture *f = *state;
    ag_store *store = NULL;
    const ag_store_options options = {.worker = be_replaced};
    s_second = f;
    assert_fails(AG_ERR_SYSTEM, "it failed",
                 ag_store_open(&store, f->path, &f->grid, &(ag_job_facts){0}, &options));
    assert_true(is_there(f, "grid.json") && is_there(f, "facts.json") && is_there(f, "owner"));
    ag_store_close(s_newcomer);
}

/* And one that fails while it is the owner leaves nothing. */
static void a_failure_at_the_start_leaves_nothing(void **state)
{
    fixture *f = *state;
    ag_store *store = NULL;
    const ag_store_options options = {.worker = be_replaced};
    assert_fails(AG_ERR_SYSTEM, "it failed",
                 ag_store_open(&store, f->path, &f->grid, &(ag_job_facts){0}, &options));
    assert_int_not_equal(access(ag_arena_printf(&f->arena, "%s.d", f->path), F_OK), 0);
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
    assert_ok(ag_store_open(&second, f->path, &f->grid, &(ag_job_facts){0}, &s_take_over));
    assert_fails(AG_ERR_SYSTEM, "was taken over by another altgrad",
                 ag_results_work(AG_STORE_PUBLISH, f->path, token));
    assert_int_not_equal(access(f->path, F_OK), 0);
    ag_error_clear();
    assert_ok(ag_results_work(AG_STORE_PUBLISH, f->path, ag_store_token(second)));
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
        CASE(a_pid_is_asked_in_its_own_space_alone),
        CASE(a_refused_copy_removes_nothing),
        CASE(a_replaced_owner_removes_nothing),
        CASE(a_failure_at_the_start_leaves_nothing),
        CASE(a_damaged_owner_file_is_told),
        CASE(a_replaced_owner_publishes_nothing),
        cmocka_unit_test(a_child_tells_how_it_ended),
        cmocka_unit_test(beats_go_on_while_a_child_works),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
