/* Lines to standard error. Data goes to standard output, never here. */
#ifndef AG_BASE_LOG_H
#define AG_BASE_LOG_H

typedef enum ag_log_level { AG_LOG_ERROR, AG_LOG_WARNING, AG_LOG_INFO } ag_log_level;

/* Writes one line "altgrad: [error: |warning: ]text" in a single write(2). Control characters but
 * line ends and tabs are shown escaped: texts may hold names from somebody else's file. */
void ag_log(ag_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The name in front of every line; "altgrad" unless set. `name` is borrowed for ever. */
void ag_log_program(const char *name);

/* From now on lines go there, as text without name, level and line end, and not to standard error;
 * children that are forked keep to it. NULL: to standard error again. */
typedef void ag_log_sink(ag_log_level level, const char *text);
void ag_log_to(ag_log_sink *sink);

#endif
