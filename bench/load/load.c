/*
 * Sends prepared exchanges to servers on 127.0.0.1 and prints one line of JSON about them.
 *
 *   load --port 8080[,8081...] --exchanges FILE [--connections 32] [--rate 500] [--sources 8] [--keep-alive]
 *
 * An exchange is a handshake (send, read the 101, wait for some frames, send a Close frame, read to the end) or
 * plain HTTP (send, read the whole answer). A handshake succeeds if its 101 has the expected Sec-WebSocket-Accept and
 * its Close frame the expected code. Without --keep-alive each exchange has a connection of its own; with it a
 * connection takes the next exchange after each answer. With --rate the latency counts from the moment at which an
 * exchange was due, so that a server that lags does not look good.
 *
 * Several servers share the connections evenly. A connection that is free takes the next exchange: so a faster server
 * gets more exchanges, and all servers finish together.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "answer.h"
#include "exchanges.h"

enum { BUFFER_BYTES = 16384, EVENTS = 256, MOST_PORTS = 16 };
static const uint64_t EXCHANGE_LIMIT_NS = 10ULL * 1000000000, RUN_LIMIT_NS = 180ULL * 1000000000;
/* Masked, as RFC 6455 section 5.1 demands of clients: code 1000. */
static const char CLOSE_FRAME[] = {(char)0x88, (char)0x82, 1, 2, 3, 4, 0x03 ^ 1, (char)(0xe8 ^ 2)};

enum state { FREE, SENDING, READING_HEAD, READING_BODY, READING_FRAMES, ENDING };

struct connection {
  int fd;
  uint16_t port;
  enum state state;
  const struct exchange *exchange;
  uint32_t sent;
  size_t buffered;
  long body_left;
  int closes;
  struct frame_counter frames;
  uint64_t began_at;
  char buffer[BUFFER_BYTES];
};

static struct {
  int connections, sources, keep_alive, port_count;
  uint16_t ports[MOST_PORTS];
  double rate;
  const char *file;
} options = {.connections = 32, .sources = 8};

static struct exchanges exchanges;
static int epoll_fd;
static size_t next_exchange, finished, failures;
static uint32_t *latencies;
static size_t latency_count;
static size_t statuses[600];
static char first_failure[160];

static uint64_t now_ns(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void finish(struct connection *connection, const char *failure) {
  if (failure != NULL) {
    if (failures++ == 0) {
      int line = (int)strcspn(connection->buffer, "\r\n");
      int shown = connection->buffered == 0 ? 0 : line > 60 ? 60 : line;
      snprintf(first_failure, sizeof first_failure, "%s%s%.*s", failure, shown > 0 ? ": " : "", shown, connection->buffer);
    }
  }
  finished += 1;
  if (!options.keep_alive || failure != NULL || connection->closes) {
    close(connection->fd);
    connection->fd = -1;
  }
  connection->state = FREE;
}

static void answered(struct connection *connection) {
  uint64_t waited = now_ns(CLOCK_MONOTONIC) - connection->began_at;
  latencies[latency_count++] = (uint32_t)(waited / 1000);
}

static int send_bytes(struct connection *connection, const char *bytes, size_t count) {
  return send(connection->fd, bytes, count, MSG_NOSIGNAL) == (ssize_t)count;
}

static void send_request(struct connection *connection) {
  const struct exchange *exchange = connection->exchange;
  ssize_t sent = send(connection->fd, exchange->request + connection->sent,
                      exchange->request_bytes - connection->sent, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN && errno != ENOTCONN && errno != EINPROGRESS)
    return finish(connection, strerror(errno));
  if (sent > 0) connection->sent += (uint32_t)sent;
  int complete = connection->sent == exchange->request_bytes;
  int waiting = connection->state == SENDING;
  connection->state = complete ? READING_HEAD : SENDING;
  if (complete != waiting) return;
  struct epoll_event event = {.events = complete ? EPOLLIN : EPOLLIN | EPOLLOUT, .data.ptr = connection};
  epoll_ctl(epoll_fd, EPOLL_CTL_MOD, connection->fd, &event);
}

static int open_socket(struct connection *connection, size_t number) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  struct sockaddr_in address = {.sin_family = AF_INET};
  /* Several source addresses, so that ports in TIME_WAIT do not run out. */
  address.sin_addr.s_addr = htonl(0x7f000002 + (uint32_t)(number % (size_t)options.sources));
  if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) return close(fd), 0;
  address.sin_addr.s_addr = htonl(0x7f000001);
  address.sin_port = htons(connection->port);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS) return close(fd), 0;
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
  connection->fd = fd;
  return 1;
}

