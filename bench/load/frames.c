/*
 * Load on open connections: opens N WebSockets and keeps them, then sends on command.
 *
 *   frames PORT REQUESTS --connections N --bytes S --in-flight W --greetings G --opening K --timeout-ms T
 *
 * REQUESTS is a file of request heads, one after another; connection i sends request (i mod count).
 * A greeting is a message that a server sends unasked after its 101; it is awaited and discarded.
 *
 * stdout, a line of JSON each:   {"open":N,...} when all are open
 * stdin, one command a line:     go M     send M messages in all, W in flight on each connection
 *                                status   how many are still open
 *                                (end)    a Close frame on each, the server closes
 *
 * A message is the same masked frame every time, made once, and its echo is compared byte by byte.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "websocket.h"

enum { READ_BYTES = 256 * 1024, PAYLOADS = 16, SOURCES = 8, ANSWER_BYTES = 4096 };
enum state { CONNECTING, ANSWERING, GREETING, OPEN, ENDED };

struct connection {
  int fd;
  enum state state;
  uint32_t greetings;
  uint32_t in_flight;
  struct frame_head frame;
  uint64_t passed;  /* of the frame's payload */
  uint64_t message; /* of the message before this frame */
  size_t unsent, from; /* bytes of frames that are due, and where in the ring of frames they begin */
  uint8_t pong[125], pong_size, pong_due;
  char *answer;
  size_t answer_size;
};

struct ring {
  uint8_t *payload;
  uint8_t *frames;
};

static long connections = 1, bytes = 64, in_flight = 1, greetings = 0, opening = 64, timeout_ms = 60000;
static int port, loop;
static char **requests;
static size_t request_count;
static struct ring rings[PAYLOADS];
static size_t frame_size, ring_size;
static struct connection *all;
static long opened, failed, lost, unequal;
static uint64_t to_send, to_receive;
static uint8_t input[READ_BYTES];

