/* /index, /orphans, /labels and /timing: one row per run, or per label, for pandas in one line.
 * Rows are plain structs with the axes behind them; columns say where in the row each member
 * stands, in memory and in the file. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "fields.h"
#include "gather.h"
#include "h5.h"
#include "record/record.h"
#include "results_write.h"
#include "run/grid.h"
#include "run/run.h"

/* A name stands above a column: a longer one is cut. */
enum { NAME_SIZE = 64, MOST_COLUMNS = 64 };

static bool is_taken(const char *name, const ag_table *taken, const ag_column *columns,
                     size_t count)
{
    for (size_t i = 0; taken != NULL && i < taken->n_columns; i++) {
        if (strcmp(taken->columns[i].name, name) == 0)
            return true;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(columns[i].name, name) == 0)
            return true;
    }
    return false;
}

/* What the name of a column has besides letters beyond ASCII: it is an attribute in pandas, a
 * dataset of HDF5, a name of netCDF and a word of a `coordinates` attribute. A name that works in
 * one of them and not in another would be found years later. */
static bool is_plain(char byte)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    return (unsigned char)byte >= 0x80 || strchr(plain, byte) != NULL;
}

/* Dots, slashes, spaces and other signs become underscores, and what is long is cut. PyTables and
 * netCDF keep names that begin with an underscore for themselves. An axis that a user named like
 * one of our own columns, or like another axis, gets underscores until it differs. So a name is
 * safe in every reader, and says what it was made of. */
static const char *column_name(const char *axis, const ag_table *taken, const ag_column *columns,
                               size_t count, ag_arena *arena)
{
    size_t length = strnlen(axis, NAME_SIZE);
    while (((unsigned char)axis[length] & 0xc0) == 0x80) /* no half characters */
        length--;
    char *name = ag_arena_strndup(arena, axis, length);
    for (char *at = name; name != NULL && *at != '\0'; at++)
        *at = (char)(is_plain(*at) ? *at : '_');
    if (name != NULL && name[0] == '_')
        name = ag_arena_printf(arena, "axis%s", name);
    while (name != NULL && is_taken(name, taken, columns, count))
        name = ag_arena_printf(arena, "%s_", name);
    return name;
}

/* Columns of fixed length: PyTables, and pandas with it, read compound datasets only so. */
static size_t longest_text(const ag_grid *grid, size_t axis)
{
    size_t longest = 1;
    for (size_t i = 0; i < grid->n_labels; i++) {
        size_t length = strlen(grid->labels[i].values[axis].text);
        longest = length > longest ? length : longest;
    }
    return longest + 1;
}

ag_column *ag_results_axis_columns(size_t *row_size, const ag_grid *grid, size_t start,
                                   const ag_table *taken, ag_arena *arena)
{
    static const ag_cell cells[] = {
        [AG_AXIS_TEXT] = AG_CELL_TEXT, [AG_AXIS_INT] = AG_CELL_I64, [AG_AXIS_REAL] = AG_CELL_F64};
    ag_column *columns = ag_arena_alloc(arena, (grid->n_axes + 1) * sizeof *columns);
    for (size_t i = 0; columns != NULL && i < grid->n_axes; i++) {
        ag_axis_type type = grid->axes[i].type;
        columns[i] =
            (ag_column){.name = column_name(grid->axes[i].name, taken, columns, i, arena),
                        .type = cells[type],
                        .offset = start,
                        .size = type == AG_AXIS_TEXT ? longest_text(grid, i) : sizeof(int64_t)};
        start += columns[i].size;
        if (columns[i].name == NULL)
            return NULL;
    }
    *row_size = start;
    return columns;
}

