// Load for a Pusher server: opens WebSockets, subscribes them, publishes, and measures deliveries,
// latency, the server's CPU time and its memory. One thread, epoll. Prints one JSON line.
//
//   hub_load MODE --port P --pid SERVER [options]
//   fanout    --subscribers N --channels C --rate R --seconds S [--source api|client]
//   publish   --connections N --seconds S     closed loop of signed POSTs, nobody subscribed
//   idle      --sockets N                     RSS growth and CPU per connection
//   presence  --members N                     N members join one channel at once
// Common: --key K --secret S --app ID --tls (wss; certificates are not checked) --publish-port P
// (plain HTTP API port, default: --port).
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/ssl.h>

#include "base/bytes.hpp"
#include "proc.hpp"

namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "hub_load: %s\n", why.c_str());
  std::exit(1);
}

std::int64_t now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now().time_since_epoch())
      .count();
}

struct Options {
  std::string mode;
  std::map<std::string, std::string> values;

  long number(const std::string& name, long otherwise) const {
    const auto at = values.find(name);
    return at == values.end() ? otherwise : std::atol(at->second.c_str());
  }
  std::string text(const std::string& name, const std::string& otherwise) const {
    const auto at = values.find(name);
    return at == values.end() ? otherwise : at->second;
  }
};

Options parse_options(int argc, char** argv) {
  if (argc < 2) fail("usage: hub_load fanout|publish|idle|presence --port P --pid SERVER …");
  Options options;
  options.mode = argv[1];
  for (int i = 2; i < argc; ++i) {
    const std::string name = argv[i];
    if (!name.starts_with("--")) fail("unexpected argument " + name);
    const bool has_value = i + 1 < argc && std::strncmp(argv[i + 1], "--", 2) != 0;
    options.values[name.substr(2)] = has_value ? argv[++i] : "1";
  }
  return options;
}

std::string hex_digest(const EVP_MD* kind, std::string_view key, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned length = 0;
  if (key.empty()) {
    EVP_Digest(text.data(), text.size(), out.data(), &length, kind, nullptr);
  } else {
    HMAC(kind, key.data(), static_cast<int>(key.size()),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(), out.data(), &length);
  }
  return portero::to_hex({reinterpret_cast<const char*>(out.data()), length});
}

struct Server {
  std::uint16_t port = 0;
  std::uint16_t publish_port = 0;
  long pid = 0;
  bool tls = false;
  std::string host;
  std::string app;
  std::string key;
  std::string secret;
  SSL_CTX* context = nullptr;
};

Server make_server(const Options& options) {
  Server server;
  server.port = static_cast<std::uint16_t>(options.number("port", 0));
  server.publish_port = static_cast<std::uint16_t>(options.number("publish-port", server.port));
  server.pid = options.number("pid", 0);
  server.tls = options.number("tls", 0) != 0;
  server.host = options.text("host", "localhost");
  server.app = options.text("app", "bench");
  server.key = options.text("key", "bench-key");
  server.secret = options.text("secret", "bench-secret");
  if (server.tls) server.context = SSL_CTX_new(TLS_client_method());
  if (server.context != nullptr) SSL_CTX_set_mode(server.context, SSL_MODE_RELEASE_BUFFERS);
  return server;
}

