/* Attention whose products have quantised operands. */
#ifndef AG_TRAIN_ATTENTION_H
#define AG_TRAIN_ATTENTION_H

#include <stddef.h>

#include "operand_words.h"
#include "site.h"

/* What all blocks share. */
typedef struct ag_attention_space {
    float *heads[3];     /* [B, H, T, D] each: of a product's result, of dout and its second copy */
    float *dscores;      /* [B, H, T, T] */
    float *dscores_copy; /* of it, or NULL */
    uint32_t *room[2];   /* of the pairs of a head's products */
} ag_attention_space;

/* Of one block. */
typedef struct ag_attention {
    const ag_kernels *kernels;
    ag_site_operands *q, *k, *ds, *p, *v, *dout; /* NULL: both sites are off */
    float *heads[3][AG_USES]; /* q [B, H, T, D], k, v [B, K, T, D], the second only where it is a
                                 copy */
    float *dropped[AG_USES];  /* [B, H, T, T]: p as it meets v */
    const ag_attention_space *space;
} ag_attention;

/* As ag_attention_forward_fn and ag_attention_backward_fn, with quantised operands. `probs` are
 * kept as they are before dropout and Q. */
void ag_attend(float *out, ag_attention *attention, float *probs, const float *qkv,
               const ag_attention_shape *shape, const ag_pass *pass);
void ag_attend_backward(float *dqkv, ag_attention *attention, const float *dout, const float *probs,
                        const ag_attention_shape *shape, const ag_pass *pass);

#endif
