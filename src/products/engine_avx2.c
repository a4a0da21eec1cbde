/* Float32 with AVX2 and FMA: 16 registers hold 6 x 2 sums. */
#include <immintrin.h>

#define ENGINE(name) ag_avx2_##name
#define PAIRED 0
enum { LANES = 8 };
typedef float vec __attribute__((vector_size(32)));
#define SPLAT(word) ((vec)_mm256_set1_epi32((int)*(word)))
#define MULTIPLY_ADD(x, b, s) ((vec)_mm256_fmadd_ps((__m256)(x), (__m256)(b), (__m256)(s)))
#define VECTORS 2
#define ROWS(V) ((V) == 2 ? 6 : 8)
#include "engine.inc"
