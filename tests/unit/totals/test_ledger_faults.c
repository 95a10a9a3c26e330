// SPDX-License-Identifier: Apache-2.0
// The promises of ledger.h at each fault seam: a child consumes a log and is killed, or told that
// the step failed, the first time, the second time … it gets there. Then the file must say exactly
// what the log says up to the offset in the file (L1, L2), and no less than what the child's
// readers were told (L3); and whoever goes on from there must reach the end with everything counted
// once.
#include "totals/ledger.h"

#include "ledger_rig.h"
#include "model.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define LOG_EVENTS 120
#define BATCH      10
#define TIMES      (LOG_EVENTS / BATCH)

static struct ledger_entry log_entries[LOG_EVENTS];

// Three sources; duplicates, holes, some of which close late, and a dead letter here and there.
static void make_log(void)
{
    int64_t sent[3] = {0};
    for (int i = 0; i < LOG_EVENTS; i++) {
        const int source = i % 3;
        sent[source] += i % 11 == 10 ? 3 : i % 13 == 12 ? -1 : 1;
        if (sent[source] < 1)
            sent[source] = 1;
        log_entries[i] = i % 29 == 28 ? rig_dead_letter(0, i)
                                      : rig_event(0, i, source, sent[source], INT64_MAX - i);
    }
}

struct expected {
    int64_t count, duplicates, missing, dead_letters;
    __int128 sum;
};

static struct expected expect_up_to(int64_t offset)
{
    struct expected e = {0};
    struct model models[3];
    for (int i = 0; i < 3; i++)
        models[i] = model_create(LOG_EVENTS);
    for (int64_t i = 0; i < offset; i++) {
        const struct event *event = &log_entries[i].event;
        if (log_entries[i].dead_letter)
            e.dead_letters++;
        else
            model_apply(&models[strtol(event->source.text, NULL, 16)], event->sequence, event->sum);
    }
    for (int i = 0; i < 3; i++) {
        e.count += models[i].count;
        e.duplicates += models[i].duplicates;
        e.missing += models[i].highest - models[i].count;
        e.sum += models[i].sum;
        free(models[i].seen);
    }
    return e;
}

// Reads on from where the ledger says. False: an error, after which it may be called again.
static bool consume(struct ledger *ledger, struct err *err)
{
    int64_t offset;
    if (!ledger_offset(ledger, 0, &offset, err))
        return false;
    for (offset = offset < 0 ? 0 : offset; offset < LOG_EVENTS; offset += BATCH) {
        struct ledger_entry batch[BATCH];
        memcpy(batch, log_entries + offset, sizeof(batch));
        if (!ledger_stage(ledger, batch, BATCH, err) || !ledger_commit(ledger, err))
            return false;
    }
    return true;
}

struct reader {
    struct ledger *ledger;
    int fd;
};

// What a reader is told goes to the parent at once.
static void tell(void *ctx)
{
    const struct reader *reader = ctx;
    struct ledger_total total;
    ledger_total(reader->ledger, &total);
    if (write(reader->fd, &total.count, sizeof(total.count)) != sizeof(total.count))
        abort();
}

// The child: exit status 0 when the end of the log is reached.
static int run_consumer(const char *path, const char *fault, int fd)
{
    setenv("ABACUS_FAULT", fault, 1);
    struct reader reader = {.fd = fd};
    struct err err;
    if (!ledger_open(&reader.ledger, path, &err))
        return 1;
    ledger_on_change(reader.ledger, tell, &reader);
    bool done = consume(reader.ledger, &err);
    if (!done && (err.code == ERR_UNAVAILABLE || err.code == ERR_UNKNOWN))
        done = consume(reader.ledger, &err);
    ledger_close(reader.ledger);
    return done ? 0 : 2;
}

static int64_t last_told(int fd)
{
    int64_t told = 0;
    while (read(fd, &told, sizeof(told)) == sizeof(told))
        ;
    return told;
}

