/* What the files of this folder share: HDF5 in few calls, and the tables of what is stored. */
#ifndef AG_STORE_STORE_INTERNAL_H
#define AG_STORE_STORE_INTERNAL_H

#include <hdf5.h>
#include <stdbool.h>

#include "base/text.h"
#include "run/grid.h"
#include "store/record.h"
#include "store/store.h"
#include "store/watch.h"

#define AG_RESULTS_FORMAT "altgrad-results"
#define AG_RUN_FORMAT "altgrad-run"

/* 2: /index has every run of the grid, and orphans have a table of their own. Files of 1 are read.
 */
enum { AG_FORMAT_VERSION = 2 };

/* --- h5.c: an open HDF5 file. Calls on a file that has failed do nothing; the first failure is
 * recorded by ag_fail and returned by ag_h5_close. */
typedef struct ag_h5 {
    hid_t id;
    const char *path; /* borrowed */
    bool writes;
    ag_status status;
} ag_h5;

typedef enum ag_cell {
    AG_CELL_I8,
    AG_CELL_I64,
    AG_CELL_U32,
    AG_CELL_F32,
    AG_CELL_F64,
    AG_CELL_SHAPE, /* int64_t[2] */
    AG_CELL_TEXT,  /* char[size], closed by a 0 */
    AG_CELLS
} ag_cell;

/* A member of a plain struct as it is stored: an attribute, or a column of a table. */
typedef struct ag_column {
    const char *name;
    ag_cell type;
    size_t offset;
    size_t size; /* bytes; counts for AG_CELL_TEXT only */
} ag_column;

typedef struct ag_table {
    size_t n_columns;
    const ag_column *columns;
    size_t row_size; /* bytes */
    size_t n_rows;
    void *rows;
} ag_table;

/* An array of any rank, contiguous, row-major. */
typedef struct ag_array {
    ag_cell type;
    int n_dims;
    hsize_t dims[2];
    const void *data;
} ag_array;

/* A new file (an old one is overwritten) that every HDF5 from 1.8 on reads, without time stamps. */
void ag_h5_create(ag_h5 *h5, const char *path);

/* The same in an open file, that may have no name; `name` is for messages. */
void ag_h5_create_on(ag_h5 *h5, int fd, const char *name);

/* Opens a file for reading. Fails with AG_ERR_INPUT when there is none, with AG_ERR_FILE when it is
 * no HDF5 file or its root's attribute "format" is neither `format` nor `other` (may be NULL).
 * Where `format` is NULL any HDF5 file will do. */
void ag_h5_open(ag_h5 *h5, const char *path, const char *format, const char *other);
ag_status ag_h5_close(ag_h5 *h5);

/* Opens the bytes of a run file, which stay the caller's and are copied; `name` is for messages. */
void ag_h5_open_bytes(ag_h5 *h5, const char *name, const void *bytes, size_t size);

/* Records the failure of a call on `name`, with HDF5's own reason. */
void ag_h5_fail(ag_h5 *h5, const char *what, const char *name);

/* Creation properties of a file, group or dataset: no time stamps, attributes in the header. */
hid_t ag_h5_properties(hid_t class);

/* Handles are closed with ag_h5_release; a negative one is fine there. */
hid_t ag_h5_make_group(ag_h5 *h5, hid_t parent, const char *name);
hid_t ag_h5_group(ag_h5 *h5, hid_t parent, const char *name);
void ag_h5_release(hid_t handle);
bool ag_h5_has(const ag_h5 *h5, hid_t parent, const char *name);

/* Datasets. A text is one variable-length UTF-8 string. */
void ag_h5_write(ag_h5 *h5, hid_t parent, const char *name, const ag_array *array);
void ag_h5_write_text(ag_h5 *h5, hid_t parent, const char *name, const char *text);
void ag_h5_write_texts(ag_h5 *h5, hid_t parent, const char *name, const char *const *texts,
                       size_t count);