static uint64_t clock_ns(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static const struct ring *ring_of(const struct connection *c) { return &rings[(c - all) % PAYLOADS]; }

/** A ring holds the frame 2W times: whatever is due is then one piece of memory. */
static void make_rings(void) {
  for (int i = 0; i < PAYLOADS; i++) {
    uint8_t head[14], mask[4] = {(uint8_t)(0x3a + i), 0xc5, (uint8_t)(0x91 ^ i), 0x6e};
    size_t head_size = write_head(head, 0x80 | TEXT, 0x80, (uint64_t)bytes);
    memcpy(head + head_size, mask, 4);
    head_size += 4;
    frame_size = head_size + (size_t)bytes;
    ring_size = frame_size * (size_t)in_flight * 2;
    rings[i].payload = malloc((size_t)bytes + 1);
    rings[i].frames = malloc(ring_size);
    must(rings[i].payload != NULL && rings[i].frames != NULL, "malloc");
    for (long j = 0; j < bytes; j++) rings[i].payload[j] = (uint8_t)('a' + (j * 7 + i * 3 + j / 251) % 26);
    memcpy(rings[i].frames, head, head_size);
    apply_mask(rings[i].frames + head_size, rings[i].payload, (size_t)bytes, mask, 0);
    for (long j = 1; j < in_flight * 2; j++) memcpy(rings[i].frames + (size_t)j * frame_size, rings[i].frames, frame_size);
  }
}

static void read_requests(const char *path) {
  FILE *file = fopen(path, "rb");
  struct stat about;
  must(file != NULL && fstat(fileno(file), &about) == 0, path);
  char *text = malloc((size_t)about.st_size + 1);
  must(text != NULL && fread(text, 1, (size_t)about.st_size, file) == (size_t)about.st_size, path);
  fclose(file);
  text[about.st_size] = 0;
  requests = malloc(sizeof *requests * ((size_t)about.st_size / 16 + 2));
  for (char *next = text, *end; (end = strstr(next, "\r\n\r\n")) != NULL; next = end + 4) requests[request_count++] = next;
  requests[request_count] = text + about.st_size; /* where the last one ends */
  must(request_count > 0, path);
}

static void watch(struct connection *c, uint32_t events) {
  epoll_ctl(loop, EPOLL_CTL_MOD, c->fd, &(struct epoll_event){.events = events, .data.ptr = c});
}

static void end(struct connection *c) {
  static const char *const where[] = {"while connecting", "before an answer", "before the greeting"};
  if (c->state < OPEN && failed++ == 0) fprintf(stderr, "the first ended %s: %s\n", where[c->state], strerror(errno));
  if (c->state == OPEN) lost++;
  c->state = ENDED;
  free(c->answer);
  c->answer = NULL;
  close(c->fd);
}

/** Sends what is due. A pong goes between two frames, never into one. */
static void flush(struct connection *c) {
  while (c->unsent > 0 || c->pong_due) {
    if (c->pong_due && c->from % frame_size == 0) {
      uint8_t pong[131] = {0x80 | PONG, 0x80 | c->pong_size}; /* a mask of zeros */
      memcpy(pong + 6, c->pong, c->pong_size);
      c->pong_due = 0;
      if (send(c->fd, pong, 6u + c->pong_size, MSG_NOSIGNAL) != 6 + c->pong_size) return end(c);
      continue;
    }
    if (c->unsent == 0) return;
    size_t piece = ring_size - c->from < c->unsent ? ring_size - c->from : c->unsent;
    ssize_t sent = send(c->fd, ring_of(c)->frames + c->from, piece, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return end(c);
    if (sent > 0) {
      c->unsent -= (size_t)sent;
      c->from = (c->from + (size_t)sent) % (frame_size * (size_t)in_flight);
    }
    if (sent < (ssize_t)piece) return watch(c, EPOLLIN | EPOLLOUT);
  }
}

static void send_more(struct connection *c, uint64_t room) {
  uint64_t frames = room < to_send ? room : to_send;
  if (frames == 0) return;
  to_send -= frames;
  c->in_flight += (uint32_t)frames;
  c->unsent += frames * frame_size;
  flush(c);
}

/** Returns 1 if this frame completes an echo. */
static int frame_ended(struct connection *c) {
  uint8_t opcode = c->frame.opcode;
  uint64_t length = c->frame.length;
  c->frame.need = 0;
  c->passed = 0;
  if (opcode == PING) c->pong_due = 1, c->pong_size = (uint8_t)length;
  if (opcode >= CLOSE) return 0;
  c->message += length;
  if (!c->frame.fin) return 0;
  if (c->state == GREETING) {
    c->message = 0;
    if (--c->greetings == 0) c->state = OPEN, opened++;
    return 0;
  }
  if (c->message != (uint64_t)bytes || c->in_flight == 0) unequal++;
  c->message = 0;
  return 1;
}

static void check(struct connection *c, const uint8_t *data, size_t size) {
  if (c->frame.opcode == PING && c->passed + size <= sizeof c->pong) memcpy(c->pong + c->passed, data, size);
  if (c->frame.opcode >= CLOSE || c->state != OPEN) return;
  uint64_t at = c->message + c->passed;
  if (at + size > (uint64_t)bytes || memcmp(ring_of(c)->payload + at, data, size) != 0) unequal++;
}

static void take_frames(struct connection *c, const uint8_t *data, size_t size) {
  uint64_t back = 0;
  while (size > 0) {
    if (!head_complete(&c->frame)) {
      size_t taken = take_head(&c->frame, data, size);
      data += taken, size -= taken;
      if (!head_complete(&c->frame)) break;
      if (c->frame.masked) unequal++;
    }
    uint64_t left = c->frame.length - c->passed;
    size_t part = left < size ? (size_t)left : size;
    if (part > 0) check(c, data, part);
    data += part, size -= part;
    c->passed += part;
    if (c->passed == c->frame.length) back += (uint64_t)frame_ended(c);
  }
  c->in_flight -= (uint32_t)back;
  to_receive -= back < to_receive ? back : to_receive;
  if (back > 0) send_more(c, back);
  if (c->pong_due && c->state != ENDED) flush(c);
}

static void take_answer(struct connection *c, const uint8_t *data, size_t size) {
  if (c->answer_size + size >= ANSWER_BYTES) return end(c);
  memcpy(c->answer + c->answer_size, data, size);
  c->answer_size += size;
  c->answer[c->answer_size] = 0;
  char *body = strstr(c->answer, "\r\n\r\n");
  if (body == NULL) return;
  if (strncmp(c->answer, "HTTP/1.1 101", 12) != 0) {
    if (failed == 0) fprintf(stderr, "refused: %.*s\n", (int)strcspn(c->answer, "\r"), c->answer);
    return end(c);
  }
  char *answer = c->answer;
  c->answer = NULL;
  c->greetings = (uint32_t)greetings;
  c->state = greetings > 0 ? GREETING : OPEN;
  if (c->state == OPEN) opened++;
  size_t head = (size_t)(body + 4 - answer);
  if (c->answer_size > head) take_frames(c, (uint8_t *)body + 4, c->answer_size - head);
  free(answer);
}

static void readable(struct connection *c) {
  ssize_t got = recv(c->fd, input, READ_BYTES, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got == 0) errno = 0;
  if (got <= 0) return end(c);
  if (c->state == ANSWERING) take_answer(c, input, (size_t)got);
  else take_frames(c, input, (size_t)got);
}

static void writable(struct connection *c) {
  if (c->state != CONNECTING) {
    watch(c, EPOLLIN);
    return flush(c);
  }
  size_t which = (size_t)(c - all) % request_count;
  size_t size = (size_t)(requests[which + 1] - requests[which]);
  if (send(c->fd, requests[which], size, MSG_NOSIGNAL) != (ssize_t)size) return end(c);
  c->state = ANSWERING;
  watch(c, EPOLLIN);
}

/** From several loopback addresses, so that 10,000 connections do not run out of ports. */
static void begin(struct connection *c) {
  struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)((c - all) % SOURCES))};
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  must(c->fd >= 0, "socket");
  c->answer = malloc(ANSWER_BYTES);
  must(c->answer != NULL, "malloc");
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
  setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
  must(bind(c->fd, (struct sockaddr *)&from, sizeof from) == 0, "bind");
  struct epoll_event event = {.events = EPOLLOUT, .data.ptr = c};
  must(epoll_ctl(loop, EPOLL_CTL_ADD, c->fd, &event) == 0, "epoll_ctl");
  if (connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) end(c);
}

