#include "hub/identity.hpp"

#include <array>

#include "base/bytes.hpp"
#include "net/crypto.hpp"

namespace portero::hub {
namespace {

constexpr std::uint64_t number_max = 1'000'000'000;

// Random numbers are fetched many at a time: a call of the generator costs far more than a number.
std::uint64_t next_random() {
  static thread_local std::array<std::uint64_t, 32> numbers;
  static thread_local std::size_t left = 0;
  if (left == 0) {
    net::fill_random({reinterpret_cast<char*>(numbers.data()), sizeof numbers});
    left = numbers.size();
  }
  return numbers[--left];
}

std::uint32_t parse_number(std::string_view text) noexcept {
  const std::optional<std::uint64_t> value = parse_decimal(text);
  return value && *value >= 1 && *value <= number_max ? static_cast<std::uint32_t>(*value) : 0;
}

}  // namespace

SocketId SocketId::random() {
  const std::uint64_t bits = next_random();
  // 32 bits onto 10^9 numbers: each is drawn 4 or 5 times in 2^32, a bias of no use to a guesser.
  const auto number = [](std::uint64_t half) {
    return static_cast<std::uint32_t>((half & 0xFFFF'FFFF) * number_max >> 32) + 1;
  };
  return {number(bits), number(bits >> 32)};
}

SocketId SocketId::parse(std::string_view text) noexcept {
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos) return {};
  const SocketId id{parse_number(text.substr(0, dot)), parse_number(text.substr(dot + 1))};
  return id.a != 0 && id.b != 0 ? id : SocketId();
}

std::string SocketId::to_string() const { return std::to_string(a) + '.' + std::to_string(b); }

}  // namespace portero::hub
