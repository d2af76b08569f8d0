// Which content codings a client takes, by its Accept-Encoding.
// Pure. Thread: any. Source: RFC 9110 §12.5.3.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "http/message.hpp"

namespace portero::proxy {

enum class Coding : std::uint8_t { gzip, br, zstd };
constexpr std::size_t codings = 3;

std::string_view coding_name(Coding coding) noexcept;  // "gzip"
std::optional<Coding> parse_coding(std::string_view name) noexcept;

class AcceptedCodings {
 public:
  explicit AcceptedCodings(const http::HeaderList& fields) noexcept;

  // 0 to 1000; 0 is "not at all".
  unsigned quality(Coding coding) const noexcept {
    return quality_[static_cast<std::size_t>(coding)];
  }
  // The one that the client prefers; where it does not care, the first in `offered`.
  std::optional<Coding> choose(std::span<const Coding> offered) const noexcept;

 private:
  std::array<unsigned, codings> quality_{};
};

}  // namespace portero::proxy