// A connected socket with its TLS, blocking until made non-blocking.
class Connection {
 public:
  Connection(const Server& server, std::uint16_t port, bool tls) {
    // Source addresses rotate through 127.0.0.x, so that ports do not run out.
    static unsigned counter = 0;
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in from{};
    from.sin_family = AF_INET;
    from.sin_addr.s_addr = htonl(0x7f000001u + (counter++ / 20000));
    const int on = 1;
    ::setsockopt(fd_, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    ::bind(fd_, reinterpret_cast<sockaddr*>(&from), sizeof from);
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) {
      fail(fmt::format("cannot connect to port {}: {}", port, std::strerror(errno)));
    }
    if (!tls) return;
    ssl_ = SSL_new(server.context);
    SSL_set_fd(ssl_, fd_);
    SSL_set_tlsext_host_name(ssl_, server.host.c_str());
    if (SSL_connect(ssl_) != 1) fail("TLS handshake failed");
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() {
    SSL_free(ssl_);
    ::close(fd_);
  }

  int fd() const { return fd_; }
  // -1: nothing now.
  long read(char* to, std::size_t size) {
    if (ssl_ == nullptr) return ::recv(fd_, to, size, MSG_DONTWAIT);
    const int got = SSL_read(ssl_, to, static_cast<int>(size));
    return got > 0 ? got : (SSL_get_error(ssl_, got) == SSL_ERROR_WANT_READ ? -1 : 0);
  }
  void write(std::string_view text) {
    while (!text.empty()) {
      const long sent = ssl_ == nullptr
                            ? ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL)
                            : SSL_write(ssl_, text.data(), static_cast<int>(text.size()));
      if (sent <= 0) fail("the server closed a connection while it was written to");
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  void set_nonblocking_reads() {
    if (ssl_ != nullptr) {
      timeval soon{0, 1};
      ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon);
    }
  }

 private:
  int fd_ = -1;
  SSL* ssl_ = nullptr;
};

std::string masked_frame(std::string_view text) {
  std::string frame = "\x81";
  if (text.size() < 126) {
    frame += static_cast<char>(0x80 | text.size());
  } else {
    frame += '\xfe';
    frame += static_cast<char>(text.size() >> 8);
    frame += static_cast<char>(text.size() & 0xff);
  }
  frame += std::string("\0\0\0\0", 4);  // a mask of zeros is a valid mask
  frame += text;
  return frame;
}

struct Tally {
  std::uint64_t frames = 0;
  std::uint64_t succeeded = 0;
  std::uint64_t events = 0;
  std::vector<std::uint32_t> latency_us;
};

// One WebSocket: collects frames and counts what they are.
class Socket {
 public:
  explicit Socket(const Server& server) : connection_(server, server.port, server.tls) {
    connection_.write(
        fmt::format("GET /app/{}?protocol=7&client=js&version=8.6.0 HTTP/1.1\r\nHost: {}:{}\r\n"
                    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://{}\r\n\r\n",
                    server.key, server.host, server.port, server.host));
    std::array<char, 4096> room;
    while (input_.find("socket_id") == std::string::npos || input_.find('}') == std::string::npos) {
      const long got = connection_.read_blocking(room.data(), room.size());
      if (got <= 0) fail("no greeting: " + input_);
      input_.append(room.data(), static_cast<std::size_t>(got));
      if (input_.size() > 8192) fail("no greeting: " + input_);
    }
    const std::size_t at = input_.find("socket_id\\\":\\\"");
    if (at == std::string::npos) fail("no socket_id: " + input_);
    const std::size_t begin = at + 14;
    id_ = input_.substr(begin, input_.find('\\', begin) - begin);
    input_.erase(0, input_.find("\r\n\r\n") + 4);
    connection_.set_nonblocking_reads();
  }

  int fd() const { return connection_.fd(); }
  const std::string& id() const { return id_; }
  void send(std::string_view text) { connection_.write(masked_frame(text)); }

  // Reads what is there; returns false at the end of the stream.
  bool pump(Tally& tally, char* room, std::size_t room_size) {
    for (;;) {
      const long got = connection_.read(room, room_size);
      if (got < 0) return true;
      if (got == 0) return false;
      consume({room, static_cast<std::size_t>(got)}, tally);
      if (static_cast<std::size_t>(got) < room_size) return true;
    }
  }

 private:
  // read() of Connection waits for plain sockets only with this one.
  struct BlockingConnection : Connection {
    using Connection::Connection;
    long read_blocking(char* to, std::size_t size) {
      long got = read(to, size);
      while (got < 0) {
        ::usleep(100);
        got = read(to, size);
      }
      return got;
    }
  };

  void consume(std::string_view fresh, Tally& tally) {
    std::string_view bytes = fresh;
    if (!input_.empty()) {
      input_ += fresh;
      bytes = input_;
    }
    const std::size_t total = bytes.size();
    while (const std::size_t size = frame_size(bytes)) {
      count(bytes.substr(0, size), tally);
      bytes.remove_prefix(size);
    }
    if (!input_.empty()) {
      input_.erase(0, total - bytes.size());
    } else if (!bytes.empty()) {
      input_ = bytes;
    }
  }

  static std::size_t frame_size(std::string_view bytes) {
    if (bytes.size() < 2) return 0;
    std::size_t length = static_cast<unsigned char>(bytes[1]) & 0x7f;
    std::size_t head = 2;
    if (length == 126) {
      if (bytes.size() < 4) return 0;
      length = static_cast<std::size_t>(static_cast<unsigned char>(bytes[2])) << 8 |
               static_cast<unsigned char>(bytes[3]);
      head = 4;
    } else if (length == 127) {
      fail("a frame of more than 64 KiB");
    }
    return bytes.size() < head + length ? 0 : head + length;
  }

