// An HTTP/1.x connection of a client: reads heads (keep-alive, pipelining), gives each request to
// the Service as an Exchange, then reads on or closes.
// Thread: the worker of the connection.
#pragma once

#include <memory>

#include "base/buffer.hpp"
#include "base/timer_wheel.hpp"
#include "http/handler.hpp"
#include "http/timeouts.hpp"
#include "net/byte_stream.hpp"

namespace portero::http {

// What an HTTP/1 connection works with. Owned by the one who accepted it; outlives serve_h1().
struct H1Context {
  net::ByteStream& stream;
  TimerWheel& timers;
  const ConnectionInfo& info;
  Service& service;
  const Timeouts& timeouts;
  // True while the connection waits between requests: only then may a draining worker end it with
  // stream.cancel(); a connection that is serving announces its end by itself.
  bool idle = false;
  // True while a head is coming in: a draining worker that has waited for it may end it.
  bool reading_head = false;
};

// Serves requests until the connection ends or a handler takes it over. `input` may hold bytes that
// were read already. Returns nullptr when the connection is to be closed: the caller destroys the
// stream. Otherwise the session that takes over: the caller moves the stream into session->run();
// what is left in `input` are the bytes that came early. Never fails: errors were answered.
Task<std::unique_ptr<Session>> serve_h1(H1Context& context, Buffer& input);

}  // namespace portero::http