void ag_h5_write_table(ag_h5 *h5, hid_t parent, const char *name, const ag_table *table);

/* Reads a dataset of one dimension; the elements go to the arena. */
void ag_h5_read(ag_h5 *h5, hid_t parent, const char *name, ag_array *array, ag_arena *arena);
const char *ag_h5_read_text(ag_h5 *h5, hid_t parent, const char *name, ag_arena *arena);

bool ag_h5_has_column(ag_h5 *h5, hid_t parent, const char *table, const char *column);

/* Reads the columns that `table` names; rows go to the arena. */
void ag_h5_read_table(ag_h5 *h5, hid_t parent, const char *name, ag_table *table, ag_arena *arena);

/* Attributes of `object`, from and into the members of a struct. */
void ag_h5_put(ag_h5 *h5, hid_t object, const ag_column *columns, size_t count, const void *row);
void ag_h5_get(ag_h5 *h5, hid_t object, const ag_column *columns, size_t count, void *row);
void ag_h5_put_text(ag_h5 *h5, hid_t object, const char *name, const char *text);

/* The attributes that say whose file this is. */
void ag_h5_put_format(ag_h5 *h5, const char *format);

/* --- guard.c: what libhdf5 has in hand, should it crash; "" once a file is written */
void ag_guard_reads(const char *path);
void ag_guard_writes(const char *path);

/* --- h5_scratch.c: HDF5 in memory */

/* A new file in /dev/shm, or TMPDIR where that has no room for `bytes`: a full disk crashes
 * libhdf5. It has no name any more, so that nothing is left whoever is killed; *fd reads it once
 * `h5` is closed. */
ag_status ag_scratch_create(ag_h5 *h5, int *fd, size_t bytes);

/* Appends what the file holds. */
ag_status ag_scratch_read(ag_text *bytes, int fd);

/* --- seal.c: the last line of a run file or results file, behind what HDF5 reads, holds the size
 * and the crc32 of all before it: no bit can change unnoticed. */
ag_status ag_seal_fd(int fd, const char *path);
ag_status ag_seal_file(const char *path);

/* AG_ERR_FILE, with the path and what is wrong, where the file is not as it was sealed. */
ag_status ag_seal_check(const char *path);

/* Whether HDF5's mark is in the file that somebody writes it now, which its checksum does not
 * match; and the error that says so. */
bool ag_seal_is_opened(const char *path);
ag_status ag_seal_tell_open(const char *path);

/* Whether the file ends in a seal, right or not. */
bool ag_seal_is_there(const char *path);

/* --- fields.c: what is stored of a run, as rows. */

/* The attributes of /runs/<id>, which are also columns of /index. */
typedef struct ag_run_summary {
    char id[AG_ID_LENGTH + 1];
    char status[12]; /* done, diverged, failed, pending */
    char reason[256];
    int8_t orphan;
    int64_t seed;
    int64_t steps;
    double loss; /* of the last training step; this and the next four are NaN where there is none */
    double val_loss; /* of the last step's evaluation on the fixed windows */
    double val_loss_hp;
    double final_val_loss; /* of the whole validation part */
    double final_val_loss_hp;
    int64_t clipped; /* number of steps */
    int64_t skipped;
    double entropy_rate;
    char recorded[256]; /* JSON: see ag_run_recorded */
    char weights_digest[AG_DIGEST_LENGTH + 1];
    char initial_digest[AG_DIGEST_LENGTH + 1];
} ag_run_summary;

extern const ag_column ag_summary_columns[];
extern const size_t ag_n_summary_columns;

/* The attributes of /runs/<id>/timing. */
extern const ag_column ag_timing_columns[];
extern const size_t ag_n_timing_columns;

/* A series of a run: where its pointer and its length stand in ag_record. */
typedef struct ag_series {
    const char *path; /* below /runs/<id> */
    ag_cell type;
    size_t data;
    size_t count;
    const char *units;
    const char *long_name;
} ag_series;

