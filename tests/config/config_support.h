/* Experiments out of strings. */
#ifndef AG_TESTS_CONFIG_SUPPORT_H
#define AG_TESTS_CONFIG_SUPPORT_H

#include "base/text.h"
#include "config/experiment.h"
#include "support.h"

/* A schema version and a small corpus: what every experiment needs besides its subject. */
#define HEAD "altgrad: 1\ndata: {synthetic: markov, vocab: 8, tokens: 4000}\n"

/* Writes `bytes` to a file of its own and loads it; findings go to `messages`, which this call
 * initialises. */
ag_status load_bytes(ag_experiment **out, const void *bytes, size_t size, ag_text *messages);

/* The experiment in `yaml`; the test fails with its messages when it has errors. */
ag_experiment *load_good(const char *yaml);

/* Fails unless `yaml` has errors, one of which contains `part`. */
void expect_error(const char *yaml, const char *part);

/* Fails unless `yaml` loads with a warning that contains `part`. */
void expect_warning(const char *yaml, const char *part);

/* The first label that has the point `value` on axis `axis`, and `other` on `other_axis` where that
 * is not NULL. */
const ag_label *find_label(const ag_grid *grid, const char *axis, const char *value,
                           const char *other_axis, const char *other);

#endif
