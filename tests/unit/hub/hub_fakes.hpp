// What hub tests put in place of the network: a wire whose two ends are strings, an exchange that
// records its answer, a waker that only remembers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mailbox.hpp"
#include "http/exchange.hpp"
#include "hub/frame.hpp"

namespace portero::hub::test {

// The client's end of a connection; outlives the hub's end, a FakeStream.
struct Wire {
  std::string to_hub;
  std::string to_client;
  std::size_t room = SIZE_MAX;  // bytes the client still takes; 0: it does not read
  bool client_ended = false;
  bool reset = false;
  bool hub_ended = false;
  net::ByteStream* stream = nullptr;  // while the hub has it
  int writes = 0;
  const char* last_written = nullptr;  // where the first piece of the last write stood
};

class FakeStream final : public net::ByteStream {
 public:
  explicit FakeStream(Wire& wire) : wire_(wire) { wire_.stream = this; }
  ~FakeStream() override {
    wire_.stream = nullptr;
    wire_.hub_ended = true;
  }

  Result<std::size_t> try_read(MutableBytes into) override {
    if (failure() != Errc::ok) return failure();
    if (wire_.reset) return Errc::connection_reset;
    const std::size_t count = std::min(into.size(), wire_.to_hub.size());
    if (count == 0) {
      if (wire_.client_ended) return std::size_t{0};
      return Errc::would_block;
    }
    std::copy_n(wire_.to_hub.data(), count, into.data());
    wire_.to_hub.erase(0, count);
    return count;
  }

  Result<std::size_t> try_write(std::span<const Bytes> parts) override {
    if (failure() != Errc::ok) return failure();
    if (wire_.reset) return Errc::connection_reset;
    if (wire_.room == 0) return Errc::would_block;
    ++wire_.writes;
    wire_.last_written = parts.front().data();
    std::size_t sent = 0;
    for (const Bytes part : parts) {
      const std::size_t count = std::min(part.size(), wire_.room);
      wire_.to_client += part.substr(0, count);
      if (wire_.room != SIZE_MAX) wire_.room -= count;
      sent += count;
      if (count < part.size()) break;
    }
    return sent;
  }

  void shutdown_write() noexcept override { wire_.hub_ended = true; }
  bool peer_gone() const noexcept override { return wire_.reset; }

 private:
  Wire& wire_;
};

class FakeExchange final : public http::Exchange {
 public:
  explicit FakeExchange(const http::ConnectionInfo& info) : http::Exchange(info) {}

  Task<Result<Bytes>> read_body() override { co_return Bytes(); }
  Task<Result<>> send_interim(http::Response& /*response*/) override { co_return Result<>(); }
  Task<Result<>> write_body(Bytes piece, http::Last /*last*/) override {
    body += piece;
    co_return Result<>();
  }
  void reset(Errc /*why*/) noexcept override {}
  bool client_gone() const noexcept override { return false; }

  // "" when the answer has no such field.
  std::string header(std::string_view name) const {
    for (const auto& [key, value] : fields_sent) {
      if (iequals(key, name)) return value;
    }
    return "";
  }

  std::string body;
  std::vector<std::pair<std::string, std::string>> fields_sent;

 protected:
  Task<Result<>> write_head(http::Response& response) override {
    for (const http::Field& field : response.headers)
      fields_sent.emplace_back(field.name, field.value);
    co_return Result<>();
  }
};

struct FakeWaker final : Waker {
  void wake() noexcept override { woken = true; }
  bool woken = false;
};

// A frame as clients send it.
inline std::string masked_frame(Opcode opcode, std::string_view payload, bool final = true) {
  char header[frame_header_bytes_max];
  const std::size_t size = encode_frame_header(opcode, payload.size(), header);
  if (!final) header[0] = static_cast<char>(header[0] & 0x7F);
  header[1] = static_cast<char>(header[1] | 0x80);
  constexpr std::string_view key = "\x37\xfa\x21\x3d";
  std::string out(header, size);
  out += key;
  for (std::size_t i = 0; i < payload.size(); ++i) {
    out += static_cast<char>(payload[i] ^ key[i % 4]);
  }
  return out;
}

}  // namespace portero::hub::test
