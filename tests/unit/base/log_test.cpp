#include "base/log.hpp"

#include <cerrno>
#include <string>

#include <doctest/doctest.h>

using namespace portero;

namespace {

// Takes the lines of one test; puts the defaults back.
class CapturedLog final : public log::Sink {
 public:
  explicit CapturedLog(log::Format format) {
    log::set_sink(this);
    log::set_format(format);
  }
  ~CapturedLog() override {
    log::set_sink(nullptr);
    log::set_format(log::Format::console);
    log::set_level(LogLevel::info);
  }
  void append(std::string_view line) override { text += std::string(line) + "\n"; }

  // The line without its time, which is 24 bytes long.
  std::string after_time(std::string_view before_time) const {
    return text.substr(before_time.size() + 24);
  }
  std::string text;
};

}  // namespace

TEST_CASE("log: a console line is time, level, event and pairs") {
  CapturedLog captured(log::Format::console);
  log::warn("upstream.connect_failed", log::kv("upstream", "nginx:80"), log::kv("tries", 2));
  CHECK(captured.after_time("") == " warn  upstream.connect_failed upstream=nginx:80 tries=2\n");
}

TEST_CASE("log: a console value with spaces, quotes or line breaks cannot forge a second line") {
  CapturedLog captured(log::Format::console);
  log::info("x", log::kv("a", "b c"), log::kv("d", "e\nlevel=error"), log::kv("f", ""));
  CHECK(captured.after_time("") == " info  x a=\"b c\" d=\"e\\u000alevel=error\" f=\"\"\n");
}

TEST_CASE("log: a JSON line quotes text and leaves numbers and booleans bare") {
  CapturedLog captured(log::Format::json);
  log::error("x.y", log::kv("text", "a\"b"), log::kv("number", 7), log::kv("flag", true));
  CHECK(captured.after_time("{\"time\":\"") ==
        "\",\"level\":\"error\",\"event\":\"x.y\",\"text\":\"a\\\"b\",\"number\":7,"
        "\"flag\":true}\n");
}

TEST_CASE("log: a secret prints as stars") {
  CapturedLog captured(log::Format::json);
  log::info("app", log::kv("secret", log::Secret{"hunter2"}));
  CHECK(captured.text.find("hunter2") == std::string::npos);
  CHECK(captured.text.find("\"secret\":\"***\"") != std::string::npos);
}

TEST_CASE("log: an error prints its text and the system's reason") {
  CapturedLog captured(log::Format::console);
  log::info("x", log::kv("error", Error(Errc::connection_refused, ECONNREFUSED)));
  CHECK(captured.text.find("error=\"connection refused (Connection refused)\"") !=
        std::string::npos);
}

TEST_CASE("log: lines below the level are not written") {
  CapturedLog captured(log::Format::console);
  log::debug("hidden");
  log::set_level(LogLevel::error);
  log::warn("hidden");
  CHECK(captured.text.empty());
  log::set_level(LogLevel::debug);
  log::debug("shown");
  CHECK_FALSE(captured.text.empty());
}

TEST_CASE("log: a line has a greatest length, and stays what its format says") {
  CapturedLog captured(log::Format::json);
  SUBCASE("plain text") { log::info("x", log::kv("long", std::string(100'000, 'a'))); }
  SUBCASE("text that is escaped") { log::info("x", log::kv("long", std::string(100'000, '\1'))); }
  SUBCASE("several values") {
    const std::string half(10'000, 'a');
    log::info("x", log::kv("one", half), log::kv("two", half));
  }
  CHECK(captured.text.size() > log::line_bytes_max / 4);
  CHECK(captured.text.size() <= log::line_bytes_max + 1);
  CHECK(captured.text.ends_with("…\"}\n"));
}
