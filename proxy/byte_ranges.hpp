// The Range field of a request for a file of known size.
// Pure. Thread: any. Source: RFC 9110 §14.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace portero::proxy {

struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  std::uint64_t last() const noexcept { return first + count - 1; }
  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

class ByteRanges {
 public:
  // What a request may name; one that names more, or more bytes in all than there are, gets the
  // whole file.
  static constexpr std::size_t ranges_max = 16;

  enum class Answer : std::uint8_t {
    whole,          // no ranges, or of another unit
    parts,          // those of ranges()
    unsatisfiable,  // all of them lie beyond the end, or one is none: 416, as nginx has it
  };

  // `size`: of the file.
  ByteRanges(std::string_view field, std::uint64_t size) noexcept;

  Answer answer() const noexcept { return answer_; }
  std::span<const ByteRange> ranges() const noexcept { return {ranges_.data(), count_}; }

 private:
  bool add(std::string_view text, std::uint64_t size) noexcept;

  std::array<ByteRange, ranges_max> ranges_{};
  std::size_t count_ = 0;
  Answer answer_ = Answer::whole;
};

}  // namespace portero::proxy
