#include "site_service.hpp"

#include "snapshot.hpp"
#include "worker.hpp"

namespace portero {
namespace {

// What an authority is to find at this path; nullptr when it asks for nothing that is open.
const std::string* challenge_answer(const acme::ChallengeAnswers& answers,
                                    const http::Request& request) {
  constexpr std::string_view folder = "/.well-known/acme-challenge/";
  if (!request.path.starts_with(folder)) return nullptr;
  const auto found = answers.http.find(request.path.substr(folder.size()));
  return found == answers.http.end() ? nullptr : &found->second;
}

// One connection too many for this client.
Task<> refuse_connection(http::Exchange& exchange) {
  http::Response response(exchange.arena);
  response.status = 429;
  response.close = true;
  response.headers.add("Retry-After", "5");
  const Result<> answered = co_await http::respond_error(
      exchange, response, "Too many connections are open from your address.");
  if (!answered) exchange.reset(answered.error().code);
}

class SiteService final : public http::Service {
 public:
  explicit SiteService(Worker& worker) noexcept : worker_(worker) {}

  Task<> serve(http::Exchange& exchange) override {
    worker_.count_request();
    if (worker_.challenges() != nullptr && !exchange.connection.tls) {
      // Before any redirect or route. Source: RFC 8555 §8.3.
      const std::string* const answer = challenge_answer(*worker_.challenges(), exchange.request);
      if (answer != nullptr) {
        const std::string_view body = exchange.arena.copy(*answer);  // may be withdrawn meanwhile
        const Result<> sent =
            co_await http::respond(exchange, 200, body, "application/octet-stream");
        if (!sent) exchange.reset(sent.error().code);
        co_return;
      }
    }
    http::ConnectionGuard* const guard = exchange.connection.guard;
    if (guard != nullptr && !guard->admits(exchange.request.host)) {
      co_await refuse_connection(exchange);
      co_return;
    }
    // The reference keeps the routes of this exchange alive across a reload.
    const SnapshotPointer snapshot = worker_.snapshot();
    co_await snapshot->serve(exchange);
  }
  bool draining() const noexcept override { return worker_.draining(); }

 private:
  Worker& worker_;
};

class HubService final : public http::Service {
 public:
  explicit HubService(Worker& worker) noexcept : worker_(worker) {}

  Task<> serve(http::Exchange& exchange) override {
    worker_.count_request();
    const SnapshotPointer snapshot = worker_.snapshot();
    co_await snapshot->serve_hub(exchange);
  }
  bool draining() const noexcept override { return worker_.draining(); }

 private:
  Worker& worker_;
};

}  // namespace

std::unique_ptr<http::Service> make_site_service(Worker& worker) {
  return std::make_unique<SiteService>(worker);
}

std::unique_ptr<http::Service> make_hub_service(Worker& worker) {
  return std::make_unique<HubService>(worker);
}

}  // namespace portero
