#include "kernels/blas_cores.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#define AVX512 "avx fma avx2 avx512f avx512cd avx512bw avx512dq avx512vl"

/* What each set is compiled for, by the words of /proc/cpuinfo (pni is SSE3), in the order in which
 * OpenBLAS got them. Zen is Haswell's kernels in other block sizes. */
static const struct {
    const char *name;
    const char *needs;
} s_cores[] = {
    {"Prescott",       "pni"                                                          },
    {"Core2",          "pni ssse3"                                                    },
    {"Penryn",         "pni ssse3 sse4_1"                                             },
    {"Dunnington",     "pni ssse3 sse4_1"                                             },
    {"Atom",           "pni ssse3"                                                    },
    {"Nehalem",        "pni ssse3 sse4_1 sse4_2"                                      },
    {"Barcelona",      "pni sse4a"                                                    },
    {"Bobcat",         "pni ssse3 sse4a"                                              },
    {"Sandybridge",    "sse4_2 avx"                                                   },
    {"Bulldozer",      "sse4_2 avx fma4 xop"                                          },
    {"Piledriver",     "sse4_2 avx fma4 xop fma"                                      },
    {"Steamroller",    "sse4_2 avx fma4 xop fma"                                      },
    {"Excavator",      "sse4_2 avx fma4 xop fma avx2"                                 },
    {"Haswell",        "sse4_2 avx fma avx2"                                          },
    {"Zen",            "sse4_2 avx fma avx2"                                          },
    {"SkylakeX",       AVX512                                                         },
    {"Cooperlake",     AVX512 " avx512_vnni avx512_bf16"                              },
    {"SapphireRapids", AVX512 " avx512_vnni avx512_bf16 avx512_fp16 amx_tile amx_bf16"},
};

enum { N_CORES = sizeof s_cores / sizeof s_cores[0] };
_Static_assert(N_CORES <= 32, "a bit each");

/* Whether one of the words of `text`, with spaces between, is `word`. */
static bool has_word(const char *text, const char *word, size_t length)
{
    for (const char *at = text; (at = strstr(at, word)) != NULL; at += length) {
        bool begins = at == text || at[-1] == ' ';
        if (begins && strchr(" \n", at[length]) != NULL)
            return true;
    }
    return false;
}

static bool has_words(const char *text, const char *words)
{
    for (const char *word = words; *word != '\0';) {
        size_t length = strcspn(word, " ");
        char one[32] = "";
        memcpy(one, word, length < sizeof one ? length : sizeof one - 1);
        if (!has_word(text, one, length))
            return false;
        word += length + strspn(word + length, " ");
    }
    return true;
}

ag_blas_cores ag_blas_cores_runnable(const char *flags)
{
    ag_blas_cores cores = 0;
    for (size_t row = 0; row < N_CORES; row++) {
        if (has_words(flags, s_cores[row].needs))
            cores |= (ag_blas_cores)1 << row;
    }
    return cores;
}

int ag_blas_core_find(const char *name)
{
    for (int row = 0; row < N_CORES; row++) {
        if (strcasecmp(s_cores[row].name, name) == 0)
            return row;
    }
    return -1;
}

const char *ag_blas_core_name(int row)
{
    return row < N_CORES ? s_cores[row].name : NULL;
}

int ag_blas_core_newest(ag_blas_cores cores, int limit)
{
    int row = limit;
    while (row >= 0 && (cores >> row & 1) == 0)
        row--;
    return row;
}
