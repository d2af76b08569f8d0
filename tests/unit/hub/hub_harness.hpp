// A hub in memory: shards pumped by hand on one thread, sockets on fake streams, a clock that the
// test owns. Every socket comes in through WsUpgrade, as in the server.
//
//   HubHarness hub(3);                       // three workers
//   TestClient a(hub, 0, "reverb-key");      // on worker 0
//   a.subscribe("news");
//   CHECK(a.names() == Names{"pusher_internal:subscription_succeeded"});
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <doctest/doctest.h>

#include "base/run_queue.hpp"
#include "base/timer_wheel.hpp"
#include "conf/config.hpp"
#include "hub/channel_auth.hpp"
#include "hub/shard.hpp"
#include "hub/ws_upgrade.hpp"
#include "net/crypto.hpp"
#include "unit/hub/hub_fakes.hpp"

namespace portero::hub::test {

namespace json = boost::json;
using Names = std::vector<std::string>;

// The fixture of the conformance list: three apps, A, B and C.
inline conf::Hub conformance_settings() {
  conf::Hub settings;
  conf::HubApp a;
  a.id = "123456";
  a.key = "reverb-key";
  a.secret = "reverb-secret";
  conf::HubApp b;
  b.id = "654321";
  b.key = "reverb-key-2";
  b.secret = "reverb-secret-2";
  b.max_message_size = 1'000'000;
  b.max_connections = 1;
  conf::HubApp c;
  c.id = "987654";
  c.key = "reverb-key-3";
  c.secret = "reverb-secret-3";
  c.allowed_origins = {"laravel.com"};
  settings.apps = {a, b, c};
  return settings;
}

class HubHarness {
 public:
  explicit HubHarness(std::size_t workers = 1) : settings(conformance_settings()) {
    coarse_clock().monotonic_ms = 1'000'000;
    hub = std::make_unique<Hub>(workers);
    for (std::size_t i = 0; i < workers; ++i) {
      wakers.push_back(std::make_unique<FakeWaker>());
      wheels.push_back(std::make_unique<TimerWheel>());
      shards.push_back(std::make_unique<HubShard>(*hub, i, *wakers[i], *wheels[i]));
    }
    adopt();
  }
  ~HubHarness() { settle(); }

  // Runs ready coroutines and the turn's ends, but delivers no mail.
  void run() { run_queue().run(); }
  bool has_mail(std::size_t worker) const { return wakers[worker]->woken; }
  void deliver_mail(std::size_t worker) {
    wakers[worker]->woken = false;
    shards[worker]->on_mail();
    run();
  }
  // Runs everything until nothing is left to do.
  void settle() {
    run();
    for (bool again = true; again;) {
      again = false;
      for (std::size_t i = 0; i < shards.size(); ++i) {
        if (!has_mail(i)) continue;
        deliver_mail(i);
        again = true;
      }
    }
  }
  // Lets time pass in steps of a timer tick.
  void advance(Milliseconds time) {
    for (std::int64_t passed = 0; passed < time.count(); passed += TimerWheel::tick_ms) {
      coarse_clock().monotonic_ms += TimerWheel::tick_ms;
      for (auto& wheel : wheels) wheel->advance();
      settle();
    }
  }
  HubShard& shard(std::size_t worker = 0) { return *shards[worker]; }
  conf::HubApp& app(std::size_t index = 0) { return settings.apps[index]; }
  // Hands `settings` to every shard.
  void adopt() {
    const auto shared = std::make_shared<const conf::Hub>(settings);
    for (auto& each : shards) each->adopt(shared);
    settle();
  }
  std::int64_t total(Counter Stats::*counter) const {
    std::int64_t sum = 0;
    for (const auto& each : shards) sum += (each->stats().*counter).value();
    return sum;
  }
  void publish(std::size_t worker, std::vector<std::string> channels, std::string event,
               std::string data, std::string except = "") {
    shard(worker).publish(
        {app().id, std::move(channels), std::move(event), std::move(data), std::move(except)});
    settle();
  }

