#include "http/h1_scanner.hpp"

#include <algorithm>
#include <bit>

#include "base/assert.hpp"
#include "http/control_bits.hpp"

namespace portero::http {

H1LineScanner::H1LineScanner(std::size_t section_bytes_max,
                             std::size_t first_line_bytes_max) noexcept
    : section_bytes_max_(section_bytes_max), first_line_bytes_max_(first_line_bytes_max) {
  PORTERO_ASSERT(section_bytes_max <= UINT16_MAX + std::size_t{1});
}

// Decides what the control byte at `at` means.
inline H1LineScanner::Found H1LineScanner::judge(std::string_view text,
                                                 std::size_t at) const noexcept {
  if (text[at] == '\t') return Found::tab;
  if (text[at] != '\r') return Found::violation;
  if (at + 1 == text.size()) return Found::cut;
  if (text[at + 1] != '\n') return Found::violation;
  return at == line_begin_ ? Found::section_end : Found::line_end;
}

inline Errc H1LineScanner::end_line(std::size_t at) noexcept {
  if (lines_ == lines_max) return Errc::header_too_large;
  ends_[lines_++] = static_cast<std::uint16_t>(at + 1);
  line_begin_ = at + 2;
  return Errc::ok;
}

Result<HeadState> H1LineScanner::scan(std::string_view text) noexcept {
  text = text.substr(0, section_bytes_max_);
  while (scanned_ < text.size()) {
    const std::size_t base = scanned_;
    const std::string_view block = text.substr(base, control_block_bytes);
    scanned_ = base + block.size();
    for (std::uint64_t bits = control_bits(block); bits != 0; bits &= bits - 1) {
      const std::size_t at = base + static_cast<std::size_t>(std::countr_zero(bits));
      if (at < line_begin_) continue;  // the LF of the line before
      if (lines_ == 0 && at > first_line_bytes_max_) return Errc::uri_too_long;
      const Found found = judge(text, at);
      if (found == Found::violation) return Errc::bad_request;
      if (found == Found::line_end && end_line(at) != Errc::ok) return Errc::header_too_large;
      if (found == Found::section_end) {
        scanned_ = at + 2;
        return HeadState::complete;
      }
      if (found == Found::cut) scanned_ = at;  // the last byte there is: this ends both loops
    }
    if (lines_ == 0 && scanned_ > first_line_bytes_max_) return Errc::uri_too_long;
    if (scanned_ < base + block.size()) break;
  }
  if (text.size() == section_bytes_max_) return Errc::header_too_large;
  return HeadState::need_more;
}

}  // namespace portero::http
