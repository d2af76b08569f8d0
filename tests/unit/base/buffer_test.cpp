#include "base/buffer.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

using namespace portero;

TEST_CASE("buffer: gives bytes back in the order they came") {
  Buffer buffer;
  std::string expected;
  std::string got;
  for (int round = 0; round < 2'000; ++round) {
    const std::string piece(static_cast<std::size_t>(round % 97),
                            static_cast<char>('a' + round % 26));
    buffer.append(piece);
    expected += piece;
    const std::size_t count =
        std::min<std::size_t>(buffer.size(), static_cast<std::size_t>(round % 53));
    got += buffer.readable().substr(0, count);
    buffer.consume(count);
  }
  got += buffer.readable();
  CHECK(got == expected);
}

TEST_CASE("buffer: prepare gives at least the room asked for and commit keeps what was filled") {
  Buffer buffer;
  buffer.append("head ");
  MutableBytes room = buffer.prepare(1'000);
  CHECK(room.size() >= 1'000);
  std::fill_n(room.begin(), 4, 'x');
  buffer.commit(4);
  CHECK(buffer.readable() == "head xxxx");
}

TEST_CASE("buffer: growing keeps what is in it") {
  Buffer buffer;
  const std::string large(300'000, 'z');
  buffer.append("first ");
  buffer.append(large);
  CHECK(buffer.size() == large.size() + 6);
  CHECK(buffer.readable().substr(0, 7) == "first z");
}

TEST_CASE("buffer: a steady flow reuses its storage") {
  Buffer buffer;
  buffer.append("0123456789");
  const std::size_t capacity = buffer.capacity();
  for (int i = 0; i < 10'000; ++i) {
    buffer.append("0123456789");
    buffer.consume(10);
  }
  CHECK(buffer.capacity() == capacity);
  CHECK(buffer.readable() == "0123456789");
}

TEST_CASE("buffer: release gives storage back only when nothing is in it") {
  Buffer buffer;
  buffer.append('x');
  buffer.release();
  CHECK(buffer.readable() == "x");
  buffer.consume(1);
  CHECK(buffer.capacity() > 0);
  buffer.release();
  CHECK(buffer.capacity() == 0);
}

TEST_CASE("buffer: is movable and leaves an empty one behind") {
  Buffer from;
  from.append("text");
  Buffer to(std::move(from));
  CHECK(to.readable() == "text");
  CHECK(from.empty());  // NOLINT(bugprone-use-after-move): the contract of the move
  Buffer assigned;
  assigned.append("old");
  assigned = std::move(to);
  CHECK(assigned.readable() == "text");
}

TEST_CASE("buffer: appending nothing allocates nothing") {
  Buffer buffer;
  buffer.append("");
  CHECK(buffer.capacity() == 0);
  CHECK(buffer.readable().empty());
}

TEST_CASE("buffer: storage that a burst has needed goes back to the heap after it") {
  {
    std::vector<Buffer> burst(1'000);
    for (Buffer& buffer : burst) buffer.append(std::string(1'000, 'x'));
  }
  trim_buffers();  // all of it was in use since the last time
  const std::size_t after_burst = pooled_buffer_bytes();
  CHECK(after_burst >= 1'000 * 1'024);
  for (int i = 0; i < 20; ++i) trim_buffers();
  CHECK(pooled_buffer_bytes() < after_burst / 2);
}
