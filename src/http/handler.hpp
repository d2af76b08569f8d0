// Handler: what finally answers a request (proxy, hub, files, respond, redirect). Built when a
// snapshot is adopted, one instance per worker, so it may keep per-worker state.
// Service: what a connection gives its exchanges to: the worker's router.
// Thread: the worker.
#pragma once

#include "http/exchange.hpp"

namespace portero::http {

class Handler {
 public:
  virtual ~Handler() = default;
  // Answers the exchange. On an error whose answer has not begun, the caller answers with
  // error_info(code).http_status; if it has begun, the caller resets the exchange.
  virtual Task<Result<>> handle(Exchange& exchange) = 0;
};

class Service {
 public:
  virtual ~Service() = default;
  // Serves one exchange to its end; never fails: errors have been answered or the exchange reset.
  virtual Task<> serve(Exchange& exchange) = 0;
  // The worker is shutting down: connections announce their end (Connection: close, GOAWAY).
  virtual bool draining() const noexcept = 0;
};

}  // namespace portero::http
