// FakeStream: a ByteStream whose peer is the test. What the peer sends is scripted, what it gets is
// captured, and how much it takes can be limited. Nothing runs by itself: after each step of the
// script call run_queue().run().
// Thread: the test's.
#pragma once

#include <algorithm>
#include <cstring>
#include <deque>
#include <string>
#include <utility>

#include "net/byte_stream.hpp"

namespace portero::net {

class FakeStream final : public ByteStream {
 public:
  // The peer sends a segment: a read never returns bytes of two segments.
  void feed(std::string segment) {
    segments_.push_back(std::move(segment));
    readable().signal();
  }
  // The peer ends its side.
  void end() {
    ended_ = true;
    readable().signal();
    note_peer_end();
  }
  // The peer resets the connection.
  void break_off() {
    gone_ = true;
    readable().signal();
    writable().signal();
    note_peer_end();
  }
  // From now on the peer takes `bytes` more, then nothing until it is called again.
  void limit_writes(std::size_t bytes) {
    room_ = bytes;
    writable().signal();
  }

  std::string written;       // all that the peer got
  unsigned write_calls = 0;  // try_write calls that took something
  bool write_ended = false;  // shutdown_write was called

  // What the peer got since the last call.
  std::string take_written() { return std::exchange(written, {}); }
  bool all_read() const noexcept { return segments_.empty(); }

  Result<std::size_t> try_read(MutableBytes into) override {
    if (failure() != Errc::ok) return failure();
    if (gone_) return Errc::connection_reset;
    if (segments_.empty()) {
      if (ended_) return std::size_t{0};
      return Errc::would_block;
    }
    std::string& segment = segments_.front();
    const std::size_t count = std::min(into.size(), segment.size());
    std::memcpy(into.data(), segment.data(), count);
    segment.erase(0, count);
    if (segment.empty()) segments_.pop_front();
    return count;
  }

  Result<std::size_t> try_write(std::span<const Bytes> parts) override {
    if (failure() != Errc::ok) return failure();
    if (gone_) return Errc::connection_reset;
    if (room_ == 0) return Errc::would_block;
    std::size_t taken = 0;
    for (const Bytes part : parts) {
      const std::size_t count = std::min(part.size(), room_);
      written.append(part.substr(0, count));
      taken += count;
      if (room_ != SIZE_MAX) room_ -= count;
    }
    ++write_calls;
    return taken;
  }

  void shutdown_write() noexcept override { write_ended = true; }
  bool peer_gone() const noexcept override { return gone_; }

 private:
  std::deque<std::string> segments_;
  std::size_t room_ = SIZE_MAX;
  bool ended_ = false;
  bool gone_ = false;
};

}  // namespace portero::net
