// encode, accept_encoding, encoders.
#include "proxy/encode.hpp"

#include <zlib.h>
#include <zstd.h>

#include <string>

#include <doctest/doctest.h>

#include "proxy/encoders.hpp"
#include "unit/proxy/fake_exchange.hpp"

using namespace portero;
using namespace portero::proxy;
using portero::proxy::test::FakeExchange;

namespace {

std::string choose(std::string_view accept) {
  Arena arena;
  http::HeaderList fields(arena);
  fields.add("Accept-Encoding", accept);
  constexpr Coding offered[] = {Coding::zstd, Coding::br, Coding::gzip};
  const std::optional<Coding> coding = AcceptedCodings(fields).choose(offered);
  return coding ? std::string(coding_name(*coding)) : "none";
}

std::string gunzip(const std::string& packed) {
  z_stream stream{};
  REQUIRE(::inflateInit2(&stream, 15 + 16) == Z_OK);
  std::string out(4'000'000, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  ::inflate(&stream, Z_SYNC_FLUSH);
  out.resize(out.size() - stream.avail_out);
  ::inflateEnd(&stream);
  return out;
}

std::string unzstd(const std::string& packed) {
  std::string out(4'000'000, '\0');
  ZSTD_DCtx* const context = ::ZSTD_createDCtx();
  ZSTD_inBuffer in{packed.data(), packed.size(), 0};
  ZSTD_outBuffer to{out.data(), out.size(), 0};
  CHECK_FALSE(::ZSTD_isError(::ZSTD_decompressStream(context, &to, &in)));
  ::ZSTD_freeDCtx(context);
  out.resize(to.pos);
  return out;
}

// All that comes of a piece.
std::string feed(http::BodyFilter& filter, std::string_view piece, http::Last last) {
  std::string out;
  for (;;) {
    const Result<http::BodyFilter::Output> output = filter.next(piece, last);
    REQUIRE(output.has_value());
    out += output->data;
    if (output->done) return out;
  }
}

// Text that shrinks, but not to nothing.
std::string text_of(std::size_t size) {
  std::string text;
  unsigned random = 7;
  while (text.size() < size) {
    random = random * 1'103'515'245 + 12'345;
    text += "word" + std::to_string(random >> 20) + ' ';
  }
  text.resize(size);
  return text;
}

struct Answer {
  std::string type = "text/html";
  std::size_t size = 5'000;
  std::string extra;  // "Name: value"
  int status = 200;
};

// What the client gets of such an answer: "gzip", "as it is"; and Vary.
std::string apply(const conf::Encode& settings, std::string_view accept, const Answer& answer) {
  FakeExchange exchange("GET", "/", "a.example");
  if (!accept.empty()) exchange.request.headers.add("Accept-Encoding", accept);
  const Encode encode(settings);
  http::Response response(exchange.arena);
  response.status = answer.status;
  response.body = http::BodyKind::length;
  response.content_length = answer.size;
  response.headers.add("Content-Type", answer.type);
  response.headers.add("ETag", "\"a\"");
  const std::size_t colon = answer.extra.find(": ");
  if (!answer.extra.empty()) {
    response.headers.add(std::string_view(answer.extra).substr(0, colon),
                         std::string_view(answer.extra).substr(colon + 2));
  }
  encode.apply(exchange, response);
  const http::Field* const coding = response.headers.find("Content-Encoding");
  const bool is_coded = exchange.body_filter != nullptr;
  CHECK(is_coded == (response.body == http::BodyKind::chunked));
  CHECK(response.headers.find("ETag")->value == (is_coded ? "W/\"a\"" : "\"a\""));
  std::string text = is_coded ? std::string(coding->value) : "as it is";
  if (response.headers.find("Vary") != nullptr) text += ", varies";
  return text;
}

const conf::Encode all{{"zstd", "br", "gzip"}, {}, 1'024, 0};

}  // namespace

TEST_CASE("accept_encoding: the client's preference, then ours") {
  CHECK(choose("gzip, deflate, br, zstd") == "zstd");
  CHECK(choose("gzip, br") == "br");
  CHECK(choose("gzip;q=1.0, br;q=0.5") == "gzip");
  CHECK(choose("GZIP") == "gzip");
  CHECK(choose("*") == "zstd");
  CHECK(choose("zstd;q=0, *;q=0.1") == "br");
  CHECK(choose("gzip;q=0") == "none");
  CHECK(choose("identity") == "none");
  CHECK(choose("gzip;q=2") == "none");
  CHECK(choose("gzip;q=0.001") == "gzip");
  CHECK(choose("") == "none");
}

TEST_CASE("encode: text that is large enough, in a coding that the client takes") {
  CHECK(apply(all, "gzip", {}) == "gzip, varies");
  CHECK(apply(all, "gzip, zstd", {}) == "zstd, varies");
  CHECK(apply(all, "", {}) == "as it is, varies");
  CHECK(apply(all, "gzip", {"application/ld+json; charset=utf-8", 5'000, "", 404}) ==
        "gzip, varies");
  CHECK(apply({{"gzip"}, {}, 1'024, 0}, "br", {}) == "as it is, varies");
}

TEST_CASE("encode: HEAD is told what GET would be") {
  FakeExchange exchange("HEAD", "/", "a.example");
  exchange.request.headers.add("Accept-Encoding", "gzip");
  http::Response response(exchange.arena);
  response.headers.add("Content-Type", "text/html");
  Encode(all).apply(exchange, response);
  CHECK(response.headers.find("Content-Encoding")->value == "gzip");
  CHECK(response.body == http::BodyKind::chunked);
  CHECK(exchange.body_filter == nullptr);
}

TEST_CASE("encode: what is left alone") {
  CHECK(apply(all, "gzip", {"text/html", 1'023, "", 200}) == "as it is");
  CHECK(apply(all, "gzip", {"image/png", 5'000, "", 200}) == "as it is");
  CHECK(apply(all, "gzip", {"text/html", 5'000, "Content-Encoding: br", 200}) == "as it is");
  CHECK(apply(all, "gzip", {"text/html", 5'000, "Cache-Control: no-transform", 200}) == "as it is");
  CHECK(apply(all, "gzip", {"text/html", 5'000, "Content-Range: bytes 0-1/2", 206}) == "as it is");
  CHECK(apply(all, "gzip", {"text/html", 5'000, "", 304}) == "as it is");
  CHECK(apply({{"gzip"}, {"application/json"}, 0, 0}, "gzip", {}) == "as it is");
}

TEST_CASE("encoders: what comes out is what went in, however it is cut") {
  const std::string text = text_of(300'000);
  for (const Coding coding : {Coding::gzip, Coding::zstd}) {
    for (const unsigned level : {0U, 1U, 22U}) {
      for (const std::size_t step : {std::size_t{977}, std::size_t{100'000}, text.size()}) {
        CAPTURE(coding_name(coding));
        CAPTURE(step);
        const std::unique_ptr<http::BodyFilter> filter = make_encoder(coding, level);
        REQUIRE(filter != nullptr);
        std::string packed;
        for (std::size_t at = 0; at < text.size(); at += step) {
          const bool is_last = at + step >= text.size();
          packed += feed(*filter, std::string_view(text).substr(at, step),
                         is_last ? http::Last::yes : http::Last::no);
        }
        CHECK(packed.size() < text.size() / 2);
        CHECK(((coding == Coding::gzip ? gunzip(packed) : unzstd(packed)) == text));
      }
    }
  }
}

TEST_CASE("encoders: what is flushed can be read at once, and nothing is a whole answer too") {
  for (const Coding coding : {Coding::gzip, Coding::zstd}) {
    const std::unique_ptr<http::BodyFilter> filter = make_encoder(coding, 0);
    std::string packed = feed(*filter, "data: 1\n\n", http::Last::no);
    packed += feed(*filter, "", http::Last::no);
    CHECK((coding == Coding::gzip ? gunzip(packed) : unzstd(packed)) == "data: 1\n\n");
    packed += feed(*filter, "", http::Last::yes);
    CHECK((coding == Coding::gzip ? gunzip(packed) : unzstd(packed)) == "data: 1\n\n");
    const std::unique_ptr<http::BodyFilter> empty = make_encoder(coding, 0);
    packed = feed(*empty, "", http::Last::yes);
    CHECK_FALSE(packed.empty());
    CHECK((coding == Coding::gzip ? gunzip(packed) : unzstd(packed)).empty());
  }
}
