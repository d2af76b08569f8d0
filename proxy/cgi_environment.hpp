// The CGI environment of a request: what PHP finds in $_SERVER.
// Pure. Thread: the exchange's worker. Source: RFC 3875 §4.1, and what
// nginx's fastcgi_params and PHP's own SAPIs have made of it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/buffer.hpp"
#include "http/exchange.hpp"
#include "proxy/header_edits.hpp"
#include "proxy/php_target.hpp"

namespace portero::proxy {

struct CgiSettings {
  HeaderEdits headers_up;
  std::vector<std::pair<std::string, Template>> env;  // of the site file; they win
};

struct CgiScript {
  PhpTarget target;
  std::string_view document_root;  // as PHP sees it, without a slash at its end
  std::uint64_t body_bytes = 0;
  bool has_body = false;
};

// Appends all params. Names of header fields that PHP could take for others (with "_" or ".") are
// dropped, Proxy too (httpoxy); what says how the request came is written anew.
void append_cgi_environment(http::Exchange& exchange, const CgiSettings& settings,
                            const CgiScript& script, Buffer& params);

}  // namespace portero::proxy
