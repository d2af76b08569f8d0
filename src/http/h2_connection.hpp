// An HTTP/2 connection of a client: one coroutine reads it, one per stream serves its request, and
// what they have to say in a turn of the loop leaves with one write at the turn's end.
// Thread: the worker of the connection. Source: RFC 9113.
#pragma once

#include "base/buffer.hpp"
#include "base/timer_wheel.hpp"
#include "http/handler.hpp"
#include "http/timeouts.hpp"
#include "net/byte_stream.hpp"

namespace portero::http {

// What an HTTP/2 connection works with. Owned by the one who accepted it; outlives serve_h2().
struct H2Context {
  net::ByteStream& stream;
  TimerWheel& timers;
  const ConnectionInfo& info;
  Service& service;
  const Timeouts& timeouts;
};

// Serves streams until the connection ends and every coroutine of it has ended, tunnels included;
// then the caller destroys the stream. `input` may hold bytes that were read already. Never fails.
//
// When service.draining() turns true the connection says GOAWAY and ends with its last stream. It
// looks when it wakes up: whoever starts the draining calls stream.readable().signal().
Task<> serve_h2(H2Context& context, Buffer& input);

}  // namespace portero::http
