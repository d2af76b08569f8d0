#include "hub/ws_connection.hpp"

#include "base/assert.hpp"

namespace portero::hub {
namespace {

// How often a socket is read from in one turn of the loop, before others have theirs.
constexpr unsigned reads_per_turn_max = 4;
constexpr std::size_t refused_message_bytes_max = 10'000;  // while there is no app to ask

}  // namespace

Task<> WsConnection::run(std::unique_ptr<net::ByteStream> stream, std::string early) {
  socket_.attach(*stream);
  shard_.open(socket_);
  receive(early);
  early = std::string();
  unsigned reads = 0;
  while (socket_.state != SocketState::ended) {
    const MutableBytes room = shard_.read_buffer();
    Result<std::size_t> got = Errc::would_block;
    if (reads < reads_per_turn_max) {
      got = stream->try_read(room);
    } else {
      shard_.read_on_next_turn(socket_);
    }
    if (got) {
      if (*got == 0) break;
      ++reads;
      shard_.on_activity(socket_);
      receive(room.first(*got));
    } else if (got.error().code == Errc::would_block) {
      reads = 0;
      co_await stream->readable();
    } else {
      break;
    }
  }
  shard_.depart(socket_);
  co_await socket_.finish(shard_.send_queue());
  shard_.remove(socket_);
  stream->shutdown_write();
}

std::size_t WsConnection::message_bytes_max() const noexcept {
  return socket_.app != nullptr ? socket_.app->app.message_bytes_max : refused_message_bytes_max;
}

void WsConnection::receive(MutableBytes bytes) {
  while (!discarding_ && socket_.state != SocketState::ended) {
    const WsEvent event = codec_.next(bytes, message_bytes_max());
    if (std::holds_alternative<WsNeedMore>(event)) return;
    if (const auto* message = std::get_if<WsMessage>(&event)) {
      shard_.on_message(socket_, message->payload);
    } else if (const auto* ping = std::get_if<WsPing>(&event)) {
      shard_.send(socket_, FrameRef::make(Opcode::pong, ping->payload));
    } else if (const auto* close = std::get_if<WsClose>(&event)) {
      on_close(*close);
    } else if (const auto* violation = std::get_if<WsViolation>(&event)) {
      on_violation(violation->why);
    }
  }
}

void WsConnection::on_close(const WsClose& close) {
  // Source: RFC 6455 §5.5.1: the code is echoed; a Close without one is answered by one without.
  if (socket_.state == SocketState::open) {
    shard_.send(socket_, close.code == 1005 ? FrameRef::make(Opcode::close, {})
                                            : frames::close(close.code, {}));
  }
  shard_.depart(socket_);
}

// Closes our half behind the Close frame and reads to the end, so that the client sees the frame
// and not a reset.
void WsConnection::on_violation(Errc why) {
  discarding_ = true;
  if (socket_.state != SocketState::open) return;
  const ErrorInfo& info = error_info(why);
  shard_.close(socket_, info.close_code, info.text);
  shard_.send_queue().flush(socket_);
  if (!socket_.congested()) socket_.stream().shutdown_write();
}

}  // namespace portero::hub
