#include "net/proxy_header.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/bytes.hpp"
#include "net/byte_stream.hpp"

namespace portero::net {
namespace {

constexpr std::string_view signature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::string_view version_1 = "PROXY ";
constexpr std::size_t version_1_bytes_max = 107;
constexpr std::size_t version_2_head = 16;
constexpr std::size_t header_bytes_max = 536;

// Whether `bytes` may still become `start`.
bool may_become(Bytes bytes, std::string_view start) {
  const std::size_t common = std::min(bytes.size(), start.size());
  return bytes.substr(0, common) == start.substr(0, common);
}

std::string_view take_word(std::string_view& line) {
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

Result<ParsedProxyHeader> parse_version_1(Bytes bytes) {
  const std::size_t end = bytes.find("\r\n");
  if (end == Bytes::npos) {
    if (bytes.size() >= version_1_bytes_max) return Errc::bad_request;
    return ParsedProxyHeader();
  }
  if (end + 2 > version_1_bytes_max) return Errc::bad_request;
  std::string_view line = bytes.substr(version_1.size(), end - version_1.size());
  ParsedProxyHeader header{end + 2, std::nullopt};
  const std::string_view kind = take_word(line);
  if (kind == "UNKNOWN") return header;
  if (kind != "TCP4" && kind != "TCP6") return Errc::bad_request;
  const std::optional<IpAddress> source = IpAddress::parse(take_word(line));
  const std::optional<IpAddress> target = IpAddress::parse(take_word(line));
  const std::optional<std::uint64_t> source_port = parse_decimal(take_word(line));
  const std::optional<std::uint64_t> target_port = parse_decimal(line);
  constexpr std::uint64_t port_max = 65'535;
  if (!source || !target || !source_port || !target_port || *source_port > port_max ||
      *target_port > port_max) {
    return Errc::bad_request;
  }
  header.peer = ProxiedPeer{*source, static_cast<std::uint16_t>(*source_port)};
  return header;
}

std::uint16_t number_at(Bytes bytes, std::size_t at) {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(bytes[at]) << 8 |
                                    static_cast<unsigned char>(bytes[at + 1]));
}

Result<ParsedProxyHeader> parse_version_2(Bytes bytes) {
  if (bytes.size() < version_2_head) return ParsedProxyHeader();
  const auto command = static_cast<unsigned char>(bytes[12]);
  const auto family = static_cast<unsigned char>(bytes[13]);
  if (command != 0x20 && command != 0x21) return Errc::bad_request;
  const std::size_t size = version_2_head + number_at(bytes, 14);
  if (size > header_bytes_max) return Errc::bad_request;
  if (bytes.size() < size) return ParsedProxyHeader();
  ParsedProxyHeader header{size, std::nullopt};
  if (command == 0x20) return header;
  constexpr std::size_t v4_bytes = 12;
  constexpr std::size_t v6_bytes = 36;
  ProxiedPeer peer;
  if (family >> 4 == 1 && size >= version_2_head + v4_bytes) {
    peer.address.bytes[10] = peer.address.bytes[11] = 0xff;
    std::memcpy(peer.address.bytes.data() + 12, bytes.data() + version_2_head, 4);
    peer.port = number_at(bytes, version_2_head + 8);
  } else if (family >> 4 == 2 && size >= version_2_head + v6_bytes) {
    std::memcpy(peer.address.bytes.data(), bytes.data() + version_2_head, 16);
    peer.port = number_at(bytes, version_2_head + 32);
  } else {
    return header;  // a unix socket, or nothing said
  }
  header.peer = peer;
  return header;
}

}  // namespace

Result<ParsedProxyHeader> parse_proxy_header(Bytes bytes) {
  if (bytes.size() >= signature.size() && bytes.starts_with(signature)) {
    return parse_version_2(bytes);
  }
  if (bytes.size() >= version_1.size() && bytes.starts_with(version_1)) {
    return parse_version_1(bytes);
  }
  if (may_become(bytes, signature) || may_become(bytes, version_1)) return ParsedProxyHeader();
  return Errc::bad_request;
}

// Looks without taking: what follows the header is TLS or HTTP, and not this function's.
Task<Result<std::optional<ProxiedPeer>>> read_proxy_header(TcpStream& stream, TimerWheel& timers,
                                                           Milliseconds timeout) {
  Deadline deadline(stream);
  deadline.arm(timers, timeout, Errc::timeout_head);
  std::array<char, header_bytes_max> seen;
  for (;;) {
    if (stream.failure() != Errc::ok) co_return stream.failure();
    const ssize_t got = ::recv(stream.fd(), seen.data(), seen.size(), MSG_PEEK | MSG_DONTWAIT);
    if (got == 0) co_return Errc::end_of_stream;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno != EAGAIN) co_return error_from_errno(errno);
    if (got > 0) {
      const Result<ParsedProxyHeader> header =
          parse_proxy_header({seen.data(), static_cast<std::size_t>(got)});
      if (!header) co_return header.error();
      if (header->size != 0) {
        const Result<std::size_t> taken = stream.try_read(MutableBytes(seen.data(), header->size));
        if (!taken || *taken != header->size) co_return Errc::connection_reset;
        co_return header->peer;
      }
      if (static_cast<std::size_t>(got) == seen.size()) co_return Errc::bad_request;
    }
    co_await stream.readable();
  }
}

}  // namespace portero::net