  conf::Hub settings;
  std::unique_ptr<Hub> hub;
  std::vector<std::unique_ptr<FakeWaker>> wakers;
  std::vector<std::unique_ptr<TimerWheel>> wheels;
  std::vector<std::unique_ptr<HubShard>> shards;
};

template <class T>
Task<> store_result(Task<T> task, std::optional<T>& into) {
  T value = co_await std::move(task);
  into.emplace(std::move(value));
}

// Runs a query to its end.
template <class T>
T await_in(HubHarness& hub, Task<T> task) {
  std::optional<T> result;
  spawn(store_result(std::move(task), result));
  hub.settle();
  REQUIRE(result.has_value());
  return std::move(*result);
}

// A request for a socket, and what becomes of it.
struct Handshake {
  Handshake() : exchange(info) {
    http::Request& request = exchange.request;
    request.method = http::Method::get;
    request.version = http::Version::http_1_1;
    path("/app/reverb-key");
    request.client_ip = *IpAddress::parse("192.0.2.1");
    request.headers.add("Connection", "keep-alive, Upgrade");
    request.headers.add("Upgrade", "websocket");
    request.headers.add("Sec-WebSocket-Version", "13");
    request.headers.add("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
  }
  void path(std::string_view text) {
    exchange.request.path = exchange.request.raw_path = exchange.arena.copy(text);
  }
  void set(std::string_view name, std::string_view value) {
    exchange.request.headers.set(name, exchange.arena.copy(value));
  }
  void answer(HubShard& shard, conf::HubRef apps = {true, {}}) {
    WsUpgrade handler(shard, std::move(apps));
    std::optional<Result<>> result;
    spawn(store_result(handler.handle(exchange), result));
    REQUIRE(result.has_value());
    REQUIRE(result->has_value());
  }

  http::ConnectionInfo info;
  FakeExchange exchange;
};

struct OpenOptions {
  std::string origin = "http://laravel.com";  // "" = no Origin field
  std::string address = "192.0.2.1";
  conf::HubRef apps{true, {}};
  bool auto_settle = true;
};

inline std::string quote(std::string_view text) {
  return json::serialize(json::value(json::string_view(text.data(), text.size())));
}

class TestClient {
 public:
  TestClient(HubHarness& hub, std::size_t worker, std::string_view key, OpenOptions options = {})
      : auto_settle(options.auto_settle), hub_(hub), key_(key) {
    Handshake handshake;
    handshake.path("/app/" + key_);
    if (!options.origin.empty()) handshake.set("Origin", options.origin);
    handshake.exchange.request.client_ip = *IpAddress::parse(options.address);
    handshake.answer(hub.shard(worker), options.apps);
    status = handshake.exchange.status_sent;
    REQUIRE(handshake.exchange.takeover != nullptr);
    spawn(run(*this, std::move(handshake.exchange.takeover), std::make_unique<FakeStream>(wire)));
    settle();
  }
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;
  ~TestClient() { cut(); }

  // --- saying things

  void send_raw(std::string_view bytes) {
    wire.to_hub += bytes;
    wake();
  }
  void send_frame(Opcode opcode, std::string_view payload, bool final = true) {
    send_raw(masked_frame(opcode, payload, final));
  }
  void send_text(std::string_view text) { send_frame(Opcode::text, text); }
  void send_close(unsigned code) {
    const char payload[] = {static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)};
    send_frame(Opcode::close, {payload, 2});
  }
  // The peer vanishes.
  void cut() {
    wire.reset = true;
    wake();
    hub_.settle();
    REQUIRE(done_);
  }
  // The peer ends its half.
  void end() {
    wire.client_ended = true;
    wake();
  }
  // The peer reads again.
  void make_room(std::size_t bytes = SIZE_MAX) {
    wire.room = bytes;
    if (wire.stream != nullptr) wire.stream->writable().signal();
    settle();
  }
  void subscribe(std::string_view channel) {
    send_text(R"({"event":"pusher:subscribe","data":{"channel":)" + quote(channel) + "}}");
  }
  // With a token made by whoever knows `secret`.
  void subscribe_signed(std::string_view channel, std::optional<std::string_view> data = {},
                        std::string_view secret = "reverb-secret") {
    std::string text = R"({"event":"pusher:subscribe","data":{"channel":)" + quote(channel) +
                       R"(,"auth":)" + quote(auth(channel, data, secret));
    if (data) text += R"(,"channel_data":)" + quote(*data);
    send_text(text + "}}");
  }
  void join(std::string_view channel, std::string_view user_id_json) {
    subscribe_signed(
        channel, R"({"user_id":)" + std::string(user_id_json) + R"(,"user_info":{"name":"N"}})");
  }
  void unsubscribe(std::string_view channel) {
    send_text(R"({"event":"pusher:unsubscribe","data":{"channel":)" + quote(channel) + "}}");
  }
  void client_event(std::string_view channel, std::string_view event, std::string_view data_json) {
    send_text(R"({"event":)" + quote(event) + R"(,"channel":)" + quote(channel) + R"(,"data":)" +
              std::string(data_json) + "}");
  }
  std::string auth(std::string_view channel, std::optional<std::string_view> data = {},
                   std::string_view secret = "reverb-secret") {
    const std::string_view* const channel_data = data ? &*data : nullptr;
    return key_ + ":" +
           net::hmac_sha256_hex(secret, channel_string_to_sign(id(), channel, channel_data));
  }

