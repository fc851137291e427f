/*
 * A load client with many WebSockets, for Linux: one thread, epoll, payloads are not parsed.
 *
 *   ws_load port=N members=N bytes=N [mode=room|echo] [burst=N] [rate=N] [warm=S] [seconds=S]
 *           [pid=N]... [pub=N] [sio=1]
 *
 * room: `members` sockets that only receive (/sub) and one that publishes (/pub): `burst` messages in
 *       one write, so that they arrive in one turn, at `rate` deliveries per second. The publisher uses
 *       the port `pub` of another node, if given.
 * echo: `members` sockets (/echo), each with one message in flight.
 *
 * Prints one line of JSON: deliveries; CPU seconds per million deliveries of all processes `pid` and of
 * each; cores used by them and by this client; latencies of deliveries from their due time, in
 * microseconds.
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
#define PIDS_MAX 4

typedef struct {
  int fd;
  int listens;       /* counts received messages */
  char *carry;       /* the received part of an incomplete frame */
  int carried, room;
} Conn;

static int port, pub, members = 200, bytes = 64, burst = 1, echo = 0, sio = 0;
static int pids[PIDS_MAX], pid_count;
static double rate = 20000, seconds = 2, warm = 1;
static uint64_t delivered;
static int measuring;
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
  if (measuring) {
    const char *stamp = memchr(payload, 'T', 40);
    uint64_t due = stamp ? strtoull(stamp + 1, 0, 10) : 0, now = now_ns();
    if (due) sample(now > due ? (now - due) / 1000 : 0);
  }
  if (echo) publish(c, now_ns(), 1);
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
  int length = c->carried + (int)n, taken = parse(c, input, length), left = length - taken;
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
    else if (!strcmp(name, "seconds")) seconds = atof(value);
    else if (!strcmp(name, "warm")) warm = atof(value);
    else if (!strcmp(name, "pub")) pub = atoi(value);
    else if (!strcmp(name, "pid") && pid_count < PIDS_MAX) pids[pid_count++] = atoi(value);
    else if (!strcmp(name, "sio")) sio = atoi(value);
    else if (!strcmp(name, "mode")) echo = !strcmp(value, "echo");
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

int main(int count, char **options) {
  read_options(count, options);
  input = malloc(READ_BYTES);
  make_message();
  int all = echo ? members : members + 1, ep = epoll_create1(0);
  Conn *conns = calloc(all, sizeof *conns), *publisher = &conns[all - 1];
  for (int i = 0; i < all; i++) {
    int listens = echo || i < members;
    open_conn(&conns[i], listens || !pub ? port : pub, echo ? "/echo" : listens ? "/sub" : "/pub", listens);
    struct epoll_event event = { .events = EPOLLIN, .data.u32 = (uint32_t)i };
    epoll_ctl(ep, EPOLL_CTL_ADD, conns[i].fd, &event);
  }
  usleep(300000);

  uint64_t start = now_ns(), from = start + (uint64_t)(warm * 1e9);
  uint64_t until = from + (uint64_t)(seconds * 1e9), turns = 0, first = 0, last = 0, moved = start;
  double turn_ns = 1e9 * members * burst / rate, own = 0, before[PIDS_MAX], after[PIDS_MAX], cpu = 0;
  if (echo) for (int i = 0; i < all; i++) publish(&conns[i], start, 1);
  for (;;) {
    uint64_t now = now_ns();
    if (!measuring && now >= from) measuring = 1, first = delivered, own = own_cpu(), server_cpu(before);
    if (now >= until) break;
    int wait = 20;
    if (!echo) {
      for (uint64_t due; (due = start + (uint64_t)(turns * turn_ns)) <= now; turns++) {
        publish(publisher, due, burst);
      }
      uint64_t due = start + (uint64_t)(turns * turn_ns);
      if (due > now) wait = due - now < 1000000 ? 0 : (int)((due - now) / 1000000);
      if (wait > 20) wait = 20;
    }
    struct epoll_event events[512];
    int n = epoll_wait(ep, events, 512, wait);
    for (int i = 0; i < n; i++) {
      if (!feed(&conns[events[i].data.u32])) exit((fprintf(stderr, "the server hung up\n"), 3));
    }
    if (delivered != last) last = delivered, moved = now;
    else if (now - moved > STALL_NS) exit((fprintf(stderr, "nothing comes any more\n"), 3));
  }
  double done = (double)(delivered - first);
  server_cpu(after);
  printf("{\"each\":[");
  for (int i = 0; i < pid_count; i++) {
    cpu += after[i] - before[i];
    printf("%s%.3f", i ? "," : "", (after[i] - before[i]) / done * 1e6);
  }
  printf("],\"deliveries\":%.0f,\"perSecond\":%.0f,\"cpuPerMillion\":%.3f,\"server\":%.3f,\"client\":%.3f,"
    "\"p50\":%.0f,\"p99\":%.0f}\n",
    done, done / seconds, cpu / done * 1e6, cpu / seconds, (own_cpu() - own) / seconds,
    quantile(0.5), quantile(0.99));
  return 0;
}