/* By the axis's type; its column was made for that. */
static void fill_axes(char *row, const ag_column *columns, const ag_grid *grid,
                      const ag_label *label)
{
    for (size_t i = 0; i < grid->n_axes; i++) {
        char *cell = row + columns[i].offset;
        const ag_axis_value *value = &label->values[i];
        if (grid->axes[i].type == AG_AXIS_TEXT)
            snprintf(cell, columns[i].size, "%s", value->text);
        else if (grid->axes[i].type == AG_AXIS_INT)
            memcpy(cell, &value->integer, sizeof value->integer);
        else
            memcpy(cell, &value->real, sizeof value->real);
    }
}

static void out_of_memory(ag_h5 *h5)
{
    if (h5->status == AG_OK)
        h5->status = ag_fail(AG_ERR_SYSTEM, "%s: out of memory for its tables", h5->path);
}

static size_t shown_length(const char *value)
{
    size_t length = strlen(value);
    for (; *value != '\0'; value++)
        length += *value == '/' || *value == '\\';
    return length;
}

/* "E4M3/uniform/0": the values of the first label, so that a row has a name. A slash or backslash
 * in a value gets a backslash before it: no two labels are the same. */
static size_t label_size(const ag_grid *grid)
{
    size_t longest = 0;
    for (size_t i = 0; i < grid->n_labels; i++) {
        size_t length = 0;
        for (size_t axis = 0; axis < grid->n_axes; axis++)
            length += 1 + shown_length(grid->labels[i].values[axis].text);
        longest = length > longest ? length : longest;
    }
    return longest + 1;
}

/* Values that hold the separator must not look like two. */
static char *add_value(char *to, const char *value)
{
    for (; *value != '\0'; value++) {
        if (*value == '/' || *value == '\\')
            *to++ = '\\';
        *to++ = *value;
    }
    return to;
}

static void fill_label(char *text, const ag_grid *grid, const ag_label *label)
{
    for (size_t i = 0; i < grid->n_axes; i++) {
        if (i > 0)
            *text++ = '/';
        text = add_value(text, label->values[i].text);
    }
    *text = '\0';
}

/* Those of the summary that follow the axes. */
static size_t summary_columns(ag_column rest[MOST_COLUMNS])
{
    size_t count = 0;
    for (size_t i = 1; i < ag_n_summary_columns; i++) {
        const char *name = ag_summary_columns[i].name;
        if (strcmp(name, "seed") != 0 && strcmp(name, "orphan") != 0)
            rest[count++] = ag_summary_columns[i];
    }
    return count;
}

/* A row is the summary, the label, the axes. In the file: id, label, axes, then the rest. The
 * summary's seed gives way to the axis of that name, and which table it is says who is an orphan.
 * Every column of the summary is there without being named here, so a new one appears by itself. */
static void index_columns(ag_table *table, const ag_grid *grid, ag_arena *arena)
{
    const ag_column own[] = {
        ag_summary_columns[0], {"label", AG_CELL_TEXT, sizeof(ag_run_summary), label_size(grid)}
    };
    ag_column *columns =
        ag_arena_alloc(arena, (grid->n_axes + ag_n_summary_columns + 2) * sizeof *columns);
    ag_column rest[MOST_COLUMNS];
    size_t n_rest = summary_columns(rest);
    rest[n_rest] = own[1];
    const ag_table taken = {.columns = rest, .n_columns = n_rest + 1};
    const ag_column *axes =
        ag_results_axis_columns(&table->row_size, grid, own[1].offset + own[1].size, &taken, arena);
    if (columns == NULL || axes == NULL)
        return;
    memcpy(columns, own, sizeof own);
    memcpy(columns + 2, axes, grid->n_axes * sizeof *axes);
    memcpy(columns + 2 + grid->n_axes, rest, n_rest * sizeof *rest);
    table->columns = columns;
    table->n_columns = 2 + grid->n_axes + n_rest;
}

/* `grid` has the axes of the entries' labels. /index and /orphans are one code, so that their
 * columns cannot drift apart. */
