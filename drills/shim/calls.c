/* The calls of the C library that the program makes, each framed: it is named, written down, held
 * back, made or not, and answered. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "shim.h"

enum { CHANGES = true, LOOKS = false };

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name) {
    int error = errno;
    void *found = dlsym(RTLD_NEXT, name);
    errno = error;
    return found;
}

/* Before the call is made, with its path and detail in it. */
static bool begins(struct call *call, const char *verb, bool changes) {
    const char *kind = kind_of(call->path);
    if (kind == NULL || (!wants_all() && strcmp(kind, INPUT) == 0)) return true;
    int error = errno;
    name_call(call, verb, kind, changes);
    hold_if_chosen(call);
    errno = error;
    return is_let_through(call);
}

static bool begins_at(struct call *call, const char *verb, bool changes, int folder, const char *path) {
    call->name[0] = call->detail[0] = 0;
    if (!is_on()) return true;
    int error = errno;
    whole_path(folder, path, call->path);
    errno = error;
    return begins(call, verb, changes);
}

static bool begins_on(struct call *call, const char *verb, bool changes, int file, const char *detail) {
    call->name[0] = 0;
    if (!is_on()) return true;
    int error = errno;
    snprintf(call->detail, sizeof call->detail, "%s", detail);
    path_of(file, call->path);
    errno = error;
    return begins(call, verb, changes);
}

/* After the call was made, or was not. */
static long ends(const struct call *call, long result, bool made) {
    if (call->name[0] == 0) return result;
    int error = errno;
    if (call->changes) note(result >= 0 ? "done" : "failed", call);
    errno = error;
    return made ? answered(call, result) : result;
}

#define MODE(flags, mode)                             \
    mode_t mode = 0;                                  \
    if (((flags) & (O_CREAT | __O_TMPFILE)) != 0) {   \
        va_list more;                                 \
        va_start(more, flags);                        \
        mode = va_arg(more, mode_t);                  \
        va_end(more);                                 \
    }

/* Opening creates if it may; whether it has to is part of what is written down. */
#define OPENS(folder, path, flags, ...)                                                \
    struct call call;                                                                  \
    bool creates = ((flags) & O_CREAT) != 0, made = true;                              \
    int error = errno;                                                                 \
    bool is_new = creates && is_on() && syscall(SYS_faccessat, folder, path, F_OK) != 0; \
    errno = error;                                                                     \
    made = begins_at(&call, creates ? "create" : "open", creates, folder, path);       \
    if (is_new) snprintf(call.detail, sizeof call.detail, "new");                      \
    int file = made ? (__VA_ARGS__) : -1, answer = ends(&call, file, made);            \
    if (answer < 0 && file >= 0) {                                                     \
        error = errno;                                                                 \
        syscall(SYS_close, file);                                                      \
        errno = error;                                                                 \
    }                                                                                  \
    return answer;

#define OPEN(symbol)                                                              \
    int symbol(const char *path, int flags, ...) {                                \
        MODE(flags, mode)                                                         \
        OPENS(AT_FDCWD, path, flags, REAL(symbol)(path, flags, mode))             \
    }
OPEN(open)
OPEN(open64)

#define OPEN_AT(symbol)                                                           \
    int symbol(int folder, const char *path, int flags, ...) {                    \
        MODE(flags, mode)                                                         \
        OPENS(folder, path, flags, REAL(symbol)(folder, path, flags, mode))       \
    }
OPEN_AT(openat)
OPEN_AT(openat64)

#define CREAT(symbol)                                                             \
    int symbol(const char *path, mode_t mode) {                                   \
        OPENS(AT_FDCWD, path, O_CREAT, REAL(symbol)(path, mode))                  \
    }
CREAT(creat)
CREAT(creat64)

DIR *opendir(const char *path) {
    struct call call;
    bool made = begins_at(&call, "list", LOOKS, AT_FDCWD, path);
    DIR *folder = made ? REAL(opendir)(path) : NULL;
    ends(&call, folder != NULL ? 0 : -1, made);
    return folder;
}

/* Of what fcntl does only locks matter to others; its third word is a number or a pointer, which are
 * passed on alike. */
