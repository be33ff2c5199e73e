/*
 * A back end that uses little CPU: a WebSocket echo on one epoll loop.
 *
 *   echo          prints "ready <port>", then echoes until it is ended
 *
 * It unmasks payload and sends it on as it arrives, without gathering messages. So behind a relay, the relay is
 * what limits.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "accept.h"
#include "websocket.h"

enum { READ_BYTES = 256 * 1024, HEAD_BYTES = 8192 };

struct connection {
  int fd;
  int upgraded, ending;
  struct frame_head frame;
  uint64_t passed; /* of the frame's payload */
  char *request;   /* until it is upgraded */
  size_t request_size;
  uint8_t *waiting; /* what the socket did not take */
  size_t waiting_size, waiting_from;
};

static int loop;
static uint8_t input[READ_BYTES], output[READ_BYTES * 2];

static void drop(struct connection *c) {
  close(c->fd);
  free(c->request);
  free(c->waiting);
  free(c);
}

static void watch(struct connection *c, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = c};
  epoll_ctl(loop, EPOLL_CTL_MOD, c->fd, &event);
}

/** Sends, and keeps what the socket did not take; until that is sent, nothing is read. Returns 0 on a broken connection. */
static int pass(struct connection *c, const uint8_t *data, size_t size) {
  ssize_t sent = send(c->fd, data, size, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) return 0;
  size_t done = sent < 0 ? 0 : (size_t)sent;
  if (done == size) return 1;
  c->waiting = malloc(size - done);
  must(c->waiting != NULL, "malloc");
  memcpy(c->waiting, data + done, size - done);
  c->waiting_size = size - done;
  c->waiting_from = 0;
  watch(c, EPOLLOUT);
  return 1;
}

static int flush(struct connection *c) {
  ssize_t sent = send(c->fd, c->waiting + c->waiting_from, c->waiting_size - c->waiting_from, MSG_NOSIGNAL);
  if (sent < 0) return errno == EAGAIN;
  c->waiting_from += (size_t)sent;
  if (c->waiting_from < c->waiting_size) return 1;
  free(c->waiting);
  c->waiting = NULL;
  watch(c, EPOLLIN);
  return !c->ending;
}

/** Writes the echoes of a client's frames to `output`. They fit: an echo's head is never longer than the frame's. */
static size_t echo(struct connection *c, const uint8_t *data, size_t size) {
  size_t written = 0;
  while (size > 0 || (head_complete(&c->frame) && c->passed == c->frame.length)) {
    if (!head_complete(&c->frame)) {
      size_t taken = take_head(&c->frame, data, size);
      data += taken, size -= taken;
      if (!head_complete(&c->frame)) break;
      c->passed = 0;
      uint8_t opcode = c->frame.opcode == PING ? PONG : c->frame.opcode;
      if (c->frame.opcode != PONG) {
        written += write_head(output + written, (uint8_t)(c->frame.fin << 7 | opcode), 0, c->frame.length);
      }
    }
    uint64_t left = c->frame.length - c->passed;
    size_t part = left < size ? (size_t)left : size;
    if (c->frame.opcode != PONG) {
      apply_mask(output + written, data, part, c->frame.mask, c->passed);
      written += part;
    }
    data += part, size -= part;
    c->passed += part;
    if (c->passed < c->frame.length) break;
    if (c->frame.opcode == CLOSE) c->ending = 1;
    c->frame.need = 0;
  }
  return written;
}

/** Answers an upgrade once its head is complete. Returns 0 if the connection has to be closed. */
static int upgrade(struct connection *c, const uint8_t *data, size_t size) {
  if (c->request == NULL) must((c->request = malloc(HEAD_BYTES)) != NULL, "malloc");
  if (c->request_size + size >= HEAD_BYTES) return 0;
  memcpy(c->request + c->request_size, data, size);
  c->request_size += size;
  c->request[c->request_size] = 0;
  char *end = strstr(c->request, "\r\n\r\n");
  if (end == NULL) return 1;
  char *key = strcasestr(c->request, "\r\nsec-websocket-key:");
  if (key == NULL || key > end) return 0;
  key += strlen("\r\nsec-websocket-key:");
  key += strspn(key, " ");
  if (end - key < 24) return 0;
  char accept[29], answer[160];
  accept_of(key, accept);
  int length = snprintf(answer, sizeof answer,
                        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Accept: %s\r\n\r\n", accept);
  c->upgraded = 1;
  free(c->request);
  c->request = NULL;
  return pass(c, (uint8_t *)answer, (size_t)length);
}

static int readable(struct connection *c) {
  ssize_t got = recv(c->fd, input, READ_BYTES, 0);
  if (got < 0) return errno == EAGAIN;
  if (got == 0) return 0;
  if (!c->upgraded) return upgrade(c, input, (size_t)got);
  size_t written = echo(c, input, (size_t)got);
  if (written > 0 && !pass(c, output, written)) return 0;
  return !(c->ending && c->waiting == NULL);
}

static void accept_all(int listener) {
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    struct connection *c = calloc(1, sizeof *c);
    must(c != NULL, "calloc");
    c->fd = fd;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    must(epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
  }
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  must(listener >= 0 && bind(listener, (struct sockaddr *)&address, size) == 0, "bind");
  must(listen(listener, 4096) == 0, "listen");
  must(getsockname(listener, (struct sockaddr *)&address, &size) == 0, "getsockname");
  loop = epoll_create1(EPOLL_CLOEXEC);
  must(epoll_ctl(loop, EPOLL_CTL_ADD, listener, &(struct epoll_event){.events = EPOLLIN, .data.ptr = NULL}) == 0, "epoll");
  printf("ready %d\n", ntohs(address.sin_port));
  fflush(stdout);

  struct epoll_event events[256];
  for (;;) {
    int count = epoll_wait(loop, events, 256, -1);
    for (int i = 0; i < count; i++) {
      struct connection *c = events[i].data.ptr;
      if (c == NULL) accept_all(listener);
      else if (!(c->waiting != NULL ? flush(c) : readable(c))) drop(c);
    }
  }
}
