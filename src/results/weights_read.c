/* The weights of a run, from wherever they lie. */
#include "results/run_file.h"
#include "run_reader.h"

ag_status ag_weights_read(float *weights, const ag_tensor_table *tensors, const char *path,
                          const char *id)
{
    ag_run_reader reader;
    ag_run_reader_open(&reader, path, id);
    ag_run_read_tensors(&reader, "weights", tensors, weights);
    return ag_run_reader_close(&reader);
}
