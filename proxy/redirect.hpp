// `redirect`: sending the client elsewhere.
// Thread: the worker's. Owner: the route.
#pragma once

#include <string_view>

#include "conf/config.hpp"
#include "http/handler.hpp"
#include "proxy/placeholder.hpp"

namespace portero::proxy {

class Redirect final : public http::Handler {
 public:
  explicit Redirect(const conf::Redirect& settings);
  Task<Result<>> handle(http::Exchange& exchange) override;

 private:
  int status_;
  Template to_;
};

// Answers with a Location and a line of text. `location` lies in the exchange's arena or outlives
// the exchange. Errors: those of writing.
Task<Result<>> redirect_to(http::Exchange& exchange, int status, std::string_view location);

// Redirects a folder's path to the same with a slash at its end, with the client's own query.
Task<Result<>> redirect_to_folder(http::Exchange& exchange);

}  // namespace portero::proxy
