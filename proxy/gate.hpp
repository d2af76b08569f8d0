// Gate: what a request must pass before its route answers: `limits`, `basic_auth`, `forward_auth`.
// Thread: the worker's. Owner: the route or the site; outlives the exchange.
#pragma once

#include <memory>
#include <vector>

#include "http/exchange.hpp"

namespace portero::proxy {

class Gate {
 public:
  virtual ~Gate() = default;
  // Whether the request may go on; if not, it has been answered. Errors: those of writing.
  virtual Task<Result<bool>> admit(http::Exchange& exchange) = 0;
};

using Gates = std::vector<std::unique_ptr<Gate>>;

// What stands before and around a route's handler.
struct Guards {
  Gates gates;                                          // in the order in which they are passed
  std::unique_ptr<const http::ErrorPages> error_pages;  // nullptr: none
};

// Answers instead of the route. Errors: those of writing.
inline Task<Result<bool>> refuse(http::Exchange& exchange, http::Response& response,
                                 std::string_view text) {
  const Result<> answered = co_await http::respond_error(exchange, response, text);
  if (!answered) co_return answered.error();
  co_return false;
}

}  // namespace portero::proxy
