/* Reads a server's answer: the head of a response, its body by length, the frames after a 101. */
#ifndef ANSWER_H
#define ANSWER_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct head {
  int status;
  /* -1 if the body ends with the connection. */
  long content_length;
  int closes;
  /* The value of Sec-WebSocket-Accept, or empty. */
  const char *accept;
  size_t accept_bytes;
};

/* The length of the complete head at the start of the buffer, or 0. */
static size_t head_length(const char *buffer, size_t bytes) {
  const char *end = memmem(buffer, bytes, "\r\n\r\n", 4);
  return end == NULL ? 0 : (size_t)(end - buffer) + 4;
}

static struct head parse_head(const char *buffer, size_t bytes) {
  struct head head = {0, -1, 0, "", 0};
  if (bytes < 13 || strncmp(buffer, "HTTP/1.", 7) != 0) return head;
  head.status = atoi(buffer + 9);
  for (const char *line = buffer; line != NULL && line < buffer + bytes;) {
    if (strncasecmp(line, "content-length:", 15) == 0) head.content_length = atol(line + 15);
    if (strncasecmp(line, "connection: close", 17) == 0) head.closes = 1;
    if (strncasecmp(line, "sec-websocket-accept:", 21) == 0) {
      head.accept = line + 21 + strspn(line + 21, " ");
      head.accept_bytes = strcspn(head.accept, " \r\n");
    }
    line = memchr(line, '\n', (size_t)(buffer + bytes - line));
    if (line != NULL) line += 1;
  }
  return head;
}

/* Stands for a Close frame without a code (RFC 6455, section 7.1.5). */
enum { NO_CODE = 1005 };

/*
 * Counts the frames of one direction, without Close frames, as their bytes arrive. Of the payloads it keeps only the
 * code of the first Close frame.
 */
struct frame_counter {
  uint64_t payload_left;
  unsigned char header[14];
  uint8_t header_bytes;
  uint32_t frames;
  uint8_t closed;
  uint8_t code_bytes;
  uint16_t code;
};

static int close_code(const struct frame_counter *counter) {
  return counter->code_bytes == 2 ? counter->code : NO_CODE;
}

static void count_frames(struct frame_counter *counter, const unsigned char *at, size_t bytes) {
  const unsigned char *end = at + bytes;
  while (at < end) {
    if (counter->payload_left > 0) {
      uint64_t here = (uint64_t)(end - at) < counter->payload_left ? (uint64_t)(end - at) : counter->payload_left;
      if (counter->closed)
        for (uint64_t index = 0; index < here && counter->code_bytes < 2; index += 1, counter->code_bytes += 1)
          counter->code = (uint16_t)(counter->code << 8 | at[index]);
      counter->payload_left -= here;
      at += here;
      if (counter->payload_left == 0 && !counter->closed) counter->frames += 1;
      continue;
    }
    counter->header[counter->header_bytes++] = *at++;
    if (counter->header_bytes < 2) continue;
    unsigned char length = counter->header[1] & 0x7f;
    unsigned needed = length == 127 ? 10 : length == 126 ? 4 : 2;
    if (counter->header[1] & 0x80) needed += 4;
    if (counter->header_bytes < needed) continue;
    counter->payload_left = length;
    if (length >= 126) {
      counter->payload_left = 0;
      for (int index = 2; index < (length == 127 ? 10 : 4); index += 1)
        counter->payload_left = counter->payload_left << 8 | counter->header[index];
    }
    if ((counter->header[0] & 0x0f) == 8) counter->closed = 1;
    if (counter->payload_left == 0 && !counter->closed) counter->frames += 1;
    counter->header_bytes = 0;
  }
}

#endif