static void begin(struct connection *connection, uint64_t due_at) {
  size_t number = next_exchange++;
  connection->exchange = &exchanges.list[number];
  connection->began_at = due_at;
  connection->sent = 0;
  connection->buffered = 0;
  connection->closes = 0;
  memset(&connection->frames, 0, sizeof connection->frames);
  if (connection->fd < 0 && !open_socket(connection, number)) return finish(connection, strerror(errno));
  connection->state = READING_HEAD;
  send_request(connection);
}

static void say_goodbye(struct connection *connection) {
  if (connection->frames.frames < connection->exchange->frames) return;
  if (!send_bytes(connection, CLOSE_FRAME, sizeof CLOSE_FRAME)) return finish(connection, "cannot send a Close frame");
  connection->state = ENDING;
}

static void body_ended(struct connection *connection) {
  answered(connection);
  if (options.keep_alive || !connection->closes) return finish(connection, NULL);
  connection->state = ENDING;
}

static void read_head(struct connection *connection) {
  size_t head_bytes = head_length(connection->buffer, connection->buffered);
  if (head_bytes == 0) {
    if (connection->buffered == BUFFER_BYTES) finish(connection, "a head without an end");
    return;
  }
  struct head head = parse_head(connection->buffer, head_bytes);
  size_t rest = connection->buffered - head_bytes;
  statuses[head.status > 0 && head.status < 600 ? head.status : 0] += 1;
  if (head.status != connection->exchange->status) return finish(connection, "not the status that was expected");
  connection->closes = head.closes;
  if (head.status == 101) {
    answered(connection);
    const struct exchange *exchange = connection->exchange;
    if (head.accept_bytes != exchange->accept_bytes || memcmp(head.accept, exchange->accept, head.accept_bytes) != 0)
      return finish(connection, "not the Sec-WebSocket-Accept that was expected");
    if (exchange->after_bytes > 0 && !send_bytes(connection, exchange->after, exchange->after_bytes))
      return finish(connection, "cannot send after the 101");
    connection->state = READING_FRAMES;
    count_frames(&connection->frames, (unsigned char *)connection->buffer + head_bytes, rest);
    return say_goodbye(connection);
  }
  if (head.content_length < 0) connection->closes = 1;
  connection->body_left = head.content_length < 0 ? -1 : head.content_length - (long)rest;
  connection->state = READING_BODY;
  if (connection->body_left == 0) body_ended(connection);
}

/* What is wrong with the server's closing handshake, or NULL. */
static const char *wrong_goodbye(const struct connection *connection) {
  static char words[60];
  if (!connection->frames.closed) return "no Close frame came back";
  int code = close_code(&connection->frames);
  if (code == connection->exchange->close_code) return NULL;
  snprintf(words, sizeof words, "a Close frame of %d came back", code);
  return words;
}

static void read_end(struct connection *connection, const char *failure) {
  if (connection->state == ENDING && connection->exchange->status != 101) return finish(connection, NULL);
  if (connection->state == ENDING) {
    const char *wrong = wrong_goodbye(connection);
    return finish(connection, wrong != NULL ? wrong : failure);
  }
  if (connection->state == READING_BODY && connection->body_left < 0 && failure == NULL)
    return answered(connection), finish(connection, NULL);
  finish(connection, failure != NULL ? failure : "the server closed early");
}

static void readable(struct connection *connection) {
  int in_head = connection->state == READING_HEAD || connection->state == SENDING;
  size_t at = in_head ? connection->buffered : 0;
  ssize_t bytes = recv(connection->fd, connection->buffer + at, BUFFER_BYTES - at, 0);
  if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (bytes <= 0) return read_end(connection, bytes < 0 ? strerror(errno) : NULL);
  connection->buffered = at + (size_t)bytes;
  if (in_head) return read_head(connection);
  if (connection->state == READING_BODY && connection->body_left >= 0) {
    connection->body_left -= bytes;
    if (connection->body_left <= 0) body_ended(connection);
  } else if (connection->exchange->status == 101) {
    count_frames(&connection->frames, (unsigned char *)connection->buffer, (size_t)bytes);
    if (connection->state == READING_FRAMES) say_goodbye(connection);
  }
}

static int ascending(const void *a, const void *b) {
  uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
  return (left > right) - (left < right);
}

static uint32_t percentile(double share) {
  return latency_count == 0 ? 0 : latencies[(size_t)(share * (double)(latency_count - 1))];
}

