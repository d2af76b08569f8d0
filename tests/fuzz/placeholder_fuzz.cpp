// Templates filled in for requests: whatever both hold, a field stays one line, a URL stays visible
// ASCII and a page gains no markup. Input: template, newline, target of the request.
#include <cstdlib>
#include <string_view>

#include "http/chars.hpp"
#include "http/exchange.hpp"
#include "proxy/placeholder.hpp"

using namespace portero;

namespace {

class SilentExchange final : public http::Exchange {
 public:
  using Exchange::Exchange;
  Task<Result<Bytes>> read_body() override { co_return Bytes(); }
  Task<Result<>> send_interim(http::Response&) override { co_return Result<>(); }
  Task<Result<>> write_body(Bytes, http::Last) override { co_return Result<>(); }
  void reset(Errc) noexcept override {}
  bool client_gone() const noexcept override { return false; }

 private:
  Task<Result<>> write_head(http::Response&) override { co_return Result<>(); }
};

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size > 4096) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t line_end = input.find('\n');
  if (line_end == std::string_view::npos) return 0;
  const std::string_view text = input.substr(0, line_end);
  const http::ConnectionInfo info;
  SilentExchange exchange(info);
  http::Request& request = exchange.request;
  request.method_text = "GET";
  request.scheme = "http";
  request.authority = "a.example:80";
  request.target = input.substr(line_end + 1);
  if (normalise_target(request, exchange.arena) != http::TargetCheck::ok) return 0;
  request.headers.add("Cookie", "a=1; b=\"2\"");

  (void)find_placeholders(text);
  const proxy::Template made(text);
  if (http::is_field_value(text)) {
    require(http::is_field_value(made.expand(exchange, proxy::Place::field)));
  }
  if (http::all_chars_of(text, http::char_class::target)) {
    const std::string_view url = made.expand(exchange, proxy::Place::url);
    require(http::all_chars_of(url, http::char_class::target));
  }
  if (text.find_first_of("<>\"'") == std::string_view::npos) {
    const std::string_view page = made.expand(exchange, proxy::Place::html);
    require(page.find_first_of("<>\"'") == std::string_view::npos);
  }
  (void)made.expand(exchange, proxy::Place::text);
  return 0;
}
