/* Compares what is stored with its checksums. */
#ifndef AG_RESULTS_VERIFY_H
#define AG_RESULTS_VERIFY_H

#include "h5.h"

/* Compares every dataset of a run with its checksum, and its configuration with its
 * id; the second does so for each run of a file. */
void ag_verify_run(ag_h5 *h5, hid_t runs, const char *id);
ag_status ag_results_verify(const char *path);

/* The crc32 of the run's texts, which no checksum of HDF5 covers, as an attribute. */
void ag_put_texts_crc(ag_h5 *h5, hid_t run);

#endif
