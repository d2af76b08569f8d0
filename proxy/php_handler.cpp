#include "proxy/php_handler.hpp"

#include "base/log.hpp"
#include "proxy/failure_text.hpp"
#include "proxy/plain_file.hpp"
#include "proxy/redirect.hpp"

namespace portero::proxy {
namespace {

// Beyond the first; a script that ends its process each time must not go on for ever.
constexpr int retries_max = 2;
constexpr Milliseconds moment{100};
constexpr std::size_t roots_max = 64;  // of a root with placeholders, before they are forgotten

Task<Result<>> answer_too_large(http::Exchange& exchange) {
  co_return co_await http::respond_error(
      exchange, 413, "The body of the request is larger than is accepted here.\n");
}

}  // namespace

PhpHandler::PhpHandler(const conf::Route& route, PhpSettings settings, PoolRef pool,
                       PhpSurroundings around)
    : settings_(std::move(settings)),
      targets_(*route.php),
      root_(route.root),
      php_root_(route.php->root),
      pool_(std::move(pool)),
      files_(around.files),
      next_turn_(around.pools.next_turn()) {
  while (php_root_.ends_with('/')) php_root_.pop_back();
  if (!route.root.empty() && root_.is_constant()) {
    only_root_ = &roots_.try_emplace(route.root, route.root).first->second;
  }
}

Task<Result<>> PhpHandler::handle(http::Exchange& exchange) {
  const http::Request& request = exchange.request;
  if (request.method == http::Method::connect) {
    co_return co_await http::respond_error(exchange, 405, "PHP does not speak WebSocket.\n");
  }
  const Result<DocumentRoot*> root = find_root(exchange);
  if (!root) co_return root.error();
  const PhpTarget target = targets_.find(exchange, *root);
  switch (target.kind) {
    case PhpTarget::Kind::script: co_return co_await run_script(exchange, target, *root);
    case PhpTarget::Kind::slash: co_return co_await redirect_to_folder(exchange);
    case PhpTarget::Kind::file:
      co_return co_await serve_plain_file(exchange, {files_, next_turn_}, **root, target.script);
    case PhpTarget::Kind::status: {
      const std::string_view reason = http::reason_phrase(target.status);
      const std::string_view text = exchange.arena.concat(reason, "\n");
      co_return co_await http::respond_error(exchange, target.status, text);
    }
    case PhpTarget::Kind::missing: break;
  }
  co_return co_await http::respond_error(exchange, 404, "Not Found\n");
}

// The folder as it is now; nullptr when PHP alone has one.
Result<DocumentRoot*> PhpHandler::find_root(http::Exchange& exchange) {
  DocumentRoot* root = only_root_;
  if (root == nullptr) {
    const std::string path(root_.expand(exchange, Place::field));
    if (path.empty() && !php_root_.empty()) return nullptr;
    if (!path.empty() && !is_safe_root(path)) return Errc::bad_request;
    if (roots_.size() >= roots_max && !roots_.contains(path)) roots_.clear();
    root = &roots_.try_emplace(path, path).first->second;
  }
  const Result<> refreshed = root->refresh();
  if (refreshed) return root;
  if (!php_root_.empty()) return nullptr;
  log::error("php.root", log::kv("root", root->path()), log::kv("error", refreshed.error()),
             log::kv("text", root->path().empty() ? "`root` is missing: the folder with index.php"
                                                  : "the folder of `root` cannot be opened"));
  return refreshed.error();
}

Task<Result<>> PhpHandler::run_script(http::Exchange& exchange, const PhpTarget& target,
                                      const DocumentRoot* root) {
  const http::Request& request = exchange.request;
  if (request.body == http::BodyKind::length && request.content_length > settings_.body_bytes_max) {
    co_return co_await answer_too_large(exchange);
  }
  BodySpool body(settings_.spool_folder);
  if (request.body != http::BodyKind::none) {
    const Result<> read = co_await read_body(exchange, body);
    if (!read && read.error() == Errc::body_too_large) {
      co_return co_await answer_too_large(exchange);
    }
    if (!read) co_return read;
  }
  CgiScript script;
  script.target = target;
  script.document_root = php_root_.empty() ? std::string_view(root->real_path()) : php_root_;
  script.body_bytes = body.size();
  script.has_body = request.body != http::BodyKind::none;
  Buffer params;
  append_cgi_environment(exchange, settings_.cgi, script, params);
  co_return co_await call_php(exchange, params.readable(), body);
}

// PHP wants to know the length before the first byte, and a slow client shall not hold a process.
Task<Result<>> PhpHandler::read_body(http::Exchange& exchange, BodySpool& body) const {
  const http::Request& request = exchange.request;
  const bool has_length = request.body == http::BodyKind::length;
  while (!has_length || body.size() < request.content_length) {
    const Result<Bytes> piece = co_await exchange.read_body();
    if (!piece) co_return piece.error();
    if (piece->empty()) break;
    if (body.size() + piece->size() > settings_.body_bytes_max) co_return Errc::body_too_large;
    const Result<> kept = body.append(*piece);
    if (kept) continue;
    log::error("php.spool", log::kv("folder", settings_.spool_folder),
               log::kv("error", kept.error()),
               log::kv("text", "the body of a request cannot be kept in a file"));
    co_return kept;
  }
  co_return Result<>();
}

Task<Result<>> PhpHandler::call_php(http::Exchange& exchange, Bytes params, const BodySpool& body) {
  const bool may_meet_old =
      http::is_idempotent(exchange.request.method) || !pool_->settings().unix_path.empty();
  const Connection kind = may_meet_old ? Connection::any : Connection::fresh;
  const std::int64_t until_ms = coarse_clock().monotonic_ms + settings_.queue.wait.count();
  for (int attempt = 0, retries = 0;; ++attempt) {
    std::optional<Lease> lease = take_kept(*pool_, attempt == 0 ? kind : Connection::fresh);
    if (!lease) {
      Result<Lease> made = co_await wait_for_connection(exchange, pool_, settings_.queue,
                                                        attempt == 0 ? kind : Connection::fresh);
      if (!made) co_return co_await give_up(exchange, made.error());
      lease.emplace(std::move(*made));
    }
    const bool in_time = coarse_clock().monotonic_ms < until_ms;
    PhpCall call(exchange, std::move(*lease), settings_, next_turn_,
                 in_time && retries < retries_max);
    const Result<> result = co_await call.run(params, body);
    if (call.may_retry()) {
      if (call.may_have_started() && ++retries > 1) co_await wait_a_moment(exchange);
      continue;
    }
    if (!result || call.file().empty()) co_return result;
    co_return co_await serve_named_file(exchange, call.response(), {files_, next_turn_},
                                        {settings_.sendfile_root, call.file()});
  }
}

// The processes of a PHP-FPM that stops are ended one after the other, and take requests meanwhile.
Task<> PhpHandler::wait_a_moment(http::Exchange& exchange) {
  WaitPoint over;
  Timer timer([](void* self) { static_cast<WaitPoint*>(self)->signal(); }, &over);
  timer.arm(pool_->loop().timers(), moment);
  exchange.client_watch = &over;
  co_await over;
  exchange.client_watch = nullptr;
}

Task<Result<>> PhpHandler::give_up(http::Exchange& exchange, Error error) {
  if (error == Errc::cancelled) co_return error;
  exchange.upstream = pool_->settings().text;
  log::warn("php.not_reached", log::kv("upstream", pool_->settings().text), log::kv("error", error),
            log::kv("waiting", pool_->line().size()), log::kv("host", exchange.request.host),
            log::kv("path", exchange.request.path));
  co_return co_await answer_failure(exchange, error, *pool_);
}

Explained<std::unique_ptr<http::Handler>> make_php_handler(const conf::Route& route,
                                                           PhpSurroundings around) {
  const conf::Php& php = *route.php;
  Explained<PoolRef> pool = around.pools.get(upstream_settings(php));
  if (!pool) return pool.error();
  PhpSettings settings;
  settings.queue = {php.queue.size, php.queue.wait, php.timeouts.connect};
  settings.response = php.timeouts.response;
  settings.buffering = php.buffering;
  settings.spool_folder = around.spool_folder;
  settings.sendfile_root = php.sendfile_root;
  if (route.body_bytes_max) settings.body_bytes_max = *route.body_bytes_max;
  settings.cgi.headers_up = HeaderEdits(route.headers_up);
  for (const auto& [name, value] : php.env) settings.cgi.env.emplace_back(name, Template(value));
  return std::unique_ptr<http::Handler>(
      std::make_unique<PhpHandler>(route, std::move(settings), std::move(*pool), around));
}

}  // namespace portero::proxy
