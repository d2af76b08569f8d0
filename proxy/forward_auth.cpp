#include "proxy/forward_auth.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "proxy/hop_by_hop.hpp"
#include "proxy/reverse_proxy.hpp"

namespace portero::proxy {
namespace {

constexpr int bad_gateway = 502;

// A question about another exchange's request; keeps its answer.
class Question final : public http::Exchange {
 public:
  Question(http::Exchange& asked_about, std::string_view target)
      : Exchange(asked_about.connection), asked_about_(asked_about), answer(arena) {
    const http::Request& original = asked_about.request;
    request.method_text = "GET";
    request.scheme = original.scheme;
    request.authority = original.authority;
    request.host = original.host;
    request.target = target;
    request.path = target.substr(0, target.find('?'));
    request.original_target =
        original.original_target.empty() ? original.target : original.original_target;
    request.client_ip = original.client_ip;
    request.trusted_peer = original.trusted_peer;
    request.groups = {&original.method_text, 1};  // {re.0}, for X-Forwarded-Method
    for (const http::Field& field : original.headers) {
      if (is_about_request(field)) request.headers.add(field);
    }
  }

  Task<Result<Bytes>> read_body() override { co_return Bytes(); }
  Task<Result<>> send_interim(http::Response&) override { co_return Result<>(); }
  void reset(Errc why) noexcept override { failure = why; }
  bool client_gone() const noexcept override { return asked_about_.client_gone(); }

 private:
  http::Exchange& asked_about_;

 public:
  http::Response answer;
  std::string body;
  Errc failure = Errc::ok;

 private:
  // What is said of the body and of the connection is not asked about.
  static bool is_about_request(const http::Field& field) {
    switch (field.id) {
      case http::FieldId::connection:
      case http::FieldId::upgrade:
      case http::FieldId::content_length:
      case http::FieldId::content_encoding:
      case http::FieldId::content_type:
      case http::FieldId::expect: return false;
      default:
        return !iequals(field.name, "Range") && !field.name.starts_with("If-") &&
               !field.name.starts_with("if-");
    }
  }

  Task<Result<>> write_head(http::Response& response) override {
    answer.status = response.status;
    for (const http::Field& field : response.headers) answer.headers.add(field);
    co_return Result<>();
  }
  Task<Result<>> write_body(Bytes piece, http::Last) override {
    if (body.size() + piece.size() > ForwardAuthGate::answer_bytes_max) {
      failure = Errc::bad_upstream_response;
      co_return failure;
    }
    body += piece;
    co_return Result<>();
  }
};

bool is_same_variable(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    const auto fold = [](char c) { return c == '_' ? '-' : ascii_lower(c); };
    return fold(x) == fold(y);
  });
}

// The server has refused: its answer is the client's.
Task<Result<bool>> pass_refusal(http::Exchange& exchange, const Question& question) {
  http::Response response(exchange.arena);
  response.status = question.answer.status;
  Arena& arena = exchange.arena;
  for (const http::Field& field : question.answer.headers) {
    response.headers.add(arena.copy(field.name), arena.copy(field.value), field.id);
  }
  const Result<> sent =
      co_await http::respond(exchange, response, arena.copy(std::string_view(question.body)));
  if (!sent) co_return sent.error();
  co_return false;
}

}  // namespace

ForwardAuthGate::ForwardAuthGate(const conf::ForwardAuth& settings,
                                 std::unique_ptr<http::Handler> server)
    : target_(settings.target), copy_(settings.copy), server_(std::move(server)) {}

Task<Result<bool>> ForwardAuthGate::admit(http::Exchange& exchange) {
  Question question(exchange, target_);
  const Result<> asked = co_await server_->handle(question);
  if (!asked || question.failure != Errc::ok || question.answer.status == 0) {
    if (exchange.client_gone()) co_return Errc::cancelled;
    http::Response response(exchange.arena);
    response.status = bad_gateway;
    co_return co_await refuse(exchange, response,
                              "The server that decides about requests did not answer.");
  }
  if (question.answer.status / 100 != 2) co_return co_await pass_refusal(exchange, question);
  http::HeaderList& fields = exchange.request.headers;
  drop_copied(fields);
  keep_from_being_nominated(fields);
  for (const http::Field& field : question.answer.headers) {
    const bool is_wanted = std::any_of(copy_.begin(), copy_.end(), [&](const std::string& name) {
      return iequals(name, field.name);
    });
    if (is_wanted) {
      fields.add(exchange.arena.copy(field.name), exchange.arena.copy(field.value), field.id);
    }
  }
  co_return true;
}

// A client could have "Connection: X-User" take away what the server has said of it.
void ForwardAuthGate::keep_from_being_nominated(http::HeaderList& fields) const {
  const bool is_named = std::any_of(copy_.begin(), copy_.end(), [&](const std::string& name) {
    return fields.has_token(http::FieldId::connection, name);
  });
  if (!is_named) return;
  const bool is_upgrade = fields.has_token(http::FieldId::connection, "upgrade");
  const NominatedFields nominated(fields);
  fields.remove_if([&](const http::Field& field) {
    const bool stays = field.id == http::FieldId::upgrade;
    return !stays && !is_end_to_end(field, nominated);
  });
  fields.remove(http::FieldId::connection);
  if (is_upgrade) fields.add("Connection", "upgrade", http::FieldId::connection);
}

void ForwardAuthGate::drop_copied(http::HeaderList& fields) const {
  fields.remove_if([this](const http::Field& field) {
    return std::any_of(copy_.begin(), copy_.end(),
                       [&](const std::string& name) { return is_same_variable(name, field.name); });
  });
}

Explained<std::unique_ptr<Gate>> make_forward_auth(const conf::ForwardAuth& settings,
                                                   PoolSet& pools) {
  conf::Route route;
  route.proxy.emplace();
  route.proxy->to = {settings.to};
  route.proxy->timeouts.response = settings.timeout;
  route.headers_up.set = {{"X-Forwarded-Method", "{re.0}"}, {"X-Forwarded-Uri", "{uri}"}};
  Explained<std::unique_ptr<http::Handler>> server = make_reverse_proxy(route, pools);
  if (!server) return server.error();
  return std::unique_ptr<Gate>(std::make_unique<ForwardAuthGate>(settings, std::move(*server)));
}

}  // namespace portero::proxy
