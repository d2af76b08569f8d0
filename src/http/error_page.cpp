// respond_error(): errors of this server's own, in the form that the client prefers.

#include <string>

#include <fmt/format.h>

#include "http/exchange.hpp"

namespace portero::http {
namespace {

void append_html(std::string& out, std::string_view text) {
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
}

enum class Form : std::uint8_t { text, html, json };

// What stands first in Accept counts: browsers begin with text/html, clients of an API with JSON,
// and "*/*" is content with a text.
Form preferred_form(const HeaderList& headers) {
  const Field* const accept = headers.find("Accept");
  if (accept == nullptr) return Form::text;
  const std::string_view value = accept->value;
  const std::size_t html = value.find("text/html");
  const std::size_t json = std::min(value.find("application/json"), value.find("+json"));
  if (html < json) return Form::html;
  return json != std::string_view::npos ? Form::json : Form::text;
}

std::string html_page(int status, std::string_view text, std::string_view id) {
  std::string page = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
      "<meta name=\"robots\" content=\"noindex\"><title>{0} {1}</title><style>"
      ":root{{color-scheme:light dark}}"
      "body{{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:20vh auto 0;padding:0 1rem}}"
      "h1{{font-size:1.5rem;margin:0 0 .5rem}}small{{opacity:.6}}"
      "</style></head>\n<body><h1>{0} {1}</h1>\n<p>",
      status, reason_phrase(status));
  append_html(page, text);
  page += fmt::format("</p>\n<p><small>Request {}</small></p></body></html>\n", id);
  return page;
}

std::string json_body(int status, std::string_view text, std::string_view id) {
  std::string body = fmt::format("{{\"status\":{},\"message\":\"", status);
  append_json_escaped(body, text);
  body += fmt::format("\",\"request_id\":\"{}\"}}\n", id);
  return body;
}

}  // namespace

Task<Result<>> respond_error(Exchange& exchange, int status, std::string_view text) {
  Response response(exchange.arena);
  response.status = status;
  co_return co_await respond_error(exchange, response, text);
}

Task<Result<>> respond_error(Exchange& exchange, Response& response, std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  exchange.error_status = response.status;
  exchange.error_reason = text;
  if (exchange.error_pages != nullptr) {
    const Result<bool> answered = co_await exchange.error_pages->answer(exchange, response, text);
    if (!answered) co_return answered.error();
    if (*answered) co_return Result<>();
  }
  std::string_view type = "text/plain; charset=utf-8";
  std::string_view body = exchange.arena.concat(text, "\n");
  const Form form = preferred_form(exchange.request.headers);
  if (form == Form::html) {
    type = "text/html; charset=utf-8";
    body = exchange.arena.copy(html_page(response.status, text, request_id(exchange)));
  } else if (form == Form::json) {
    type = "application/json";
    body = exchange.arena.copy(json_body(response.status, text, request_id(exchange)));
  }
  response.headers.add("Content-Type", type, FieldId::content_type);
  response.headers.add("Vary", "Accept");
  co_return co_await respond(exchange, response, body);
}

}  // namespace portero::http
