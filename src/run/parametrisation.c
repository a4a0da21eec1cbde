/* A table in the header, a function of it for each of its three numbers. */
#include "run/parametrisation.h"

#include <math.h>

static double width_multiple(const ag_model_spec *model)
{
    return model->base_width > 0 ? (double)model->n_embd / (double)model->base_width : 1.0;
}

static bool is_hidden(ag_class which)
{
    return which == AG_CLASS_HIDDEN || which == AG_CLASS_RESIDUAL;
}

/* Projections into the residual stream are divided by sqrt(2 * n_layer) (Radford et al., "Language
 * models are unsupervised multitask learners", 2.3). */
double ag_class_std(const ag_model_spec *model, ag_class which)
{
    if (model->param == AG_PARAMETRISATION_MUS)
        return 1.0;
    double std = model->init_std;
    if (which == AG_CLASS_RESIDUAL)
        std /= sqrt(2.0 * (double)model->n_layer);
    if (model->param == AG_PARAMETRISATION_MUP && is_hidden(which))
        std /= sqrt(width_multiple(model));
    return std;
}

double ag_class_alpha(const ag_model_spec *model, ag_class which, size_t inputs)
{
    bool is_head = which == AG_CLASS_HEAD;
    if (model->param == AG_PARAMETRISATION_MUS && is_hidden(which))
        return 1.0 / sqrt((double)inputs);
    if (model->param == AG_PARAMETRISATION_MUS && is_head)
        return 1.0 / (double)inputs;
    return model->param == AG_PARAMETRISATION_MUP && is_head ? 1.0 / width_multiple(model) : 1.0;
}

double ag_class_lr(const ag_model_spec *model, ag_class which)
{
    double m = width_multiple(model);
    if (!is_hidden(which) || model->param == AG_PARAMETRISATION_STANDARD)
        return 1.0;
    return model->param == AG_PARAMETRISATION_MUP ? 1.0 / m : 1.0 / sqrt(m);
}
