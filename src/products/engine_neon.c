/* Float32 with NEON on AArch64. */
#include <arm_neon.h>

#define ENGINE(name) ag_neon_##name
#define PAIRED 0
enum { LANES = 4 };
typedef float32x4_t vec;
#define SPLAT(word) vreinterpretq_f32_u32(vdupq_n_u32(*(word)))
#define MULTIPLY_ADD(x, b, s) vfmaq_f32((s), (x), (b))
#define VECTORS 4
#define ROWS(V) ((V) == 4 ? 6 : 8)
#include "engine.inc"