/** One turn of the loop. Returns 1 when a command waits on stdin. */
static int turn(int wait_ms) {
  struct epoll_event events[256];
  int count = epoll_wait(loop, events, 256, wait_ms), command = 0;
  for (int i = 0; i < count; i++) {
    struct connection *c = events[i].data.ptr;
    if (c == NULL) {
      command = 1;
      continue;
    }
    if (c->state != ENDED && events[i].events & EPOLLOUT) writable(c);
    if (c->state != ENDED && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) readable(c);
  }
  return command;
}

static void open_all(void) {
  uint64_t begun = clock_ns(CLOCK_MONOTONIC), deadline = begun + (uint64_t)timeout_ms * 1000000u;
  long next = 0;
  while (opened + failed < connections && clock_ns(CLOCK_MONOTONIC) < deadline) {
    while (next < connections && next - opened - failed < opening) begin(&all[next++]);
    turn(100);
  }
  printf("{\"open\":%ld,\"failed\":%ld,\"lost\":%ld,\"wallNanoseconds\":%lu}\n", opened, failed, lost,
         clock_ns(CLOCK_MONOTONIC) - begun);
}

static void go(uint64_t messages) {
  uint64_t begun = clock_ns(CLOCK_MONOTONIC), cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
  uint64_t deadline = begun + (uint64_t)timeout_ms * 1000000u;
  long lost_before = lost;
  to_send = to_receive = messages;
  for (long i = 0; i < connections; i++) if (all[i].state == OPEN) send_more(&all[i], (uint64_t)in_flight);
  while (to_receive > 0 && lost == lost_before && clock_ns(CLOCK_MONOTONIC) < deadline) turn(100);
  printf("{\"messages\":%lu,\"missing\":%lu,\"unequal\":%ld,\"lost\":%ld,\"wallNanoseconds\":%lu,\"cpuNanoseconds\":%lu}\n",
         messages, to_receive, unequal, lost, clock_ns(CLOCK_MONOTONIC) - begun, clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu);
}

/** Sends a Close frame without a code on each connection; the server then closes it (RFC 6455, section 7.1.1). */
static void close_all(void) {
  static const uint8_t frame[6] = {0x80 | CLOSE, 0x80};
  long open = opened - lost;
  for (long i = 0; i < connections; i++) {
    if (all[i].state == OPEN && send(all[i].fd, frame, sizeof frame, MSG_NOSIGNAL) < 0) end(&all[i]);
  }
  uint64_t deadline = clock_ns(CLOCK_MONOTONIC) + 5000000000u;
  while (lost < opened && clock_ns(CLOCK_MONOTONIC) < deadline) turn(100);
  printf("{\"closed\":%ld,\"unclosed\":%ld}\n", open, opened - lost);
}

static void parse_options(int count, char **words) {
  static const struct option known[] = {
    {"connections", 1, 0, 'c'}, {"bytes", 1, 0, 'b'}, {"in-flight", 1, 0, 'i'}, {"greetings", 1, 0, 'g'},
    {"opening", 1, 0, 'o'}, {"timeout-ms", 1, 0, 't'}, {0, 0, 0, 0}};
  for (int option; (option = getopt_long(count, words, "", known, NULL)) != -1;) {
    if (option == '?') exit(64);
    *(option == 'c' ? &connections : option == 'b' ? &bytes : option == 'i' ? &in_flight : option == 'g' ? &greetings
      : option == 'o' ? &opening : &timeout_ms) = atol(optarg);
  }
  if (count - optind == 2 && connections > 0 && bytes > 0 && in_flight > 0) return;
  fprintf(stderr, "usage: frames PORT REQUESTS [options], see the head of frames.c\n");
  exit(64);
}

int main(int count, char **words) {
  parse_options(count, words);
  port = atoi(words[optind]);
  read_requests(words[optind + 1]);
  make_rings();
  all = calloc((size_t)connections, sizeof *all);
  must(all != NULL, "calloc");
  setvbuf(stdout, NULL, _IOLBF, 0);
  loop = epoll_create1(EPOLL_CLOEXEC);
  open_all();
  epoll_ctl(loop, EPOLL_CTL_ADD, STDIN_FILENO, &(struct epoll_event){.events = EPOLLIN, .data.ptr = NULL});
  char line[64];
  for (;;) {
    if (!turn(-1)) continue;
    if (fgets(line, sizeof line, stdin) == NULL) break;
    if (strncmp(line, "go ", 3) == 0) go(strtoull(line + 3, NULL, 10));
    else printf("{\"open\":%ld,\"lost\":%ld}\n", opened - lost, lost);
  }
  close_all();
  return 0;
}
