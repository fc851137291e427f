/*
 * A load client that sends events, for Linux: one thread, epoll, bodies prepared in advance.
 *
 *   ingest_load port=N bodies=FILE path=P key=K [socket=1] [per=N] [conns=N] [window=N] [rate=N]
 *               [warm=S] [seconds=S]
 *
 * bodies: concatenated, each preceded by its length (u32, little-endian), and sent in turn. A body has
 *         `per` events.
 * post:   `conns` connections, kept alive if the server permits, each with one request in flight.
 * socket: `conns` WebSockets, each with `window` messages in flight.
 *
 * With `rate` sends this many events per second, independent of responses: a request that is due while no
 * connection is free waits, and its latency counts from its due time. Without `rate` a response triggers
 * the next request. After 429 or 503 a connection pauses for the time in Retry-After.
 *
 * Prints one line of JSON: events accepted in total and in the measured seconds, rejected and failed
 * requests; latencies in milliseconds; cores used by this client; and the time of the first request in
 * milliseconds since 1970.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "../load.h"

#define READ_BYTES (256 * 1024)
#define CONNS_MAX 1024
#define WINDOW_MAX 256
#define STALL_NS 20000000000ull
#define HEAD_BYTES 512

typedef struct {
  int fd;
  uint64_t stamp[WINDOW_MAX];  /* send times of requests in flight, a ring */
  int first, count;
  uint64_t rests_until;
  char *in;                    /* the received part of a response */
  int length, room;
  char *out;                   /* bytes not yet written to the socket */
  int out_at, out_length, out_room;
  int is_writing;
} Conn;

static int port, is_socket = 0, per = 1, conn_count = 16, window = 1;
static double rate = 0, warm = 1, seconds = 2;
static const char *path = "/", *key = "", *bodies_path = "";
static char **requests;        /* encoded requests */
static int *request_lengths, request_count, next_request;
static uint64_t accepted, accepted_measured, refused, failed, answers;
static uint64_t under_way, sent, start_ns, from_ns, until_ns;
static int ep, measuring;
static Conn conns[CONNS_MAX];
static Histogram latency;

/* Requests: bodies with their head. */

static char *framed(const char *body, uint32_t length, int *made) {
  char *to = malloc((size_t)length + FRAME_HEAD_BYTES);
  *made = frame(to, 1, body, (int)length);
  return to;
}

static char *posted(const char *body, uint32_t length, int *made) {
  char *to = malloc((size_t)length + HEAD_BYTES);
  int at = snprintf(to, HEAD_BYTES,
    "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\nX-Api-Key: %s\r\n"
    "Content-Length: %u\r\n\r\n", path, port, key, length);
  memcpy(to + at, body, length);
  *made = at + (int)length;
  return to;
}

static void read_bodies(void) {
  FILE *f = fopen(bodies_path, "rb");
  if (!f) die(bodies_path);
  uint32_t length;
  while (fread(&length, 4, 1, f) == 1) {
    char *body = malloc(length);
    if (fread(body, 1, length, f) != length) die("bodies");
    requests = realloc(requests, (request_count + 1) * sizeof *requests);
    request_lengths = realloc(request_lengths, (request_count + 1) * sizeof *request_lengths);
    int *made = &request_lengths[request_count];
    requests[request_count++] = is_socket ? framed(body, length, made) : posted(body, length, made);
    free(body);
  }
  fclose(f);
  if (!request_count) die("no bodies");
}

/* Connections */

static void watch(Conn *c, int operation) {
  struct epoll_event event = { .events = EPOLLIN, .data.u32 = (uint32_t)(c - conns) };
  if (c->is_writing) event.events |= EPOLLOUT;
  epoll_ctl(ep, operation, c->fd, &event);
}

/* Waits for the response 101. */
static void upgrade(Conn *c) {
  char text[4096];
  int length = snprintf(text, sizeof text,
    "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nX-Api-Key: %s\r\n\r\n",
    path, port, key);
  if (write(c->fd, text, length) != length) die("write");
  length = 0;
  for (char *end = 0; !end; end = strstr(text, "\r\n\r\n")) {
    ssize_t n = read(c->fd, text + length, 1);
    if (n <= 0 || length > 4000) die("no answer");
    text[length += (int)n] = 0;
  }
  if (strncmp(text, "HTTP/1.1 101", 12)) exit((fprintf(stderr, "%.60s\n", text), 2));
}

static void open_conn(Conn *c) {
  struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
  inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  int one = 1;
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to)) die("connect");
  if (is_socket) upgrade(c);
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  c->length = c->out_at = c->out_length = c->is_writing = 0;
  watch(c, EPOLL_CTL_ADD);
}