static bool is_lock(int command) {
    return command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK || command == F_OFD_SETLKW;
}

#define FCNTL(symbol)                                                             \
    int symbol(int file, int command, ...) {                                      \
        va_list more;                                                             \
        va_start(more, command);                                                  \
        void *word = va_arg(more, void *);                                        \
        va_end(more);                                                             \
        if (!is_lock(command)) return REAL(symbol)(file, command, word);          \
        const struct flock *lock = word;                                          \
        char bytes[64];                                                           \
        snprintf(bytes, sizeof bytes, "%ld+%ld", (long)lock->l_start, (long)lock->l_len); \
        struct call call;                                                         \
        bool made = begins_on(&call, lock->l_type == F_UNLCK ? "unlock" : "lock", LOOKS, file, bytes); \
        return ends(&call, made ? REAL(symbol)(file, command, word) : -1, made);  \
    }
FCNTL(fcntl)
FCNTL(fcntl64)

#define WRITE(symbol, parameters, place, ...)                                     \
    ssize_t symbol parameters {                                                   \
        struct call call;                                                         \
        char begin[32];                                                           \
        snprintf(begin, sizeof begin, "%ld", (long)(place));                      \
        bool made = begins_on(&call, "write", CHANGES, file, begin);              \
        if (call.name[0] != 0) {                                                  \
            size = let_through_of(&call, size);                                   \
            if (made) may_be_lost(&call, file, place, size);                      \
        }                                                                         \
        return ends(&call, made ? REAL(symbol)(__VA_ARGS__) : -1, made);          \
    }
WRITE(write, (int file, const void *bytes, size_t size), -1, file, bytes, size)
WRITE(pwrite, (int file, const void *bytes, size_t size, off_t at), at, file, bytes, size, at)
WRITE(pwrite64, (int file, const void *bytes, size_t size, off64_t at), at, file, bytes, size, at)

/* Short in so far as only the first part is written. */
ssize_t writev(int file, const struct iovec *parts, int number) {
    struct call call;
    bool made = begins_on(&call, "write", CHANGES, file, "-1");
    if (call.name[0] != 0 && number > 0 && let_through_of(&call, 2) < 2) number = 1;
    return ends(&call, made ? REAL(writev)(file, parts, number) : -1, made);
}

#define SYNC(symbol)                                                              \
    int symbol(int file) {                                                        \
        struct call call;                                                         \
        bool made = begins_on(&call, "fsync", CHANGES, file, "");                 \
        if (call.name[0] != 0 && made) is_synced(&call, file);                    \
        return ends(&call, made ? REAL(symbol)(file) : -1, made);                 \
    }
SYNC(fsync)
SYNC(fdatasync)

