// IP addresses and networks as plain values. IPv4 is kept as an IPv4-mapped IPv6 address, so one
// comparison serves both.
// Thread: any (values).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace portero {

struct IpAddress {
  std::array<unsigned char, 16> bytes{};

  // Parses "192.0.2.1", "2001:db8::1" or "[2001:db8::1]".
  static std::optional<IpAddress> parse(std::string_view text);
  bool is_v4() const noexcept;
  bool is_loopback() const noexcept;
  std::string to_string() const;
  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;
};

// An address and a prefix length; "private" and "loopback" are lists of these.
struct IpNetwork {
  IpAddress address;
  unsigned prefix_bits = 128;  // of the IPv6 form: an IPv4 /24 is 120

  // Parses "10.0.0.0/8", "::1/128" or a bare address.
  static std::optional<IpNetwork> parse(std::string_view text);
  bool contains(const IpAddress& address) const noexcept;
};

}  // namespace portero
