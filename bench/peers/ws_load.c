/*
 * A load client with many connections, for Linux: one thread, epoll, payloads are not parsed.
 *
 *   ws_load port=N members=N bytes=N [mode=room|echo|http] [burst=N] [rate=N] [pid=N]... [pub=N]
 *           [second=N] [sio=1]
 *
 * room: `members` sockets that only receive (/sub) and one that publishes (/pub): `burst` messages in
 *       one write, so that they arrive in one turn, at `rate` deliveries per second. The publisher uses
 *       the port `pub` of another node, if given. With `second`, the port of another server, each server
 *       has every other member and a publisher of its own, which publishes the same messages.
 * echo: `members` sockets (/echo), each with one message in flight.
 * http: `members` connections, each with one GET of / in flight. `bytes` is ignored.
 *
 * Connects, prints an empty line, and then takes turns: a line "SECONDS" or "SECONDS warm" on its
 * standard input is one turn of load, which ends when all its deliveries have arrived. Between turns it
 * is silent. Each turn prints one line of JSON: deliveries; CPU seconds per million deliveries of all
 * processes `pid` and of each; cores used by them and by this client; latencies of deliveries from
 * their due time, in microseconds: p50 of this turn, p99 of all turns but the warm ones; CPU seconds
 * that the processes used in the seconds since the turn before. Exits when its input ends.
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
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "../load.h"

#define READ_BYTES (256 * 1024)
#define STALL_NS 5000000000ull
#define DRAIN_NS 1000000000ull
#define TAIL_MS 5 /* what a server does after its last write belongs to the turn */
#define PIDS_MAX 8
#define INPUT UINT32_MAX

typedef struct {
  int fd;
  int listens;       /* counts received messages */
  uint64_t sent;     /* when the last request was sent */
  char *carry;       /* the received part of an incomplete frame */
  int carried, room;
} Conn;

static int port, pub, second, publishers = 1, members = 200, bytes = 64, burst = 1, echo = 0, http = 0, sio = 0;
static int pids[PIDS_MAX], pid_count;
static double rate = 20000;
static uint64_t delivered, until; /* `until`: echoes and requests are repeated before it */
static int ep, all, in_flight;
static Conn *conns;
static Histogram turn_latency, latency;
static char *input, *message, *block;
static int message_length;

/* User and system time of a process, including exited threads, in seconds. */
static double process_cpu(int pid) {
  clockid_t clock;
  struct timespec t;
  if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t)) return 0;
  return (double)t.tv_sec + t.tv_nsec / 1e9;
}

static void server_cpu(double *seconds_of) {
  for (int i = 0; i < pid_count; i++) seconds_of[i] = process_cpu(pids[i]);
}

static void write_all(int fd, const char *from, int length) {
  while (length > 0) {
    ssize_t n = write(fd, from, length);
    if (n < 0 && errno == EAGAIN) {
      struct pollfd p = { fd, POLLOUT, 0 };
      poll(&p, 1, 1000);
    } else if (n < 0) die("write");
    else from += n, length -= n;
  }
}

static void send_text(Conn *c, const char *text) {
  char out[160];
  write_all(c->fd, out, frame(out, 1, text, (int)strlen(text)));
}

/* Publishes `count` messages in one write. Each contains its due time. */
static void publish(Conn *c, uint64_t due, int count) {
  char stamp[24];
  snprintf(stamp, sizeof stamp, "T%019llu", (unsigned long long)due);
  memcpy(memchr(message, 'T', 40), stamp, 20);
  int length = 0;
  for (int i = 0; i < count; i++) length += frame(block + length, 1, message, message_length);
  write_all(c->fd, block, length);
}

/* Handles a complete payload. */
static void came(Conn *c, const char *payload, uint64_t length) {
  if (sio && length == 1 && *payload == '2') return send_text(c, "3");
  if (!c->listens || length < (uint64_t)bytes) return;
  delivered++;
  const char *stamp = memchr(payload, 'T', 40);
  uint64_t due = stamp ? strtoull(stamp + 1, 0, 10) : 0, now = now_ns();
  if (due) sample(&turn_latency, now > due ? (now - due) / 1000 : 0);
  if (!echo) return;
  if (now < until) publish(c, now, 1);
  else in_flight--;
}