#define TRUNCATE(symbol, length)                                                  \
    int symbol(int file, length size) {                                           \
        struct call call;                                                         \
        char begin[32];                                                           \
        snprintf(begin, sizeof begin, "%ld", (long)size);                         \
        bool made = begins_on(&call, "truncate", CHANGES, file, begin);           \
        return ends(&call, made ? REAL(symbol)(file, size) : -1, made);           \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

/* Reads happen often and change nothing: where nobody wants them only the pace is kept. */
#define READ(symbol, parameters, ...)                                             \
    ssize_t symbol parameters {                                                   \
        struct call call;                                                         \
        char path[PATH_MAX];                                                      \
        if (!is_on()) return REAL(symbol)(__VA_ARGS__);                           \
        int error = errno;                                                        \
        path_of(file, path);                                                      \
        keep_pace(kind_of(path));                                                 \
        errno = error;                                                            \
        if (!wants_all()) return REAL(symbol)(__VA_ARGS__);                       \
        bool made = begins_on(&call, "read", LOOKS, file, "");                    \
        return ends(&call, made ? REAL(symbol)(__VA_ARGS__) : -1, made);          \
    }
READ(read, (int file, void *bytes, size_t size), file, bytes, size)
READ(pread, (int file, void *bytes, size_t size, off_t at), file, bytes, size, at)
READ(pread64, (int file, void *bytes, size_t size, off64_t at), file, bytes, size, at)

#define ON_PATH(symbol, verb, parameters, folder, path, ...)                      \
    int symbol parameters {                                                       \
        struct call call;                                                         \
        bool made = begins_at(&call, verb, CHANGES, folder, path);                \
        return ends(&call, made ? REAL(symbol)(__VA_ARGS__) : -1, made);          \
    }
ON_PATH(unlink, "unlink", (const char *path), AT_FDCWD, path, path)
ON_PATH(unlinkat, "unlink", (int in, const char *path, int flags), in, path, in, path, flags)
ON_PATH(rmdir, "rmdir", (const char *path), AT_FDCWD, path, path)
ON_PATH(mkdir, "mkdir", (const char *path, mode_t mode), AT_FDCWD, path, path, mode)
ON_PATH(mkdirat, "mkdir", (int in, const char *path, mode_t mode), in, path, in, path, mode)

/* What an entry of the log says can be read from it later, whatever becomes of its name. */
static void keep(const struct call *call, const char *kept_in) {
    static int number;
    char kept[PATH_MAX + 32];
    if (kept_in == NULL || strstr(call->name, ":" LOG ":") == NULL) return;
    snprintf(kept, sizeof kept, "%s/%d", kept_in, __atomic_add_fetch(&number, 1, __ATOMIC_RELAXED));
    syscall(SYS_linkat, AT_FDCWD, call->detail, AT_FDCWD, kept, 0);
}

/* The kind is that of the new name: it is what others see. */
#define GIVES_NAME(symbol, verb, parameters, out, from, folder, to, ...)          \
    int symbol parameters {                                                       \
        struct call call;                                                         \
        if (!is_on()) return REAL(symbol)(__VA_ARGS__);                           \
        int error = errno;                                                        \
        call.name[0] = 0;                                                         \
        whole_path(out, from, call.detail);                                       \
        whole_path(folder, to, call.path);                                        \
        errno = error;                                                            \
        bool made = begins(&call, verb, CHANGES);                                 \
        if (call.name[0] != 0) keep(&call, getenv("SHIM_KEEP"));                  \
        return ends(&call, made ? REAL(symbol)(__VA_ARGS__) : -1, made);          \
    }
GIVES_NAME(link, "link", (const char *from, const char *to), AT_FDCWD, from, AT_FDCWD, to, from, to)
GIVES_NAME(linkat, "link", (int in, const char *from, int into, const char *to, int flags), in, from, into, to, in, from, into, to, flags)
GIVES_NAME(rename, "rename", (const char *from, const char *to), AT_FDCWD, from, AT_FDCWD, to, from, to)
GIVES_NAME(renameat, "rename", (int in, const char *from, int into, const char *to), in, from, into, to, in, from, into, to)
GIVES_NAME(renameat2, "rename", (int in, const char *from, int into, const char *to, unsigned flags), in, from, into, to, in, from, into, to, flags)

/* Looks at a file's size, or whether it is there. */
#define LOOK(symbol, parameters, folder, path, ...)                               \
    int symbol parameters {                                                       \
        struct call call;                                                         \
        if (!wants_all()) return REAL(symbol)(__VA_ARGS__);                       \
        bool made = begins_at(&call, "look", LOOKS, folder, path);                \
        return ends(&call, made ? REAL(symbol)(__VA_ARGS__) : -1, made);          \
    }
LOOK(stat, (const char *path, struct stat *status), AT_FDCWD, path, path, status)
LOOK(stat64, (const char *path, struct stat64 *status), AT_FDCWD, path, path, status)
LOOK(lstat, (const char *path, struct stat *status), AT_FDCWD, path, path, status)
LOOK(fstat, (int file, struct stat *status), file, "", file, status)
LOOK(fstat64, (int file, struct stat64 *status), file, "", file, status)
LOOK(access, (const char *path, int how), AT_FDCWD, path, path, how)
int statx(int in, const char *restrict path, int flags, unsigned mask, struct statx *restrict status) {
    struct call call;
    if (!wants_all()) return REAL(statx)(in, path, flags, mask, status);
    bool made = begins_at(&call, "look", LOOKS, in, path);
    return ends(&call, made ? REAL(statx)(in, path, flags, mask, status) : -1, made);
}
