/* The weights that model.init names, from whatever file holds them. */
#include "init_weights.h"

#include "foreign/weights.h"
#include "results/run_file.h"

ag_status ag_init_read_weights(float *weights, const ag_tensor_table *tensors, const ag_run *run)
{
    const ag_model_spec *model = &run->model;
    if (!ag_architecture_is_file(model->init_file))
        return ag_weights_read(weights, tensors, model->init_file, model->init_run);
    if (model->init_run[0] != '\0' || (model->init_where != NULL && model->init_where[0] != '\0'))
        return ag_fail(AG_ERR_INPUT,
                       "%s: weights of one model, no results file: leave out model.init.%s",
                       model->init_file, model->init_run[0] != '\0' ? "run" : "where");
    return ag_architecture_import(weights, tensors, run, model->init_file);
}
