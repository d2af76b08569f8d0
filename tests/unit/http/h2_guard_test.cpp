#include "http/h2_guard.hpp"

#include <string>

#include <doctest/doctest.h>

#include "cuts.hpp"

using namespace portero;
using namespace portero::http;

namespace {

enum Type : std::uint8_t {
  data,
  headers,
  priority,
  rst_stream,
  settings,
  push,
  ping,
  goaway,
  window_update,
  continuation,
  unknown = 0x42
};

const std::string magic = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

std::string frame(Type type, std::uint8_t flags, std::size_t length) {
  std::string bytes;
  for (const int shift : {16, 8, 0}) bytes += static_cast<char>(length >> shift);
  bytes += static_cast<char>(type);
  bytes += static_cast<char>(flags);
  bytes += std::string("\0\0\0\1", 4);
  return bytes + std::string(length, 'x');
}

// How many such frames a client may send at once.
int allowed(H2Guard& guard, const std::string& bytes, std::int64_t now_ms = 0) {
  int count = 0;
  while (count < 100'000 && guard.inspect(bytes, now_ms)) ++count;
  return count;
}

H2Guard after_preface() {
  H2Guard guard;
  CHECK(guard.inspect(magic + frame(settings, 0, 0), 0));
  return guard;
}

}  // namespace

TEST_CASE("h2_guard: a token bucket refills with time up to its burst") {
  TokenBucket bucket(10, 2);
  for (int i = 0; i < 10; ++i) CHECK(bucket.take(0));
  CHECK(!bucket.take(0));
  CHECK(!bucket.take(499));
  CHECK(bucket.take(999));
  CHECK(!bucket.take(999));
  bucket.give(100);
  for (int i = 0; i < 10; ++i) CHECK(bucket.take(1'000'000));
  CHECK(!bucket.take(1'000'000));
}

TEST_CASE("h2_guard: a clock that goes back gives nothing") {
  TokenBucket bucket(1, 1);
  CHECK(bucket.take(5'000));
  CHECK(!bucket.take(1'000));
}

TEST_CASE("h2_guard: ends each flood of cheap frames") {
  for (const Type type : {priority, settings, ping, goaway, window_update, unknown}) {
    H2Guard guard = after_preface();
    const int count = allowed(guard, frame(type, 0, 8));
    CHECK(count > 100);
    CHECK(count < 1'000);
  }
}

TEST_CASE("h2_guard: ends a flood of empty DATA, hidden in padding or not") {
  for (const std::string& empty : {frame(data, 0, 0), frame(data, 8, 1), frame(data, 8, 256)}) {
    H2Guard guard = after_preface();
    CHECK(allowed(guard, empty) < 1'000);
  }
  H2Guard guard = after_preface();
  CHECK(allowed(guard, frame(data, 0, 100)) == 100'000);
}

TEST_CASE("h2_guard: ends a flood of resets, also slower than it refills") {
  H2Guard guard = after_preface();
  const int count = allowed(guard, frame(rst_stream, 0, 4));
  CHECK(count == 500);
  CHECK(allowed(guard, frame(rst_stream, 0, 4), 1'000) == 50);
}

TEST_CASE("h2_guard: ends a flood of streams that the client makes the server reset") {
  H2Guard guard;
  int count = 0;
  while (guard.on_reset_sent(0)) ++count;
  CHECK(count == 200);
}

TEST_CASE("h2_guard: bounds a header block by frames and bytes") {
  H2Guard frames = after_preface();
  CHECK(frames.inspect(frame(headers, 0, 1), 0));
  CHECK(allowed(frames, frame(continuation, 0, 0)) == H2Guard::continuations_max);
  H2Guard bytes = after_preface();
  CHECK(bytes.inspect(frame(headers, 0, 16'384), 0));
  CHECK(allowed(bytes, frame(continuation, 0, 16'384)) == 3);
}

TEST_CASE("h2_guard: responses that are delivered earn new requests") {
  H2Guard guard = after_preface();
  for (int i = 0; i < 10'000; ++i) {
    REQUIRE(guard.inspect(frame(headers, 4, 20) + frame(window_update, 0, 4), 0));
    guard.on_data_sent(100, true);
  }
  CHECK(guard.block_count() == 10'000);
}

TEST_CASE("h2_guard: a large download earns its window updates, a dribble does not") {
  H2Guard guard = after_preface();
  for (int i = 0; i < 10'000; ++i) {
    REQUIRE(guard.inspect(frame(window_update, 0, 4) + frame(window_update, 0, 4), 0));
    guard.on_data_sent(16'384, false);
  }
  int count = 0;
  while (count < 10'000 && guard.inspect(frame(window_update, 0, 4), 0)) {
    guard.on_data_sent(1, false);
    ++count;
  }
  CHECK(count < 1'000);
}

TEST_CASE("h2_guard: knows when preface and header block are whole, however they are cut") {
  const std::string bytes = magic + frame(settings, 0, 6) + frame(headers, 0, 5) +
                            frame(continuation, 4, 5) + frame(ping, 0, 8) + frame(headers, 4, 3);
  const std::size_t settings_end = magic.size() + 9 + 6;
  const std::size_t block_end = settings_end + 9 + 5 + 9 + 5;
  for_each_cut(bytes, [&](const std::vector<std::string_view>& pieces) {
    H2Guard guard;
    std::size_t seen = 0;
    for (const std::string_view piece : pieces) {
      REQUIRE(guard.inspect(piece, 0));
      seen += piece.size();
      REQUIRE(guard.preface_complete() == (seen >= settings_end));
      const bool first_open = seen >= settings_end + 9 && seen < block_end;
      const bool second_open = seen >= block_end + 17 + 9 && seen < bytes.size();
      REQUIRE(guard.block_open() == (first_open || second_open));
    }
    REQUIRE(guard.block_count() == 2);
  });
}
