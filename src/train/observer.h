/* The observer: on sampled steps it looks at what training does, and changes nothing of it.
 *
 *   begin -> forward and backward: operands and products tell -> the gradient is there
 *         -> update -> the update is done: a row of the record's samples is complete
 *
 * A sampler is a table of metrics and a function that fills them in for one subject,
 * which is an operand or a linear layer. Off, it is one comparison an operand. */
#ifndef AG_TRAIN_OBSERVER_H
#define AG_TRAIN_OBSERVER_H

#include "numerics/counters.h"
#include "seen.h"
#include "trainer.h"

/* Central moments: n, mean, and sums of the second to fourth powers of x - mean. */
typedef struct ag_moments {
    double n, mean, m2, m3, m4;
} ag_moments;

/* What is gathered of one operand during a step. */
struct ag_watch {
    bool counted;  /* for quant, or for the dead part of a gradient */
    bool measured; /* for kurtosis */
    ag_counters counters;
    ag_moments moments;
};

typedef enum ag_when { AG_BEFORE_UPDATE, AG_AFTER_UPDATE } ag_when;

typedef struct ag_sampler {
    ag_when when;
    const char *folder; /* of its groups, below /runs/<id> */
    const ag_metric *metrics;
    size_t n_metrics;
    void (*fill)(double *row, const ag_trainer *trainer, size_t subject);
} ag_sampler;

/* Subject of the first is an operand's watch; */
extern const ag_sampler ag_sampler_quant; /* observe_operands.c */
/* of these a linear layer; */
extern const ag_sampler ag_sampler_kurtosis;  /* observe_operands.c */
extern const ag_sampler ag_sampler_rms_input; /* observe_operands.c */
extern const ag_sampler ag_sampler_grad;      /* observe_gradient.c */
extern const ag_sampler ag_sampler_flips;     /* observe_weights.c */
extern const ag_sampler ag_sampler_grid;      /* observe_weights.c */
extern const ag_sampler ag_sampler_rank;      /* observe_rank.c */
/* a block, a place of the residual stream (two a block), a tensor, the run. */
extern const ag_sampler ag_sampler_attn;            /* observe_attention.c */
extern const ag_sampler ag_sampler_rms_residual;    /* observe_forward.c */
extern const ag_sampler ag_sampler_rms_tensor;      /* observe_weights.c */
extern const ag_sampler ag_sampler_logits;          /* observe_forward.c */
extern const ag_sampler ag_sampler_logit_sharpness; /* observe_forward.c */
extern const ag_sampler ag_sampler_noise;           /* observe_noise.c */
extern const ag_sampler ag_sampler_sharpness;       /* observe_sharpness.c */

/* What fills a group of the samples. */
typedef struct ag_subject {
    const ag_sampler *sampler;
    size_t index;
} ag_subject;

enum { AG_OPERANDS_PER_LAYER = AG_ROLES * AG_USES };

/* The arrays are NULL where no diagnostic asks for them. */
struct ag_observer {
    bool sampling; /* the step at hand is sampled */
    bool probing;  /* NaN and Inf are looked for */
    int64_t step;
    char *found; /* [AG_NONFINITE_SIZE]: the record's; "" while there was none */
    size_t n_layers;
    ag_linear **linears; /* [n_layers] */
    size_t n_watches;
    ag_watch *watches;    /* [n_watches]: layers by role and use, then sites */
    ag_subject *subjects; /* those of the record's sampled groups */
    float *copy;          /* an operand's tensor, where its values take its place */
    const float *x;       /* that tensor, while the values are made */
    float *gradient;      /* [tensors.total]: of the run; the model then holds the shadow's */
    float *codes;         /* the layers' weights on their grid before the update, one by one */
    float *before;        /* [tensors.total]: weights before the update */
    float *last;          /* [tensors.total]: weights at the last sample */
    ag_scales scales;     /* of the groups of one operand */
    ag_attn_seen *attn;   /* [L] */
    ag_head_seen *heads;  /* [B, H]: of one block */
    double *residual;     /* [2 L]: sum of the squares of the stream after each branch */
    double tokens;        /* of the step so far */
    ag_logits_seen logits;
    float *part; /* [tensors.total]: the gradient before a part is added, */
    ag_noise_seen noise;
    float *direction; /* [tensors.total]: of the search for the largest curvature, */
    float *ahead;     /* and the gradient there */
    ag_sharpness sharpness;
    double *singular; /* values and scratch of the largest weight matrix */
    ag_format null;   /* on whose grid a weight with no format is */
};

/* Whether observe.diagnostics names it. */
bool ag_observes(const ag_run *run, ag_diagnostic diagnostic);

/* --- observe_operands.c */

/* The groups of an operand and their scales, in observer->scales, as its values have them; S = 1
 * for one that is not quantised. source->x has been transformed, where the scheme says so. `where`
 * as in ag_scales_select. */
ag_groups ag_observe_scales(const ag_observer *observer, const ag_operand *operand,
                            const ag_source *source, const ag_rounding_site *where);

/* --- observe_step.c */

/* Row [n_metrics] of a group that the phase does not have: no elements were counted, nothing was
 * measured. */
void ag_observe_absent(double *row, const ag_sampled *group);

/* --- observe_weights.c */

/* Keeps the layer's weights as values on their grid, as the step has used them. */
void ag_observe_codes(const ag_observer *observer, size_t layer);

/* --- observe_attention.c */

/* Adds what the attention of a block did in a forward pass. */
void ag_observe_attention(ag_observer *observer, ag_model *model, size_t block,
                          const ag_pass *pass);

/* --- observe_forward.c */

/* 100 (L* - L) / (1 + L) of a token's loss L, L* being that of the worst logits within epsilon of
 * the token's: the target's epsilon lower, all others epsilon higher. */
double ag_logit_sharpness(double loss, double epsilon);

/* --- observe_noise.c */

/* Before a backward pass adds to the gradient. */
void ag_observe_noise_before(ag_observer *observer, const ag_trainer *trainer);

/* --- observe_sharpness.c */

/* Finds the sharpness of the step's weights, observer->before; model.grads is lost. */
void ag_observe_sharpness(ag_trainer *trainer);

/* The search itself, on trainer->tokens: from v [tensors.total], which becomes the last Hv; room
 * [tensors.total] is free for use. state.weights are `weights` before and after. */
ag_sharpness ag_observe_curvature(ag_trainer *trainer, float *v, float *room, const float *weights);

#endif
