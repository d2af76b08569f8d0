#include "http/header_list.hpp"

#include <string>

#include <doctest/doctest.h>

using namespace portero;
using namespace portero::http;

TEST_CASE("header_list: identifies known names in any case and nothing else") {
  CHECK(identify_field("Host") == FieldId::host);
  CHECK(identify_field("TE") == FieldId::te);
  CHECK(identify_field("CONTENT-length") == FieldId::content_length);
  CHECK(identify_field("Sec-WebSocket-Extensions") == FieldId::sec_websocket_extensions);
  CHECK(identify_field("proxy") == FieldId::proxy_name);
  for (const std::string_view name : {"", "h", "hosts", "hos", "content_length", "content-lengtH ",
                                      "x-forwarded-fo", "sec-websocket-extensions2", "\x48ost\r"}) {
    CAPTURE(name);
    CHECK(identify_field(name) == FieldId::other);
  }
  // Bytes that differ from a known name by the case bit alone are no letters of it.
  CHECK(identify_field("user\ragent") == FieldId::other);
}

TEST_CASE("header_list: only a copy of a clean field is clean") {
  Arena arena;
  HeaderList list(arena);
  Field parsed{"Accept", "*/*"};
  parsed.clean = true;
  list.add(parsed);
  CHECK(list.begin()->clean);
  list.clear();
  list.add("Accept", "a\r\nb: c");  // in the same place
  CHECK_FALSE(list.begin()->clean);
  list.set("Accept", "text/html");
  CHECK_FALSE(list.begin()->clean);
}

TEST_CASE("header_list: keeps the order and grows") {
  Arena arena;
  HeaderList list(arena);
  std::string names[100];
  for (std::size_t i = 0; i < 100; ++i) {
    names[i] = "X-" + std::to_string(i);
    list.add(names[i], "v");
  }
  REQUIRE(list.size() == 100);
  std::size_t i = 0;
  for (const Field& field : list) CHECK(field.name == names[i++]);
}

TEST_CASE("header_list: finds, sets and removes without regard to case") {
  Arena arena;
  HeaderList list(arena);
  list.add("Set-Cookie", "a");
  list.add("X-One", "1");
  list.add("set-cookie", "b");
  CHECK(list.find("SET-COOKIE")->value == "a");
  CHECK(list.value(FieldId::set_cookie) == "a");
  CHECK(list.find("missing") == nullptr);
  CHECK(!list.value(FieldId::host));
  list.set("x-one", "2");
  CHECK(list.find("X-One")->value == "2");
  CHECK(list.remove(FieldId::set_cookie) == 2);
  CHECK(list.size() == 1);
  CHECK(list.remove("X-ONE") == 1);
  CHECK(list.empty());
  CHECK(list.remove("X-ONE") == 0);
}

TEST_CASE("header_list: finds tokens in all fields of a name") {
  Arena arena;
  HeaderList list(arena);
  list.add("Connection", "keep-alive, , Upgrade");
  list.add("connection", "close");
  CHECK(list.has_token(FieldId::connection, "upgrade"));
  CHECK(list.has_token(FieldId::connection, "CLOSE"));
  CHECK(!list.has_token(FieldId::connection, "up"));
  CHECK(!list.has_token(FieldId::te, "close"));
}