extern const ag_series ag_record_series[];
extern const size_t ag_n_record_series;

/* /runs/<id>/tensors: one row a numeric dataset of the run. */
typedef struct ag_tensor_row {
    char name[96]; /* path below /runs/<id> */
    char dtype[8]; /* as numpy writes it: "<f4" */
    int8_t rank;
    int64_t shape[2]; /* 0 beyond the rank */
    int64_t bytes;
    uint32_t crc32;
} ag_tensor_row;

extern const ag_column ag_tensor_columns[];
extern const size_t ag_n_tensor_columns;

void ag_summary_of(ag_run_summary *summary, const ag_record *record);

/* zlib's crc32, of any length. */
uint32_t ag_crc32(const void *bytes, size_t count);

/* --- run_file.c, samples.c: a run file in the making */

typedef struct ag_run_writer {
    ag_h5 h5;
    hid_t run; /* the group /runs/<id> */
    const ag_record *record;
    ag_arena arena;
    ag_table tensors; /* a row a dataset */
} ag_run_writer;

/* Writes a dataset with its attributes, and notes it in the table of checksums. */
void ag_run_add(ag_run_writer *writer, const char *path, const ag_array *array, const char *units,
                const char *long_name);

/* The sampled series, and how many datasets they are at most. */
void ag_samples_write(ag_run_writer *writer);
size_t ag_samples_datasets(const ag_samples *samples);

/* --- files.c: whole under their name, or not there */

#define AG_TEMPORARY ".part"
enum { AG_PATH_SIZE = 4096 };

typedef struct ag_ids {
    size_t count;
    char (*id)[AG_ID_LENGTH + 1]; /* sorted */
} ag_ids;

/* A part of a file to be written. */
typedef struct ag_piece {
    const void *data;
    size_t size;
} ag_piece;

ag_status ag_path_join(char path[AG_PATH_SIZE], const char *folder, const char *name);
ag_status ag_write_whole(const char *path, const void *bytes, size_t size);
ag_status ag_write_pieces(const char *path, const ag_piece *pieces, size_t count);
ag_status ag_read_whole(ag_text *text, const char *path);
/* path + AG_TEMPORARY */
ag_status ag_temporary_path(char temporary[AG_PATH_SIZE], const char *path);
void ag_folder_of(char folder[AG_PATH_SIZE], const char *path);
ag_status ag_rename_synced(const char *from, const char *to);
ag_status ag_sync_file(const char *path);
ag_status ag_sync_folder(const char *folder);
ag_status ag_make_folders(const char *path);
ag_status ag_make_parent(const char *path);
void ag_remove_folder(const char *path);
bool ag_is_folder(const char *path);
bool ag_is_file(const char *path);

/* libhdf5 crashes where the disk is full, so the room is looked for before it writes. */
ag_status ag_check_room(const char *folder, const char *what, double bytes);

/* Whether so many bytes can be had in a folder, by having them for a moment: quotas and limits of
 * size do not show otherwise. */
ag_status ag_reserve(const char *folder, const char *what, double bytes);

/* The ids of the files <id><suffix> in a folder; none where there is no folder. */
ag_status ag_list_ids(ag_ids *ids, const char *folder, const char *suffix, ag_arena *arena);
bool ag_ids_have(const ag_ids *ids, const char *id);

/* --- places.c: where everything lies, and what is read of it without HDF5 */

