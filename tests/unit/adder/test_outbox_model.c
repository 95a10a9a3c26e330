// SPDX-License-Identifier: Apache-2.0
// Random histories with restarts, compared after each step with an array.
#include "outbox_fixture.h"
#include "random.h"

#define STEPS     1500
#define IDS       40
#define BATCH_MAX 12
#define ROWS_MAX  (STEPS * BATCH_MAX)

static uint64_t seed;

struct row {
    char id; // ' ': none
    int64_t a, b, accepted_unix_us;
};

struct model {
    struct row rows[ROWS_MAX + 1]; // [sequence]
    int64_t appended, published;
    int64_t first; // the oldest kept: when to remove is the outbox's choice, within limits
    int64_t retention_rows;
    __int128 sum;
};

static bool percent(int64_t n)
{
    return random_percent(&seed, n);
}

// The kept row with that id, 0: none.
static int64_t find(const struct model *m, char id)
{
    for (int64_t i = m->appended; id != ' ' && i >= m->first; i--) {
        if (m->rows[i].id == id)
            return i;
    }
    return 0;
}

static void model_add(struct model *m, char id, const struct add *add)
{
    const int64_t found = find(m, id);
    if (found > 0 && m->rows[found].a == add->a && m->rows[found].b == add->b) {
        EXPECT(add->outcome == ADD_REPEATED && add->sequence == found, "not repeated");
    } else if (found > 0) {
        EXPECT(add->outcome == ADD_CONFLICT, "not a conflict");
    } else {
        EXPECT(add->outcome == ADD_APPENDED && add->sequence == m->appended + 1, "not appended");
        m->rows[++m->appended] = (struct row){id, add->a, add->b, add->accepted_unix_us};
        m->sum += add->sum;
    }
}

static void step_append(struct fixture *f, struct model *m)
{
    struct add adds[BATCH_MAX];
    char ids[BATCH_MAX];
    struct err err = {.text = ""};
    const size_t n = (size_t)random_below(&seed, BATCH_MAX) + 1;
    for (size_t i = 0; i < n; i++) {
        ids[i] = percent(60) ? (char)('A' + random_below(&seed, IDS)) : ' ';
        adds[i] = add_of(ids[i], percent(10) ? INT64_MAX : random_below(&seed, 2),
                         -random_below(&seed, 2));
    }
    EXPECT(append(f->outbox, adds, n, &err), "%s", err.text);
    for (size_t i = 0; i < n; i++)
        model_add(m, ids[i], &adds[i]);
}

// What was removed was published and beyond the retention.
static void removed_fairly(struct fixture *f, struct model *m)
{
    int64_t first = ask_file(f->path, "SELECT min(sequence) FROM outbox");
    if (first == 0)
        first = m->appended + 1;
    const int64_t allowed = m->published - m->retention_rows + 1;
    EXPECT(first >= m->first && first <= (allowed > m->first ? allowed : m->first),
           "first was %" PRId64 ", is %" PRId64 ", allowed %" PRId64, m->first, first, allowed);
    m->first = first;
}

static void step_publish(struct fixture *f, struct model *m)
{
    m->published += random_below(&seed, m->appended - m->published + 1);
    outbox_published_set(f->outbox, m->published);
}

static void step_tend(struct fixture *f, struct model *m)
{
    bool more;
    struct err err = {.text = ""};
    EXPECT(outbox_tend(f->outbox, &more, &err), "%s", err.text);
    removed_fairly(f, m);
}

static void step_restart(struct fixture *f, struct model *m)
{
    fixture_restart(f);
    removed_fairly(f, m);
}

static void step_rewind(struct fixture *f, struct model *m)
{
    const int64_t from = random_below(&seed, m->appended + 3);
    struct err err = {.text = ""};
    const bool ok = outbox_rewind(f->outbox, from, &err);
    EXPECT(ok == (from >= m->first && from <= m->appended), "from %" PRId64 ": %s", from, err.text);
    if (ok && from <= m->published)
        m->published = from - 1;
}

static void step_read(struct fixture *f, struct model *m)
{
    struct event events[50];
    struct err err = {.text = ""};
    size_t n;
    const int64_t after = m->first - 1 + random_below(&seed, m->appended - m->first + 2);
    EXPECT(outbox_read(f->reader, after, events, COUNT_OF(events), &n, &err), "%s", err.text);
    const int64_t left = m->appended - after;
    assert_int_equal(n, left < (int64_t)COUNT_OF(events) ? left : (int64_t)COUNT_OF(events));
    for (size_t i = 0; i < n; i++) {
        const struct row *row = &m->rows[after + 1 + (int64_t)i];
        assert_int_equal(events[i].sequence, after + 1 + (int64_t)i);
        assert_int_equal(events[i].a, row->a);
        assert_int_equal(events[i].b, row->b);
        assert_int_equal(events[i].accepted_unix_us, row->accepted_unix_us);
    }
}

static void expect_same(struct fixture *f, const struct model *m)
{
    const struct outbox_stats stats = stats_of(f->outbox);
    assert_int_equal(stats.appended, m->appended);
    assert_int_equal(stats.published, m->published);
    assert_true(stats.sum == m->sum);
    assert_int_equal(stats.oldest_unix_us > 0, m->published < m->appended);
}

static void it_does_what_an_array_does(void **state)
{
    struct fixture *f = *state;
    static const struct {
        int64_t until_percent;
        void (*step)(struct fixture *f, struct model *m);
    } table[] = {{50, step_append}, {65, step_publish}, {80, step_tend},
                 {92, step_read},   {97, step_rewind},  {100, step_restart}};
    struct model *m = xcalloc(1, sizeof(*m));
    m->first = 1;
    m->retention_rows = f->config.retention_rows = 30;
    fixture_open(f);
    for (int i = 0; i < STEPS; i++) {
        const int64_t dice = random_below(&seed, 100);
        size_t kind = 0;
        while (dice >= table[kind].until_percent)
            kind++;
        table[kind].step(f, m);
        expect_same(f, m);
    }
    assert_true(m->first > 1 && m->appended > STEPS);
    free(m);
}

int main(int argc, char **argv)
{
    seed = random_seed(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_does_what_an_array_does, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
