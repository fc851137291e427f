/*
 * Shared by the load clients for Linux: a clock, a latency histogram, own CPU time, masked frames.
 */
#ifndef FIRN_LOAD_H
#define FIRN_LOAD_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define BUCKETS 4096
#define FRAME_HEAD_BYTES 14 /* at most */

/* Latencies in microseconds. */
typedef struct {
  uint64_t samples, bucket[BUCKETS];
} Histogram;

static void die(const char *what) {
  perror(what);
  exit(2);
}

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* Records a latency in microseconds, in buckets with a relative width of 1/64. */
static void sample(Histogram *of, uint64_t us) {
  int at = (int)us;
  if (us >= 64) {
    int e = 63 - __builtin_clzll(us);
    at = ((e - 5) << 6) + (int)((us >> (e - 6)) & 63);
  }
  of->bucket[at < BUCKETS ? at : BUCKETS - 1]++;
  of->samples++;
}

/* Returns a quantile in microseconds. */
static double quantile(const Histogram *of, double q) {
  uint64_t want = (uint64_t)(q * of->samples), seen = 0;
  for (int i = 0; i < BUCKETS; i++) {
    seen += of->bucket[i];
    if (seen > want) return i < 64 ? i : (double)((uint64_t)(64 + (i & 63)) << ((i >> 6) - 1));
  }
  return 0;
}

/* Adds the samples of `more`. */
static inline void merge(Histogram *to, const Histogram *more) {
  to->samples += more->samples;
  for (int i = 0; i < BUCKETS; i++) to->bucket[i] += more->bucket[i];
}

static double own_cpu(void) {
  struct rusage r;
  getrusage(RUSAGE_SELF, &r);
  return r.ru_utime.tv_sec + r.ru_stime.tv_sec + (r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

/* Writes a masked frame at `to`. Returns its length. */
static int frame(char *to, int opcode, const char *payload, int length) {
  static const unsigned char key[4] = { 0x5a, 0x11, 0xc3, 0x7e };
  int at = 0;
  to[at++] = (char)(0x80 | opcode);
  if (length < 126) to[at++] = (char)(0x80 | length);
  else if (length < 65536) {
    to[at++] = (char)0xfe;
    to[at++] = (char)(length >> 8);
    to[at++] = (char)length;
  } else {
    to[at++] = (char)0xff;
    for (int i = 7; i >= 0; i--) to[at++] = (char)((uint64_t)length >> (8 * i));
  }
  memcpy(to + at, key, 4);
  at += 4;
  for (int i = 0; i < length; i++) to[at + i] = payload[i] ^ key[i & 3];
  return at + length;
}

#endif
