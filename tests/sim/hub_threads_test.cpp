// Three workers on real threads and loops, talking through real mailboxes: what ThreadSanitizer
// needs to see. Every socket must hear every event exactly once, and nothing may be left behind.
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "hub/ws_connection.hpp"
#include "net/loop.hpp"
#include "unit/hub/hub_fakes.hpp"

using namespace portero;
using namespace portero::hub;
using namespace portero::hub::test;

namespace {

constexpr std::size_t workers = 3;
constexpr std::size_t sockets_per_worker = 4;
constexpr int channels = 5;
constexpr int events_per_worker = 300;
constexpr int turns_max = 20'000;  // of at most 1 ms: the test fails instead of hanging

std::size_t count_of(const std::string& text, std::string_view needle) {
  std::size_t count = 0;
  for (std::size_t at = text.find(needle); at != std::string::npos; ++count) {
    at = text.find(needle, at + needle.size());
  }
  return count;
}

Task<> run_session(std::unique_ptr<http::Session> session,
                   std::unique_ptr<net::ByteStream> stream) {
  co_await session->run(std::move(stream), std::string());
}

class Worker {
 public:
  Worker(Hub& hub, std::size_t index, std::atomic<std::size_t>& arrived)
      : shard_(hub, index, loop_, loop_.timers()), arrived_(arrived) {
    loop_.set_on_wake([](void* shard) { static_cast<HubShard*>(shard)->on_mail(); }, &shard_);
  }

  // Returns the name of the phase that did not end, or "".
  std::string run() {
    auto settings = std::make_shared<conf::Hub>();
    settings->apps.resize(1);
    settings->apps[0].id = "app";
    settings->apps[0].key = "key";
    shard_.adopt(settings);
    for (std::size_t i = 0; i < sockets_per_worker; ++i) open_socket();
    if (!pump([this] { return all_have("subscription_succeeded", channels); })) return "subscribe";
    meet(1);
    for (int i = 0; i < events_per_worker; ++i) {
      shard_.publish({"app", {"c" + std::to_string(i % channels)}, "tick", "x", ""});
      if (i % 10 == 0) churn();
      loop_.run_once(0);
    }
    const std::size_t expected = events_per_worker * workers;
    if (!pump([&] { return all_have("\"tick\"", expected); })) return "publish";
    meet(2);
    for (auto& wire : wires_) {
      wire->reset = true;
      if (wire->stream != nullptr) wire->stream->readable().signal();
    }
    AppState& app = *shard_.find_app_state("key");
    if (!pump([&] { return shard_.open_sockets() == 0 && app.channels.empty(); })) return "leave";
    meet(3);
    return "";
  }

 private:
  void open_socket() {
    wires_.push_back(std::make_unique<Wire>());
    Wire& wire = *wires_.back();
    for (int i = 0; i < channels; ++i) {
      wire.to_hub +=
          masked_frame(Opcode::text, R"({"event":"pusher:subscribe","data":{"channel":"c)" +
                                         std::to_string(i) + R"("}})");
    }
    auto session = std::make_unique<WsConnection>(shard_, shard_.find_app_state("key"),
                                                  Refusal::none, IpAddress());
    spawn(run_session(std::move(session), std::make_unique<FakeStream>(wire)));
  }
  // A channel that comes and goes.
  void churn() {
    Wire& wire = *wires_.front();
    for (const char* event : {"subscribe", "unsubscribe"}) {
      wire.to_hub += masked_frame(Opcode::text, std::string(R"({"event":"pusher:)") + event +
                                                    R"(","data":{"channel":"passing"}})");
    }
    wire.stream->readable().signal();
  }
  bool all_have(std::string_view needle, std::size_t count) {
    for (const auto& wire : wires_) {
      if (count_of(wire->to_client, needle) < count) return false;
    }
    return true;
  }
  template <class Done>
  bool pump(Done done) {
    for (int turn = 0; turn < turns_max; ++turn) {
      loop_.run_once(1);
      if (done()) return true;
    }
    return false;
  }
  // Goes on answering others until all have come this far.
  void meet(std::size_t phase) {
    arrived_.fetch_add(1);
    pump([&] { return arrived_.load() >= phase * workers; });
  }

  net::Loop loop_;
  HubShard shard_;
  std::atomic<std::size_t>& arrived_;
  std::vector<std::unique_ptr<Wire>> wires_;
};

}  // namespace

TEST_CASE("hub threads: three workers share channels without losing or repeating an event") {
  Hub hub(workers);
  std::atomic<std::size_t> arrived{0};
  std::vector<std::string> failures(workers);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < workers; ++i) {
    threads.emplace_back([&, i] { failures[i] = Worker(hub, i, arrived).run(); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& failure : failures) CHECK(failure == "");
}
