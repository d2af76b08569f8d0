// The access line: one per exchange, from this one function.
// Secrets never reach it: of the fields only User-Agent and Referer are written, and the query
// values auth, auth_key, auth_signature and token are masked, also inside Referer.
// Thread: any (pure); the caller appends the line to the site's sink.
#pragma once

#include <string>

#include "base/log.hpp"
#include "http/exchange.hpp"

namespace portero::http {

// Units: duration in milliseconds since exchange.started_ms by coarse_clock().
std::string format_access_line(const Exchange& exchange, log::Format format);

// Replaces the values of secret query parameters in a request target or URL by "***".
std::string mask_secrets(std::string_view target);

}  // namespace portero::http
