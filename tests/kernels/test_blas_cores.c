/* Which kernel sets of OpenBLAS a CPU can run, on the flags of real ones (lscpu, shortened to what
 * matters), and which one CPUs have in common. */
#include "support.h"

#include <stdbool.h>

#include "kernels/blas_cores.h"

typedef struct cpu {
    const char *flags;
    const char *own;   /* what OpenBLAS 0.3 takes there */
    const char * not ; /* the next that it cannot run */
} cpu;

static const cpu s_ivy_bridge = {"fpu sse sse2 pni ssse3 sse4_1 sse4_2 popcnt aes avx f16c",
                                 "Sandybridge", "Haswell"};
static const cpu s_opteron_6300 = {
    "fpu sse sse2 pni ssse3 sse4_1 sse4_2 avx f16c sse4a xop fma4 fma", "Piledriver", "Excavator"};
static const cpu s_xeon_e5_v3 = {
    "fpu sse sse2 pni ssse3 fma sse4_1 sse4_2 avx f16c bmi1 avx2 bmi2\n", "Haswell", "SkylakeX"};
static const cpu s_epyc_rome = {"fpu sse sse2 pni ssse3 fma sse4_1 sse4_2 avx sse4a avx2 sha_ni",
                                "Zen", "Excavator"};
static const cpu s_xeon_gold_6148 = {
    "pni ssse3 fma sse4_1 sse4_2 avx avx2 avx512f avx512dq avx512cd avx512bw avx512vl", "SkylakeX",
    "Cooperlake"};
static const cpu s_epyc_genoa = {
    "pni ssse3 fma sse4_1 sse4_2 avx sse4a avx2 avx512f avx512dq avx512cd avx512bw avx512vl "
    "avx512_bf16 avx512_vnni",
    "Cooperlake", "SapphireRapids"};

static bool runs(const cpu *its, const char *name)
{
    return ag_blas_cores_runnable(its->flags) >> ag_blas_core_find(name) & 1;
}

static void test_a_cpu_runs_its_own_and_not_the_next(void **state)
{
    (void)state;
    const cpu *cpus[] = {&s_ivy_bridge, &s_opteron_6300,   &s_xeon_e5_v3,
                         &s_epyc_rome,  &s_xeon_gold_6148, &s_epyc_genoa};
    for (size_t i = 0; i < sizeof cpus / sizeof cpus[0]; i++) {
        if (!runs(cpus[i], cpus[i]->own) || runs(cpus[i], cpus[i]->not ))
            fail_msg("%s: %s, not %s", cpus[i]->flags, cpus[i]->own, cpus[i]->not );
    }
}

/* What two CPUs have in common, each limited by the set that it would take. */
static const char *common(const cpu *a, const cpu *b)
{
    int own_a = ag_blas_core_find(a->own);
    int own_b = ag_blas_core_find(b->own);
    ag_blas_cores both = ag_blas_cores_runnable(a->flags) & ag_blas_cores_runnable(b->flags);
    int row = ag_blas_core_newest(both, own_a < own_b ? own_a : own_b);
    return row >= 0 ? ag_blas_core_name(row) : "none";
}

static void test_what_two_cpus_have_in_common(void **state)
{
    (void)state;
    assert_string_equal(common(&s_xeon_gold_6148, &s_xeon_e5_v3), "Haswell");
    assert_string_equal(common(&s_xeon_gold_6148, &s_epyc_rome), "Zen");
    assert_string_equal(common(&s_xeon_gold_6148, &s_epyc_genoa), "SkylakeX");
    assert_string_equal(common(&s_xeon_e5_v3, &s_epyc_rome), "Haswell");
    assert_string_equal(common(&s_xeon_e5_v3, &s_ivy_bridge), "Sandybridge");
    assert_string_equal(common(&s_epyc_genoa, &s_epyc_genoa), "Cooperlake");
    /* Piledriver is older than Haswell, but needs what Intel never had */
    assert_string_equal(common(&s_xeon_e5_v3, &s_opteron_6300), "Sandybridge");
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(ag_blas_core_name(ag_blas_core_find("skylakex")), "SkylakeX");
    assert_int_equal(ag_blas_core_find("SkylakeY"), -1);
    assert_int_equal(ag_blas_core_find(""), -1);
    assert_int_equal(ag_blas_core_newest(0, ag_blas_core_find("Zen")), -1);
    assert_int_equal(ag_blas_cores_runnable(""), 0);
    assert_int_equal(ag_blas_cores_runnable("xpni pnix ssse3"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_cpu_runs_its_own_and_not_the_next),
        cmocka_unit_test(test_what_two_cpus_have_in_common),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
