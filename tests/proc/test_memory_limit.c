/* Made-up /proc and /sys/fs/cgroup of hosts, containers and SLURM jobs, as the kernel and slurmd
 * lay them out. */
#include "support.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proc/memory.h"

static const uint64_t MiB = 1048576;

static char s_root[] = "/tmp/altgrad-memory-XXXXXX";

static void put(const char *name, const char *text)
{
    char path[1024];
    snprintf(path, sizeof path, "%s%s", s_root, name);
    for (char *slash = path + strlen(s_root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static int begin(void **state)
{
    (void)state;
    snprintf(s_root, sizeof s_root, "/tmp/altgrad-memory-XXXXXX");
    assert_non_null(mkdtemp(s_root));
    put("/proc/meminfo",
        "MemTotal:        4194304 kB\nMemFree:  5 kB\nMemAvailable:  3145728 kB\n");
    put("/proc/vmstat", "nr_free_pages 5\noom_kill_disable 9\noom_kill 3\n");
    return 0;
}

static int end(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", s_root);
    return system(command);
}

static void check(uint64_t bytes, uint64_t held, const char *source)
{
    ag_memory_limit limit;
    ag_memory_limit_read(&limit, s_root);
    assert_int_equal(limit.bytes, bytes);
    assert_int_equal(limit.held, held);
    const char *found = limit.source;
    if (strncmp(found, s_root, strlen(s_root)) == 0)
        found += strlen(s_root);
    assert_string_equal(found, source);
}

static const char v2_mount[] = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
                               "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 none rw\n";
static const char v1_mounts[] =
    "32 31 0:29 / /sys/fs/cgroup/cpu rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw shared:12 - cgroup cgroup rw,memory\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

#define V2_JOB "/sys/fs/cgroup/system.slice/slurmstepd.scope/job_7"
#define V1_JOB "/sys/fs/cgroup/memory/slurm/uid_0/job_7"

static void test_host(void **state)
{
    (void)state;
    check(4096 * MiB, 1024 * MiB, "/proc/meminfo"); /* no cgroups at all */
    put("/proc/self/cgroup", "0::/user.slice\n");
    check(4096 * MiB, 1024 * MiB, "/proc/meminfo"); /* not mounted */
    put("/proc/self/mountinfo", v2_mount);
    put("/sys/fs/cgroup/user.slice/memory.max", "max\n");
    check(4096 * MiB, 1024 * MiB, "/proc/meminfo");
    put("/sys/fs/cgroup/user.slice/memory.max", "8589934592\n"); /* more than there is */
    check(4096 * MiB, 1024 * MiB, "/proc/meminfo");
    put("/sys/fs/cgroup/user.slice/memory.max", "");
    check(4096 * MiB, 1024 * MiB, "/proc/meminfo");
}

static void test_unknown(void **state)
{
    (void)state;
    put("/proc/meminfo", "MemTotal: none\n");
    check(0, 0, "/proc/meminfo");
    put("/proc/self/cgroup", "0::/\n");
    put("/proc/self/mountinfo", v2_mount);
    put("/sys/fs/cgroup/memory.max", "1048576\n"); /* a limit is known all the same */
    check(MiB, 0, "/sys/fs/cgroup/memory.max");
}

/* The limit stands on the job and a tighter one on the step; the task's folder has none. */
static void test_slurm_v2(void **state)
{
    (void)state;
    put("/proc/self/mountinfo", v2_mount);
    put("/proc/self/cgroup", "0::/system.slice/slurmstepd.scope/job_7/step_0/user/task_1\n");
    put(V2_JOB "/memory.max", "2147483648\n");
    put(V2_JOB "/memory.current", "314572800\n");
    put(V2_JOB "/memory.stat", "anon 5\nfile 9\nactive_file 7\ninactive_file 104857600\n");
    put(V2_JOB "/step_0/memory.max", "max\n");
    put(V2_JOB "/step_0/user/task_1/memory.max", "max\n");
    check(2048 * MiB, 200 * MiB, V2_JOB "/memory.max");
    put(V2_JOB "/step_0/memory.max", "1073741824\n");
    check(1024 * MiB, 0, V2_JOB "/step_0/memory.max");
    put("/sys/fs/cgroup/memory.max", "1\n"); /* the top itself holds too */
    check(1, 0, "/sys/fs/cgroup/memory.max");
}

static void test_slurm_v1(void **state)
{
    (void)state;
    put("/proc/self/mountinfo", v1_mounts);
    put("/proc/self/cgroup", "9:name=systemd:/x\n4:cpu,cpuacct:/slurm/uid_0/job_7\n"
                             "3:memory:/slurm/uid_0/job_7/step_0/task_1\n0::/x\n");
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put(V1_JOB "/memory.limit_in_bytes", "2147483648\n");
    put(V1_JOB "/memory.usage_in_bytes", "104857600\n");
    put(V1_JOB "/memory.stat", "inactive_file 1\ntotal_inactive_file 314572800\n");
    put(V1_JOB "/step_0/task_1/memory.limit_in_bytes", "9223372036854771712\n");
    check(2048 * MiB, 0, V1_JOB "/memory.limit_in_bytes"); /* counters are not read at one time */
    put(V1_JOB "/memory.stat", "inactive_file 1\ntotal_inactive_file 4857600\n");
    check(2048 * MiB, 100000000, V1_JOB "/memory.limit_in_bytes");
}

static void test_containers(void **state)
{
    (void)state;
    const char *const own[] = {"0::/\n", "0::/../../elsewhere\n", "0::/docker/abc\n"};
    put("/proc/self/mountinfo", v2_mount);
    put("/sys/fs/cgroup/memory.max", "536870912\n");
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        put("/proc/self/cgroup", own[i]);
        check(512 * MiB, 0, "/sys/fs/cgroup/memory.max");
    }
    /* the mount shows a part of the hierarchy that the path names in full */
    put("/proc/self/mountinfo",
        "30 23 0:26 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n");
    put("/proc/self/cgroup", "5:memory:/docker/abc\n0::/docker/abc\n");
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "268435456\n");
    check(256 * MiB, 0, "/sys/fs/cgroup/memory/memory.limit_in_bytes");
    put("/proc/self/cgroup", "5:memory:/docker/abc/inner\n");
    put("/sys/fs/cgroup/memory/inner/memory.limit_in_bytes", "134217728\n");
    check(128 * MiB, 0, "/sys/fs/cgroup/memory/inner/memory.limit_in_bytes");
}

static void test_oom_kills(void **state)
{
    (void)state;
    assert_int_equal(ag_memory_oom_kills(s_root), 3); /* the host's */
    put("/proc/self/mountinfo", v2_mount);
    put("/proc/self/cgroup", "0::/job\n");
    assert_int_equal(ag_memory_oom_kills(s_root), 3); /* the top has no such file */
    put("/sys/fs/cgroup/job/memory.events", "low 0\noom 7\noom_kill 5\noom_group_kill 1\n");
    assert_int_equal(ag_memory_oom_kills(s_root), 5);
    put("/proc/self/mountinfo", v1_mounts);
    put("/proc/self/cgroup", "3:memory:/job\n");
    put("/sys/fs/cgroup/memory/job/memory.oom_control",
        "oom_kill_disable 0\nunder_oom 0\noom_kill 6\n");
    assert_int_equal(ag_memory_oom_kills(s_root), 6);
}

/* Of the machine that runs this test nothing is known but that it has memory. */
static void test_this_host(void **state)
{
    (void)state;
    ag_memory_limit limit;
    ag_memory_limit_read(&limit, "");
    assert_true(limit.bytes > 64 * MiB);
    assert_true(limit.held < 2 * limit.bytes);
    assert_int_equal(access(limit.source, R_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_host, begin, end),
        cmocka_unit_test_setup_teardown(test_unknown, begin, end),
        cmocka_unit_test_setup_teardown(test_slurm_v2, begin, end),
        cmocka_unit_test_setup_teardown(test_slurm_v1, begin, end),
        cmocka_unit_test_setup_teardown(test_containers, begin, end),
        cmocka_unit_test_setup_teardown(test_oom_kills, begin, end),
        cmocka_unit_test(test_this_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
