#include "http/h1_transport.hpp"

#include <array>

namespace portero::http {

H1Transport::H1Transport(net::ByteStream& stream, TimerWheel& timers, const Timeouts& timeouts,
                         Buffer& input_buffer) noexcept
    : input(input_buffer),
      stream_(stream),
      timers_(timers),
      timeouts_(timeouts),
      read_deadline_(stream),
      write_deadline_(stream) {}

Result<> H1Transport::try_fill(std::size_t room) {
  if (read_deadline_.failure() != Errc::ok) return read_deadline_.failure();
  const Result<std::size_t> got = stream_.try_read(input.prepare(room));
  if (!got) return got.error();
  if (*got == 0) return Errc::end_of_stream;
  input.commit(*got);
  return {};
}

Task<Result<>> H1Transport::fill(std::size_t room) {
  for (;;) {
    const Result<> filled = try_fill(room);
    if (filled || filled.error() != Errc::would_block) co_return filled;
    input.release();
    co_await stream_.readable();
  }
}

Result<> H1Transport::try_write(H1Pieces& pieces) {
  for (;;) {
    std::array<Bytes, 3> parts;
    std::size_t count = 0;
    for (const Bytes part : {output.readable(), pieces.body, pieces.tail}) {
      if (!part.empty()) parts[count++] = part;
    }
    if (count == 0) return {};
    const Result<std::size_t> sent = stream_.try_write(std::span(parts).first(count));
    if (!sent) return sent.error();
    std::size_t left = *sent;
    const std::size_t from_output = std::min(left, output.size());
    output.consume(from_output);
    left -= from_output;
    const std::size_t from_body = std::min(left, pieces.body.size());
    pieces.body.remove_prefix(from_body);
    pieces.tail.remove_prefix(left - from_body);
  }
}

Task<Result<>> H1Transport::write(H1Pieces pieces, Milliseconds patience) {
  for (;;) {
    const Result<> written = try_write(pieces);
    if (written || written.error() != Errc::would_block) co_return written;
    const Result<> room = co_await wait_writable(patience);
    if (!room) co_return room;
  }
}

Task<Result<>> H1Transport::wait_writable(Milliseconds patience) {
  write_deadline_.arm(timers_, patience, Errc::timeout_write);
  co_await stream_.writable();
  write_deadline_.disarm();
  if (stream_.failure() != Errc::ok) co_return stream_.failure();
  co_return Result<>();
}

}  // namespace portero::http
