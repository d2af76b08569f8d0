// `respond`: an answer that needs nobody else.
// Thread: the worker's. Owner: the route.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "conf/config.hpp"
#include "http/handler.hpp"
#include "proxy/placeholder.hpp"

namespace portero::proxy {

class StaticResponse final : public http::Handler {
 public:
  explicit StaticResponse(const conf::Respond& settings);
  Task<Result<>> handle(http::Exchange& exchange) override;
  // Answers with `response` and what is configured; a status of 0 leaves that of `response`.
  Task<Result<>> answer(http::Exchange& exchange, http::Response& response) const;

 private:
  int status_;
  Template body_;
  Place place_ = Place::text;  // html when the answer is
  bool has_content_type_ = false;
  std::vector<std::pair<std::string, Template>> headers_;
};

}  // namespace portero::proxy