// Runs a child with this fault; what its readers were told last.
static int64_t run_child(const struct rig *rig, const char *fault, int *status)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(run_consumer(rig->path, fault, ends[1]));
    close(ends[1]);
    const int64_t told = last_told(ends[0]);
    close(ends[0]);
    assert_int_equal(waitpid(pid, status, 0), pid);
    return told;
}

static void check_whole(struct rig *rig, const char *fault, int64_t offset)
{
    const struct ledger_total total = rig_total(rig);
    const struct expected e = expect_up_to(offset);
    EXPECT(total.count == e.count && total.sum == e.sum && total.duplicates == e.duplicates &&
               total.missing == e.missing && total.dead_letters == e.dead_letters,
           "%s: at offset %lld count %lld, wanted %lld", fault, (long long)offset,
           (long long)total.count, (long long)e.count);
}

static void check_file(struct rig *rig, const char *fault, int64_t told)
{
    struct err err = {.text = ""};
    rig_open(rig);
    const int64_t offset = rig_offset(rig, 0);
    check_whole(rig, fault, offset < 0 ? 0 : offset);
    EXPECT(rig_total(rig).count >= told, "%s: %lld in the file, readers saw %lld", fault,
           (long long)rig_total(rig).count, (long long)told);
    EXPECT(consume(rig->ledger, &err), "%s", err.text);
    check_whole(rig, fault, LOG_EVENTS);
}

// The child opens the ledger: a database must not be carried over a fork.
static struct rig *set_up_closed(void)
{
    void *state;
    rig_set_up(&state);
    struct rig *rig = state;
    ledger_close(rig->ledger);
    rig->ledger = NULL;
    return rig;
}

static void tear_down(struct rig *rig)
{
    void *state = rig;
    rig_tear_down(&state);
}

static void try_fault(const char *step, int time, const char *action)
{
    struct rig *rig = set_up_closed();
    char *fault = xasprintf("%s:%d:%s", step, time, action);
    int status;
    const int64_t told = run_child(rig, fault, &status);
    if (strcmp(action, "kill") == 0)
        EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%s: status %d", fault, status);
    else
        EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s: status %d", fault, status);
    check_file(rig, fault, told);
    free(fault);
    tear_down(rig);
}

static const char *const steps[] = {"ledger_apply", "ledger_commit", "ledger_durable"};

static void try_each_step(const char *action)
{
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        for (int time = 1; time <= TIMES; time++)
            try_fault(steps[i], time, action);
    }
}

static void killed_at_any_step_nothing_is_lost_or_counted_twice(void **state)
{
    (void)state;
    try_each_step("kill");
}

static void a_step_that_fails_is_survived(void **state)
{
    (void)state;
    try_each_step("fail");
}

// The child: how the first failure is called, as its exit status.
static int run_to_failure(const char *path, const char *fault)
{
    setenv("ABACUS_FAULT", fault, 1);
    struct ledger *ledger;
    struct err err;
    const bool failed = ledger_open(&ledger, path, &err) && !consume(ledger, &err);
    return failed ? (int)err.code : 255;
}

static void a_failure_says_whether_it_may_have_happened(void **state)
{
    (void)state;
    static const enum err_code codes[] = {ERR_UNAVAILABLE, ERR_UNAVAILABLE, ERR_UNKNOWN};
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        struct rig *rig = set_up_closed();
        char *fault = xasprintf("%s:1:fail", steps[i]);
        const pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            _exit(run_to_failure(rig->path, fault));
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == (int)codes[i], "%s: status %d", fault,
               status);
        free(fault);
        tear_down(rig);
    }
}

int main(void)
{
    make_log();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_any_step_nothing_is_lost_or_counted_twice),
        cmocka_unit_test(a_step_that_fails_is_survived),
        cmocka_unit_test(a_failure_says_whether_it_may_have_happened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