static void reopen(Conn *c) {
  close(c->fd);
  open_conn(c);
}

static void send_bytes(Conn *c, const char *from, int length) {
  if (!c->is_writing) {
    ssize_t n = write(c->fd, from, length);
    if (n < 0 && errno != EAGAIN) die("write");
    if (n > 0) from += n, length -= (int)n;
    if (!length) return;
    c->is_writing = 1;
    watch(c, EPOLL_CTL_MOD);
  }
  if (c->out_length + length > c->out_room) {
    c->out_room = 2 * (c->out_length + length);
    c->out = realloc(c->out, c->out_room);
  }
  memcpy(c->out + c->out_length, from, length);
  c->out_length += length;
}

static void write_more(Conn *c) {
  ssize_t n = write(c->fd, c->out + c->out_at, c->out_length - c->out_at);
  if (n < 0 && errno != EAGAIN) die("write");
  if (n > 0) c->out_at += (int)n;
  if (c->out_at < c->out_length) return;
  c->out_at = c->out_length = c->is_writing = 0;
  watch(c, EPOLL_CTL_MOD);
}

static void send_next(Conn *c, uint64_t stamp) {
  int at = next_request++ % request_count;
  c->stamp[(c->first + c->count++) % WINDOW_MAX] = stamp;
  under_way++;
  sent++;
  send_bytes(c, requests[at], request_lengths[at]);
}

/* Responses */

static void answered(Conn *c, int status, uint64_t events, int retry_after) {
  uint64_t stamp = c->stamp[c->first], now = now_ns();
  c->first = (c->first + 1) % WINDOW_MAX;
  c->count--;
  under_way--;
  answers++;
  if (status == 200 || status == 202) {
    accepted += events;
    if (measuring) accepted_measured += events, sample(&latency, now > stamp ? (now - stamp) / 1000 : 0);
    refused += per - events;
  } else if (status == 429 || status == 503) {
    refused += per;
    c->rests_until = now + (uint64_t)(retry_after > 0 ? retry_after : 1) * 1000000000ull;
  } else {
    if (!failed++) fprintf(stderr, "answered %d: %.*s\n", status, c->length, c->in);
  }
}

/* Returns the number after `name` in the text before `end`, or `otherwise`. */
static long number_after(const char *text, const char *end, const char *name, long otherwise) {
  size_t length = strlen(name);
  for (const char *at = text; at + length < end; at++) {
    if (!strncasecmp(at, name, length)) return strtol(at + length, 0, 10);
  }
  return otherwise;
}

/* Returns the length of a chunked body, including chunk headers, or -1 if it is incomplete. */
static long chunked_length(const char *body, const char *end) {
  const char *at = body;
  for (;;) {
    const char *line = memmem(at, end - at, "\r\n", 2);
    if (!line) return -1;
    long size = strtol(at, 0, 16);
    if (end - line < 2 + size + 2) return -1;
    at = line + 2 + size + 2;
    if (!size) return at - body;
  }
}

/* Parses one HTTP response at the beginning of `in`. Returns its length in bytes, or 0 if it is
   incomplete. One without a length is complete when the server has closed. */
static int take_http(Conn *c, int *closes) {
  char *end = memmem(c->in, c->length, "\r\n\r\n", 4);
  if (!end) return 0;
  end += 4;
  long body = number_after(c->in, end, "\r\ncontent-length:", -1);
  if (memmem(c->in, end - c->in, "\r\ntransfer-encoding: chunked", 28)) {
    body = chunked_length(end, c->in + c->length);
    if (body < 0) return 0;
  } else if (body < 0) {
    if (!*closes) return 0;
    body = c->in + c->length - end;
  }
  if (c->length < end - c->in + body) return 0;
  int status = atoi(c->in + 9);
  *closes |= memmem(c->in, end - c->in, "onnection: close", 16) != 0;
  long events = number_after(end, end + body, "\"accepted\":", per);
  answered(c, status, (uint64_t)events, (int)number_after(c->in, end, "\r\nretry-after:", 0));
  return (int)(end - c->in + body);
}

/* Parses one WebSocket message at the beginning of `in`. */
static int take_frame(Conn *c) {
  const unsigned char *in = (const unsigned char *)c->in;
  if (c->length < 2) return 0;
  int size = in[1] & 127, start = 2;
  if (size == 126) {
    if (c->length < 4) return 0;
    size = in[2] << 8 | in[3], start = 4;
  }
  if (c->length < start + size) return 0;
  if ((in[0] & 15) == 8) exit((fprintf(stderr, "the server closed: %.*s\n", size, in + start), 3));
  if ((in[0] & 15) == 1) {
    const char *text = c->in + start;
    int is_taken = memmem(text, size, "\"accepted\"", 10) != 0;
    long retry = number_after(text, text + size, "\"retry_after\":", 0);
    answered(c, is_taken ? 202 : retry ? 503 : 400, 1, (int)retry);
  }
  return start + size;
}