static void write_runs(ag_h5 *h5, const char *name, const ag_grid *grid, const ag_entry *entries,
                       size_t count, ag_arena *arena)
{
    ag_table table = {.n_rows = count};
    index_columns(&table, grid, arena);
    char *rows = ag_arena_alloc(arena, (table.n_rows + 1) * table.row_size);
    if (rows == NULL || table.columns == NULL) {
        out_of_memory(h5);
        return;
    }
    table.rows = rows;
    for (size_t i = 0; i < count; i++, rows += table.row_size) {
        const ag_entry *entry = &entries[i];
        memcpy(rows, &entry->summary, sizeof entry->summary);
        fill_label(rows + table.columns[1].offset, grid, entry->label);
        fill_axes(rows, table.columns + 2, grid, entry->label);
    }
    ag_h5_write_table(h5, h5->id, name, &table);
}

/* The axes have the names that they have in /index, whose other columns are taken. */
static void write_labels(ag_h5 *h5, const ag_gathered *g, ag_arena *arena)
{
    const ag_column id = {"id", AG_CELL_TEXT, 0, AG_ID_LENGTH + 1};
    ag_column reserved[MOST_COLUMNS];
    size_t n_reserved = summary_columns(reserved);
    reserved[n_reserved++].name = "label";
    reserved[n_reserved++] = id;
    const ag_table taken = {.columns = reserved, .n_columns = n_reserved};
    ag_table table = {.n_rows = g->grid.n_labels, .n_columns = g->grid.n_axes + 1};
    ag_column *columns = ag_results_axis_columns(&table.row_size, &g->grid, id.size, &taken, arena);
    char *rows = ag_arena_alloc(arena, (table.n_rows + 1) * table.row_size);
    if (rows == NULL || columns == NULL) {
        out_of_memory(h5);
        return;
    }
    columns[g->grid.n_axes] = id;
    table.columns = columns;
    table.rows = rows;
    for (size_t i = 0; i < g->grid.n_labels; i++, rows += table.row_size) {
        const ag_label *label = &g->grid.labels[i];
        memcpy(rows, g->grid.runs[label->run].id, id.size);
        fill_axes(rows, columns, &g->grid, label);
    }
    ag_h5_write_table(h5, h5->id, "labels", &table);
}

/* What depends on the machine is kept apart, so that the other tables can be compared. */
static void write_timing(ag_h5 *h5, const ag_gathered *g, ag_arena *arena)
{
    typedef struct timing_row {
        ag_timing timing;
        char id[AG_ID_LENGTH + 1];
    } timing_row;
    ag_column columns[32] = {
        {"id", AG_CELL_TEXT, offsetof(timing_row, id), AG_ID_LENGTH + 1}
    };
    memcpy(columns + 1, ag_timing_columns, ag_n_timing_columns * sizeof *columns);
    memcpy(columns + 1 + ag_n_timing_columns, ag_trunk_columns,
           ag_n_trunk_columns * sizeof *columns);
    size_t count = g->grid.n_runs;
    timing_row *rows = ag_arena_alloc(arena, (count + 1) * sizeof *rows);
    if (rows == NULL) {
        out_of_memory(h5);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        rows[i].timing = g->entries[i].timing;
        memcpy(rows[i].id, g->entries[i].summary.id, sizeof rows[i].id);
    }
    const size_t width = 1 + ag_n_timing_columns + ag_n_trunk_columns;
    const ag_table table = {width, columns, sizeof *rows, count, rows};
    ag_h5_write_table(h5, h5->id, "timing", &table);
}

void ag_results_write_tables(ag_h5 *h5, const ag_gathered *gathered)
{
    ag_arena arena;
    ag_arena_init_growing(&arena);
    size_t n_runs = gathered->grid.n_runs;
    write_runs(h5, "index", &gathered->grid, gathered->entries, n_runs, &arena);
    write_runs(h5, "orphans", &gathered->former, gathered->entries + n_runs,
               gathered->n_entries - n_runs, &arena);
    write_labels(h5, gathered, &arena);
    write_timing(h5, gathered, &arena);
    ag_arena_deinit(&arena);
}
