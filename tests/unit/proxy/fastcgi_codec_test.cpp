#include "proxy/fastcgi_codec.hpp"

#include <string>

#include <doctest/doctest.h>

#include "unit/http/cuts.hpp"

using namespace portero;
using namespace portero::proxy;

namespace {

// What a decoder makes of `pieces`: "6:data" for each stream, "3!" for each empty record; records
// of a stream that follow each other are one.
std::string decode(const std::vector<std::string_view>& pieces) {
  FastCgiDecoder decoder;
  Buffer in;
  std::string out;
  char last = 0;
  for (const std::string_view bytes : pieces) {
    in.append(bytes);
    for (;;) {
      const Result<std::optional<FastCgiPiece>> piece = decoder.next(in);
      if (!piece) return out + "error " + std::string(piece.error().info().name);
      if (!*piece) break;
      const char type = static_cast<char>('0' + static_cast<int>((*piece)->type));
      if ((*piece)->is_empty) {
        out += std::string(1, type) + "!";
        last = 0;
        continue;
      }
      if (type != last) out += std::string(1, type) + ":";
      out += (*piece)->data;
      last = type;
    }
  }
  if (!in.empty() || !decoder.at_boundary()) out += " ...";
  return out;
}

std::string encoded(void (*encode)(Buffer&)) {
  Buffer out;
  encode(out);
  return std::string(out.readable());
}

}  // namespace

TEST_CASE("fastcgi_codec: an answer reads the same however it is cut") {
  const std::string bytes = encoded([](Buffer& out) {
    encode_stream(FastCgiType::stderr_data, "PHP message: oops", out);
    encode_stream(FastCgiType::stdout_data, "Status: 404\r\n\r\nx", out);
    encode_stream_end(FastCgiType::stdout_data, out);
    encode_end_request(7, 0, out);
  });
  const std::string expected =
      "7:PHP message: oops6:Status: 404\r\n\r\nx6!3:" + std::string("\0\0\0\7\0\0\0\0", 8);
  for_each_cut(bytes, [&](const std::vector<std::string_view>& pieces) {
    CHECK(decode(pieces) == expected);
  });
}

TEST_CASE("fastcgi_codec: a request reads the same however it is cut") {
  const std::string bytes = encoded([](Buffer& out) {
    Buffer params;
    append_param("A", "b", params);
    encode_begin_request(out);
    encode_stream(FastCgiType::params, params.readable(), out);
    encode_stream_end(FastCgiType::params, out);
    encode_stream(FastCgiType::stdin_data, "body", out);
    encode_stream_end(FastCgiType::stdin_data, out);
  });
  const std::string expected = "1:" + std::string("\0\1\1\0\0\0\0\0", 8) + "4:\1\1Ab4!5:body5!";
  for_each_cut(bytes, [&](const std::vector<std::string_view>& pieces) {
    CHECK(decode(pieces) == expected);
  });
}

TEST_CASE("fastcgi_codec: long content takes several records, each padded to eight bytes") {
  const std::string content(200'001, 'x');
  Buffer out;
  encode_stream(FastCgiType::stdin_data, content, out);
  CHECK(out.size() % 8 == 0);
  CHECK(decode({out.readable()}) == "5:" + content);
}

TEST_CASE("fastcgi_codec: what is no answer is refused at its first wrong byte") {
  const std::string good = encoded([](Buffer& out) { encode_end_request(0, 0, out); });
  const auto changed = [&](std::size_t at, char to) {
    std::string bytes = good;
    bytes[at] = to;
    return decode({bytes});
  };
  CHECK(decode({"H"}) == "error upstream.malformed");
  CHECK(decode({"HTTP/1.1 400 Bad Request\r\n"}) == "error upstream.malformed");
  CHECK(changed(0, 2) == "error upstream.malformed");   // version
  CHECK(changed(1, 0) == "error upstream.malformed");   // type
  CHECK(changed(1, 8) == "error upstream.malformed");   // type: data
  CHECK(changed(1, 11) == "error upstream.malformed");  // type: unknown
  CHECK(changed(3, 2) == "error upstream.malformed");   // request
  CHECK(changed(2, 1) == "error upstream.malformed");   // request
  CHECK(changed(5, 7) == "error upstream.malformed");   // length of end_request
  CHECK(changed(5, 9) == "error upstream.malformed");
}

TEST_CASE("fastcgi_codec: padding is skipped, at most 255 bytes of it") {
  std::string bytes("\1\6\0\1\0\1\xff\0y", 9);
  bytes += std::string(255, '\1');
  for_each_cut(bytes,
               [](const std::vector<std::string_view>& pieces) { CHECK(decode(pieces) == "6:y"); });
  CHECK(decode({std::string_view(bytes).substr(0, 100)}) == "6:y ...");
}

TEST_CASE("fastcgi_codec: params come back as they were, whatever their lengths") {
  Buffer out;
  const std::string long_name(128, 'N');
  const std::string long_value(70'000, 'v');
  append_param("SCRIPT_NAME", "/index.php", out);
  append_param(long_name, "", out);
  append_param("", long_value, out);
  append_param(std::string(127, 'a'), std::string(127, 'b'), out);
  const std::optional<FastCgiParams> params = parse_params(out.readable());
  REQUIRE(params);
  const FastCgiParams expected{{"SCRIPT_NAME", "/index.php"},
                               {long_name, ""},
                               {"", long_value},
                               {std::string_view(params->at(3).first), params->at(3).second}};
  CHECK(*params == expected);
  CHECK(params->at(3).first == std::string(127, 'a'));
  CHECK(params->at(3).second == std::string(127, 'b'));
}

TEST_CASE("fastcgi_codec: params that are cut are none") {
  Buffer out;
  append_param("NAME", std::string(300, 'v'), out);
  for (std::size_t length = 1; length < out.size(); ++length) {
    CHECK_FALSE(parse_params(out.readable().substr(0, length)));
  }
  CHECK_FALSE(parse_params("\xff\xff\xff\xff\xff\xff\xff\xff"));
  CHECK(parse_params("")->empty());
}

TEST_CASE("fastcgi_codec: end_request tells both statuses") {
  Buffer out;
  encode_end_request(0x01020304, 2, out);
  const std::optional<FastCgiEnd> end =
      parse_end_request(out.readable().substr(fastcgi_header_bytes));
  REQUIRE(end);
  CHECK(end->app_status == 0x01020304);
  CHECK(end->protocol_status == 2);
  CHECK_FALSE(parse_end_request("\0\0\0"));
}