static void report(uint64_t wall_ns, uint64_t cpu_ns) {
  qsort(latencies, latency_count, sizeof *latencies, ascending);
  printf("{\"operations\":%zu,\"failures\":%zu,\"failure\":\"", finished - failures, failures);
  for (const char *at = first_failure; *at != 0; at += 1) putchar(*at == '"' || *at == '\\' || *at < ' ' ? '?' : *at);
  printf("\",\"statuses\":{");
  const char *comma = "";
  for (int status = 0; status < 600; status += 1) {
    if (statuses[status] == 0) continue;
    printf("%s\"%d\":%zu", comma, status, statuses[status]);
    comma = ",";
  }
  printf("},\"wallNanoseconds\":%llu,\"cpuNanoseconds\":%llu,", (unsigned long long)wall_ns, (unsigned long long)cpu_ns);
  printf("\"latencyMicroseconds\":{\"p50\":%u,\"p90\":%u,\"p99\":%u,\"max\":%u}}\n", percentile(0.5), percentile(0.9),
         percentile(0.99), percentile(1));
}

static void parse_ports(const char *list) {
  for (const char *at = list; at != NULL && options.port_count < MOST_PORTS; at = strchr(at, ',')) {
    if (*at == ',') at += 1;
    options.ports[options.port_count++] = (uint16_t)atoi(at);
  }
}

static void parse_options(int count, char **values) {
  for (int index = 1; index < count; index += 1) {
    const char *value = index + 1 < count ? values[index + 1] : "";
    if (strcmp(values[index], "--keep-alive") == 0) options.keep_alive = 1;
    else if (strcmp(values[index], "--port") == 0) parse_ports(value), index += 1;
    else if (strcmp(values[index], "--exchanges") == 0) options.file = value, index += 1;
    else if (strcmp(values[index], "--connections") == 0) options.connections = atoi(value), index += 1;
    else if (strcmp(values[index], "--sources") == 0) options.sources = atoi(value), index += 1;
    else if (strcmp(values[index], "--rate") == 0) options.rate = atof(value), index += 1;
    else fprintf(stderr, "load: what is %s?\n", values[index]), exit(64);
  }
  if (options.port_count == 0 || options.file == NULL || options.connections <= 0 || options.sources <= 0) {
    fprintf(stderr, "load: needs --port and --exchanges\n");
    exit(64);
  }
}

int main(int count, char **values) {
  parse_options(count, values);
  exchanges = read_exchanges(options.file);
  latencies = malloc((exchanges.count + 1) * sizeof *latencies);
  struct connection *pool = calloc((size_t)options.connections, sizeof *pool);
  for (int index = 0; index < options.connections; index += 1) {
    pool[index].fd = -1;
    pool[index].port = options.ports[index % options.port_count];
  }
  epoll_fd = epoll_create1(0);
  int timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  struct epoll_event timer_event = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, timer_fd, &timer_event);

  uint64_t start = now_ns(CLOCK_MONOTONIC), cpu_start = now_ns(CLOCK_PROCESS_CPUTIME_ID), swept_at = start;
  while (finished < exchanges.count) {
    uint64_t now = now_ns(CLOCK_MONOTONIC);
    if (now - start > RUN_LIMIT_NS) break;
    for (int index = 0; index < options.connections && next_exchange < exchanges.count; index += 1) {
      if (pool[index].state != FREE) continue;
      uint64_t due_at = options.rate > 0 ? start + (uint64_t)((double)next_exchange * 1e9 / options.rate) : now;
      if (due_at <= now) {
        begin(&pool[index], due_at);
        continue;
      }
      struct itimerspec due = {.it_value = {(time_t)(due_at / 1000000000), (long)(due_at % 1000000000)}};
      timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &due, NULL);
      break;
    }
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(epoll_fd, events, EVENTS, 1000);
    for (int index = 0; index < ready; index += 1) {
      struct connection *connection = events[index].data.ptr;
      uint64_t expirations;
      if (connection == NULL) {
        if (read(timer_fd, &expirations, sizeof expirations) < 0) continue;
      } else if (connection->state == SENDING && (events[index].events & EPOLLOUT)) {
        send_request(connection);
      } else if (connection->state != FREE) {
        readable(connection);
      } else if (connection->fd >= 0) {
        close(connection->fd); /* a kept connection that the server closed while it was idle */
        connection->fd = -1;
      }
    }
    if (now - swept_at < 1000000000) continue;
    swept_at = now;
    for (int index = 0; index < options.connections; index += 1)
      if (pool[index].state != FREE && now > pool[index].began_at + EXCHANGE_LIMIT_NS)
        finish(&pool[index], "no answer within 10 s");
  }
  uint64_t cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_start;
  if (finished < exchanges.count) {
    failures += exchanges.count - finished;
    finished = exchanges.count;
    snprintf(first_failure, sizeof first_failure, "the run took longer than 180 s");
  }
  report(now_ns(CLOCK_MONOTONIC) - start, cpu);
  return 0;
}
