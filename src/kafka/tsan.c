// SPDX-License-Identifier: Apache-2.0
// Part of programs that are built with ThreadSanitizer, and only of these. librdkafka uses C11's
// threads, which gcc 12's and clang 14's sanitizer do not know: a thread begun that way crashes in
// it. Here they are POSIX threads again, which in glibc they are anyway. librdkafka itself is not
// instrumented, so what happens inside it alone is not judged.
#include "base/base.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <threads.h>

static_assert(sizeof(mtx_t) == sizeof(pthread_mutex_t) && sizeof(cnd_t) == sizeof(pthread_cond_t),
              "glibc's C11 types are its POSIX types");

const char *__tsan_default_options(void);

// Thread leaks: a client that librdkafka cannot end is left behind with its threads, knowingly
// (totals/consumer.c).
const char *__tsan_default_options(void)
{
    return "ignore_noninstrumented_modules=1:report_thread_leaks=0";
}

struct start {
    thrd_start_t fn;
    void *arg;
};

static void *begin(void *arg)
{
    const struct start start = *(struct start *)arg;
    free(arg);
    return (void *)(intptr_t)start.fn(start.arg);
}

static int answer(int error)
{
    return error == 0 ? thrd_success : thrd_error;
}

int thrd_create(thrd_t *thread, thrd_start_t fn, void *arg)
{
    struct start *start = xmalloc(sizeof(*start));
    *start = (struct start){fn, arg};
    return answer(pthread_create(thread, NULL, begin, start));
}

int thrd_join(thrd_t thread, int *result)
{
    void *returned;
    const int error = pthread_join(thread, &returned);
    if (error == 0 && result != NULL)
        *result = (int)(intptr_t)returned;
    return answer(error);
}

int mtx_init(mtx_t *mutex, int type)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    if (type & mtx_recursive)
        pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    const int error = pthread_mutex_init((pthread_mutex_t *)mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
    return answer(error);
}

void mtx_destroy(mtx_t *mutex)
{
    pthread_mutex_destroy((pthread_mutex_t *)mutex);
}

int mtx_lock(mtx_t *mutex)
{
    return answer(pthread_mutex_lock((pthread_mutex_t *)mutex));
}

int mtx_trylock(mtx_t *mutex)
{
    return pthread_mutex_trylock((pthread_mutex_t *)mutex) == 0 ? thrd_success : thrd_busy;
}

int mtx_unlock(mtx_t *mutex)
{
    return answer(pthread_mutex_unlock((pthread_mutex_t *)mutex));
}

int cnd_init(cnd_t *condition)
{
    return answer(pthread_cond_init((pthread_cond_t *)condition, NULL));
}

void cnd_destroy(cnd_t *condition)
{
    pthread_cond_destroy((pthread_cond_t *)condition);
}

int cnd_signal(cnd_t *condition)
{
    return answer(pthread_cond_signal((pthread_cond_t *)condition));
}

int cnd_broadcast(cnd_t *condition)
{
    return answer(pthread_cond_broadcast((pthread_cond_t *)condition));
}

int cnd_wait(cnd_t *condition, mtx_t *mutex)
{
    return answer(pthread_cond_wait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex));
}

int cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex,
                  const struct timespec *restrict end)
{
    const int error =
        pthread_cond_timedwait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex, end);
    return error == ETIMEDOUT ? thrd_timedout : answer(error);
}
