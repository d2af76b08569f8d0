// H2StreamBytes: a stream opened by extended CONNECT as a ByteStream, for the Session that has
// taken it over. What is written and not yet sent leaves after shutdown_write() and destruction
// too, as with a socket; after cancel() it is dropped and the stream is reset.
// Thread: the worker of the connection. Owner: the Session. The H2Stream outlives it.
// Source: RFC 8441 §5.
#pragma once

#include "http/h2_stream.hpp"
#include "net/byte_stream.hpp"

namespace portero::http {

class H2StreamBytes final : public net::ByteStream {
 public:
  static constexpr std::size_t output_bytes_max = 64 * 1024;

  explicit H2StreamBytes(H2Stream& stream) noexcept;
  ~H2StreamBytes() override;

  Result<std::size_t> try_read(MutableBytes into) override;
  Result<std::size_t> try_write(std::span<const Bytes> parts) override;
  void shutdown_write() noexcept override;
  bool peer_gone() const noexcept override { return stream_.failure() != Errc::ok; }

 private:
  H2Stream& stream_;
  bool shut_down_ = false;
};

}  // namespace portero::http
