// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include <string.h>
#include <time.h>

#define US_PER_S     INT64_C(1000000)
#define S_PER_DAY    INT64_C(86400)
#define YEAR_FIRST   1970
#define SECONDS_LAST INT64_C(253402300799) // 9999-12-31T23:59:59Z: a year has four digits

int64_t clock_mono_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t clock_unix_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * US_PER_S + now.tv_nsec / NS_PER_US;
}

struct civil {
    int64_t year;
    int month, day;
};

// Days since 1970-01-01 to a date and back, by 400-year eras that begin on 1 March, so that the
// leap day is the last day of its year.
static struct civil civil_from_days(int64_t days)
{
    const int64_t shifted = days + 719468; // days from 0000-03-01
    const int64_t era = shifted / 146097, day_of_era = shifted % 146097;
    const int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    const int64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const int64_t month_from_march = (5 * day_of_year + 2) / 153;
    const int month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    return (struct civil){
        .year = era * 400 + year_of_era + (month <= 2),
        .month = month,
        .day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1),
    };
}

static int64_t days_from_civil(struct civil date)
{
    const int64_t year = date.year - (date.month <= 2);
    const int64_t era = year / 400, year_of_era = year % 400;
    const int64_t month_from_march = date.month > 2 ? date.month - 3 : date.month + 9;
    const int64_t day_of_year = (153 * month_from_march + 2) / 5 + date.day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

static char *put_digits(char *out, int width, int64_t value)
{
    for (int i = width - 1; i >= 0; i--, value /= 10)
        out[i] = (char)('0' + value % 10);
    return out + width;
}

bool clock_is_rfc3339(int64_t unix_us)
{
    return unix_us >= 0 && unix_us / US_PER_S <= SECONDS_LAST;
}

void clock_format_rfc3339(char out[CLOCK_RFC3339_BYTES], int64_t unix_us)
{
    const int64_t seconds = unix_us / US_PER_S, second_of_day = seconds % S_PER_DAY;
    CHECK(clock_is_rfc3339(unix_us));
    const struct civil date = civil_from_days(seconds / S_PER_DAY);
    char *at = put_digits(out, 4, date.year);
    *at++ = '-';
    at = put_digits(at, 2, date.month);
    *at++ = '-';
    at = put_digits(at, 2, date.day);
    *at++ = 'T';
    at = put_digits(at, 2, second_of_day / 3600);
    *at++ = ':';
    at = put_digits(at, 2, second_of_day / 60 % 60);
    *at++ = ':';
    at = put_digits(at, 2, second_of_day % 60);
    *at++ = '.';
    at = put_digits(at, 6, unix_us % US_PER_S);
    *at++ = 'Z';
    *at = '\0';
}

struct cursor {
    const char *at, *end;
};

static bool take_digits(struct cursor *c, int width, int64_t *value)
{
    if (c->end - c->at < width)
        return false;
    *value = 0;
    for (int i = 0; i < width; i++, c->at++) {
        if (*c->at < '0' || *c->at > '9')
            return false;
        *value = *value * 10 + (*c->at - '0');
    }
    return true;
}

static bool take_char(struct cursor *c, const char *allowed)
{
    if (c->at == c->end || *c->at == '\0' || strchr(allowed, *c->at) == NULL)
        return false;
    c->at++;
    return true;
}

// ".123456789": any digits, those past the microsecond are dropped.
static bool take_fraction_us(struct cursor *c, int64_t *us)
{
    *us = 0;
    if (!take_char(c, "."))
        return true;
    int digits = 0;
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++, digits++) {
        if (digits < 6)
            *us = *us * 10 + (*c->at - '0');
    }
    for (int i = digits; i < 6; i++)
        *us *= 10;
    return digits >= 1 && digits <= 9;
}

static bool take_zone_minutes(struct cursor *c, int64_t *minutes)
{
    *minutes = 0;
    if (take_char(c, "Zz"))
        return true;
    const bool west = c->at < c->end && *c->at == '-';
    int64_t hour, minute;
    if (!take_char(c, "+-") || !take_digits(c, 2, &hour) || !take_char(c, ":") ||
        !take_digits(c, 2, &minute) || hour > 23 || minute > 59)
        return false;
    *minutes = (west ? -1 : 1) * (hour * 60 + minute);
    return true;
}

static int64_t days_in_month(int64_t year, int64_t month)
{
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

bool clock_parse_rfc3339(const char *text, size_t length, int64_t *unix_us)
{
    struct cursor c = {text, text + length};
    int64_t year, month, day, hour, minute, second, fraction_us, zone;
    if (!take_digits(&c, 4, &year) || !take_char(&c, "-") || !take_digits(&c, 2, &month) ||
        !take_char(&c, "-") || !take_digits(&c, 2, &day) || !take_char(&c, "Tt ") ||
        !take_digits(&c, 2, &hour) || !take_char(&c, ":") || !take_digits(&c, 2, &minute) ||
        !take_char(&c, ":") || !take_digits(&c, 2, &second) ||
        !take_fraction_us(&c, &fraction_us) || !take_zone_minutes(&c, &zone) || c.at != c.end)
        return false;
    if (year < YEAR_FIRST || month < 1 || month > 12 || day < 1 ||
        day > days_in_month(year, month) || hour > 23 || minute > 59 || second > 60)
        return false;
    const int64_t days = days_from_civil((struct civil){year, (int)month, (int)day});
    const int64_t seconds = days * S_PER_DAY + hour * 3600 + (minute - zone) * 60 + second;
    if (seconds < 0 || seconds > SECONDS_LAST) // a zone may lead out of what we can write
        return false;
    *unix_us = seconds * US_PER_S + fraction_us;
    return true;
}
