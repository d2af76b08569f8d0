#include "http/h1_body.hpp"

#include <string>

#include <doctest/doctest.h>

#include "cuts.hpp"

using namespace portero;
using namespace portero::http;

namespace {

struct Decoded {
  Arena arena;
  HeaderList trailers{arena};
  std::string data;
  std::string rest;
  Errc error = Errc::ok;
  bool done = false;
};

void decode(H1BodyDecoder decoder, const std::vector<std::string_view>& pieces, Decoded& decoded) {
  Buffer in;
  for (const std::string_view piece : pieces) {
    in.append(piece);
    while (decoded.error == Errc::ok && !decoded.done) {
      const Result<BodyPiece> next = decoder.next(in, decoded.trailers, decoded.arena);
      if (!next) {
        decoded.error = next.error().code;
      } else if (next->state == BodyPiece::State::end) {
        decoded.done = true;
      } else if (next->state == BodyPiece::State::data) {
        REQUIRE(!next->data.empty());
        decoded.data += next->data;
      } else {
        break;
      }
    }
  }
  decoded.rest = in.readable();
}

const BodyFraming chunked{BodyKind::chunked, 0};

Errc chunked_verdict(const std::vector<std::string_view>& pieces) {
  Decoded decoded;
  decode(H1BodyDecoder(chunked), pieces, decoded);
  if (decoded.error == Errc::ok && !decoded.done) return Errc::would_block;
  return decoded.error;
}

Errc chunked_verdict_of(std::string_view bytes) {
  const Errc whole = chunked_verdict({bytes});
  for_each_cut(bytes, [whole](const std::vector<std::string_view>& pieces) {
    if (chunked_verdict(pieces) != whole) FAIL("the verdict depends on the cut");
  });
  return whole;
}

}  // namespace

TEST_CASE("h1_body: no body ends at once and takes nothing") {
  for (const BodyFraming framing : {BodyFraming{}, BodyFraming{BodyKind::length, 0}}) {
    Decoded decoded;
    H1BodyDecoder decoder(framing);
    CHECK(decoder.done());
    decode(decoder, {"GET"}, decoded);
    CHECK(decoded.done);
    CHECK(decoded.rest == "GET");
  }
}

TEST_CASE("h1_body: takes exactly Content-Length bytes, however they are cut") {
  for_each_cut("helloGET /", [](const std::vector<std::string_view>& pieces) {
    Decoded decoded;
    decode(H1BodyDecoder({BodyKind::length, 5}), pieces, decoded);
    REQUIRE(decoded.done);
    REQUIRE(decoded.data == "hello");
    REQUIRE(decoded.rest == "GET /");
  });
}

TEST_CASE("h1_body: decodes chunks with extensions and trailers, however they are cut") {
  const std::string_view body =
      "5\r\nhello\r\n1;a=\"b c\"\r\n,\r\n00000006 \t;x\r\n world\r\nA\r\n0123456789\r\n"
      "0;last\r\nX-Sum: 1\r\nX-Two:2\r\n\r\nGET";
  for_each_cut(body, [](const std::vector<std::string_view>& pieces) {
    Decoded decoded;
    decode(H1BodyDecoder(chunked), pieces, decoded);
    REQUIRE(decoded.error == Errc::ok);
    REQUIRE(decoded.done);
    REQUIRE(decoded.data == "hello, world0123456789");
    REQUIRE(decoded.rest == "GET");
    REQUIRE(decoded.trailers.size() == 2);
    REQUIRE(decoded.trailers.find("x-sum")->value == "1");
  });
}