typedef struct ag_places {
    char results[AG_PATH_SIZE]; /* OUT.h5 */
    char folder[AG_PATH_SIZE];  /* OUT.h5.d, which holds the others */
    char owner[AG_PATH_SIZE];
    char grid[AG_PATH_SIZE];
    char labels[AG_PATH_SIZE]; /* of runs that the grid named once */
    char facts[AG_PATH_SIZE];
    char plan[AG_PATH_SIZE];
    char live[AG_PATH_SIZE];
    char curves[AG_PATH_SIZE];
    char stop[AG_PATH_SIZE];
    char events[AG_PATH_SIZE];
    char failed[AG_PATH_SIZE];
    char logs[AG_PATH_SIZE];
    char checkpoints[AG_PATH_SIZE];
    char runs[AG_PATH_SIZE];       /* there = spooled: its files are the truth */
    char runs_new[AG_PATH_SIZE];   /* of a packed file that is being extended */
    char runs_old[AG_PATH_SIZE];   /* of a file that was packed */
    char damaged[AG_PATH_SIZE];    /* what was found so, to be looked at by somebody */
    char unfinished[AG_PATH_SIZE]; /* the results file that is being written */
} ag_places;

/* AG_ERR_INPUT for a path that cannot be one. */
ag_status ag_places_of(ag_places *places, const char *path);
ag_status ag_run_path(char path[AG_PATH_SIZE], const char *folder, const char *id);

/* --- owner.c */

typedef struct ag_owner {
    char host[256];
    long pid;
    char started[32]; /* when the process did, as /proc says: a pid may be used again */
    char token[33];
    char job[64];
    char space[64]; /* the PID namespace in which `pid` is one: "pid:[4026531836]" */
    char boot[64];  /* of that host: its boot_id. "-": cannot be told; "": an older altgrad's */
} ag_owner;

/* Takes ownership of the folder. AG_ERR_SYSTEM when somebody else has it. */
ag_status ag_owner_take(ag_owner *owner, const ag_places *places, const char *job, bool take_over);
void ag_owner_leave(const ag_owner *owner, const ag_places *places);

/* Whether the folder is still ours. */
bool ag_owner_is(const ag_owner *owner, const ag_places *places);

/* The same as an error: AG_ERR_SYSTEM says who took it. */
ag_status ag_owner_check(const ag_owner *owner, const ag_places *places);

/* A sign of life. AG_ERR_SYSTEM when another became the owner. */
ag_status ag_owner_beat(const ag_owner *owner, const ag_places *places);

/* Works for the owner with that token, or where `token` is NULL for this process if it is the
 * owner; *adopted is false where it is not. AG_ERR_SYSTEM where the token is no longer the owner's.
 */
ag_status ag_owner_adopt(bool *adopted, ag_owner *owner, const ag_places *places,
                         const char *token);

/* Writes a file whole, and gives it its name if the folder is still ours then. */
ag_status ag_write_mine(const char *path, const ag_piece *piece, const ag_owner *owner,
                        const ag_places *places);

/* How the owner looks from outside. */
void ag_owner_look(ag_watch_owner *seen, const ag_places *places);

/* --- live.c: what the owner tells of its work */

ag_status ag_plan_write(const ag_places *places, const ag_grid *grid, const char *const *names,
                        const bool *mine);

/* Fills runs, their number and the experiment's name; false where there is no such file. */
ag_status ag_plan_read(bool *found, ag_watch *watch, const ag_places *places);

/* The ids of `grid` that a packed file must hold, and no others, to be what is asked for: all but
 * those that the plan leaves to other shards. Sorted, in the arena. */
ag_status ag_plan_ids(ag_ids *ids, const ag_grid *grid, const ag_places *places, ag_arena *arena);

ag_status ag_live_write(const ag_live *live, const ag_places *places, const char *token);

/* NULL where there is none, or one of another owner. */
ag_live *ag_live_read(const ag_places *places, const char *token, ag_arena *arena);

/* --- notes.c: small JSON files beside the runs */

typedef struct ag_facts {
    const char *created; /* when the results were begun, UTC */
    ag_job_facts job;    /* its texts are never NULL here */
} ag_facts;

ag_status ag_facts_write(const ag_facts *facts, const char *path);
ag_status ag_facts_read(ag_facts *facts, const char *path, ag_arena *arena);

/* Reads grid.json; its text is appended, and the grid goes to the arena. "Damaged" is what is no
 * JSON; of a grid that this version refuses, the reason is told. */
