/* Float32 with AVX-512. */
#include <immintrin.h>

#define ENGINE(name) ag_avx512_##name
#define PAIRED 0
enum { LANES = 16 };
typedef float vec __attribute__((vector_size(64)));
#define SPLAT(word) ((vec)_mm512_set1_epi32((int)*(word)))
#define MULTIPLY_ADD(x, b, s) ((vec)_mm512_fmadd_ps((__m512)(x), (__m512)(b), (__m512)(s)))
#define VECTORS 4
#define ROWS(V) ((V) == 4 ? 6 : 8)
#include "engine.inc"
