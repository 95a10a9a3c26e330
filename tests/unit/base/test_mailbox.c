// SPDX-License-Identifier: Apache-2.0
#include "base/mailbox.h"

#include "unit.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

struct letter {
    struct mailbox_item item; // first, so that an item is its letter
    int number;
};

static int number_of(const struct mailbox_item *item)
{
    return ((const struct letter *)(const void *)item)->number;
}

static bool readable(const struct mailbox *m)
{
    struct pollfd poll_fd = {.fd = mailbox_fd(m), .events = POLLIN};
    return poll(&poll_fd, 1, 0) == 1;
}

static void fill(struct mailbox *m, struct letter *letters, int count)
{
    for (int i = 0; i < count; i++) {
        letters[i].number = i;
        EXPECT(mailbox_put(m, &letters[i].item), "letter %d was refused", i);
    }
}

static void what_is_put_first_is_taken_first(void **state)
{
    (void)state;
    struct mailbox *m = mailbox_create(8);
    struct letter letters[5];
    fill(m, letters, 5);
    int next = 0;
    for (struct mailbox_item *item = mailbox_take(m, 8); item != NULL; item = item->next)
        assert_int_equal(number_of(item), next++);
    assert_int_equal(next, 5);
    assert_null(mailbox_take(m, 8));
    mailbox_destroy(m);
}

static void a_full_mailbox_refuses_until_something_is_taken(void **state)
{
    (void)state;
    struct mailbox *m = mailbox_create(2);
    struct letter letters[2], late = {.number = 2};
    fill(m, letters, 2);
    assert_false(mailbox_put(m, &late.item));
    assert_int_equal(mailbox_length(m), 2);
    assert_non_null(mailbox_take(m, 1));
    assert_true(mailbox_put(m, &late.item));
    struct mailbox_item *taken = mailbox_take(m, 9);
    assert_int_equal(number_of(taken), 1);
    assert_int_equal(number_of(taken->next), 2);
    assert_null(taken->next->next);
    assert_int_equal(mailbox_length(m), 0);
    mailbox_destroy(m);
}

static void a_smaller_limit_holds_for_what_comes(void **state)
{
    (void)state;
    struct mailbox *m = mailbox_create(3);
    struct letter letters[3], late = {.number = 3};
    fill(m, letters, 3);
    mailbox_limit_set(m, 2);
    assert_int_equal(mailbox_limit(m), 2);
    assert_int_equal(mailbox_length(m), 3);
    assert_non_null(mailbox_take(m, 1));
    assert_false(mailbox_put(m, &late.item));
    assert_non_null(mailbox_take(m, 1));
    assert_true(mailbox_put(m, &late.item));
    mailbox_destroy(m);
}

static void it_stays_readable_while_items_are_left(void **state)
{
    (void)state;
    struct mailbox *m = mailbox_create(8);
    struct letter letters[3];
    assert_false(readable(m));
    fill(m, letters, 3);
    assert_true(readable(m));
    assert_null(mailbox_take(m, 0));
    assert_int_equal(mailbox_length(m), 3);
    assert_non_null(mailbox_take(m, 2));
    assert_true(readable(m));
    assert_non_null(mailbox_take(m, 2));
    assert_false(readable(m));
    mailbox_destroy(m);
}

static void wake_ups_coalesce_and_one_take_quiets_them(void **state)
{
    (void)state;
    struct mailbox *m = mailbox_create(8);
    struct letter letter = {.number = 1};
    for (int i = 0; i < 3; i++)
        mailbox_wake(m);
    assert_true(readable(m));
    mailbox_wait(m, -1);
    assert_null(mailbox_take(m, 8));
    assert_false(readable(m));
    assert_true(mailbox_put(m, &letter.item)); // a put after the quiet wakes again
    assert_true(readable(m));
    mailbox_wait(m, -1);
    assert_non_null(mailbox_take(m, 8));
    mailbox_wait(m, 0);
    assert_false(readable(m));
    mailbox_destroy(m);
}

#define PRODUCERS         4
#define LETTERS_EACH      20000
#define LETTERS_AT_A_TIME 64

struct producer {
    struct mailbox *mailbox;
    struct letter *letters; // LETTERS_EACH, numbered from 0
    int refused;
};

static void *produce(void *ctx)
{
    struct producer *p = ctx;
    for (int i = 0; i < LETTERS_EACH; i++) {
        p->letters[i].number = i;
        while (!mailbox_put(p->mailbox, &p->letters[i].item))
            p->refused++;
    }
    return NULL;
}

static int owner_of(const struct producer *producers, const struct mailbox_item *item)
{
    const struct letter *letter = (const void *)item;
    for (int i = 0; i < PRODUCERS; i++) {
        if (letter >= producers[i].letters && letter < producers[i].letters + LETTERS_EACH)
            return i;
    }
    fail_msg("an item came out that nobody put in");
    return -1;
}

static void nothing_is_lost_or_reordered_between_threads(void **state)
{
    (void)state;
    struct mailbox *m = mailbox_create(LETTERS_AT_A_TIME);
    struct producer producers[PRODUCERS];
    pthread_t threads[PRODUCERS];
    int next[PRODUCERS] = {0};
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){.mailbox = m,
                                         .letters = xcalloc(LETTERS_EACH, sizeof(struct letter))};
        pthread_create(&threads[i], NULL, produce, &producers[i]);
    }
    for (int left = PRODUCERS * LETTERS_EACH; left > 0;) {
        mailbox_wait(m, -1);
        for (struct mailbox_item *item = mailbox_take(m, 50); item != NULL; item = item->next) {
            const int owner = owner_of(producers, item);
            assert_int_equal(number_of(item), next[owner]++);
            left--;
        }
    }
    for (int i = 0; i < PRODUCERS; i++) {
        pthread_join(threads[i], NULL);
        free(producers[i].letters);
    }
    assert_int_equal(mailbox_length(m), 0);
    mailbox_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_first_is_taken_first),
        cmocka_unit_test(a_full_mailbox_refuses_until_something_is_taken),
        cmocka_unit_test(a_smaller_limit_holds_for_what_comes),
        cmocka_unit_test(it_stays_readable_while_items_are_left),
        cmocka_unit_test(wake_ups_coalesce_and_one_take_quiets_them),
        cmocka_unit_test(nothing_is_lost_or_reordered_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
