// H2Guard: looks at the head of every frame a client sends, before nghttp2 sees it, and counts what
// is cheap for the client and not for us. nghttp2 reports ignored frames to nobody, so a flood of
// them shows only here. Also knows when a block of header fields is under way.
// Pure: no socket, no log; time is passed in. Thread: owner's (the connection).
// Source: RFC 9113 §4.1, §10.5; CVE-2019-9511 to -9518, CVE-2023-44487, VU#421644, CVE-2025-8671.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.hpp"

namespace portero::http {

// Allows `burst` at once and `per_second` on average.
class TokenBucket {
 public:
  constexpr TokenBucket(std::int64_t burst, std::int64_t per_second) noexcept
      : burst_(burst * scale), per_second_(per_second), level_(burst_) {}

  // Takes one token; false when there is none.
  bool take(std::int64_t now_ms) noexcept;
  void give(std::int64_t tokens) noexcept;

 private:
  static constexpr std::int64_t scale = 1000;  // the level counts thousandths of tokens

  std::int64_t burst_;
  std::int64_t per_second_;
  std::int64_t level_;
  std::int64_t filled_ms_ = 0;
};

class H2Guard {
 public:
  static constexpr std::size_t block_bytes_max = 64 * 1024;  // of one header block, compressed
  static constexpr std::size_t continuations_max = 8;        // of one header block

  // Takes note of the next bytes of the connection, in order. Returns false when the client floods.
  bool inspect(Bytes in, std::int64_t now_ms) noexcept;
  // Takes note of a stream that had to be reset through a fault of the client. False: it floods.
  bool on_reset_sent(std::int64_t now_ms) noexcept { return resets_sent_.take(now_ms); }
  // Takes note of useful work: a client that is sent much may acknowledge much.
  void on_data_sent(std::size_t bytes, bool last) noexcept;

  // Whether a header block has begun and not ended.
  bool block_open() const noexcept { return block_open_; }
  // How many header blocks have begun.
  std::uint64_t block_count() const noexcept { return blocks_; }
  // Whether the connection preface has come whole: the magic and a SETTINGS frame.
  bool preface_complete() const noexcept { return frames_ > 0 && !first_frame_open_; }

 private:
  struct FrameHead {
    std::uint32_t length;
    std::uint8_t type;
    std::uint8_t flags;
  };

  static constexpr std::size_t frame_head_bytes = 9;
  static constexpr std::size_t magic_bytes = 24;

  bool on_frame(FrameHead head, std::int64_t now_ms) noexcept;
  bool add_to_block(FrameHead head) noexcept;
  void on_payload_end() noexcept;

  std::size_t skip_ = magic_bytes;  // payload bytes of the frame under way
  std::array<unsigned char, frame_head_bytes> head_{};
  std::uint8_t head_size_ = 0;
  bool block_open_ = false;
  bool block_ends_ = false;  // with the frame under way
  bool first_frame_open_ = false;
  std::uint64_t frames_ = 0;
  std::uint64_t blocks_ = 0;
  std::size_t block_bytes_ = 0;
  std::size_t block_frames_ = 0;

  // Cancelling is normal (a map being panned drops a screenful of requests at once), but not by the
  // thousand.
  TokenBucket resets_received_{500, 50};
  TokenBucket resets_sent_{200, 20};
  // Frames that ask for work or memory and bring no request nearer to its end.
  TokenBucket cheap_frames_{500, 100};
};

}  // namespace portero::http