ag_status ag_grid_read(ag_grid *grid, ag_text *text, const char *path, ag_arena *arena);

ag_status ag_failure_write(const ag_failure *failure, const char *folder);
void ag_failure_remove(const char *id, const char *folder);

/* False where the run did not fail. The reason goes to the arena. */
bool ag_failure_read(ag_failure *failure, const char *id, const char *folder, ag_arena *arena);

/* --- former.c: what runs were called when the grid still named them (labels.json) */

/* Notes the labels of the complete runs that the grid with the text `before` names and `now` does
 * not, and what `known`, the text of another labels.json, says. */
ag_status ag_former_note(const ag_places *places, const char *before, const ag_grid *now,
                         const char *known);

/* Fills axes and labels of `former` and nothing else: the axes of `now`, then others that any of
 * the runs had; the label of run ids[i] is labels[i]. What is not known is "", NaN and INT64_MIN.
 */
ag_status ag_former_read(ag_grid *former, const ag_grid *now, const char *text,
                         const char *const *ids, size_t count, ag_arena *arena);

/* "E4M3 uniform 0"; NULL when memory runs out. */
const char *ag_former_name(const ag_label *label, size_t n_axes, ag_arena *arena);

/* As /index has it (results.c). */
ag_run_status ag_status_from_word(const char *word);

/* --- gather.c: everything that a results file is made of */

typedef struct ag_entry {
    ag_run_summary summary;
    ag_timing timing;
    const ag_label *label; /* the first; of an orphan its last, in ag_gathered.former */
    bool has_file;         /* neither failed nor pending */
    int64_t evals;
    const int64_t *eval_step;
} ag_entry;

typedef struct ag_gathered {
    ag_places places;
    ag_facts facts;
    ag_grid grid;
    ag_text grid_text;
    size_t n_entries;
    ag_entry *entries; /* [grid.n_runs] runs of the grid in its order, then orphans by id */
    ag_grid former;    /* axes and labels of the orphans, and nothing else; a label's run is the
                        * orphan's number */
    const char *former_text; /* labels.json */
    ag_arena arena;
} ag_gathered;

/* The attributes of a run; a file of version 1 is read as if this version had written it. */
void ag_run_summary_read(ag_run_summary *summary, ag_h5 *h5, hid_t run, ag_arena *arena);

/* Version 1 may say that a run is done whose result is not finite: it has diverged. */
void ag_run_summary_judge(ag_run_summary *summary);

/* Whether the group of a run tells its final evaluation apart, as files of version 2 do. */
bool ag_run_has_final(const ag_h5 *h5, hid_t run);

/* Summary, timing and evaluation steps of a run of an open file, or of a run file; the label is not
 * set. */
void ag_entry_read_from(ag_entry *entry, const char *id, ag_h5 *h5, ag_arena *arena);
ag_status ag_entry_read(ag_entry *entry, const char *id, const ag_places *places, ag_arena *arena);

/* False, without an error, for a run file that is damaged, which `run` will set aside: libhdf5 may
 * crash on it, and is not asked. */
bool ag_entry_read_whole(ag_entry *entry, const char *id, const ag_places *places, ag_arena *arena);

ag_status ag_gather(ag_gathered *gathered, const ag_places *places);
void ag_gathered_deinit(ag_gathered *gathered);

/* --- state.c: what there is at a path, and the way back from packed to spooled */

typedef enum ag_state {
    AG_STATE_NONE,    /* neither results file nor run files */
    AG_STATE_SPOOLED, /* the run files are the truth */
    AG_STATE_PACKED   /* OUT.h5 is */
} ag_state;

/* AG_ERR_FILE where OUT.h5 is not ours, damaged, or lacks the run files that it speaks of. */
ag_status ag_state_of(ag_state *state, const ag_places *places);

/* Both for a path where something must be. */
ag_status ag_state_find(ag_state *state, ag_places *places, const char *path);

