/* Vectors without names of instructions (GCC's and Clang's vector extensions), and the two things
 * that compilers must be told: which loops to unroll, and how to transpose. */
#ifndef AG_PRODUCTS_LANES_H
#define AG_PRODUCTS_LANES_H

#include "products_internal.h"

#if defined(__SSE2__)
#include <xmmintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

/* A loop of few, constant rounds, which is unrolled: its arrays are registers then. gcc -O2 and -O3
 * lose two thirds of the speed without it. */
#if defined(__clang__)
#define UNROLLED _Pragma("clang loop unroll(full)")
#else
#define UNROLLED _Pragma("GCC unroll 16")
#endif
/* NOLINTNEXTLINE(bugprone-macro-parentheses): i is declared */
#define EACH(i, count) UNROLLED for (size_t i = 0; i < (count); i++)

#define VECTOR(type, count) type __attribute__((vector_size((count) * sizeof(type)), may_alias))

/* to [4][4] = the transpose of from [4][4], rows to_step and from_step words apart */
INLINE void transpose_4(uint32_t *to, size_t to_step, const uint32_t *from, size_t from_step)
{
#if defined(__SSE2__)
    __m128 x = _mm_loadu_ps((const float *)from);
    __m128 y = _mm_loadu_ps((const float *)(from + from_step));
    __m128 z = _mm_loadu_ps((const float *)(from + 2 * from_step));
    __m128 w = _mm_loadu_ps((const float *)(from + 3 * from_step));
    _MM_TRANSPOSE4_PS(x, y, z, w);
    _mm_storeu_ps((float *)to, x);
    _mm_storeu_ps((float *)(to + to_step), y);
    _mm_storeu_ps((float *)(to + 2 * to_step), z);
    _mm_storeu_ps((float *)(to + 3 * to_step), w);
#elif defined(__aarch64__)
    uint32x4x2_t xy = vtrnq_u32(vld1q_u32(from), vld1q_u32(from + from_step));
    uint32x4x2_t zw = vtrnq_u32(vld1q_u32(from + 2 * from_step), vld1q_u32(from + 3 * from_step));
    for (size_t i = 0; i < 2; i++) {
        vst1q_u32(to + i * to_step, vcombine_u32(vget_low_u32(xy.val[i]), vget_low_u32(zw.val[i])));
        vst1q_u32(to + (i + 2) * to_step,
                  vcombine_u32(vget_high_u32(xy.val[i]), vget_high_u32(zw.val[i])));
    }
#else
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < 4; j++)
            to[j * to_step + i] = from[i * from_step + j];
#endif
}

#endif
