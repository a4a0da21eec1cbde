/* The definition of a product, as it reads. */
#include <math.h>

#include "products/products.h"

static float element(const ag_product_spec *spec, size_t m, size_t n)
{
    const float *a = spec->a.at + m * spec->a.row_step;
    const float *b = spec->b.at + n * spec->b.row_step;
    float c = 0;
    const size_t length = spec->block > 0 ? spec->block : AG_SEGMENT;
    size_t k = 0;
    for (size_t end = length - spec->first; k < spec->K; end += length) {
        const bool is_first = k == 0;
        float s = 0;
        for (; k < spec->K && k < end; k++)
            s = fmaf(a[k * spec->a.k_step], b[k * spec->b.k_step], s);
        c = is_first ? s : c + s;
    }
    return c;
}

void ag_product_ref(float *c, size_t stride, const ag_product_spec *spec)
{
    for (size_t m = 0; m < spec->M; m++)
        for (size_t n = 0; n < spec->N; n++)
            c[m * stride + n] = element(spec, m, n);
    if (spec->finish != NULL)
        spec->finish(spec->context, 0, spec->M, 0, spec->N);
}
