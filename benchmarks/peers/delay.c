/*
 * A TCP proxy that makes a network longer: every piece is passed on DELAY_MS after it came, in each direction, so a
 * round trip takes twice that.
 *
 *     delay PORT UPSTREAM_PORT DELAY_MS
 *
 * Listens on 127.0.0.1 (PORT 0: any free one), prints {"port": N} once it does, and runs until a signal ends it. It
 * delays only: no bandwidth is taken away, and any number of pieces may be under way.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PIECE_SIZE = 1 << 20, EVENTS = 256 };

/* One end of a proxied connection. Ends are never freed: a run is short, and pieces may still point at them. */
struct end {
    int fd;
    bool broken;
    struct end *other;
};

/* What was read, and is to be written to `to` when it is `due`; no bytes mean the end of the stream. */
struct piece {
    int64_t due;
    struct end *to;
    struct piece *next;
    size_t length;
    char bytes[];
};

static struct piece *first, *last;
static int poller;
static int64_t delay;
static char buffer[PIECE_SIZE];

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void watch(struct end *end)
{
    int on = 1;
    setsockopt(end->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = end};
    epoll_ctl(poller, EPOLL_CTL_ADD, end->fd, &event);
}

static void join_connections(int listener, const struct sockaddr_in *upstream)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, 0)) >= 0) {
        int far_fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(far_fd, (const struct sockaddr *)upstream, sizeof *upstream)) {
            close(fd);
            close(far_fd);
            continue;
        }
        struct end *near = calloc(1, sizeof *near), *far = calloc(1, sizeof *far);
        if (!near || !far)
            abort();
        *near = (struct end){.fd = fd, .other = far};
        *far = (struct end){.fd = far_fd, .other = near};
        watch(near);
        watch(far);
    }
}

static void take_piece(struct end *from)
{
    ssize_t length = recv(from->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (length < 0 && errno == EAGAIN)
        return;
    if (length <= 0) {
        length = 0;
        epoll_ctl(poller, EPOLL_CTL_DEL, from->fd, NULL);
    }
    struct piece *piece = malloc(sizeof *piece + (size_t)length);
    if (!piece)
        abort();
    *piece = (struct piece){.due = now() + delay, .to = from->other, .length = (size_t)length};
    memcpy(piece->bytes, buffer, (size_t)length);
    *(last ? &last->next : &first) = piece;
    last = piece;
}

static void pass_on(const struct piece *piece)
{
    if (piece->length == 0)
        shutdown(piece->to->fd, SHUT_WR);
    for (size_t at = 0; at < piece->length && !piece->to->broken;) {
        ssize_t written = send(piece->to->fd, piece->bytes + at, piece->length - at, MSG_NOSIGNAL);
        if (written < 0)
            piece->to->broken = true;
        else
            at += (size_t)written;
    }
}

static void pass_on_due(void)
{
    while (first && first->due <= now()) {
        struct piece *piece = first;
        first = piece->next;
        if (!first)
            last = NULL;
        pass_on(piece);
        free(piece);
    }
}

/* Wait for something to read, at most until the next piece is due; to the nanosecond, which epoll_wait is not. */
static int wait_for_events(struct epoll_event *events)
{
    if (!first)
        return epoll_wait(poller, events, EVENTS, -1);
    int64_t left = first->due - now();
    if (left < 0)
        left = 0;
    struct timespec time = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
    return epoll_pwait2(poller, events, EVENTS, &time, NULL);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: delay PORT UPSTREAM_PORT DELAY_MS\n");
        return 2;
    }
    delay = (int64_t)(atof(argv[3]) * 1e6);
    signal(SIGPIPE, SIG_IGN);

    struct sockaddr_in here = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)atoi(argv[1])),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in upstream = here;
    upstream.sin_port = htons((uint16_t)atoi(argv[2]));
    int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    socklen_t size = sizeof here;
    if (bind(listener, (struct sockaddr *)&here, size) || listen(listener, 1024)) {
        perror("delay: can't listen");
        return 1;
    }
    getsockname(listener, (struct sockaddr *)&here, &size);
    printf("{\"port\": %d}\n", ntohs(here.sin_port));
    fflush(stdout);

    poller = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[EVENTS];
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int ready = wait_for_events(events);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.ptr)
                take_piece(events[i].data.ptr);
            else
                join_connections(listener, &upstream);
        }
        pass_on_due();
    }
}
