/*
 * A pipelined SMTP source: the ceiling for any sender. It knows every reply in advance, only counts lines, and prepares
 * a mail by copying it.
 *
 *     source PORT CONNECTIONS SECONDS MESSAGE_FILE ROUND_TRIPS
 *
 * ROUND_TRIPS a mail: 1 sends the next envelope with this body; 2 waits for the reply to the body first. In
 * MESSAGE_FILE, which has CRLF line ends and no line that starts with a dot, each QQTOKENQQ begins a field of 32 bytes
 * that is filled anew for each mail. Prints its counts as one line of JSON.
 *
 * It doesn't look at codes: it is for sinks that take everything.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MESSAGE_SIZE = 1 << 20, OUT_SIZE = MESSAGE_SIZE + 4096, FIELDS = 64, FIELD_WIDTH = 32, EVENTS = 256 };

struct connection {
    int fd;
    int lines_due;     /* how many reply lines until it is our turn */
    bool body_is_out;  /* one of them answers a body */
    bool envelope_out; /* the others answer an envelope */
    bool waits_for_room;
    size_t out_begin, out_end;
    char out[OUT_SIZE];
};

static char message[MESSAGE_SIZE];
static size_t message_length, fields[FIELDS];
static int field_count, poller;
static long begun, done;

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double cpu_used(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void load_message(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        fail(path);
    message_length = fread(message, 1, sizeof message, file);
    fclose(file);
    char *at = message, *end = message + message_length;
    while (field_count < FIELDS && (at = memmem(at, (size_t)(end - at), "QQTOKENQQ", 9)) && at + FIELD_WIDTH <= end) {
        fields[field_count++] = (size_t)(at - message);
        at += FIELD_WIDTH;
    }
}

static void watch(struct connection *c, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = c};
    epoll_ctl(poller, operation, c->fd, &event);
}

static void push(struct connection *c)
{
    while (c->out_begin < c->out_end) {
        ssize_t sent = send(c->fd, c->out + c->out_begin, c->out_end - c->out_begin, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN)
            fail("source: can't send");
        if (sent < 0) {
            if (!c->waits_for_room)
                watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
            c->waits_for_room = true;
            return;
        }
        c->out_begin += (size_t)sent;
    }
    c->out_begin = c->out_end = 0;
    if (c->waits_for_room)
        watch(c, EPOLL_CTL_MOD, EPOLLIN);
    c->waits_for_room = false;
}

static void add_envelope(struct connection *c)
{
    c->out_end += (size_t)sprintf(
        c->out + c->out_end,
        "MAIL FROM:<bounce@news.example.org>\r\nRCPT TO:<reader%016ld@example.net>\r\nDATA\r\n", begun++);
    c->envelope_out = true;
    c->lines_due += 3;
}

static void add_body(struct connection *c)
{
    char *here = c->out + c->out_end, field[FIELD_WIDTH + 1];
    snprintf(field, sizeof field, "%032ld", begun);
    memcpy(here, message, message_length);
    for (int i = 0; i < field_count; i++)
        memcpy(here + fields[i], field, FIELD_WIDTH);
    memcpy(here + message_length, ".\r\n", 3);
    c->out_end += message_length + 3;
    c->body_is_out = true;
    c->lines_due += 1;
}

/* All replies are in: write what comes next; return false when there is nothing more to do. */
static bool go_on(struct connection *c, int round_trips, bool stop)
{
    bool may_send_body = c->envelope_out;
    if (c->body_is_out)
        done++;
    c->body_is_out = c->envelope_out = false;
    if (may_send_body)
        add_body(c);
    if (!stop && !(may_send_body && round_trips == 2))
        add_envelope(c);
    push(c);
    return c->lines_due > 0;
}

static struct connection *open_connection(uint16_t port)
{
    struct connection *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    char replies[4096];
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address))
        fail("source: can't connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (recv(c->fd, replies, sizeof replies, 0) <= 0 || send(c->fd, "HELO source\r\n", 13, 0) < 0 ||
        recv(c->fd, replies, sizeof replies, 0) <= 0)
        fail("source: no greeting");
    watch(c, EPOLL_CTL_ADD, EPOLLIN);
    return c;
}

static void count_lines(struct connection *c)
{
    char replies[8192];
    ssize_t length = recv(c->fd, replies, sizeof replies, MSG_DONTWAIT);
    if (length < 0 && errno == EAGAIN)
        return;
    if (length <= 0)
        fail("source: the sink hung up");
    for (ssize_t i = 0; i < length; i++)
        c->lines_due -= replies[i] == '\n';
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fprintf(stderr, "usage: source PORT CONNECTIONS SECONDS MESSAGE_FILE ROUND_TRIPS\n");
        return 2;
    }
    int open = atoi(argv[2]), round_trips = atoi(argv[5]);
    load_message(argv[4]);
    poller = epoll_create1(0);
    struct connection **connections = calloc((size_t)open, sizeof *connections);
    if (!connections)
        abort();
    for (int i = 0; i < open; i++)
        connections[i] = open_connection((uint16_t)atoi(argv[1]));

    double begin = now(), end = begin + atof(argv[3]), cpu = cpu_used();
    for (int i = 0; i < open; i++)
        go_on(connections[i], round_trips, false);
    struct epoll_event events[EVENTS];
    while (open) {
        int ready = epoll_wait(poller, events, EVENTS, -1);
        bool stop = now() > end;
        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;
            if (events[i].events & EPOLLOUT)
                push(c);
            if (!(events[i].events & EPOLLIN))
                continue;
            count_lines(c);
            if (c->lines_due <= 0 && !go_on(c, round_trips, stop)) {
                close(c->fd);
                open--;
            }
        }
    }
    double wall = now() - begin;
    printf("{\"messages\": %ld, \"seconds\": %f, \"cpu\": %f}\n", done, wall, cpu_used() - cpu);
    return 0;
}
