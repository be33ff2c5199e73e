/* Frames of RFC 6455 for both ends of the bench: their heads are read byte by byte as they arrive. */
#ifndef ONCEGATE_BENCH_WEBSOCKET_H
#define ONCEGATE_BENCH_WEBSOCKET_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONTINUATION = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };

struct frame_head {
  uint8_t bytes[14];
  uint8_t have;
  uint8_t need; /* 0: no head begun; otherwise its length as far as known */
  uint8_t opcode, fin, masked;
  uint8_t mask[4];
  uint64_t length;
};

/** Takes head bytes from `data`; returns how many it took. The head is complete when have == need > 0. */
static size_t take_head(struct frame_head *head, const uint8_t *data, size_t size) {
  size_t taken = 0;
  if (head->need == 0) {
    head->have = 0;
    head->need = 2;
  }
  while (taken < size && head->have < head->need) {
    head->bytes[head->have++] = data[taken++];
    if (head->have == 2) {
      uint8_t length = head->bytes[1] & 0x7f;
      head->masked = head->bytes[1] >> 7;
      head->need = 2 + (length == 126 ? 2 : length == 127 ? 8 : 0) + (head->masked ? 4 : 0);
    }
  }
  if (head->have < 2 || head->have < head->need) return taken;
  head->fin = head->bytes[0] >> 7;
  head->opcode = head->bytes[0] & 0x0f;
  head->length = head->bytes[1] & 0x7f;
  int extended = head->length == 126 ? 2 : head->length == 127 ? 8 : 0;
  if (extended > 0) {
    head->length = 0;
    for (int i = 0; i < extended; i++) head->length = head->length << 8 | head->bytes[2 + i];
  }
  if (head->masked) memcpy(head->mask, head->bytes + 2 + extended, 4);
  return taken;
}

static int head_complete(const struct frame_head *head) { return head->need > 0 && head->have == head->need; }

/** Writes a head without its mask; returns its length (at most 10). */
static size_t write_head(uint8_t *to, uint8_t first, uint8_t mask_bit, uint64_t length) {
  to[0] = first;
  if (length < 126) {
    to[1] = mask_bit | (uint8_t)length;
    return 2;
  }
  int extended = length < 65536 ? 2 : 8;
  to[1] = mask_bit | (extended == 2 ? 126 : 127);
  for (int i = 0; i < extended; i++) to[2 + i] = (uint8_t)(length >> (8 * (extended - 1 - i)));
  return 2 + (size_t)extended;
}

/** Masks or unmasks, in a loop that the compiler vectorises; `phase` is the payload's offset. */
static void apply_mask(uint8_t *to, const uint8_t *from, size_t size, const uint8_t mask[4], uint64_t phase) {
  uint8_t turned[4];
  for (int i = 0; i < 4; i++) turned[i] = mask[(phase + (uint64_t)i) & 3];
  uint32_t word;
  memcpy(&word, turned, 4);
  uint64_t wide = (uint64_t)word << 32 | word;
  size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    uint64_t part;
    memcpy(&part, from + i, 8);
    part ^= wide;
    memcpy(to + i, &part, 8);
  }
  for (; i < size; i++) to[i] = from[i] ^ turned[i & 3];
}

static void must(int good, const char *what) {
  if (good) return;
  perror(what);
  exit(1);
}

#endif
