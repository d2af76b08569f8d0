#include "proxy/files_handler.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/bytes.hpp"
#include "base/log.hpp"
#include "proxy/document_root.hpp"
#include "proxy/file_answer.hpp"
#include "proxy/folder_listing.hpp"
#include "proxy/php_target.hpp"
#include "proxy/redirect.hpp"

namespace portero::proxy {
namespace {

constexpr std::string_view immutable = "public, max-age=31536000, immutable";
constexpr std::string_view side_endings[codings] = {".gz", ".br", ".zst"};

// Which errors mean that there is no such file; others are worth a line of the log.
bool is_absent(int os_error) noexcept {
  return os_error == ENOENT || os_error == ENOTDIR || os_error == ENAMETOOLONG ||
         os_error == EXDEV || os_error == ELOOP || os_error == EINVAL;
}

Task<Result<>> answer_failure_to_open(http::Exchange& exchange, Error error) {
  if (is_absent(error.os_error) || error.os_error == EISDIR) {
    co_return co_await http::respond_error(exchange, 404, "Not Found\n");
  }
  log::warn("files.open", log::kv("path", exchange.request.path), log::kv("error", error),
            log::kv("text", "the file is there, but cannot be opened"));
  const int status = error.os_error == EACCES || error.os_error == EPERM ? 403 : 500;
  const std::string_view reason = http::reason_phrase(status);
  co_return co_await http::respond_error(exchange, status, exchange.arena.concat(reason, "\n"));
}

}  // namespace

FilesHandler::FilesHandler(const std::string& root, const conf::Files& settings, FileService files)
    : root_(root),
      index_(settings.index),
      symlinks_(settings.symlinks == "any" ? Symlinks::any : Symlinks::inside),
      browse_(settings.browse),
      files_(files) {
  if (!settings.fallback.empty()) fallback_.emplace(settings.fallback);
  for (const std::string& text : settings.hide) hidden_.emplace_back(text);
  for (const std::string& kind : settings.precompressed) {
    const std::string ending = "." + kind;
    const auto* const at = std::find(std::begin(side_endings), std::end(side_endings), ending);
    if (at != std::end(side_endings)) {
      precompressed_.push_back(static_cast<Coding>(at - std::begin(side_endings)));
    }
  }
  for (const auto& [path, value] : settings.cache) {
    cache_control_.emplace_back(Pattern(path), value == "immutable" ? immutable : value);
  }
}

Task<Result<>> FilesHandler::handle(http::Exchange& exchange) {
  const http::Request& request = exchange.request;
  const std::string root(root_.expand(exchange, Place::field));
  if (!is_safe_root(root)) co_return Errc::bad_request;
  if (names_dotfile(request.path) || is_hidden(request.path)) {
    co_return co_await http::respond_error(exchange, 404, "Not Found\n");
  }
  const Result<Found> found = find(exchange, root);
  const bool is_folder = !found && found.error().os_error == EISDIR;
  if (is_folder && !request.path.ends_with('/')) co_return co_await redirect_to_folder(exchange);
  if (!found && browse_ && request.path.ends_with('/') && is_absent(found.error().os_error)) {
    co_return co_await list_folder(exchange, root, hidden_, symlinks_ == Symlinks::any);
  }
  if (!found) co_return co_await answer_failure_to_open(exchange, found.error());
  http::Response response(exchange.arena);
  response.headers.add("Content-Type", found->type.text, http::FieldId::content_type);
  if (found->coding) {
    response.headers.add("Content-Encoding", coding_name(*found->coding),
                         http::FieldId::content_encoding);
  }
  if (found->type.compressible && !precompressed_.empty()) {
    response.headers.add("Vary", "Accept-Encoding");
  }
  const std::string_view cache = cache_control(found->path);
  if (!cache.empty()) response.headers.add("Cache-Control", cache);
  co_return co_await answer_with_file(exchange, response, found->file, files_.next_turn);
}

// Errors: as open_file().
Result<FilesHandler::Found> FilesHandler::find(http::Exchange& exchange,
                                               const std::string& root) const {
  const std::string_view path = exchange.request.path;
  std::string_view name = path;
  Result<FilePointer> file = Errc::internal;
  if (!path.ends_with('/')) {
    file = open(root, path);
    if (!file && file.error().os_error == EISDIR) return file.error();
  } else {
    file = Error(Errc::internal, ENOENT);
    for (const std::string& index : index_) {
      name = exchange.arena.concat(path, index);
      file = open(root, name);
      if (file || !is_absent(file.error().os_error)) break;
    }
  }
  if (!file && is_absent(file.error().os_error) && fallback_) {
    name = fallback_->expand(exchange, Place::text);
    name = name.substr(0, name.find('?'));
    file = open(root, name);
  }
  if (!file) return file.error();
  Found found{*file, name, std::nullopt, (*file)->type};
  if (!precompressed_.empty() && found.type.compressible) {
    prefer_coded(exchange, root, name, found);
  }
  files_.cache.load(*found.file);
  return found;
}

Result<FilePointer> FilesHandler::open(const std::string& root, std::string_view path) const {
  return files_.cache.open(root, path, symlinks_);
}

// Takes the file beside the file ("app.js.br") if the client wants it.
void FilesHandler::prefer_coded(http::Exchange& exchange, const std::string& root,
                                std::string_view path, Found& found) const {
  AcceptedCodings accepted(exchange.request.headers);
  std::array<Coding, codings> offered{};
  std::size_t count = 0;
  for (const Coding coding : precompressed_) {
    if (accepted.quality(coding) != 0) offered[count++] = coding;
  }
  while (count != 0) {
    const Coding coding = *accepted.choose({offered.data(), count});
    const std::string_view name =
        exchange.arena.concat(path, side_endings[static_cast<std::size_t>(coding)]);
    const Result<FilePointer> side = files_.cache.open(root, name, symlinks_, true);
    if (side) {
      found.file = *side;
      found.coding = coding;
      return;
    }
    count = static_cast<std::size_t>(std::remove(offered.begin(), offered.begin() + count, coding) -
                                     offered.begin());
  }
}

// A pattern with a slash is one of the whole path, others of each name in it.
bool FilesHandler::is_hidden(std::string_view path) const noexcept {
  if (hidden_.empty()) return false;
  for (const Pattern& pattern : hidden_) {
    if (pattern.text().find('/') != std::string::npos && pattern.matches(path)) return true;
  }
  while (!path.empty()) {
    const std::size_t end = path.find('/');
    const std::string_view name = path.substr(0, end);
    for (const Pattern& pattern : hidden_) {
      if (!name.empty() && pattern.matches(name)) return true;
    }
    path.remove_prefix(end == std::string_view::npos ? path.size() : end + 1);
  }
  return false;
}

std::string_view FilesHandler::cache_control(std::string_view path) const noexcept {
  for (const auto& [pattern, value] : cache_control_) {
    if (pattern.matches(path)) return value;
  }
  return {};
}

}  // namespace portero::proxy