  // --- hearing things; each takes what has come

  // Text frames; a `data` that is a string of JSON is parsed.
  std::vector<json::object> events() {
    decode();
    std::vector<json::object> out;
    for (const std::string& text : take(Opcode::text)) {
      json::object event = json::parse(text).as_object();
      if (json::value* const data = event.if_contains("data");
          data != nullptr && data->is_string()) {
        boost::system::error_code ec;
        json::value inner = json::parse(data->get_string(), ec);
        if (!ec) *data = std::move(inner);
      }
      out.push_back(std::move(event));
    }
    return out;
  }
  Names names() {
    Names out;
    for (const json::object& event : events()) out.emplace_back(event.at("event").as_string());
    return out;
  }
  json::object only_event() {
    const std::vector<json::object> all = events();
    REQUIRE(all.size() == 1);
    return all.front();
  }
  // Codes of the pusher:error events.
  std::vector<std::int64_t> errors() {
    std::vector<std::int64_t> out;
    for (const json::object& event : events()) {
      if (event.at("event") != "pusher:error") continue;
      out.push_back(event.at("data").as_object().at("code").as_int64());
    }
    return out;
  }
  std::vector<std::string> take(Opcode opcode) {
    decode();
    std::vector<std::string> out;
    std::deque<Received> others;
    for (Received& each : received_) {
      if (each.opcode == opcode) {
        out.push_back(std::move(each.payload));
      } else {
        others.push_back(std::move(each));
      }
    }
    received_ = std::move(others);
    return out;
  }
  // The code of the Close frame; 1005 when it has none, 0 when there is no Close frame.
  unsigned close_code() {
    decode();
    for (const Received& each : received_) {
      if (each.opcode != Opcode::close) continue;
      if (each.payload.size() < 2) return 1005;
      return static_cast<unsigned>(static_cast<unsigned char>(each.payload[0]) << 8 |
                                   static_cast<unsigned char>(each.payload[1]));
    }
    return 0;
  }
  // The hub has done with the connection.
  bool ended() const { return done_; }
  // The socket id of the greeting, which it takes.
  const std::string& id() {
    if (socket_id_.empty()) {
      const std::vector<json::object> all = events();
      REQUIRE(!all.empty());
      REQUIRE(all.front().at("event") == "pusher:connection_established");
      socket_id_ = all.front().at("data").as_object().at("socket_id").as_string();
    }
    return socket_id_;
  }
  // Takes the greeting away.
  TestClient& greeted() {
    id();
    return *this;
  }

  Wire wire;
  bool auto_settle;
  int status = 0;  // of the handshake

 private:
  struct Received {
    Opcode opcode;
    std::string payload;
  };

  static Task<> run(TestClient& self, std::unique_ptr<http::Session> session,
                    std::unique_ptr<net::ByteStream> stream) {
    co_await session->run(std::move(stream), std::string());
    self.done_ = true;
  }
  void settle() {
    if (auto_settle) hub_.settle();
  }
  void wake() {
    if (wire.stream != nullptr) wire.stream->readable().signal();
    settle();
  }
  void decode() {
    std::string_view left = wire.to_client;
    for (;;) {
      if (left.size() < 2) break;
      const auto byte = [&left](std::size_t i) {
        return static_cast<std::size_t>(static_cast<unsigned char>(left[i]));
      };
      std::size_t header = 2;
      std::size_t size = byte(1);
      REQUIRE(size < 128);  // servers do not mask
      if (size >= 126) {
        const std::size_t extended = size == 126 ? 2 : 8;
        if (left.size() < 2 + extended) break;
        header += extended;
        size = 0;
        for (std::size_t i = 0; i < extended; ++i) size = size << 8 | byte(2 + i);
      }
      if (left.size() < header + size) break;
      REQUIRE((byte(0) & 0xF0) == 0x80);
      received_.push_back(
          {static_cast<Opcode>(byte(0) & 15), std::string(left.substr(header, size))});
      left.remove_prefix(header + size);
    }
    wire.to_client = std::string(left);
  }

  HubHarness& hub_;
  std::string key_;
  std::string socket_id_;
  std::deque<Received> received_;
  bool done_ = false;
};

}  // namespace portero::hub::test
