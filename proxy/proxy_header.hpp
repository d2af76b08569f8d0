// The PROXY header, which tells a server behind a proxy who the client is.
// Pure. Thread: any. Source: haproxy.org, "The PROXY protocol" (versions 1 and 2).
#pragma once

#include <cstdint>
#include <string_view>

#include "base/arena.hpp"
#include "conf/config.hpp"
#include "http/exchange.hpp"

namespace portero::proxy {

// The header for the client of an exchange, in its arena; "" for ProxyProtocol::none.
std::string_view proxy_header(conf::ProxyProtocol version, http::Exchange& exchange);

}  // namespace portero::proxy
