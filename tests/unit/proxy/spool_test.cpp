#include "proxy/spool.hpp"

#include <cerrno>
#include <filesystem>

#include <doctest/doctest.h>

using namespace portero;
using namespace portero::proxy;

namespace {

const std::string folder = std::filesystem::temp_directory_path();

// `size` bytes that tell where they stand.
std::string pattern(std::size_t size, std::size_t from = 0) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>((from + i) * 31 >> 3);
  return text;
}

std::string read_all(const BodySpool& spool, std::uint64_t from = 0) {
  std::string all;
  Buffer scratch;
  while (from + all.size() < spool.size()) {
    const Result<Bytes> piece = spool.read(from + all.size(), scratch);
    REQUIRE(piece.has_value());
    REQUIRE_FALSE(piece->empty());
    all += *piece;
  }
  return all;
}

}  // namespace

TEST_CASE("spool: a body reads as it was written, in memory or beyond it, more than once") {
  for (const std::size_t size : {std::size_t{1}, spool_memory_max - 1, spool_memory_max,
                                 spool_memory_max + 1, std::size_t{1'000'003}}) {
    CAPTURE(size);
    BodySpool spool(folder);
    const std::string whole = pattern(size);
    for (std::size_t at = 0; at < size; at += 7'001) {
      REQUIRE(spool.append(std::string_view(whole).substr(at, 7'001)).has_value());
    }
    CHECK(spool.size() == size);
    CHECK(spool.in_file() == (size > spool_memory_max));
    CHECK((read_all(spool) == whole));
    CHECK((read_all(spool, size / 2) == whole.substr(size / 2)));
    CHECK((read_all(spool) == whole));
  }
}

TEST_CASE("spool: one piece may fill memory and go on in the file") {
  BodySpool spool(folder);
  const std::string whole = pattern(3 * spool_memory_max);
  REQUIRE(spool.append(whole).has_value());
  CHECK((read_all(spool) == whole));
}

TEST_CASE("spool: no name is left behind and a folder that is not there is told") {
  const std::string own = folder + "/portero-spool-test";
  std::filesystem::create_directory(own);
  {
    BodySpool spool(own);
    REQUIRE(spool.append(pattern(spool_memory_max + 1)).has_value());
    CHECK(std::filesystem::is_empty(own));
  }
  std::filesystem::remove(own);
  BodySpool spool(own);
  const Result<> kept = spool.append(pattern(spool_memory_max + 1));
  REQUIRE_FALSE(kept.has_value());
  CHECK(kept.error().os_error == ENOENT);
}

TEST_CASE("spool: an answer comes out in order, however writing and reading alternate") {
  AnswerSpool spool(folder, 10'000);
  std::string out;
  std::size_t written = 0;
  unsigned random = 12'345;
  for (int step = 0; step < 3'000; ++step) {
    random = random * 1'103'515'245 + 12'345;
    // Phases of writing faster and of reading faster, so that the file fills and empties.
    const bool writes = (step / 500) % 2 == 0 ? random % 4 != 0 : random % 4 == 0;
    if (writes) {
      const std::size_t size = random / 16 % 4'000;
      REQUIRE(spool.append(pattern(size, written)).has_value());
      written += size;
    } else if (!spool.empty()) {
      const Result<Bytes> front = spool.front();
      REQUIRE(front.has_value());
      const std::string_view view = *front;
      const std::string seen(view);
      REQUIRE(spool.append(pattern(100, written)).has_value());
      written += 100;
      CHECK((view == seen));  // still there although something was appended
      const std::size_t taken = std::min<std::size_t>(view.size(), 1 + random / 16 % 5'000);
      out += view.substr(0, taken);
      spool.take(taken);
    }
    REQUIRE(spool.size() == written - out.size());
  }
  while (!spool.empty()) {
    const Result<Bytes> front = spool.front();
    REQUIRE(front.has_value());
    const std::size_t taken = front->size();
    out += *front;
    spool.take(taken);
  }
  CHECK((out == pattern(written)));
}
