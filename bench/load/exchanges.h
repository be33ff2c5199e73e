/*
 * A file of prepared exchanges, one after the other:
 *
 *   u32  length of the request
 *   u32  length of the bytes to send after a 101
 *   u16  the expected status
 *   u16  number of frames to wait for after a 101
 *   u16  the code expected in the server's Close frame; 1005 for one without a code (RFC 6455, section 7.1.5)
 *   u16  length of the Sec-WebSocket-Accept expected in a 101
 *   the request, then the bytes after it, then the Sec-WebSocket-Accept
 *
 * Numbers are little-endian; the bench runs on no other machine.
 */
#ifndef EXCHANGES_H
#define EXCHANGES_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXCHANGE_HEAD_BYTES = 16 };

struct exchange {
  const char *request;
  const char *after;
  const char *accept;
  uint32_t request_bytes;
  uint32_t after_bytes;
  uint16_t status;
  uint16_t frames;
  uint16_t close_code;
  uint16_t accept_bytes;
};

struct exchanges {
  struct exchange *list;
  size_t count;
};

static struct exchanges read_exchanges(const char *path) {
  struct exchanges all = {NULL, 0};
  FILE *file = fopen(path, "rb");
  if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
    perror(path);
    exit(66);
  }
  long bytes = ftell(file);
  rewind(file);
  char *content = malloc((size_t)bytes + 1);
  if (content == NULL || fread(content, 1, (size_t)bytes, file) != (size_t)bytes) {
    fprintf(stderr, "%s: cannot be read\n", path);
    exit(66);
  }
  fclose(file);

  size_t room = 0;
  for (const char *at = content; at + EXCHANGE_HEAD_BYTES <= content + bytes;) {
    if (all.count == room) {
      room = room == 0 ? 1024 : room * 2;
      all.list = realloc(all.list, room * sizeof *all.list);
      if (all.list == NULL) exit(71);
    }
    struct exchange *next = &all.list[all.count++];
    memcpy(&next->request_bytes, at, 4);
    memcpy(&next->after_bytes, at + 4, 4);
    memcpy(&next->status, at + 8, 2);
    memcpy(&next->frames, at + 10, 2);
    memcpy(&next->close_code, at + 12, 2);
    memcpy(&next->accept_bytes, at + 14, 2);
    next->request = at + EXCHANGE_HEAD_BYTES;
    next->after = next->request + next->request_bytes;
    next->accept = next->after + next->after_bytes;
    at = next->accept + next->accept_bytes;
    if (at > content + bytes) {
      fprintf(stderr, "%s: ends in the middle of an exchange\n", path);
      exit(65);
    }
  }
  return all;
}

#endif
