/* Holds chosen calls back right before they are made.
 *
 *   SHIM_AT        the names of the calls that are held back, a line for each
 *   SHIM_REACHED   with a dash and the number of the line after it: a file that is created when
 *                  that call is held back
 *   SHIM_GO        the same for the file that lets it go on */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "shim.h"

static const char *chosen, *reached, *go;
static pid_t parent;

__attribute__((constructor)) static void begin(void) {
    chosen = getenv("SHIM_AT");
    reached = getenv("SHIM_REACHED");
    go = getenv("SHIM_GO");
    parent = getppid();
}

/* The number of the line of SHIM_AT that is this name; 0 if there is none. */
static int line_of(const char *name) {
    size_t length = strlen(name);
    int number = 1;
    for (const char *line = chosen; line != NULL; number++) {
        if (strncmp(line, name, length) == 0 && (line[length] == 0 || line[length] == '\n')) return number;
        line = strchr(line, '\n');
        if (line != NULL) line++;
    }
    return 0;
}

static void hold(int number) {
    char there[PATH_MAX], free_to_go[PATH_MAX];
    snprintf(there, sizeof there, "%s-%d", reached, number);
    snprintf(free_to_go, sizeof free_to_go, "%s-%d", go, number);
    int file = syscall(SYS_openat, AT_FDCWD, there, O_WRONLY | O_CREAT, 0644);
    if (file >= 0) syscall(SYS_close, file);
    const struct timespec while_waiting = {0, 500 * 1000};
    while (syscall(SYS_faccessat, AT_FDCWD, free_to_go, F_OK) != 0) {
        /* Nobody is left who could let it go on. */
        if (getppid() != parent) _exit(99);
        nanosleep(&while_waiting, NULL);
    }
}

void hold_if_chosen(const struct call *call) {
    int number = line_of(call->name);
    note(number != 0 ? "held" : "call", call);
    if (number != 0) hold(number);
}