/* The labels of orphans as labels.json has them, "{}" where the file is older than that. */
const char *ag_packed_labels(ag_h5 *h5, ag_arena *arena);

/* The ids in a results file that have results, and the text of its grid (unless NULL). Sorted, in
 * the arena. */
ag_status ag_packed_ids(ag_ids *ids, const char **grid_text, const ag_places *places,
                        ag_arena *arena);

/* Writes the runs of a packed file as run files into runs_new; or appends the bytes of one run. */
ag_status ag_unpack(const ag_places *places);

/* The same of one that is damaged: what is good of it. Each run that is not is named on standard
 * error; a file that cannot be opened has none. Forks. */
ag_status ag_salvage(const ag_places *places);

/* What both are made of: an empty runs_new with room for that many runs, and one run into it,
 * AG_ERR_FILE where that is damaged. */
ag_status ag_unpack_begin(const ag_places *places, size_t n_runs);
ag_status ag_unpack_run(ag_h5 *from, const char *id, const char *folder);
ag_status ag_unpack_bytes(ag_text *bytes, const char *id, const ag_places *places);

/* --- verify.c: compares every dataset of a run with its checksum, and its configuration with its
 * id; the second does so for each run of a file. */
void ag_verify_run(ag_h5 *h5, hid_t runs, const char *id);
ag_status ag_results_verify(const char *path);

/* The crc32 of the run's texts, which no checksum of HDF5 covers, as an attribute. */
void ag_put_texts_crc(ag_h5 *h5, hid_t run);

/* --- results_write.c: a results file at places->unfinished, checked if it holds the weights */
ag_status ag_results_write(const ag_places *places, bool with_weights);

/* --- damage.c: what must not stay where it is */

/* Whether OUT.h5 is altgrad's and not as it was written; `reason` says how. Reads all of it. Fails
 * with AG_ERR_FILE for a file of another program, with AG_ERR_SYSTEM for one that cannot be read:
 * neither is to be touched. Forks. */
ag_status ag_judge_results(bool *damaged, char *reason, size_t size, const ag_places *places);

/* Moves a file to places->damaged under a name of its own, and says so on standard error. */
ag_status ag_set_aside(const ag_places *places, const char *path, const char *reason);

/* Looks at every run file, sets aside the damaged ones, and counts them. */
ag_status ag_set_runs_aside(size_t *count, const ag_places *places);

/* Removes what a killed altgrad left unfinished. For the owner. */
void ag_remove_leftovers(const ag_places *places);

/* --- events.c */

/* Appends to events.jsonl; see ag_store_event. */
ag_status ag_event_append(const ag_places *places, const char *event, const char *members);

/* UTC, "2026-01-31T12:00:00Z". */
void ag_write_time(char text[32]);

/* --- what a results file holds beside /runs */
void ag_write_tables(ag_h5 *h5, const ag_gathered *gathered);      /* results_tables.c */
void ag_write_descriptors(ag_h5 *h5, const ag_gathered *gathered); /* results_formats.c */

/* The columns of the axes' values, each name free of dots and unlike those of `taken`. Offsets
 * start at `start`; *row_size is where they end. */
ag_column *ag_axis_columns(size_t *row_size, const ag_grid *grid, size_t start,
                           const ag_table *taken, ag_arena *arena);

/* Copies a text into `size` bytes; one that is too long ends with a whole character of UTF-8. */
void ag_copy_text(char *to, size_t size, const char *text);

typedef struct ag_curves ag_curves; /* results_curves.c */

/* NULL where no run of the grid is complete, or after a failure: the other two then do nothing. An
 * entry that is none of these adds nothing. */
ag_curves *ag_curves_begin(ag_h5 *h5, const ag_gathered *gathered);
void ag_curves_add(ag_curves *curves, size_t entry, ag_h5 *from, hid_t run);
void ag_curves_end(ag_curves *curves);

#endif