static void feed(Conn *c) {
  if (c->room - c->length < 65536) c->in = realloc(c->in, c->room = 2 * c->room + 131072);
  ssize_t n = read(c->fd, c->in + c->length, c->room - c->length - 1);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) {
    int closes = 1;
    if (c->count && (is_socket || !take_http(c, &closes))) {
      exit((fprintf(stderr, "the server hung up\n"), 3));
    }
    return reopen(c);
  }
  c->length += (int)n;
  c->in[c->length] = 0;
  for (;;) {
    int closes = 0, taken = is_socket ? take_frame(c) : take_http(c, &closes);
    if (!taken) return;
    if (closes) return reopen(c);
    memmove(c->in, c->in + taken, c->length -= taken);
  }
}

/* Sends all requests that are due. */
static void pump(uint64_t now) {
  static int turn = 0;
  double interval = rate > 0 ? 1e9 * per / rate : 0;
  for (int i = 0; i < conn_count; i++) {
    Conn *c = &conns[turn++ % conn_count];
    if (c->rests_until > now) continue;
    while (c->count < window) {
      uint64_t due = rate > 0 ? start_ns + (uint64_t)(sent * interval) : now;
      if (due > now) return;
      send_next(c, due);
      if (rate > 0) break;
    }
  }
}

static void read_options(int count, char **options) {
  for (int i = 1; i < count; i++) {
    char *value = strchr(options[i], '=');
    if (!value) die(options[i]);
    *value++ = 0;
    const char *name = options[i];
    if (!strcmp(name, "port")) port = atoi(value);
    else if (!strcmp(name, "bodies")) bodies_path = value;
    else if (!strcmp(name, "path")) path = value;
    else if (!strcmp(name, "key")) key = value;
    else if (!strcmp(name, "socket")) is_socket = atoi(value);
    else if (!strcmp(name, "per")) per = atoi(value);
    else if (!strcmp(name, "conns")) conn_count = atoi(value);
    else if (!strcmp(name, "window")) window = atoi(value);
    else if (!strcmp(name, "rate")) rate = atof(value);
    else if (!strcmp(name, "warm")) warm = atof(value);
    else if (!strcmp(name, "seconds")) seconds = atof(value);
    else die(name);
  }
  if (conn_count < 1 || conn_count > CONNS_MAX || window < 1 || window > WINDOW_MAX) die("conns");
}

int main(int count, char **options) {
  read_options(count, options);
  read_bodies();
  ep = epoll_create1(0);
  for (int i = 0; i < conn_count; i++) open_conn(&conns[i]);

  struct timespec wall;
  clock_gettime(CLOCK_REALTIME, &wall);
  double began_ms = wall.tv_sec * 1e3 + wall.tv_nsec / 1e6, own = 0;
  start_ns = now_ns();
  from_ns = start_ns + (uint64_t)(warm * 1e9);
  until_ns = from_ns + (uint64_t)(seconds * 1e9);
  uint64_t last = 0, moved = start_ns;
  for (;;) {
    uint64_t now = now_ns();
    if (!measuring && now >= from_ns && now < until_ns) {
      measuring = 1, own = own_cpu();
    }
    if (now >= until_ns) {
      if (measuring) measuring = 0, own = own_cpu() - own;
      if (!under_way) break;
    } else pump(now);
    struct epoll_event events[256];
    int n = epoll_wait(ep, events, 256, rate > 0 ? 1 : 5);
    for (int i = 0; i < n; i++) {
      Conn *c = &conns[events[i].data.u32];
      if (events[i].events & EPOLLOUT) write_more(c);
      if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) feed(c);
    }
    if (answers != last) last = answers, moved = now;
    else if (under_way && now - moved > STALL_NS) {
      exit((fprintf(stderr, "nothing comes any more\n"), 3));
    }
  }
  printf("{\"accepted\":%llu,\"perSecond\":%.0f,\"refused\":%llu,\"failed\":%llu,\"p50\":%.2f,"
    "\"p99\":%.2f,\"client\":%.3f,\"beganAt\":%.0f}\n",
    (unsigned long long)accepted, accepted_measured / seconds, (unsigned long long)refused,
    (unsigned long long)failed, quantile(&latency, 0.5) / 1e3, quantile(&latency, 0.99) / 1e3, own / seconds, began_ms);
  return 0;
}
