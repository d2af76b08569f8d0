#include "http/h2_stream_bytes.hpp"

#include <algorithm>

namespace portero::http {
namespace {

// A reset stream is to a tunnel what a reset connection is.
Error as_connection_error(Errc failure) noexcept {
  return failure == Errc::stream_reset ? Errc::connection_reset : failure;
}

}  // namespace

H2StreamBytes::H2StreamBytes(H2Stream& stream) noexcept : stream_(stream) {
  stream_.set_bytes(this);
}

H2StreamBytes::~H2StreamBytes() {
  stream_.set_bytes(nullptr);
  if (failure() != Errc::ok) {
    stream_.reset(failure());
  } else {
    shutdown_write();
  }
}

Result<std::size_t> H2StreamBytes::try_read(MutableBytes into) {
  if (failure() != Errc::ok) return failure();
  const Result<std::size_t> got = stream_.read(into);
  if (!got) return as_connection_error(got.error().code);
  return got;
}

Result<std::size_t> H2StreamBytes::try_write(std::span<const Bytes> parts) {
  if (failure() != Errc::ok) return failure();
  if (stream_.failure() != Errc::ok) return as_connection_error(stream_.failure());
  if (shut_down_) return Errc::connection_reset;
  std::size_t taken = 0;
  for (const Bytes part : parts) {
    const std::size_t room = output_bytes_max - std::min(output_bytes_max, stream_.output_size());
    const Bytes piece = part.substr(0, room);
    if (!piece.empty()) stream_.send_copy(piece);
    taken += piece.size();
    if (piece.size() < part.size()) {
      if (taken == 0) return Errc::would_block;
      break;
    }
  }
  return taken;
}

void H2StreamBytes::shutdown_write() noexcept {
  if (shut_down_) return;
  shut_down_ = true;
  stream_.end_output({});
}

}  // namespace portero::http
