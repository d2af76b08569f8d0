#include "base/arena.hpp"

#include <cstdint>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace portero;

TEST_CASE("arena: aligns what it returns") {
  Arena arena;
  for (std::size_t alignment : {1U, 2U, 4U, 8U, 16U}) {
    arena.allocate(1, 1);
    const auto address = reinterpret_cast<std::uintptr_t>(arena.allocate(3, alignment));
    CHECK(address % alignment == 0);
  }
}

TEST_CASE("arena: texts stay whole while it grows over many blocks") {
  Arena arena;
  std::vector<std::string_view> copies;
  for (int i = 0; i < 3'000; ++i) copies.push_back(arena.copy("text " + std::to_string(i)));
  for (int i = 0; i < 3'000; ++i) {
    CHECK(copies[static_cast<std::size_t>(i)] == "text " + std::to_string(i));
  }
}

TEST_CASE("arena: serves a piece larger than a block") {
  Arena arena;
  const std::string large(100'000, 'x');
  CHECK(arena.copy(large) == large);
  CHECK(arena.copy("after") == "after");
}

TEST_CASE("arena: joins pieces, empty ones too") {
  Arena arena;
  CHECK(arena.concat("X-", std::string("Name"), std::string_view(""), ": ", "v") == "X-Name: v");
  CHECK(arena.concat("", "") == "");
}

TEST_CASE("arena: an empty copy takes no memory") {
  Arena arena;
  CHECK(arena.copy("").data() == nullptr);
}

TEST_CASE("arena: reset starts again in the same block") {
  Arena arena;
  arena.reset();  // with nothing in it
  const void* first = arena.allocate(16);
  for (int i = 0; i < 100; ++i) arena.allocate(1'000);
  arena.reset();
  CHECK(arena.allocate(16) == first);
}

TEST_CASE("arena: allocates arrays of plain values") {
  Arena arena;
  auto* values = arena.allocate_array<std::uint64_t>(100);
  for (std::uint64_t i = 0; i < 100; ++i) values[i] = i;
  CHECK(values[99] == 99);
}
