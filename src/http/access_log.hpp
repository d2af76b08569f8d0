// The access line: one per exchange, from this one function.
// Secrets never reach it: of the fields only User-Agent and Referer are written, and the query
// values auth, auth_key, auth_signature and token are masked, also inside Referer.
// Thread: any (pure); the caller appends the line to the site's sink.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/exchange.hpp"

namespace portero::http {

enum class AccessFormat : std::uint8_t { json, console, combined };

// What is done with a value before it is written.
enum class AccessFilter : std::uint8_t {
  mask,  // "***"; of an address the network: /24, /48
  hash,  // 16 hex digits, the same for the same value while the process runs
  drop,  // not written; "-" where the format needs something
};

struct AccessLogSettings {
  AccessFormat format = AccessFormat::json;
  int status_min = 0;  // of an answer that is logged
  // By field: one of access_fields, or query.NAME.
  std::vector<std::pair<std::string, AccessFilter>> filters;
};

// Units: duration in milliseconds since exchange.started_ms by coarse_clock().
std::string format_access_line(const Exchange& exchange, const AccessLogSettings& settings);

// Replaces the values of secret query parameters in a request target or URL by "***".
std::string mask_secrets(std::string_view target);

}  // namespace portero::http
