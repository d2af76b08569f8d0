// The hub's small values: origins, socket ids, keyed hash, texts inside frames.
#include <string>

#include <doctest/doctest.h>

#include "hub/identity.hpp"
#include "hub/keyed_hash.hpp"
#include "hub/origin.hpp"
#include "hub/pusher_frames.hpp"

using namespace portero;
using namespace portero::hub;

TEST_CASE("origin: the host is what counts") {
  CHECK(origin_host("https://laravel.com") == "laravel.com");
  CHECK(origin_host("https://laravel.com:8443") == "laravel.com");
  CHECK(origin_host("http://[2001:db8::1]:8080") == "[2001:db8::1]");
  CHECK(origin_host("null") == "");
  CHECK(origin_host("laravel.com") == "");
}

TEST_CASE("origin: a star stands for any characters") {
  CHECK(matches_wildcard("*", ""));
  CHECK(matches_wildcard("*.laravel.com", "sub.laravel.com"));
  CHECK(matches_wildcard("*.laravel.com", "a.b.laravel.com"));
  CHECK_FALSE(matches_wildcard("*.laravel.com", "laravel.com"));
  CHECK_FALSE(matches_wildcard("*.laravel.com", "sub.laravel.com.evil"));
  CHECK(matches_wildcard("app-*.example.*", "app-7.example.org"));
  CHECK_FALSE(matches_wildcard("", "x"));
  CHECK(matches_wildcard("a*b*c", "a-b-b-c"));
  // No pattern takes exponential time.
  CHECK_FALSE(matches_wildcard("*a*a*a*a*a*a*a*a*a*b", std::string(2'000, 'a')));
}

TEST_CASE("origin: a rule without patterns accepts nothing, a star even no origin") {
  CHECK_FALSE(OriginRule().accepts("http://laravel.com"));
  CHECK(OriginRule({"*"}).accepts(""));
  CHECK_FALSE(OriginRule({"laravel.com"}).accepts(""));
  CHECK(OriginRule({"x.test", "Laravel.com"}).accepts("http://laravel.COM"));
}

TEST_CASE("identity: a socket id is two numbers from 1 to 10^9") {
  for (int i = 0; i < 1000; ++i) {
    const SocketId id = SocketId::random();
    CHECK(id.a >= 1);
    CHECK(id.a <= 1'000'000'000);
    CHECK(SocketId::parse(id.to_string()) == id);
  }
  for (const char* text : {"", ".", "1", "1.", ".1", "0.1", "1.0", "1.1.1", "1.1000000001", "a.b",
                           "-1.1", "1. 1", "99999999999999999999.1"}) {
    CHECK_FALSE(static_cast<bool>(SocketId::parse(text)));
  }
  CHECK(SocketId::parse("1.1000000000").b == 1'000'000'000);
}

TEST_CASE("keyed_hash: is SipHash-1-3") {
  const HashKey zero;
  CHECK(keyed_hash(zero, "a") == 0x407448d2b89b1813);
  CHECK(keyed_hash(zero, "abcdefgh") == 0x3f7b849c0b8e35ea);
  CHECK(keyed_hash(zero, "presence-room.1") == 0x286049a7febc77e8);
  CHECK(keyed_hash(zero, std::string(64, 'x')) == 0x4befba7c9610aea3);
  CHECK(keyed_hash({1, 2}, "a") != keyed_hash(zero, "a"));
}

TEST_CASE("pusher_frames: text inside JSON is escaped, bad UTF-8 replaced") {
  const auto escaped = [](std::string_view text) {
    std::string out;
    append_json_text(out, text);
    return out;
  };
  CHECK(escaped("plain caf\xc3\xa9") == "plain caf\xc3\xa9");
  CHECK(escaped("a\"b\\c\nd\x01") == R"(a\"b\\c\u000ad\u0001)");
  CHECK(escaped("\xff") == "\\ufffd");
  CHECK(escaped("") == "");
}

TEST_CASE("pusher_frames: the reason of a Close is cut between characters") {
  const FrameRef frame = frames::close(4001, std::string(122, 'x') + "\xc3\xa9");
  CHECK(frame->bytes().size() == 2 + 2 + 122);
  CHECK(frames::close(1000, "bye")->bytes() == std::string_view("\x88\x05\x03\xe8"
                                                                "bye",
                                                                7));
}
