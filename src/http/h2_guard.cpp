#include "http/h2_guard.hpp"

#include <algorithm>

namespace portero::http {
namespace {

// Source: RFC 9113 §6.
enum FrameType : std::uint8_t {
  frame_data = 0,
  frame_headers = 1,
  frame_rst_stream = 3,
  frame_continuation = 9,
};
constexpr std::uint8_t flag_end_stream = 0x01;
constexpr std::uint8_t flag_end_headers = 0x04;
constexpr std::uint8_t flag_padded = 0x08;

constexpr std::int64_t refill_ms_max = 3'600'000;

// A DATA frame of this size earns its WINDOW_UPDATEs (stream and connection); smaller ones are what
// a client gets that opens the window byte by byte.
constexpr std::size_t earning_data_bytes_min = 512;
constexpr std::int64_t tokens_per_data = 2;
// A response that is complete gives back what its HEADERS took.
constexpr std::int64_t tokens_per_response = 3;

// Padding hides how much data there is: a frame that may be nothing but padding counts as empty.
bool may_be_empty(std::uint32_t length, std::uint8_t flags) noexcept {
  return length == 0 || ((flags & flag_padded) != 0 && length <= 256);
}

}  // namespace

bool TokenBucket::take(std::int64_t now_ms) noexcept {
  const std::int64_t elapsed_ms = std::clamp<std::int64_t>(now_ms - filled_ms_, 0, refill_ms_max);
  filled_ms_ = now_ms;
  level_ = std::min(burst_, level_ + elapsed_ms * per_second_);
  if (level_ < scale) return false;
  level_ -= scale;
  return true;
}

void TokenBucket::give(std::int64_t tokens) noexcept {
  level_ = std::min(burst_, level_ + tokens * scale);
}

bool H2Guard::inspect(Bytes in, std::int64_t now_ms) noexcept {
  while (!in.empty()) {
    if (skip_ != 0) {
      const std::size_t skipped = std::min(skip_, in.size());
      skip_ -= skipped;
      in.remove_prefix(skipped);
      if (skip_ == 0) on_payload_end();
      continue;
    }
    const std::size_t taken = std::min(frame_head_bytes - head_size_, in.size());
    std::copy_n(in.begin(), taken, head_.begin() + head_size_);
    head_size_ = static_cast<std::uint8_t>(head_size_ + taken);
    in.remove_prefix(taken);
    if (head_size_ < frame_head_bytes) break;
    head_size_ = 0;
    const FrameHead head{std::uint32_t{head_[0]} << 16 | std::uint32_t{head_[1]} << 8 | head_[2],
                         head_[3], head_[4]};
    if (!on_frame(head, now_ms)) return false;
    skip_ = head.length;
    if (skip_ == 0) on_payload_end();
  }
  return true;
}

bool H2Guard::on_frame(FrameHead head, std::int64_t now_ms) noexcept {
  first_frame_open_ = frames_ == 0;
  ++frames_;
  switch (head.type) {
    case frame_data: {
      const bool useful =
          (head.flags & flag_end_stream) != 0 || !may_be_empty(head.length, head.flags);
      return useful || cheap_frames_.take(now_ms);
    }
    case frame_headers:
      ++blocks_;
      block_bytes_ = block_frames_ = 0;
      return add_to_block(head) && cheap_frames_.take(now_ms);
    case frame_continuation: return add_to_block(head) && cheap_frames_.take(now_ms);
    case frame_rst_stream: return resets_received_.take(now_ms);
    default: return cheap_frames_.take(now_ms);
  }
}

bool H2Guard::add_to_block(FrameHead head) noexcept {
  block_open_ = true;
  block_ends_ = (head.flags & flag_end_headers) != 0;
  block_bytes_ += head.length;
  return block_bytes_ <= block_bytes_max && block_frames_++ <= continuations_max;
}

void H2Guard::on_payload_end() noexcept {
  first_frame_open_ = false;
  if (block_ends_) block_open_ = block_ends_ = false;
}

void H2Guard::on_data_sent(std::size_t bytes, bool last) noexcept {
  if (last) {
    cheap_frames_.give(tokens_per_response);
  } else if (bytes >= earning_data_bytes_min) {
    cheap_frames_.give(tokens_per_data);
  }
}

}  // namespace portero::http
