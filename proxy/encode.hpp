// `encode`: which answers are compressed, and what their fields become then.
// Thread: immutable; any. Owner: the route.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "conf/config.hpp"
#include "http/exchange.hpp"
#include "proxy/accept_encoding.hpp"

namespace portero::proxy {

class Encode final : public http::ResponseStep {
 public:
  explicit Encode(const conf::Encode& settings);

  // Sets the exchange's body filter when the answer is worth it and the client takes a coding.
  // Compressed already, `no-transform`, part of a file, known to be small: left alone.
  void apply(http::Exchange& exchange, http::Response& response) const override;

 private:
  bool is_worth_it(const http::Response& response) const;
  bool has_type(std::string_view content_type) const noexcept;

  std::vector<Coding> with_;
  std::vector<std::string> types_;
  std::uint64_t bytes_min_;
  unsigned level_;
};

}  // namespace portero::proxy
