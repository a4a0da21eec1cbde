/* fuzz TARGET COUNT [--seed SEED] [--case NUMBER] [FILE...]: tries COUNT mutations of the target's
 * inputs, in children of a few hundred each, so that a crash or a hang costs one case and is told
 * with its seed and number; its input is kept in the current folder. Exit code 1 when a case
 * failed.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/status.h"
#include "fuzz.h"

enum { BATCH = 250, MOST_FAILURES = 10, CPU_LIMIT_S = 20, WALL_LIMIT_S = 120 };

/* Shared with the child. */
typedef struct progress {
    uint32_t number; /* of the case that runs */
    uint32_t accepted;
    char complaint[1024];
} progress;

typedef struct fuzzer {
    const fuzz_target *target;
    uint32_t count;
    uint32_t first;
    uint64_t seed;
    fuzz_corpus corpus;
    progress *progress;
    char home[4096];
    size_t failures;
} fuzzer;

static fuzzer s_fuzzer;
static fuzz_input s_input;

static void die(const char *what)
{
    fprintf(stderr, "fuzz: %s: %s\n", what, strerror(errno));
    exit(2);
}

void fuzz_write(const char *path, const char *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(bytes, 1, size, file) != size || fclose(file) != 0)
        die(path);
}

static void add_file(fuzz_corpus *corpus, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        die(path);
    size_t size = fread(s_input.bytes, 1, FUZZ_LARGEST, file);
    fclose(file);
    fuzz_add(corpus, path, s_input.bytes, size);
}

/* CPU time for a loop, wall time for a wait: a loaded machine is no hang. */
static void limit_time(void)
{
    const struct itimerval cpu = {.it_value = {.tv_sec = CPU_LIMIT_S}};
    setitimer(ITIMER_PROF, &cpu, NULL);
    alarm(WALL_LIMIT_S);
}

static void run_batch(fuzzer *f, uint32_t from, uint32_t to)
{
    for (uint32_t number = from; number < to; number++) {
        f->progress->number = number;
        limit_time();
        ag_error_clear();
        fuzz_make(&s_input, &f->corpus, f->seed, number);
        const char *complaint = f->target->run(&s_input);
        f->progress->accepted += s_input.accepted;
        if (complaint == NULL)
            continue;
        snprintf(f->progress->complaint, sizeof f->progress->complaint, "%s", complaint);
        exit(3);
    }
    exit(0); /* and the leak sanitizer looks */
}

static void tell_failure(fuzzer *f, uint32_t from, int end)
{
    char path[4352];
    uint32_t number = f->progress->number;
    fuzz_make(&s_input, &f->corpus, f->seed, number);
    snprintf(path, sizeof path, "%s/fuzz-%s-%llu-%u", f->home, f->target->name,
             (unsigned long long)f->seed, number);
    fuzz_write(path, s_input.bytes, s_input.size);
    f->failures++;
    fprintf(stderr,
            "FAILED: %s --seed %llu --case %u (a mutation of %s), kept as %s: ", f->target->name,
            (unsigned long long)f->seed, number, s_input.item->name, path);
    if (WIFSIGNALED(end))
        fprintf(stderr, "killed by signal %d (%s)\n", WTERMSIG(end), strsignal(WTERMSIG(end)));
    else if (WEXITSTATUS(end) == 3)
        fprintf(stderr, "%s\n", f->progress->complaint);
    else
        fprintf(stderr, "ended with exit code %d, or leaked in a case from %u on\n",
                WEXITSTATUS(end), from);
}

/* Runs the cases of one child; returns where to go on. */
static uint32_t run_child(fuzzer *f, uint32_t from)
{
    uint32_t to = f->count - from > BATCH ? from + BATCH : f->count;
    int end = 0;
    fflush(NULL);
    pid_t child = fork();
    if (child < 0)
        die("fork");
    if (child == 0)
        run_batch(f, from, to);
    if (waitpid(child, &end, 0) != child)
        die("waitpid");
    if (WIFEXITED(end) && WEXITSTATUS(end) == 0)
        return to;
    tell_failure(f, from, end);
    return f->progress->number + 1;
}

static void parse(fuzzer *f, int argc, char **argv)
{
    static const fuzz_target *const targets[] = {&fuzz_experiments, &fuzz_assignments, &fuzz_grids,
                                                 &fuzz_notes};
    for (size_t i = 0; argc > 2 && i < sizeof targets / sizeof targets[0]; i++) {
        if (strcmp(argv[1], targets[i]->name) == 0)
            f->target = targets[i];
    }
    if (f->target == NULL) {
        fprintf(stderr, "usage: fuzz experiments|assignments|grids|notes COUNT [--seed SEED] "
                        "[--case NUMBER] [FILE...]\n");
        exit(2);
    }
    f->count = (uint32_t)strtoul(argv[2], NULL, 10);
    for (int i = 3; i < argc; i++) {
        if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            f->seed = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--case") == 0 && i + 1 < argc) {
            f->first = (uint32_t)strtoul(argv[++i], NULL, 10);
            f->count = f->first + 1;
        } else {
            add_file(&f->corpus, argv[i]);
        }
    }
}

int main(int argc, char **argv)
{
    fuzzer *f = &s_fuzzer;
    char folder[] = "/tmp/altgrad-fuzz-XXXXXX";
    parse(f, argc, argv);
    f->progress =
        mmap(NULL, sizeof *f->progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (f->progress == MAP_FAILED || getcwd(f->home, sizeof f->home) == NULL ||
        mkdtemp(folder) == NULL || chdir(folder) != 0)
        die(folder);
    f->target->prepare(&f->corpus);
    for (uint32_t next = f->first; next < f->count && f->failures < MOST_FAILURES;)
        next = run_child(f, next);
    printf("%s: %u cases from %zu inputs, %u of them good, %zu failed\n", f->target->name,
           f->count - f->first, f->corpus.count, f->progress->accepted, f->failures);
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    int removed = chdir("/") == 0 ? system(command) : 1;
    return f->failures > 0 || removed != 0;
}
