#include "proxy/error_pages.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/clock.hpp"
#include "base/fd.hpp"
#include "base/log.hpp"
#include "proxy/media_types.hpp"

namespace portero::proxy {
namespace {

// The request as a server of error pages gets it: without body and conditions.
void make_plain_get(http::Request& request) {
  if (request.method != http::Method::head) {
    request.method = http::Method::get;
    request.method_text = "GET";
  }
  request.body = http::BodyKind::none;
  request.content_length = 0;
  request.expects_continue = false;
  request.protocol = {};
  request.headers.remove_if([](const http::Field& field) {
    return field.id == http::FieldId::upgrade || field.id == http::FieldId::connection ||
           field.name.starts_with("If-") || field.name.starts_with("if-") ||
           field.name == "Range" || field.name == "range";
  });
}

// Errors: internal, with errno; EFBIG past `bytes_max`.
Result<std::string> read_small_file(const std::string& path, std::size_t bytes_max) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.is_open()) return Error(Errc::internal, errno);
  std::string text;
  for (;;) {
    char piece[16 * 1024];
    const ssize_t got = ::read(file.get(), piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error(Errc::internal, errno);
    if (got == 0) return text;
    text.append(piece, static_cast<std::size_t>(got));
    if (text.size() > bytes_max) return Error(Errc::internal, EFBIG);
  }
}

}  // namespace

void RouteErrorPages::add(const conf::ErrorPage& settings, std::unique_ptr<http::Handler> server) {
  Page page;
  page.statuses = settings.statuses;
  page.file = settings.file;
  if (settings.respond) page.text = std::make_unique<StaticResponse>(*settings.respond);
  page.server = std::move(server);
  if (!settings.rewrite.empty()) page.path = std::make_unique<const Rewrite>(settings.rewrite);
  if (!page.file.empty()) files_.emplace_back(page.file, FileText());
  pages_.push_back(std::move(page));
}

Task<Result<bool>> RouteErrorPages::answer(http::Exchange& exchange, http::Response& response,
                                           std::string_view) const {
  for (const Page& page : pages_) {
    const auto& statuses = page.statuses;
    if (std::find(statuses.begin(), statuses.end(), response.status) == statuses.end()) continue;
    exchange.error_pages = nullptr;  // an error of the page has none
    if (page.server) co_return co_await answer_with_server(page, exchange, response);
    if (!page.text) co_return co_await answer_with_file(page, exchange, response);
    const Result<> answered = co_await page.text->answer(exchange, response);
    if (!answered) co_return answered.error();
    co_return true;
  }
  co_return false;
}

// The server's answer with the status and the fields of the error.
Task<Result<bool>> RouteErrorPages::answer_with_server(const Page& page, http::Exchange& exchange,
                                                       http::Response& response) {
  make_plain_get(exchange.request);
  if (page.path && page.path->apply(exchange) != 0) co_return false;
  exchange.error_answer = &response;
  const Result<> answered = co_await page.server->handle(exchange);
  exchange.error_answer = nullptr;
  if (!answered) co_return answered.error();
  co_return true;
}

Task<Result<bool>> RouteErrorPages::answer_with_file(const Page& page, http::Exchange& exchange,
                                                     http::Response& response) const {
  const FileText& content = read(page.file);
  if (!content.is_there) co_return false;
  const MediaType type = media_type_of(page.file);
  const bool is_markup = type.text.find("html") != std::string_view::npos ||
                         type.text.find("xml") != std::string_view::npos;
  response.headers.add("Content-Type", type.text, http::FieldId::content_type);
  // A copy: the file may be read anew while this is being sent.
  const std::string_view body =
      exchange.arena.copy(content.text.expand(exchange, is_markup ? Place::html : Place::text));
  const Result<> answered = co_await http::respond(exchange, response, body);
  if (!answered) co_return answered.error();
  co_return true;
}

// The file as it is now, or was a moment ago.
const RouteErrorPages::FileText& RouteErrorPages::read(const std::string& file) const {
  const auto at = std::find_if(files_.begin(), files_.end(),
                               [&](const auto& entry) { return entry.first == file; });
  FileText& content = at->second;
  const std::int64_t now_ms = coarse_clock().monotonic_ms;
  if (content.read_at_ms != 0 && now_ms - content.read_at_ms < file_kept_ms) return content;
  content.read_at_ms = now_ms;
  const Result<std::string> text = read_small_file(file, file_bytes_max);
  content.is_there = text.has_value();
  if (text) {
    content.text = Template(*text);
  } else {
    log::warn("errors.page", log::kv("file", file), log::kv("error", text.error()),
              log::kv("text", "the error page cannot be read; a plain one is sent"));
  }
  return content;
}

}  // namespace portero::proxy
