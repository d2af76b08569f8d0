// Finds the lines of a message head (or of a trailer section) as its bytes arrive, and the empty
// line that ends it. Refuses every control byte but HTAB and CRLF on the way, so that what is
// parsed afterwards is known to be clean. Keeps its place: a retry looks only at the new bytes.
// Pure: no socket, no clock, no log. Thread: owner's. Source: RFC 9112 §2.2.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/result.hpp"
#include "http/header_list.hpp"

namespace portero::http {

enum class HeadState : std::uint8_t { need_more, complete };

class H1LineScanner {
 public:
  // Units: bytes. Limits: section_bytes_max ≤ 64 KiB.
  explicit H1LineScanner(std::size_t section_bytes_max,
                         std::size_t first_line_bytes_max = SIZE_MAX) noexcept;

  // `text` is all that has arrived of this section and behind it, always from its first byte.
  // The verdict does not depend on how the bytes were cut.
  // Errors: bad_request (bare CR or LF, another control byte), header_too_large (bytes or lines),
  //   uri_too_long (first line).
  Result<HeadState> scan(std::string_view text) noexcept;

  // How many bytes are known; the whole section with its empty line once complete.
  std::size_t scanned() const noexcept { return scanned_; }
  // The lines without the empty one; line() cuts the CRLF off.
  std::size_t line_count() const noexcept { return lines_; }
  std::string_view line(std::string_view text, std::size_t index) const noexcept {
    const std::size_t begin = index == 0 ? 0 : ends_[index - 1] + std::size_t{1};
    return text.substr(begin, ends_[index] - begin - 1);
  }

 private:
  static constexpr std::size_t lines_max = 1 + fields_max;

  // What a control byte was. `cut`: a CR whose LF is not here yet.
  enum class Found : std::uint8_t { tab, line_end, section_end, cut, violation };

  Found judge(std::string_view text, std::size_t at) const noexcept;
  Errc end_line(std::size_t at) noexcept;
  bool over_limit(std::string_view text) const noexcept {
    return text.size() == section_bytes_max_;
  }

  std::size_t section_bytes_max_;
  std::size_t first_line_bytes_max_;
  std::size_t scanned_ = 0;
  std::size_t line_begin_ = 0;
  std::size_t lines_ = 0;
  std::array<std::uint16_t, lines_max> ends_;  // offset of the LF of each line
};

}  // namespace portero::http
