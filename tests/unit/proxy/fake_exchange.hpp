// An exchange without a connection: a request made by hand, and what was answered.
// Thread: the test's.
#pragma once

#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "base/run_queue.hpp"
#include "http/exchange.hpp"
#include "http/handler.hpp"

namespace portero::proxy::test {

inline http::ConnectionInfo& test_connection() {
  static http::ConnectionInfo info = [] {
    http::ConnectionInfo made;
    made.peer = *IpAddress::parse("203.0.113.9");
    made.local_port = 80;
    return made;
  }();
  return info;
}

class FakeExchange final : public http::Exchange {
 public:
  FakeExchange(std::string_view method, std::string_view target, std::string_view authority,
               const http::ConnectionInfo& info = test_connection())
      : Exchange(info) {
    request.method = http::identify_method(method);
    request.method_text = arena.copy(method);
    request.target = arena.copy(target);
    request.authority = arena.copy(authority);
    request.scheme = info.tls ? "https" : "http";
    request.client_ip = info.peer;
    REQUIRE(normalise_target(request, arena) == http::TargetCheck::ok);
  }

  int status = 0;
  std::string head;  // "Name: value" lines
  std::string body;
  bool ended = false;
  bool server_header = true;

  std::string header(std::string_view name) const {
    const std::string start = std::string(name) + ": ";
    const std::size_t at = head.find(start);
    if (at == std::string::npos) return {};
    return head.substr(at + start.size(), head.find('\n', at) - at - start.size());
  }

  Task<Result<Bytes>> read_body() override { co_return Bytes(); }
  Task<Result<>> send_interim(http::Response&) override { co_return Result<>(); }
  Task<Result<>> write_body(Bytes piece, http::Last last) override {
    body += piece;
    ended = last == http::Last::yes;
    co_return Result<>();
  }
  void reset(Errc) noexcept override {}
  bool client_gone() const noexcept override { return false; }

 private:
  Task<Result<>> write_head(http::Response& response) override {
    status = response.status;
    server_header = response.server_header;
    for (const http::Field& field : response.headers) {
      head += std::string(field.name) + ": " + std::string(field.value) + "\n";
    }
    co_return Result<>();
  }
};

inline Task<> run_handler(http::Handler& handler, http::Exchange& exchange, bool& done) {
  const Result<> handled = co_await handler.handle(exchange);
  done = handled.has_value();
}

// Runs a handler that does not wait.
inline void handle(http::Handler& handler, http::Exchange& exchange) {
  bool done = false;
  spawn(run_handler(handler, exchange, done));
  run_queue().run();
  CHECK(done);
}

}  // namespace portero::proxy::test
