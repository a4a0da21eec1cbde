/* The command line of a command as a table. One row per option says how it is written, what it
 * means and where its value goes: argv is read by it, --help prints it, and the manual page is made
 * of what
 * --help prints (make_man.sh), so that no option can be read that is not shown, or shown otherwise
 * than it is read. */
#ifndef AG_APP_COMMAND_LINE_H
#define AG_APP_COMMAND_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/status.h"

typedef enum ag_option_type {
    AG_OPTION_NONE,  /* no option: a line of the help, such as one about FILE */
    AG_OPTION_FLAG,  /* sets a bool; takes no value, as nothing else does */
    AG_OPTION_TEXT,  /* a const char *: of several the last counts */
    AG_OPTION_TEXTS, /* an ag_texts: all of them, in their order */
    AG_OPTION_COUNT, /* a long, from 1 to `most` */
    AG_OPTION_WHOLE, /* a long, from 0 on: the number of a rank, descriptor or process */
    AG_OPTION_OTHER, /* by `read` */
} ag_option_type;

/* What an option said that may be given several times. */
typedef struct ag_texts {
    const char **items; /* [count], in the arena; NULL while there is none */
    size_t count;
} ag_texts;

typedef struct ag_option {
    const char *form; /* "--json", "-o OUT", "-j, --jobs N": letter, name, value; spaces before it
                         indent the help alone. NULL: `help` stands in the help as it is */
    const char *help; /* its lines, without indentation; NULL: the help tells it elsewhere */
    ag_option_type type;
    size_t offset; /* in the struct that the command line is read into */
    long most;     /* AG_OPTION_COUNT */
    ag_status (*read)(void *into, const char *value); /* AG_OPTION_OTHER */
} ag_option;

typedef struct ag_command_line {
    const char *command; /* "plan" */
    const char *usage;   /* the help down to the options */
    int column;          /* of the help's second column */
    size_t n_options;
    const ag_option *options; /* [n_options]; -h and --help are understood besides */
    const char *notes;        /* the help below the options */
} ag_command_line;

/* A row's type and place: AG_FLAG(struct options, json). */
#define AG_FLAG(type, member) AG_OPTION_FLAG, offsetof(type, member), 0, NULL
#define AG_TEXT(type, member) AG_OPTION_TEXT, offsetof(type, member), 0, NULL
#define AG_TEXTS(type, member) AG_OPTION_TEXTS, offsetof(type, member), 0, NULL
#define AG_COUNT(type, member, most) AG_OPTION_COUNT, offsetof(type, member), most, NULL
#define AG_WHOLE(type, member) AG_OPTION_WHOLE, offsetof(type, member), 0, NULL
#define AG_OTHER(read) AG_OPTION_OTHER, 0, 0, read
#define AG_NO_OPTION AG_OPTION_NONE, 0, 0, NULL

void ag_options_print_help(const ag_command_line *line);

/* Reads the options of argv into the struct `into`; afterwards argv[optind] is the first argument
 * that is none. *help: --help was among them, and what follows it was not read. The arena is for
 * ag_texts; it may be NULL where there are none. AG_ERR_INPUT says what is wrong with which option.
 */
ag_status ag_options_read(bool *help, void *into, const ag_command_line *line, int argc,
                          char **argv, ag_arena *arena);

/* The same for a command that has nothing else to do about it: it prints the help or the error.
 * Returns -1 when the command shall go on, else its exit code. */
int ag_app_read_options(void *into, const ag_command_line *line, int argc, char **argv,
                        ag_arena *arena);

/* Likewise for the one results file that must be all there is besides options; and for one that
 * other arguments may follow, from argv[optind + 1] on. */
int ag_app_results_argument(const char **path, const ag_command_line *line, int argc, char **argv);
int ag_app_results_first(const char **path, const ag_command_line *line, int argc, char **argv);

#endif
