/* Code tables: element formats that are lists of values, such as NF4 or posits.
 *
 * The values in rising order are v_0 < v_1 < ..; x becomes the neighbour on its side of a bound
 * between them. What a table does is said by its values, by the smallest x that goes to each value
 * but the first, and by `top`, which scales take for its largest value. Tables in which these are
 * equal are one table with one name, wherever they came from: that of a built-in one, else
 * "table-" and 16 digits that follow from them. Tables last as long as the program. */
#ifndef AG_NUMERICS_CODE_TABLE_H
#define AG_NUMERICS_CODE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "numerics/format.h"

enum {
    AG_TABLE_CODES = 256,
    AG_TABLE_FEW = 16, /* values that are told apart by comparing with all of them */
    AG_TABLE_BUCKETS = 16384,
    AG_TABLE_ROOM = 2 * AG_TABLE_CODES,
    AG_TABLE_NAME = 32 /* bytes of a name, the 0 included */
};

/* What a bucket leaves open: whether x reaches one more number, and the values that then count; all
 * of it in one place, so that no load waits for another. */
typedef struct ag_table_cell {
    uint32_t from;     /* bits of the number; NaN: none is left */
    uint32_t value[3]; /* bits of that with as many numbers below it as are at most the bucket's
                          least x, and of the two above it; or of the last */
} ag_table_cell;

/* Where x lies among rising numbers: how many of them are at most x. As integers, so that loops
 * over floats know that nothing they write is read here.
 *
 * A bucket is the x whose magnitudes share their upper bits, of either sign; the first and the last
 * also hold all below and beyond. */
typedef struct ag_ladder {
    uint32_t from[AG_TABLE_ROOM]; /* bits of float32; NaN beyond the last */
    ag_table_cell cells[AG_TABLE_BUCKETS];
    int32_t shift; /* of a magnitude's bits */
    int32_t base;  /* of the first bucket */
    int32_t half;  /* buckets of a sign; those of negative numbers come second */
    bool single;   /* no bucket has more numbers than one: the cells hold */
} ag_ladder;

typedef struct ag_code_table {
    char name[24];
    bool is_built_in;
    int count;                      /* of values, at least 2 */
    uint32_t value[AG_TABLE_CODES]; /* bits, rising; 0 is positive */
    uint8_t code[AG_TABLE_CODES];   /* of each value, as they were written: for people alone */
    float top;
    ag_ladder nearest; /* [count - 1] the smallest x that goes to each value but the first */
    ag_ladder between; /* [count - 1] those values */
    uint32_t more[AG_TABLE_FEW]; /* of the first: from a value's bits to those of the next; or 0 */
} ag_code_table;

/* What becomes of x at a bound: the value with the even code, the lower one, or that of larger
 * magnitude. */
typedef enum ag_table_ties { AG_TIES_EVEN, AG_TIES_LOW, AG_TIES_AWAY, AG_TABLE_TIES } ag_table_ties;
extern const char *const ag_ties_words[AG_TABLE_TIES]; /* "even", "low", "away" */

/* A table as it is written. */
typedef struct ag_table_text {
    int n_codes;
    float value[AG_TABLE_CODES]; /* by code; NaN: no number */
    ag_table_ties ties;
    int n_bounds;                /* 0: the means of neighbours */
    float bound[AG_TABLE_CODES]; /* rising, between the values in rising order */
    float top;                   /* 0: the largest magnitude */
} ag_table_text;

/* The table of a text. AG_ERR_INPUT where values are not distinct, beyond 2^126 or fewer than two,
 * bounds out of order or not one fewer than values, or top no number above 0. Borrowed. */
ag_status ag_element_table(const ag_code_table **out, const ag_table_text *text);

/* The table with these values [count] and the smallest x [count - 1] that go to them, both rising.
 * AG_ERR_INPUT where they are not. */
ag_status ag_element_table_resolved(const ag_code_table **out, int count, const float *values,
                                    const float *from, float top);

/* A built-in table. */
typedef struct ag_built_in_table {
    const char *name;
    const char *follows; /* whom or which standard */
    void (*fill)(ag_table_text *text, int exponent_bits);
    int exponent_bits; /* of posits */
} ag_built_in_table;

/* All of them, in the order of the listing. */
const ag_built_in_table *ag_element_built_ins(size_t *count);

/* The one of this name, letter case ignored, as a text. False where there is none. */
bool ag_element_built_in(ag_table_text *text, const char *name);

/* Gives a table a name, letter case ignored, until ag_element_forget. AG_ERR_INPUT where the name
 * is a format's, taken, or not of letters, digits, - and _. */
ag_status ag_element_define(const char *name, const ag_code_table *table);

/* Takes the names back that were given. */
void ag_element_forget(void);

/* The `index`-th of all tables, the built-in ones first, in the order of their listing; NULL when
 * there are no more. */
const ag_code_table *ag_element_at(size_t index);

/* The `index`-th name that was given to a table, or NULL when there are no more. Borrowed, until
 * ag_element_forget. */
const char *ag_element_alias(const ag_code_table *table, size_t index);

/* Whether there are tables that are not built in. */
bool ag_element_has_tables(void);

/* The table of a name: built in, given, or its own. NULL: none. */
const ag_code_table *ag_element_find(const char *name);

/* An element format: a table, else as ag_format_parse. AG_ERR_INPUT. */
ag_status ag_element_parse(ag_format *format, const char *name);

/* The value of a code; NaN where it is no number. The codes are those that the table was first
 * written with. */
float ag_table_decode(const ag_code_table *table, uint32_t code);

/* The table as a format. */
ag_format ag_element_format(const ag_code_table *table);

/* x rounded: to nearest, or to one of its neighbours with a random word, of which the first `bits`
 * count; 0 is x's own sign. NaN stays, what lies outside becomes the end. */
float ag_table_nearest(const ag_code_table *table, float x);
float ag_table_stochastic(const ag_code_table *table, float x, uint32_t random, int bits);

/* Whether x lies beyond an end by more than half the distance of its neighbour. */
bool ag_table_overflows(const ag_code_table *table, float x);

/* The distance of the neighbours around x; at an end that of the last two. NaN for NaN. */
double ag_table_spacing(const ag_code_table *table, float x);

#endif