  void count(std::string_view frame, Tally& tally) {
    ++tally.frames;
    const unsigned opcode = static_cast<unsigned char>(frame[0]) & 0x0f;
    if (opcode == 9) {
      connection_.write(std::string("\x8a\x80\0\0\0\0", 6));
      return;
    }
    const std::size_t at = frame.find("sent=");
    if (at != std::string_view::npos) {
      ++tally.events;
      const std::int64_t sent = std::atoll(frame.data() + at + 5);
      tally.latency_us.push_back(
          static_cast<std::uint32_t>(std::max<std::int64_t>(0, now_us() - sent)));
    } else if (frame.find("subscription_succeeded") != std::string_view::npos) {
      ++tally.succeeded;
    }
  }

  BlockingConnection connection_;
  std::string input_;
  std::string id_;
};

// The signed POST of one event. Source: hub-protocol notes on the Pusher HTTP API.
std::string publish_request(const Server& server, std::string_view channel, std::string_view data) {
  const std::string body =
      fmt::format(R"({{"name":"bench","channels":["{}"],"data":"{}"}})", channel, data);
  const std::string path = fmt::format("/apps/{}/events", server.app);
  const std::string query =
      fmt::format("auth_key={}&auth_timestamp={}&auth_version=1.0&body_md5={}", server.key,
                  std::time(nullptr), hex_digest(EVP_md5(), "", body));
  const std::string signature =
      hex_digest(EVP_sha256(), server.secret, "POST\n" + path + "\n" + query);
  return fmt::format(
      "POST {}?{}&auth_signature={} HTTP/1.1\r\nHost: {}:{}\r\nContent-Type: application/json\r\n"
      "Content-Length: {}\r\n\r\n{}",
      path, query, signature, server.host, server.publish_port, body.size(), body);
}

// A keep-alive connection with one request under way at most.
class Publisher {
 public:
  explicit Publisher(const Server& server)
      : connection_(server, server.publish_port, server.tls && server.publish_port == server.port) {
    connection_.set_nonblocking_reads();
  }
  int fd() const { return connection_.fd(); }
  bool busy() const { return busy_; }
  void send(const std::string& request) {
    busy_ = true;
    connection_.write(request);
  }
  // Returns true when an answer has come.
  bool pump() {
    std::array<char, 4096> room;
    const long got = connection_.read(room.data(), room.size());
    if (got == 0) fail("the server closed a publisher's connection");
    if (got < 0) return false;
    const std::string_view answer(room.data(), static_cast<std::size_t>(got));
    if (busy_ && !answer.starts_with("HTTP/1.1 200")) fail("refused: " + std::string(answer));
    const bool done = busy_;
    busy_ = false;
    return done;
  }

 private:
  Connection connection_;
  bool busy_ = false;
};

class Poller {
 public:
  Poller() : fd_(::epoll_create1(EPOLL_CLOEXEC)) {}
  ~Poller() { ::close(fd_); }
  template <class Owner>
  void add(int fd, Owner* owner, bool publisher) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = reinterpret_cast<std::uint64_t>(owner) | (publisher ? 1u : 0u);
    ::epoll_ctl(fd_, EPOLL_CTL_ADD, fd, &event);
  }
  void remove(int fd) { ::epoll_ctl(fd_, EPOLL_CTL_DEL, fd, nullptr); }
  std::span<epoll_event> wait(int timeout_ms) {
    const int count =
        ::epoll_wait(fd_, events_.data(), static_cast<int>(events_.size()), timeout_ms);
    return {events_.data(), static_cast<std::size_t>(std::max(count, 0))};
  }

 private:
  int fd_;
  std::array<epoll_event, 512> events_;
};

struct Bench {
  explicit Bench(const Options& parsed) : options(parsed), server(make_server(parsed)) {}

  void open_sockets(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      sockets.push_back(std::make_unique<Socket>(server));
      poller.add(sockets.back()->fd(), sockets.back().get(), false);
    }
  }
  void open_publishers(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      publishers.push_back(std::make_unique<Publisher>(server));
      poller.add(publishers.back()->fd(), publishers.back().get(), true);
    }
  }
  // Handles what is there; returns how many publishes were answered.
  std::size_t pump(int timeout_ms) {
    std::size_t answered = 0;
    for (const epoll_event& event : poller.wait(timeout_ms)) {
      if ((event.data.u64 & 1) != 0) {
        answered +=
            reinterpret_cast<Publisher*>(event.data.u64 & ~std::uint64_t{1})->pump() ? 1 : 0;
      } else if (auto* const socket = reinterpret_cast<Socket*>(event.data.u64);
                 !socket->pump(tally, room.data(), room.size())) {
        if (!may_close) fail("the server closed a socket");
        poller.remove(socket->fd());
        ++closed;
      }
    }
    return answered;
  }
  std::string auth(const Socket& socket, const std::string& channel, const std::string& data = "") {
    const std::string signed_text = socket.id() + ":" + channel + (data.empty() ? "" : ":" + data);
    return server.key + ":" + hex_digest(EVP_sha256(), server.secret, signed_text);
  }

  Options options;
  Server server;
  Poller poller;
  std::vector<std::unique_ptr<Socket>> sockets;
  std::vector<std::unique_ptr<Publisher>> publishers;
  bool may_close = false;  // a socket that was too slow for its server is counted, not a failure
  std::size_t closed = 0;
  Tally tally;
  std::vector<char> room = std::vector<char>(256 * 1024);
};

