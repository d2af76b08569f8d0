#include "hub/outbox.hpp"

#include <array>
#include <random>
#include <string>

#include <doctest/doctest.h>

using namespace portero;
using namespace portero::hub;

namespace {

// Takes everything out in writes of at most `step` bytes.
std::string drain(Outbox& outbox, FramePool& pool, std::size_t step) {
  std::string out;
  std::array<char, 4096> scratch;
  while (!outbox.empty()) {
    std::array<Bytes, pieces_per_write_max> pieces;
    const std::size_t count = outbox.gather(pieces, scratch);
    REQUIRE(count > 0);
    std::string write;
    for (std::size_t i = 0; i < count; ++i) write += pieces[i];
    REQUIRE(write.size() <= outbox.bytes());
    write.resize(std::min(write.size(), step));
    out += write;
    outbox.consume(write.size(), pool);
  }
  CHECK(outbox.bytes() == 0);
  return out;
}

void push(Outbox& outbox, FramePool& pool, const std::string& payload, std::string& expected) {
  LocalFrame* const frame = pool.wrap(FrameRef::make(Opcode::text, payload));
  expected += frame->bytes;
  outbox.push(frame, pool);
}

}  // namespace

TEST_CASE("outbox: gives back every byte in order, whatever the writes take") {
  std::mt19937 random(1);
  FramePool pool;
  for (const std::size_t step : {1, 7, 100, 5'000, 1'000'000}) {
    Outbox outbox;
    std::string expected;
    for (int i = 0; i < 200; ++i) {
      const std::size_t size = random() % 10 == 0 ? random() % 9'000 : random() % 300;
      push(outbox, pool, std::string(size, static_cast<char>('a' + i % 26)), expected);
    }
    CHECK(outbox.bytes() == expected.size());
    CHECK(drain(outbox, pool, step) == expected);
  }
}

TEST_CASE("outbox: hands over a lone frame and large frames in place") {
  FramePool pool;
  Outbox outbox;
  std::string expected;
  std::array<char, 4096> scratch;
  std::array<Bytes, pieces_per_write_max> pieces;
  push(outbox, pool, "small", expected);
  REQUIRE(outbox.gather(pieces, scratch) == 1);
  CHECK((pieces[0].data() < scratch.data() || pieces[0].data() >= scratch.data() + 4096));
  push(outbox, pool, "small", expected);
  push(outbox, pool, std::string(10'000, 'x'), expected);
  push(outbox, pool, "small", expected);
  CHECK(outbox.gather(pieces, scratch) == 3);
  outbox.clear(pool);
}

TEST_CASE("outbox: drop_unsent keeps a frame that has begun") {
  FramePool pool;
  Outbox outbox;
  std::string expected;
  push(outbox, pool, "first", expected);
  std::string dropped;
  push(outbox, pool, "second", dropped);
  outbox.consume(3, pool);
  outbox.drop_unsent(pool);
  CHECK(outbox.count() == 1);
  CHECK(drain(outbox, pool, 100) == expected.substr(3));
  push(outbox, pool, "third", dropped);
  outbox.drop_unsent(pool);
  CHECK(outbox.empty());
}

TEST_CASE("outbox: frames are shared between sockets and freed with the last") {
  FramePool pool;
  Outbox a;
  Outbox b;
  LocalFrame* const frame = pool.wrap(FrameRef::make(Opcode::text, "shared"));
  a.push(frame, pool);
  b.push(frame, pool);
  CHECK(frame->references == 2);
  a.clear(pool);
  CHECK(frame->references == 1);
  b.clear(pool);
  CHECK_FALSE(static_cast<bool>(frame->shared));
  CHECK(pool.wrap(FrameRef::make(Opcode::text, "again")) == frame);
}
