// Reads the PROXY header (version 1 or 2) with which a load balancer begins a connection.
// Thread: the worker's. Source: haproxy.org, "The PROXY protocol".
#pragma once

#include <cstdint>
#include <optional>

#include "base/ip_address.hpp"
#include "base/timer_wheel.hpp"
#include "net/tcp_stream.hpp"

namespace portero::net {

struct ProxiedPeer {
  IpAddress address;
  std::uint16_t port = 0;
};

// Takes exactly the header off the stream. Nothing: a connection of the balancer's own (LOCAL,
// UNKNOWN), which keeps its address. Errors: bad_request (no header, or a malformed one),
// timeout_head, end_of_stream, connection_reset. Limits: 536 bytes.
Task<Result<std::optional<ProxiedPeer>>> read_proxy_header(TcpStream& stream, TimerWheel& timers,
                                                           Milliseconds timeout);

// The header at the front of `bytes`, for tests and the fuzzer. `size` 0: more is needed.
struct ParsedProxyHeader {
  std::size_t size = 0;
  std::optional<ProxiedPeer> peer;
};
// Errors: bad_request.
Result<ParsedProxyHeader> parse_proxy_header(Bytes bytes);

}  // namespace portero::net