TEST_CASE("h1_body: small chunks that came together are one piece, large ones are not moved") {
  Arena arena;
  HeaderList trailers(arena);
  H1BodyDecoder decoder(chunked);
  Buffer in;
  const std::string large(5'000, 'l');
  in.append("1\r\na\r\n2;x\r\nbc\r\n1\r\nd\r\n1388\r\n" + large + "\r\n1\r\ne\r\n0x");
  CHECK(decoder.next(in, trailers, arena)->data == "abcd");
  CHECK(decoder.next(in, trailers, arena)->data == large + "e");
  CHECK(decoder.next(in, trailers, arena).error() == Errc::bad_framing);
}

TEST_CASE("h1_body: trailers that decide framing, routing or access are dropped") {
  Decoded decoded;
  decode(H1BodyDecoder(chunked),
         {"0\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nHost: x\r\nAuthorization: x\r\n"
          "Connection: x\r\nCookie: x\r\nX-Forwarded-For: x\r\nX-Mine: y\r\n\r\n"},
         decoded);
  REQUIRE(decoded.done);
  REQUIRE(decoded.trailers.size() == 1);
  CHECK(decoded.trailers.begin()->name == "X-Mine");
}

TEST_CASE("h1_body: refuses malformed chunks, however they are cut") {
  const std::string bad[] = {
      "5\nhello\r\n0\r\n\r\n",                    // bare LF
      "5\r\nhello\n0\r\n\r\n",                    //
      "5\rhello\r\n0\r\n\r\n",                    // bare CR
      "5\r\nhello0\r\n\r\n",                      // data not ended
      "5\r\nhelloX\r\n0\r\n\r\n",                 // longer than said
      "5\r\nhello\rX0\r\n\r\n",                   //
      "\r\n",                                     // no size
      ";x\r\n",                                   //
      "0x5\r\nhello\r\n0\r\n\r\n",                //
      "+5\r\nhello\r\n0\r\n\r\n",                 //
      "-1\r\n",                                   //
      " 5\r\nhello\r\n0\r\n\r\n",                 //
      "5 \r\nhello\r\n0\r\n\r\n",                 // space without an extension
      "5 5\r\nhello\r\n0\r\n\r\n",                //
      "5_0\r\nhello\r\n0\r\n\r\n",                //
      "g\r\n",                                    //
      "8000000000000000\r\n",                     // 2^63
      "ffffffffffffffff\r\n",                     //
      "00000000000000005\r\nhello\r\n0\r\n\r\n",  // 17 digits
      "5;a\x01\r\nhello\r\n0\r\n\r\n",            // control byte in an extension
      "5;a\nb\r\nhello\r\n0\r\n\r\n",             //
      "5;a\rb\r\nhello\r\n0\r\n\r\n",             //
      "5\r\nhello\r\n0\r\nX\r\n\r\n",             // trailer without a colon
      "0\r\nX : y\r\n\r\n",                       //
      "0\r\nX: y\nZ: a\r\n\r\n",                  //
      "0\r\n folded: y\r\n\r\n",                  //
      "0\r\nX: y\r\n z\r\n\r\n",                  //
      "0\r\nX: a\x01\r\n\r\n",                    //
      "0\r\n\n",                                  //
  };
  for (const std::string& body : bad) {
    CAPTURE(body);
    CHECK(chunked_verdict_of(body) == Errc::bad_framing);
  }
}

TEST_CASE("h1_body: bounds chunk lines, extensions and trailers") {
  const std::string long_line = "1;" + std::string(chunk_line_bytes_max, 'x') + "\r\na\r\n";
  CHECK(chunked_verdict({long_line}) == Errc::bad_framing);
  CHECK(chunked_verdict({"1;" + std::string(chunk_line_bytes_max, 'x')}) == Errc::bad_framing);

  std::string many;
  for (int i = 0; i < 10; ++i) many += "1;" + std::string(1000, 'x') + "\r\na\r\n";
  CHECK(chunked_verdict({many}) == Errc::bad_framing);

  const std::string big = "0\r\nX: " + std::string(trailer_bytes_max, 'x');
  CHECK(chunked_verdict({big}) == Errc::bad_framing);
  std::string fields = "0\r\n";
  for (std::size_t i = 0; i < fields_max + 2; ++i) fields += "X: y\r\n";
  CHECK(chunked_verdict({fields}) == Errc::bad_framing);
}

TEST_CASE("h1_body: an end of the connection inside a body is an error") {
  H1BodyDecoder length({BodyKind::length, 5});
  CHECK(length.end_of_input().error() == Errc::end_of_stream);
  H1BodyDecoder chunks(chunked, Side::upstream);
  CHECK(chunks.end_of_input().error() == Errc::upstream_truncated);
  H1BodyDecoder none;
  CHECK(none.end_of_input().has_value());
}

TEST_CASE("h1_body: until close takes everything and ends with the connection") {
  Decoded decoded;
  H1BodyDecoder decoder({BodyKind::until_close, 0}, Side::upstream);
  Buffer in;
  in.append("anything\r\n0\r\n\r\n");
  const Result<BodyPiece> piece = decoder.next(in, decoded.trailers, decoded.arena);
  CHECK(piece->data == "anything\r\n0\r\n\r\n");
  CHECK(decoder.next(in, decoded.trailers, decoded.arena)->state == BodyPiece::State::need_more);
  CHECK(decoder.end_of_input().has_value());
  CHECK(decoder.done());
  CHECK(decoder.next(in, decoded.trailers, decoded.arena)->state == BodyPiece::State::end);
}

TEST_CASE("h1_body: an upstream's mistakes are the upstream's") {
  Decoded decoded;
  decode(H1BodyDecoder(chunked, Side::upstream), {"x\r\n"}, decoded);
  CHECK(decoded.error == Errc::bad_upstream_response);
}
