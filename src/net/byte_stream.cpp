#include "net/byte_stream.hpp"

namespace portero::net {

Task<Result<std::size_t>> read_some(ByteStream& stream, MutableBytes into) {
  for (;;) {
    const Result<std::size_t> got = stream.try_read(into);
    if (got || got.error().code != Errc::would_block) co_return got;
    co_await stream.readable();
  }
}

Task<Result<>> write_all(ByteStream& stream, Bytes data) {
  while (!data.empty()) {
    const Bytes parts[] = {data};
    const Result<std::size_t> sent = stream.try_write(parts);
    if (sent) {
      data.remove_prefix(*sent);
    } else if (sent.error().code == Errc::would_block) {
      co_await stream.writable();
    } else {
      co_return sent.error();
    }
  }
  co_return Result<>();
}

}  // namespace portero::net