void wait_for_subscriptions(Bench& bench, std::size_t count) {
  const std::int64_t limit = now_us() + 60'000'000;
  while (bench.tally.succeeded < count) {
    if (now_us() > limit) fail(fmt::format("only {} subscriptions", bench.tally.succeeded));
    bench.pump(100);
  }
}

double percentile_ms(std::vector<std::uint32_t>& values, double share) {
  if (values.empty()) return 0;
  const auto at = static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<std::size_t>(at)] / 1e3;
}

void run_fanout(Bench& bench) {
  const auto subscribers = static_cast<std::size_t>(bench.options.number("subscribers", 1000));
  const auto channels = static_cast<std::size_t>(bench.options.number("channels", 1));
  const double rate = static_cast<double>(bench.options.number("rate", 100));  // publishes/s
  const double seconds = static_cast<double>(bench.options.number("seconds", 5));
  const bool by_client = bench.options.text("source", "api") == "client";
  const std::string prefix = by_client ? "private-bench-" : "bench-";
  bench.open_sockets(subscribers);
  const double cpu_subscribe = portero::bench::cpu_us(bench.server.pid);
  for (std::size_t i = 0; i < subscribers; ++i) {
    const std::string channel = prefix + std::to_string(i % channels);
    Socket& socket = *bench.sockets[i];
    const std::string auth = by_client ? bench.auth(socket, channel) : "";
    socket.send(fmt::format(
        R"({{"event":"pusher:subscribe","data":{{"channel":"{}","auth":"{}"}}}})", channel, auth));
  }
  wait_for_subscriptions(bench, subscribers);
  const double subscribe_us =
      (portero::bench::cpu_us(bench.server.pid) - cpu_subscribe) / static_cast<double>(subscribers);
  if (!by_client) bench.open_publishers(16);
  bench.may_close = true;
  const std::string padding(130, 'x');
  std::uint64_t published = 0;
  const double cpu_before = portero::bench::cpu_us(bench.server.pid);
  const std::int64_t start = now_us();
  const auto end = start + static_cast<std::int64_t>(seconds * 1e6);
  for (std::int64_t now = start; now < end; now = now_us()) {
    const auto due = static_cast<std::uint64_t>(static_cast<double>(now - start) / 1e6 * rate);
    while (published < due) {
      const std::string channel = prefix + std::to_string(published % channels);
      const std::string data = fmt::format("sent={} {}", now_us(), padding);
      if (by_client) {
        Socket& sender = *bench.sockets[published % channels];
        sender.send(fmt::format(R"({{"event":"client-bench","channel":"{}","data":{{"d":"{}"}}}})",
                                channel, data));
      } else {
        const auto free = std::find_if(bench.publishers.begin(), bench.publishers.end(),
                                       [](const auto& p) { return !p->busy(); });
        if (free == bench.publishers.end()) break;
        (*free)->send(publish_request(bench.server, channel, data));
      }
      ++published;
    }
    bench.pump(1);
  }
  const double per_publish =
      static_cast<double>(subscribers) / static_cast<double>(channels) - (by_client ? 1 : 0);
  const auto expected = static_cast<std::uint64_t>(static_cast<double>(published) * per_publish);
  const std::int64_t drain_limit = now_us() + 15'000'000;
  while (bench.tally.events < expected && bench.closed == 0 && now_us() < drain_limit) {
    bench.pump(10);
  }
  const double elapsed = static_cast<double>(now_us() - start) / 1e6;
  const double cpu = portero::bench::cpu_us(bench.server.pid) - cpu_before;
  fmt::print(
      R"({{"mode":"fanout","published":{},"delivered":{},"expected":{},"closed":{},)"
      R"("deliveries_per_s":{:.0f},)"
      R"("p50_ms":{:.2f},"p99_ms":{:.2f},"cpu_us_per_delivery":{:.3f},"cpu_us_per_publish":{:.1f},)"
      R"("cpu_us_per_subscribe":{:.1f}}})"
      "\n",
      published, bench.tally.events, expected, bench.closed,
      static_cast<double>(bench.tally.events) / elapsed, percentile_ms(bench.tally.latency_us, 0.5),
      percentile_ms(bench.tally.latency_us, 0.99),
      cpu / static_cast<double>(std::max<std::uint64_t>(bench.tally.events, 1)),
      cpu / static_cast<double>(std::max<std::uint64_t>(published, 1)), subscribe_us);
}