static void request(Conn *c) {
  static const char text[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
  c->sent = now_ns();
  write_all(c->fd, text, sizeof text - 1);
}

/* Parses complete responses, each with a content-length. Returns the number of bytes consumed. */
static int parse_http(Conn *c, const char *from, int length) {
  const char *end = memmem(from, length, "\r\n\r\n", 4);
  if (!end) return 0;
  int size = -1;
  for (const char *line = from; line < end; line++) {
    if (*line == '\n' && !strncasecmp(line + 1, "content-length:", 15)) size = atoi(line + 16);
  }
  if (size < 0) exit((fprintf(stderr, "a response without content-length\n"), 2));
  int whole = (int)(end + 4 - from) + size;
  if (whole > length) return 0;
  delivered++;
  uint64_t now = now_ns();
  sample(&turn_latency, (now - c->sent) / 1000);
  if (now < until) request(c);
  else in_flight--;
  return whole;
}

/* Parses complete frames. Returns the number of bytes consumed. */
static int parse(Conn *c, const char *from, int length) {
  int at = 0;
  while (length - at >= 2) {
    const unsigned char *head = (const unsigned char *)from + at;
    uint64_t size = head[1] & 127;
    int start = size == 126 ? 4 : size == 127 ? 10 : 2;
    if (length - at < start) break;
    if (start == 4) size = (uint64_t)head[2] << 8 | head[3];
    if (start == 10) {
      size = 0;
      for (int i = 0; i < 8; i++) size = size << 8 | head[2 + i];
    }
    if ((uint64_t)(length - at - start) < size) break;
    const char *payload = (const char *)head + start;
    if ((head[0] & 15) == 9) {
      char out[160];
      write_all(c->fd, out, frame(out, 10, payload, (int)size));
    } else if ((head[0] & 15) < 3) came(c, payload, size);
    at += start + (int)size;
  }
  return at;
}

/* Reads once. Returns false at the end of the stream. */
static int feed(Conn *c) {
  if (c->carried) memcpy(input, c->carry, c->carried);
  ssize_t n = read(c->fd, input + c->carried, READ_BYTES - c->carried);
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  if (n == 0) return 0;
  int length = c->carried + (int)n;
  int taken = http ? parse_http(c, input, length) : parse(c, input, length), left = length - taken;
  if (left > c->room) c->carry = realloc(c->carry, c->room = 2 * left + 256);
  if (left) memcpy(c->carry, input + taken, left);
  c->carried = left;
  return 1;
}

/* Reads the response to the upgrade request. */
static void answered(Conn *c) {
  char text[8192];
  int length = 0;
  char *end = 0;
  while (!end) {
    ssize_t n = read(c->fd, text + length, sizeof text - 1 - length);
    if (n <= 0) die("no answer");
    text[length += (int)n] = 0;
    end = strstr(text, "\r\n\r\n");
  }
  if (strncmp(text, "HTTP/1.1 101", 12)) {
    fprintf(stderr, "%.60s\n", text);
    exit(2);
  }
  c->room = sizeof text;
  c->carry = malloc(c->room);
  c->carried = length - (int)(end + 4 - text);
  memcpy(c->carry, end + 4, c->carried);
}

/* Reads frames until one has arrived. Those before the measurement are not counted. */
static void frames_came(Conn *c) {
  int before = c->carried;
  do {
    if (!feed(c)) die("closed");
  } while (c->carried > 0 && c->carried == before);
}

static void open_conn(Conn *c, int to_port, const char *path, int listens) {
  struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(to_port) };
  inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  int one = 1;
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to)) die("connect");
  if (http) return (void)fcntl(c->fd, F_SETFL, O_NONBLOCK);
  char request[512];
  int length = snprintf(request, sizeof request,
    "GET %s%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    sio ? "/socket.io/?EIO=4&transport=websocket&as=" : "", path, to_port);
  write_all(c->fd, request, length);
  answered(c);
  if (sio) {
    if (c->carried == 0) frames_came(c);
    c->carried = 0;
    send_text(c, "40");
    frames_came(c);
  }
  c->listens = listens;
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
}

static void read_options(int count, char **options) {
  for (int i = 1; i < count; i++) {
    char *value = strchr(options[i], '=');
    if (!value) die(options[i]);
    *value++ = 0;
    const char *name = options[i];
    if (!strcmp(name, "port")) port = atoi(value);
    else if (!strcmp(name, "members")) members = atoi(value);
    else if (!strcmp(name, "bytes")) bytes = atoi(value);
    else if (!strcmp(name, "burst")) burst = atoi(value);
    else if (!strcmp(name, "rate")) rate = atof(value);
    else if (!strcmp(name, "pub")) pub = atoi(value);
    else if (!strcmp(name, "second")) second = atoi(value), publishers = 2;
    else if (!strcmp(name, "pid") && pid_count < PIDS_MAX) pids[pid_count++] = atoi(value);
    else if (!strcmp(name, "sio")) sio = atoi(value);
    else if (!strcmp(name, "mode")) echo = !strcmp(value, "echo"), http = !strcmp(value, "http");
    else die(name);
  }
}

static void make_message(void) {
  const char *before = sio ? "42[\"m\",\"" : "", *after = sio ? "\"]" : "";
  int start = (int)strlen(before);
  message_length = start + bytes + (int)strlen(after);
  message = malloc(message_length + 1);
  memset(message, 'x', message_length);
  memcpy(message, before, start);
  memcpy(message + start, "T0000000000000000000", 20);
  memcpy(message + start + bytes, after, strlen(after));
  block = malloc((size_t)burst * (message_length + 14));
}

