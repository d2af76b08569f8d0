// FakeService: a Service whose answers are small functions of the test, chosen by path.
// Thread: the test's.
#pragma once

#include <map>
#include <string>

#include "http/handler.hpp"

namespace portero::http {

class FakeService final : public Service {
 public:
  using Answer = Task<> (*)(FakeService& service, Exchange& exchange);

  std::map<std::string, Answer, std::less<>> answers;
  bool is_draining = false;
  std::string log;          // what answers noted, and "path status sent read;" per exchange
  WaitPoint gate;           // answers may wait here
  Errc failure = Errc::ok;  // of the last read or send that an answer made
  std::unique_ptr<Session> session;  // what an answer hands over

  Task<> serve(Exchange& exchange) override {
    const auto answer = answers.find(exchange.request.path);
    if (answer == answers.end()) {
      const Result<> sent = co_await respond(exchange, 404, "no such answer\n");
      note(sent);
    } else {
      co_await answer->second(*this, exchange);
    }
    log += std::string(exchange.request.path) + ' ' + std::to_string(exchange.status_sent) + ' ' +
           std::to_string(exchange.body_bytes_sent) + ' ' +
           std::to_string(exchange.body_bytes_read) + ';';
  }
  bool draining() const noexcept override { return is_draining; }

  template <class T>
  void note(const Result<T>& result) {
    if (!result) failure = result.error().code;
  }
};

}  // namespace portero::http
