/* What stands between a program and its C library: it writes down which files the program touches in
 * which order, holds chosen calls back until a file appears, and plants a fault at a chosen call. It
 * knows nothing of the program.
 *
 * A call is named by four words: the thread, the verb, the kind of path, and how many calls with
 * these three words there have been: `committer:link:store-log:2`. What the kinds of paths are is
 * said from outside; paths of no kind are let through unseen.
 *
 *   SHIM_RULES     lines `kind=pattern`; the first pattern that fits a path decides
 *   SHIM_RECORD    a file to which every call is appended before it happens, and what came of those
 *                  that change something; see names.c
 *   SHIM_ALL       if set: reads, looks at a file's size and calls to the kind `input` have names, too
 *   SHIM_KEEP      a folder in which each file of the kind `store-log` gets another name for good when
 *                  it is linked to its own
 *   SHIM_AT, SHIM_REACHED, SHIM_GO
 *                  which calls are held back, and by which files that is said; see hold.c
 *   SHIM_FAULT     the name of a call, a tab, and the fault that it meets; see fault.c
 *   SHIM_PACE      how many microseconds each read of a path of the kind `input` takes at least, so
 *                  that a small input lasts for some checkpoints
 *
 * All is loaded before `main`; without SHIM_RULES it does nothing. What it does itself goes past
 * the C library, or it would see its own calls. */
#ifndef SHIM_H
#define SHIM_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define INPUT "input"
#define LOG "store-log"

enum { LONGEST_NAME = 128, LONGEST_LINE = 2 * PATH_MAX + 512 };

/* One call, from before it is made until it is answered. */
struct call {
    /* Empty where the path is of no kind. */
    char name[LONGEST_NAME];
    char path[PATH_MAX];
    /* More about it: where a name comes from, where a write begins, which bytes are locked. */
    char detail[PATH_MAX];
    /* Reads are not written down where nobody wants them. */
    bool changes;
};

/* names.c */
bool is_on(void);
void name_call(struct call *call, const char *verb, const char *kind, bool changes);
void note(const char *what, const struct call *call);
const char *kind_of(const char *path);
void path_of(int file, char path[PATH_MAX]);
void whole_path(int folder, const char *path, char whole[PATH_MAX]);
bool wants_all(void);
void keep_pace(const char *kind);

/* hold.c */
void hold_if_chosen(const struct call *call);

/* fault.c */
bool is_let_through(const struct call *call);
size_t let_through_of(const struct call *call, size_t size);
long answered(const struct call *call, long result);
void may_be_lost(const struct call *call, int file, long at, size_t size);
void is_synced(const struct call *call, int file);

#endif
