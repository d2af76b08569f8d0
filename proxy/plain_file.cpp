#include "proxy/plain_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/buffer.hpp"
#include "base/bytes.hpp"
#include "base/log.hpp"
#include "proxy/open_below.hpp"

namespace portero::proxy {
namespace {

constexpr std::size_t piece_bytes = 64 * 1024;

struct OpenFile {
  Fd file;
  std::uint64_t bytes = 0;
};

OpenFile open_file(int folder, std::string_view path, Symlinks symlinks) {
  Result<Fd> file = open_below(folder, path, symlinks);
  if (!file) {
    if (file.error().os_error == EXDEV) {
      log::warn("file.symlink", log::kv("path", path),
                log::kv("text", "a symlink that leads out of the folder is not followed: it must "
                                "belong to root or to the owner of the folder (chown -h)"));
    }
    return {};
  }
  struct stat found {};
  if (::fstat(file->get(), &found) != 0) return {};
  return {std::move(*file), static_cast<std::uint64_t>(found.st_size)};
}

Task<Result<>> send_file(http::Exchange& exchange, http::Response& response, OpenFile opened) {
  response.body = http::BodyKind::length;
  response.content_length = opened.bytes;
  const Result<> head = co_await exchange.send_head(response);
  if (!head) co_return head;
  const bool head_only = exchange.request.method == http::Method::head;
  std::uint64_t left = head_only ? 0 : opened.bytes;
  if (left == 0) co_return co_await exchange.send_body({}, http::Last::yes);
  Buffer buffer;
  while (left != 0) {
    buffer.clear();
    const MutableBytes room = buffer.prepare(piece_bytes);
    const ssize_t got = ::read(opened.file.get(), room.data(), piece_bytes);
    if (got <= 0) co_return Errc::internal;
    const Bytes piece(room.data(), std::min<std::uint64_t>(static_cast<std::size_t>(got), left));
    left -= piece.size();
    const Result<> sent =
        co_await exchange.send_body(piece, left == 0 ? http::Last::yes : http::Last::no);
    if (!sent) co_return sent;
  }
  co_return Result<>();
}

std::string_view type_of(std::string_view path) noexcept {
  static constexpr std::array<std::array<std::string_view, 2>, 12> types = {{
      {".html", "text/html; charset=utf-8"},
      {".css", "text/css; charset=utf-8"},
      {".js", "text/javascript; charset=utf-8"},
      {".json", "application/json"},
      {".svg", "image/svg+xml"},
      {".png", "image/png"},
      {".jpg", "image/jpeg"},
      {".webp", "image/webp"},
      {".ico", "image/x-icon"},
      {".woff2", "font/woff2"},
      {".txt", "text/plain; charset=utf-8"},
      {".pdf", "application/pdf"},
  }};
  for (const auto& [suffix, type] : types) {
    if (path.ends_with(suffix)) return type;
  }
  return "application/octet-stream";
}

}  // namespace

Task<Result<>> serve_plain_file(http::Exchange& exchange, const DocumentRoot& root,
                                std::string_view path) {
  const http::Method method = exchange.request.method;
  if (method != http::Method::get && method != http::Method::head) {
    co_return co_await http::respond(exchange, 405, "Method Not Allowed\n");
  }
  OpenFile opened = open_file(root.fd(), path, Symlinks::of_owner);
  if (!opened.file.is_open()) co_return co_await http::respond(exchange, 404, "Not Found\n");
  http::Response response(exchange.arena);
  response.headers.add("Content-Type", type_of(path), http::FieldId::content_type);
  co_return co_await send_file(exchange, response, std::move(opened));
}

Task<Result<>> serve_named_file(http::Exchange& exchange, http::Response& response,
                                const std::string& root, std::string_view path) {
  if (path.starts_with(root)) path.remove_prefix(root.size());
  Fd folder;
  if (!root.empty()) folder = Fd(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  OpenFile opened;
  if (folder.is_open()) opened = open_file(folder.get(), path, Symlinks::inside);
  if (!opened.file.is_open()) {
    log::warn("php.sendfile", log::kv("file", path), log::kv("sendfile_root", root),
              log::kv("path", exchange.request.path),
              log::kv("text", root.empty() ? "PHP named a file, but `sendfile_root` is not given"
                                           : "PHP named a file that is not below sendfile_root"));
    co_return co_await http::respond(exchange, 404, "Not Found\n");
  }
  co_return co_await send_file(exchange, response, std::move(opened));
}

}  // namespace portero::proxy