/* Handles what has arrived. Returns whether there is a line on the standard input. */
static int poll_once(int wait_ms) {
  struct epoll_event events[512];
  int n = epoll_wait(ep, events, 512, wait_ms), asked = 0;
  for (int i = 0; i < n; i++) {
    if (events[i].data.u32 == INPUT) asked = 1;
    else if (!feed(&conns[events[i].data.u32])) exit((fprintf(stderr, "the server hung up\n"), 3));
  }
  return asked;
}

static void add_input(int fd, uint32_t index) {
  struct epoll_event event = { .events = EPOLLIN, .data.u32 = index };
  epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event);
}

/* The values of all clocks at one time. */
typedef struct {
  uint64_t at;
  double own, of[PIDS_MAX];
} Clocks;

static Clocks read_clocks(void) {
  Clocks clocks = { .at = now_ns(), .own = own_cpu() };
  server_cpu(clocks.of);
  return clocks;
}

/* Sends load for a number of seconds, and waits until all deliveries have arrived. */
static void load(double seconds) {
  int room = !echo && !http;
  uint64_t start = now_ns(), published = 0, first = delivered, last = delivered, moved = start;
  double publish_ns = 1e9 * members * burst / rate;
  until = start + (uint64_t)(seconds * 1e9);
  in_flight = room ? 0 : all;
  if (echo) for (int i = 0; i < all; i++) publish(&conns[i], start, 1);
  if (http) for (int i = 0; i < all; i++) request(&conns[i]);
  for (;;) {
    int wait = 20;
    uint64_t now = now_ns();
    if (room) {
      uint64_t due;
      while ((due = start + (uint64_t)(published * publish_ns)) <= now && due < until) {
        for (int i = members; i < all; i++) publish(&conns[i], due, burst);
        published++;
      }
      if (due < until) {
        wait = (int)((due - now) / 1000000);
        if (wait > 20) wait = 20;
      } else if (delivered - first >= published * burst * members) break;
    } else if (in_flight == 0) break;
    if (now >= until && now - moved > DRAIN_NS) break;
    if (now - moved > STALL_NS) exit((fprintf(stderr, "nothing comes any more\n"), 3));
    poll_once(wait);
    if (delivered != last) last = delivered, moved = now_ns();
  }
  for (uint64_t end = now_ns() + TAIL_MS * 1000000ull; now_ns() < end;) poll_once(1);
}

/* Runs one turn, which begins at the clocks `before`, and prints its results. Returns the clocks at
 its end. */
static Clocks take_turn(double seconds, int is_warm, const Clocks *before) {
  memset(&turn_latency, 0, sizeof turn_latency);
  Clocks from = read_clocks();
  uint64_t first = delivered;
  load(seconds);
  Clocks to = read_clocks();
  double took = (to.at - from.at) / 1e9, done = (double)(delivered - first), cpu = 0, idle = 0;
  if (done == 0) exit((fprintf(stderr, "nothing came\n"), 3));
  if (!is_warm) merge(&latency, &turn_latency);
  printf("{\"each\":[");
  for (int i = 0; i < pid_count; i++) {
    cpu += to.of[i] - from.of[i];
    idle += from.of[i] - before->of[i];
    printf("%s%.3f", i ? "," : "", (to.of[i] - from.of[i]) / done * 1e6);
  }
  printf("],\"deliveries\":%.0f,\"perSecond\":%.0f,\"cpuPerMillion\":%.3f,\"server\":%.3f,\"client\":%.3f,"
    "\"p50\":%.0f,\"p99\":%.0f,\"idle\":%.6f,\"since\":%.6f}\n",
    done, done / took, cpu / done * 1e6, cpu / took, (to.own - from.own) / took,
    quantile(&turn_latency, 0.5), quantile(&latency, 0.99), idle, (from.at - before->at) / 1e9);
  fflush(stdout);
  return to;
}

int main(int count, char **options) {
  read_options(count, options);
  input = malloc(READ_BYTES);
  make_message();
  all = echo || http ? members : members + publishers;
  ep = epoll_create1(0);
  conns = calloc(all, sizeof *conns);
  for (int i = 0; i < all; i++) {
    int listens = echo || i < members;
    int to = second && i % 2 ? second : listens || !pub ? port : pub;
    open_conn(&conns[i], to, echo ? "/echo" : listens ? "/sub" : "/pub", listens);
    add_input(conns[i].fd, (uint32_t)i);
  }
  usleep(300000);
  setvbuf(stdin, 0, _IONBF, 0);
  add_input(0, INPUT);
  puts("");
  fflush(stdout);
  Clocks ended = read_clocks();
  for (char line[64];;) {
    if (!poll_once(1000)) continue;
    if (!fgets(line, sizeof line, stdin)) return 0;
    ended = take_turn(atof(line), strstr(line, "warm") != 0, &ended);
  }
}