void run_publish(Bench& bench) {
  bench.open_publishers(static_cast<std::size_t>(bench.options.number("connections", 16)));
  const double seconds = static_cast<double>(bench.options.number("seconds", 5));
  const std::string data(130, 'x');
  std::vector<std::string> requests;
  for (int i = 0; i < 64; ++i) {
    requests.push_back(publish_request(bench.server, "bench-" + std::to_string(i), data));
  }
  std::uint64_t answered = 0;
  std::uint64_t sent = 0;
  const double cpu_before = portero::bench::cpu_us(bench.server.pid);
  const std::int64_t start = now_us();
  const auto end = start + static_cast<std::int64_t>(seconds * 1e6);
  while (now_us() < end) {
    for (auto& publisher : bench.publishers) {
      if (!publisher->busy()) publisher->send(requests[sent++ % requests.size()]);
    }
    answered += bench.pump(100);
  }
  const double elapsed = static_cast<double>(now_us() - start) / 1e6;
  const double cpu = portero::bench::cpu_us(bench.server.pid) - cpu_before;
  fmt::print(R"({{"mode":"publish","publishes_per_s":{:.0f},"cpu_us_per_publish":{:.2f}}})"
             "\n",
             static_cast<double>(answered) / elapsed, cpu / static_cast<double>(answered));
}

void run_idle(Bench& bench) {
  const auto count = static_cast<std::size_t>(bench.options.number("sockets", 1000));
  bench.open_sockets(100);  // pools and tables are warm before the first reading
  const long rss_before = portero::bench::rss_bytes(bench.server.pid);
  const double cpu_before = portero::bench::cpu_us(bench.server.pid);
  bench.open_sockets(count);
  const double cpu = portero::bench::cpu_us(bench.server.pid) - cpu_before;
  for (int i = 0; i < 20; ++i) bench.pump(100);
  const long rss = portero::bench::rss_bytes(bench.server.pid) - rss_before;
  fmt::print(R"({{"mode":"idle","sockets":{},"rss_bytes_per_socket":{:.0f},)"
             R"("cpu_us_per_connect":{:.1f}}})"
             "\n",
             count, static_cast<double>(rss) / static_cast<double>(count),
             cpu / static_cast<double>(count));
}

void run_presence(Bench& bench) {
  const auto members = static_cast<std::size_t>(bench.options.number("members", 1000));
  bench.open_sockets(members);
  const double cpu_before = portero::bench::cpu_us(bench.server.pid);
  const std::int64_t start = now_us();
  for (std::size_t i = 0; i < members; ++i) {
    const std::string data =
        fmt::format(R"({{"user_id":"{}","user_info":{{"name":"User {}"}}}})", i, i);
    std::string escaped;
    portero::append_json_escaped(escaped, data);
    bench.sockets[i]->send(
        fmt::format(R"({{"event":"pusher:subscribe","data":{{"channel":"presence-bench",)"
                    R"("auth":"{}","channel_data":"{}"}}}})",
                    bench.auth(*bench.sockets[i], "presence-bench", data), escaped));
    if (i % 16 == 0) bench.pump(0);
  }
  wait_for_subscriptions(bench, members);
  const double seconds = static_cast<double>(now_us() - start) / 1e6;
  fmt::print(
      R"({{"mode":"presence","members":{},"seconds":{:.2f},"cpu_us_per_join":{:.1f}}})"
      "\n",
      members, seconds,
      (portero::bench::cpu_us(bench.server.pid) - cpu_before) / static_cast<double>(members));
}

}  // namespace

int main(int argc, char** argv) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  Bench bench(parse_options(argc, argv));
  if (bench.options.mode == "fanout") {
    run_fanout(bench);
  } else if (bench.options.mode == "publish") {
    run_publish(bench);
  } else if (bench.options.mode == "idle") {
    run_idle(bench);
  } else if (bench.options.mode == "presence") {
    run_presence(bench);
  } else {
    fail("unknown mode " + bench.options.mode);
  }
}
