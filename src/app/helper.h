/* How `altgrad run` talks to its helpers. Rank 0 must not open HDF5 files, since libhdf5 crashes on
 * some damaged ones, and must not fork, since it uses MPI: it starts `altgrad helper WORK`, another
 * process of this program.
 *
 *   in    stdin: one JSON object, what the work is about
 *   out   AG_CHILD_RESULT_FD: JSON objects, one per line
 *           {"warning": TEXT}                    as often as there is one, as soon as there is one:
 *                                                a crash loses none
 *           {"value": ...}                       at most once
 *           {"status": WORD, "message": TEXT}    last; without it the helper died
 *
 * Standard error carries nothing that anybody reads.
 *
 *   WORK       in                          value
 *   prepare    out, token                  what ag_store_task says of this one and the next three
 *   unpack     out, token
 *   publish    out, token
 *   pack       out, token
 *   holdings   out                         {ID: true...} of the complete runs
 *   former     out                         {"checkpoints": N, "numerics": N, "experiment": NAME,
 *                                          "runs": [{"id", "state", "name"}...]} for each run that
 *                                          the results name or hold complete; the state is done,
 *                                          diverged, pending or orphan
 *   rounds     out                         {"experiment", "rounds": {...}} where seeds come in
 * rounds: rounds.c less       file, out, sets, only       warns where kept runs recorded less than
 * is asked for summary    out                         prints to standard output weights vocab_size,
 * settings        {"digest", "run"} of the weights that model.init names; settings: {"model.KEY":
 * TEXT...}
 */
#ifndef AG_APP_HELPER_H
#define AG_APP_HELPER_H

/* The word for each ag_status; NULL at the end. */
extern const char *const ag_helper_status_words[];

/* The name of the work for each ag_store_task. */
extern const char *const ag_helper_task_names[];

#endif
